/* events.c - see events.h. The object's name is OBJECT.HASH, the hash being over what makes two
 * events the same. */
#include "hub/api/events.h"

#include "hub/api/internal.h"

#include "proto/base/text.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

#define SWEEP_MS 300000u
#define RESOURCE "events"

struct hub_events {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    struct fed_timer *timer;
    size_t count; /* as of the last sweep, and those recorded since */
};

static struct fed_span event_ns(const struct hub_event *event)
{
    return event->ns.len > 0 ? event->ns : FED_SPAN_LIT("default");
}

/* Name and uid, both of the digest (the uid with the version and variant bits of RFC 4122
 * section 5.5). */
static enum fed_err event_name(
    struct hub_events *events, const struct hub_event *event, char out[254], char uid[40])
{
    const uint8_t *b;
    struct fed_buf text;
    struct fed_digest digest;
    enum fed_err err;

    fed_buf_init(&text, events->mem, 65536);
    fed_buf_printf(&text, "%s\n%s\n" FED_SPAN_FMT "\n%d\n%s\n%s\n%s", event->api_version,
        event->kind, FED_SPAN_ARG(event->uid), event->warning, event->reason, event->message,
        event->component);
    err = fed_buf_err(&text);
    if (!err)
        err = fed_digest_of(fed_buf_span(&text), &digest);
    fed_buf_fini(&text);
    if (err)
        return err;
    b = digest.bytes;
    snprintf(out, 254, "%.*s.%02x%02x%02x%02x%02x%02x%02x%02x",
        (int)(event->name.len > 230 ? 230 : event->name.len), (const char *)event->name.at, b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7]);
    snprintf(uid, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[8],
        b[9], b[10], b[11], b[12], b[13], (b[14] & 0x0f) | 0x50, b[15], (b[16] & 0x3f) | 0x80,
        b[17], b[18], b[19], b[20], b[21], b[22], b[23]);
    return FED_OK;
}

static void put_event(struct fed_buf *out, const struct hub_event *event, const char *name,
    const char *uid, const char *now, struct fed_span first, int64_t count)
{
    fed_buf_put_text(out, "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":");
    hub_json_put_text(out, name);
    fed_buf_put_text(out, ",\"namespace\":");
    hub_json_put(out, event_ns(event));
    fed_buf_put_text(out, ",\"uid\":");
    hub_json_put_text(out, uid);
    fed_buf_put_text(out, ",\"creationTimestamp\":");
    hub_json_put(out, first);
    fed_buf_put_text(out, "},\"involvedObject\":{\"kind\":");
    hub_json_put_text(out, event->kind);
    fed_buf_put_text(out, ",\"apiVersion\":");
    hub_json_put_text(out, event->api_version);
    fed_buf_put_text(out, ",\"namespace\":");
    hub_json_put(out, event->ns);
    fed_buf_put_text(out, ",\"name\":");
    hub_json_put(out, event->name);
    fed_buf_put_text(out, ",\"uid\":");
    hub_json_put(out, event->uid);
    fed_buf_put_text(out, "},\"reason\":");
    hub_json_put_text(out, event->reason);
    fed_buf_put_text(out, ",\"message\":");
    hub_json_put_text(out, event->message);
    fed_buf_put_text(out, ",\"source\":{\"component\":");
    hub_json_put_text(out, event->component);
    fed_buf_put_text(out, "},\"firstTimestamp\":");
    hub_json_put(out, first);
    fed_buf_put_text(out, ",\"lastTimestamp\":");
    hub_json_put_text(out, now);
    fed_buf_printf(out,
        ",\"count\":%lld,\"type\":\"%s\",\"eventTime\":null,\"reportingComponent\":",
        (long long)count, event->warning ? "Warning" : "Normal");
    hub_json_put_text(out, event->component);
    fed_buf_put_text(out, ",\"reportingInstance\":\"\"}");
}

/* First time and count of the one that is there. */
static enum fed_err present(struct hub_events *events, struct fed_json_doc *doc,
    struct hub_object_write *write, struct fed_span *first, int64_t *count)
{
    struct fed_json *before;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, events->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(events->objects, &write->ref, &bytes, &write->expected);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), &before, NULL);
    if (!err) {
        *first = fed_json_string(fed_json_get(before, "firstTimestamp"));
        *count = fed_json_int(fed_json_get(before, "count"), 1) + 1;
    }
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* Durable with the sync that ends the turn. */
static enum fed_err stage(struct hub_events *events, const struct hub_object_write *write)
{
    enum fed_err err = hub_objects_stage(events->objects, write, 1, NULL, 0, NULL, NULL);

    return err || hub_objects_flush_soon(events->objects)
               ? err
               : hub_objects_flush(events->objects, NULL);
}

static enum fed_err record(struct hub_events *events, const struct hub_event *event)
{
    struct hub_object_write write = {.ref = {FED_SPAN_LIT(RESOURCE), event_ns(event), {0}}};
    char now[FED_TEXT_TIME_SIZE];
    char name[254];
    char uid[40];
    struct fed_span first = {0};
    struct fed_json_doc *doc;
    struct fed_buf bytes;
    int64_t count = 1;
    enum fed_err err = event_name(events, event, name, uid);

    if (err)
        return err;
    write.ref.name = fed_span_text(name);
    fed_text_time(fed_loop_unix_s(events->loop), now);
    err = fed_json_doc_new(events->mem, &doc);
    if (err)
        return err;
    fed_buf_init(&bytes, events->mem, HUB_OBJECT_BYTES_MAX);
    err = present(events, doc, &write, &first, &count);
    if (!err && write.expected == 0 && events->count >= HUB_LIMIT_EVENTS)
        err = FED_ERR_LIMIT;
    if (!err) {
        put_event(&bytes, event, name, uid, now, first.len > 0 ? first : fed_span_text(now), count);
        write.bytes = fed_buf_span(&bytes);
        err = fed_buf_err(&bytes);
    }
    if (!err)
        err = stage(events, &write);
    if (!err && write.expected == 0)
        events->count++;
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
    return err;
}

void hub_events_record(struct hub_events *events, const struct hub_event *event)
{
    enum fed_err err = record(events, event);

    if (err)
        fed_log(events->log, FED_LOG_WARN,
            "events: %s of %s " FED_SPAN_FMT "/" FED_SPAN_FMT " not recorded: %s", event->reason,
            event->kind, FED_SPAN_ARG(event->ns), FED_SPAN_ARG(event->name), fed_err_text(err));
}

/* ---- expiry ---- */
#define BATCH 256u
struct expired {
    struct hub_events *events;
    int64_t before_unix_s;
    size_t seen;
    size_t n;
    struct {
        char ns[64];
        char name[254];
    } list[BATCH];
};

/* When it was last seen: the latest of all that says so, for clients may give times of long ago. */
static int64_t last_seen(const struct fed_json *event)
{
    static const char *const members[] = {
        "lastTimestamp", "eventTime", "series.lastObservedTime", "metadata.creationTimestamp"};
    int64_t latest = INT64_MIN;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int64_t at;

        if (!fed_text_time_parse(fed_json_string(fed_json_find(event, members[i])), &at) &&
            at > latest)
            latest = at;
    }
    return latest;
}

static bool is_old(struct expired *expired, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *event;
    bool old = false;

    if (fed_json_doc_new(expired->events->mem, &doc))
        return false;
    if (!fed_json_parse(doc, bytes, &event, NULL)) {
        int64_t at = last_seen(event);

        old = at != INT64_MIN && at < expired->before_unix_s;
    }
    fed_json_doc_free(doc);
    return old;
}

static bool expire_each(void *ctx, const struct hub_object *object)
{
    struct expired *expired = ctx;

    expired->seen++;
    if (is_old(expired, object->bytes) &&
        !fed_span_to_cstr(
            object->ref.ns, expired->list[expired->n].ns, sizeof expired->list[0].ns) &&
        !fed_span_to_cstr(
            object->ref.name, expired->list[expired->n].name, sizeof expired->list[0].name))
        expired->n++;
    return expired->n < BATCH;
}

static void sweep(void *ctx)
{
    struct hub_events *events = ctx;
    struct expired *expired = fed_alloc_zero(events->mem, sizeof *expired);
    bool full = false;

    if (expired) {
        expired->events = events;
        expired->before_unix_s = fed_loop_unix_s(events->loop) - HUB_LIMIT_EVENT_AGE_S;
        if (!hub_objects_list(events->objects, FED_SPAN_LIT(RESOURCE), (struct fed_span){0}, NULL,
                expire_each, expired))
            events->count = expired->seen - expired->n;
        full = expired->n == BATCH;
        for (size_t i = 0; i < expired->n; i++) {
            struct hub_object_write write = {.expected = HUB_ANY_REVISION,
                .remove = true,
                .ref = {FED_SPAN_LIT(RESOURCE), fed_span_text(expired->list[i].ns),
                    fed_span_text(expired->list[i].name)}};
            enum fed_err err = stage(events, &write);

            if (err && err != FED_ERR_NOT_FOUND)
                break; /* the next sweep tries again */
        }
        fed_alloc_free(events->mem, expired, sizeof *expired);
    }
    events->loop->timer_set(
        events->loop->ctx, events->timer, fed_loop_now_ms(events->loop) + (full ? 1000 : SWEEP_MS));
}

enum fed_err hub_events_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct hub_objects *objects, struct hub_events **out)
{
    struct hub_events *events = fed_alloc_zero(mem, sizeof *events);
    enum fed_err err;

    if (!events)
        return FED_ERR_NOMEM;
    *events = (struct hub_events){.mem = mem, .loop = loop, .log = log, .objects = objects};
    err = loop->timer_new(loop->ctx, sweep, events, &events->timer);
    if (err) {
        fed_alloc_free(mem, events, sizeof *events);
        return err;
    }
    sweep(events);
    *out = events;
    return FED_OK;
}

void hub_events_close(struct hub_events *events)
{
    if (!events)
        return;
    events->loop->timer_free(events->loop->ctx, events->timer);
    fed_alloc_free(events->mem, events, sizeof *events);
}
