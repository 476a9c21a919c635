/* staged.c - what a turn staged becomes durable, or is undone.
 *
 * A flush asks the members what they add, syncs once, and tells: members, subscribers, members
 * again. A change goes from the staged list, when it is durable, to the ring and to the delivery
 * queue. */
#include "hub/store/internal.h"

#include <string.h>

bool hub_objects_staged(const struct hub_objects *objects)
{
    return objects->store->staged(objects->store->ctx);
}

void hub_objects_each_staged(struct hub_objects *objects, hub_objects_changed *each, void *ctx)
{
    for (const struct objects_entry *entry = objects->staged.first; entry; entry = entry->next)
        each(ctx, &entry->change);
}

/* ---- members ---- */
void hub_objects_join(struct hub_objects *objects, struct hub_objects_member *member)
{
    struct hub_objects_member **at = &objects->members;

    while (*at)
        at = &(*at)->next;
    member->next = NULL;
    *at = member;
}

void hub_objects_leave(struct hub_objects *objects, struct hub_objects_member *member)
{
    for (struct hub_objects_member **at = &objects->members; *at; at = &(*at)->next)
        if (*at == member) {
            *at = member->next;
            return;
        }
}

/* ---- touches ---- */
static void tell_touch(struct hub_objects *objects, struct fed_span key, uint64_t revision)
{
    struct hub_change change = {.type = HUB_CHANGE_TOUCHED, .revision = revision};
    struct fed_store *store = objects->store;
    struct objects_entry *entry = NULL;
    struct fed_buf bytes;
    uint64_t stored;

    fed_buf_init(&bytes, objects->mem, FED_STORE_VALUE_MAX);
    if (objects_key_parse(key, &change.ref) && !store->get(store->ctx, key, &bytes, &stored)) {
        change.bytes = fed_buf_span(&bytes);
        if (change.revision < stored)
            change.revision = stored;
        entry = objects_entry_new(objects->mem, &change);
    }
    fed_buf_fini(&bytes);
    if (!entry)
        return; /* gone, or no memory: a later read composes the present state */
    entry->change.before = entry->change.bytes;
    objects_entries_take(&objects->queue, entry);
}

static void touch_later(
    struct hub_objects *objects, const struct objects_key *key, uint64_t revision)
{
    struct objects_touch *touch = fed_map_get(&objects->touches, objects_key_span(key));

    if (touch) {
        touch->revision = touch->revision > revision ? touch->revision : revision;
        return;
    }
    touch = fed_alloc_get(objects->mem, sizeof *touch + key->len);
    if (!touch)
        return; /* a later read composes the present state */
    *touch = (struct objects_touch){.revision = revision, .key_len = key->len};
    memcpy(touch->key, key->at, key->len);
    if (fed_map_put(&objects->touches, fed_span_of(touch->key, touch->key_len), touch)) {
        fed_alloc_free(objects->mem, touch, sizeof *touch + key->len);
        return;
    }
    *objects->touched_end = touch;
    objects->touched_end = &touch->next;
}

static struct objects_touch *touch_next(struct hub_objects *objects)
{
    struct objects_touch *touch = objects->touched;

    if (!touch)
        return NULL;
    objects->touched = touch->next;
    if (!objects->touched)
        objects->touched_end = &objects->touched;
    fed_map_remove(&objects->touches, fed_span_of(touch->key, touch->key_len));
    return touch;
}

void objects_touches_drop(struct hub_objects *objects)
{
    struct objects_touch *touch;

    while ((touch = touch_next(objects)) != NULL)
        fed_alloc_free(objects->mem, touch, sizeof *touch + touch->key_len);
}

/* Also when the cause was undone: what is composed is then the former state again, at no revision
 * that has not been. */
static void tell_touches(struct hub_objects *objects)
{
    uint64_t now = hub_objects_revision(objects);
    struct objects_touch *touch;

    while ((touch = touch_next(objects)) != NULL) {
        tell_touch(objects, fed_span_of(touch->key, touch->key_len),
            touch->revision < now ? touch->revision : now);
        fed_alloc_free(objects->mem, touch, sizeof *touch + touch->key_len);
    }
}

void hub_objects_touch(
    struct hub_objects *objects, const struct hub_object_ref *ref, uint64_t revision)
{
    struct objects_key key;

    if (objects_key_of(&key, ref))
        return;
    if (hub_objects_staged(objects) || objects->calling_members) {
        touch_later(objects, &key, revision);
        return;
    }
    tell_touch(objects, objects_key_span(&key), revision);
    objects_deliver(objects);
}

/* ---- durable or undone ---- */
static void tell_ended(struct hub_objects *objects, enum fed_err err, const struct fed_diag *diag)
{
    objects->calling_members = true;
    for (struct hub_objects_member *m = objects->members; m; m = m->next)
        if (m->ended)
            m->ended(m->ctx, err, diag);
    objects->calling_members = false;
}

static void tell_settled(struct hub_objects *objects, enum fed_err err, const struct fed_diag *diag)
{
    for (struct hub_objects_member *m = objects->members; m; m = m->next)
        if (m->settled)
            m->settled(m->ctx, err, diag);
}

/* The store has nothing staged any more. Inside a delivery, whoever is delivering tells that it is
 * settled: answers come after all that was delivered. */
static void settle(struct hub_objects *objects, enum fed_err err, const struct fed_diag *diag)
{
    bool outermost = !objects->delivering;
    struct objects_entry *entry;

    objects->staged_bytes = 0;
    tell_ended(objects, err, diag);
    if (err)
        objects_entries_drop(&objects->staged);
    while ((entry = objects_entries_next(&objects->staged)) != NULL) {
        objects_ring_put(objects, entry);
        objects_entries_take(&objects->queue, entry);
    }
    tell_touches(objects);
    objects_deliver(objects);
    if (outermost)
        tell_settled(objects, err, diag);
}

static void prepare(struct hub_objects *objects)
{
    objects->preparing = objects->calling_members = true;
    for (struct hub_objects_member *m = objects->members; m; m = m->next)
        if (m->prepare)
            m->prepare(m->ctx);
    objects->preparing = objects->calling_members = false;
}

static enum fed_err flush_engine(struct hub_objects *objects, struct fed_diag *diag)
{
    enum fed_err undone = objects->undone;

    if (!undone)
        return objects->store->flush(objects->store->ctx, diag);
    objects->undone = FED_OK;
    *diag = objects->undone_diag;
    return undone;
}

void hub_objects_refuse(struct hub_objects *objects, enum fed_err err, const char *why)
{
    if (objects->undone)
        return;
    objects->store->undo(objects->store->ctx);
    objects->undone = err;
    fed_diag_set(&objects->undone_diag, err, "%s", why);
}

enum fed_err hub_objects_flush(struct hub_objects *objects, struct fed_diag *diag)
{
    struct fed_diag own = {""};
    enum fed_err err;

    if (objects->preparing)
        return FED_ERR_BUSY;
    prepare(objects);
    if (!objects->staged.first && !objects->undone && !hub_objects_staged(objects)) {
        tell_touches(objects); /* by a member to whom nothing was to be stored */
        objects_deliver(objects);
        return FED_OK;
    }
    diag = diag ? diag : &own;
    err = flush_engine(objects, diag);
    objects->syncs += !err;
    objects->syncs_refused += err != FED_OK;
    if (!hub_objects_staged(objects))
        settle(objects, err, diag);
    return err;
}

enum fed_err objects_make_durable(
    struct hub_objects *objects, uint64_t at, uint64_t *revision, struct fed_diag *diag)
{
    enum fed_err err = hub_objects_flush(objects, diag);

    if (!err && revision)
        *revision = at;
    return err;
}

static void end_of_turn(void *ctx)
{
    struct hub_objects *objects = ctx;

    objects->turn_end_due = false;
    (void)hub_objects_flush(objects, NULL); /* members hear how it went */
}

bool hub_objects_flush_soon(struct hub_objects *objects)
{
    struct fed_loop *loop = objects->loop;

    if (loop && !objects->turn_end_due)
        objects->turn_end_due = loop->turn_end(loop->ctx, end_of_turn, objects) == FED_OK;
    return objects->turn_end_due;
}

enum fed_err objects_stage(struct hub_objects *objects, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    struct fed_store *store = objects->store;
    struct fed_diag own = {""};
    bool staged = store->staged(store->ctx);
    enum fed_err err;

    diag = diag ? diag : &own;
    if (objects->undone)
        return fed_diag_set(diag, objects->undone, "%s", objects->undone_diag.text);
    err = store->stage(store->ctx, compares, n_compares, ops, n_ops, revision, diag);
    if (!err || !staged || store->staged(store->ctx))
        return err;
    if (objects->preparing) {
        objects->undone = err;
        objects->undone_diag = *diag;
    } else {
        settle(objects, err, diag);
    }
    return err;
}

void hub_objects_syncs(const struct hub_objects *objects, uint64_t *done, uint64_t *refused)
{
    *done = objects->syncs;
    *refused = objects->syncs_refused;
}
