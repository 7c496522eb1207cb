/* SPDX-License-Identifier: Apache-2.0 */
/* sized.c -- see sized.h, and the functions that begin such a struct. */
#include "client/src/sized.h"

#include <assert.h>
#include <string.h>

#include "client/src/error.h"

/* A struct that is said to be longer is a size that was never set. */
#define SIZE_MAX_BYTES 65536u

#define END(field) \
    (uint16_t)(offsetof(STRUCT, field) + sizeof(((STRUCT *)0)->field))

/* least: the last field that a caller's struct must have. What the header
 * began with is not all of it, so that the rule could be tested from the first
 * day on. */
#define LAYOUT(short_name, least)                                         \
    const idem__layout idem__##short_name##_layout = {                    \
        "idem_" #short_name, short_name##_ends,                           \
        sizeof short_name##_ends / sizeof *short_name##_ends, END(least), \
        sizeof(STRUCT)};                                                  \
    void idem_##short_name##_init(STRUCT *of, size_t of_size) {           \
        begin_sized(of, of_size);                                         \
    }

/* A field in what was padding would read what no program has set. */
#define NO_PADDING(last) \
    static_assert(END(last) == sizeof(STRUCT), "name what pads the end")

static void begin_sized(void *theirs, size_t size) {
    uint32_t told = (uint32_t)size;
    if (theirs == NULL || size < sizeof told || size > SIZE_MAX_BYTES)
        return;
    memset(theirs, 0, size);
    memcpy(theirs, &told, sizeof told);
}

#define STRUCT idem_args
static const uint16_t args_ends[] = {
    END(size),      END(timeout_ms),   END(ns),          END(ns_len),
    END(key),       END(key_len),      END(fingerprint), END(fingerprint_len),
    END(nonce),     END(nonce_len),    END(result),      END(result_len),
    END(token),     END(ttl_ms),       END(lease_ms),    END(wait_ms),
    END(on_orphan), END(result_class), END(unbind),      END(no_renew)};
NO_PADDING(no_renew);
LAYOUT(args, timeout_ms)
#undef STRUCT

#define STRUCT idem_answer
static const uint16_t answer_ends[] = {
    END(size),         END(outcome),      END(state),         END(previous),
    END(result_class), END(kept),         END(has_result),    END(attempt),
    END(token),        END(lease_ms),     END(lease_left_ms), END(age_ms),
    END(ttl_left_ms),  END(result_bytes), END(result),        END(result_len),
    END(memory),       END(memory_bytes), END(nonce),         END(nonce_len)};
LAYOUT(answer, memory_bytes)
#undef STRUCT

#define STRUCT idem_error
static const uint16_t error_ends[] = {
    END(size), END(code),    END(assume), END(os_error), END(endpoint),
    END(text), END(primary), END(nonce),  END(nonce_len)};
LAYOUT(error, code)
#undef STRUCT

#define STRUCT idem_info
static const uint16_t info_ends[] = {
    END(size),        END(protocol), END(shards),
    END(shard),       END(epoch),    END(result_bytes_max),
    END(pending_max), END(server),   END(version),
    END(role),        END(endpoint), END(user)};
LAYOUT(info, protocol)
#undef STRUCT

#define STRUCT idem_status
static const uint16_t status_ends[] = {
    END(size),        END(changes_wait), END(connections),  END(events_lost),
    END(epoch),       END(calls),        END(repeats),      END(connects),
    END(losses),      END(follows),      END(unreplicated), END(timeouts),
    END(failed_fast), END(primary)};
NO_PADDING(primary);
LAYOUT(status, changes_wait)
#undef STRUCT

#define STRUCT idem_http
static const uint16_t http_ends[] = {END(size),          END(status),
                                     END(retry_after_s), END(replayed),
                                     END(body_len),      END(content_type)};
LAYOUT(http, status)
#undef STRUCT

#define STRUCT idem_http_answer
static const uint16_t http_answer_ends[] = {
    END(size),          END(status),     END(headers),
    END(headers_count), END(body),       END(body_len),
    END(keep),          END(keep_count), END(result_bytes_max)};
NO_PADDING(result_bytes_max);
LAYOUT(http_answer, body_len)
#undef STRUCT

#define STRUCT idem_http_request
static const uint16_t http_request_ends[] = {
    END(size),         END(for_anyone), END(method),   END(target),
    END(content_type), END(body),       END(principal)};
NO_PADDING(principal);
LAYOUT(http_request, body)
#undef STRUCT

#define STRUCT idem_tls
static const uint16_t tls_ends[] = {END(size), END(verify), END(ca),
                                    END(cert), END(key),    END(server_name)};
NO_PADDING(server_name);
LAYOUT(tls, verify)
#undef STRUCT

#define STRUCT idem_list_args
static const uint16_t list_args_ends[] = {
    END(size),   END(state),      END(older_ms), END(ns),        END(ns_len),
    END(prefix), END(prefix_len), END(oldest),   END(timeout_ms)};
NO_PADDING(timeout_ms);
LAYOUT(list_args, state)
#undef STRUCT

#define STRUCT idem_watch_args
static const uint16_t watch_args_ends[] = {
    END(size),   END(event),      END(ns),        END(ns_len),
    END(prefix), END(prefix_len), END(timeout_ms)};
NO_PADDING(timeout_ms);
LAYOUT(watch_args, event)
#undef STRUCT

#define STRUCT idem_command_args
static const uint16_t command_args_ends[] = {
    END(size),    END(command), END(accept_loss), END(timeout_ms),
    END(dry_run), END(force),   END(node)};
NO_PADDING(node);
LAYOUT(command_args, command)
#undef STRUCT

#define STRUCT idem_command_answer
static const uint16_t command_answer_ends[] = {
    END(size),   END(outcome),  END(epoch),   END(records),
    END(bytes),  END(ms),       END(primary), END(text),
    END(closed), END(admitted), END(changes)};
NO_PADDING(changes);
LAYOUT(command_answer, outcome)
#undef STRUCT

#define STRUCT idem_resolve_args
static const uint16_t resolve_args_ends[] = {
    END(size),   END(verb),         END(ns),     END(ns_len),
    END(key),    END(key_len),      END(token),  END(reason),
    END(nonce),  END(nonce_len),    END(result), END(result_len),
    END(ttl_ms), END(result_class), END(force),  END(timeout_ms),
    END(unused)};
NO_PADDING(unused);
LAYOUT(resolve_args, timeout_ms)
#undef STRUCT

#define STRUCT idem_resolve_answer
static const uint16_t resolve_answer_ends[] = {
    END(size), END(outcome), END(state), END(kept), END(ttl_ms)};
NO_PADDING(ttl_ms);
LAYOUT(resolve_answer, kept)
#undef STRUCT

#define STRUCT idem_erase_args
static const uint16_t erase_args_ends[] = {
    END(size),       END(dry_run), END(ns),         END(ns_len), END(prefix),
    END(prefix_len), END(reason),  END(timeout_ms), END(unused)};
NO_PADDING(unused);
LAYOUT(erase_args, timeout_ms)
#undef STRUCT

#define STRUCT idem_erase_answer
static const uint16_t erase_answer_ends[] = {END(size), END(unused),
                                             END(records), END(in_progress)};
NO_PADDING(in_progress);
LAYOUT(erase_answer, records)
#undef STRUCT

#define STRUCT idem_replication
static const uint16_t replication_ends[] = {
    END(size),         END(connected),     END(syncing),
    END(safe_to_stop), END(in_sync_count), END(streams_count),
    END(epoch),        END(copy_records),  END(copy_total),
    END(lag),          END(role),          END(mode),
    END(node),         END(primary),       END(peer),
    END(state),        END(in_sync),       END(streams),
    END(tokens_count), END(parts_count),   END(records),
    END(completed),    END(token_epoch),   END(tokens),
    END(parts),        END(contents),      END(replicas_count),
    END(replicas)};
NO_PADDING(replicas);
LAYOUT(replication, connected)
#undef STRUCT

size_t idem__sized_inside(const idem__layout *layout, uint32_t size) {
    uint32_t count = layout->ends_count;
    while (count > 0 && layout->ends[count - 1] > size)
        count--;
    return count > 0 ? layout->ends[count - 1] : 0;
}

static uint32_t size_of(const void *theirs) {
    uint32_t size;
    memcpy(&size, theirs, sizeof size);
    return size;
}

int32_t idem__sized_check(const idem__layout *layout, const void *theirs,
                          const char *what, idem_error *err) {
    if (theirs == NULL)
        return idem__fail(err, IDEM_E_ARGUMENT, "%s is NULL", what);
    uint32_t size = size_of(theirs);
    if (size >= layout->least_bytes && size <= SIZE_MAX_BYTES)
        return 0;
    return idem__fail(err, IDEM_E_ARGUMENT,
                      "%s.size is %u; set it to sizeof(%s)", what, size,
                      layout->name);
}

int32_t idem__sized_in(const idem__layout *layout, void *own,
                       const void *theirs, const char *what, idem_error *err) {
    int32_t code = idem__sized_check(layout, theirs, what, err);
    if (code != 0)
        return code;
    uint32_t size = size_of(theirs);
    const uint8_t *bytes = theirs;
    for (size_t at = layout->bytes; at < size; at++)
        if (bytes[at] != 0)
            return idem__fail(err, IDEM_E_ARGUMENT,
                              "%s sets a field that libidemclient %s does not "
                              "have; it is too old for this program",
                              what, idem_version());
    memset(own, 0, layout->bytes);
    memcpy(own, theirs, idem__sized_inside(layout, size));
    memcpy(own, &layout->bytes, sizeof size);
    return 0;
}

void idem__sized_out(const idem__layout *layout, void *theirs,
                     const void *own) {
    uint32_t size = size_of(theirs);
    size_t inside = idem__sized_inside(layout, size);
    if (inside > sizeof size)
        memcpy((uint8_t *)theirs + sizeof size,
               (const uint8_t *)own + sizeof size, inside - sizeof size);
}

void idem__sized_set(const idem__layout *layout, void *theirs, size_t at,
                     const void *from, size_t len) {
    if (idem__sized_check(layout, theirs, "", NULL) == 0 &&
        idem__sized_inside(layout, size_of(theirs)) >= at + len)
        memcpy((uint8_t *)theirs + at, from, len);
}

/* As it stands in idem_answer and in idem_error. */
typedef struct nonce_fields {
    uint8_t nonce[IDEM_NONCE_BYTES_MAX];
    uint32_t nonce_len;
} nonce_fields;

static_assert(offsetof(idem_answer, nonce_len) ==
                      offsetof(idem_answer, nonce) + IDEM_NONCE_BYTES_MAX &&
                  offsetof(idem_error, nonce_len) ==
                      offsetof(idem_error, nonce) + IDEM_NONCE_BYTES_MAX,
              "the length is behind it");

void idem__sized_set_nonce(const idem__layout *layout, void *theirs, size_t at,
                           idp_slice nonce) {
    nonce_fields made = {.nonce_len = (uint32_t)nonce.len};
    if (nonce.ptr == NULL || nonce.len > sizeof made.nonce)
        return;
    memcpy(made.nonce, nonce.ptr, nonce.len);
    idem__sized_set(layout, theirs, at, &made, sizeof made);
}
