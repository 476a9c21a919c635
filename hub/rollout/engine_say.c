/* engine_say.c - what happens next, what is wrong, and why a cluster does not have it yet. */
#include "hub/rollout/engine_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MEMBERS_MAX 200u
#define NAME(r, wave) FED_SPAN_ARG((r)->rules->waves[wave].name)

static const char *clusters(size_t n)
{
    return n == 1 ? "cluster" : "clusters";
}

/* ---- what happens next ---- */

static void say_what(const struct hub_rollout *r, struct hub_rollout_next *out)
{
    if (rollout_is_last(r, r->open))
        snprintf(out->what, sizeof out->what, "the rollout is complete");
    else
        snprintf(out->what, sizeof out->what, "wave " FED_SPAN_FMT " opens", NAME(r, r->open + 1));
}

/* "2 updating, 1 held until its window opens, 3 out of reach" of the open wave. */
static void say_running(const struct hub_rollout *r, struct hub_rollout_next *out)
{
    const struct rollout_tally *tally = &r->tallies[r->open];
    const struct hub_rollout_counts *counts = &tally->counts;
    size_t turn = counts->pending - counts->held;
    struct part {
        size_t n;
        const char *what;
    } parts[] = {{counts->updating, "updating"}, {turn, "pending"},
        {counts->held - tally->quiet, "held until a window opens"},
        {tally->quiet, "held until changes of the cluster wait no longer"},
        {tally->absent, "of these out of reach"},
        {tally->silent, "healthy but not heard of since the hub started"},
        {tally->away, "healthy but out of reach"}};
    size_t len = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts && len < sizeof out->waits_for; i++)
        if (parts[i].n > 0)
            len += (size_t)snprintf(out->waits_for + len, sizeof out->waits_for - len, "%s%zu %s",
                len ? ", " : "", parts[i].n, parts[i].what);
    if (len == 0)
        snprintf(out->waits_for, sizeof out->waits_for,
            "proof of %u healthy %s in wave " FED_SPAN_FMT, r->rules->min_reported,
            clusters(r->rules->min_reported), NAME(r, r->open));
    else if (len < sizeof out->waits_for)
        snprintf(out->waits_for + len, sizeof out->waits_for - len, " in wave " FED_SPAN_FMT,
            NAME(r, r->open));
    if (counts->held > 0 && counts->updating == 0 && turn == 0 &&
        r->held_until_ms != ROLLOUT_NEVER) {
        snprintf(out->what, sizeof out->what, "wave " FED_SPAN_FMT " goes on", NAME(r, r->open));
        out->when_unix_s = rollout_unix_s(r, r->held_until_ms);
    }
}

static void say_rest(const struct hub_rollout *r, struct hub_rollout_next *out)
{
    size_t n = r->all.counts.deferred + r->all.counts.pending + r->all.counts.updating;

    if (r->phase == HUB_ROLLOUT_ROLLED_BACK)
        n = r->all.counts.returning;
    if (n == 0 || r->phase == HUB_ROLLOUT_ABORTED)
        return;
    snprintf(out->what, sizeof out->what, "%zu %s catch%s up", n, clusters(n), n == 1 ? "es" : "");
    snprintf(out->waits_for, sizeof out->waits_for, "%s", "their return, turn or window");
}

void rollout_say_next(const struct hub_rollout *r, struct hub_rollout_next *out)
{
    const struct rollout_wave *wave = &r->waves[r->open];

    memset(out, 0, sizeof *out);
    switch ((enum hub_rollout_phase)r->phase) {
    case HUB_ROLLOUT_NONE:
        break;
    case HUB_ROLLOUT_RUNNING:
        say_what(r, out);
        if (wave->begun)
            say_running(r, out);
        else
            snprintf(out->waits_for, sizeof out->waits_for, "a cluster that the object selects");
        break;
    case HUB_ROLLOUT_SOAKING:
        say_what(r, out);
        out->when_unix_s = r->soaked_ms == ROLLOUT_NEVER ? 0 : rollout_unix_s(r, r->soaked_ms);
        snprintf(
            out->waits_for, sizeof out->waits_for, "soak of wave " FED_SPAN_FMT, NAME(r, r->open));
        break;
    case HUB_ROLLOUT_AWAITING_APPROVAL:
        say_what(r, out);
        snprintf(out->waits_for, sizeof out->waits_for, "approval of wave " FED_SPAN_FMT,
            NAME(r, r->open));
        break;
    case HUB_ROLLOUT_PAUSED:
        say_what(r, out);
        snprintf(out->waits_for, sizeof out->waits_for, "a person: %sretry, abort or undo",
            r->failed ? "too many failures: resume, " : "resume, ");
        break;
    case HUB_ROLLOUT_ROLLING_BACK:
        snprintf(out->what, sizeof out->what, "the rollout is rolled back");
        snprintf(out->waits_for, sizeof out->waits_for, "%zu %s to confirm the version before",
            r->all.counts.returning, clusters(r->all.counts.returning));
        break;
    case HUB_ROLLOUT_ROLLED_BACK:
    case HUB_ROLLOUT_COMPLETE:
    case HUB_ROLLOUT_ABORTED:
        say_rest(r, out);
        break;
    }
}

/* ---- conditions ---- */

struct list {
    struct hub_rollout_condition *at;
    size_t n;
};

FED_PRINTF(5, 6)
static void add(
    struct list *list, const char *type, bool is_true, const char *reason, const char *format, ...)
{
    struct hub_rollout_condition *c = &list->at[list->n++];
    va_list args;

    *c = (struct hub_rollout_condition){.type = type, .is_true = is_true, .reason = reason};
    va_start(args, format);
    vsnprintf(c->message, sizeof c->message, format, args);
    va_end(args);
}

static void add_progress(const struct hub_rollout *r, struct list *list)
{
    const char *phase = hub_rollout_phase_text((enum hub_rollout_phase)r->phase);
    struct hub_rollout_next next;

    rollout_say_next(r, &next);
    add(list, "Progressing", rollout_is_active(r) || r->phase == HUB_ROLLOUT_ROLLING_BACK, phase,
        "%s%s%s", next.what, next.waits_for[0] ? ": waits for " : "", next.waits_for);
}

static void add_health(const struct hub_rollout *r, struct list *list)
{
    const struct hub_rollout_counts *counts = &r->all.counts;

    if (counts->failed + counts->stuck == 0)
        add(list, "Healthy", true, "NoFailures", "%zu of %zu %s healthy", counts->healthy,
            counts->total, clusters(counts->total));
    else if (r->failed || rollout_over_limit(r))
        add(list, "Healthy", false, "TooManyFailures",
            "%zu of %zu %s failed, more than maxFailures allows: see failures; then retry, resume "
            "(accepts these), abort or undo",
            counts->failed, counts->total, clusters(counts->total));
    else
        add(list, "Healthy", false, "Failures", "%zu of %zu %s failed, within maxFailures",
            counts->failed, counts->total, clusters(counts->total));
}

static bool waits_for_proof(const struct hub_rollout *r)
{
    return rollout_is_active(r) && r->waves[r->open].begun && !rollout_is_last(r, r->open);
}

/* How the policy says who is in the wave: {"selector":{"matchLabels":{"site":"moon"}}}; longer ones
 * are cut. */
static void put_members(const struct hub_rollout *r, size_t wave, char out[MEMBERS_MAX])
{
    const struct fed_json *one = fed_json_at(fed_json_get(r->rules->spec, "waves"), wave);
    struct fed_buf text;

    fed_buf_init(&text, r->mem, FED_JSON_BYTES_MAX);
    out[0] = '\0';
    if (!fed_json_put(&text, fed_json_get(one, "clusters")))
        snprintf(out, MEMBERS_MAX, FED_SPAN_FMT "%s",
            FED_SPAN_ARG(fed_span_sub(fed_buf_span(&text), 0, MEMBERS_MAX - 5)),
            text.len > MEMBERS_MAX - 5 ? "..." : "");
    fed_buf_fini(&text);
}

static void add_empty(const struct hub_rollout *r, struct list *list)
{
    char members[MEMBERS_MAX];

    put_members(r, r->open, members);
    add(list, "WaveEmpty", true, "NoClusters",
        "wave " FED_SPAN_FMT " has no cluster, so nothing proves the version: none of the %zu that "
        "the object selects is in %s; correct that in the policy and retry, or label a cluster for "
        "it",
        NAME(r, r->open), r->all.all, members);
}

static void add_proof(const struct hub_rollout *r, struct list *list)
{
    const struct rollout_tally *tally = &r->tallies[r->open];
    size_t may = tally->counts.total - tally->counts.failed;
    size_t asked = r->rules->min_reported;

    if (!waits_for_proof(r))
        return;
    if (tally->all == 0 && rollout_proof(r, r->open) < asked)
        add_empty(r, list);
    else if (tally->all > 0 && may < asked)
        add(list, "NotEnoughClusters", true, "MinReported",
            "wave " FED_SPAN_FMT " has %zu %s that can be healthy (%zu deferred, %zu failed), and "
            "minReported asks for %zu: wait for them to return, or lower it in the policy and "
            "retry",
            NAME(r, r->open), may, clusters(may), tally->counts.deferred, tally->counts.failed,
            asked);
}

/* The first in the order of the rollout stands for all: the message names it. */
static const struct rollout_slot *first_nowhere(const struct hub_rollout *r)
{
    for (size_t i = 0; r->all.nowhere > 0 && i < r->n_slots; i++)
        if (!r->slots[i]->gone && r->slots[i]->held && rollout_zone_unknown(r, r->slots[i]))
            return r->slots[i];
    return NULL;
}

static void add_windows(const struct hub_rollout *r, struct list *list)
{
    const struct rollout_slot *slot = first_nowhere(r);
    struct fed_span label;
    const char *zone;

    if (!slot)
        return;
    label = rollout_zone_label(r, slot, &zone);
    add(list, "WindowNeverOpens", true, "InvalidTimeZone",
        "%zu %s held in no known time zone: label " FED_SPAN_FMT " of cluster " FED_SPAN_FMT
        " is \"%s\"; write it as Europe.Berlin, or remove the label (UTC)",
        r->all.nowhere, r->all.nowhere == 1 ? "cluster is" : "clusters are", FED_SPAN_ARG(label),
        FED_SPAN_ARG(rollout_name(slot)), zone);
}

static void add_return(const struct hub_rollout *r, struct list *list)
{
    const struct hub_rollout_counts *counts = &r->all.counts;

    if (r->phase == HUB_ROLLOUT_PAUSED && r->failed && r->rules->rollback && !r->from)
        add(list, "RolledBack", false, "NoPreviousVersion",
            "it is the first version: there is nothing to go back to, so it is paused; mend the "
            "object, retry or abort");
    else if (r->phase == HUB_ROLLOUT_ROLLED_BACK && counts->stuck > 0)
        add(list, "RolledBack", false, "Incomplete",
            "%zu of %zu clusters could not take the version before: see failures", counts->stuck,
            counts->stuck + counts->returned + counts->returning);
    else if (r->phase == HUB_ROLLOUT_ROLLED_BACK)
        add(list, "RolledBack", true, r->failed ? "TooManyFailures" : "Undone",
            "%zu clusters have the version before again%s; the object's spec is held back until it "
            "is changed or the rollout is retried",
            counts->returned, counts->returning ? ", the others when they are in reach" : "");
}

static void add_catch_up(const struct hub_rollout *r, struct list *list)
{
    size_t late = r->all.counts.pending + r->all.counts.deferred;

    if (r->phase == HUB_ROLLOUT_COMPLETE && late > 0 && rollout_over_limit(r))
        add(list, "CatchUpStopped", true, "TooManyFailures",
            "%zu late %s kept as they are, as more clusters failed than maxFailures allows: retry "
            "or undo",
            late, late == 1 ? "cluster is" : "clusters are");
}

size_t hub_rollout_conditions(const struct hub_rollout *r,
    struct hub_rollout_condition conditions[HUB_ROLLOUT_CONDITIONS_MAX])
{
    struct list list = {conditions, 0};

    if (!r->rules || r->phase == HUB_ROLLOUT_NONE)
        return 0;
    add_progress(r, &list);
    add_health(r, &list);
    add_proof(r, &list);
    add_windows(r, &list);
    add_return(r, &list);
    add_catch_up(r, &list);
    return list.n;
}

/* ---- one cluster ---- */

static void say_pending(
    const struct hub_rollout *r, const struct rollout_slot *slot, struct fed_buf *out)
{
    const struct fed_span wave = r->rules->waves[slot->wave].name;

    if (slot->held && slot->hold_ms != 0)
        fed_buf_printf(
            out, "changes of the cluster wait: its quiet window, its month's bytes, or a cordon");
    else if (rollout_zone_unknown(r, slot) && slot->held)
        fed_buf_printf(out, "its label names no time zone that the hub knows");
    else if (slot->held)
        fed_buf_printf(out, "no window of wave " FED_SPAN_FMT " is open", FED_SPAN_ARG(wave));
    else if (r->phase == HUB_ROLLOUT_PAUSED)
        fed_buf_printf(out, "it is paused");
    else if (r->phase == HUB_ROLLOUT_ABORTED)
        fed_buf_printf(out, "it was aborted");
    else if (!r->waves[slot->wave].begun && r->phase != HUB_ROLLOUT_COMPLETE)
        fed_buf_printf(out, "wave " FED_SPAN_FMT " has not begun", FED_SPAN_ARG(wave));
    else if (slot->reach != ROLLOUT_REACH_IN)
        fed_buf_printf(out, "the cluster is out of reach");
    else
        fed_buf_printf(out, "others of wave " FED_SPAN_FMT " come first", FED_SPAN_ARG(wave));
}

void hub_rollout_why(const struct hub_rollout *r, struct fed_span cluster, struct fed_buf *out)
{
    const struct rollout_slot *slot = rollout_find(r, cluster);

    if (!r->rules || r->phase == HUB_ROLLOUT_NONE || (slot && slot->version == r->to) ||
        rollout_rest_knows(r, cluster))
        return;
    if (r->phase == HUB_ROLLOUT_ROLLING_BACK || r->phase == HUB_ROLLOUT_ROLLED_BACK)
        fed_buf_printf(out, "it was rolled back");
    else if (!slot || slot->wave >= r->rules->n_waves)
        fed_buf_printf(out, "the cluster has no wave yet");
    else if (slot->state == HUB_ROLLOUT_DEFERRED)
        fed_buf_printf(out, "the cluster is deferred: it was out of reach for long");
    else
        say_pending(r, slot, out);
}
