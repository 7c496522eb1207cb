/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_answer.c -- where idemctl's answers go: bytes as they are, into files,
 * to nobody; keys of any bytes; a session's tokens.
 *
 *   ctl_answer IDEMSTORED IDEMCTL IDEMCTL.1 */
#include "tests/e2e/ctl_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void results_as_they_are(void) {
    ctl_says(0, "kept                yes",
             "token=$($CTL --raw acquire raw) && printf 'a\\0b\\377' >$DIR/in "
             "&& $CTL complete raw --token $token --result-file $DIR/in");
    ctl_says(10, "",
             "$CTL acquire raw --raw >$DIR/out; code=$?; "
             "cmp $DIR/in $DIR/out && exit $code");
    ctl_says(10, "result_bytes        4",
             "$CTL acquire raw --output $DIR/file; code=$?; "
             "cmp $DIR/in $DIR/file && exit $code");
    ctl_json_is(10, "result_bytes", "number",
                "$CTL --json acquire raw --output $DIR/file");
    ctl_says(74, "/nowhere/file: No such file",
             "$CTL acquire raw --output /nowhere/file");
    ctl_says(0, "acquired",
             "$CTL acquire fresh --output $DIR/none; test ! -e $DIR/none");
    ctl_says(11, "in_progress",
             "$CTL --raw acquire fresh >$DIR/out; "
             "code=$?; test ! -s $DIR/out && exit $code");
    puts("  --raw and --output: every byte of a result, and no other");
}

static void keys_of_any_bytes(void) {
    ctl_says(0, "acquired", "$CTL acquire --key-hex 6b0000ff --lease 60s");
    ctl_says(0, "in_progress", "$CTL peek --key-hex 6B0000FF");
    ctl_says(0, "in_progress",
             "printf 'k\\0\\0\\377' >$DIR/key; $CTL peek --key-file $DIR/key");
    ctl_says(0, "in_progress",
             "printf 'k\\0\\0\\377' | $CTL peek --key-file -");
    ctl_says(15, "absent", "$CTL peek k");
    ctl_says(0, "acquired", "$CTL acquire -- -k");
    ctl_says(0, "in_progress", "$CTL peek --key-hex 2d6b");
    puts("  a key may have zero bytes, or a dash in front");
}

static void a_session_knows_its_tokens(void) {
    ctl_says(10, "paid",
             "printf 'acquire s1\\nacquire s1 -n other\\nrenew s1\\n"
             "complete s1 --result paid\\nrelease s1 -n other\\nacquire s1\\n'"
             " | $CTL");
    ctl_says(64, "has not acquired that key", "echo 'complete s2' | $CTL");
    ctl_says(64, "complete needs --token", "$CTL complete s1");
    ctl_says(14, "stale",
             "printf 'acquire s3 --lease 1ms --ttl 1m\\n' | $CTL >$DIR/out; "
             "until $CTL peek s3 | grep -q orphaned; do sleep 0.05; done; "
             "$CTL acquire s3; "
             "$CTL complete s3 --token $(sed -n 's/.*token *//p' $DIR/out)");
    puts("  complete KEY means the claim of this session, in a script too");
}

/* Nobody gets the token, so nobody can use the claim. */
static void an_answer_that_nobody_gets(void) {
    ctl_says(74, "No space left", "$CTL acquire full >/dev/full");
    ctl_says(0, "released", "$CTL peek full");
    ctl_says(74, "given back", "$CTL acquire closed >&-");
    ctl_says(0, "released", "$CTL peek closed");
    /* The reader has gone before there is something to read. */
    ctl_says(74, "given back",
             "mkfifo $DIR/pipe; true <$DIR/pipe & reader=$!; "
             "{ wait $reader; $CTL acquire pipe; } >$DIR/pipe");
    ctl_says(0, "released", "$CTL peek pipe");
    ctl_says(74, "given back", "$CTL --json acquire json >/dev/full");
    ctl_says(74, "given back", "$CTL --raw acquire bare >/dev/full");
    ctl_says(74, "line 1", "printf 'acquire s\\nping\\n' | $CTL >/dev/full");
    ctl_says(74, "the same --nonce",
             "$CTL acquire named --nonce 01 >/dev/full");
    ctl_says(0, "acquired", "$CTL acquire named --nonce 01");
    ctl_says(74, "", "$CTL ping >/dev/full");
    ctl_says(74, "", "$CTL --help >/dev/full");
    puts("  an answer that could not be written: 74, and the claim goes back");
}

static void sentences(void) {
    ctl_says(15, "no record of this key",
             "$CTL renew never --token 00000000000000000000000000000001");
    ctl_says(0, "the next asker may try",
             "printf 'acquire r1\\nrelease r1\\n' | $CTL");
    ctl_says(0, "forgotten",
             "printf 'acquire r2\\nrelease r2 --unbind\\n' | $CTL");
    ctl_says(0, "--max-result",
             "head -c 5000 /dev/zero | tr '\\0' x >$DIR/large; "
             "printf 'acquire r3\\ncomplete r3 --result-file %s\\n' "
             "$DIR/large | $CTL");
    ctl_says(10, "no result is kept", "$CTL acquire r3");
    ctl_says(0, "nobody knows",
             "$CTL acquire r4 --lease 1ms --ttl 1m; "
             "sleep 0.05; $CTL acquire r4");
    ctl_says(0, "127.0.0.1:", "$CTL -v ping");
    puts("  outcomes that leave a question get a sentence");
}

/* The manual's first example, as it stands there, with a pay of ours that
 * counts. */
static void the_manuals_script_pays_once(const char *page) {
    char line[512];
    snprintf(line, sizeof line,
             "{ echo 'idemctl() { \"$CTL\" \"$@\"; }; pay() {'"
             " 'echo $1 >>$DIR/paid; echo receipt-1; }';"
             " sed -n '/pays once/,/^\\.Ed/p' %s | grep -v '^\\.' |"
             " sed -n '/^said=/,$p'; } >$DIR/script; cat $DIR/script",
             page);
    ctl_says(0, "said=$(idemctl acquire invoice-17", line);
    ctl_says(75, "in_progress",
             "$CTL acquire invoice-17 --lease 1s >$DIR/held; sh $DIR/script");
    ctl_says(0, "released",
             "$CTL release invoice-17 --unbind --token "
             "$(sed -n 's/.*token *//p' $DIR/held)");
    ctl_says(0, "completed", "sh $DIR/script");
    ctl_says(0, "paid before: receipt-1", "sh $DIR/script");
    ctl_says(0, "1 invoice-17", "sort $DIR/paid | uniq -c");
    ctl_says(75, "nothing listens there",
             "IDEMSTORE_URL=127.0.0.1:1 sh $DIR/script");
    puts("  the manual's script pays once, and says so every time");
}

int main(int argc, char **argv) {
    daemon_t daemon;
    char folder[] = "/tmp/idemstore-answer-XXXXXX";
    if (argc != 4) {
        fputs("usage: ctl_answer IDEMSTORED IDEMCTL IDEMCTL.1\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    CHECK(mkdtemp(folder) != NULL, "no folder");
    ctl_start(&daemon,
              &(daemon_spec){.program = argv[1],
                             .flags = {"--max-result", "4096", NULL}},
              argv[2], "answers");
    setenv("DIR", folder, 1);
    results_as_they_are();
    keys_of_any_bytes();
    a_session_knows_its_tokens();
    an_answer_that_nobody_gets();
    sentences();
    the_manuals_script_pays_once(argv[3]);
    daemon_stop(&daemon);
    ctl_shell("rm -r $DIR");
    return 0;
}
