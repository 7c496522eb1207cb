/* SPDX-License-Identifier: Apache-2.0 */
/* config_sections.h -- the sections of a settings file, taken out of it before
 * the rest is read:
 *
 *     namespace "shop" { max_records = 5000000  rate = 20000 }
 *
 * one setting behind the other or each on its line. Pure but for what the
 * namespaces' limits are kept in. */
#ifndef IDS_CONFIG_SECTIONS_H
#define IDS_CONFIG_SECTIONS_H

#include "server/admin/config_scan.h"
#include "server/admin/limits_maker.h"

/* Any bytes. Blanks what it has read, line ends stay. limits: NULL where there
 * is no section; else the caller's to free. False: fault says where, and
 * what. */
bool ids_config_sections(char *text, size_t len, ids_limits_maker **limits,
                         ids_config_fault *fault);

#endif
