/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c -- see policy.h. */
#include "server/http/policy.h"

#include "server/http/chars.h"

#include <strings.h>

/* Authorization: Bearer SECRET. False: it is another scheme. */
static bool read_bearer(idp_slice value, idp_slice *secret) {
    static const char scheme[] = "bearer ";
    size_t len = sizeof scheme - 1;
    if (value.len <= len || !ids_http_is((idp_slice){value.ptr, len}, scheme))
        return false;
    *secret = slice_trim((idp_slice){value.ptr + len, value.len - len});
    return secret->len > 0;
}

/* Without the port behind. */
static idp_slice host_name_of(idp_slice host) {
    size_t end = host.len;
    while (end && is_digit(host.ptr[end - 1]))
        end--;
    if (end && host.ptr[end - 1] == ':' && host.ptr[0] != ':' &&
        (host.ptr[0] == '[' ? end > 1 && host.ptr[end - 2] == ']' : true))
        host.len = end - 1;
    return host;
}

/* Four numbers, or something in brackets. */
static bool is_address(idp_slice name) {
    idp_slice rest = name, part;
    int parts = 0;
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        return true;
    for (; slice_split(&rest, '.', &part); parts++) {
        if (!part.len || part.len > 3)
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!is_digit(part.ptr[i]))
                return false;
    }
    return parts == 4;
}

static bool is_ours(const ids_http_policy *policy, idp_slice host) {
    idp_slice name = host_name_of(host);
    if (!host.ptr || is_address(name) || ids_http_is(name, "localhost"))
        return true; /* none at all: HTTP/1.0, and no browser */
    for (uint32_t i = 0; i < policy->hosts_count; i++)
        if (strlen(policy->hosts[i]) == name.len &&
            strncasecmp(policy->hosts[i], (const char *)name.ptr, name.len) ==
                0)
            return true;
    return false;
}

static bool may_ask_without(const ids_http_policy *policy, bool is_local,
                            idp_slice host, ids_http_problem *problem) {
    if (!is_ours(policy, host))
        return ids_http_refuse(problem, 421, "MISDIRECTED",
                               "without a credential Host is an address, "
                               "localhost, or a name given by --http-host");
    if (policy->demands_secret)
        return ids_http_refuse(problem, 401, "DENIED",
                               "a credential is needed: Authorization: Bearer "
                               "idm_..., or a client certificate that is one");
    if (!is_local)
        return ids_http_refuse(problem, 403, "DENIED",
                               "without --credentials nothing but /healthz and "
                               "/readyz is served beyond this machine");
    return true;
}

/* The page is this host's: the browser says so, or, where it does not trust
 * the host enough to say, its origin is the host that is asked. */
static bool is_own_page(const ids_http_head *head) {
    static const char *const schemes[] = {"http://", "https://"};
    if (head->site != IDS_HTTP_SITE_UNSAID)
        return head->site == IDS_HTTP_SITE_SAME_ORIGIN;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);
        if (head->host.len && head->origin.len == len + head->host.len &&
            memcmp(head->origin.ptr, schemes[i], len) == 0)
            return strncasecmp((const char *)head->origin.ptr + len,
                               (const char *)head->host.ptr,
                               head->host.len) == 0;
    }
    return false;
}

/* One that may lean on what this machine, or the browser, is trusted with. The
 * console has nothing of that: it shows the secret that was typed into it. */
static bool is_foreign_page(const ids_http_head *head, ids_http_from from) {
    bool shows_who = head->authorization.ptr || from.has_cert;
    if (head->site == IDS_HTTP_SITE_CROSS)
        return true;
    return head->origin.ptr && !(shows_who && is_own_page(head));
}

bool ids_http_may_ask(const ids_http_policy *policy, ids_http_from from,
                      ids_http_route route, const ids_http_head *head,
                      idp_slice *secret, ids_http_problem *problem) {
    *secret = (idp_slice){0};
    if (ids_http_is_probe(route))
        return true;
    if (route == IDS_HTTP_CONSOLE)
        return policy->demands_secret ||
               may_ask_without(policy, from.is_local, head->host, problem);
    if (is_foreign_page(head, from))
        return ids_http_refuse(problem, 403, "DENIED",
                               "a page in a browser is no client of this API");
    if (!head->authorization.ptr)
        return from.has_cert ||
               may_ask_without(policy, from.is_local, head->host, problem);
    if (!read_bearer(head->authorization, secret))
        return ids_http_refuse(problem, 401, "DENIED",
                               "Authorization is no Bearer SECRET");
    if (policy->demands_secret)
        return true;
    *secret = (idp_slice){0};
    return from.is_local || from.has_cert ||
           may_ask_without(policy, false, head->host, problem);
}

bool ids_http_may_look(const ids_http_policy *policy, bool is_own_user,
                       ids_http_route route, ids_http_problem *problem) {
    bool looks = route == IDS_HTTP_LIST || route == IDS_HTTP_INSPECT ||
                 route == IDS_HTTP_CLIENTS || route == IDS_HTTP_KILL ||
                 route == IDS_HTTP_BACKUP || route == IDS_HTTP_EVENTS ||
                 ids_http_is_operators(route);
    return !looks || policy->demands_secret || is_own_user ||
           ids_http_refuse(problem, 403, "DENIED",
                           "without --credentials %s is served to root and "
                           "the daemon's own user, through a unix socket",
                           ids_http_routes[route].path);
}
