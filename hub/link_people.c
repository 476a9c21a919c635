/* link_people.c - see link_people.h. */
#include "hub/link_people.h"

#include <stdio.h>

/* ---- events ---- */

void hub_link_people_tell(
    void *ctx, struct fed_span cluster, bool warning, const char *reason, const char *message)
{
    struct hub_link_people *people = ctx;
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(HUB_CLUSTERS),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = cluster};
    struct hub_event event = {.api_version = "core.kubefed.io/v1beta1",
        .kind = "KubeFedCluster",
        .ns = ref.ns,
        .name = cluster,
        .warning = warning,
        .reason = reason,
        .message = message,
        .component = "kubefedcluster-controller"};
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf bytes;

    if (!people->events || fed_json_doc_new(people->mem, &doc))
        return;
    fed_buf_init(&bytes, people->mem, HUB_OBJECT_BYTES_MAX);
    if (!hub_objects_get(people->objects, &ref, &bytes, NULL) &&
        !fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL)) {
        event.uid = fed_json_string(fed_json_find(object, "metadata.uid"));
        hub_events_record(people->events, &event);
    }
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
}

/* ---- metrics ---- */

static void put_one(
    struct fed_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    hub_metrics_put_head(out, name, type, help);
    fed_buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void put_bytes(struct fed_buf *out, struct hub_traffic *traffic)
{
    static const char bytes[] = "fedhub_link_bytes_total";
    static const char datagrams[] = "fedhub_link_datagrams_total";
    struct hub_traffic_counts counts;
    const char *binding;

    hub_metrics_put_head(out, bytes, "counter",
        "Payload of datagrams, or of TCP, of clusters' sessions, without headers of IP, UDP, TCP.");
    for (size_t i = 0; hub_traffic_total(traffic, i, &binding, &counts); i++)
        fed_buf_printf(out,
            "%s{binding=\"%s\",direction=\"from_cluster\"} %llu\n"
            "%s{binding=\"%s\",direction=\"to_cluster\"} %llu\n",
            bytes, binding, (unsigned long long)counts.from_bytes, bytes, binding,
            (unsigned long long)counts.to_bytes);
    hub_metrics_put_head(out, datagrams, "counter", "Datagrams of clusters' sessions.");
    for (size_t i = 0; hub_traffic_total(traffic, i, &binding, &counts); i++)
        fed_buf_printf(out,
            "%s{binding=\"%s\",direction=\"from_cluster\"} %llu\n"
            "%s{binding=\"%s\",direction=\"to_cluster\"} %llu\n",
            datagrams, binding, (unsigned long long)counts.from_datagrams, datagrams, binding,
            (unsigned long long)counts.to_datagrams);
}

static void put_requests(struct fed_buf *out, const struct hub_gateway_stats *stats)
{
    static const char name[] = "fedhub_link_requests_total";

    hub_metrics_put_head(out, name, "counter",
        "Answers to agents by resource and code; resource is empty for paths that are none.");
    for (size_t i = 0; i < stats->n_requests; i++)
        fed_buf_printf(out, "%s{code=\"%u.%02u\",resource=\"%s\"} %llu\n", name,
            stats->requests[i].code / 100, stats->requests[i].code % 100,
            stats->requests[i].resource, (unsigned long long)stats->requests[i].n);
}

static void put_sessions(struct fed_buf *out, const struct hub_gateway_stats *stats)
{
    static const char name[] = "fedhub_link_sessions_opened_total";
    static const char *const roles[] = {"nobody", "token", "refused", "ended", "agent"};
    _Static_assert(sizeof roles / sizeof *roles == HUB_GATEWAY_PEERS, "each has a name");

    put_one(out, "fedhub_link_sessions", "gauge", "Sessions of agents.", stats->sessions);
    hub_metrics_put_head(out, name, "counter",
        "Handshakes that were finished, by what the peer is: an agent, a token that may join, "
        "refused.");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        fed_buf_printf(
            out, "%s{peer=\"%s\"} %llu\n", name, roles[i], (unsigned long long)stats->opened[i]);
}

static void put_handshakes(struct fed_buf *out, const struct hub_agents *agents)
{
    static const char name[] = "fedhub_link_handshakes_total";
    struct fed_link_server_stats stats;

    if (!agents)
        return;
    hub_agents_stats(agents, &stats);
    hub_metrics_put_head(out, name, "counter",
        "Handshakes of DTLS: abbreviated ones, of agents that were known again, are completed, "
        "too; "
        "restored are sessions that went on without one.");
    fed_buf_printf(out,
        "%s{result=\"completed\"} %llu\n%s{result=\"abbreviated\"} %llu\n%s{result=\"failed\"} "
        "%llu\n"
        "%s{result=\"turned_away\"} %llu\n%s{result=\"restored\"} %llu\n",
        name, (unsigned long long)stats.handshakes, name, (unsigned long long)stats.recalled, name,
        (unsigned long long)stats.failed, name, (unsigned long long)stats.turned_away, name,
        (unsigned long long)stats.restored);
}

static void put_tls_handshakes(struct fed_buf *out, const struct hub_agents *agents)
{
    static const char name[] = "fedhub_link_tls_handshakes_total";
    struct fed_link_server_stats stats;

    if (!agents)
        return;
    hub_agents_https_stats(agents, &stats);
    hub_metrics_put_head(out, name, "counter",
        "Handshakes of TLS with agents: turned away are connections without room for theirs, or "
        "closed for others.");
    fed_buf_printf(out,
        "%s{result=\"completed\"} %llu\n%s{result=\"failed\"} %llu\n"
        "%s{result=\"turned_away\"} %llu\n",
        name, (unsigned long long)stats.handshakes, name, (unsigned long long)stats.failed, name,
        (unsigned long long)stats.turned_away);
}

static void put_clusters(struct fed_buf *out, const struct hub_link_people *people)
{
    struct hub_plan_counts counts;
    struct hub_traffic_state state;
    size_t ready = 0;

    hub_plan_counts(people->plan, &counts);
    hub_traffic_state(people->traffic, &state);
    for (size_t i = 0; i < counts.clusters; i++)
        ready += hub_status_is_ready(people->status, hub_plan_cluster_at(people->plan, i), NULL);
    hub_metrics_put_head(out, "fedhub_clusters", "gauge", "Registered clusters.");
    fed_buf_printf(out,
        "fedhub_clusters{ready=\"true\"} %zu\nfedhub_clusters{ready=\"false\"} %zu\n", ready,
        counts.clusters - ready);
    put_one(out, "fedhub_clusters_held", "gauge",
        "Clusters whose changes wait, for a quiet window or the next month.", state.held);
    put_one(out, "fedhub_clusters_budget_spent", "gauge",
        "Clusters whose bytes of the month are spent.", state.spent);
    put_one(out, "fedhub_federated_objects", "gauge", "Objects that are planned.", counts.objects);
    put_one(out, "fedhub_works_computed_total", "counter",
        "Pairs of object and cluster that were computed.", counts.computed);
}

void hub_link_people_metrics(struct hub_link_people *people, struct fed_buf *out)
{
    struct hub_gateway_stats stats;

    hub_gateway_stats(people->gateway, &stats);
    put_sessions(out, &stats);
    put_handshakes(out, *people->agents);
    put_tls_handshakes(out, *people->agents);
    put_requests(out, &stats);
    put_one(out, "fedhub_link_notifications_total", "counter", "Notifications sent to agents.",
        stats.notified);
    put_one(out, "fedhub_link_refused_total", "counter",
        "Requests that the session had no right to.", stats.refused);
    put_one(out, "fedhub_link_reports_total", "counter", "Reports that were taken.", stats.reports);
    put_one(out, "fedhub_link_cache_bytes", "gauge",
        "Compressed changes that are kept for the next cluster.", stats.cache_bytes);
    put_bytes(out, people->traffic);
    put_clusters(out, people);
}
