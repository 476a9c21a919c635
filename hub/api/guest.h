/* guest.h - paths of the API's port that another part of the hub answers: /console and what is
 * below it. The request, its user, its record and its refusals are the API's (internal.h). */
#ifndef FEDLET_HUB_API_GUEST_H
#define FEDLET_HUB_API_GUEST_H

#include "hub/api/internal.h"

struct hub_api_guest {
    void *ctx;
    /* Whom a cookie of the request names: sets r->user and r->by_session. FED_ERR_NOT_FOUND when
     * it names nobody; any other error after hub_fail. */
    enum fed_err (*session)(void *ctx, struct hub_request *r);
    /* Answers /console and what is below it; nothing was authenticated yet. As a handler of the
     * API. */
    enum fed_err (*handle)(void *ctx, struct hub_request *r);
    /* Told of each answer of its paths, refusals included. */
    void (*answered)(void *ctx, const struct hub_request *r, unsigned code);
    /* As fed_http_closed, for every exchange of the port. */
    void (*closed)(void *ctx, struct fed_http_exchange *exchange);
};
/* guest outlives the API, or is taken away before: NULL. */
void hub_api_set_guest(struct hub_api *api, const struct hub_api_guest *guest);

/* ---- for a guest's handler ---- */
/* Who asks, also as whom (Impersonate-*): r->user. Nothing is allowed yet. */
FED_MUST_USE enum fed_err hub_identify_request(struct hub_request *r);
/* Whether r->user has that right; else the 403 (401) that names it. The request is authorized with
 * it, and recorded so. */
FED_MUST_USE enum fed_err hub_require(struct hub_request *r, const struct hub_access *access);
/* For what needs no rule: its own session. */
FED_MUST_USE enum fed_err hub_require_user(struct hub_request *r);
/* Where RoleBindings name the user, as hub_rbac_namespaces_of. */
void hub_user_namespaces(const struct hub_api *api, const struct hub_user *user,
    hub_rbac_namespace_each *each, void *ctx);
/* Whether that is the chain of the last record that was written; empty: that none was. */
bool hub_audit_ends_with(const struct hub_api *api, const struct hub_chain *chain);
/* 403 when a browser says that a page of another origin sends this (Fetch Metadata's
 * Sec-Fetch-Site; without it RFC 6454's Origin beside Host). Who is no browser says neither. */
FED_MUST_USE enum fed_err hub_check_same_site(struct hub_request *r);

#endif
