/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idemstored: settings in, daemon out. */
#include "server/admin/settings.h"
#include "server/http/openapi.h"
#include "server/io/examine.h"
#include "server/io/serve.h"
#include "server/storage/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE  64 /* EX_USAGE */
#define EXIT_CONFIG 78 /* EX_CONFIG */

static int print_help(void) {
    char text[16384];
    ids_config_help(text, sizeof text);
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

static int print_openapi(void) {
    idp_bytes text = {0};
    if (!ids_http_openapi(&text, IDEM_VERSION)) {
        fprintf(stderr, "idemstored: no memory to print it\n");
        return EXIT_FAILURE;
    }
    fwrite(text.ptr, 1, text.len, stdout);
    idp_bytes_free(&text);
    return EXIT_SUCCESS;
}

static int print_config(const ids_settings *settings) {
    size_t cap = ids_settings_print(settings, NULL, 0) + 1;
    char *text = malloc(cap);
    if (!text) {
        fprintf(stderr, "idemstored: no memory to print the settings\n");
        return EXIT_FAILURE;
    }
    ids_settings_print(settings, text, cap);
    fputs(text, stdout);
    free(text);
    return EXIT_SUCCESS;
}

/* --test-config says where, as a compiler does; a start says who speaks. */
static int say_complaint(const ids_complaint *complaint, bool tests) {
    fprintf(stderr, "%s%s\n", tests ? "" : "idemstored: ", complaint->why);
    return tests || complaint->layer != IDS_BY_FLAG ? EXIT_CONFIG : EXIT_USAGE;
}

static void tell_stray(const char *variable, const char *near) {
    fprintf(stderr,
            "idemstored: %s: no such variable, it sets nothing; did you mean "
            "%s?\n",
            variable, near);
}

static int test_config(const ids_settings *settings) {
    ids_complaint complaint;
    if (!ids_examine(settings, &complaint))
        return say_complaint(&complaint, true);
    printf("%s: good\n",
           settings->config.path ? settings->config.path : "settings");
    return EXIT_SUCCESS;
}

/* What a file says is looked at first: who wrote it learns the line. */
static int serve(const ids_settings *settings, const ids_given *given) {
    ids_complaint complaint;
    if (settings->config.path && !ids_examine(settings, &complaint))
        return say_complaint(&complaint, false);
    return ids_serve(settings, given);
}

static int run(const ids_settings *settings, const ids_given *given) {
    const ids_config *config = &settings->config;
    if (config->help)
        return print_help();
    if (config->version) {
        puts("idemstored " IDEM_VERSION);
        return EXIT_SUCCESS;
    }
    if (config->openapi)
        return print_openapi();
    ids_settings_strays(given, tell_stray);
    if (config->test)
        return test_config(settings);
    if (config->print)
        return print_config(settings);
    if (config->check && !config->data_dir) {
        fprintf(stderr, "idemstored: --check: --data-dir is missing\n");
        return EXIT_USAGE;
    }
    return config->check ? ids_check(config->data_dir, config->compare)
                         : serve(settings, given);
}

/* Where the flags can't be read, too. */
static bool has_test(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-t") || !strcmp(argv[i], "--test-config"))
            return true;
    return false;
}

int main(int argc, char **argv) {
    const ids_given given = {argc, argv, environ};
    ids_complaint complaint;
    ids_settings *settings = ids_settings_load(&given, &complaint);
    if (!settings)
        return say_complaint(&complaint, has_test(argc, argv));
    int code = run(settings, &given);
    ids_settings_free(settings);
    return code;
}
