/* meta.c - object metadata: which members there are, what they may hold, and who sets them.
 *
 * Source: apimachinery metav1.ObjectMeta, api/validation/objectmeta.go, names.SimpleNameGenerator.
 */
#include "hub/api/meta.h"
#include "hub/api/core.h"
#include "hub/api/name_rules.h"
#include "hub/api/options.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define ANNOTATIONS_BYTES_MAX (256u << 10)
#define GENERATED_BASE_MAX 58u
#define GENERATED_RANDOM 5u

/* ObjectMeta in the table of core kinds. */
static const struct hub_core_type *meta_type(struct hub_request *r)
{
    const struct hub_core_type *kind =
        hub_core_find(hub_kinds_core(r->api->kinds), FED_SPAN_LIT("v1"), FED_SPAN_LIT("ConfigMap"));
    const struct hub_core_field *field =
        kind ? hub_core_field(kind, FED_SPAN_LIT("metadata")) : NULL;

    return field ? field->type : NULL;
}

enum fed_err hub_meta_shape(struct hub_request *r, struct fed_json *object, struct fed_diag *diag)
{
    const struct hub_core_type *type = meta_type(r);
    struct fed_json *metadata = fed_json_get(object, "metadata");

    return type && metadata ? hub_core_shape(r->mem, r->doc, type, metadata, diag) : FED_OK;
}

static void prune_struct(const struct hub_core_type *type, struct fed_json *value, const char *path,
    struct fed_buf *unknown);

/* The items of a list, or what stands in the member itself. */
static void prune_field(const struct hub_core_field *field, struct fed_json *value,
    const char *path, struct fed_buf *unknown)
{
    struct fed_json_iter it;
    char item[340];

    if (field->type->basis != HUB_CORE_STRUCT)
        return;
    if (!field->list) {
        prune_struct(field->type, value, path, unknown);
        return;
    }
    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it)) {
        snprintf(item, sizeof item, "%.300s[%zu]", path, it.index);
        prune_struct(field->type, it.value, item, unknown);
    }
}

static void prune_struct(const struct hub_core_type *type, struct fed_json *value, const char *path,
    struct fed_buf *unknown)
{
    struct fed_json_iter it;
    char member[300];

    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it)) {
        const struct hub_core_field *field = hub_core_field(type, it.key);

        snprintf(member, sizeof member, "%s." FED_SPAN_FMT, path, FED_SPAN_ARG(it.key));
        if (field) {
            prune_field(field, it.value, member, unknown);
            continue;
        }
        fed_buf_printf(unknown, "%s\n", member);
        fed_json_iter_remove(&it);
    }
}

void hub_meta_prune(struct hub_request *r, struct fed_json *metadata, struct fed_buf *unknown)
{
    const struct hub_core_type *type = meta_type(r);

    if (type && fed_json_is_object(metadata))
        prune_struct(type, metadata, "metadata", unknown);
}

static void check_labels(struct hub_causes *causes, const struct fed_json *metadata)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_get(metadata, "labels"));
    while (fed_json_iter_next(&it)) {
        hub_name_check(causes, HUB_NAME_QUALIFIED, "metadata.labels", it.key);
        hub_name_check(causes, HUB_NAME_LABEL_VALUE, "metadata.labels", fed_json_string(it.value));
    }
}

static void check_annotation_key(struct hub_causes *causes, struct fed_span key)
{
    char lower[400];
    size_t n = key.len < sizeof lower ? key.len : sizeof lower;

    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(key.at[i] >= 'A' && key.at[i] <= 'Z' ? key.at[i] + 32 : key.at[i]);
    hub_name_check_as(
        causes, HUB_NAME_QUALIFIED, "metadata.annotations", key, fed_span_of(lower, n));
}

static void check_annotations(struct hub_causes *causes, const struct fed_json *metadata)
{
    struct fed_json_iter it;
    size_t bytes = 0;

    fed_json_iter_init(&it, fed_json_get(metadata, "annotations"));
    while (fed_json_iter_next(&it)) {
        check_annotation_key(causes, it.key);
        bytes += it.key.len + fed_json_string(it.value).len;
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        hub_causes_add(causes, "FieldValueTooLong", "metadata.annotations",
            "Too long: may not be more than %u bytes", ANNOTATIONS_BYTES_MAX);
}

static void check_finalizers(struct hub_causes *causes, const struct fed_json *metadata)
{
    const struct fed_json *list = fed_json_get(metadata, "finalizers");
    bool orphan = false;
    bool foreground = false;
    struct fed_buf text;

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        struct fed_span name = fed_json_string(it.value);

        hub_name_check(causes, HUB_NAME_QUALIFIED, "metadata.finalizers", name);
        orphan = orphan || fed_span_is(name, "orphan");
        foreground = foreground || fed_span_is(name, "foregroundDeletion");
    }
    if (!orphan || !foreground)
        return;
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    if (!fed_json_put(&text, list))
        hub_causes_add(causes, "FieldValueInvalid", "metadata.finalizers",
            "Invalid value: %s: finalizer orphan and foregroundDeletion cannot be both set",
            fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

static bool holds_text(const struct fed_json *list, struct fed_span text)
{
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);)
        if (fed_span_eq(fed_json_string(it.value), text))
            return true;
    return false;
}

/* What before does not have, one after the other in the order of text and each once: the one behind
 * *at, NULL at the beginning. */
static bool next_new_finalizer(
    const struct fed_json *before, const struct fed_json *list, struct fed_span *at)
{
    struct fed_span next = {0};

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        struct fed_span text = fed_json_string(it.value);

        if (!holds_text(before, text) && (!at->at || fed_span_cmp(text, *at) > 0) &&
            (!next.at || fed_span_cmp(text, next) < 0))
            next = text;
    }
    *at = next;
    return next.at != NULL;
}

/* As Go prints a []string. */
static bool put_new_finalizers(
    struct fed_buf *out, const struct fed_json *before, const struct fed_json *list)
{
    struct fed_span one = {0};
    bool some = false;

    while (next_new_finalizer(before, list, &one)) {
        fed_buf_put_text(out, some ? ", " : "");
        hub_put_quoted(out, one);
        some = true;
    }
    return some;
}

/* The kinds of the core and of RBAC want a domain. */
static void check_bare_finalizers(
    const struct hub_kind *kind, struct hub_causes *causes, const struct fed_json *metadata)
{
    const struct fed_json *list = fed_json_get(metadata, "finalizers");
    char field[64];

    if (!kind->core || strcmp(kind->group, "coordination.k8s.io") == 0)
        return;
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        struct fed_span name = fed_json_string(it.value);

        snprintf(field, sizeof field, "metadata.finalizers[%zu]", it.index);
        if (hub_name_is_bare_finalizer(name))
            hub_causes_invalid(causes, field, name,
                "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/* Custom kinds only say that one would be better. Source: customresource generateWarningsFromObj.
 */
void hub_meta_warn(
    struct hub_request *r, const struct fed_json *live, const struct fed_json *object)
{
    const struct fed_json *before = fed_json_find(live, "metadata.finalizers");
    const struct fed_json *list = fed_json_find(object, "metadata.finalizers");
    struct fed_span one = {0};
    struct fed_buf text;

    while (r->kind->custom && next_new_finalizer(before, list, &one)) {
        if (!hub_name_is_bare_finalizer(one))
            continue;
        fed_buf_init(&text, r->mem, 4096);
        fed_buf_put_text(&text, "metadata.finalizers: ");
        hub_put_quoted(&text, one);
        fed_buf_printf(&text,
            ": prefer a domain-qualified finalizer name%s to avoid accidental conflicts with other "
            "finalizer writers",
            fed_span_find(one, '.') < one.len ? " including a path (/)" : "");
        hub_request_warn(r, fed_buf_cstr(&text));
    }
}

static void check_new_finalizers(
    const struct fed_json *live, const struct fed_json *object, struct hub_causes *causes)
{
    struct fed_buf text;

    if (hub_meta(live, "deletionTimestamp").len == 0)
        return;
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    if (put_new_finalizers(&text, fed_json_find(live, "metadata.finalizers"),
            fed_json_find(object, "metadata.finalizers")))
        hub_causes_add(causes, "FieldValueForbidden", "metadata.finalizers",
            "Forbidden: no new finalizers can be added if the object is being deleted, found new "
            "finalizers []string{%s}",
            fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

/* ---- owner references ---- */
static bool check_owner_version(struct fed_span api_version)
{
    size_t slash = fed_span_find(api_version, '/');
    struct fed_span rest = fed_span_sub(api_version, slash + 1, api_version.len);

    /* schema.FromAPIVersionAndKind: more than one slash leaves nothing. */
    return api_version.len > 0 && fed_span_find(rest, '/') == rest.len &&
           (slash == api_version.len || rest.len > 0);
}

static void check_owner(struct hub_causes *causes, const struct fed_json *owner)
{
    static const char *const texts[] = {"kind", "name", "uid"};
    struct fed_span version = fed_json_string(fed_json_get(owner, "apiVersion"));
    char path[64];

    if (!check_owner_version(version))
        hub_causes_invalid(
            causes, "metadata.ownerReferences.apiVersion", version, "version must not be empty");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(path, sizeof path, "metadata.ownerReferences.%s", texts[i]);
        if (fed_json_string(fed_json_get(owner, texts[i])).len == 0)
            hub_causes_invalid(causes, path, (struct fed_span){0}, "must not be empty");
    }
}

/* The list or one of it as Go's encoding shows it. */
static void owner_invalid(
    struct hub_causes *causes, const struct fed_json *value, const char *detail)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    if (!fed_json_put(&text, value))
        hub_causes_add(causes, "FieldValueInvalid", "metadata.ownerReferences",
            "Invalid value: %s: %s", fed_buf_cstr(&text), detail);
    fed_buf_fini(&text);
}

static void check_controllers(struct hub_causes *causes, const struct fed_json *list)
{
    const struct fed_json *first = NULL;
    char detail[700];

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        const struct fed_json *owner = it.value;

        if (!fed_json_bool(fed_json_get(owner, "controller"), false))
            continue;
        if (first) {
            snprintf(detail, sizeof detail,
                "Only one reference can have Controller set to true. Found \"true\" in references "
                "for " FED_SPAN_FMT "/" FED_SPAN_FMT " and " FED_SPAN_FMT "/" FED_SPAN_FMT,
                FED_SPAN_ARG(fed_json_string(fed_json_get(first, "kind"))),
                FED_SPAN_ARG(fed_json_string(fed_json_get(first, "name"))),
                FED_SPAN_ARG(fed_json_string(fed_json_get(owner, "kind"))),
                FED_SPAN_ARG(fed_json_string(fed_json_get(owner, "name"))));
            owner_invalid(causes, list, detail);
        } else {
            first = owner;
        }
    }
}

static void check_owners(struct hub_causes *causes, const struct fed_json *metadata)
{
    const struct fed_json *list = fed_json_get(metadata, "ownerReferences");

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        const struct fed_json *owner = it.value;

        check_owner(causes, owner);
        if (fed_span_is(fed_json_string(fed_json_get(owner, "apiVersion")), "v1") &&
            fed_span_is(fed_json_string(fed_json_get(owner, "kind")), "Event"))
            owner_invalid(causes, owner, "/v1, Kind=Event is disallowed from being an owner");
    }
    check_controllers(causes, list);
}

static bool stands_before(const struct fed_json *list, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (fed_json_eq(fed_json_at(list, i), fed_json_at(list, at)))
            return true;
    return false;
}

enum fed_err hub_meta_single_owners(struct hub_request *r, struct fed_json *object, bool patched)
{
    struct fed_json *list = fed_json_find(object, "metadata.ownerReferences");
    struct fed_buf text;
    bool some = false;

    fed_buf_init(&text, r->mem, 65536);
    fed_buf_printf(&text,
        ".metadata.ownerReferences contains duplicate entries%s; API server dedups owner "
        "references in 1.20+, and may reject such requests as early as 1.24; please fix your "
        "requests; duplicate UID(s) observed: ",
        patched ? " after mutating admission happens" : "");
    for (size_t i = 1; i < fed_json_count(list);) {
        if (!stands_before(list, i)) {
            i++;
            continue;
        }
        fed_buf_put_text(&text, some ? ", " : "");
        fed_buf_put(&text, fed_json_string(fed_json_get(fed_json_at(list, i), "uid")));
        fed_json_remove_at(list, i);
        some = true;
    }
    if (some && !fed_buf_err(&text))
        hub_request_warn(r, fed_buf_cstr(&text));
    return fed_buf_err(&text) == FED_ERR_NOMEM ? FED_ERR_NOMEM : FED_OK;
}

/* ---- names ---- */
static enum hub_name_rule name_rule(const struct hub_kind *kind)
{
    if (kind->group[0] == 0 && strcmp(kind->plural, "namespaces") == 0)
        return HUB_NAME_LABEL;
    return strcmp(kind->group, HUB_RBAC_GROUP) == 0 ? HUB_NAME_SEGMENT : HUB_NAME_SUBDOMAIN;
}

/* A name that something is put behind may end in a dash: it is checked as if another character
 * stood there (apimachinery maskTrailingDash). */
static void check_base(struct hub_causes *causes, enum hub_name_rule rule, struct fed_span base)
{
    char text[300];
    size_t n = base.len < sizeof text ? base.len : sizeof text - 1;

    memcpy(text, base.at, n);
    if (n > 1 && text[n - 1] == '-') {
        n--;
        text[n - 1] = 'a';
    }
    hub_name_check_as(causes, rule, "metadata.generateName", base, fed_span_of(text, n));
}

static void check_names(
    const struct hub_kind *kind, const struct fed_json *metadata, struct hub_causes *causes)
{
    enum hub_name_rule rule = name_rule(kind);
    struct fed_span name = fed_json_string(fed_json_get(metadata, "name"));
    struct fed_span base = fed_json_string(fed_json_get(metadata, "generateName"));

    if (base.len > 0)
        check_base(causes, rule, base);
    if (name.len == 0)
        hub_causes_add(causes, "FieldValueRequired", "metadata.name",
            "Required value: name or generateName is required");
    else
        hub_name_check(causes, rule, "metadata.name", name);
}

void hub_meta_validate(
    const struct hub_kind *kind, const struct fed_json *object, struct hub_causes *causes)
{
    const struct fed_json *metadata = fed_json_get(object, "metadata");

    check_names(kind, metadata, causes);
    if (fed_json_int(fed_json_get(metadata, "generation"), 0) < 0)
        hub_causes_add(causes, "FieldValueInvalid", "metadata.generation",
            "Invalid value: %lld: must be greater than or equal to 0",
            (long long)fed_json_int(fed_json_get(metadata, "generation"), 0));
    check_labels(causes, metadata);
    check_annotations(causes, metadata);
    check_owners(causes, metadata);
    check_finalizers(causes, metadata);
    check_bare_finalizers(kind, causes, metadata);
}

static void check_unchanged(
    struct hub_causes *causes, const struct fed_json *live, const struct fed_json *metadata)
{
    static const char *const members[] = {"uid", "deletionTimestamp", "deletionGracePeriodSeconds"};
    struct fed_buf text;
    char field[64];

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct fed_json *value = fed_json_get(metadata, members[i]);

        if (!value || fed_json_eq(value, fed_json_get(fed_json_get(live, "metadata"), members[i])))
            continue;
        snprintf(field, sizeof field, "metadata.%s", members[i]);
        fed_buf_init(&text, fed_alloc_system(), 1u << 20);
        if (!fed_json_put(&text, value))
            hub_causes_add(causes, "FieldValueInvalid", field,
                "Invalid value: %s: field is immutable", fed_buf_cstr(&text));
        fed_buf_fini(&text);
    }
}

static void check_members(struct hub_causes *causes, const struct fed_json *metadata)
{
    check_labels(causes, metadata);
    check_annotations(causes, metadata);
    check_owners(causes, metadata);
}

/* Kinds whose rules for an update begin with all those for a new object. */
static bool is_checked_as_new(const struct hub_kind *kind)
{
    static const char *const plurals[] = {"configmaps", "secrets", "serviceaccounts"};

    for (size_t i = 0; i < sizeof plurals / sizeof *plurals; i++)
        if (kind->core && kind->group[0] == 0 && strcmp(kind->plural, plurals[i]) == 0)
            return true;
    return kind->core && strcmp(kind->group, HUB_RBAC_GROUP) == 0;
}

/* kube-apiserver's generic layer and the kind's own rules both look at the metadata of an update:
 * what is wrong there is named by each. */
void hub_meta_validate_update(const struct hub_kind *kind, const struct fed_json *live,
    const struct fed_json *object, struct hub_causes *causes)
{
    const struct fed_json *metadata = fed_json_get(object, "metadata");

    check_members(causes, metadata);
    check_finalizers(causes, metadata);
    for (int i = 0; i < 2; i++) {
        check_new_finalizers(live, object, causes);
        check_unchanged(causes, live, metadata);
        check_members(causes, metadata);
    }
    check_bare_finalizers(kind, causes, metadata);
    if (is_checked_as_new(kind)) {
        check_members(causes, metadata);
        check_finalizers(causes, metadata);
        check_bare_finalizers(kind, causes, metadata);
    }
}

enum fed_err hub_meta_generate_name(struct hub_request *r, struct fed_json *metadata)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    struct fed_span base = fed_json_string(fed_json_get(metadata, "generateName"));
    struct fed_crypto *crypto = r->api->options.crypto;
    uint8_t random[GENERATED_RANDOM];
    char name[GENERATED_BASE_MAX + GENERATED_RANDOM + 1];
    enum fed_err err;

    if (base.len == 0 && r->kind->hooks.transient)
        base = FED_SPAN_LIT("review-");
    if (base.len == 0 || fed_json_string(fed_json_get(metadata, "name")).len > 0)
        return FED_OK;
    err = crypto->random(crypto->ctx, random, sizeof random);
    if (err)
        return err;
    base = fed_span_sub(base, 0, GENERATED_BASE_MAX);
    memcpy(name, base.at, base.len);
    for (size_t i = 0; i < GENERATED_RANDOM; i++)
        name[base.len + i] = letters[random[i] % (sizeof letters - 1)];
    return fed_json_set_string(
        r->doc, metadata, "name", fed_span_of(name, base.len + GENERATED_RANDOM));
}

enum fed_err hub_write_uid(struct hub_api *api, char out[40])
{
    return hub_uuid_new(api->options.crypto, out);
}

enum fed_err hub_meta_new(struct hub_request *r, struct fed_json *object)
{
    static const char *const ours[] = {"selfLink", "uid", "resourceVersion", "creationTimestamp",
        "deletionTimestamp", "deletionGracePeriodSeconds"};
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    char uid[40];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = metadata ? hub_write_uid(r->api, uid) : FED_ERR_NOMEM;

    if (err)
        return err;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        fed_json_remove(metadata, ours[i]);
    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    err = fed_json_set_text(r->doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_text(r->doc, metadata, "creationTimestamp", now);
    if (!err && r->kind->counts_generation)
        err = fed_json_set_int(r->doc, metadata, "generation", 1);
    else if (!err && !r->version->core)
        fed_json_remove(metadata, "generation");
    return err;
}

enum fed_err hub_meta_keep(
    struct hub_request *r, const struct fed_json *live, struct fed_json *object)
{
    static const char *const kept[] = {"name", "namespace", "generation", "creationTimestamp"};
    static const char *const added[] = {"uid", "deletionGracePeriodSeconds"};
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    const struct fed_json *before = fed_json_get(live, "metadata");
    enum fed_err err = metadata ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return err;
    fed_json_remove(metadata, "selfLink");
    fed_json_remove(metadata, "resourceVersion");
    for (size_t i = 0; !err && i < sizeof kept / sizeof *kept; i++) {
        const struct fed_json *value = fed_json_get(before, kept[i]);

        if (value)
            err = fed_json_set(r->doc, metadata, kept[i], fed_json_clone(r->doc, value));
        else
            fed_json_remove(metadata, kept[i]);
    }
    /* What is given otherwise is refused as a change of what does not change. */
    for (size_t i = 0; !err && i < sizeof added / sizeof *added; i++) {
        const struct fed_json *value = fed_json_get(before, added[i]);
        const struct fed_json *given = fed_json_get(metadata, added[i]);

        if (value && (!given || (fed_json_is_string(given) && fed_json_string(given).len == 0)))
            err = fed_json_set(r->doc, metadata, added[i], fed_json_clone(r->doc, value));
    }
    if (!err && fed_json_get(before, "deletionTimestamp"))
        err = fed_json_set(r->doc, metadata, "deletionTimestamp",
            fed_json_clone(r->doc, fed_json_get(before, "deletionTimestamp")));
    return err;
}
