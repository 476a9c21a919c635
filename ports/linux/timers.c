/* timers.c - see timers.h. */
#include "ports/linux/timers.h"

#include <assert.h>

enum place { IDLE, IN_HEAP, IN_DUE };

struct fed_timer {
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms;
    uint64_t order; /* of the setting */
    enum place place;
    size_t at;                     /* in the heap */
    struct fed_timer *prev, *next; /* in the list of due ones */
};

void fed_timers_init(struct fed_timers *timers, struct fed_alloc *mem)
{
    *timers = (struct fed_timers){.mem = mem};
}

void fed_timers_fini(struct fed_timers *timers)
{
    fed_alloc_free(timers->mem, timers->heap, timers->cap * sizeof *timers->heap);
    *timers = (struct fed_timers){.mem = timers->mem};
}

static bool before(const struct fed_timer *a, const struct fed_timer *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->order < b->order;
}

static void heap_put(struct fed_timers *timers, size_t at, struct fed_timer *timer)
{
    timers->heap[at] = timer;
    timer->at = at;
}

static void heap_up(struct fed_timers *timers, struct fed_timer *timer)
{
    size_t at = timer->at;

    while (at > 0 && before(timer, timers->heap[(at - 1) / 2])) {
        heap_put(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(timers, at, timer);
}

static void heap_down(struct fed_timers *timers, struct fed_timer *timer)
{
    size_t at = timer->at;

    for (;;) {
        size_t child = at * 2 + 1;

        if (child >= timers->n)
            break;
        if (child + 1 < timers->n && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        heap_put(timers, at, timers->heap[child]);
        at = child;
    }
    heap_put(timers, at, timer);
}

static void heap_add(struct fed_timers *timers, struct fed_timer *timer)
{
    assert(timers->n < timers->cap);
    heap_put(timers, timers->n++, timer);
    timer->place = IN_HEAP;
    heap_up(timers, timer);
}

static void heap_remove(struct fed_timers *timers, struct fed_timer *timer)
{
    size_t at = timer->at;
    struct fed_timer *last = timers->heap[--timers->n];

    timer->place = IDLE;
    if (last == timer)
        return;
    heap_put(timers, at, last);
    heap_up(timers, last);
    heap_down(timers, last);
}

static void due_remove(struct fed_timers *timers, struct fed_timer *timer)
{
    if (timer->prev)
        timer->prev->next = timer->next;
    else
        timers->due = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    timer->prev = NULL;
    timer->next = NULL;
    timer->place = IDLE;
}

/* A place in the heap for one more timer. */
static enum fed_err reserve(struct fed_timers *timers)
{
    size_t cap = timers->cap ? timers->cap * 2 : 8;
    struct fed_timer **heap;

    if (timers->n_all < timers->cap)
        return FED_OK;
    if (cap > SIZE_MAX / sizeof *heap)
        return FED_ERR_NOMEM;
    heap = timers->mem->resize(
        timers->mem->ctx, timers->heap, timers->cap * sizeof *heap, cap * sizeof *heap);
    if (!heap)
        return FED_ERR_NOMEM;
    timers->heap = heap;
    timers->cap = cap;
    return FED_OK;
}

enum fed_err fed_timers_new(
    struct fed_timers *timers, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct fed_timer *timer;
    enum fed_err err = reserve(timers);

    if (err)
        return err;
    timer = fed_alloc_get(timers->mem, sizeof *timer);
    if (!timer)
        return FED_ERR_NOMEM;
    *timer = (struct fed_timer){.call = call, .ctx = call_ctx};
    timers->n_all++;
    *out = timer;
    return FED_OK;
}

void fed_timers_set(struct fed_timers *timers, struct fed_timer *timer, uint64_t due_ms)
{
    fed_timers_stop(timers, timer);
    timer->due_ms = due_ms;
    timer->order = timers->n_set++;
    heap_add(timers, timer);
}

void fed_timers_stop(struct fed_timers *timers, struct fed_timer *timer)
{
    if (timer->place == IN_HEAP)
        heap_remove(timers, timer);
    else if (timer->place == IN_DUE)
        due_remove(timers, timer);
}

void fed_timers_free(struct fed_timers *timers, struct fed_timer *timer)
{
    if (!timer)
        return;
    fed_timers_stop(timers, timer);
    timers->n_all--;
    fed_alloc_free(timers->mem, timer, sizeof *timer);
}

bool fed_timers_first(const struct fed_timers *timers, uint64_t *due_ms)
{
    if (timers->n == 0)
        return false;
    *due_ms = timers->heap[0]->due_ms;
    return true;
}

void fed_timers_take_due(struct fed_timers *timers, uint64_t now_ms)
{
    struct fed_timer *tail = NULL;

    assert(!timers->due);
    while (timers->n > 0 && timers->heap[0]->due_ms <= now_ms) {
        struct fed_timer *timer = timers->heap[0];

        heap_remove(timers, timer);
        timer->place = IN_DUE;
        timer->prev = tail;
        if (tail)
            tail->next = timer;
        else
            timers->due = timer;
        tail = timer;
    }
}

bool fed_timers_call_next(struct fed_timers *timers)
{
    struct fed_timer *timer = timers->due;

    if (!timer)
        return false;
    due_remove(timers, timer);
    timer->call(timer->ctx); /* may free the timer */
    return true;
}
