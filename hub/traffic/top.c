/* top.c - whose bytes they are. */
#include "hub/traffic/internal.h"

#include <string.h>

void hub_traffic_of(
    struct hub_traffic *traffic, struct fed_span name, bool before, struct hub_traffic_counts *out)
{
    struct traffic_cluster *cluster;

    *out = (struct hub_traffic_counts){0};
    if (traffic->collect)
        traffic->collect(traffic->collect_ctx, name);
    cluster = traffic_find(traffic, name);
    if (!cluster)
        return;
    traffic_turn(traffic, cluster);
    *out = traffic_sum(cluster, before);
}

void hub_traffic_step(struct hub_traffic *traffic)
{
    if (traffic->collect)
        traffic->collect(traffic->collect_ctx, fed_span_text(""));
    traffic->step++;
}

void hub_traffic_steps(
    struct hub_traffic *traffic, struct fed_span name, struct hub_traffic_steps *out)
{
    struct traffic_cluster *cluster;

    _Static_assert(HUB_TRAFFIC_STEPS == TRAFFIC_STEPS, "as series.h has them");
    *out = (struct hub_traffic_steps){
        .n = traffic->step < TRAFFIC_STEPS ? (size_t)traffic->step + 1 : TRAFFIC_STEPS};
    if (traffic->collect)
        traffic->collect(traffic->collect_ctx, name);
    cluster = traffic_find(traffic, name);
    if (cluster && cluster->series)
        traffic_series_read(cluster->series, traffic->step, out->n, out->from, out->to);
}

static uint64_t bytes_of(const struct hub_traffic_counts *counts)
{
    return counts->from_bytes + counts->to_bytes;
}

/* More bytes first; names decide between equals, so that the order stays. */
static bool comes_before(const struct hub_traffic_talker *a, const struct hub_traffic_talker *b)
{
    uint64_t left = bytes_of(&a->counts);
    uint64_t right = bytes_of(&b->counts);

    return left != right ? left > right : fed_span_cmp(a->cluster, b->cluster) < 0;
}

size_t hub_traffic_top(struct hub_traffic *traffic, struct hub_traffic_talker *out, size_t max)
{
    struct fed_map_iter it;
    size_t n = 0;

    fed_map_iter_init(&it, &traffic->clusters);
    while (max > 0 && fed_map_iter_next(&it)) {
        struct hub_traffic_talker one = {.cluster = it.key};
        size_t at;

        traffic_turn(traffic, it.value);
        one.counts = traffic_sum(it.value, false);
        if (bytes_of(&one.counts) == 0 || (n == max && !comes_before(&one, &out[n - 1])))
            continue;
        at = n < max ? n++ : n - 1;
        for (; at > 0 && comes_before(&one, &out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = one;
    }
    return n;
}
