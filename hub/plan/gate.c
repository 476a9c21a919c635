/* gate.c - see gate.h: what is answered, and the versions that pairs have. */
#include "hub/plan/gate.h"
#include "hub/plan/policy.h"

#include <string.h>

static struct hub_object_ref ref_of(const struct plan_item *item)
{
    return (struct hub_object_ref){.resource = item->resource, .ns = item->ns, .name = item->name};
}

/* ---- slots ---- */

static void slot_free(struct hub_plan *plan, struct plan_earlier *slot)
{
    plan_version_free(plan, slot->version);
    *slot = (struct plan_earlier){0};
}

static struct plan_earlier *slot_find(struct plan_item *item, const struct fed_digest *digest)
{
    for (size_t i = 0; i < item->n_earlier; i++)
        if (item->earlier[i].version && fed_digest_eq(&item->earlier[i].digest, digest))
            return &item->earlier[i];
    return NULL;
}

/* One that no pair has; FED_ERR_LIMIT. */
static enum fed_err slot_take(
    struct hub_plan *plan, struct plan_item *item, struct plan_earlier **out)
{
    struct plan_earlier *all;
    size_t n;

    for (size_t i = 0; i < item->n_earlier; i++) {
        if (item->earlier[i].refs > 0)
            continue;
        slot_free(plan, &item->earlier[i]);
        *out = &item->earlier[i];
        return FED_OK;
    }
    if (item->n_earlier >= HUB_GATE_VERSIONS_MAX)
        return FED_ERR_LIMIT;
    n = item->n_earlier ? item->n_earlier * 2 : 2;
    all = plan->mem->resize(
        plan->mem->ctx, item->earlier, item->n_earlier * sizeof *all, n * sizeof *all);
    if (!all)
        return FED_ERR_NOMEM;
    memset(all + item->n_earlier, 0, (n - item->n_earlier) * sizeof *all);
    *out = all + item->n_earlier;
    item->earlier = all;
    item->n_earlier = n;
    return FED_OK;
}

/* The slot's version is made of the bytes, when they are others than those it was made of. */
static enum fed_err slot_parse(struct hub_plan *plan, const struct plan_item *item,
    struct plan_earlier *slot, struct fed_span bytes)
{
    struct plan_version *version = NULL;
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_digest digest;
    enum fed_err err = fed_digest_of(bytes, &digest);

    if (!err && slot->version && fed_digest_eq(&slot->bytes, &digest))
        return FED_OK;
    if (!err)
        err = fed_json_doc_new(plan->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        err = plan_version_new(plan, &version);
    if (!err)
        err = plan_version_parse(plan, version, item->type, doc, fed_json_get(object, "spec"));
    fed_json_doc_free(doc);
    if (err) {
        plan_version_free(plan, version);
        return err;
    }
    plan_version_free(plan, slot->version);
    slot->version = version;
    slot->bytes = digest;
    return FED_OK;
}

static enum fed_err slot_fill(struct hub_plan *plan, const struct plan_item *item,
    struct plan_earlier *slot, const struct fed_digest *digest)
{
    struct hub_object_ref ref = ref_of(item);
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, plan->mem, HUB_OBJECT_BYTES_MAX);
    err = plan->gates.content(plan->gates.ctx, &ref, digest, &bytes);
    if (!err)
        err = fed_buf_err(&bytes);
    if (!err)
        err = slot_parse(plan, item, slot, fed_buf_span(&bytes));
    fed_buf_fini(&bytes);
    if (err)
        return err;
    slot->digest = *digest;
    slot->stale = false;
    return FED_OK;
}

static enum fed_err slot_of(struct hub_plan *plan, struct plan_item *item,
    const struct fed_digest *digest, struct plan_earlier **out)
{
    struct plan_earlier *slot = slot_find(item, digest);
    enum fed_err err = FED_OK;

    if (!slot)
        err = slot_take(plan, item, &slot);
    if (!err && (!slot->version || slot->stale))
        err = slot_fill(plan, item, slot, digest);
    if (!err)
        *out = slot;
    return err;
}

/* ---- choosing ---- */

static void choose_error(struct plan_choice *out, enum fed_err err, const struct fed_digest *digest)
{
    out->version = NULL;
    out->error = "ComputeResourceFailed";
    if (err == FED_ERR_LIMIT)
        fed_diag_set(&out->diag, err,
            "the clusters have more than %u versions of the object, which is the most",
            HUB_GATE_VERSIONS_MAX);
    else
        fed_diag_set(&out->diag, err,
            "the version %02x%02x%02x%02x%02x%02x that its rollout gives it cannot be read: %s",
            digest->bytes[0], digest->bytes[1], digest->bytes[2], digest->bytes[3],
            digest->bytes[4], digest->bytes[5], fed_err_text(err));
}

/* It keeps what it has, and whatever version that is of. */
static void choose_unknown(struct plan_choice *out, const struct plan_pair *pair)
{
    out->version = NULL;
    out->unknown = true;
    out->slot = pair ? pair->version : 0;
    out->error = HUB_GATE_UNREADABLE;
    fed_diag_set(&out->diag, FED_ERR_IO,
        "which version its rollout gives it cannot be read at present: it keeps what it has");
}

enum fed_err plan_gate_choose(struct hub_plan *plan, struct plan_item *item,
    const struct plan_cluster *cluster, struct plan_choice *out)
{
    struct hub_object_ref ref = ref_of(item);
    struct hub_gate_choice choice = {.tries = 0};
    struct plan_earlier *slot;
    enum fed_err err;

    *out = (struct plan_choice){.version = item->latest, .error = ""};
    if (!item->governed)
        return FED_OK;
    switch (plan->gates.choose(
        plan->gates.ctx, &ref, fed_span_text(cluster->name), cluster->labels, &choice)) {
    case HUB_GATE_LATEST:
        out->tries = choice.tries;
        return FED_OK;
    case HUB_GATE_NOTHING:
        out->version = NULL;
        return FED_OK;
    case HUB_GATE_UNKNOWN:
        choose_unknown(out, plan_pair_find(item, cluster));
        return FED_OK;
    case HUB_GATE_VERSION:
        break;
    }
    err = slot_of(plan, item, &choice.digest, &slot);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        choose_error(out, err, &choice.digest);
        return FED_OK;
    }
    out->version = slot->version;
    out->tries = choice.tries;
    out->slot = (uint8_t)(slot - item->earlier + 1);
    return FED_OK;
}

void plan_gate_note(
    struct hub_plan *plan, struct plan_item *item, struct plan_pair *pair, uint8_t slot)
{
    uint8_t former = pair->version;

    if (former == slot)
        return;
    pair->version = slot;
    if (slot)
        item->earlier[slot - 1].refs++;
    if (former && --item->earlier[former - 1].refs == 0)
        slot_free(plan, &item->earlier[former - 1]);
}

/* ---- withholding ---- */

static bool is_computable(const struct plan_version *version)
{
    return version->problem != HUB_PLACEMENT_COMPUTE_FAILED;
}

bool plan_choice_places(struct hub_plan *plan, const struct plan_item *item,
    const struct plan_choice *choice, const struct plan_cluster *cluster)
{
    if (choice->error[0])
        return true;
    if (!choice->version || !choice->slot)
        return choice->version != NULL;
    return is_computable(choice->version) &&
           plan_version_selects(plan, item, choice->version, cluster);
}

enum fed_err plan_pair_withhold(struct hub_plan *plan, struct plan_item *item,
    const struct plan_choice *choice, struct plan_cluster *cluster)
{
    bool frozen = choice->version && !is_computable(choice->version);
    struct plan_pair *pair;
    enum fed_err err = frozen && plan->loading ? plan_pair_keep(plan, item, cluster) : FED_OK;

    if (!err)
        err = plan_pair_add(plan, item, cluster, &pair);
    if (err)
        return err;
    plan_gate_note(plan, item, pair, choice->slot);
    pair->withheld = true;
    plan_pair_clear_fault(plan, pair);
    if (frozen)
        return FED_OK;
    if (pair->piece || pair->consent == PLAN_CONSENT_AWAITS)
        return plan_pair_unplace(plan, item, pair);
    plan_pair_set_policy(plan, item, pair, NULL, false);
    plan_hold_end_pair(pair);
    plan_consent_set(pair, PLAN_CONSENT_NONE);
    if (pair->state != PLAN_PAIR_REFUSED)
        plan_pair_set_state(pair, PLAN_PAIR_REFUSED);
    return FED_OK;
}

/* ---- the object ---- */

void plan_gate_forget_pieces(struct hub_plan *plan, struct plan_item *item)
{
    for (size_t i = 0; i < item->n_earlier; i++)
        if (item->earlier[i].version)
            plan_version_forget_pieces(plan, item->earlier[i].version);
}

void plan_gate_stale(struct hub_plan *plan, struct plan_item *item)
{
    plan_gate_forget_pieces(plan, item);
    for (size_t i = 0; i < item->n_earlier; i++)
        item->earlier[i].stale = true;
}

void plan_gate_fini(struct hub_plan *plan, struct plan_item *item)
{
    for (size_t i = 0; i < item->n_earlier; i++)
        plan_version_free(plan, item->earlier[i].version);
    fed_alloc_free(plan->mem, item->earlier, item->n_earlier * sizeof *item->earlier);
    item->earlier = NULL;
    item->n_earlier = 0;
}

enum fed_err plan_gate_taken(struct hub_plan *plan, const struct plan_type *type,
    const struct hub_object_ref *ref, struct fed_span bytes, bool *governed)
{
    *governed = false;
    if (!plan->gates.taken || !type || type->is_namespace)
        return FED_OK;
    return plan->gates.taken(plan->gates.ctx, ref, bytes, plan->taking, governed);
}
