/* traffic.h - bytes to and from the hub, of this process and of the month.
 *
 * Counted is what the link counts (struct fed_link_stats): the payload of datagrams or segments,
 * handshakes and acknowledgements included; headers of IP, UDP and TCP are not. Months are UTC's,
 * by this machine's clock.
 *
 * The month is written when the process ends, and with whatever else is written to the state file
 * meanwhile: never by itself, so an idle agent writes nothing, and one that is killed loses what it
 * counted since its last write. */
#ifndef FEDLET_AGENT_TRAFFIC_H
#define FEDLET_AGENT_TRAFFIC_H

#include "agent/ports.h"
#include "agent/state.h"

struct agent_traffic_meter {
    const struct agent_ports *ports;
    struct agent_state *state;
    struct agent_traffic base;   /* of the month, without what the link counts from start on */
    struct fed_link_stats start; /* the link's counters when base was made */
    struct fed_timer *turn;      /* the month's end, or a look a day */
};

/* Reads what is stored. ports and state are borrowed. FED_ERR_CORRUPT with diag. */
FED_MUST_USE enum fed_err agent_traffic_open(struct agent_traffic_meter *meter,
    const struct agent_ports *ports, struct agent_state *state, struct fed_diag *diag);
/* Of zeros, too. */
void agent_traffic_close(struct agent_traffic_meter *meter);
void agent_traffic_now(
    struct agent_traffic_meter *meter, struct fed_link_stats *process, struct agent_traffic *month);
/* Writes the month, when anything was sent or received. */
void agent_traffic_store(struct agent_traffic_meter *meter);

#endif
