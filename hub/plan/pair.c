/* pair.c - what one federated object means for one cluster. */
#include "hub/plan/policy.h"
#include "proto/base/bisect.h"
#include "proto/object/render.h"

#include <string.h>

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

struct among_names {
    const struct plan_placement *placement;
    struct fed_span name;
};

static int order_of_names(const void *ctx, size_t index)
{
    const struct among_names *among = ctx;

    return fed_span_cmp(among->placement->names[index], among->name);
}

static bool placement_names(
    const struct plan_placement *placement, const struct plan_cluster *cluster)
{
    struct among_names among = {placement, fed_span_text(cluster->name)};
    size_t index;

    return fed_bisect(placement->n_names, order_of_names, &among, &index);
}

static bool placement_selects(
    const struct plan_placement *placement, const struct plan_cluster *cluster)
{
    switch (placement->mode) {
    case PLAN_SELECTOR:
        return fed_selector_match(placement->selector, cluster->labels);
    case PLAN_NAMES:
        return placement_names(placement, cluster);
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

bool plan_namespace_places(
    struct hub_plan *plan, struct fed_span ns, const struct plan_cluster *cluster)
{
    return namespace_selects(plan, ns, cluster);
}

bool plan_item_selects(
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

static bool placement_differs(const struct plan_placement *placement, const struct fed_json *labels,
    const struct fed_json *other)
{
    return placement->mode == PLAN_SELECTOR && fed_selector_match(placement->selector, labels) !=
                                                   fed_selector_match(placement->selector, other);
}

bool plan_labels_matter(struct hub_plan *plan, struct plan_item *item,
    const struct fed_json *labels, const struct fed_json *other)
{
    const struct plan_item *federated = NULL;

    if (placement_differs(&item->placement, labels, other) ||
        plan_overrides_differ(item, labels, other) ||
        plan_policy_labels_matter(plan, item, labels, other))
        return true;
    if (!item->type || !item->type->namespaced)
        return false;
    federated = plan_namespace_item(plan, item->ns);
    return federated && placement_differs(&federated->placement, labels, other);
}

/* ---- pairs ---- */

struct among_pairs {
    const struct plan_item *item;
    const char *cluster;
};

static int order_of_pairs(const void *ctx, size_t index)
{
    const struct among_pairs *among = ctx;

    return strcmp(among->item->pairs[index].cluster->name, among->cluster);
}

static bool pair_index(const struct plan_item *item, const char *cluster, size_t *index)
{
    struct among_pairs among = {item, cluster};

    return fed_bisect(item->n_pairs, order_of_pairs, &among, index);
}

struct plan_pair *plan_pair_find(struct plan_item *item, const struct plan_cluster *cluster)
{
    size_t index;

    return pair_index(item, cluster->name, &index) ? &item->pairs[index] : NULL;
}

static enum fed_err cluster_list(
    struct hub_plan *plan, struct plan_cluster *cluster, struct plan_item *item, uint32_t *place)
{
    if (cluster->n_items == cluster->cap_items) {
        size_t cap = cluster->cap_items ? cluster->cap_items * 2 : 8;
        struct plan_item **items = plan->mem->resize(plan->mem->ctx, cluster->items,
            cluster->cap_items * sizeof *items, cap * sizeof *items);

        if (!items)
            return FED_ERR_NOMEM;
        cluster->items = items;
        cluster->cap_items = cap;
    }
    *place = (uint32_t)cluster->n_items;
    cluster->items[cluster->n_items++] = item;
    return FED_OK;
}

/* The last one of the list takes its place. */
void plan_pair_unlist(struct plan_pair *pair)
{
    struct plan_cluster *cluster = pair->cluster;
    struct plan_item *last = cluster->items[--cluster->n_items];

    if (pair->place == cluster->n_items)
        return;
    cluster->items[pair->place] = last;
    plan_pair_find(last, cluster)->place = pair->place;
}

enum fed_err plan_pair_add(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_pair **out)
{
    size_t index;
    uint32_t place;

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
    if (cluster_list(plan, cluster, item, &place))
        return FED_ERR_NOMEM;
    memmove(&item->pairs[index + 1], &item->pairs[index],
        (item->n_pairs - index) * sizeof *item->pairs);
    item->n_pairs++;
    item->pairs[index] =
        (struct plan_pair){.cluster = cluster, .state = PLAN_PAIR_REFUSED, .place = place};
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
    pair->cluster->awaiting -= is_awaited((enum plan_pair_state)pair->state);
    pair->state = (uint8_t)state;
    pair->since = 0;
}

void plan_pair_drop(struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    size_t index = (size_t)(pair - item->pairs);

    plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    plan_pair_set_policy(plan, item, pair, NULL, false);
    plan_pair_unlist(pair);
    plan_pair_fini(plan, pair);
    item->n_pairs--;
    memmove(pair, pair + 1, (item->n_pairs - index) * sizeof *pair);
    plan_item_touch(plan, item);
}

static void identify(const struct plan_item *item, struct fed_work *work)
{
    const struct plan_type *type = item->type;

    *work = (struct fed_work){.api_version = item->api_version, .name = item->name};
    work->kind = fed_span_text(type ? type->target_kind : "Namespace");
    work->plural = fed_span_text(type ? type->target_plural : "namespaces");
    if (type && type->target_namespaced) {
        work->ns = item->ns;
        work->options |= FED_WORK_NAMESPACED;
    }
}

void plan_item_describe(
    const struct hub_plan *plan, const struct plan_item *item, struct fed_work *work)
{
    identify(item, work);
    if (plan->settings.adopt)
        work->options |= FED_WORK_ADOPT;
    if (item->retain_replicas)
        work->options |= FED_WORK_RETAIN_REPLICAS;
    if (item->type && plan_collects(plan, item->type))
        work->options |= FED_WORK_STATUS;
    if (plan_is_scaled(plan, item))
        work->options |= FED_WORK_SCALE;
}

/* Overrides may make another version of the object, not another object: whoever replaces all of its
 * metadata takes name and namespace away, which a member refuses. */
static enum fed_err check_rendered(struct hub_plan *plan, struct fed_work *work,
    const struct fed_json *object, struct fed_diag *diag)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));

    if (!fed_span_eq(fed_json_string(fed_json_find(object, "metadata.name")), work->name) ||
        !fed_span_eq(fed_json_string(fed_json_find(object, "metadata.namespace")), work->ns))
        return fed_diag_set(
            diag, FED_ERR_CONFLICT, "an empty namespace may not be set during creation");
    if (fed_span_to_cstr(api_version, plan->api_version, sizeof plan->api_version))
        return fed_diag_set(diag, FED_ERR_INVALID, "apiVersion is too long");
    if (api_version.len)
        work->api_version = fed_span_text(plan->api_version);
    return fed_work_check(work, diag);
}

/* Whether the work can be rendered at all; the agent would find the same, but here the writer sees
 * it at once. The work gets the apiVersion that comes out, valid until the next call.
 * FED_ERR_CONFLICT: a member would refuse it. */
static enum fed_err try_render(struct hub_plan *plan, struct fed_work *work,
    const struct plan_blob *blob, struct fed_diag *diag)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, plan->mem, FED_BLOB_MAX + FED_WORK_OVERRIDES_MAX);
    err = fed_render_work(plan->mem, work, fed_span_of(blob->bytes, blob->len), &out, diag);
    if (!err)
        err = fed_json_doc_new(plan->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&out), &object, diag);
    if (!err)
        err = check_rendered(plan, work, object, diag);
    fed_json_doc_free(doc);
    fed_buf_fini(&out);
    return err;
}

static enum fed_err piece_without(
    struct hub_plan *plan, struct plan_item *item, struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_work work;
    enum fed_err err;

    if (!item->shared) {
        plan_item_describe(plan, item, &work);
        work.blob = item->blob->digest;
        work.overrides = fed_span_text("");
        err = fed_work_check(&work, diag);
        if (!err)
            err = plan_piece_new(plan, item, &work, item->blob, &item->shared);
        if (err)
            return err;
    }
    item->shared->refs++;
    *out = item->shared;
    return FED_OK;
}

static enum fed_err piece_with(struct hub_plan *plan, struct plan_item *item,
    struct fed_span operations, struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_work work;
    enum fed_err err;

    plan_item_describe(plan, item, &work);
    work.blob = item->blob->digest;
    work.overrides = operations;
    err = try_render(plan, &work, item->blob, diag);
    return err ? err : plan_piece_new(plan, item, &work, item->blob, out);
}

static enum fed_err piece_joined(struct hub_plan *plan, struct plan_item *item,
    const struct plan_overrides *overrides, struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_buf joined;
    enum fed_err err;

    fed_buf_init(&joined, plan->mem, FED_WORK_OVERRIDES_MAX);
    err = plan_overrides_join(overrides, &joined);
    if (err == FED_ERR_LIMIT)
        fed_diag_set(diag, err, "the overrides of this cluster are larger than 64 KiB");
    if (!err)
        err = piece_with(plan, item, fed_buf_span(&joined), out, diag);
    fed_buf_fini(&joined);
    return err;
}

/* The piece for this cluster: the shared one, or one with its overrides, which those share that
 * match the same entries. FED_ERR_INVALID, FED_ERR_LIMIT with diag when the overrides do not fit
 * the template. The caller gets a reference. */
static enum fed_err piece_for(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_piece **out, struct fed_diag *diag)
{
    struct plan_overrides overrides;
    struct plan_piece *piece;
    struct fed_span key;
    enum fed_err err;

    if (item->n_overrides == 0)
        return piece_without(plan, item, out, diag);
    plan_overrides_match(item, cluster, &overrides);
    if (overrides.n == 0)
        return piece_without(plan, item, out, diag);
    if (overrides.named)
        return piece_joined(plan, item, &overrides, out, diag);
    key = plan_overrides_key(&overrides);
    piece = fed_map_get(&item->variants, key);
    if (!piece) {
        err = piece_joined(plan, item, &overrides, &piece, diag);
        if (err)
            return err;
        err = fed_map_put(&item->variants, key, piece);
        if (err) {
            plan_piece_unref(plan, piece);
            return err;
        }
    }
    piece->refs++;
    *out = piece;
    return FED_OK;
}

void plan_pair_clear_fault(struct hub_plan *plan, struct plan_pair *pair)
{
    if (pair->fault)
        fed_alloc_free(plan->mem, pair->fault, pair->fault->size);
    pair->fault = NULL;
}

void plan_pair_fini(struct hub_plan *plan, struct plan_pair *pair)
{
    plan_pair_clear_fault(plan, pair);
    plan_piece_unref(plan, pair->piece);
    plan_policy_unref(plan, pair->policy);
    pair->piece = NULL;
    pair->policy = NULL;
}

/* The pair stays what it was (a cluster keeps its last good version) and says what is wrong. */
static enum fed_err pair_refuse(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, const char *error, const char *message)
{
    struct plan_fault *fault;
    struct plan_pair *pair;
    size_t len = strlen(message);
    enum fed_err err = plan_pair_add(plan, item, cluster, &pair);

    if (err)
        return err;
    if (pair->state == PLAN_PAIR_FORBIDDEN)
        plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    if (pair->fault && pair->fault->error == error && strcmp(pair->fault->message, message) == 0)
        return FED_OK;
    fault = fed_alloc_get(plan->mem, sizeof *fault + len + 1);
    if (!fault)
        return FED_ERR_NOMEM;
    fault->size = sizeof *fault + len + 1;
    fault->error = error;
    memcpy(fault->message, message, len + 1);
    plan_pair_clear_fault(plan, pair);
    pair->fault = fault;
    return FED_OK;
}

static bool is_in_manifest(const struct plan_pair *pair)
{
    return pair->piece && (pair->state == PLAN_PAIR_PRESENT || pair->state == PLAN_PAIR_RELEASING);
}

/* KubeFed's word for what a member would refuse. */
static const char *refusal_of(struct plan_item *item, const struct plan_cluster *cluster)
{
    const struct plan_pair *pair = plan_pair_find(item, cluster);

    return pair && pair->piece ? "UpdateFailed" : "CreationFailed";
}

/* What would be sent to a cluster that is selected, or why nothing can be. */
static enum fed_err wish_piece(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_wish *wish)
{
    enum fed_err err;

    if (item->error[0]) {
        wish->error = item->error;
        fed_diag_set(&wish->diag, FED_ERR_INVALID, "%s", item->message);
        return FED_OK;
    }
    err = piece_for(plan, item, cluster, &wish->piece, &wish->diag);
    if (!err || err == FED_ERR_NOMEM)
        return err;
    wish->error = err == FED_ERR_CONFLICT ? refusal_of(item, cluster) : "ApplyOverridesFailed";
    wish->piece = NULL;
    return FED_OK;
}

static enum fed_err pair_place(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_wish wish = {.error = ""};
    struct fed_diag diag = {""};
    struct plan_piece *piece;
    struct plan_pair *pair;
    enum fed_err err = wish_piece(plan, item, cluster, &wish);

    if (err)
        return err;
    if (wish.error[0])
        return pair_refuse(plan, item, cluster, wish.error, wish.diag.text);
    piece = wish.piece;
    err = plan_pair_add(plan, item, cluster, &pair);
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
    if (!err)
        plan_pair_clear_fault(plan, pair);
    return err;
}

/* The work gets the options with which it is to leave (to let go of the object, how to delete it),
 * and leaves the manifest when the agent has confirmed that it has them. */
enum fed_err plan_pair_release(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, uint32_t options)
{
    struct fed_work work = pair->piece->work;
    struct plan_piece *piece;
    enum fed_err err;

    work.options |= options;
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
    plan_pair_clear_fault(plan, pair);
    plan_pair_set_state(pair, PLAN_PAIR_RELEASING);
    return FED_OK;
}

static enum fed_err pair_unplace(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    bool ending = item->deleting || item->gone;
    enum fed_err err;

    plan_pair_set_policy(plan, item, pair, NULL, false);
    switch ((enum plan_pair_state)pair->state) {
    case PLAN_PAIR_REFUSED:
    case PLAN_PAIR_FORBIDDEN:
        plan_pair_drop(plan, item, pair);
        return FED_OK;
    case PLAN_PAIR_PRESENT:
        if (ending && item->orphan)
            return plan_pair_release(plan, item, pair, FED_WORK_ORPHAN);
        if (item->deleting && !item->gone && item->delete_error[0])
            return pair_refuse(plan, item, pair->cluster, "DeletionFailed", item->delete_error);
        if (ending && item->delete_options)
            return plan_pair_release(plan, item, pair, item->delete_options);
        err = plan_cluster_set(plan, pair->cluster, &pair->piece->work, NULL);
        if (err)
            return err;
        plan_pair_set_state(pair, PLAN_PAIR_REMOVING);
        plan_pair_clear_fault(plan, pair);
        return FED_OK;
    case PLAN_PAIR_RELEASING:
    case PLAN_PAIR_REMOVING:
        break;
    }
    return FED_OK;
}

enum fed_err plan_pair_take_away(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    struct plan_policy *policy = pair->policy;
    enum fed_err err;

    policy->refs++; /* while the pair lets go of it */
    err = pair_unplace(plan, item, pair);
    if (err) /* it stays, and so does what holds it */
        plan_pair_set_policy(plan, item, pair, policy, true);
    else
        plan_item_touch(plan, item);
    plan_policy_unref(plan, policy);
    return err;
}

/* Left out: nothing is there, and nothing is sent. What is on its way out goes on. */
static enum fed_err pair_forbid(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, struct plan_policy *policy)
{
    struct plan_pair *pair;
    enum fed_err err = plan_pair_add(plan, item, cluster, &pair);

    if (err || pair->state == PLAN_PAIR_RELEASING || pair->state == PLAN_PAIR_REMOVING)
        return err;
    plan_pair_clear_fault(plan, pair);
    if (pair->state != PLAN_PAIR_FORBIDDEN)
        plan_pair_set_state(pair, PLAN_PAIR_FORBIDDEN);
    plan_pair_set_policy(plan, item, pair, policy, false);
    return FED_OK;
}

/* A cluster that the placement selects. there: the object is in it already, whatever the pair
 * knows. */
static enum fed_err pair_want(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster, bool there)
{
    struct plan_policy *policy;
    struct plan_pair *pair;
    enum fed_err err = plan_policy_forbids(plan, item, cluster, &policy);

    if (err)
        return err;
    pair = plan_pair_find(item, cluster);
    if (policy && !there && !(pair && pair->state == PLAN_PAIR_PRESENT) &&
        !plan_held_recalled(item, cluster))
        return pair_forbid(plan, item, cluster, policy);
    /* Held while its type was stopped, which may mean nothing: it gets nothing new. */
    if (!policy || !pair || !pair->piece || !(pair->piece->work.options & FED_WORK_HELD))
        err = pair_place(plan, item, cluster);
    pair = plan_pair_find(item, cluster);
    if (!err && pair && (policy || pair->policy))
        plan_pair_set_policy(plan, item, pair, policy, policy && pair->state == PLAN_PAIR_PRESENT);
    return err;
}

enum fed_err plan_pair_confirmed(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    enum fed_err err;

    if (pair->state == PLAN_PAIR_REMOVING) {
        struct plan_cluster *cluster = pair->cluster;

        plan_pair_drop(plan, item, pair);
        /* Where a policy took it away, the cluster is still shown as left out. */
        return plan->n_policies && !item->gone && !item->deleting
                   ? plan_pair_update(plan, item, cluster)
                   : FED_OK;
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
        identify(item, &work);
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
    return other && plan_item_selects(plan, other, cluster) ? other : NULL;
}

/* Nothing is removed and nothing awaited: the object passes from one to the other. While the other
 * has nothing that could be sent, the cluster keeps what it has. */
static enum fed_err pair_hand_over(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, struct plan_item *to)
{
    const struct plan_pair *taken;
    enum fed_err err = pair_want(plan, to, pair->cluster, is_in_manifest(pair));

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
    selected = plan_item_selects(plan, item, cluster);
    if (selected && !item->error[0])
        err = pair_want(plan, item, cluster, false);
    item->deleting = true;
    pair = plan_pair_find(item, cluster);
    return err || !pair ? err : pair_unplace(plan, item, pair);
}

static bool is_ending(const struct plan_item *item)
{
    return item->gone || item->deleting;
}

/* A type that is stopped keeps what is there; so does a placement that cannot be computed. */
static bool is_frozen(const struct hub_plan *plan, const struct plan_item *item)
{
    return !plan_type_runs(plan, item->type) ||
           (!is_ending(item) && item->problem == HUB_PLACEMENT_COMPUTE_FAILED);
}

enum fed_err plan_pair_wish(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_wish *out)
{
    enum fed_err err;

    *out = (struct plan_wish){.frozen = is_frozen(plan, item), .error = ""};
    if (out->frozen)
        return FED_OK;
    out->selected = !is_ending(item) && plan_item_selects(plan, item, cluster);
    if (out->selected) {
        err = plan_policy_forbids(plan, item, cluster, &out->policy);
        return err ? err : wish_piece(plan, item, cluster, out);
    }
    out->handed_over = successor(plan, item, cluster) != NULL;
    return FED_OK;
}

enum fed_err plan_pair_update(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair;
    struct plan_item *next;

    plan->computed++;
    if (!plan_type_runs(plan, item->type))
        return plan_pair_hold(plan, item, cluster);
    if ((plan->loading || cluster->returned) && item->deleting && item->has_finalizer)
        return pair_recall(plan, item, cluster);
    if (is_frozen(plan, item))
        return FED_OK;
    if (!is_ending(item) && plan_item_selects(plan, item, cluster))
        return pair_want(plan, item, cluster, false);
    pair = plan_pair_find(item, cluster);
    if (!pair)
        return FED_OK;
    next = successor(plan, item, cluster);
    return next ? pair_hand_over(plan, item, pair, next) : pair_unplace(plan, item, pair);
}
