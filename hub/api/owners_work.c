/* owners_work.c - see owners.h: what is to be done about one object, an owner that is deleted or a
 * dependent. */
#include "hub/api/owners.h"

#include <stdio.h>
#include <string.h>

#define CIRCLE_MAX 1000u /* objects that wait for each other, and are found to */

/* ---- what an object says ---- */
static bool has_finalizer(const struct fed_json *object, const char *name)
{
    const struct fed_json *list = fed_json_find(object, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_at(list, i)), name))
            return true;
    return false;
}

bool hub_owners_is_deleted(const struct fed_json *object)
{
    return hub_meta(object, "deletionTimestamp").len > 0;
}

bool hub_owners_waits(const struct fed_json *object)
{
    return hub_owners_is_deleted(object) && has_finalizer(object, HUB_FINALIZER_FOREGROUND);
}

bool hub_owners_orphans(const struct fed_json *object)
{
    return hub_owners_is_deleted(object) && has_finalizer(object, HUB_FINALIZER_ORPHAN);
}

/* ---- work on one object ---- */
struct work {
    struct hub_owners *owners;
    struct hub_request r; /* for deletions and their failure */
    struct hub_owners_node *node;
    const struct hub_kind *kind;
    struct fed_json *object;
    uint64_t revision;
};

static const struct hub_kind *kind_of(const struct hub_kinds *kinds, struct fed_span resource)
{
    for (size_t i = 0; i < hub_kinds_count(kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(kinds, i);

        if (fed_span_is(resource, kind->resource) && !hub_kind_storage(kind)->of_core)
            return kind;
    }
    return NULL;
}

static bool is_namespace(const struct hub_kind *kind)
{
    return kind->group[0] == 0 && strcmp(kind->plural, "namespaces") == 0;
}

/* Stores the changed object, or removes it when nothing holds it any more. */
static enum fed_err commit(struct work *w, struct fed_json *live, struct fed_json *next,
    const struct hub_kind *kind, const struct hub_object_ref *ref, uint64_t revision)
{
    const struct hub_kind_version *version = hub_kind_storage(kind);
    struct hub_object_write write = {.ref = *ref, .expected = revision};
    char api_version[330];
    struct hub_field_update update = {.schema = version->schema,
        .manager = FED_SPAN_LIT("kube-controller-manager"),
        .now_unix_s = fed_loop_unix_s(w->owners->api->options.loop)};
    struct fed_buf bytes;
    enum fed_err err;

    hub_api_version(kind, version, api_version);
    update.api_version = fed_span_text(api_version);
    write.remove = hub_owners_is_deleted(next) && !hub_object_has_finalizers(next) &&
                   !(is_namespace(kind) && fed_json_count(fed_json_find(next, "spec.finalizers")));
    err = hub_fields_update(w->r.doc, &update, live, next);
    fed_buf_init(&bytes, w->r.mem, HUB_OBJECT_BYTES_MAX);
    if (!err)
        err = hub_object_bytes(next, &bytes);
    write.bytes = fed_buf_span(&bytes);
    return err ? err : hub_objects_commit(w->owners->api->objects, &write, 1, NULL, 0, NULL, NULL);
}

static enum fed_err remove_finalizer(struct work *w, const char *name)
{
    struct fed_json *next = fed_json_clone(w->r.doc, w->object);
    struct fed_json *metadata = fed_json_get(next, "metadata");
    struct fed_json *list = fed_json_get(metadata, "finalizers");

    if (!next)
        return FED_ERR_NOMEM;
    for (size_t i = fed_json_count(list); i > 0; i--)
        if (fed_span_is(fed_json_string(fed_json_at(list, i - 1)), name))
            fed_json_remove_at(list, i - 1);
    if (fed_json_count(list) == 0)
        fed_json_remove(metadata, "finalizers");
    return commit(w, w->object, next, w->kind, &w->node->ref, w->revision);
}

typedef bool ref_goes(void *ctx, const struct fed_json *reference);

/* Takes the references away that goes says so of. */
static enum fed_err remove_refs(struct work *w, const struct hub_kind *kind,
    const struct hub_object_ref *ref, ref_goes *goes, void *ctx)
{
    struct fed_json *live;
    struct fed_json *next;
    struct fed_json *list;
    uint64_t revision;
    size_t before;
    enum fed_err err = hub_object_load(w->owners->api, w->r.doc, ref, &live, &revision);

    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    next = fed_json_clone(w->r.doc, live);
    if (!next)
        return FED_ERR_NOMEM;
    list = fed_json_find(next, "metadata.ownerReferences");
    before = fed_json_count(list);
    for (size_t i = before; i > 0; i--)
        if (goes(ctx, fed_json_at(list, i - 1)))
            fed_json_remove_at(list, i - 1);
    if (fed_json_count(list) == before)
        return FED_OK;
    if (fed_json_count(list) == 0)
        fed_json_remove(fed_json_get(next, "metadata"), "ownerReferences");
    return commit(w, live, next, kind, ref, revision);
}

static bool goes_uid(void *ctx, const struct fed_json *reference)
{
    return fed_span_eq(fed_json_string(fed_json_get(reference, "uid")), *(struct fed_span *)ctx);
}

static struct hub_object_ref keep_ref(struct work *w, const struct hub_object_ref *ref)
{
    return (struct hub_object_ref){fed_span_text(hub_request_cstr(&w->r, ref->resource)),
        fed_span_text(hub_request_cstr(&w->r, ref->ns)),
        fed_span_text(hub_request_cstr(&w->r, ref->name))};
}

static enum fed_err orphan_dependents(struct work *w)
{
    struct fed_span uid = hub_meta(w->object, "uid");
    struct hub_owner *owner;

    /* Each commit may change the list, so it is looked up anew until it is empty. */
    while ((owner = fed_map_get(&w->owners->owners, uid)) != NULL) {
        const struct hub_owners_node *node = owner->dependents[owner->n - 1];
        const struct hub_kind *kind = kind_of(w->owners->api->kinds, node->ref.resource);
        struct hub_object_ref ref = keep_ref(w, &node->ref); /* the node may go meanwhile */
        size_t before = owner->n;
        enum fed_err err = kind ? remove_refs(w, kind, &ref, goes_uid, &uid) : FED_ERR_BUSY;

        if (err)
            return err;
        owner = fed_map_get(&w->owners->owners, uid);
        if (owner && owner->n >= before)
            return FED_ERR_BUSY; /* nothing moved */
    }
    return remove_finalizer(w, HUB_FINALIZER_ORPHAN);
}

static bool blocks(const struct hub_owners_node *node, const struct hub_owner *owner)
{
    for (size_t i = 0; i < node->n_refs; i++)
        if (node->refs[i].owner == owner && node->refs[i].blocks)
            return true;
    return false;
}

/* Whether a node waits for the target in the end: then the target need not wait for it, or both
 * would for ever. left: nodes that are still looked at. */
static bool waits_for(struct hub_owners *owners, const struct hub_owners_node *node,
    const struct hub_owners_node *target, unsigned *left)
{
    const struct hub_owner *owner =
        node->waiting_uid[0] ? fed_map_get(&owners->owners, fed_span_text(node->waiting_uid))
                             : NULL;

    for (size_t i = 0; owner && i<owner->n && * left> 0; i++) {
        const struct hub_owners_node *next = owner->dependents[i];

        --*left;
        if (blocks(next, owner) && (next == target || waits_for(owners, next, target, left)))
            return true;
    }
    return false;
}

static enum fed_err wait_for_dependents(struct work *w)
{
    struct fed_span uid = hub_meta(w->object, "uid");
    struct hub_owner *owner = fed_map_get(&w->owners->owners, uid);
    unsigned left = CIRCLE_MAX;
    size_t blocking = 0;

    for (size_t i = 0; owner && i < owner->n; i++) {
        struct hub_owners_node *node = owner->dependents[i];

        if (!blocks(node, owner) || node == w->node || waits_for(w->owners, node, w->node, &left))
            continue;
        blocking++;
        /* One that waits itself comes by itself. */
        if (!node->waiting_uid[0])
            hub_owners_enqueue(w->owners, node);
    }
    return blocking > 0 ? FED_OK : remove_finalizer(w, HUB_FINALIZER_FOREGROUND);
}

/* ---- dependents ---- */
enum ref_state { REF_SOLID, REF_DANGLING, REF_WAITING, REF_UNKNOWN };

static enum ref_state classify(struct work *w, const struct fed_json *reference)
{
    struct fed_span api_version = fed_json_string(fed_json_get(reference, "apiVersion"));
    size_t slash = fed_span_find(api_version, '/');
    struct fed_span group = fed_span_sub(api_version, 0, slash < api_version.len ? slash : 0);
    const struct hub_kind *kind = hub_kinds_by_kind(
        w->owners->api->kinds, group, fed_json_string(fed_json_get(reference, "kind")));
    struct hub_object_ref ref = {.name = fed_json_string(fed_json_get(reference, "name"))};
    struct fed_json *owner;
    uint64_t revision;
    enum fed_err err;

    if (!kind || (kind->namespaced && !w->kind->namespaced))
        return REF_UNKNOWN; /* a cluster-scoped object has no namespaced owner */
    ref.resource = fed_span_text(kind->resource);
    if (kind->namespaced)
        ref.ns = w->node->ref.ns;
    err = hub_object_load(w->owners->api, w->r.doc, &ref, &owner, &revision);
    if (err == FED_ERR_NOT_FOUND)
        return REF_DANGLING;
    if (err)
        return REF_UNKNOWN;
    if (!fed_span_eq(hub_meta(owner, "uid"), fed_json_string(fed_json_get(reference, "uid"))))
        return REF_DANGLING;
    return hub_owners_waits(owner) ? REF_WAITING : REF_SOLID;
}

struct states {
    enum ref_state of[HUB_OWNERS_REFS_MAX];
    size_t count[REF_UNKNOWN + 1];
    const struct fed_json *list;
};

/* References to owners that are gone or going. */
static bool goes_lost(void *ctx, const struct fed_json *reference)
{
    const struct states *states = ctx;

    for (size_t i = 0; i < fed_json_count(states->list); i++)
        if (fed_json_eq(
                fed_json_get(fed_json_at(states->list, i), "uid"), fed_json_get(reference, "uid")))
            return states->of[i] == REF_DANGLING || states->of[i] == REF_WAITING;
    return false;
}

static enum fed_err delete_item(struct work *w, enum hub_propagation propagation)
{
    struct hub_delete_options options = {
        .uid = hub_meta(w->object, "uid"), .propagation = propagation};
    struct fed_json *live;
    struct fed_json *left;
    enum fed_err err;

    w->r.kind = w->kind;
    err = hub_delete_object(&w->r, w->kind, &w->node->ref, &options, &live, &left);
    if (!err)
        err =
            hub_objects_flush(w->owners->api->objects, NULL); /* so that a failure is tried again */
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* A circle of objects that wait for each other is cut: this one no longer blocks its owners. */
static enum fed_err unblock(struct work *w)
{
    struct fed_json *next = fed_json_clone(w->r.doc, w->object);
    struct fed_json *list = fed_json_find(next, "metadata.ownerReferences");
    enum fed_err err = next ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < fed_json_count(list); i++)
        if (fed_json_get(fed_json_at(list, i), "blockOwnerDeletion"))
            err = fed_json_set_bool(w->r.doc, fed_json_at(list, i), "blockOwnerDeletion", false);
    return err ? err : commit(w, w->object, next, w->kind, &w->node->ref, w->revision);
}

static bool dependent_waits(struct work *w)
{
    struct hub_owner *owner = fed_map_get(&w->owners->owners, hub_meta(w->object, "uid"));

    for (size_t i = 0; owner && i < owner->n; i++)
        if (owner->dependents[i]->waiting_uid[0])
            return true;
    return false;
}

static enum fed_err collect(struct work *w)
{
    struct states states = {.list = fed_json_find(w->object, "metadata.ownerReferences")};
    bool has_dependents = fed_map_get(&w->owners->owners, hub_meta(w->object, "uid")) != NULL;
    size_t n = fed_json_count(states.list);

    if (n == 0 || n > HUB_OWNERS_REFS_MAX)
        return FED_OK;
    for (size_t i = 0; i < n; i++) {
        states.of[i] = classify(w, fed_json_at(states.list, i));
        states.count[states.of[i]]++;
    }
    if (states.count[REF_UNKNOWN] > 0)
        return FED_OK; /* looked at again when kinds change */
    if (states.count[REF_SOLID] > 0)
        return states.count[REF_SOLID] == n
                   ? FED_OK
                   : remove_refs(w, w->kind, &w->node->ref, goes_lost, &states);
    if (states.count[REF_WAITING] > 0 && has_dependents) {
        if (dependent_waits(w)) {
            enum fed_err err = unblock(w);

            if (err)
                return err;
        }
        return delete_item(w, HUB_PROPAGATE_FOREGROUND);
    }
    if (has_finalizer(w->object, HUB_FINALIZER_ORPHAN))
        return delete_item(w, HUB_PROPAGATE_ORPHAN);
    if (has_finalizer(w->object, HUB_FINALIZER_FOREGROUND))
        return delete_item(w, HUB_PROPAGATE_FOREGROUND);
    return delete_item(w, HUB_PROPAGATE_BACKGROUND);
}

static enum fed_err work_on(struct work *w)
{
    enum fed_err err =
        hub_object_load(w->owners->api, w->r.doc, &w->node->ref, &w->object, &w->revision);

    w->kind = kind_of(w->owners->api->kinds, w->node->ref.resource);
    if (err || !w->kind)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    if (hub_owners_orphans(w->object))
        return orphan_dependents(w);
    if (hub_owners_waits(w->object))
        return wait_for_dependents(w);
    return hub_owners_is_deleted(w->object) ? FED_OK : collect(w);
}

enum fed_err hub_owners_attempt(struct hub_owners *owners, struct hub_owners_node *node)
{
    struct work w = {.owners = owners, .node = node, .r = {.api = owners->api}};
    enum fed_err err;

    fed_arena_init(&w.r.arena, owners->api->mem, HUB_LIMIT_REQUEST_MEMORY);
    w.r.mem = &w.r.arena.alloc;
    snprintf(w.r.user.name, sizeof w.r.user.name,
        "system:serviceaccount:kube-system:generic-garbage-collector");
    err = fed_json_doc_new(w.r.mem, &w.r.doc);
    if (!err)
        err = work_on(&w);
    fed_json_doc_free(w.r.doc);
    fed_arena_fini(&w.r.arena);
    return err;
}
