/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.c -- see stranger.h. */
#include "client/src/stranger.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "client/include/idemclient.h"
#include "client/src/port.h"
#include "client/src/socket.h"

#define REDIS " (Redis, it seems)"

const char *idem__stranger_kind(const uint8_t *words, size_t len) {
    static const struct {
        const char *begins;
        const char *kind;
    } known[] = {{"HTTP/", " (a web server, it seems)"},
                 {"<", " (a web server, it seems)"},
                 {"+PONG", REDIS},
                 {"-ERR", REDIS},
                 {"-NOAUTH", REDIS},
                 {"-DENIED", REDIS},
                 {"ERROR", " (memcached, it seems)"},
                 {"SSH-", " (an SSH server, it seems)"},
                 {"220", " (a mail or FTP server, it seems)"},
                 {"\x15\x03", " (it speaks TLS: write idems://)"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t want = strlen(known[i].begins);
        if (len >= want && memcmp(words, known[i].begins, want) == 0)
            return known[i].kind;
    }
    return "";
}

static int dial_beside(int fd, uint64_t deadline_ms) {
    idem__addr addr = {.len = sizeof addr.storage};
    if (getpeername(fd, (struct sockaddr *)&addr.storage, &addr.len) != 0)
        return -1;
    int beside = idem__dial(&addr);
    if (beside >= 0 &&
        idem__poll(beside, POLLOUT, idem__left_ms(deadline_ms)) &&
        idem__dial_error(beside) == 0)
        return beside;
    if (beside >= 0)
        idem__hang_up(beside);
    return -1;
}

const char *idem__stranger_ask(int fd, uint64_t deadline_ms) {
    static const char line[] = "PING\r\n";
    uint8_t words[64];
    ssize_t got = -1;
    int beside = dial_beside(fd, deadline_ms);
    if (beside < 0)
        return NULL;
    if (send(beside, line, sizeof line - 1, IDEM__NOSIGNAL) > 0 &&
        idem__poll(beside, POLLIN, idem__left_ms(deadline_ms)))
        got = recv(beside, words, sizeof words, 0);
    idem__hang_up(beside);
    if (got <= 0 || memmem(words, (size_t)got, "idemstore", 9) != NULL)
        return NULL;
    const char *kind = idem__stranger_kind(words, (size_t)got);
    return strcmp(kind, REDIS) == 0 ? kind : NULL;
}
