/* SPDX-License-Identifier: Apache-2.0 */
/* recording.c -- see recording.h. */
#include "server/io/recording.h"

#include "server/base/audit.h"
#include "server/base/log.h"

#include <string.h>

static bool open_as_said(const ids_config *config, char *why, size_t cap) {
    const ids_audit_settings settings = {
        .path = config->audit_log,
        .hashes_keys = strcmp(config->redact_keys, "hash") == 0};
    return ids_audit_open(&settings, why, cap);
}

bool ids_recording_begin(const ids_config *config) {
    char why[512];
    if (open_as_said(config, why, sizeof why))
        return true;
    ids_log(IDS_LOG_ERROR, "can't start", "at=\"--audit-log\" reason=\"%s\"",
            why);
    return false;
}

void ids_recording_name(ids_worker *first) {
    char node[64];
    ids_command_node(first, node, sizeof node);
    ids_audit_set_node(node);
}

void ids_recording_take(const ids_config *now, const ids_config *next) {
    char why[512];
    if (strcmp(now->audit_log, next->audit_log) == 0 &&
        strcmp(now->redact_keys, next->redact_keys) == 0)
        return;
    if (!open_as_said(next, why, sizeof why))
        ids_log(IDS_LOG_ERROR, "the audit log stays where it is",
                "reason=\"%s\"", why);
}
