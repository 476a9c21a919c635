/* namespace_objects.c - what every namespace has without being asked: the ServiceAccount "default",
 * and the ConfigMap kube-root-ca.crt with the CA that clients trust.
 *
 * As with kube-controller-manager's serviceaccount and root CA controllers, they are made for each
 * namespace and come back when somebody deletes or changes them. */
#include "hub/api/internal.h"

#include "proto/base/map.h"
#include "proto/base/text.h"

#include <stdio.h>

#define TURN_NAMESPACES 32u
#define RETRY_MS 1000u
#define ACCOUNT "default"
#define CA_MAP "kube-root-ca.crt"

struct hub_namespace_objects {
    struct hub_api *api;
    struct hub_subscription *subscription;
    struct fed_timer *timer;
    struct fed_map waiting; /* names of namespaces to look at */
};

static bool is_ours(const struct hub_object_ref *ref)
{
    return (fed_span_is(ref->resource, "serviceaccounts") && fed_span_is(ref->name, ACCOUNT)) ||
           (fed_span_is(ref->resource, "configmaps") && fed_span_is(ref->name, CA_MAP));
}

static void look_at(struct hub_namespace_objects *o, struct fed_span name, uint64_t in_ms)
{
    struct fed_loop *loop = o->api->options.loop;

    if (fed_map_put(&o->waiting, name, o))
        return; /* no memory: the next change or start sees to it */
    loop->timer_set(loop->ctx, o->timer, fed_loop_now_ms(loop) + in_ms);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_namespace_objects *o = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (fed_span_is(change->ref.resource, "namespaces")) {
        if (change->type == HUB_CHANGE_ADDED)
            look_at(o, change->ref.name, 0);
    } else if (change->type != HUB_CHANGE_ADDED && is_ours(&change->ref)) {
        look_at(o, change->ref.ns, 0);
    }
}

/* ---- one namespace ---- */
struct work {
    struct hub_namespace_objects *o;
    struct fed_arena arena;
    struct fed_json_doc *doc;
    struct hub_object_write writes[2 * TURN_NAMESPACES];
    size_t n;
};

static bool is_open(struct work *w, struct fed_span ns)
{
    struct hub_object_ref ref = {FED_SPAN_LIT("namespaces"), {0}, ns};
    struct fed_json *object;
    uint64_t revision;

    return !hub_object_load(w->o->api, w->doc, &ref, &object, &revision) &&
           hub_meta(object, "deletionTimestamp").len == 0;
}

static enum fed_err put_object(struct work *w, const struct hub_object_ref *ref, const char *kind,
    struct fed_span ca, uint64_t expected, struct fed_span uid)
{
    struct fed_buf *out = fed_alloc_zero(&w->arena.alloc, sizeof *out);
    char now[FED_TEXT_TIME_SIZE];
    char fresh[40];
    enum fed_err err = out ? hub_write_uid(w->o->api, fresh) : FED_ERR_NOMEM;

    if (err)
        return err;
    fed_text_time(fed_loop_unix_s(w->o->api->options.loop), now);
    fed_buf_init(out, &w->arena.alloc, HUB_LIMIT_BODY_BYTES);
    fed_buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":", kind);
    hub_json_put(out, ref->name);
    fed_buf_put_text(out, ",\"namespace\":");
    hub_json_put(out, ref->ns);
    fed_buf_put_text(out, ",\"uid\":");
    hub_json_put(out, uid.len > 0 ? uid : fed_span_text(fresh));
    fed_buf_printf(out, ",\"creationTimestamp\":\"%s\"}", now);
    if (ca.len > 0) {
        fed_buf_put_text(out, ",\"data\":{\"ca.crt\":");
        hub_json_put(out, ca);
        fed_buf_put_text(out, "}");
    }
    fed_buf_put_text(out, "}");
    w->writes[w->n++] =
        (struct hub_object_write){.ref = *ref, .bytes = fed_buf_span(out), .expected = expected};
    return fed_buf_err(out);
}

static enum fed_err see_to(struct work *w, struct fed_span ns)
{
    struct hub_object_ref account = {FED_SPAN_LIT("serviceaccounts"), ns, FED_SPAN_LIT(ACCOUNT)};
    struct hub_object_ref map = {FED_SPAN_LIT("configmaps"), ns, FED_SPAN_LIT(CA_MAP)};
    struct fed_span ca = w->o->api->options.ca_pem;
    struct fed_json *object = NULL;
    uint64_t revision = 0;
    enum fed_err err;

    if (!is_open(w, ns))
        return FED_OK;
    err = hub_object_load(w->o->api, w->doc, &account, &object, &revision);
    if (err == FED_ERR_NOT_FOUND)
        err = put_object(
            w, &account, "ServiceAccount", (struct fed_span){0}, 0, (struct fed_span){0});
    if (err || ca.len == 0)
        return err;
    object = NULL;
    revision = 0;
    err = hub_object_load(w->o->api, w->doc, &map, &object, &revision);
    if (err && err != FED_ERR_NOT_FOUND)
        return err;
    if (fed_span_eq(fed_json_string(fed_json_get(fed_json_get(object, "data"), "ca.crt")), ca) &&
        fed_json_count(fed_json_get(object, "data")) == 1)
        return FED_OK;
    return put_object(w, &map, "ConfigMap", ca, revision, hub_meta(object, "uid"));
}

static enum fed_err turn(struct work *w)
{
    struct fed_map_iter it;
    size_t n = 0;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &w->o->waiting);
    while (!err && n < TURN_NAMESPACES && fed_map_iter_next(&it)) {
        const char *name = fed_alloc_get(&w->arena.alloc, it.key.len + 1);
        struct fed_span copy = fed_span_of(name, it.key.len);

        if (!name || fed_span_to_cstr(it.key, (char *)(uintptr_t)name, it.key.len + 1))
            return FED_ERR_NOMEM;
        err = see_to(w, copy);
        if (!err)
            fed_map_remove(&w->o->waiting, copy);
        n++;
    }
    if (!err && w->n > 0)
        err = hub_objects_commit(w->o->api->objects, w->writes, w->n, NULL, 0, NULL, NULL);
    for (size_t i = 0; err && i < w->n; i++)
        look_at(w->o, w->writes[i].ref.ns, RETRY_MS);
    return err;
}

static void run(void *ctx)
{
    struct hub_namespace_objects *o = ctx;
    struct hub_api *api = o->api;
    struct work *w = fed_alloc_zero(api->mem, sizeof *w);
    enum fed_err err = w ? FED_OK : FED_ERR_NOMEM;

    if (w) {
        w->o = o;
        fed_arena_init(&w->arena, api->mem, HUB_LIMIT_REQUEST_MEMORY);
        err = fed_json_doc_new(&w->arena.alloc, &w->doc);
        if (!err)
            err = turn(w);
        fed_json_doc_free(w->doc);
        fed_arena_fini(&w->arena);
        fed_alloc_free(api->mem, w, sizeof *w);
    }
    if (o->waiting.count > 0)
        api->options.loop->timer_set(api->options.loop->ctx, o->timer,
            fed_loop_now_ms(api->options.loop) + (err ? RETRY_MS : 0));
}

static bool present(void *ctx, const struct hub_object *object)
{
    look_at(ctx, object->ref.name, 0);
    return true;
}

enum fed_err hub_namespace_objects_open(struct hub_api *api, struct hub_namespace_objects **out)
{
    struct hub_namespace_objects *o = fed_alloc_zero(api->mem, sizeof *o);
    struct fed_loop *loop = api->options.loop;
    enum fed_err err;

    if (!o)
        return FED_ERR_NOMEM;
    o->api = api;
    fed_map_init(&o->waiting, api->mem);
    err = loop->timer_new(loop->ctx, run, o, &o->timer);
    if (!err)
        err =
            hub_objects_subscribe(api->objects, (struct fed_span){0}, changed, o, &o->subscription);
    if (!err)
        err = hub_objects_list(
            api->objects, FED_SPAN_LIT("namespaces"), (struct fed_span){0}, NULL, present, o);
    if (err) {
        hub_namespace_objects_close(o);
        return err;
    }
    *out = o;
    return FED_OK;
}

void hub_namespace_objects_close(struct hub_namespace_objects *o)
{
    if (!o)
        return;
    o->api->options.loop->timer_free(o->api->options.loop->ctx, o->timer);
    hub_objects_unsubscribe(o->subscription);
    fed_map_fini(&o->waiting);
    fed_alloc_free(o->api->mem, o, sizeof *o);
}
