/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.h -- what idemctl is made of: one table of commands, one of options,
 * one of exit codes. Help, completion and the parser read the same rows.
 *
 * A new command is a row in commands.c and a function in a file of its own; an
 * option that it alone knows is a row in options.c, and ctl_ask_text gives its
 * value. It talks to the server through client/include/ alone. */
#ifndef CTL_H
#define CTL_H

#include "client/include/idemclient_admin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_URI_DEFAULT           "idem://127.0.0.1:7117/"
#define CTL_OPERANDS_MAX          4
#define CTL_OPTIONS_MAX           128
#define CTL_WHY_CHARS             400
#define CTL_LINE_CHARS            4096 /* of a file of credentials */
#define CTL_NS_BYTES_MAX          64
#define CTL_FINGERPRINT_BYTES_MAX 64
#define CTL_FILE_BYTES_MAX        (64u * 1024 * 1024)

/* X(name, code, when): what a shell script branches on. */
#define CTL_EXITS(X)                                                          \
    X(DONE, 0, "acquired, completed, released, renewed, pong; it was shown")  \
    X(REPLAY, 10, "acquire: done before; the stored result is printed")       \
    X(IN_PROGRESS, 11, "acquire: someone else holds the key")                 \
    X(MISMATCH, 12, "acquire: the key stands for another fingerprint")        \
    X(ORPHANED, 13, "acquire --on-orphan report: the holder's lease is over") \
    X(STALE, 14, "complete, release, renew, resolve: not the current token")  \
    X(UNKNOWN, 15,                                                            \
      "complete, release, renew: no such record; peek, inspect: absent")      \
    X(REFUSED, 16, "promote, detach, reload, resolve ...: nothing was done")  \
    X(USAGE, 64, "an option, an operand, a file or the URI is not legal")     \
    X(RUN_MISMATCH, 65, "run: the key stands for another command line")       \
    X(RUN_ORPHANED, 66, "run --on-orphan report: as 13; nothing ran")         \
    X(UNAVAILABLE, 69, "no answer: not reached, lost, too late, going down")  \
    X(ERROR, 70, "any other error")                                           \
    X(UNRECORDED, 73, "run: it has run, and that is not surely recorded")     \
    X(UNWRITTEN, 74, "the answer could not be written; acquire gave it back") \
    X(AGAIN, 75, "run: somebody else runs it; or the lease was lost")         \
    X(DENIED, 77, "the server wants a secret, or another one")

typedef enum ctl_exit {
#define X(name, code, when) CTL_EXIT_##name = code,
    CTL_EXITS(X)
#undef X
} ctl_exit;

typedef struct ctl_command ctl_command;

/* One command as it was asked for. Its text borrows from the words that it was
 * read from. */
typedef struct ctl_ask {
    const ctl_command *command; /* NULL: none was named */
    size_t operand_count;
    char *operands[CTL_OPERANDS_MAX];
    size_t rest_count; /* what stands behind --, of a command that takes it; no
                        * NULL at its end */
    char *const *rest;
    idem_args args;
    /* Of each option row what was given: "" for a flag, NULL: it was not. */
    const char *given[CTL_OPTIONS_MAX];
    char *server;       /* its secret is struck out of the command line */
    const char *output; /* where a result goes; NULL: into the report */
    bool json;
    bool raw;
    bool verbose;
    bool accept_loss;
    bool open_metrics;
    bool dry_run, force;                /* reload */
    const char *node;                   /* detach, switchover; NULL: any */
    uint64_t kill_after_ms;             /* run */
    uint64_t watch_ms;                  /* 0: once */
    uint64_t watch_count;               /* 0: until it is ended */
    const char *claim, *read, *resolve; /* namespaces; NULL: not granted */
    bool admin, stats;
    bool help;
    bool version;
    bool stdin_taken; /* the commands come from there: no file "-" */
    bool has_session; /* which may have the token that isn't given */
    uint8_t fingerprint[CTL_FINGERPRINT_BYTES_MAX];
    uint8_t nonce[IDEM_NONCE_BYTES_MAX];
    void *result_owned;
    void *key_owned;         /* --key-hex, --key-file */
    char why[CTL_WHY_CHARS]; /* what was wrong with the words */
} ctl_ask;

/* A claim that this session was granted. */
typedef struct ctl_claim {
    uint8_t ns[CTL_NS_BYTES_MAX];
    uint8_t key[IDEM_KEY_BYTES_MAX];
    size_t ns_len, key_len;
    bool has_ns; /* false: the URI's */
    idem_token token;
} ctl_claim;

#define CTL_CLAIMS_MAX 256

/* One run of idemctl. */
typedef struct ctl_session {
    idem_client *clients[2]; /* NULL until a command needs it; the second one
                              * waits for its server, see --timeout */
    char *uri;               /* may hold a secret: never printed */
    char *uri_at_once;       /* the same, and each host is tried once */
    ctl_ask defaults;        /* what a line of its own starts from */
    bool leave;
    ctl_claim *claims; /* the last ones; NULL until there is one */
    size_t claims_count;
} ctl_session;

struct ctl_command {
    const char *name;
    const char *operands; /* as help shows them; NULL: none */
    uint8_t operands_min;
    uint8_t operands_max;
    bool takes_rest;     /* -- and a command line behind the operands */
    bool takes_key;      /* its operand is KEY, or --key-hex, --key-file is */
    const char *words;   /* for completion: what the first operand may be, with
                          * blanks between; FILE, DIR, COMMAND for all of
                          * them */
    const char *options; /* names of option rows, with blanks between */
    const char *needs;   /* those of them that must be given */
    const char *grant;   /* what a credential must have: "claim", "read",
                          * "resolve", "stats", "admin"; NULL: none */
    ctl_exit (*run)(ctl_session *session, ctl_ask *ask);
    int32_t method; /* IDEM_ACQUIRE ..., IDEM_COMMAND_PROMOTE ..., 0: none */
    const char *help;
};

extern const ctl_command ctl_commands[]; /* ends with name == NULL */
const ctl_command *ctl_command_find(const char *name);

typedef struct ctl_option {
    const char *name;
    char letter;                            /* "-n"; 0: none */
    const char *arg;                        /* NULL: a flag */
    bool (*read)(char *text, ctl_ask *ask); /* read.h; false: ask->why says */
    char scope;        /* 's' where idemctl starts, 'e' everywhere, 'c' with the
                        * commands that name it */
    const char *words; /* for completion: what it may be, with blanks between
                        * ("": anything; a FILE or a DIR by its arg) */
    const char *help;
} ctl_option;

extern const ctl_option ctl_options[]; /* ends with name == NULL */

/* Whether this command (NULL: none yet) takes this option. */
bool ctl_option_fits(const ctl_option *option, const ctl_command *command);

/* Of HOST:PORT or a URI, whose secret is hidden from who lists processes; to be
 * freed. NULL: no memory. */
char *ctl_uri_at_once(char *place);

/* replication OTHER-URI. */
ctl_exit ctl_run_compare(const ctl_session *session, ctl_ask *ask);

/* Whether list, words with blanks between (NULL: none), has name. */
bool ctl_list_has(const char *list, const char *name);

/* Reads words into ask, which holds the defaults and borrows from them.
 * at_start: these are the words that idemctl was started with. False:
 * ask->why says what is wrong, and what to do instead. */
bool ctl_ask_read(ctl_ask *ask, size_t count, char *const words[],
                  bool at_start);
/* The key is where the command needs it, and every value within its limit. */
bool ctl_ask_check(ctl_ask *ask);
/* What was given for an option of the table: its text, "" of a flag, NULL when
 * it was not given. */
const char *ctl_ask_text(const ctl_ask *ask, const char *option);
bool ctl_ask_gives(const ctl_ask *ask, const char *option);
void ctl_ask_fini(ctl_ask *ask);
bool ctl_no_such_command(ctl_ask *ask, const char *word);
bool ctl_why(ctl_ask *ask, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads and runs one command; says on stderr (or as JSON) what was wrong. */
ctl_exit ctl_run_words(ctl_session *session, size_t count, char *const words[]);
ctl_exit ctl_usage_error(const ctl_ask *ask);

/* "idemctl: TEXT", fit for a terminal. */
void ctl_complain(const char *text);

/* The command again and again: watch.c. */
ctl_exit ctl_watch(ctl_session *session, ctl_ask *ask);

/* What went wrong and what to do, on stderr or as JSON, and the exit code. */
ctl_exit ctl_say_error(const ctl_ask *ask, const idem_error *err);

/* One call of the library, and its answer: call.c, answer.c. */
ctl_exit ctl_run_call(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_say_answer(const ctl_ask *ask, const idem_answer *answer);

/* The client of this session: one that waits for its server, or one that tries
 * each host once. NULL: err says why. */
idem_client *ctl_client(ctl_session *session, bool waits, idem_error *err);

/* A command line, once: run.c. */
ctl_exit ctl_run_run(ctl_session *session, ctl_ask *ask);

/* The claims of a session: claims.c. */
void ctl_claims_add(ctl_session *session, const ctl_ask *ask,
                    const idem_token *token);
bool ctl_claims_find(const ctl_session *session, ctl_ask *ask);

/* The nearest name to a word that is none, NULL when none is near: near.c. An
 * option of this command (NULL: of any). */
const char *ctl_nearest_command(const char *word);
const char *ctl_nearest_option(const char *word, const ctl_command *command);

/* For whoever runs the servers: admin.c. check exits as idemstored does. */
ctl_exit ctl_run_replication(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_namespaces(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_metrics(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_completion(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_estimate(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_latency(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_admin(ctl_session *session, ctl_ask *ask);
/* agent.c */
ctl_exit ctl_run_agent(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_check(ctl_session *session, ctl_ask *ask);

/* What an operator looks at: looks.c. */
ctl_exit ctl_run_list(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_inspect(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_clients(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_kill(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_slow(ctl_session *session, ctl_ask *ask);
/* events.c */
ctl_exit ctl_run_watch(ctl_session *session, ctl_ask *ask);

/* What an operator decides: resolve.c. */
ctl_exit ctl_run_erase(ctl_session *session, ctl_ask *ask);
/* IDEM_RESOLVE_...; 0: it is none of them. */
int32_t ctl_verb_of(const char *text);
ctl_exit ctl_run_resolve_orphaned(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_resolve(ctl_session *session, ctl_ask *ask);

/* Who gets in: credential.c. */
ctl_exit ctl_run_credential(ctl_session *session, ctl_ask *ask);
ctl_exit ctl_run_whoami(ctl_session *session, ctl_ask *ask);

void ctl_help(FILE *to);
void ctl_help_command(FILE *to, const ctl_command *command);

/* Commands from stdin: a person at a terminal (terminal.c), or a script. */
ctl_exit ctl_run_line(ctl_session *session, char *line);
ctl_exit ctl_interact(ctl_session *session);
ctl_exit ctl_script(ctl_session *session, FILE *from);

/* Cuts a line into words, in place: blanks part them, '...' and "..." and a
 * backslash keep blanks, # begins a comment. The count, or -1: a quote was
 * left open, -2: more than words_max. */
#define CTL_WORDS_MAX 64
int ctl_words_split(char *line, char *words[], size_t words_max);

#endif
