/* SPDX-License-Identifier: Apache-2.0 */
/* virtual_main.c -- tells the stories of Markdown files to the core or to the
 * model, in virtual time. The same stories reach a server over its port
 * through idemconform.
 *
 *   conformance core|model FILE...
 *
 * Exit 0: every story holds. */
#include "tests/conformance/run.h"

#include <stdio.h>
#include <string.h>

enum { SAY_MAX = 3000 };

static bool holds(const story *s, const char *engine) {
    char say[SAY_MAX] = "";
    backend *b = backend_virtual(s, engine);
    run_verdict verdict = story_run(s, b, 1, say, sizeof say);
    if (!b->close(b) && verdict == RUN_PASSED) {
        snprintf(say, sizeof say, "%s:%d: (%s) it ended badly\n", s->file,
                 s->line, s->title);
        verdict = RUN_FAILED;
    }
    if (verdict != RUN_PASSED) {
        fputs(say, stdout);
    }
    return verdict == RUN_PASSED;
}

int main(int argc, char **argv) {
    int told = 0, failed = 0;
    if (argc < 3) {
        fprintf(stderr, "conformance core|model FILE...\n");
        return 64;
    }
    for (int i = 2; i < argc; i++) {
        stories all;
        if (!stories_read(&all, argv[i])) {
            stories_free(&all);
            return 1;
        }
        for (int k = 0; k < all.count; k++) {
            if (!all.at[k].tcp_only) {
                told++;
                failed += !holds(&all.at[k], argv[1]);
            }
        }
        stories_free(&all);
    }
    printf("%d stories, %d failed\n", told, failed);
    return failed == 0 && told > 0 ? 0 : 1;
}
