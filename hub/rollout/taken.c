/* taken.c - federated objects come in: who governs them, and whether their content is new. */
#include "hub/rollout/taken_parts.h"

#include <stdio.h>
#include <string.h>

bool rollout_decides(const struct rollout_subject *s)
{
    return s->governed || s->engine || s->waiting || s->broken;
}

/* ---- an object that is written ---- */

enum fed_err rollout_incoming_changed(
    struct rollout_incoming *in, struct rollout_subject *s, const struct rollout_version *next)
{
    if (s->governed)
        return rollout_change(in->r, s, next, &in->ops);
    return rollout_release(
        in->r, s, "the object was changed, and no policy governs it any more", &in->ops);
}

bool rollout_is_over(const struct rollout_subject *s)
{
    struct hub_rollout_view view;

    if (!s->engine)
        return true;
    hub_rollout_view(s->engine, &view);
    return view.phase == HUB_ROLLOUT_NONE ||
           (view.phase == HUB_ROLLOUT_COMPLETE && view.counts.deferred == 0 &&
               view.counts.pending == 0);
}

/* Its content is what it was; who governs it may be another one. */
static enum fed_err unchanged(struct rollout_incoming *in, struct rollout_subject *s)
{
    struct rollout_version to;

    if (!s->governed && (s->waiting || rollout_is_over(s)))
        return rollout_release(in->r, s, "no policy governs the object any more", &in->ops);
    if (!s->waiting || s->waiting->queued)
        return FED_OK;
    to = s->waiting->to;
    return rollout_change(in->r, s, &to, &in->ops);
}

static enum fed_err take_content(struct rollout_incoming *in, struct rollout_subject *s, bool fresh)
{
    bool scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    bool flipped = scaled != s->scaled && !fresh;
    struct rollout_version next;
    bool same;
    enum fed_err err;

    s->scaled = scaled;
    if (fresh && s->governed) {
        err = rollout_incoming_former(in, s);
        if (err)
            return err;
        s->content = s->base;
    }
    err = rollout_incoming_version(
        in, s, in->bytes, rollout_incoming_generation(in->object), s->governed, &next);
    if (err)
        return err;
    same = s->content.has && fed_digest_eq(&s->content.digest, &next.digest);
    if (!same && flipped)
        err = rollout_incoming_rescale(in, s, &next, &same);
    if (err)
        return err;
    if (same) {
        s->content = next;
        return unchanged(in, s);
    }
    err = rollout_incoming_changed(in, s, &next);
    if (!err)
        s->content = next;
    return err;
}

void rollout_incoming_kind(const struct rollout_incoming *in, struct rollout_subject *s)
{
    struct fed_span kind = fed_json_string(fed_json_get(in->object, "kind"));
    struct fed_span version = fed_json_string(fed_json_get(in->object, "apiVersion"));
    struct fed_span resource = in->ref->resource;
    size_t dot = fed_span_find(resource, '.');

    if (kind.len == 0)
        kind = fed_span_sub(resource, 0, dot);
    snprintf(s->kind, sizeof s->kind, FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(kind, 0, 127)));
    snprintf(s->api_version, sizeof s->api_version, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(version, 0, 319)));
    if (version.len == 0)
        snprintf(s->api_version, sizeof s->api_version, FED_SPAN_FMT "/v1beta1",
            FED_SPAN_ARG(fed_span_sub(resource, dot + 1, 300)));
}

/* The subject of an object, new when there is none, with what the object says of itself. */
static enum fed_err introduce(struct rollout_incoming *in, struct rollout_subject **s)
{
    struct fed_span uid = fed_json_string(fed_json_find(in->object, "metadata.uid"));
    enum fed_err err = rollout_subject_ensure(in->r, in->ref, uid, s);

    if (err)
        return err;
    rollout_incoming_kind(in, *s);
    rollout_subject_govern(in->r, *s, &in->by);
    (*s)->going = fed_json_find(in->object, "metadata.deletionTimestamp") != NULL;
    return FED_OK;
}

enum fed_err rollout_incoming_written(struct rollout_incoming *in, struct rollout_subject *s)
{
    bool fresh = !s || !rollout_decides(s);
    bool known = s && (s->engine || s->waiting);
    struct fed_diag diag = {""};
    enum fed_err err;

    if (!s && !in->by.policy && !in->by.blocked)
        return FED_OK;
    err = introduce(in, &s);
    if (err)
        return err;
    if (s->going || (fresh && !s->governed))
        return FED_OK;
    err = take_content(in, s, fresh);
    if (!err)
        err = rollout_ops_stage(in->r, s, &in->ops, &diag);
    if (err) {
        rollout_break(in->r, s);
        fed_log(in->r->log, FED_LOG_ERROR,
            "rollouts: the change of " FED_SPAN_FMT "/" FED_SPAN_FMT " is not taken: %s",
            FED_SPAN_ARG(s->ref.ns), FED_SPAN_ARG(s->ref.name),
            diag.text[0] ? diag.text : fed_err_text(err));
        /* What was rolled out of it is stored, and is compared with it once it can be read again.
         * Of one that never was nothing is stored: the write must not be, either. */
        return known ? FED_OK : err;
    }
    rollout_due(in->r, s, 0);
    return FED_OK;
}

/* ---- one that is read, or that is as it was ---- */

/* Read while the hub runs it is one whose type was not federated until now: all that is known of it
 * is new to the clusters. */
static bool is_unborn(const struct rollout_incoming *in, const struct rollout_subject *s, bool read)
{
    return s->unborn || (read && in->r->plan && s->governed && !s->going && !s->papers);
}

static enum fed_err loaded(struct rollout_incoming *in, struct rollout_subject *s, bool read)
{
    enum fed_err err;

    if (!s && !in->by.policy && !in->by.blocked)
        return FED_OK;
    err = introduce(in, &s);
    if (err)
        return err;
    s->unborn = is_unborn(in, s, read);
    s->scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    err = rollout_incoming_version(
        in, s, in->bytes, rollout_incoming_generation(in->object), false, &s->content);
    if (err)
        return err;
    s->recheck = true; /* its version may be missing; nothing is written now */
    rollout_lost_look(in->r, s);
    if (s->engine || s->broken)
        return FED_OK;
    if (s->waiting)
        s->base = s->waiting->from;
    else if (!s->unborn)
        s->base = s->content;
    if (in->r->plan)
        rollout_look_soon(in->r);
    return FED_OK;
}

/* ---- one that is gone ---- */

static void forget_versions(struct rollout_incoming *in, struct rollout_subject *s)
{
    struct rollout_version content = s->content;
    struct rollout_version base = s->base;

    s->content = s->base = (struct rollout_version){0};
    hub_rollout_free(s->engine);
    s->engine = NULL;
    s->present = s->waiting = NULL;
    rollout_version_forget(in->r, s, &content, &in->ops);
    rollout_version_forget(in->r, s, &base, &in->ops);
    while (s->papers) {
        struct rollout_version from = s->papers->from;
        struct rollout_version to = s->papers->to;

        rollout_paper_drop(in->r, s, s->papers);
        rollout_version_forget(in->r, s, &from, &in->ops);
        rollout_version_forget(in->r, s, &to, &in->ops);
    }
}

/* Its Rollouts go as what an owner leaves behind does; rows and versions here. */
static enum fed_err gone(struct rollout_incoming *in, struct rollout_subject *s, bool write)
{
    struct fed_diag diag = {""};
    enum fed_err err = FED_OK;

    if (write && s->engine && s->present)
        rollout_rows_forget(in->r, s->present, &in->ops);
    if (write)
        forget_versions(in, s);
    if (write && (in->ops.n > 0 || in->ops.err))
        err = in->ops.err ? in->ops.err
                          : hub_objects_stage(
                                in->r->objects, NULL, 0, in->ops.list, in->ops.n, NULL, &diag);
    rollout_subject_free(in->r, s);
    return err == FED_ERR_NOMEM ? FED_OK : err; /* what stays goes at the next start */
}

/* ---- from the plan ---- */

/* The commit failed in which its deletion, or another object of its name, ended its rollouts: they
 * are still stored. */
static enum fed_err returned(struct rollout_incoming *in, struct fed_span uid)
{
    struct rollout_subject *s;
    enum fed_err err = rollout_subject_ensure(in->r, in->ref, uid, &s);

    if (!err)
        rollout_break(in->r, s);
    return err;
}

static enum fed_err take(struct rollout_incoming *in, enum hub_gate_taking why)
{
    struct rollout_subject *s = rollout_subject_get(in->r, in->ref);
    struct fed_span uid;
    enum fed_err err;

    if (in->bytes.len == 0)
        return s ? gone(in, s, why == HUB_GATE_WRITTEN) : FED_OK;
    err = fed_json_parse(in->doc, in->bytes, &in->object, NULL);
    if (err)
        return err == FED_ERR_NOMEM ? err : FED_OK;
    rollout_govern(in->r, in->ref, fed_json_get(in->object, "metadata"), &in->by);
    uid = fed_json_string(fed_json_find(in->object, "metadata.uid"));
    if (why == HUB_GATE_UNDONE && (!s || !fed_span_is(uid, s->uid)))
        return returned(in, uid);
    if (s && !fed_span_is(uid, s->uid)) {
        err = gone(in, s, why == HUB_GATE_WRITTEN);
        s = NULL;
        rollout_ops_fini(&in->ops);
        rollout_ops_init(&in->ops, in->r->mem);
    }
    if (err)
        return err;
    if (s && s->broken) /* read anew, it is compared with what was rolled out */
        return FED_OK;
    return why == HUB_GATE_WRITTEN ? rollout_incoming_written(in, s)
                                   : loaded(in, s, why == HUB_GATE_LOADED);
}

enum fed_err rollout_incoming_init(struct rollout_incoming *in, struct hub_rollouts *r,
    const struct hub_object_ref *ref, struct fed_span bytes)
{
    *in = (struct rollout_incoming){.r = r, .ref = ref, .bytes = bytes};
    rollout_ops_init(&in->ops, r->mem);
    return fed_json_doc_new(r->mem, &in->doc);
}

void rollout_incoming_fini(struct rollout_incoming *in)
{
    fed_json_doc_free(in->doc);
    rollout_ops_fini(&in->ops);
}

enum fed_err rollout_taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed)
{
    struct hub_rollouts *r = ctx;
    const struct rollout_subject *s;
    struct rollout_incoming in;
    enum fed_err err = rollout_incoming_init(&in, r, ref, bytes);

    if (!err && why == HUB_GATE_WRITTEN)
        err = rollout_policies_ready(r);
    if (!err)
        err = take(&in, why);
    rollout_incoming_fini(&in);
    s = rollout_subject_get(r, ref);
    *governed = s && rollout_decides(s);
    return err;
}
