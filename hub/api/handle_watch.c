/* handle_watch.c - watches: one list of them, fed by one subscription to the store.
 *
 * An event is made from the change's bytes, composed and converted as a get would show it: once for
 * all watchers that see it in the same form, who share its bytes. Touches (composed status) are
 * sent at most once a second and object: at once when quiet, then gathered. */
#include "hub/api/options.h"
#include "proto/base/map.h"
#include "proto/object/json_text.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS 1000u
#define BOOKMARK_BYTES_MAX (1u << 20) /* with the columns of a table */
#define BOOKMARK_MS 60000u
#define WATCH_MEMORY (1u << 20) /* the longest selector that parses takes less */
#define TOUCHES_MAX 100000u

struct watcher { /* a user who has watches */
    size_t n;
    size_t bytes; /* that they hold */
    char name[sizeof((struct hub_user *)0)->name];
};

struct hub_watch {
    struct hub_watch *next;
    struct hub_watches *owner;
    struct watcher *watcher;
    struct fed_http_exchange *exchange; /* NULL: over, to be swept */
    struct fed_arena arena;
    size_t bytes; /* of the arena, as counted */
    struct fed_span group;
    struct fed_span plural;
    struct fed_span version;
    char resource[320];
    struct fed_span ns;
    struct fed_span include_object;
    struct fed_selector *labels;
    struct hub_field_selector fields;
    enum hub_form form;
    bool beta; /* see hub_view */
    bool bookmarks;
    bool columns_sent;
    uint64_t deadline_ms; /* 0: none */
    uint64_t bookmark_ms;
    uint64_t revision; /* of the last event or bookmark */
    uint64_t since;    /* events up to it are known to the client */
};

struct touch { /* an object whose composed part changed within the last second */
    struct touch *next;
    bool dirty;
    uint64_t revision;
    uint64_t sent_ms;
    size_t size;
    struct hub_object_ref ref;
    uint8_t bytes[];
};

struct hub_watches {
    struct hub_api *api;
    struct hub_watch *list;
    size_t n;
    size_t bytes;            /* that all of them hold */
    struct fed_map watchers; /* by user name */
    struct touch *touches;
    size_t n_touches;
    struct hub_subscription *subscription;
    struct fed_timer *timer;
    uint64_t kinds_generation; /* for which every watch was looked at */
    bool timer_set;
    bool busy; /* the list is being walked: do not free */
    bool stopped;
};

static bool watch_view(const struct hub_watch *w, struct hub_view *view)
{
    struct hub_api *api = w->owner->api;

    view->api = api;
    view->beta = w->beta;
    view->kind = hub_kinds_find(api->kinds, w->group, w->plural);
    view->version = view->kind ? hub_kind_version_find(view->kind, w->version) : NULL;
    return view->version != NULL;
}

/* ---- one change, for all watchers that want it ---- */
struct seen { /* as one served version shows it */
    struct seen *next;
    struct hub_view view; /* version NULL: not served any more */
    struct fed_span group;
    struct fed_span name; /* of the version */
    bool plain;           /* the text is enough */
    struct fed_span metadata;
    struct fed_json *object; /* the tree, once it was needed */
    uint64_t revision;
};

struct line { /* an event as it is sent */
    struct line *next;
    const struct seen *seen;
    const char *type;
    enum hub_form form;
    bool beta;
    bool columns;
    struct fed_span include_object;
    struct fed_http_shared *bytes;
};

struct fanout {
    struct hub_api *api;
    const struct hub_change *change;
    struct fed_arena arena;
    struct fed_json_doc *doc; /* once a tree was needed */
    struct fed_json *before;
    struct seen *seen;
    struct line *lines;
};

static void fanout_init(struct fanout *f, struct hub_api *api, const struct hub_change *change)
{
    *f = (struct fanout){.api = api, .change = change};
    fed_arena_init(&f->arena, api->mem, HUB_LIMIT_REQUEST_MEMORY);
}

static void fanout_fini(struct fanout *f)
{
    for (struct line *line = f->lines; line; line = line->next)
        fed_http_shared_unref(line->bytes);
    fed_json_doc_free(f->doc);
    fed_arena_fini(&f->arena);
}

static enum fed_err fanout_doc(struct fanout *f)
{
    return f->doc ? FED_OK : fed_json_doc_new(&f->arena.alloc, &f->doc);
}

/* At the latest. The change of an object that is removed does not tell when it was written. */
static uint64_t written_at(const struct hub_kind *kind, const struct hub_change *change)
{
    return change->type == HUB_CHANGE_DELETED && kind->schema_moved ? 0 : change->revision;
}

/* NULL when memory is out. */
static struct seen *seen_by(struct fanout *f, const struct hub_watch *w)
{
    struct seen *seen = f->seen;

    /* Two groups can show the same objects: both Events are of a version v1. */
    while (seen && (!fed_span_eq(seen->name, w->version) || !fed_span_eq(seen->group, w->group)))
        seen = seen->next;
    if (seen)
        return seen;
    seen = fed_alloc_zero(&f->arena.alloc, sizeof *seen);
    if (!seen)
        return NULL;
    *seen = (struct seen){
        .next = f->seen, .group = w->group, .name = w->version, .revision = f->change->revision};
    f->seen = seen;
    if (watch_view(w, &seen->view))
        seen->plain = hub_object_is_plain(
            &seen->view, f->change->bytes, written_at(seen->view.kind, f->change), &seen->metadata);
    return seen;
}

static enum fed_err seen_tree(struct fanout *f, struct seen *seen)
{
    const struct hub_change *change = f->change;
    const struct hub_kind *kind = seen->view.kind;
    enum fed_err err = seen->object ? FED_OK : fanout_doc(f);

    if (err || seen->object)
        return err;
    err = hub_object_view(
        &seen->view, f->doc, &change->ref, change->bytes, &seen->revision, &seen->object, NULL);
    return err ? err : hub_object_renew(kind, written_at(kind, change), f->doc, seen->object);
}

/* ---- does it match ---- */
static bool selects_all(const struct hub_watch *w)
{
    return w->fields.n == 0 && fed_selector_is_everything(w->labels);
}

static bool matches_tree(const struct hub_watch *w, const struct fed_json *object)
{
    return fed_selector_match(w->labels, fed_json_find(object, "metadata.labels")) &&
           hub_field_selector_match(&w->fields, object);
}

static bool matches_text(
    const struct hub_watch *w, const struct hub_object_ref *ref, struct fed_span metadata)
{
    struct fed_span labels;

    (void)fed_json_text_member(metadata, "labels", &labels);
    return fed_selector_match_text(w->labels, labels) &&
           hub_field_selector_match_ref(&w->fields, ref);
}

static enum fed_err matches_now(
    struct fanout *f, struct seen *seen, const struct hub_watch *w, bool *out)
{
    enum fed_err err;

    *out = true;
    if (selects_all(w))
        return FED_OK;
    if (seen->plain && hub_field_selector_is_of_ref(&w->fields)) {
        *out = matches_text(w, &f->change->ref, seen->metadata);
        return FED_OK;
    }
    err = seen_tree(f, seen);
    if (!err)
        *out = matches_tree(w, seen->object);
    return err;
}

/* What was before is known except to watchers that resume far back: then it counts as matching. */
static bool matched_before(struct fanout *f, const struct hub_watch *w)
{
    const struct hub_change *change = f->change;
    struct fed_span metadata;

    if (selects_all(w) || change->before.len == 0)
        return true;
    if (hub_field_selector_is_of_ref(&w->fields) &&
        fed_json_text_member(change->before, "metadata", &metadata))
        return matches_text(w, &change->ref, metadata);
    if (!f->before && (fanout_doc(f) || fed_json_parse(f->doc, change->before, &f->before, NULL)))
        return true;
    return matches_tree(w, f->before);
}

/* ADDED, MODIFIED or DELETED as this watcher's selectors see the change; NULL: nothing. */
static const char *event_type(struct fanout *f, const struct hub_watch *w, bool matches)
{
    switch (f->change->type) {
    case HUB_CHANGE_DELETED:
        return matches ? "DELETED" : NULL;
    case HUB_CHANGE_ADDED:
        return matches ? "ADDED" : NULL;
    case HUB_CHANGE_TOUCHED:
        return matches ? "MODIFIED" : NULL;
    case HUB_CHANGE_MODIFIED:
        break;
    }
    if (!matched_before(f, w))
        return matches ? "ADDED" : NULL;
    return matches ? "MODIFIED" : "DELETED";
}

/* ---- the event's bytes ---- */
static void put_tree(
    struct fanout *f, const struct line *line, const struct seen *seen, struct fed_buf *out)
{
    struct hub_view view = seen->view;
    struct fed_json *partial;

    view.beta = line->beta;
    if (line->form == HUB_FORM_TABLE) {
        hub_table_begin(out, &view, line->columns);
        hub_table_row(
            out, &view, seen->object, line->include_object, fed_loop_unix_s(f->api->options.loop));
        hub_table_end(out, seen->revision, (struct fed_span){0}, -1);
        return;
    }
    partial = line->form == HUB_FORM_PARTIAL ? hub_object_partial(&view, f->doc, seen->object)
                                             : seen->object;
    if (!partial || fed_json_put(out, partial))
        out->err = out->err ? out->err : FED_ERR_NOMEM;
}

/* An object that went out of a watcher's sight is shown as it was when it was last seen. */
static enum fed_err put_last_seen(
    struct fanout *f, const struct line *line, const struct seen *seen, struct fed_buf *out)
{
    struct seen then = *seen;
    enum fed_err err = fanout_doc(f);

    if (!err)
        err = hub_object_view(&seen->view, f->doc, &f->change->ref, f->change->before,
            &then.revision, &then.object, NULL);
    if (!err)
        put_tree(f, line, &then, out);
    return err;
}

static enum fed_err put_line(
    struct fanout *f, const struct line *line, struct seen *seen, struct fed_buf *out)
{
    enum fed_err err = FED_OK;

    fed_buf_printf(out, "{\"type\":\"%s\",\"object\":", line->type);
    if (f->change->type == HUB_CHANGE_MODIFIED && strcmp(line->type, "DELETED") == 0 &&
        f->change->before.len > 0) {
        err = put_last_seen(f, line, seen, out);
    } else if (seen->plain && line->form == HUB_FORM_OBJECT) {
        hub_object_put_plain(out, f->change->bytes, seen->metadata, 0, seen->revision);
    } else {
        err = seen_tree(f, seen);
        if (!err)
            put_tree(f, line, seen, out);
    }
    fed_buf_put_text(out, "}\n");
    return err ? err : fed_buf_err(out);
}

static bool same_line(const struct line *a, const struct line *b)
{
    return a->seen == b->seen && a->type == b->type && a->form == b->form && a->beta == b->beta &&
           a->columns == b->columns && fed_span_eq(a->include_object, b->include_object);
}

/* The event in the form that the watcher asked for, made when nobody had it yet. */
static enum fed_err line_for(struct fanout *f, struct seen *seen, const struct hub_watch *w,
    const char *type, struct fed_http_shared **out)
{
    const struct line wanted = {.next = f->lines,
        .seen = seen,
        .type = type,
        .form = w->form,
        .beta = w->beta,
        .columns = w->form == HUB_FORM_TABLE && !w->columns_sent,
        .include_object = w->form == HUB_FORM_TABLE ? w->include_object : (struct fed_span){0}};
    struct line *line = f->lines;
    struct fed_buf bytes;
    enum fed_err err;

    while (line && !same_line(line, &wanted))
        line = line->next;
    if (!line) {
        line = fed_alloc_get(&f->arena.alloc, sizeof *line);
        if (!line)
            return FED_ERR_NOMEM;
        *line = wanted;
        fed_buf_init(&bytes, f->api->mem, HUB_LIMIT_ANSWER_BYTES);
        err = put_line(f, line, seen, &bytes);
        line->bytes = err ? NULL : fed_http_shared_take(&bytes);
        fed_buf_fini(&bytes);
        if (!line->bytes)
            return err ? err : FED_ERR_NOMEM;
        f->lines = line;
    }
    *out = line->bytes;
    return FED_OK;
}

/* The exchange ended: by us (then it is ended in order) or by the peer. */
static void watch_over(struct hub_watch *w, bool end)
{
    struct fed_http_exchange *exchange = w->exchange;

    if (!exchange)
        return;
    w->exchange = NULL;
    w->owner->n--;
    /* One that was cut is closed later, when the watch is no more. */
    fed_http_exchange_set_user(exchange, NULL);
    if (end)
        fed_http_stream_end(exchange);
}

/* What a write to the exchange said. */
static void watch_wrote(struct hub_watch *w, enum fed_err err)
{
    if (err && w->exchange)
        watch_over(w, false); /* cut for falling behind, or gone already */
}

static void watch_send(struct hub_watch *w, struct fed_buf *line)
{
    if (!w->exchange)
        return;
    if (fed_buf_err(line))
        watch_over(w, true); /* the client lists again */
    else
        watch_wrote(w, fed_http_stream_write(w->exchange, fed_buf_span(line)));
}

static void watch_status(struct hub_watch *w, const char *message)
{
    struct fed_buf line;

    fed_buf_init(&line, w->owner->api->mem, 4096);
    fed_buf_printf(&line,
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
        "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"Expired\",\"code\":410}}\n",
        message);
    watch_send(w, &line);
    fed_buf_fini(&line);
    watch_over(w, true);
}

static enum fed_err watch_event(struct fanout *f, struct hub_watch *w, struct seen *seen)
{
    struct fed_http_shared *bytes;
    const char *type;
    bool matches;
    enum fed_err err = matches_now(f, seen, w, &matches);

    type = err ? NULL : event_type(f, w, matches);
    if (!type)
        return err;
    err = line_for(f, seen, w, type, &bytes);
    if (err)
        return err;
    w->revision = seen->revision;
    w->columns_sent = true;
    watch_wrote(w, fed_http_stream_share(w->exchange, bytes));
    return FED_OK;
}

static void watch_change(struct fanout *f, struct hub_watch *w)
{
    struct seen *seen = seen_by(f, w);

    if (seen && !seen->view.version)
        watch_status(w, "the resource is no longer served");
    else if (!seen || watch_event(f, w, seen))
        watch_over(w, true); /* the client lists again */
}

/* A change for one watcher alone. */
static void watch_change_alone(struct hub_watch *w, const struct hub_change *change)
{
    struct fanout f;

    fanout_init(&f, w->owner->api, change);
    watch_change(&f, w);
    fanout_fini(&f);
}

static bool watch_wants(const struct hub_watch *w, const struct hub_object_ref *ref)
{
    return w->exchange && fed_span_is(ref->resource, w->resource) &&
           (w->ns.len == 0 || fed_span_eq(w->ns, ref->ns));
}

/* ---- whose ---- */
static struct watcher *watcher_find(const struct hub_watches *watches, const struct hub_user *user)
{
    return fed_map_get(&watches->watchers, fed_span_text(user->name));
}

/* One more watch of that user; NULL when memory is out. */
static struct watcher *watcher_take(struct hub_watches *watches, const struct hub_user *user)
{
    struct fed_alloc *mem = watches->api->mem;
    struct watcher *watcher = watcher_find(watches, user);

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

static void watcher_drop(struct hub_watches *watches, struct watcher *watcher)
{
    if (!watcher || --watcher->n > 0)
        return;
    (void)fed_map_remove(&watches->watchers, fed_span_text(watcher->name));
    fed_alloc_free(watches->api->mem, watcher, sizeof *watcher);
}

/* ---- freeing ---- */
static void watch_free(struct hub_watch *w)
{
    struct fed_alloc *mem = w->owner->api->mem;

    w->owner->bytes -= w->bytes;
    if (w->watcher)
        w->watcher->bytes -= w->bytes;
    watcher_drop(w->owner, w->watcher);
    fed_arena_fini(&w->arena);
    fed_alloc_free(mem, w, sizeof *w);
}

static void sweep(struct hub_watches *watches)
{
    struct hub_watch **at = &watches->list;

    while (*at) {
        struct hub_watch *w = *at;

        if (w->exchange) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        watch_free(w);
    }
}

static void each_wanting(struct hub_watches *watches, const struct hub_change *change)
{
    bool outer = !watches->busy;
    struct fanout f;

    watches->busy = true;
    fanout_init(&f, watches->api, change);
    for (struct hub_watch *w = watches->list; w; w = w->next)
        if (watch_wants(w, &change->ref) &&
            (change->type == HUB_CHANGE_TOUCHED || change->revision > w->since))
            watch_change(&f, w);
    fanout_fini(&f);
    if (outer) {
        watches->busy = false;
        sweep(watches);
    }
}

/* ---- timer ---- */
static void arm(struct hub_watches *watches)
{
    struct fed_loop *loop = watches->api->options.loop;

    if (watches->timer_set || (!watches->list && !watches->touches))
        return;
    watches->timer_set = true;
    loop->timer_set(loop->ctx, watches->timer, fed_loop_now_ms(loop) + TICK_MS);
}

/* ---- touches ---- */
static bool same_ref(const struct hub_object_ref *a, const struct hub_object_ref *b)
{
    return fed_span_eq(a->name, b->name) && fed_span_eq(a->ns, b->ns) &&
           fed_span_eq(a->resource, b->resource);
}

static struct touch *touch_new(struct fed_alloc *mem, const struct hub_object_ref *ref)
{
    size_t size = sizeof(struct touch) + ref->resource.len + ref->ns.len + ref->name.len;
    struct touch *touch = fed_alloc_zero(mem, size);
    const struct fed_span parts[3] = {ref->resource, ref->ns, ref->name};
    struct fed_span copies[3];
    size_t used = 0;

    if (!touch)
        return NULL;
    for (size_t i = 0; i < 3; i++) {
        copies[i] = fed_span_of(touch->bytes + used, parts[i].len);
        if (parts[i].len > 0)
            memcpy(touch->bytes + used, parts[i].at, parts[i].len);
        used += parts[i].len;
    }
    touch->size = size;
    touch->ref = (struct hub_object_ref){copies[0], copies[1], copies[2]};
    return touch;
}

static bool anybody_wants(const struct hub_watches *watches, const struct hub_object_ref *ref)
{
    for (const struct hub_watch *w = watches->list; w; w = w->next)
        if (watch_wants(w, ref))
            return true;
    return false;
}

static void touched(struct hub_watches *watches, const struct hub_change *change)
{
    struct touch *touch = watches->touches;

    if (!anybody_wants(watches, &change->ref))
        return;
    while (touch && !same_ref(&touch->ref, &change->ref))
        touch = touch->next;
    if (touch) {
        touch->dirty = true;
        touch->revision = change->revision;
        return;
    }
    each_wanting(watches, change);
    touch = watches->n_touches < TOUCHES_MAX ? touch_new(watches->api->mem, &change->ref) : NULL;
    if (!touch)
        return; /* no memory of it: the next touch is sent at once as well */
    touch->sent_ms = fed_loop_now_ms(watches->api->options.loop);
    touch->next = watches->touches;
    watches->touches = touch;
    watches->n_touches++;
    arm(watches);
}

static void touch_send(struct hub_watches *watches, const struct touch *touch)
{
    struct hub_change change = {
        .type = HUB_CHANGE_TOUCHED, .ref = touch->ref, .revision = touch->revision};
    struct fed_buf bytes;
    uint64_t revision;

    fed_buf_init(&bytes, watches->api->mem, FED_STORE_VALUE_MAX);
    if (!hub_objects_get(watches->api->objects, &touch->ref, &bytes, &revision)) {
        if (revision > change.revision)
            change.revision = revision;
        change.bytes = fed_buf_span(&bytes);
        change.before = change.bytes;
        each_wanting(watches, &change);
    }
    fed_buf_fini(&bytes);
}

static void touches_tick(struct hub_watches *watches, uint64_t now_ms)
{
    struct touch **at = &watches->touches;

    while (*at) {
        struct touch *touch = *at;

        if (now_ms - touch->sent_ms < TICK_MS) {
            at = &touch->next;
        } else if (touch->dirty) {
            touch->dirty = false;
            touch->sent_ms = now_ms;
            touch_send(watches, touch);
            at = &touch->next;
        } else {
            *at = touch->next;
            watches->n_touches--;
            fed_alloc_free(watches->api->mem, touch, touch->size);
        }
    }
}

/* ---- bookmarks, deadlines ---- */
/* An object of the kind of which nothing is known but the version. */
static struct fed_json *bookmark_object(
    struct fed_json_doc *doc, const struct hub_view *view, uint64_t revision, bool initial)
{
    struct fed_json *object = fed_json_new_object(doc);
    struct fed_json *metadata = object ? fed_json_ensure_object(doc, object, "metadata") : NULL;
    char api_version[330];
    char version[24];

    hub_api_version(view->kind, view->version, api_version);
    snprintf(version, sizeof version, "%llu", (unsigned long long)revision);
    if (!metadata || fed_json_set_text(doc, object, "kind", view->kind->kind) ||
        fed_json_set_text(doc, object, "apiVersion", api_version) ||
        fed_json_set_text(doc, metadata, "resourceVersion", version))
        return NULL;
    if (initial && fed_json_set_text(doc, fed_json_ensure_object(doc, metadata, "annotations"),
                       "k8s.io/initial-events-end", "true"))
        return NULL;
    return object;
}

static enum fed_err put_bookmark(struct hub_watch *w, struct fed_json_doc *doc,
    const struct hub_view *view, uint64_t revision, bool initial, struct fed_buf *line)
{
    struct fed_json *object = bookmark_object(doc, view, revision, initial);

    if (object && w->form == HUB_FORM_PARTIAL)
        object = hub_object_partial(view, doc, object);
    if (!object)
        return FED_ERR_NOMEM;
    fed_buf_put_text(line, "{\"type\":\"BOOKMARK\",\"object\":");
    if (w->form == HUB_FORM_TABLE) {
        hub_table_begin(line, view, !w->columns_sent);
        hub_table_row(
            line, view, object, (struct fed_span){0}, fed_loop_unix_s(w->owner->api->options.loop));
        hub_table_end(line, revision, (struct fed_span){0}, -1);
        w->columns_sent = true;
    } else if (fed_json_put(line, object)) {
        return FED_ERR_NOMEM;
    }
    fed_buf_put_text(line, "}\n");
    return fed_buf_err(line);
}

static void watch_bookmark(struct hub_watch *w, uint64_t revision, bool initial)
{
    struct hub_view view;
    struct fed_json_doc *doc;
    struct fed_buf line;

    if (!watch_view(w, &view) || fed_json_doc_new(w->owner->api->mem, &doc))
        return;
    fed_buf_init(&line, w->owner->api->mem, BOOKMARK_BYTES_MAX);
    if (!put_bookmark(w, doc, &view, revision, initial, &line)) {
        w->revision = revision;
        watch_send(w, &line);
    }
    fed_buf_fini(&line);
    fed_json_doc_free(doc);
}

static void watches_tick(struct hub_watches *watches, uint64_t now_ms)
{
    uint64_t revision = hub_objects_revision(watches->api->objects);
    uint64_t generation = hub_kinds_generation(watches->api->kinds);
    bool kinds_moved = generation != watches->kinds_generation;
    struct hub_view view;

    watches->kinds_generation = generation;
    watches->busy = true;
    for (struct hub_watch *w = watches->list; w; w = w->next) {
        if (w->exchange && kinds_moved && !watch_view(w, &view))
            watch_over(w, true); /* its kind is not served any more */
        if (w->exchange && w->deadline_ms != 0 && now_ms >= w->deadline_ms)
            watch_over(w, true);
        if (w->exchange && w->bookmarks && now_ms - w->bookmark_ms >= BOOKMARK_MS) {
            w->bookmark_ms = now_ms;
            if (revision > w->revision)
                watch_bookmark(w, revision, false);
        }
    }
    watches->busy = false;
    sweep(watches);
}

static void tick(void *ctx)
{
    struct hub_watches *watches = ctx;
    uint64_t now_ms = fed_loop_now_ms(watches->api->options.loop);

    watches->timer_set = false;
    (void)hub_objects_flush(watches->api->objects, NULL); /* only what is durable is told */
    touches_tick(watches, now_ms);
    watches_tick(watches, now_ms);
    arm(watches);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_watches *watches = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        touched(watches, change);
    else
        each_wanting(watches, change);
}

/* ---- a new watch ---- */
struct start {
    struct hub_watch *w;
    uint64_t since;
};

static bool start_each(void *ctx, const struct hub_object *object)
{
    struct start *start = ctx;
    struct hub_change change = {
        HUB_CHANGE_ADDED, object->ref, object->bytes, {0}, object->revision};

    watch_change_alone(start->w, &change);
    return start->w->exchange != NULL;
}

static void resume_each(void *ctx, const struct hub_change *change)
{
    struct start *start = ctx;

    if (watch_wants(start->w, &change->ref))
        watch_change_alone(start->w, change);
}

/* Objects whose composed part moved since: their stored bytes are older, so the history does not
 * name them. */
static bool resume_composed(void *ctx, const struct hub_object *object)
{
    struct start *start = ctx;
    struct hub_change change = {
        HUB_CHANGE_TOUCHED, object->ref, object->bytes, object->bytes, object->revision};
    struct hub_view view;
    struct fed_json_doc *doc;
    struct fed_json *tree;
    uint64_t revision = object->revision;

    if (object->revision > start->since || !watch_view(start->w, &view))
        return true;
    if (fed_json_doc_new(start->w->owner->api->mem, &doc))
        return false;
    if (!hub_object_view(&view, doc, &object->ref, object->bytes, &revision, &tree, NULL) &&
        revision > start->since)
        watch_change_alone(start->w, &change);
    fed_json_doc_free(doc);
    return start->w->exchange != NULL;
}

static enum fed_err copy_span(struct hub_watch *w, struct fed_span text, struct fed_span *out)
{
    uint8_t *copy = fed_alloc_get(&w->arena.alloc, text.len + 1);

    if (!copy)
        return FED_ERR_NOMEM;
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    *out = fed_span_of(copy, text.len);
    return FED_OK;
}

static enum fed_err watch_fill(struct hub_watch *w, struct hub_request *r)
{
    struct fed_span name_only = r->path.name;
    enum fed_err err = copy_span(w, r->path.group, &w->group);

    snprintf(w->resource, sizeof w->resource, "%s", r->kind->resource);
    w->form = r->accept.form;
    w->beta = r->accept.beta;
    w->bookmarks = r->query.allow_bookmarks;
    w->bookmark_ms = fed_loop_now_ms(r->api->options.loop);
    if (r->query.timeout_s > 0)
        w->deadline_ms =
            w->bookmark_ms + (r->query.timeout_s < 86400 ? r->query.timeout_s : 86400) * 1000;
    if (!err)
        err = copy_span(w, r->path.resource, &w->plural);
    if (!err)
        err = copy_span(w, fed_span_text(r->version->name), &w->version);
    if (!err)
        err = copy_span(w, r->path.ns, &w->ns);
    if (!err)
        err = copy_span(w, r->query.include_object, &w->include_object);
    if (!err)
        err = hub_field_selector_parse(r, &w->arena.alloc, r->query.field_selector, &w->fields);
    if (!err && name_only.len > 0 && w->fields.n < HUB_FIELD_TERMS_MAX) {
        w->fields.terms[w->fields.n].path = FED_SPAN_LIT("metadata.name");
        err = copy_span(w, name_only, &w->fields.terms[w->fields.n++].value);
    }
    if (err)
        return err;
    return hub_label_selector_parse(r, &w->arena.alloc, &w->labels);
}

/* Everything that is there, then the end of it when the client asked to be told. */
static enum fed_err start_initial(struct hub_watch *w, struct hub_request *r)
{
    struct start start = {w, 0};
    uint64_t revision = hub_objects_revision(r->api->objects);
    enum fed_err err = hub_objects_list(
        r->api->objects, fed_span_text(w->resource), w->ns, NULL, start_each, &start);

    w->revision = revision;
    if (!err && w->exchange && r->query.send_initial_events && w->bookmarks)
        watch_bookmark(w, revision, true);
    return err;
}

static enum fed_err start_resume(struct hub_watch *w, struct hub_request *r)
{
    struct start start = {w, r->query.resource_version};
    enum fed_err err;

    if (start.since >= hub_objects_revision(r->api->objects))
        return FED_OK;
    err = hub_objects_since(
        r->api->objects, fed_span_text(w->resource), start.since, resume_each, &start);
    if (!err && w->exchange && r->kind->hooks.compose)
        err = hub_objects_list(
            r->api->objects, fed_span_text(w->resource), w->ns, NULL, resume_composed, &start);
    return err;
}

static enum fed_err watch_begin(struct hub_watch *w, struct hub_request *r)
{
    struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/json")},
        {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-cache, private")},
        {FED_SPAN_LIT("audit-id"), fed_span_text(r->audit_id)},
    };
    enum fed_err err;

    hub_request_record(r, 200);
    r->answered = true;
    w->exchange = r->exchange;
    w->owner->n++;
    err = fed_http_stream_begin(r->exchange, 200, headers, 3);
    if (err) {
        watch_over(w, false);
        return FED_OK;
    }
    fed_http_exchange_set_user(r->exchange, w);
    return FED_OK;
}

static bool wants_initial(const struct hub_request *r)
{
    if (r->query.has_send_initial_events)
        return r->query.send_initial_events;
    return !r->query.has_resource_version || r->query.resource_version == 0;
}

/* What the new watch holds, against what all of them and those of its user may: it is counted
 * then. */
static enum fed_err count_bytes(struct hub_watch *w, struct hub_request *r)
{
    struct hub_watches *watches = w->owner;
    size_t bytes = w->arena.used;

    if (bytes > HUB_LIMIT_USER_WATCH_BYTES - w->watcher->bytes)
        hub_fail(r, 429, "TooManyRequests",
            "the selectors of the watches of user \"%s\" take %zu bytes, the limit of one user is "
            "%u: end some, or try again later",
            r->user.name, w->watcher->bytes, HUB_LIMIT_USER_WATCH_BYTES);
    else if (bytes > HUB_LIMIT_WATCH_BYTES - watches->bytes)
        hub_fail(r, 429, "TooManyRequests",
            "the selectors of all watches take %zu bytes, the limit of the hub is %u: try again "
            "later",
            watches->bytes, HUB_LIMIT_WATCH_BYTES);
    else {
        w->bytes = bytes;
        watches->bytes += bytes;
        w->watcher->bytes += bytes;
        return FED_OK;
    }
    r->failure.retry_after_s = 1;
    return FED_ERR_BUSY;
}

static enum fed_err check_room(struct hub_request *r)
{
    struct hub_watches *watches = r->api->watches;
    const struct watcher *watcher = watcher_find(watches, &r->user);

    if (watches->stopped)
        hub_fail(r, 503, "ServiceUnavailable", "the hub is shutting down");
    else if (watches->n >= HUB_LIMIT_WATCHES)
        hub_fail(r, 429, "TooManyRequests",
            "%u watches are open, the limit of the hub: try again later", HUB_LIMIT_WATCHES);
    else if (watcher && watcher->n >= HUB_LIMIT_USER_WATCHES)
        hub_fail(r, 429, "TooManyRequests",
            "user \"%s\" has %u watches open, the limit of one user: end some, or try again later",
            r->user.name, HUB_LIMIT_USER_WATCHES);
    else
        return FED_OK;
    r->failure.retry_after_s = 1;
    return FED_ERR_BUSY;
}

static enum fed_err check_start(struct hub_request *r)
{
    enum fed_err err = check_room(r);

    if (err)
        return err;
    /* A revision that has not been: of the store before it was restored from a backup. */
    if (r->query.has_resource_version &&
        r->query.resource_version > hub_objects_revision(r->api->objects))
        return hub_fail(r, 410, "Expired", "too old resource version: %llu is of another store",
            (unsigned long long)r->query.resource_version);
    return FED_OK;
}

enum fed_err hub_handle_watch(struct hub_request *r)
{
    struct hub_watches *watches = r->api->watches;
    struct hub_watch *w;
    enum fed_err err = hub_options_list(r);

    if (!err)
        err = hub_check_table_options(r);
    /* A stream cannot be held back: it begins with what is durable. */
    (void)hub_objects_flush(r->api->objects, NULL);
    if (!err)
        err = check_start(r);
    if (err)
        return err;
    w = fed_alloc_zero(r->api->mem, sizeof *w);
    if (!w)
        return FED_ERR_NOMEM;
    w->owner = watches;
    w->since = hub_objects_revision(r->api->objects);
    fed_arena_init(&w->arena, r->api->mem, WATCH_MEMORY);
    w->watcher = watcher_take(watches, &r->user);
    err = w->watcher ? watch_fill(w, r) : FED_ERR_NOMEM;
    if (!err)
        err = count_bytes(w, r);
    if (!err)
        err = watch_begin(w, r);
    if (err) {
        watch_free(w);
        return err;
    }
    w->next = watches->list;
    watches->list = w;
    watches->busy = true;
    err = wants_initial(r) ? start_initial(w, r) : start_resume(w, r);
    if (err && w->exchange)
        watch_status(w, "too old resource version");
    watches->busy = false;
    sweep(watches);
    arm(watches);
    return FED_OK;
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
    watches->stopped = true;
    for (struct hub_watch *w = watches->list; w; w = w->next)
        watch_over(w, true);
    if (!watches->busy)
        sweep(watches);
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
    while (watches->touches) {
        struct touch *touch = watches->touches;

        watches->touches = touch->next;
        fed_alloc_free(watches->api->mem, touch, touch->size);
    }
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
        sweep(watches);
}
