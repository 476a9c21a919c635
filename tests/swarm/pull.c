/* pull.c - what an agent does with a frame, and how it asks for one (docs/protocol.md,
 * section 6.4). */
#include "tests/swarm/swarm.h"

#include <string.h>

#define PULL_TIMEOUT_MS 600000u
#define PULL_FLOOR_MS 1000u
#define PULL_CEILING_MS 300000u
#define DIGEST_FAILURES_MAX 2u

static bool is_up(const struct swarm_agent *agent)
{
    return agent->at >= SWARM_HELLO;
}

/* ---- frames ---- */

static void pull(struct swarm_agent *agent);

static void pull_later(struct swarm_agent *agent)
{
    agent->swarm->loop->timer_set(agent->swarm->loop->ctx, agent->pull_timer,
        agent_retry_failed(&agent->pull_retry, swarm_now_ms(agent->swarm), PULL_FLOOR_MS,
            PULL_CEILING_MS, swarm_spread(agent->swarm), 0));
}

static void refused(struct swarm_agent *agent, enum fed_err err, const struct fed_diag *diag)
{
    struct swarm_counts *counts = &agent->swarm->counts;

    counts->refused++;
    if (err == FED_ERR_CONFLICT && agent->pull_retry.attempts == 0) {
        agent->pull_retry.attempts++; /* once at once; taken back by the next frame */
        pull(agent);
        return;
    }
    swarm_trouble(agent->swarm, "%s: a frame is refused: %s", agent->name, diag->text);
    if (err == FED_ERR_GONE) {
        counts->older++;
        return;
    }
    if (err == FED_ERR_DIGEST || err == FED_ERR_NOT_FOUND) {
        agent->digest_failures++;
        agent->want_full =
            agent->digest_failures >= DIGEST_FAILURES_MAX || err == FED_ERR_NOT_FOUND;
    }
    pull_later(agent);
}

static void take_body(struct swarm_agent *agent, struct fed_span frame, bool full)
{
    struct swarm *swarm = agent->swarm;
    struct fed_diag diag = {""};
    enum fed_err err = swarm_bundle_take(&agent->bundle, &swarm->blobs, frame, &diag);

    if (err) {
        refused(agent, err, &diag);
        return;
    }
    swarm->counts.frames++;
    swarm->counts.full += full;
    agent->digest_failures = 0;
    agent->want_full = false;
    agent_retry_reset(&agent->pull_retry);
    agent->news = true;
    swarm_event_met(agent);
    swarm_report_soon(agent);
}

void swarm_frame_take(struct swarm_agent *agent, struct fed_span bytes)
{
    const struct swarm_bundle *bundle = &agent->bundle;
    struct fed_frame_head head;
    struct fed_span from = bytes;
    struct fed_diag diag = {""};

    agent->told_ms = swarm_now_ms(agent->swarm);
    if (bytes.len == 0)
        return;
    if (fed_frame_head_take(&from, &head)) {
        fed_diag_set(&diag, FED_ERR_INVALID, "its head cannot be read");
        refused(agent, FED_ERR_INVALID, &diag);
        return;
    }
    if (bundle->revision && head.epoch == bundle->epoch && head.revision == bundle->revision &&
        !agent->want_full) {
        if (memcmp(head.digest, bundle->digest, sizeof bundle->digest) == 0)
            return; /* what is held */
        agent->want_full = true;
        fed_diag_set(&diag, FED_ERR_DIGEST, "the same revision with other content");
        refused(agent, FED_ERR_DIGEST, &diag);
    } else if (!head.has_body) {
        pull(agent);
    } else {
        take_body(agent, bytes, head.base_revision == 0);
    }
}

/* ---- pulling ---- */

static void on_pull(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;
    bool again = agent->pull_again;

    if (!agent->pulling || !is_up(agent) || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    agent->pulling = agent->pull_again = false;
    if (!err && swarm_session_later(agent, message))
        return;
    if (!err && message->code == FED_LINK_CONTENT) {
        swarm_frame_take(agent, message->payload);
        if (again && !agent->pulling)
            pull(agent);
        return;
    }
    swarm_session_unexpected(agent, "pulling", err, message, diag);
    pull_later(agent);
}

const char *swarm_bundle_query(struct swarm_agent *agent, struct fed_buf *out)
{
    fed_link_bundle_query_put(
        out, agent->bundle.epoch, agent->want_full ? 0 : agent->bundle.revision);
    if (agent->kept)
        fed_buf_put_text(out, "&" FED_LINK_MARK_KEPT);
    return fed_buf_cstr(out);
}

static void pull(struct swarm_agent *agent)
{
    struct fed_buf query;
    enum fed_err err;

    if (agent->pulling) {
        agent->pull_again = true;
        return;
    }
    agent->swarm->loop->timer_stop(agent->swarm->loop->ctx, agent->pull_timer);
    agent->swarm->counts.pulls++;
    fed_buf_init(&query, agent->swarm->mem, 128);
    agent->pulling = true;
    err = agent->link.port->request(agent->link.port->ctx, FED_LINK_GET, FED_LINK_PATH_BUNDLE,
        swarm_bundle_query(agent, &query), (struct fed_span){0}, PULL_TIMEOUT_MS, on_pull, agent);
    fed_buf_fini(&query);
    if (err) {
        agent->pulling = false;
        pull_later(agent);
    }
}

void swarm_pull_timer(void *ctx)
{
    struct swarm_agent *agent = ctx;

    if (is_up(agent))
        pull(agent);
}
