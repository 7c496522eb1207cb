/* greeting.h -- a word to whoever took this port for another one. */
#ifndef IDS_GREETING_H
#define IDS_GREETING_H

#include <stddef.h>
#include <stdint.h>

/* One line of text for a connection whose first byte can't begin a
 * MessagePack-RPC request; NULL when it can. Static storage. */
const char *ids_greeting_for(uint8_t first);

/* The line for a frame that begins as one of ours and then is none, before
 * there is a msgid to answer to. */
extern const char ids_greeting_no_request[];

/* Another server, of the same kind, begins with these bytes. */
#define IDS_PREFACE       "idempeer"
#define IDS_PREFACE_BYTES 8u

typedef enum ids_preface {
    IDS_PREFACE_NONE,
    IDS_PREFACE_PARTIAL,
    IDS_PREFACE_WHOLE
} ids_preface;

ids_preface ids_greeting_is_peer(const uint8_t *bytes, size_t len);

/* The line for another server where none is expected. */
extern const char ids_greeting_no_peer[];

/* And where there are too many connections already. */
extern const char ids_greeting_no_place[];

#endif
