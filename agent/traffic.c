/* traffic.c - see traffic.h. */
#include "agent/traffic.h"

#include "agent/clock.h"
#include "proto/base/text.h"

#define LOOK_MS 86400000u

static uint64_t month_of(int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];
    uint64_t year = 0;
    uint64_t month;

    fed_text_time(unix_s < 0 ? 0 : unix_s, text); /* 2026-11-22T... */
    for (size_t i = 0; i < 4; i++)
        year = year * 10 + (uint64_t)(text[i] - '0');
    month = (uint64_t)(text[5] - '0') * 10 + (uint64_t)(text[6] - '0');
    return year * 12 + month - 1;
}

static int64_t unix_of(const struct agent_traffic_meter *m)
{
    return m->ports->clock ? agent_clock_unix_s(m->ports->clock) : fed_loop_unix_s(m->ports->loop);
}

/* A month that has begun is not ended by a clock that nobody knows to be right. */
static bool is_sure(const struct agent_traffic_meter *m)
{
    return m->base.month == 0 || !m->ports->clock || agent_clock_is_known(m->ports->clock);
}

static struct fed_link_stats link_stats(const struct agent_traffic_meter *m)
{
    struct fed_link_stats stats = {0};

    if (m->ports->link)
        m->ports->link->stats(m->ports->link->ctx, &stats);
    return stats;
}

/* What was counted until now stays with the month before. A clock that is put back over the turn
 * does not begin a month again. */
static void turn(struct agent_traffic_meter *m, const struct fed_link_stats *stats)
{
    uint64_t now = month_of(unix_of(m));

    if (!is_sure(m) || now == m->base.month || now + 1 == m->base.month)
        return;
    m->base = (struct agent_traffic){.month = now};
    m->start = *stats;
}

static void arm(struct agent_traffic_meter *m)
{
    int64_t now_s = unix_of(m);
    uint64_t to_midnight_ms = (uint64_t)(86400 - now_s % 86400) * 1000u;

    agent_timer_at(m->ports, m->turn,
        fed_loop_now_ms(m->ports->loop) + (now_s < 0 ? LOOK_MS : to_midnight_ms));
}

static void on_turn(void *ctx)
{
    struct agent_traffic_meter *m = ctx;
    struct fed_link_stats stats = link_stats(m);

    turn(m, &stats);
    arm(m);
}

void agent_traffic_now(
    struct agent_traffic_meter *m, struct fed_link_stats *process, struct agent_traffic *month)
{
    *process = link_stats(m);
    turn(m, process);
    *month = m->base;
    month->sent_bytes += process->sent_bytes - m->start.sent_bytes;
    month->received_bytes += process->received_bytes - m->start.received_bytes;
}

static bool has_news(struct agent_traffic_meter *m, struct agent_traffic *month)
{
    struct fed_link_stats process;

    agent_traffic_now(m, &process, month);
    return process.sent_bytes > 0 || process.received_bytes > 0;
}

static bool offer(void *ctx, struct agent_traffic *out)
{
    return has_news(ctx, out);
}

void agent_traffic_store(struct agent_traffic_meter *m)
{
    struct agent_traffic month;
    struct fed_diag diag = {""};

    if (has_news(m, &month) && agent_state_set_traffic(m->state, &month, &diag))
        fed_log(m->ports->log, FED_LOG_WARN, "state file: traffic counters: %s", diag.text);
}

enum fed_err agent_traffic_open(struct agent_traffic_meter *m, const struct agent_ports *ports,
    struct agent_state *state, struct fed_diag *diag)
{
    struct fed_link_stats none = {0};
    enum fed_err err;

    *m = (struct agent_traffic_meter){.ports = ports, .state = state};
    err = agent_state_traffic(state, &m->base, diag);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_turn, m, &m->turn);
    if (err)
        return err;
    turn(m, &none);
    agent_state_offer_traffic(state, offer, m);
    arm(m);
    return FED_OK;
}

void agent_traffic_close(struct agent_traffic_meter *m)
{
    if (!m->ports)
        return;
    agent_state_offer_traffic(m->state, NULL, NULL);
    m->ports->loop->timer_free(m->ports->loop->ctx, m->turn);
    m->ports = NULL;
}
