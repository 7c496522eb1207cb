/* SPDX-License-Identifier: Apache-2.0 */
/* test_settings.c -- what flags, environment and file say together: which of
 * them wins, key by key; and what a file may not be. */
#include "server/admin/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "idemstored.conf"

static ids_complaint complaint;
static ids_settings *settings;

static ids_settings *load_text(const char *text, size_t len, char *variable,
                               char *flag) {
    char *const argv[] = {(char *)"idemstored", flag, NULL};
    char *const environment[] = {(char *)"HOME=/", variable, NULL};
    const ids_given given = {flag ? 2 : 1, argv, environment};
    return ids_settings_from_text(&given, PATH, text, len, &complaint);
}

static void takes(const char *text, const char *variable, const char *flag) {
    ids_settings_free(settings);
    settings = load_text(text, strlen(text), (char *)variable, (char *)flag);
    cr_assert(settings, "it said: %s", complaint.why);
}

static void refuses(const char *text, const char *says) {
    ids_settings *none = load_text(text, strlen(text), NULL, NULL);
    cr_assert_not(none, "it takes %s", text);
    cr_assert(strstr(complaint.why, says), "of %s it said: %s", text,
              complaint.why);
    cr_assert_eq(complaint.layer, IDS_BY_FILE);
}

static void comes_from(const char *flag, const char *where) {
    char said[256];
    ids_settings_where(settings, ids_config_find(flag, strlen(flag)), said,
                       sizeof said);
    cr_assert_str_eq(said, where);
}

/* Every row that may stand in all three: the words are good for its kind. */
static const char *words_of(const ids_config_row *row, int which,
                            char to[static 64]) {
    static const char *const fsyncs[] = {"no", "everysec", "always"};
    static const char *const levels[] = {"debug", "warn", "error"};
    static const char *const formats[] = {"json", "auto", "logfmt"};
    static const char *const modes[] = {"none", "async", "sync"};
    switch (row->kind) {
    case IDS_CONFIG_FLAG:
        return which == 1 ? "false" : "true";
    case IDS_CONFIG_FSYNC:
        return fsyncs[which];
    case IDS_CONFIG_LEVEL:
        return levels[which];
    case IDS_CONFIG_LOG_FORMAT:
        return formats[which];
    case IDS_CONFIG_REPLICATION:
        return modes[which];
    case IDS_CONFIG_TLS:
    case IDS_CONFIG_TLS_CLIENTS:
    case IDS_CONFIG_TLS_MIN:
    case IDS_CONFIG_TLS_PEERS:
        cr_assert_fail("%s is not good alone", row->name);
    case IDS_CONFIG_COUNT:
    case IDS_CONFIG_BYTES:
        snprintf(to, 64, "%llu",
                 (unsigned long long)(row->max - (unsigned)which % 2));
        return to;
    case IDS_CONFIG_TEXT:
        if (strcmp(row->name, "--redact-keys") == 0)
            return which == 1 ? "none" : "hash";
        break;
    case IDS_CONFIG_MODE:
    case IDS_CONFIG_LIST:
        break;
    }
    snprintf(to, 64, "%d", which);
    return to;
}

/* Of the file, the environment and the flag those that are asked for. */
static const char *wins(const ids_config_row *row, bool file, bool variable,
                        bool flag) {
    char words[3][64], key[IDS_CONFIG_KEY_BYTES], name[IDS_CONFIG_KEY_BYTES];
    static char text[256], environment[256], argument[256], all[128];
    ids_config_key(row, key);
    ids_config_variable(row, name);
    snprintf(text, sizeof text, "%s = \"%s\"\n", key,
             words_of(row, 0, words[0]));
    snprintf(environment, sizeof environment, "%s=%s", name,
             words_of(row, 1, words[1]));
    snprintf(argument, sizeof argument, "%s=%s", row->name,
             words_of(row, 2, words[2]));
    takes(file ? text : "", variable ? environment : "NOTHING=1",
          flag ? argument : "--max-buffers=1024g");
    snprintf(all, sizeof all, "%s",
             settings->origins[ids_config_index(row)].words);
    return all;
}

static bool is_alone_good(const ids_config_row *row) {
    static const char *const need_others[] = {"--replicate-from",
                                              "--max-result",
                                              "--min-in-sync",
                                              "--hold-claims",
                                              "--agent",
                                              "--max-buffers",
                                              "--replication-backlog",
                                              "--config",
                                              "--tls-key",
                                              "--tls-ca",
                                              "--tls",
                                              "--tls-clients",
                                              "--tls-min",
                                              "--http-tls-clients",
                                              "--peer-tls",
                                              "--peer-cert",
                                              "--peer-key",
                                              "--peer-ca"};
    for (size_t i = 0; i < sizeof need_others / sizeof *need_others; i++)
        if (strcmp(row->name, need_others[i]) == 0)
            return false;
    return row->reload != IDS_ONCE;
}

Test(settings, flag_over_environment_over_file_for_every_row) {
    size_t count, tried = 0;
    const ids_config_row *rows = ids_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char words[64];
        const ids_config_row *row = &rows[i];
        if (!is_alone_good(row))
            continue;
        cr_assert_str_eq(wins(row, true, true, true), words_of(row, 2, words));
        comes_from(row->name, row->name);
        cr_assert_str_eq(wins(row, true, true, false), words_of(row, 1, words));
        cr_assert_str_eq(wins(row, true, false, true), words_of(row, 2, words));
        cr_assert_str_eq(wins(row, false, true, true), words_of(row, 2, words));
        cr_assert_str_eq(wins(row, true, false, false), words_of(row, 0, words),
                         "%s", row->name);
        tried++;
    }
    cr_assert_gt(tried, 15);
}

Test(settings, a_list_is_one_value_for_the_layers) {
    const ids_config *config;
    takes("listen = {\"a:1\", 'b:2'}\n", NULL, NULL);
    config = &settings->config;
    cr_assert_eq(config->listen_count, 2);
    cr_assert_str_eq(config->listen[1], "b:2");
    takes("listen = {\n  \"a:1\", # one\n  \"b:2\",\n}\n",
          "IDEMSTORED_LISTEN=c:3 d:4,[::1]:5", NULL);
    config = &settings->config;
    cr_assert_eq(config->listen_count, 3);
    cr_assert_str_eq(config->listen[2], "[::1]:5");
    comes_from("--listen", "IDEMSTORED_LISTEN");
    takes("listen = a:1\n", "IDEMSTORED_LISTEN=c:3", "--listen=e:5");
    cr_assert_eq(settings->config.listen_count, 1);
    cr_assert_str_eq(settings->config.listen[0], "e:5");
    takes("", NULL, NULL);
    cr_assert_str_eq(settings->config.listen[0], "127.0.0.1:7117");
}

Test(settings, a_flag_of_the_file_can_be_taken_back) {
    takes("insecure = yes\nhuge_pages = true\n", "IDEMSTORED_HUGE_PAGES=off",
          "--insecure=no");
    cr_assert_not(settings->config.insecure);
    cr_assert_not(settings->config.huge_pages);
    takes("insecure = yes\n", "IDEMSTORED_INSECURE=", NULL);
    cr_assert(settings->config.insecure); /* an empty variable says nothing */
}

Test(settings, a_complaint_says_where) {
    refuses("\n# x\nthreads = 0\n", PATH ":3: threads 0: must be 1 to 1024");
    refuses("max_memory = lots\n", PATH ":1: max_memory lots: not a number");
    refuses("min_in_sync = 2\n", PATH ":1: min_in_sync 2: needs");
    cr_assert_not(load_text("threads = 2\n", 12,
                            (char *)"IDEMSTORED_THREADS=none", NULL));
    cr_assert(strstr(complaint.why, "IDEMSTORED_THREADS none: not a number"));
    cr_assert_eq(complaint.layer, IDS_BY_ENVIRONMENT);
    cr_assert_not(load_text("threads = 2\n", 12, NULL, (char *)"--threads=x"));
    cr_assert(strstr(complaint.why, "--threads x: not a number"));
    cr_assert_eq(complaint.layer, IDS_BY_FLAG);
    /* What is overruled must be good all the same. */
    cr_assert_not(load_text("threads = 0\n", 12, NULL, (char *)"--threads=2"));
    cr_assert_eq(complaint.layer, IDS_BY_FILE);
}

Test(settings, tls_without_a_certificate_is_refused) {
    static const char cert[] = "tls_cert = c\n";
    char text[128];
    refuses("tls_key = k\n", ":1: tls_key: there is no TLS without");
    refuses("tls_ca = a\n", ":1: tls_ca: there is no TLS without");
    refuses("tls = optional\n", ":1: tls: there is no TLS without");
    refuses("tls_clients = no\n", ":1: tls_clients: there is no TLS without");
    refuses("tls_min = \"1.2\"\n", ":1: tls_min: there is no TLS without");
    refuses("tls_min = \"1.1\"\n", "tls_min 1.1: must be");
    refuses("tls = yes\n", "tls yes: must be");
    snprintf(text, sizeof text, "%stls_clients = required\n", cert);
    refuses(text, ":2: tls_clients: needs --tls-ca");
    snprintf(text, sizeof text, "%shttp_tls_clients = optional\n", cert);
    refuses(text, ":2: http_tls_clients: needs --tls-ca");
    refuses("peer_tls = on\n", ":1: peer_tls: there is no TLS without");
    refuses("peer_ca = a\n", ":1: peer_ca: there is no TLS without");
    snprintf(text, sizeof text, "%speer_key = k\n", cert);
    refuses(text, ":2: peer_key: needs --peer-cert");
    snprintf(text, sizeof text, "%speer_tls = on\n", cert);
    refuses(text, ":2: peer_tls on: needs --peer-ca");
    takes(cert, NULL, NULL);
    cr_assert_eq(settings->config.tls, IDS_TLS_REQUIRED);
    cr_assert_eq(settings->config.tls_clients, IDS_TLS_CLIENTS_NO);
    cr_assert_eq(settings->config.http_tls_clients, IDS_TLS_CLIENTS_NO);
    cr_assert_eq(settings->config.tls_min, IDS_TLS_MIN_1_3);
    cr_assert_eq(settings->config.peer_tls, IDS_TLS_PEERS_OPTIONAL);
    takes("threads = 1\npeer_tls = off\n", NULL, NULL);
    cr_assert_eq(settings->config.peer_tls, IDS_TLS_PEERS_OFF);
    takes(cert, NULL, "--tls-ca=a");
    cr_assert_eq(settings->config.tls_clients, IDS_TLS_CLIENTS_REQUIRED);
    cr_assert_eq(settings->config.http_tls_clients, IDS_TLS_CLIENTS_OPTIONAL);
    cr_assert(ids_config_knows_clients(&settings->config));
    takes("tls_cert = c\ntls = optional\n", NULL, "--tls-ca=a");
    cr_assert_not(ids_config_knows_clients(&settings->config));
}

Test(settings, a_key_that_there_is_not) {
    refuses("max_memroy = 1g\n", ":1: max_memroy: no such key; did you mean "
                                 "max_memory?");
    refuses("max-memory = 1g\n", "did you mean max_memory?");
    refuses("bind = x\n", "did you mean listen?");
    refuses("zzzzzzzz = x\n", "zzzzzzzz: no such key (");
    refuses("version = true\n", "version: only as a flag, --version");
    refuses("restored = true\n", "only as a flag");
    refuses("config = x\n", "names no other one");
    refuses("threads = 1\n\nthreads = 1\n",
            ":3: threads: a second time; the first is in line 1");
}

Test(settings, the_form_of_a_file) {
    static const char *const cases[][2] = {
        {"threads = 1", ":1: the file ends in the middle"},
        {"threads = 1\nfsy", ":2: the file ends in the middle"},
        {"threads\n", ":1: threads: '=' and a value are missing"},
        {"threads =\n1\n", ":1: threads: the value is missing"},
        {"threads = # 1\n", ":1: threads: the value is missing"},
        {"threads = 1 2\n", ":1: more than one value"},
        {"threads = 1 fsync = no\n", ":1: more than one value"},
        {"threads = {1}\n", ":1: "},
        {"= 1\n", ":1: a key is missing"},
        {"\"threads\" = 1\n", ":1: a key stands without quotes"},
        {"listen = {\n", ":1: the list that begins here has no '}'"},
        {"listen = {\nthreads = 1\n",
         ":2: '=' in a list: its '{' is in line 1"},
        {"listen = {{\n", ":1: '{' within a list"},
        {"listen = {a b}\n", ":1: "},
        {"listen = {}\n", ":1: listen: the list is empty"},
        {"listen = \"\"\n", ":1: listen: an address is missing"},
        {"}\n", ":1: '}' without a '{'"},
        {"node = \"a\n", ":1: the quote that begins here has no end"},
        {"node = 'a\nb'\n", ":1: the quote that begins here has no end"},
        {"node = \"${HOME}\"\n", ":1: '${'"},
        {"node = ${HOME}\n", ":1: '$'"},
        {"node = \"a\\n\"\n", ":1: '\\'"},
        {"include(\"x\")\n", ":1: '(': nothing is called"},
        {"// no\n", ":1: '//': a comment begins with #"},
        {"node = a/*\n", ":1: '*' belongs into"},
        {"threads = 1\r\n", ":1: a carriage return"},
        {"threads += 1\n", ":1: '+'"},
        {"\xef\xbb\xbfthreads = 1\n", ":1: a byte order mark"},
        {"node = \xc3\xa4\n", ":1: a byte 0xc3"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses(cases[i][0], cases[i][1]);
    takes("", NULL, NULL);
    takes("\n \t\n# only a comment, \xc3\xa4\n#\n", NULL, NULL);
    takes("node = \"a\" # b\nthreads=1#c\n", NULL, NULL);
    cr_assert_str_eq(settings->config.node, "a");
    cr_assert_eq(settings->config.threads, 1);
}

/* libconfuse's lexer has a state of its own: what was refused before leaves
 * nothing behind. */
Test(settings, a_bad_file_spoils_no_good_one) {
    refuses("node = \"x /* y\nthreads = 1\n", "no end");
    refuses("listen = {a b\n}\n", ":1: ");
    refuses("threads = {1}\n", ":1: ");
    takes("threads = 3\nnode = b\n", NULL, NULL);
    cr_assert_eq(settings->config.threads, 3);
    cr_assert_str_eq(settings->config.node, "b");
}

Test(settings, a_byte_that_is_no_text) {
    static const char text[] = "threads = 1\nnode = a\0b\n";
    static const char comment[] = "# a\0b\nthreads = 1\n";
    cr_assert_not(load_text(text, sizeof text - 1, NULL, NULL));
    cr_assert(strstr(complaint.why, ":2: a byte 0x00"));
    cr_assert_not(load_text(comment, sizeof comment - 1, NULL, NULL));
    cr_assert(strstr(complaint.why, ":1: a byte 0x00"));
}

/* At the limit, and one past it. */
Test(settings, a_file_and_a_line_have_an_end) {
    size_t most = IDS_CONFIG_FILE_BYTES_MAX;
    char *text = malloc(most + 1);
    cr_assert(text);
    memset(text, '\n', most + 1);
    ids_settings_free(load_text(text, most, NULL, NULL));
    cr_assert_str_eq(complaint.why, "");
    cr_assert_not(load_text(text, most + 1, NULL, NULL));
    cr_assert(strstr(complaint.why, "longer than 64 KiB"));
    memset(text, '#', IDS_CONFIG_LINE_BYTES_MAX + 1);
    text[IDS_CONFIG_LINE_BYTES_MAX] = '\n';
    ids_settings_free(
        load_text(text, IDS_CONFIG_LINE_BYTES_MAX + 1, NULL, NULL));
    cr_assert_str_eq(complaint.why, "");
    text[IDS_CONFIG_LINE_BYTES_MAX] = '#';
    cr_assert_not(load_text(text, IDS_CONFIG_LINE_BYTES_MAX + 2, NULL, NULL));
    cr_assert(strstr(complaint.why, ":1: a line of more than 4096 bytes"));
    free(text);
}

/* What is printed is such a file itself, and says the same. */
Test(settings, print_config_can_be_read_again) {
    static char first[32768], second[32768];
    takes("max_memory = 2g\nlisten = {\"a:1\", \"unix:/a b\"}\nnode = n\n",
          "IDEMSTORED_THREADS=3", "--fsync=no");
    size_t len = ids_settings_print(settings, first, sizeof first);
    cr_assert_lt(len, sizeof first);
    cr_assert(strstr(first, "max_memory = \"2g\"  # " PATH ":1\n"));
    cr_assert(strstr(first, "threads = \"3\"  # environment: "
                            "IDEMSTORED_THREADS\n"));
    cr_assert(strstr(first, "fsync = \"no\"  # flag: --fsync\n"));
    cr_assert(strstr(first, "log_level = \"info\"  # default\n"));
    cr_assert(strstr(first, "# max_buffers =  # default: a quarter of"));
    takes(first, NULL, NULL);
    cr_assert_eq(settings->config.memory_bytes_max, 2ull << 30);
    cr_assert_eq(settings->config.listen_count, 2);
    cr_assert_str_eq(settings->config.listen[1], "unix:/a b");
    cr_assert_eq(settings->config.threads, 3);
    cr_assert_eq(settings->config.fsync, IDS_FSYNC_NO);
    cr_assert_lt(ids_settings_print(settings, second, sizeof second),
                 sizeof second);
}

static char strays[512];

static void note_stray(const char *variable, const char *near) {
    size_t at = strlen(strays);
    snprintf(strays + at, sizeof strays - at, "%s>%s ", variable, near);
}

/* A cluster sets IDEMSTORED_SERVICE_HOST and IDEMSTORED_PORT_7117_TCP for a
 * service of that name: only what looks like a slip is told. */
Test(settings, a_variable_that_sets_nothing) {
    char *const environment[] = {(char *)"IDEMSTORED_MAX_MEMROY=1g",
                                 (char *)"IDEMSTORED_SERVICE_HOST=10.0.0.1",
                                 (char *)"IDEMSTORED_PORT_7117_TCP=tcp://x",
                                 (char *)"IDEMSTORED_PORT=tcp://10.0.0.1:7117",
                                 (char *)"IDEMSTORED_FLAGS=",
                                 (char *)"IDEMSTORED_THREADS=1",
                                 NULL};
    const ids_given given = {1, NULL, environment};
    ids_settings_strays(&given, note_stray);
    cr_assert_str_eq(strays, "IDEMSTORED_MAX_MEMROY>IDEMSTORED_MAX_MEMORY ");
}

/* Each of these is applied by server/io/live.c; one more needs a hand there. */
Test(settings, what_a_reload_applies) {
    static const char all[] =
        "max_memory max_connections idle_timeout max_buffers credentials "
        "tls_cert "
        "tls_key tls_ca tls_min peer_cert peer_key peer_ca log_level "
        "log_format audit_log redact_keys drain_delay ";
    char live[512] = "", key[IDS_CONFIG_KEY_BYTES];
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].reload != IDS_LIVE)
            continue;
        ids_config_key(&rows[i], key);
        snprintf(live + strlen(live), sizeof live - strlen(live), "%s ", key);
    }
    cr_assert_str_eq(live, all);
}

Test(settings, the_same_in_other_words) {
    const ids_config_row *row = ids_config_find_key("max_memory");
    const ids_config_row *listen = ids_config_find_key("listen");
    const ids_config_row *node = ids_config_find_key("node");
    takes("max_memory = 2g\nlisten = {a:1, b:2}\nnode = n\n", NULL, NULL);
    ids_settings *first = settings;
    settings = NULL;
    takes("max_memory = 2048m\nlisten = {'a:1', \"b:2\"}\n",
          "IDEMSTORED_NODE=n", NULL);
    cr_assert(ids_settings_same(first, settings, row));
    cr_assert(ids_settings_same(first, settings, listen));
    cr_assert(ids_settings_same(first, settings, node));
    takes("max_memory = 2g\nlisten = {'b:2', 'a:1'}\n", NULL, NULL);
    cr_assert_not(ids_settings_same(first, settings, listen));
    cr_assert_not(ids_settings_same(first, settings, node));
    ids_settings_free(first);
}
