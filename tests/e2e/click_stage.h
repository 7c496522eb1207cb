/* SPDX-License-Identifier: Apache-2.0 */
/* click_stage.h -- what the double click plays on: one idemstored (or those
 * that the test brings), two instances of the points service, nginx before
 * them, and the ledger, which is read from outside. All ports are free ones;
 * all files lie in one temporary folder; everything dies with the test. */
#ifndef TEST_CLICK_STAGE_H
#define TEST_CLICK_STAGE_H

#include "tests/e2e/child.h"

#define STAGE_SERVICES   2
#define STAGE_PATH_CHARS 256

typedef struct click_stage {
    const char *store_program;
    const char *service_program;
    const char *nginx_template;
    const char *stores; /* the URI of running ones; NULL: one is started */
    uint32_t lease_ms;
    uint32_t wait_ms;
    char dir[64];
    char ledger_path[STAGE_PATH_CHARS];
    char store_uri[96];
    child store;
    child services[STAGE_SERVICES]; /* "a" and "b" */
    child nginx;
    uint16_t service_ports[STAGE_SERVICES];
    uint16_t port; /* nginx's */
    unsigned starts;
} click_stage;

/* The programs, the template and the times are set before. False, and the
 * logs are printed, when something does not start. */
bool stage_open(click_stage *stage);
/* False when one of them did not end cleanly when it was asked to. */
bool stage_close(click_stage *stage);

/* Stops both services and starts them on their ports with this wait. */
bool stage_restart_services(click_stage *stage, uint32_t wait_ms);

/* Waits for a service to die by itself and starts it again, as a supervisor
 * would: its name, or NULL when both live on. */
const char *stage_revive(click_stage *stage);

/* How many rows the ledger has for this key. */
unsigned stage_rows(const click_stage *stage, const char *key);

void stage_print_logs(const click_stage *stage);

#endif
