/* link_people.h - what people see of the link beside objects: Events about clusters, and metrics.
 */
#ifndef FEDLET_HUB_LINK_PEOPLE_H
#define FEDLET_HUB_LINK_PEOPLE_H

#include "hub/agents.h"
#include "hub/api/events.h"
#include "hub/gateway/gateway.h"
#include "hub/traffic/traffic.h"

struct hub_link_people { /* all outlive it */
    struct fed_alloc *mem;
    struct hub_objects *objects;
    struct hub_events *events;
    struct hub_gateway *gateway;
    struct hub_agents *const *agents; /* NULL there: not open */
    struct hub_traffic *traffic;
    struct hub_plan *plan;
    struct hub_status *status;
};

/* A hub_traffic_tell; ctx is the struct. */
void hub_link_people_tell(
    void *ctx, struct fed_span cluster, bool warning, const char *reason, const char *message);
/* Appends in Prometheus' text form; ctx is the struct. */
void hub_link_people_metrics(struct hub_link_people *people, struct fed_buf *out);

#endif
