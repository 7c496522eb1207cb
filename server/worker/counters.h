/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h -- what a loop counts: one list, with the names that stats use.
 */
#ifndef IDS_COUNTERS_H
#define IDS_COUNTERS_H

#include "proto/error.h"
#include "proto/terms.h"

#define IDS_COUNTERS(X)                                           \
    X(CONNECTIONS, "connections")                                 \
    X(CONNECTIONS_TOTAL, "connections_total")                     \
    X(BUFFERED_BYTES, "buffered_bytes")                           \
    X(REPLIES_IN_COMMIT_WAIT, "replies_in_commit_wait")           \
    X(REQUESTS_TOTAL, "requests_total")                           \
    X(DENIED_WRONG_SECRET_TOTAL, "denied_wrong_secret_total")     \
    X(DENIED_NO_GRANT_TOTAL, "denied_no_grant_total")             \
    X(COMMANDS_TOTAL, "commands_total")                           \
    X(COMMANDS_REFUSED_TOTAL, "commands_refused_total")           \
    X(FORWARDED_TOTAL, "forwarded_total")                         \
    X(MESSAGE_BATCHES_TOTAL, "message_batches_total")             \
    X(REPLIES_LOST_TOTAL, "replies_lost_total")                   \
    X(CLOSED_BY_LIMIT_TOTAL, "connections_closed_by_limit_total") \
    X(LOG_LINES_LOST_TOTAL, "log_lines_lost_total")               \
    X(LOG_LINES_HELD_TOTAL, "log_lines_held_back_total")          \
    X(CLOSED_BY_TIME_TOTAL, "connections_closed_by_time_total")   \
    X(TLS_CONNECTIONS, "tls_connections")                         \
    X(PLAIN_CONNECTIONS, "plain_connections")                     \
    X(TLS_HANDSHAKES_TOTAL, "tls_handshakes_total")               \
    X(TLS_RESUMED_TOTAL, "tls_resumed_total")                     \
    X(TLS_REFUSED_TOTAL, "tls_refused_total")                     \
    X(TLS_CUT_OFF_TOTAL, "tls_cut_off_total")                     \
    X(TLS_BROKEN_TOTAL, "tls_broken_total")                       \
    X(TLS_FLOODS_TOTAL, "tls_floods_total")                       \
    X(TLS_LATE_TOTAL, "tls_late_total")                           \
    X(TLS_CROWDED_OUT_TOTAL, "tls_crowded_out_total")             \
    X(TLS_UNVERIFIED_TOTAL, "tls_unverified_total")               \
    X(PLAIN_REFUSED_TOTAL, "plain_refused_total")                 \
    X(REFUSED_SURPLUS_TOTAL, "connections_surplus_total")         \
    X(REFUSED_AT_ACCEPT_TOTAL, "connections_not_accepted_total")  \
    X(DENIED_NO_SECRET_TOTAL, "denied_no_secret_total")           \
    X(TLS_CERTIFICATE_END_S, "tls_certificate_end_s")             \
    X(RECORDS, "records")                                         \
    X(WAITERS, "waiters")                                         \
    X(MEMORY_BYTES, "memory_bytes")                               \
    X(MEMORY_BYTES_MAX, "memory_bytes_max")                       \
    X(CHANGES_TOTAL, "changes_total")                             \
    X(CHANGES_UNSYNCED, "changes_unsynced")                       \
    X(WRITTEN_LATE_TOTAL, "written_late_total")                   \
    X(SNAPSHOTS_GIVEN_UP_TOTAL, "snapshots_given_up_total")       \
    X(SNAPSHOT_WAITS, "snapshot_waits")                           \
    X(EXPIRED_TOTAL, "expired_total")                             \
    X(RESULTS_DROPPED_TOTAL, "results_dropped_total")             \
    X(TURN_WORK_MAX, "turn_work_max")                             \
    X(SETTINGS_UNIX_S, "settings_unix_s")                         \
    X(RELOAD_FAILED, "reload_failed")                             \
    X(NODE_LOCKS_TOTAL, "node_locks_total")                       \
    X(NODE_LOCKED_NS_TOTAL, "node_locked_ns_total")               \
    X(NODE_LOCKED_NS_MAX, "node_locked_ns_max")

typedef enum ids_counter {
#define X(name, text) IDS_##name,
    IDS_COUNTERS(X)
#undef X
#define X(name, text) IDS_OUTCOME_##name##_TOTAL,
        IDP_OUTCOMES(X)
#undef X
#define X(name, number, text) IDS_ERROR_##name##_TOTAL,
            IDP_ERRORS(X)
#undef X
                IDS_COUNTER_COUNT
} ids_counter;

typedef struct ids_counters {
    uint64_t of[IDS_COUNTER_COUNT];
} ids_counters;

/* "acquired_total", "error_DENIED_total" ... */
const char *ids_counter_name(ids_counter counter);

/* Adds another worker's: of a few the larger is kept, of all others the sum. */
void ids_counters_add(ids_counters *sum, const ids_counters *other);

static inline void ids_count_error(ids_counters *counters, idp_error error) {
    counters->of[IDS_ERROR_PROTOCOL_TOTAL - 1 - (int)error]++;
}

#endif
