/* subjects.c - governed objects and the Rollouts that are stored of them, in memory. */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

/* ---- keys ---- */

static enum fed_err key_of(
    struct fed_alloc *mem, const struct hub_object_ref *ref, char **key, size_t *len)
{
    size_t need = ref->resource.len + ref->ns.len + ref->name.len + 2;
    char *at = need < ROLLOUT_KEY_MAX ? fed_alloc_get(mem, need) : NULL;

    if (!at)
        return need < ROLLOUT_KEY_MAX ? FED_ERR_NOMEM : FED_ERR_LIMIT;
    memcpy(at, ref->resource.at, ref->resource.len);
    at[ref->resource.len] = 0;
    if (ref->ns.len)
        memcpy(at + ref->resource.len + 1, ref->ns.at, ref->ns.len);
    at[ref->resource.len + 1 + ref->ns.len] = 0;
    memcpy(at + need - ref->name.len, ref->name.at, ref->name.len);
    *key = at;
    *len = need;
    return FED_OK;
}

struct rollout_subject *rollout_subject_get(
    struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    char text[ROLLOUT_KEY_MAX];
    int n;

    if (r->subjects.count == 0)
        return NULL;
    n = snprintf(text, sizeof text, FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT,
        FED_SPAN_ARG(ref->resource), 0, FED_SPAN_ARG(ref->ns), 0, FED_SPAN_ARG(ref->name));
    return n > 0 && (size_t)n < sizeof text
               ? fed_map_get(&r->subjects, fed_span_of(text, (size_t)n))
               : NULL;
}

static void put_ref(struct rollout_subject *s, const struct hub_object_ref *ref)
{
    s->ref.resource = fed_span_of(s->key, ref->resource.len);
    s->ref.ns = fed_span_of(s->key + ref->resource.len + 1, ref->ns.len);
    s->ref.name = fed_span_of(s->key + s->key_len - ref->name.len, ref->name.len);
}

static void discard(struct hub_rollouts *r, struct rollout_subject *s)
{
    fed_alloc_free(r->mem, s->key, s->key_len);
    fed_alloc_free(r->mem, s, sizeof *s);
}

enum fed_err rollout_subject_ensure(struct hub_rollouts *r, const struct hub_object_ref *ref,
    struct fed_span uid, struct rollout_subject **out)
{
    struct rollout_subject *s = rollout_subject_get(r, ref);
    enum fed_err err;

    if (s) {
        *out = s;
        return FED_OK;
    }
    s = fed_alloc_zero(r->mem, sizeof *s);
    if (!s)
        return FED_ERR_NOMEM;
    err = key_of(r->mem, ref, &s->key, &s->key_len);
    if (err) {
        fed_alloc_free(r->mem, s, sizeof *s);
        return err;
    }
    put_ref(s, ref);
    err = fed_span_to_cstr(uid, s->uid, sizeof s->uid);
    if (!err)
        err = fed_map_put(&r->subjects, fed_span_of(s->key, s->key_len), s);
    if (err) {
        discard(r, s);
        return err;
    }
    *out = s;
    return FED_OK;
}

void rollout_subject_clear(struct hub_rollouts *r, struct rollout_subject *s)
{
    hub_rollout_free(s->engine);
    hub_rollout_rules_free(s->rules);
    s->engine = NULL;
    s->rules = NULL;
    s->present = s->waiting = NULL;
    while (s->papers) {
        struct rollout_paper *paper = s->papers;

        s->papers = paper->next;
        fed_alloc_free(r->mem, paper, sizeof *paper);
    }
    s->due = s->acted = false;
    s->base = (struct rollout_version){0};
}

void rollout_subject_free(struct hub_rollouts *r, struct rollout_subject *s)
{
    static const struct rollout_governor nobody;

    rollout_subject_govern(r, s, &nobody);
    rollout_subject_clear(r, s);
    fed_map_remove(&r->subjects, fed_span_of(s->key, s->key_len));
    discard(r, s);
}

/* ---- who governs ---- */

static void count(struct hub_rollouts *r, const struct rollout_subject *s, int by)
{
    struct rollout_policy *policy =
        s->policy[0] ? rollout_policy_find(r, s->ref.ns, fed_span_text(s->policy)) : NULL;

    if (policy && by > 0)
        policy->n_objects++;
    else if (policy && policy->n_objects > 0)
        policy->n_objects--;
}

void rollout_subject_govern(
    struct hub_rollouts *r, struct rollout_subject *s, const struct rollout_governor *by)
{
    const char *name = by->policy ? by->policy->name : "";

    if (strcmp(s->policy, name) != 0 || s->blocked != by->blocked)
        rollout_policies_moved(r, s->ref.ns);
    count(r, s, -1);
    snprintf(s->policy, sizeof s->policy, "%s", name);
    count(r, s, 1);
    s->governed = by->policy || by->blocked;
    s->blocked = by->blocked;
    snprintf(s->reason, sizeof s->reason, "%s", by->reason);
    snprintf(s->message, sizeof s->message, "%s", by->message);
}

/* ---- papers ---- */

static void put_uid(const struct rollout_subject *s, int64_t number, char uid[HUB_UUID_SIZE])
{
    char text[160];
    struct fed_digest digest;
    int n = snprintf(text, sizeof text, "rollout %s %lld", s->uid, (long long)number);

    if (n < 0 || fed_digest_of(fed_span_of(text, (size_t)n), &digest))
        memset(&digest, 0, sizeof digest);
    hub_uuid_format(digest.bytes, uid);
}

/* "federateddeployment-web-5"; a name that would be too long is cut, and told apart by its uid. */
void rollout_paper_put_name(const struct rollout_subject *s, struct rollout_paper *paper)
{
    char text[700];
    int n = snprintf(text, sizeof text, "%s-" FED_SPAN_FMT "-%lld", s->kind,
        FED_SPAN_ARG(s->ref.name), (long long)paper->number);

    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 32 : *c);
    if (n > 0 && (size_t)n < sizeof paper->name)
        memcpy(paper->name, text, (size_t)n + 1);
    else
        snprintf(paper->name, sizeof paper->name, "%.200s-%.8s-%lld", text, paper->uid,
            (long long)paper->number);
}

enum fed_err rollout_paper_new(
    struct hub_rollouts *r, struct rollout_subject *s, int64_t number, struct rollout_paper **out)
{
    struct rollout_paper *paper = fed_alloc_zero(r->mem, sizeof *paper);
    struct rollout_paper **at = &s->papers;

    if (!paper)
        return FED_ERR_NOMEM;
    paper->number = number;
    put_uid(s, number, paper->uid);
    rollout_paper_put_name(s, paper);
    while (*at && (*at)->number > number)
        at = &(*at)->next;
    paper->next = *at;
    *at = paper;
    *out = paper;
    return FED_OK;
}

void rollout_paper_drop(
    struct hub_rollouts *r, struct rollout_subject *s, struct rollout_paper *paper)
{
    struct rollout_paper **at = &s->papers;

    while (*at && *at != paper)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = paper->next;
    if (s->present == paper)
        s->present = NULL;
    if (s->waiting == paper)
        s->waiting = NULL;
    fed_alloc_free(r->mem, paper, sizeof *paper);
}

struct rollout_paper *rollout_paper_find(struct rollout_subject *s, struct fed_span name)
{
    for (struct rollout_paper *paper = s->papers; paper; paper = paper->next)
        if (fed_span_is(name, paper->name))
            return paper;
    return NULL;
}

struct rollout_subject *rollout_subject_of_paper(
    struct hub_rollouts *r, struct fed_span ns, struct fed_span name, struct rollout_paper **paper)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        struct rollout_subject *s = it.value;

        *paper = fed_span_eq(s->ref.ns, ns) ? rollout_paper_find(s, name) : NULL;
        if (*paper)
            return s;
    }
    *paper = NULL;
    return NULL;
}

struct hub_object_ref rollout_paper_ref(
    const struct rollout_subject *s, const struct rollout_paper *paper)
{
    return (struct hub_object_ref){
        FED_SPAN_LIT(HUB_ROLLOUTS), s->ref.ns, fed_span_text(paper->name)};
}

/* ---- what the engine is given ---- */

void rollout_unsettle(struct hub_rollouts *r, struct rollout_subject *s)
{
    s->unsettled = r->unsettled = true;
    s->quiet_ms = 0;
}

struct hub_rollout_now rollout_now(const struct hub_rollouts *r)
{
    return (struct hub_rollout_now){.unix_ms = r->o.loop->unix_us(r->o.loop->ctx) / 1000,
        .mono_ms = fed_loop_now_ms(r->o.loop)};
}

struct hub_rollout_options rollout_engine_options(
    struct hub_rollouts *r, const struct rollout_subject *s)
{
    return (struct hub_rollout_options){.mem = r->mem,
        .step_max = ROLLOUT_STEP_CLUSTERS,
        .uid = fed_span_text(s->uid),
        .find_zone = rollout_zone_find,
        .zone_ctx = r};
}
