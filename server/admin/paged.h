/* SPDX-License-Identifier: Apache-2.0 */
/* paged.h -- what is shown a page at a time: a walk of `list`, a watcher of
 * `events`.
 *
 * Each is one credential's, looks for some keys, and shows of them what its
 * viewer may read as of now. Its cursor names it and the page: who asks for the
 * page that it was given last gets that again, since an answer may be lost.
 * Whoever keeps some of these has a lock for them. */
#ifndef IDS_PAGED_H
#define IDS_PAGED_H

#include "proto/request.h"
#include "server/access/credentials.h"

#define IDS_CURSOR_BYTES 26

/* Who asks, as of now: a version of the credentials and a user of it, or
 * neither. */
typedef struct ids_viewer {
    ids_credentials *version;
    const ids_user *user;
    uint64_t now_ms;
} ids_viewer;

typedef struct ids_paged {
    uint64_t id; /* 0: there is none */
    uint32_t page;
    bool is_busy; /* a page is under way, since used_ms */
    uint64_t used_ms;
    /* Of who asks, held while a page is under way; NULL then: it may see all.
     * None is made at any other time. */
    ids_credentials *version;
    const ids_user *user;
    char owner[IDP_USER_BYTES_MAX + 1];
    bool has_ns;
    uint8_t ns_len;
    uint16_t prefix_len;
    uint8_t ns[IDP_NS_BYTES_MAX];
    uint8_t prefix[IDP_KEY_BYTES_MAX];
} ids_paged;

/* A new one of the viewer's, with a name that nobody guesses, for the keys that
 * the request names. */
void ids_paged_begin(ids_paged *paged, const idp_request *request,
                     const ids_viewer *viewer);

bool ids_paged_is_of(const ids_paged *paged, const ids_viewer *viewer);

/* A page is under way, for whom the viewer is now; it was made, or refused. */
void ids_paged_work(ids_paged *paged, const ids_viewer *viewer);
void ids_paged_rest(ids_paged *paged);

/* It, to be looked at without the lock while its page is under way; drop the
 * copy. */
ids_paged ids_paged_copy(const ids_paged *paged);
void ids_paged_drop(ids_paged *paged);

/* Whether it looks for this key, and its viewer may read it. */
bool ids_paged_shows(const ids_paged *paged, idp_slice ns, idp_slice key);

/* A cursor: 16 digits that name something, a point and the page's number.
 * False: it is none. */
bool ids_cursor_read(idp_slice cursor, uint64_t *id, uint32_t *page);

/* Whoever has page's cursor asks for what comes after it: the next page, or the
 * one that he was given last again, or what is behind. */
typedef enum ids_page_asked {
    IDS_PAGE_NEXT,
    IDS_PAGE_AGAIN,
    IDS_PAGE_BEHIND
} ids_page_asked;
ids_page_asked ids_paged_ask(ids_paged *paged, uint32_t page);

/* A page was made, and this is the cursor of what comes after it. */
void ids_paged_went(ids_paged *paged, char cursor[static IDS_CURSOR_BYTES]);

#endif
