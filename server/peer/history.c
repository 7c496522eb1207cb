/* SPDX-License-Identifier: Apache-2.0 */
/* history.c -- see history.h. Pure. */
#include "server/peer/history.h"

#include "server/base/pack.h"
#include "server/peer/frame.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <string.h>

#define WHOLE_HEAD_BYTES 12
#define WHOLE_BYTES_MAX  (WHOLE_HEAD_BYTES + 16 * IDS_KEYS_STREAMS_MAX)

_Static_assert(IDS_HISTORY_EPOCHS_MAX *WHOLE_BYTES_MAX < IDS_PF_APPEND_BYTES,
               "a history is one frame");

static void drop_first(ids_history *history, uint32_t count) {
    assert(count <= history->count);
    history->count -= count;
    memmove(history->of, history->of + count,
            history->count * sizeof *history->of);
}

void ids_history_forget(ids_history *history) {
    history->count = 0;
}

void ids_history_drop(ids_history *history, uint64_t epoch) {
    uint32_t kept = 0;
    assert(epoch != 0 && history->count <= IDS_HISTORY_EPOCHS_MAX);
    for (uint32_t i = 0; i < history->count; i++)
        if (history->of[i].epoch != epoch)
            history->of[kept++] = history->of[i];
    history->count = kept;
}

void ids_history_add(ids_history *history, uint64_t epoch, uint32_t streams,
                     const uint64_t *low) {
    ids_whole *whole;
    assert(epoch != 0 && streams > 0);
    while (history->count > 0 && history->of[history->count - 1].epoch >= epoch)
        history->count--;
    if (streams > IDS_KEYS_STREAMS_MAX)
        return;
    if (history->count == IDS_HISTORY_EPOCHS_MAX)
        drop_first(history, 1);
    whole = &history->of[history->count++];
    assert(history->count <= IDS_HISTORY_EPOCHS_MAX);
    *whole = (ids_whole){.epoch = epoch, .streams = streams};
    memcpy(whole->low, low, streams * sizeof *low);
    memcpy(whole->pos, low, streams * sizeof *low);
}

static ids_whole *whole_in(ids_history *history, uint64_t epoch) {
    for (uint32_t i = 0; i < history->count; i++)
        if (history->of[i].epoch == epoch)
            return &history->of[i];
    return NULL;
}

void ids_history_reached(ids_history *history, uint64_t epoch, uint32_t stream,
                         uint64_t number) {
    ids_whole *whole = whole_in(history, epoch);
    assert(whole == NULL || whole->epoch == epoch);
    if (whole != NULL && stream < whole->streams && number > whole->pos[stream])
        whole->pos[stream] = number;
}

void ids_history_let_go(ids_history *history, const ids_key_ring *ring) {
    ids_whole *whole;
    uint32_t below = 0;
    while (below < history->count &&
           history->of[below].epoch < ring->gone_epoch)
        below++;
    drop_first(history, below);
    assert(history->count <= IDS_HISTORY_EPOCHS_MAX);
    whole = whole_in(history, ring->gone_epoch);
    for (uint32_t k = 0; whole != NULL && k < whole->streams; k++)
        if (ring->gone[k] > whole->low[k])
            whole->low[k] = ring->gone[k];
}

static bool find_common(const ids_whole *mine, const ids_whole *theirs,
                        ids_common *common) {
    assert(mine->epoch == theirs->epoch && mine->epoch != 0);
    assert(mine->streams <= IDS_KEYS_STREAMS_MAX);
    if (mine->streams != theirs->streams)
        return false;
    *common = (ids_common){.epoch = mine->epoch, .streams = mine->streams};
    for (uint32_t k = 0; k < mine->streams; k++) {
        uint64_t at =
            mine->pos[k] < theirs->pos[k] ? mine->pos[k] : theirs->pos[k];
        if (mine->low[k] > at || theirs->low[k] > at)
            return false;
        common->at[k] = at;
    }
    return true;
}

bool ids_history_common(const ids_history *mine, const ids_history *theirs,
                        ids_common *common) {
    assert(mine->count <= IDS_HISTORY_EPOCHS_MAX);
    assert(theirs->count <= IDS_HISTORY_EPOCHS_MAX);
    for (uint32_t i = mine->count; i-- > 0;)
        for (uint32_t j = theirs->count; j-- > 0;)
            if (mine->of[i].epoch == theirs->of[j].epoch)
                return find_common(&mine->of[i], &theirs->of[j], common);
    return false;
}

bool ids_history_has(const ids_history *history, const ids_common *common) {
    const ids_whole *whole = NULL;
    assert(history->count <= IDS_HISTORY_EPOCHS_MAX);
    assert(common->epoch != 0);
    for (uint32_t i = 0; i < history->count; i++)
        if (history->of[i].epoch == common->epoch)
            whole = &history->of[i];
    if (whole == NULL || whole->streams != common->streams)
        return false;
    for (uint32_t k = 0; k < whole->streams; k++)
        if (common->at[k] < whole->low[k] || common->at[k] > whole->pos[k])
            return false;
    return true;
}

/* --- on the wire ---------------------------------------------------------- */

bool ids_history_write(const ids_history *history, idp_bytes *to) {
    if (!idp_bytes_reserve(to, history->count * WHOLE_BYTES_MAX))
        return false;
    for (uint32_t i = 0; i < history->count; i++) {
        const ids_whole *whole = &history->of[i];
        uint8_t *at = to->ptr + to->len;
        ids_put_u64(at, whole->epoch);
        ids_put_u32(at + 8, whole->streams);
        at += WHOLE_HEAD_BYTES;
        for (uint32_t k = 0; k < whole->streams; k++, at += 16) {
            ids_put_u64(at, whole->low[k]);
            ids_put_u64(at + 8, whole->pos[k]);
        }
        to->len = (size_t)(at - to->ptr);
    }
    return true;
}

/* Returns its bytes; 0: it makes no sense. */
static size_t read_whole(ids_whole *whole, const uint8_t *at, size_t len) {
    if (len < WHOLE_HEAD_BYTES)
        return 0;
    *whole =
        (ids_whole){.epoch = ids_get_u64(at), .streams = ids_get_u32(at + 8)};
    if (whole->epoch == 0 || whole->epoch > IDS_PF_NUMBER_MAX ||
        whole->streams == 0 || whole->streams > IDS_KEYS_STREAMS_MAX ||
        (len - WHOLE_HEAD_BYTES) / 16 < whole->streams)
        return 0;
    at += WHOLE_HEAD_BYTES;
    for (uint32_t k = 0; k < whole->streams; k++, at += 16) {
        whole->low[k] = ids_get_u64(at);
        whole->pos[k] = ids_get_u64(at + 8);
        if (whole->pos[k] > IDS_PF_NUMBER_MAX)
            return 0;
    }
    return WHOLE_HEAD_BYTES + 16u * whole->streams;
}

bool ids_history_read(ids_history *history, idp_slice bytes) {
    size_t at = 0;
    history->count = 0;
    while (at < bytes.len) {
        ids_whole *whole = &history->of[history->count];
        size_t read;
        if (history->count == IDS_HISTORY_EPOCHS_MAX)
            return false;
        read = read_whole(whole, bytes.ptr + at, bytes.len - at);
        if (read == 0 ||
            (history->count > 0 && whole[-1].epoch >= whole->epoch))
            return false;
        history->count++;
        at += read;
    }
    return true;
}

size_t ids_common_write(const ids_common *common,
                        uint8_t to[static IDS_COMMON_BYTES_MAX]) {
    assert(common->streams <= IDS_KEYS_STREAMS_MAX);
    ids_put_u64(to, common->epoch);
    ids_put_u32(to + 8, common->streams);
    for (uint32_t k = 0; k < common->streams; k++)
        ids_put_u64(to + WHOLE_HEAD_BYTES + 8 * (size_t)k, common->at[k]);
    return WHOLE_HEAD_BYTES + 8 * (size_t)common->streams;
}

bool ids_common_read(ids_common *common, idp_slice bytes) {
    if (bytes.len < WHOLE_HEAD_BYTES)
        return false;
    *common = (ids_common){.epoch = ids_get_u64(bytes.ptr),
                           .streams = ids_get_u32(bytes.ptr + 8)};
    if (common->epoch == 0 || common->epoch > IDS_PF_NUMBER_MAX ||
        common->streams == 0 || common->streams > IDS_KEYS_STREAMS_MAX ||
        bytes.len != WHOLE_HEAD_BYTES + 8 * (size_t)common->streams)
        return false;
    for (uint32_t k = 0; k < common->streams; k++)
        common->at[k] =
            ids_get_u64(bytes.ptr + WHOLE_HEAD_BYTES + 8 * (size_t)k);
    return true;
}
