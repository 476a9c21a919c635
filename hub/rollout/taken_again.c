/* taken_again.c - federated objects that are looked at again: what decides about them changed, or
 * was not known when they were read. */
#include "hub/rollout/taken_parts.h"

/* It gets governed as it is: that is what clusters have, and nothing starts. When that fails nobody
 * governs it: what clusters have is then what it said before its next change. */
static enum fed_err adopt(struct rollout_incoming *in, struct rollout_subject *s)
{
    static const struct rollout_governor nobody;
    struct fed_diag diag = {""};
    enum fed_err err;

    s->scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    err = rollout_incoming_version(
        in, s, in->bytes, rollout_incoming_generation(in->object), true, &s->base);
    s->content = s->base;
    if (!err)
        err = rollout_ops_stage(in->r, s, &in->ops, &diag);
    if (err) {
        rollout_subject_govern(in->r, s, &nobody);
        s->base = s->content = (struct rollout_version){0};
    }
    return err;
}

static enum fed_err look(struct rollout_incoming *in)
{
    struct rollout_subject *s = rollout_subject_get(in->r, in->ref);
    bool decided = s && rollout_decides(s);
    enum fed_err err = fed_json_parse(in->doc, in->bytes, &in->object, NULL);

    if (err)
        return err;
    rollout_govern(in->r, in->ref, fed_json_get(in->object, "metadata"), &in->by);
    if (decided)
        return rollout_incoming_written(in, s);
    if (!in->by.policy && !in->by.blocked)
        return FED_OK;
    err = rollout_subject_ensure(
        in->r, in->ref, fed_json_string(fed_json_find(in->object, "metadata.uid")), &s);
    if (err)
        return err;
    rollout_incoming_kind(in, s);
    rollout_subject_govern(in->r, s, &in->by);
    return adopt(in, s);
}

enum fed_err rollout_look(struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    struct rollout_subject *s = rollout_subject_get(r, ref);
    bool decided = s && rollout_decides(s);
    struct rollout_incoming in;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, ref, &bytes, NULL);
    if (!err) {
        err = rollout_incoming_init(&in, r, ref, fed_buf_span(&bytes));
        if (!err)
            err = look(&in);
        rollout_incoming_fini(&in);
    }
    fed_buf_fini(&bytes);
    s = rollout_subject_get(r, ref);
    if (r->plan && decided != (s && rollout_decides(s)))
        err = err ? err : hub_plan_govern(r->plan, ref, !decided);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* What the object is known to be: of the engine, of what waits, or of nothing yet. */
static const struct fed_digest *expected(const struct rollout_subject *s)
{
    if (s->waiting)
        return &s->waiting->to.digest;
    return s->engine ? hub_rollout_to(s->engine) : &s->base.digest;
}

/* It may have been rolled out when a scheduler still maintained a part of it. */
static enum fed_err is_known(struct rollout_incoming *in, const struct rollout_subject *s,
    const struct fed_digest *known, const struct fed_digest *next, bool *out)
{
    struct fed_digest scaled;
    enum fed_err err = FED_OK;

    *out = known && fed_digest_eq(known, next);
    if (known && !*out) {
        err = rollout_incoming_scaled(in, s, &scaled);
        *out = !err && fed_digest_eq(known, &scaled);
    }
    return err;
}

enum fed_err rollout_recheck(struct hub_rollouts *r, struct rollout_subject *s)
{
    const struct fed_digest *known = expected(s);
    struct rollout_version next = s->content;
    struct fed_diag diag = {""};
    struct rollout_incoming in;
    struct fed_buf bytes;
    bool compares = !s->scaled || s->unborn; /* what is new to all clusters begins */
    bool same = false;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, &s->ref, &bytes, NULL);
    if (!err) {
        err = rollout_incoming_init(&in, r, &s->ref, fed_buf_span(&bytes));
        if (!err)
            err = rollout_incoming_version(
                &in, s, fed_buf_span(&bytes), s->content.generation, true, &next);
        if (!err && compares)
            err = is_known(&in, s, known, &next.digest, &same);
        if (!err && compares && !same)
            err = rollout_incoming_changed(&in, s, &next);
        if (!err)
            err = rollout_ops_stage(r, s, &in.ops, &diag);
        rollout_incoming_fini(&in);
    }
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}
