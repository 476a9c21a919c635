/* timers.h - the timers of one loop: a binary heap by due time.
 *
 * Every timer has its place in the heap's array from its making on, so setting one cannot fail.
 * What is due is taken out of the heap before the first call of a round; a timer that is set again
 * in that round waits for the next one, so timers that are set to the past cannot keep descriptors
 * from being served. Timers with the same due time are called in the order in which they were set.
 */
#ifndef FEDLET_PORTS_LINUX_TIMERS_H
#define FEDLET_PORTS_LINUX_TIMERS_H

#include "ports/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fed_timers {
    struct fed_alloc *mem;
    struct fed_timer **heap;
    size_t n;              /* set timers, the heap's length */
    size_t n_all;          /* timers in existence */
    size_t cap;            /* places in heap, cap >= n_all */
    uint64_t n_set;        /* counts the settings */
    struct fed_timer *due; /* taken out, not yet called */
};

void fed_timers_init(struct fed_timers *timers, struct fed_alloc *mem);
/* The timers themselves belong to who made them and must be gone. */
void fed_timers_fini(struct fed_timers *timers);

/* As in struct fed_loop. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_timers_new(
    struct fed_timers *timers, fed_loop_call *call, void *call_ctx, struct fed_timer **out);
void fed_timers_set(struct fed_timers *timers, struct fed_timer *timer, uint64_t due_ms);
void fed_timers_stop(struct fed_timers *timers, struct fed_timer *timer);
void fed_timers_free(struct fed_timers *timers, struct fed_timer *timer);

/* When the first one is due; false when none is set. */
bool fed_timers_first(const struct fed_timers *timers, uint64_t *due_ms);
/* Begins a round: takes out all that is due at now_ms. */
void fed_timers_take_due(struct fed_timers *timers, uint64_t now_ms);
/* Calls the next one that was taken out; false when there is none left. */
bool fed_timers_call_next(struct fed_timers *timers);

#endif
