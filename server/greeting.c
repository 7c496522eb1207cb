/* greeting.c -- a word to whoever took this port for another one. */
#include "server/greeting.h"

#include <string.h>

#define SPEAKS "idemstored speaks MessagePack-RPC on this port, "
#define SEE    ": see proto/README.md\r\n"

const char ids_greeting_no_request[] = SPEAKS "and this is no request" SEE;

const char *ids_greeting_for(uint8_t first) {
    if ((first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd)
        return NULL; /* an array */
    if (first == '*' || first == '$')
        return SPEAKS "not the Redis protocol" SEE;
    if (first == '{' || first == '[' || first == '"')
        return SPEAKS "not JSON" SEE;
    if (first == 0x16)
        return SPEAKS "not TLS" SEE;
    if (first && strchr("GPHDOCT", first))
        return SPEAKS "not HTTP" SEE;
    return SPEAKS "and requests are arrays" SEE;
}

/* The peer's link knows it by its beginning. */
const char ids_greeting_no_peer[] =
    "this idemstored has no peer: see --replication and --replicate-from\r\n";

const char ids_greeting_no_place[] =
    "this idemstored has too many connections: see --max-connections\r\n";

ids_preface ids_greeting_is_peer(const uint8_t *bytes, size_t len) {
    size_t known = len < IDS_PREFACE_BYTES ? len : IDS_PREFACE_BYTES;
    if (memcmp(bytes, IDS_PREFACE, known) != 0)
        return IDS_PREFACE_NONE;
    return known < IDS_PREFACE_BYTES ? IDS_PREFACE_PARTIAL : IDS_PREFACE_WHOLE;
}
