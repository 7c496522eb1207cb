/* SPDX-License-Identifier: Apache-2.0 */
/* read.c -- what stands behind an option, as a value of the ask: see read.h.
 *
 * Nothing has a default here: what isn't given stays zero, which is the
 * library's default. */
#include "client/ctl/read.h"
#include "client/ctl/values.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool ctl_read_text(char *text, ctl_ask *ask) {
    (void)text;
    (void)ask;
    return true;
}

bool ctl_read_flag(char *text, ctl_ask *ask) {
    return ctl_read_text(text, ask);
}

/* max: as people write it. Zero would mean "not given" to the library, save
 * where it may be given. */
static bool read_duration(const char *text, ctl_ask *ask, const char *max,
                          uint64_t *ms) {
    uint64_t ms_max = 0;
    bool legal = value_duration(max, &ms_max);
    assert(legal);
    (void)legal;
    if (text[0] == '-')
        return ctl_why(ask, "%.40s is negative; a duration is 1ms to %s", text,
                       max);
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' &&
        strspn(text, "0") != strlen(text))
        return ctl_why(ask,
                       "%.40s has no unit; write it as 500ms, 7s, 2m, 24h or "
                       "30d",
                       text);
    if (!value_duration(text, ms))
        return ctl_why(ask,
                       "%.40s is no duration; write it as 500ms, 7s, 2m, 24h "
                       "or 30d",
                       text);
    if (*ms > ms_max)
        return ctl_why(ask, "%.40s is too long; at most %s", text, max);
    return true;
}

static bool read_lasting(const char *text, ctl_ask *ask, const char *max,
                         uint64_t *ms) {
    if (!read_duration(text, ask, max, ms))
        return false;
    return *ms > 0 ? true
                   : ctl_why(ask, "%.40s is too short; at least 1ms", text);
}

static bool read_lasting_short(const char *text, ctl_ask *ask, uint32_t *ms) {
    uint64_t value = 0;
    if (!read_lasting(text, ask, "24h", &value))
        return false;
    *ms = (uint32_t)value;
    return true;
}

static bool read_number(const char *text, ctl_ask *ask, uint64_t min,
                        uint64_t max, uint64_t *value) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits] != '\0')
        return ctl_why(ask, "%.40s is no number", text);
    *value = strtoull(text, NULL, 10);
    if (*value >= min && *value <= max)
        return true;
    return ctl_why(ask, "%.40s is not within %llu to %llu", text,
                   (unsigned long long)min, (unsigned long long)max);
}

bool ctl_read_lease(char *text, ctl_ask *ask) {
    return read_lasting_short(text, ask, &ask->args.lease_ms);
}

bool ctl_read_ttl(char *text, ctl_ask *ask) {
    return read_lasting(text, ask, "366d", &ask->args.ttl_ms);
}

bool ctl_read_timeout(char *text, ctl_ask *ask) {
    return read_lasting_short(text, ask, &ask->args.timeout_ms);
}

bool ctl_read_wait(char *text, ctl_ask *ask) {
    uint64_t ms = 0;
    if (!read_duration(text, ask, "60s", &ms))
        return false;
    ask->args.wait_ms = (uint32_t)ms;
    return true;
}

/* Which of two words; the second one's code follows the first one's. */
static bool read_choice(const char *text, ctl_ask *ask,
                        const char *const words[static 2], int32_t first,
                        int32_t *choice) {
    for (int32_t i = 0; i < 2; i++) {
        if (strcmp(text, words[i]) == 0) {
            *choice = first + i;
            return true;
        }
    }
    return ctl_why(ask, "%.40s is neither %s nor %s", text, words[0], words[1]);
}

bool ctl_read_on_orphan(char *text, ctl_ask *ask) {
    static const char *const words[] = {"takeover", "report"};
    static_assert(IDEM_REPORT == IDEM_TAKEOVER + 1, "in this order");
    return read_choice(text, ask, words, IDEM_TAKEOVER, &ask->args.on_orphan);
}

bool ctl_read_class(char *text, ctl_ask *ask) {
    static const char *const words[] = {"success", "error"};
    static_assert(IDEM_CLASS_ERROR == IDEM_CLASS_SUCCESS + 1, "likewise");
    return read_choice(text, ask, words, IDEM_CLASS_SUCCESS,
                       &ask->args.result_class);
}

bool ctl_read_watch(char *text, ctl_ask *ask) {
    if (!read_lasting(text, ask, "24h", &ask->watch_ms))
        return false;
    return ask->watch_ms >= 100
               ? true
               : ctl_why(ask, "%.40s is too short; at least 100ms", text);
}

bool ctl_read_count(char *text, ctl_ask *ask) {
    return read_number(text, ask, 1, 1000000000, &ask->watch_count);
}

bool ctl_read_on_failure(char *text, ctl_ask *ask) {
    if (ctl_list_has("complete release leave", text))
        return true;
    return ctl_why(ask, "%.40s is none of complete, release and leave", text);
}

bool ctl_read_kill_after(char *text, ctl_ask *ask) {
    return read_duration(text, ask, "24h", &ask->kill_after_ms);
}

static bool read_hex(const char *text, ctl_ask *ask, uint8_t *bytes,
                     size_t bytes_max, size_t *len) {
    if (!value_hex(text, bytes, bytes_max, len) || *len == 0)
        return ctl_why(ask,
                       "%.40s is not 1 to %zu bytes in hexadecimal, two "
                       "digits each",
                       text, bytes_max);
    return true;
}

bool ctl_read_fingerprint(char *text, ctl_ask *ask) {
    if (ask->args.fingerprint != NULL)
        return ctl_why(ask, "--body gives it already");
    ask->args.fingerprint = ask->fingerprint;
    return read_hex(text, ask, ask->fingerprint, sizeof ask->fingerprint,
                    &ask->args.fingerprint_len);
}

bool ctl_read_nonce(char *text, ctl_ask *ask) {
    ask->args.nonce = ask->nonce;
    return read_hex(text, ask, ask->nonce, sizeof ask->nonce,
                    &ask->args.nonce_len);
}

bool ctl_read_token(char *text, ctl_ask *ask) {
    size_t len = 0;
    if (value_hex(text, ask->args.token.bytes, IDEM_TOKEN_BYTES, &len) &&
        len == IDEM_TOKEN_BYTES)
        return true;
    return ctl_why(ask, "%.40s is no token: those have %d hexadecimal digits",
                   text, 2 * IDEM_TOKEN_BYTES);
}

static bool read_file(const char *path, ctl_ask *ask, size_t bytes_max,
                      uint8_t **bytes, size_t *len) {
    if (strcmp(path, "-") == 0 && ask->stdin_taken)
        return ctl_why(ask, "stdin is where the commands come from");
    if (value_file(path, bytes_max, bytes, len))
        return true;
    if (errno == EFBIG)
        return ctl_why(ask, "%.200s has more than %zu bytes", path, bytes_max);
    return ctl_why(ask, "%.200s can't be read: %s", path, strerror(errno));
}

bool ctl_read_key_hex(char *text, ctl_ask *ask) {
    uint8_t *bytes = malloc(IDEM_KEY_BYTES_MAX);
    ask->key_owned = bytes;
    if (bytes == NULL)
        return ctl_why(ask, "out of memory");
    ask->args.key = bytes;
    return read_hex(text, ask, bytes, IDEM_KEY_BYTES_MAX, &ask->args.key_len);
}

bool ctl_read_key_file(char *path, ctl_ask *ask) {
    uint8_t *bytes = NULL;
    if (ask->args.key != NULL)
        return ctl_why(ask, "--key-hex gives it already");
    if (!read_file(path, ask, IDEM_KEY_BYTES_MAX, &bytes, &ask->args.key_len))
        return false;
    ask->args.key = ask->key_owned = bytes;
    return true;
}

bool ctl_read_body(char *path, ctl_ask *ask) {
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (ask->args.fingerprint != NULL)
        return ctl_why(ask, "--fingerprint gives it already");
    if (!read_file(path, ask, CTL_FILE_BYTES_MAX, &bytes, &len))
        return false;
    idem_fingerprint(&(idem_slice){bytes, len}, 1, ask->fingerprint);
    ask->args.fingerprint = ask->fingerprint;
    ask->args.fingerprint_len = IDEM_FINGERPRINT_BYTES;
    free(bytes);
    return true;
}

bool ctl_read_result(char *text, ctl_ask *ask) {
    if (ask->args.result != NULL)
        return ctl_why(ask, "--result-file gives it already");
    ask->args.result = text;
    ask->args.result_len = strlen(text);
    return true;
}

bool ctl_read_result_file(char *path, ctl_ask *ask) {
    uint8_t *bytes = NULL;
    if (ask->args.result != NULL)
        return ctl_why(ask, "--result gives it already");
    if (!read_file(path, ask, CTL_FILE_BYTES_MAX, &bytes,
                   &ask->args.result_len))
        return false;
    ask->args.result = ask->result_owned = bytes;
    return true;
}

bool ctl_read_namespace(char *text, ctl_ask *ask) {
    ask->args.ns = text;
    ask->args.ns_len = strlen(text);
    return true;
}

bool ctl_read_server(char *text, ctl_ask *ask) {
    ask->server = text;
    return true;
}

bool ctl_read_unbind(char *text, ctl_ask *ask) {
    (void)text;
    ask->args.unbind = 1;
    return true;
}

bool ctl_read_node(char *text, ctl_ask *ask) {
    ask->node = text;
    return *text != '\0' || ctl_why(ask, "a node's name is missing");
}

bool ctl_read_accept_loss(char *text, ctl_ask *ask) {
    (void)text;
    return ask->accept_loss = true;
}

bool ctl_read_open_metrics(char *text, ctl_ask *ask) {
    (void)text;
    return ask->open_metrics = true;
}

bool ctl_read_dry_run(char *text, ctl_ask *ask) {
    (void)text;
    return ask->dry_run = true;
}

bool ctl_read_force(char *text, ctl_ask *ask) {
    (void)text;
    return ask->force = true;
}

static bool read_word_list(const char *text, const char **list) {
    *list = text;
    return true;
}

bool ctl_read_claim(char *text, ctl_ask *ask) {
    return read_word_list(text, &ask->claim);
}

bool ctl_read_read(char *text, ctl_ask *ask) {
    return read_word_list(text, &ask->read);
}

bool ctl_read_resolve(char *text, ctl_ask *ask) {
    return read_word_list(text, &ask->resolve);
}

bool ctl_read_admin(char *text, ctl_ask *ask) {
    (void)text;
    return ask->admin = true;
}

bool ctl_read_stats(char *text, ctl_ask *ask) {
    (void)text;
    return ask->stats = true;
}

bool ctl_read_raw(char *text, ctl_ask *ask) {
    (void)text;
    return ask->raw = true;
}

bool ctl_read_output(char *text, ctl_ask *ask) {
    ask->output = text;
    return *text != '\0' || ctl_why(ask, "a path is missing");
}

bool ctl_read_verbose(char *text, ctl_ask *ask) {
    (void)text;
    return ask->verbose = true;
}

bool ctl_read_json(char *text, ctl_ask *ask) {
    (void)text;
    return ask->json = true;
}

bool ctl_read_help(char *text, ctl_ask *ask) {
    (void)text;
    return ask->help = true;
}

bool ctl_read_version(char *text, ctl_ask *ask) {
    (void)text;
    return ask->version = true;
}
