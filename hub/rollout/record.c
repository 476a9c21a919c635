/* record.c - Rollouts as objects: made, and read again at a start. */
#include "hub/rollout/internal.h"
#include "hub/rollout/put.h"

#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static void put_owner(
    struct rollout_put *p, struct fed_json *metadata, const struct rollout_subject *s)
{
    struct fed_json *owner = put_item(p, put_array(p, metadata, "ownerReferences"));

    put_text(p, owner, "apiVersion", s->api_version);
    put_text(p, owner, "kind", s->kind);
    put_span(p, owner, "name", s->ref.name);
    put_text(p, owner, "uid", s->uid);
    if (!p->err)
        p->err = fed_json_set_bool(p->doc, owner, "controller", true);
}

/* Names of objects may be longer than values of labels. */
static void put_labels(
    struct rollout_put *p, struct fed_json *metadata, const struct rollout_subject *s)
{
    struct fed_json *labels = put_object(p, metadata, "labels");

    put_text(p, labels, ROLLOUT_KIND_LABEL, s->kind);
    if (fed_text_is_label_value(s->ref.name))
        put_span(p, labels, ROLLOUT_NAME_LABEL, s->ref.name);
}

enum fed_err rollout_record_make(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_json_doc *doc, struct fed_json **out)
{
    struct rollout_put p = {.doc = doc};
    struct fed_json *object = fed_json_new_object(doc);
    struct fed_json *metadata;

    if (!object)
        return FED_ERR_NOMEM;
    put_text(&p, object, "apiVersion", ROLLOUT_API_VERSION);
    put_text(&p, object, "kind", ROLLOUT_KIND);
    metadata = put_object(&p, object, "metadata");
    put_text(&p, metadata, "name", paper->name);
    put_span(&p, metadata, "namespace", s->ref.ns);
    put_text(&p, metadata, "uid", paper->uid);
    put_int(&p, metadata, "generation", 1);
    put_time(&p, metadata, "creationTimestamp", fed_loop_unix_s(r->o.loop));
    put_labels(&p, metadata, s);
    put_owner(&p, metadata, s);
    if (!p.err)
        *out = object;
    return p.err;
}

static void put_version(struct rollout_put *p, struct fed_json *spec, const char *key,
    const struct rollout_version *version)
{
    struct fed_json *object;
    struct fed_buf hex;

    if (!version->has)
        return;
    object = put_object(p, spec, key);
    fed_buf_init(&hex, fed_alloc_system(), 2 * FED_DIGEST_SIZE);
    fed_text_put_hex(&hex, fed_span_of(version->digest.bytes, FED_DIGEST_SIZE));
    if (!p->err)
        p->err = fed_buf_err(&hex);
    put_span(p, object, "digest", fed_buf_span(&hex));
    if (version->generation > 0)
        put_int(p, object, "generation", version->generation);
    fed_buf_fini(&hex);
}

static void put_of(struct rollout_put *p, struct fed_json *spec, const struct rollout_subject *s,
    int64_t generation)
{
    struct fed_json *of = put_object(p, spec, "object");
    struct fed_span resource = s->ref.resource;

    put_text(p, of, "apiVersion", s->api_version);
    put_text(p, of, "kind", s->kind);
    put_span(p, of, "resource", fed_span_sub(resource, 0, fed_span_find(resource, '.')));
    put_span(p, of, "name", s->ref.name);
    put_text(p, of, "uid", s->uid);
    if (generation > 0)
        put_int(p, of, "generation", generation);
}

enum fed_err rollout_record_spec(const struct rollout_subject *s, const struct rollout_paper *paper,
    const struct hub_rollout_rules *rules, struct fed_json_doc *doc, struct fed_json *object)
{
    struct rollout_put p = {.doc = doc};
    struct fed_json *spec = put_object(&p, object, "spec");

    put_of(&p, spec, s, paper->to.generation);
    put_int(&p, spec, "number", paper->number);
    put_text(&p, spec, "policy", paper->policy);
    if (!p.err && rules)
        p.err = fed_json_set(doc, spec, "rules", fed_json_clone(doc, rules->spec));
    put_version(&p, spec, "from", &paper->from);
    put_version(&p, spec, "to", &paper->to);
    put_text(&p, spec, "changedBy", paper->changed_by);
    return p.err;
}

/* ---- reading ---- */

static void take_version(const struct fed_json *from, struct rollout_version *out)
{
    size_t len;

    *out =
        (struct rollout_version){.generation = fed_json_int(fed_json_get(from, "generation"), 0)};
    out->has = from &&
               !fed_text_hex(fed_json_string(fed_json_get(from, "digest")), out->digest.bytes,
                   FED_DIGEST_SIZE, &len) &&
               len == FED_DIGEST_SIZE;
}

static void take_text(const struct fed_json *from, const char *path, char *out, size_t size)
{
    struct fed_span text = fed_json_string(fed_json_find(from, path));

    snprintf(out, size, FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(text, 0, size - 1)));
}

static void take_paper(const struct fed_json *object, struct rollout_paper *paper)
{
    struct fed_span phase = fed_json_string(fed_json_find(object, "status.phase"));

    take_text(object, "metadata.name", paper->name, sizeof paper->name);
    take_text(object, "metadata.uid", paper->uid, sizeof paper->uid);
    take_text(object, "spec.policy", paper->policy, sizeof paper->policy);
    take_text(object, "spec.changedBy", paper->changed_by, sizeof paper->changed_by);
    take_version(fed_json_find(object, "spec.from"), &paper->from);
    take_version(fed_json_find(object, "spec.to"), &paper->to);
    paper->steps = fed_json_int(fed_json_find(object, "status.step"), 0);
    paper->queued = fed_span_is(phase, "Queued");
    paper->waits = paper->queued || fed_span_is(phase, "Pending");
    paper->ended = fed_span_is(phase, "Complete") || fed_span_is(phase, "RolledBack") ||
                   fed_span_is(phase, "Aborted") || fed_span_is(phase, "Superseded");
}

/* Its rules as they were when it began; NULL in *out: it has not begun. */
static enum fed_err rules_of(struct hub_rollouts *r, const struct fed_json *object,
    struct hub_rollout_rules **out, struct fed_diag *diag)
{
    const struct fed_json *rules = fed_json_find(object, "spec.rules");
    char field[HUB_ROLLOUT_FIELD_MAX] = "";
    enum fed_err err;

    *out = NULL;
    if (!rules)
        return FED_OK;
    err = hub_rollout_rules_read(r->mem, rules, out, field, diag);
    return err ? fed_diag_prefix(diag, err, "rules: %s", field) : FED_OK;
}

/* The present one is the one that has a record. */
static enum fed_err take_engine(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_paper *paper, const struct fed_json *object, struct fed_diag *diag)
{
    struct hub_rollout_rules *rules = NULL;
    enum fed_err err = rules_of(r, object, &rules, diag);

    if (!err && rules && !s->engine)
        err = rollout_engine_recall(r, s, paper, rules, diag);
    hub_rollout_rules_free(rules);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

enum fed_err rollout_is_stored(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span uid, bool *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err;

    *out = false;
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, ref, &bytes, NULL);
    if (!err)
        err = fed_json_doc_new(r->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL);
    if (!err)
        *out = fed_span_eq(fed_json_string(fed_json_find(object, "metadata.uid")), uid);
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* The subject is that of the object which is stored. NULL in *out: the Rollout is of another one of
 * that name, which is gone. Whatever it left is read in the order of names: it must not stand in
 * for the one that is there. */
static enum fed_err subject_of(struct hub_rollouts *r, const struct hub_object_ref *ref,
    struct fed_span uid, struct rollout_subject **out)
{
    struct rollout_subject *s = rollout_subject_get(r, ref);
    bool is_its = s && fed_span_is(uid, s->uid);
    enum fed_err err = s ? FED_OK : rollout_is_stored(r, ref, uid, &is_its);

    *out = NULL;
    return err || !is_its ? err : rollout_subject_ensure(r, ref, uid, out);
}

/* Which object it is of, by what it says. FED_ERR_CORRUPT: it says nothing that makes sense. */
static enum fed_err ref_of(const struct fed_json *object, struct hub_object_ref *ref,
    char *resource, size_t size, struct fed_diag *diag)
{
    const struct fed_json *of = fed_json_find(object, "spec.object");
    const struct fed_json *owner =
        fed_json_at(fed_json_find(object, "metadata.ownerReferences"), 0);
    struct fed_span version = fed_json_string(fed_json_get(of, "apiVersion"));
    struct fed_span plural = fed_json_string(fed_json_get(of, "resource"));

    ref->name = fed_json_string(fed_json_get(of, "name"));
    snprintf(resource, size, FED_SPAN_FMT "." FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(plural, 0, 63)),
        FED_SPAN_ARG(fed_span_sub(version, 0, fed_span_find(version, '/'))));
    ref->resource = fed_span_text(resource);
    if (ref->name.len > 0 && plural.len > 0 &&
        fed_span_eq(
            fed_json_string(fed_json_get(owner, "uid")), fed_json_string(fed_json_get(of, "uid"))))
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_CORRUPT, "spec.object: it does not name its owner");
}

static bool is_of(const struct fed_json *object, const char *path, const char *text)
{
    return fed_span_is(fed_json_string(fed_json_find(object, path)), text);
}

/* The name and the uid are made of the object and the number. */
static enum fed_err check_paper(const struct rollout_paper *made, const struct rollout_paper *paper,
    const struct fed_json *object, struct fed_diag *diag)
{
    if (!is_of(object, "metadata.uid", made->uid))
        return fed_diag_set(diag, FED_ERR_CORRUPT, "metadata.uid, or spec.number");
    if (!paper->to.has || (!paper->from.has && fed_json_find(object, "spec.from")))
        return fed_diag_set(diag, FED_ERR_CORRUPT, "spec.from, or spec.to");
    return FED_OK;
}

static enum fed_err take(struct hub_rollouts *r, struct rollout_subject *s,
    const struct fed_json *object, struct fed_diag *diag)
{
    const struct fed_json *of = fed_json_find(object, "spec.object");
    struct rollout_paper *paper;
    struct rollout_paper made;
    enum fed_err err;

    take_text(of, "kind", s->kind, sizeof s->kind);
    take_text(of, "apiVersion", s->api_version, sizeof s->api_version);
    err = rollout_paper_new(r, s, fed_json_int(fed_json_find(object, "spec.number"), 0), &paper);
    if (err)
        return err;
    made = *paper;
    take_paper(object, paper);
    err = check_paper(&made, paper, object, diag);
    if (!err && paper->waits)
        s->waiting = paper;
    return err ? err : take_engine(r, s, paper, object, diag);
}

static enum fed_err parsed(struct hub_rollouts *r, struct rollout_subject *only,
    const struct hub_object *stored, const struct fed_json *object, struct fed_diag *diag)
{
    struct hub_object_ref ref = {.ns = stored->ref.ns};
    struct fed_span uid = fed_json_string(fed_json_find(object, "spec.object.uid"));
    struct rollout_subject *s;
    char resource[400];
    enum fed_err err = ref_of(object, &ref, resource, sizeof resource, diag);

    if (err || (only && rollout_subject_get(r, &ref) != only))
        return err;
    err = subject_of(r, &ref, uid, &s);
    if (err || !s)
        return err;
    err = take(r, s, object, diag);
    if (err && err != FED_ERR_NOMEM) {
        rollout_trouble(r, s, stored->ref.name, diag->text[0] ? diag->text : fed_err_text(err));
        return FED_OK;
    }
    return err;
}

/* It is not known of which object it is but by its name. */
static enum fed_err lost(struct hub_rollouts *r, struct rollout_subject *only,
    const struct hub_object *stored, const char *what)
{
    int64_t number;

    if (!only)
        return rollout_lost_add(r, &stored->ref, what);
    if (rollout_is_named_after(only, stored->ref.name, &number) &&
        !(only->papers && only->papers->number > number))
        rollout_trouble(r, only, stored->ref.name, what);
    return FED_OK;
}

enum fed_err rollout_record_take(
    struct hub_rollouts *r, struct rollout_subject *only, const struct hub_object *stored)
{
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, stored->bytes, &object, &diag);
    if (!err)
        err = parsed(r, only, stored, object, &diag);
    fed_json_doc_free(doc);
    return !err || err == FED_ERR_NOMEM
               ? err
               : lost(r, only, stored, diag.text[0] ? diag.text : fed_err_text(err));
}

enum fed_err rollout_record_load(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_json_doc *doc, struct fed_json **out,
    uint64_t *revision)
{
    struct hub_object_ref ref = rollout_paper_ref(s, paper);
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(r->objects, &ref, &bytes, revision);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), out, NULL);
    fed_buf_fini(&bytes);
    return err;
}
