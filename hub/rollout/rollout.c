/* rollout.c - see rollout.h: what is heard of, and its life. */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

#define PREFERENCES "replicaschedulingpreferences.scheduling.kubefed.io"

/* ---- the turn's commit ---- */

static void on_prepare(void *ctx)
{
    struct hub_rollouts *r = ctx;

    if (r->acted)
        rollout_act_all(r);
}

static void settle(struct hub_rollouts *r, struct rollout_subject *s, enum fed_err err)
{
    s->unsettled = false;
    if (err) {
        rollout_break(r, s);
        return;
    }
    if (!s->broken && (s->engine || s->waiting))
        s->unborn = false;
    if (s->engine && !s->broken)
        hub_rollout_kept(s->engine);
    rollout_due(r, s, 0);
}

static void look_anew(struct hub_rollouts *r, struct rollout_subject *s)
{
    if (!s->engine)
        return;
    s->resync = true;
    rollout_due(r, s, 0);
}

static void look_anew_all(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it))
        look_anew(r, it.value);
}

static void on_ended(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct hub_rollouts *r = ctx;
    struct fed_map_iter it;

    (void)diag; /* whoever staged says so */
    rollout_forget_writers(r);
    if (err) /* what was said of clusters is taken back */
        look_anew_all(r);
    rollout_policies_tell(r);
    if (!r->unsettled)
        return;
    r->unsettled = false;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (s->unsettled)
            settle(r, s, err);
    }
}

/* ---- what is heard ---- */

struct looking {
    struct hub_rollouts *r;
    struct fed_span ns;   /* empty: all */
    struct fed_span name; /* empty: all of the namespace */
};

static void look_at(void *ctx, const struct hub_object_ref *ref)
{
    struct looking *looking = ctx;
    struct hub_planned_type type;
    enum fed_err err;

    if ((looking->ns.len && !fed_span_eq(ref->ns, looking->ns)) ||
        (looking->name.len && !fed_span_eq(ref->name, looking->name)) ||
        hub_plan_type(looking->r->plan, ref->resource, &type) ||
        strcmp(type.target_kind, "Namespace") == 0) /* those are never governed */
        return;
    err = rollout_look(looking->r, ref);
    if (err)
        fed_log(looking->r->log, FED_LOG_ERROR,
            "rollouts: " FED_SPAN_FMT "/" FED_SPAN_FMT
            " is not looked at again: %s; it is with the next change of the policy, or of the "
            "object",
            FED_SPAN_ARG(ref->ns), FED_SPAN_ARG(ref->name), fed_err_text(err));
}

static void look_at_all(struct hub_rollouts *r, struct fed_span ns, struct fed_span name)
{
    struct looking looking = {r, ns, name};

    if (!r->plan)
        return;
    hub_plan_federated_objects(r->plan, look_at, &looking);
    rollout_policies_tell(r);
}

static void on_policy(void *ctx, const struct hub_change *change)
{
    struct hub_rollouts *r = ctx;
    enum fed_err err = FED_OK;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (change->type == HUB_CHANGE_DELETED)
        rollout_policy_remove(r, &change->ref);
    else
        err = rollout_policy_put(r, &change->ref, change->bytes);
    if (err) {
        fed_log(r->log, FED_LOG_ERROR,
            "rollouts: cannot take in RolloutPolicy " FED_SPAN_FMT "/" FED_SPAN_FMT
            ": %s; no federated object can be written until that is done; next try in %u s",
            FED_SPAN_ARG(change->ref.ns), FED_SPAN_ARG(change->ref.name), fed_err_text(err),
            ROLLOUT_RETRY_MS / 1000u);
        r->unread = r->unlooked = true;
        rollout_wake(r, fed_loop_now_ms(r->o.loop) + ROLLOUT_RETRY_MS);
        return;
    }
    look_at_all(r, change->ref.ns, fed_span_text(""));
}

void rollout_policies_retry(struct hub_rollouts *r)
{
    if (!r->unlooked)
        return;
    if (rollout_policies_ready(r)) {
        rollout_wake(r, fed_loop_now_ms(r->o.loop) + ROLLOUT_RETRY_MS);
        return;
    }
    r->unlooked = false;
    look_at_all(r, fed_span_text(""), fed_span_text(""));
}

/* What a scheduler maintains is left out of the content from now on, or not any more. */
static void on_preference(void *ctx, const struct hub_change *change)
{
    if (change->type == HUB_CHANGE_ADDED || change->type == HUB_CHANGE_DELETED)
        look_at_all(ctx, change->ref.ns, change->ref.name);
}

/* Labels decide on waves. */
static void on_cluster(void *ctx, const struct hub_change *change)
{
    struct hub_rollouts *r = ctx;
    struct fed_map_iter it;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (!s->engine)
            continue;
        s->untold = true;
        rollout_due(r, s, 0);
    }
}

/* A rollout that was deleted (one that is over; the present one goes with its object only). */
static void on_rollout(void *ctx, const struct hub_change *change)
{
    struct hub_rollouts *r = ctx;
    struct rollout_paper *paper;
    struct rollout_subject *s;

    if (change->type != HUB_CHANGE_DELETED)
        return;
    s = rollout_subject_of_paper(r, change->ref.ns, change->ref.name, &paper);
    if (s && s->trouble[0] && fed_span_is(change->ref.name, s->unreadable))
        rollout_break(r, s); /* a person's word that it decides nothing any more */
    else if (s && paper != s->present && paper != s->waiting)
        rollout_paper_drop(r, s, paper); /* versions that nothing needs go at the next start */
    else if (s)
        s->going = true; /* with its namespace: until then clusters keep what they have */
}

void rollout_cluster_moved(struct hub_rollouts *r, struct fed_span cluster)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (s->engine && hub_rollout_moved(s->engine, cluster, true))
            rollout_due(r, s, 0);
    }
}

/* A cluster came into reach, or went out of it, for all objects; or something is new of one. */
static void on_moved(void *ctx, const struct hub_object_ref *ref, struct fed_span cluster)
{
    struct hub_rollouts *r = ctx;
    struct rollout_subject *s;

    if (r->subjects.count == 0)
        return;
    if (!ref) {
        rollout_cluster_moved(r, cluster);
        return;
    }
    s = rollout_subject_get(r, ref);
    if (!s || !s->engine)
        return;
    s->resync = s->resync || !hub_rollout_moved(s->engine, cluster, false);
    rollout_due(r, s, 0);
}

void hub_rollouts_planned(struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    struct rollout_subject *s = r->subjects.count ? rollout_subject_get(r, ref) : NULL;

    if (s)
        look_anew(r, s);
}

/* ---- life ---- */

struct loading {
    struct hub_rollouts *r;
    struct fed_diag *diag;
    enum fed_err err;
};

static bool load_policy(void *ctx, const struct hub_object *object)
{
    struct loading *loading = ctx;

    loading->err = rollout_policy_put(loading->r, &object->ref, object->bytes);
    return !loading->err;
}

static bool load_rollout(void *ctx, const struct hub_object *object)
{
    struct loading *loading = ctx;

    loading->err = rollout_record_take(loading->r, NULL, object);
    if (loading->err)
        fed_diag_prefix(loading->diag, loading->err, FED_SPAN_FMT "/" FED_SPAN_FMT,
            FED_SPAN_ARG(object->ref.ns), FED_SPAN_ARG(object->ref.name));
    return !loading->err;
}

static enum fed_err load(struct hub_rollouts *r, struct fed_diag *diag)
{
    static const struct {
        const char *resource;
        hub_objects_each *each;
    } all[] = {{HUB_ROLLOUT_POLICIES, load_policy}, {HUB_ROLLOUTS, load_rollout}};
    struct loading loading = {.r = r, .diag = diag};
    struct fed_map_iter it;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof all / sizeof *all; i++) {
        err = hub_objects_list(r->objects, fed_span_text(all[i].resource), fed_span_text(""), NULL,
            all[i].each, &loading);
        err = err ? err : loading.err;
    }
    fed_map_iter_init(&it, &r->subjects);
    while (!err && fed_map_iter_next(&it))
        rollout_check_records(r, it.value);
    return err;
}

static enum fed_err subscribe(struct hub_rollouts *r)
{
    static const struct {
        const char *resource;
        hub_objects_changed *changed;
    } all[] = {{HUB_ROLLOUT_POLICIES, on_policy}, {PREFERENCES, on_preference},
        {HUB_CLUSTERS, on_cluster}, {HUB_ROLLOUTS, on_rollout}};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof all / sizeof *all; i++)
        err = hub_objects_subscribe(
            r->objects, fed_span_text(all[i].resource), all[i].changed, r, &r->subscriptions[i]);
    return err;
}

enum fed_err hub_rollouts_open(
    const struct hub_rollouts_options *options, struct hub_rollouts **out, struct fed_diag *diag)
{
    struct hub_rollouts *r = fed_alloc_zero(options->mem, sizeof *r);
    enum fed_err err;

    if (!r)
        return FED_ERR_NOMEM;
    r->o = *options;
    r->mem = options->mem;
    r->log = options->log;
    r->objects = options->objects;
    r->events_end = &r->events_first;
    r->timer_ms = UINT64_MAX;
    r->started_unix_ms = options->loop->unix_us(options->loop->ctx) / 1000;
    fed_map_init(&r->subjects, r->mem);
    fed_map_init(&r->zones, r->mem);
    r->member = (struct hub_objects_member){.ctx = r, .prepare = on_prepare, .ended = on_ended};
    hub_objects_join(r->objects, &r->member);
    err = options->loop->timer_new(options->loop->ctx, rollout_timer, r, &r->timer);
    if (!err)
        err = rollout_names_open(r, diag);
    if (!err)
        err = load(r, diag);
    if (!err)
        err = rollout_rows_collect(r, diag);
    if (!err)
        err = subscribe(r);
    if (err) {
        hub_rollouts_close(r);
        return fed_diag_prefix(diag, err, "rollouts");
    }
    *out = r;
    return FED_OK;
}

/* What was not written while it was read: a version that is missing, and a change that nobody took
 * (a hub that knew no rollouts wrote it). */
static enum fed_err check_subjects(struct hub_rollouts *r)
{
    enum fed_err err = FED_OK;
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->subjects);
    while (!err && fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        if (s->recheck && s->governed && !s->going && !s->broken)
            err = rollout_recheck(r, s);
        s->recheck = false;
        s->acted = s->engine != NULL; /* what was recorded and did not take effect */
        r->acted = r->acted || s->acted;
        if (s->engine)
            rollout_due(r, s, 0);
    }
    return err;
}

enum fed_err hub_rollouts_attach(
    struct hub_rollouts *r, struct hub_plan *plan, struct hub_status *status, struct fed_diag *diag)
{
    enum fed_err err;

    r->plan = plan;
    r->status = status;
    hub_status_on_moved(status, on_moved, r);
    err = check_subjects(r);
    if (r->broken)
        rollout_wake(r, fed_loop_now_ms(r->o.loop) + ROLLOUT_RETRY_MS);
    if (!err)
        err = hub_objects_flush(r->objects, diag);
    return err ? fed_diag_prefix(diag, err, "rollouts") : FED_OK;
}

void hub_rollouts_tell(struct hub_rollouts *r, struct hub_events *events)
{
    r->events = events;
}

void hub_rollouts_detach(struct hub_rollouts *r)
{
    if (!r)
        return;
    rollout_events_fini(r);
    if (r->status)
        hub_status_on_moved(r->status, NULL, NULL);
    r->plan = NULL;
    r->status = NULL;
}

void hub_rollouts_close(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    if (!r)
        return;
    hub_rollouts_detach(r);
    hub_objects_leave(r->objects, &r->member);
    for (size_t i = 0; i < sizeof r->subscriptions / sizeof *r->subscriptions; i++)
        if (r->subscriptions[i])
            hub_objects_unsubscribe(r->subscriptions[i]);
    r->o.loop->timer_free(r->o.loop->ctx, r->timer);
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it))
        rollout_subject_free(r, it.value);
    fed_map_fini(&r->subjects);
    rollout_policies_fini(r);
    rollout_lost_fini(r);
    rollout_sweeps_fini(r);
    rollout_zones_fini(r);
    rollout_forget_writers(r);
    fed_alloc_free(r->mem, r, sizeof *r);
}
