/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idemctl: one command, or lines of them. */
#include "client/ctl/ctl.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ctl_exit run_ask(ctl_session *session, ctl_ask *ask) {
    if (ask->help && ask->command != NULL) {
        ctl_help_command(stdout, ask->command);
        return CTL_EXIT_DONE;
    }
    if (ask->help) {
        ctl_help(stdout);
        return CTL_EXIT_DONE;
    }
    return ask->watch_ms > 0 ? ctl_watch(session, ask)
                             : ask->command->run(session, ask);
}

ctl_exit ctl_run_words(ctl_session *session, size_t count,
                       char *const words[]) {
    ctl_ask ask = session->defaults;
    ctl_exit code;
    if (!ctl_ask_read(&ask, count, words, false))
        code = ctl_usage_error(&ask);
    else if (ask.command == NULL && !ask.help)
        code = CTL_EXIT_DONE;
    else
        code = run_ask(session, &ask);
    ctl_ask_fini(&ask);
    return code;
}

/* What stands before the host is not for whoever lists processes. */
static void hide_secret(char *uri) {
    char *scheme_end = strstr(uri, "://");
    char *from = scheme_end == NULL ? uri : scheme_end + 3;
    char *to = strrchr(from, '@');
    for (char *at = from; to != NULL && at < to; at++)
        *at = '*';
}

/* What joins an option to a URI. */
static const char *join_of(const char *uri) {
    size_t len = strlen(uri);
    if (strchr(uri, '?') == NULL)
        return "?";
    return uri[len - 1] == '?' || uri[len - 1] == '&' ? "" : "&";
}

static char *uri_with(const char *uri, const char *option) {
    char *made = malloc(strlen(uri) + 1 + strlen(option) + 1);
    if (made != NULL)
        sprintf(made, "%s%s%s", uri, join_of(uri), option);
    return made;
}

/* HOST:PORT alone is enough for who types it. */
static char *with_scheme(const char *place) {
    static const char scheme[] = "idem://";
    char *uri = malloc(sizeof scheme + strlen(place));
    if (uri != NULL)
        sprintf(uri, "%s%s", scheme, place);
    return uri;
}

/* With a name for the server's log, unless it has one. */
static char *whole_uri(const char *place) {
    if (strstr(place, "?client=") != NULL || strstr(place, "&client=") != NULL)
        return strstr(place, "://") == NULL ? with_scheme(place)
                                            : strdup(place);
    char *named = uri_with(place, "client=idemctl");
    if (named == NULL || strstr(place, "://") != NULL)
        return named;
    char *uri = with_scheme(named);
    free(named);
    return uri;
}

char *ctl_uri_at_once(char *place) {
    char *uri = whole_uri(place);
    char *at_once = uri != NULL ? uri_with(uri, "connect_rounds=1") : NULL;
    hide_secret(place);
    free(uri);
    return at_once;
}

static bool keep_uri(ctl_session *session, const ctl_ask *ask) {
    const char *uri =
        ask->server != NULL ? ask->server : getenv("IDEMSTORE_URL");
    if (uri == NULL || uri[0] == '\0')
        uri = CTL_URI_DEFAULT;
    session->uri = whole_uri(uri);
    if (ask->server != NULL)
        hide_secret(ask->server);
    if (session->uri != NULL)
        session->uri_at_once = uri_with(session->uri, "connect_rounds=1");
    return session->uri_at_once != NULL;
}

/* Lines start from what was given at the start. */
static ctl_exit run_session_lines(ctl_session *session, const ctl_ask *ask) {
    session->defaults = *ask;
    memset(session->defaults.given, 0, sizeof session->defaults.given);
    session->defaults.stdin_taken = true;
    session->defaults.has_session = true;
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)
               ? ctl_interact(session)
               : ctl_script(session, stdin);
}

static ctl_exit run(ctl_session *session, ctl_ask *ask, size_t count,
                    char *words[]) {
    bool legal = ctl_ask_read(ask, count, words, true);
    if (!keep_uri(session, ask)) {
        ctl_why(ask, "out of memory");
        ctl_usage_error(ask);
        return CTL_EXIT_ERROR;
    }
    if (!legal) {
        ctl_usage_error(ask);
        if (!ask->json)
            fputs("Try: idemctl --help\n", stderr);
        return CTL_EXIT_USAGE;
    }
    if (ask->version) {
        printf("idemctl %s\n", idem_version());
        return CTL_EXIT_DONE;
    }
    if (ask->command == NULL && !ask->help)
        return run_session_lines(session, ask);
    return run_ask(session, ask);
}

/* The terminal's characters are what its user types; where nobody says, UTF-8.
 * Numbers and messages stay as they are. */
static void set_characters(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static void forget(char *uri) {
    if (uri != NULL)
        explicit_bzero(uri, strlen(uri));
    free(uri);
}

static void end(ctl_session *session) {
    for (size_t i = 0; i < 2; i++)
        idem_client_close(session->clients[i]);
    free(session->claims);
    forget(session->uri);
    forget(session->uri_at_once);
}

int main(int argc, char *argv[]) {
    ctl_session session = {.leave = false};
    ctl_ask ask = {.command = NULL};
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;
    signal(SIGPIPE, SIG_IGN); /* a write that fails is an exit code */
    set_characters();
    ctl_exit code = run(&session, &ask, count, argv + (argc > 0));
    ctl_ask_fini(&ask);
    end(&session);
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && code < CTL_EXIT_USAGE) {
        perror("idemctl: stdout");
        return CTL_EXIT_UNWRITTEN;
    }
    return (int)code;
}
