/* greeting.h -- a word to whoever took this port for another one. */
#ifndef IDS_GREETING_H
#define IDS_GREETING_H

#include <stdint.h>

/* One line of text for a connection whose first byte can't begin a
 * MessagePack-RPC request; NULL when it can. Static storage. */
const char *ids_greeting_for(uint8_t first);

#endif
