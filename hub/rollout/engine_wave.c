/* engine_wave.c - which cluster is in which wave, and when its windows are open. */
#include "hub/rollout/engine_parts.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_S 86400 /* for a window that does not open within a fortnight */

/* ---- zones ---- */

/* "Europe.Berlin" as a label has it: each "." is a "/"; or the first "-" or "_" is, as in
 * Europe-Berlin and America_New_York. */
static bool zone_name(struct fed_span label, char separator, char name[HUB_ZONE_NAME_MAX + 1])
{
    bool more = true;

    if (label.len > HUB_ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        bool here = label.at[i] == (uint8_t)separator && more;

        name[i] = here ? '/' : (char)label.at[i];
        more = more && !(here && separator != '.');
    }
    name[label.len] = '\0';
    return hub_zone_is_name(fed_span_text(name));
}

/* zone->name stays the label's value. */
static enum fed_err look_up(struct hub_rollout *r, struct fed_span label, struct rollout_zone *zone)
{
    static const char separators[] = ".-_";
    enum fed_err err = FED_ERR_NOT_FOUND;
    char name[HUB_ZONE_NAME_MAX + 1];

    memset(zone, 0, sizeof *zone);
    memcpy(zone->name, label.at, label.len < HUB_ZONE_NAME_MAX ? label.len : HUB_ZONE_NAME_MAX);
    for (size_t i = 0; err && err != FED_ERR_NOMEM && separators[i]; i++)
        if (zone_name(label, separators[i], name) && r->options.find_zone)
            err = r->options.find_zone(r->options.zone_ctx, fed_span_text(name), &zone->zone, NULL);
    zone->unknown = err != FED_OK;
    return err == FED_ERR_NOMEM ? err : FED_OK;
}

static enum fed_err add_zone(struct hub_rollout *r, struct fed_span label, uint16_t *index)
{
    struct rollout_zone zone;
    struct rollout_zone *zones;
    enum fed_err err;

    if (r->n_zones == UINT16_MAX)
        return FED_ERR_LIMIT;
    err = look_up(r, label, &zone);
    if (err)
        return err;
    zones = r->mem->resize(
        r->mem->ctx, r->zones, r->n_zones * sizeof *zones, (r->n_zones + 1) * sizeof *zones);
    if (!zones)
        return FED_ERR_NOMEM;
    zones[r->n_zones] = zone;
    r->zones = zones;
    *index = (uint16_t)r->n_zones++;
    return FED_OK;
}

/* A fleet has few: some dozens of names. */
static enum fed_err find_zone(struct hub_rollout *r, struct fed_span label, uint16_t *index)
{
    *index = 0;
    if (label.len == 0 || fed_span_is(label, "UTC"))
        return FED_OK;
    for (size_t i = 1; i < r->n_zones; i++)
        if (fed_span_is(label, r->zones[i].name)) {
            *index = (uint16_t)i;
            return FED_OK;
        }
    return add_zone(r, label, index);
}

/* Room for what is known of each wave in each zone. */
static enum fed_err ensure_openings(struct hub_rollout *r)
{
    size_t n = r->rules->n_waves * r->n_zones;
    struct rollout_opening *openings;

    if (r->n_openings == n)
        return FED_OK;
    openings = fed_alloc_zero(r->mem, n * sizeof *openings);
    if (!openings)
        return FED_ERR_NOMEM;
    fed_alloc_free(r->mem, r->openings, r->n_openings * sizeof *openings);
    r->openings = openings;
    r->n_openings = n;
    return FED_OK;
}

void rollout_openings_forget(struct hub_rollout *r)
{
    fed_alloc_free(r->mem, r->openings, r->n_openings * sizeof *r->openings);
    r->openings = NULL;
    r->n_openings = 0;
}

enum fed_err rollout_wave_match(
    struct hub_rollout *r, struct rollout_slot *slot, const struct fed_json *labels)
{
    uint32_t match;
    enum fed_err err = FED_OK;

    if (!r->rules) {
        slot->told = true;
        return FED_OK;
    }
    for (unsigned i = 0; !err && i < r->rules->n_zone_labels; i++)
        err = find_zone(r, fed_json_string(fed_json_get_span(labels, r->rules->zone_labels[i])),
            &slot->zones[i]);
    if (!err)
        err = ensure_openings(r);
    if (err)
        return err;
    match = hub_rollout_rules_waves(r->rules, rollout_name(slot), labels);
    if (!slot->told || match != slot->match)
        r->regroup = true;
    slot->match = match;
    slot->told = true;
    r->due = true;
    return FED_OK;
}

/* ---- windows ---- */

static uint16_t zone_of(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    unsigned label = r->rules->waves[slot->wave].zone_label;

    return label < r->rules->n_zone_labels ? slot->zones[label] : 0;
}

struct fed_span rollout_zone_label(
    const struct hub_rollout *r, const struct rollout_slot *slot, const char **value)
{
    unsigned label = r->rules->waves[slot->wave].zone_label;

    *value = r->zones[zone_of(r, slot)].name;
    return label < r->rules->n_zone_labels ? r->rules->zone_labels[label] : fed_span_text("");
}

bool rollout_zone_unknown(const struct hub_rollout *r, const struct rollout_slot *slot)
{
    return r->rules->waves[slot->wave].n_windows > 0 && r->zones[zone_of(r, slot)].unknown;
}

static void open_or_not(const struct hub_rollout_wave *wave, const struct rollout_zone *zone,
    int64_t unix_s, struct rollout_opening *out)
{
    struct hub_windows windows = {.n = wave->n_windows};
    int64_t next;

    for (size_t i = 0; i < wave->n_windows; i++)
        windows.at[i] = (struct hub_window){.days = wave->windows[i].days,
            .from_min = wave->windows[i].from_min,
            .to_min = wave->windows[i].to_min,
            .zone = zone->zone};
    out->at_s = unix_s;
    out->until_s = hub_windows_end(&windows, unix_s);
    out->open = out->until_s > 0;
    if (out->open)
        return;
    next = hub_windows_next(&windows, unix_s);
    out->until_s = next > unix_s ? next : unix_s + LOOK_AGAIN_S;
}

const struct rollout_opening *rollout_opening(
    struct hub_rollout *r, const struct rollout_slot *slot)
{
    const struct hub_rollout_wave *wave = &r->rules->waves[slot->wave];
    uint16_t zone = zone_of(r, slot);
    static const struct rollout_opening closed = {.until_s = INT64_MAX};
    struct rollout_opening *opening;
    int64_t now_s = (r->now_ms + r->offset_ms) / 1000;

    if (wave->n_windows == 0)
        return NULL;
    if (r->zones[zone].unknown || r->n_openings != r->rules->n_waves * r->n_zones)
        return &closed;
    opening = &r->openings[slot->wave * r->n_zones + zone];
    if (opening->until_s == 0 || now_s < opening->at_s || now_s >= opening->until_s)
        open_or_not(wave, &r->zones[zone], now_s, opening);
    return opening;
}

int64_t rollout_held_until_s(struct hub_rollout *r, const struct rollout_slot *slot)
{
    const struct rollout_opening *opening;

    if (rollout_is_quiet(r, slot))
        return slot->hold_until_s;
    opening = rollout_opening(r, slot);
    return opening && !opening->open && opening->until_s < INT64_MAX ? opening->until_s : 0;
}

/* ---- waves ---- */

static int by_order(const void *a, const void *b)
{
    const struct rollout_slot *x = *(struct rollout_slot *const *)a;
    const struct rollout_slot *y = *(struct rollout_slot *const *)b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return fed_span_cmp(rollout_name(x), rollout_name(y));
}

/* Touched ones stay; so do those of a wave by size that has begun, which takes nobody else. */
static size_t unassign(struct hub_rollout *r)
{
    size_t all = 0;

    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];
        bool stays = (slot->touched || slot->pinned) && slot->wave < r->rules->n_waves;

        if (slot->gone)
            continue;
        all++;
        if (!stays)
            slot->wave = ROLLOUT_NO_WAVE;
    }
    return all;
}

static void assign_by_size(struct hub_rollout *r, size_t wave, size_t all)
{
    size_t places = hub_rollout_share_up(&r->rules->waves[wave].size, all);

    if (r->waves[wave].begun)
        return;
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone && r->slots[i]->wave == wave && places > 0)
            places--;
    for (size_t i = 0; i < r->n_slots && places > 0; i++)
        if (!r->slots[i]->gone && r->slots[i]->wave == ROLLOUT_NO_WAVE) {
            r->slots[i]->wave = (uint8_t)wave;
            places--;
        }
}

static void assign_matched(struct hub_rollout *r, size_t wave)
{
    for (size_t i = 0; i < r->n_slots; i++)
        if (!r->slots[i]->gone && r->slots[i]->wave == ROLLOUT_NO_WAVE &&
            r->slots[i]->match >> wave & 1)
            r->slots[i]->wave = (uint8_t)wave;
}

void rollout_regroup(struct hub_rollout *r)
{
    size_t rest = r->rules->n_waves - 1;
    size_t all;

    if (r->n_slots > 0)
        qsort(r->slots, r->n_slots, sizeof(struct rollout_slot *), by_order);
    all = unassign(r);
    for (size_t wave = 0; wave < rest; wave++) {
        if (r->rules->waves[wave].size.given)
            assign_by_size(r, wave, all);
        else
            assign_matched(r, wave);
    }
    for (size_t i = 0; i < r->n_slots; i++)
        if (r->slots[i]->wave == ROLLOUT_NO_WAVE)
            r->slots[i]->wave = (uint8_t)rest;
    r->regroup = false;
}

/* Whoever is in a wave by size stays in it from then on, also where its beginning has to wait for
 * the next step. */
static bool pin(struct hub_rollout *r, size_t wave)
{
    for (size_t i = 0; i < r->n_slots; i++) {
        struct rollout_slot *slot = r->slots[i];

        if (slot->gone || slot->wave != wave || slot->pinned)
            continue;
        if (rollout_is_full(r))
            return false;
        slot->pinned = true;
        rollout_mark(r, slot, false);
    }
    return true;
}

bool rollout_wave_begin(struct hub_rollout *r, size_t wave)
{
    if (r->rules->waves[wave].size.given && !pin(r, wave))
        return false;
    r->waves[wave] = (struct rollout_wave){.begun = true, .start_ms = r->now_ms};
    r->open = (uint8_t)wave;
    r->record_changed = true;
    return true;
}
