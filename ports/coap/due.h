/* due.h - which session has something to do next: a binary heap, so that a wake-up touches the
 * sessions that are due and no others. Places are reserved when a session is made; setting a time
 * cannot fail. */
#ifndef FEDLET_PORTS_COAP_DUE_H
#define FEDLET_PORTS_COAP_DUE_H

#include "proto/base/alloc.h"
#include "proto/base/err.h"

#include <stdint.h>

#define FED_COAP_NEVER UINT64_MAX

struct fed_coap_due_item { /* part of a session */
    uint64_t due_ms;       /* FED_COAP_NEVER: not in the heap */
    size_t at;
};
struct fed_coap_due {
    struct fed_alloc *mem;
    struct fed_coap_due_item **items;
    size_t count;
    size_t reserved; /* sessions */
    size_t cap;
};

void fed_coap_due_init(struct fed_coap_due *due, struct fed_alloc *mem);
void fed_coap_due_fini(struct fed_coap_due *due);
/* Makes room for one more session. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_coap_due_reserve(
    struct fed_coap_due *due, struct fed_coap_due_item *item);
void fed_coap_due_release(struct fed_coap_due *due, struct fed_coap_due_item *item);
void fed_coap_due_set(struct fed_coap_due *due, struct fed_coap_due_item *item, uint64_t due_ms);
struct fed_coap_due_item *fed_coap_due_first(
    const struct fed_coap_due *due); /* NULL when none waits */

#endif
