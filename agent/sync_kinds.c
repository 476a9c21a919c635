/* sync_kinds.c - which kinds are federated: the hub is asked after a connect, unless its hello
 * speaks of the answer that is held, and when it says the head of the bundle in place once more. A
 * hub that does not know the question answers 4.04: then what is known stays. */
#include "agent/sync_inner.h"

#include <string.h>

#define ASK_TIMEOUT_MS 60000u
#define ASK_FLOOR_MS 2000u
#define ASK_CEILING_MS 300000u

static void ask_later(struct agent_sync *s, uint32_t asked_s)
{
    agent_timer_at(&s->ports, s->kinds_timer,
        agent_retry_failed(&s->kinds_retry, agent_sync_now(s), ASK_FLOOR_MS, ASK_CEILING_MS,
            agent_spread(&s->ports), asked_s > 3600 ? 3600000u : asked_s * 1000u));
}

static void on_kinds(
    void *ctx, enum fed_err err, const struct fed_link_message *message, const struct fed_diag *why)
{
    struct agent_sync *s = ctx;
    bool again = s->kinds_again;

    (void)why;
    s->kinds_asked = s->kinds_again = false;
    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return; /* the next hello tells whether they are to be asked for */
    if (err || (message->code != FED_LINK_CONTENT && message->code != FED_LINK_NOT_FOUND)) {
        ask_later(s, err ? 0 : message->max_age_s);
        return;
    }
    agent_retry_reset(&s->kinds_retry);
    if (message->code == FED_LINK_CONTENT)
        s->events.kinds(s->events.ctx, message->payload);
    if (again)
        agent_sync_ask_for_kinds(s);
}

void agent_sync_ask_for_kinds(struct agent_sync *s)
{
    if (s->at != AGENT_SYNC_READY)
        return;
    if (s->kinds_asked) {
        s->kinds_again = true;
        return;
    }
    agent_timer_stop(&s->ports, s->kinds_timer);
    s->kinds_asked = true;
    if (s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_KINDS, NULL,
            (struct fed_span){0}, ASK_TIMEOUT_MS, on_kinds, s)) {
        s->kinds_asked = false;
        ask_later(s, 0);
    }
}

void agent_sync_on_kinds_timer(void *ctx)
{
    agent_sync_ask_for_kinds(ctx);
}
