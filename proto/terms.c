/* SPDX-License-Identifier: Apache-2.0 */
/* terms.c -- the words of terms.h, as they stand on the wire.
 *
 * Tables only. A number that is none of the list's gets "unknown". */
#include "proto/reply.h"

#define X(name, text) text,
static const char *const methods[] = {IDP_METHODS(X)};
static const char *const states[] = {IDP_STATES(X)};
static const char *const outcomes[] = {IDP_OUTCOMES(X)};
static const char *const verbs[] = {IDP_VERBS(X)};
static const char *const event_kinds[] = {"unknown", IDP_EVENT_KINDS(X)};
#undef X
static const char *const previouses[] = {"none", "orphaned", "released"};
static const char *const classes[] = {"success", "error"};

#define PICK(table, at) \
    ((size_t)(at) < sizeof(table) / sizeof *(table) ? (table)[at] : "unknown")

const char *idp_method_name(idp_method method) {
    return PICK(methods, method);
}

const char *idp_state_name(idp_state state) {
    return PICK(states, state);
}

const char *idp_outcome_name(idp_outcome outcome) {
    return PICK(outcomes, outcome);
}

const char *idp_previous_name(idp_previous previous) {
    return PICK(previouses, previous);
}

const char *idp_verb_name(idp_verb verb) {
    return PICK(verbs, verb);
}

const char *idp_event_kind_name(idp_event_kind kind) {
    return PICK(event_kinds, kind);
}

const char *idp_class_name(idp_class class) {
    return PICK(classes, class);
}
