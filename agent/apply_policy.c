/* apply_policy.c - what the gateway's policy (policy.h) has to say of works: before each apply, and
 * of what is in place when the policy is another.
 *
 * That takes a rendering for each work, so it goes on a few at a time, and waits for a request that
 * is under way. */
#include "agent/apply_inner.h"
#include "agent/render.h"

#include <string.h>

#define REASON "PolicyDenied"
#define AT_ONCE 16u
#define PAUSE_MS 1u
#define BUSY_MS 1000u

enum fed_err apply_policy_render(struct agent_apply *apply, struct agent_entry *entry,
    struct fed_buf *body, const char **reason, struct fed_diag *diag)
{
    enum fed_err err = agent_render_apply(apply->state, entry, body, reason, diag);

    if (err)
        return err;
    err =
        agent_policy_check(apply->policy, apply->ports.mem, &entry->work, fed_buf_span(body), diag);
    if (err == FED_ERR_FORBIDDEN)
        *reason = REASON;
    return err;
}

/* What is held, or kept from another epoch, stays as it is. */
static bool is_judged(const struct agent_entry *entry)
{
    return agent_entry_is_held_to(entry) && !(entry->work.options & FED_WORK_HELD);
}

/* It stays in the member, and is not the agent's to change any more. What fails otherwise is found
 * with the next apply. */
static void judge(struct agent_apply *apply, struct agent_entry *entry)
{
    struct fed_diag diag = {""};
    const char *reason = "";
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, apply->ports.mem, AGENT_BODY_MAX);
    err = apply_policy_render(apply, entry, &body, &reason, &diag);
    fed_buf_fini(&body);
    if (err == FED_ERR_FORBIDDEN)
        apply_render_failed(apply, entry, err, reason, &diag);
}

void apply_policy_timer(void *ctx)
{
    struct agent_apply *apply = ctx;
    uint64_t pause_ms = PAUSE_MS;

    if (apply->judged_revision != apply->table->revision) { /* others stand where they stood */
        apply->judged_revision = apply->table->revision;
        apply->judged = 0;
    }
    for (size_t i = 0; i < AT_ONCE && apply->judged < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[apply->judged];

        if (is_judged(entry) && entry->busy) { /* it may be applied as it was allowed before */
            pause_ms = BUSY_MS;
            break;
        }
        if (is_judged(entry) && entry->state == FED_WORK_APPLIED)
            judge(apply, entry);
        apply->judged++;
    }
    if (apply->judged < apply->table->n)
        agent_timer_at(&apply->ports, apply->policy_timer, apply_now(apply) + pause_ms);
}

void agent_apply_set_policy(struct agent_apply *apply, const struct agent_policy *policy)
{
    uint64_t now_ms = apply_now(apply);

    apply->policy = policy;
    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (is_judged(entry) && entry->state == FED_WORK_FAILED &&
            strcmp(entry->reason, REASON) == 0)
            agent_entry_plan(entry, AGENT_STEP_READ, now_ms);
    }
    apply->judged = 0;
    apply->judged_revision = apply->table->revision;
    if (policy)
        agent_timer_at(&apply->ports, apply->policy_timer, now_ms + PAUSE_MS);
    else
        agent_timer_stop(&apply->ports, apply->policy_timer);
    agent_apply_kick(apply);
}
