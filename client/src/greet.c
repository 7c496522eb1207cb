/* greet.c -- see greet.h. Here and only here the blocking client waits for
 * something other than an answer. */
#include "client/src/greet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/src/error.h"
#include "client/src/socket.h"

bool idem__random(void *to, size_t len) {
    return getrandom(to, len, 0) == (ssize_t)len;
}

static int64_t left_ms(const idem__greet *greet) {
    return (int64_t)greet->deadline_ms - (int64_t)idem_now_ms();
}

static int fail(const idem__greet *greet, idem_error *err, int os_error,
                const char *why) {
    const char *name = greet->endpoint->name;
    idem__fail_at(err, IDEM_E_CONNECT,
                  (idem__where){.endpoint = name, .os_error = os_error},
                  "can't connect to %s: %s", name, why);
    return -1;
}

static int dial_one(const idem__greet *greet, const idem__addr *addr) {
    int fd = idem__dial(addr);
    if (fd < 0)
        return -1;
    int error = ETIMEDOUT;
    if (idem__poll(fd, POLLOUT, left_ms(greet)))
        error = idem__dial_error(fd);
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static int dial_any(const idem__greet *greet, idem_error *err) {
    idem__addr addrs[IDEM__ADDRS_MAX];
    const char *why = NULL;
    uint32_t count = idem__resolve(greet->endpoint, addrs, &why);
    if (count == 0)
        return fail(greet, err, 0, why);
    int fd = -1;
    for (uint32_t i = 0; i < count && fd < 0; i++)
        fd = dial_one(greet, &addrs[i]);
    if (fd < 0)
        fail(greet, err, errno, strerror(errno));
    return fd;
}

/* Sends what is queued; false with errno. */
static bool send_out(const idem__greet *greet, idem__wire *wire, int fd) {
    idem__buffer *out = &wire->out;
    while (idem__buffer_len(out) > 0) {
        ssize_t sent =
            send(fd, out->bytes + out->at, idem__buffer_len(out), MSG_NOSIGNAL);
        if (sent > 0) {
            out->at += (size_t)sent;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (left_ms(greet) <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        idem__poll(fd, POLLOUT, left_ms(greet));
    }
    return true;
}

typedef enum heard { HEARD_REPLY, HEARD_FAILED, HEARD_STRANGER } heard;

/* Reads until the greeting's answer is whole. errno on HEARD_FAILED; 0 when
 * the server closed. */
static heard hear(const idem__greet *greet, idem__wire *wire, int fd,
                  idp_reply *reply) {
    for (;;) {
        idem__op *op = NULL;
        switch (idem__wire_next(wire, &op, reply)) {
        case IDEM__NEXT_REPLY:
            return HEARD_REPLY;
        case IDEM__NEXT_BROKEN:
            return HEARD_STRANGER;
        case IDEM__NEXT_NONE:
            break;
        }
        size_t room = 0;
        uint8_t *to = idem__wire_room(wire, &room);
        if (to == NULL) {
            errno = ENOMEM;
            return HEARD_FAILED;
        }
        if (!idem__poll(fd, POLLIN, left_ms(greet)) && left_ms(greet) <= 0) {
            errno = ETIMEDOUT;
            return HEARD_FAILED;
        }
        ssize_t got = recv(fd, to, room, 0);
        if (got == 0)
            errno = 0;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return HEARD_FAILED;
        wire->in.end += got > 0 ? (size_t)got : 0;
    }
}

/* 0, or the code that err was filled with. */
static int32_t exchange(const idem__greet *greet, idem__wire *wire, int fd,
                        idp_hello *hello, idem_error *err) {
    const char *name = greet->endpoint->name;
    idem__op op = {.deadline_ms = UINT64_MAX};
    idp_reply reply = {0};
    idem__greeting greeting = idem__greeting_of(greet->uri, greet->shard);
    if (idem__wire_hello(wire, &op, &greeting) != 0)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    heard what = send_out(greet, wire, fd) ? hear(greet, wire, fd, &reply)
                                           : HEARD_FAILED;
    int why = errno;
    if (op.pending)
        idem__calls_remove(&wire->calls, &op);
    if (what == HEARD_STRANGER)
        return idem__fail_at(err, IDEM_E_CONNECT,
                             (idem__where){.endpoint = name},
                             "what listens at %s does not speak idemstore's "
                             "protocol; check the port",
                             name);
    if (what == HEARD_FAILED) {
        fail(greet, err, why,
             why != 0 ? strerror(why) : "it closed the connection");
        return IDEM_E_CONNECT;
    }
    if (reply.is_error)
        return idem__fail_reply(err, name, &reply);
    if (!idp_hello_read(reply.result, hello) || hello->shards == 0 ||
        hello->shards > IDP_SHARDS_MAX)
        return idem__fail_at(err, IDEM_E_CONNECT,
                             (idem__where){.endpoint = name},
                             "%s greets in words that this version does not "
                             "know",
                             name);
    return 0;
}

int idem__greet_server(const idem__greet *greet, idem__wire *wire,
                       idp_hello *hello, idem_error *err) {
    int fd = dial_any(greet, err);
    if (fd < 0)
        return -1;
    if (exchange(greet, wire, fd, hello, err) != 0) {
        close(fd);
        return -1;
    }
    idem__wire_greeted(wire, hello);
    idem__wire_reset(wire);
    return fd;
}
