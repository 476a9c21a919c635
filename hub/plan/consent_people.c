/* consent_people.c - removals that wait for consent, as people see them and consent to them: in the
 * KubeFedCluster's status and events, and by an annotation of it. */
#include "hub/plan/policy.h"

#include "hub/access/rule.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 700u
#define CONDITION "RemovalAwaitsConsent"

void hub_plan_consent_limit(struct hub_plan *plan, const struct fed_consent_limit *limit)
{
    plan->consent_limit = *limit;
}

void hub_plan_on_consent(struct hub_plan *plan, hub_plan_told *told, void *ctx)
{
    plan->consent_told = told;
    plan->consent_ctx = ctx;
}

void hub_plan_on_orders(struct hub_plan *plan, hub_plan_orders_changed *changed, void *ctx)
{
    plan->orders_changed = changed;
    plan->orders_ctx = ctx;
}

bool hub_plan_consent(struct hub_plan *plan, struct fed_span name, struct hub_plan_consent *out)
{
    const struct plan_cluster *cluster = plan_cluster_get(plan, name);
    size_t n = cluster ? plan_consent_waiting(cluster) : 0;

    if (n == 0)
        return false;
    *out = (struct hub_plan_consent){.n = n,
        .n_agent = n - cluster->consent.n_awaiting,
        .works = cluster->consent.works,
        .since_unix_s = cluster->consent.since_unix_s,
        .id = cluster->consent.id};
    return true;
}

void hub_plan_consent_say(
    const struct hub_plan_consent *c, struct fed_span cluster, struct fed_buf *out)
{
    size_t works = c->works > c->n ? c->works : c->n;
    char since[FED_TEXT_TIME_SIZE];

    fed_text_time(c->since_unix_s, since);
    fed_buf_printf(out,
        "%zu of %zu works (%zu %%) are to leave the cluster and nobody ordered it by name; they "
        "stay "
        "until somebody consents, since %s",
        c->n, works, c->n * 100 / works, since);
    if (c->n_agent > 0)
        fed_buf_printf(out, "; %zu of them are held back by the agent", c->n_agent);
    fed_buf_printf(out,
        ". To consent: fedctl approve " FED_SPAN_FMT
        " --removal, or kubectl -n " HUB_SYSTEM_NAMESPACE
        " annotate --overwrite kubefedcluster " FED_SPAN_FMT " " PLAN_APPROVE_ANNOTATION "=%s",
        FED_SPAN_ARG(cluster), FED_SPAN_ARG(cluster), c->id);
}

/* ---- events ---- */

static void tell_one(struct hub_plan *plan, struct plan_cluster *cluster)
{
    struct plan_consent *consent = &cluster->consent;
    struct fed_span name = fed_span_text(cluster->name);
    struct hub_plan_consent now = {0};
    char message[SENTENCE_MAX];
    struct fed_buf text;

    hub_plan_consent(plan, name, &now);
    if (consent->tell_given) {
        snprintf(message, sizeof message, "the removals that waited were consented to by %s",
            consent->user ? consent->user : "somebody");
        plan->consent_told(plan->consent_ctx, name, false, "RemovalApproved", message);
    } else if (now.n == 0 && consent->told > 0) {
        plan->consent_told(plan->consent_ctx, name, false, "RemovalTakenBack",
            "no removal waits for consent any more");
    }
    fed_buf_init(&text, plan->mem, SENTENCE_MAX + 2 * FED_WORK_NAME_MAX);
    if (now.n > consent->told || (consent->tell_given && now.n > 0)) {
        hub_plan_consent_say(&now, name, &text);
        if (!fed_buf_err(&text))
            plan->consent_told(plan->consent_ctx, name, true, CONDITION, fed_buf_cstr(&text));
        fed_log(plan->log, FED_LOG_WARN, "cluster %s: %zu removals wait for consent", cluster->name,
            now.n);
    }
    fed_buf_fini(&text);
    consent->told = now.n;
    consent->tell_given = false;
}

void plan_consent_tell(void *ctx)
{
    struct hub_plan *plan = ctx;

    plan->consent_telling = false;
    for (size_t i = 0; plan->consent_told && i < plan->n_clusters; i++) {
        struct plan_cluster *cluster = plan->clusters[i];

        if (cluster->consent.tell_given || cluster->consent.told != plan_consent_waiting(cluster))
            tell_one(plan, cluster);
    }
}

/* ---- the cluster's status ---- */

static enum fed_err set_time(
    struct fed_json_doc *doc, struct fed_json *to, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, text);
    return fed_json_set_text(doc, to, key, text);
}

static enum fed_err put_removal(
    struct fed_json_doc *doc, struct fed_json *status, const struct hub_plan_consent *consent)
{
    struct fed_json *to = fed_json_new_object(doc);
    enum fed_err err = fed_json_set(doc, status, "removal", to);

    if (!err)
        err = fed_json_set_int(doc, to, "waiting", (int64_t)consent->n);
    if (!err)
        err = fed_json_set_int(doc, to, "heldByAgent", (int64_t)consent->n_agent);
    if (!err)
        err = fed_json_set_int(doc, to, "works", (int64_t)consent->works);
    if (!err)
        err = set_time(doc, to, "since", consent->since_unix_s);
    return err ? err : fed_json_set_text(doc, to, "approval", consent->id);
}

static enum fed_err put_condition(struct hub_plan *plan, struct fed_json_doc *doc,
    struct fed_json *list, const struct hub_plan_consent *consent, struct fed_span cluster)
{
    struct fed_json *to = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(list, to);
    struct fed_buf text;

    fed_buf_init(&text, plan->mem, SENTENCE_MAX + 2 * FED_WORK_NAME_MAX);
    hub_plan_consent_say(consent, cluster, &text);
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_text(doc, to, "type", CONDITION);
    if (!err)
        err = fed_json_set_text(doc, to, "status", "True");
    if (!err)
        err = set_time(doc, to, "lastProbeTime", fed_loop_unix_s(plan->loop));
    if (!err)
        err = set_time(doc, to, "lastTransitionTime", consent->since_unix_s);
    if (!err)
        err = fed_json_set_text(doc, to, "reason", "RemovalsNotOrderedByName");
    if (!err)
        err = fed_json_set_string(doc, to, "message", fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

/* Conditions are required in status: without any there is nothing to add to. */
static enum fed_err compose(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
    struct fed_json *object, uint64_t *revision)
{
    struct hub_plan *plan = ctx;
    const struct hub_kind_hooks *inner = &plan->consent_inner;
    const struct plan_cluster *cluster = plan_cluster_get(plan, ref->name);
    struct hub_plan_consent consent;
    struct fed_json *conditions;
    enum fed_err err =
        inner->compose ? inner->compose(inner->ctx, ref, doc, object, revision) : FED_OK;

    conditions = fed_json_find(object, "status.conditions");
    if (err || !cluster || !conditions)
        return err;
    if (cluster->consent.told_revision > *revision)
        *revision = cluster->consent.told_revision;
    if (!hub_plan_consent(plan, ref->name, &consent))
        return FED_OK;
    err = put_removal(doc, fed_json_get(object, "status"), &consent);
    return err ? err : put_condition(plan, doc, conditions, &consent, ref->name);
}

/* ---- admission ---- */

static struct fed_span note_of(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(fed_json_find(object, "metadata.annotations"), key));
}

static enum fed_err refuse(struct hub_admission *a, const char *key)
{
    snprintf(a->field, sizeof a->field, "metadata.annotations[%s]", key);
    return FED_ERR_INVALID;
}

/* Whoever may let clusters in may consent to what leaves them, and say how much may without. */
static enum fed_err check_right(
    struct hub_admission *a, struct fed_span cluster, struct fed_diag *diag)
{
    struct hub_access access = {.verb = FED_SPAN_LIT("patch"),
        .group = FED_SPAN_LIT("fedlet.io"),
        .resource = FED_SPAN_LIT("joinrequests"),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = cluster};

    if (a->allows(a, &access))
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "who consents to the removals of a cluster, or says which need that, must be allowed to "
        "patch joinrequests.fedlet.io \"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(cluster));
}

static void note_user(struct hub_plan *plan, struct plan_consent *consent, struct fed_span user)
{
    if (!consent->user)
        consent->user = fed_alloc_get(plan->mem, PLAN_CONSENT_USER_SIZE);
    if (consent->user)
        snprintf(consent->user, PLAN_CONSENT_USER_SIZE, FED_SPAN_FMT, FED_SPAN_ARG(user));
}

static enum fed_err check_approval(
    struct hub_plan *plan, struct hub_admission *a, struct fed_span id, struct fed_diag *diag)
{
    struct fed_span name = fed_json_string(fed_json_find(a->object, "metadata.name"));
    struct plan_cluster *cluster = plan_cluster_get(plan, name);
    struct hub_plan_consent now;
    enum fed_err err = cluster ? plan_consent_named(plan, cluster) : FED_OK;

    if (err)
        return err;
    if (!hub_plan_consent(plan, name, &now)) {
        fed_diag_set(diag, FED_ERR_INVALID, "no removal of the cluster waits for consent");
        return refuse(a, PLAN_APPROVE_ANNOTATION);
    }
    if (!fed_span_is(id, now.id)) {
        fed_diag_set(diag, FED_ERR_INVALID,
            "what waits for consent is now \"%s\" (%zu works), see status.removal", now.id, now.n);
        return refuse(a, PLAN_APPROVE_ANNOTATION);
    }
    err = check_right(a, name, diag);
    if (!err && !a->dry_run)
        note_user(plan, &cluster->consent, a->user);
    return err;
}

static enum fed_err check_limit(struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_span text = note_of(a->object, PLAN_CONSENT_ANNOTATION);
    struct fed_consent_limit limit;

    if (fed_span_eq(text, note_of(a->before, PLAN_CONSENT_ANNOTATION)))
        return FED_OK;
    if (text.at && fed_consent_limit_parse(text, &limit, diag))
        return refuse(a, PLAN_CONSENT_ANNOTATION);
    return check_right(a, fed_json_string(fed_json_find(a->object, "metadata.name")), diag);
}

static enum fed_err admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_plan *plan = ctx;
    const struct hub_kind_hooks *inner = &plan->consent_inner;
    struct fed_span text;
    enum fed_err err = inner->admit ? inner->admit(inner->ctx, a, diag) : FED_OK;

    if (err || a->operation == HUB_DELETE)
        return err;
    err = check_limit(a, diag);
    if (err)
        return err;
    text = note_of(a->object, PLAN_APPROVE_ANNOTATION);
    if (text.len == 0 || fed_span_eq(text, note_of(a->before, PLAN_APPROVE_ANNOTATION)))
        return FED_OK;
    return check_approval(plan, a, text, diag);
}

/* Both chains: each calls the one that was there before. */
void hub_plan_consent_hooks(struct hub_plan *plan, struct hub_kind_hooks *hooks)
{
    plan->consent_inner = *hooks;
    hooks->ctx = plan;
    hooks->admit = admit;
    hooks->compose = compose;
}
