/* observe.h - one watch per kind in use, limited by label to what is managed.
 *
 * waiting -> listing (pages) -> watching -> (ended, or silent for AGENT_WATCH_SILENT_MS) ->
 * watching from the last resourceVersion or bookmark on, or listing again after 410; any failure ->
 * waiting, with back-off, and within what the API server may be asked while it fails (budget.h)
 *
 * A kind is observed from its first object in the member on; one that is federated and of which
 * there is no work from the first bundle on, because of strays (stray.h). Kinds without a health
 * rule are read as metadata only. A work that a complete list did not contain is looked at by
 * itself before anything follows from it; a list that failed or broke off says nothing. Versions
 * that went back (an etcd restored from a backup) are noticed by the next list or bookmark; one
 * kind is listed for all after the API server was away, as a watch may stay silent then.
 * (Kubernetes API concepts, "Efficient detection of changes".) */
#ifndef FEDLET_AGENT_OBSERVE_H
#define FEDLET_AGENT_OBSERVE_H

#include "agent/apply.h"

struct agent_observe;

struct agent_observe_events {
    void *ctx;
    /* A request or watch failed in transport: look whether the API server is well. */
    void (*trouble)(void *ctx);
    /* Whether the bundle in place is the hub's newest, as far as a session that is up knows: only
     * then an object of no work is a stray. */
    bool (*current)(void *ctx);
};

FED_MUST_USE enum fed_err agent_observe_new(const struct agent_ports *ports,
    struct agent_table *table, struct agent_apply *apply, const struct agent_observe_events *events,
    struct agent_observe **out);
void agent_observe_free(struct agent_observe *observe);

/* Takes up the kinds of all entries whose object is known, and drops kinds that nothing uses any
 * more. */
void agent_observe_sync(struct agent_observe *observe);
/* Which kinds are federated (proto/link/link.h): those without works are watched for strays, too,
 * as metadata only; up to AGENT_STRAY_KINDS_MAX. Takes a copy. FED_ERR_NOMEM, and what
 * fed_link_kinds_take says; then nothing has changed. */
FED_MUST_USE enum fed_err agent_observe_federated(
    struct agent_observe *observe, struct fed_span kinds);
/* The same for one entry; cheap when its kind is observed already. */
void agent_observe_want(struct agent_observe *observe, const struct agent_entry *entry);
/* Lists every kind again that has works whose status is reported. */
void agent_observe_refresh_status(struct agent_observe *observe);
/* The bundle became the newest: strays that were passed over are looked for once more. */
void agent_observe_current(struct agent_observe *observe);
/* Each kind of works whose last list or watch failed, while it waits for the next try. */
void agent_observe_each_waiting(const struct agent_observe *observe,
    void (*each)(
        void *ctx, struct fed_span plural, unsigned attempts, uint64_t next_ms, uint32_t limit_s),
    void *ctx);
void agent_observe_pause(struct agent_observe *observe);
void agent_observe_resume(struct agent_observe *observe);

#endif
