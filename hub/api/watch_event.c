/* watch_event.c - what watches are told: events, bookmarks, and why they end.
 *
 * An event is made from the change's bytes, composed and converted as a get would show it: once for
 * all watchers that see it in the same form, who share its bytes. */
#include "hub/api/watch.h"
#include "proto/object/json_text.h"

#include <stdio.h>
#include <string.h>

#define BOOKMARK_BYTES_MAX (1u << 20) /* with the columns of a table */

bool hub_watch_view(const struct hub_watch *w, struct hub_view *view)
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
    uint64_t as; /* the revision that is said; 0: its own */
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
    if (hub_watch_view(w, &seen->view))
        seen->plain = hub_object_is_plain(
            &seen->view, f->change->bytes, written_at(seen->view.kind, f->change), &seen->metadata);
    return seen;
}

static enum fed_err say_revision(struct fanout *f, struct seen *seen)
{
    struct fed_json *metadata = fed_json_ensure_object(f->doc, seen->object, "metadata");
    char text[24];

    seen->revision = f->as;
    snprintf(text, sizeof text, "%llu", (unsigned long long)f->as);
    return metadata ? fed_json_set_text(f->doc, metadata, "resourceVersion", text) : FED_ERR_NOMEM;
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
    if (!err && f->as > 0)
        err = say_revision(f, seen);
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

void hub_watch_over(struct hub_watch *w, bool end)
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
        hub_watch_over(w, false); /* cut for falling behind, or gone already */
}

static void watch_send(struct hub_watch *w, struct fed_buf *line)
{
    if (!w->exchange)
        return;
    if (fed_buf_err(line))
        hub_watch_over(w, true); /* the client lists again */
    else
        watch_wrote(w, fed_http_stream_write(w->exchange, fed_buf_span(line)));
}

void hub_watch_status(struct hub_watch *w, const char *message)
{
    struct fed_buf line;

    fed_buf_init(&line, w->owner->api->mem, 4096);
    fed_buf_printf(&line,
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
        "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"Expired\",\"code\":410}}\n",
        message);
    watch_send(w, &line);
    fed_buf_fini(&line);
    hub_watch_over(w, true);
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
        hub_watch_status(w, "the resource is no longer served");
    else if (!seen || watch_event(f, w, seen))
        hub_watch_over(w, true); /* the client lists again */
}

void hub_watch_change_as(
    struct hub_watch *w, const struct hub_change *change, uint64_t resource_version)
{
    struct fanout f;

    fanout_init(&f, w->owner->api, change);
    f.as = resource_version;
    watch_change(&f, w);
    fanout_fini(&f);
}

void hub_watch_change_alone(struct hub_watch *w, const struct hub_change *change)
{
    hub_watch_change_as(w, change, 0);
}

bool hub_watch_wants(const struct hub_watch *w, const struct hub_object_ref *ref)
{
    return w->exchange && fed_span_is(ref->resource, w->resource) &&
           (w->ns.len == 0 || fed_span_eq(w->ns, ref->ns));
}

void hub_watches_change(struct hub_watches *watches, const struct hub_change *change)
{
    bool outer = !watches->busy;
    struct fanout f;

    watches->busy = true;
    fanout_init(&f, watches->api, change);
    for (struct hub_watch *w = watches->list; w; w = w->next)
        if (hub_watch_wants(w, &change->ref) &&
            (change->type == HUB_CHANGE_TOUCHED || change->revision > w->since))
            watch_change(&f, w);
    fanout_fini(&f);
    if (outer) {
        watches->busy = false;
        hub_watches_sweep(watches);
    }
}

/* ---- bookmarks ---- */
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

void hub_watch_bookmark(struct hub_watch *w, uint64_t revision, bool initial)
{
    struct hub_view view;
    struct fed_json_doc *doc;
    struct fed_buf line;

    if (!hub_watch_view(w, &view) || fed_json_doc_new(w->owner->api->mem, &doc))
        return;
    fed_buf_init(&line, w->owner->api->mem, BOOKMARK_BYTES_MAX);
    if (!put_bookmark(w, doc, &view, revision, initial, &line)) {
        w->revision = revision;
        watch_send(w, &line);
    }
    fed_buf_fini(&line);
    fed_json_doc_free(doc);
}
