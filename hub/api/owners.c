/* owners.c - garbage collection by owner references, as clients of a kube-apiserver see it.
 *
 * An object goes when none of its owners is left. Deleting an owner in the foreground (finalizer
 * foregroundDeletion) waits for the dependents that block it; deleting it with the policy Orphan
 * (finalizer orphan) takes the references to it away first. Source: k8s.io/kubernetes
 * pkg/controller/garbagecollector and "Owners and Dependents".
 *
 * Only objects with owner references, and owners at work, are in the index: by key, and by the uid
 * of each owner, so that a deletion costs its dependents. Everything is found again at the start.
 */
#include "hub/api/internal.h"

#include "proto/base/map.h"

#include <stdio.h>
#include <string.h>

#define TURN_ITEMS 64u /* worked on before others get their turn */
#define RETRY_MS 5000u
#define REFS_MAX 64u     /* more than that are not looked at: the object is kept */
#define CIRCLE_MAX 1000u /* objects that wait for each other, and are found to */
#define UID_SIZE 64u

struct node;
struct owner { /* one per uid that somebody refers to */
    char uid[UID_SIZE];
    struct node **dependents;
    size_t n;
    size_t cap;
};

struct reference {
    struct owner *owner;
    size_t slot; /* of this node among the owner's dependents */
    bool blocks;
};

struct node {
    struct fed_span key; /* resource NUL namespace NUL name, behind the struct */
    struct hub_object_ref ref;
    struct reference *refs;
    size_t n_refs;
    size_t cap_refs;
    char waiting_uid[UID_SIZE]; /* its own, while it is deleted in the foreground; else empty */
    bool queued;
    bool busy;  /* being worked on: stays */
    bool again; /* failed: with the next retry */
    struct node *next;
};

struct hub_owners {
    struct hub_api *api;
    struct hub_subscription *subscription;
    struct fed_timer *timer;
    struct fed_map nodes;   /* key to node */
    struct fed_map owners;  /* uid to owner */
    struct fed_map waiting; /* own uid to node: deleted in the foreground */
    struct node *first;     /* the queue */
    struct node **last;
    uint64_t kinds_generation;
    bool retry;
};

/* ---- index ---- */
static size_t put_key(const struct hub_object_ref *ref, uint8_t *out)
{
    const struct fed_span parts[] = {ref->resource, ref->ns, ref->name};
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        if (out && parts[i].len > 0)
            memcpy(out + len, parts[i].at, parts[i].len);
        len += parts[i].len;
        if (i == 2)
            break;
        if (out)
            out[len] = 0;
        len++;
    }
    return len;
}

static struct node *node_find(struct hub_owners *owners, const struct hub_object_ref *ref)
{
    uint8_t key[1024];

    if (put_key(ref, NULL) > sizeof key)
        return NULL;
    return fed_map_get(&owners->nodes, fed_span_of(key, put_key(ref, key)));
}

static struct node *node_make(struct hub_owners *owners, const struct hub_object_ref *ref)
{
    struct node *node = node_find(owners, ref);
    size_t len = put_key(ref, NULL);
    uint8_t *key;

    if (node)
        return node;
    node = fed_alloc_zero(owners->api->mem, sizeof *node + len);
    if (!node)
        return NULL;
    key = (uint8_t *)(node + 1);
    put_key(ref, key);
    node->key = fed_span_of(key, len);
    node->ref.resource = fed_span_of(key, ref->resource.len);
    node->ref.ns = fed_span_of(key + ref->resource.len + 1, ref->ns.len);
    node->ref.name = fed_span_of(key + ref->resource.len + ref->ns.len + 2, ref->name.len);
    if (fed_map_put(&owners->nodes, node->key, node)) {
        fed_alloc_free(owners->api->mem, node, sizeof *node + len);
        return NULL;
    }
    return node;
}

static struct owner *owner_make(struct hub_owners *owners, struct fed_span uid)
{
    struct owner *owner = fed_map_get(&owners->owners, uid);

    if (owner)
        return owner;
    owner = fed_alloc_zero(owners->api->mem, sizeof *owner);
    if (!owner)
        return NULL;
    if (fed_span_to_cstr(uid, owner->uid, sizeof owner->uid) ||
        fed_map_put(&owners->owners, uid, owner)) {
        fed_alloc_free(owners->api->mem, owner, sizeof *owner);
        return NULL;
    }
    return owner;
}

static void owner_free(struct hub_owners *owners, struct owner *owner)
{
    fed_alloc_free(owners->api->mem, owner->dependents, owner->cap * sizeof *owner->dependents);
    fed_alloc_free(owners->api->mem, owner, sizeof *owner);
}

static void owner_forget(struct hub_owners *owners, struct owner *owner)
{
    fed_map_remove(&owners->owners, fed_span_text(owner->uid));
    owner_free(owners, owner);
}

static enum fed_err owner_add(struct hub_owners *owners, struct owner *owner, struct node *node)
{
    if (owner->n == owner->cap) {
        size_t cap = owner->cap ? owner->cap * 2 : 4;
        struct fed_alloc *mem = owners->api->mem;
        struct node **grown = mem->resize(
            mem->ctx, owner->dependents, owner->cap * sizeof *grown, cap * sizeof *grown);

        if (!grown)
            return FED_ERR_NOMEM;
        owner->dependents = grown;
        owner->cap = cap;
    }
    owner->dependents[owner->n++] = node;
    return FED_OK;
}

/* The last dependent takes the place of the one that goes. */
static void owner_drop(struct hub_owners *owners, const struct reference *ref)
{
    struct owner *owner = ref->owner;
    struct node *moved = owner->dependents[--owner->n];

    owner->dependents[ref->slot] = moved;
    for (size_t i = 0; i < moved->n_refs; i++)
        if (moved->refs[i].owner == owner && moved->refs[i].slot == owner->n)
            moved->refs[i].slot = ref->slot;
    if (owner->n == 0)
        owner_forget(owners, owner);
}

static void node_clear(struct hub_owners *owners, struct node *node)
{
    while (node->n_refs > 0) {
        struct reference ref = node->refs[--node->n_refs];

        owner_drop(owners, &ref);
    }
    fed_alloc_free(owners->api->mem, node->refs, node->cap_refs * sizeof *node->refs);
    node->refs = NULL;
    node->cap_refs = 0;
}

static void node_free(struct hub_owners *owners, struct node *node)
{
    fed_alloc_free(owners->api->mem, node, sizeof *node + node->key.len);
}

/* A node that nothing is known of any more. */
static void node_release(struct hub_owners *owners, struct node *node)
{
    if (node->queued || node->busy || node->again || node->n_refs > 0 || node->waiting_uid[0])
        return;
    fed_map_remove(&owners->nodes, node->key);
    node_free(owners, node);
}

static void set_waiting(struct hub_owners *owners, struct node *node, struct fed_span uid)
{
    if (node->waiting_uid[0])
        fed_map_remove(&owners->waiting, fed_span_text(node->waiting_uid));
    node->waiting_uid[0] = 0;
    if (uid.len > 0 && !fed_span_to_cstr(uid, node->waiting_uid, sizeof node->waiting_uid) &&
        fed_map_put(&owners->waiting, uid, node))
        node->waiting_uid[0] = 0;
}

/* ---- queue ---- */
static void schedule(struct hub_owners *owners, uint64_t in_ms)
{
    struct fed_loop *loop = owners->api->options.loop;

    loop->timer_set(loop->ctx, owners->timer, fed_loop_now_ms(loop) + in_ms);
}

static void enqueue(struct hub_owners *owners, struct node *node)
{
    if (node->queued)
        return;
    if (!owners->first)
        schedule(owners, 0);
    node->queued = true;
    node->next = NULL;
    *owners->last = node;
    owners->last = &node->next;
}

static void enqueue_dependents(struct hub_owners *owners, struct fed_span uid)
{
    struct owner *owner = fed_map_get(&owners->owners, uid);

    for (size_t i = 0; owner && i < owner->n; i++)
        enqueue(owners, owner->dependents[i]);
}

/* Owners that wait for this dependent. */
static void enqueue_waiting(struct hub_owners *owners, const struct node *node)
{
    for (size_t i = 0; i < node->n_refs; i++) {
        struct node *waiting =
            fed_map_get(&owners->waiting, fed_span_text(node->refs[i].owner->uid));

        if (waiting)
            enqueue(owners, waiting);
    }
}

/* ---- what an object says ---- */
static bool has_finalizer(const struct fed_json *object, const char *name)
{
    const struct fed_json *list = fed_json_find(object, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_at(list, i)), name))
            return true;
    return false;
}

static bool is_deleted(const struct fed_json *object)
{
    return hub_meta(object, "deletionTimestamp").len > 0;
}

static bool waits(const struct fed_json *object)
{
    return is_deleted(object) && has_finalizer(object, HUB_FINALIZER_FOREGROUND);
}

static bool orphans(const struct fed_json *object)
{
    return is_deleted(object) && has_finalizer(object, HUB_FINALIZER_ORPHAN);
}

static enum fed_err note_refs(
    struct hub_owners *owners, struct node *node, const struct fed_json *list)
{
    size_t n = fed_json_count(list);

    node_clear(owners, node);
    if (n == 0 || n > REFS_MAX)
        return FED_OK;
    node->refs = fed_alloc_zero(owners->api->mem, n * sizeof *node->refs);
    if (!node->refs)
        return FED_ERR_NOMEM;
    node->cap_refs = n;
    for (size_t i = 0; i < n; i++) {
        const struct fed_json *from = fed_json_at(list, i);
        struct fed_span uid = fed_json_string(fed_json_get(from, "uid"));
        struct owner *owner = uid.len > 0 ? owner_make(owners, uid) : NULL;

        if (!owner)
            continue;
        if (owner_add(owners, owner, node)) {
            if (owner->n == 0)
                owner_forget(owners, owner);
            continue;
        }
        node->refs[node->n_refs++] = (struct reference){
            owner, owner->n - 1, fed_json_bool(fed_json_get(from, "blockOwnerDeletion"), false)};
    }
    return FED_OK;
}

static void note_object(
    struct hub_owners *owners, const struct hub_object_ref *ref, const struct fed_json *object)
{
    const struct fed_json *list = fed_json_find(object, "metadata.ownerReferences");
    bool busy = waits(object) || orphans(object);
    struct node *node = node_find(owners, ref);

    if (!node && fed_json_count(list) == 0 && !busy)
        return;
    node = node ? node : node_make(owners, ref);
    if (!node)
        return; /* no memory: found again at the next start or change */
    enqueue_waiting(owners, node);
    if (note_refs(owners, node, list))
        return;
    set_waiting(owners, node, waits(object) ? hub_meta(object, "uid") : (struct fed_span){0});
    if (busy)
        enqueue_dependents(owners, hub_meta(object, "uid"));
    if (busy || (node->n_refs > 0 && !is_deleted(object)))
        enqueue(owners, node);
    else
        node_release(owners, node);
}

static bool mentions(struct fed_span bytes, const char *word)
{
    return bytes.len > 0 && memmem(bytes.at, bytes.len, word, strlen(word));
}

/* Whether it is worth a look: the words are rare, trees are not free. */
static bool may_matter(struct fed_span bytes)
{
    return mentions(bytes, "\"ownerReferences\"") || mentions(bytes, "\"foregroundDeletion\"") ||
           mentions(bytes, "\"orphan\"");
}

static void with_tree(struct hub_owners *owners, const struct hub_object_ref *ref,
    struct fed_span bytes, bool deleted)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct node *node = deleted ? node_find(owners, ref) : NULL;

    if (fed_json_doc_new(owners->api->mem, &doc))
        return;
    if (!fed_json_parse(doc, bytes, &object, NULL)) {
        if (!deleted)
            note_object(owners, ref, object);
        else
            enqueue_dependents(owners, hub_meta(object, "uid"));
    }
    fed_json_doc_free(doc);
    if (!node)
        return;
    enqueue_waiting(owners, node);
    node_clear(owners, node);
    set_waiting(owners, node, (struct fed_span){0});
    node_release(owners, node);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_owners *owners = ctx;
    bool deleted = change->type == HUB_CHANGE_DELETED;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (deleted ? owners->nodes.count > 0
                : may_matter(change->bytes) || node_find(owners, &change->ref))
        with_tree(owners, &change->ref, change->bytes, deleted);
    if (owners->kinds_generation != hub_kinds_generation(owners->api->kinds) &&
        owners->nodes.count > 0)
        schedule(owners, 0);
}

/* ---- work on one object ---- */
struct work {
    struct hub_owners *owners;
    struct hub_request r; /* for deletions and their failure */
    struct node *node;
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
    write.remove = is_deleted(next) && !hub_object_has_finalizers(next) &&
                   fed_json_count(fed_json_find(next, "spec.finalizers")) == 0;
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
    struct owner *owner;

    /* Each commit may change the list, so it is looked up anew until it is empty. */
    while ((owner = fed_map_get(&w->owners->owners, uid)) != NULL) {
        const struct node *node = owner->dependents[owner->n - 1];
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

static bool blocks(const struct node *node, const struct owner *owner)
{
    for (size_t i = 0; i < node->n_refs; i++)
        if (node->refs[i].owner == owner && node->refs[i].blocks)
            return true;
    return false;
}

/* Whether a node waits for the target in the end: then the target need not wait for it, or both
 * would for ever. left: nodes that are still looked at. */
static bool waits_for(
    struct hub_owners *owners, const struct node *node, const struct node *target, unsigned *left)
{
    const struct owner *owner = node->waiting_uid[0]
                                    ? fed_map_get(&owners->owners, fed_span_text(node->waiting_uid))
                                    : NULL;

    for (size_t i = 0; owner && i<owner->n && * left> 0; i++) {
        const struct node *next = owner->dependents[i];

        --*left;
        if (blocks(next, owner) && (next == target || waits_for(owners, next, target, left)))
            return true;
    }
    return false;
}

static enum fed_err wait_for_dependents(struct work *w)
{
    struct fed_span uid = hub_meta(w->object, "uid");
    struct owner *owner = fed_map_get(&w->owners->owners, uid);
    unsigned left = CIRCLE_MAX;
    size_t blocking = 0;

    for (size_t i = 0; owner && i < owner->n; i++) {
        struct node *node = owner->dependents[i];

        if (!blocks(node, owner) || node == w->node || waits_for(w->owners, node, w->node, &left))
            continue;
        blocking++;
        /* One that waits itself comes by itself. */
        if (!node->waiting_uid[0])
            enqueue(w->owners, node);
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
    return waits(owner) ? REF_WAITING : REF_SOLID;
}

struct states {
    enum ref_state of[REFS_MAX];
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
    struct owner *owner = fed_map_get(&w->owners->owners, hub_meta(w->object, "uid"));

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

    if (n == 0 || n > REFS_MAX)
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
    if (orphans(w->object))
        return orphan_dependents(w);
    if (waits(w->object))
        return wait_for_dependents(w);
    return is_deleted(w->object) ? FED_OK : collect(w);
}

static enum fed_err attempt(struct hub_owners *owners, struct node *node)
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

static bool scan_object(void *ctx, const struct hub_object *object)
{
    if (may_matter(object->bytes))
        with_tree(ctx, &object->ref, object->bytes, false);
    return true;
}

static enum fed_err scan(struct hub_owners *owners)
{
    const struct hub_kinds *kinds = owners->api->kinds;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < hub_kinds_count(kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(kinds, i);

        if (!hub_kind_storage(kind)->of_core)
            err = hub_objects_list(owners->api->objects, fed_span_text(kind->resource),
                (struct fed_span){0}, NULL, scan_object, owners);
    }
    return err;
}

static void enqueue_all(struct hub_owners *owners, bool failed_only)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &owners->nodes);
    while (fed_map_iter_next(&it)) {
        struct node *node = it.value;

        if (failed_only && !node->again)
            continue;
        node->again = false;
        enqueue(owners, node);
    }
}

static void run(void *ctx)
{
    struct hub_owners *owners = ctx;
    uint64_t generation = hub_kinds_generation(owners->api->kinds);
    bool failed = false;

    if (owners->kinds_generation != generation) {
        /* A kind may have come with objects that were there before it, or be what owners waited
         * for. */
        failed = scan(owners) != FED_OK;
        enqueue_all(owners, false);
    } else if (owners->retry && !owners->first)
        enqueue_all(owners, true);
    owners->kinds_generation = generation;
    owners->retry = false;
    for (size_t i = 0; owners->first && i < TURN_ITEMS; i++) {
        struct node *node = owners->first;

        owners->first = node->next;
        if (!owners->first)
            owners->last = &owners->first;
        node->queued = false;
        node->busy = true;
        node->again = attempt(owners, node) != FED_OK;
        node->busy = false;
        failed = failed || node->again;
        node_release(owners, node);
    }
    owners->retry = owners->retry || failed;
    if (owners->first)
        schedule(owners, 0);
    else if (owners->retry)
        schedule(owners, RETRY_MS);
}

/* ---- open and close ---- */
enum fed_err hub_owners_open(struct hub_api *api, struct hub_owners **out)
{
    struct hub_owners *owners = fed_alloc_zero(api->mem, sizeof *owners);
    struct fed_loop *loop = api->options.loop;
    enum fed_err err;

    if (!owners)
        return FED_ERR_NOMEM;
    owners->api = api;
    owners->last = &owners->first;
    owners->kinds_generation = hub_kinds_generation(api->kinds);
    fed_map_init(&owners->nodes, api->mem);
    fed_map_init(&owners->owners, api->mem);
    fed_map_init(&owners->waiting, api->mem);
    err = loop->timer_new(loop->ctx, run, owners, &owners->timer);
    if (!err)
        err = hub_objects_subscribe(
            api->objects, (struct fed_span){0}, changed, owners, &owners->subscription);
    if (!err)
        err = scan(owners);
    if (err) {
        hub_owners_close(owners);
        return err;
    }
    *out = owners;
    return FED_OK;
}

void hub_owners_close(struct hub_owners *owners)
{
    struct fed_map_iter it;
    struct fed_loop *loop;

    if (!owners)
        return;
    loop = owners->api->options.loop;
    loop->timer_free(loop->ctx, owners->timer);
    hub_objects_unsubscribe(owners->subscription);
    fed_map_iter_init(&it, &owners->nodes);
    while (fed_map_iter_next(&it)) {
        struct node *node = it.value;

        node_clear(owners, node);
        fed_map_remove(&owners->nodes, node->key);
        node_free(owners, node);
    }
    fed_map_fini(&owners->waiting);
    fed_map_fini(&owners->owners);
    fed_map_fini(&owners->nodes);
    fed_alloc_free(owners->api->mem, owners, sizeof *owners);
}
