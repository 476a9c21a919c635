/* sync_removals.c - removals that wait (consent.h): the hub is asked which of them were ordered by
 * name or consented to; after a connect, when a bundle brought such removals, and when the hub says
 * the head of the bundle in place once more. A hub that does not know the question answers 4.04:
 * then nothing was ordered. */
#include "agent/sync_inner.h"

#define ASK_TIMEOUT_MS 60000u
#define ASK_FLOOR_MS 2000u
#define ASK_CEILING_MS 300000u

static void ask_later(struct agent_sync *s, uint32_t asked_s)
{
    agent_timer_at(&s->ports, s->removals_timer,
        agent_retry_failed(&s->removals_retry, agent_sync_now(s), ASK_FLOOR_MS, ASK_CEILING_MS,
            agent_spread(&s->ports), asked_s > 3600 ? 3600000u : asked_s * 1000u));
}

static enum fed_err take(struct agent_sync *s, struct fed_span bytes, struct fed_diag *diag)
{
    const struct fed_removal_id *ids = NULL;
    size_t waiting = agent_consent_waiting(s->table);
    size_t n_ids = 0;
    size_t n = 0;
    enum fed_err err = bytes.len > 0 ? fed_removals_take(bytes, &ids, &n_ids) : FED_OK;

    if (!err)
        err = agent_consent_answer(s->state, s->table, ids, n_ids, agent_sync_now(s), &n, diag);
    if (err)
        return err;
    if (n > 0)
        fed_log(s->ports.log, FED_LOG_INFO, "%zu of %zu removals that waited go", n, waiting);
    else if (waiting > 0)
        fed_log(s->ports.log, FED_LOG_WARN,
            "%zu removals wait for consent: fedctl approve CLUSTER --removal", waiting);
    s->events.removals(s->events.ctx);
    return FED_OK;
}

static void on_removals(
    void *ctx, enum fed_err err, const struct fed_link_message *message, const struct fed_diag *why)
{
    struct agent_sync *s = ctx;
    bool again = s->removals_again;
    struct fed_diag diag = {""};

    (void)why;
    s->removals_asked = s->removals_again = false;
    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return; /* the next session asks */
    if (err || (message->code != FED_LINK_CONTENT && message->code != FED_LINK_NOT_FOUND)) {
        ask_later(s, err ? 0 : message->max_age_s);
        return;
    }
    if (again) { /* of before the last word: what was ordered then may have come back, and left
                    again */
        agent_sync_ask_for_removals(s);
        return;
    }
    err =
        take(s, message->code == FED_LINK_CONTENT ? message->payload : (struct fed_span){0}, &diag);
    if (err) {
        fed_log(s->ports.log, FED_LOG_WARN, "the removals that wait: %s; asking again",
            agent_sync_text(err, &diag));
        ask_later(s, 0);
        return;
    }
    agent_retry_reset(&s->removals_retry);
}

void agent_sync_ask_for_removals(struct agent_sync *s)
{
    if (s->at != AGENT_SYNC_READY || agent_consent_waiting(s->table) == 0)
        return;
    if (s->removals_asked) {
        s->removals_again = true;
        return;
    }
    agent_timer_stop(&s->ports, s->removals_timer);
    s->removals_asked = true;
    if (s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_REMOVALS, NULL,
            (struct fed_span){0}, ASK_TIMEOUT_MS, on_removals, s)) {
        s->removals_asked = false;
        ask_later(s, 0);
    }
}

void agent_sync_on_removals_timer(void *ctx)
{
    agent_sync_ask_for_removals(ctx);
}
