/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis_heal.c -- all faults are over: whether all is well again, by the
 * record, and what the judge is told of it. */
#include "tests/agent/nemesis.h"

#include <inttypes.h>

uint64_t aw_ms_since(uint64_t ns) {
    return (nem_now_ns() - ns) / NEM_MS;
}

int aw_primary_of(const ids_group_view *view) {
    int at = view->revision ? view->group.primary.node.text[0] - 'a' : -1;
    return at >= 0 && at < MACHINES ? at : -1;
}

/* --- and is put right ----------------------------------------------------- */

bool aw_look(agents_world *w, ids_group_view *view) {
    uint64_t asked_ns = nem_now_ns();
    if (!machines_view(&w->m, view))
        return false;
    if (view->group.epoch == w->view.group.epoch)
        w->same_ns = asked_ns;
    return true;
}

/* From when another may have led until now, when who led before has heard of
 * it, what an answer merely shows may be as old as that beginning. */
static void one_leads(agents_world *w, const ids_group_view *view) {
    if (view->group.epoch != w->view.group.epoch && w->same_ns != 0)
        fprintf(w->windows, "two %" PRIu64 " %" PRIu64 "\n", w->same_ns,
                nem_now_ns());
    fflush(w->windows);
    w->same_ns = nem_now_ns();
}

static void stopped_until_now(agents_world *w, int at) {
    fprintf(w->windows, "stopped %" PRIu64 " %" PRIu64 "\n",
            w->m.at[at][PART_NODE].stopped_ns, nem_now_ns() + 5 * NEM_MS);
    fflush(w->windows);
}

void aw_go_on(agents_world *w, int at, part what) {
    bool node = what == PART_NODE && w->m.at[at][what].stopped;
    machines_continue(&w->m, at, what);
    if (node)
        stopped_until_now(w, at);
}

static bool all_run(agents_world *w) {
    static const part parts[] = {PART_ETCD, PART_NODE, PART_AGENT};
    machines_calm(&w->m);
    for (int i = 0; i < PARTS; i++)
        for (int at = 0; at < MACHINES; at++) {
            process *p = &w->m.at[at][parts[i]];
            if (p->stopped)
                aw_go_on(w, at, parts[i]);
            if (p->pid == 0 && !machines_start(&w->m, at, parts[i]))
                return aw_fail(w, "%c can't be started", machine_name(at));
        }
    return true;
}

/* All are in sync, as the record says, and their agents say that they live. */
bool aw_is_well(agents_world *w, ids_group_view *view) {
    if (!aw_look(w, view))
        return false;
    uint32_t alive = 0;
    for (uint32_t i = 0; i < view->group.isr_count; i++)
        alive += ids_group_is_alive(view, &view->group.isr[i]);
    return aw_primary_of(view) >= 0 && alive == MACHINES;
}

bool aw_heal(agents_world *w) {
    uint64_t since_ns = nem_now_ns();
    ids_group_view view = {.revision = 0};
    if (!all_run(w))
        return false;
    while (!aw_is_well(w, &view)) {
        if (machines_one_died(&w->m))
            return aw_fail(w, "nobody killed it");
        if (aw_ms_since(since_ns) > w->heal_ms_max)
            return aw_fail(w,
                           "not well after %" PRIu64 " ms: revision %" PRIu64
                           ", %u in sync, %u alive",
                           aw_ms_since(since_ns), view.revision,
                           view.group.isr_count, view.alive_count);
        aw_rest_ms(AW_LOOK_MS);
    }
    if (view.group.epoch < w->view.group.epoch)
        return aw_fail(w, "I11: the epoch was %" PRIu64, w->view.group.epoch);
    uint64_t took_ms = aw_ms_since(since_ns);
    if (took_ms > w->slowest_ms)
        w->slowest_ms = took_ms;
    w->failovers += view.group.epoch != w->view.group.epoch;
    one_leads(w, &view);
    w->view = view;
    w->primary = aw_primary_of(&view);
    aw_say(w, "well again after %" PRIu64 " ms: %c leads in epoch %" PRIu64,
           took_ms, machine_name(w->primary), view.group.epoch);
    return aw_clients_probe(w);
}

bool aw_another_leads(agents_world *w) {
    uint64_t since_ns = nem_now_ns();
    ids_group_view view;
    while (!aw_look(w, &view) || view.group.epoch == w->view.group.epoch) {
        if (machines_one_died(&w->m))
            return aw_fail(w, "nobody killed it");
        if (aw_ms_since(since_ns) > w->heal_ms_max)
            return aw_fail(w, "nobody took over in %" PRIu64 " ms",
                           aw_ms_since(since_ns));
        aw_rest_ms(AW_LOOK_MS);
    }
    aw_say(w, "%c takes over, %" PRIu64 " ms later",
           machine_name(aw_primary_of(&view)), aw_ms_since(since_ns));
    return true;
}
