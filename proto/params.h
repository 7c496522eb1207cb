/* SPDX-License-Identifier: Apache-2.0 */
/* params.h -- the parameters of each method, between frame.c and request.c.
 *
 * Inside proto only. */
#ifndef IDP_PARAMS_H
#define IDP_PARAMS_H

#include "proto/cursor.h"
#include "proto/request.h"

/* The place of complete's result among its parameters. */
#define COMPLETE_RESULT_AT 3

/* Reads count parameters of request->method; the other fields of request are
 * zero before. Returns the place behind them, or NULL: then fault's error and
 * text say why, unless bytes were missing. Whether the frame is whole is the
 * caller's to find out. */
const uint8_t *idp_params_read(cursor c, uint32_t count,
                               size_t result_bytes_max, idp_request *request,
                               idp_read_fault *fault);

/* params_commands.c, for request.c: promote, detach and switchover; reload. */
const uint8_t *idp_command_params_read(cursor c, uint32_t count,
                                       idp_request *request,
                                       idp_read_fault *fault);
uint8_t *idp_command_params_put(uint8_t *to, const idp_request *request);
const uint8_t *idp_reload_read(cursor c, uint32_t count, idp_request *request,
                               idp_read_fault *fault);
uint8_t *idp_reload_put(uint8_t *to, const idp_request *request);
/* backup: what it is called, in request->ns. */
const uint8_t *idp_backup_read(cursor c, uint32_t count, idp_request *request,
                               idp_read_fault *fault);
/* namespaces: behind which one. */
const uint8_t *idp_after_read(cursor c, uint32_t count, idp_request *request,
                              idp_read_fault *fault);
uint8_t *idp_after_put(uint8_t *to, const idp_request *request);
/* config, offer: what is told (group.h), in request->result. */
const uint8_t *idp_told_param_read(cursor c, uint32_t count,
                                   idp_request *request, idp_read_fault *fault);
uint8_t *idp_told_param_put(uint8_t *to, const idp_request *request);

/* params_looks.c, for request.c: list; clients; kill; events. */
const uint8_t *idp_list_read(cursor c, uint32_t count, idp_request *request,
                             idp_read_fault *fault);
uint8_t *idp_list_put(uint8_t *to, const idp_request *request);
const uint8_t *idp_clients_read(cursor c, uint32_t count, idp_request *request,
                                idp_read_fault *fault);
uint8_t *idp_clients_put(uint8_t *to, const idp_request *request);
const uint8_t *idp_kill_read(cursor c, uint32_t count, idp_request *request,
                             idp_read_fault *fault);
uint8_t *idp_kill_put(uint8_t *to, const idp_request *request);

const uint8_t *idp_events_read(cursor c, uint32_t count, idp_request *request,
                               idp_read_fault *fault);
uint8_t *idp_events_put(uint8_t *to, const idp_request *request);

/* params_resolve.c. */
const uint8_t *idp_resolve_read(cursor c, uint32_t count,
                                size_t result_bytes_max, idp_request *request,
                                idp_read_fault *fault);
uint8_t *idp_resolve_put(uint8_t *to, const idp_request *request);
const uint8_t *idp_erase_read(cursor c, uint32_t count, idp_request *request,
                              idp_read_fault *fault);
uint8_t *idp_erase_put(uint8_t *to, const idp_request *request);

#endif
