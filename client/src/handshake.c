/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c -- see handshake.h. Here and only here the blocking client waits
 * for something other than the answer to a call. */
#include "client/src/handshake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/src/error.h"
#include "client/src/port.h"
#include "client/src/race.h"
#include "client/src/stranger.h"

/* Nobody who speaks is silent for so long, save over a slow line. */
#define SILENT_MS 250u

bool idem__random(void *to, size_t len) {
#if !IDEM_LINUX
    return getentropy(to, len) == 0;
#else
    ssize_t got = -1;
    do
        got = getrandom(to, len, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)len;
#endif
}

static int fail_handshake(const idem__handshake *handshake, idem_error *err,
                          int os_error, const char *why) {
    const char *name = handshake->endpoint->name;
    idem__fail_at(err, IDEM_E_CONNECT,
                  (idem__where){.endpoint = name, .os_error = os_error},
                  "can't connect to %s: %s", name, why);
    return -1;
}

static int fail_lookup(const idem__handshake *handshake, idem_error *err,
                       const char *why) {
    const char *name = handshake->endpoint->name;
    idem__fail_at(err, IDEM_E_CONNECT, (idem__where){.endpoint = name},
                  "the host of %s is not known: %s; check the name", name, why);
    return -1;
}

/* Sends what is queued; false with errno. */
static bool send_handshake(int fd, idem__wire *wire, idem__seal *seal,
                           uint64_t deadline_ms) {
    for (;;) {
        if (!idem__seal_fill(seal, wire)) {
            errno = ENOMEM;
            return false;
        }
        idem__buffer *out = idem__seal_out(seal, wire);
        if (idem__buffer_len(out) == 0)
            return true;
        ssize_t sent = send(fd, out->bytes + out->at, idem__buffer_len(out),
                            IDEM__NOSIGNAL);
        if (sent > 0) {
            idem__seal_sent(seal, wire, (size_t)sent);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (idem__left_ms(deadline_ms) <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        idem__poll(fd, POLLOUT, idem__left_ms(deadline_ms));
    }
}

/* The other side has ended, or what came is no TLS. */
static idem__heard ended(idem__seal *seal, idem__opened opened) {
    errno = 0;
    if (opened == IDEM__OPENED_FAILED || !idem__seal_eof(seal))
        return IDEM__HEARD_NO_TLS;
    return IDEM__HEARD_FAILED;
}

/* Reads until the answer is whole; hands are shaken meanwhile. */
static idem__heard hear_reply(int fd, idem__wire *wire, idem__seal *seal,
                              uint64_t deadline_ms, idp_reply *reply) {
    idem__opened opened = IDEM__OPENED;
    for (;;) {
        idem__op *op = NULL;
        switch (idem__wire_next(wire, &op, reply)) {
        case IDEM__NEXT_REPLY:
            return IDEM__HEARD_REPLY;
        case IDEM__NEXT_BROKEN:
            return IDEM__HEARD_STRANGER;
        case IDEM__NEXT_NONE:
            break;
        }
        if (opened != IDEM__OPENED)
            return ended(seal, opened);
        if (idem__seal_is_on(seal))
            (void)send_handshake(fd, wire, seal, deadline_ms);
        size_t room = 0;
        uint8_t *to = idem__seal_room(seal, wire, &room);
        if (to == NULL) {
            errno = ENOMEM;
            return IDEM__HEARD_FAILED;
        }
        if (!idem__poll(fd, POLLIN, idem__left_ms(deadline_ms)) &&
            idem__left_ms(deadline_ms) <= 0) {
            errno = ETIMEDOUT;
            return IDEM__HEARD_FAILED;
        }
        ssize_t got = recv(fd, to, room, 0);
        if (got == 0)
            return ended(seal, IDEM__OPENED);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return IDEM__HEARD_FAILED;
        if (got > 0)
            opened = idem__seal_came(seal, wire, (size_t)got);
    }
}

idem__heard idem__handshake_exchange(int fd, idem__wire *wire, idem__seal *seal,
                                     uint64_t deadline_ms, idp_reply *reply) {
    if (send_handshake(fd, wire, seal, deadline_ms))
        return hear_reply(fd, wire, seal, deadline_ms, reply);
    int why = errno; /* it may have said why before it closed */
    idem__heard heard = hear_reply(fd, wire, seal, 0, reply);
    if (heard == IDEM__HEARD_REPLY || heard == IDEM__HEARD_NO_TLS)
        return heard;
    errno = why;
    return IDEM__HEARD_FAILED;
}

int32_t idem__handshake_silent(const char *name, int why, idem_error *err) {
    const char *words = strerror(why);
    if (why == 0 || why == ECONNRESET)
        words = "it closed the connection before it said a word; is that "
                "idemstored, or another program?";
    else if (why == ETIMEDOUT)
        words = "it takes connections and says nothing; is that idemstored, "
                "or another program?";
    return idem__fail_at(
        err, IDEM_E_CONNECT,
        (idem__where){.endpoint = name, .os_error = why == ETIMEDOUT ? 0 : why},
        "can't talk to %s: %s", name, words);
}

int32_t idem__handshake_stranger(const char *name, const char *kind,
                                 idem_error *err) {
    return idem__fail_at(err, IDEM_E_CONNECT, (idem__where){.endpoint = name},
                         "something listens at %s and does not speak "
                         "idemstore's protocol%s; check the port",
                         name, kind);
}

int32_t idem__handshake_read(const char *name, const idp_reply *reply,
                             idp_hello *hello, idem_error *err) {
    if (reply->is_error)
        return idem__fail_reply(err, name, reply);
    if (idp_hello_read(reply->result, hello) && hello->shards > 0 &&
        hello->shards <= IDP_SHARDS_MAX)
        return 0;
    return idem__fail_at(
        err, IDEM_E_CONNECT, (idem__where){.endpoint = name},
        "%s says hello in words that this version does not know", name);
}

/* Where one try must do, whoever is silent is asked whether it is Redis. NULL
 * and *what: it is not, or spoke. */
static const char *ask_kind(const idem__handshake *handshake, idem__wire *wire,
                            int fd, idp_reply *reply, idem__heard *what) {
    uint64_t deadline_ms = handshake->deadline_ms;
    uint64_t patient_ms = idem_now_ms() + SILENT_MS;
    const char *kind = NULL;
    if (handshake->uri->connect_rounds > 0 && patient_ms < deadline_ms &&
        !idem__seal_is_on(handshake->seal))
        deadline_ms = patient_ms;
    *what =
        idem__handshake_exchange(fd, wire, handshake->seal, deadline_ms, reply);
    if (*what != IDEM__HEARD_FAILED || errno != ETIMEDOUT ||
        deadline_ms == handshake->deadline_ms)
        return NULL;
    kind = idem__stranger_ask(fd, handshake->deadline_ms);
    if (kind == NULL)
        *what = idem__handshake_exchange(fd, wire, handshake->seal,
                                         handshake->deadline_ms, reply);
    return kind;
}

/* 0, or the code that err was filled with. */
static int32_t exchange_handshake(const idem__handshake *handshake,
                                  idem__wire *wire, int fd, idp_hello *hello,
                                  idem_error *err) {
    const char *name = handshake->endpoint->name;
    idem__op op = {.deadline_ms = UINT64_MAX};
    idp_reply reply = {0};
    idem__heard what;
    idem__hello_args args =
        idem__hello_args_of(handshake->uri, handshake->shard);
    if (!idem__seal_begin(handshake->seal, handshake->uri,
                          handshake->endpoint) ||
        idem__wire_hello(wire, &op, &args) != 0)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    const char *kind = ask_kind(handshake, wire, fd, &reply, &what);
    int why = errno;
    if (op.pending)
        idem__calls_remove(&wire->calls, &op);
    if (kind == NULL && what == IDEM__HEARD_STRANGER)
        kind = idem__stranger_kind(wire->in.bytes + wire->in.at,
                                   idem__buffer_len(&wire->in));
    if (kind != NULL)
        return idem__handshake_stranger(name, kind, err);
    if (what == IDEM__HEARD_NO_TLS)
        return idem__seal_fail(handshake->seal, name, err);
    if (what == IDEM__HEARD_FAILED && wire->said != 0)
        return idem__fail_said(err, name, wire->said, wire->said_text);
    if (what == IDEM__HEARD_FAILED)
        return idem__handshake_silent(name, why, err);
    return idem__handshake_read(name, &reply, hello, err);
}

/* When an address that is connected must have answered: one that says nothing
 * leaves the others their share. */
static uint64_t handshake_end_ms(const idem__race *race) {
    uint64_t now_ms = idem_now_ms();
    if (now_ms >= race->deadline_ms)
        return race->deadline_ms;
    return now_ms + (race->deadline_ms - now_ms) / (idem__race_left(race) + 1);
}

/* The first address that connects and answers; -1 with err filled. */
static int handshake_any(const idem__handshake *handshake, idem__race *race,
                         idem__wire *wire, idp_hello *hello, idem_error *err) {
    for (;;) {
        uint32_t at = 0;
        int fd = idem__race_next(race, &at);
        if (fd < 0)
            return err->code != 0 ? -1
                                  : fail_handshake(handshake, err, race->error,
                                                   strerror(race->error));
        idem__handshake one = *handshake;
        one.deadline_ms = handshake_end_ms(race);
        int32_t code = exchange_handshake(&one, wire, fd, hello, err);
        if (code == 0) {
            *handshake->good = race->addrs[at];
            return fd;
        }
        idem__seal_hang_up(handshake->seal, fd);
        if (code != IDEM_E_CONNECT || idem__race_left(race) == 0)
            return -1;
        idem__wire_reset(wire);
    }
}

int idem__handshake_server(const idem__handshake *handshake, idem__wire *wire,
                           idp_hello *hello, idem_error *err) {
    idem__addr addrs[IDEM__ADDRS_MAX];
    idem__race race;
    const char *why = NULL;
    uint32_t count = idem__lookup_addrs(handshake->lookup, handshake->endpoint,
                                        handshake->deadline_ms, addrs, &why);
    if (count == 0)
        return fail_lookup(handshake, err, why);
    idem__addrs_prefer(addrs, count, handshake->good);
    idem__race_begin(&race, addrs, count, handshake->deadline_ms);
    int fd = handshake_any(handshake, &race, wire, hello, err);
    idem__race_end(&race);
    if (fd < 0)
        return -1;
    idem__wire_set_hello(wire, hello);
    idem__wire_reset(wire);
    return fd;
}
