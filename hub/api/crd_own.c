/* crd_own.c - the definitions that the hub, or an enabled type, needs: kept, renewed when the hub
 * knows better, and completed when they are somebody else's (crd_complete.c).
 *
 * One that the hub wrote carries a mark, the digest of what was written. A write by anybody else
 * that changes the spec takes the mark off: the definition is theirs from then on. */
#include "hub/access/uuid.h"
#include "hub/api/builtin.h"
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"
#include "hub/api/managed_fields.h"
#include "proto/base/text.h"
#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

#define GROUP "apiextensions.k8s.io"
#define PLURAL "customresourcedefinitions"
#define DEFINITION "fedlet.io/definition" /* digest of the spec that the hub wrote */
#define THE_HUB "the hub itself"

struct own { /* a definition that somebody needs */
    struct own *next;
    char name[HUB_GROUP_MAX + HUB_NAME_MAX + 2];
    char owner[320];
    struct fed_buf spec;
};

static int64_t now_of(const struct hub_crds *crds)
{
    return fed_loop_unix_s(crds->options.loop);
}

/* ---- who needs what ---- */
static struct own *own_find(const struct hub_crds *crds, struct fed_span name)
{
    for (struct own *own = crds->own; own; own = own->next)
        if (fed_span_is(name, own->name))
            return own;
    return NULL;
}

const char *hub_crds_owner(const struct hub_crds *crds, struct fed_span name)
{
    const struct own *own = own_find(crds, name);

    return own ? own->owner : NULL;
}

static void own_free(struct hub_crds *crds, struct own *own)
{
    fed_buf_fini(&own->spec);
    fed_alloc_free(crds->options.mem, own, sizeof *own);
}

void hub_crds_disown(struct hub_crds *crds, const char *owner)
{
    struct own **at = &crds->own;

    while (*at) {
        struct own *own = *at;

        if (strcmp(own->owner, owner) != 0) {
            at = &own->next;
            continue;
        }
        *at = own->next;
        own_free(crds, own);
    }
}

void hub_crds_own_free(struct hub_crds *crds)
{
    while (crds->own) {
        struct own *own = crds->own;

        crds->own = own->next;
        own_free(crds, own);
    }
}

static enum fed_err own_keep(
    struct hub_crds *crds, struct fed_span name, const char *owner, struct fed_span spec)
{
    struct own *own = own_find(crds, name);
    enum fed_err err = FED_OK;

    if (!own) {
        own = fed_alloc_zero(crds->options.mem, sizeof *own);
        if (!own)
            return FED_ERR_NOMEM;
        fed_buf_init(&own->spec, crds->options.mem, HUB_OBJECT_BYTES_MAX);
        err = fed_span_to_cstr(name, own->name, sizeof own->name);
        if (err) {
            own_free(crds, own);
            return err;
        }
        own->next = crds->own;
        crds->own = own;
    }
    snprintf(own->owner, sizeof own->owner, "%s", owner);
    fed_buf_clear(&own->spec);
    fed_buf_put(&own->spec, spec);
    return fed_buf_err(&own->spec);
}

/* ---- admission ---- */
/* A spec that somebody else gave is their own from then on: the hub completes it and does not
 * replace it any more. */
static void take_over(struct hub_admission *a)
{
    struct fed_json *metadata = fed_json_get(a->object, "metadata");
    struct fed_json *annotations = fed_json_get(metadata, "annotations");

    if (!a->before || fed_json_eq(fed_json_get(a->before, "spec"), fed_json_get(a->object, "spec")))
        return;
    fed_json_remove(annotations, DEFINITION);
    if (fed_json_is_object(annotations) && fed_json_count(annotations) == 0)
        fed_json_remove(metadata, "annotations");
}

enum fed_err hub_crds_own_admit(
    struct hub_crds *crds, struct hub_admission *a, struct fed_diag *diag)
{
    struct own *own = own_find(crds, hub_meta(a->object, "name"));
    struct fed_json *ours;
    struct fed_buf kept;
    struct fed_buf text;
    enum fed_err err = FED_OK;

    if (!own)
        return FED_OK;
    err = fed_json_parse(a->doc, fed_buf_span(&own->spec), &ours, diag);
    if (err)
        return err;
    fed_buf_init(&kept, fed_alloc_system(), 1024);
    fed_buf_init(&text, fed_alloc_system(), 2048);
    err = hub_crd_complete(a->doc, ours, fed_json_get(a->object, "spec"), &kept, diag);
    if (err == FED_ERR_FORBIDDEN)
        fed_diag_prefix(diag, err,
            PLURAL "." GROUP " \"%s\" is forbidden: %s needs this definition", own->name,
            own->owner);
    if (!err && kept.len > 0) {
        fed_buf_printf(&text, "%s: kept as %s needs it: " FED_SPAN_FMT, own->name, own->owner,
            FED_SPAN_ARG(fed_buf_span(&kept)));
        a->warn(a, fed_buf_cstr(&text));
    }
    if (!err)
        take_over(a);
    fed_buf_fini(&kept);
    fed_buf_fini(&text);
    return err;
}

/* ---- writing them ---- */
static enum fed_err put_meta(
    struct hub_crds *crds, struct fed_json_doc *doc, struct fed_json *crd, struct fed_span name)
{
    struct fed_json *metadata = fed_json_ensure_object(doc, crd, "metadata");
    char uid[40];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = metadata ? hub_uuid_new(crds->options.crypto, uid) : FED_ERR_NOMEM;

    fed_text_time(now_of(crds), now);
    if (!err)
        err = fed_json_set_string(doc, metadata, "name", name);
    if (!err)
        err = fed_json_set_text(doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_text(doc, metadata, "creationTimestamp", now);
    if (!err)
        err = fed_json_set_text(doc, crd, "kind", "CustomResourceDefinition");
    return err ? err : fed_json_set_text(doc, crd, "apiVersion", GROUP "/v1");
}

/* An object of nothing but the mark, whose owners are then those of one that has none yet. */
static enum fed_err own_mark(const struct hub_field_update *update, struct fed_json_doc *doc,
    struct fed_json *crd, const char *digest)
{
    struct fed_json *metadata = fed_json_get(crd, "metadata");
    struct fed_json *stub = fed_json_new_object(doc);
    struct fed_json *to = stub ? fed_json_ensure_object(doc, stub, "metadata") : NULL;
    struct fed_json *marks = to ? fed_json_ensure_object(doc, to, "annotations") : NULL;
    enum fed_err err = marks ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(doc, stub, "kind", "CustomResourceDefinition");
    if (!err)
        err = fed_json_set_string(doc, stub, "apiVersion", update->api_version);
    if (!err)
        err = fed_json_set_text(doc, marks, DEFINITION, digest);
    if (!err)
        err = hub_fields_update(doc, update, NULL, stub);
    return err ? err
               : fed_json_set(doc, metadata, "managedFields",
                     fed_json_clone(doc, fed_json_get(to, "managedFields")));
}

/* The hub owns its mark and nothing else: whoever applies a definition over its own is in conflict
 * with nobody. */
static enum fed_err put_mark(
    struct hub_crds *crds, struct fed_json_doc *doc, struct fed_json *crd, const char *digest)
{
    struct hub_field_update update = {.manager = FED_SPAN_LIT("fedhub"),
        .api_version = FED_SPAN_LIT(GROUP "/v1"),
        .now_unix_s = now_of(crds)};
    const struct hub_kind *kind =
        hub_kinds_find(crds->options.kinds, FED_SPAN_LIT(GROUP), FED_SPAN_LIT(PLURAL));
    struct fed_json *metadata = fed_json_ensure_object(doc, crd, "metadata");
    struct fed_json *annotations = fed_json_ensure_object(doc, metadata, "annotations");
    enum fed_err err = annotations ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(doc, annotations, DEFINITION, digest);
    if (err || !kind || fed_json_get(metadata, "managedFields"))
        return err;
    update.schema = hub_kind_storage(kind)->schema;
    return own_mark(&update, doc, crd, digest);
}

static enum fed_err put_spec(struct hub_crds *crds, struct fed_json_doc *doc, struct fed_json *crd,
    struct fed_json *spec, const char *digest)
{
    struct fed_json *metadata = fed_json_ensure_object(doc, crd, "metadata");
    int64_t generation = fed_json_int(fed_json_get(metadata, "generation"), 0);
    enum fed_err err = digest ? put_mark(crds, doc, crd, digest) : FED_OK;

    if (!err)
        err = fed_json_set_int(doc, metadata, "generation", generation + 1);
    if (!err)
        err = fed_json_set(doc, crd, "spec", fed_json_clone(doc, spec));
    if (!err)
        err = hub_crd_default(doc, crd);
    return err ? err : hub_crds_set_status(crds, doc, crd);
}

static enum fed_err digest_of(struct hub_crds *crds, struct fed_span text, char out[65])
{
    struct fed_digest digest;
    struct fed_buf hex;
    enum fed_err err = fed_digest_of(text, &digest);

    if (err)
        return err;
    fed_buf_init(&hex, crds->options.mem, 65);
    fed_text_put_hex(&hex, fed_span_of(digest.bytes, 32));
    snprintf(out, 65, "%s", fed_buf_cstr(&hex));
    fed_buf_fini(&hex);
    return FED_OK;
}

static enum fed_err store_checked(struct hub_crds *crds, struct fed_span name, struct fed_json *crd,
    uint64_t revision, struct fed_diag *diag)
{
    struct hub_causes *causes = fed_alloc_zero(crds->options.mem, sizeof *causes);
    enum fed_err err = FED_OK;

    if (!causes)
        return FED_ERR_NOMEM;
    hub_crd_check(crd, NULL, causes);
    if (causes->n > 0)
        err = fed_diag_set(
            diag, FED_ERR_INVALID, "%s: %s", causes->list[0].field, causes->list[0].message);
    fed_alloc_free(crds->options.mem, causes, sizeof *causes);
    return err ? err : hub_crds_store(crds, name, crd, revision);
}

/* One that somebody else wrote: it stays theirs. */
static enum fed_err complete_own(struct hub_crds *crds, struct fed_json_doc *doc,
    struct fed_span name, struct fed_json *crd, struct fed_json *spec, uint64_t revision,
    struct fed_diag *diag)
{
    struct fed_json *theirs = fed_json_clone(doc, fed_json_get(crd, "spec"));
    struct fed_buf kept;
    enum fed_err err = theirs ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&kept, crds->options.mem, 1024);
    if (!err)
        err = hub_crd_complete(doc, spec, theirs, &kept, diag);
    fed_buf_fini(&kept);
    if (err || fed_json_eq(theirs, fed_json_get(crd, "spec")))
        return err;
    err = put_spec(crds, doc, crd, theirs, NULL);
    return err ? err : store_checked(crds, name, crd, revision, diag);
}

static enum fed_err write_own(struct hub_crds *crds, struct fed_json_doc *doc, struct fed_span name,
    struct fed_json *spec, struct fed_span text, struct fed_diag *diag)
{
    struct fed_json *crd;
    struct fed_span mark;
    char digest[65];
    uint64_t revision = 0;
    enum fed_err err = digest_of(crds, text, digest);

    if (err)
        return err;
    err = hub_crds_load(crds, doc, name, &crd, &revision);
    if (err == FED_ERR_NOT_FOUND) {
        crd = fed_json_new_object(doc);
        err = crd ? put_meta(crds, doc, crd, name) : FED_ERR_NOMEM;
    } else if (!err) {
        mark =
            fed_json_string(fed_json_get(fed_json_find(crd, "metadata.annotations"), DEFINITION));
        if (fed_span_is(mark, digest))
            return FED_OK;
        if (mark.len == 0)
            return complete_own(crds, doc, name, crd, spec, revision, diag);
    }
    if (!err)
        err = put_spec(crds, doc, crd, spec, digest);
    return err ? err : store_checked(crds, name, crd, revision, diag);
}

enum fed_err hub_crds_own(
    struct hub_crds *crds, struct fed_span text, const char *owner, struct fed_diag *diag)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *spec;
    char name[HUB_GROUP_MAX + HUB_NAME_MAX + 2];
    enum fed_err err = fed_json_doc_new(crds->options.mem, &doc);

    if (!err)
        err = fed_json_parse(doc, text, &spec, diag);
    if (!err) {
        snprintf(name, sizeof name, FED_SPAN_FMT "." FED_SPAN_FMT,
            FED_SPAN_ARG(fed_json_string(fed_json_find(spec, "names.plural"))),
            FED_SPAN_ARG(fed_json_string(fed_json_get(spec, "group"))));
        err = write_own(crds, doc, fed_span_text(name), spec, text, diag);
        if (!err)
            err = own_keep(crds, fed_span_text(name), owner, text);
        if (err)
            fed_diag_prefix(diag, err, "definition %s", name);
    }
    fed_json_doc_free(doc);
    return err;
}

enum fed_err hub_crds_own_builtin(struct hub_crds *crds, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < hub_definitions_count; i++)
        err = hub_crds_own(
            crds, fed_span_of(hub_definitions[i].text, hub_definitions[i].len), THE_HUB, diag);
    return err;
}
