/* health_pod.c - is a pod well? By its phase, its conditions, and what its containers wait for.
 *
 * A container that fails alternates between states: it waits (CrashLoopBackOff), runs for a moment,
 * has ended; an image is pulled (ErrImagePull) and waited for (ImagePullBackOff). One word is said
 * for all of them, so that who looks at different moments hears the same. */
#include "agent/health_inner.h"

#include <stdio.h>

#define CRASHES_MANY 3 /* a container that is up again after so many has not recovered yet */

/* Reasons to wait that do not pass by waiting, and how they are called. */
static const struct {
    const char *seen;
    const char *said;
} stuck[] = {
    {"CrashLoopBackOff", "CrashLoopBackOff"},
    {"ImagePullBackOff", "ImagePullBackOff"},
    {"ErrImagePull", "ImagePullBackOff"},
    {"InvalidImageName", "InvalidImageName"},
    {"ErrImageNeverPull", "ErrImageNeverPull"},
    {"ImageInspectError", "ImageInspectError"},
    {"RegistryUnavailable", "ImagePullBackOff"},
    {"CreateContainerConfigError", "CreateContainerConfigError"},
    {"CreateContainerError", "CreateContainerError"},
    {"RunContainerError", "RunContainerError"},
};

static void say_container(const struct fed_json *container, struct fed_span reason,
    struct fed_span why, struct agent_health *out)
{
    struct fed_span name = fed_json_string(fed_json_get(container, "name"));
    char message[2 * AGENT_HEALTH_MESSAGE_MAX];

    snprintf(message, sizeof message, "container %.*s%s%.*s", (int)(name.len < 63 ? name.len : 63),
        (const char *)name.at, why.len ? ": " : "",
        (int)(why.len < AGENT_HEALTH_MESSAGE_MAX ? why.len : AGENT_HEALTH_MESSAGE_MAX),
        why.len ? (const char *)why.at : "");
    agent_health_say(out, FED_HEALTH_UNHEALTHY, reason, fed_span_text(message));
}

static bool is_stuck(const struct fed_json *container, struct agent_health *out)
{
    const struct fed_json *waiting = fed_json_find(container, "state.waiting");
    struct fed_span reason = fed_json_string(fed_json_get(waiting, "reason"));

    for (size_t i = 0; reason.len > 0 && i < sizeof stuck / sizeof *stuck; i++) {
        if (!fed_span_is(reason, stuck[i].seen))
            continue;
        say_container(container, fed_span_text(stuck[i].said),
            fed_json_string(fed_json_get(waiting, "message")), out);
        return true;
    }
    return false;
}

static const struct fed_json *ended_badly(const struct fed_json *container, const char *path)
{
    const struct fed_json *end = fed_json_find(container, path);

    return fed_json_int(fed_json_get(end, "exitCode"), 0) != 0 ? end : NULL;
}

static bool keeps_crashing(const struct fed_json *container, struct agent_health *out)
{
    if (fed_json_int(fed_json_get(container, "restartCount"), 0) < CRASHES_MANY ||
        fed_json_bool(fed_json_get(container, "ready"), false) ||
        !ended_badly(container, "lastState.terminated"))
        return false;
    say_container(container, FED_SPAN_LIT("CrashLoopBackOff"),
        fed_json_string(fed_json_find(container, "lastState.terminated.reason")), out);
    return true;
}

static bool fails(const struct fed_json *pod, const char *path, struct agent_health *out)
{
    for (struct fed_json_iter it = fed_json_items(fed_json_find(pod, path));
         fed_json_iter_next(&it);) {
        if (is_stuck(it.value, out) || keeps_crashing(it.value, out))
            return true;
    }
    return false;
}

/* Evicted, DeadlineExceeded: the pod's own reason; else that of the container that ended badly. */
static void of_failed(const struct fed_json *pod, struct agent_health *out)
{
    const struct fed_json *status = fed_json_get(pod, "status");
    struct fed_span reason = fed_json_string(fed_json_get(status, "reason"));

    agent_health_say(out, FED_HEALTH_UNHEALTHY, reason.len ? reason : FED_SPAN_LIT("PodFailed"),
        fed_json_string(fed_json_get(status, "message")));
    if (reason.len > 0)
        return;
    for (struct fed_json_iter it = fed_json_items(fed_json_get(status, "containerStatuses"));
         fed_json_iter_next(&it);) {
        const struct fed_json *end = ended_badly(it.value, "state.terminated");

        if (end) {
            say_container(it.value, FED_SPAN_LIT("PodFailed"),
                fed_json_string(fed_json_get(end, "reason")), out);
            return;
        }
    }
}

void health_of_pod(const struct fed_json *pod, struct agent_health *out)
{
    const struct fed_json *status = fed_json_get(pod, "status");
    const struct fed_json *scheduled = health_condition(pod, "PodScheduled");

    if (health_text_is(status, "phase", "Failed"))
        of_failed(pod, out);
    else if (health_text_is(status, "phase", "Succeeded") ||
             health_text_is(health_condition(pod, "Ready"), "status", "True"))
        agent_health_say(out, FED_HEALTH_HEALTHY, (struct fed_span){0}, (struct fed_span){0});
    else if (fails(pod, "status.initContainerStatuses", out) ||
             fails(pod, "status.containerStatuses", out))
        return;
    else if (health_text_is(scheduled, "status", "False"))
        health_by_condition(scheduled, FED_HEALTH_PROGRESSING, out);
    else if (health_text_is(status, "phase", "Running"))
        agent_health_say(out, FED_HEALTH_PROGRESSING, FED_SPAN_LIT("PodRunningNotReady"),
            FED_SPAN_LIT("it runs and is not ready"));
    else
        agent_health_say(out, FED_HEALTH_PROGRESSING, FED_SPAN_LIT("PodPending"),
            FED_SPAN_LIT("its containers do not run yet"));
}
