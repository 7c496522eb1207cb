/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_process.c -- see etcd_process.h. */
#include "tests/etcd/etcd_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 120 };

void etcd_test_fails(const char *file, int line, const char *what) {
    printf("FAILED %s:%d: %s\n", file, line, what);
    fflush(stdout);
    exit(1);
}

/* --- the process -----------------------------------------------------------
 */

uint16_t etcd_free_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void run(etcd_process *etcd) {
    char peers[64], cluster[80], data[80];
    snprintf(peers, sizeof peers, "http://127.0.0.1:%u", etcd->peer_port);
    snprintf(cluster, sizeof cluster, "one=%s", peers);
    snprintf(data, sizeof data, "%s/data", etcd->folder);
    char *argv[24] = {"etcd",
                      "--name",
                      "one",
                      "--data-dir",
                      data,
                      "--unsafe-no-fsync",
                      "--listen-client-urls",
                      etcd->url,
                      "--advertise-client-urls",
                      etcd->url,
                      "--listen-peer-urls",
                      peers,
                      "--initial-advertise-peer-urls",
                      peers,
                      "--initial-cluster",
                      cluster};
    if (etcd->cert) {
        char *tls[] = {"--cert-file",       (char *)etcd->cert,
                       "--key-file",        (char *)etcd->key,
                       "--trusted-ca-file", (char *)etcd->client_ca,
                       "--client-cert-auth"};
        memcpy(argv + 16, tls, sizeof tls);
    }
    CHECK(child_start(&etcd->child, "etcd", etcd->folder, argv));
    bool listens = false;
    for (int tries = 0; tries < 6 && !listens; tries++)
        listens = child_listens(&etcd->child, etcd->port);
    if (!listens) {
        child_print_log(&etcd->child);
        etcd_test_fails(__FILE__, __LINE__, "etcd listens");
    }
}

void etcd_start_tls(etcd_process *etcd, const char *cert, const char *key,
                    const char *client_ca) {
    *etcd = (etcd_process){.port = etcd_free_port(),
                           .cert = cert,
                           .key = key,
                           .client_ca = client_ca};
    if (system("command -v etcd >/dev/null && command -v curl >/dev/null")) {
        printf("there is no etcd, or no curl\n");
        exit(77);
    }
    do
        etcd->peer_port = etcd_free_port();
    while (etcd->peer_port == etcd->port);
    strcpy(etcd->folder, "/tmp/idem-etcd-XXXXXX");
    CHECK(mkdtemp(etcd->folder) != NULL);
    snprintf(etcd->url, sizeof etcd->url, "http%s://127.0.0.1:%u",
             cert ? "s" : "", etcd->port);
    run(etcd);
}

void etcd_start(etcd_process *etcd) {
    etcd_start_tls(etcd, NULL, NULL, NULL);
}

void etcd_restart(etcd_process *etcd) {
    child_stop(&etcd->child);
    run(etcd);
}

void etcd_stop(etcd_process *etcd) {
    char command[96];
    child_stop(&etcd->child);
    snprintf(command, sizeof command, "rm -rf %s", etcd->folder);
    CHECK(system(command) == 0);
}

/* --- an administrator ------------------------------------------------------
 */

int etcd_admin(const etcd_process *etcd, const char *token, const char *path,
               const char *body) {
    char command[1024];
    snprintf(command, sizeof command,
             "curl -sf -m 60 -o /dev/null -H 'Authorization: %s' %s%s -d '%s'",
             token ? token : "", etcd->url, path, body);
    return system(command);
}

char *etcd_root_token(const etcd_process *etcd) {
    char command[512], said[1024] = "";
    snprintf(command, sizeof command,
             "curl -sf -m 60 %s/v3/auth/authenticate "
             "-d '{\"name\":\"root\",\"password\":\"root-word\"}'",
             etcd->url);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL && fgets(said, sizeof said, pipe) != NULL);
    CHECK(pclose(pipe) == 0);
    char *token = malloc(IDS_ETCD_TOKEN_BYTES);
    CHECK(token != NULL);
    CHECK(ids_etcd_read_token(token, 200, said, strlen(said)) == IDS_ETCD_OK);
    return token;
}

/* --- the client ------------------------------------------------------------
 */

ids_etcd *etcd_client(const char *url, const char *user, const char *password) {
    ids_etcd_config config = {.endpoint = {url},
                              .endpoint_count = 1,
                              .prefix = "/idemstore/shop/",
                              .user = user,
                              .password = password,
                              .node = {"a"},
                              .lease_ms = 3000};
    ids_etcd *client = ids_etcd_new(&config);
    CHECK(client != NULL);
    return client;
}

ids_etcd_answer etcd_ask(ids_etcd *client, const ids_agent_act *act) {
    static uint64_t calls;
    ids_agent_act own = *act;
    ids_etcd_answer answer;
    own.call = ++calls;
    ids_etcd_ask(client, &own);
    while (!ids_etcd_next(client, &answer))
        ids_etcd_wait(client, 1000);
    CHECK(answer.call == own.call && answer.kind == own.kind);
    return answer;
}

ids_etcd_answer etcd_ask_until(ids_etcd *client, const ids_agent_act *act,
                               ids_etcd_outcome outcome) {
    time_t until = time(NULL) + PATIENCE_S;
    ids_etcd_answer answer;
    for (;;) {
        answer = etcd_ask(client, act);
        if (answer.outcome == outcome)
            return answer;
        printf("   %s: %s\n", ids_etcd_outcome_text(answer.outcome),
               answer.why);
        CHECK(time(NULL) < until);
        usleep(100000);
    }
}

ids_etcd_answer etcd_read(ids_etcd *client) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    return etcd_ask_until(client, &act, IDS_ETCD_OK);
}

ids_etcd_answer etcd_put(ids_etcd *client, const ids_group *group,
                         uint64_t compare) {
    ids_agent_act act = {
        .kind = IDS_AGENT_PUT, .group = *group, .compare = compare};
    time_t until = time(NULL) + PATIENCE_S;
    for (bool asked = false;; asked = true) {
        ids_etcd_answer answer = etcd_ask(client, &act);
        if (answer.outcome != IDS_ETCD_NO_ANSWER) {
            if (asked && answer.view.group.epoch == group->epoch)
                answer.done = true;
            return answer;
        }
        printf("   once more: %s\n", answer.why);
        CHECK(time(NULL) < until);
    }
}

ids_group etcd_group(uint32_t members, uint64_t epoch) {
    ids_group group = {.id = {"0b9c2f3e-1d7a-4c55-8e21-5a1f0c9d7e60"},
                       .epoch = epoch,
                       .why = IDS_GROUP_CREATE,
                       .by = {"a"}};
    for (uint32_t i = 0; i < members; i++) {
        ids_group_member *member = &group.isr[i];
        *member = (ids_group_member){.incarnation = 0xfedcba9876543210u + i};
        member->node.text[0] = (char)('a' + i);
        snprintf(member->at.text, sizeof member->at.text, "10.0.0.%u:7117",
                 i + 1);
    }
    group.isr_count = members;
    group.primary = group.isr[members - 1];
    return group;
}
