/* preview.c - see preview.h. The items of the preview stand in the plan's table in place of those
 * of the same name; the table copies its keys, so that putting the others back cannot fail. */
#include "hub/plan/preview_parts.h"

#include "hub/plan/gate.h"
#include "hub/plan/policy.h"
#include "proto/object/render.h"

#include <string.h>

const char *hub_preview_action_name(enum hub_preview_action action)
{
    static const char *const names[HUB_PREVIEW_ACTIONS] = {
        "create", "update", "unchanged", "remove", "removing", "refused", "forbidden", "left"};

    return action < HUB_PREVIEW_ACTIONS ? names[action] : "";
}

/* ---- what stands in ---- */
static enum fed_err find_type(struct preview *p, const struct hub_preview_change *change,
    struct plan_type **out, struct fed_diag *diag)
{
    *out = fed_map_get(&p->plan->types, change->ref.resource);
    if (*out || fed_span_is(change->ref.resource, "namespaces"))
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_NOT_FOUND, FED_SPAN_FMT " is not a federated kind",
        FED_SPAN_ARG(change->ref.resource));
}

/* Makes the item of the change; it is in the table from then on. */
static enum fed_err make_item(
    struct preview *p, const struct hub_preview_change *change, struct plan_type *type)
{
    struct preview_stand_in *at = &p->items[p->n_items];
    struct hub_plan *plan = p->plan;
    enum fed_err err = plan_item_new(plan, &change->ref, type, &at->next);

    if (err)
        return err;
    p->n_items++;
    return type ? plan_item_parse(plan, at->next, change->bytes)
                : plan_item_parse_namespace(plan, at->next, change->bytes);
}

static enum fed_err stand_in(
    struct preview *p, const struct hub_preview_change *change, struct fed_diag *diag)
{
    struct preview_stand_in *at = &p->items[p->n_items];
    struct plan_type *type;
    enum fed_err err = find_type(p, change, &type, diag);

    if (err)
        return err;
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].next == plan_item_get(p->plan, &change->ref))
            return fed_diag_set(diag, FED_ERR_INVALID,
                FED_SPAN_FMT " \"" FED_SPAN_FMT "\" stands twice",
                FED_SPAN_ARG(change->ref.resource), FED_SPAN_ARG(change->ref.name));
    at->now = plan_item_get(p->plan, &change->ref);
    if (change->bytes.len > 0)
        return make_item(p, change, type);
    if (!at->now || at->now->gone)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, FED_SPAN_FMT " \"" FED_SPAN_FMT "\" not found",
            FED_SPAN_ARG(change->ref.resource), FED_SPAN_ARG(change->ref.name));
    at->next = at->now;
    p->n_items++;
    return FED_OK;
}

static void put_back(struct preview *p)
{
    struct hub_plan *plan = p->plan;

    for (size_t i = p->n_items; i-- > 0;) {
        struct plan_item *now = p->items[i].now;
        struct plan_item *next = p->items[i].next;

        if (now == next)
            continue;
        /* Replaces a value under a key that is there: nothing is allocated. */
        if (now && fed_map_put(&plan->items, fed_span_of(now->key, now->key_len), now))
            fed_log(plan->log, FED_LOG_ERROR, "plan: an item was lost by a preview");
        plan_item_free(plan, next);
    }
    p->n_items = 0;
}

/* ---- one object ---- */
static enum fed_err find_variant(struct preview *p, struct plan_piece *piece, size_t *out)
{
    struct preview_variant *at = &p->variants[p->n_variants];
    struct plan_blob *blob = piece->blob;

    *out = SIZE_MAX;
    for (size_t i = 0; i < p->n_variants; i++)
        if (p->variants[i].piece == piece ||
            fed_work_same(&p->variants[i].piece->work, &piece->work)) {
            *out = i;
            return FED_OK;
        }
    if (p->n_variants == HUB_PREVIEW_VARIANTS_MAX) {
        p->variants_cut = true;
        return FED_OK;
    }
    fed_buf_init(&at->json, p->plan->mem, FED_BLOB_MAX + FED_WORK_OVERRIDES_MAX);
    at->piece = piece;
    piece->refs++;
    *out = p->n_variants++;
    return fed_render_work(
        p->plan->mem, &piece->work, fed_span_of(blob->bytes, blob->len), &at->json, NULL);
}

static void forget_variants(struct preview *p)
{
    for (size_t i = 0; i < p->n_variants; i++) {
        fed_buf_fini(&p->variants[i].json);
        plan_piece_unref(p->plan, p->variants[i].piece);
    }
    p->n_variants = 0;
    p->variants_cut = false;
}

bool preview_is_present(const struct plan_pair *pair)
{
    /* A work that is held is in every manifest, and says nothing of where the object is. */
    return pair && pair->state == PLAN_PAIR_PRESENT && pair->piece &&
           !(pair->piece->work.options & FED_WORK_HELD);
}

static bool is_going(const struct plan_pair *pair)
{
    return pair && (pair->state == PLAN_PAIR_RELEASING || pair->state == PLAN_PAIR_REMOVING);
}

static size_t bytes_to_send(const struct plan_pair *pair, const struct plan_piece *piece)
{
    bool has_blob = pair && pair->piece && pair->piece->blob == piece->blob;

    return piece->work.overrides.len + (has_blob ? 0 : piece->blob->len);
}

static void row_of_piece(const struct plan_pair *pair, const struct plan_cluster *cluster,
    const struct plan_piece *piece, struct hub_preview_cluster *row, struct fed_diag *message)
{
    if (preview_is_present(pair) && (fed_work_same(&pair->piece->work, &piece->work) ||
                                        plan_work_is_again(&pair->piece->work, &piece->work))) {
        row->action = HUB_PREVIEW_UNCHANGED;
        return;
    }
    if (!preview_is_present(pair) && cluster->now.n >= FED_WORKS_MAX) {
        row->action = HUB_PREVIEW_REFUSED;
        row->reason = "ComputeResourceFailed";
        fed_diag_set(
            message, FED_ERR_LIMIT, "the cluster has %u works, which is the most", FED_WORKS_MAX);
        return;
    }
    row->action = preview_is_present(pair) ? HUB_PREVIEW_UPDATE : HUB_PREVIEW_CREATE;
    row->bytes = bytes_to_send(pair, piece);
}

static void row_of_policy(
    const char *sentence, struct hub_preview_cluster *row, struct fed_diag *message)
{
    row->reason = "ForbiddenByPolicy";
    fed_diag_set(message, FED_ERR_FORBIDDEN, "%s", sentence);
}

bool preview_row_of(const struct plan_pair *pair, const struct plan_cluster *cluster,
    const struct plan_wish *wish, struct hub_preview_cluster *row, struct fed_diag *message)
{
    *row = (struct hub_preview_cluster){.cluster = fed_span_text(cluster->name),
        .action = HUB_PREVIEW_UNCHANGED,
        .reason = "",
        .message = message->text,
        .variant = SIZE_MAX};
    message->text[0] = '\0';
    if (wish->policy && !preview_is_present(pair)) {
        row->action = is_going(pair) ? HUB_PREVIEW_REMOVING : HUB_PREVIEW_FORBIDDEN;
        row_of_policy(wish->policy->forbids, row, message);
        return true;
    }
    if (wish->piece) {
        row_of_piece(pair, cluster, wish->piece, row, message);
        if (wish->policy)
            row_of_policy(wish->policy->waits, row, message);
        return true;
    }
    if (wish->error[0]) {
        row->action = HUB_PREVIEW_REFUSED;
        row->reason = preview_is_present(pair) && strcmp(wish->error, "CreationFailed") == 0
                          ? "UpdateFailed"
                          : wish->error;
        *message = wish->diag;
        return true;
    }
    if (is_going(pair))
        row->action = HUB_PREVIEW_REMOVING;
    else if (preview_is_present(pair) && !wish->frozen && !wish->handed_over)
        row->action = HUB_PREVIEW_REMOVE;
    return is_going(pair) || preview_is_present(pair);
}

/* As it is stored: a rollout may be under way. */
static void row_of_gate(struct preview *p, const struct plan_item *item,
    const struct plan_pair *pair, struct hub_preview_cluster *row, struct fed_diag *message)
{
    const char *why = pair && !row->reason[0] ? plan_gate_why(p->plan, item, pair) : NULL;

    if (!why)
        return;
    row->reason = "Waiting";
    fed_diag_set(message, FED_ERR_BUSY, "%s", why);
}

static enum fed_err look_at_cluster(struct preview *p, struct plan_item *now,
    struct plan_item *next, const struct plan_cluster *cluster)
{
    const struct plan_pair *pair = now ? plan_pair_find(now, cluster) : NULL;
    struct hub_preview_cluster *row = &p->rows[p->n_rows];
    struct plan_wish wish;
    enum fed_err err;

    if (p->ask->cluster.len > 0 && !fed_span_is(p->ask->cluster, cluster->name))
        return FED_OK;
    err = plan_pair_wish(p->plan, next, cluster, &wish);
    if (err)
        return err;
    if (preview_row_of(pair, cluster, &wish, row, &p->messages[p->n_rows])) {
        if (now == next)
            row_of_gate(p, now, pair, row, &p->messages[p->n_rows]);
        p->n_rows++;
        if (p->ask->render && wish.piece && row->action != HUB_PREVIEW_FORBIDDEN)
            err = find_variant(p, wish.piece, &row->variant);
    }
    plan_piece_unref(p->plan, wish.piece);
    return err;
}

static enum fed_err look_at(struct preview *p, struct plan_item *now, struct plan_item *next)
{
    enum fed_err err = FED_OK;

    forget_variants(p);
    plan_gate_forget_why(p->plan);
    p->n_rows = 0;
    for (size_t i = 0; !err && i < p->plan->n_clusters; i++)
        err = look_at_cluster(p, now, next, p->plan->clusters[i]);
    return err;
}

/* ---- telling ---- */
static void describe(
    struct preview *p, const struct plan_item *item, struct hub_preview_object *out)
{
    const struct plan_type *type = item->type;

    out->reason = out->message = "";
    if (plan_item_problem(p->plan, item) == HUB_PLACEMENT_COMPUTE_FAILED) {
        out->frozen = true;
        out->reason = "ComputePlacementFailed";
        out->message = item->latest->message;
    } else if (!plan_type_runs(p->plan, type)) {
        out->frozen = true;
        out->reason = "PropagationDisabled";
        out->message =
            "this kind is not propagated: its FederatedTypeConfig, that of namespaces, or "
            "the gate PushReconciler is off";
    } else if (item->ignored) {
        out->reason = "Ignored";
        out->message =
            "a FederatedNamespace counts when it has the name of its namespace, and that "
            "is none of the system's";
    } else if (plan_item_problem(p->plan, item) == HUB_PLACEMENT_NAMESPACE_NOT_FEDERATED) {
        out->reason = "NamespaceNotFederated";
        out->message = "the namespace has no FederatedNamespace";
    }
}

static enum fed_err tell(struct preview *p, const struct plan_item *now,
    const struct plan_item *next, const struct hub_preview_change *change)
{
    struct hub_gate_outlook rollout = {.governed = false};
    struct fed_span variants[HUB_PREVIEW_VARIANTS_MAX];
    struct hub_preview_object object = {
        .ref = {.resource = next->resource, .ns = next->ns, .name = next->name},
        .asked = change != NULL,
        .stored = now && !now->gone,
        .clusters = p->rows,
        .n_clusters = p->n_rows,
        .variants = variants,
        .n_variants = p->n_variants,
        .variants_cut = p->variants_cut};

    enum fed_err err = plan_gate_outlook(
        p->plan, next->type, &object.ref, change ? change->bytes : fed_span_text(""), &rollout);

    if (err)
        return err;
    object.rollout = rollout.governed ? &rollout : NULL;
    describe(p, next, &object);
    for (size_t i = 0; i < p->n_variants; i++)
        variants[i] = fed_buf_span(&p->variants[i].json);
    return p->ask->told(p->ask->ctx, &object);
}

enum fed_err preview_tell_follower(struct preview *p, const struct plan_item *item)
{
    return tell(p, item, item, NULL);
}

static bool is_asked(const struct preview *p, const struct plan_item *item)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].next == item)
            return true;
    return false;
}

/* Whether one of the namespaces that are previewed decides where the item goes. */
static bool is_in_changed_namespace(const struct preview *p, const struct plan_item *item)
{
    bool of_namespace = !item->type || item->type->is_namespace;
    struct fed_span ns = of_namespace ? item->name : item->ns;

    for (size_t i = 0; i < p->n_items; i++) {
        const struct plan_item *next = p->items[i].next;

        if (next != p->items[i].now && (!next->type || next->type->is_namespace) &&
            fed_span_eq(next->name, ns))
            return true;
    }
    return false;
}

static bool something_changes(const struct preview *p)
{
    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].action != HUB_PREVIEW_UNCHANGED &&
            p->rows[i].action != HUB_PREVIEW_REMOVING && p->rows[i].action != HUB_PREVIEW_FORBIDDEN)
            return true;
    return false;
}

static enum fed_err tell_followers(struct preview *p)
{
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    fed_map_iter_init(&it, &p->plan->items);
    while (!err && fed_map_iter_next(&it)) {
        struct plan_item *item = it.value;

        if (item->gone || is_asked(p, item) || !is_in_changed_namespace(p, item))
            continue;
        err = look_at(p, item, item);
        if (!err && something_changes(p))
            err = preview_tell_follower(p, item);
    }
    return err;
}

static enum fed_err run(struct preview *p, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < p->ask->n_changes; i++)
        err = stand_in(p, &p->ask->changes[i], diag);
    for (size_t i = 0; !err && i < p->n_items; i++) {
        err = look_at(p, p->items[i].now, p->items[i].next);
        if (!err)
            err = tell(p, p->items[i].now, p->items[i].next, &p->ask->changes[i]);
    }
    if (!err)
        err = tell_followers(p);
    return err ? err : preview_world(p, diag);
}

enum fed_err hub_plan_preview(
    struct hub_plan *plan, const struct hub_preview_ask *ask, struct fed_diag *diag)
{
    struct preview *p;
    size_t rows = plan->n_clusters + 1;
    size_t items = ask->n_changes + 1;
    enum fed_err err = FED_ERR_NOMEM;

    if (ask->n_changes > HUB_PREVIEW_OBJECTS_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "at most %u objects at a time", HUB_PREVIEW_OBJECTS_MAX);
    p = fed_alloc_zero(plan->mem, sizeof *p);
    if (!p)
        return FED_ERR_NOMEM;
    p->plan = plan;
    p->ask = ask;
    p->items = fed_alloc_array(plan->mem, items, sizeof *p->items);
    p->rows = fed_alloc_array(plan->mem, rows, sizeof *p->rows);
    p->messages = fed_alloc_array(plan->mem, rows, sizeof *p->messages);
    if (p->items && p->rows && p->messages)
        err = run(p, diag);
    forget_variants(p);
    put_back(p);
    fed_alloc_free(plan->mem, p->items, items * sizeof *p->items);
    fed_alloc_free(plan->mem, p->rows, rows * sizeof *p->rows);
    fed_alloc_free(plan->mem, p->messages, rows * sizeof *p->messages);
    fed_alloc_free(plan->mem, p, sizeof *p);
    return err;
}
