/* pair.c - what one federated object means for one cluster. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <string.h>

#define DELETE_NEEDS                                                                               \
    "the cluster's agent does not know the deletion options of kubefed.io/deleteoption; the "      \
    "object "                                                                                      \
    "stays there until the agent is updated or the annotation is taken away"

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

/* What would be sent of a version to a cluster that is selected, or why nothing can be. */
static enum fed_err wish_piece(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, unsigned tries, const struct plan_cluster *cluster,
    struct plan_wish *wish)
{
    enum fed_err err;

    if (version->error[0]) {
        wish->error = version->error;
        fed_diag_set(&wish->diag, FED_ERR_INVALID, "%s", version->message);
        return FED_OK;
    }
    err = plan_piece_for(plan, item, version, tries, cluster, &wish->piece, &wish->diag);
    if (!err) {
        err = plan_knows_fit(plan, item, version, cluster, &wish->piece);
        if (!err)
            return FED_OK;
        plan_piece_unref(plan, wish->piece);
    }
    if (err == FED_ERR_NOMEM) {
        wish->piece = NULL;
        return err;
    }
    wish->error = err == FED_ERR_CONFLICT ? refusal_of(item, cluster) : "ApplyOverridesFailed";
    wish->piece = NULL;
    return FED_OK;
}

/* Nothing can be made for it: it keeps what it has. */
static enum fed_err pair_cannot(struct hub_plan *plan, struct plan_item *item,
    struct plan_cluster *cluster, const char *error, const char *message)
{
    enum fed_err err = plan->loading ? plan_pair_keep(plan, item, cluster) : FED_OK;

    return err ? err : pair_refuse(plan, item, cluster, error, message);
}

/* Out of the next manifest, and when that is ordered among the orders; or neither. */
static enum fed_err take_out(
    struct hub_plan *plan, struct plan_cluster *cluster, const struct fed_work *work, bool ordered)
{
    struct fed_removal_id id;
    enum fed_err err = ordered ? plan_order_room(plan, cluster, work, &id) : FED_OK;

    if (!err)
        err = plan_cluster_set(plan, cluster, work, NULL);
    return err || !ordered ? err : plan_order_add_id(plan, cluster, &id);
}

static enum fed_err place_version(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, unsigned tries, struct plan_cluster *cluster)
{
    struct plan_wish wish = {.error = ""};
    struct fed_diag diag = {""};
    struct plan_piece *piece;
    struct plan_pair *pair;
    enum fed_err err = wish_piece(plan, item, version, tries, cluster, &wish);

    if (err)
        return err;
    if (wish.error[0])
        return pair_cannot(plan, item, cluster, wish.error, wish.diag.text);
    piece = wish.piece;
    if (plan_hold_keeps(plan, item, cluster, piece)) {
        plan_piece_unref(plan, piece);
        return plan_hold_pair(plan, item, cluster);
    }
    err = plan_pair_add(plan, item, cluster, &pair);
    if (!err && (pair->state != PLAN_PAIR_PRESENT || !pair->piece ||
                    !fed_work_same(&pair->piece->work, &piece->work))) {
        /* A template that names another API group makes another object: the former one leaves with
         * it. */
        if (is_in_manifest(pair) && fed_work_cmp(&pair->piece->work, &piece->work) != 0)
            err = take_out(plan, cluster, &pair->piece->work, true); /* by its template */
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
        plan_pair_clear_fault(plan, pair);
        plan_hold_end_pair(pair);
    }
    return err;
}

/* What was made of a former answer, and did not become durable, is taken back. */
static enum fed_err pair_restore(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_pair *pair = plan_pair_find(item, cluster);
    struct plan_piece *piece = NULL;
    size_t index;
    enum fed_err err;

    if (!pair || !pair->piece || pair->since != 0)
        return FED_OK;
    if (plan_manifest_find(&cluster->now, &pair->piece->work, &index))
        piece = cluster->now.entries[index].piece;
    err = plan_cluster_set(plan, cluster, &pair->piece->work, piece);
    if (err)
        return err;
    if (piece)
        piece->refs++;
    plan_piece_unref(plan, pair->piece);
    pair->piece = piece;
    plan_pair_set_state(pair, piece ? PLAN_PAIR_PRESENT : PLAN_PAIR_REFUSED);
    return FED_OK;
}

/* The pair gets what was chosen for it. */
static enum fed_err place_choice(struct hub_plan *plan, struct plan_item *item,
    const struct plan_choice *choice, struct plan_cluster *cluster)
{
    struct plan_pair *pair;
    enum fed_err err = choice->unknown ? pair_restore(plan, item, cluster) : FED_OK;

    if (!err)
        err = choice->error[0] ? pair_cannot(plan, item, cluster, choice->error, choice->diag.text)
                               : place_version(plan, item, choice->version, choice->tries, cluster);
    pair = plan_pair_find(item, cluster);
    if (pair) {
        pair->withheld = false;
        plan_gate_note(plan, item, pair, choice->slot);
    }
    return err;
}

enum fed_err plan_pair_place(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster)
{
    struct plan_choice choice;
    enum fed_err err = plan_gate_choose(plan, item, cluster, &choice);

    if (!choice.version && !choice.error[0])
        choice.version = item->latest;
    return err ? err : place_choice(plan, item, &choice, cluster);
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

/* Out of the manifest; listed as an order, unless it was merely one of few. */
static enum fed_err pair_leave(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    bool ordered = pair->consent == PLAN_CONSENT_GIVEN || plan_consent_is_ordered(plan, item);
    enum fed_err err = take_out(plan, pair->cluster, &pair->piece->work, ordered);

    if (err)
        return err;
    plan_pair_set_state(pair, PLAN_PAIR_REMOVING);
    plan_pair_clear_fault(plan, pair);
    return FED_OK;
}

/* It left by placement, the agent holds it back, and now there is an order. */
static enum fed_err pair_order(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    struct fed_removal_id id;
    enum fed_err err;

    if (pair->cluster->consent.n_asked == 0 || !pair->piece || !plan_consent_is_ordered(plan, item))
        return FED_OK;
    err = fed_removal_id_of(&pair->piece->work, &id);
    if (err || plan_order_has(pair->cluster, &id))
        return err;
    return plan_order_add_id(plan, pair->cluster, &id);
}

enum fed_err plan_pair_unplace(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair)
{
    bool ending = item->deleting || item->gone;

    if (pair->consent == PLAN_CONSENT_AWAITS && plan_consent_keeps(plan, item, pair))
        return plan_pair_place(plan, item, pair->cluster);
    plan_pair_set_policy(plan, item, pair, NULL, false);
    plan_hold_end_pair(pair);
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
        if (ending && item->delete_options && !plan_knows_delete(pair->cluster))
            return pair_refuse(plan, item, pair->cluster, "AgentTooOld", DELETE_NEEDS);
        if (ending && item->delete_options)
            return plan_pair_release(plan, item, pair, item->delete_options);
        return plan_consent_keeps(plan, item, pair) ? FED_OK : pair_leave(plan, item, pair);
    case PLAN_PAIR_REMOVING:
        return pair_order(plan, item, pair);
    case PLAN_PAIR_RELEASING:
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
    err = plan_pair_unplace(plan, item, pair);
    if (err) { /* it stays, and goes on waiting */
        plan_pair_set_policy(plan, item, pair, policy, true);
    } else {
        plan_item_touch(plan, item);
        policy->used++;
        policy->row_dirty = true;
    }
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
    plan_gate_note(plan, item, pair, 0);
    pair->withheld = false;
    if (pair->state != PLAN_PAIR_FORBIDDEN)
        plan_pair_set_state(pair, PLAN_PAIR_FORBIDDEN);
    plan_pair_set_policy(plan, item, pair, policy, false);
    return FED_OK;
}

/* After a start a copy that awaits consent is known by that alone. */
static bool is_there(const struct plan_pair *pair)
{
    return pair && (pair->state == PLAN_PAIR_PRESENT || pair->consent == PLAN_CONSENT_AWAITS);
}

/* A cluster that the placement selects. there: the object is in it already, whatever the pair
 * knows. */
static enum fed_err pair_want(
    struct hub_plan *plan, struct plan_item *item, struct plan_cluster *cluster, bool there)
{
    struct plan_choice choice;
    struct plan_policy *policy;
    struct plan_pair *pair;
    enum fed_err err = plan_policy_forbids(plan, item, cluster, &policy);

    if (err)
        return err;
    pair = plan_pair_find(item, cluster);
    if (policy && !there && !is_there(pair) && !plan_waiting_recalled(item, cluster))
        return pair_forbid(plan, item, cluster, policy);
    err = plan_gate_choose(plan, item, cluster, &choice);
    if (err)
        return err;
    if (!plan_choice_places(plan, item, &choice, cluster))
        return plan_pair_withhold(plan, item, &choice, cluster);
    if (pair && !policy) /* taken back, when it was to leave */
        plan_consent_set(pair, PLAN_CONSENT_NONE);
    /* Held while its type was stopped, which may mean nothing: it gets nothing new. */
    if (!policy || !pair || !pair->piece || !(pair->piece->work.options & FED_WORK_HELD))
        err = place_choice(plan, item, &choice, cluster);
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
        /* Where a policy took it away, or it went back to nothing, that is still shown. */
        return (plan->n_policies || item->governed) && !item->gone && !item->deleting
                   ? plan_pair_update(plan, item, cluster)
                   : FED_OK;
    }
    err = take_out(plan, pair->cluster, &pair->piece->work, plan_consent_is_ordered(plan, item));
    if (!err) {
        plan_pair_set_state(pair, PLAN_PAIR_REMOVING);
        plan_item_touch(plan, item);
    }
    return err;
}

/* The label of a Namespace and its FederatedNamespace stand for the same object in the member: the
 * other one. NULL for every other kind. */
static struct plan_item *other_form(struct hub_plan *plan, const struct plan_item *item)
{
    if (!item->type)
        return plan_namespace_item(plan, item->name);
    if (!item->type->is_namespace || item->ignored)
        return NULL;
    return plan_item_get(plan,
        &(struct hub_object_ref){.resource = fed_span_text("namespaces"), .name = item->name});
}

/* The one of them that selects the cluster when this one no longer does. NULL when the namespace is
 * to go. */
static struct plan_item *successor(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_cluster *cluster)
{
    struct plan_item *other = other_form(plan, item);

    return other && plan_item_selects(plan, other, cluster) ? other : NULL;
}

/* Nothing is removed and nothing awaited: the object passes from one to the other. While the other
 * has nothing that could be sent, the cluster keeps what it has. */
static enum fed_err pair_hand_over(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, struct plan_item *to)
{
    const struct plan_pair *taken;
    enum fed_err err = pair_want(plan, to, pair->cluster, is_in_manifest(pair) || is_there(pair));

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
    if (selected && (item->governed || !item->latest->error[0]))
        err = pair_want(plan, item, cluster, false);
    item->deleting = true;
    pair = plan_pair_find(item, cluster);
    return err || !pair ? err : plan_pair_unplace(plan, item, pair);
}

static bool is_ending(const struct plan_item *item)
{
    return item->gone || item->deleting;
}

/* The other form of the namespace does not select the cluster either, but its copy, which is the
 * same, stays there until somebody consents. */
static bool is_kept_by_other(
    struct hub_plan *plan, const struct plan_item *item, const struct plan_pair *pair)
{
    struct plan_item *other = other_form(plan, item);
    const struct plan_pair *kept = other ? plan_pair_find(other, pair->cluster) : NULL;

    return kept && kept->consent == PLAN_CONSENT_AWAITS &&
           (is_ending(item) || pair->consent != PLAN_CONSENT_AWAITS);
}

/* A type that is stopped keeps what is there; so does a placement that cannot be computed. */
static bool is_frozen(const struct hub_plan *plan, const struct plan_item *item)
{
    return !plan_type_runs(plan, item->type) ||
           (!is_ending(item) && item->latest->problem == HUB_PLACEMENT_COMPUTE_FAILED);
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
        return err ? err : wish_piece(plan, item, item->latest, 0, cluster, out);
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
    pair = plan_pair_find(item, cluster);
    if (is_frozen(plan, item))
        return plan->loading ? plan_pair_keep(plan, item, cluster) : FED_OK;
    if (!is_ending(item) && plan_item_selects(plan, item, cluster))
        return pair_want(plan, item, cluster, false);
    pair = plan_pair_find(item, cluster);
    if (!pair)
        return FED_OK;
    next = successor(plan, item, cluster);
    if (next)
        return pair_hand_over(plan, item, pair, next);
    if (!is_kept_by_other(plan, item, pair))
        return plan_pair_unplace(plan, item, pair);
    plan_pair_drop(plan, item, pair);
    return FED_OK;
}
