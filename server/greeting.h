/* greeting.h -- a word to whoever took this port for another one. */
#ifndef IDS_GREETING_H
#define IDS_GREETING_H

#include <stdint.h>

/* One line of text for a connection whose first byte can't begin a
 * MessagePack-RPC request; NULL when it can. Static storage. */
const char *ids_greeting_for(uint8_t first);

/* The line for a frame that begins as one of ours and then is none, before
 * there is a msgid to answer to. */
extern const char ids_greeting_no_request[];

#endif
