/* health.h - is an object well, and if not, why? Pure rules over the object as its API server shows
 * it; docs/health.md has them as a table.
 *
 * They are those of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status), from the fields' meaning
 * in the Kubernetes API reference: Deployment, ReplicaSet, ReplicationController, StatefulSet,
 * DaemonSet, Job, Pod, PersistentVolumeClaim, Service, CRD, APIService and
 * HorizontalPodAutoscaler have one of their own, kinds that the API server does not bring along are
 * judged by their conditions Stalled, Reconciling, Ready and Available, all others are healthy when
 * they are there. Where this is stricter than kstatus, docs/health.md says so. */
#ifndef FEDLET_AGENT_HEALTH_H
#define FEDLET_AGENT_HEALTH_H

#include "proto/bundle/report.h"
#include "proto/object/json.h"

/* A reason and a sentence are short: they travel with a report of health, which has 170 bytes
 * without them. */
#define AGENT_HEALTH_REASON_MAX 47u
#define AGENT_HEALTH_MESSAGE_MAX 119u

struct agent_health {
    enum fed_work_health state;
    char reason[AGENT_HEALTH_REASON_MAX + 1];   /* machine word; "" when healthy */
    char message[AGENT_HEALTH_MESSAGE_MAX + 1]; /* for people, cut at a character; "" for none */
};

/* Whether the rule looks beyond metadata, so that the kind is watched with its contents. */
bool agent_health_needs_content(struct fed_span api_version, struct fed_span kind);
/* Whether objects of the kind make pods and have spec.selector, which finds them. */
bool agent_health_has_pods(struct fed_span api_version, struct fed_span kind);
/* object: the whole object (or metadata only for kinds that need no content). */
void agent_health_of(struct fed_span api_version, struct fed_span kind,
    const struct fed_json *object, struct agent_health *out);
/* Sets reason and message, cut to fit. */
void agent_health_say(struct agent_health *out, enum fed_work_health state, struct fed_span reason,
    struct fed_span message);

#endif
