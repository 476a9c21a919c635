/* watches.c - one list of watches, fed by one subscription to the store. */
#include "hub/api/watch.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS 1000u
#define BOOKMARK_MS 60000u

/* ---- whose ---- */
struct hub_watcher *hub_watcher_find(const struct hub_watches *watches, const struct hub_user *user)
{
    return fed_map_get(&watches->watchers, fed_span_text(user->name));
}

struct hub_watcher *hub_watcher_take(struct hub_watches *watches, const struct hub_user *user)
{
    struct fed_alloc *mem = watches->api->mem;
    struct hub_watcher *watcher = hub_watcher_find(watches, user);

    if (!watcher) {
        watcher = fed_alloc_zero(mem, sizeof *watcher);
        if (!watcher)
            return NULL;
        snprintf(watcher->name, sizeof watcher->name, "%s", user->name);
        if (fed_map_put(&watches->watchers, fed_span_text(user->name), watcher)) {
            fed_alloc_free(mem, watcher, sizeof *watcher);
            return NULL;
        }
    }
    watcher->n++;
    return watcher;
}

static void watcher_drop(struct hub_watches *watches, struct hub_watcher *watcher)
{
    if (!watcher || --watcher->n > 0)
        return;
    (void)fed_map_remove(&watches->watchers, fed_span_text(watcher->name));
    fed_alloc_free(watches->api->mem, watcher, sizeof *watcher);
}

/* ---- freeing ---- */
void hub_watch_free(struct hub_watch *w)
{
    struct fed_alloc *mem = w->owner->api->mem;

    w->owner->bytes -= w->bytes;
    if (w->watcher)
        w->watcher->bytes -= w->bytes;
    watcher_drop(w->owner, w->watcher);
    fed_arena_fini(&w->arena);
    fed_alloc_free(mem, w, sizeof *w);
}

void hub_watches_sweep(struct hub_watches *watches)
{
    struct hub_watch **at = &watches->list;

    while (*at) {
        struct hub_watch *w = *at;

        if (w->exchange) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        hub_watch_free(w);
    }
}

/* ---- timer ---- */
void hub_watches_arm(struct hub_watches *watches)
{
    struct fed_loop *loop = watches->api->options.loop;

    if (watches->timer_set || (!watches->list && !watches->touches))
        return;
    watches->timer_set = true;
    loop->timer_set(loop->ctx, watches->timer, fed_loop_now_ms(loop) + TICK_MS);
}

/* ---- bookmarks, deadlines ---- */
static void watches_tick(struct hub_watches *watches, uint64_t now_ms)
{
    uint64_t revision = hub_objects_revision(watches->api->objects);
    uint64_t generation = hub_kinds_generation(watches->api->kinds);
    bool kinds_moved = generation != watches->kinds_generation;
    struct hub_view view;

    watches->kinds_generation = generation;
    watches->busy = true;
    for (struct hub_watch *w = watches->list; w; w = w->next) {
        if (w->exchange && kinds_moved && !hub_watch_view(w, &view))
            hub_watch_over(w, true); /* its kind is not served any more */
        if (w->exchange && w->deadline_ms != 0 && now_ms >= w->deadline_ms)
            hub_watch_over(w, true);
        if (w->exchange && now_ms - w->checked_ms >= HUB_WATCH_CHECK_MS) {
            w->checked_ms = now_ms;
            if (!hub_watch_right_holds(w))
                hub_watch_over(w, true); /* whoever asks again is told why */
        }
        if (w->exchange && w->bookmarks && now_ms - w->bookmark_ms >= BOOKMARK_MS) {
            w->bookmark_ms = now_ms;
            if (revision > w->revision)
                hub_watch_bookmark(w, revision, false);
        }
    }
    watches->busy = false;
    hub_watches_sweep(watches);
}

static void tick(void *ctx)
{
    struct hub_watches *watches = ctx;
    uint64_t now_ms = fed_loop_now_ms(watches->api->options.loop);

    watches->timer_set = false;
    (void)hub_objects_flush(watches->api->objects, NULL); /* only what is durable is told */
    hub_touches_tick(watches, now_ms);
    watches_tick(watches, now_ms);
    hub_watches_arm(watches);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_watches *watches = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        hub_watches_touched(watches, change);
    else
        hub_watches_change(watches, change);
}

/* ---- all of them ---- */
enum fed_err hub_watches_open(struct hub_api *api, struct hub_watches **out)
{
    struct fed_loop *loop = api->options.loop;
    struct hub_watches *watches = fed_alloc_zero(api->mem, sizeof *watches);
    enum fed_err err;

    if (!watches)
        return FED_ERR_NOMEM;
    watches->api = api;
    fed_map_init(&watches->watchers, api->mem);
    fed_map_init(&watches->touched, api->mem);
    err = loop->timer_new(loop->ctx, tick, watches, &watches->timer);
    if (!err)
        err = hub_objects_subscribe(
            api->objects, (struct fed_span){0}, changed, watches, &watches->subscription);
    if (err) {
        loop->timer_free(loop->ctx, watches->timer);
        fed_alloc_free(api->mem, watches, sizeof *watches);
        return err;
    }
    *out = watches;
    return FED_OK;
}

size_t hub_watches_count(const struct hub_watches *watches)
{
    return watches->n;
}

void hub_watches_stop(struct hub_watches *watches)
{
    if (!watches->stopped)
        hub_touches_tell(watches);
    watches->stopped = true;
    for (struct hub_watch *w = watches->list; w; w = w->next)
        hub_watch_over(w, true);
    if (!watches->busy)
        hub_watches_sweep(watches);
}

void hub_watches_close(struct hub_watches *watches)
{
    struct fed_loop *loop;

    if (!watches)
        return;
    loop = watches->api->options.loop;
    hub_watches_stop(watches);
    hub_objects_unsubscribe(watches->subscription);
    loop->timer_free(loop->ctx, watches->timer);
    hub_touches_free(watches);
    fed_map_fini(&watches->watchers);
    fed_alloc_free(watches->api->mem, watches, sizeof *watches);
}

void hub_watches_closed(struct hub_watches *watches, struct fed_http_exchange *exchange)
{
    struct hub_watch *w = fed_http_exchange_user(exchange);

    if (!w)
        return;
    w->exchange = NULL;
    watches->n--;
    if (!watches->busy)
        hub_watches_sweep(watches);
}
