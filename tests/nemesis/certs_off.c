/* SPDX-License-Identifier: Apache-2.0 */
/* certs_off.c -- what stands for certs.c where the build has no TLS. */
#include "tests/nemesis/pair.h"

#include <errno.h>

bool nem_pair_make_certs(const nem_pair *p) {
    (void)p;
    errno = ENOTSUP;
    return false;
}
