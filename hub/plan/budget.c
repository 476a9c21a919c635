/* budget.c - copies that a policy forbids leave by its deletion budget: so many per period of
 * monotonic time (waiting.c has who waits, and what of it is stored). */
#include "hub/plan/policy.h"

#define PROGRESS_PARTS 8u /* of a period: how often what is left of it is written down */

static uint64_t now_ms(const struct hub_plan *plan)
{
    return fed_loop_now_ms(plan->loop);
}

/* ---- a period ---- */

uint64_t plan_policy_limit(const struct plan_policy *policy)
{
    const struct plan_policy_budget *budget = &policy->rules.budget;

    return budget->percent ? (policy->peak * budget->removals + 99) / 100 : budget->removals;
}

/* A shorter period than the one that runs ends it sooner. What waits and what went are counted
 * together, so that the percentage is of all that is to go. */
static void roll_period(struct plan_policy *policy, uint64_t now)
{
    uint64_t period = policy->rules.budget.period_ms;

    if (policy->period_end_ms > now + period)
        policy->period_end_ms = now + period;
    if (policy->period_end_ms <= now) {
        policy->used = 0;
        policy->period_end_ms = now + period;
        policy->row_dirty = true;
        policy->told = true;
    }
    if (policy->drained)
        policy->peak = 0;
    policy->drained = false;
    if (policy->pending + policy->used > policy->peak) {
        policy->peak = policy->pending + policy->used;
        policy->row_dirty = true;
    }
}

/* Whether other objects of the namespace are in the cluster, which would go with it. */
static bool holds_others(const struct plan_item *item, const struct plan_cluster *cluster)
{
    bool is_namespace = !item->type || item->type->is_namespace;

    for (size_t i = 0; is_namespace && i < cluster->n_items; i++) {
        struct plan_item *other = cluster->items[i];
        const struct plan_pair *pair;

        if (!other->type || other->type->is_namespace || !fed_span_eq(other->ns, item->name))
            continue;
        pair = plan_pair_find(other, cluster);
        if (pair && pair->state == PLAN_PAIR_PRESENT)
            return true;
    }
    return false;
}

static bool may_go(struct hub_plan *plan, const struct plan_policy *policy,
    const struct plan_item *item, const struct plan_pair *pair)
{
    return pair->waiting && pair->policy == policy && plan_type_runs(plan, item->type) &&
           pair->consent != PLAN_CONSENT_AWAITS && !holds_others(item, pair->cluster);
}

/* Those to which a person consented, or the others. Where something waits for a person, all that is
 * to go joins it, so that he is asked once; it uses nothing of the budget until it leaves. */
static enum fed_err spend_on(
    struct hub_plan *plan, struct plan_policy *policy, struct plan_cluster *cluster, bool given)
{
    uint64_t limit = plan_policy_limit(policy);
    bool joins = !given && limit > 0 && plan_consent_joins(plan, cluster);
    enum fed_err err = FED_OK;

    for (size_t i = cluster->n_items; !err && cluster->n_waiting > 0 &&
                                      (joins || policy->used + cluster->consent.n_noted < limit) &&
                                      i-- > 0;) {
        struct plan_item *item = cluster->items[i];
        struct plan_pair *pair = plan_pair_find(item, cluster);

        if ((pair->consent == PLAN_CONSENT_GIVEN) == given && may_go(plan, policy, item, pair) &&
            !plan_consent_keeps(plan, item, pair) && /* else it is judged with the others */
            policy->used < limit)
            err = plan_pair_take_away(plan, item, pair);
    }
    return err ? err : plan_consent_judge_cluster(plan, cluster);
}

/* Judged at once: what a person is asked about leaves the budget to the next cluster. So a round
 * ends with nothing that another one would do. */
static enum fed_err spend_in(
    struct hub_plan *plan, struct plan_policy *policy, struct plan_cluster *cluster)
{
    bool asks = plan_consent_waiting(cluster) > 0;
    enum fed_err err = FED_OK;

    if (cluster->consent.n_given > 0)
        err = spend_on(plan, policy, cluster, true);
    if (!err)
        err = spend_on(plan, policy, cluster, false);
    if (!err && !asks && plan_consent_waiting(cluster) > 0)
        err = spend_on(plan, policy, cluster, false);
    return err;
}

static enum fed_err spend(struct hub_plan *plan, struct plan_policy *policy)
{
    uint64_t used;
    enum fed_err err = FED_OK;

    if (policy->pending == 0) {
        policy->row_dirty = policy->row_dirty || (!policy->drained && policy->peak > 0);
        policy->drained = true;
        return FED_OK;
    }
    roll_period(policy, now_ms(plan));
    used = policy->used;
    for (size_t i = 0; !err && policy->used < plan_policy_limit(policy) && i < plan->n_clusters;
         i++)
        err = spend_in(plan, policy, plan->clusters[i]);
    if (policy->used > used)
        fed_log(plan->log, FED_LOG_INFO,
            "plan: PlacementPolicy %s: %llu copies leave clusters that it forbids, %zu wait for "
            "their turn",
            policy->name, (unsigned long long)(policy->used - used), policy->pending);
    return err;
}

/* When there is more to do, or progress to be written down. */
static void arm(struct hub_plan *plan)
{
    uint64_t now = now_ms(plan);
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < plan->n_policies; i++) {
        const struct plan_policy *policy = plan->policies[i];
        uint64_t part = now + policy->rules.budget.period_ms / PROGRESS_PARTS + 1;

        if (policy->pending == 0)
            continue;
        part = part < policy->period_end_ms ? part : policy->period_end_ms;
        due = part < due ? part : due;
    }
    if (due < UINT64_MAX)
        plan->loop->timer_set(plan->loop->ctx, plan->policy_timer, due);
}

enum fed_err plan_policies_spend(struct hub_plan *plan)
{
    enum fed_err err = FED_OK;

    /* Twice: a Namespace goes when the last of its objects went, by whichever policy. */
    for (size_t i = 0; !err && i < 2 * plan->n_policies; i++)
        err = spend(plan, plan->policies[i % plan->n_policies]);
    if (plan->n_policies > 0)
        arm(plan);
    return err;
}

void plan_policies_wake(void *ctx)
{
    struct hub_plan *plan = ctx;

    for (size_t i = 0; i < plan->n_policies; i++)
        if (plan->policies[i]->pending > 0)
            plan->policies[i]->row_dirty = true;
    plan_round_want(plan);
}
