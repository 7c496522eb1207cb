/* SPDX-License-Identifier: Apache-2.0 */
/* mail.c -- what stands in a parcel: headers, each with its bytes behind it.
 */
#include "server/mail.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(ids_mail) == 32, "a header is half a cache line");

static size_t padded(size_t bytes) {
    return (bytes + 7) & ~(size_t)7;
}

uint8_t *ids_mail_append(ids_parcel *parcel, const ids_mail *mail,
                         const uint8_t *body) {
    ids_bytes *to = &parcel->mail;
    size_t size = sizeof *mail + padded(mail->body_bytes);
    if (!ids_bytes_reserve(to, size))
        return NULL;
    uint8_t *at = to->ptr + to->len;
    memcpy(at, mail, sizeof *mail);
    if (body)
        memcpy(at + sizeof *mail, body, mail->body_bytes);
    to->len += size;
    return at + sizeof *mail;
}

void ids_mail_trim(ids_parcel *parcel, const uint8_t *body,
                   uint32_t body_bytes) {
    size_t at = (size_t)(body - parcel->mail.ptr);
    uint8_t *header = parcel->mail.ptr + at - sizeof(ids_mail);
    assert(at + body_bytes <= parcel->mail.len);
    memcpy(header + offsetof(ids_mail, body_bytes), &body_bytes,
           sizeof body_bytes);
    parcel->mail.len = at + padded(body_bytes);
}

void ids_mail_rewrite(uint8_t *body, const ids_mail *mail) {
    memcpy(body - sizeof *mail, mail, sizeof *mail);
}

bool ids_mail_next(const ids_parcel *parcel, size_t *at, ids_mail *mail,
                   uint8_t **body) {
    const ids_bytes *from = &parcel->mail;
    if (*at == from->len)
        return false;
    assert(from->len - *at >= sizeof *mail);
    memcpy(mail, from->ptr + *at, sizeof *mail);
    *body = from->ptr + *at + sizeof *mail;
    *at += sizeof *mail + padded(mail->body_bytes);
    assert(*at <= from->len);
    return true;
}
