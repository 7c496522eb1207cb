/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idemstored: flags in, daemon out. */
#include "server/admin/config.h"
#include "server/io/serve.h"
#include "server/storage/check.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 64 /* EX_USAGE */

int main(int argc, char **argv) {
    ids_config config;
    char why[256];
    if (!ids_config_parse(&config, argc, argv, why, sizeof why)) {
        fprintf(stderr, "idemstored: %s\n", why);
        return EXIT_USAGE;
    }
    if (config.help) {
        char text[8192];
        ids_config_help(text, sizeof text);
        fputs(text, stdout);
        return EXIT_SUCCESS;
    }
    if (config.version) {
        puts("idemstored " IDEM_VERSION);
        return EXIT_SUCCESS;
    }
    if (config.check && !config.data_dir) {
        fprintf(stderr, "idemstored: --check: --data-dir is missing\n");
        return EXIT_USAGE;
    }
    return config.check ? ids_check(config.data_dir, config.compare)
                        : ids_serve(&config);
}
