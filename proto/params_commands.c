/* SPDX-License-Identifier: Apache-2.0 */
/* params_commands.c -- the parameters of an operator's commands: decode and
 * encode, side by side.
 *
 * Pure, like request.c, whose part it is. */
#include "proto/commands.h"
#include "proto/fields.h"
#include "proto/group.h"
#include "proto/params.h"
#include "proto/reply.h"

/* promote, detach, switchover ---------------------------------------------- */

static bool loss_option_read(cursor *c, int at, idp_request *r,
                             idp_read_fault *fault) {
    (void)at;
    return cursor_bool(c, &r->accept_loss) ||
           bad(fault, "accept_loss must be a bool");
}

/* A node's name. */
static bool node_option_read(cursor *c, int at, idp_request *r,
                             idp_read_fault *fault) {
    static const bytes_field node_field =
        BYTES_FIELD("node", 1, IDP_NODE_BYTES_MAX);
    (void)at;
    return bytes_read(c, &node_field, &r->ns, fault);
}

static bool detach_option_read(cursor *c, int at, idp_request *r,
                               idp_read_fault *fault) {
    return at == 0 ? loss_option_read(c, at, r, fault)
                   : node_option_read(c, at, r, fault);
}

static const options command_options[] = {
    {{"accept_loss"}, loss_option_read, "the only option is accept_loss"},
    {{"accept_loss", "node"},
     detach_option_read,
     "the only options are accept_loss and node"},
    {{"node"}, node_option_read, "the only option is node"}};

static_assert(IDP_DETACH == IDP_PROMOTE + 1 &&
                  IDP_SWITCHOVER == IDP_PROMOTE + 2,
              "in this order");

const uint8_t *idp_command_params_read(cursor c, uint32_t count, idp_request *r,
                                       idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "this command takes one optional map");
    }
    return count == 0
               ? c.at
               : options_read(c, &command_options[r->method - IDP_PROMOTE], r,
                              fault);
}

static uint8_t *backup_put(uint8_t *to, const idp_request *r) {
    bool name = r->ns.len > 0;
    to = put_array(put_word(to, "backup"), name);
    return name
               ? put_str(put_word(put_map(to, 1), "name"), r->ns.ptr, r->ns.len)
               : to;
}

uint8_t *idp_command_params_put(uint8_t *to, const idp_request *r) {
    if (r->method == IDP_BACKUP) {
        return backup_put(to, r);
    }
    bool loss = r->accept_loss && r->method != IDP_SWITCHOVER;
    bool node = r->ns.len > 0 && r->method != IDP_PROMOTE;
    to = put_array(put_word(to, idp_method_name(r->method)), loss || node);
    if (loss || node) {
        to = put_map(to, (uint32_t)loss + node);
    }
    if (loss) {
        to = put_bool(put_word(to, "accept_loss"), true);
    }
    return node ? put_str(put_word(to, "node"), r->ns.ptr, r->ns.len) : to;
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

/* backup ------------------------------------------------------------------- */

static bool backup_option_read(cursor *c, int at, idp_request *r,
                               idp_read_fault *fault) {
    static const bytes_field name_field =
        BYTES_FIELD("name", 1, IDP_BACKUP_NAME_BYTES_MAX);
    (void)at;
    return bytes_read(c, &name_field, &r->ns, fault);
}

static const options backup_options = {
    {"name"}, backup_option_read, "the only option is name"};

const uint8_t *idp_backup_read(cursor c, uint32_t count, idp_request *r,
                               idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "this command takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &backup_options, r, fault);
}

/* config, offer ------------------------------------------------------------ */

const uint8_t *idp_told_param_read(cursor c, uint32_t count, idp_request *r,
                                   idp_read_fault *fault) {
    if (count != 1 || !cursor_bytes(&c, &r->result)) {
        return bad(fault, "this command takes one bin: what is told");
    }
    return r->result.len <= IDP_TOLD_BYTES_MAX
               ? c.at
               : refuse(fault, IDP_E_TOO_LARGE, "that is over 4096 bytes");
}

uint8_t *idp_told_param_put(uint8_t *to, const idp_request *r) {
    return put_bin(put_array(put_word(to, idp_method_name(r->method)), 1),
                   r->result);
}

/* namespaces --------------------------------------------------------------- */

const uint8_t *idp_after_read(cursor c, uint32_t count, idp_request *r,
                              idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "namespaces takes one optional name");
    }
    if (count == 0 || cursor_nil(&c)) {
        return c.at;
    }
    if (!cursor_bytes(&c, &r->ns)) {
        return bad(fault, "the name must be a str, a bin or nil");
    }
    return r->ns.len <= IDP_NS_BYTES_MAX
               ? c.at
               : refuse(fault, IDP_E_TOO_LARGE, "namespace is over 64 bytes");
}

uint8_t *idp_after_put(uint8_t *to, const idp_request *r) {
    to = put_array(put_word(to, "namespaces"), r->ns.ptr != NULL);
    return r->ns.ptr != NULL ? put_bin(to, r->ns) : to;
}
