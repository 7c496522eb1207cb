/* SPDX-License-Identifier: Apache-2.0 */
/* who.c -- see who.h. */
#include "server/worker/who.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void undress(ids_who *who) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (who->family != AF_INET6 ||
        memcmp(who->address, mapped, sizeof mapped) != 0)
        return;
    memmove(who->address, who->address + sizeof mapped, 4);
    memset(who->address + 4, 0, sizeof mapped);
    who->family = AF_INET;
}

bool ids_who_read(ids_who *who, const char *address) {
    *who = (ids_who){.family = strchr(address, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(who->family, address, who->address) != 1) {
        *who = (ids_who){0};
        return false;
    }
    undress(who);
    return true;
}

bool ids_who_is_local(const ids_who *who) {
    static const uint8_t last[16] = {[15] = 1};
    if (who->family == AF_INET)
        return who->address[0] == 127;
    return who->family == AF_UNIX ||
           (who->family == AF_INET6 &&
            memcmp(who->address, last, sizeof last) == 0);
}

void ids_who_set(ids_who *who, int fd, const struct sockaddr *from) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
    struct ucred other;
    socklen_t len = sizeof other;
    who->family = (uint8_t)from->sa_family;
    if (from->sa_family == AF_INET) {
        memcpy(who->address, &in->sin_addr, 4);
        who->port = ntohs(in->sin_port);
    } else if (from->sa_family == AF_INET6) {
        memcpy(who->address, &in6->sin6_addr, 16);
        who->port = ntohs(in6->sin6_port);
        undress(who);
    } else if (from->sa_family == AF_UNIX &&
               getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &len) == 0) {
        who->pid = (uint32_t)other.pid;
        who->is_own_user = other.uid == 0 || other.uid == geteuid();
    }
}

void ids_who_name(ids_who *who, idp_slice client) {
    char *text = client.len > 0 ? malloc(4 * client.len + 1) : NULL;
    char *to = text;
    if (!text)
        return;
    for (size_t i = 0; i < client.len; i++) {
        uint8_t c = client.ptr[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            to += sprintf(to, "\\x%02x", c);
        else
            *to++ = (char)c;
    }
    *to = '\0';
    free(who->client);
    who->client = text;
}

void ids_who_fini(ids_who *who) {
    free(who->client);
    who->client = NULL;
}

ids_source ids_who_source(const ids_who *who) {
    ids_source source = {{0}};
    source.bytes[15] = who->family;
    if (who->family == AF_INET)
        memcpy(source.bytes, who->address, 4);
    else if (who->family == AF_INET6)
        memcpy(source.bytes, who->address, 8);
    return source;
}

void ids_who_host(const ids_who *who, char to[static IDS_WHO_FROM_BYTES]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (who->family == AF_UNIX)
        snprintf(to, IDS_WHO_FROM_BYTES, "unix:pid-%u", who->pid);
    else if (who->family == AF_INET6)
        snprintf(to, IDS_WHO_FROM_BYTES, "[%s]",
                 inet_ntop(AF_INET6, who->address, host, sizeof host));
    else if (who->family == AF_INET)
        snprintf(to, IDS_WHO_FROM_BYTES, "%s",
                 inet_ntop(AF_INET, who->address, host, sizeof host));
    else
        snprintf(to, IDS_WHO_FROM_BYTES, "?");
}

void ids_who_from(const ids_who *who, char to[static IDS_WHO_FROM_BYTES]) {
    ids_who_host(who, to);
    size_t len = strlen(to);
    if (who->family == AF_INET || who->family == AF_INET6)
        snprintf(to + len, IDS_WHO_FROM_BYTES - len, ":%u", who->port);
}

/* from=127.0.0.1:4711 client="till 3": two fields of a log line. */
#define WHO_TEXT_BYTES 640
static void who_text(const ids_who *who, char text[static WHO_TEXT_BYTES]) {
    char from[IDS_WHO_FROM_BYTES];
    ids_who_from(who, from);
    snprintf(text, WHO_TEXT_BYTES, "from=%s client=\"%.512s\"", from,
             who->client ? who->client : "");
}

void ids_log_who(ids_log_level level, const char *msg, const ids_who *who,
                 const char *reason) {
    char text[WHO_TEXT_BYTES];
    if (!ids_log_wants(level))
        return;
    who_text(who, text);
    ids_log(level, msg, "%s reason=\"%s\"", text, reason);
}
