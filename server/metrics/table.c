/* SPDX-License-Identifier: Apache-2.0 */
/* table.c -- each metric: its name, its type, what it tells, and where its
 * value stands. docs/metrics.md is held to it by a test. */
#include "server/metrics/metrics.h"

#define AT(field)        offsetof(ids_metrics, field)
#define COUNTED(counter) AT(counters.of[IDS_##counter])

/* Requests, by what they heard. Of the five that are about a key each outcome
 * is told; of the others only whether it was an error. */
#define OUTCOME(method, text, outcome)                \
    {                                                 \
        "method=\"" method "\",outcome=\"" text "\"", \
            COUNTED(OUTCOME_##outcome##_TOTAL)        \
    }
#define SHARED(method, text, field) \
    { "method=\"" method "\",outcome=\"" text "\"", AT(field) }
#define FAILED(method, name) \
    { "method=\"" method "\",outcome=\"error\"", AT(measures.refused[name]) }
#define WITH_TOKEN(method, name)                                 \
    SHARED(method, "stale", stale[name - IDP_COMPLETE]),         \
        SHARED(method, "unknown", unknown[name - IDP_COMPLETE]), \
        FAILED(method, name)
#define PLAIN(method, name) \
    SHARED(method, "answered", answered[name]), FAILED(method, name)

static const ids_metric_sample requests[] = {
    OUTCOME("acquire", "acquired", ACQUIRED),
    OUTCOME("acquire", "replay", REPLAY),
    OUTCOME("acquire", "in_progress", IN_PROGRESS),
    OUTCOME("acquire", "mismatch", MISMATCH),
    OUTCOME("acquire", "orphaned", ORPHANED),
    FAILED("acquire", IDP_ACQUIRE),
    OUTCOME("complete", "completed", COMPLETED),
    WITH_TOKEN("complete", IDP_COMPLETE),
    OUTCOME("release", "released", RELEASED),
    WITH_TOKEN("release", IDP_RELEASE),
    OUTCOME("renew", "renewed", RENEWED),
    WITH_TOKEN("renew", IDP_RENEW),
    OUTCOME("peek", "record", RECORD),
    FAILED("peek", IDP_PEEK),
    PLAIN("hello", IDP_HELLO),
    PLAIN("ping", IDP_PING),
    PLAIN("stats", IDP_STATS),
    PLAIN("metrics", IDP_METRICS),
    PLAIN("namespaces", IDP_NAMESPACES),
    PLAIN("list", IDP_LIST),
    PLAIN("inspect", IDP_INSPECT),
    PLAIN("clients", IDP_CLIENTS),
    PLAIN("kill", IDP_KILL),
    PLAIN("slow", IDP_SLOW),
    PLAIN("events", IDP_EVENTS),
    PLAIN("replication", IDP_REPLICATION),
    PLAIN("promote", IDP_PROMOTE),
    PLAIN("detach", IDP_DETACH),
    PLAIN("switchover", IDP_SWITCHOVER),
    PLAIN("snapshot", IDP_SNAPSHOT),
    PLAIN("backup", IDP_BACKUP),
    PLAIN("reload", IDP_RELOAD),
    PLAIN("config", IDP_CONFIG),
    PLAIN("offer", IDP_OFFER),
    PLAIN("resolve", IDP_RESOLVE),
    PLAIN("erase", IDP_ERASE),
    FAILED("none", IDS_ASKED_UNREAD),
};

static const ids_metric_sample errors[] = {
#define X(name, number, text) \
    {"code=\"" #name "\"", COUNTED(ERROR_##name##_TOTAL)},
    IDP_ERRORS(X)
#undef X
};

static const ids_metric_sample durations[] = {
    {"method=\"acquire\"", AT(measures.request[IDP_ACQUIRE])},
    {"method=\"complete\"", AT(measures.request[IDP_COMPLETE])},
    {"method=\"release\"", AT(measures.request[IDP_RELEASE])},
    {"method=\"renew\"", AT(measures.request[IDP_RENEW])},
    {"method=\"peek\"", AT(measures.request[IDP_PEEK])},
};

static const ids_metric_sample commit_waits[] = {
    {"for=\"disk\"", AT(measures.commit_wait[IDS_WAITED_FOR_DISK])},
    {"for=\"replica\"", AT(measures.commit_wait[IDS_WAITED_FOR_REPLICA])},
};

static const ids_metric_sample waits[] = {
    {"ended=\"decided\"", AT(measures.wait[IDS_WAIT_DECIDED])},
    {"ended=\"time\"", AT(measures.wait[IDS_WAIT_OVER])},
    {"ended=\"error\"", AT(measures.wait[IDS_WAIT_FAILED])},
};

static const ids_metric_sample connections[] = {
    {"tls=\"yes\"", COUNTED(TLS_CONNECTIONS)},
    {"tls=\"no\"", AT(unsealed)},
};

static const ids_metric_sample refused[] = {
    {"reason=\"max_connections\"", COUNTED(REFUSED_SURPLUS_TOTAL)},
    {"reason=\"no_descriptor\"", COUNTED(REFUSED_AT_ACCEPT_TOTAL)},
    {"reason=\"plain\"", COUNTED(PLAIN_REFUSED_TOTAL)},
    {"reason=\"tls_crowded\"", COUNTED(TLS_CROWDED_OUT_TOTAL)},
    {"reason=\"tls_late\"", COUNTED(TLS_LATE_TOTAL)},
    {"reason=\"tls_refused_by_client\"", COUNTED(TLS_REFUSED_TOTAL)},
    {"reason=\"tls_cut_off\"", COUNTED(TLS_CUT_OFF_TOTAL)},
    {"reason=\"tls_broken\"", COUNTED(TLS_BROKEN_TOTAL)},
    {"reason=\"tls_flood\"", COUNTED(TLS_FLOODS_TOTAL)},
};

static const ids_metric_sample closed[] = {
    {"reason=\"limit\"", COUNTED(CLOSED_BY_LIMIT_TOTAL)},
    {"reason=\"time\"", COUNTED(CLOSED_BY_TIME_TOTAL)},
};

static const ids_metric_sample auth_failures[] = {
    {"reason=\"no_secret\"", COUNTED(DENIED_NO_SECRET_TOTAL)},
    {"reason=\"wrong_secret\"", COUNTED(DENIED_WRONG_SECRET_TOTAL)},
    {"reason=\"no_grant\"", COUNTED(DENIED_NO_GRANT_TOTAL)},
    {"reason=\"certificate\"", COUNTED(TLS_UNVERIFIED_TOTAL)},
};

static const ids_metric_sample states[] = {
    {"state=\"in_progress\"", AT(by_state[IDP_STATE_IN_PROGRESS])},
    {"state=\"orphaned\"", AT(by_state[IDP_STATE_ORPHANED])},
    {"state=\"completed\"", AT(by_state[IDP_STATE_COMPLETED])},
    {"state=\"released\"", AT(by_state[IDP_STATE_RELEASED])},
};

static const ids_metric_sample orphans_older[] = {
    {"age=\"60\"", AT(orphans_older[0])},
    {"age=\"600\"", AT(orphans_older[1])},
    {"age=\"3600\"", AT(orphans_older[2])},
    {"age=\"86400\"", AT(orphans_older[3])},
};

static const ids_metric_sample commands[] = {
    {"result=\"taken\"", COUNTED(COMMANDS_TOTAL)},
    {"result=\"refused\"", COUNTED(COMMANDS_REFUSED_TOTAL)},
};

#define SERIES(list)  list, sizeof(list) / sizeof((list)[0])
#define ONE(at_of_it) (const ids_metric_sample[]){{NULL, at_of_it}}, 1

#define COUNTER(name, when, help, samples) \
    { name, IDS_METRIC_COUNTER, IDS_METRIC_##when, 1, help, samples }
#define GAUGE(name, when, help, samples) \
    { name, IDS_METRIC_GAUGE, IDS_METRIC_##when, 1, help, samples }
#define NAMED(field)                                        \
    (const ids_metric_sample[]){                            \
        {"node=\"", offsetof(ids_metrics_replica, field)}}, \
        1
#define OF_REPLICA(name, help, field) \
    { name, IDS_METRIC_GAUGE, IDS_METRIC_PER_REPLICA, 1, help, NAMED(field) }
#define HISTOGRAM(name, help, samples) \
    { name, IDS_METRIC_HISTOGRAM, IDS_METRIC_ALWAYS, 1, help, samples }

const ids_metric ids_metrics_table[] = {
    {"build_info", IDS_METRIC_INFO, IDS_METRIC_ALWAYS, 1,
     "The daemon's version; always 1.", ONE(AT(one))},
    {"uptime_seconds", IDS_METRIC_GAUGE, IDS_METRIC_ALWAYS, 1000,
     "Time that the process has run; every counter began at 0 with it.",
     ONE(AT(node.uptime_ms))},
    GAUGE("workers", ALWAYS, "Threads that serve, and shards of the keys.",
          ONE(AT(node.workers))),

    /* What is asked. */
    COUNTER("requests_total", ALWAYS,
            "Requests, by method and what they heard; error: they were refused "
            "before anything was decided.",
            SERIES(requests)),
    COUNTER("errors_total", ALWAYS,
            "Errors that were answered, by code; also in the place of replies "
            "that waited for the replica in vain.",
            SERIES(errors)),
    HISTOGRAM("request_duration_seconds",
              "From the beginning of a worker's turn until the reply is "
              "encoded. Without the wait of an acquire that waits, and without "
              "that for disk and replica.",
              SERIES(durations)),
    HISTOGRAM("commit_wait_seconds",
              "How long replies were held until the change that they tell of "
              "was safe, by what they waited for last.",
              SERIES(commit_waits)),
    HISTOGRAM("wait_seconds",
              "How long acquires waited for another's claim, by how that "
              "ended: the key was decided, the time was over, an error.",
              SERIES(waits)),
    HISTOGRAM("loop_iteration_seconds",
              "How long a worker's turn takes: whoever asks meanwhile waits.",
              ONE(AT(measures.turn))),
    COUNTER("requests_forwarded_total", ALWAYS,
            "Requests that came on a connection of another worker than the "
            "key's.",
            ONE(COUNTED(FORWARDED_TOTAL))),
    COUNTER("worker_messages_total", ALWAYS,
            "Batches of messages between workers.",
            ONE(COUNTED(MESSAGE_BATCHES_TOTAL))),
    COUNTER("replies_lost_total", ALWAYS,
            "Replies for which there was no memory.",
            ONE(COUNTED(REPLIES_LOST_TOTAL))),
    COUNTER("commands_total", ALWAYS,
            "Operators' commands that came; and of these, those that were "
            "refused.",
            SERIES(commands)),
    GAUGE("waiters", ALWAYS, "Acquires that wait for another's claim now.",
          ONE(COUNTED(WAITERS))),
    GAUGE("replies_in_commit_wait", ALWAYS,
          "Replies that are held now, until their change is safe.",
          ONE(COUNTED(REPLIES_IN_COMMIT_WAIT))),

    /* What is kept. */
    GAUGE("records", ALWAYS,
          "Keys that are known, whatever their state; ended ones until they "
          "are reclaimed.",
          ONE(COUNTED(RECORDS))),
    GAUGE("records_by_state", WITH_SCAN,
          "Keys by their state, as the last look through all records has found "
          "them.",
          SERIES(states)),
    GAUGE("orphans_older_than", WITH_SCAN,
          "Claims whose lease is over and that nobody has taken over, for so "
          "many seconds or more; as found then.",
          SERIES(orphans_older)),
    {"oldest_orphan_age_seconds", IDS_METRIC_GAUGE, IDS_METRIC_WITH_SCAN, 1000,
     "Of the oldest one, its age then; 0: there was none.",
     ONE(AT(oldest_orphan_ms))},
    {"scan_age_seconds", IDS_METRIC_GAUGE, IDS_METRIC_WITH_SCAN, 1000,
     "How long ago that was, of the worker that looked longest ago "
     "(--scan-interval).",
     ONE(AT(scan_age_ms))},
    COUNTER("records_expired_total", ALWAYS,
            "Records whose retention was over and that were reclaimed.",
            ONE(COUNTED(EXPIRED_TOTAL))),
    COUNTER("results_dropped_total", ALWAYS,
            "Results that were not kept, for their size or for memory; the "
            "key completed all the same.",
            ONE(COUNTED(RESULTS_DROPPED_TOTAL))),
    COUNTER("changes_total", ALWAYS, "Changes of records.",
            ONE(COUNTED(CHANGES_TOTAL))),
    GAUGE("memory_bytes", ALWAYS, "What records take.",
          ONE(COUNTED(MEMORY_BYTES))),
    GAUGE("memory_limit_bytes", ALWAYS, "What they may (--max-memory).",
          ONE(COUNTED(MEMORY_BYTES_MAX))),
    GAUGE("buffer_bytes", ALWAYS,
          "What connections and messages between workers have buffered.",
          ONE(COUNTED(BUFFERED_BYTES))),

    /* Who is there. */
    GAUGE("connections", ALWAYS, "Open connections, with and without TLS.",
          SERIES(connections)),
    COUNTER("connections_opened_total", ALWAYS, "Connections, ever.",
            ONE(COUNTED(CONNECTIONS_TOTAL))),
    COUNTER("connections_refused_total", ALWAYS,
            "Connections that were not let in, or failed in their TLS.",
            SERIES(refused)),
    COUNTER("connections_closed_total", ALWAYS,
            "Connections that the server closed: over a limit, or out of time.",
            SERIES(closed)),
    COUNTER(
        "auth_failures_total", ALWAYS,
        "Clients that did not show who they are, and calls that a credential "
        "has no grant for.",
        SERIES(auth_failures)),
    COUNTER("tls_handshakes_total", WITH_TLS, "TLS handshakes that succeeded.",
            ONE(COUNTED(TLS_HANDSHAKES_TOTAL))),
    COUNTER("tls_resumed_total", WITH_TLS, "Of these, by a ticket.",
            ONE(COUNTED(TLS_RESUMED_TOTAL))),
    GAUGE("tls_certificate_end_timestamp_seconds", WITH_TLS,
          "When the server's certificate is over, in seconds since 1970.",
          ONE(COUNTED(TLS_CERTIFICATE_END_S))),

    /* The group. */
    GAUGE("primary", ALWAYS, "1: this server is the primary.",
          ONE(AT(node.is_primary))),
    GAUGE("epoch", ALWAYS, "The first half of every token that is granted now.",
          ONE(AT(node.epoch))),
    GAUGE("in_sync_members", ALWAYS,
          "Members of the in-sync set, the primary among them.",
          ONE(AT(node.in_sync_members))),
    GAUGE("safe_to_stop", ALWAYS,
          "1: stopped for good, now, this server takes nothing with it that "
          "was acknowledged, and another leads or may be promoted.",
          ONE(AT(node.is_safe_to_stop))),
    GAUGE("peer_connected", WITH_PEER,
          "1: the other server is connected, and was heard of within a second.",
          ONE(AT(node.is_connected))),
    GAUGE("peer_tls", WITH_PEER, "1: and the links with it are TLS.",
          ONE(AT(node.is_sealed))),
    GAUGE("peer_settings_differ", WITH_PEER,
          "1: the two servers' settings are not the same.",
          ONE(AT(node.settings_differ))),
    GAUGE("full_copy", WITH_PEER, "1: a full copy is being sent, or loaded.",
          ONE(AT(node.is_copying))),
    COUNTER("full_copies_total", WITH_PEER,
            "Full copies that were sent, or loaded, and became whole.",
            ONE(AT(node.full_copies))),
    COUNTER("joins_by_key_total", WITH_PEER,
            "Times that a survivor of a takeover joined with the records that "
            "differ instead, at this server or this server elsewhere.",
            ONE(AT(node.joins_by_key))),
    GAUGE("replication_lag_changes", WITH_PEER,
          "Changes that the replica lacks, as the primary sees it.",
          ONE(AT(node.lag_changes))),
    GAUGE("replication_lag_bytes", WITH_PEER, "The same, in bytes.",
          ONE(AT(node.lag_bytes))),
    {"replication_lag_seconds", IDS_METRIC_GAUGE, IDS_METRIC_WITH_PEER, 1000,
     "The age of the oldest change that the replica lacks.",
     ONE(AT(node.lag_ms))},

    OF_REPLICA("replica_in_sync",
               "1: this replica is a member of the in-sync set, with the "
               "memory that it is a member with.",
               in_sync),
    OF_REPLICA(
        "replica_connected",
        "1: this replica is connected, and was heard of within a second.",
        is_connected),
    OF_REPLICA("replica_full_copy", "1: a full copy is being sent to it.",
               is_copying),
    OF_REPLICA("replica_lag_changes", "Changes that this replica lacks.",
               lag_changes),
    OF_REPLICA("replica_lag_bytes", "The same, in bytes.", lag_bytes),
    {"replica_lag_seconds", IDS_METRIC_GAUGE, IDS_METRIC_PER_REPLICA, 1000,
     "The age of the oldest change that this replica lacks.", NAMED(lag_ms)},

    /* The disk. */
    GAUGE("journal_unsynced_changes", WITH_JOURNAL,
          "Changes that are not on the medium yet.",
          ONE(COUNTED(CHANGES_UNSYNCED))),
    GAUGE("journal_backlog_bytes", WITH_JOURNAL,
          "What waits to be written; over a bound no call is served.",
          ONE(AT(journal_backlog_bytes))),
    COUNTER("journal_written_bytes_total", WITH_JOURNAL,
            "What was handed over to be written.",
            ONE(AT(journal_written_bytes))),
    COUNTER("journal_late_writes_total", WITH_JOURNAL,
            "Changes that were written more than 50 ms after they were made "
            "(--fsync everysec and no).",
            ONE(COUNTED(WRITTEN_LATE_TOTAL))),
    GAUGE("disk_free_bytes", WITH_JOURNAL,
          "Room on the disk of --data-dir; below 64 MiB no claims are made.",
          ONE(AT(node.disk_free_bytes))),
    COUNTER("snapshots_given_up_total", WITH_JOURNAL,
            "Snapshots that were given up; they are tried again.",
            ONE(COUNTED(SNAPSHOTS_GIVEN_UP_TOTAL))),
    GAUGE("snapshot_waits", WITH_JOURNAL,
          "1: the last snapshot was given up, and is not made up for yet.",
          ONE(COUNTED(SNAPSHOT_WAITS))),

    /* The process. */
    COUNTER("log_lines_lost_total", ALWAYS,
            "Log lines that stderr did not take.",
            ONE(COUNTED(LOG_LINES_LOST_TOTAL))),
    COUNTER("log_lines_held_back_total", ALWAYS,
            "Log lines that were too many of one kind.",
            ONE(COUNTED(LOG_LINES_HELD_TOTAL))),
    GAUGE("settings_timestamp_seconds", ALWAYS,
          "When the settings that hold were read, in seconds since 1970.",
          ONE(COUNTED(SETTINGS_UNIX_S))),
    GAUGE("reload_failed", ALWAYS,
          "1: the last reload was refused, and the older settings hold.",
          ONE(COUNTED(RELOAD_FAILED))),
    GAUGE("turn_work_max", ALWAYS,
          "The most that one turn has done, in units of some 100 to 250 ns.",
          ONE(COUNTED(TURN_WORK_MAX))),
    COUNTER("node_locks_total", WITH_PEER,
            "Stays of workers in the node's monitor.",
            ONE(COUNTED(NODE_LOCKS_TOTAL))),
    {"node_locked_seconds_total", IDS_METRIC_COUNTER, IDS_METRIC_WITH_PEER,
     1000000000, "How long these were together.",
     ONE(COUNTED(NODE_LOCKED_NS_TOTAL))},
};

const size_t ids_metrics_table_count =
    sizeof ids_metrics_table / sizeof ids_metrics_table[0];
