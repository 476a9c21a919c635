/* metrics.c - what a running agent tells Prometheus (text format 0.0.4, see daemon.h). Labels are
 * words of ours; nothing of a bundle or a cluster becomes one, so that the number of series is
 * fixed. */
#include "agent/daemon_inner.h"

#include <string.h>

static void head(struct fed_buf *out, const char *name, const char *type, const char *help)
{
    fed_buf_printf(out, "# HELP fedlet_%s %s\n# TYPE fedlet_%s %s\n", name, help, name, type);
}

static void one(
    struct fed_buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    head(out, name, type, help);
    fed_buf_printf(out, "fedlet_%s %lld\n", name, (long long)value);
}

static void labelled(struct fed_buf *out, const char *name, const char *labels, uint64_t value)
{
    fed_buf_printf(out, "fedlet_%s{%s} %llu\n", name, labels, (unsigned long long)value);
}

static void put_link(struct agent_daemon *d, struct fed_buf *out)
{
    struct agent_sync_status link;

    agent_sync_status(d->sync, &link);
    one(out, "hub_connected", "gauge", "Whether there is a session with the hub.", link.connected);
    head(out, "hub_rtt_seconds", "gauge", "Of the last heartbeat.");
    fed_buf_printf(out, "fedlet_hub_rtt_seconds %lu.%03lu\n", (unsigned long)link.rtt_ms / 1000,
        (unsigned long)link.rtt_ms % 1000);
    one(out, "sync_last_success_timestamp_seconds", "gauge",
        "When the hub last spoke of the bundle; 0 for not yet.", link.told_unix_s);
    head(out, "handshakes_total", "counter", "Sessions with the hub that came up, and tries.");
    labelled(out, "handshakes_total", "kind=\"full\"", link.dial.counts.full);
    labelled(out, "handshakes_total", "kind=\"resumed\"", link.dial.counts.resumed);
    labelled(out, "handshakes_total", "kind=\"failed\"", link.dial.counts.failed);
}

static void put_bytes(struct agent_daemon *d, struct fed_buf *out)
{
    static const struct {
        const char *sent;
        const char *received;
    } labels[] = {
        {"direction=\"sent\",transport=\"coap\"", "direction=\"received\",transport=\"coap\""},
        {"direction=\"sent\",transport=\"https\"", "direction=\"received\",transport=\"https\""}};
    struct fed_link *links[] = {d->ports.coap, d->ports.https};

    head(out, "wire_bytes_total", "counter",
        "Payload of datagrams and of TCP to and from the hub, since the start.");
    for (size_t i = 0; i < 2; i++) {
        struct fed_link_stats stats = {0};

        if (links[i])
            links[i]->stats(links[i]->ctx, &stats);
        labelled(out, "wire_bytes_total", labels[i].sent, stats.sent_bytes);
        labelled(out, "wire_bytes_total", labels[i].received, stats.received_bytes);
    }
}

static void put_objects(const struct agent_daemon *d, struct fed_buf *out)
{
    static const char *const states[FED_WORK_STATES] = {[FED_WORK_PENDING] = "state=\"pending\"",
        [FED_WORK_APPLIED] = "state=\"applied\"",
        [FED_WORK_FAILED] = "state=\"failed\"",
        [FED_WORK_WAITING] = "state=\"waiting\"",
        [FED_WORK_REMOVING] = "state=\"removing\""};
    uint64_t n[FED_WORK_STATES] = {0};

    for (size_t i = 0; i < d->table.n; i++)
        n[d->table.at[i]->state]++;
    head(out, "objects", "gauge", "Objects of the bundle and removals under way.");
    for (size_t i = 0; i < FED_WORK_STATES; i++)
        labelled(out, "objects", states[i], n[i]);
}

static void put_apply(const struct agent_daemon *d, struct fed_buf *out)
{
    const struct agent_apply_counts *c = agent_apply_counts(d->apply);

    head(out, "apply_total", "counter", "Requests that were to bring an object to what is wanted.");
    labelled(out, "apply_total", "result=\"applied\"", c->applied);
    labelled(out, "apply_total", "result=\"failed\"", c->failed);
    head(out, "drift_corrections_total", "counter", "Foreign changes of our fields.");
    labelled(out, "drift_corrections_total", "outcome=\"restored\"", c->restored);
    labelled(out, "drift_corrections_total", "outcome=\"contested\"", c->contested);
}

/* 2: the hub told the time; 1: this machine's clock is within the certificate's life; 0: it is not.
 */
static int clock_trust(const struct agent_daemon *d, const struct agent_renew_status *renew)
{
    int64_t now_s = fed_loop_unix_s(d->ports.loop);

    if (renew->hub_known)
        return 2;
    return now_s >= renew->not_before_unix_s && now_s < renew->not_after_unix_s;
}

enum fed_err agent_daemon_metrics(struct agent_daemon *d, uint64_t state_bytes, struct fed_buf *out)
{
    struct agent_renew_status renew;

    agent_renew_status(d->renew, &renew);
    head(out, "build_info", "gauge", "Always 1; its label is the version.");
    labelled(out, "build_info", "version=\"" FEDLET_VERSION "\"", 1);
    put_link(d, out);
    one(out, "generation", "gauge", "Revision of the bundle that is enforced.",
        (int64_t)d->table.revision);
    put_objects(d, out);
    put_apply(d, out);
    put_bytes(d, out);
    one(out, "api_server_reachable", "gauge", "Whether the member's API server answers.",
        agent_probe_is_reachable(d->probe));
    one(out, "state_bytes", "gauge", "Size of the state file.", (int64_t)state_bytes);
    one(out, "fsync_total", "counter", "Commits of the state file, each of which is synced.",
        (int64_t)d->state.commits);
    one(out, "clock_trust", "gauge", "2: the hub's time, 1: this machine's, 0: neither.",
        clock_trust(d, &renew));
    one(out, "certificate_expiry_timestamp_seconds", "gauge", "When the agent's certificate ends.",
        renew.not_after_unix_s);
    return fed_buf_err(out);
}
