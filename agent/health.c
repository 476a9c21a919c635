/* health.c - see health.h. One function per kind, found by a table. */
#include "agent/health.h"

typedef enum fed_work_health rule(const struct fed_json *object);

static const struct fed_json *condition(const struct fed_json *object, const char *type)
{
    const struct fed_json *all = fed_json_find(object, "status.conditions");

    for (size_t i = 0; i < fed_json_count(all); i++) {
        const struct fed_json *one = fed_json_at(all, i);

        if (fed_span_is(fed_json_string(fed_json_get(one, "type")), type))
            return one;
    }
    return NULL;
}

static bool condition_is(const struct fed_json *object, const char *type, const char *status)
{
    return fed_span_is(fed_json_string(fed_json_get(condition(object, type), "status")), status);
}

static bool condition_reason(const struct fed_json *object, const char *type, const char *reason)
{
    return fed_span_is(fed_json_string(fed_json_get(condition(object, type), "reason")), reason);
}

static int64_t number(const struct fed_json *object, const char *path, int64_t otherwise)
{
    return fed_json_int(fed_json_find(object, path), otherwise);
}

/* The controller has not looked at the present spec yet. */
static bool behind(const struct fed_json *object)
{
    return number(object, "status.observedGeneration", 0) <
           number(object, "metadata.generation", 0);
}

static enum fed_work_health of_deployment(const struct fed_json *object)
{
    int64_t want = number(object, "spec.replicas", 1);

    if (behind(object))
        return FED_HEALTH_PROGRESSING;
    if (condition_is(object, "Progressing", "False") &&
        condition_reason(object, "Progressing", "ProgressDeadlineExceeded"))
        return FED_HEALTH_UNHEALTHY;
    if (condition_is(object, "ReplicaFailure", "True"))
        return FED_HEALTH_UNHEALTHY;
    if (number(object, "status.updatedReplicas", 0) < want ||
        number(object, "status.replicas", 0) > number(object, "status.updatedReplicas", 0) ||
        number(object, "status.availableReplicas", 0) < want)
        return FED_HEALTH_PROGRESSING;
    return FED_HEALTH_HEALTHY;
}

static enum fed_work_health of_replica_set(const struct fed_json *object)
{
    if (behind(object))
        return FED_HEALTH_PROGRESSING;
    if (condition_is(object, "ReplicaFailure", "True"))
        return FED_HEALTH_UNHEALTHY;
    if (number(object, "status.availableReplicas", 0) < number(object, "spec.replicas", 1))
        return FED_HEALTH_PROGRESSING;
    return FED_HEALTH_HEALTHY;
}

static enum fed_work_health of_stateful_set(const struct fed_json *object)
{
    int64_t want = number(object, "spec.replicas", 1);
    int64_t partition = number(object, "spec.updateStrategy.rollingUpdate.partition", 0);
    struct fed_span strategy = fed_json_string(fed_json_find(object, "spec.updateStrategy.type"));

    if (behind(object) || number(object, "status.readyReplicas", 0) < want)
        return FED_HEALTH_PROGRESSING;
    if (!fed_span_is(strategy, "OnDelete") &&
        number(object, "status.updatedReplicas", 0) < want - partition)
        return FED_HEALTH_PROGRESSING;
    return FED_HEALTH_HEALTHY;
}

static enum fed_work_health of_daemon_set(const struct fed_json *object)
{
    int64_t want = number(object, "status.desiredNumberScheduled", 0);
    struct fed_span strategy = fed_json_string(fed_json_find(object, "spec.updateStrategy.type"));

    if (behind(object) || number(object, "status.numberAvailable", 0) < want)
        return FED_HEALTH_PROGRESSING;
    if (!fed_span_is(strategy, "OnDelete") &&
        number(object, "status.updatedNumberScheduled", 0) < want)
        return FED_HEALTH_PROGRESSING;
    return FED_HEALTH_HEALTHY;
}

static enum fed_work_health of_job(const struct fed_json *object)
{
    if (condition_is(object, "Failed", "True"))
        return FED_HEALTH_UNHEALTHY;
    if (condition_is(object, "Complete", "True") || condition_is(object, "Suspended", "True"))
        return FED_HEALTH_HEALTHY;
    return FED_HEALTH_PROGRESSING;
}

static enum fed_work_health of_pod(const struct fed_json *object)
{
    struct fed_span phase = fed_json_string(fed_json_find(object, "status.phase"));

    if (fed_span_is(phase, "Failed"))
        return FED_HEALTH_UNHEALTHY;
    if (fed_span_is(phase, "Succeeded") || condition_is(object, "Ready", "True"))
        return FED_HEALTH_HEALTHY;
    return FED_HEALTH_PROGRESSING;
}

static enum fed_work_health of_claim(const struct fed_json *object)
{
    struct fed_span phase = fed_json_string(fed_json_find(object, "status.phase"));

    if (fed_span_is(phase, "Lost"))
        return FED_HEALTH_UNHEALTHY;
    return fed_span_is(phase, "Bound") ? FED_HEALTH_HEALTHY : FED_HEALTH_PROGRESSING;
}

static enum fed_work_health of_service(const struct fed_json *object)
{
    struct fed_span type = fed_json_string(fed_json_find(object, "spec.type"));

    if (fed_span_is(type, "LoadBalancer") &&
        fed_json_count(fed_json_find(object, "status.loadBalancer.ingress")) == 0)
        return FED_HEALTH_PROGRESSING;
    return FED_HEALTH_HEALTHY;
}

static enum fed_work_health of_crd(const struct fed_json *object)
{
    if (condition_is(object, "NamesAccepted", "False"))
        return FED_HEALTH_UNHEALTHY;
    return condition_is(object, "Established", "True") ? FED_HEALTH_HEALTHY
                                                       : FED_HEALTH_PROGRESSING;
}

static const struct {
    const char *group; /* "" is the core group */
    const char *kind;
    rule *of;
} rules[] = {
    {"apps", "Deployment", of_deployment},
    {"apps", "ReplicaSet", of_replica_set},
    {"apps", "StatefulSet", of_stateful_set},
    {"apps", "DaemonSet", of_daemon_set},
    {"batch", "Job", of_job},
    {"", "Pod", of_pod},
    {"", "PersistentVolumeClaim", of_claim},
    {"", "Service", of_service},
    {"apiextensions.k8s.io", "CustomResourceDefinition", of_crd},
};

static rule *find_rule(struct fed_span api_version, struct fed_span kind)
{
    size_t slash = fed_span_find(api_version, '/');
    struct fed_span group = fed_span_sub(api_version, 0, slash == api_version.len ? 0 : slash);

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (fed_span_is(group, rules[i].group) && fed_span_is(kind, rules[i].kind))
            return rules[i].of;
    }
    return NULL;
}

bool agent_health_needs_content(struct fed_span api_version, struct fed_span kind)
{
    return find_rule(api_version, kind) != NULL;
}

enum fed_work_health agent_health_of(
    struct fed_span api_version, struct fed_span kind, const struct fed_json *object)
{
    rule *of = find_rule(api_version, kind);

    if (fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp")))
        return FED_HEALTH_PROGRESSING;
    return of ? of(object) : FED_HEALTH_HEALTHY;
}
