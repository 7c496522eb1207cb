/* SPDX-License-Identifier: Apache-2.0 */
/* fail.c -- see fail.h. */
#include "server/storage/fail.h"

#include "server/base/log.h"

#include <stdlib.h>
#include <unistd.h>

_Noreturn void ids_storage_fail(const ids_fault *fault) {
    char text[IDS_FAULT_TEXT_BYTES];
    ids_fault_text(fault, text);
    ids_log(IDS_LOG_ERROR, "stopped: changes can't be kept any more",
            "reason=\"%s\"", text);
    ids_log_flush();
    _exit(EXIT_FAILURE);
}
