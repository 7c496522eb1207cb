/* SPDX-License-Identifier: Apache-2.0 */
/* fail.h -- the end of a process whose changes can't be kept any more. */
#ifndef IDS_STORAGE_FAIL_H
#define IDS_STORAGE_FAIL_H

#include "server/journal/fault.h"

/* Says why and ends the process, with no reply any more. Any thread. */
_Noreturn void ids_storage_fail(const ids_fault *fault);

#endif
