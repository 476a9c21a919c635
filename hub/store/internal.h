/* internal.h - the state of the objects, shared by its files. Not for others.
 *
 *   objects.c   reading, writing
 *   key.c       where an object stands in the store
 *   staged.c    what a turn staged becomes durable, or is undone
 *   durable.c   the store as others use it
 *   change.c    who hears of changes, now (subscriptions) and later (those who resume) */
#ifndef FEDLET_HUB_STORE_INTERNAL_H
#define FEDLET_HUB_STORE_INTERNAL_H

#include "hub/store/objects.h"
#include "proto/base/map.h"

#define OBJECTS_RING_ENTRIES 1024u
#define OBJECTS_RESOURCE_MAX 320u

struct objects_entry {
    struct objects_entry *next;
    struct fed_alloc *mem;
    unsigned refs;
    size_t size;
    struct hub_change change;
    uint8_t bytes[];
};

struct hub_subscription {
    struct hub_objects *objects;
    struct hub_subscription *next;
    hub_objects_changed *changed;
    void *ctx;
    bool gone;
    size_t resource_len;
    uint8_t resource[OBJECTS_RESOURCE_MAX];
};

struct objects_touch {
    struct objects_touch *next;
    uint64_t revision;
    size_t key_len;
    uint8_t key[];
};

struct objects_entries {
    struct objects_entry *first;
    struct objects_entry *last;
};

struct hub_objects {
    struct fed_alloc *mem;
    struct fed_store *store;
    struct fed_loop *loop;    /* may be NULL */
    struct fed_store durable; /* what others use of it: flushed before every call */
    struct hub_subscription *subscriptions;
    struct objects_entries staged; /* not durable yet */
    size_t staged_bytes;
    struct objects_entries queue;  /* being delivered */
    struct fed_map touches;        /* key -> objects_touch, told when what is staged is settled */
    struct objects_touch *touched; /* the same, in their order */
    struct objects_touch **touched_end;
    struct hub_objects_member *members;
    bool turn_end_due;
    bool preparing;
    bool calling_members; /* touches wait until all were */
    enum fed_err undone;  /* while preparing: a member's stage failed, and undid all */
    struct fed_diag undone_diag;
    bool delivering;
    bool some_gone;
    struct objects_entry *ring[OBJECTS_RING_ENTRIES];
    size_t ring_first;
    size_t ring_count;
    size_t ring_bytes;
    uint64_t syncs; /* of what was staged */
    uint64_t syncs_refused;
    uint64_t ring_floor; /* every change after this revision is in the ring */
};

/* ---- key.c ---- */
struct objects_key {
    size_t len;
    uint8_t at[FED_STORE_KEY_MAX];
};
static inline struct fed_span objects_key_span(const struct objects_key *key)
{
    return fed_span_of(key->at, key->len);
}
/* "o/" resource NUL [ns NUL]: where a listing begins. */
FED_MUST_USE enum fed_err objects_key_prefix(
    struct objects_key *key, struct fed_span resource, struct fed_span ns);
FED_MUST_USE enum fed_err objects_key_of(struct objects_key *key, const struct hub_object_ref *ref);
bool objects_key_parse(struct fed_span key, struct hub_object_ref *ref);

/* ---- change.c ---- */
/* A copy of the change; NULL when memory is refused. */
struct objects_entry *objects_entry_new(struct fed_alloc *mem, const struct hub_change *change);
void objects_entry_unref(struct objects_entry *entry);
void objects_entries_take(struct objects_entries *entries, struct objects_entry *entry);
struct objects_entry *objects_entries_next(struct objects_entries *entries);
void objects_entries_drop(struct objects_entries *entries);
void objects_ring_put(struct hub_objects *objects, struct objects_entry *entry);
void objects_ring_drop(struct hub_objects *objects);
/* Tells the subscribers what is queued, unless that is under way. */
void objects_deliver(struct hub_objects *objects);
/* Frees the subscriptions that ended. */
void objects_sweep(struct hub_objects *objects);

/* ---- staged.c ---- */
/* Stages in the engine. An error that undid what was staged before is told like that of a flush: at
 * once, or from inside a member's prepare when all are asked. */
FED_MUST_USE enum fed_err objects_stage(struct hub_objects *objects,
    const struct fed_store_compare *compares, size_t n_compares, const struct fed_store_op *ops,
    size_t n_ops, uint64_t *revision, struct fed_diag *diag);

/* Flushes, and then tells the revision of what was staged last; revision may be NULL. */
FED_MUST_USE enum fed_err objects_make_durable(
    struct hub_objects *objects, uint64_t at, uint64_t *revision, struct fed_diag *diag);
/* Forgets the touches that were not told. */
void objects_touches_drop(struct hub_objects *objects);

/* ---- durable.c ---- */
void objects_set_durable(struct hub_objects *objects);

#endif
