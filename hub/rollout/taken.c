/* taken.c - federated objects come in: who governs them, and whether their content is new. */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

struct incoming { /* one object, parsed */
    struct hub_rollouts *r;
    const struct hub_object_ref *ref;
    struct fed_span bytes;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct rollout_governor by;
    struct rollout_ops ops;
};

bool rollout_decides(const struct rollout_subject *s)
{
    return s->governed || s->engine || s->waiting || s->broken;
}

/* ---- who writes ---- */

void rollout_note_writer(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span user)
{
    struct rollout_writer *writer = fed_alloc_zero(r->mem, sizeof *writer);
    int n;

    if (!writer)
        return; /* a rollout says less, then */
    n = snprintf(writer->key, sizeof writer->key, FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT,
        FED_SPAN_ARG(ref->resource), 0, FED_SPAN_ARG(ref->ns), 0, FED_SPAN_ARG(ref->name));
    if (n < 0 || (size_t)n >= sizeof writer->key) {
        fed_alloc_free(r->mem, writer, sizeof *writer);
        return;
    }
    writer->key_len = (size_t)n;
    snprintf(writer->user, sizeof writer->user, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(user, 0, ROLLOUT_USER_MAX)));
    writer->next = r->writers; /* the last one counts */
    r->writers = writer;
}

void rollout_forget_writers(struct hub_rollouts *r)
{
    while (r->writers) {
        struct rollout_writer *writer = r->writers;

        r->writers = writer->next;
        fed_alloc_free(r->mem, writer, sizeof *writer);
    }
}

/* ---- content ---- */

static int64_t generation_of(const struct fed_json *object)
{
    return fed_json_int(fed_json_find(object, "metadata.generation"), 0);
}

/* The version of some bytes of the object; kept with what ops commits when that is wanted. */
static enum fed_err version_of(struct incoming *in, struct rollout_subject *s,
    struct fed_span bytes, int64_t generation, bool keep, struct rollout_version *out)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, in->r->mem, FED_STORE_VALUE_MAX);
    *out = (struct rollout_version){.generation = generation, .has = true};
    err = rollout_content_of(in->r, s, bytes, s->scaled, &out->digest, &text);
    if (!err && keep)
        rollout_version_keep(in->r, s, &out->digest, fed_buf_span(&text), &in->ops);
    fed_buf_fini(&text);
    return err;
}

struct looking { /* for what was stored before this turn's last write of the object */
    const struct hub_object_ref *ref;
    struct fed_span before;
    bool found;
};

static void look_staged(void *ctx, const struct hub_change *change)
{
    struct looking *looking = ctx;

    if (change->type == HUB_CHANGE_TOUCHED || !fed_span_eq(change->ref.name, looking->ref->name) ||
        !fed_span_eq(change->ref.ns, looking->ref->ns) ||
        !fed_span_eq(change->ref.resource, looking->ref->resource))
        return;
    looking->found = true;
    looking->before = change->before;
}

/* An object that nobody governed until this write: what clusters have is what it said before. */
static enum fed_err adopt_former(struct incoming *in, struct rollout_subject *s)
{
    struct looking looking = {.ref = in->ref};
    struct fed_json_doc *doc;
    struct fed_json *before;
    int64_t generation = 0;
    enum fed_err err;

    hub_objects_each_staged(in->r->objects, look_staged, &looking);
    if (looking.found && looking.before.len == 0)
        return FED_OK;  /* it is new: clusters have nothing */
    if (!looking.found) /* nobody knows */
        return generation_of(in->object) <= 1
                   ? FED_OK
                   : version_of(in, s, in->bytes, generation_of(in->object), true, &s->base);
    err = fed_json_doc_new(in->r->mem, &doc);
    if (err)
        return err;
    if (!fed_json_parse(doc, looking.before, &before, NULL))
        generation = generation_of(before);
    fed_json_doc_free(doc);
    return version_of(in, s, looking.before, generation, true, &s->base);
}

/* The name of its content without what a scheduler maintains. */
static enum fed_err as_scaled(
    struct incoming *in, const struct rollout_subject *s, struct fed_digest *out)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, in->r->mem, FED_STORE_VALUE_MAX);
    err = rollout_content_of(in->r, s, in->bytes, true, out, &text);
    fed_buf_fini(&text);
    return err;
}

/* The preference that scales it came or went: what is left out of the content is another part, of
 * the same content perhaps. */
static enum fed_err rescale(
    struct incoming *in, struct rollout_subject *s, const struct rollout_version *next, bool *same)
{
    struct rollout_version former;
    struct fed_buf stored;
    enum fed_err err = FED_ERR_NOT_FOUND;

    *same = false;
    if (!s->content.has)
        return FED_OK;
    if (!s->scaled) {
        rollout_versions_freeze(in->r, s, in->bytes, &in->ops);
        err = as_scaled(in, s, &former.digest);
        *same = !err && fed_digest_eq(&former.digest, &s->content.digest);
        return err;
    }
    fed_buf_init(&stored, in->r->mem, FED_STORE_VALUE_MAX);
    err = rollout_version_load(in->r, s, &s->content.digest, &stored);
    if (!err)
        err = version_of(in, s, fed_buf_span(&stored), 0, false, &former);
    if (!err)
        *same = fed_digest_eq(&former.digest, &next->digest);
    fed_buf_fini(&stored);
    return err == FED_ERR_NOMEM ? err : FED_OK;
}

/* ---- an object that is written ---- */

static enum fed_err changed(
    struct incoming *in, struct rollout_subject *s, const struct rollout_version *next)
{
    if (s->governed)
        return rollout_change(in->r, s, next, &in->ops);
    return rollout_release(
        in->r, s, "the object was changed, and no policy governs it any more", &in->ops);
}

static bool is_over(const struct rollout_subject *s)
{
    struct hub_rollout_view view;

    if (!s->engine)
        return true;
    hub_rollout_view(s->engine, &view);
    return view.phase == HUB_ROLLOUT_NONE ||
           (view.phase == HUB_ROLLOUT_COMPLETE && view.counts.deferred == 0);
}

/* Its content is what it was; who governs it may be another one. */
static enum fed_err unchanged(struct incoming *in, struct rollout_subject *s)
{
    struct rollout_version to;

    if (!s->governed && (s->waiting || is_over(s)))
        return rollout_release(in->r, s, "no policy governs the object any more", &in->ops);
    if (!s->waiting || s->waiting->queued)
        return FED_OK;
    to = s->waiting->to;
    return rollout_change(in->r, s, &to, &in->ops);
}

static enum fed_err take_content(struct incoming *in, struct rollout_subject *s, bool fresh)
{
    bool scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    bool flipped = scaled != s->scaled && !fresh;
    struct rollout_version next;
    bool same;
    enum fed_err err;

    s->scaled = scaled;
    if (fresh && s->governed) {
        err = adopt_former(in, s);
        if (err)
            return err;
        s->content = s->base;
    }
    err = version_of(in, s, in->bytes, generation_of(in->object), s->governed, &next);
    if (err)
        return err;
    same = s->content.has && fed_digest_eq(&s->content.digest, &next.digest);
    if (!same && flipped)
        err = rescale(in, s, &next, &same);
    if (err)
        return err;
    if (same) {
        s->content = next;
        return unchanged(in, s);
    }
    err = changed(in, s, &next);
    if (!err)
        s->content = next;
    return err;
}

static void take_kind(const struct incoming *in, struct rollout_subject *s)
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
static enum fed_err introduce(struct incoming *in, struct rollout_subject **s)
{
    struct fed_span uid = fed_json_string(fed_json_find(in->object, "metadata.uid"));
    enum fed_err err = rollout_subject_ensure(in->r, in->ref, uid, s);

    if (err)
        return err;
    take_kind(in, *s);
    rollout_subject_govern(in->r, *s, &in->by);
    (*s)->going = fed_json_find(in->object, "metadata.deletionTimestamp") != NULL;
    return FED_OK;
}

static enum fed_err written(struct incoming *in, struct rollout_subject *s)
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

static enum fed_err loaded(struct incoming *in, struct rollout_subject *s)
{
    enum fed_err err;

    if (!s && !in->by.policy && !in->by.blocked)
        return FED_OK;
    err = introduce(in, &s);
    if (err)
        return err;
    s->scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    err = version_of(in, s, in->bytes, generation_of(in->object), false, &s->content);
    if (err)
        return err;
    s->recheck = true; /* its version may be missing; nothing is written now */
    rollout_lost_look(in->r, s);
    if (s->engine || s->broken)
        return FED_OK;
    s->base = s->waiting ? s->waiting->from : s->content;
    return FED_OK;
}

/* ---- one that is gone ---- */

static void forget_versions(struct incoming *in, struct rollout_subject *s)
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
static enum fed_err gone(struct incoming *in, struct rollout_subject *s, bool write)
{
    struct fed_diag diag = {""};
    enum fed_err err = FED_OK;

    if (write && s->engine && s->present)
        rollout_rows_forget(in->r, s, s->present, &in->ops);
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
static enum fed_err returned(struct incoming *in, struct fed_span uid)
{
    struct rollout_subject *s;
    enum fed_err err = rollout_subject_ensure(in->r, in->ref, uid, &s);

    if (!err)
        rollout_break(in->r, s);
    return err;
}

static enum fed_err take(struct incoming *in, enum hub_gate_taking why)
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
    return why == HUB_GATE_WRITTEN ? written(in, s) : loaded(in, s);
}

static enum fed_err incoming_init(struct incoming *in, struct hub_rollouts *r,
    const struct hub_object_ref *ref, struct fed_span bytes)
{
    *in = (struct incoming){.r = r, .ref = ref, .bytes = bytes};
    rollout_ops_init(&in->ops, r->mem);
    return fed_json_doc_new(r->mem, &in->doc);
}

static void incoming_fini(struct incoming *in)
{
    fed_json_doc_free(in->doc);
    rollout_ops_fini(&in->ops);
}

enum fed_err rollout_taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed)
{
    struct hub_rollouts *r = ctx;
    const struct rollout_subject *s;
    struct incoming in;
    enum fed_err err = incoming_init(&in, r, ref, bytes);

    if (!err && why == HUB_GATE_WRITTEN)
        err = rollout_policies_ready(r);
    if (!err)
        err = take(&in, why);
    incoming_fini(&in);
    s = rollout_subject_get(r, ref);
    *governed = s && rollout_decides(s);
    return err;
}

/* ---- looked at again ---- */

/* It gets governed as it is: that is what clusters have, and nothing starts. When that fails nobody
 * governs it: what clusters have is then what it said before its next change. */
static enum fed_err adopt(struct incoming *in, struct rollout_subject *s)
{
    static const struct rollout_governor nobody;
    struct fed_diag diag = {""};
    enum fed_err err;

    s->scaled = rollout_is_scaled(in->r, in->ref, s->kind);
    err = version_of(in, s, in->bytes, generation_of(in->object), true, &s->base);
    s->content = s->base;
    if (!err)
        err = rollout_ops_stage(in->r, s, &in->ops, &diag);
    if (err) {
        rollout_subject_govern(in->r, s, &nobody);
        s->base = s->content = (struct rollout_version){0};
    }
    return err;
}

static enum fed_err look(struct incoming *in)
{
    struct rollout_subject *s = rollout_subject_get(in->r, in->ref);
    bool decided = s && rollout_decides(s);
    enum fed_err err = fed_json_parse(in->doc, in->bytes, &in->object, NULL);

    if (err)
        return err;
    rollout_govern(in->r, in->ref, fed_json_get(in->object, "metadata"), &in->by);
    if (decided)
        return written(in, s);
    if (!in->by.policy && !in->by.blocked)
        return FED_OK;
    err = rollout_subject_ensure(
        in->r, in->ref, fed_json_string(fed_json_find(in->object, "metadata.uid")), &s);
    if (err)
        return err;
    take_kind(in, s);
    rollout_subject_govern(in->r, s, &in->by);
    return adopt(in, s);
}

enum fed_err rollout_look(struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    struct rollout_subject *s = rollout_subject_get(r, ref);
    bool decided = s && rollout_decides(s);
    struct incoming in;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, ref, &bytes, NULL);
    if (!err) {
        err = incoming_init(&in, r, ref, fed_buf_span(&bytes));
        if (!err)
            err = look(&in);
        incoming_fini(&in);
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
static enum fed_err is_known(struct incoming *in, const struct rollout_subject *s,
    const struct fed_digest *known, const struct fed_digest *next, bool *out)
{
    struct fed_digest scaled;
    enum fed_err err = FED_OK;

    *out = known && fed_digest_eq(known, next);
    if (known && !*out) {
        err = as_scaled(in, s, &scaled);
        *out = !err && fed_digest_eq(known, &scaled);
    }
    return err;
}

enum fed_err rollout_recheck(struct hub_rollouts *r, struct rollout_subject *s)
{
    const struct fed_digest *known = expected(s);
    struct rollout_version next = s->content;
    struct fed_diag diag = {""};
    struct incoming in;
    struct fed_buf bytes;
    bool same = false;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, &s->ref, &bytes, NULL);
    if (!err) {
        err = incoming_init(&in, r, &s->ref, fed_buf_span(&bytes));
        if (!err)
            err = version_of(&in, s, fed_buf_span(&bytes), s->content.generation, true, &next);
        if (!err && !s->scaled)
            err = is_known(&in, s, known, &next.digest, &same);
        if (!err && !s->scaled && !same)
            err = changed(&in, s, &next);
        if (!err)
            err = rollout_ops_stage(r, s, &in.ops, &diag);
        incoming_fini(&in);
    }
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}
