/* SPDX-License-Identifier: Apache-2.0 */
/* paged.c -- see paged.h. */
#include "server/admin/paged.h"

#include <sodium.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the digits that a cursor has. */
#define PAGE_MAX 99999999u

/* Whose it is -------------------------------------------------------------- */

static const char *viewer_name(const ids_viewer *viewer) {
    return viewer->user ? viewer->user->name : "";
}

void ids_paged_begin(ids_paged *paged, const idp_request *request,
                     const ids_viewer *viewer) {
    *paged = (ids_paged){.has_ns = request->ns.ptr != NULL,
                         .ns_len = (uint8_t)request->ns.len,
                         .prefix_len = (uint16_t)request->key.len};
    assert(request->ns.len <= sizeof paged->ns);
    assert(request->key.len <= sizeof paged->prefix);
    if (request->ns.ptr)
        memcpy(paged->ns, request->ns.ptr, request->ns.len);
    if (request->key.ptr)
        memcpy(paged->prefix, request->key.ptr, request->key.len);
    snprintf(paged->owner, sizeof paged->owner, "%s", viewer_name(viewer));
    do
        randombytes_buf(&paged->id, sizeof paged->id);
    while (!paged->id);
}

bool ids_paged_is_of(const ids_paged *paged, const ids_viewer *viewer) {
    return strcmp(paged->owner, viewer_name(viewer)) == 0;
}

void ids_paged_work(ids_paged *paged, const ids_viewer *viewer) {
    ids_paged_drop(paged);
    if (viewer->version)
        ids_credentials_hold(viewer->version);
    paged->version = viewer->version;
    paged->user = viewer->user;
    paged->used_ms = viewer->now_ms;
    paged->is_busy = true;
}

void ids_paged_rest(ids_paged *paged) {
    ids_paged_drop(paged);
    paged->is_busy = false;
}

ids_paged ids_paged_copy(const ids_paged *paged) {
    assert(paged->is_busy);
    if (paged->version)
        ids_credentials_hold(paged->version);
    return *paged;
}

void ids_paged_drop(ids_paged *paged) {
    ids_credentials_drop(paged->version);
    paged->version = NULL;
    paged->user = NULL;
}

/* What it shows ------------------------------------------------------------ */

static bool starts_with(idp_slice bytes, const uint8_t *prefix, size_t len) {
    return bytes.len >= len &&
           (len == 0 || memcmp(bytes.ptr, prefix, len) == 0);
}

bool ids_paged_shows(const ids_paged *paged, idp_slice ns, idp_slice key) {
    return (!paged->has_ns || (ns.len == paged->ns_len &&
                               starts_with(ns, paged->ns, paged->ns_len))) &&
           starts_with(key, paged->prefix, paged->prefix_len) &&
           (!paged->user || ids_user_has(paged->user, IDS_GRANT_READ, ns));
}

/* Its cursor --------------------------------------------------------------- */

bool ids_cursor_read(idp_slice cursor, uint64_t *id, uint32_t *page) {
    char text[IDS_CURSOR_BYTES];
    char *end;
    if (cursor.len < 18 || cursor.len >= sizeof text ||
        memchr(cursor.ptr, '\0', cursor.len))
        return false;
    memcpy(text, cursor.ptr, cursor.len);
    text[cursor.len] = '\0';
    if (strspn(text, "0123456789abcdef") != 16 || text[16] != '.' ||
        strspn(text + 17, "0123456789") != cursor.len - 17)
        return false;
    *id = strtoull(text, NULL, 16);
    *page = (uint32_t)strtoul(text + 17, &end, 10);
    return *end == '\0';
}

/* 0 is of who has not been answered. */
static uint32_t page_after(uint32_t page) {
    return page < PAGE_MAX ? page + 1 : 1;
}

ids_page_asked ids_paged_ask(ids_paged *paged, uint32_t page) {
    if (page == paged->page)
        return IDS_PAGE_NEXT;
    if (page_after(page) != paged->page)
        return IDS_PAGE_BEHIND;
    paged->page = page;
    return IDS_PAGE_AGAIN;
}

void ids_paged_went(ids_paged *paged, char cursor[static IDS_CURSOR_BYTES]) {
    ids_paged_rest(paged);
    paged->page = page_after(paged->page);
    snprintf(cursor, IDS_CURSOR_BYTES, "%016" PRIx64 ".%" PRIu32, paged->id,
             paged->page);
}
