/* begin.c - rollouts begin, wait, and are superseded; always in the commit of what leads to it. */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

#define NUMBERS_TRIED 1000

/* ---- papers of what comes ---- */

static void put_writer(const struct hub_rollouts *r, const struct rollout_subject *s, char *out)
{
    struct fed_span key = fed_span_of(s->key, s->key_len);

    for (const struct rollout_writer *w = r->writers; w; w = w->next)
        if (fed_span_eq(fed_span_of(w->key, w->key_len), key)) {
            snprintf(out, ROLLOUT_USER_MAX + 1, "%s", w->user);
            return;
        }
}

static bool is_there(struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    struct fed_buf bytes;
    bool there;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    there = hub_objects_get(r->objects, ref, &bytes, NULL) != FED_ERR_NOT_FOUND;
    fed_buf_fini(&bytes);
    return there;
}

/* Of an object of the same name that is gone there may be Rollouts that are about to go; and of one
 * that somebody deleted, rows: its number makes the same uid once more. */
static enum fed_err next_paper(
    struct hub_rollouts *r, struct rollout_subject *s, struct rollout_paper **out)
{
    int64_t number = s->papers ? s->papers->number + 1 : 1;
    enum fed_err err;

    for (int i = 0; i < NUMBERS_TRIED; i++, number++) {
        struct rollout_paper *paper;
        struct hub_object_ref ref;

        err = rollout_paper_new(r, s, number, &paper);
        if (err)
            return err;
        ref = rollout_paper_ref(s, paper);
        if (!is_there(r, &ref) && !rollout_rows_are_there(r, paper->uid)) {
            put_writer(r, s, paper->changed_by);
            *out = paper;
            return FED_OK;
        }
        rollout_paper_drop(r, s, paper);
    }
    return FED_ERR_LIMIT;
}

static struct rollout_version version_of(const struct fed_digest *digest, int64_t generation)
{
    struct rollout_version version = {.generation = generation, .has = digest != NULL};

    if (digest)
        version.digest = *digest;
    return version;
}

/* The generation of the object that had it, as far as the papers tell. */
static int64_t generation_of(const struct rollout_subject *s, const struct fed_digest *digest)
{
    if (digest && s->base.has && fed_digest_eq(&s->base.digest, digest))
        return s->base.generation;
    for (const struct rollout_paper *paper = s->papers; digest && paper; paper = paper->next)
        if (paper->to.has && paper->to.generation > 0 && fed_digest_eq(&paper->to.digest, digest))
            return paper->to.generation;
    return 0;
}

static struct rollout_version from_of(const struct rollout_subject *s)
{
    const struct fed_digest *from = s->engine ? hub_rollout_from(s->engine) : NULL;

    return version_of(from, generation_of(s, from));
}

/* ---- what is written ---- */

/* What a Rollout is to say from now on. */
struct writing {
    const struct hub_rollout_rules *rules; /* NULL: none yet */
    const char *superseded; /* it ended, by that; NULL: as the engine has it, or it waits */
};

/* The stored one; one that is to begin is made when it is new. */
static enum fed_err object_of(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_paper *paper, const struct writing *what, struct fed_json_doc *doc,
    struct fed_json **out, uint64_t *revision)
{
    enum fed_err err = rollout_record_load(r, s, paper, doc, out, revision);

    if (err != FED_ERR_NOT_FOUND || what->superseded)
        return err;
    *revision = 0;
    return rollout_record_make(r, s, paper, doc, out);
}

static enum fed_err compose(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_paper *paper, const struct writing *what, struct fed_json_doc *doc,
    struct fed_json *object)
{
    enum fed_err err;

    if (what->superseded)
        return rollout_compose_superseded(r, what->superseded, doc, object);
    err = rollout_record_spec(s, paper, what->rules, doc, object);
    if (err)
        return err;
    return paper == s->present ? rollout_compose(r, s, doc, object)
                               : rollout_compose_waiting(r, s, paper, doc, object);
}

/* One that is to end and is not there any more has ended. */
static enum fed_err write_paper(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, const struct writing *what, struct rollout_ops *ops)
{
    struct hub_object_ref ref = rollout_paper_ref(s, paper);
    struct fed_json_doc *doc;
    struct fed_json *object;
    uint64_t revision;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    err = object_of(r, s, paper, what, doc, &object, &revision);
    if (!err)
        err = compose(r, s, paper, what, doc, object);
    if (!err)
        rollout_ops_write(ops, &ref, object, revision);
    fed_json_doc_free(doc);
    if (err == FED_ERR_NOT_FOUND && what->superseded)
        err = FED_OK;
    if (!err && what->superseded)
        paper->ended = true;
    return err;
}

static enum fed_err write_superseded(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, const char *by, struct rollout_ops *ops)
{
    return write_paper(r, s, paper, &(struct writing){.superseded = by}, ops);
}

/* The oldest that ended go, and the versions that nothing else needs. */
static void prune(struct hub_rollouts *r, struct rollout_subject *s, struct rollout_ops *ops)
{
    struct rollout_paper *next;
    size_t ended = 0;

    for (struct rollout_paper *paper = s->papers; paper; paper = next) {
        struct rollout_version from = paper->from;
        struct rollout_version to = paper->to;
        struct hub_object_ref ref = rollout_paper_ref(s, paper);

        next = paper->next;
        if (!paper->ended || paper == s->present || ++ended <= ROLLOUT_HISTORY)
            continue;
        rollout_ops_write(ops, &ref, NULL, HUB_ANY_REVISION);
        rollout_paper_drop(r, s, paper);
        rollout_version_forget(r, s, &from, ops);
        rollout_version_forget(r, s, &to, ops);
    }
}

/* ---- beginning ---- */

static enum fed_err ensure_engine(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct hub_rollout_options options = rollout_engine_options(r, s);
    enum fed_err err;

    if (s->engine)
        return FED_OK;
    err = hub_rollout_new(&options, rollout_now(r), &s->engine);
    if (!err && s->base.has)
        hub_rollout_adopt(s->engine, &s->base.digest);
    return err;
}

/* The paper's rollout begins; the engine has begun it already. */
static enum fed_err begun(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, struct rollout_policy *policy, struct rollout_ops *ops)
{
    struct rollout_paper *former = s->present;
    char by[ROLLOUT_NAME_SIZE + 64];
    enum fed_err err = FED_OK;

    snprintf(by, sizeof by, "a newer change: rollout %.250s", paper->name);
    if (former && !former->ended)
        err = write_superseded(r, s, former, by, ops);
    s->present = paper;
    if (s->waiting == paper)
        s->waiting = NULL;
    paper->waits = paper->queued = false;
    paper->from = from_of(s);
    snprintf(paper->policy, sizeof paper->policy, "%s", policy->name);
    s->untold = true;
    s->cluster_bytes = 0;
    if (!err)
        err = write_paper(r, s, paper, &(struct writing){.rules = policy->rules}, ops);
    rollout_rows_put(r, s, ops);
    prune(r, s, ops);
    return err;
}

static enum fed_err begin(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, struct rollout_policy *policy, struct rollout_ops *ops)
{
    enum fed_err err = ensure_engine(r, s);

    if (!err)
        err = rollout_rouse(r, s, NULL);
    if (err)
        return err;
    err = hub_rollout_begin(s->engine, policy->rules, &paper->to.digest, rollout_now(r));
    if (err)
        return err;
    if (s->present)
        rollout_rows_forget(r, s->present, ops);
    hub_rollout_rules_free(s->rules);
    s->rules = hub_rollout_rules_keep(policy->rules);
    err = begun(r, s, paper, policy, ops);
    if (err)
        s->broken = r->broken = true; /* the engine is ahead of the store */
    return err;
}

/* The change waits, in the paper of those that waited before it. */
static enum fed_err wait(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_version *to, bool queued, struct rollout_ops *ops)
{
    struct rollout_paper *paper = s->waiting;
    struct rollout_version former = paper ? paper->to : (struct rollout_version){0};
    enum fed_err err = paper ? FED_OK : next_paper(r, s, &paper);

    if (err)
        return err;
    if (s->waiting)
        put_writer(r, s, paper->changed_by);
    s->waiting = paper;
    paper->waits = true;
    paper->queued = queued;
    paper->from = s->engine ? version_of(hub_rollout_to(s->engine), 0) : s->base;
    paper->to = *to;
    snprintf(paper->policy, sizeof paper->policy, "%s", s->policy);
    err = write_paper(r, s, paper, &(struct writing){.rules = NULL}, ops);
    rollout_version_forget(r, s, &former, ops);
    return err;
}

/* It will not be, for the object is again what is rolled out. */
static enum fed_err stop_waiting(
    struct hub_rollouts *r, struct rollout_subject *s, struct rollout_ops *ops)
{
    struct rollout_paper *paper = s->waiting;
    enum fed_err err;

    s->waiting = NULL;
    if (!paper)
        return FED_OK;
    paper->waits = paper->queued = false;
    err = write_superseded(r, s, paper, "the object was changed again", ops);
    if (!err)
        prune(r, s, ops);
    return err;
}

static bool is_running(const struct rollout_subject *s)
{
    struct hub_rollout_view view;

    if (!s->engine || !s->present)
        return false;
    hub_rollout_view(s->engine, &view);
    return view.phase != HUB_ROLLOUT_NONE && !hub_rollout_phase_is_end(view.phase);
}

static bool is_target(const struct rollout_subject *s, const struct fed_digest *digest)
{
    const struct fed_digest *to = s->engine ? hub_rollout_to(s->engine) : NULL;

    if (s->engine)
        return is_running(s) && to && fed_digest_eq(to, digest);
    return s->base.has && fed_digest_eq(&s->base.digest, digest);
}

/* A new content, of which the version is kept already. */
enum fed_err rollout_change(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_version *to, struct rollout_ops *ops)
{
    struct rollout_policy *policy =
        s->policy[0] ? rollout_policy_find(r, s->ref.ns, fed_span_text(s->policy)) : NULL;
    bool queued = is_running(s) && s->rules && s->rules->queue;
    struct rollout_paper *paper;
    bool is_new = !s->waiting;
    enum fed_err err;

    if (is_target(s, &to->digest))
        return stop_waiting(r, s, ops);
    if (!policy || queued)
        return wait(r, s, to, queued, ops);
    paper = s->waiting;
    err = paper ? FED_OK : next_paper(r, s, &paper);
    if (err)
        return err;
    if (!is_new)
        put_writer(r, s, paper->changed_by);
    paper->to = *to;
    err = begin(r, s, paper, policy, ops);
    if (err && is_new && paper != s->present)
        rollout_paper_drop(r, s, paper);
    if (err == FED_ERR_BUSY) /* clusters have too many versions as it is */
        return wait(r, s, to, true, ops);
    if (!err)
        rollout_tell(r, s, paper, false, "RolloutStarted", "rollout %s of generation %lld began",
            paper->name, (long long)to->generation);
    return err;
}

enum fed_err rollout_begin_waiting(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct rollout_ops ops;
    struct rollout_version to;
    struct fed_diag diag = {""};
    enum fed_err err;

    if (!s->waiting || !s->policy[0] || (s->waiting->queued && is_running(s)))
        return FED_OK;
    to = s->waiting->to;
    rollout_ops_init(&ops, r->mem);
    err = rollout_change(r, s, &to, &ops);
    if (!err)
        err = rollout_ops_stage(r, s, &ops, &diag);
    rollout_ops_fini(&ops);
    if (err) {
        fed_log(r->log, FED_LOG_ERROR, "rollouts: %s does not begin: %s; next try in %u s",
            s->waiting ? s->waiting->name : "", diag.text[0] ? diag.text : fed_err_text(err),
            ROLLOUT_RETRY_MS / 1000u);
        s->broken = r->broken = true; /* the engine may be ahead of the store */
    }
    rollout_due(r, s, err ? ROLLOUT_RETRY_MS : 0);
    return err;
}

/* ---- the end of being governed ---- */

/* Everything that decides goes: clusters get the object as it is stored. The history stays. */
enum fed_err rollout_release(
    struct hub_rollouts *r, struct rollout_subject *s, const char *by, struct rollout_ops *ops)
{
    struct rollout_version base = s->base;
    enum fed_err err = FED_OK;

    if (s->present && !s->present->ended)
        err = write_superseded(r, s, s->present, by, ops);
    if (!err)
        err = stop_waiting(r, s, ops);
    if (err)
        return err;
    if (s->present)
        rollout_rows_forget(r, s->present, ops);
    hub_rollout_free(s->engine);
    s->engine = NULL;
    hub_rollout_rules_free(s->rules);
    s->rules = NULL;
    s->present = NULL;
    s->base = (struct rollout_version){0};
    rollout_version_forget(r, s, &base, ops);
    return FED_OK;
}

void rollout_release_over(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct rollout_ops ops;
    struct fed_diag diag = {""};
    enum fed_err err;

    rollout_ops_init(&ops, r->mem);
    err = rollout_release(r, s, "", &ops);
    if (!err)
        err = rollout_ops_stage(r, s, &ops, &diag);
    rollout_ops_fini(&ops);
    if (!err)
        err = hub_plan_govern(r->plan, &s->ref, false);
    if (err)
        rollout_break(r, s);
}
