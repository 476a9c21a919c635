/* metrics.c - GET /metrics: what has been asked of the API, in Prometheus' text form, under
 * kube-apiserver's names where it has the same.
 *
 * Names in labels come from the kinds, never from a client; what is of no kind has none. */
#include "hub/api/guest.h"

#include "proto/base/map.h"

#include <stdio.h>
#include <string.h>

#define SERIES_MAX 4096u  /* of requests; those of further kinds are counted without their names */
#define NAMELESS_MAX 512u /* verbs times codes */
#define LABELS_MAX 512u
#define METRICS_BYTES_MAX (4u << 20)

static const struct verb {
    const char *name;  /* of authorization */
    const char *shown; /* of kube-apiserver's metrics */
} verbs[] = {{"get", "GET"}, {"list", "LIST"}, {"create", "POST"}, {"update", "PUT"},
    {"patch", "PATCH"}, {"delete", "DELETE"}, {"deletecollection", "DELETECOLLECTION"},
    {"watch", "WATCH"}};
#define N_VERBS (sizeof verbs / sizeof *verbs)

static const uint64_t bounds_ms[] = {5, 25, 50, 100, 200, 400, 600, 800, 1000, 2000, 5000, 10000};
#define N_BOUNDS (sizeof bounds_ms / sizeof *bounds_ms)

struct histogram {
    uint64_t upto[N_BOUNDS]; /* each also those of the ones before */
    uint64_t n;
    uint64_t sum_us;
};

struct hub_metrics {
    struct hub_api *api;
    struct fed_map requests; /* labels to uint64_t */
    struct histogram durations[N_VERBS];
};

enum fed_err hub_metrics_open(struct hub_api *api, struct hub_metrics **out)
{
    struct hub_metrics *metrics = fed_alloc_zero(api->mem, sizeof *metrics);

    if (!metrics)
        return FED_ERR_NOMEM;
    metrics->api = api;
    fed_map_init(&metrics->requests, api->mem);
    *out = metrics;
    return FED_OK;
}

void hub_metrics_close(struct hub_metrics *metrics)
{
    struct fed_map_iter it;

    if (!metrics)
        return;
    fed_map_iter_init(&it, &metrics->requests);
    while (fed_map_iter_next(&it))
        fed_alloc_free(metrics->api->mem, it.value, sizeof(uint64_t));
    fed_map_fini(&metrics->requests);
    fed_alloc_free(metrics->api->mem, metrics, sizeof *metrics);
}

/* ---- counting ---- */
static size_t verb_of(const struct hub_request *r)
{
    size_t i = 0;

    while (i < N_VERBS && !fed_span_is(r->access.verb, verbs[i].name))
        i++;
    return i;
}

static const char *subresource_of(const struct hub_request *r)
{
    static const char *const known[] = {"status", "scale", "finalize", "token"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (fed_span_is(r->path.subresource, known[i]))
            return known[i];
    return "";
}

static void put_labels(
    const struct hub_request *r, size_t verb, unsigned code, bool named, char out[LABELS_MAX])
{
    const struct hub_kind *kind = named ? r->kind : NULL;

    snprintf(out, LABELS_MAX,
        "code=\"%u\",group=\"%s\",resource=\"%s\",subresource=\"%s\",verb=\"%s\",version=\"%s\"",
        code, kind ? kind->group : "", kind ? kind->plural : "", kind ? subresource_of(r) : "",
        verb < N_VERBS ? verbs[verb].shown : "other", kind && r->version ? r->version->name : "");
}

/* NULL when there is no room. */
static uint64_t *counter(struct hub_metrics *metrics, const char *labels, size_t max)
{
    struct fed_span key = fed_span_text(labels);
    uint64_t *count = fed_map_get(&metrics->requests, key);

    if (count || metrics->requests.count >= max)
        return count;
    count = fed_alloc_zero(metrics->api->mem, sizeof *count);
    if (count && fed_map_put(&metrics->requests, key, count)) {
        fed_alloc_free(metrics->api->mem, count, sizeof *count);
        return NULL;
    }
    return count;
}

static void measure(struct histogram *histogram, uint64_t took_us)
{
    histogram->n++;
    histogram->sum_us += took_us;
    for (size_t i = 0; i < N_BOUNDS; i++)
        histogram->upto[i] += took_us <= bounds_ms[i] * 1000;
}

void hub_metrics_count(struct hub_request *r, unsigned code)
{
    struct hub_metrics *metrics = r->api->metrics;
    size_t verb = verb_of(r);
    char labels[LABELS_MAX];
    uint64_t *count;

    if (hub_request_is_guests(r))
        r->api->guest->answered(r->api->guest->ctx, r, code);
    if (!metrics)
        return;
    put_labels(r, verb, code, true, labels);
    count = counter(metrics, labels, SERIES_MAX);
    if (!count) {
        put_labels(r, verb, code, false, labels);
        count = counter(metrics, labels, SERIES_MAX + NAMELESS_MAX);
    }
    if (count)
        (*count)++;
    if (verb < N_VERBS && strcmp(verbs[verb].name, "watch") != 0)
        measure(&metrics->durations[verb], fed_loop_clock_us(r->api->options.loop) - r->started_us);
}

/* ---- showing ---- */
void hub_metrics_put_head(struct fed_buf *out, const char *name, const char *type, const char *help)
{
    fed_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_durations(struct fed_buf *out, const struct hub_metrics *metrics)
{
    static const char name[] = "apiserver_request_duration_seconds";

    hub_metrics_put_head(out, name, "histogram", "Response latency by verb, watches left out.");
    for (size_t v = 0; v < N_VERBS; v++) {
        const struct histogram *h = &metrics->durations[v];

        if (h->n == 0)
            continue;
        for (size_t i = 0; i < N_BOUNDS; i++)
            fed_buf_printf(out, "%s_bucket{verb=\"%s\",le=\"%g\"} %llu\n", name, verbs[v].shown,
                (double)bounds_ms[i] / 1000, (unsigned long long)h->upto[i]);
        fed_buf_printf(out, "%s_bucket{verb=\"%s\",le=\"+Inf\"} %llu\n", name, verbs[v].shown,
            (unsigned long long)h->n);
        fed_buf_printf(out, "%s_sum{verb=\"%s\"} %.6f\n%s_count{verb=\"%s\"} %llu\n", name,
            verbs[v].shown, (double)h->sum_us / 1e6, name, verbs[v].shown,
            (unsigned long long)h->n);
    }
}

static void put_all(struct fed_buf *out, const struct hub_metrics *metrics)
{
    const struct hub_api *api = metrics->api;
    struct fed_map_iter it;
    uint64_t syncs;
    uint64_t refused;

    hub_metrics_put_head(
        out, "apiserver_request_total", "counter", "Requests by verb, resource and code.");
    fed_map_iter_init(&it, &metrics->requests);
    while (fed_map_iter_next(&it))
        fed_buf_printf(out, "apiserver_request_total{" FED_SPAN_FMT "} %llu\n",
            FED_SPAN_ARG(it.key), (unsigned long long)*(const uint64_t *)it.value);
    put_durations(out, metrics);
    hub_metrics_put_head(out, "apiserver_longrunning_requests", "gauge", "Open watches.");
    fed_buf_printf(out, "apiserver_longrunning_requests{verb=\"WATCH\"} %zu\n",
        hub_watches_count(api->watches));
    hub_metrics_put_head(
        out, "fedhub_store_revision", "gauge", "Revision of the store's last commit.");
    fed_buf_printf(out, "fedhub_store_revision %llu\n",
        (unsigned long long)hub_objects_revision(api->objects));
    hub_objects_syncs(api->objects, &syncs, &refused);
    hub_metrics_put_head(out, "fedhub_store_syncs_total", "counter",
        "Commits of the store: a turn's writes share one.");
    fed_buf_printf(out,
        "fedhub_store_syncs_total{result=\"durable\"} %llu\n"
        "fedhub_store_syncs_total{result=\"refused\"} %llu\n",
        (unsigned long long)syncs, (unsigned long long)refused);
    hub_metrics_put_head(out, "fedhub_served_kinds", "gauge", "Kinds that are served.");
    fed_buf_printf(out, "fedhub_served_kinds %zu\n", hub_kinds_count(api->kinds));
    hub_metrics_put_head(out, "fedhub_build_info", "gauge", "Always 1.");
    fed_buf_put_text(out, "fedhub_build_info{version=\"" FEDLET_VERSION "\"} 1\n");
    if (api->options.metrics)
        api->options.metrics(api->options.metrics_ctx, out);
}

enum fed_err hub_handle_metrics(struct hub_request *r)
{
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, r->mem, METRICS_BYTES_MAX);
    put_all(&out, r->api->metrics);
    err = fed_buf_err(&out);
    return err ? err
               : hub_respond(r, 200, "text/plain; version=0.0.4; charset=utf-8", fed_buf_span(&out),
                     NULL, 0);
}
