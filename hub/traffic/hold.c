/* hold.c - when changes of a cluster wait: a cordon, its quiet time, its month's bytes. */
#include "hub/traffic/internal.h"

#include "proto/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 300u

static enum traffic_level level_of(const struct traffic_cluster *cluster)
{
    uint64_t limit = cluster->rules ? cluster->rules->monthly_bytes : 0;
    uint64_t used = limit ? traffic_used(cluster) : 0;

    if (limit == 0 || used * 100 < limit * TRAFFIC_NEAR)
        return TRAFFIC_WITHIN;
    return used >= limit ? TRAFFIC_SPENT : TRAFFIC_NEAR_END;
}

const char *traffic_hold_reason(enum traffic_hold hold)
{
    static const char *const reasons[] = {
        [TRAFFIC_FREE] = "",
        [TRAFFIC_QUIET] = "QuietWindow",
        [TRAFFIC_NO_BYTES] = "MonthlyBytesSpent",
        [TRAFFIC_CORDONED] = "Cordoned",
    };

    return reasons[hold];
}

void traffic_put_why(const struct traffic_cluster *cluster, char *out, size_t size)
{
    char until[FED_TEXT_TIME_SIZE];

    fed_text_time(cluster->until_unix_s, until);
    out[0] = '\0';
    if (cluster->hold == TRAFFIC_QUIET)
        snprintf(out, size, "changes wait for the end of the quiet window at %s", until);
    else if (cluster->hold == TRAFFIC_NO_BYTES)
        snprintf(out, size, "the bytes of this month are spent; changes wait until %s", until);
    else if (cluster->hold == TRAFFIC_CORDONED)
        snprintf(out, size, "the cluster is cordoned; changes wait until it is no longer");
}

static void tell_level(struct hub_traffic *traffic, const struct traffic_cluster *cluster)
{
    char message[SENTENCE_MAX];
    uint64_t used = traffic_used(cluster);
    bool spent = cluster->level == TRAFFIC_SPENT;

    if (!traffic->tell || cluster->level == TRAFFIC_WITHIN)
        return;
    snprintf(message, sizeof message,
        "%" PRIu64 " of the %" PRIu64 " bytes of this month are used%s", used,
        cluster->rules->monthly_bytes,
        spent ? "; changes that are not urgent wait for the next month" : "");
    traffic->tell(traffic->tell_ctx, fed_span_text(cluster->name), true,
        spent ? "MonthlyBytesSpent" : "MonthlyBytesNearEnd", message);
}

/* Watchers are told with a revision of its own: the row's. */
static void touch(struct hub_traffic *traffic, struct traffic_cluster *cluster)
{
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(HUB_CLUSTERS),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(cluster->name)};
    uint64_t revision = traffic_write(traffic, cluster);

    if (revision == 0)
        return;
    cluster->told_revision = revision;
    hub_objects_touch(traffic->options.objects, &ref, revision);
}

static void set_hold(struct traffic_cluster *cluster, int64_t now_s)
{
    const struct traffic_rules *rules = cluster->rules;
    int64_t quiet_s = rules ? hub_windows_end(&rules->windows, now_s) : 0;

    cluster->until_unix_s = 0;
    cluster->hold = TRAFFIC_FREE;
    if (rules && rules->cordoned) {
        cluster->hold = TRAFFIC_CORDONED;
    } else if (rules && now_s < rules->through_unix_s) {
        return;
    } else if (cluster->level == TRAFFIC_SPENT) {
        cluster->hold = TRAFFIC_NO_BYTES;
        cluster->until_unix_s = traffic_month_begin(cluster->month + 1);
    } else if (quiet_s) {
        cluster->hold = TRAFFIC_QUIET;
        cluster->until_unix_s = quiet_s;
    }
}

void traffic_tick_in(struct hub_traffic *traffic, uint64_t ms)
{
    struct fed_loop *loop = traffic->options.loop;
    uint64_t due_ms = fed_loop_now_ms(loop) + ms;

    if (due_ms >= traffic->tick_ms)
        return;
    traffic->tick_ms = due_ms;
    loop->timer_set(loop->ctx, traffic->tick, due_ms);
}

/* A hold ends at its time, not with the tick behind it. */
static void tick_at_end(struct hub_traffic *traffic, const struct traffic_cluster *cluster)
{
    struct fed_loop *loop = traffic->options.loop;
    int64_t wait_ms = cluster->until_unix_s * 1000 - loop->unix_us(loop->ctx) / 1000;

    if (cluster->until_unix_s && wait_ms >= 0 && wait_ms < (int64_t)TRAFFIC_TICK_MS)
        traffic_tick_in(traffic, (uint64_t)wait_ms + TRAFFIC_ROUND_MS);
}

void traffic_judge(struct hub_traffic *traffic, struct traffic_cluster *cluster)
{
    int64_t now_s = fed_loop_unix_s(traffic->options.loop);
    enum traffic_level level = cluster->level;
    enum traffic_hold hold = cluster->hold;
    char why[SENTENCE_MAX];

    traffic_turn(traffic, cluster);
    cluster->level = level_of(cluster);
    set_hold(cluster, now_s);
    traffic_put_why(cluster, why, sizeof why);
    tick_at_end(traffic, cluster);
    hub_plan_hold(traffic->options.plan, fed_span_text(cluster->name), why, cluster->until_unix_s);
    if (cluster->level == level && cluster->hold == hold)
        return;
    if (cluster->level != level) {
        cluster->level_unix_s = now_s;
        if (cluster->level > level)
            tell_level(traffic, cluster);
    }
    if (cluster->hold != hold) {
        cluster->hold_unix_s = now_s;
        fed_log(traffic->options.log, FED_LOG_INFO, "cluster %s: %s", cluster->name,
            why[0] ? why : "changes wait no longer");
    }
    touch(traffic, cluster);
}

void traffic_tick(void *ctx)
{
    struct hub_traffic *traffic = ctx;
    struct fed_map_iter it;

    traffic->tick_ms = UINT64_MAX;
    if (traffic->collect && traffic->n_rules > 0)
        traffic->collect(traffic->collect_ctx, fed_span_text(""));
    fed_map_iter_init(&it, &traffic->clusters);
    while (fed_map_iter_next(&it)) {
        struct traffic_cluster *cluster = it.value;

        if (cluster->rules || cluster->hold != TRAFFIC_FREE || cluster->level != TRAFFIC_WITHIN)
            traffic_judge(traffic, cluster);
    }
    if (traffic->n_rules > 0)
        traffic_tick_in(traffic, TRAFFIC_TICK_MS);
}
