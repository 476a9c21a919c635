/* observe_watch.c - the watch of a kind: from a version on, kept alive by bookmarks, ended by the
 * API server, by an error, or by us when nothing came for too long (see observe.h). */
#include "agent/observe_inner.h"

#include "agent/path.h"

static void end(struct kind *k)
{
    k->observe->ports.kube->watch_cancel(k->observe->ports.kube->ctx, k->watch);
    k->watch = NULL;
}

/* ---- events ---- */

static void on_error(struct kind *k, const struct fed_json *status)
{
    int64_t code = fed_json_int(fed_json_get(status, "code"), 0);

    end(k);
    k->rv[0] = '\0';
    if (code == 410 && k->retry.attempts == 0) {
        k->retry.attempts = 1; /* should that list be too old again, wait */
        observe_list(k, (struct fed_span){0});
        return;
    }
    observe_retry(k, 0);
}

/* An event that cannot be read is an event that was missed. */
static void on_garbage(struct kind *k)
{
    end(k);
    k->rv[0] = '\0';
    observe_retry(k, 0);
    observe_log(k, "watch of", "an event cannot be read; listed again");
}

/* What an API server says of where it is tells that it was set back. Not all say so: since
 * Kubernetes 1.27 a watch hears of no version before the one that it was opened with. */
static bool is_behind(const struct kind *k, struct fed_span rv)
{
    uint64_t at;
    uint64_t told;

    return !fed_span_to_u64(fed_span_text(k->rv), &at) && !fed_span_to_u64(rv, &told) && told < at;
}

/* False: it cannot be read. */
static bool on_object(struct kind *k, struct fed_span type, const struct fed_json *object)
{
    struct agent_observe *o = k->observe;
    struct agent_seen seen;
    struct agent_entry *entry;
    struct fed_span rv = fed_json_string(fed_json_find(object, "metadata.resourceVersion"));

    if (fed_span_is(type, "BOOKMARK") && is_behind(k, rv)) {
        end(k);
        k->rv[0] = '\0';
        observe_list(k, (struct fed_span){0});
        return true;
    }
    if (rv.len > 0 && rv.len < sizeof k->rv && fed_span_to_cstr(rv, k->rv, sizeof k->rv))
        k->rv[0] = '\0';
    if (fed_span_is(type, "BOOKMARK"))
        return true;
    if (agent_seen_read(o->ports.mem, object, k->api_version, k->kind, &seen, NULL))
        return false;
    entry = observe_entry(k, &seen);
    if (!entry && !fed_span_is(type, "DELETED"))
        observe_stray(k, &seen);
    else if (entry && fed_span_is(type, "DELETED"))
        agent_apply_lost(o->apply, entry, seen.resource_version);
    else if (entry)
        agent_apply_seen(o->apply, entry, &seen);
    return true;
}

static void on_line(void *ctx, struct fed_span line)
{
    struct kind *k = ctx;
    struct fed_json_doc *doc = NULL;
    struct fed_json *event = NULL;
    struct fed_arena arena;
    struct fed_span type;

    k->heard_ms = observe_now(k->observe);
    fed_arena_init(&arena, k->observe->ports.mem, AGENT_OBJECT_ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc) == FED_OK &&
        fed_json_parse(doc, line, &event, NULL) == FED_OK) {
        type = fed_json_string(fed_json_get(event, "type"));
        if (fed_span_is(type, "ERROR"))
            on_error(k, fed_json_get(event, "object"));
        else if (!on_object(k, type, fed_json_get(event, "object")))
            on_garbage(k);
    } else {
        on_garbage(k);
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static void on_open(void *ctx)
{
    struct kind *k = ctx;

    k->opened_ms = k->heard_ms = observe_now(k->observe);
}

static void on_ended(
    void *ctx, enum fed_err err, const struct fed_kube_answer *refusal, const struct fed_diag *diag)
{
    struct kind *k = ctx;
    struct agent_observe *o = k->observe;

    k->watch = NULL;
    if (refusal) { /* 410 among the reasons */
        k->rv[0] = '\0';
        observe_retry(k, refusal->retry_after_s);
        observe_log(k, "watch of", diag && diag->text[0] ? diag->text : "refused");
    } else if (err) {
        observe_doubt(k);
        observe_retry(k, 0);
        o->events.trouble(o->events.ctx);
    } else if (observe_now(o) - k->opened_ms < AGENT_WATCH_SHORT_MS) {
        observe_retry(k, 0);
        o->events.trouble(o->events.ctx); /* it may be about to stop */
    } else {
        observe_succeeded(k);
        observe_watch(k);
    }
}

void observe_watch(struct kind *k)
{
    struct agent_observe *o = k->observe;
    struct fed_kube_watch_events events = {
        .ctx = k, .open = on_open, .line = on_line, .ended = on_ended};
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, o->ports.mem, PATH_MAX_BYTES);
    agent_path_put_kind(&path, k->api_version, k->plural);
    fed_buf_put_text(&path, "?" SELECTOR "&watch=true&allowWatchBookmarks=true&resourceVersion=");
    agent_path_put_escaped(&path, fed_span_text(k->rv));
    k->state = KIND_WATCHING;
    k->opened_ms = k->heard_ms = observe_now(o);
    err = fed_buf_err(&path);
    if (!err)
        err = o->ports.kube->watch(o->ports.kube->ctx, fed_buf_cstr(&path),
            k->full ? AGENT_ACCEPT_FULL : AGENT_ACCEPT_METADATA, &events, &k->watch);
    fed_buf_fini(&path);
    if (err) {
        k->watch = NULL;
        observe_doubt(k);
        observe_retry(k, 0);
        return;
    }
    observe_arm(o);
}
