/* observe.c - see observe.h: when which kind is tried, and what is done with what came. */
#include "agent/observe_inner.h"

#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 30000u
#define STRAYS_RETRY_CEILING_MS 600000u /* the member may well have no such kind */

uint64_t observe_now(const struct agent_observe *o)
{
    return fed_loop_now_ms(o->ports.loop);
}

/* ---- when ---- */

/* UINT64_MAX: an answer or an event comes first. */
static uint64_t next_look(const struct kind *k)
{
    switch (k->state) {
    case KIND_WAITING:
        return k->due_ms;
    case KIND_WATCHING:
        return k->heard_ms + AGENT_WATCH_SILENT_MS;
    default:
        return UINT64_MAX;
    }
}

void observe_arm(struct agent_observe *o)
{
    uint64_t next_ms = UINT64_MAX;

    agent_timer_stop(&o->ports, o->timer);
    for (size_t i = 0; i < o->n_kinds; i++) {
        uint64_t look_ms = next_look(o->kinds[i]);

        next_ms = look_ms < next_ms ? look_ms : next_ms;
    }
    if (next_ms != UINT64_MAX && !o->paused)
        agent_timer_at(&o->ports, o->timer, next_ms);
}

void observe_retry(struct kind *k, unsigned asked_s)
{
    struct agent_observe *o = k->observe;

    k->paid = false;
    k->state = KIND_WAITING;
    k->due_ms = agent_retry_failed(&k->retry, observe_now(o), RETRY_FLOOR_MS,
        k->strays_only ? STRAYS_RETRY_CEILING_MS : RETRY_CEILING_MS, agent_spread(&o->ports),
        asked_s > 600 ? 600000u : asked_s * 1000u);
    observe_arm(o);
}

void observe_succeeded(struct kind *k)
{
    if (k->paid)
        agent_budget_give(&k->observe->retries, AGENT_KIND_RETRY_RATE, AGENT_RETRY_GAIN);
    k->paid = false;
    agent_retry_reset(&k->retry);
}

void observe_log(struct kind *k, const char *what, const char *why)
{
    fed_log(k->observe->ports.log,
        k->retry.attempts <= 1 && !k->strays_only ? FED_LOG_WARN : FED_LOG_DEBUG,
        "%s " FED_SPAN_FMT ": %s", what, FED_SPAN_ARG(k->plural), why);
}

/* Kinds share what the API server may be asked while it fails. */
static bool may_try(struct kind *k, uint64_t now_ms)
{
    if (k->retry.attempts == 0)
        return true;
    k->paid = agent_budget_take(&k->observe->retries, AGENT_KIND_RETRY_RATE, now_ms, &k->due_ms);
    return k->paid;
}

/* Silent for so long that the connection may live and the watch not, or that it waits for a version
 * that is not there: bookmarks come each minute or so (Kubernetes API concepts, "Watch bookmarks";
 * how often is not promised). */
static void renew(struct kind *k)
{
    observe_stop(k);
    observe_doubt(k);
    if (k->rv[0])
        observe_watch(k);
    else
        observe_list(k, (struct fed_span){0});
}

static void look_at(struct kind *k, uint64_t now_ms)
{
    if (next_look(k) > now_ms)
        return;
    if (k->state == KIND_WATCHING)
        renew(k);
    else if (!may_try(k, now_ms))
        return;
    else if (k->rv[0])
        observe_watch(k);
    else
        observe_list(k, (struct fed_span){0});
}

/* By turns: the first kinds, failing for ever, would leave nothing of the budget for the others. */
static void on_timer(void *ctx)
{
    struct agent_observe *o = ctx;
    uint64_t now_ms = observe_now(o);
    size_t first = o->turn;

    for (size_t i = 0; i < o->n_kinds && !o->paused; i++) {
        size_t at = (first + i) % o->n_kinds;
        bool paid = o->kinds[at]->paid;

        look_at(o->kinds[at], now_ms);
        if (o->kinds[at]->paid && !paid)
            o->turn = at + 1;
    }
    observe_arm(o);
}

/* ---- what came ---- */

struct agent_entry *observe_entry(struct kind *k, const struct agent_seen *seen)
{
    struct fed_work work = {
        .api_version = k->api_version, .kind = k->kind, .ns = seen->ns, .name = seen->name};

    return agent_table_find(k->observe->table, &work);
}

/* With the label and of no work, present or past. What an older bundle does not know may be in the
 * one that is to come. */
void observe_stray(struct kind *k, const struct agent_seen *seen)
{
    struct fed_work work = {
        .api_version = k->api_version, .plural = k->plural, .ns = seen->ns, .name = seen->name};

    if (seen->deleting || !fed_span_is(seen->managed, "true"))
        return;
    if (!k->observe->events.current(k->observe->events.ctx) ||
        !agent_stray_release(k->observe->stray, &work, seen))
        k->strays = true;
}

/* ---- life ---- */

void agent_observe_current(struct agent_observe *o)
{
    observe_stray_room(o);
}

void agent_observe_pause(struct agent_observe *o)
{
    o->paused = true;
    for (size_t i = 0; i < o->n_kinds; i++) { /* whose watch had ended in good order before */
        if (o->kinds[i]->state == KIND_WAITING)
            observe_doubt(o->kinds[i]);
    }
    observe_arm(o);
}

void agent_observe_resume(struct agent_observe *o)
{
    uint64_t now_ms = observe_now(o);

    o->paused = false;
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (o->kinds[i]->state != KIND_WAITING)
            continue;
        o->kinds[i]->due_ms = now_ms;
        agent_retry_reset(&o->kinds[i]->retry);
    }
    observe_arm(o);
}

enum fed_err agent_observe_new(const struct agent_ports *ports, struct agent_table *table,
    struct agent_apply *apply, const struct agent_observe_events *events,
    struct agent_observe **out)
{
    struct agent_observe *o = fed_alloc_zero(ports->mem, sizeof *o);
    enum fed_err err;

    if (!o)
        return FED_ERR_NOMEM;
    o->ports = *ports;
    o->table = table;
    o->apply = apply;
    o->events = *events;
    err = agent_stray_new(ports, observe_stray_room, o, &o->stray);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_timer, o, &o->timer);
    if (err) {
        agent_stray_free(o->stray);
        fed_alloc_free(ports->mem, o, sizeof *o);
        return err;
    }
    *out = o;
    return FED_OK;
}

void agent_observe_free(struct agent_observe *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_kinds; i++)
        observe_kind_free(o, o->kinds[i]);
    agent_stray_free(o->stray);
    agent_federated_fini(&o->federated, o->ports.mem);
    fed_alloc_free(o->ports.mem, o->kinds, o->cap_kinds * sizeof(struct kind *));
    o->ports.loop->timer_free(o->ports.loop->ctx, o->timer);
    fed_alloc_free(o->ports.mem, o, sizeof *o);
}

void agent_observe_each_waiting(const struct agent_observe *o,
    void (*each)(
        void *ctx, struct fed_span plural, unsigned attempts, uint64_t next_ms, uint32_t limit_s),
    void *ctx)
{
    for (size_t i = 0; i < o->n_kinds && !o->paused; i++) {
        const struct kind *k = o->kinds[i];

        if (k->state == KIND_WAITING && k->retry.attempts > 1 && !k->strays_only)
            each(ctx, k->plural, k->retry.attempts, k->due_ms, RETRY_CEILING_MS / 1000);
    }
}
