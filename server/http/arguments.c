/* SPDX-License-Identifier: Apache-2.0 */
/* arguments.c -- see arguments.h. */
#include "server/http/arguments.h"

#include "server/http/chars.h"

#define OF(route)     IDS_HTTP_OF(route)
#define CLAIM_METHODS IDS_HTTP_CLAIM_ROUTES
#define OF_KEYS \
    (CLAIM_METHODS | OF(ACQUIRE) | OF(PEEK) | OF(RECORD) | OF(INSPECT))
#define OF_ALL  (OF_KEYS | OF(LIST) | OF(EVENTS) | OF(ERASE))
#define OF_SOME (OF(LIST) | OF(EVENTS) | OF(ERASE))
#define OF_ENDS (OF(COMPLETE) | OF(RESOLVE))

static const arg_row rows[] = {
    {{"ns", OF_ALL, "string",
      "the namespace, at most 64 bytes; left out: \"\", of list and events: "
      "any"},
     TEXT,
     NS},
    {{"ns_b64", OF_ALL, "string", "the same in base64"}, BASE64, NS},
    {{"key", OF_KEYS, "string", "the business key, 1 to 512 bytes"}, TEXT, KEY},
    {{"key_b64", OF_KEYS, "string", "the same in base64"}, BASE64, KEY},
    {{"fingerprint", OF(ACQUIRE), "string",
      "a digest of what is asked for, at most 64 bytes"},
     TEXT,
     FINGERPRINT},
    {{"fingerprint_hex", OF(ACQUIRE), "string", "the same in hexadecimal"},
     HEX,
     FINGERPRINT},
    {{"fingerprint_b64", OF(ACQUIRE), "string", "the same in base64"},
     BASE64,
     FINGERPRINT},
    {{"nonce", OF(ACQUIRE) | OF(RESOLVE), "string",
      "1 to 32 bytes drawn by the caller for this one call, and the same when "
      "it is repeated"},
     TEXT,
     NONCE},
    {{"nonce_b64", OF(ACQUIRE) | OF(RESOLVE), "string", "the same in base64"},
     BASE64,
     NONCE},
    {{"lease", OF(ACQUIRE) | OF(RENEW), "string",
      "how long the claim is held, as 30s; ms, s, m, h, d; left out: 30s"},
     DURATION,
     LEASE},
    {{"lease_ms", OF(ACQUIRE) | OF(RENEW), "integer",
      "the same in milliseconds"},
     MS,
     LEASE},
    {{"ttl", OF(ACQUIRE) | OF_ENDS, "string",
      "how long the record is kept; left out: 24h, of complete and resolve: as "
      "it was"},
     DURATION,
     TTL},
    {{"ttl_ms", OF(ACQUIRE) | OF_ENDS, "integer", "the same in milliseconds"},
     MS,
     TTL},
    {{"wait", OF(ACQUIRE) | OF(EVENTS), "string",
      "how long the answer may be held back while somebody else holds the "
      "claim, or nothing happens, at most 60s"},
     DURATION,
     WAIT},
    {{"wait_ms", OF(ACQUIRE) | OF(EVENTS), "integer",
      "the same in milliseconds"},
     MS,
     WAIT},
    {{"on_orphan", OF(ACQUIRE), "string",
      "what to do when the holder's lease is over: takeover or report"},
     ON_ORPHAN,
     ORPHAN},
    {{"token", CLAIM_METHODS, "string", "the claim's, 32 hexadecimal digits"},
     TOKEN,
     CLAIM},
    {{"result", OF_ENDS, "", "any JSON, kept as it was sent; null: none"},
     ANY_JSON,
     RESULT},
    {{"result_text", OF_ENDS, "string", "the result as text"}, TEXT, RESULT},
    {{"result_b64", OF_ENDS, "string", "the result in base64"}, BASE64, RESULT},
    {{"class", OF_ENDS, "string", "success or error"}, CLASS, RESULT_CLASS},
    {{"unbind", OF(RELEASE), "boolean",
      "forget the fingerprint: the next one may ask for something else"},
     BOOLEAN,
     UNBIND},
    {{"prefix", OF_SOME, "string", "how the keys begin"}, TEXT, KEY},
    {{"prefix_b64", OF_SOME, "string", "the same in base64"}, BASE64, KEY},
    {{"state", OF(LIST), "string",
      "in_progress, orphaned, completed or released; left out: any"},
     STATE,
     ORPHAN},
    {{"kind", OF(EVENTS), "string",
      "acquired, renewed, completed, released, deleted, expired, mismatch or "
      "stale; left out: any"},
     KIND,
     ORPHAN},
    {{"older", OF(LIST), "string", "only what is so old or older, as 10m"},
     DURATION,
     OLDER},
    {{"older_ms", OF(LIST), "integer", "the same in milliseconds"}, MS, OLDER},
    {{"oldest", OF(LIST), "boolean",
      "of orphaned or in_progress those that the last scan found to be the "
      "oldest, 256 of each worker"},
     BOOLEAN,
     OLDEST},
    {{"cursor", OF(LIST) | OF(EVENTS) | OF(CLIENTS), "string",
      "of the page before; then nothing else is given, but of events wait"},
     TEXT,
     CURSOR},
    {{"id", OF(KILL), "string", "of the connection, as clients tells it"},
     TEXT,
     CURSOR},
    {{"name", OF(BACKUP), "string",
      "what it is called, 1 to 64 of A-Z a-z 0-9 . _ -; left out: by the time"},
     TEXT,
     NS},
    {{"verb", OF(RESOLVE), "string",
      "what becomes of the claim: complete, release or delete"},
     VERB,
     DECISION},
    {{"reason", OF(RESOLVE) | OF(ERASE), "string",
      "why, 1 to 256 bytes; it goes into the audit log"},
     TEXT,
     REASON},
    {{"force", OF(RESOLVE), "boolean",
      "also while the lease runs; delete: also what is completed"},
     BOOLEAN,
     FORCE},
    {{"dry_run", OF(ERASE), "boolean", "count them, and do nothing"},
     BOOLEAN,
     DRY_RUN},
};

#define ROWS (sizeof rows / sizeof *rows)

const arg_row ids_http_argument_as = {
    {"as", OF(ACQUIRE), "string", "raw: of a replay the result alone"},
    AS,
    RAW};

const ids_http_argument *ids_http_argument_at(size_t i) {
    return i < ROWS ? &rows[i].said : NULL;
}

const arg_row *ids_http_argument_find(ids_http_route route, idp_slice name) {
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].said.routes & (1u << route)) &&
            slice_equals(name, rows[i].said.name))
            return &rows[i];
    return NULL;
}

const char *ids_http_argument_wants(arg_kind kind) {
    static const char *const words[] = {
        [TEXT] = "a string",
        [HEX] = "a string of hexadecimal digits, two for each byte",
        [BASE64] = "a string in base64",
        [DURATION] = "a duration with its unit, as \"30s\" (ms, s, m, h, d)",
        [MS] = "a whole number of milliseconds",
        [ON_ORPHAN] = "\"takeover\" or \"report\"",
        [CLASS] = "\"success\" or \"error\"",
        [VERB] = "\"complete\", \"release\" or \"delete\"",
        [BOOLEAN] = "true or false",
        [TOKEN] = "32 hexadecimal digits",
        [ANY_JSON] = "JSON, in the body",
        [STATE] = ("\"in_progress\", \"orphaned\", \"completed\" or "
                   "\"released\""),
        [KIND] = ("\"acquired\", \"renewed\", \"completed\", "
                  "\"released\", \"deleted\", \"expired\", \"mismatch\" "
                  "or \"stale\""),
        [AS] = "raw"};
    return words[kind];
}
