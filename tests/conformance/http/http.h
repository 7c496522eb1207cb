/* SPDX-License-Identifier: Apache-2.0 */
/* http.h -- what is asked of a service that takes the Idempotency-Key header
 * (draft-ietf-httpapi-idempotency-key-header-07), and how.
 *
 * A case sends requests and looks at answers, and at how many executions they
 * have cost; it knows nothing of the service but the options. Everything that
 * is read is bounded, in bytes and in time. */
#ifndef CONFORM_HTTP_H
#define CONFORM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEADERS_MAX    16
#define HTTP_KEY_CHARS      320 /* a header's value, with its NUL */
#define HTTP_BODY_BYTES_MAX (1024 * 1024)
#define HTTP_HEAD_BYTES_MAX (64 * 1024)
#define HTTP_AT_ONCE        8   /* requests, in the case of many at once */
#define HTTP_ANSWERS_MAX    64  /* of one case, that are looked at for ids */
#define HTTP_TEXT_CHARS     512 /* of one sentence about a case */
#define HTTP_WAIT_MS_MAX    600000

typedef struct http_options {
    const char *url;        /* of the operation */
    const char *method;     /* POST */
    const char *body;       /* {n}: what tells two requests apart, {uuid} */
    const char *key_header; /* Idempotency-Key */
    const char *key_format; /* with {uuid} in it */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value", on each request */
    size_t headers_count;
    const char *other_user; /* a header that is another user's; NULL: none */
    const char *slow;       /* a header with {ms}: the handler takes so long */
    const char *fail;       /* a header: it fails, and nothing has happened */
    const char *crash;      /* a header: it fails after its effect */
    const char *count_url;  /* tells how many executions there were */
    const char *count_pointer; /* where in its JSON; "": it is the number */
    const char *id_pointer;    /* where in an answer's JSON an id is that is new
                                * per execution; NULL: nowhere */
    const char *ca;            /* a file of authorities; NULL: the system's */
    uint32_t hold_ms;          /* how long the service may take a handler to be
                                * at work */
    uint32_t timeout_ms;       /* of one request */
    bool yes;                  /* don't ask first */
} http_options;

/* One header field of a request as its options have it: {uuid}, {n} and {ms}
 * filled in. False when it does not fit. */
typedef struct http_words {
    const char *uuid;
    const char *n;
    uint32_t ms;
} http_words;
bool http_fill(char *to, size_t cap, const char *format,
               const http_words *words);

/* ------------------------------------------------------------- one request */

typedef struct http_ask {
    const char *key;       /* the header's value; NULL: the case's */
    const char *key_again; /* a second header of that name; NULL: none */
    bool no_key;           /* no such header at all */
    const char *body;      /* NULL: the case's */
    const char *header;    /* a further one; NULL: none */
    bool is_other_user;  /* other_user in the place of a header of that name */
    uint32_t timeout_ms; /* 0: the options' */
} http_ask;

typedef struct http_reply {
    long status; /* 0: no whole answer, and error says why */
    uint32_t took_ms;
    size_t body_bytes;
    char *head; /* NUL-terminated lines */
    char *body; /* NUL-terminated; never NULL where status is set */
    char error[256];
} http_reply;

/* Whether requests can be sent at all: false where there is no curl. */
bool http_begin(void);

/* Blocks until the answer or the time is over. Any thread. */
void http_send(const http_options *o, const http_ask *ask, http_reply *reply);
void http_get(const http_options *o, const char *url, http_reply *reply);
void http_reply_fini(http_reply *reply);

/* A header's value, without the blanks around it; false, and "" in to, when it
 * isn't there. */
bool http_reply_header(const http_reply *reply, const char *name, char *to,
                       size_t cap);
bool http_reply_same(const http_reply *one, const http_reply *other);

/* The value at a JSON pointer (RFC 6901) as text: a string as it is, anything
 * else as JSON. False when the text is no JSON or has no such place. */
bool http_json_at(const char *text, size_t len, const char *pointer, char *to,
                  size_t cap);

uint64_t http_now_ms(void);
void http_sleep_ms(uint64_t ms);
/* A new one each time; from the system's random numbers. */
#define HTTP_UUID_CHARS 37
void http_uuid(char to[static HTTP_UUID_CHARS]);

/* ---------------------------------------------------------------- one case */

typedef enum http_level { HTTP_MUST, HTTP_SHOULD, HTTP_MAY } http_level;

typedef enum http_verdict {
    HTTP_PASSED,
    HTTP_FAILED,
    HTTP_NOT_JUDGED /* an option is missing; text says which */
} http_verdict;

typedef struct http_run http_run;

typedef struct http_case {
    const char *id; /* "http/3" */
    http_level level;
    const char *section; /* of the draft */
    const char *what;    /* the promise, in a sentence */
    http_verdict (*play)(http_run *run);
} http_case;

extern const http_case http_cases[];
extern const size_t http_cases_count;

/* Plays it; text gets one sentence, "" where there is nothing to say. */
http_verdict http_play(const http_options *o, const http_case *one,
                       char text[static HTTP_TEXT_CHARS]);

/* A case while it is played. */
struct http_run {
    const http_options *o;
    char uuid[HTTP_UUID_CHARS]; /* of the key that the case is about */
    char key[HTTP_KEY_CHARS];
    char body[4096];
    char other_body[4096]; /* "" when the template has no {n} */
    long count_before;     /* -1: not known */
    size_t ids_count;      /* different ones that were seen */
    char ids[HTTP_ANSWERS_MAX][64];
    bool id_missing;   /* an answer of 2xx had none */
    http_verdict said; /* by whoever wrote text */
    char text[HTTP_TEXT_CHARS];
};

/* Sends it, and remembers the id in its answer. False, and text says it, when
 * there is no whole answer. */
bool http_run_send(http_run *run, const http_ask *ask, http_reply *reply);
/* How many executions there were since the case began; -1: nobody knows, and
 * text says what would tell. Where a function here comes to no answer,
 * run->said is the verdict. */
long http_run_executions(http_run *run);
/* Fails when there were more than that; format says what then has happened. Not
 * judged when nobody knows. */
http_verdict http_run_at_most(http_run *run, long executions_max,
                              const char *format, ...)
    __attribute__((format(printf, 3, 4)));

http_verdict http_fail(http_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
http_verdict http_unjudged(http_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Several at once, each on a thread and connection of its own. */
typedef struct http_flight http_flight;
http_flight *http_flight_start(const http_run *run, const http_ask *ask);
/* Whether its answer is there. */
bool http_flight_over(http_flight *flight);
/* Waits for its answer and hands it over; false as http_run_send. */
bool http_flight_end(http_flight *flight, http_run *run, http_reply *reply);

/* The options' header for a handler that takes so long, in to; false, and text
 * says so, when there is none. */
bool http_run_slow(http_run *run, uint32_t ms, char *to, size_t cap);

static inline bool http_is_success(const http_reply *reply) {
    return reply->status >= 200 && reply->status < 300;
}

#endif
