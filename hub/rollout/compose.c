/* compose.c - the status of a Rollout, as the engine has it. What people did (status.actions) is of
 * admission, and stays. */
#include "hub/rollout/internal.h"
#include "hub/rollout/put.h"

#include <stdio.h>
#include <string.h>

/* ---- counts and waves ---- */

static void put_counts(
    struct rollout_put *p, struct fed_json *to, const struct hub_rollout_counts *counts)
{
    put_int(p, to, "total", (int64_t)(counts->total + counts->deferred));
    put_int(p, to, "updated", (int64_t)counts->updated);
    put_int(p, to, "healthy", (int64_t)counts->healthy);
    put_int(p, to, "failed", (int64_t)counts->failed);
    put_int(p, to, "deferred", (int64_t)counts->deferred);
    put_int(p, to, "held", (int64_t)counts->held);
    put_int(p, to, "pending",
        (int64_t)(counts->pending > counts->held ? counts->pending - counts->held : 0));
    put_int(p, to, "updating", (int64_t)counts->updating);
    put_int(p, to, "returning", (int64_t)counts->returning);
    put_int(p, to, "returned", (int64_t)counts->returned);
    put_int(p, to, "stuck", (int64_t)counts->stuck);
}

static void put_wave(
    struct rollout_put *p, struct fed_json *waves, const struct hub_rollout_wave_view *wave)
{
    struct fed_json *one = put_item(p, waves);
    size_t total = wave->counts.total + wave->counts.deferred;

    put_span(p, one, "name", wave->name);
    put_text(p, one, "phase", hub_rollout_wave_phase_text(wave->phase));
    put_counts(p, one, &wave->counts);
    if (wave->concurrency < total)
        put_int(p, one, "concurrency", (int64_t)wave->concurrency);
    if (wave->failures_allowed != SIZE_MAX)
        put_int(p, one, "failuresAllowed", (int64_t)wave->failures_allowed);
    put_time(p, one, "startTime", wave->start_unix_s);
    put_time(p, one, "healthySince", wave->healthy_unix_s);
    put_time(p, one, "endTime", wave->end_unix_s);
    put_text(p, one, "approvedBy", wave->approved_by);
}

static void put_waves(struct rollout_put *p, struct fed_json *status,
    const struct hub_rollout *engine, const struct hub_rollout_view *view)
{
    struct fed_json *waves = put_array(p, status, "waves");
    struct hub_rollout_wave_view wave;

    for (size_t i = 0; i < view->n_waves; i++) {
        hub_rollout_wave_view(engine, i, &wave);
        if (i == view->wave)
            put_span(p, status, "wave", wave.name);
        put_wave(p, waves, &wave);
    }
}

/* ---- what went wrong, what is next ---- */

/* Why it went back is said as long as it is back. */
static void put_failures(struct rollout_put *p, struct fed_json *status,
    const struct fed_json *before, const struct hub_rollout *engine, bool is_back)
{
    struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX];
    size_t n = hub_rollout_groups(engine, groups);
    const struct fed_json *known = fed_json_get(before, "failures");
    struct fed_json *failures = n ? put_array(p, status, "failures") : NULL;

    if (n == 0 && known && is_back && !p->err)
        p->err = fed_json_set(p->doc, status, "failures", fed_json_clone(p->doc, known));

    for (size_t i = 0; i < n; i++) {
        struct fed_json *one = put_item(p, failures);
        struct fed_json *names;

        put_span(p, one, "reason", groups[i].reason);
        put_span(p, one, "message", groups[i].message);
        put_int(p, one, "count", (int64_t)groups[i].count);
        names = put_array(p, one, "clusters");
        for (size_t c = 0; c < groups[i].n_clusters && !p->err; c++)
            p->err = fed_json_append(names, fed_json_new_string(p->doc, groups[i].clusters[c]));
    }
}

static void put_next(
    struct rollout_put *p, struct fed_json *status, const struct hub_rollout_next *next)
{
    struct fed_json *object;

    if (!next->what[0])
        return;
    object = put_object(p, status, "next");
    put_text(p, object, "what", next->what);
    put_time(p, object, "when", next->when_unix_s);
    put_text(p, object, "waitsFor", next->waits_for);
}

/* ---- conditions ---- */

/* When it last became what it is. */
static struct fed_span transition_of(
    const struct fed_json *before, const char *type, bool is, struct fed_span now)
{
    for (struct fed_json_iter it = fed_json_items(fed_json_get(before, "conditions"));
         fed_json_iter_next(&it);) {
        struct fed_span time = fed_json_string(fed_json_get(it.value, "lastTransitionTime"));

        if (fed_span_is(fed_json_string(fed_json_get(it.value, "type")), type) && time.len > 0 &&
            fed_span_is(fed_json_string(fed_json_get(it.value, "status")), is ? "True" : "False"))
            return time;
    }
    return now;
}

struct putting {
    struct rollout_put *p;
    const struct fed_json *before; /* the status as it was */
    struct fed_json *list;
    char now[FED_TEXT_TIME_SIZE];
};

static void put_condition(
    struct putting *putting, const char *type, bool is, const char *reason, const char *message)
{
    struct fed_json *one = put_item(putting->p, putting->list);

    put_text(putting->p, one, "type", type);
    put_text(putting->p, one, "status", is ? "True" : "False");
    put_span(putting->p, one, "lastTransitionTime",
        transition_of(putting->before, type, is, fed_span_text(putting->now)));
    put_text(putting->p, one, "reason", reason);
    put_text(putting->p, one, "message", message);
}

static struct putting conditions_begin(struct hub_rollouts *r, struct rollout_put *p,
    const struct fed_json *before, struct fed_json *status)
{
    struct putting putting = {.p = p, .before = before, .list = put_array(p, status, "conditions")};

    fed_text_time(fed_loop_unix_s(r->o.loop), putting.now);
    return putting;
}

static void put_conditions(struct putting *putting, const struct hub_rollout *engine)
{
    struct hub_rollout_condition conditions[HUB_ROLLOUT_CONDITIONS_MAX];
    size_t n = hub_rollout_conditions(engine, conditions);

    for (size_t i = 0; i < n; i++)
        put_condition(putting, conditions[i].type, conditions[i].is_true, conditions[i].reason,
            conditions[i].message);
}

/* ---- the whole ---- */

/* A new status in place of the former one, which goes on living in the document. */
static struct fed_json *renew(
    struct rollout_put *p, struct fed_json *object, const struct fed_json **before)
{
    const struct fed_json *actions;
    struct fed_json *status;

    *before = fed_json_get(object, "status");
    actions = fed_json_get(*before, "actions");
    status = fed_json_new_object(p->doc);
    if (!p->err && actions)
        p->err = fed_json_set(p->doc, status, "actions", fed_json_clone(p->doc, actions));
    if (!status && !p->err)
        p->err = FED_ERR_NOMEM;
    return status;
}

static void put_progress(
    struct rollout_put *p, struct fed_json *status, const struct hub_rollout_counts *counts)
{
    char text[64];

    snprintf(text, sizeof text, "%zu/%zu", counts->updated, counts->total + counts->deferred);
    put_text(p, status, "progress", text);
    put_counts(p, put_object(p, status, "clusters"), counts);
}

/* Of what is still to be sent: to those that do not have it, until it ended. */
static void put_estimate(struct rollout_put *p, struct fed_json *status,
    const struct rollout_subject *s, const struct hub_rollout_view *view)
{
    size_t left = view->counts.total + view->counts.deferred - view->counts.updated;
    struct fed_json *estimate;

    if (s->cluster_bytes == 0 || left == 0 || hub_rollout_phase_is_end(view->phase))
        return;
    estimate = put_object(p, status, "estimate");
    put_int(p, estimate, "bytes", (int64_t)(left * s->cluster_bytes));
    put_int(p, estimate, "perCluster", (int64_t)s->cluster_bytes);
}

enum fed_err rollout_compose(struct hub_rollouts *r, struct rollout_subject *s,
    struct fed_json_doc *doc, struct fed_json *object)
{
    struct rollout_put p = {.doc = doc};
    struct hub_rollout_view view;
    const struct fed_json *before;
    struct fed_json *status = renew(&p, object, &before);
    struct putting putting;

    hub_rollout_view(s->engine, &view);
    put_text(&p, status, "phase", hub_rollout_phase_text(view.phase));
    put_progress(&p, status, &view.counts);
    put_waves(&p, status, s->engine, &view);
    put_failures(&p, status, before, s->engine,
        view.phase == HUB_ROLLOUT_ROLLING_BACK || view.phase == HUB_ROLLOUT_ROLLED_BACK);
    put_next(&p, status, &view.next);
    put_estimate(&p, status, s, &view);
    putting = conditions_begin(r, &p, before, status);
    put_conditions(&putting, s->engine);
    put_time(&p, status, "startTime", view.start_unix_s);
    put_time(&p, status, "endTime", view.end_unix_s);
    put_int(&p, status, "observedGeneration", s->present->to.generation);
    put_int(&p, status, "step", s->present->steps);
    return p.err ? p.err : fed_json_set(doc, object, "status", status);
}

enum fed_err rollout_compose_waiting(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_json_doc *doc, struct fed_json *object)
{
    static const char queued[] = "the change waits for the end of the rollout before it";
    struct rollout_put p = {.doc = doc};
    const struct fed_json *before;
    struct fed_json *status = renew(&p, object, &before);
    struct fed_json *next;
    struct putting putting;

    put_text(&p, status, "phase", paper->queued ? "Queued" : "Pending");
    next = put_object(&p, status, "next");
    put_text(&p, next, "what", "the rollout begins");
    put_text(&p, next, "waitsFor",
        paper->queued ? s->present ? s->present->name : "" : "a policy that governs the object");
    putting = conditions_begin(r, &p, before, status);
    put_condition(&putting, "Progressing", false, paper->queued ? "Queued" : s->reason,
        paper->queued ? queued : s->message);
    if (!paper->queued)
        put_condition(&putting, ROLLOUT_CONFLICT, true, s->reason, s->message);
    put_int(&p, status, "observedGeneration", paper->to.generation);
    return p.err ? p.err : fed_json_set(doc, object, "status", status);
}

/* What it had reached stays to be seen. */
enum fed_err rollout_compose_superseded(
    struct hub_rollouts *r, const char *by, struct fed_json_doc *doc, struct fed_json *object)
{
    struct rollout_put p = {.doc = doc};
    struct fed_json *status = fed_json_ensure_object(doc, object, "status");
    const struct fed_json *before = fed_json_clone(doc, status);
    struct putting putting;

    if (!status || !before)
        return FED_ERR_NOMEM;
    put_text(&p, status, "phase", "Superseded");
    fed_json_remove(status, "next");
    putting = conditions_begin(r, &p, before, status);
    put_condition(&putting, "Progressing", false, "Superseded", by);
    put_time(&p, status, "endTime", fed_loop_unix_s(r->o.loop));
    return p.err;
}
