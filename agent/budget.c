/* budget.c - see budget.h. */
#include "agent/budget.h"

uint64_t agent_budget_reserve(struct agent_budget *budget, struct agent_rate rate, uint64_t now_ms)
{
    uint64_t room_ms = (uint64_t)rate.each_ms * rate.burst;

    if (budget->full_ms < now_ms)
        budget->full_ms = now_ms;
    budget->full_ms += rate.each_ms;
    return budget->full_ms > now_ms + room_ms ? budget->full_ms - room_ms : now_ms;
}

bool agent_budget_take(
    struct agent_budget *budget, struct agent_rate rate, uint64_t now_ms, uint64_t *due_ms)
{
    struct agent_budget next = *budget;

    *due_ms = agent_budget_reserve(&next, rate, now_ms);
    if (*due_ms > now_ms)
        return false;
    *budget = next;
    return true;
}

void agent_budget_give(struct agent_budget *budget, struct agent_rate rate, unsigned tokens)
{
    uint64_t given_ms = (uint64_t)rate.each_ms * tokens;

    budget->full_ms = budget->full_ms > given_ms ? budget->full_ms - given_ms : 0;
}
