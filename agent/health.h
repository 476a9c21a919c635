/* health.h - is an object well? Pure rules over the object as its API server shows it.
 *
 * Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, Pod, PersistentVolumeClaim and CRD have a
 * rule of their own; a Service of type LoadBalancer waits for its address. Every other kind is
 * healthy when it is there, unless it is being deleted. Source: the fields' meaning in the
 * Kubernetes API reference. */
#ifndef FEDLET_AGENT_HEALTH_H
#define FEDLET_AGENT_HEALTH_H

#include "proto/bundle/report.h"
#include "proto/object/json.h"

/* Whether the rule looks beyond metadata, so that the kind is watched with its contents. */
bool agent_health_needs_content(struct fed_span api_version, struct fed_span kind);
/* object: the whole object (or metadata only for kinds that need no content). */
enum fed_work_health agent_health_of(
    struct fed_span api_version, struct fed_span kind, const struct fed_json *object);

#endif
