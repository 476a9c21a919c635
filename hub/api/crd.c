/* crd.c - see crd.h: definitions in the store, kinds in the table, and admission. */
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"
#include "hub/api/managed_fields.h"

#include <stdio.h>
#include <string.h>

#define GROUP "apiextensions.k8s.io"
#define PLURAL "customresourcedefinitions"
#define CRD_MEMORY_MAX (64u << 20)

static int64_t now_of(const struct hub_crds *crds)
{
    return fed_loop_unix_s(crds->options.loop);
}

/* ---- kinds from definitions ---- */
static const struct hub_schema *schema_of(const struct hub_kind *kind, const char *version)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        if (strcmp(kind->versions[i].name, version) == 0)
            return kind->versions[i].schema;
    return NULL;
}

/* Equal documents share their schema. */
static bool has_schemas_of(const struct hub_kind *kind, const struct hub_kind *before)
{
    for (size_t i = 0; i < kind->n_versions; i++)
        if (schema_of(before, kind->versions[i].name) != kind->versions[i].schema)
            return false;
    return true;
}

static void note_schema(struct hub_crds *crds, struct hub_kind *kind, uint64_t revision)
{
    const struct hub_kind *before = hub_kinds_find(
        crds->options.kinds, fed_span_text(kind->group), fed_span_text(kind->plural));

    if (!before || !before->custom) {
        kind->schema_since = revision;
        return;
    }
    kind->schema_since = before->schema_since;
    kind->schema_moved = before->schema_moved;
    if (has_schemas_of(kind, before))
        return;
    /* Whatever was written until now, in this turn of the loop too, followed the old one. */
    kind->schema_since = hub_objects_revision(crds->options.objects);
    kind->schema_moved = true;
}

/* The kind is served under the names that were accepted. */
static enum fed_err serve_tree(struct hub_crds *crds, struct fed_arena *arena,
    struct fed_json_doc *doc, struct fed_json *crd, uint64_t revision, struct fed_diag *diag)
{
    struct fed_json *spec = fed_json_get(crd, "spec");
    struct fed_json *accepted = fed_json_find(crd, "status.acceptedNames");
    struct hub_kind kind = {.n_versions = 0};
    enum fed_err err = FED_OK;

    if (!hub_crd_condition_is_true(crd, "Established"))
        return FED_ERR_NOT_FOUND;
    if (accepted)
        err = fed_json_set(doc, spec, "names", fed_json_clone(doc, accepted));
    if (!err)
        err = hub_kind_from_spec(&arena->alloc, crds->options.kinds, spec, &kind, diag);
    if (err)
        return err;
    kind.read_only = false;
    kind.counts_generation = true;
    kind.custom = true;
    kind.terminating = hub_meta(crd, "deletionTimestamp").len > 0;
    note_schema(crds, &kind, revision);
    err = hub_kinds_put(crds->options.kinds, &kind);
    hub_kind_fini(&kind);
    return err;
}

static void withdraw(struct hub_crds *crds, struct fed_span name)
{
    size_t dot = fed_span_find(name, '.');
    char plural[HUB_NAME_MAX + 1];
    char group[HUB_GROUP_MAX + 1];
    const struct hub_kind *kind;

    if (fed_span_to_cstr(fed_span_sub(name, 0, dot), plural, sizeof plural) ||
        fed_span_to_cstr(fed_span_sub(name, dot + 1, name.len), group, sizeof group))
        return;
    kind = hub_kinds_find(crds->options.kinds, fed_span_text(group), fed_span_text(plural));
    if (kind && kind->custom)
        hub_kinds_remove(crds->options.kinds, group, plural);
}

static void serve(
    struct hub_crds *crds, struct fed_span name, struct fed_span bytes, uint64_t revision)
{
    struct fed_arena arena;
    struct fed_json_doc *doc = NULL;
    struct fed_json *crd;
    struct fed_diag diag = {{0}};
    enum fed_err err;

    fed_arena_init(&arena, crds->options.mem, CRD_MEMORY_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, bytes, &crd, &diag);
    if (!err)
        err = serve_tree(crds, &arena, doc, crd, revision, &diag);
    if (err)
        withdraw(crds, name);
    if (err && err != FED_ERR_NOT_FOUND)
        fed_log(crds->options.log, FED_LOG_ERROR,
            "api: CustomResourceDefinition " FED_SPAN_FMT ": %s; its kind is not served",
            FED_SPAN_ARG(name), diag.text[0] ? diag.text : fed_err_text(err));
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

/* ---- definitions that wait for a name ---- */
struct waiting {
    struct hub_crds *crds;
    struct fed_span group;
    struct fed_arena *arena;
    struct fed_span names[64];
    size_t n;
};

static bool is_waiting(void *ctx, const struct hub_object *object)
{
    struct waiting *w = ctx;
    struct fed_json_doc *doc;
    struct fed_json *crd;
    uint8_t *copy;

    if (!fed_span_ends(object->ref.name, ".") && object->ref.name.len > w->group.len &&
        fed_span_eq(fed_span_sub(object->ref.name, object->ref.name.len - w->group.len,
                        object->ref.name.len),
            w->group) &&
        !fed_json_doc_new(&w->arena->alloc, &doc)) {
        copy = fed_alloc_get(&w->arena->alloc, object->ref.name.len);
        if (copy && !fed_json_parse(doc, object->bytes, &crd, NULL) &&
            !hub_crd_condition_is_true(crd, "NamesAccepted")) {
            memcpy(copy, object->ref.name.at, object->ref.name.len);
            w->names[w->n++] = fed_span_of(copy, object->ref.name.len);
        }
        fed_json_doc_free(doc);
    }
    return w->n < sizeof w->names / sizeof *w->names;
}

enum fed_err hub_crds_store(
    struct hub_crds *crds, struct fed_span name, struct fed_json *crd, uint64_t expected)
{
    struct hub_object_write write = {
        .ref = {FED_SPAN_LIT(HUB_CRD_RESOURCE), {0}, name}, .expected = expected};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, crds->options.mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(crd, &bytes);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(crds->options.objects, &write, 1, NULL, 0, NULL, NULL);
    fed_buf_fini(&bytes);
    return err;
}

enum fed_err hub_crds_load(struct hub_crds *crds, struct fed_json_doc *doc, struct fed_span name,
    struct fed_json **out, uint64_t *revision)
{
    struct hub_object_ref ref = {FED_SPAN_LIT(HUB_CRD_RESOURCE), {0}, name};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, crds->options.mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(crds->options.objects, &ref, &bytes, revision);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&bytes), out, NULL);
    fed_buf_fini(&bytes);
    return err;
}

enum fed_err hub_crds_set_status(
    struct hub_crds *crds, struct fed_json_doc *doc, struct fed_json *crd)
{
    struct hub_field_update update = {.manager = FED_SPAN_LIT("kube-apiserver"),
        .api_version = FED_SPAN_LIT(GROUP "/v1"),
        .subresource = FED_SPAN_LIT("status"),
        .now_unix_s = now_of(crds)};
    const struct hub_kind *kind =
        hub_kinds_find(crds->options.kinds, FED_SPAN_LIT(GROUP), FED_SPAN_LIT(PLURAL));
    struct fed_json *before = fed_json_clone(doc, crd);
    enum fed_err err =
        before ? hub_crd_status(crds->options.kinds, doc, crd, now_of(crds)) : FED_ERR_NOMEM;

    if (err || !kind || fed_json_eq(before, crd))
        return err;
    update.schema = hub_kind_storage(kind)->schema;
    return hub_fields_update(doc, &update, before, crd);
}

static void weigh_again(struct hub_crds *crds, struct fed_span name)
{
    struct fed_json_doc *doc;
    struct fed_json *crd;
    uint64_t revision;

    if (fed_json_doc_new(crds->options.mem, &doc))
        return;
    if (!hub_crds_load(crds, doc, name, &crd, &revision) && !hub_crds_set_status(crds, doc, crd) &&
        hub_crds_store(crds, name, crd, revision))
        fed_log(crds->options.log, FED_LOG_WARN,
            "api: CustomResourceDefinition " FED_SPAN_FMT " keeps waiting for its names",
            FED_SPAN_ARG(name));
    fed_json_doc_free(doc);
}

/* A name may have become free. */
static void consider_waiting(struct hub_crds *crds, struct fed_span name)
{
    struct fed_arena arena;
    struct waiting w = {.crds = crds, .arena = &arena};
    size_t dot = fed_span_find(name, '.');

    w.group = fed_span_sub(name, dot, name.len);
    fed_arena_init(&arena, crds->options.mem, CRD_MEMORY_MAX);
    if (!hub_objects_list(crds->options.objects, FED_SPAN_LIT(HUB_CRD_RESOURCE),
            (struct fed_span){0}, NULL, is_waiting, &w))
        for (size_t i = 0; i < w.n; i++)
            weigh_again(crds, w.names[i]);
    fed_arena_fini(&arena);
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_crds *crds = ctx;

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (change->type == HUB_CHANGE_DELETED) {
        withdraw(crds, change->ref.name);
        consider_waiting(crds, change->ref.name);
    } else {
        serve(crds, change->ref.name, change->bytes, change->revision);
    }
}

static bool serve_stored(void *ctx, const struct hub_object *object)
{
    serve(ctx, object->ref.name, object->bytes, object->revision);
    return true;
}

/* ---- admission ---- */
static enum fed_err admit_delete(
    struct hub_crds *crds, struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_json *metadata = fed_json_get(a->object, "metadata");
    struct fed_span name = hub_meta(a->object, "name");
    const char *owner = hub_crds_owner(crds, name);
    struct fed_json *finalizers;
    enum fed_err err = FED_OK;

    if (owner)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            PLURAL "." GROUP " \"" FED_SPAN_FMT "\" is forbidden: %s needs this definition",
            FED_SPAN_ARG(name), owner);
    if (hub_meta(a->object, "deletionTimestamp").len > 0)
        return FED_OK;
    finalizers = fed_json_get(metadata, "finalizers");
    if (!fed_json_is_array(finalizers)) {
        finalizers = fed_json_new_array(a->doc);
        err = fed_json_set(a->doc, metadata, "finalizers", finalizers);
    }
    for (size_t i = 0; !err && i < fed_json_count(finalizers); i++)
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), HUB_CRD_FINALIZER))
            return FED_OK;
    if (!err)
        err = fed_json_append(finalizers, fed_json_new_text(a->doc, HUB_CRD_FINALIZER));
    return err ? err
               : hub_crd_condition(a->doc, a->object, "Terminating", true,
                     "InstanceDeletionPending",
                     "CustomResourceDefinition marked for deletion; CustomResource deletion will "
                     "begin soon",
                     now_of(crds));
}

static enum fed_err admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_crds *crds = ctx;
    struct hub_kind kind = {.n_versions = 0};
    struct fed_arena arena;
    enum fed_err err;

    if (a->operation == HUB_DELETE)
        return admit_delete(crds, a, diag);
    if (a->subresource.len == 0) {
        a->causes = hub_causes_new(a->request);
        if (!a->causes)
            return FED_ERR_NOMEM;
        hub_crd_check(a->object, a->before, a->causes);
        if (a->causes->n > 0)
            return FED_ERR_INVALID;
        err = hub_crds_own_admit(crds, a, diag);
        if (err)
            return err;
    }
    err = hub_crds_set_status(crds, a->doc, a->object);
    if (err)
        return err;
    fed_arena_init(&arena, crds->options.mem, CRD_MEMORY_MAX);
    err = hub_kind_from_spec(
        &arena.alloc, crds->options.kinds, fed_json_get(a->object, "spec"), &kind, diag);
    hub_kind_fini(&kind);
    fed_arena_fini(&arena);
    return err == FED_ERR_LIMIT ? FED_ERR_INVALID : err;
}

static enum fed_err fill(void *ctx, struct fed_json_doc *doc, struct fed_json *object)
{
    (void)ctx;
    return hub_crd_default(doc, object);
}

/* ---- open ---- */
enum fed_err hub_crds_open(
    const struct hub_crds_options *options, struct hub_crds **out, struct fed_diag *diag)
{
    struct hub_crds *crds = fed_alloc_zero(options->mem, sizeof *crds);
    struct hub_kind_hooks hooks = {.ctx = crds, .admit = admit, .fill = fill};
    enum fed_err err = crds ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return fed_diag_set(diag, err, "no memory for definitions");
    crds->options = *options;
    err = hub_kinds_hook(options->kinds, GROUP, PLURAL, &hooks);
    if (!err)
        err = hub_objects_subscribe(
            options->objects, FED_SPAN_LIT(HUB_CRD_RESOURCE), changed, crds, &crds->subscription);
    if (!err)
        err = hub_crds_own_builtin(crds, diag);
    if (!err)
        err = hub_objects_list(options->objects, FED_SPAN_LIT(HUB_CRD_RESOURCE),
            (struct fed_span){0}, NULL, serve_stored, crds);
    if (err) {
        hub_crds_close(crds);
        return fed_diag_prefix(diag, err, "custom resource definitions");
    }
    *out = crds;
    return FED_OK;
}

void hub_crds_close(struct hub_crds *crds)
{
    if (!crds)
        return;
    hub_objects_unsubscribe(crds->subscription);
    hub_crds_own_free(crds);
    fed_alloc_free(crds->options.mem, crds, sizeof *crds);
}
