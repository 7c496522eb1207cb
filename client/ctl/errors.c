/* SPDX-License-Identifier: Apache-2.0 */
/* errors.c -- what went wrong: its exit code, its words, and the cure. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <errno.h>
#include <string.h>

static ctl_exit exit_of_error(int32_t code) {
    switch (code) {
    case IDEM_E_URI:
    case IDEM_E_ARGUMENT:
        return CTL_EXIT_USAGE;
    case IDEM_E_DENIED:
        return CTL_EXIT_DENIED;
    case IDEM_E_CONNECT:
    case IDEM_E_TLS:
    case IDEM_E_TIMEOUT_UNSENT:
    case IDEM_E_TIMEOUT:
    case IDEM_E_LOST:
    case IDEM_E_NOT_PRIMARY:
    case IDEM_E_SHUTTING_DOWN:
        return CTL_EXIT_UNAVAILABLE;
    default:
        return CTL_EXIT_ERROR;
    }
}

static const char *assume_name(int32_t assume) {
    static const char *const names[] = {[IDEM_ASSUME_UNCHANGED] = "unchanged",
                                        [IDEM_ASSUME_UNKNOWN] = "unknown",
                                        [IDEM_ASSUME_REFUSED] = "refused"};
    return assume >= IDEM_ASSUME_UNCHANGED && assume <= IDEM_ASSUME_REFUSED
               ? names[assume]
               : "unknown";
}

static const char *hint_of_connect(const ctl_ask *ask, int os_error) {
    switch (os_error) {
    case ECONNREFUSED:
        return ask->args.timeout_ms != 0
                   ? "nothing listens there: is idemstored running, and is "
                     "that its address? See --server"
                   : "nothing listens there: is idemstored running, and is "
                     "that its address? See --server; --timeout waits for it";
    case ENOENT:
        return "there is no such socket: is idemstored running, with --listen "
               "unix: and that path?";
    case EACCES:
    case EPERM:
        return "the socket is not for this user: see its mode and its group";
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "is that its address, is the machine up, does a firewall stand "
               "between? See --server";
    default:
        return NULL;
    }
}

static const char tls_hint[] =
    "certificates stand in the URI: "
    "idems://HOST/?ca=PATH&cert=PATH&key=PATH; verify=ca leaves the host's "
    "name out, server_name=HOST is another one";

/* It is not always for the secret. */
static const char *hint_of_denied(const char *text) {
    if (strstr(text, "certificate") || strstr(text, "idems://"))
        return tls_hint;
    return "the secret stands in the URI, idem://:SECRET@HOST/, in --server or "
           "IDEMSTORE_URL; or there is a file with it: "
           "idem://HOST/?secret_file=PATH";
}

/* What to do about it; NULL where the text says it. */
static const char *hint_of(const ctl_ask *ask, const idem_error *err) {
    switch (err->code) {
    case IDEM_E_CONNECT:
        return hint_of_connect(ask, err->os_error);
    case IDEM_E_DENIED:
        return hint_of_denied(err->text);
    case IDEM_E_TLS:
        return tls_hint;
    case IDEM_E_NO_MEMORY:
        if (strstr(err->text, "NO_MEMORY namespace "))
            return "the namespace is full until old keys end; see idemctl "
                   "namespaces, and its section in the settings";
        return "new keys are refused until old ones end; see idemctl stats, "
               "and --max-memory of idemstored";
    case IDEM_E_UNREPLICATED:
        return "see idemctl replication; ask again with the same --nonce or "
               "--token";
    default:
        return NULL;
    }
}

void ctl_complain(const char *text) {
    fputs("idemctl: ", stderr);
    report_escape(stderr, (const uint8_t *)text, strlen(text));
}

/* As --nonce takes it. */
static void print_nonce(const idem_error *err) {
    if (err->nonce_len > 0)
        fputs("; --nonce ", stderr);
    for (uint32_t i = 0; i < err->nonce_len; i++)
        fprintf(stderr, "%02x", err->nonce[i]);
}

static void say_as_json(const char *name, const char *assume,
                        const idem_error *err, const char *hint) {
    report r = report_begin(stdout, true, "error", name);
    report_text(&r, "assume", assume);
    report_text(&r, "endpoint", err->endpoint);
    report_text(&r, "text", err->text);
    if (err->nonce_len > 0)
        report_hex(&r, "nonce", err->nonce, err->nonce_len);
    if (hint != NULL)
        report_text(&r, "hint", hint);
    report_end(&r);
}

ctl_exit ctl_say_error(const ctl_ask *ask, const idem_error *err) {
    const char *name = idem_error_name(err->code);
    const char *assume = assume_name(idem_error_assume(err->code));
    const char *hint = hint_of(ask, err);
    if (ask->json) {
        say_as_json(name, assume, err, hint);
        return exit_of_error(err->code);
    }
    ctl_complain(err->text);
    bool is_command = ask->command->run == ctl_run_admin;
    fprintf(stderr, " (%s; the %s: %s", name, is_command ? "command" : "claim",
            assume);
    print_nonce(err);
    fputs(")\n", stderr);
    if (hint != NULL)
        fprintf(stderr, "  %s\n", hint);
    return exit_of_error(err->code);
}

ctl_exit ctl_usage_error(const ctl_ask *ask) {
    if (ask->json) {
        report r = report_begin(stdout, true, "error", "USAGE");
        report_text(&r, "assume", assume_name(IDEM_ASSUME_UNCHANGED));
        report_text(&r, "text", ask->why);
        report_end(&r);
    } else {
        ctl_complain(ask->why);
        fputc('\n', stderr);
    }
    return CTL_EXIT_USAGE;
}
