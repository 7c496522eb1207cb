/* SPDX-License-Identifier: Apache-2.0 */
/* page_test.c -- the page in a real browser, where there is one.
 *
 * page_test IDEMBENCH IDEMSTORED. Without chromium it says so and passes. */
#include "bench/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[] = "/tmp/idembench-page-XXXXXX";

int main(int argc, char **argv) {
    int status;
    if (argc != 3)
        return 64;
    if (!shell_has("chromium")) {
        puts("skipped: there is no chromium here");
        return 0;
    }
    holds(mkdtemp(folder) != NULL, "a folder", folder);
    const char *said =
        shell(&status,
              "%s --idemstored %s --spawn --target idem,echo --rounds 2 "
              "--duration 0.2 --warmup 0.1 --html %s/r.html",
              argv[1], argv[2], folder);
    holds(status == 0, "a report is made", said);
    said = shell(&status,
                 "timeout 60 chromium --headless --no-sandbox --disable-gpu "
                 "--no-first-run --disable-background-networking "
                 "--disable-component-update --disable-sync "
                 "--enable-logging=stderr --user-data-dir=%s/profile "
                 "--dump-dom file://%s/r.html",
                 folder, folder);
    holds(status == 0, "chromium opens it", said);
    holds(strstr(said, "<th scope=\"row\">idem</th>") != NULL, "the table",
          said);
    holds(strstr(said, "data-drawn=\"yes\"") != NULL,
          "the script ran to its "
          "end",
          said);
    holds(strstr(said, "<path d=\"M") != NULL, "the curves are drawn", said);
    holds(strstr(said, "<rect") != NULL, "the bars are drawn", said);
    holds(!strstr(said, "Uncaught") && !strstr(said, "CONSOLE"),
          "no script error", said);
    holds(!strstr(said, "NaN"), "no coordinate is NaN", said);
    shell(&status, "rm -r %s", folder);
    puts("bench: the page stands in a browser");
    return 0;
}
