/* actions.c - what people do with a Rollout: checked and recorded at admission, done in the flush
 * that makes the record durable. */
#include "hub/access/rule.h"
#include "hub/rollout/internal.h"
#include "hub/rollout/put.h"

#include <stdio.h>
#include <string.h>

#define ACTION_FIELD "metadata.annotations[" HUB_ROLLOUT_ACTION_ANNOTATION "]"
#define REASON_MAX 1024u

/* "approve:canary" */
struct action {
    enum hub_rollout_action what;
    struct fed_span wave;
};

static enum fed_err parse(struct fed_span text, struct action *out, struct fed_diag *diag)
{
    size_t colon = fed_span_find(text, ':');

    out->wave = fed_span_sub(text, colon + 1, text.len);
    return hub_rollout_action_parse(fed_span_sub(text, 0, colon), &out->what, diag);
}

/* ---- admission ---- */

static bool differs(const struct hub_admission *admission, const char *path)
{
    const struct fed_json *now = fed_json_find(admission->object, path);
    const struct fed_json *before = fed_json_find(admission->before, path);

    return now && before ? !fed_json_eq(now, before) : now != before;
}

static enum fed_err refuse_part(
    struct hub_admission *admission, const char *path, struct fed_diag *diag)
{
    snprintf(admission->field, sizeof admission->field, "%s", path);
    return fed_diag_set(diag, FED_ERR_INVALID,
        "Forbidden: the hub keeps it; only annotations may be changed, %s among them",
        HUB_ROLLOUT_ACTION_ANNOTATION);
}

static enum fed_err refuse_action(struct hub_admission *admission, struct fed_diag *diag)
{
    snprintf(admission->field, sizeof admission->field, "%s", ACTION_FIELD);
    return fed_diag_prefix(diag, FED_ERR_INVALID, "Invalid value");
}

/* Which rollout it is, and whether the action fits. */
static enum fed_err check(struct hub_rollouts *r, struct hub_admission *admission,
    const struct action *action, struct rollout_subject **out, struct fed_diag *diag)
{
    struct fed_span ns = fed_json_string(fed_json_find(admission->before, "metadata.namespace"));
    struct fed_span name = fed_json_string(fed_json_find(admission->before, "metadata.name"));
    struct rollout_paper *paper;
    struct rollout_subject *s = rollout_subject_of_paper(r, ns, name, &paper);
    enum fed_err err = FED_ERR_CONFLICT;

    if (!s || s->going)
        fed_diag_set(diag, err, "its object is not there any more");
    else if (s->trouble[0])
        fed_diag_set(diag, err, "rollout %s cannot be read: %s", s->unreadable, s->trouble);
    else if (paper == s->waiting)
        fed_diag_set(diag, err, "the rollout has not begun: %s",
            paper->queued ? "it waits for the end of the one before it" : s->message);
    else if (paper != s->present || !s->engine)
        fed_diag_set(diag, err, "the rollout is over%s%s",
            s->present ? "; the present one is " : "", s->present ? s->present->name : "");
    else
        err = hub_rollout_may(s->engine, action->what, action->wave, diag);
    *out = s;
    return err;
}

static int64_t last_number(const struct fed_json *actions)
{
    int64_t last = 0;

    for (struct fed_json_iter it = fed_json_items(actions); fed_json_iter_next(&it);) {
        int64_t number = fed_json_int(fed_json_get(it.value, "number"), 0);

        last = number > last ? number : last;
    }
    return last;
}

static struct fed_span present_wave(const struct rollout_subject *s)
{
    struct hub_rollout_wave_view wave;
    struct hub_rollout_view view;

    hub_rollout_view(s->engine, &view);
    if (view.wave >= view.n_waves)
        return fed_span_text("");
    hub_rollout_wave_view(s->engine, view.wave, &wave);
    return wave.name;
}

static enum fed_err record(struct hub_rollouts *r, struct hub_admission *admission,
    const struct rollout_subject *s, const struct action *action, struct fed_span reason)
{
    struct rollout_put p = {.doc = admission->doc};
    struct fed_json *status = fed_json_ensure_object(admission->doc, admission->object, "status");
    struct fed_json *actions = fed_json_get(status, "actions");
    struct fed_json *one;
    int64_t number = last_number(actions);

    if (!status)
        return FED_ERR_NOMEM;
    if (number < s->present->applied)
        number = s->present->applied;
    if (!fed_json_is_array(actions))
        actions = put_array(&p, status, "actions");
    while (fed_json_count(actions) >= ROLLOUT_ACTIONS_MAX)
        fed_json_remove_at(actions, 0);
    one = put_item(&p, actions);
    put_int(&p, one, "number", number + 1);
    put_text(&p, one, "action", hub_rollout_action_text(action->what));
    put_span(&p, one, "user", admission->user);
    put_span(&p, one, "reason", reason);
    put_time(&p, one, "time", fed_loop_unix_s(r->o.loop));
    put_span(&p, one, "wave", action->wave.len ? action->wave : present_wave(s));
    return p.err;
}

static enum fed_err admit_action(struct hub_rollouts *r, struct hub_admission *admission,
    struct fed_json *annotations, struct fed_diag *diag)
{
    struct fed_span text =
        fed_json_string(fed_json_get(annotations, HUB_ROLLOUT_ACTION_ANNOTATION));
    struct fed_span reason =
        fed_json_string(fed_json_get(annotations, HUB_ROLLOUT_REASON_ANNOTATION));
    struct rollout_subject *s;
    struct action action;
    enum fed_err err = parse(text, &action, diag);

    if (!err && reason.len > REASON_MAX)
        err = fed_diag_set(diag, FED_ERR_INVALID, "the reason is longer than %u bytes", REASON_MAX);
    if (!err)
        err = check(r, admission, &action, &s, diag);
    if (err)
        return err == FED_ERR_NOMEM ? err : refuse_action(admission, diag);
    err = record(r, admission, s, &action, reason);
    fed_json_remove(annotations, HUB_ROLLOUT_ACTION_ANNOTATION);
    fed_json_remove(annotations, HUB_ROLLOUT_REASON_ANNOTATION);
    if (fed_json_count(annotations) == 0)
        fed_json_remove(fed_json_get(admission->object, "metadata"), "annotations");
    if (!err && !admission->dry_run)
        s->acted = r->acted = true;
    return err;
}

/* The present one decides what clusters have, until its object is gone: without it the change would
 * go everywhere, and after a restart what the object lets go of would be a version that was never
 * there. So the namespace controller finds it last. */
static enum fed_err admit_delete(
    struct hub_rollouts *r, const struct hub_admission *admission, struct fed_diag *diag)
{
    struct fed_span ns = fed_json_string(fed_json_find(admission->object, "metadata.namespace"));
    struct fed_span name = fed_json_string(fed_json_find(admission->object, "metadata.name"));
    struct rollout_paper *paper;
    const struct rollout_subject *s = rollout_subject_of_paper(r, ns, name, &paper);
    bool there;
    enum fed_err err;

    if (!s || (paper != s->present && paper != s->waiting))
        return FED_OK;
    err = rollout_is_stored(r, &s->ref, fed_span_text(s->uid), &there);
    if (err || !there)
        return err;
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "%s \"" FED_SPAN_FMT
        "\" is forbidden: it decides which version clusters have; it goes with "
        "its object",
        admission->kind->resource, FED_SPAN_ARG(name));
}

static enum fed_err admit(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    static const char *const kept[] = {
        "spec", "status", "metadata.labels", "metadata.ownerReferences", "metadata.finalizers"};
    struct hub_rollouts *r = ctx;
    struct fed_json *annotations;

    if (admission->operation == HUB_DELETE)
        return admit_delete(r, admission, diag);
    if (admission->operation == HUB_CREATE)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "%s is forbidden: the hub makes one for each change of an object that a RolloutPolicy "
            "governs",
            admission->kind->resource);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (differs(admission, kept[i]))
            return refuse_part(admission, kept[i], diag);
    annotations = fed_json_find(admission->object, "metadata.annotations");
    if (fed_json_get(annotations, HUB_ROLLOUT_ACTION_ANNOTATION))
        return admit_action(r, admission, annotations, diag);
    fed_json_remove(annotations, HUB_ROLLOUT_REASON_ANNOTATION);
    return FED_OK;
}

void hub_rollouts_rollout_hooks(struct hub_rollouts *r, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = r,
        .admit = admit,
        .compose = rollout_compose_trouble,
        .reads = rollout_reads,
        .read = rollout_read};
}

/* ---- federated objects: who writes them ---- */

static enum fed_err admit_federated(
    void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_rollouts *r = ctx;
    struct hub_object_ref ref = {fed_span_text(admission->kind->resource),
        fed_json_string(fed_json_find(admission->object, "metadata.namespace")),
        fed_json_string(fed_json_find(admission->object, "metadata.name"))};
    enum fed_err err = r->inner.admit ? r->inner.admit(r->inner.ctx, admission, diag) : FED_OK;

    if (!err && !admission->dry_run && admission->operation != HUB_DELETE)
        rollout_note_writer(r, &ref, admission->user);
    return err;
}

static enum fed_err compose_federated(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_rollouts *r = ctx;

    return r->inner.compose ? r->inner.compose(r->inner.ctx, ref, doc, object, revision) : FED_OK;
}

void hub_rollouts_federated_hooks(struct hub_rollouts *r, struct hub_kind_hooks *hooks)
{
    r->inner = *hooks;
    hooks->ctx = r;
    hooks->admit = admit_federated;
    hooks->compose = compose_federated;
}

/* ---- what was recorded takes effect ---- */

/* A retry goes by the policy as it is now. */
static enum fed_err renew_rules(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct rollout_policy *policy =
        s->policy[0] ? rollout_policy_find(r, s->ref.ns, fed_span_text(s->policy)) : NULL;
    enum fed_err err;

    if (!policy || !policy->rules || policy->rules == s->rules)
        return FED_OK;
    err = hub_rollout_set_rules(s->engine, policy->rules);
    if (err)
        return err;
    hub_rollout_rules_free(s->rules);
    s->rules = hub_rollout_rules_keep(policy->rules);
    snprintf(s->present->policy, sizeof s->present->policy, "%s", policy->name);
    s->untold = s->respec = true;
    return FED_OK;
}

static void tell_action(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct fed_json *one, const char *failure)
{
    struct fed_span action = fed_json_string(fed_json_get(one, "action"));
    struct fed_span reason = fed_json_string(fed_json_get(one, "reason"));
    char word[48];

    snprintf(word, sizeof word, "%s" FED_SPAN_FMT, failure ? "TooLateTo" : "",
        FED_SPAN_ARG(fed_span_sub(action, 0, 20)));
    if (!failure && word[0])
        word[0] = (char)(word[0] & ~32);
    rollout_tell(r, s, s->present, failure != NULL, word,
        FED_SPAN_FMT ": " FED_SPAN_FMT "%s" FED_SPAN_FMT "%s%s",
        FED_SPAN_ARG(fed_json_string(fed_json_get(one, "user"))), FED_SPAN_ARG(action),
        reason.len ? ": " : "", FED_SPAN_ARG(fed_span_sub(reason, 0, 400)), failure ? ": " : "",
        failure ? failure : "");
}

static enum fed_err act(
    struct hub_rollouts *r, struct rollout_subject *s, const struct fed_json *one)
{
    struct fed_span wave = fed_json_string(fed_json_get(one, "wave"));
    struct fed_diag diag = {""};
    struct hub_rollout_view before;
    struct action action;
    enum fed_err err = rollout_rouse(r, s, &diag);

    if (err)
        return err;
    err = parse(fed_json_string(fed_json_get(one, "action")), &action, &diag);

    hub_rollout_view(s->engine, &before);
    if (!err && action.what == HUB_ROLLOUT_RETRY)
        err = renew_rules(r, s);
    if (!err)
        err = hub_rollout_act(s->engine, action.what,
            action.what == HUB_ROLLOUT_APPROVE ? wave : fed_span_text(""),
            fed_json_string(fed_json_get(one, "user")), rollout_now(r), &diag);
    if (err == FED_ERR_NOMEM)
        return err;
    /* Of one that was over nobody told who came into reach, and who went out of it. */
    s->resync = s->resync || (!err && hub_rollout_phase_is_end(before.phase));
    tell_action(r, s, one, err ? diag.text : NULL);
    s->present->applied = fed_json_int(fed_json_get(one, "number"), 0);
    return FED_OK;
}

static enum fed_err act_each(
    struct hub_rollouts *r, struct rollout_subject *s, const struct fed_json *object, bool *acted)
{
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(fed_json_find(object, "status.actions"));
         !err && fed_json_iter_next(&it);)
        if (fed_json_int(fed_json_get(it.value, "number"), 0) > s->present->applied) {
            err = act(r, s, it.value);
            *acted = true;
        }
    return err;
}

static enum fed_err act_on(struct hub_rollouts *r, struct rollout_subject *s, struct fed_diag *diag)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    uint64_t revision;
    bool acted = false;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    err = rollout_record_load(r, s, s->present, doc, &object, &revision);
    if (!err)
        err = act_each(r, s, object, &acted);
    fed_json_doc_free(doc);
    if (!err && acted && !s->untold && !s->resync)
        err = hub_rollout_step(s->engine, rollout_now(r));
    if (!err && acted)
        err = rollout_write(r, s, true, diag);
    return err;
}

void rollout_act_all(struct hub_rollouts *r)
{
    struct fed_map_iter it;

    r->acted = false;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;
        struct fed_diag diag = {""};
        enum fed_err err;

        if (!s->acted || s->broken || !s->engine || !s->present)
            continue;
        s->acted = false;
        err = act_on(r, s, &diag);
        if (err) {
            fed_log(r->log, FED_LOG_ERROR, "rollouts: an action on %s waits: %s; next try in %u s",
                s->present->name, diag.text[0] ? diag.text : fed_err_text(err),
                ROLLOUT_RETRY_MS / 1000u);
            s->broken = r->broken = true; /* reads what is stored, actions included */
        }
        rollout_due(r, s, err ? ROLLOUT_RETRY_MS : 0);
    }
}
