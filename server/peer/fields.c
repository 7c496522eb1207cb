/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c -- see fields.h. Write and read stand side by side. Pure. */
#include "server/peer/fields.h"

#include "server/base/pack.h"

#include <assert.h>
#include <string.h>

uint8_t *ids_field_put(uint8_t *at, ids_field_tag tag, const void *bytes,
                       size_t len) {
    assert(len <= UINT16_MAX);
    ids_put_u16(at, (uint16_t)tag);
    ids_put_u16(at + 2, (uint16_t)len);
    if (len > 0)
        memcpy(at + IDS_FIELD_HEAD_BYTES, bytes, len);
    return at + IDS_FIELD_HEAD_BYTES + len;
}

static bool knows(unsigned tag) {
    return (tag >= IDS_FIELD_MEMBER && tag <= IDS_FIELD_ORIGIN) ||
           tag == IDS_FIELD_HTTP || tag == IDS_FIELD_PROOF;
}

ids_fields_fault ids_fields_read(idp_slice map, ids_fields *fields) {
    size_t at = 0;
    *fields = (ids_fields){.at = {{NULL, 0}}};
    while (at < map.len) {
        const uint8_t *head = map.ptr + at;
        if (map.len - at < IDS_FIELD_HEAD_BYTES ||
            map.len - at - IDS_FIELD_HEAD_BYTES < ids_get_u16(head + 2))
            return IDS_FIELDS_BROKEN;
        unsigned tag = ids_get_u16(head) & ~IDS_FIELD_NEEDED;
        bool is_known = knows(tag);
        assert(!is_known || tag < IDS_FIELD_COUNT);
        if (!is_known && (ids_get_u16(head) & IDS_FIELD_NEEDED))
            return IDS_FIELDS_NEEDED;
        if (is_known && fields->at[tag].ptr != NULL)
            return IDS_FIELDS_BROKEN;
        if (is_known)
            fields->at[tag] =
                (idp_slice){head + IDS_FIELD_HEAD_BYTES, ids_get_u16(head + 2)};
        at += IDS_FIELD_HEAD_BYTES + ids_get_u16(head + 2);
    }
    assert(at == map.len);
    return IDS_FIELDS_OK;
}

bool ids_field_u64(const ids_fields *fields, ids_field_tag tag, size_t index,
                   uint64_t *to) {
    const idp_slice *field = &fields->at[tag];
    assert(tag < IDS_FIELD_COUNT);
    assert(field->len == 0 || field->ptr != NULL);
    if (field->len < 8 * (index + 1))
        return false;
    *to = ids_get_u64(field->ptr + 8 * index);
    return true;
}
