/* SPDX-License-Identifier: Apache-2.0 */
/* authority.c -- see authority.h. A test of TLS' cost needs no more than what
 * the command line makes, and so nothing here links OpenSSL. */
#include "bench/authority.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it in the folder, its words unheard. */
static bool run_openssl(const char *folder, char *const *argv) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (chdir(folder) == 0)
            execvp(argv[0], argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

#define NEW_CERT                                                        \
    "openssl", "req", "-x509", "-days", "1", "-nodes", "-newkey", "ec", \
        "-pkeyopt", "ec_paramgen_curve:P-256"

const char *idb_authority_make(const char *folder, char *why, size_t cap) {
    static char *const authority[] = {NEW_CERT,
                                      "-subj",
                                      "/CN=idembench authority",
                                      "-addext",
                                      "basicConstraints=critical,CA:TRUE",
                                      "-keyout",
                                      "ca.key",
                                      "-out",
                                      "ca.pem",
                                      NULL};
    static char *const server[] = {NEW_CERT,
                                   "-subj",
                                   "/CN=idembench server",
                                   "-addext",
                                   "subjectAltName=IP:127.0.0.1",
                                   "-addext",
                                   "basicConstraints=critical,CA:FALSE",
                                   "-CA",
                                   "ca.pem",
                                   "-CAkey",
                                   "ca.key",
                                   "-keyout",
                                   "server.key",
                                   "-out",
                                   "server.pem",
                                   NULL};
    if (run_openssl(folder, authority) && run_openssl(folder, server))
        return NULL;
    snprintf(why, cap,
             "no certificate can be made for /tls: is openssl 3 (the program) "
             "installed?");
    return why;
}
