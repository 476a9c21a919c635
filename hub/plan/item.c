/* item.c - one federated object: parsing it, and what it means for a cluster. */
#include "hub/identity/identity.h"
#include "hub/plan/internal.h"
#include "proto/object/override.h"
#include "proto/object/render.h"

#include <string.h>

/* ---- items ---- */

static size_t key_size(const struct hub_object_ref *ref)
{
    return ref->resource.len + ref->ns.len + ref->name.len + 2;
}

static void key_write(char *to, const struct hub_object_ref *ref)
{
    const struct fed_span parts[] = {ref->resource, ref->ns, ref->name};

    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy(to, parts[i].at, parts[i].len);
        to += parts[i].len;
        if (i < 2)
            *to++ = '\0';
    }
}

struct plan_item *plan_item_get(struct hub_plan *plan, const struct hub_object_ref *ref)
{
    char key[1024];
    size_t size = key_size(ref);

    if (size > sizeof key)
        return NULL;
    key_write(key, ref);
    return fed_map_get(&plan->items, fed_span_of(key, size));
}

enum fed_err plan_item_new(struct hub_plan *plan, const struct hub_object_ref *ref,
    struct plan_type *type, struct plan_item **out)
{
    struct plan_item *item = fed_alloc_zero(plan->mem, sizeof *item);
    enum fed_err err = FED_ERR_NOMEM;

    if (!item)
        return err;
    item->type = type;
    item->key_len = key_size(ref);
    item->key = fed_alloc_get(plan->mem, item->key_len);
    item->error = "";
    fed_arena_init(&item->arena, plan->mem, PLAN_ITEM_BYTES_MAX);
    if (item->key) {
        key_write(item->key, ref);
        item->resource = fed_span_of(item->key, ref->resource.len);
        item->ns = fed_span_of(item->key + ref->resource.len + 1, ref->ns.len);
        item->name = fed_span_of(item->key + ref->resource.len + ref->ns.len + 2, ref->name.len);
        err = fed_map_put(&plan->items, fed_span_of(item->key, item->key_len), item);
    }
    if (err) {
        fed_alloc_free(plan->mem, item->key, item->key_len);
        fed_alloc_free(plan->mem, item, sizeof *item);
        return err;
    }
    *out = item;
    return FED_OK;
}

static void forget_parsed(struct hub_plan *plan, struct plan_item *item)
{
    fed_selector_free(item->placement.selector);
    item->placement = (struct plan_placement){0};
    plan_blob_unref(plan, item->blob);
    item->blob = NULL;
    plan_piece_unref(plan, item->shared);
    item->shared = NULL;
    item->overrides = NULL;
    item->n_overrides = 0;
    item->error = "";
    item->message[0] = '\0';
    item->problem = HUB_PLACEMENT_OK;
    item->api_version = fed_span_text("");
    fed_arena_fini(&item->arena);
    fed_arena_init(&item->arena, plan->mem, PLAN_ITEM_BYTES_MAX);
}

static void untouch(struct hub_plan *plan, struct plan_item *item)
{
    struct plan_item **link = &plan->touched;

    while (item->listed && *link) {
        if (*link == item) {
            *link = item->next_touched;
            item->listed = false;
            return;
        }
        link = &(*link)->next_touched;
    }
}

void plan_item_free(struct hub_plan *plan, struct plan_item *item)
{
    untouch(plan, item);
    forget_parsed(plan, item);
    for (size_t i = 0; i < item->n_pairs; i++) {
        if (item->pairs[i].piece)
            item->pairs[i].piece->owner = NULL;
        plan_piece_unref(plan, item->pairs[i].piece);
    }
    fed_alloc_free(plan->mem, item->pairs, item->cap_pairs * sizeof *item->pairs);
    fed_arena_fini(&item->arena);
    fed_map_remove(&plan->items, fed_span_of(item->key, item->key_len));
    fed_alloc_free(plan->mem, item->key, item->key_len);
    fed_alloc_free(plan->mem, item, sizeof *item);
}

void plan_item_touch(struct hub_plan *plan, struct plan_item *item)
{
    item->told = true;
    if (item->listed)
        return;
    item->listed = true;
    item->next_touched = plan->touched;
    plan->touched = item;
}

void plan_item_mark(struct hub_plan *plan, struct plan_item *item)
{
    item->dirty = true;
    plan_item_touch(plan, item);
    plan_round_want(plan);
}

/* ---- parsing ---- */

static struct fed_span keep(struct plan_item *item, struct fed_span text)
{
    uint8_t *at = fed_alloc_get(&item->arena.alloc, text.len);

    if (!at)
        return fed_span_of(NULL, 0);
    if (text.len)
        memcpy(at, text.at, text.len);
    return fed_span_of(at, text.len);
}

static enum fed_err parse_names(struct plan_item *item, const struct fed_json *clusters)
{
    size_t n = fed_json_count(clusters);
    struct fed_span *names = fed_alloc_array(&item->arena.alloc, n ? n : 1, sizeof *names);

    if (!names)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        names[i] = keep(item, fed_json_string(fed_json_get(fed_json_at(clusters, i), "name")));
        if (!names[i].at)
            return FED_ERR_NOMEM;
    }
    item->placement.names = names;
    item->placement.n_names = n;
    item->placement.mode = n ? PLAN_NAMES : PLAN_NONE;
    return FED_OK;
}

/* KubeFed's table: a list, even an empty one, beats the selector; a null counts as absent; nothing
 * at all selects nothing (or follows the namespace, where that is federated by its label). */
static enum fed_err parse_placement(
    struct hub_plan *plan, struct plan_item *item, const struct fed_json *placement)
{
    const struct fed_json *clusters = fed_json_get(placement, "clusters");
    const struct fed_json *selector = fed_json_get(placement, "clusterSelector");
    struct fed_diag diag = {""};
    enum fed_err err;

    item->placement.mode = PLAN_ABSENT;
    if (fed_json_is_array(clusters))
        return parse_names(item, clusters);
    if (!fed_json_is_object(selector))
        return FED_OK;
    err = fed_selector_from_object(plan->mem, selector, &item->placement.selector, &diag);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        item->problem = HUB_PLACEMENT_COMPUTE_FAILED;
        memcpy(item->message, diag.text, sizeof item->message - 1);
        item->message[sizeof item->message - 1] = '\0';
        return FED_OK;
    }
    item->placement.mode = PLAN_SELECTOR;
    return FED_OK;
}

static enum fed_err canonical(
    struct hub_plan *plan, const struct fed_json *value, size_t limit, struct fed_buf *out)
{
    fed_buf_init(out, plan->mem, limit);
    return fed_json_put_canonical(out, value);
}

static void refuse(struct plan_item *item, const char *error, const char *message)
{
    size_t len = strlen(message);

    if (len >= sizeof item->message)
        len = sizeof item->message - 1;
    item->error = error;
    memcpy(item->message, message, len);
    item->message[len] = '\0';
}

static enum fed_err parse_template(struct hub_plan *plan, struct plan_item *item,
    struct fed_json_doc *doc, const struct fed_json *template)
{
    struct fed_json *empty = fed_json_new_object(doc);
    struct fed_span api_version = fed_json_string(fed_json_get(template, "apiVersion"));
    struct fed_buf bytes;
    enum fed_err err;

    if (!empty)
        return FED_ERR_NOMEM;
    if (template && !fed_json_is_object(template) && fed_json_type(template) != FED_JSON_NULL) {
        refuse(item, "ComputeResourceFailed", "spec.template is not an object");
        return FED_OK;
    }
    if (!fed_json_is_object(template))
        template = empty;
    err = canonical(plan, template, FED_BLOB_MAX, &bytes);
    if (!err)
        err = plan_blob_get(plan, fed_buf_span(&bytes), &item->blob);
    if (err == FED_ERR_LIMIT) {
        refuse(item, "ComputeResourceFailed", "spec.template is larger than 1.5 MiB");
        err = FED_OK;
    }
    fed_buf_fini(&bytes);
    item->api_version =
        api_version.len ? keep(item, api_version) : fed_span_text(item->type->target_api_version);
    return err;
}

/* One cluster's list, checked and made canonical. What is wrong with any list refuses the object
 * for all clusters. */
static enum fed_err parse_override(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *from, struct plan_override *to, struct fed_diag *diag)
{
    const struct fed_json *operations = fed_json_get(from, "clusterOverrides");
    struct fed_buf bytes;
    enum fed_err err;

    to->cluster = keep(item, fed_json_string(fed_json_get(from, "clusterName")));
    to->operations = fed_span_text("");
    if (fed_json_count(operations) == 0)
        return FED_OK;
    err = fed_override_check(operations, diag);
    if (err)
        return fed_diag_prefix(diag, err, "cluster " FED_SPAN_FMT, FED_SPAN_ARG(to->cluster));
    err = canonical(plan, operations, FED_WORK_OVERRIDES_MAX, &bytes);
    if (!err) {
        to->operations = keep(item, fed_buf_span(&bytes));
        err = to->operations.at ? FED_OK : FED_ERR_NOMEM;
    }
    fed_buf_fini(&bytes);
    return err;
}

static enum fed_err parse_overrides(
    struct hub_plan *plan, struct plan_item *item, const struct fed_json *overrides)
{
    size_t n = fed_json_count(overrides);
    struct plan_override *list;
    struct fed_diag diag = {""};
    enum fed_err err = FED_OK;

    if (n == 0)
        return FED_OK;
    list = fed_alloc_array(&item->arena.alloc, n, sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < n; i++) {
        err = parse_override(plan, item, fed_json_at(overrides, i), &list[i], &diag);
        for (size_t j = 0; !err && j < i; j++) {
            if (fed_span_eq(list[i].cluster, list[j].cluster))
                err = fed_diag_set(&diag, FED_ERR_INVALID,
                    "cluster " FED_SPAN_FMT " stands twice in overrides",
                    FED_SPAN_ARG(list[i].cluster));
        }
    }
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        refuse(item, "ApplyOverridesFailed", diag.text[0] ? diag.text : fed_err_text(err));
        return FED_OK;
    }
    item->overrides = list;
    item->n_overrides = n;
    return FED_OK;
}

bool plan_has_finalizer(const struct fed_json *object)
{
    const struct fed_json *finalizers = fed_json_find(object, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(finalizers); i++) {
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), PLAN_FINALIZER))
            return true;
    }
    return false;
}

static bool is_system_namespace(struct fed_span ns)
{
    return fed_span_is(ns, "kube-system") || fed_span_is(ns, "kube-public") ||
           fed_span_is(ns, "default") || fed_span_is(ns, HUB_SYSTEM_NAMESPACE);
}

static void parse_metadata(struct plan_item *item, const struct fed_json *object)
{
    const struct fed_json *annotations = fed_json_find(object, "metadata.annotations");

    item->generation = fed_json_int(fed_json_find(object, "metadata.generation"), 0);
    item->deleting = fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp"));
    item->orphan =
        fed_span_is(fed_json_string(fed_json_get(annotations, "kubefed.io/orphan")), "true");
    item->has_finalizer = plan_has_finalizer(object);
}

static enum fed_err parse_spec(struct hub_plan *plan, struct plan_item *item,
    struct fed_json_doc *doc, const struct fed_json *object)
{
    const struct fed_json *spec = fed_json_get(object, "spec");
    enum fed_err err = parse_placement(plan, item, fed_json_get(spec, "placement"));

    item->retain_replicas = fed_json_bool(fed_json_get(spec, "retainReplicas"), false);
    if (!err)
        err = parse_template(plan, item, doc, fed_json_get(spec, "template"));
    if (!err)
        err = parse_overrides(plan, item, fed_json_get(spec, "overrides"));
    return err;
}

enum fed_err plan_item_parse(struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    forget_parsed(plan, item);
    item->gone = false;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err) {
        parse_metadata(item, object);
        err = parse_spec(plan, item, doc, object);
    }
    item->ignored = item->type->is_namespace &&
                    (!fed_span_eq(item->ns, item->name) || is_system_namespace(item->name));
    fed_json_doc_free(doc);
    return err;
}

enum fed_err plan_item_parse_namespace(
    struct hub_plan *plan, struct plan_item *item, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(plan->mem, &doc);

    if (err)
        return err;
    forget_parsed(plan, item);
    item->gone = false;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err) {
        const struct fed_json *labels = fed_json_find(object, "metadata.labels");

        parse_metadata(item, object);
        item->has_finalizer = false;
        item->label_federated =
            fed_span_is(fed_json_string(fed_json_get(labels, "federated")), "true") &&
            !is_system_namespace(item->name);
        item->api_version = fed_span_text("v1");
        err = plan_blob_get(plan, fed_span_text("{}"), &item->blob);
    }
    fed_json_doc_free(doc);
    return err;
}

/* ---- placement ---- */

struct plan_item *plan_namespace_item(struct hub_plan *plan, struct fed_span ns)
{
    struct plan_item *item;

    if (!plan->namespaces)
        return NULL;
    item = plan_item_get(
        plan, &(struct hub_object_ref){
                  .resource = fed_span_text(plan->namespaces->resource), .ns = ns, .name = ns});
    return item && !item->gone && !item->deleting && !item->ignored ? item : NULL;
}

bool plan_namespace_labelled(struct hub_plan *plan, struct fed_span ns)
{
    struct plan_item *item = plan_item_get(
        plan, &(struct hub_object_ref){.resource = fed_span_text("namespaces"), .name = ns});

    return item && !item->gone && !item->deleting && item->label_federated;
}

static bool placement_selects(
    const struct plan_placement *placement, const struct plan_cluster *cluster)
{
    switch (placement->mode) {
    case PLAN_SELECTOR:
        return fed_selector_match(placement->selector, cluster->labels);
    case PLAN_NAMES:
        for (size_t i = 0; i < placement->n_names; i++) {
            if (fed_span_is(placement->names[i], cluster->name))
                return true;
        }
        return false;
    case PLAN_NONE:
    case PLAN_ABSENT:
        break;
    }
    return false;
}

static bool namespace_selects(
    struct hub_plan *plan, struct fed_span ns, const struct plan_cluster *cluster)
{
    struct plan_item *federated = plan_namespace_item(plan, ns);

    if (federated && federated->placement.mode != PLAN_ABSENT)
        return placement_selects(&federated->placement, cluster);
    return plan_namespace_labelled(plan, ns);
}

static bool item_selects(
    struct hub_plan *plan, struct plan_item *item, const struct plan_cluster *cluster)
{
    if (item->gone || item->deleting || item->ignored)
        return false;
    if (!item->type) /* the label; a FederatedNamespace that counts takes over */
        return item->label_federated && !plan_namespace_item(plan, item->name);
    if (item->type->is_namespace)
        return namespace_selects(plan, item->name, cluster);
    if (!item->type->namespaced)
        return placement_selects(&item->placement, cluster);
    if (!namespace_selects(plan, item->ns, cluster))
        return false;
    if (item->placement.mode == PLAN_ABSENT)
        return plan_namespace_labelled(plan, item->ns);
    return placement_selects(&item->placement, cluster);
}

/* ---- pairs ---- */

static bool pair_index(const struct plan_item *item, const char *cluster, size_t *index)
{
    size_t low = 0;
    size_t high = item->n_pairs;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(item->pairs[middle].cluster->name, cluster);

        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return false;
}

struct plan_pair *plan_pair_find(struct plan_item *item, const struct plan_cluster *cluster)
{
    size_t index;

    return pair_index(item, cluster->name, &index) ? &item->pairs[index] : NULL;
}

static enum fed_err pair_add(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_pair **out)
{
    size_t index;

    if (pair_index(item, cluster->name, &index)) {
        *out = &item->pairs[index];
        return FED_OK;
    }
    if (item->n_pairs == item->cap_pairs) {
        size_t cap = item->cap_pairs ? item->cap_pairs * 2 : 4;
        struct plan_pair *pairs = plan->mem->resize(
            plan->mem->ctx, item->pairs, item->cap_pairs * sizeof *pairs, cap * sizeof *pairs);

        if (!pairs)
            return FED_ERR_NOMEM;
        item->pairs = pairs;
        item->cap_pairs = cap;
    }
    memmove(&item->pairs[index + 1], &item->pairs[index],
        (item->n_pairs - index) * sizeof *item->pairs);
    item->n_pairs++;
    item->pairs[index] =
        (struct plan_pair){.cluster = cluster, .state = PLAN_PAIR_REFUSED, .error = ""};
    *out = &item->pairs[index];
    return FED_OK;
}

static bool is_awaited(enum plan_pair_state state)
{
    return state == PLAN_PAIR_RELEASING || state == PLAN_PAIR_REMOVING;
}

void plan_pair_set_state(struct plan_pair *pair, enum plan_pair_state state)
{
    pair->cluster->awaiting += is_awaited(state);
    pair->cluster->awaiting -= is_awaited(pair->state);
    pair->state = state;
    pair->since = 0;
}

void plan_pair_drop(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    size_t index = (size_t)(pair - item->pairs);

    plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    plan_piece_unref(plan, pair->piece);
    item->n_pairs--;
    memmove(pair, pair + 1, (item->n_pairs - index) * sizeof *pair);
    plan_item_touch(plan, item);
}

static struct fed_span overrides_for(
    const struct plan_item *item, const struct plan_cluster *cluster)
{
    for (size_t i = 0; i < item->n_overrides; i++) {
        if (fed_span_is(item->overrides[i].cluster, cluster->name))
            return item->overrides[i].operations;
    }
    return fed_span_text("");
}

static void describe(const struct plan_item *item, struct fed_work *work)
{
    const struct plan_type *type = item->type;

    *work = (struct fed_work){
        .api_version = item->api_version, .name = item->name, .options = FED_WORK_ADOPT};
    work->kind = fed_span_text(type ? type->target_kind : "Namespace");
    work->plural = fed_span_text(type ? type->target_plural : "namespaces");
    if (type && type->target_namespaced) {
        work->ns = item->ns;
        work->options |= FED_WORK_NAMESPACED;
    }
    if (item->retain_replicas)
        work->options |= FED_WORK_RETAIN_REPLICAS;
}

/* Whether the work can be rendered at all; the agent would find the same, but here the writer sees
 * it at once. */
static enum fed_err try_render(struct hub_plan *plan, const struct fed_work *work,
    const struct plan_blob *blob, struct fed_diag *diag)
{
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, plan->mem, FED_BLOB_MAX + FED_WORK_OVERRIDES_MAX);
    err = fed_render_work(plan->mem, work, fed_span_of(blob->bytes, blob->len), &out, diag);
    fed_buf_fini(&out);
    return err;
}

/* The piece for this cluster: the shared one, or one with its overrides. FED_ERR_INVALID with diag
 * when the overrides do not fit the template. The caller gets a reference. */
static enum fed_err piece_for(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_span overrides = overrides_for(item, cluster);
    struct fed_work work;
    enum fed_err err;

    if (overrides.len == 0 && item->shared) {
        item->shared->refs++;
        *out = item->shared;
        return FED_OK;
    }
    describe(item, &work);
    work.blob = item->blob->digest;
    work.overrides = overrides;
    err = overrides.len ? try_render(plan, &work, item->blob, diag) : fed_work_check(&work, diag);
    if (!err)
        err = plan_piece_new(plan, item, &work, item->blob, out);
    if (!err && overrides.len == 0) {
        item->shared = *out;
        item->shared->refs++;
    }
    return err;
}

/* The pair stays what it was (a cluster keeps its last good version) and says what is wrong. */
static enum fed_err pair_refuse(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, const char *error, const char *message)
{
    struct plan_pair *pair;
    size_t len = strlen(message);
    enum fed_err err = pair_add(plan, item, cluster, &pair);

    if (err)
        return err;
    pair->error = error;
    if (len >= sizeof pair->message)
        len = sizeof pair->message - 1;
    memcpy(pair->message, message, len);
    pair->message[len] = '\0';
    return FED_OK;
}

static bool is_in_manifest(const struct plan_pair *pair)
{
    return pair->piece && (pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING);
}

static enum fed_err pair_place(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct fed_diag diag = {""};
    struct plan_piece *piece;
    struct plan_pair *pair;
    enum fed_err err;

    if (item->error[0])
        return pair_refuse(plan, item, cluster, item->error, item->message);
    err = piece_for(plan, item, cluster, &piece, &diag);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err)
        return pair_refuse(plan, item, cluster, "ApplyOverridesFailed", diag.text);
    err = pair_add(plan, item, cluster, &pair);
    if (!err && (pair->state != PLAN_PAIR_PRESENT || !pair->piece ||
                    !fed_work_same(&pair->piece->work, &piece->work))) {
        /* A template that names another API group makes another object: the former one leaves with
         * it. */
        if (is_in_manifest(pair) && fed_work_cmp(&pair->piece->work, &piece->work) != 0)
            err = plan_cluster_set(plan, cluster, &pair->piece->work, NULL);
        if (!err)
            err = plan_cluster_set(plan, cluster, &piece->work, piece);
        if (!err) {
            plan_piece_unref(plan, pair->piece);
            pair->piece = piece;
            piece->refs++;
            plan_pair_set_state(pair, PLAN_PAIR_PRESENT);
        }
    }
    plan_piece_unref(plan, piece);
    /* One cluster that is full holds up nobody else's round. */
    if (err == FED_ERR_LIMIT) {
        fed_diag_set(&diag, err, "the cluster has %u works, which is the most", FED_WORKS_MAX);
        return pair_refuse(plan, item, cluster, "ComputeResourceFailed", diag.text);
    }
    if (!err) {
        pair->error = "";
        pair->message[0] = '\0';
    }
    return err;
}

/* The object stays in the member: the work gets the option by which the agent lets go of it, and
 * leaves the manifest when the agent has confirmed that. */
static enum fed_err pair_release(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    struct fed_work work = pair->piece->work;
    struct plan_piece *piece;
    enum fed_err err;

    work.options |= FED_WORK_ORPHAN;
    err = plan_piece_new(plan, item, &work, pair->piece->blob, &piece);
    if (err)
        return err;
    err = plan_cluster_set(plan, pair->cluster, &work, piece);
    if (err) {
        plan_piece_unref(plan, piece);
        return err;
    }
    plan_piece_unref(plan, pair->piece);
    pair->piece = piece;
    plan_pair_set_state(pair, PLAN_PAIR_RELEASING);
    return FED_OK;
}

static enum fed_err pair_unplace(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    bool release = (item->deleting || item->gone) && item->orphan;
    enum fed_err err;

    switch (pair->state) {
    case PLAN_PAIR_REFUSED:
        plan_pair_drop(plan, item, pair);
        return FED_OK;
    case PLAN_PAIR_PRESENT:
        if (release || (item->type && item->type->gone))
            return pair_release(plan, item, pair);
        err = plan_cluster_set(plan, pair->cluster, &pair->piece->work, NULL);
        if (err)
            return err;
        plan_pair_set_state(pair, PLAN_PAIR_REMOVING);
        pair->error = "";
        pair->message[0] = '\0';
        return FED_OK;
    case PLAN_PAIR_RELEASING:
    case PLAN_PAIR_REMOVING:
        break;
    }
    return FED_OK;
}

enum fed_err plan_pair_confirmed(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    enum fed_err err;

    if (pair->state == PLAN_PAIR_REMOVING) {
        plan_pair_drop(plan, item, pair);
        return FED_OK;
    }
    err = plan_cluster_set(plan, pair->cluster, &pair->piece->work, NULL);
    if (!err) {
        plan_pair_set_state(pair, PLAN_PAIR_REMOVING);
        plan_item_touch(plan, item);
    }
    return err;
}

void plan_pair_id(const struct plan_item *item, const struct plan_pair *pair, struct fed_buf *out)
{
    struct fed_work work;

    if (pair->piece)
        work = pair->piece->work;
    else
        describe(item, &work);
    fed_work_put_id(out, &work);
}

/* The label of a Namespace and its FederatedNamespace stand for the same object in the member: the
 * one of them that selects the cluster when this one no longer does. NULL for every other kind, and
 * when the namespace is to go. */
static struct plan_item *successor(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_cluster *cluster)
{
    struct plan_item *other = NULL;

    if (!item->type)
        other = plan_namespace_item(plan, item->name);
    else if (item->type->is_namespace && !item->ignored)
        other = plan_item_get(plan,
            &(struct hub_object_ref){.resource = fed_span_text("namespaces"), .name = item->name});
    return other && item_selects(plan, other, cluster) ? other : NULL;
}

/* Nothing is removed and nothing awaited: the object passes from one to the other. While the other
 * has nothing that could be sent, the cluster keeps what it has. */
static enum fed_err pair_hand_over(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, struct plan_item *to)
{
    const struct plan_pair *taken;
    enum fed_err err = pair_place(plan, to, pair->cluster);

    if (err)
        return err;
    plan_item_touch(plan, to);
    taken = plan_pair_find(to, pair->cluster);
    if (taken && taken->state == PLAN_PAIR_PRESENT)
        plan_pair_drop(plan, item, pair);
    return FED_OK;
}

/* A deletion that was under way when the hub stopped: what the clusters may still hold is awaited
 * again, by placing the work and taking it away within the same round. */
static enum fed_err pair_recall(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair;
    bool selected;
    enum fed_err err = FED_OK;

    if (successor(plan, item, cluster))
        return FED_OK;
    item->deleting = false;
    selected = item_selects(plan, item, cluster);
    if (selected && !item->error[0])
        err = pair_place(plan, item, cluster);
    item->deleting = true;
    pair = plan_pair_find(item, cluster);
    return err || !pair ? err : pair_unplace(plan, item, pair);
}

enum fed_err plan_pair_update(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair;
    struct plan_item *next;
    bool ending = item->gone || item->deleting || (item->type && item->type->gone);

    if (plan->loading && item->deleting && item->has_finalizer)
        return pair_recall(plan, item, cluster);
    /* A disabled type keeps what is there; so does a placement that cannot be computed. */
    if (!ending &&
        ((item->type && !item->type->enabled) || item->problem == HUB_PLACEMENT_COMPUTE_FAILED))
        return FED_OK;
    if (!ending && item_selects(plan, item, cluster))
        return pair_place(plan, item, cluster);
    pair = plan_pair_find(item, cluster);
    if (!pair)
        return FED_OK;
    next = successor(plan, item, cluster);
    return next ? pair_hand_over(plan, item, pair, next) : pair_unplace(plan, item, pair);
}
