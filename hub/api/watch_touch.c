/* watch_touch.c - objects of which a composed part (status from agents) moved.
 *
 * Watches are told at most once a second and object: at once when it was quiet, then gathered. What
 * is told late has an older revision than events that went before it. A client whose watch is cut
 * in between goes on from the latest revision that it saw, so what came late until then is
 * remembered, and told to it again. */
#include "hub/api/watch.h"

#include <string.h>

#define GATHER_MS 1000u
#define TOUCHES_MAX 100000u

struct hub_touch { /* an object whose composed part changed within the last second */
    struct hub_touch *next;
    bool dirty;
    uint64_t revision;
    uint64_t sent_ms;
    size_t size;
    struct hub_object_ref ref;
    struct fed_span key;
    uint8_t bytes[];
};

/* ---- one ---- */
struct key { /* resource, namespace and name, a NUL between */
    size_t len;
    uint8_t at[FED_STORE_KEY_MAX];
};

static void key_put(struct key *key, struct fed_span text)
{
    if (text.len > 0)
        memcpy(key->at + key->len, text.at, text.len);
    key->len += text.len;
}

/* Fits whenever the object is stored. */
static bool key_of(const struct hub_object_ref *ref, struct key *key)
{
    key->len = 0;
    if (ref->resource.len + ref->ns.len + ref->name.len + 2 > sizeof key->at)
        return false;
    key_put(key, ref->resource);
    key->at[key->len++] = 0;
    key_put(key, ref->ns);
    key->at[key->len++] = 0;
    key_put(key, ref->name);
    return true;
}

/* NULL when memory is out. */
static struct hub_touch *touch_add(
    struct hub_watches *watches, const struct hub_object_ref *ref, const struct key *key)
{
    struct fed_alloc *mem = watches->api->mem;
    size_t size = sizeof(struct hub_touch) + key->len;
    struct hub_touch *touch = fed_alloc_zero(mem, size);

    if (!touch)
        return NULL;
    memcpy(touch->bytes, key->at, key->len);
    touch->size = size;
    touch->key = fed_span_of(touch->bytes, key->len);
    touch->ref.resource = fed_span_of(touch->bytes, ref->resource.len);
    touch->ref.ns = fed_span_of(touch->bytes + ref->resource.len + 1, ref->ns.len);
    touch->ref.name = fed_span_sub(touch->key, key->len - ref->name.len, ref->name.len);
    if (fed_map_put(&watches->touched, touch->key, touch)) {
        fed_alloc_free(mem, touch, size);
        return NULL;
    }
    touch->next = watches->touches;
    watches->touches = touch;
    return touch;
}

static void touch_free(struct hub_watches *watches, struct hub_touch *touch)
{
    (void)fed_map_remove(&watches->touched, touch->key);
    fed_alloc_free(watches->api->mem, touch, touch->size);
}

static bool anybody_wants(const struct hub_watches *watches, const struct hub_object_ref *ref)
{
    for (const struct hub_watch *w = watches->list; w; w = w->next)
        if (hub_watch_wants(w, ref))
            return true;
    return false;
}

void hub_watches_touched(struct hub_watches *watches, const struct hub_change *change)
{
    struct hub_touch *touch;
    struct key key;

    if (!anybody_wants(watches, &change->ref) || !key_of(&change->ref, &key))
        return;
    touch = fed_map_get(&watches->touched, fed_span_of(key.at, key.len));
    if (touch) {
        touch->dirty = true;
        touch->revision = change->revision;
        return;
    }
    hub_watches_change(watches, change);
    if (watches->touched.count < TOUCHES_MAX)
        touch = touch_add(watches, &change->ref, &key);
    if (!touch)
        return; /* no memory of it: the next touch is sent at once as well */
    touch->sent_ms = fed_loop_now_ms(watches->api->options.loop);
    hub_watches_arm(watches);
}

/* ---- late ones ---- */
static void note_late(struct hub_watches *watches, uint64_t touched, uint64_t told)
{
    struct hub_late *list = watches->late;
    struct hub_late *last = watches->n_late > 0 ? &list[watches->n_late - 1] : NULL;

    if (last && last->told == told) {
        last->touched = last->touched < touched ? last->touched : touched;
        return;
    }
    if (watches->n_late == HUB_LATE_MAX) {
        if (list[0].touched < list[1].touched)
            list[1].touched = list[0].touched;
        memmove(list, list + 1, --watches->n_late * sizeof *list);
    }
    list[watches->n_late++] = (struct hub_late){touched, told};
}

uint64_t hub_touches_known(const struct hub_watches *watches, uint64_t since)
{
    uint64_t known = since;

    for (size_t i = 0; i < watches->n_late; i++)
        if (watches->late[i].told >= since && watches->late[i].touched <= known)
            known = watches->late[i].touched - 1;
    for (const struct hub_touch *touch = watches->touches; touch; touch = touch->next)
        if (touch->dirty && touch->revision <= known)
            known = touch->revision - 1;
    return known;
}

/* ---- tell ---- */
static void touch_send(struct hub_watches *watches, const struct hub_touch *touch)
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
        hub_watches_change(watches, &change);
    }
    fed_buf_fini(&bytes);
}

void hub_touches_tick(struct hub_watches *watches, uint64_t now_ms)
{
    uint64_t told = hub_objects_revision(watches->api->objects);
    struct hub_touch **at = &watches->touches;

    while (*at) {
        struct hub_touch *touch = *at;

        if (now_ms - touch->sent_ms < GATHER_MS) {
            at = &touch->next;
        } else if (touch->dirty) {
            touch->dirty = false;
            touch->sent_ms = now_ms;
            note_late(watches, touch->revision, told);
            touch_send(watches, touch);
            at = &touch->next;
        } else {
            *at = touch->next;
            touch_free(watches, touch);
        }
    }
}

void hub_touches_tell(struct hub_watches *watches)
{
    for (struct hub_touch *touch = watches->touches; touch; touch = touch->next)
        if (touch->dirty) {
            touch->dirty = false;
            touch_send(watches, touch);
        }
}

void hub_touches_free(struct hub_watches *watches)
{
    while (watches->touches) {
        struct hub_touch *touch = watches->touches;

        watches->touches = touch->next;
        touch_free(watches, touch);
    }
    fed_map_fini(&watches->touched);
}
