/* SPDX-License-Identifier: Apache-2.0 */
/* params_commands.c -- the parameters of an operator's commands: decode and
 * encode, side by side.
 *
 * Pure, like request.c, whose part it is. */
#include "proto/fields.h"
#include "proto/params.h"
#include "proto/reply.h"

/* promote, detach ---------------------------------------------------------- */

static bool loss_option_read(cursor *c, int at, idp_request *r,
                             idp_read_fault *fault) {
    (void)at;
    return cursor_bool(c, &r->accept_loss) ||
           bad(fault, "accept_loss must be a bool");
}

static const options loss_options = {
    {"accept_loss"}, loss_option_read, "the only option is accept_loss"};

const uint8_t *idp_loss_read(cursor c, uint32_t count, idp_request *r,
                             idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "this command takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &loss_options, r, fault);
}

uint8_t *idp_loss_put(uint8_t *to, const idp_request *r) {
    to = put_array(put_word(to, idp_method_name(r->method)), r->accept_loss);
    return r->accept_loss
               ? put_bool(put_word(put_map(to, 1), "accept_loss"), true)
               : to;
}

/* reload ------------------------------------------------------------------- */

static bool reload_option_read(cursor *c, int at, idp_request *r,
                               idp_read_fault *fault) {
    return cursor_bool(c, at == 0 ? &r->dry_run : &r->force) ||
           bad(fault, "dry_run and force must be bools");
}

static const options reload_options = {
    {"dry_run", "force"},
    reload_option_read,
    "the only options are dry_run and force"};

const uint8_t *idp_reload_read(cursor c, uint32_t count, idp_request *r,
                               idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "this command takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &reload_options, r, fault);
}

uint8_t *idp_reload_put(uint8_t *to, const idp_request *r) {
    uint32_t given = (uint32_t)r->dry_run + r->force;
    to = put_array(put_word(to, "reload"), given > 0);
    if (given > 0) {
        to = put_map(to, given);
    }
    if (r->dry_run) {
        to = put_bool(put_word(to, "dry_run"), true);
    }
    if (r->force) {
        to = put_bool(put_word(to, "force"), true);
    }
    return to;
}
