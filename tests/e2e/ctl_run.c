/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_run.c -- idemctl run as cron and shells use it: what the first run and
 * the later ones print, their codes, what the command finds, who may run.
 *
 *   ctl_run IDEMSTORED IDEMCTL IDEMCTL.1 */
#include "tests/e2e/ctl_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* stdout is written apart from stderr, and each is as the command wrote it. */
static void prints_it_again(void) {
    ctl_says(0, "",
             "cat >$DIR/job <<'END'\n"
             "echo one; echo two >&2; printf 'a\\0b\\377'; echo >>$DIR/ran\n"
             "exit 3\nEND\n");
    ctl_says(3, "", "$CTL run j -- sh $DIR/job >$DIR/out1 2>$DIR/err1");
    ctl_says(3, "", "$CTL run j -- sh $DIR/job >$DIR/out2 2>$DIR/err2");
    ctl_says(0, "",
             "printf 'one\\na\\0b\\377' | cmp - $DIR/out1 && echo two | cmp - "
             "$DIR/err1 && cmp $DIR/out1 $DIR/out2 && cmp $DIR/err1 $DIR/err2 "
             "&& test $(wc -l <$DIR/ran) -eq 1");
    ctl_says(0, "class               error", "$CTL peek j");
    ctl_says(0, "done before, ", "$CTL run v -- true; $CTL run -v v -- true");
    puts("  a replay prints what the first run printed, and has its code");
}

/* Each line is written once the one before it has come through. */
static void in_their_order(void) {
    ctl_says(0, "",
             "cat >$DIR/turns <<'END'\n"
             "seen() { until grep -q $1 $DIR/turns1; do sleep 0.05; done; }\n"
             "for i in 1 2 3; do echo o$i; seen o$i; echo e$i >&2; seen e$i; "
             "done\nEND\n");
    ctl_says(0, "", "$CTL run turns -- sh $DIR/turns >$DIR/turns1 2>&1");
    ctl_says(0, "", "$CTL run turns -- sh $DIR/turns >$DIR/turns2 2>&1");
    ctl_says(0, "o1\ne1\no2\ne2\no3\ne3\n",
             "cat $DIR/turns1; cmp $DIR/turns1 $DIR/turns2");
    puts("  stdout and stderr come again in their order");
}

static void what_it_finds(void) {
    ctl_says(0, "k2 6b32 none 1 32\n",
             "IDEM_TOKEN=of-an-outer-run $CTL run k2 -- sh -c 'echo $IDEM_KEY "
             "$IDEM_KEY_HEX $IDEM_PREVIOUS $IDEM_ATTEMPT ${#IDEM_TOKEN}'");
    ctl_says(0, "unset 6b00",
             "$CTL run --key-hex 6b00 -- sh -c 'echo ${IDEM_KEY-unset} "
             "$IDEM_KEY_HEX'");
    ctl_says(0, "a line of stdin",
             "echo a line of stdin | $CTL run stdin -- cat");
    ctl_says(0, "0077", "umask 077; $CTL run umask -- sh -c umask");
    ctl_says(0, "ignored: 0",
             "$CTL run signals -- sh -c 'of=$(sed -n s/^SigIgn:.//p "
             "/proc/self/status); echo ignored: $((0x$of & 0x1001000))'");
    ctl_says(0, "SigBlk:\t0000000000000000",
             "$CTL run blocked -- grep SigBlk /proc/self/status");
    ctl_says(
        0, "",
        "sh -c 'ls /proc/self/fd | cat' >$DIR/fds && $CTL run fds -- sh -c "
        "'ls /proc/self/fd | cat' | cmp - $DIR/fds");
    ctl_says(0, "null",
             "printf 'run lines -- readlink /proc/self/fd/0\\n' | "
             "$CTL");
    puts("  the command finds its key, its token, stdin, and no signal masked");
}

static void a_job_that_fails(void) {
    ctl_says(1, "", "$CTL run f1 -- false");
    ctl_says(1, "", "$CTL run f1 -- false");
    ctl_says(5, "", "$CTL run f2 --on-failure release -- sh -c 'exit 5'");
    ctl_says(0, "released", "$CTL peek f2");
    ctl_says(0, "released 2\n",
             "$CTL run f2 --fingerprint 00 -- true; test $? = 65 || exit 9; "
             "$CTL run f3 --on-failure release --fingerprint 01 -- false; "
             "$CTL run f3 --fingerprint 01 -- sh -c 'echo $IDEM_PREVIOUS "
             "$IDEM_ATTEMPT'");
    ctl_says(6, "", "$CTL run f4 --on-failure leave -- sh -c 'exit 6'");
    ctl_says(75, "somebody else runs it",
             "$CTL run f4 --on-failure leave -- sh -c 'exit 6'");
    ctl_says(64, "none of complete, release and leave",
             "$CTL run f5 --on-failure retry -- true");
    puts("  a failure is kept, given back, or left, as --on-failure says");
}

static void one_that_a_signal_ends(void) {
    ctl_says(137, "ended by signal 9", "$CTL run s1 -- sh -c 'kill -9 $$'");
    ctl_says(143, "ended by signal 15",
             "$CTL run s2 --lease 1s -- sh -c 'kill $$'");
    ctl_says(75, "nothing ran", "$CTL run s1 -- sh -c 'kill -9 $$'");
    ctl_says(66, "nobody knows how it ended",
             "until $CTL peek s2 | grep -q orphaned; do sleep 0.1; done; "
             "$CTL run s2 --on-orphan report -- sh -c 'kill $$'");
    ctl_says(143, "2 orphaned",
             "until $CTL peek s3 | grep -q orphaned; do $CTL run s3 --lease 1s "
             "-- sh -c 'echo $IDEM_ATTEMPT $IDEM_PREVIOUS; kill $$' 2>&1; "
             "sleep 0.2; done; $CTL run s3 -- sh -c 'echo $IDEM_ATTEMPT "
             "$IDEM_PREVIOUS; kill $$'");
    puts("  one that a signal ended is left, and the next one is told");
}

static void one_that_cannot_start(void) {
    ctl_says(127, "nosuch can't be run: No such file",
             "$CTL run n1 -- nosuch a b");
    ctl_says(15, "absent", "$CTL peek n1");
    ctl_says(126, "Permission denied", "$CTL run n1 -- $DIR");
    ctl_says(15, "absent", "$CTL peek n1");
    ctl_says(0, "now it is", "$CTL run n1 -- echo now it is");
    ctl_says(64, "needs a command behind --", "$CTL run n2");
    ctl_says(64, "needs a command behind --", "$CTL run n2 --");
    ctl_says(64, "run needs KEY", "$CTL run -- true");
    ctl_says(64, "idemctl run KEY -- true", "$CTL run n2 true");
    ctl_says(69, "Connection refused",
             "rm -f $DIR/touched; $CTL run n2 -s 127.0.0.1:1 -- touch "
             "$DIR/touched; code=$?; test ! -e $DIR/touched && exit $code");
    ctl_says(65, "another command line",
             "$CTL run n3 -- true; $CTL run n3 -- true ''");
    ctl_says(65, "another fingerprint",
             "$CTL run n4 --fingerprint 01 -- true; $CTL run n4 --fingerprint "
             "02 -- true");
    ctl_says(0, "same",
             "$CTL run n5 --fingerprint 01 -- echo same; "
             "$CTL run n5 --fingerprint 01 -- echo other");
    puts("  what can't start gives the key back; no store, no run");
}

static void much_output(void) {
    const char *line = "$CTL run big -- sh -c 'head -c 2097152 /dev/zero; exit "
                       "4' >$DIR/big";
    ctl_says(4, "", line);
    ctl_says(0, "", "test $(wc -c <$DIR/big) -eq 2097152");
    ctl_says(4, "(exit 4); its output, 2097152 bytes, was too long to be kept",
             line);
    ctl_says(0, "", "test ! -s $DIR/big");
    line = "$CTL run fits -- sh -c 'head -c 1000000 /dev/zero; exit 4' "
           ">$DIR/big";
    ctl_says(4, "", line);
    ctl_says(4, "", line);
    ctl_says(0, "", "test $(wc -c <$DIR/big) -eq 1000000");
    puts("  2 MiB are printed, and a replay says that they were");
}

static void readers_that_go(void) {
    ctl_says(0, "",
             "$CTL run gone -- sh -c 'yes | head -c 300000; sleep 0.2; "
             "yes | head -c 300000; touch $DIR/gone' 2>$DIR/err | head -1; "
             "until test -e $DIR/gone; do sleep 0.05; done");
    ctl_says(0, "completed",
             "until $CTL peek gone | grep completed; do sleep 0.05; done");
    ctl_says(0, "class               success", "$CTL peek gone");
    ctl_says(0, "", "$CTL run full -- echo no room >/dev/full");
    ctl_says(0, "no room", "$CTL run full -- echo no room");
    ctl_says(0, "", "$CTL run closed -- echo nobody >&-");
    ctl_says(0, "nobody", "$CTL run closed -- echo nobody");
    ctl_says(74, "", "$CTL run closed -- echo nobody >/dev/full");
    puts("  a reader that goes does not end the command");
}

/* It would hold the pipes for as long as it runs. */
static void what_stays_behind(void) {
    ctl_says(0, "something that the command has started holds its output",
             "$CTL run behind -- sh -c 'sleep 300 & echo $! >$DIR/pid; echo "
             "said'; code=$?; kill $(cat $DIR/pid); exit $code");
    ctl_says(0, "said",
             "$CTL run behind -- sh -c 'sleep 300 & echo $! "
             ">$DIR/pid; echo said'");
    ctl_says(0, "a last word",
             "$CTL run late -- sh -c '(sleep 0.1; echo a last word) & exit 0'");
    puts("  the command's end is the end, whatever it has started");
}

static void two_at_once(void) {
    const char *both =
        "rm -f $DIR/count $DIR/go; job() { $CTL run $1 $2 $3 -- sh -c 'echo x "
        ">>$DIR/count; until test -e $DIR/go; do sleep 0.05; done; echo done'; "
        "echo code $?; }; ";
    char line[1024];
    snprintf(line, sizeof line,
             "%s{ job two >$DIR/a & job two >$DIR/b & until cat $DIR/a $DIR/b "
             "| grep -q 'code 75'; do sleep 0.05; done; touch $DIR/go; wait; "
             "cat $DIR/a $DIR/b; test $(wc -l <$DIR/count) -eq 1; }",
             both);
    ctl_says(0, "code 0", line);
    snprintf(line, sizeof line,
             "%s{ job wait --wait 60s >$DIR/a & job wait --wait 60s >$DIR/b & "
             "until test -s $DIR/count; do sleep 0.05; done; touch $DIR/go; "
             "wait; cmp $DIR/a $DIR/b && cat $DIR/a; test $(wc -l <$DIR/count) "
             "-eq 1; }",
             both);
    ctl_says(0, "done\ncode 0", line);
    puts("  of two at once one runs; the other is told, or waits for it");
}

/* A person has settled it: there is no output, and yet an answer. */
static void settled_by_hand(void) {
    ctl_says(0, "and not by idemctl run: the result says success",
             "token=$($CTL acquire hand --raw) && $CTL complete hand --token "
             "$token --result 'paid by hand' >/dev/null && $CTL run hand -- "
             "false");
    ctl_says(0, "paid by hand", "$CTL run hand -- false");
    ctl_says(1, "no code and no output is kept: error",
             "token=$($CTL acquire hand2 --raw) && $CTL complete hand2 --token "
             "$token --class error >/dev/null && $CTL run hand2 -- true");
    puts("  what was settled by hand is not run either");
}

/* Results that look like a run's and are none: an array that announces more
 * than there is, a code that is none, a third stream, bytes behind the end. */
static void results_that_lie(void) {
    static const char *const lies[] = {
        "\\224\\001\\000\\335\\377\\377\\377\\377",
        "\\224\\001\\315\\001\\054\\300\\000",
        "\\224\\001\\000\\221\\222\\003\\304\\001a\\001",
        "\\224\\001\\000\\221\\222\\001\\304\\377a\\001",
        "\\224\\001\\000\\300\\000\\000",
        "\\224\\001",
        "\\224"};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "printf '%s' >$DIR/lie; token=$($CTL acquire lie%zu --raw) && "
                 "$CTL complete lie%zu --token $token --result-file $DIR/lie "
                 ">/dev/null && $CTL run lie%zu -- false >$DIR/out && cmp "
                 "$DIR/lie $DIR/out",
                 lies[i], i, i, i);
        ctl_says(0, "and not by idemctl run", line);
    }
    puts("  a result that only looks like a run's is shown as it is");
}

/* cron: no environment to speak of, no terminal, a root folder. */
static void from_cron(void) {
    ctl_says(0, "/:/bin/sh:unset",
             "cd / && env -i SHELL=/bin/sh LOGNAME=nobody setsid -w $CTL run "
             "cron -s $IDEMSTORE_URL -- sh -c 'echo $(pwd):$SHELL:"
             "${HOME-unset}' </dev/null");
    ctl_says(0, "one group: yes",
             "setsid -w $CTL run group -- sh -c 'sleep 0 & read -r _ _ _ _ "
             "group _ </proc/$$/stat; test $group = $$ && echo one group: yes' "
             "</dev/null");
    puts("  from cron: nothing of a terminal or an environment is needed");
}

/* The example of the man page, line by line. */
static void the_manual(const char *page) {
    char line[1024];
    snprintf(line, sizeof line,
             "sed -n '/^idemctl run nightly/,/^\\.Ed/p' %s | sed '/^\\.Ed/d' "
             "| sed 's,^idemctl,$CTL,' >$DIR/example && test -s $DIR/example",
             page);
    ctl_says(0, "", line);
    ctl_says(0, "the report of the night",
             "mkdir -p $DIR/bin && printf '#!/bin/sh\\necho the report of the "
             "night\\n' >$DIR/bin/nightly-report && chmod +x "
             "$DIR/bin/nightly-report && PATH=$DIR/bin:$PATH sh $DIR/example "
             "&& rm $DIR/bin/nightly-report && PATH=$DIR/bin:$PATH sh "
             "$DIR/example");
    puts("  the manual's example does what the manual says");
}

int main(int argc, char *argv[]) {
    char folder[] = "/tmp/ctl_run-XXXXXX";
    CHECK(argc == 4, "usage: ctl_run IDEMSTORED IDEMCTL IDEMCTL.1");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("DIR", folder, 1);
    daemon_t daemon;
    ctl_start(&daemon, &(daemon_spec){.program = argv[1]}, argv[2], "run");
    prints_it_again();
    in_their_order();
    what_it_finds();
    a_job_that_fails();
    one_that_a_signal_ends();
    one_that_cannot_start();
    much_output();
    readers_that_go();
    what_stays_behind();
    two_at_once();
    settled_by_hand();
    results_that_lie();
    from_cron();
    the_manual(argv[3]);
    daemon_stop(&daemon);
    ctl_shell("rm -rf $DIR");
    return 0;
}
