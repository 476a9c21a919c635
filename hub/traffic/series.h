/* series.h - a day of one cluster's bytes, in steps: 408 bytes of memory.
 *
 * A step that is over is kept in 16 bits for each direction, 11 of value and 5 of scale: exact
 * below 2,048 bytes, beyond with an error of at most 1/2,048, up to some 4 TB. The one under way is
 * exact. Which step is under way is the caller's count; nothing is done for clusters that are
 * silent. Pure.
 */
#ifndef FEDLET_HUB_TRAFFIC_SERIES_H
#define FEDLET_HUB_TRAFFIC_SERIES_H

#include <stddef.h>
#include <stdint.h>

#define TRAFFIC_STEPS 96u /* the one under way is the last of them */

struct traffic_series { /* zero at first */
    uint64_t step;      /* under way when it was last used */
    uint64_t from;      /* bytes in that one */
    uint64_t to;
    uint16_t past_from[TRAFFIC_STEPS]; /* by step, modulo */
    uint16_t past_to[TRAFFIC_STEPS];
};

/* step never goes back. */
void traffic_series_add(struct traffic_series *series, uint64_t step, uint64_t from, uint64_t to);
/* The last n steps, at most TRAFFIC_STEPS, oldest first; the last one is the one under way. */
void traffic_series_read(
    struct traffic_series *series, uint64_t step, size_t n, uint64_t *from, uint64_t *to);

/* How a number is kept. */
uint16_t traffic_series_short(uint64_t value);
uint64_t traffic_series_long(uint16_t kept);

#endif
