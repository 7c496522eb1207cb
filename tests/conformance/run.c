/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- see run.h.
 *
 * In virtual time everything is exact: when an answer comes, in which order,
 * every number in it. In real time an answer may come late but never early,
 * and a time in it may be off by the slack. Where this machine itself was
 * later than the slack, a failure says nothing: the caller tells the story
 * again, slower. */
#include "tests/conformance/run.h"

#include "tests/conformance/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLACK_MS = 60,
    EARLY_MS = 2, /* one clock read per wake-up, and roundings */
    PATIENCE_MS = 10000,
    SILENCE_MS = 50,
    OWED_MAX = 64,
    SYNC_MSGID = 1000000000
};

typedef struct running {
    const story *story;
    const story_step *step;
    backend *b;
    story_clock clock;
    story_vars vars;
    uint32_t msgid;
    struct {
        int actor;
        uint32_t msgid;
    } owed[OWED_MAX]; /* parked, not answered yet */
    int owed_count;
    uint64_t heard_at, heard_order; /* of the last STORY_HEAR */
    bool late;
    bool stopped; /* connections may end now */
    char *say;
    size_t say_cap;
} running;

static int actor_of(const running *r) {
    return r->step->actor - 'A';
}

__attribute__((format(printf, 2, 3))) static bool
fail(running *r, const char *format, ...) {
    char got[512];
    va_list args;
    va_start(args, format);
    vsnprintf(got, sizeof got, format, args);
    va_end(args);
    snprintf(r->say, r->say_cap,
             "%s:%d: (%s)\n  %s\n  expected: %s\n  got:      %s\n",
             r->story->file, r->step->line, r->story->title, r->step->whole,
             r->step->expect, got);
    return false;
}

static bool fail_with_frame(running *r, const backend_frame *frame,
                            const char *why) {
    char shown[400];
    idt_cursor cursor = {frame->bytes.at, frame->bytes.at + frame->bytes.len};
    if (frame->bytes.len > 0 && frame->bytes.at[0] != 0x94) {
        int len = frame->bytes.len < 200 ? (int)frame->bytes.len : 200;
        return fail(r, "the line \"%.*s\" (%s)", len, frame->bytes.at, why);
    }
    story_notation_show(&cursor, shown, sizeof shown);
    return fail(r, "%s (%s)", shown, why);
}

/* --- time --------------------------------------------------------------- */

static uint64_t due_ms(const running *r) {
    return r->step->at_ms * r->clock.stretch;
}

static void note_lateness(running *r, uint64_t at_ms) {
    r->late |= r->b->real_time && at_ms > due_ms(r) + r->clock.slack_ms;
}

/* --- replies ------------------------------------------------------------ */

static bool read_msgid(const backend_frame *frame, uint32_t *msgid) {
    idt_cursor cursor = {frame->bytes.at, frame->bytes.at + frame->bytes.len};
    idt_item item;
    cursor.at += frame->bytes.len > 2 ? 2 : frame->bytes.len;
    bool read = idt_unpack(&cursor, &item) && item.kind == IDT_UINT;
    *msgid = (uint32_t)item.number;
    return read;
}

static bool take_owed(running *r, uint32_t msgid) {
    for (int i = 0; i < r->owed_count; i++) {
        if (r->owed[i].actor == actor_of(r) && r->owed[i].msgid == msgid) {
            r->owed[i] = r->owed[--r->owed_count];
            return true;
        }
    }
    return false;
}

static bool match(running *r, const char *words, const backend_frame *frame) {
    story_why why;
    story_frame reply = {frame->bytes.at, frame->bytes.len,
                         strncmp(r->step->text, "peek ", 5) == 0};
    return story_reply_match(words, &r->vars, &r->clock, &reply, &why) ||
           fail_with_frame(r, frame, why.text);
}

static bool expect_close(running *r) {
    backend_frame frame = {0};
    backend_got got = r->b->receive(r->b, actor_of(r), PATIENCE_MS, &frame);
    if (got == GOT_FRAME) {
        fail_with_frame(r, &frame, "the connection should be closed");
        idt_buf_free(&frame.bytes);
    }
    if (got == GOT_CLOSE) {
        r->b->leave(r->b, actor_of(r)); /* its next word is a new connection */
        return true;
    }
    return got == GOT_NOTHING && fail(r, "the connection stays open");
}

/* Nobody said anything to the actor so far, and for so long. */
static bool expect_silence(running *r, int actor, uint64_t patience_ms) {
    backend_frame frame = {0};
    backend_got got = r->b->receive(r->b, actor, patience_ms, &frame);
    if (got == GOT_FRAME) {
        char who[64];
        snprintf(who, sizeof who, "%c was told this at %llu, unasked",
                 'A' + actor, (unsigned long long)frame.at_ms);
        fail_with_frame(r, &frame, who);
        idt_buf_free(&frame.bytes);
    }
    return got == GOT_NOTHING || (got == GOT_CLOSE && r->stopped) ||
           (got == GOT_CLOSE && fail(r, "a closed connection"));
}

/* An answer's words, and whether the connection is closed behind it. */
static bool split_close(const char *expect, char *words, size_t cap) {
    const char *comma = strstr(expect, ", closed");
    size_t len = comma ? (size_t)(comma - expect) : strlen(expect);
    snprintf(words, cap, "%.*s", (int)len, expect);
    return comma != NULL;
}

/* Readable text: one line, in Redis' protocol an error of one line, or an
 * HTTP answer, which has several. */
static bool match_text(running *r, const backend_frame *frame,
                       const char *begins, bool one_line) {
    const idt_buf *text = &frame->bytes;
    size_t begins_len = strlen(begins);
    bool good = text->len > begins_len + 2 &&
                memcmp(text->at, begins, begins_len) == 0 &&
                text->at[text->len - 1] == '\n';
    for (size_t i = 0; good && i + 2 < text->len; i++) {
        bool ends_line = text->at[i] == '\r' || text->at[i] == '\n';
        good = (text->at[i] >= ' ' && text->at[i] < 0x7f) ||
               (ends_line && !one_line);
    }
    return good || fail_with_frame(r, frame, "not the readable text");
}

/* Words that are no MessagePack; false: the step expects something else. */
static bool is_text(running *r, const char *words, const backend_frame *frame,
                    bool *good) {
    if (strcmp(words, "line") == 0) {
        *good = match_text(r, frame, "", true);
    } else if (strcmp(words, "redis") == 0) {
        *good = match_text(r, frame, "-ERR ", true);
    } else if (strcmp(words, "http") == 0) {
        *good = match_text(r, frame, "HTTP/1.1 400 ", false);
    } else {
        return false;
    }
    return true;
}

static bool expect_reply(running *r, uint32_t msgid) {
    char words[1024];
    backend_frame frame = {0};
    bool closes = split_close(r->step->expect, words, sizeof words);
    backend_got got = r->b->receive(r->b, actor_of(r), PATIENCE_MS, &frame);
    if (got != GOT_FRAME) {
        return fail(r, got == GOT_CLOSE ? "a closed connection" : "nothing");
    }
    note_lateness(r, frame.at_ms);
    uint32_t answers = msgid;
    bool good = true;
    if (is_text(r, words, &frame, &good)) {
        /* good says it */
    } else if (r->step->kind == STORY_CALL &&
               (!read_msgid(&frame, &answers) || answers != msgid)) {
        good = fail_with_frame(r, &frame, "it answers another call");
    } else {
        good = match(r, words, &frame);
    }
    idt_buf_free(&frame.bytes);
    return good && (!closes || expect_close(r));
}

/* --- parked ------------------------------------------------------------- */

/* A peek for the same key goes the same way, behind the acquire: when it is
 * answered the acquire has been dealt with, and all that came before must
 * have been nothing. */
static bool sync_by_peek(running *r) {
    char words[1024];
    const char *at = r->step->text + strcspn(r->step->text, " ");
    size_t len = strlen("peek");
    int quotes = 0, spaces = 0;
    memcpy(words, "peek", len);
    for (; *at && spaces < 3 && len < sizeof words - 1; at++) {
        quotes ^= *at == '"';
        spaces += *at == ' ' && !quotes;
        words[len] = *at;
        len += spaces < 3;
    }
    words[len] = 0;
    idt_buf bytes = {0};
    story_call_pack(words, SYNC_MSGID, &r->vars, &r->clock, &bytes);
    r->b->send(r->b, actor_of(r), bytes.at, bytes.len);
    idt_buf_free(&bytes);
    backend_frame frame = {0};
    uint32_t msgid = 0;
    backend_got got = r->b->receive(r->b, actor_of(r), PATIENCE_MS, &frame);
    bool good =
        got == GOT_FRAME && read_msgid(&frame, &msgid) && msgid == SYNC_MSGID;
    if (got == GOT_FRAME && !good) {
        fail_with_frame(r, &frame, "it should be parked");
    } else if (!good) {
        fail(r, "no sign of life");
    }
    note_lateness(r, r->b->now_ms(r->b));
    idt_buf_free(&frame.bytes);
    return good;
}

static bool expect_parked(running *r, uint32_t msgid) {
    bool parked =
        r->b->real_time ? sync_by_peek(r) : expect_silence(r, actor_of(r), 0);
    if (parked && r->owed_count < OWED_MAX) {
        r->owed[r->owed_count].actor = actor_of(r);
        r->owed[r->owed_count++].msgid = msgid;
    }
    return parked;
}

/* --- steps -------------------------------------------------------------- */

static bool pack_raw(const char *hex, idt_buf *out) {
    while (*hex) {
        char pair[3] = {hex[0], hex[1], 0};
        char *end;
        idt_buf_add_byte(out, (uint8_t)strtoul(pair, &end, 16));
        if (end != pair + 2) {
            return false;
        }
        hex += 2 + strspn(hex + 2, " ");
    }
    return true;
}

static bool pack_step(running *r, uint32_t msgid, idt_buf *out) {
    const char *text = r->step->text;
    switch (r->step->kind) {
    case STORY_SEND:
        return story_notation_pack(&text, &r->vars, out) && *text == 0;
    case STORY_RAW:
        return pack_raw(text, out);
    default:
        return story_call_pack(text, msgid, &r->vars, &r->clock, out);
    }
}

static bool run_sending(running *r) {
    uint32_t msgid = ++r->msgid;
    idt_buf bytes = {0};
    if (!pack_step(r, msgid, &bytes)) {
        idt_buf_free(&bytes);
        return fail(r, "the story's words make no sense");
    }
    if (!expect_silence(r, actor_of(r), 0)) {
        idt_buf_free(&bytes);
        return false;
    }
    note_lateness(r, r->b->now_ms(r->b));
    r->b->send(r->b, actor_of(r), bytes.at, bytes.len);
    idt_buf_free(&bytes);
    if (strcmp(r->step->expect, "parked") == 0) {
        return expect_parked(r, msgid);
    }
    if (strcmp(r->step->expect, "nothing") == 0) {
        return expect_silence(r, actor_of(r), SILENCE_MS);
    }
    if (strcmp(r->step->expect, "closed") == 0) {
        return expect_close(r);
    }
    return expect_reply(r, msgid);
}

/* In virtual time: at that very instant, and behind what was heard before. */
static bool heard_in_time(running *r, const backend_frame *frame) {
    bool in_order =
        r->heard_at != r->step->at_ms || frame->order > r->heard_order;
    r->heard_at = r->step->at_ms;
    r->heard_order = frame->order;
    if (r->b->real_time) {
        note_lateness(r, frame->at_ms);
        return frame->at_ms + EARLY_MS >= due_ms(r) ||
               fail(r, "it %llu ms early",
                    (unsigned long long)(due_ms(r) - frame->at_ms));
    }
    if (frame->at_ms != due_ms(r)) {
        return fail(r, "it at %llu", (unsigned long long)frame->at_ms);
    }
    return in_order || fail(r, "it too soon: others come first");
}

static bool run_hearing(running *r) {
    backend_frame frame = {0};
    uint32_t msgid = 0;
    backend_got got = r->b->receive(r->b, actor_of(r), PATIENCE_MS, &frame);
    if (got != GOT_FRAME) {
        if (strcmp(r->step->expect, "closed") == 0 && got == GOT_CLOSE) {
            r->b->leave(r->b, actor_of(r));
            return true;
        }
        return fail(r, got == GOT_CLOSE ? "a closed connection" : "nothing");
    }
    bool good = heard_in_time(r, &frame);
    if (good && r->step->expect[0] != '[' &&
        !(read_msgid(&frame, &msgid) && take_owed(r, msgid))) {
        good = fail_with_frame(r, &frame, "nobody asked that");
    }
    good = good && match(r, r->step->expect, &frame);
    idt_buf_free(&frame.bytes);
    return good;
}

static bool run_step(running *r) {
    r->b->wait_until(r->b, due_ms(r));
    switch (r->step->kind) {
    case STORY_HEAR:
        return run_hearing(r);
    case STORY_LEAVE:
        r->b->leave(r->b, actor_of(r));
        return true;
    case STORY_STOP:
        r->b->stop(r->b);
        r->stopped = true;
        return true;
    default:
        return run_sending(r);
    }
}

run_verdict story_run(const story *s, backend *b, uint32_t stretch, char *say,
                      size_t say_cap) {
    running r = {.story = s, .b = b, .say = say, .say_cap = say_cap};
    r.clock.stretch = stretch;
    r.clock.slack_ms = b->real_time ? (uint64_t)SLACK_MS * stretch : 0;
    r.heard_at = UINT64_MAX;
    bool good = true;
    for (int i = 0; good && i < s->step_count; i++) {
        r.step = &s->steps[i];
        good = run_step(&r);
    }
    for (int actor = 0; good && actor < ACTORS_MAX; actor++) {
        good = expect_silence(&r, actor, 0);
    }
    return good ? RUN_PASSED : r.late ? RUN_LATE : RUN_FAILED;
}
