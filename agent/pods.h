/* pods.h - how the pods of workloads fare whose replicas the hub spreads (FED_WORK_SCALE), and what
 * is wrong with those of workloads that do not get well.
 *
 * Looked at when the object changed in the member, and again while not all of its replicas are
 * ready. The object itself says what is wanted and ready; only when these differ its pods are
 * listed, with its own selector: running and ready ones, and those that found no node for a minute.
 * Nothing is watched. The rules are KubeFed's (pkg/controller/util/podanalyzer), with the one
 * difference that a Ready condition counts when it is True.
 *
 * A look takes place a second after a change, so that a burst is one look; then, until all is
 * ready, when the next unschedulable pod has its minute, and otherwise after 15 s, doubling up to
 * 10 minutes. Two at once. What was found goes into the entry and out with the next report.
 *
 * A workload of any kind that has pods (health.h) is looked at as well, ten seconds after it was
 * seen on its way or unhealthy, and then with pauses that
 * double up to an hour until it is neither. A pod that fails (health.h), or finds
 * no node for a minute, makes it unhealthy (kstatus, pkg/kstatus/polling/statusreaders): with the
 * pod's reason, and the pod's name in the message. */
#ifndef FEDLET_AGENT_PODS_H
#define FEDLET_AGENT_PODS_H

#include "agent/ports.h"
#include "agent/table.h"

struct agent_pods;

struct agent_pods_events {
    void *ctx;
    void (*changed)(void *ctx, struct agent_entry *entry); /* entry->scale is to be reported */
};

FED_MUST_USE enum fed_err agent_pods_new(const struct agent_ports *ports, struct agent_table *table,
    const struct agent_pods_events *events, struct agent_pods **out);
void agent_pods_free(struct agent_pods *pods);

/* The entry's object was seen. Nothing happens for works without the option. */
void agent_pods_look(struct agent_pods *pods, const struct agent_entry *entry);
/* Something about the entry changed: it is looked at while it has pods and is not healthy. */
void agent_pods_ask(struct agent_pods *pods, const struct agent_entry *entry);
/* Another bundle was staged: looks at what got the option, forgets what lost it. */
void agent_pods_sync(struct agent_pods *pods);
/* The API server is back: what it did not answer is asked for soon. */
void agent_pods_resume(struct agent_pods *pods);

/* ---- pure, for tests: one pod ---- */
struct agent_pods_count {
    uint32_t running;          /* and ready */
    uint32_t unschedulable;    /* for more than a minute */
    int64_t next_unix_s;       /* when the next one will have its minute; 0: none waits */
    struct agent_health worst; /* of the first one that fails; HEALTHY: none does */
};
void agent_pods_take(
    struct agent_pods_count *count, const struct fed_json *pod, int64_t now_unix_s);
/* The same for what is wrong with it; one that is being deleted does not count. */
void agent_pods_judge(
    struct agent_pods_count *count, const struct fed_json *pod, int64_t now_unix_s);
/* A label selector of an object as the API takes it ("a=b,c in (d,e),!f"); false when there is
 * none, or one that selects everything. */
bool agent_pods_selector(struct fed_buf *out, const struct fed_json *selector);

#endif
