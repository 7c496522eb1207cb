/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c -- see thread.h. */
#include "server/io/thread.h"

#include <stdio.h>

void ids_name_thread(pthread_t thread, const char *what, uint32_t index) {
    char name[16]; /* as many as Linux takes */
    snprintf(name, sizeof name, "%s-%u", what, (unsigned)index);
    pthread_setname_np(thread, name);
}
