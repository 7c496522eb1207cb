/* greeting.c -- a word to whoever took this port for another one. */
#include "server/greeting.h"

#include <stddef.h>
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
