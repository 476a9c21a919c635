/* handle_watch.c - a new watch: its options, what it may hold, and what it is told at once. */
#include "hub/api/options.h"
#include "hub/api/watch.h"

#include <stdio.h>
#include <string.h>

#define WATCH_S_MAX 86400u
#define SESSION_WATCH_S 15u
#define WATCH_S_DEFAULT                                                                            \
    1800u                       /* and up to as much again: kube-apiserver's --min-request-timeout \
                                 */
#define WATCH_MEMORY (1u << 20) /* the longest selector that parses takes less */

struct start {
    struct hub_watch *w;
    uint64_t since;
    uint64_t known; /* of what is composed */
    enum fed_err err;
};

static bool start_each(void *ctx, const struct hub_object *object)
{
    struct start *start = ctx;
    struct hub_change change = {
        HUB_CHANGE_ADDED, object->ref, object->bytes, {0}, object->revision};

    hub_watch_change_alone(start->w, &change);
    return start->w->exchange != NULL;
}

static void resume_each(void *ctx, const struct hub_change *change)
{
    struct start *start = ctx;

    if (hub_watch_wants(start->w, &change->ref))
        hub_watch_change_alone(start->w, change);
}

/* Objects whose composed part moved since: their stored bytes are older, so the history does not
 * name them. They are told before what the history names, and as of where the client is: cut in
 * between, it asks for all of it again. What cannot be told ends the watch, and not with a revision
 * from which it would go on without. */
static bool resume_composed(void *ctx, const struct hub_object *object)
{
    struct start *start = ctx;
    struct hub_change change = {
        HUB_CHANGE_TOUCHED, object->ref, object->bytes, object->bytes, object->revision};
    struct hub_view view;
    struct fed_json_doc *doc;
    struct fed_json *tree;
    uint64_t revision = object->revision;

    if (object->revision > start->since || !hub_watch_view(start->w, &view))
        return true;
    start->err = fed_json_doc_new(start->w->owner->api->mem, &doc);
    if (start->err)
        return false;
    start->err = hub_object_view(&view, doc, &object->ref, object->bytes, &revision, &tree, NULL);
    if (!start->err && revision > start->known)
        hub_watch_change_as(start->w, &change, start->since);
    fed_json_doc_free(doc);
    return !start->err && start->w->exchange != NULL;
}

static enum fed_err copy_span(struct hub_watch *w, struct fed_span text, struct fed_span *out)
{
    uint8_t *copy = fed_alloc_get(&w->arena.alloc, text.len + 1);

    if (!copy)
        return FED_ERR_NOMEM;
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    *out = fed_span_of(copy, text.len);
    return FED_OK;
}

/* A watch is not ended with the session of a browser, so one is short, and has to be asked for
 * again: it outlives the session no longer than a stream does its token. Others are apart from each
 * other, so that they do not all come again at once. */
static uint64_t watch_s(const struct hub_request *r)
{
    uint64_t most_s = r->by_session ? SESSION_WATCH_S : WATCH_S_MAX;

    if (r->query.timeout_s == 0)
        return r->by_session ? most_s : WATCH_S_DEFAULT + r->started_us % WATCH_S_DEFAULT;
    return r->query.timeout_s < most_s ? r->query.timeout_s : most_s;
}

static enum fed_err watch_fill(struct hub_watch *w, struct hub_request *r)
{
    struct fed_span name_only = r->path.name;
    enum fed_err err = copy_span(w, r->path.group, &w->group);

    snprintf(w->resource, sizeof w->resource, "%s", r->kind->resource);
    w->form = r->accept.form;
    w->beta = r->accept.beta;
    w->bookmarks = r->query.allow_bookmarks;
    w->bookmark_ms = fed_loop_now_ms(r->api->options.loop);
    /* Thousands that came at once are looked at one after the other. */
    w->checked_ms = w->bookmark_ms - r->started_us % HUB_WATCH_CHECK_MS;
    w->deadline_ms = w->bookmark_ms + watch_s(r) * 1000u;
    if (!err)
        err = hub_watch_right_keep(w, r);
    if (!err)
        err = copy_span(w, r->path.resource, &w->plural);
    if (!err)
        err = copy_span(w, fed_span_text(r->version->name), &w->version);
    if (!err)
        err = copy_span(w, r->path.ns, &w->ns);
    if (!err)
        err = copy_span(w, r->query.include_object, &w->include_object);
    if (!err)
        err = hub_field_selector_parse(r, &w->arena.alloc, r->query.field_selector, &w->fields);
    if (!err && name_only.len > 0 && w->fields.n < HUB_FIELD_TERMS_MAX) {
        w->fields.terms[w->fields.n].path = FED_SPAN_LIT("metadata.name");
        err = copy_span(w, name_only, &w->fields.terms[w->fields.n++].value);
    }
    if (err)
        return err;
    return hub_label_selector_parse(r, &w->arena.alloc, &w->labels);
}

/* Everything that is there, then the end of it when the client asked to be told. */
static enum fed_err start_initial(struct hub_watch *w, struct hub_request *r)
{
    struct start start = {.w = w};
    uint64_t revision = hub_objects_revision(r->api->objects);
    enum fed_err err = hub_objects_list(
        r->api->objects, fed_span_text(w->resource), w->ns, NULL, start_each, &start);

    w->revision = revision;
    if (!err && w->exchange && r->query.send_initial_events && w->bookmarks)
        hub_watch_bookmark(w, revision, true);
    return err;
}

static enum fed_err start_resume(struct hub_watch *w, struct hub_request *r)
{
    struct hub_objects *objects = r->api->objects;
    struct start start = {.w = w,
        .since = r->query.resource_version,
        .known = hub_touches_known(w->owner, r->query.resource_version)};
    enum fed_err err = FED_OK;

    if (start.known >= hub_objects_revision(objects))
        return FED_OK;
    if (r->kind->hooks.compose)
        err = hub_objects_list(
            objects, fed_span_text(w->resource), w->ns, NULL, resume_composed, &start);
    if (!err)
        err = start.err;
    if (!err && w->exchange && start.since < hub_objects_revision(objects))
        err = hub_objects_since(
            objects, fed_span_text(w->resource), start.since, resume_each, &start);
    return err;
}

static enum fed_err watch_begin(struct hub_watch *w, struct hub_request *r)
{
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/json")},
        {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-cache, private")},
        {FED_SPAN_LIT("audit-id"), fed_span_text(r->audit_id)},
    };
    enum fed_err err;

    hub_request_record(r, 200);
    r->answered = true;
    w->exchange = r->exchange;
    w->owner->n++;
    err = fed_http_stream_begin(r->exchange, 200, headers, 3);
    if (err) {
        hub_watch_over(w, false);
        return FED_OK;
    }
    fed_http_exchange_set_user(r->exchange, w);
    return FED_OK;
}

static bool wants_initial(const struct hub_request *r)
{
    if (r->query.has_send_initial_events)
        return r->query.send_initial_events;
    return !r->query.has_resource_version || r->query.resource_version == 0;
}

/* What the new watch holds, against what all of them and those of its user may: it is counted
 * then. */
static enum fed_err count_bytes(struct hub_watch *w, struct hub_request *r)
{
    struct hub_watches *watches = w->owner;
    size_t bytes = w->arena.used;

    if (bytes > HUB_LIMIT_USER_WATCH_BYTES - w->watcher->bytes)
        hub_fail(r, 429, "TooManyRequests",
            "the selectors of the watches of user \"%s\" take %zu bytes, the limit of one user is "
            "%u: end some, or try again later",
            r->user.name, w->watcher->bytes, HUB_LIMIT_USER_WATCH_BYTES);
    else if (bytes > HUB_LIMIT_WATCH_BYTES - watches->bytes)
        hub_fail(r, 429, "TooManyRequests",
            "the selectors of all watches take %zu bytes, the limit of the hub is %u: try again "
            "later",
            watches->bytes, HUB_LIMIT_WATCH_BYTES);
    else {
        w->bytes = bytes;
        watches->bytes += bytes;
        w->watcher->bytes += bytes;
        return FED_OK;
    }
    r->failure.retry_after_s = 1;
    return FED_ERR_BUSY;
}

static enum fed_err check_room(struct hub_request *r)
{
    struct hub_watches *watches = r->api->watches;
    const struct hub_watcher *watcher = hub_watcher_find(watches, &r->user);

    if (watches->stopped)
        hub_fail(r, 503, "ServiceUnavailable", "the hub is shutting down");
    else if (watches->n >= HUB_LIMIT_WATCHES)
        hub_fail(r, 429, "TooManyRequests",
            "%u watches are open, the limit of the hub: try again later", HUB_LIMIT_WATCHES);
    else if (watcher && watcher->n >= HUB_LIMIT_USER_WATCHES)
        hub_fail(r, 429, "TooManyRequests",
            "user \"%s\" has %u watches open, the limit of one user: end some, or try again later",
            r->user.name, HUB_LIMIT_USER_WATCHES);
    else
        return FED_OK;
    r->failure.retry_after_s = 1;
    return FED_ERR_BUSY;
}

static enum fed_err check_start(struct hub_request *r)
{
    enum fed_err err = check_room(r);

    if (err)
        return err;
    /* A revision that has not been: of the store before it was restored from a backup. */
    if (r->query.has_resource_version &&
        r->query.resource_version > hub_objects_revision(r->api->objects))
        return hub_fail(r, 410, "Expired", "too old resource version: %llu is of another store",
            (unsigned long long)r->query.resource_version);
    return FED_OK;
}

enum fed_err hub_handle_watch(struct hub_request *r)
{
    struct hub_watches *watches = r->api->watches;
    struct hub_watch *w;
    enum fed_err err = hub_options_list(r);

    if (!err)
        err = hub_check_table_options(r);
    /* A stream cannot be held back: it begins with what is durable. */
    (void)hub_objects_flush(r->api->objects, NULL);
    if (!err)
        err = check_start(r);
    if (err)
        return err;
    w = fed_alloc_zero(r->api->mem, sizeof *w);
    if (!w)
        return FED_ERR_NOMEM;
    w->owner = watches;
    w->since = hub_objects_revision(r->api->objects);
    fed_arena_init(&w->arena, r->api->mem, WATCH_MEMORY);
    w->watcher = hub_watcher_take(watches, &r->user);
    err = w->watcher ? watch_fill(w, r) : FED_ERR_NOMEM;
    if (!err)
        err = count_bytes(w, r);
    if (!err)
        err = watch_begin(w, r);
    if (err) {
        hub_watch_free(w);
        return err;
    }
    w->next = watches->list;
    watches->list = w;
    watches->busy = true;
    err = wants_initial(r) ? start_initial(w, r) : start_resume(w, r);
    if (err && w->exchange)
        hub_watch_status(w, "too old resource version");
    watches->busy = false;
    hub_watches_sweep(watches);
    hub_watches_arm(watches);
    return FED_OK;
}
