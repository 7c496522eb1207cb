/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c -- any bytes as a file of settings: refused with a reason and a
 * line that is there, or taken; what is taken prints as a file that is taken,
 * too, and says the same. Behind each a good file must still be read as it
 * stands: libconfuse's lexer keeps a state. */
#include "server/admin/settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static ids_settings *read_text(const char *text, size_t len,
                               ids_complaint *complaint) {
    const ids_given given = {0};
    return ids_settings_from_text(&given, "f", text, len, complaint);
}

static void check_complaint(const ids_complaint *complaint, const char *text,
                            size_t len) {
    unsigned line = 0, lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    assert(complaint->why[0] != 0);
    if (sscanf(complaint->why, "f:%u:", &line) == 1)
        assert(line >= 1 && line <= lines);
}

static void check_printed(const ids_settings *settings) {
    static char first[1u << 20], second[1u << 20];
    ids_complaint complaint;
    assert(ids_settings_print(settings, first, sizeof first) < sizeof first);
    ids_settings *again = read_text(first, strlen(first), &complaint);
    if (!again) { /* what it prints may be longer than a line may be */
        assert(strstr(complaint.why, "more than") ||
               strstr(complaint.why, "longer than"));
        return;
    }
    assert(again->config.listen_count == settings->config.listen_count);
    assert(again->config.threads == settings->config.threads);
    assert(again->config.fsync == settings->config.fsync);
    ids_settings_print(again, second, sizeof second);
    for (const char *a = first, *b = second;
         *a && *b;) { /* but for the lines */
        size_t left = strcspn(a, "#\n"), right = strcspn(b, "#\n");
        assert(left == right && memcmp(a, b, left) == 0);
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
    }
    ids_settings_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char good[] = "threads = 3\nnode = b\n";
    ids_complaint complaint;
    ids_settings *settings = read_text((const char *)bytes, len, &complaint);
    if (settings)
        check_printed(settings);
    else
        check_complaint(&complaint, (const char *)bytes, len);
    ids_settings_free(settings);
    settings = read_text(good, sizeof good - 1, &complaint);
    assert(settings && settings->config.threads == 3);
    assert(strcmp(settings->config.node, "b") == 0);
    ids_settings_free(settings);
    return 0;
}
