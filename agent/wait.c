/* wait.c - see wait.h. */
#include "agent/wait.h"

#include "agent/daemon_inner.h"
#include "agent/trouble.h"

#include <stdio.h>

/* A request has 30 s, a pass over all addresses of the hub some minutes. */
#define STUCK_MS 1800000u
#define PROBE_STUCK_MS 600000u

struct lister {
    struct agent_daemon *d;
    agent_wait_each *each;
    void *ctx;
    uint64_t now_ms;
    int64_t unix_s;
};

/* A monotonic time as a wall clock has it now. */
static int64_t unix_of(const struct lister *l, uint64_t at_ms)
{
    return l->unix_s + ((int64_t)at_ms - (int64_t)l->now_ms) / 1000;
}

static void give(const struct lister *l, const struct agent_wait *wait)
{
    l->each(l->ctx, wait);
}

static void hub_waits(const struct lister *l)
{
    struct agent_sync_status link;

    if (!l->d->sync)
        return;
    agent_sync_status(l->d->sync, &link);
    if (!link.connected)
        give(l, &(struct agent_wait){.what = "hub",
                    .object = link.dial.hub,
                    .message = link.dial.why[0] ? link.dial.why : "being dialled",
                    .since_unix_s = link.since_unix_s,
                    .next_try_unix_s =
                        link.dial.next_try_unix_s ? link.dial.next_try_unix_s : l->unix_s,
                    .limit_s = AGENT_DIAL_AWAY_S});
    else if (link.dial.coap_try_unix_s)
        give(l, &(struct agent_wait){.what = "coap",
                    .message = "UDP does not get through, HTTPS is in use",
                    .next_try_unix_s = link.dial.coap_try_unix_s,
                    .limit_s = AGENT_DIAL_PROBE_CEILING_MS / 1000});
    if (link.connected && link.pull_ms > 0)
        give(l, &(struct agent_wait){.what = "bundle",
                    .message = link.pull_why,
                    .next_try_unix_s = unix_of(l, link.pull_ms),
                    .limit_s = AGENT_WAIT_MAX_S});
}

static void member_waits(const struct lister *l)
{
    struct agent_probe_status probe;

    agent_probe_status(l->d->probe, &probe);
    if (!probe.reachable)
        give(l, &(struct agent_wait){.what = "api-server",
                    .message = probe.why[0] ? probe.why : "being asked",
                    .since_unix_s = unix_of(l, probe.since_ms),
                    .next_try_unix_s = unix_of(l, probe.next_ms),
                    .limit_s = AGENT_PROBE_CEILING_S});
}

static void disk_waits(const struct lister *l)
{
    const struct agent_daemon *d = l->d;

    if (d->persist_retry.attempts > 0)
        give(l, &(struct agent_wait){.what = "disk",
                    .object = AGENT_STATE_FILE,
                    .message = d->persist_why,
                    .since_unix_s = unix_of(l, d->persist_since_ms),
                    .next_try_unix_s = unix_of(l, d->persist_next_ms),
                    .limit_s = AGENT_PERSIST_CEILING_MS / 1000});
}

static void on_kind(
    void *ctx, struct fed_span plural, unsigned attempts, uint64_t next_ms, uint32_t limit_s)
{
    const struct lister *l = ctx;
    char name[128];
    char message[80];

    snprintf(name, sizeof name, FED_SPAN_FMT, FED_SPAN_ARG(plural));
    snprintf(message, sizeof message, "cannot be listed or watched, %u tries", attempts);
    give(l, &(struct agent_wait){.what = "kind",
                .object = name,
                .message = message,
                .next_try_unix_s = unix_of(l, next_ms),
                .limit_s = limit_s});
}

static void work_waits(const struct lister *l, const struct agent_entry *entry)
{
    bool removing = entry->removing && !entry->dropped;
    bool planned = entry->step != AGENT_STEP_NONE && !entry->busy &&
                   entry->due_ms != AGENT_DUE_NEVER; /* that waits for another one */
    bool rare = agent_trouble_rule((enum agent_trouble)entry->trouble)->content;
    char name[AGENT_ENTRY_NAME_SIZE];

    if (!removing && (!agent_entry_is_held_to(entry) || entry->state == FED_WORK_APPLIED))
        return;
    give(l, &(struct agent_wait){.what = "work",
                .object = agent_entry_name(entry, name),
                .reason = entry->reason,
                .message = entry->message ? entry->message
                           : entry->busy  ? "a request is under way"
                                          : fed_work_state_name((enum fed_work_state)entry->state),
                .since_unix_s = entry->since_s ? unix_of(l, (uint64_t)entry->since_s * 1000) : 0,
                .next_try_unix_s =
                    planned ? unix_of(l, entry->due_ms > l->now_ms ? entry->due_ms : l->now_ms) : 0,
                .limit_s = !planned ? 0
                           : rare   ? AGENT_TROUBLE_RARE_S
                                    : AGENT_WAIT_MAX_S});
}

void agent_daemon_waits(struct agent_daemon *d, agent_wait_each *each, void *ctx)
{
    struct lister l = {.d = d,
        .each = each,
        .ctx = ctx,
        .now_ms = fed_loop_now_ms(d->ports.loop),
        .unix_s = fed_loop_unix_s(d->ports.loop)};

    hub_waits(&l);
    member_waits(&l);
    disk_waits(&l);
    agent_observe_each_waiting(d->observe, on_kind, &l);
    for (size_t i = 0; i < d->table.n; i++)
        work_waits(&l, d->table.at[i]);
}

void agent_wait_note(const struct agent_ports *ports, struct agent_entry *entry)
{
    uint32_t now_s = (uint32_t)(fed_loop_now_ms(ports->loop) / 1000);
    bool waits =
        entry->removing || (agent_entry_is_held_to(entry) && entry->state != FED_WORK_APPLIED);

    if (!waits)
        entry->since_s = 0;
    else if (entry->since_s == 0)
        entry->since_s = now_s ? now_s : 1;
}

/* Begun, and never answered, or due and not begun. That which is due may be left alone for an hour
 * when the API server asks for it. */
static bool is_work_stuck(const struct agent_daemon *d, uint64_t now_ms)
{
    for (size_t i = 0; i < d->table.n; i++) {
        const struct agent_entry *entry = d->table.at[i];
        uint64_t limit_ms = entry->busy ? STUCK_MS : 2 * 3600000u + STUCK_MS;

        if (entry->step != AGENT_STEP_NONE && !entry->dropped && entry->due_ms > 0 &&
            now_ms > limit_ms && entry->due_ms < now_ms - limit_ms)
            return true;
    }
    return false;
}

const char *agent_daemon_stuck(struct agent_daemon *d)
{
    uint64_t now_ms = fed_loop_now_ms(d->ports.loop);
    struct agent_probe_status probe;

    agent_probe_status(d->probe, &probe);
    if (probe.next_ms > 0 && probe.next_ms + PROBE_STUCK_MS < now_ms)
        return "the member's API server is not asked any more";
    if (d->sync && agent_dial_is_stuck(agent_sync_dial(d->sync), STUCK_MS))
        return "the hub is not dialled any more";
    /* With the API server away nothing is begun, whatever is due. */
    if (probe.reachable && now_ms - probe.since_ms > 3 * 3600000u && is_work_stuck(d, now_ms))
        return "works that are due are not begun";
    return NULL;
}
