/* engine_rest.c - what is left of an engine whose clusters are given up: who they are, by the hash
 * that is their place in the order, and what of them is in no row. */
#include "hub/rollout/engine_parts.h"

#include <stdlib.h>
#include <string.h>

#define HEARD 1u
#define MOVED 2u
#define COPY_SHIFT 2
#define HEALTH_SHIFT 4

struct rollout_moved {
    struct rollout_moved *next;
    uint16_t len;
    char name[];
};

struct rollout_rest {
    struct rollout_moved *moved; /* of those that are known */
    struct rollout_moved *last;  /* whose name was asked for */
    size_t n;
    uint64_t *orders; /* ascending */
    uint8_t *flags;   /* of each: HEARD, MOVED, its copy and health */
    uint8_t *tries;   /* of the answer */
    bool fixed;       /* labels move nobody to another wave */
};

/* ---- what is kept ---- */

static struct rollout_moved *moved_free(struct hub_rollout *r, struct rollout_moved *moved)
{
    struct rollout_moved *next = moved->next;

    fed_alloc_free(r->mem, moved, sizeof *moved + moved->len);
    return next;
}

void rollout_rest_free(struct hub_rollout *r)
{
    struct rollout_rest *rest = r->rest;

    if (!rest)
        return;
    while (rest->moved)
        rest->moved = moved_free(r, rest->moved);
    if (rest->last)
        (void)moved_free(r, rest->last);
    fed_alloc_free(r->mem, rest->orders, rest->n * sizeof *rest->orders);
    fed_alloc_free(r->mem, rest->flags, rest->n);
    fed_alloc_free(r->mem, rest->tries, rest->n);
    fed_alloc_free(r->mem, rest, sizeof *rest);
    r->rest = NULL;
}

static bool rest_new(struct hub_rollout *r)
{
    struct rollout_rest *rest = fed_alloc_zero(r->mem, sizeof *rest);

    if (!rest)
        return false;
    r->rest = rest;
    rest->n = r->n_slots;
    rest->orders = fed_alloc_array(r->mem, rest->n, sizeof *rest->orders);
    rest->flags = fed_alloc_zero(r->mem, rest->n);
    rest->tries = fed_alloc_zero(r->mem, rest->n);
    if (rest->orders && rest->flags && rest->tries)
        return true;
    rollout_rest_free(r);
    return false;
}

/* rest->n: it is none of them. */
static size_t place_of(const struct rollout_rest *rest, uint64_t order)
{
    size_t low = 0;
    size_t high = rest->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rest->orders[middle] < order)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rest->n && rest->orders[low] == order ? low : rest->n;
}

static size_t find(const struct hub_rollout *r, struct fed_span cluster)
{
    uint64_t order;

    return rollout_order_of(r, cluster, &order) ? r->rest->n : place_of(r->rest, order);
}

/* ---- giving up ---- */

/* Whatever is said of it, short of bad news, changes nothing; and its row says what it is. */
static bool is_through(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return !slot->gone && slot->state == HUB_ROLLOUT_HEALTHY && slot->version == r->to &&
           slot->copy != HUB_ROLLOUT_COPY_FAILED && slot->health != HUB_ROLLOUT_HEALTH_BAD &&
           !slot->said && !slot->failed && !slot->again && slot->told && slot->stored &&
           !slot->moved && slot->wave < r->rules->n_waves && r->waves[slot->wave].done;
}

/* Slots are in their order. Two of one place: they could not be told apart. */
bool hub_rollout_may_rest(const struct hub_rollout *r)
{
    if (r->rest || r->phase != HUB_ROLLOUT_COMPLETE || !r->rules || r->due || r->regroup ||
        r->cut || r->changes || r->moved || r->record_changed || r->n_slots == 0)
        return false;
    for (size_t i = 0; i < r->n_slots; i++)
        if (!is_through(r, r->slots[i]) || (i > 0 && r->slots[i]->order <= r->slots[i - 1]->order))
            return false;
    return true;
}

static void drop_slots(struct hub_rollout *r)
{
    for (size_t i = 0; i < r->n_slots; i++)
        rollout_slot_free(r, r->slots[i]);
    fed_alloc_free(r->mem, r->slots, r->cap * sizeof(struct rollout_slot *));
    fed_alloc_free(r->mem, r->by_alphabet, r->cap * sizeof(struct rollout_slot *));
    fed_map_fini(&r->by_name);
    fed_map_init(&r->by_name, r->mem);
    r->slots = r->by_alphabet = NULL;
    r->n_slots = r->cap = 0;
    r->alphabet_stale = r->regroup = r->due = false;
}

enum fed_err hub_rollout_rest(struct hub_rollout *r)
{
    if (!hub_rollout_may_rest(r))
        return FED_ERR_BUSY;
    if (!rest_new(r))
        return FED_ERR_NOMEM;
    r->rest->fixed = true;
    for (size_t i = 0; i < r->n_slots; i++) {
        const struct rollout_slot *slot = r->slots[i];

        r->rest->orders[i] = slot->order;
        r->rest->flags[i] = (uint8_t)((slot->heard ? HEARD : 0) | slot->copy << COPY_SHIFT |
                                      slot->health << HEALTH_SHIFT);
        r->rest->tries[i] = slot->tries[r->to - 1];
        r->rest->fixed = r->rest->fixed && (slot->touched || slot->pinned);
    }
    drop_slots(r);
    r->wake_ms = ROLLOUT_NEVER; /* what was left was of reach, which matters no more */
    return FED_OK;
}

bool hub_rollout_rests(const struct hub_rollout *r)
{
    return r->rest != NULL;
}

/* ---- resting ---- */

size_t hub_rollout_rest_count(const struct hub_rollout *r)
{
    return r->rest->n;
}

bool hub_rollout_rest_minds_labels(const struct hub_rollout *r)
{
    return !r->rest->fixed;
}

bool hub_rollout_rest_is_news(
    const struct hub_rollout *r, struct fed_span cluster, const struct hub_rollout_fact *fact)
{
    if (find(r, cluster) == r->rest->n)
        return true;
    return fed_digest_eq(&r->versions[r->to - 1], &fact->version) &&
           (fact->copy == HUB_ROLLOUT_COPY_FAILED || fact->health == HUB_ROLLOUT_HEALTH_BAD);
}

enum hub_rollout_answer rollout_rest_answer(
    const struct hub_rollout *r, struct fed_span cluster, struct fed_digest *digest)
{
    uint8_t version = find(r, cluster) < r->rest->n ? r->to : r->from;

    if (version == 0)
        return HUB_ROLLOUT_ANSWER_NOTHING;
    *digest = r->versions[version - 1];
    return HUB_ROLLOUT_ANSWER_VERSION;
}

unsigned rollout_rest_tries(const struct hub_rollout *r, struct fed_span cluster)
{
    size_t at = find(r, cluster);

    return at < r->rest->n ? r->rest->tries[at] : 0;
}

bool rollout_rest_knows(const struct hub_rollout *r, struct fed_span cluster)
{
    return r->rest && find(r, cluster) < r->rest->n;
}

bool rollout_rest_moved(struct hub_rollout *r, struct fed_span cluster)
{
    size_t at = find(r, cluster);
    struct rollout_moved *moved;

    if (at == r->rest->n)
        return false;
    if (r->rest->flags[at] & MOVED)
        return true;
    moved = fed_alloc_zero(r->mem, sizeof *moved + cluster.len);
    if (!moved)
        return false;
    moved->len = (uint16_t)cluster.len;
    memcpy(moved->name, cluster.at, cluster.len);
    moved->next = r->rest->moved;
    r->rest->moved = moved;
    r->rest->flags[at] |= MOVED;
    return true;
}

bool rollout_rest_next_moved(struct hub_rollout *r, struct fed_span *cluster)
{
    struct rollout_rest *rest = r->rest;
    struct rollout_moved *moved = rest->moved;

    if (rest->last)
        (void)moved_free(r, rest->last);
    rest->last = moved;
    if (!moved)
        return false;
    rest->moved = moved->next;
    *cluster = fed_span_of(moved->name, moved->len);
    rest->flags[find(r, *cluster)] &= (uint8_t)~MOVED;
    return true;
}

/* ---- made again ---- */

/* What a row has not, as it was when it was given up; no news came since. */
static bool take_up(struct hub_rollout *r, struct rollout_slot *slot)
{
    size_t at = place_of(r->rest, slot->order);

    if (at == r->rest->n || slot->state != HUB_ROLLOUT_HEALTHY || slot->version != r->to ||
        slot->again || slot->tries[r->to - 1] != r->rest->tries[at])
        return false;
    slot->copy = r->rest->flags[at] >> COPY_SHIFT & 3;
    slot->health = r->rest->flags[at] >> HEALTH_SHIFT & 3;
    slot->heard = r->rest->flags[at] & HEARD;
    return true;
}

enum fed_err hub_rollout_rise(struct hub_rollout *r, struct hub_rollout_now now)
{
    bool same = r->n_slots == r->rest->n;

    for (size_t i = 0; same && i < r->n_slots; i++)
        same = take_up(r, r->slots[i]);
    if (!same) {
        drop_slots(r);
        return FED_ERR_CORRUPT;
    }
    rollout_rest_free(r);
    rollout_clock(r, now);
    return FED_OK;
}

void hub_rollout_lie_down(struct hub_rollout *r)
{
    drop_slots(r);
}
