/* sync_bundle.c - frames: what comes is staged, what does not ride along is pulled, what is refused
 * is pulled again. */
#include "agent/sync_inner.h"

#include <stdio.h>
#include <string.h>

#define PULL_FLOOR_MS 1000u
#define PULL_CEILING_MS 300000u
/* What the state file could not take: the disk may have room again at any time. */
#define PULL_DISK_CEILING_MS 45000u
#define DIGEST_FAILURES_MAX 2u

/* ---- frames ---- */

static void pull(struct agent_sync *s);

static void pull_later(struct agent_sync *s, uint32_t ceiling_ms)
{
    s->pull_due = true;
    s->pull_ms = agent_retry_failed(
        &s->pull_retry, agent_sync_now(s), PULL_FLOOR_MS, ceiling_ms, agent_spread(&s->ports), 0);
    agent_timer_at(&s->ports, s->pull_timer, s->pull_ms);
}

static void refused(struct agent_sync *s, enum fed_err err, const struct fed_diag *diag)
{
    snprintf(s->pull_why, sizeof s->pull_why, "%.199s", agent_sync_text(err, diag));
    if (err == FED_ERR_CONFLICT && s->pull_retry.attempts == 0) {
        pull(s); /* starts elsewhere than what we hold: ordinary after a lost notification */
        return;
    }
    if (err == FED_ERR_GONE) {
        fed_log(s->ports.log, FED_LOG_ERROR,
            "bundle refused: %s; the present one stays. Was the hub restored without a new epoch?",
            agent_sync_text(err, diag));
        return;
    }
    if (err == FED_ERR_DIGEST || err == FED_ERR_NOT_FOUND) {
        s->digest_failures++;
        s->want_full |= s->digest_failures >= DIGEST_FAILURES_MAX || err == FED_ERR_NOT_FOUND;
    }
    fed_log(s->ports.log, s->pull_retry.attempts ? FED_LOG_DEBUG : FED_LOG_WARN,
        "bundle refused: %s; nothing of it was applied, pulling %s", agent_sync_text(err, diag),
        s->want_full ? "all of it" : "again");
    pull_later(
        s, err == FED_ERR_FULL || err == FED_ERR_IO ? PULL_DISK_CEILING_MS : PULL_CEILING_MS);
}

static void stage(struct agent_sync *s, struct fed_span frame)
{
    struct agent_staged staged;
    struct fed_diag diag = {""};
    enum fed_err err = agent_stage(s->state, s->table, frame, agent_sync_now(s), &staged, &diag);

    if (err) {
        refused(s, err, &diag);
        return;
    }
    agent_partial_forget(&s->partial, &s->ports);
    s->digest_failures = 0;
    s->want_full = false;
    agent_retry_reset(&s->pull_retry);
    s->events.staged(s->events.ctx, &staged);
    fed_log(s->ports.log, FED_LOG_INFO, "bundle %llu: %zu works, %zu new or changed, %zu to remove",
        (unsigned long long)s->table->revision, s->table->n_manifest, staged.n_changed,
        staged.n_removed);
    if (staged.n_waiting)
        agent_sync_ask_for_removals(s);
    if (staged.n_released)
        fed_log(s->ports.log, FED_LOG_WARN,
            "joined once more; %zu objects that the bundle does not name lose the managed label "
            "and stay",
            staged.n_released);
    if (staged.new_epoch)
        fed_log(s->ports.log, FED_LOG_WARN,
            "the hub has a new epoch; %zu objects that its bundle does not name stay in place",
            staged.n_kept);
}

/* A frame from a notification or an answer. */
void agent_sync_take_frame(struct agent_sync *s, struct fed_span bytes)
{
    const struct agent_table *table = s->table;
    struct fed_frame_head head;
    struct fed_span from = bytes;
    struct fed_diag diag = {""};
    bool same_epoch;

    s->told_ms = agent_sync_now(s);
    if (bytes.len == 0)
        return;
    if (fed_frame_head_take(&from, &head)) {
        fed_diag_set(&diag, FED_ERR_INVALID, "its head cannot be read");
        refused(s, FED_ERR_INVALID, &diag);
        return;
    }
    same_epoch = table->revision != 0 && head.epoch == table->epoch;
    if (same_epoch && head.revision == table->revision && !s->want_full) {
        if (memcmp(head.digest, table->digest, sizeof table->digest) == 0)
            return; /* what we hold */
        s->want_full = true;
        fed_diag_set(&diag, FED_ERR_DIGEST, "the same revision with other content");
        refused(s, FED_ERR_DIGEST, &diag);
    } else if (!head.has_body) {
        pull(s);
    } else {
        stage(s, bytes);
    }
}

/* ---- pulling ---- */

bool agent_sync_is_busy(struct agent_sync *s, const struct fed_link_message *message)
{
    if (message->code != FED_LINK_UNAVAILABLE)
        return false;
    agent_dial_lost(s->dial, AGENT_DIAL_REFUSED, "it asks to come back later",
        message->max_age_s ? message->max_age_s : 1);
    return true;
}

static void on_pull(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    bool again = s->pull_again;

    if (!s->pulling || !agent_sync_is_up(s) || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    s->pulling = s->pull_again = false;
    if (!err && agent_sync_is_busy(s, message))
        return;
    if (!err && message->code == FED_LINK_CONTENT) {
        agent_sync_take_frame(s, message->payload);
        if (again && !s->pulling && !s->pull_due)
            pull(s);
        return;
    }
    if (err)
        fed_log(s->ports.log, FED_LOG_WARN, "pulling the bundle: %s", agent_sync_text(err, diag));
    else
        fed_log(s->ports.log, FED_LOG_WARN, "pulling the bundle: the hub answered %u.%02u",
            message->code / 100, message->code % 100);
    pull_later(s, PULL_CEILING_MS);
}

const char *agent_sync_bundle_query(struct agent_sync *s, struct fed_buf *out)
{
    bool full = s->want_full || s->table->revision == 0;

    fed_link_bundle_query_put(out, s->table->epoch, full ? 0 : s->table->revision);
    return fed_buf_cstr(out);
}

static void pull(struct agent_sync *s)
{
    struct fed_buf query;
    enum fed_err err;

    if (s->pulling) {
        s->pull_again = true;
        return;
    }
    s->pull_due = false;
    agent_timer_stop(&s->ports, s->pull_timer);
    fed_buf_init(&query, s->ports.mem, 128);
    s->pulling = true;
    (void)agent_sync_bundle_query(s, &query);
    err = fed_buf_err(&query);
    if (!err)
        err = s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_BUNDLE,
            fed_buf_cstr(&query), (struct fed_span){0}, PULL_TIMEOUT_MS, on_pull, s);
    fed_buf_fini(&query);
    if (err) {
        s->pulling = false;
        pull_later(s, PULL_CEILING_MS);
    }
}

void agent_sync_pull_all(struct agent_sync *s)
{
    uint64_t now_ms = agent_sync_now(s);

    if (s->want_full || s->pulling || now_ms < s->all_ms)
        return;
    s->all_ms = now_ms + AGENT_PULL_ALL_PAUSE_MS;
    s->want_full = true;
    fed_log(s->ports.log, FED_LOG_WARN,
        "a template of the bundle is missing in the state file; pulling all of it");
    if (s->at == AGENT_SYNC_READY)
        pull(s);
}

void agent_sync_on_pull_timer(void *ctx)
{
    struct agent_sync *s = ctx;

    if (agent_sync_is_up(s))
        pull(s);
}
