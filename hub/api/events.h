/* events.h - core/v1 Events that the hub's own components record about objects.
 *
 * The same event again (object, type, reason, message, component) raises count and lastTimestamp of
 * the first. Events go an hour after they were last seen, as with kube-apiserver. Never in the way:
 * what cannot be recorded is logged. */
#ifndef FEDLET_HUB_API_EVENTS_H
#define FEDLET_HUB_API_EVENTS_H

#include "hub/api/api.h"

struct hub_events;

struct hub_event {
    const char *api_version; /* of the object */
    const char *kind;
    struct fed_span ns; /* empty: the event is kept in namespace default */
    struct fed_span name;
    struct fed_span uid; /* may be empty */
    bool warning;        /* type Warning, else Normal */
    const char *reason;  /* CreateInClusterFailed */
    const char *message;
    const char *component; /* federateddeployment-controller */
};

/* objects, loop and log (may be NULL) outlive it. */
FED_MUST_USE enum fed_err hub_events_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, struct hub_events **out);
void hub_events_close(struct hub_events *events);
void hub_events_record(struct hub_events *events, const struct hub_event *event);

#endif
