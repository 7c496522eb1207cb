/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c -- an etcd that asks for a user: who says none, a wrong password, one
 * who may not, a token that ends in mid-flight. */
#include "tests/etcd/etcd_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static etcd_process etcd;

static const struct {
    const char *path, *body;
} users[] = {
    {"/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"root-word\"}"},
    {"/v3/auth/role/add", "{\"name\":\"root\"}"},
    {"/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}"},
    {"/v3/auth/user/add", "{\"name\":\"agent\",\"password\":\"agent-word\"}"},
    {"/v3/auth/role/add", "{\"name\":\"shop\"}"},
    /* "/idemstore/shop/" up to before "/idemstore/shop0" */
    {"/v3/auth/role/grant",
     "{\"name\":\"shop\",\"perm\":{\"permType\":\"READWRITE\",\"key\":"
     "\"L2lkZW1zdG9yZS9zaG9wLw==\",\"range_end\":\"L2lkZW1zdG9yZS9zaG9wMA==\"}"
     "}"},
    {"/v3/auth/user/grant", "{\"user\":\"agent\",\"role\":\"shop\"}"},
    {"/v3/auth/user/add", "{\"name\":\"other\",\"password\":\"other-word\"}"},
    {"/v3/auth/enable", "{}"},
};

static void ask_for_users(void) {
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        CHECK(etcd_admin(&etcd, NULL, users[i].path, users[i].body) == 0);
}

static void is(const char *user, const char *password,
               ids_etcd_outcome outcome) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    ids_etcd *client = etcd_client(etcd.url, user, password);
    ids_etcd_answer answer = etcd_ask_until(client, &act, outcome);
    printf("%s: %s (%s)\n", user ? user : "nobody",
           ids_etcd_outcome_text(answer.outcome), answer.why);
    CHECK(outcome == IDS_ETCD_OK || answer.why[0]);
    ids_etcd_free(client);
}

/* It asks as long as the token is refused, and gets a new one by itself. */
static void token_ends(void) {
    ids_etcd *client = etcd_client(etcd.url, "agent", "agent-word");
    ids_group group = etcd_group(2, 100);
    CHECK(etcd_put(client, &group, 0).done);
    etcd_restart(&etcd); /* it has forgotten all tokens */
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    etcd_ask_until(client, &act, IDS_ETCD_TOKEN);
    ids_etcd_answer read = etcd_read(client);
    CHECK(read.view.group.epoch == 100);
    ids_etcd_free(client);
}

/* What it may is taken away while it has a token. */
static void right_ends(void) {
    ids_etcd *client = etcd_client(etcd.url, "agent", "agent-word");
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    etcd_ask_until(client, &act, IDS_ETCD_OK);
    char *token = etcd_root_token(&etcd);
    CHECK(etcd_admin(&etcd, token, "/v3/auth/user/revoke",
                     "{\"name\":\"agent\",\"role\":\"shop\"}") == 0);
    etcd_ask_until(client, &act, IDS_ETCD_DENIED);
    CHECK(etcd_admin(&etcd, token, "/v3/auth/user/grant",
                     "{\"user\":\"agent\",\"role\":\"shop\"}") == 0);
    etcd_ask_until(client, &act, IDS_ETCD_OK);
    free(token);
    ids_etcd_free(client);
}

int main(void) {
    etcd_start(&etcd);
    is(NULL, NULL, IDS_ETCD_OK);
    ask_for_users();
    is(NULL, NULL, IDS_ETCD_TOKEN);
    is("agent", "wrong", IDS_ETCD_PASSWORD);
    is("nobody", "agent-word", IDS_ETCD_PASSWORD);
    is("other", "other-word", IDS_ETCD_DENIED);
    is("agent", "agent-word", IDS_ETCD_OK);
    token_ends();
    right_ends();
    etcd_stop(&etcd);
    return 0;
}
