/* health_inner.h - what health.c and health_pod.c share. */
#ifndef FEDLET_AGENT_HEALTH_INNER_H
#define FEDLET_AGENT_HEALTH_INNER_H

#include "agent/health.h"

/* The condition of that type, NULL when there is none. */
const struct fed_json *health_condition(const struct fed_json *object, const char *type);
bool health_text_is(const struct fed_json *object, const char *key, const char *text);
/* With the condition's reason (its type when it has none) and message. */
void health_by_condition(
    const struct fed_json *condition, enum fed_work_health state, struct agent_health *out);

void health_of_pod(const struct fed_json *pod, struct agent_health *out);

#endif
