/* stats.c -- the sums over all loops, gathered through the mail. */
#include "server/stats.h"

#include "server/hop.h"
#include "server/log.h"
#include "server/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Besides the counters: what the whole node knows. */
#define NODE_ROWS 11

static_assert(IDS_COUNTER_COUNT + NODE_ROWS <= IDP_CONTAINER_ITEMS_MAX,
              "the wire has no larger map");

typedef struct ids_gathering {
    struct ids_gathering *next;
    uint64_t number;
    ids_counters sums;
    ids_asker asker;
    uint32_t msgid;
    uint32_t left; /* loops that have not told yet */
} ids_gathering;

static void add(ids_counters *sums, const ids_counters *part) {
    for (int i = 0; i < IDS_COUNTER_COUNT; i++)
        sums->of[i] += part->of[i];
}

static void answer(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                   const ids_counters *sums) {
    const ids_serving *serving = &desk->serving;
    idp_stat stats[IDS_COUNTER_COUNT + NODE_ROWS];
    size_t count = 0;
    stats[count++] = (idp_stat){"uptime_ms", desk->now_ms - IDS_CLOCK_START_MS};
    stats[count++] = (idp_stat){"loops", desk->house->loops};
    stats[count++] = (idp_stat){"epoch", serving->epoch};
    stats[count++] = (idp_stat){"primary", serving->stance != IDS_FOLLOWS};
    stats[count++] = (idp_stat){"in_sync", serving->in_sync};
    stats[count++] = (idp_stat){"safe_to_stop", serving->safe_to_stop};
    stats[count++] = (idp_stat){"peer_connected", serving->connected};
    stats[count++] = (idp_stat){"full_copy", serving->syncing};
    stats[count++] = (idp_stat){"replication_lag_ops", serving->lag_ops};
    stats[count++] = (idp_stat){"replication_lag_bytes", serving->lag_bytes};
    stats[count++] = (idp_stat){"replication_lag_ms", serving->lag_ms};
    for (int i = 0; i < IDS_COUNTER_COUNT; i++)
        stats[count++] = (idp_stat){ids_counter_name(i), sums->of[i]};
    ids_reply_stats(desk, conn, msgid, stats, count);
}

/* Everyone has told: the reply leaves, unless its asker is gone. */
static void finish(ids_desk *desk, ids_gathering **at) {
    ids_gathering *all = *at;
    ids_conn *conn = ids_desk_find(desk, all->asker);
    *at = all->next;
    if (conn) {
        conn->hopped--;
        ids_hop_came(desk, conn);
        answer(desk, conn, all->msgid, &all->sums);
    }
    free(all);
}

static bool ask_loop(ids_desk *desk, const ids_gathering *all, uint32_t loop) {
    const ids_mail mail = {
        .asker = all->asker, .word = all->number, .kind = IDS_MAIL_COUNT};
    ids_parcel *parcel = ids_desk_parcel(desk, loop);
    return parcel && ids_mail_append(parcel, &mail, NULL);
}

void ids_stats_ask(ids_desk *desk, ids_conn *conn, uint32_t msgid) {
    ids_counters own;
    ids_desk_count(desk, &own);
    if (desk->house->loops == 1) {
        answer(desk, conn, msgid, &own);
        return;
    }
    ids_gathering *all = calloc(1, sizeof *all);
    if (!all) {
        ids_reply_error(desk, conn, msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    *all = (ids_gathering){.next = desk->gatherings,
                           .number = ++desk->gatherings_begun,
                           .sums = own,
                           .asker = conn->asker,
                           .msgid = msgid};
    desk->gatherings = all;
    conn->hopped++;
    for (uint32_t loop = 0; loop < desk->house->loops; loop++)
        if (loop != desk->index && ask_loop(desk, all, loop))
            all->left++;
    if (!all->left)
        finish(desk, &desk->gatherings);
}

void ids_stats_tell(ids_desk *desk, const ids_mail *mail) {
    ids_counters own;
    ids_desk_count(desk, &own);
    ids_mail reply = *mail;
    reply.kind = IDS_MAIL_COUNTS;
    reply.body_bytes = sizeof own;
    ids_parcel *parcel = ids_desk_parcel(desk, ids_asker_loop(mail->asker));
    if (!parcel || !ids_mail_append(parcel, &reply, (const uint8_t *)&own)) {
        desk->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "stats lost: out of memory", NULL);
    }
}

void ids_stats_told(ids_desk *desk, const ids_mail *mail, const uint8_t *body) {
    ids_gathering **at = &desk->gatherings;
    while (*at && (*at)->number != mail->word)
        at = &(*at)->next;
    assert(*at);
    ids_counters part;
    memcpy(&part, body, sizeof part);
    add(&(*at)->sums, &part);
    if (--(*at)->left == 0)
        finish(desk, at);
}

void ids_stats_forget(ids_desk *desk) {
    while (desk->gatherings) {
        ids_gathering *all = desk->gatherings;
        desk->gatherings = all->next;
        free(all);
    }
}
