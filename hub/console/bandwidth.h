/* bandwidth.h - a day of bytes, in steps of five minutes. */
#ifndef FEDLET_HUB_CONSOLE_BANDWIDTH_H
#define FEDLET_HUB_CONSOLE_BANDWIDTH_H

#include "hub/traffic/traffic.h"

#define CONSOLE_STEPS 288u
#define CONSOLE_STEP_MS 300000u
#define CONSOLE_CLUSTER_EVERY 3u /* steps, of one of a single cluster's */
#define CONSOLE_BINDINGS 2u      /* further ones are counted with the last */

struct console_binding {
    char name[16];
    uint64_t from[CONSOLE_STEPS]; /* of the clusters */
    uint64_t to[CONSOLE_STEPS];
    uint64_t from_seen, to_seen; /* counters at the last look */
};
struct console_bandwidth { /* zero at first */
    struct console_binding bindings[CONSOLE_BINDINGS];
    size_t n_bindings;
    uint64_t n_steps; /* that are over; the next one is under way */
};
/* Every CONSOLE_STEP_MS: the present step is over. */
void console_bandwidth_step(struct console_bandwidth *bandwidth, struct hub_traffic *traffic);

#endif
