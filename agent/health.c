/* health.c - see health.h. One function per kind, found by a table; what a pod's containers say is
 * in health_pod.c. */
#include "agent/health_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef void rule(const struct fed_json *object, struct agent_health *out);

/* ---- what rules say ---- */

static void put_cut(char *out, size_t max, struct fed_span text)
{
    size_t len = text.len < max ? text.len : max;

    while (len > 0 && len < text.len && (text.at[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    if (len > 0)
        memcpy(out, text.at, len);
    out[len] = '\0';
}

void agent_health_say(struct agent_health *out, enum fed_work_health state, struct fed_span reason,
    struct fed_span message)
{
    out->state = state;
    put_cut(out->reason, AGENT_HEALTH_REASON_MAX, reason);
    put_cut(out->message, AGENT_HEALTH_MESSAGE_MAX, message);
}

static void healthy(struct agent_health *out)
{
    agent_health_say(out, FED_HEALTH_HEALTHY, (struct fed_span){0}, (struct fed_span){0});
}

static void progressing(struct agent_health *out, const char *reason, const char *message)
{
    agent_health_say(out, FED_HEALTH_PROGRESSING, fed_span_text(reason), fed_span_text(message));
}

/* "1 of 3 ready". */
static void short_of(
    struct agent_health *out, const char *reason, int64_t have, int64_t want, const char *what)
{
    char message[80];

    snprintf(message, sizeof message, "%lld of %lld %s", (long long)have, (long long)want, what);
    progressing(out, reason, message);
}

/* ---- reading ---- */

const struct fed_json *health_condition(const struct fed_json *object, const char *type)
{
    const struct fed_json *all = fed_json_find(object, "status.conditions");

    for (struct fed_json_iter it = fed_json_items(all); fed_json_iter_next(&it);) {
        if (fed_span_is(fed_json_string(fed_json_get(it.value, "type")), type))
            return it.value;
    }
    return NULL;
}

bool health_text_is(const struct fed_json *object, const char *key, const char *text)
{
    return fed_span_is(fed_json_string(fed_json_get(object, key)), text);
}

void health_by_condition(
    const struct fed_json *condition, enum fed_work_health state, struct agent_health *out)
{
    struct fed_span reason = fed_json_string(fed_json_get(condition, "reason"));

    agent_health_say(out, state,
        reason.len ? reason : fed_json_string(fed_json_get(condition, "type")),
        fed_json_string(fed_json_get(condition, "message")));
}

static int64_t number(const struct fed_json *object, const char *path, int64_t otherwise)
{
    return fed_json_int(fed_json_find(object, path), otherwise);
}

/* The condition, when it has that status; then it is what there is to say. */
static bool told_by(const struct fed_json *object, const char *type, const char *status,
    enum fed_work_health state, struct agent_health *out)
{
    const struct fed_json *condition = health_condition(object, type);

    if (!health_text_is(condition, "status", status))
        return false;
    health_by_condition(condition, state, out);
    return true;
}

/* The condition is there, and is not True, or is about an earlier spec. */
static bool lacks(const struct fed_json *object, const char *type, struct agent_health *out)
{
    const struct fed_json *condition = health_condition(object, type);
    int64_t generation = number(object, "metadata.generation", 0);

    if (!condition || (health_text_is(condition, "status", "True") &&
                          number(condition, "observedGeneration", generation) >= generation))
        return false;
    health_by_condition(condition, FED_HEALTH_PROGRESSING, out);
    return true;
}

/* The controller has not looked at the present spec yet. */
static bool behind(const struct fed_json *object, int64_t unseen, struct agent_health *out)
{
    int64_t generation = number(object, "metadata.generation", 0);

    if (number(object, "status.observedGeneration", unseen) >= generation)
        return false;
    progressing(out, "LatestGenerationNotObserved", "its controller has not seen this version yet");
    return true;
}

/* ---- workloads ---- */

/* have < want of what the path counts. */
static bool counts_less(const struct fed_json *object, const char *path, int64_t want,
    const char *reason, const char *what, struct agent_health *out)
{
    int64_t have = number(object, path, 0);

    if (have >= want)
        return false;
    short_of(out, reason, have, want, what);
    return true;
}

static bool has_extra_pods(const struct fed_json *object, int64_t want, struct agent_health *out)
{
    int64_t extra = number(object, "status.replicas", 0) - want;
    char message[80];

    if (extra <= 0)
        return false;
    snprintf(message, sizeof message, "%lld pods too many, about to end", (long long)extra);
    progressing(out, "ExtraPods", message);
    return true;
}

/* The rollout is not through by the word of its controller, whatever the numbers say. */
static bool rolls_out(const struct fed_json *object, struct agent_health *out)
{
    const struct fed_json *condition = health_condition(object, "Progressing");

    if (!condition || health_text_is(condition, "reason", "NewReplicaSetAvailable"))
        return false;
    health_by_condition(condition, FED_HEALTH_PROGRESSING, out);
    return true;
}

static void of_deployment(const struct fed_json *object, struct agent_health *out)
{
    int64_t want = number(object, "spec.replicas", 1);
    const struct fed_json *condition = health_condition(object, "Progressing");

    if (behind(object, 0, out))
        return;
    if (health_text_is(condition, "reason", "ProgressDeadlineExceeded"))
        health_by_condition(condition, FED_HEALTH_UNHEALTHY, out);
    else if (!told_by(object, "ReplicaFailure", "True", FED_HEALTH_UNHEALTHY, out) &&
             !counts_less(object, "status.updatedReplicas", want, "LessUpdated", "updated", out) &&
             !has_extra_pods(object, want, out) &&
             !counts_less(
                 object, "status.availableReplicas", want, "LessAvailable", "available", out) &&
             !rolls_out(object, out) && !lacks(object, "Available", out))
        healthy(out);
}

static void of_replica_set(const struct fed_json *object, struct agent_health *out)
{
    int64_t want = number(object, "spec.replicas", 1);

    if (!behind(object, 0, out) &&
        !told_by(object, "ReplicaFailure", "True", FED_HEALTH_UNHEALTHY, out) &&
        !counts_less(object, "status.availableReplicas", want, "LessAvailable", "available", out) &&
        !has_extra_pods(object, want, out))
        healthy(out);
}

static bool updates_by_hand(const struct fed_json *object)
{
    return fed_span_is(
        fed_json_string(fed_json_find(object, "spec.updateStrategy.type")), "OnDelete");
}

/* currentRevision follows updateRevision when the last pod was replaced. */
static bool mixes_revisions(const struct fed_json *object, struct agent_health *out)
{
    struct fed_span is = fed_json_string(fed_json_find(object, "status.currentRevision"));
    struct fed_span to = fed_json_string(fed_json_find(object, "status.updateRevision"));

    if (is.len == 0 || to.len == 0 || fed_span_eq(is, to))
        return false;
    progressing(out, "RevisionMismatch", "pods of the revision before are still there");
    return true;
}

static void of_stateful_set(const struct fed_json *object, struct agent_health *out)
{
    int64_t want = number(object, "spec.replicas", 1);
    int64_t partition = number(object, "spec.updateStrategy.rollingUpdate.partition", 0);
    bool by_hand = updates_by_hand(object);

    if (!behind(object, 0, out) &&
        !counts_less(object, "status.readyReplicas", want, "LessReady", "ready", out) &&
        !has_extra_pods(object, want, out) &&
        (by_hand || !counts_less(object, "status.updatedReplicas", want - partition,
                        "PartitionRollout", "updated", out)) &&
        (by_hand || partition > 0 || !mixes_revisions(object, out)))
        healthy(out);
}

static void of_daemon_set(const struct fed_json *object, struct agent_health *out)
{
    int64_t want = number(object, "status.desiredNumberScheduled", -1);

    if (behind(object, 0, out))
        return;
    if (want < 0)
        progressing(out, "NoDesiredNumber", "no node was considered yet");
    else if (!counts_less(
                 object, "status.currentNumberScheduled", want, "LessCurrent", "scheduled", out) &&
             (updates_by_hand(object) || !counts_less(object, "status.updatedNumberScheduled", want,
                                             "LessUpdated", "updated", out)) &&
             !counts_less(
                 object, "status.numberAvailable", want, "LessAvailable", "available", out) &&
             !counts_less(object, "status.numberReady", want, "LessReady", "ready", out))
        healthy(out);
}

static void of_job(const struct fed_json *object, struct agent_health *out)
{
    int64_t want = number(object, "spec.completions", number(object, "spec.parallelism", 1));

    if (told_by(object, "Failed", "True", FED_HEALTH_UNHEALTHY, out))
        return;
    if (health_text_is(health_condition(object, "Complete"), "status", "True") ||
        health_text_is(health_condition(object, "Suspended"), "status", "True"))
        healthy(out);
    else if (!fed_json_is_string(fed_json_find(object, "status.startTime")))
        progressing(out, "JobNotStarted", "not started yet");
    else
        short_of(out, "JobRunning", number(object, "status.succeeded", 0), want, "succeeded");
}

/* ---- the rest ---- */

static void of_claim(const struct fed_json *object, struct agent_health *out)
{
    struct fed_span phase = fed_json_string(fed_json_find(object, "status.phase"));

    if (fed_span_is(phase, "Lost"))
        agent_health_say(out, FED_HEALTH_UNHEALTHY, FED_SPAN_LIT("ClaimLost"),
            FED_SPAN_LIT("the volume that it was bound to is gone"));
    else if (fed_span_is(phase, "Bound"))
        healthy(out);
    else
        progressing(out, "NotBound", "no volume is bound yet");
}

static void of_service(const struct fed_json *object, struct agent_health *out)
{
    struct fed_span type = fed_json_string(fed_json_find(object, "spec.type"));

    if (fed_span_is(type, "LoadBalancer") &&
        fed_json_count(fed_json_find(object, "status.loadBalancer.ingress")) == 0)
        progressing(out, "NoIPAssigned", "the load balancer has no address yet");
    else
        healthy(out);
}

static void of_crd(const struct fed_json *object, struct agent_health *out)
{
    const struct fed_json *established = health_condition(object, "Established");

    if (told_by(object, "NamesAccepted", "False", FED_HEALTH_UNHEALTHY, out))
        return;
    if (health_text_is(established, "status", "True"))
        healthy(out);
    else if (!health_text_is(established, "status", "False") ||
             health_text_is(established, "reason", "Installing"))
        progressing(out, "Installing", "not established yet");
    else
        health_by_condition(established, FED_HEALTH_UNHEALTHY, out);
}

static void of_api_service(const struct fed_json *object, struct agent_health *out)
{
    if (health_condition(object, "Available")) {
        if (!lacks(object, "Available", out))
            healthy(out);
    } else {
        progressing(out, "NotAvailable", "nobody has looked whether it answers yet");
    }
}

/* Metrics that cannot be read, or a target that is not there, do not mend by waiting; one that is
 * scaled to nothing is switched off on purpose. */
static void of_autoscaler(const struct fed_json *object, struct agent_health *out)
{
    const struct fed_json *active = health_condition(object, "ScalingActive");
    const struct fed_json *able = health_condition(object, "AbleToScale");

    if (behind(object, number(object, "metadata.generation", 0), out))
        return;
    if (health_text_is(able, "status", "False") && !health_text_is(able, "reason", "BackoffBoth") &&
        !health_text_is(able, "reason", "BackoffDownscale") &&
        !health_text_is(able, "reason", "BackoffUpscale"))
        health_by_condition(able, FED_HEALTH_UNHEALTHY, out);
    else if (health_text_is(active, "status", "False") &&
             !health_text_is(active, "reason", "ScalingDisabled"))
        health_by_condition(active, FED_HEALTH_UNHEALTHY, out);
    else if (!able && !active)
        progressing(out, "NotObserved", "its controller has not seen it yet");
    else
        healthy(out);
}

/* By the standard conditions, for kinds of which nothing else is known. */
static void of_any(const struct fed_json *object, struct agent_health *out)
{
    if (behind(object, number(object, "metadata.generation", 0), out) ||
        told_by(object, "Stalled", "True", FED_HEALTH_UNHEALTHY, out) ||
        told_by(object, "Reconciling", "True", FED_HEALTH_PROGRESSING, out))
        return;
    if (health_condition(object, "Ready")) {
        if (lacks(object, "Ready", out))
            return;
    } else if (lacks(object, "Available", out)) {
        return;
    }
    healthy(out);
}

/* ---- which ---- */

static const struct {
    const char *group; /* "" is the core group */
    const char *kind;
    rule *of;
    bool has_pods;
} rules[] = {
    {"apps", "Deployment", of_deployment, true},
    {"apps", "ReplicaSet", of_replica_set, true},
    {"apps", "StatefulSet", of_stateful_set, true},
    {"apps", "DaemonSet", of_daemon_set, true},
    {"batch", "Job", of_job, true},
    {"", "ReplicationController", of_replica_set, true},
    {"", "Pod", health_of_pod, false},
    {"", "PersistentVolumeClaim", of_claim, false},
    {"", "Service", of_service, false},
    {"apiextensions.k8s.io", "CustomResourceDefinition", of_crd, false},
    {"apiregistration.k8s.io", "APIService", of_api_service, false},
    {"autoscaling", "HorizontalPodAutoscaler", of_autoscaler, false},
    {"policy", "PodDisruptionBudget", of_any, false},
};
#define N_RULES (sizeof rules / sizeof *rules)

static size_t find_rule(struct fed_span api_version, struct fed_span kind)
{
    struct fed_span group = fed_work_group(api_version);
    size_t i = 0;

    while (i < N_RULES && !(fed_span_is(group, rules[i].group) && fed_span_is(kind, rules[i].kind)))
        i++;
    return i;
}

/* Of the API server itself: what has no rule there is healthy when it is there. Its groups have no
 * dot ("apps"), or one label before k8s.io ("storage.k8s.io"), but for two; more have definitions
 * of others ("gateway.networking.k8s.io"), of which conditions are all that is known. */
static bool is_own(struct fed_span group)
{
    static const struct fed_span suffix = FED_SPAN_LIT(".k8s.io");
    size_t dot = fed_span_find(group, '.');
    struct fed_span rest = fed_span_sub(group, dot, group.len);

    return dot == group.len || fed_span_eq(rest, suffix) ||
           fed_span_is(group, "rbac.authorization.k8s.io") ||
           fed_span_is(group, "flowcontrol.apiserver.k8s.io");
}

bool agent_health_needs_content(struct fed_span api_version, struct fed_span kind)
{
    return find_rule(api_version, kind) < N_RULES || !is_own(fed_work_group(api_version));
}

bool agent_health_has_pods(struct fed_span api_version, struct fed_span kind)
{
    size_t i = find_rule(api_version, kind);

    return i < N_RULES && rules[i].has_pods;
}

static void of_leaving(const struct fed_json *object, struct agent_health *out)
{
    const struct fed_json *finalizers = fed_json_find(object, "metadata.finalizers");
    struct fed_span first = fed_json_string(fed_json_at(finalizers, 0));
    char message[AGENT_HEALTH_MESSAGE_MAX + 1] = "it is being deleted";

    if (first.len > 0)
        snprintf(message, sizeof message, "it is being deleted and waits for %.*s",
            (int)(first.len < 80 ? first.len : 80), (const char *)first.at);
    progressing(out, "Terminating", message);
}

void agent_health_of(struct fed_span api_version, struct fed_span kind,
    const struct fed_json *object, struct agent_health *out)
{
    size_t i = find_rule(api_version, kind);

    if (fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp")))
        of_leaving(object, out);
    else if (i < N_RULES)
        rules[i].of(object, out);
    else
        of_any(object, out);
}
