/* budget.h - how often something may be done: so many at once, then one each so often.
 *
 * A bucket of tokens, kept as the time at which it is full again (the virtual scheduling of ATM's
 * generic cell rate algorithm, ITU-T I.371 annex A). All zeros is a full one. Pure: the caller
 * brings the time. */
#ifndef FEDLET_AGENT_BUDGET_H
#define FEDLET_AGENT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct agent_budget {
    uint64_t full_ms;
};

struct agent_rate {
    uint32_t each_ms; /* a token comes back after so long */
    uint32_t burst;   /* tokens of a full one, 1 or more */
};

/* Takes a token; false when there is none, and *due_ms is when there will be one. */
bool agent_budget_take(
    struct agent_budget *budget, struct agent_rate rate, uint64_t now_ms, uint64_t *due_ms);
/* Gives tokens back. */
void agent_budget_give(struct agent_budget *budget, struct agent_rate rate, unsigned tokens);
/* Takes one that may only come later, and returns when: now_ms or a later time. */
uint64_t agent_budget_reserve(struct agent_budget *budget, struct agent_rate rate, uint64_t now_ms);

#endif
