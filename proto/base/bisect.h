/* bisect.h - where something stands in a sorted list. */
#ifndef FEDLET_PROTO_BASE_BISECT_H
#define FEDLET_PROTO_BASE_BISECT_H

#include <stdbool.h>
#include <stddef.h>

/* How what stands at index compares with what is looked for: below 0 before it, 0 the same. */
typedef int fed_bisect_order(const void *ctx, size_t index);

/* *index: where it stands among the n (true), or where it would belong (false). */
static inline bool fed_bisect(size_t n, fed_bisect_order *order, const void *ctx, size_t *index)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int at = order(ctx, middle);

        if (at == 0) {
            *index = middle;
            return true;
        }
        if (at < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return false;
}

#endif
