/* service.h - what surrounds the running agent: the control socket, metrics, the service manager
 * (ready, watchdog, status), and the configuration read again at SIGHUP. Program only, as world.h.
 *
 * The watchdog is fed by a timer, which proves that the loop turns, and only while everything that
 * has a time limit keeps it (agent_daemon_stuck), which proves that it gets on: a service that does
 * not is started again by its manager. */
#ifndef FEDLET_AGENT_SERVICE_H
#define FEDLET_AGENT_SERVICE_H

#include "agent/world.h"

struct agent_daemon;
struct fed_control_server;

struct agent_service {
    struct agent_world *world;
    const struct agent_options *options; /* read again at SIGHUP */
    struct agent_daemon *daemon;
    struct fed_control_server *control;
    struct fed_control_server *metrics; /* NULL: not asked for */
    bool said_stuck;
};

/* Serves until a signal ends it. */
FED_MUST_USE enum fed_err agent_service_run(struct agent_service *service, struct fed_diag *diag);

#endif
