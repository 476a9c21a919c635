/* watch_right.c - whether the user of a watch may still be told.
 *
 * A request is judged when it comes, and a watch may last for hours: whoever was taken off would go
 * on reading. So each watch is looked at from time to time, by what it rested on when it began; the
 * token itself is not kept. */
#include "hub/api/watch.h"

static enum fed_err keep(struct hub_watch *w, struct fed_span text, struct fed_span *out)
{
    uint8_t *copy = fed_alloc_get(&w->arena.alloc, text.len + 1);

    if (!copy)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = text.at[i];
    *out = fed_span_of(copy, text.len);
    return FED_OK;
}

enum fed_err hub_watch_right_keep(struct hub_watch *w, const struct hub_request *r)
{
    const struct hub_user *user = &r->user;
    enum fed_err err = keep(w, r->access.name, &w->allowed_name);

    if (!err)
        err = keep(w, fed_span_text(user->uid), &w->uid);
    if (!err && user->n_groups > 0)
        w->groups = fed_alloc_array(&w->arena.alloc, user->n_groups, sizeof *w->groups);
    if (!err && user->n_groups > 0 && !w->groups)
        err = FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < user->n_groups; i++) {
        err = keep(w, fed_span_text(user->groups[i]), &w->groups[i]);
        if (!err)
            w->n_groups++;
    }
    return err;
}

static enum fed_err user_of(const struct hub_watch *w, struct hub_user *out)
{
    enum fed_err err = hub_user_set_name(out, fed_span_text(w->watcher->name));

    for (size_t i = 0; !err && i < w->n_groups; i++)
        err = hub_user_add_group(out, w->groups[i]);
    return err;
}

/* Of somebody else, or of one who acts as a ServiceAccount, there is no uid. */
static bool account_is_there(const struct hub_watch *w)
{
    struct hub_api *api = w->owner->api;
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT("serviceaccounts")};
    struct fed_json_doc *doc;
    struct fed_json *account;
    uint64_t revision;
    bool there = true;
    enum fed_err err;

    if (w->uid.len == 0 ||
        !hub_user_service_account(fed_span_text(w->watcher->name), &ref.ns, &ref.name) ||
        fed_json_doc_new(api->mem, &doc))
        return true;
    err = hub_object_load(api, doc, &ref, &account, &revision);
    if (err == FED_ERR_NOT_FOUND)
        there = false;
    else if (!err)
        there = fed_span_eq(hub_meta(account, "uid"), w->uid) &&
                hub_meta(account, "deletionTimestamp").len == 0;
    fed_json_doc_free(doc);
    return there;
}

bool hub_watch_right_holds(const struct hub_watch *w)
{
    struct hub_api *api = w->owner->api;
    struct hub_user *user = fed_alloc_zero(api->mem, sizeof *user);
    struct hub_access access = {.verb = FED_SPAN_LIT("watch"),
        .group = w->group,
        .resource = w->plural,
        .ns = w->ns,
        .name = w->allowed_name};
    bool holds = true;

    if (user && !user_of(w, user))
        holds = account_is_there(w) && hub_api_authorize(api, user, &access, NULL);
    fed_alloc_free(api->mem, user, sizeof *user);
    return holds;
}
