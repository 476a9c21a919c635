/* daemon_inner.h - shared by daemon.c, status.c, wait.c and metrics.c. */
#ifndef FEDLET_AGENT_DAEMON_INNER_H
#define FEDLET_AGENT_DAEMON_INNER_H

#include "agent/apply.h"
#include "agent/daemon.h"
#include "agent/observe.h"
#include "agent/pods.h"
#include "agent/probe.h"
#include "agent/renew.h"
#include "agent/report.h"
#include "agent/rollback.h"
#include "agent/traffic.h"

#define AGENT_PERSIST_CEILING_MS 60000u

struct agent_daemon {
    struct agent_ports ports;
    struct agent_daemon_options options;
    struct agent_state state;
    struct agent_table table;
    struct agent_apply *apply;
    struct agent_observe *observe;
    struct agent_pods *pods;
    struct agent_probe *probe;
    struct agent_report *report;
    struct agent_rollback *rollback;
    struct agent_sync *sync;   /* NULL without hubs */
    struct agent_renew *renew; /* as sync */
    const struct agent_policy *policy;
    struct fed_timer *persist_timer;
    bool persist_set;
    struct agent_retry persist_retry;
    uint64_t persist_since_ms;
    uint64_t persist_next_ms;
    char persist_why[160];
    struct agent_traffic_meter traffic;
    fed_loop_call *left;
    void *left_ctx;
};

#endif
