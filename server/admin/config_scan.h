/* SPDX-License-Identifier: Apache-2.0 */
/* config_scan.h -- the form of a settings file, before libconfuse reads it:
 *
 *     KEY = VALUE                a comment begins with #
 *     KEY = "a value with spaces"
 *     KEY = {"one", "two"}
 *
 * It finds what libconfuse would take and mean otherwise than its writer: a
 * value that is missing, a file that was cut, a quote without an end, text from
 * the environment, bytes that are no text. Pure; needs no memory. */
#ifndef IDS_CONFIG_SCAN_H
#define IDS_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_CONFIG_FILE_BYTES_MAX (64u << 10)
#define IDS_CONFIG_LINE_BYTES_MAX 4096u

/* What is wrong, in a sentence, and where. */
#define IDS_CONFIG_WHAT_BYTES 256
typedef struct ids_config_fault {
    uint32_t line; /* 0: none in particular */
    char what[IDS_CONFIG_WHAT_BYTES];
} ids_config_fault;

bool ids_config_fault_at(ids_config_fault *fault, uint32_t line,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* returns false */

typedef struct ids_config_scan_driver {
    void *ctx;
    /* A key, as it stands before its '='; false: fault says what is wrong. */
    bool (*take_key)(void *ctx, const char *key, size_t key_len, uint32_t line,
                     ids_config_fault *fault);
} ids_config_scan_driver;

/* Any bytes. Blanks the comments: libconfuse takes none in a list. False:
 * fault says where, and what. */
bool ids_config_scan(char *text, size_t len,
                     const ids_config_scan_driver *driver,
                     ids_config_fault *fault);

#endif
