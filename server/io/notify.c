/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c -- one datagram to the service manager. */
#include "server/io/notify.h"

#include "server/base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READY_WAIT_S 5

/* False: nothing that can be sent to. */
static bool read_socket_name(const char *name, struct sockaddr_un *to,
                             socklen_t *len) {
    size_t bytes = strlen(name);
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || bytes < 2 ||
        bytes >= sizeof to->sun_path)
        return false;
    memcpy(to->sun_path, name, bytes);
    if (name[0] == '@')
        to->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    return true;
}

static int say_to_manager(const struct sockaddr_un *to, socklen_t to_len,
                          const char *text, int flags) {
    const struct timeval wait = {.tv_sec = READY_WAIT_S};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    ssize_t sent = sendto(fd, text, strlen(text), flags | MSG_NOSIGNAL,
                          (const struct sockaddr *)to, to_len);
    int error = sent < 0 ? errno : 0;
    close(fd);
    return error;
}

static void notify(const char *text, int flags) {
    struct sockaddr_un to;
    socklen_t len;
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name || !*name)
        return;
    const char *reason = "neither a path nor an abstract name";
    if (read_socket_name(name, &to, &len)) {
        int error = say_to_manager(&to, len, text, flags);
        if (!error)
            return;
        reason = strerror(error);
    }
    ids_log(IDS_LOG_WARN, "the service manager can't be told",
            "notify_socket=\"%s\" reason=\"%s\"", name, reason);
}

void ids_notify_ready(void) {
    notify("READY=1\nSTATUS=serving\n", 0);
}

void ids_notify_reloading(void) {
    char text[96];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text,
             "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading settings\n",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify(text, MSG_DONTWAIT);
}

void ids_notify_reloaded(void) {
    notify("READY=1\nSTATUS=serving\n", MSG_DONTWAIT);
}

void ids_notify_stopping(void) {
    notify("STOPPING=1\nSTATUS=draining\n", MSG_DONTWAIT);
}
