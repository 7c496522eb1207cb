/* SPDX-License-Identifier: Apache-2.0 */
/* scripted_field.c -- a call's params by name. See scripted.h. */
#include "tests/conformance/scripted.h"

#include <string.h>

enum { FIELDS_MAX = 7, OPTIONS_MAX = 3 };

typedef struct layout {
    const char *method;
    const char *fields[FIELDS_MAX]; /* by position */
    struct {
        const char *word, *key;
    } options[OPTIONS_MAX]; /* in the map at the end */
} layout;

static const layout layouts[] = {
    {"acquire",
     {"ns", "key", "fp", "nonce", "lease", "ttl"},
     {{"wait", "wait_ms"}, {"on_orphan", "on_orphan"}}},
    {"complete", {"ns", "key", "token", "result", "ttl"}, {{"class", "class"}}},
    {"release", {"ns", "key", "token"}, {{"unbind", "unbind"}}},
    {"renew", {"ns", "key", "token", "lease"}, {{NULL, NULL}}},
    {"peek", {"ns", "key"}, {{NULL, NULL}}},
};

static const layout *layout_of(const char *method) {
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (strcmp(layouts[i].method, method) == 0) {
            return &layouts[i];
        }
    }
    return NULL;
}

/* The params' head; at stands before the first of them. */
static bool open_params(const scripted_call *call, idt_cursor *at,
                        idt_item *params) {
    idt_item item;
    *at = (idt_cursor){call->frame.at, call->frame.at + call->frame.len};
    return idt_unpack(at, &item) && idt_skip(at) && idt_skip(at) &&
           idt_skip(at) && idt_unpack(at, params) && params->kind == IDT_ARRAY;
}

static bool read_position(const scripted_call *call, uint64_t index,
                          idt_item *item) {
    idt_cursor at;
    idt_item params;
    if (!open_params(call, &at, &params)) {
        return false;
    }
    if (index >= params.count) {
        return true; /* left out from the end: nil */
    }
    for (uint64_t i = 0; i < index; i++) {
        idt_skip(&at);
    }
    return idt_unpack(&at, item);
}

static bool read_option(const scripted_call *call, uint64_t map_index,
                        const char *key, idt_item *item) {
    idt_cursor at;
    idt_item params, map, name;
    if (!open_params(call, &at, &params)) {
        return false;
    }
    for (uint64_t i = 0; i < map_index && i < params.count; i++) {
        idt_skip(&at);
    }
    if (params.count <= map_index || !idt_unpack(&at, &map) ||
        map.kind != IDT_MAP) {
        return true;
    }
    for (uint64_t i = 0; i < map.count && idt_unpack(&at, &name); i++) {
        if (idt_item_is(&name, key)) {
            return idt_unpack(&at, item);
        }
        idt_skip(&at);
    }
    return true;
}

bool scripted_field(const scripted_call *call, const char *name,
                    idt_item *item) {
    const layout *of = layout_of(call->method);
    *item = (idt_item){.kind = IDT_NIL};
    uint64_t count = 0;
    for (; of && count < FIELDS_MAX && of->fields[count]; count++) {
        if (strcmp(of->fields[count], name) == 0) {
            return read_position(call, count, item);
        }
    }
    for (int i = 0; of && i < OPTIONS_MAX && of->options[i].word; i++) {
        if (strcmp(of->options[i].word, name) == 0) {
            return read_option(call, count, of->options[i].key, item);
        }
    }
    return false;
}
