/* loop.c - see ports/loop.h: epoll, a heap of timers, a signalfd and a queue of deferred calls.
 *
 * A round: wait, read the clock, call the timers that are due, then the descriptors that are ready;
 * after each callback the calls that were deferred by then; at last what asked for the end of the
 * turn. What a callback frees is taken out of
 * the round's own lists at once, so nothing freed is ever called. */
#include "ports/loop.h"

#include "ports/linux/timers.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64
#define SIGNAL_COUNT 65

struct fed_watch {
    int fd;
    unsigned events;
    fed_loop_ready *ready;
    void *ctx;
};

struct deferred {
    fed_loop_call *call;
    void *ctx;
};

struct queue { /* a ring */
    struct deferred *calls;
    size_t cap;
    size_t head;
    size_t n;
};

struct signal_handler {
    bool taken;       /* given to on_signal */
    bool was_blocked; /* before that */
    fed_linux_signal_call *call;
    void *ctx;
};

struct fed_linux_loop {
    struct fed_alloc *mem;
    struct fed_loop port;
    struct fed_timers timers;
    int epoll_fd;
    bool stopped;
    bool in_round;
    uint64_t now_ms; /* of the round */
    struct epoll_event events[EVENTS_PER_ROUND];
    int n_events; /* of the round; a freed watch's entry is NULL */
    struct queue deferred;
    struct queue turn_end;
    int signal_fd; /* -1 until the first on_signal */
    struct fed_watch *signal_watch;
    struct signal_handler signals[SIGNAL_COUNT];
};

/* ---- clocks ---- */

static uint64_t clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint64_t loop_now_ms(void *ctx)
{
    struct fed_linux_loop *l = ctx;

    return l->in_round ? l->now_ms : clock_now_ms();
}

static uint64_t loop_clock_us(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Where a service's filter refuses the call nobody knows. */
static bool loop_clock_is_kept(void *ctx)
{
    struct timex clock = {.modes = 0};
    int state = adjtimex(&clock);

    (void)ctx;
    return state >= 0 && state != TIME_ERROR && !(clock.status & STA_UNSYNC);
}

static int64_t loop_unix_us(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- timers ---- */

static enum fed_err loop_timer_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    struct fed_linux_loop *l = ctx;

    return fed_timers_new(&l->timers, call, call_ctx, out);
}

static void loop_timer_set(void *ctx, struct fed_timer *timer, uint64_t due_ms)
{
    struct fed_linux_loop *l = ctx;

    fed_timers_set(&l->timers, timer, due_ms);
}

static void loop_timer_stop(void *ctx, struct fed_timer *timer)
{
    struct fed_linux_loop *l = ctx;

    fed_timers_stop(&l->timers, timer);
}

static void loop_timer_free(void *ctx, struct fed_timer *timer)
{
    struct fed_linux_loop *l = ctx;

    fed_timers_free(&l->timers, timer);
}

/* ---- descriptors ---- */

static struct epoll_event epoll_event_of(struct fed_watch *watch)
{
    struct epoll_event event = {.data.ptr = watch};

    if (watch->events & FED_LOOP_READ)
        event.events |= EPOLLIN;
    if (watch->events & FED_LOOP_WRITE)
        event.events |= EPOLLOUT;
    return event;
}

static enum fed_err err_of_epoll(int error)
{
    switch (error) {
    case EEXIST:
        return FED_ERR_EXISTS; /* this descriptor is watched already */
    case ENOMEM:
        return FED_ERR_NOMEM;
    case ENOSPC:
        return FED_ERR_LIMIT; /* of watches per user */
    case EPERM:
        return FED_ERR_UNSUPPORTED; /* a plain file is always ready */
    case EBADF:
        return FED_ERR_INVALID;
    default:
        return FED_ERR_IO;
    }
}

static enum fed_err loop_watch_new(void *ctx, int fd, unsigned events, fed_loop_ready *ready,
    void *ready_ctx, struct fed_watch **out)
{
    struct fed_linux_loop *l = ctx;
    struct fed_watch *watch = fed_alloc_get(l->mem, sizeof *watch);
    struct epoll_event event;

    if (!watch)
        return FED_ERR_NOMEM;
    *watch = (struct fed_watch){.fd = fd, .events = events, .ready = ready, .ctx = ready_ctx};
    event = epoll_event_of(watch);
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
        enum fed_err err = err_of_epoll(errno);

        fed_alloc_free(l->mem, watch, sizeof *watch);
        return err;
    }
    *out = watch;
    return FED_OK;
}

static void loop_watch_set(void *ctx, struct fed_watch *watch, unsigned events)
{
    struct fed_linux_loop *l = ctx;
    struct epoll_event event;

    if (watch->events == events)
        return;
    watch->events = events;
    event = epoll_event_of(watch);
    /* Changing what is registered allocates nothing; it fails only for a descriptor closed too
     * early. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

static void loop_watch_free(void *ctx, struct fed_watch *watch)
{
    struct fed_linux_loop *l = ctx;

    if (!watch)
        return;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = 0; i < l->n_events; i++)
        if (l->events[i].data.ptr == watch)
            l->events[i].data.ptr = NULL;
    fed_alloc_free(l->mem, watch, sizeof *watch);
}

/* ---- deferred calls ---- */

static bool queue_grow(struct fed_alloc *mem, struct queue *queue)
{
    size_t cap = queue->cap ? queue->cap * 2 : 8;
    struct deferred *calls = fed_alloc_array(mem, cap, sizeof *calls);

    if (!calls)
        return false;
    for (size_t i = 0; i < queue->n; i++)
        calls[i] = queue->calls[(queue->head + i) % queue->cap];
    fed_alloc_free(mem, queue->calls, queue->cap * sizeof *calls);
    queue->calls = calls;
    queue->cap = cap;
    queue->head = 0;
    return true;
}

static enum fed_err queue_put(
    struct fed_alloc *mem, struct queue *queue, fed_loop_call *call, void *call_ctx)
{
    if (queue->n == queue->cap && !queue_grow(mem, queue))
        return FED_ERR_NOMEM;
    queue->calls[(queue->head + queue->n) % queue->cap] =
        (struct deferred){.call = call, .ctx = call_ctx};
    queue->n++;
    return FED_OK;
}

static struct deferred queue_take(struct queue *queue)
{
    struct deferred next = queue->calls[queue->head];

    queue->head = (queue->head + 1) % queue->cap;
    queue->n--;
    return next;
}

static enum fed_err loop_defer(void *ctx, fed_loop_call *call, void *call_ctx)
{
    struct fed_linux_loop *l = ctx;

    return queue_put(l->mem, &l->deferred, call, call_ctx);
}

static enum fed_err loop_turn_end(void *ctx, fed_loop_call *call, void *call_ctx)
{
    struct fed_linux_loop *l = ctx;

    return queue_put(l->mem, &l->turn_end, call, call_ctx);
}

/* Those that are queued now. What they defer themselves comes later, so that descriptors are served
 * in between. */
static void call_deferred(struct fed_linux_loop *l)
{
    for (size_t n = l->deferred.n; n > 0; n--) {
        struct deferred next = queue_take(&l->deferred);

        next.call(next.ctx);
    }
}

static void call_turn_end(struct fed_linux_loop *l)
{
    for (size_t n = l->turn_end.n; n > 0; n--) {
        struct deferred next = queue_take(&l->turn_end);

        next.call(next.ctx);
        call_deferred(l);
    }
}

/* ---- the round ---- */

static void loop_stop(void *ctx)
{
    struct fed_linux_loop *l = ctx;

    l->stopped = true;
}

static int wait_ms(struct fed_linux_loop *l)
{
    uint64_t due_ms;
    uint64_t now_ms;

    if (l->deferred.n > 0 || l->turn_end.n > 0)
        return 0;
    if (!fed_timers_first(&l->timers, &due_ms))
        return -1;
    now_ms = clock_now_ms();
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms > INT_MAX ? INT_MAX : (int)(due_ms - now_ms);
}

static unsigned events_of_epoll(uint32_t got, unsigned wanted)
{
    unsigned events = 0;

    if (got & EPOLLIN)
        events |= FED_LOOP_READ;
    if (got & EPOLLOUT)
        events |= FED_LOOP_WRITE;
    events &= wanted; /* an earlier callback may have changed it */
    if (got & (EPOLLERR | EPOLLHUP))
        events |= FED_LOOP_ERROR;
    return events;
}

static void call_ready(struct fed_linux_loop *l)
{
    for (int i = 0; i < l->n_events; i++) {
        struct fed_watch *watch = l->events[i].data.ptr;
        unsigned events;

        if (!watch)
            continue;
        events = events_of_epoll(l->events[i].events, watch->events);
        if (events == 0)
            continue;
        watch->ready(watch->ctx, events); /* may free this watch and any other */
        call_deferred(l);
    }
    l->n_events = 0;
}

static enum fed_err round_run(struct fed_linux_loop *l)
{
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_ROUND, wait_ms(l));

    if (n < 0 && errno != EINTR)
        return FED_ERR_IO;
    l->n_events = n < 0 ? 0 : n;
    l->now_ms = clock_now_ms();
    l->in_round = true;
    call_deferred(l);
    fed_timers_take_due(&l->timers, l->now_ms);
    while (fed_timers_call_next(&l->timers))
        call_deferred(l);
    call_ready(l);
    call_turn_end(l);
    l->in_round = false;
    return FED_OK;
}

enum fed_err fed_linux_loop_run(struct fed_linux_loop *l)
{
    enum fed_err err = FED_OK;

    while (!err && !l->stopped)
        err = round_run(l);
    l->stopped = false;
    return err;
}

/* ---- signals ---- */

static void signal_ready(void *ctx, unsigned events)
{
    struct fed_linux_loop *l = ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        struct signal_handler *handler;

        if (info.ssi_signo >= SIGNAL_COUNT)
            continue;
        handler = &l->signals[info.ssi_signo];
        if (handler->call)
            handler->call(handler->ctx, (int)info.ssi_signo);
        else
            l->stopped = true;
    }
}

/* All signals that were given to on_signal, and one more. */
static void signal_set(const struct fed_linux_loop *l, int more, sigset_t *out)
{
    sigemptyset(out);
    for (int i = 1; i < SIGNAL_COUNT; i++)
        if (l->signals[i].taken || i == more)
            sigaddset(out, i);
}

/* Makes or widens the signalfd. */
static enum fed_err signal_fd_set(struct fed_linux_loop *l, int more)
{
    sigset_t set;
    int fd;
    enum fed_err err;

    signal_set(l, more, &set);
    fd = signalfd(l->signal_fd, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return errno == ENOMEM ? FED_ERR_NOMEM : FED_ERR_IO;
    if (l->signal_fd >= 0)
        return FED_OK;
    err = loop_watch_new(l, fd, FED_LOOP_READ, signal_ready, l, &l->signal_watch);
    if (err) {
        close(fd);
        return err;
    }
    l->signal_fd = fd;
    return FED_OK;
}

enum fed_err fed_linux_loop_on_signal(
    struct fed_linux_loop *l, int signal_number, fed_linux_signal_call *call, void *call_ctx)
{
    struct signal_handler *handler;
    sigset_t one;
    sigset_t old;

    if (signal_number < 1 || signal_number >= SIGNAL_COUNT || signal_number == SIGKILL ||
        signal_number == SIGSTOP)
        return FED_ERR_INVALID;
    handler = &l->signals[signal_number];
    if (!handler->taken) {
        enum fed_err err = signal_fd_set(l, signal_number);

        if (err)
            return err;
        sigemptyset(&one);
        sigaddset(&one, signal_number);
        if (sigprocmask(SIG_BLOCK, &one, &old))
            return FED_ERR_INVALID;
        handler->taken = true;
        handler->was_blocked = sigismember(&old, signal_number) == 1;
    }
    handler->call = call;
    handler->ctx = call_ctx;
    return FED_OK;
}

static void signals_release(struct fed_linux_loop *l)
{
    sigset_t set;

    if (l->signal_fd < 0)
        return;
    loop_watch_free(l, l->signal_watch);
    close(l->signal_fd);
    sigemptyset(&set);
    for (int i = 1; i < SIGNAL_COUNT; i++)
        if (l->signals[i].taken && !l->signals[i].was_blocked)
            sigaddset(&set, i);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- making and ending ---- */

enum fed_err fed_linux_loop_open(
    struct fed_alloc *mem, struct fed_linux_loop **out, struct fed_diag *diag)
{
    struct fed_linux_loop *l = fed_alloc_zero(mem, sizeof *l);

    if (!l)
        return fed_diag_set(diag, FED_ERR_NOMEM, "event loop: out of memory");
    l->mem = mem;
    l->signal_fd = -1;
    fed_timers_init(&l->timers, mem);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0) {
        fed_diag_set(diag, FED_ERR_IO, "event loop: epoll: %s", strerror(errno));
        fed_alloc_free(mem, l, sizeof *l);
        return FED_ERR_IO;
    }
    l->port = (struct fed_loop){
        .ctx = l,
        .now_ms = loop_now_ms,
        .unix_us = loop_unix_us,
        .clock_is_kept = loop_clock_is_kept,
        .clock_us = loop_clock_us,
        .timer_new = loop_timer_new,
        .timer_set = loop_timer_set,
        .timer_stop = loop_timer_stop,
        .timer_free = loop_timer_free,
        .watch_new = loop_watch_new,
        .watch_set = loop_watch_set,
        .watch_free = loop_watch_free,
        .defer = loop_defer,
        .turn_end = loop_turn_end,
        .stop = loop_stop,
    };
    *out = l;
    return FED_OK;
}

void fed_linux_loop_close(struct fed_linux_loop *l)
{
    if (!l)
        return;
    signals_release(l);
    close(l->epoll_fd);
    fed_timers_fini(&l->timers);
    fed_alloc_free(l->mem, l->deferred.calls, l->deferred.cap * sizeof *l->deferred.calls);
    fed_alloc_free(l->mem, l->turn_end.calls, l->turn_end.cap * sizeof *l->turn_end.calls);
    fed_alloc_free(l->mem, l, sizeof *l);
}

struct fed_loop *fed_linux_loop_port(struct fed_linux_loop *l)
{
    return &l->port;
}
