/* SPDX-License-Identifier: Apache-2.0 */
/* mode.c -- idemconform http: its flags, what it asks before it begins, and
 * its cases in the suite's list. */
#include "tests/conformance/http/http.h"
#include "tests/conformance/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HOLD_MS_MAX    60000
#define FILE_BYTES_MAX 8192
#define URL_CHARS      2048
#define ABOUT_REQUESTS 100

static http_options options = {.method = "POST",
                               .body = "{\"amount\":{n}}",
                               .key_header = "Idempotency-Key",
                               .key_format = "\"{uuid}\"",
                               .count_pointer = "",
                               .hold_ms = 7000,
                               .timeout_ms = 30000};
static const char *path; /* NULL: the URL's */

static const conf_flag flags[] = {
    {"path", "PATH", "in the place of the URL's"},
    {"method", "METHOD", "of the operation (POST)"},
    {"body", "TEXT", "{n}: another in another request; {uuid}: per key"},
    {"header", "NAME: VALUE", "on each request; @FILE: a line each"},
    {"auth", "VALUE", "on each request, as Authorization"},
    {"key-header", "NAME", "where the key stands (Idempotency-Key)"},
    {"key-format", "TEXT", "of the key, with {uuid} (in quotes)"},
    {"count", "URL", "answers how many executions there were"},
    {"count-pointer", "POINTER",
     "where in its JSON (RFC 6901); else it is all"},
    {"id", "POINTER", "of an id in an answer, new per execution"},
    {"hold", "TIME", "so long a handler is taken to be at work (7s)"},
    {"slow", "NAME: VALUE", "makes the handler take {ms} longer"},
    {"fail", "NAME: VALUE", "makes it fail before its effect"},
    {"crash", "NAME: VALUE", "makes it fail after its effect"},
    {"other-user", "NAME: VALUE", "who is somebody else"},
    {"ca", "FILE", "the authorities of an https URL"},
    {"timeout", "TIME", "of one request (30s)"},
    {"yes", NULL, "does not ask before it creates things"},
    {NULL, NULL, NULL}};

/* ------------------------------------------------------------------ flags */

static bool refuse(const char *flag, const char *value, const char *why) {
    fprintf(stderr, "idemconform: --%s %s: %s\n", flag, value, why);
    return false;
}

static bool take_time(const char *flag, const char *value, uint32_t *ms) {
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    unsigned long unit = strcmp(end, "ms") == 0  ? 1
                         : strcmp(end, "s") == 0 ? 1000
                                                 : 0;
    if (*value < '0' || *value > '9' || unit == 0 || number == 0 ||
        number > HOLD_MS_MAX / unit)
        return refuse(flag, value, "a time from 1ms to 60s");
    *ms = (uint32_t)(number * unit);
    return true;
}

/* "Name: value", with nothing in it that ends a header. */
static bool is_header(const char *text) {
    size_t name = strcspn(text, ": \t\r\n");
    return name > 0 && text[name] == ':' && strpbrk(text, "\r\n") == NULL;
}

static bool add_header(const char *flag, const char *text) {
    if (!is_header(text))
        return refuse(flag, text, "is no \"Name: value\"");
    if (options.headers_count == HTTP_HEADERS_MAX)
        return refuse(flag, text, "that is one header too many");
    options.headers[options.headers_count++] = text;
    return true;
}

/* A line each, so that a secret need not stand in the process list. The lines
 * stay where they were read. */
static bool add_headers_of(const char *flag, const char *name) {
    static char texts[FILE_BYTES_MAX];
    static size_t used;
    FILE *file = fopen(name, "re");
    if (file == NULL)
        return refuse(flag, name, "can't be read");
    char *text = texts + used;
    size_t len = fread(text, 1, sizeof texts - used, file);
    fclose(file);
    if (len == sizeof texts - used)
        return refuse(flag, name, "is too long");
    text[len] = '\0';
    used += len + 1;
    for (char *save, *line = strtok_r(text, "\r\n", &save); line != NULL;
         line = strtok_r(NULL, "\r\n", &save))
        if (!is_header(line) || !add_header(flag, line))
            return refuse(flag, name, "has a line that is no header");
    return true;
}

static bool take_headers(const char *flag, const char *value) {
    static char auth[4096];
    if (strcmp(flag, "auth") != 0)
        return *value == '@' ? add_headers_of(flag, value + 1)
                             : add_header(flag, value);
    if (snprintf(auth, sizeof auth, "Authorization: %s", value) >=
        (int)sizeof auth)
        return refuse(flag, "VALUE", "it is too long");
    return add_header(flag, auth);
}

/* One header that a case adds. */
static bool take_rehearsal(const char *flag, const char *value,
                           const char **to) {
    if (!is_header(value))
        return refuse(flag, value, "is no \"Name: value\"");
    if (strcmp(flag, "slow") == 0 && strstr(value, "{ms}") == NULL)
        return refuse(flag, value, "has no {ms} in it");
    *to = value;
    return true;
}

static bool take_format(const char *flag, const char *value) {
    char key[HTTP_KEY_CHARS], longest[256];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    if (strstr(value, "{uuid}") == NULL ||
        !http_fill(key, sizeof key, value, &(http_words){.uuid = longest}))
        return refuse(flag, value, "has no {uuid} in it, or is too long");
    options.key_format = value;
    return true;
}

static bool is_legal(const char *name, const char *value) {
    bool is_pointer =
        strcmp(name, "id") == 0 || strcmp(name, "count-pointer") == 0;
    bool is_word =
        strcmp(name, "key-header") == 0 || strcmp(name, "method") == 0;
    if (is_pointer && *value != '\0' && *value != '/')
        return refuse(name, value, "a JSON pointer begins with a /");
    if (is_word && (*value == '\0' || strpbrk(value, ": \t\r\n") != NULL))
        return refuse(name, value, "is no name");
    return true;
}

static bool take_flag(const char *name, const char *value) {
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"path", &path},
                 {"method", &options.method},
                 {"body", &options.body},
                 {"key-header", &options.key_header},
                 {"ca", &options.ca},
                 {"count", &options.count_url},
                 {"id", &options.id_pointer},
                 {"count-pointer", &options.count_pointer}},
      rehearsals[] = {{"slow", &options.slow},
                      {"fail", &options.fail},
                      {"crash", &options.crash},
                      {"other-user", &options.other_user}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return is_legal(name, value);
        }
    for (size_t i = 0; i < sizeof rehearsals / sizeof *rehearsals; i++)
        if (strcmp(name, rehearsals[i].name) == 0)
            return take_rehearsal(name, value, rehearsals[i].to);
    if (strcmp(name, "hold") == 0)
        return take_time(name, value, &options.hold_ms);
    if (strcmp(name, "timeout") == 0)
        return take_time(name, value, &options.timeout_ms);
    if (strcmp(name, "key-format") == 0)
        return take_format(name, value);
    if (strcmp(name, "yes") == 0)
        return options.yes = true;
    return take_headers(name, value);
}

/* The URL with its path replaced, if that is wanted. */
static bool take_words(int count, char **words) {
    static char url[URL_CHARS];
    if (count != 1 || (strncmp(words[0], "http://", 7) != 0 &&
                       strncmp(words[0], "https://", 8) != 0)) {
        fputs("idemconform: http takes one URL, http://... or https://...\n",
              stderr);
        return false;
    }
    const char *host = strstr(words[0], "//") + 2;
    int len = path != NULL ? (int)(host + strcspn(host, "/?#") - words[0])
                           : (int)strlen(words[0]);
    if (snprintf(url, sizeof url, "%.*s%s%s", len, words[0],
                 path == NULL || *path == '/' ? "" : "/",
                 path == NULL ? "" : path) >= (int)sizeof url) {
        fputs("idemconform: the URL is too long\n", stderr);
        return false;
    }
    options.url = url;
    if (options.count_url != NULL && *options.count_url == '\0')
        options.count_url = NULL;
    return true;
}

/* ------------------------------------------------------------------ cases */

static bool fill(conf_cases *cases) {
    for (size_t i = 0; i < http_cases_count; i++) {
        const http_case *from = &http_cases[i];
        conf_case *one = conf_add(cases, "http", from->what);
        one->source = from->section;
        one->tier = CONF_HTTP;
        one->level = from->level == HTTP_MUST     ? CONF_MUST
                     : from->level == HTTP_SHOULD ? CONF_SHOULD
                                                  : CONF_MAY;
        one->detail = from;
    }
    return true;
}

/* Orders, charges, mails: whatever the operation does is done. */
static bool ask_first(void) {
    char line[16];
    if (options.yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr,
                "idemconform: this sends up to %d requests to %s, and each one "
                "that is executed has its effect; --yes says that this is "
                "meant\n",
                ABOUT_REQUESTS, options.url);
        return false;
    }
    fprintf(stderr,
            "This sends up to %d requests to %s. What it does is done: orders, "
            "charges, mails. Go on? [y/N] ",
            ABOUT_REQUESTS, options.url);
    return fgets(line, sizeof line, stdin) != NULL &&
           (line[0] == 'y' || line[0] == 'Y');
}

/* With --count one case at a time, however many --jobs there are: it counts
 * the executions of all. A lock that a process has ends with it. */
static int turn_fd = -1;

static void take_turn(void) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (options.count_url != NULL)
        fcntl(turn_fd, F_SETLKW, &whole);
}

static bool open_mode(void) {
    if (!ask_first())
        return false;
    turn_fd = memfd_create("turn", MFD_CLOEXEC);
    if (http_begin())
        return true;
    fputs("idemconform: http sends its requests with the program curl, which "
          "is not in PATH\n",
          stderr);
    return false;
}

static conf_verdict judge(const conf_case *one, conf_say *say) {
    static const conf_verdict verdicts[] = {CONF_PASSED, CONF_FAILED,
                                            CONF_NOT_JUDGED};
    char text[HTTP_TEXT_CHARS];
    take_turn();
    http_verdict verdict = http_play(&options, one->detail, text);
    if (verdict == HTTP_FAILED)
        conf_say_to(say, "%s (%s).", text, one->source);
    else if (text[0] != '\0')
        conf_say_to(say, "%s.", text);
    return verdicts[verdict];
}

const conf_mode conf_http_mode = {
    .name = "http",
    .synopsis = "http URL [--count URL] [--id POINTER] [--yes]",
    .help = "a service that takes the IETF header Idempotency-Key",
    .flags = flags,
    .jobs = 1,
    .take_flag = take_flag,
    .take_words = take_words,
    .fill = fill,
    .open = open_mode,
    .judge = judge,
    .budget_s = 400};
