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
#include "hub/api/owners.h"

#include <string.h>

#define TURN_ITEMS 64u /* worked on before others get their turn */
#define RETRY_MS 5000u

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

static struct hub_owners_node *node_find(
    struct hub_owners *owners, const struct hub_object_ref *ref)
{
    uint8_t key[1024];

    if (put_key(ref, NULL) > sizeof key)
        return NULL;
    return fed_map_get(&owners->nodes, fed_span_of(key, put_key(ref, key)));
}

static struct hub_owners_node *node_make(
    struct hub_owners *owners, const struct hub_object_ref *ref)
{
    struct hub_owners_node *node = node_find(owners, ref);
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

static struct hub_owner *owner_make(struct hub_owners *owners, struct fed_span uid)
{
    struct hub_owner *owner = fed_map_get(&owners->owners, uid);

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

static void owner_free(struct hub_owners *owners, struct hub_owner *owner)
{
    fed_alloc_free(owners->api->mem, owner->dependents, owner->cap * sizeof *owner->dependents);
    fed_alloc_free(owners->api->mem, owner, sizeof *owner);
}

static void owner_forget(struct hub_owners *owners, struct hub_owner *owner)
{
    fed_map_remove(&owners->owners, fed_span_text(owner->uid));
    owner_free(owners, owner);
}

static enum fed_err owner_add(
    struct hub_owners *owners, struct hub_owner *owner, struct hub_owners_node *node)
{
    if (owner->n == owner->cap) {
        size_t cap = owner->cap ? owner->cap * 2 : 4;
        struct fed_alloc *mem = owners->api->mem;
        struct hub_owners_node **grown = mem->resize(
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
static void owner_drop(struct hub_owners *owners, const struct hub_owner_reference *ref)
{
    struct hub_owner *owner = ref->owner;
    struct hub_owners_node *moved = owner->dependents[--owner->n];

    owner->dependents[ref->slot] = moved;
    for (size_t i = 0; i < moved->n_refs; i++)
        if (moved->refs[i].owner == owner && moved->refs[i].slot == owner->n)
            moved->refs[i].slot = ref->slot;
    if (owner->n == 0)
        owner_forget(owners, owner);
}

static void node_clear(struct hub_owners *owners, struct hub_owners_node *node)
{
    while (node->n_refs > 0) {
        struct hub_owner_reference ref = node->refs[--node->n_refs];

        owner_drop(owners, &ref);
    }
    fed_alloc_free(owners->api->mem, node->refs, node->cap_refs * sizeof *node->refs);
    node->refs = NULL;
    node->cap_refs = 0;
}

static void node_free(struct hub_owners *owners, struct hub_owners_node *node)
{
    fed_alloc_free(owners->api->mem, node, sizeof *node + node->key.len);
}

/* A node that nothing is known of any more. */
static void node_release(struct hub_owners *owners, struct hub_owners_node *node)
{
    if (node->queued || node->busy || node->again || node->n_refs > 0 || node->waiting_uid[0])
        return;
    fed_map_remove(&owners->nodes, node->key);
    node_free(owners, node);
}

static void set_waiting(
    struct hub_owners *owners, struct hub_owners_node *node, struct fed_span uid)
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

void hub_owners_enqueue(struct hub_owners *owners, struct hub_owners_node *node)
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
    struct hub_owner *owner = fed_map_get(&owners->owners, uid);

    for (size_t i = 0; owner && i < owner->n; i++)
        hub_owners_enqueue(owners, owner->dependents[i]);
}

/* Owners that wait for this dependent. */
static void enqueue_waiting(struct hub_owners *owners, const struct hub_owners_node *node)
{
    for (size_t i = 0; i < node->n_refs; i++) {
        struct hub_owners_node *waiting =
            fed_map_get(&owners->waiting, fed_span_text(node->refs[i].owner->uid));

        if (waiting)
            hub_owners_enqueue(owners, waiting);
    }
}

/* ---- what an object says ---- */
static enum fed_err note_refs(
    struct hub_owners *owners, struct hub_owners_node *node, const struct fed_json *list)
{
    size_t n = fed_json_count(list);

    node_clear(owners, node);
    if (n == 0 || n > HUB_OWNERS_REFS_MAX)
        return FED_OK;
    node->refs = fed_alloc_zero(owners->api->mem, n * sizeof *node->refs);
    if (!node->refs)
        return FED_ERR_NOMEM;
    node->cap_refs = n;
    for (size_t i = 0; i < n; i++) {
        const struct fed_json *from = fed_json_at(list, i);
        struct fed_span uid = fed_json_string(fed_json_get(from, "uid"));
        struct hub_owner *owner = uid.len > 0 ? owner_make(owners, uid) : NULL;

        if (!owner)
            continue;
        if (owner_add(owners, owner, node)) {
            if (owner->n == 0)
                owner_forget(owners, owner);
            continue;
        }
        node->refs[node->n_refs++] = (struct hub_owner_reference){
            owner, owner->n - 1, fed_json_bool(fed_json_get(from, "blockOwnerDeletion"), false)};
    }
    return FED_OK;
}

static void note_object(
    struct hub_owners *owners, const struct hub_object_ref *ref, const struct fed_json *object)
{
    const struct fed_json *list = fed_json_find(object, "metadata.ownerReferences");
    bool busy = hub_owners_waits(object) || hub_owners_orphans(object);
    struct hub_owners_node *node = node_find(owners, ref);

    if (!node && fed_json_count(list) == 0 && !busy)
        return;
    node = node ? node : node_make(owners, ref);
    if (!node)
        return; /* no memory: found again at the next start or change */
    enqueue_waiting(owners, node);
    if (note_refs(owners, node, list))
        return;
    set_waiting(
        owners, node, hub_owners_waits(object) ? hub_meta(object, "uid") : (struct fed_span){0});
    if (busy)
        enqueue_dependents(owners, hub_meta(object, "uid"));
    if (busy || (node->n_refs > 0 && !hub_owners_is_deleted(object)))
        hub_owners_enqueue(owners, node);
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
    struct hub_owners_node *node = deleted ? node_find(owners, ref) : NULL;

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

/* ---- run ---- */
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
        struct hub_owners_node *node = it.value;

        if (failed_only && !node->again)
            continue;
        node->again = false;
        hub_owners_enqueue(owners, node);
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
        struct hub_owners_node *node = owners->first;

        owners->first = node->next;
        if (!owners->first)
            owners->last = &owners->first;
        node->queued = false;
        node->busy = true;
        node->again = hub_owners_attempt(owners, node) != FED_OK;
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
        struct hub_owners_node *node = it.value;

        node_clear(owners, node);
        fed_map_remove(&owners->nodes, node->key);
        node_free(owners, node);
    }
    fed_map_fini(&owners->waiting);
    fed_map_fini(&owners->owners);
    fed_map_fini(&owners->nodes);
    fed_alloc_free(owners->api->mem, owners, sizeof *owners);
}
