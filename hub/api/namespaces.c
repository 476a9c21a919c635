/* namespaces.c - namespaces that are being deleted: their content goes first, then they go.
 *
 * A Namespace keeps spec.finalizers ["kubernetes"] and phase Terminating until nothing is left in
 * it, as with kube-apiserver and its namespace controller, which are one here. */
#include "hub/api/internal.h"
#include "hub/api/namespace_status.h"

#include <stdio.h>
#include <string.h>

/* A client that deletes what stands in one file deletes the namespace before what is in it; it
 * still finds those. */
#define GRACE_MS 500u
#define RETRY_MS 1000u /* after the store refused */

struct terminating {
    struct terminating *next;
    char name[64];
};

struct hub_namespaces {
    struct hub_api *api;
    struct hub_subscription *subscription;
    struct terminating *list;
    struct fed_timer *timer;
    uint64_t not_before_ms;
};

enum fed_err hub_namespace_check(struct hub_request *r, struct fed_span ns)
{
    struct hub_object_ref ref = {FED_SPAN_LIT("namespaces"), {0}, ns};
    struct fed_json *object;
    struct hub_causes *causes;
    uint64_t revision;
    enum fed_err err = hub_object_load(r->api, r->doc, &ref, &object, &revision);

    if (err == FED_ERR_NOT_FOUND) {
        r->path.name = ns;
        r->kind = hub_kinds_find(r->api->kinds, (struct fed_span){0}, FED_SPAN_LIT("namespaces"));
        hub_fail(r, 404, "NotFound", "namespaces \"" FED_SPAN_FMT "\" not found", FED_SPAN_ARG(ns));
        return FED_ERR_NOT_FOUND;
    }
    if (err || hub_meta(object, "deletionTimestamp").len == 0)
        return err;
    causes = hub_causes_new(r);
    hub_causes_add(causes, "NamespaceTerminating", "metadata.namespace",
        "namespace " FED_SPAN_FMT " is being terminated", FED_SPAN_ARG(ns));
    hub_fail(r, 403, "Forbidden",
        "%s \"" FED_SPAN_FMT
        "\" is forbidden: unable to create new content in namespace " FED_SPAN_FMT
        " because it is being terminated",
        r->kind->resource, FED_SPAN_ARG(r->path.name), FED_SPAN_ARG(ns));
    r->failure.causes = causes;
    return FED_ERR_FORBIDDEN;
}

/* ---- emptying ---- */
static enum fed_err empty_kind(struct hub_request *r, const struct hub_kind *kind,
    struct fed_span ns, struct hub_remains *remains, size_t *remaining)
{
    struct hub_delete_options options = {.propagation = HUB_PROPAGATE_BACKGROUND};
    size_t held = 0;
    struct hub_refs *refs = fed_alloc_zero(r->mem, sizeof *refs);
    enum fed_err err;

    if (!refs)
        return FED_ERR_NOMEM;
    refs->mem = r->mem;
    err = hub_objects_list(
        r->api->objects, fed_span_text(kind->resource), ns, NULL, hub_refs_take, refs);
    if (!err)
        err = refs->err;
    for (size_t i = 0; !err && i < refs->n; i++) {
        struct fed_json *live;
        struct fed_json *left = NULL;

        r->failure.code = 0;
        err = hub_delete_object(r, kind, &refs->list[i], &options, &live, &left);
        if (left)
            hub_remains_object(remains, left);
        else if (err)
            hub_remains_error(remains, r->failure.code ? r->failure.message : fed_err_text(err));
        if (err || left)
            held++; /* a finalizer, or a refusal: it is tried again when something changes */
        err = FED_OK;
    }
    hub_remains_kind(remains, kind, held);
    *remaining += held;
    if (refs->n == HUB_REFS_MAX)
        (*remaining)++; /* more behind them: the removals above make it run again */
    return err;
}

static void retry(struct hub_namespaces *namespaces);

static bool finish(struct hub_request *r, const struct hub_object_ref *ref)
{
    struct hub_object_write write = {.ref = *ref, .remove = true};
    struct fed_json *object;
    enum fed_err err = hub_object_load(r->api, r->doc, ref, &object, &write.expected);

    if (err == FED_ERR_NOT_FOUND)
        return true;
    if (err || hub_object_has_finalizers(object))
        return false;
    err = hub_objects_commit(r->api->objects, &write, 1, NULL, 0, NULL, NULL);
    if (err)
        retry(r->api->namespaces);
    return !err;
}

/* Whether the namespace is gone. */
static bool empty(struct hub_api *api, const char *name)
{
    struct hub_object_ref ref = {FED_SPAN_LIT("namespaces"), {0}, fed_span_text(name)};
    struct hub_request r = {.api = api};
    struct hub_remains remains;
    size_t remaining = 0;
    bool gone = false;
    enum fed_err err;

    fed_arena_init(&r.arena, api->mem, HUB_LIMIT_REQUEST_MEMORY);
    r.mem = &r.arena.alloc;
    snprintf(r.user.name, sizeof r.user.name, "system:namespace-controller");
    err = fed_json_doc_new(r.mem, &r.doc);
    hub_remains_init(&remains, r.mem);
    for (size_t i = 0; !err && i < hub_kinds_count(api->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(api->kinds, i);

        if (kind->namespaced && !hub_kind_storage(kind)->of_core)
            err = empty_kind(&r, kind, ref.name, &remains, &remaining);
    }
    if (!err && remaining == 0)
        gone = finish(&r, &ref);
    if (!err && !gone && hub_remains_store(&r, &remains, &ref))
        retry(api->namespaces);
    fed_json_doc_free(r.doc);
    fed_arena_fini(&r.arena);
    return gone;
}

static void schedule(struct hub_namespaces *namespaces)
{
    struct fed_loop *loop = namespaces->api->options.loop;
    uint64_t now_ms = fed_loop_now_ms(loop);

    loop->timer_set(loop->ctx, namespaces->timer,
        now_ms > namespaces->not_before_ms ? now_ms : namespaces->not_before_ms);
}

static void retry(struct hub_namespaces *namespaces)
{
    namespaces->not_before_ms = fed_loop_now_ms(namespaces->api->options.loop) + RETRY_MS;
    schedule(namespaces);
}

static void run(void *ctx)
{
    struct hub_namespaces *namespaces = ctx;
    struct terminating **at = &namespaces->list;

    while (*at) {
        struct terminating *one = *at;

        if (!empty(namespaces->api, one->name)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        fed_alloc_free(namespaces->api->mem, one, sizeof *one);
    }
    if (hub_objects_flush(namespaces->api->objects, NULL))
        retry(namespaces);
}

static struct terminating *find(struct hub_namespaces *namespaces, struct fed_span name)
{
    for (struct terminating *one = namespaces->list; one; one = one->next)
        if (fed_span_is(name, one->name))
            return one;
    return NULL;
}

static void consider(struct hub_namespaces *namespaces, struct fed_span name, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct terminating *one;

    if (find(namespaces, name) || fed_json_doc_new(namespaces->api->mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL) &&
        hub_meta(object, "deletionTimestamp").len > 0) {
        one = fed_alloc_zero(namespaces->api->mem, sizeof *one);
        if (one && !fed_span_to_cstr(name, one->name, sizeof one->name)) {
            one->next = namespaces->list;
            namespaces->list = one;
            namespaces->not_before_ms = fed_loop_now_ms(namespaces->api->options.loop) + GRACE_MS;
        } else {
            fed_alloc_free(namespaces->api->mem, one, sizeof *one);
        }
    }
    fed_json_doc_free(doc);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_namespaces *namespaces = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (fed_span_is(change->ref.resource, "namespaces")) {
        if (change->type == HUB_CHANGE_MODIFIED)
            consider(namespaces, change->ref.name, change->bytes);
        if (find(namespaces, change->ref.name))
            schedule(namespaces);
    } else if (change->ref.ns.len > 0 && namespaces->list && find(namespaces, change->ref.ns)) {
        schedule(namespaces);
    }
}

static bool consider_stored(void *ctx, const struct hub_object *object)
{
    consider(ctx, object->ref.name, object->bytes);
    return true;
}

enum fed_err hub_namespaces_open(struct hub_api *api, struct hub_namespaces **out)
{
    struct hub_namespaces *namespaces = fed_alloc_zero(api->mem, sizeof *namespaces);
    struct fed_loop *loop = api->options.loop;
    enum fed_err err;

    if (!namespaces)
        return FED_ERR_NOMEM;
    namespaces->api = api;
    err = loop->timer_new(loop->ctx, run, namespaces, &namespaces->timer);
    if (!err)
        err = hub_objects_subscribe(
            api->objects, (struct fed_span){0}, changed, namespaces, &namespaces->subscription);
    if (!err)
        err = hub_objects_list(api->objects, FED_SPAN_LIT("namespaces"), (struct fed_span){0}, NULL,
            consider_stored, namespaces);
    if (err) {
        hub_namespaces_close(namespaces);
        return err;
    }
    if (namespaces->list)
        schedule(namespaces);
    *out = namespaces;
    return FED_OK;
}

void hub_namespaces_close(struct hub_namespaces *namespaces)
{
    struct fed_loop *loop;

    if (!namespaces)
        return;
    loop = namespaces->api->options.loop;
    loop->timer_free(loop->ctx, namespaces->timer);
    hub_objects_unsubscribe(namespaces->subscription);
    while (namespaces->list) {
        struct terminating *one = namespaces->list;

        namespaces->list = one->next;
        fed_alloc_free(namespaces->api->mem, one, sizeof *one);
    }
    fed_alloc_free(namespaces->api->mem, namespaces, sizeof *namespaces);
}
