/* SPDX-License-Identifier: Apache-2.0 */
/* error.h -- what can keep a call from being answered: one list, negative,
 * named, with text. Zero is success; an outcome is not an error. */
#ifndef IDP_ERROR_H
#define IDP_ERROR_H

#include <stddef.h>

#define IDP_ERRORS(X)                                                       \
    X(PROTOCOL, -1, "not MessagePack-RPC; the connection is closed")        \
    X(UNKNOWN_METHOD, -2, "no such method")                                 \
    X(BAD_REQUEST, -3, "the parameters are not the method's")               \
    X(TOO_LARGE, -4, "a field is over its limit")                           \
    X(LIMIT, -5, "too many waiters, connections or pending requests")       \
    X(NO_MEMORY, -6, "the memory limit is reached; the claim was not made") \
    X(DENIED, -7, "a secret is needed, or it is wrong")                     \
    X(NOT_PRIMARY, -8, "this server is not the primary")                    \
    X(UNREPLICATED, -9, "not confirmed by the replica: outcome unknown")    \
    X(SHUTTING_DOWN, -10, "the server is going down; ask again elsewhere")

typedef enum idp_error {
    IDP_OK = 0,
#define X(name, number, text) IDP_E_##name = number,
    IDP_ERRORS(X)
#undef X
} idp_error;

/* The code's name as it stands on the wire ("BAD_REQUEST"), and its default
 * text. Static storage; "UNKNOWN" for a number that is none of ours. */
const char *idp_error_name(idp_error error);
const char *idp_error_text(idp_error error);

/* The code that an error string "CODE text" begins with; 0 if none of ours
 * (a newer server's). text_at: where the text begins. */
idp_error idp_error_parse(const char *message, size_t len, size_t *text_at);

#endif
