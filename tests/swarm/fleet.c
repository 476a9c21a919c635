/* fleet.c - all agents. The first start goes through a window, so that the time it takes is that of
 * the handshakes and not of their repetitions; afterwards each agent comes back by itself. */
#include "tests/swarm/swarm.h"

#include <stdarg.h>
#include <stdio.h>

void swarm_trouble(struct swarm *swarm, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(swarm->trouble, sizeof swarm->trouble, format, args);
    va_end(args);
    fed_log(swarm->log, FED_LOG_DEBUG, "%s", swarm->trouble);
}

uint8_t swarm_spread(struct swarm *swarm)
{
    uint8_t byte = 0;

    if (swarm->crypto.random(swarm->crypto.ctx, &byte, 1))
        byte = 255; /* the longest wait */
    return byte;
}

void swarm_fleet_failed(struct swarm *swarm)
{
    swarm->failed = true;
    swarm->loop->stop(swarm->loop->ctx);
}

/* ---- starting ---- */

static void start_one(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;

    if (!swarm->enrolling && agent->at != SWARM_OFF)
        return;
    agent->starting = true;
    swarm->starting++;
    if (swarm->enrolling)
        swarm_enrol_start(agent);
    else
        swarm_agent_connect(agent);
}

static void start_more(void *ctx)
{
    struct swarm *swarm = ctx;

    swarm->more_due = false;
    while (swarm->starting < swarm->window && swarm->next < swarm->n)
        start_one(&swarm->agents[swarm->next++]);
}

static void want_more(struct swarm *swarm)
{
    if (swarm->more_due)
        return;
    swarm->more_due = true;
    if (swarm->loop->defer(swarm->loop->ctx, start_more, swarm)) {
        fed_log(swarm->log, FED_LOG_ERROR, "out of memory");
        swarm_fleet_failed(swarm);
    }
}

static void begin(struct swarm *swarm, bool enrolling)
{
    swarm->enrolling = enrolling;
    swarm->next = 0;
    swarm->began_us = fed_loop_clock_us(swarm->loop);
    want_more(swarm);
}

static void all_enrolled(struct swarm *swarm)
{
    uint64_t took_us = fed_loop_clock_us(swarm->loop) - swarm->began_us;
    struct fed_diag diag = {""};

    if (swarm_state_write(swarm, &diag)) {
        fed_log(swarm->log, FED_LOG_ERROR, "%s: %s", swarm->state_path, diag.text);
        swarm_fleet_failed(swarm);
        return;
    }
    swarm_event_enrolled(swarm, took_us);
    begin(swarm, false);
}

void swarm_fleet_started(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;

    if (!agent->starting)
        return;
    agent->starting = false;
    swarm->starting--;
    if (swarm->enrolling && swarm->n_enrolled == swarm->n)
        all_enrolled(swarm);
    else
        want_more(swarm);
}

void swarm_fleet_begin(struct swarm *swarm)
{
    begin(swarm, swarm->n_enrolled < swarm->n);
}

/* ---- all at once ---- */

void swarm_fleet_drop(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->n; i++)
        if (swarm->agents[i].at >= SWARM_CONNECTING)
            swarm_agent_end(&swarm->agents[i], SWARM_END_AGAIN);
}

void swarm_fleet_stop(struct swarm *swarm)
{
    swarm->next = swarm->n;
    for (size_t i = 0; i < swarm->n; i++)
        if (swarm->agents[i].at != SWARM_OFF)
            swarm_agent_end(&swarm->agents[i], SWARM_END_STAY);
}

void swarm_fleet_start(struct swarm *swarm)
{
    if (!swarm->enrolling)
        begin(swarm, false);
}

/* ---- life ---- */

enum fed_err swarm_fleet_open(struct swarm *swarm, size_t n, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    swarm->agents = fed_alloc_zero(swarm->mem, n * sizeof *swarm->agents);
    if (!swarm->agents)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for %zu agents", n);
    swarm->n = n;
    for (size_t i = 0; !err && i < n; i++) {
        snprintf(
            swarm->agents[i].name, sizeof swarm->agents[i].name, "%.40s-%06zu", swarm->prefix, i);
        err = swarm_agent_open(swarm, &swarm->agents[i], diag);
    }
    return err;
}

void swarm_fleet_close(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->n; i++)
        if (swarm->agents[i].swarm)
            swarm_agent_close(&swarm->agents[i]);
    fed_alloc_free(swarm->mem, swarm->agents, swarm->n * sizeof *swarm->agents);
}
