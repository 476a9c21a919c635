/* pods_count.c - one pod, and a selector as the API takes it (see pods.h). Pure. */
#include "agent/pods.h"

#include "proto/base/text.h"
#include "proto/object/json.h"

#include <stdio.h>

#define UNSCHEDULABLE_S 60 /* KubeFed's UnschedulableThreshold */

/* ---- one pod ---- */

static const struct fed_json *condition_of(const struct fed_json *pod, const char *type)
{
    const struct fed_json *all = fed_json_find(pod, "status.conditions");

    for (struct fed_json_iter it = fed_json_items(all); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;

        if (fed_span_is(fed_json_string(fed_json_get(one, "type")), type))
            return one;
    }
    return NULL;
}

static bool text_is(const struct fed_json *object, const char *key, const char *text)
{
    return fed_span_is(fed_json_string(fed_json_get(object, key)), text);
}

void agent_pods_take(struct agent_pods_count *count, const struct fed_json *pod, int64_t now_unix_s)
{
    const struct fed_json *scheduled = condition_of(pod, "PodScheduled");
    int64_t since_s;

    if (text_is(fed_json_get(pod, "status"), "phase", "Running")) {
        if (text_is(condition_of(pod, "Ready"), "status", "True"))
            count->running++;
        return;
    }
    if (!text_is(scheduled, "status", "False") || !text_is(scheduled, "reason", "Unschedulable") ||
        fed_text_time_parse(
            fed_json_string(fed_json_get(scheduled, "lastTransitionTime")), &since_s))
        return;
    if (since_s + UNSCHEDULABLE_S < now_unix_s)
        count->unschedulable++;
    else if (count->next_unix_s == 0 || since_s + UNSCHEDULABLE_S < count->next_unix_s)
        count->next_unix_s = since_s + UNSCHEDULABLE_S;
}

/* Without a node for a minute: the scheduler says why. */
static bool is_unschedulable(
    const struct fed_json *pod, int64_t now_unix_s, struct agent_health *out)
{
    const struct fed_json *scheduled = condition_of(pod, "PodScheduled");
    int64_t since_s;

    if (!text_is(scheduled, "status", "False") || !text_is(scheduled, "reason", "Unschedulable") ||
        fed_text_time_parse(
            fed_json_string(fed_json_get(scheduled, "lastTransitionTime")), &since_s) ||
        since_s + UNSCHEDULABLE_S >= now_unix_s)
        return false;
    agent_health_say(out, FED_HEALTH_UNHEALTHY, FED_SPAN_LIT("Unschedulable"),
        fed_json_string(fed_json_get(scheduled, "message")));
    return true;
}

void agent_pods_judge(
    struct agent_pods_count *count, const struct fed_json *pod, int64_t now_unix_s)
{
    struct fed_span name = fed_json_string(fed_json_find(pod, "metadata.name"));
    char message[2 * AGENT_HEALTH_MESSAGE_MAX];
    struct agent_health health;

    if (count->worst.state == FED_HEALTH_UNHEALTHY ||
        fed_json_is_string(fed_json_find(pod, "metadata.deletionTimestamp")))
        return;
    agent_health_of(FED_SPAN_LIT("v1"), FED_SPAN_LIT("Pod"), pod, &health);
    if (health.state != FED_HEALTH_UNHEALTHY && !is_unschedulable(pod, now_unix_s, &health))
        return;
    snprintf(message, sizeof message, "pod %.*s%s%s", (int)(name.len < 63 ? name.len : 63),
        (const char *)name.at, health.message[0] ? ", " : "", health.message);
    agent_health_say(
        &count->worst, FED_HEALTH_UNHEALTHY, fed_span_text(health.reason), fed_span_text(message));
}

/* ---- selectors ---- */

static void put_values(struct fed_buf *out, const struct fed_json *values)
{
    fed_buf_put_text(out, " (");
    for (struct fed_json_iter it = fed_json_items(values); fed_json_iter_next(&it);) {
        fed_buf_put_text(out, it.index ? "," : "");
        fed_buf_put(out, fed_json_string(it.value));
    }
    fed_buf_put_text(out, ")");
}

static bool put_expression(struct fed_buf *out, const struct fed_json *expression)
{
    struct fed_span key = fed_json_string(fed_json_get(expression, "key"));

    fed_buf_put_text(out, out->len ? "," : "");
    if (text_is(expression, "operator", "DoesNotExist"))
        fed_buf_put_text(out, "!");
    fed_buf_put(out, key);
    if (text_is(expression, "operator", "In"))
        fed_buf_put_text(out, " in");
    else if (text_is(expression, "operator", "NotIn"))
        fed_buf_put_text(out, " notin");
    else
        return key.len > 0;
    put_values(out, fed_json_get(expression, "values"));
    return key.len > 0;
}

/* A ReplicationController's is the labels themselves. */
bool agent_pods_selector(struct fed_buf *out, const struct fed_json *selector)
{
    struct fed_json *labels = fed_json_get(selector, "matchLabels");
    struct fed_json *expressions = fed_json_get(selector, "matchExpressions");
    struct fed_json_iter it;

    if (!labels && !expressions)
        labels = (struct fed_json *)selector;
    fed_json_iter_init(&it, fed_json_is_object(labels) ? labels : NULL);
    while (fed_json_iter_next(&it)) {
        if (!fed_json_is_string(it.value))
            return false;
        fed_buf_put_text(out, out->len ? "," : "");
        fed_buf_put(out, it.key);
        fed_buf_put_text(out, "=");
        fed_buf_put(out, fed_json_string(it.value));
    }
    fed_json_iter_init(&it, fed_json_is_array(expressions) ? expressions : NULL);
    while (fed_json_iter_next(&it)) {
        if (!put_expression(out, it.value))
            return false;
    }
    return out->len > 0 && !fed_buf_err(out);
}
