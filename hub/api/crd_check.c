/* crd_check.c - what a CustomResourceDefinition must say, and what an update may not change.
 *
 * Source: apiextensions-apiserver pkg/apis/apiextensions/validation; fields, reasons and sentences
 * are what it answers. It speaks of spec.validation, spec.subresources and
 * spec.additionalPrinterColumns where all versions say the same. */
#include "hub/api/crd_parts.h"
#include "hub/api/internal.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define NOT_A_LABEL                                                                                \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "           \
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define NOT_A_SUBDOMAIN                                                                            \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

struct check {
    struct hub_causes *causes;
    const struct fed_json *crd;
    const struct fed_json *spec;
    const struct fed_json *before; /* its spec; NULL on create */
    bool established;              /* before */
};

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

/* ---- defaults ---- */
static enum fed_err default_name(
    struct fed_json_doc *doc, struct fed_json *names, const char *key, const char *suffix)
{
    struct fed_span kind = text_at(names, "kind");
    char text[256];

    if (text_at(names, key).len > 0 || kind.len == 0 || kind.len > 200)
        return FED_OK;
    snprintf(text, sizeof text, FED_SPAN_FMT "%s", FED_SPAN_ARG(kind), suffix);
    for (size_t i = 0; !suffix[0] && text[i]; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
    return fed_json_set_text(doc, names, key, text);
}

enum fed_err hub_crd_default(struct fed_json_doc *doc, struct fed_json *crd)
{
    struct fed_json *spec = fed_json_get(crd, "spec");
    struct fed_json *names = fed_json_get(spec, "names");
    struct fed_json *conversion;
    enum fed_err err = FED_OK;

    if (!fed_json_is_object(spec))
        return FED_OK;
    if (fed_json_is_object(names)) {
        err = default_name(doc, names, "singular", "");
        if (!err)
            err = default_name(doc, names, "listKind", "List");
    }
    if (err || fed_json_get(spec, "conversion"))
        return err;
    conversion = fed_json_ensure_object(doc, spec, "conversion");
    return conversion ? fed_json_set_text(doc, conversion, "strategy", "None") : FED_ERR_NOMEM;
}

/* ---- words ---- */
static bool is_label(struct fed_span text)
{
    if (text.len == 0 || text.len > 63 || text.at[0] < 'a' || text.at[0] > 'z')
        return false;
    return fed_text_is_dns_label(text);
}

static void check_label(
    struct check *c, const char *field, struct fed_span shown, const char *before)
{
    char lower[320];
    struct fed_span text;

    if (shown.len == 0)
        return;
    snprintf(lower, sizeof lower, FED_SPAN_FMT, FED_SPAN_ARG(shown));
    for (size_t i = 0; before[0] && lower[i]; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + ('a' - 'A'));
    text = fed_span_text(lower);
    if (!is_label(text))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": %s%s", FED_SPAN_ARG(shown), before,
            text.len > 63 ? "must be no more than 63 bytes" : NOT_A_LABEL);
}

static void required(struct check *c, const char *field, const char *detail)
{
    hub_causes_add(c->causes, "FieldValueRequired", field, "Required value%s%s",
        detail[0] ? ": " : "", detail);
}

static void check_group(struct check *c)
{
    struct fed_span group = text_at(c->spec, "group");

    if (group.len == 0)
        required(c, "spec.group", "");
    else if (!fed_text_is_dns_subdomain(group))
        hub_causes_add(c->causes, "FieldValueInvalid", "spec.group",
            "Invalid value: \"" FED_SPAN_FMT "\": %s", FED_SPAN_ARG(group), NOT_A_SUBDOMAIN);
    else if (fed_span_find(group, '.') == group.len)
        hub_causes_add(c->causes, "FieldValueInvalid", "spec.group",
            "Invalid value: \"" FED_SPAN_FMT "\": should be a domain with at least one dot",
            FED_SPAN_ARG(group));
}

static void check_scope(struct check *c)
{
    struct fed_span scope = text_at(c->spec, "scope");

    if (scope.len == 0)
        required(c, "spec.scope", "");
    else if (!fed_span_is(scope, "Cluster") && !fed_span_is(scope, "Namespaced"))
        hub_causes_add(c->causes, "FieldValueNotSupported", "spec.scope",
            "Unsupported value: \"" FED_SPAN_FMT
            "\": supported values: \"Cluster\", \"Namespaced\"",
            FED_SPAN_ARG(scope));
}

static void check_names(struct check *c)
{
    static const struct {
        const char *key;
        const char *field;
        bool mixed;
    } names[] = {{"plural", "spec.names.plural", false}, {"singular", "spec.names.singular", false},
        {"kind", "spec.names.kind", true}, {"listKind", "spec.names.listKind", true}};
    static const char *const lists[] = {"shortNames", "categories"};
    const struct fed_json *from = fed_json_get(c->spec, "names");
    char field[64];

    for (size_t i = 0; i < 4; i++)
        if (text_at(from, names[i].key).len == 0)
            required(c, names[i].field, "");
    for (size_t i = 0; i < 4; i++)
        check_label(c, names[i].field, text_at(from, names[i].key),
            names[i].mixed ? "may have mixed case, but should otherwise match: " : "");
    for (size_t l = 0; l < 2; l++) {
        const struct fed_json *list = fed_json_get(from, lists[l]);

        if (l == 1 && text_at(from, "kind").len > 0 &&
            fed_span_eq(text_at(from, "kind"), text_at(from, "listKind")))
            hub_causes_add(c->causes, "FieldValueInvalid", "spec.names.listKind",
                "Invalid value: \"" FED_SPAN_FMT "\": kind and listKind may not be the same",
                FED_SPAN_ARG(text_at(from, "kind")));
        for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
            snprintf(field, sizeof field, "spec.names.%s[%zu]", lists[l], it.index);
            check_label(c, field, fed_json_string(it.value), "");
        }
    }
}

/* ---- parts of a version ---- */
static void check_path(struct check *c, const char *field, struct fed_span path)
{
    if (path.len > 0 && path.at[0] != '.')
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": must be a simple json path starting with .",
            FED_SPAN_ARG(path));
}

static bool is_one_of(struct fed_span text, const char *const *list)
{
    for (; *list; list++)
        if (fed_span_is(text, *list))
            return true;
    return false;
}

static void check_column(struct check *c, const struct fed_json *column, const char *at)
{
    static const char *const types[] = {"boolean", "date", "integer", "number", "string", NULL};
    static const char *const formats[] = {
        "byte", "date", "date-time", "double", "float", "int32", "int64", "password", NULL};
    struct fed_span type = text_at(column, "type");
    struct fed_span format = text_at(column, "format");
    char field[128];

    snprintf(field, sizeof field, "%s.name", at);
    if (text_at(column, "name").len == 0)
        required(c, field, "");
    snprintf(field, sizeof field, "%s.type", at);
    if (type.len == 0)
        required(c, field, "must be one of boolean,date,integer,number,string");
    else if (!is_one_of(type, types))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT
            "\": must be one of boolean,date,integer,number,string",
            FED_SPAN_ARG(type));
    snprintf(field, sizeof field, "%s.format", at);
    if (format.len > 0 && !is_one_of(format, formats))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT
            "\": must be one of byte,date,date-time,double,float,int32,int64,password",
            FED_SPAN_ARG(format));
    snprintf(field, sizeof field, "%s.JSONPath", at);
    if (text_at(column, "jsonPath").len == 0)
        required(c, field, "");
    check_path(c, field, text_at(column, "jsonPath"));
}

static void check_columns(struct check *c, const struct fed_json *list, const char *at)
{
    char field[112];

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        snprintf(field, sizeof field, "%s[%zu]", at, it.index);
        check_column(c, it.value, field);
    }
}

static void check_scale_path(struct check *c, const struct fed_json *scale, const char *at,
    const char *key, bool in_spec, bool in_status)
{
    struct fed_span path = text_at(scale, key);
    bool ok = (in_spec && fed_span_starts(path, ".spec.")) ||
              (in_status && fed_span_starts(path, ".status."));
    char field[128];

    snprintf(field, sizeof field, "%s.scale.%s", at, key);
    if (path.len == 0 && !(in_spec && in_status))
        required(c, field, "");
    else if (path.len > 0 && path.at[0] != '.')
        check_path(c, field, path);
    else if (path.len > 0 && !ok)
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": should be a json path under %s",
            FED_SPAN_ARG(path),
            in_spec && in_status ? "either .spec or .status" : (in_spec ? ".spec" : ".status"));
}

static void check_subresources(struct check *c, const struct fed_json *from, const char *at)
{
    const struct fed_json *scale = fed_json_get(from, "scale");

    if (!fed_json_is_object(scale))
        return;
    check_scale_path(c, scale, at, "specReplicasPath", true, false);
    check_scale_path(c, scale, at, "statusReplicasPath", false, true);
    check_scale_path(c, scale, at, "labelSelectorPath", true, true);
}

static void check_deprecation(struct check *c, const struct fed_json *version, const char *at)
{
    const struct fed_json *warning = fed_json_get(version, "deprecationWarning");
    struct fed_span text = fed_json_string(warning);
    const char *why = NULL;
    char field[96];

    if (!warning)
        return;
    if (!fed_json_bool(fed_json_get(version, "deprecated"), false))
        why = "can only be set for deprecated versions";
    else if (text.len > 256)
        why = "must be <= 256 characters long";
    else if (text.len == 0)
        why = "must not be an empty string";
    snprintf(field, sizeof field, "%s.deprecationWarning", at);
    if (why)
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": %s", FED_SPAN_ARG(text), why);
}

static const struct fed_json *schema_at_path(const struct fed_json *schema, struct fed_span path)
{
    struct fed_span key;

    if (!fed_span_starts(path, "."))
        return NULL;
    path = fed_span_sub(path, 1, path.len);
    while (schema && fed_span_split(&path, '.', &key)) {
        const struct fed_json *properties = fed_json_get(schema, "properties");
        const struct fed_json *next = fed_json_get_span(properties, key);

        schema = next ? next : fed_json_get(schema, "additionalProperties");
    }
    return schema;
}

static void check_selectable(struct check *c, const struct fed_json *version, const char *at)
{
    const struct fed_json *list = fed_json_get(version, "selectableFields");
    const struct fed_json *schema = fed_json_find(version, "schema.openAPIV3Schema");
    size_t n = fed_json_count(list);
    char field[128];

    for (size_t i = 0; i < n; i++) {
        struct fed_span path = text_at(fed_json_at(list, i), "jsonPath");
        const struct fed_json *found = schema_at_path(schema, path);
        struct fed_span type = text_at(found, "type");

        snprintf(field, sizeof field, "%s[%zu].jsonPath", at, i);
        if (path.len == 0)
            required(c, field, "");
        else if (!found)
            hub_causes_add(c->causes, "FieldValueInvalid", field,
                "Invalid value: \"" FED_SPAN_FMT
                "\": is an invalid path: does not refer to a valid field",
                FED_SPAN_ARG(path));
        else if (fed_span_starts(path, ".metadata"))
            hub_causes_add(c->causes, "FieldValueInvalid", field,
                "Invalid value: \"" FED_SPAN_FMT "\": must not point to fields in metadata",
                FED_SPAN_ARG(path));
        else if (!fed_span_is(type, "string") && !fed_span_is(type, "boolean") &&
                 !fed_span_is(type, "integer"))
            hub_causes_add(c->causes, "FieldValueInvalid", field,
                "Invalid value: \"" FED_SPAN_FMT
                "\": must point to a field of type string, boolean or integer. Enum string fields "
                "and strings with formats are allowed.",
                FED_SPAN_ARG(path));
        for (size_t k = 0; k < i; k++)
            if (fed_span_eq(path, text_at(fed_json_at(list, k), "jsonPath")))
                hub_causes_add(c->causes, "FieldValueDuplicate", field,
                    "Duplicate value: \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(path));
    }
    if (n > HUB_KIND_SELECTABLE_MAX)
        hub_causes_add(c->causes, "FieldValueTooMany", at,
            "Too many: %zu: must have at most %u items", n, HUB_KIND_SELECTABLE_MAX);
}

/* ---- versions ---- */
/* Whether every version says the same under a key, and something. */
static bool all_equal(const struct fed_json *versions, const char *key)
{
    const struct fed_json *first = fed_json_get(fed_json_at(versions, 0), key);

    for (struct fed_json_iter it = fed_json_items(versions); fed_json_iter_next(&it);)
        if (!fed_json_get(it.value, key) || !fed_json_eq(fed_json_get(it.value, key), first))
            return false;
    return first != NULL;
}

static void check_version_schema(struct check *c, const struct fed_json *version, const char *at)
{
    char path[128];

    snprintf(path, sizeof path, "%s.openAPIV3Schema", at);
    hub_crd_check_schema(fed_json_find(version, "schema.openAPIV3Schema"), path,
        fed_json_find(version, "subresources.status") != NULL, fed_alloc_system(), c->causes);
}

static void check_version(struct check *c, const struct fed_json *versions, size_t i)
{
    const struct fed_json *version = fed_json_at(versions, i);
    struct fed_span name = text_at(version, "name");
    char at[64];
    char field[112];

    snprintf(at, sizeof at, "spec.versions[%zu]", i);
    snprintf(field, sizeof field, "%s.name", at);
    if (!is_label(name))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": %s", FED_SPAN_ARG(name),
            name.len > 63 ? "must be no more than 63 bytes" : NOT_A_LABEL);
    if (i == 0 && !is_label(name)) /* as the former spec.version is checked as well */
        hub_causes_add(c->causes, "FieldValueInvalid", "spec.version",
            "Invalid value: \"" FED_SPAN_FMT "\": %s", FED_SPAN_ARG(name),
            name.len > 63 ? "must be no more than 63 bytes" : NOT_A_LABEL);
    check_deprecation(c, version, at);
    snprintf(field, sizeof field, "%s.schema", at);
    if (!all_equal(versions, "schema") && fed_json_get(version, "schema"))
        check_version_schema(c, version, field);
    snprintf(field, sizeof field, "%s.subresources", at);
    if (!all_equal(versions, "subresources"))
        check_subresources(c, fed_json_get(version, "subresources"), field);
    snprintf(field, sizeof field, "%s.additionalPrinterColumns", at);
    if (!all_equal(versions, "additionalPrinterColumns"))
        check_columns(c, fed_json_get(version, "additionalPrinterColumns"), field);
    snprintf(field, sizeof field, "%s.selectableFields", at);
    if (!all_equal(versions, "selectableFields"))
        check_selectable(c, version, field);
}

static void versions_invalid(struct check *c, const struct fed_json *versions, const char *why)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), HUB_LIMIT_BODY_BYTES * 2);
    if (fed_json_put(&text, versions))
        fed_buf_clear(&text);
    if (text.len > 300)
        fed_buf_cut(&text, 300);
    hub_causes_add(c->causes, "FieldValueInvalid", "spec.versions", "Invalid value: %s%s: %s",
        fed_buf_cstr(&text), text.len == 300 ? "..." : "", why);
    fed_buf_fini(&text);
}

static void check_versions(struct check *c)
{
    const struct fed_json *versions = fed_json_get(c->spec, "versions");
    size_t n = fed_json_count(versions);
    size_t storage = 0;
    bool unique = true;
    char field[96];

    for (size_t i = 0; i < n; i++)
        if (!fed_json_find(fed_json_at(versions, i), "schema.openAPIV3Schema")) {
            snprintf(field, sizeof field, "spec.versions[%zu].schema.openAPIV3Schema", i);
            required(c, field, "");
        }
    for (size_t i = 0; i < n && i < HUB_KIND_VERSIONS_MAX; i++) {
        struct fed_span name = text_at(fed_json_at(versions, i), "name");

        storage += fed_json_bool(fed_json_get(fed_json_at(versions, i), "storage"), false);
        for (size_t k = 0; k < i; k++)
            unique = unique && !fed_span_eq(name, text_at(fed_json_at(versions, k), "name"));
        check_version(c, versions, i);
    }
    if (n > HUB_KIND_VERSIONS_MAX)
        hub_causes_add(c->causes, "FieldValueTooMany", "spec.versions",
            "Too many: %zu: must have at most %u items", n, HUB_KIND_VERSIONS_MAX);
    if (!unique)
        versions_invalid(c, versions, "must contain unique version names");
    if (storage != 1)
        versions_invalid(c, versions, "must have exactly one version marked as storage version");
}

static void check_common(struct check *c)
{
    const struct fed_json *versions = fed_json_get(c->spec, "versions");
    const struct fed_json *first = fed_json_at(versions, 0);

    if (all_equal(versions, "schema"))
        check_version_schema(c, first, "spec.validation");
    if (all_equal(versions, "subresources"))
        check_subresources(c, fed_json_get(first, "subresources"), "spec.subresources");
    if (all_equal(versions, "additionalPrinterColumns"))
        check_columns(
            c, fed_json_get(first, "additionalPrinterColumns"), "spec.additionalPrinterColumns");
    if (all_equal(versions, "selectableFields"))
        check_selectable(c, first, "spec.selectableFields");
}

static void check_conversion(struct check *c)
{
    const struct fed_json *conversion = fed_json_get(c->spec, "conversion");
    struct fed_span strategy = text_at(conversion, "strategy");

    if (!conversion)
        return;
    if (strategy.len == 0)
        required(c, "spec.conversion.strategy", "");
    else if (fed_span_is(strategy, "Webhook"))
        hub_causes_add(c->causes, "FieldValueInvalid", "spec.conversion.strategy",
            "Invalid value: \"Webhook\": this server calls no conversion webhooks: use None, which "
            "changes apiVersion alone, or serve one version");
    else if (!fed_span_is(strategy, "None"))
        hub_causes_add(c->causes, "FieldValueNotSupported", "spec.conversion.strategy",
            "Unsupported value: \"" FED_SPAN_FMT "\": supported values: \"None\", \"Webhook\"",
            FED_SPAN_ARG(strategy));
    else if (fed_json_get(conversion, "webhook"))
        hub_causes_add(c->causes, "FieldValueForbidden", "spec.conversion.webhookClientConfig",
            "Forbidden: should not be set when strategy is not set to Webhook");
}

/* ---- the whole ---- */
static void check_name(struct check *c)
{
    struct fed_span name = hub_meta(c->crd, "name");
    char wanted[400];

    snprintf(wanted, sizeof wanted, FED_SPAN_FMT "." FED_SPAN_FMT,
        FED_SPAN_ARG(text_at(fed_json_get(c->spec, "names"), "plural")),
        FED_SPAN_ARG(text_at(c->spec, "group")));
    if (!fed_span_is(name, wanted))
        hub_causes_add(c->causes, "FieldValueInvalid", "metadata.name",
            "Invalid value: \"" FED_SPAN_FMT "\": must be spec.names.plural+\".\"+spec.group",
            FED_SPAN_ARG(name));
}

static void check_immutable(
    struct check *c, const char *path, const char *field, bool only_established)
{
    struct fed_span now = fed_json_string(fed_json_find(c->spec, path));
    struct fed_span then = fed_json_string(fed_json_find(c->before, path));

    if ((!only_established || c->established) && !fed_span_eq(now, then))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT "\": field is immutable", FED_SPAN_ARG(now));
}

static bool serves_version(const struct fed_json *versions, struct fed_span name)
{
    for (struct fed_json_iter it = fed_json_items(versions); fed_json_iter_next(&it);)
        if (fed_span_eq(text_at(it.value, "name"), name))
            return true;
    return false;
}

static void check_stored(struct check *c)
{
    const struct fed_json *stored = fed_json_find(c->crd, "status.storedVersions");
    char field[64];

    for (struct fed_json_iter it = fed_json_items(stored); fed_json_iter_next(&it);) {
        struct fed_span name = fed_json_string(it.value);

        snprintf(field, sizeof field, "status.storedVersions[%zu]", it.index);
        if (!serves_version(fed_json_get(c->spec, "versions"), name))
            hub_causes_add(c->causes, "FieldValueInvalid", field,
                "Invalid value: \"" FED_SPAN_FMT "\": missing from spec.versions; " FED_SPAN_FMT
                " was previously a storage version, and must remain in spec.versions until a "
                "storage migration ensures no data remains persisted in " FED_SPAN_FMT
                " and removes " FED_SPAN_FMT " from status.storedVersions",
                FED_SPAN_ARG(name), FED_SPAN_ARG(name), FED_SPAN_ARG(name), FED_SPAN_ARG(name));
    }
}

#define APPROVAL "api-approved.kubernetes.io"
static void check_approval(struct check *c)
{
    static const char *const field = "metadata.annotations[" APPROVAL "]";
    struct fed_span group = text_at(c->spec, "group");
    struct fed_span approval =
        fed_json_string(fed_json_get(fed_json_find(c->crd, "metadata.annotations"), APPROVAL));

    if (!fed_span_ends(group, ".k8s.io") && !fed_span_is(group, "k8s.io") &&
        !fed_span_ends(group, ".kubernetes.io") && !fed_span_is(group, "kubernetes.io"))
        return;
    if (approval.len == 0)
        required(c, field,
            "protected groups must have approval annotation \"" APPROVAL
            "\", see https://github.com/kubernetes/enhancements/pull/1111");
    else if (!fed_span_starts(approval, "unapproved") && !fed_span_starts(approval, "https://") &&
             !fed_span_starts(approval, "http://"))
        hub_causes_add(c->causes, "FieldValueInvalid", field,
            "Invalid value: \"" FED_SPAN_FMT
            "\": protected groups must have approval annotation \"" APPROVAL
            "\" with either a URL or a reason starting with \"unapproved\", see "
            "https://github.com/kubernetes/enhancements/pull/1111",
            FED_SPAN_ARG(approval));
}

void hub_crd_check(
    const struct fed_json *crd, const struct fed_json *before, struct hub_causes *causes)
{
    struct check c = {.causes = causes,
        .crd = crd,
        .spec = fed_json_get(crd, "spec"),
        .before = fed_json_get(before, "spec"),
        .established = before && hub_crd_condition_is_true(before, "Established")};

    if (!before)
        check_name(&c);
    check_group(&c);
    check_scope(&c);
    check_versions(&c);
    check_names(&c);
    check_common(&c);
    check_conversion(&c);
    if (before) {
        check_immutable(&c, "scope", "spec.scope", true);
        check_immutable(&c, "names.kind", "spec.names.kind", true);
        check_immutable(&c, "group", "spec.group", false);
        check_immutable(&c, "names.plural", "spec.names.plural", false);
    }
    check_stored(&c);
    if (!before)
        check_approval(&c);
    if (fed_json_bool(fed_json_get(c.spec, "preserveUnknownFields"), false) &&
        !fed_json_bool(fed_json_get(c.before, "preserveUnknownFields"), false))
        hub_causes_add(causes, "FieldValueInvalid", "spec.preserveUnknownFields",
            "Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to "
            "true in spec.versions[*].schema instead");
}
