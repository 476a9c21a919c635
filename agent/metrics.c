/* metrics.c - what a running agent tells Prometheus (text format 0.0.4, see daemon.h). What each
 * means is in docs/operations.md, not in every gateway. Labels are words of ours; nothing of a
 * bundle or a cluster becomes one, so that the number of series is fixed. */
#include "agent/daemon_inner.h"

#include <stdio.h>
#include <string.h>

struct putter {
    struct fed_buf *out;
    const char *family; /* of the last series */
};

/* label NULL for none. */
static void put(
    struct putter *p, const char *name, const char *label, const char *word, uint64_t value)
{
    size_t len = strlen(name);
    bool counter = len > 6 && strcmp(name + len - 6, "_total") == 0;

    if (p->family != name)
        fed_buf_printf(p->out, "# TYPE fedlet_%s %s\n", name, counter ? "counter" : "gauge");
    p->family = name;
    fed_buf_printf(p->out, "fedlet_%s", name);
    if (label)
        fed_buf_printf(p->out, "{%s=\"%s\"}", label, word);
    fed_buf_printf(p->out, " %llu\n", (unsigned long long)value);
}

static void put_link(struct agent_daemon *d, struct putter *p)
{
    static const char handshakes[] = "handshakes_total";
    static const char bytes[] = "wire_bytes_total";
    struct agent_sync_status link;
    struct fed_link *links[] = {d->ports.coap, d->ports.https};
    const char *const words[] = {"coap\",direction=\"sent", "coap\",direction=\"received",
        "https\",direction=\"sent", "https\",direction=\"received"};

    agent_sync_status(d->sync, &link);
    put(p, "hub_connected", NULL, NULL, link.connected);
    fed_buf_printf(p->out,
        "# TYPE fedlet_hub_rtt_seconds gauge\nfedlet_hub_rtt_seconds %lu.%03lu\n",
        (unsigned long)link.rtt_ms / 1000, (unsigned long)link.rtt_ms % 1000);
    put(p, "sync_last_success_timestamp_seconds", NULL, NULL, (uint64_t)link.told_unix_s);
    put(p, handshakes, "kind", "full", link.dial.counts.full);
    put(p, handshakes, "kind", "resumed", link.dial.counts.resumed);
    put(p, handshakes, "kind", "failed", link.dial.counts.failed);
    for (size_t i = 0; i < 2; i++) {
        struct fed_link_stats stats = {0};

        if (links[i])
            links[i]->stats(links[i]->ctx, &stats);
        put(p, bytes, "transport", words[2 * i], stats.sent_bytes);
        put(p, bytes, "transport", words[2 * i + 1], stats.received_bytes);
    }
}

static void put_works(const struct agent_daemon *d, struct putter *p)
{
    static const char *const states[FED_WORK_STATES] = {[FED_WORK_PENDING] = "pending",
        [FED_WORK_APPLIED] = "applied",
        [FED_WORK_FAILED] = "failed",
        [FED_WORK_WAITING] = "waiting",
        [FED_WORK_REMOVING] = "removing"};
    static const char objects[] = "objects";
    static const char applies[] = "apply_total";
    static const char drift[] = "drift_corrections_total";
    const struct agent_apply_counts *c = agent_apply_counts(d->apply);
    uint64_t n[FED_WORK_STATES] = {0};

    for (size_t i = 0; i < d->table.n; i++)
        n[d->table.at[i]->state]++;
    for (size_t i = 0; i < FED_WORK_STATES; i++)
        put(p, objects, "state", states[i], n[i]);
    put(p, applies, "result", "applied", c->applied);
    put(p, applies, "result", "failed", c->failed);
    put(p, drift, "outcome", "restored", c->restored);
    put(p, drift, "outcome", "contested", c->contested);
}

/* 2: the hub told the time; 1: this machine's clock is within the certificate's life; 0: it is not.
 */
static uint64_t clock_trust(const struct agent_daemon *d, const struct agent_renew_status *renew)
{
    int64_t now_s = fed_loop_unix_s(d->ports.loop);

    if (renew->hub_known)
        return 2;
    return now_s >= renew->not_before_unix_s && now_s < renew->not_after_unix_s;
}

enum fed_err agent_daemon_metrics(struct agent_daemon *d, uint64_t state_bytes, struct fed_buf *out)
{
    struct putter p = {.out = out};
    struct agent_renew_status renew;

    agent_renew_status(d->renew, &renew);
    put(&p, "build_info", "version", FEDLET_VERSION, 1);
    put_link(d, &p);
    put(&p, "generation", NULL, NULL, d->table.revision);
    put_works(d, &p);
    put(&p, "api_server_reachable", NULL, NULL, agent_probe_is_reachable(d->probe));
    put(&p, "state_bytes", NULL, NULL, state_bytes);
    put(&p, "fsync_total", NULL, NULL, d->state.commits);
    put(&p, "clock_trust", NULL, NULL, clock_trust(d, &renew));
    put(&p, "certificate_expiry_timestamp_seconds", NULL, NULL, (uint64_t)renew.not_after_unix_s);
    return fed_buf_err(out);
}
