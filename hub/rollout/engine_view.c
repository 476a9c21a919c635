/* engine_view.c - what a rollout looks like: phases, counts, clusters, failures. */
#include "hub/rollout/engine_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

const char *hub_rollout_phase_text(enum hub_rollout_phase phase)
{
    static const char *const texts[] = {"", "Running", "Soaking", "AwaitingApproval", "Paused",
        "RollingBack", "RolledBack", "Complete", "Aborted"};

    return texts[phase];
}

const char *hub_rollout_wave_phase_text(enum hub_rollout_wave_phase phase)
{
    static const char *const texts[] = {
        "Waiting", "Running", "Soaking", "AwaitingApproval", "Done", "Empty"};

    return texts[phase];
}

const char *hub_rollout_state_text(enum hub_rollout_state state)
{
    static const char *const texts[] = {"Pending", "Released", "Applied", "Healthy", "Failed",
        "Deferred", "Returning", "Returned", "Stuck"};

    return texts[state];
}

bool hub_rollout_phase_is_end(enum hub_rollout_phase phase)
{
    return phase == HUB_ROLLOUT_ROLLED_BACK || phase == HUB_ROLLOUT_COMPLETE ||
           phase == HUB_ROLLOUT_ABORTED;
}

/* ---- versions ---- */

const struct fed_digest *hub_rollout_from(const struct hub_rollout *r)
{
    return r->from ? &r->versions[r->from - 1] : NULL;
}

const struct fed_digest *hub_rollout_to(const struct hub_rollout *r)
{
    return r->to ? &r->versions[r->to - 1] : NULL;
}

const struct fed_digest *hub_rollout_version(const struct hub_rollout *r, size_t index)
{
    return index < r->n_versions ? &r->versions[index] : NULL;
}

/* ---- all, and each wave ---- */

void hub_rollout_view(const struct hub_rollout *r, struct hub_rollout_view *out)
{
    *out = (struct hub_rollout_view){.phase = (enum hub_rollout_phase)r->phase,
        .n_waves = r->rules ? r->rules->n_waves : 0,
        .wave = r->open,
        .counts = r->all.counts,
        .failed = r->failed,
        .start_unix_s = rollout_unix_s(r, r->start_ms),
        .end_unix_s = rollout_unix_s(r, r->end_ms)};
    if (r->rules)
        rollout_say_next(r, &out->next);
}

static enum hub_rollout_wave_phase wave_phase(const struct hub_rollout *r, size_t index)
{
    const struct rollout_wave *wave = &r->waves[index];

    if (wave->done)
        return r->tallies[index].all == 0 ? HUB_ROLLOUT_WAVE_EMPTY : HUB_ROLLOUT_WAVE_DONE;
    if (!wave->begun)
        return r->phase == HUB_ROLLOUT_COMPLETE ? HUB_ROLLOUT_WAVE_EMPTY : HUB_ROLLOUT_WAVE_WAITING;
    if (r->phase == HUB_ROLLOUT_SOAKING)
        return HUB_ROLLOUT_WAVE_SOAKING;
    return r->phase == HUB_ROLLOUT_AWAITING_APPROVAL ? HUB_ROLLOUT_WAVE_AWAITING_APPROVAL
                                                     : HUB_ROLLOUT_WAVE_RUNNING;
}

void hub_rollout_wave_view(
    const struct hub_rollout *r, size_t index, struct hub_rollout_wave_view *out)
{
    const struct rollout_wave *wave = &r->waves[index];

    *out = (struct hub_rollout_wave_view){.name = r->rules->waves[index].name,
        .phase = wave_phase(r, index),
        .counts = r->tallies[index].counts,
        .concurrency = rollout_concurrency(r, index),
        .failures_allowed = hub_rollout_share_down(
            &r->rules->waves[index].failures, r->tallies[index].counts.total),
        .start_unix_s = rollout_unix_s(r, wave->start_ms),
        .healthy_unix_s = rollout_unix_s(r, wave->ok_ms),
        .end_unix_s = rollout_unix_s(r, wave->end_ms),
        .approved_by = wave->user};
}

/* ---- failures ---- */

/* Also what went back because of it. */
static bool has_failed(const struct rollout_slot *slot)
{
    return !slot->gone && slot->failed;
}

static void count_causes(const struct hub_rollout *r)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->causes);
    while (fed_map_iter_next(&it))
        ((struct rollout_cause *)it.value)->count = 0;
    for (size_t i = 0; i < r->n_slots; i++)
        if (has_failed(r->slots[i]))
            r->slots[i]->failed->count++;
}

/* Largest first; of the same size by text, so that they do not change places. */
static bool is_before(const struct rollout_cause *a, const struct rollout_cause *b)
{
    int order;

    if (a->count != b->count)
        return a->count > b->count;
    order = fed_span_cmp(rollout_cause_reason(a), rollout_cause_reason(b));
    if (order == 0)
        order = fed_span_cmp(rollout_cause_message(a), rollout_cause_message(b));
    return order < 0;
}

static size_t insert(struct rollout_cause **sorted, size_t n, struct rollout_cause *cause)
{
    size_t at = n;

    while (at > 0 && is_before(cause, sorted[at - 1]))
        at--;
    if (at == HUB_ROLLOUT_GROUPS_MAX)
        return n;
    if (n == HUB_ROLLOUT_GROUPS_MAX)
        n--;
    memmove(&sorted[at + 1], &sorted[at], (n - at) * sizeof(struct rollout_cause *));
    sorted[at] = cause;
    return n + 1;
}

static void name_clusters(
    const struct hub_rollout *r, const struct rollout_cause *cause, struct hub_rollout_group *group)
{
    for (size_t i = 0; i < r->n_slots && group->n_clusters < HUB_ROLLOUT_GROUP_CLUSTERS; i++)
        if (has_failed(r->slots[i]) && r->slots[i]->failed == cause)
            group->clusters[group->n_clusters++] = rollout_name(r->slots[i]);
}

size_t hub_rollout_groups(
    const struct hub_rollout *r, struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX])
{
    struct rollout_cause *sorted[HUB_ROLLOUT_GROUPS_MAX];
    struct fed_map_iter it;
    size_t n = 0;

    count_causes(r);
    fed_map_iter_init(&it, &r->causes);
    while (fed_map_iter_next(&it)) {
        struct rollout_cause *cause = it.value;

        if (cause->count > 0)
            n = insert(sorted, n, cause);
    }
    for (size_t i = 0; i < n; i++) {
        groups[i] = (struct hub_rollout_group){.reason = rollout_cause_reason(sorted[i]),
            .message = rollout_cause_message(sorted[i]),
            .count = sorted[i]->count};
        name_clusters(r, sorted[i], &groups[i]);
    }
    return n;
}

/* ---- clusters ---- */

static void view_of(const struct hub_rollout *r, const struct rollout_slot *slot,
    struct hub_rollout_cluster_view *out)
{
    const struct rollout_cause *cause = slot->failed ? slot->failed : slot->said;

    *out = (struct hub_rollout_cluster_view){.name = rollout_name(slot),
        .wave = slot->wave == ROLLOUT_NO_WAVE ? 0 : slot->wave,
        .state = (enum hub_rollout_state)slot->state,
        .held = slot->held,
        .by_hold = slot->held && slot->hold_ms != 0,
        .held_until_unix_s =
            slot->held ? rollout_held_until_s((struct hub_rollout *)(uintptr_t)r, slot) : 0,
        .since_unix_s = rollout_unix_s(r, slot->since_ms),
        .version = slot->version ? &r->versions[slot->version - 1] : NULL,
        .reason = rollout_cause_reason(cause),
        .message = rollout_cause_message(cause)};
}

enum fed_err hub_rollout_cluster_view(
    const struct hub_rollout *r, struct fed_span cluster, struct hub_rollout_cluster_view *out)
{
    const struct rollout_slot *slot = rollout_find(r, cluster);

    if (!slot)
        return FED_ERR_NOT_FOUND;
    view_of(r, slot, out);
    return FED_OK;
}

static int by_alphabet(const void *a, const void *b)
{
    const struct rollout_slot *x = *(struct rollout_slot *const *)a;
    const struct rollout_slot *y = *(struct rollout_slot *const *)b;

    return fed_span_cmp(rollout_name(x), rollout_name(y));
}

static void sort(struct hub_rollout *r)
{
    if (!r->alphabet_stale || r->n_slots == 0)
        return;
    memcpy(r->by_alphabet, r->slots, r->n_slots * sizeof(struct rollout_slot *));
    qsort(r->by_alphabet, r->n_slots, sizeof(struct rollout_slot *), by_alphabet);
    r->alphabet_stale = false;
}

enum fed_err hub_rollout_clusters(
    struct hub_rollout *r, struct fed_span after, hub_rollout_each_cluster *each, void *ctx)
{
    size_t low = 0;
    size_t high = r->n_slots;

    sort(r);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (fed_span_cmp(rollout_name(r->by_alphabet[middle]), after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->n_slots; low++) {
        struct hub_rollout_cluster_view view;

        if (r->by_alphabet[low]->gone)
            continue;
        view_of(r, r->by_alphabet[low], &view);
        if (!each(ctx, &view))
            break;
    }
    return FED_OK;
}
