/* SPDX-License-Identifier: Apache-2.0 */
/* say.c -- what the log says of the node's role and of the other node. On the
 * first worker. */
#include "server/node/replicator.h"

#include "server/base/log.h"

#include <assert.h>
#include <inttypes.h>

/* A slow disk is told of again when it was none for so long. */
#define SLOW_EVERY_MS 60000

static const char *address(const ids_endpoint *at) {
    return at->text[0] ? at->text : "unknown";
}

void ids_replicator_say_start(ids_replicator *replicator,
                              const ids_decision *recorded) {
    const ids_peer_status status = replicator->logged;
    assert(status.epoch != 0 || status.role == IDS_ROLE_REPLICA);
    if (status.role == IDS_ROLE_PRIMARY)
        ids_log(IDS_LOG_INFO,
                replicator->config.peer.min_in_sync > 1
                    ? "primary; serves once a replica is in sync"
                    : "primary, and alone: no replica has joined yet",
                "epoch=%" PRIu64 " see=--replicate-from", status.epoch);
    else if (!replicator->config.peer.primary || recorded->self.node == 0)
        ids_log(IDS_LOG_INFO, "replica", "follows=%s epoch=%" PRIu64,
                address(&replicator->config.peer.replicate_from), status.epoch);
    else
        ids_log(IDS_LOG_WARN,
                "started as a replica: the other node may know more",
                "other=%s epoch=%" PRIu64
                " todo=\"if it is lost, idemctl promote here\"",
                address(&recorded->other_at), status.epoch);
}

/* The same on both sides, and what to do. */
void ids_replicator_say_refusal(const ids_refusal *refusal) {
    static const char *const words[] = {"another node is refused",
                                        "another node refuses this one"};
    ids_log_level level =
        refusal->why == IDS_REFUSAL_NOT_PRIMARY ? IDS_LOG_INFO : IDS_LOG_WARN;
    assert(refusal->why != IDS_REFUSAL_NONE);
    if (refusal->why == IDS_REFUSAL_TWO_PRIMARIES)
        level = IDS_LOG_ERROR;
    ids_log(level, words[refusal->by_other], "at=%s node=%s reason=\"%s\"",
            address(&refusal->at),
            refusal->name.text[0] ? refusal->name.text : "unknown",
            ids_refusal_text(refusal->why));
}

static void say_role(const ids_peer_status *now) {
    if (now->role == IDS_ROLE_PRIMARY)
        ids_log(IDS_LOG_INFO, "primary now", "epoch=%" PRIu64, now->epoch);
    else
        ids_log(IDS_LOG_WARN, "no longer the primary",
                "epoch=%" PRIu64 " primary=%s", now->epoch,
                address(&now->primary_at));
}

/* One other node: the primary, or one of its replicas. */
typedef struct other {
    bool is_there, connected, waits, in_sync, forgetful, syncing;
    bool settings_differ;
    const char *at, *name;
    const ids_copying *copying;
    uint64_t joined_by_key;
} other;

static other primary_of(const ids_peer_status *s) {
    return (other){.is_there = s->role == IDS_ROLE_REPLICA,
                   .connected = s->connected,
                   .in_sync = s->in_sync,
                   .syncing = s->syncing,
                   .settings_differ = s->settings_differ,
                   .at = address(&s->other_at),
                   .name = s->other_name.text,
                   .copying = &s->copying,
                   .joined_by_key = s->joined_by_key};
}

static other replica_of(const ids_peer_status *s, uint64_t node) {
    static const ids_copying none;
    for (uint32_t i = 0; i < s->follower_count; i++) {
        const ids_follower_status *f = &s->follower[i];
        if (f->member.node == node)
            return (other){.is_there = true,
                           .connected = f->connected,
                           .waits = f->waits,
                           .in_sync = f->in_sync,
                           .forgetful = f->forgetful,
                           .syncing = f->syncing,
                           .settings_differ = f->settings_differ,
                           .at = address(&f->at),
                           .name = f->name.text,
                           .copying = &f->copying,
                           .joined_by_key = f->joined_by_key};
    }
    return (other){.copying = &none};
}

static void say_connection(const other *now, bool primary) {
    if (now->connected)
        ids_log(IDS_LOG_INFO,
                primary ? "a replica is connected" : "the primary is connected",
                "at=%s node=%s syncing=%s%s", now->at, now->name,
                now->syncing ? "yes" : "no",
                now->settings_differ ? " settings=differ" : "");
    else if (!primary)
        ids_log(IDS_LOG_WARN, "the primary is lost",
                "at=%s in_sync=%s todo=\"idemctl promote, if it stays so\"",
                now->at, now->in_sync ? "yes" : "no");
    else if (now->waits)
        ids_log(IDS_LOG_WARN, "the replica is lost, changes wait for it",
                "at=%s node=%s todo=\"start it again, or idemctl detach\"",
                now->at, now->name);
    else
        ids_log(IDS_LOG_WARN, "the replica is lost", "at=%s node=%s", now->at,
                now->name);
}

/* On both nodes: a promotion would change something for clients. */
static void say_other_settings(const other *was, const other *now) {
    bool differed = was->connected && was->settings_differ;
    if (now->connected && now->settings_differ && !differed)
        ids_log(IDS_LOG_WARN, "the other node's settings differ",
                "at=%s node=%s what=\"%s\" see=--print-config", now->at,
                now->name,
                "replication, fsync, limits, namespaces, credentials");
    else if (now->connected && !now->settings_differ && differed)
        ids_log(IDS_LOG_INFO, "the other node's settings are the same again",
                "at=%s node=%s", now->at, now->name);
}

/* Since the log was told last; a small copy may have begun and ended. */
static void say_copies(const other *was, const other *now) {
    const ids_copying *copy = now->copying;
    bool sent = copy->is_sent;
    if (copy->begun > was->copying->begun)
        ids_log(IDS_LOG_INFO,
                sent ? "a full copy to the replica begins"
                     : "a full copy from the primary begins",
                "at=%s", now->at);
    if (copy->done > was->copying->done)
        ids_log(IDS_LOG_INFO,
                sent ? "the replica has the full copy"
                     : "the full copy took the old one's place",
                "at=%s records=%" PRIu64 " ms=%" PRIu64, now->at, copy->records,
                copy->took_ms);
    if (copy->given_up > was->copying->given_up)
        ids_log(IDS_LOG_WARN, "a full copy was given up",
                "at=%s records=%" PRIu64 " of=%" PRIu64 " ms=%" PRIu64, now->at,
                copy->records, copy->total, copy->took_ms);
}

/* Of a role before it is not counted here: a node that has just stood down has
 * a larger one as a whole. */
static void say_join(const other *was, const other *now, bool primary) {
    if (was->is_there && now->is_there &&
        now->joined_by_key > was->joined_by_key)
        ids_log(IDS_LOG_INFO,
                primary ? "the replica joined by key"
                        : "joined the primary by key, without a full copy",
                "at=%s node=%s", now->at, now->name);
}

static void say_in_sync(const other *now, uint64_t epoch, bool primary) {
    assert(primary || !now->forgetful);
    if (now->forgetful)
        ids_log(IDS_LOG_WARN,
                "the replica restarted without its memory, changes wait",
                "at=%s node=%s todo=\"do not stop this node\"", now->at,
                now->name);
    else if (now->in_sync)
        ids_log(IDS_LOG_INFO,
                primary ? "the replica is in sync" : "in sync with the primary",
                "at=%s node=%s epoch=%" PRIu64, now->at, now->name, epoch);
    else if (primary)
        ids_log(IDS_LOG_WARN, "a replica is not in sync any more",
                "at=%s node=%s", now->at, now->name);
    else
        ids_log(IDS_LOG_WARN, "not in sync any more", NULL);
}

/* What has become of one since the log was told last. */
static void say_other(const other *was, const other *now, uint64_t epoch,
                      bool primary) {
    if (now->connected != was->connected)
        say_connection(now, primary);
    say_other_settings(was, now);
    say_copies(was, now);
    say_join(was, now, primary);
    if (now->in_sync != was->in_sync)
        say_in_sync(now, epoch, primary);
}

static void say_replicas(const ids_peer_status *was,
                         const ids_peer_status *now) {
    uint32_t had = was->role == now->role ? was->member_count : 1;
    assert(now->role == IDS_ROLE_PRIMARY);
    for (uint32_t i = 0; i < now->follower_count; i++) {
        const ids_follower_status *f = &now->follower[i];
        other then = replica_of(was, f->member.node);
        other is = replica_of(now, f->member.node);
        say_other(&then, &is, now->epoch, true);
    }
    if (now->member_count == 1 && (had > 1 || was->role != now->role) &&
        now->had_replica)
        ids_log(IDS_LOG_WARN, "serves alone: no replica is in sync", NULL);
}

/* Once, and not with each sync that is. */
static void say_slow_disk(ids_replicator *replicator,
                          const ids_peer_status *now) {
    uint64_t now_ms = replicator->repls[0].worker->now_ms;
    assert(replicator->slow_logged_ms <= now_ms);
    if (!now->slow_disk)
        return;
    if (replicator->slow_logged_ms == 0 ||
        now_ms >= replicator->slow_logged_ms + SLOW_EVERY_MS)
        ids_log(IDS_LOG_WARN,
                now->role == IDS_ROLE_PRIMARY
                    ? "slow disk at the replica"
                    : "slow disk: the primary's changes wait for it",
                "at=%s behind_ms=%" PRIu64 " see=--commit-wait",
                address(&now->other_at), now->behind_ms);
    replicator->slow_logged_ms = now_ms;
}

void ids_replicator_say(ids_replicator *replicator,
                        const ids_peer_status *now) {
    const ids_peer_status *was = &replicator->logged;
    say_slow_disk(replicator, now);
    if (now->role != was->role)
        say_role(now);
    if (now->role == IDS_ROLE_PRIMARY) {
        say_replicas(was, now);
    } else {
        /* A session of the last role is none of this one's. */
        other then = primary_of(was), is = primary_of(now);
        then.connected = then.connected && then.is_there;
        say_other(&then, &is, now->epoch, false);
    }
    replicator->logged = *now;
}
