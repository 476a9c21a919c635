/* events.c - what people are told of rollouts, as Events of the Rollout: queued where something is
 * decided, recorded when nothing is in the middle of a write. */
#include "hub/rollout/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 256u
#define COMPONENT "rollout-controller"

static struct rollout_event *event_new(
    struct hub_rollouts *r, const struct rollout_subject *s, const struct rollout_paper *paper)
{
    struct rollout_event *event =
        r->n_events < QUEUE_MAX ? fed_alloc_zero(r->mem, sizeof *event) : NULL;

    if (!event)
        return NULL;
    if (fed_span_to_cstr(s->ref.ns, event->ns, sizeof event->ns)) {
        fed_alloc_free(r->mem, event, sizeof *event);
        return NULL;
    }
    snprintf(event->rollout, sizeof event->rollout, "%s", paper->name);
    snprintf(event->uid, sizeof event->uid, "%s", paper->uid);
    return event;
}

void rollout_tell(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, bool warning, const char *reason, const char *format, ...)
{
    struct rollout_event *event = r->events ? event_new(r, s, paper) : NULL;
    va_list args;

    if (!event)
        return;
    event->warning = warning;
    snprintf(event->reason, sizeof event->reason, "%s", reason);
    va_start(args, format);
    vsnprintf(event->message, sizeof event->message, format, args);
    va_end(args);
    *r->events_end = event;
    r->events_end = &event->next;
    r->n_events++;
    rollout_wake(r, fed_loop_now_ms(r->o.loop));
}

void rollout_events_record(struct hub_rollouts *r)
{
    while (r->events_first) {
        struct rollout_event *event = r->events_first;

        r->events_first = event->next;
        if (!event->next)
            r->events_end = &r->events_first;
        r->n_events--;
        if (r->events)
            hub_events_record(r->events, &(struct hub_event){.api_version = ROLLOUT_API_VERSION,
                                             .kind = ROLLOUT_KIND,
                                             .ns = fed_span_text(event->ns),
                                             .name = fed_span_text(event->rollout),
                                             .uid = fed_span_text(event->uid),
                                             .warning = event->warning,
                                             .reason = event->reason,
                                             .message = event->message,
                                             .component = COMPONENT});
        fed_alloc_free(r->mem, event, sizeof *event);
    }
}

void rollout_events_fini(struct hub_rollouts *r)
{
    r->events = NULL;
    rollout_events_record(r);
}
