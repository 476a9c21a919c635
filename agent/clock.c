/* clock.c - see clock.h. */
#include "agent/clock.h"

void agent_clock_init(struct agent_clock *clock, struct fed_loop *loop, int64_t floor_unix_s)
{
    *clock = (struct agent_clock){.loop = loop, .floor_unix_s = floor_unix_s};
}

static bool is_kept(const struct agent_clock *clock)
{
    return clock->loop->clock_is_kept && clock->loop->clock_is_kept(clock->loop->ctx);
}

int64_t agent_clock_unix_s(const struct agent_clock *clock)
{
    int64_t own_unix_s = fed_loop_unix_s(clock->loop);

    if (is_kept(clock))
        return own_unix_s;
    if (clock->state == AGENT_CLOCK_TOLD || clock->state == AGENT_CLOCK_KNOWN)
        return clock->told_unix_s +
               (int64_t)((fed_loop_now_ms(clock->loop) - clock->told_ms) / 1000);
    return own_unix_s < clock->floor_unix_s ? clock->floor_unix_s : own_unix_s;
}

bool agent_clock_is_known(const struct agent_clock *clock)
{
    return clock->state == AGENT_CLOCK_KNOWN || is_kept(clock);
}

static int64_t judge_by(void *ctx, bool hub)
{
    const struct agent_clock *clock = ctx;

    return hub && clock->state == AGENT_CLOCK_ASKING ? 0 : agent_clock_unix_s(clock);
}

static void on_refused(void *ctx)
{
    struct agent_clock *clock = ctx;
    bool old = clock->state == AGENT_CLOCK_KNOWN &&
               fed_loop_now_ms(clock->loop) - clock->told_ms >= AGENT_CLOCK_AGAIN_MS;

    if (old || clock->state == AGENT_CLOCK_ASSUMED)
        clock->doubted = !is_kept(clock);
}

struct fed_tls_times agent_clock_times(struct agent_clock *clock)
{
    return (struct fed_tls_times){.ctx = clock, .now = judge_by, .refused = on_refused};
}

bool agent_clock_ask(struct agent_clock *clock)
{
    bool ask = clock->doubted;

    clock->doubted = false;
    if (clock->state == AGENT_CLOCK_KNOWN && !ask)
        return false;
    clock->state = ask ? AGENT_CLOCK_ASKING : AGENT_CLOCK_ASSUMED;
    return ask;
}

enum fed_err agent_clock_told(struct agent_clock *clock, int64_t unix_s)
{
    bool asked = clock->state == AGENT_CLOCK_ASKING;

    if (asked && unix_s < clock->floor_unix_s - AGENT_CLOCK_SLACK_S) {
        clock->state = AGENT_CLOCK_ASSUMED;
        return FED_ERR_INVALID;
    }
    if (!asked && agent_clock_is_known(clock) &&
        unix_s > agent_clock_unix_s(clock) + AGENT_CLOCK_SLACK_S &&
        unix_s > fed_loop_unix_s(clock->loop) + AGENT_CLOCK_SLACK_S)
        return FED_OK;
    clock->state = asked ? AGENT_CLOCK_TOLD : AGENT_CLOCK_KNOWN;
    if (!asked && unix_s > clock->floor_unix_s)
        clock->floor_unix_s = unix_s;
    clock->told_unix_s = unix_s;
    clock->told_ms = fed_loop_now_ms(clock->loop);
    return asked ? FED_ERR_CONFLICT : FED_OK;
}
