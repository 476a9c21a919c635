/* observe_kinds.c - which kinds are observed, and how much of them (see observe.h). */
#include "agent/observe_inner.h"

#include <string.h>

#define STRAYS_PAUSE_MS 1000u

bool observe_is_of(const struct kind *k, const struct agent_entry *entry)
{
    return fed_span_eq(entry->work.plural, k->plural) &&
           fed_span_eq(entry->work.api_version, k->api_version);
}

/* ---- kinds ---- */

void observe_stop(struct kind *k)
{
    struct fed_kube *kube = k->observe->ports.kube;

    k->strays = false;
    if (k->call)
        kube->cancel(kube->ctx, k->call);
    if (k->watch)
        kube->watch_cancel(kube->ctx, k->watch);
    k->call = NULL;
    k->watch = NULL;
    k->state = KIND_WAITING;
}

/* Room for more strays. */
void observe_stray_room(void *ctx)
{
    struct agent_observe *o = ctx;

    for (size_t i = 0; i < o->n_kinds; i++) {
        struct kind *k = o->kinds[i];

        if (!k->strays)
            continue;
        observe_stop(k);
        k->rv[0] = '\0';
        k->due_ms = observe_now(o) + STRAYS_PAUSE_MS;
    }
    observe_arm(o);
}

void observe_kind_free(struct agent_observe *o, struct kind *k)
{
    observe_stop(k);
    if (o->asked == k)
        o->asked = NULL;
    fed_alloc_free(o->ports.mem, k->names, k->names_len);
    fed_alloc_free(o->ports.mem, k, sizeof *k);
}

static struct fed_span put_name(struct kind *k, size_t *at, struct fed_span name)
{
    uint8_t *to = (uint8_t *)k->names + *at;

    if (name.len > 0)
        memcpy(to, name.at, name.len);
    *at += name.len;
    return fed_span_of(to, name.len);
}

static struct kind *kind_new(struct agent_observe *o, const struct fed_work *work)
{
    struct kind *k = fed_alloc_zero(o->ports.mem, sizeof *k);
    size_t at = 0;

    if (!k)
        return NULL;
    k->observe = o;
    k->names_len = work->api_version.len + work->plural.len + work->kind.len;
    k->names = fed_alloc_get(o->ports.mem, k->names_len);
    if (!k->names) {
        fed_alloc_free(o->ports.mem, k, sizeof *k);
        return NULL;
    }
    k->api_version = put_name(k, &at, work->api_version);
    k->plural = put_name(k, &at, work->plural);
    k->kind = put_name(k, &at, work->kind);
    return k;
}

static struct kind *add_kind(struct agent_observe *o, const struct fed_work *work)
{
    struct kind *k;

    if (o->n_kinds == AGENT_KINDS_MAX)
        return NULL;
    if (o->n_kinds == o->cap_kinds) {
        size_t cap = o->cap_kinds ? o->cap_kinds * 2 : 8;
        struct kind **kinds = o->ports.mem->resize(
            o->ports.mem->ctx, o->kinds, o->cap_kinds * sizeof *kinds, cap * sizeof *kinds);

        if (!kinds)
            return NULL;
        o->kinds = kinds;
        o->cap_kinds = cap;
    }
    k = kind_new(o, work);
    if (k)
        o->kinds[o->n_kinds++] = k;
    return k;
}

static struct kind *find_kind(struct agent_observe *o, const struct agent_entry *entry)
{
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (observe_is_of(o->kinds[i], entry))
            return o->kinds[i];
    }
    return NULL;
}

static bool is_wanted(const struct agent_entry *entry)
{
    return (entry->uid[0] || entry->has_applied) && !entry->dropped &&
           (agent_entry_is_held_to(entry) || entry->removing);
}

static bool needs_content(const struct agent_entry *entry)
{
    return strcmp(agent_apply_accept(&entry->work), AGENT_ACCEPT_FULL) == 0;
}

void agent_observe_want(struct agent_observe *o, const struct agent_entry *entry)
{
    bool full = needs_content(entry);
    struct kind *k;

    if (!is_wanted(entry))
        return;
    k = find_kind(o, entry);
    if (k && k->strays_only && k->state == KIND_WAITING) {
        agent_retry_reset(&k->retry);
        k->due_ms = observe_now(o);
        observe_arm(o);
    }
    if (k)
        k->strays_only = false;
    if (k && (k->full || !full))
        return;
    if (!k)
        k = add_kind(o, &entry->work);
    if (!k)
        return; /* tried again with the next change */
    observe_stop(k);
    k->full = k->full || full;
    k->rv[0] = '\0';
    k->due_ms = observe_now(o); /* from the timer: this may be a callback of that very kind */
    observe_arm(o);
}

/* *full: some work of it needs contents. */
static bool is_used(const struct agent_observe *o, const struct kind *k, bool *full)
{
    bool used = false;

    *full = false;
    for (size_t i = 0; i < o->table->n; i++) {
        const struct agent_entry *entry = o->table->at[i];

        if (!observe_is_of(k, entry) || !is_wanted(entry))
            continue;
        used = true;
        *full = *full || needs_content(entry);
    }
    return used;
}

/* ---- federated kinds ---- */

static bool is_observed(const struct agent_observe *o, const struct fed_link_kind *kind)
{
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (fed_span_eq(o->kinds[i]->plural, kind->plural) &&
            fed_span_eq(o->kinds[i]->api_version, kind->api_version))
            return true;
    }
    return false;
}

/* Before there is a bundle nothing can be told from a stray. */
static void want_strays(struct agent_observe *o)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_kinds; i++)
        n += o->kinds[i]->strays_only;
    for (size_t i = 0; i < o->federated.n && o->table->revision > 0; i++) {
        const struct fed_link_kind *kind = &o->federated.at[i];
        struct fed_work work = {
            .api_version = kind->api_version, .kind = kind->kind, .plural = kind->plural};
        struct kind *k;

        if (n == AGENT_STRAY_KINDS_MAX || is_observed(o, kind))
            continue;
        k = add_kind(o, &work);
        if (!k)
            return; /* tried again with the next change */
        n++;
        k->strays_only = true;
        k->due_ms = observe_now(o);
    }
}

enum fed_err agent_observe_federated(struct agent_observe *o, struct fed_span kinds)
{
    enum fed_err err = agent_federated_set(&o->federated, o->ports.mem, kinds);

    if (!err)
        agent_observe_sync(o);
    return err;
}

/* Lists the entry's kind once more; once for all works of the kind. */
static void list_again(struct agent_observe *o, struct kind *k)
{
    observe_stop(k);
    k->rv[0] = '\0';
    k->due_ms = observe_now(o) + 1;
}

/* The status of an object that stands as it is comes with a list. */
static void want_status(struct agent_observe *o, struct agent_entry *entry)
{
    static const uint8_t none[sizeof entry->remote_digest];
    struct kind *k = find_kind(o, entry);

    entry->status_wanted = false;
    if (k && k->state == KIND_WATCHING && memcmp(entry->remote_digest, none, sizeof none) == 0)
        list_again(o, k);
}

void agent_observe_sync(struct agent_observe *o)
{
    size_t kept = 0;
    bool asked = o->asked != NULL;

    for (size_t i = 0; i < o->n_kinds; i++) {
        struct kind *k = o->kinds[i];
        bool full;
        bool used = is_used(o, k, &full);

        if (used || agent_federated_has(&o->federated, k->api_version, k->plural)) {
            k->strays_only = !used;
            o->kinds[kept++] = k;
            if (k->full && !full) { /* metadata is enough from now on */
                k->full = false;
                list_again(o, k);
            }
        } else {
            observe_kind_free(o, k);
        }
    }
    o->n_kinds = kept;
    if (asked && !o->asked)
        observe_ask_other(o, NULL);
    for (size_t i = 0; i < o->table->n; i++)
        agent_observe_want(o, o->table->at[i]);
    want_strays(o);
    for (size_t i = 0; i < o->table->n; i++) {
        if (o->table->at[i]->status_wanted)
            want_status(o, o->table->at[i]);
    }
    observe_arm(o);
}

void agent_observe_refresh_status(struct agent_observe *o)
{
    for (size_t i = 0; i < o->table->n; i++) {
        struct agent_entry *entry = o->table->at[i];
        struct kind *k = find_kind(o, entry);

        if (!k || !entry->in_manifest || !(entry->work.options & FED_WORK_STATUS))
            continue;
        memset(entry->remote_digest, 0, sizeof entry->remote_digest);
        list_again(o, k);
    }
    observe_arm(o);
}
