/* crd_delete.c - CustomResourceDefinitions that are being deleted: their objects go first, then
 * they go.
 *
 * Source: the finalizer of apiextensions-apiserver, whose finalizer and condition these are.
 * Objects with finalizers of their own keep the definition until they are gone. */
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"

#include <stdio.h>
#include <string.h>

struct leaving {
    struct leaving *next;
    char name[HUB_GROUP_MAX + HUB_NAME_MAX + 2]; /* which is the resource of its objects, too */
    bool done;
};

struct hub_crd_deletes {
    struct hub_api *api;
    struct hub_subscription *subscription;
    struct leaving *list;
    struct fed_timer *timer;
};

static struct leaving *find(struct hub_crd_deletes *deletes, struct fed_span name)
{
    for (struct leaving *one = deletes->list; one; one = one->next)
        if (fed_span_is(name, one->name))
            return one;
    return NULL;
}

static void schedule(struct hub_crd_deletes *deletes)
{
    struct fed_loop *loop = deletes->api->options.loop;

    loop->timer_set(loop->ctx, deletes->timer, fed_loop_now_ms(loop));
}

/* ---- its objects ---- */
/* Deletes a batch; how many it found, and how many of them stay for now. */
static enum fed_err empty(
    struct hub_request *r, const struct hub_kind *kind, size_t *found, size_t *stay)
{
    struct hub_delete_options options = {.dry_run = false};
    struct hub_refs *refs = fed_alloc_zero(r->mem, sizeof *refs);
    struct hub_object_ref after;
    enum fed_err err = refs ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return err;
    refs->mem = r->mem;
    do {
        const struct hub_object_ref *from = refs->n > 0 ? &after : NULL;

        if (from)
            after = refs->list[refs->n - 1];
        refs->n = 0;
        err = hub_objects_list(r->api->objects, fed_span_text(kind->resource), (struct fed_span){0},
            from, hub_refs_take, refs);
        if (!err)
            err = refs->err;
        for (size_t i = 0; !err && i < refs->n; i++) {
            struct fed_json *live;
            struct fed_json *left = NULL;

            r->failure.code = 0;
            if (hub_delete_object(r, kind, &refs->list[i], &options, &live, &left) || left)
                (*stay)++;
        }
        *found += refs->n;
    } while (!err && refs->n == HUB_REFS_MAX);
    return err;
}

/* ---- the definition ---- */
static bool drop_finalizer(struct fed_json *crd)
{
    struct fed_json *list = fed_json_find(crd, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_at(list, i)), HUB_CRD_FINALIZER)) {
            fed_json_remove_at(list, i);
            return true;
        }
    return false;
}

/* Says how far the deletion is, or ends it. */
static enum fed_err conclude(struct hub_request *r, const struct hub_object_ref *ref, size_t stay)
{
    int64_t now = fed_loop_unix_s(r->api->options.loop);
    struct hub_object_write write = {.ref = *ref};
    struct fed_json *crd;
    struct fed_buf bytes;
    bool changed = true;
    enum fed_err err = hub_object_load(r->api, r->doc, ref, &crd, &write.expected);

    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    if (stay > 0) {
        struct fed_json *before = fed_json_clone(r->doc, crd);

        err = hub_crd_condition(r->doc, crd, "Terminating", true, "InstanceDeletionInProgress",
            "CustomResource deletion is in progress", now);
        changed = !fed_json_eq(before, crd);
    } else {
        changed = drop_finalizer(crd) || !hub_object_has_finalizers(crd);
        err = hub_crd_condition(r->doc, crd, "Terminating", false, "InstanceDeletionCompleted",
            "removed all instances", now);
        write.remove = !hub_object_has_finalizers(crd);
    }
    if (!err)
        err = hub_object_bytes(crd, &bytes);
    write.bytes = fed_buf_span(&bytes);
    if (!err && changed)
        err = hub_objects_commit(r->api->objects, &write, 1, NULL, 0, NULL, NULL);
    return err;
}

static void advance(struct hub_crd_deletes *deletes, struct leaving *one)
{
    struct hub_api *api = deletes->api;
    struct hub_object_ref ref = {FED_SPAN_LIT(HUB_CRD_RESOURCE), {0}, fed_span_text(one->name)};
    struct hub_request r = {.api = api};
    size_t dot = fed_span_find(ref.name, '.');
    size_t found = 0;
    size_t stay = 0;
    enum fed_err err;

    fed_arena_init(&r.arena, api->mem, HUB_LIMIT_REQUEST_MEMORY);
    r.mem = &r.arena.alloc;
    snprintf(r.user.name, sizeof r.user.name, "system:apiserver");
    err = fed_json_doc_new(r.mem, &r.doc);
    r.kind = hub_kinds_find(
        api->kinds, fed_span_sub(ref.name, dot + 1, ref.name.len), fed_span_sub(ref.name, 0, dot));
    if (!err && r.kind && r.kind->custom)
        err = empty(&r, r.kind, &found, &stay);
    if (!err)
        err = conclude(&r, &ref, stay);
    if (err && err != FED_ERR_CONFLICT)
        fed_log(api->options.log, FED_LOG_WARN,
            "api: CustomResourceDefinition %s: %s; its deletion goes on with the next change",
            one->name, fed_err_text(err));
    fed_json_doc_free(r.doc);
    fed_arena_fini(&r.arena);
}

static void run(void *ctx)
{
    struct hub_crd_deletes *deletes = ctx;
    struct leaving **at = &deletes->list;

    for (struct leaving *one = deletes->list; one; one = one->next)
        if (!one->done)
            advance(deletes, one);
    while (*at) {
        struct leaving *one = *at;

        if (!one->done) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        fed_alloc_free(deletes->api->mem, one, sizeof *one);
    }
}

/* ---- what is heard ---- */
static bool is_leaving(struct hub_api *api, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *crd;
    bool leaving = false;

    if (fed_json_doc_new(api->mem, &doc))
        return false;
    if (!fed_json_parse(doc, bytes, &crd, NULL))
        leaving = hub_meta(crd, "deletionTimestamp").len > 0;
    fed_json_doc_free(doc);
    return leaving;
}

static void consider(struct hub_crd_deletes *deletes, struct fed_span name, struct fed_span bytes)
{
    struct fed_alloc *mem = deletes->api->mem;
    struct leaving *one = find(deletes, name);

    if (!is_leaving(deletes->api, bytes))
        return;
    if (one) {
        one->done = false; /* made anew, and deleted again */
        return;
    }
    one = fed_alloc_zero(mem, sizeof *one);
    if (!one || fed_span_to_cstr(name, one->name, sizeof one->name)) {
        fed_alloc_free(mem, one, sizeof *one);
        return;
    }
    one->next = deletes->list;
    deletes->list = one;
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_crd_deletes *deletes = ctx;
    struct leaving *one;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (fed_span_is(change->ref.resource, HUB_CRD_RESOURCE)) {
        if (change->type != HUB_CHANGE_DELETED)
            consider(deletes, change->ref.name, change->bytes);
        one = find(deletes, change->ref.name);
        if (one && change->type == HUB_CHANGE_DELETED)
            one->done = true; /* freed by the next run: this may be one */
    } else {
        one = deletes->list && change->type == HUB_CHANGE_DELETED
                  ? find(deletes, change->ref.resource)
                  : NULL;
    }
    if (one)
        schedule(deletes);
}

static bool consider_stored(void *ctx, const struct hub_object *object)
{
    consider(ctx, object->ref.name, object->bytes);
    return true;
}

enum fed_err hub_crd_deletes_open(struct hub_api *api, struct hub_crd_deletes **out)
{
    struct hub_crd_deletes *deletes = fed_alloc_zero(api->mem, sizeof *deletes);
    struct fed_loop *loop = api->options.loop;
    enum fed_err err;

    if (!deletes)
        return FED_ERR_NOMEM;
    deletes->api = api;
    err = loop->timer_new(loop->ctx, run, deletes, &deletes->timer);
    if (!err)
        err = hub_objects_subscribe(
            api->objects, (struct fed_span){0}, changed, deletes, &deletes->subscription);
    if (!err)
        err = hub_objects_list(api->objects, FED_SPAN_LIT(HUB_CRD_RESOURCE), (struct fed_span){0},
            NULL, consider_stored, deletes);
    if (err) {
        hub_crd_deletes_close(deletes);
        return err;
    }
    if (deletes->list)
        schedule(deletes);
    *out = deletes;
    return FED_OK;
}

void hub_crd_deletes_close(struct hub_crd_deletes *deletes)
{
    struct fed_loop *loop;

    if (!deletes)
        return;
    loop = deletes->api->options.loop;
    loop->timer_free(loop->ctx, deletes->timer);
    hub_objects_unsubscribe(deletes->subscription);
    while (deletes->list) {
        struct leaving *one = deletes->list;

        deletes->list = one->next;
        fed_alloc_free(deletes->api->mem, one, sizeof *one);
    }
    fed_alloc_free(deletes->api->mem, deletes, sizeof *deletes);
}
