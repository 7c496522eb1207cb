/* SPDX-License-Identifier: Apache-2.0 */
/* config.c -- see config.h: libconfuse's side of it, and what it may not know.
 */
#include "server/idemagent/config.h"

#include <assert.h>
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { TEXT, LIST, NUMBER, BOOL } kind;

typedef struct row {
    const char *key;
    kind kind;
    const char *start; /* NULL: none */
    const char *help;
} row;

static const row rows[] = {
    {"group", TEXT, NULL, "name of the group; its keys are /idemstore/GROUP/"},
    {"node", TEXT, NULL, "name of the node beside this agent: its --node"},
    {"server", TEXT, "127.0.0.1:7117", "HOST:PORT of that node"},
    {"advertise", TEXT, NULL,
     "HOST:PORT where the others reach that node; as it says, if it does"},
    {"others", LIST, NULL,
     "HOST:PORT of each other node; all have to answer before a group is "
     "created"},
    {"create", BOOL, "true", "create the group where there is none"},
    {"secret_file", TEXT, NULL,
     "the nodes' secret, of a user with grant admin"},
    {"tls", BOOL, "false", "speak TLS with the nodes"},
    {"tls_ca", TEXT, NULL, "who signs the nodes' certificates"},
    {"tls_cert", TEXT, NULL, "the certificate to show them"},
    {"tls_key", TEXT, NULL, "its key"},
    {"tls_server_name", TEXT, NULL, "the name in the nodes' certificates"},
    {"etcd", LIST, NULL, "http[s]://HOST:PORT of each member of etcd"},
    {"etcd_user", TEXT, NULL, "who asks etcd, where it wants to know"},
    {"etcd_password_file", TEXT, NULL, "that user's password, in one line"},
    {"etcd_ca", TEXT, NULL, "who signs etcd's certificates"},
    {"etcd_cert", TEXT, NULL, "the certificate to show etcd; one without a CN"},
    {"etcd_key", TEXT, NULL, "its key"},
    {"lease_ms", NUMBER, "3000",
     "so long after its last word a node counts as gone; 1000..60000"},
    {"http", TEXT, "127.0.0.1:7118",
     "where /metrics, /readyz and idemctl agent find this agent; a loopback "
     "address; \"\": nowhere"},
    {"dry_run", BOOL, "false",
     "say what would be done, and do none of it: neither in etcd nor at a "
     "node"},
};
enum { ROWS = sizeof rows / sizeof *rows };

void ida_config_print_keys(void) {
    for (int i = 0; i < ROWS; i++)
        printf("  %-20s %s%s%s%s\n", rows[i].key, rows[i].help,
               rows[i].start ? " (" : "", rows[i].start ? rows[i].start : "",
               rows[i].start ? ")" : "");
}

/* --- libconfuse ------------------------------------------------------------
 */

/* Where it says what is wrong: it has no argument of ours. */
static char *told;
static const char *told_path;

static void take_error(cfg_t *cfg, const char *format, va_list args) {
    char what[IDA_WHY_BYTES - 128];
    if (told[0])
        return; /* the first one is the reason */
    vsnprintf(what, sizeof what, format, args);
    snprintf(told, IDA_WHY_BYTES, "%.120s:%d: %.380s", told_path,
             cfg ? cfg->line : 0, what);
}

static cfg_t *parse(const char *path, char *why) {
    cfg_opt_t options[ROWS + 1];
    for (int i = 0; i < ROWS; i++) {
        const row *r = &rows[i];
        if (r->kind == LIST)
            options[i] = (cfg_opt_t)CFG_STR_LIST(r->key, NULL, CFGF_NODEFAULT);
        else if (r->kind == NUMBER)
            options[i] = (cfg_opt_t)CFG_INT(r->key, strtol(r->start, NULL, 10),
                                            CFGF_NONE);
        else if (r->kind == BOOL)
            options[i] = (cfg_opt_t)CFG_BOOL(
                r->key, strcmp(r->start, "true") == 0 ? cfg_true : cfg_false,
                CFGF_NONE);
        else
            options[i] = (cfg_opt_t)CFG_STR(r->key, r->start, CFGF_NONE);
    }
    options[ROWS] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    if (!cfg)
        return NULL;
    told = why;
    told_path = path;
    why[0] = '\0';
    cfg_set_error_function(cfg, take_error);
    int result = cfg_parse(cfg, path);
    if (result == CFG_SUCCESS)
        return cfg;
    if (result == CFG_FILE_ERROR)
        snprintf(why, IDA_WHY_BYTES, "%.300s: it can't be read", path);
    cfg_free(cfg);
    return NULL;
}

/* --- values ----------------------------------------------------------------
 */

static bool refuse_setting(char *why, const char *key, const char *what) {
    snprintf(why, IDA_WHY_BYTES, "%s: %s", key, what);
    return false;
}

static const char *text_of(cfg_t *cfg, const char *key) {
    const char *text = cfg_getstr(cfg, key);
    return text && text[0] ? text : NULL;
}

static bool read_endpoint(ids_endpoint *to, const char *text) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    return ids_endpoint_from(to, text, strlen(text)) &&
           ids_endpoint_split(text, host, &port) && port[0];
}

static bool read_names(ida_config *config, cfg_t *cfg, char *why) {
    const char *group = text_of(cfg, "group"), *node = text_of(cfg, "node");
    ids_node_name name;
    if (!group || !ids_node_name_from(&name, (idp_slice){(const uint8_t *)group,
                                                         strlen(group)}))
        return refuse_setting(why, "group",
                              "it needs a name of 1 to 63 letters, "
                              "digits, '.', '_' or '-'");
    if (!node ||
        !ids_node_name_from(&config->agent.node,
                            (idp_slice){(const uint8_t *)node, strlen(node)}))
        return refuse_setting(why, "node",
                              "it needs the name of the node beside this "
                              "agent, as its --node says");
    snprintf(config->prefix, sizeof config->prefix, "/idemstore/%s/", group);
    return true;
}

static bool read_others(ida_config *config, cfg_t *cfg, char *why) {
    unsigned count = cfg_size(cfg, "others");
    if (count >= IDS_GROUP_NODES_MAX)
        return refuse_setting(why, "others", "a group has 5 nodes at most");
    for (unsigned i = 0; i < count; i++)
        if (!read_endpoint(&config->agent.other[i],
                           cfg_getnstr(cfg, "others", i)))
            return refuse_setting(why, "others", "each is HOST:PORT");
    config->agent.other_count = count;
    return true;
}

static bool read_server(ida_config *config, cfg_t *cfg, char *why) {
    ids_endpoint at;
    const char *advertise = text_of(cfg, "advertise");
    config->server = text_of(cfg, "server");
    if (!config->server || !read_endpoint(&at, config->server))
        return refuse_setting(why, "server", "it is not HOST:PORT");
    if (advertise && !read_endpoint(&config->advertise, advertise))
        return refuse_setting(why, "advertise", "it is not HOST:PORT");
    config->secret_file = text_of(cfg, "secret_file");
    config->tls = cfg_getbool(cfg, "tls") == cfg_true;
    config->tls_ca = text_of(cfg, "tls_ca");
    config->tls_cert = text_of(cfg, "tls_cert");
    config->tls_key = text_of(cfg, "tls_key");
    config->tls_server_name = text_of(cfg, "tls_server_name");
    if (!config->tls && (config->tls_ca || config->tls_cert))
        return refuse_setting(why, "tls",
                              "tls_ca and tls_cert need tls = true");
    return true;
}

static bool read_password(ida_config *config, const char *path, char *why) {
    char line[256];
    FILE *file = fopen(path, "re");
    bool good = file && fgets(line, sizeof line, file);
    if (file)
        fclose(file);
    if (!good)
        return refuse_setting(why, "etcd_password_file",
                              "it can't be read, or is empty");
    line[strcspn(line, "\r\n")] = '\0';
    config->password = strdup(line);
    explicit_bzero(line, sizeof line);
    return config->password ||
           refuse_setting(why, "etcd_password_file", "no memory");
}

static bool read_etcd(ida_config *config, cfg_t *cfg, char *why) {
    ids_etcd_config *etcd = &config->etcd;
    const char *password = text_of(cfg, "etcd_password_file");
    etcd->endpoint_count = cfg_size(cfg, "etcd");
    if (etcd->endpoint_count == 0 ||
        etcd->endpoint_count > IDS_ETCD_ENDPOINTS_MAX)
        return refuse_setting(why, "etcd",
                              "name 1 to 8 members: {\"http://HOST:2379\"}");
    for (uint32_t i = 0; i < etcd->endpoint_count; i++) {
        etcd->endpoint[i] = cfg_getnstr(cfg, "etcd", i);
        if (strncmp(etcd->endpoint[i], "http://", 7) != 0 &&
            strncmp(etcd->endpoint[i], "https://", 8) != 0)
            return refuse_setting(why, "etcd",
                                  "each is http://HOST:PORT or https://...");
    }
    etcd->user = text_of(cfg, "etcd_user");
    if ((etcd->user != NULL) != (password != NULL))
        return refuse_setting(why, "etcd_user",
                              "give it and etcd_password_file, or "
                              "neither");
    if (password && !read_password(config, password, why))
        return false;
    etcd->password = config->password;
    etcd->ca = text_of(cfg, "etcd_ca");
    etcd->cert = text_of(cfg, "etcd_cert");
    etcd->key = text_of(cfg, "etcd_key");
    etcd->prefix = config->prefix;
    etcd->node = config->agent.node;
    etcd->lease_ms = config->agent.lease_ms;
    return true;
}

static bool is_loopback(const char *at) {
    return strncmp(at, "127.", 4) == 0 || strncmp(at, "[::1]:", 6) == 0 ||
           strncmp(at, "localhost:", 10) == 0;
}

static bool read_rest(ida_config *config, cfg_t *cfg, char *why) {
    long lease_ms = cfg_getint(cfg, "lease_ms");
    if (lease_ms < (long)IDS_AGENT_LEASE_MIN ||
        lease_ms > (long)IDS_AGENT_LEASE_MAX)
        return refuse_setting(why, "lease_ms", "it is 1000 to 60000");
    config->agent.lease_ms = (uint32_t)lease_ms;
    config->creates = cfg_getbool(cfg, "create") == cfg_true;
    config->dry_run = cfg_getbool(cfg, "dry_run") == cfg_true;
    config->http = text_of(cfg, "http");
    ids_endpoint at;
    if (config->http &&
        (!read_endpoint(&at, config->http) || !is_loopback(config->http)))
        return refuse_setting(why, "http",
                              "it is HOST:PORT of this machine alone, as "
                              "127.0.0.1:7118: who reaches it may order");
    return true;
}

bool ida_config_read(ida_config *config, const char *path,
                     char why[static IDA_WHY_BYTES]) {
    *config = (ida_config){.tls = false};
    cfg_t *cfg = parse(path, why);
    if (!cfg)
        return false;
    config->cfg = cfg;
    return read_names(config, cfg, why) && read_rest(config, cfg, why) &&
           read_others(config, cfg, why) && read_server(config, cfg, why) &&
           read_etcd(config, cfg, why);
}

void ida_config_fini(ida_config *config) {
    if (config->cfg)
        cfg_free(config->cfg);
    if (config->password)
        explicit_bzero(config->password, strlen(config->password));
    free(config->password);
    *config = (ida_config){.tls = false};
}
