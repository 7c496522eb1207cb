/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_etcd.c -- any bytes as an answer of etcd's, and as the record that it
 * keeps.
 *
 * The first byte says what was asked, the second how HTTP answered. What is
 * taken from an answer can be decided on: a record is sound, and the same after
 * it was written and read once more; whatever was refused says nothing. */
#include "server/etcd/gateway.h"
#include "server/etcd/group_json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "/idemstore/shop/"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_group(const ids_group *group) {
    ids_group again;
    assert(ids_group_is_sound(group));
    char *text = ids_group_text(group);
    assert(text && strlen(text) < IDS_GROUP_TEXT_BYTES_MAX);
    assert(ids_group_from_text(&again, text, strlen(text)));
    assert(again.epoch == group->epoch && again.why == group->why);
    assert(again.isr_count == group->isr_count);
    for (uint32_t i = 0; i < group->isr_count; i++)
        assert(ids_group_has(&again, &group->isr[i]));
    assert(ids_group_same_member(&again.primary, &group->primary));
    free(text);
}

static void check_view(const ids_group_view *view) {
    assert(view->alive_count <= IDS_GROUP_ALIVE_MAX && view->cluster);
    for (uint32_t i = 0; i < view->alive_count; i++)
        assert(view->alive[i].incarnation && view->alive[i].node.text[0]);
    if (view->revision)
        check_group(&view->group);
}

static void check_answer(const ids_etcd_answer *answer) {
    bool views =
        answer->kind == IDS_AGENT_READ || answer->kind == IDS_AGENT_PUT;
    assert(strlen(answer->why) < sizeof answer->why);
    if (answer->outcome != IDS_ETCD_OK) {
        assert(answer->lease == 0);
        return;
    }
    assert(views || answer->view.cluster == 0);
    assert(!answer->done || answer->kind == IDS_AGENT_PUT);
    if (views)
        check_view(&answer->view);
    assert(!answer->done || answer->view.revision);
}

static void check_token(long status, const char *body, size_t len) {
    char token[IDS_ETCD_TOKEN_BYTES];
    ids_etcd_outcome outcome = ids_etcd_read_token(token, status, body, len);
    assert((outcome == IDS_ETCD_OK) == (token[0] != 0));
    assert(!strpbrk(token, "\r\n"));
}

static void check_record(const char *text, size_t len) {
    ids_group group;
    uint64_t incarnation = 0;
    if (ids_group_from_text(&group, text, len))
        check_group(&group);
    if (ids_group_alive_from_text(&incarnation, text, len))
        assert(incarnation);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const ids_agent_act_kind kinds[] = {IDS_AGENT_READ, IDS_AGENT_PUT,
                                               IDS_AGENT_GRANT, IDS_AGENT_ALIVE,
                                               IDS_AGENT_KEEPALIVE};
    static const long statuses[] = {200, 0, 400, 401, 403, 404, 500, 503};
    ids_etcd_answer answer;
    if (len < 2)
        return 0;
    const char *body = (const char *)bytes + 2;
    long status = statuses[bytes[1] % 8];
    ids_agent_act act = {.kind = kinds[bytes[0] % 5], .lease = 7};
    ids_etcd_read_answer(&answer, &act, PREFIX, status, body, len - 2);
    check_answer(&answer);
    check_token(status, body, len - 2);
    check_record(body, len - 2);
    return 0;
}
