/* facts.c - what plan and status know of an object's clusters, for its engine. */
#include "hub/plan/cost.h"
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

#define SYNC_MEMORY_MAX (64u << 20) /* names of the clusters */

struct syncing {
    struct hub_rollouts *r;
    struct rollout_subject *s;
    struct hub_rollout_now now;
    struct fed_arena arena;
    struct fed_span *names; /* of the clusters that count, by name */
    size_t n, cap;
    size_t added;
    size_t behind; /* clusters that have something else than the latest version */
    enum fed_err err;
};

static enum fed_err keep_name(struct syncing *sync, struct fed_span name)
{
    struct fed_span *names =
        fed_alloc_more(&sync->arena.alloc, sync->names, sync->n, &sync->cap, sizeof *names, 256);

    if (!names)
        return FED_ERR_NOMEM;
    sync->names = names;
    sync->names[sync->n++] = name; /* the plan's, which does not change meanwhile */
    return FED_OK;
}

static enum hub_rollout_copy copy_of(const struct hub_gated *gated, const struct hub_status_fact *f)
{
    if (strcmp(gated->error, HUB_GATE_UNREADABLE) == 0) /* the hub's own trouble, which is over */
        return HUB_ROLLOUT_COPY_UNKNOWN;
    if (gated->error[0])
        return HUB_ROLLOUT_COPY_FAILED;
    if (gated->deferred) /* it has what it had: the new one waits for its quiet time's end */
        return HUB_ROLLOUT_COPY_UNKNOWN;
    if (!gated->placed) /* none is to be there */
        return gated->work ? HUB_ROLLOUT_COPY_TAKEN : HUB_ROLLOUT_COPY_APPLIED;
    if (!f->confirmed)
        return HUB_ROLLOUT_COPY_UNKNOWN;
    switch (f->state) {
    case FED_WORK_APPLIED:
        return HUB_ROLLOUT_COPY_APPLIED;
    case FED_WORK_FAILED:
        return HUB_ROLLOUT_COPY_FAILED;
    default:
        return HUB_ROLLOUT_COPY_TAKEN;
    }
}

static enum hub_rollout_health health_of(
    const struct hub_gated *gated, const struct hub_status_fact *f)
{
    if (!gated->placed || !f->confirmed || f->health == FED_HEALTH_UNKNOWN)
        return HUB_ROLLOUT_HEALTH_UNKNOWN;
    return f->health == FED_HEALTH_HEALTHY ? HUB_ROLLOUT_HEALTH_GOOD : HUB_ROLLOUT_HEALTH_BAD;
}

/* The version that what the cluster has was made of. Where nothing is, it is the answer that said
 * so. Where the plan has not come to the answer yet (its round failed, and waits), what the cluster
 * has proves nothing: a step may be faster than the plan. */
static void put_version(struct syncing *sync, const struct hub_gated *gated, struct fed_digest *out)
{
    if (gated->pending)
        memset(out, 0xff, sizeof *out); /* of no version: it says nothing */
    else if (gated->placed && gated->version)
        *out = *gated->version;
    else if (gated->placed && !gated->error[0])
        *out = sync->s->content.digest;
    else if (hub_rollout_answer(sync->s->engine, gated->cluster, out) == HUB_ROLLOUT_ANSWER_NOTHING)
        memset(out, 0, sizeof *out);
}

static const char *reason_of(const struct hub_gated *gated, const struct hub_status_fact *f)
{
    if (gated->error[0])
        return gated->error;
    if (f->reason[0] || !f->confirmed)
        return f->reason;
    return f->state == FED_WORK_FAILED                                                ? "Refused"
           : f->health == FED_HEALTH_UNHEALTHY || f->health == FED_HEALTH_PROGRESSING ? "NotHealthy"
                                                                                      : "";
}

#define SENTENCE_MAX (HUB_ROLLOUT_MESSAGE_MAX + 1)

/* What differs from cluster to cluster although the cause is one goes, so that a thousand clusters
 * with it are one group: the pod's name (agent/pods_count.c), and what a kubelet repeats of it and
 * of its back-off ("back-off 40s restarting failed container=main pod=web-7f_shop(...)"). */
static struct fed_span sentence_of(struct fed_span message, char out[SENTENCE_MAX])
{
    static const char backoff[] = "back-off ";
    static const char pod[] = " pod=";
    char *at;

    if (fed_span_starts(message, "pod ")) {
        size_t comma = fed_span_find(message, ',');

        message = comma + 2 <= message.len ? fed_span_sub(message, comma + 2, message.len)
                                           : fed_span_text("");
    }
    snprintf(out, SENTENCE_MAX, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(message, 0, HUB_ROLLOUT_MESSAGE_MAX)));
    at = strstr(out, pod);
    if (at)
        *at = 0;
    at = strstr(out, backoff);
    if (at && at[sizeof backoff - 1] >= '0' && at[sizeof backoff - 1] <= '9') {
        const char *rest = at + sizeof backoff - 1;

        rest += strcspn(rest, " ");
        memmove(at + sizeof backoff - 2, rest, strlen(rest) + 1);
    }
    return fed_span_text(out);
}

static struct hub_rollout_fact fact_of(struct syncing *sync, const struct hub_gated *gated,
    const struct hub_status_fact *f, char sentence[SENTENCE_MAX])
{
    struct hub_rollout_fact fact = {.copy = copy_of(gated, f),
        .health = health_of(gated, f),
        .reason = fed_span_text(reason_of(gated, f)),
        .message = gated->error[0] ? fed_span_text(gated->message)
                                   : sentence_of(fed_span_text(f->message), sentence)};

    put_version(sync, gated, &fact.version);
    return fact;
}

static enum fed_err note(
    struct syncing *sync, const struct hub_gated *gated, const struct hub_status_fact *f)
{
    char sentence[SENTENCE_MAX];
    struct hub_rollout_fact fact = fact_of(sync, gated, f, sentence);
    struct hub_rollout_hold hold = {
        .held = gated->held, .kept = gated->deferred, .until_unix_s = gated->held_until_unix_s};
    int64_t since_ms = 0;

    if (f->offline) {
        since_ms = f->since_unix_s * 1000;
        if (since_ms < sync->r->started_unix_ms)
            since_ms = sync->r->started_unix_ms;
    }
    (void)hub_rollout_reach(sync->s->engine, gated->cluster, since_ms, sync->now);
    hub_rollout_hold(sync->s->engine, gated->cluster, &hold, sync->now);
    return hub_rollout_note(sync->s->engine, gated->cluster, &fact, sync->now);
}

static bool sync_cluster(void *ctx, const struct hub_gated *gated)
{
    struct syncing *sync = ctx;
    struct hub_status_fact fact;

    if (!gated->selected)
        return true;
    sync->behind += !gated->same;
    hub_status_fact(sync->r->status, gated->cluster, gated->work, gated->since_revision, &fact);
    if (sync->s->untold)
        sync->err = hub_rollout_cluster(sync->s->engine, gated->cluster, gated->labels);
    if (!sync->err)
        sync->err = note(sync, gated, &fact);
    if (sync->err == FED_ERR_NOT_FOUND) { /* it is new */
        sync->added++;
        sync->err = hub_rollout_cluster(sync->s->engine, gated->cluster, gated->labels);
        if (!sync->err)
            sync->err = note(sync, gated, &fact);
    }
    if (!sync->err)
        sync->err = keep_name(sync, gated->cluster);
    return !sync->err;
}

struct leaving {
    struct syncing *sync;
    size_t at;
    struct fed_span *gone;
    size_t n, cap;
    enum fed_err err;
};

static bool is_gone(void *ctx, const struct hub_rollout_cluster_view *cluster)
{
    struct leaving *leaving = ctx;
    const struct syncing *sync = leaving->sync;
    struct fed_span *gone;

    while (leaving->at < sync->n && fed_span_cmp(sync->names[leaving->at], cluster->name) < 0)
        leaving->at++;
    if (leaving->at < sync->n && fed_span_eq(sync->names[leaving->at], cluster->name))
        return true;
    gone = fed_alloc_more(
        &leaving->sync->arena.alloc, leaving->gone, leaving->n, &leaving->cap, sizeof *gone, 16);
    if (!gone) {
        leaving->err = FED_ERR_NOMEM;
        return false;
    }
    leaving->gone = gone;
    leaving->gone[leaving->n++] = cluster->name;
    return true;
}

/* Clusters that are not selected any more, or not there, drop out. */
static enum fed_err drop_gone(struct syncing *sync)
{
    struct leaving leaving = {.sync = sync};
    struct hub_rollout *engine = sync->s->engine;
    enum fed_err err = hub_rollout_clusters(engine, fed_span_text(""), is_gone, &leaving);

    err = err ? err : leaving.err;
    for (size_t i = 0; !err && i < leaving.n; i++)
        hub_rollout_cluster_gone(engine, leaving.gone[i]);
    return err;
}

/* ---- what is still to be sent ---- */

/* Once for each rollout, when it begins. */
static void estimate(struct syncing *sync)
{
    struct rollout_subject *s = sync->s;

    if (s->cluster_bytes > 0 || sync->behind == 0)
        return;
    if (hub_plan_cost(sync->r->plan, &s->ref, sync->behind, &s->cluster_bytes))
        s->cluster_bytes = 0; /* nothing is said of it, then */
}

static enum fed_err sync_all(struct syncing *sync)
{
    struct hub_rollouts *r = sync->r;
    struct rollout_subject *s = sync->s;
    struct hub_rollout_view view;
    struct fed_span moved;
    size_t known;
    enum fed_err err;

    hub_rollout_view(s->engine, &view);
    known = view.counts.total + view.counts.deferred;
    err = hub_plan_gated(r->plan, &s->ref, sync_cluster, sync);
    if (!err)
        err = sync->err;
    /* Where labels are told anew nobody counts those that are new. */
    if (!err && (s->untold || sync->n != known + sync->added))
        err = drop_gone(sync);
    if (err)
        return err;
    if (s->untold)
        hub_rollout_ready(s->engine);
    s->untold = s->resync = false;
    s->synced_ms = sync->now.mono_ms;
    while (hub_rollout_next_moved(s->engine, &moved))
        ;
    estimate(sync);
    return FED_OK;
}

static enum fed_err sync_moved(struct syncing *sync)
{
    struct rollout_subject *s = sync->s;
    struct fed_span cluster;
    enum fed_err err = FED_OK;

    while (!err && hub_rollout_next_moved(s->engine, &cluster)) {
        err = hub_plan_gated_in(sync->r->plan, &s->ref, cluster, sync_cluster, sync);
        err = err ? err : sync->err;
    }
    s->resync = s->resync || err; /* that one is not noted any more */
    return err;
}

static bool is_old(const struct rollout_subject *s, const struct hub_rollout_now *now)
{
    return now->mono_ms >= s->synced_ms + ROLLOUT_SYNC_MS;
}

enum fed_err rollout_sync(struct hub_rollouts *r, struct rollout_subject *s, bool *all)
{
    struct syncing sync = {.r = r, .s = s, .now = rollout_now(r)};
    bool wanted = s->untold || s->resync || is_old(s, &sync.now);
    enum fed_err err;

    *all = wanted && (s->untold || !hub_rollout_is_cut(s->engine));
    fed_arena_init(&sync.arena, r->mem, SYNC_MEMORY_MAX);
    err = *all ? sync_all(&sync) : sync_moved(&sync);
    fed_arena_fini(&sync.arena);
    return err; /* NOT_FOUND: no such type any more, or it is stopped: nothing moves */
}

/* ---- of an engine that rests ---- */

struct listening {
    struct syncing sync; /* nothing is told, and no name kept */
    bool news;
};

static bool listen(void *ctx, const struct hub_gated *gated)
{
    struct listening *l = ctx;
    char sentence[SENTENCE_MAX];
    struct hub_rollout_fact fact;
    struct hub_status_fact status;

    if (!gated->selected)
        return true;
    l->sync.n++;
    hub_status_fact(l->sync.r->status, gated->cluster, gated->work, gated->since_revision, &status);
    fact = fact_of(&l->sync, gated, &status, sentence);
    l->news = hub_rollout_rest_is_news(l->sync.s->engine, gated->cluster, &fact);
    return !l->news;
}

static enum fed_err listen_to_all(struct listening *l)
{
    struct rollout_subject *s = l->sync.s;
    struct fed_span moved;
    enum fed_err err = hub_plan_gated(l->sync.r->plan, &s->ref, listen, l);

    l->news = l->news || l->sync.n != hub_rollout_rest_count(s->engine);
    if (err || l->news)
        return err;
    s->untold = s->resync = false;
    s->synced_ms = l->sync.now.mono_ms;
    while (hub_rollout_next_moved(s->engine, &moved))
        ;
    return FED_OK;
}

static enum fed_err listen_to_moved(struct listening *l)
{
    struct rollout_subject *s = l->sync.s;
    struct fed_span moved;
    enum fed_err err = FED_OK;

    while (!err && !l->news && hub_rollout_next_moved(s->engine, &moved))
        err = hub_plan_gated_in(l->sync.r->plan, &s->ref, moved, listen, l);
    s->resync = s->resync || err; /* that one is not noted any more */
    return err;
}

enum fed_err rollout_sync_rest(struct hub_rollouts *r, struct rollout_subject *s, bool *news)
{
    struct listening l = {.sync = {.r = r, .s = s, .now = rollout_now(r)}};
    enum fed_err err = FED_OK;

    l.news = s->waiting || s->respec || (s->untold && hub_rollout_rest_minds_labels(s->engine));
    if (!l.news && (s->untold || s->resync || is_old(s, &l.sync.now)))
        err = listen_to_all(&l);
    else if (!l.news)
        err = listen_to_moved(&l);
    *news = l.news;
    return err;
}
