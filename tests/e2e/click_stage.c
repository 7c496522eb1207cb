/* SPDX-License-Identifier: Apache-2.0 */
/* click_stage.c -- see the header. */
#include "tests/e2e/click_stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NGINX_TRIES       5
#define DEATH_SECONDS_MAX 20
#define END_SECONDS_MAX   20u

static bool start_store(click_stage *stage) {
    if (stage->stores != NULL) {
        snprintf(stage->store_uri, sizeof stage->store_uri, "%s",
                 stage->stores);
        return true;
    }
    char *argv[] = {(char *)stage->store_program,
                    "--listen",
                    "127.0.0.1:0",
                    "--threads",
                    "2",
                    NULL};
    if (!child_start(&stage->store, "idemstored", stage->dir, argv))
        return false;
    uint16_t port = child_port(&stage->store);
    snprintf(stage->store_uri, sizeof stage->store_uri,
             "idem://127.0.0.1:%u/points?timeout_ms=3000", port);
    return port != 0;
}

/* Each start writes a log of its own: the port is read from there. */
static bool start_service(click_stage *stage, size_t i) {
    char name[2] = {(char)('a' + i), '\0'};
    char log[24], port[12], lease[12], wait[12];
    snprintf(log, sizeof log, "service-%s-%u", name, ++stage->starts);
    snprintf(port, sizeof port, "%u", stage->service_ports[i]);
    snprintf(lease, sizeof lease, "%u", stage->lease_ms);
    snprintf(wait, sizeof wait, "%u", stage->wait_ms);
    char *argv[] = {(char *)stage->service_program,
                    "--rehearse",
                    "--name",
                    name,
                    "--port",
                    port,
                    "--lease",
                    lease,
                    "--wait",
                    wait,
                    "--store",
                    stage->store_uri,
                    "--ledger",
                    stage->ledger_path,
                    NULL};
    if (!child_start(&stage->services[i], log, stage->dir, argv))
        return false;
    stage->service_ports[i] = child_port(&stage->services[i]);
    return stage->service_ports[i] != 0;
}

static bool start_services(click_stage *stage) {
    for (size_t i = 0; i < STAGE_SERVICES; i++)
        if (!start_service(stage, i))
            return false;
    return true;
}

/* A port that is free now; nobody keeps it so until nginx has it. */
static uint16_t free_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&at, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        at.sin_port = 0;
    close(fd);
    return ntohs(at.sin_port);
}

typedef struct template_word {
    const char *word;
    const char *value;
} template_word;

/* One line with every @WORD@ replaced. */
static void fill_line(FILE *to, const char *line, const template_word *words) {
    while (*line != '\0') {
        const template_word *at = words;
        while (at->word != NULL &&
               strncmp(line, at->word, strlen(at->word)) != 0)
            at++;
        if (at->word == NULL) {
            fputc(*line++, to);
            continue;
        }
        fputs(at->value, to);
        line += strlen(at->word);
    }
}

static bool write_nginx_conf(const click_stage *stage, const char *path) {
    char port[12], port_a[12], port_b[12], line[512];
    snprintf(port, sizeof port, "%u", stage->port);
    snprintf(port_a, sizeof port_a, "%u", stage->service_ports[0]);
    snprintf(port_b, sizeof port_b, "%u", stage->service_ports[1]);
    const template_word words[] = {{"@DIR@", stage->dir},
                                   {"@PORT@", port},
                                   {"@PORT_A@", port_a},
                                   {"@PORT_B@", port_b},
                                   {NULL, NULL}};
    FILE *from = fopen(stage->nginx_template, "re");
    FILE *to = fopen(path, "we");
    while (from != NULL && to != NULL && fgets(line, sizeof line, from))
        fill_line(to, line, words);
    bool written = from != NULL && to != NULL && !ferror(from) && !ferror(to);
    if (from != NULL)
        fclose(from);
    return to != NULL && fclose(to) == 0 && written;
}

/* One process, no workers: so that it is gone when it is killed. */
static bool start_nginx(click_stage *stage) {
    char conf[STAGE_PATH_CHARS];
    snprintf(conf, sizeof conf, "%s/nginx.conf", stage->dir);
    char *argv[] = {"nginx", "-e",       "stderr",
                    "-p",    stage->dir, "-c",
                    conf,    "-g",       "master_process off;",
                    NULL};
    for (int i = 0; i < NGINX_TRIES; i++) {
        stage->port = free_port();
        if (write_nginx_conf(stage, conf) &&
            child_start(&stage->nginx, "nginx", stage->dir, argv) &&
            child_listens(&stage->nginx, stage->port))
            return true;
        child_stop(&stage->nginx);
    }
    return false;
}

bool stage_open(click_stage *stage) {
    /* Debian's nginx lies where only root's PATH leads to. */
    const char *path = getenv("PATH");
    char wider[4096];
    snprintf(wider, sizeof wider, "%s:/usr/sbin:/sbin", path ? path : "/bin");
    setenv("PATH", wider, 1);
    strcpy(stage->dir, "/tmp/idemstore-click-XXXXXX");
    if (mkdtemp(stage->dir) == NULL)
        return false;
    snprintf(stage->ledger_path, sizeof stage->ledger_path, "%s/ledger",
             stage->dir);
    if (start_store(stage) && start_services(stage) && start_nginx(stage))
        return true;
    stage_print_logs(stage);
    stage_close(stage);
    return false;
}

/* Only what lies in it and in nginx's folders, one level down. */
static void remove_folder(const char *path, int depth) {
    DIR *dir = opendir(path);
    for (struct dirent *at; dir != NULL && (at = readdir(dir)) != NULL;) {
        char *inner;
        if (strcmp(at->d_name, ".") == 0 || strcmp(at->d_name, "..") == 0 ||
            asprintf(&inner, "%s/%s", path, at->d_name) < 0)
            continue;
        if (unlink(inner) != 0 && depth > 0)
            remove_folder(inner, depth - 1);
        free(inner);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

/* Asks it to end; a leak that a sanitizer saw shows in how it does. */
static bool end(child *one) {
    int status = 0;
    if (one->pid == 0)
        return true;
    kill(one->pid, SIGTERM);
    if (child_wait(one, &status, END_SECONDS_MAX) && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0)
        return true;
    child_print_log(one);
    printf("NOT SO: %s ended with status %#x\n", one->name, (unsigned)status);
    child_stop(one);
    return false;
}

static bool end_services(click_stage *stage) {
    bool well = true;
    for (size_t i = 0; i < STAGE_SERVICES; i++)
        well = end(&stage->services[i]) && well;
    return well;
}

bool stage_close(click_stage *stage) {
    bool well = end(&stage->nginx);
    well = end_services(stage) && well;
    well = end(&stage->store) && well;
    remove_folder(stage->dir, 1);
    return well;
}

bool stage_restart_services(click_stage *stage, uint32_t wait_ms) {
    bool well = end_services(stage);
    stage->wait_ms = wait_ms;
    return start_services(stage) && well;
}

const char *stage_revive(click_stage *stage) {
    static const char *const names[STAGE_SERVICES] = {"a", "b"};
    int status;
    for (int step = 0; step < DEATH_SECONDS_MAX * 100; step++) {
        for (size_t i = 0; i < STAGE_SERVICES; i++)
            if (child_ended(&stage->services[i], &status))
                return start_service(stage, i) ? names[i] : NULL;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return NULL;
}

unsigned stage_rows(const click_stage *stage, const char *key) {
    char line[1024];
    unsigned rows = 0;
    size_t len = strlen(key);
    FILE *ledger = fopen(stage->ledger_path, "re");
    while (ledger != NULL && fgets(line, sizeof line, ledger))
        rows += strncmp(line, key, len) == 0 && line[len] == '@';
    if (ledger != NULL)
        fclose(ledger);
    return rows;
}

void stage_print_logs(const click_stage *stage) {
    child_print_log(&stage->store);
    for (size_t i = 0; i < STAGE_SERVICES; i++)
        child_print_log(&stage->services[i]);
    child_print_log(&stage->nginx);
}
