/* due.c - see due.h. */
#include "ports/coap/due.h"

void fed_coap_due_init(struct fed_coap_due *due, struct fed_alloc *mem)
{
    *due = (struct fed_coap_due){.mem = mem};
}

void fed_coap_due_fini(struct fed_coap_due *due)
{
    fed_alloc_free(due->mem, due->items, due->cap * sizeof(*due->items));
    *due = (struct fed_coap_due){.mem = due->mem};
}

enum fed_err fed_coap_due_reserve(struct fed_coap_due *due, struct fed_coap_due_item *item)
{
    if (due->reserved == due->cap) {
        size_t cap = due->cap ? due->cap * 2 : 16;
        void *items = due->mem->resize(
            due->mem->ctx, due->items, due->cap * sizeof(*due->items), cap * sizeof(*due->items));

        if (!items)
            return FED_ERR_NOMEM;
        due->items = items;
        due->cap = cap;
    }
    due->reserved++;
    item->due_ms = FED_COAP_NEVER;
    return FED_OK;
}

void fed_coap_due_release(struct fed_coap_due *due, struct fed_coap_due_item *item)
{
    fed_coap_due_set(due, item, FED_COAP_NEVER);
    due->reserved--;
}

static void put(struct fed_coap_due *due, struct fed_coap_due_item *item, size_t at)
{
    due->items[at] = item;
    item->at = at;
}

static void rise(struct fed_coap_due *due, struct fed_coap_due_item *item)
{
    size_t at = item->at;

    for (; at > 0 && due->items[(at - 1) / 2]->due_ms > item->due_ms; at = (at - 1) / 2)
        put(due, due->items[(at - 1) / 2], at);
    put(due, item, at);
}

static void sink(struct fed_coap_due *due, struct fed_coap_due_item *item)
{
    size_t at = item->at;

    for (size_t child = at * 2 + 1; child < due->count; child = at * 2 + 1) {
        if (child + 1 < due->count && due->items[child + 1]->due_ms < due->items[child]->due_ms)
            child++;
        if (due->items[child]->due_ms >= item->due_ms)
            break;
        put(due, due->items[child], at);
        at = child;
    }
    put(due, item, at);
}

static void take_out(struct fed_coap_due *due, struct fed_coap_due_item *item)
{
    struct fed_coap_due_item *last = due->items[--due->count];

    item->due_ms = FED_COAP_NEVER;
    if (last == item)
        return;
    put(due, last, item->at);
    rise(due, last);
    sink(due, last);
}

void fed_coap_due_set(struct fed_coap_due *due, struct fed_coap_due_item *item, uint64_t due_ms)
{
    if (item->due_ms == due_ms)
        return;
    if (due_ms == FED_COAP_NEVER) {
        take_out(due, item);
        return;
    }
    if (item->due_ms == FED_COAP_NEVER)
        put(due, item, due->count++);
    item->due_ms = due_ms;
    rise(due, item);
    sink(due, item);
}

struct fed_coap_due_item *fed_coap_due_first(const struct fed_coap_due *due)
{
    return due->count > 0 ? due->items[0] : NULL;
}
