/* SPDX-License-Identifier: Apache-2.0 */
/* admission.h -- who gets in, out of the files that the flags name: at the
 * start, and at each reload. */
#ifndef IDS_ADMISSION_H
#define IDS_ADMISSION_H

#include "server/access/access.h"
#include "server/admin/config.h"
#include "server/io/preview.h"
#include "server/line/line.h"

#define IDS_ADMISSION_WHY_BYTES 640

/* Reads --credentials and --secret-file. *access is NULL where neither is
 * given: everybody gets in. False: the log says what is wrong with which file,
 * and in which line. */
bool ids_admission_open(ids_access **access, const ids_config *config);

/* Reads the two secrets that key the links to other nodes, now and next:
 * --peer-secret-file, or --secret-file. They lie where no core dump goes; NULL
 * where there are none. False: the log says why. */
bool ids_admission_peer_secrets(const ids_secret **secrets,
                                const ids_config *config);
void ids_admission_forget(const ids_secret *secrets);

/* Reads the files anew; blocks for the disk. NULL: why says what is wrong, and
 * what was stays. */
ids_credentials *ids_admission_read(const ids_config *config,
                                    char why[static IDS_ADMISSION_WHY_BYTES]);

/* The same for a daemon that runs: refused as well, unless it is forced, where
 * it would close more than half of the connections that are admitted. Any
 * thread. */
ids_credentials *ids_admission_reread(ids_access *access,
                                      const ids_config *config, bool force,
                                      char why[static IDS_ADMISSION_WHY_BYTES]);

/* What it would do to those who are admitted. Any thread. */
void ids_admission_preview(ids_access *access, const ids_credentials *next,
                           ids_preview *preview);

/* Takes what was read, on the first loop's thread: connections whose verifier
 * is gone are closed within a second, changed grants hold from the next call.
 */
void ids_admission_apply(ids_access *access, ids_line *first,
                         ids_credentials *next);

#endif
