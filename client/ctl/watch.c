/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c -- --watch: a command again and again, each time with how much its
 * numbers have changed a second. A server that is away is said and waited for.
 */
#include "client/ctl/ctl.h"
#include "client/ctl/rates.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_until_next(uint64_t until_ms) {
    struct timespec at = {.tv_sec = (time_t)(until_ms / 1000),
                          .tv_nsec = (long)(until_ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) ==
           EINTR) {
    }
}

/* A terminal shows one look at a time; elsewhere they follow each other. */
static void head(const ctl_ask *ask) {
    char time_text[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (ask->json)
        return;
    if (gmtime_r(&now, &utc) != NULL)
        strftime(time_text, sizeof time_text, "%Y-%m-%d %H:%M:%SZ", &utc);
    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    printf("-- idemctl %s, %s\n", ask->command->name, time_text);
}

/* It may be there at the next look. */
static bool may_pass(ctl_exit code) {
    return code < CTL_EXIT_USAGE || code == CTL_EXIT_UNAVAILABLE;
}

static bool check_watched(ctl_ask *ask) {
    if (ask->operand_count > 0 && !ask->command->takes_key)
        return ctl_why(ask, "--watch: %s with %s is asked once",
                       ask->command->name, ask->command->operands);
    return true;
}

ctl_exit ctl_watch(ctl_session *session, ctl_ask *ask) {
    ctl_exit code = CTL_EXIT_DONE;
    uint64_t next_ms = idem_now_ms();
    if (!check_watched(ask))
        return ctl_usage_error(ask);
    for (uint64_t turn = 1;; turn++) {
        rates_turn(idem_now_ms());
        head(ask);
        code = ask->command->run(session, ask);
        if (fflush(stdout) != 0 || ferror(stdout))
            code = CTL_EXIT_UNWRITTEN;
        if (!may_pass(code) || turn == ask->watch_count)
            break;
        next_ms += ask->watch_ms;
        if (next_ms < idem_now_ms()) /* it was stopped, or the answer is slow */
            next_ms = idem_now_ms();
        sleep_until_next(next_ms);
    }
    rates_end();
    return code;
}
