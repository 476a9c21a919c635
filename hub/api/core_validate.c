/* core_validate.c - defaults and rules of core kinds beyond their types.
 *
 * Source: k8s.io/kubernetes pkg/apis/core/validation, .../rbac/validation,
 * .../coordination/validation and the defaults beside them; the sentences are theirs, because
 * people search for them. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "hub/api/name_rules.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define DATA_BYTES_MAX (1u << 20)
#define CONFIG_KEY_MAX 253u
#define RBAC_GROUP "rbac.authorization.k8s.io"
#define IMMUTABLE "Forbidden: field is immutable when `immutable` is set"

struct validate {
    const struct hub_kind *kind;
    struct fed_json *object;
    const struct fed_json *before; /* NULL: create */
    struct hub_causes *causes;
};

static struct fed_span text_at(const struct fed_json *object, const char *path)
{
    return fed_json_string(fed_json_find(object, path));
}

static void required(struct validate *v, const char *field, const char *detail)
{
    hub_causes_add(v->causes, "FieldValueRequired", field, "Required value%s%s",
        detail[0] ? ": " : "", detail);
}

static void invalid(
    struct validate *v, const char *field, struct fed_span value, const char *detail)
{
    hub_causes_add(v->causes, "FieldValueInvalid", field, "Invalid value: \"" FED_SPAN_FMT "\": %s",
        FED_SPAN_ARG(value), detail);
}

static void forbidden(struct validate *v, const char *field, const char *message)
{
    hub_causes_add(v->causes, "FieldValueForbidden", field, "%s", message);
}

static void not_supported(
    struct validate *v, const char *field, struct fed_span value, const char *supported)
{
    hub_causes_add(v->causes, "FieldValueNotSupported", field,
        "Unsupported value: \"" FED_SPAN_FMT "\": supported values: %s", FED_SPAN_ARG(value),
        supported);
}

/* ---- keys and sizes of ConfigMaps and Secrets ---- */
static bool is_config_key(struct fed_span key)
{
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && c != '-' && c != '_' && c != '.')
            return false;
    }
    return key.len > 0;
}

static void check_key(struct validate *v, const char *member, struct fed_span key)
{
    char field[300];

    snprintf(field, sizeof field, "%s[" FED_SPAN_FMT "]", member, FED_SPAN_ARG(key));
    if (key.len > CONFIG_KEY_MAX)
        invalid(v, field, key, "must be no more than 253 characters");
    if (!is_config_key(key))
        invalid(v, field, key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
            "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
            "'[-._a-zA-Z0-9]+')");
    if (fed_span_is(key, "."))
        invalid(v, field, key, "must not be '.'");
    else if (fed_span_is(key, ".."))
        invalid(v, field, key, "must not be '..'");
    else if (fed_span_starts(key, ".."))
        invalid(v, field, key, "must not start with '..'");
}

/* Of text that is known to be base64. */
static size_t decoded_len(struct fed_span text)
{
    size_t padding = fed_span_ends(text, "==") ? 2 : fed_span_ends(text, "=") ? 1 : 0;

    return text.len / 4 * 3 - padding;
}

static size_t check_data(struct validate *v, const char *member, bool encoded)
{
    struct fed_json_iter it;
    size_t bytes = 0;

    fed_json_iter_init(&it, fed_json_get(v->object, member));
    while (fed_json_iter_next(&it)) {
        struct fed_span value = fed_json_string(it.value);

        check_key(v, member, it.key);
        bytes += encoded ? decoded_len(value) : value.len;
    }
    return bytes;
}

static void check_immutable(struct validate *v, const char *const *members, size_t n)
{
    if (!fed_json_bool(fed_json_get(v->before, "immutable"), false))
        return;
    if (!fed_json_bool(fed_json_get(v->object, "immutable"), false))
        forbidden(v, "immutable", IMMUTABLE);
    for (size_t i = 0; i < n; i++)
        if (!fed_json_eq(fed_json_get(v->before, members[i]), fed_json_get(v->object, members[i])))
            forbidden(v, members[i], IMMUTABLE);
}

static void too_long(struct validate *v, const char *field)
{
    hub_causes_add(v->causes, "FieldValueTooLong", field, "Too long: may not be more than %u bytes",
        DATA_BYTES_MAX);
}

static void validate_configmap(struct validate *v)
{
    static const char *const members[] = {"data", "binaryData"};
    const struct fed_json *binary = fed_json_get(v->object, "binaryData");
    struct fed_json_iter it;
    size_t bytes;

    check_immutable(v, members, 2);
    bytes = check_data(v, "data", false) + check_data(v, "binaryData", true);
    fed_json_iter_init(&it, fed_json_get(v->object, "data"));
    while (binary && fed_json_iter_next(&it)) {
        char field[300];

        if (!fed_json_get_span(binary, it.key))
            continue;
        snprintf(field, sizeof field, "data[" FED_SPAN_FMT "]", FED_SPAN_ARG(it.key));
        invalid(v, field, it.key, "duplicate of key present in binaryData");
    }
    if (bytes > DATA_BYTES_MAX)
        too_long(v, "[]");
}

/* ---- Secret ---- */
static void need_data(struct validate *v, const char *key)
{
    char field[64];

    snprintf(field, sizeof field, "data[%s]", key);
    if (!fed_json_get(fed_json_get(v->object, "data"), key))
        required(v, field, "");
}

static void check_json_data(struct validate *v, const char *key)
{
    struct fed_span text = fed_json_string(fed_json_get(fed_json_get(v->object, "data"), key));
    struct fed_json_doc *doc = NULL;
    struct fed_json *tree = NULL;
    struct fed_buf bytes;
    char field[64];

    if (!fed_json_get(fed_json_get(v->object, "data"), key)) {
        need_data(v, key);
        return;
    }
    snprintf(field, sizeof field, "data[%s]", key);
    fed_buf_init(&bytes, fed_alloc_system(), text.len + 4);
    if (fed_text_base64(text, &bytes) || fed_json_doc_new(fed_alloc_system(), &doc) ||
        fed_json_parse(doc, fed_buf_span(&bytes), &tree, NULL))
        invalid(v, field, FED_SPAN_LIT("<secret contents redacted>"),
            bytes.len == 0 ? "unexpected end of JSON input" : "invalid character in JSON");
    else if (!fed_json_is_object(tree) && fed_json_type(tree) != FED_JSON_NULL)
        invalid(v, field, FED_SPAN_LIT("<secret contents redacted>"),
            "json: cannot unmarshal into Go value of type map[string]interface {}");
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
}

static void check_secret_type(struct validate *v)
{
    struct fed_span type = fed_json_string(fed_json_get(v->object, "type"));
    const struct fed_json *data = fed_json_get(v->object, "data");
    const struct fed_json *notes = fed_json_find(v->object, "metadata.annotations");

    if (fed_span_is(type, "kubernetes.io/service-account-token")) {
        if (fed_json_string(fed_json_get(notes, "kubernetes.io/service-account.name")).len == 0)
            required(v, "metadata.annotations[kubernetes.io/service-account.name]", "");
    } else if (fed_span_is(type, "kubernetes.io/dockercfg")) {
        check_json_data(v, ".dockercfg");
    } else if (fed_span_is(type, "kubernetes.io/dockerconfigjson")) {
        check_json_data(v, ".dockerconfigjson");
    } else if (fed_span_is(type, "kubernetes.io/basic-auth")) {
        if (!fed_json_get(data, "username") && !fed_json_get(data, "password")) {
            need_data(v, "username");
            need_data(v, "password");
        }
    } else if (fed_span_is(type, "kubernetes.io/ssh-auth")) {
        if (fed_json_string(fed_json_get(data, "ssh-privatekey")).len == 0)
            required(v, "data[ssh-privatekey]", "");
    } else if (fed_span_is(type, "kubernetes.io/tls")) {
        need_data(v, "tls.crt");
        need_data(v, "tls.key");
    }
}

static void validate_secret(struct validate *v)
{
    static const char *const members[] = {"data"};
    const struct fed_json *type = fed_json_get(v->object, "type");

    if (v->before && !fed_json_eq(fed_json_get(v->before, "type"), type))
        invalid(v, "type", fed_json_string(type), "field is immutable");
    check_immutable(v, members, 1);
    if (check_data(v, "data", true) > DATA_BYTES_MAX)
        too_long(v, "data");
    check_secret_type(v);
}

/* Text becomes data, and wins over it. */
static enum fed_err take_string_data(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *text = fed_json_get(object, "stringData");
    struct fed_json *data = NULL;
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_count(text) > 0) {
        data = fed_json_ensure_object(doc, object, "data");
        err = data ? FED_OK : FED_ERR_NOMEM;
    }
    fed_json_iter_init(&it, data ? text : NULL);
    while (!err && fed_json_iter_next(&it)) {
        struct fed_buf encoded;

        fed_buf_init(&encoded, fed_alloc_system(), 2 * HUB_LIMIT_BODY_BYTES);
        fed_text_put_base64(&encoded, fed_json_string(it.value));
        err = fed_buf_err(&encoded);
        if (!err)
            err = fed_json_set_span(
                doc, data, it.key, fed_json_new_string(doc, fed_buf_span(&encoded)));
        fed_buf_fini(&encoded);
    }
    fed_json_remove(object, "stringData");
    return err;
}

static enum fed_err default_secret(struct fed_json_doc *doc, struct fed_json *object)
{
    enum fed_err err = take_string_data(doc, object);

    if (err || fed_json_string(fed_json_get(object, "type")).len > 0)
        return err;
    return fed_json_set_text(doc, object, "type", "Opaque");
}

/* ---- ServiceAccount ---- */
/* Of the secrets only their names are kept. */
static enum fed_err default_account(struct fed_json_doc *doc, struct fed_json *object)
{
    const struct fed_json *list = fed_json_get(object, "secrets");

    (void)doc;
    for (struct fed_json_iter secret = fed_json_items(list); fed_json_iter_next(&secret);) {
        struct fed_json_iter it;

        fed_json_iter_init(&it, secret.value);
        while (fed_json_iter_next(&it))
            if (!fed_span_is(it.key, "name"))
                fed_json_iter_remove(&it);
    }
    return FED_OK;
}

static void validate_nothing(struct validate *v)
{
    (void)v;
}

/* ---- Namespace ---- */
static enum fed_err default_namespace(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_span name = hub_meta(object, "name");
    struct fed_json *labels = fed_json_ensure_object(doc, metadata, "labels");

    if (name.len == 0)
        return FED_OK;
    return labels ? fed_json_set_string(doc, labels, "kubernetes.io/metadata.name", name)
                  : FED_ERR_NOMEM;
}

/* The status endpoint keeps the phase that goes with being deleted or not. */
void hub_core_validate_namespace_status(const struct fed_json *object, struct hub_causes *causes)
{
    bool deleted = hub_meta(object, "deletionTimestamp").len > 0;
    const char *phase = deleted ? "Terminating" : "Active";
    struct fed_span given = text_at(object, "status.phase");

    if (!fed_span_is(given, phase))
        hub_causes_add(causes, "FieldValueInvalid", "status.Phase",
            "Invalid value: \"" FED_SPAN_FMT
            "\": may only be '%s' if `deletionTimestamp` is %sempty",
            FED_SPAN_ARG(given), phase, deleted ? "not " : "");
}

static void check_finalizer(struct hub_causes *causes, const char *field, struct fed_span name)
{
    hub_name_check(causes, HUB_NAME_QUALIFIED, field, name);
    if (hub_name_is_bare_finalizer(name))
        hub_causes_invalid(causes, field, name,
            "name is neither a standard finalizer name nor is it fully qualified");
}

void hub_core_validate_finalize(const struct fed_json *object, struct hub_causes *causes)
{
    const struct fed_json *list = fed_json_find(object, "spec.finalizers");
    char field[64];

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        snprintf(field, sizeof field, "spec.finalizers[%zu]", it.index);
        check_finalizer(causes, field, fed_json_string(it.value));
    }
}

static void validate_namespace(struct validate *v)
{
    const struct fed_json *list = fed_json_find(v->object, "spec.finalizers");

    for (struct fed_json_iter it = fed_json_items(list); !v->before && fed_json_iter_next(&it);)
        check_finalizer(v->causes, "spec.finalizers", fed_json_string(it.value));
}

/* ---- Lease ---- */
static void validate_lease(struct validate *v)
{
    const struct fed_json *duration = fed_json_find(v->object, "spec.leaseDurationSeconds");
    const struct fed_json *moves = fed_json_find(v->object, "spec.leaseTransitions");
    const struct fed_json *strategy = fed_json_find(v->object, "spec.strategy");

    if (duration && fed_json_int(duration, 1) <= 0)
        hub_causes_add(v->causes, "FieldValueInvalid", "spec.leaseDurationSeconds",
            "Invalid value: %lld: must be greater than 0", (long long)fed_json_int(duration, 0));
    if (moves && fed_json_int(moves, 0) < 0)
        hub_causes_add(v->causes, "FieldValueInvalid", "spec.leaseTransitions",
            "Invalid value: %lld: must be greater than or equal to 0",
            (long long)fed_json_int(moves, 0));
    if (text_at(v->object, "spec.preferredHolder").len > 0 && fed_json_string(strategy).len == 0)
        forbidden(
            v, "spec.preferredHolder", "Forbidden: may only be specified if `strategy` is defined");
}

/* ---- RBAC ---- */
static void put_list(char out[256], const struct fed_json *list)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    if (fed_json_put(&text, list))
        out[0] = 0;
    else
        snprintf(out, 256, "%s", fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

static void check_urls(struct validate *v, const struct fed_json *rule, const char *field)
{
    const struct fed_json *urls = fed_json_get(rule, "nonResourceURLs");
    char text[256];

    put_list(text, urls);
    if (v->kind->namespaced)
        hub_causes_add(v->causes, "FieldValueInvalid", field,
            "Invalid value: %s: namespaced rules cannot apply to non-resource URLs", text);
    if (fed_json_count(fed_json_get(rule, "apiGroups")) > 0 ||
        fed_json_count(fed_json_get(rule, "resources")) > 0 ||
        fed_json_count(fed_json_get(rule, "resourceNames")) > 0)
        hub_causes_add(v->causes, "FieldValueInvalid", field,
            "Invalid value: %s: rules cannot apply to both regular resources and non-resource URLs",
            text);
}

static void check_rule(struct validate *v, const struct fed_json *rule, size_t i)
{
    char field[96];

    if (fed_json_count(fed_json_get(rule, "verbs")) == 0) {
        snprintf(field, sizeof field, "rules[%zu].verbs", i);
        required(v, field, "verbs must contain at least one value");
    }
    if (fed_json_count(fed_json_get(rule, "nonResourceURLs")) > 0) {
        snprintf(field, sizeof field, "rules[%zu].nonResourceURLs", i);
        check_urls(v, rule, field);
        return;
    }
    if (fed_json_count(fed_json_get(rule, "apiGroups")) == 0) {
        snprintf(field, sizeof field, "rules[%zu].apiGroups", i);
        required(v, field, "resource rules must supply at least one api group");
    }
    if (fed_json_count(fed_json_get(rule, "resources")) == 0) {
        snprintf(field, sizeof field, "rules[%zu].resources", i);
        required(v, field, "resource rules must supply at least one resource");
    }
}

static void validate_role(struct validate *v)
{
    const struct fed_json *rules = fed_json_get(v->object, "rules");
    const struct fed_json *aggregation = fed_json_get(v->object, "aggregationRule");

    for (struct fed_json_iter it = fed_json_items(rules); fed_json_iter_next(&it);)
        check_rule(v, it.value, it.index);
    if (aggregation && fed_json_count(fed_json_get(aggregation, "clusterRoleSelectors")) == 0)
        required(v, "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil");
}

static void check_subject(struct validate *v, const struct fed_json *subject, size_t i)
{
    struct fed_span kind = fed_json_string(fed_json_get(subject, "kind"));
    struct fed_span group = fed_json_string(fed_json_get(subject, "apiGroup"));
    struct fed_span name = fed_json_string(fed_json_get(subject, "name"));
    bool account = fed_span_is(kind, "ServiceAccount");
    char name_field[64];
    char field[64];

    snprintf(name_field, sizeof name_field, "subjects[%zu].name", i);
    snprintf(field, sizeof field, "subjects[%zu].apiGroup", i);
    if (name.len == 0)
        required(v, name_field, "");
    if (account && name.len > 0 && !fed_text_is_dns_subdomain(name))
        invalid(v, name_field, name,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    if (account && group.len > 0)
        not_supported(v, field, group, "\"\"");
    if (account && !v->kind->namespaced && text_at(subject, "namespace").len == 0) {
        snprintf(field, sizeof field, "subjects[%zu].namespace", i);
        required(v, field, "");
    }
    if ((fed_span_is(kind, "User") || fed_span_is(kind, "Group"))) {
        if (!fed_span_is(group, RBAC_GROUP))
            not_supported(v, field, group, "\"" RBAC_GROUP "\"");
    } else if (!account) {
        snprintf(field, sizeof field, "subjects[%zu].kind", i);
        not_supported(v, field, kind, "\"ServiceAccount\", \"User\", \"Group\"");
    }
}

static void validate_binding(struct validate *v)
{
    struct fed_span group = text_at(v->object, "roleRef.apiGroup");
    struct fed_span kind = text_at(v->object, "roleRef.kind");
    struct fed_span name = text_at(v->object, "roleRef.name");
    const struct fed_json *subjects = fed_json_get(v->object, "subjects");

    if (!fed_span_is(group, RBAC_GROUP))
        not_supported(v, "roleRef.apiGroup", group, "\"" RBAC_GROUP "\"");
    if (!fed_span_is(kind, "ClusterRole") && !(v->kind->namespaced && fed_span_is(kind, "Role")))
        not_supported(v, "roleRef.kind", kind,
            v->kind->namespaced ? "\"Role\", \"ClusterRole\"" : "\"ClusterRole\"");
    if (name.len == 0)
        required(v, "roleRef.name", "");
    for (struct fed_json_iter it = fed_json_items(subjects); fed_json_iter_next(&it);)
        check_subject(v, it.value, it.index);
    if (v->before &&
        !fed_json_eq(fed_json_get(v->before, "roleRef"), fed_json_get(v->object, "roleRef")))
        hub_causes_add(v->causes, "FieldValueInvalid", "roleRef",
            "Invalid value: {\"APIGroup\":\"" FED_SPAN_FMT "\",\"Kind\":\"" FED_SPAN_FMT
            "\",\"Name\":\"" FED_SPAN_FMT "\"}: cannot change roleRef",
            FED_SPAN_ARG(group), FED_SPAN_ARG(kind), FED_SPAN_ARG(name));
}

static enum fed_err default_binding(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *role = fed_json_get(object, "roleRef");
    struct fed_json *subjects = fed_json_get(object, "subjects");
    enum fed_err err = FED_OK;

    if (role && text_at(role, "apiGroup").len == 0)
        err = fed_json_set_text(doc, role, "apiGroup", RBAC_GROUP);
    for (struct fed_json_iter it = fed_json_items(subjects); !err && fed_json_iter_next(&it);) {
        struct fed_json *one = it.value;
        struct fed_span kind = text_at(one, "kind");

        if (text_at(one, "apiGroup").len == 0 &&
            (fed_span_is(kind, "User") || fed_span_is(kind, "Group")))
            err = fed_json_set_text(doc, one, "apiGroup", RBAC_GROUP);
    }
    return err;
}

/* ---- Event ---- */
struct event_names {
    const char *object;
    const char *first;
    const char *last;
    const char *count;
    const char *source;
    const char *message;
    const char *controller;
};
static const struct event_names core_names = {"involvedObject", "firstTimestamp", "lastTimestamp",
    "count", "source", "message", "reportingComponent"};
static const struct event_names events_names = {"regarding", "deprecatedFirstTimestamp",
    "deprecatedLastTimestamp", "deprecatedCount", "deprecatedSource", "note",
    "reportingController"};

static void event_too_long(struct validate *v, const char *field, const char *member, size_t max)
{
    if (fed_json_string(fed_json_get(v->object, member)).len > max)
        hub_causes_add(v->causes, "FieldValueInvalid", field,
            "Invalid value: \"\": can have at most %zu characters", max);
}

static void event_needs(struct validate *v, const char *member)
{
    if (fed_json_string(fed_json_get(v->object, member)).len == 0)
        required(v, member, "");
}

static void validate_new_event(struct validate *v, const struct event_names *names)
{
    struct fed_span controller = fed_json_string(fed_json_get(v->object, names->controller));

    event_needs(v, names->controller);
    if (!fed_text_is_label_key(controller))
        hub_name_check(v->causes, HUB_NAME_QUALIFIED, names->controller, controller);
    event_needs(v, "reportingInstance");
    event_too_long(v, "reportingInstance", "reportingInstance", 128);
    event_needs(v, "action");
    event_too_long(v, "action", "action", 128);
    event_needs(v, "reason");
    event_too_long(v, "reason", "reason", 128);
    event_too_long(v, "message", names->message, 1024);
}

static void unset(struct validate *v, const char *field, bool is_set)
{
    if (is_set)
        hub_causes_add(
            v->causes, "FieldValueInvalid", field, "Invalid value: \"\": needs to be unset");
}

static void check_series(struct validate *v)
{
    const struct fed_json *series = fed_json_get(v->object, "series");

    if (!fed_json_is_object(series))
        return;
    if (fed_json_int(fed_json_get(series, "count"), 0) < 2)
        hub_causes_add(v->causes, "FieldValueInvalid", "series.count",
            "Invalid value: \"\": should be at least 2");
    if (!fed_json_is_string(fed_json_get(series, "lastObservedTime")))
        required(v, "series.lastObservedTime", "");
}

/* What only events.k8s.io asks of a new event. */
static void validate_strict_create(struct validate *v)
{
    struct fed_span type = fed_json_string(fed_json_get(v->object, "type"));

    check_series(v);
    if (!fed_json_is_string(fed_json_get(v->object, "eventTime")))
        required(v, "eventTime", "");
    if (!fed_span_is(type, "Normal") && !fed_span_is(type, "Warning"))
        hub_causes_add(v->causes, "FieldValueInvalid", "type",
            "Invalid value: \"\": has invalid value: " FED_SPAN_FMT, FED_SPAN_ARG(type));
    unset(v, "firstTimestamp", fed_json_is_string(fed_json_get(v->object, events_names.first)));
    unset(v, "lastTimestamp", fed_json_is_string(fed_json_get(v->object, events_names.last)));
    unset(v, "count", fed_json_int(fed_json_get(v->object, events_names.count), 0) != 0);
    unset(v, "source", fed_json_count(fed_json_get(v->object, events_names.source)) > 0);
}

/* before is in the same version here. */
static void validate_strict_update(struct validate *v)
{
    static const struct {
        const char *member;
        const char *field;
    } fixed[] = {{"regarding", "involvedObject"}, {"reason", "reason"}, {"note", "message"},
        {"deprecatedSource", "source"}, {"deprecatedFirstTimestamp", "firstTimestamp"},
        {"deprecatedLastTimestamp", "lastTimestamp"}, {"deprecatedCount", "count"},
        {"type", "type"}, {"eventTime", "eventTime"}, {"action", "action"}, {"related", "related"},
        {"reportingController", "reportingController"}, {"reportingInstance", "reportingInstance"}};

    if (!fed_json_eq(fed_json_get(v->before, "series"), fed_json_get(v->object, "series")))
        check_series(v);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const struct fed_json *now = fed_json_get(v->object, fixed[i].member);
        char text[256];

        if (fed_json_eq(fed_json_get(v->before, fixed[i].member), now))
            continue;
        put_list(text, now);
        hub_causes_add(v->causes, "FieldValueInvalid", fixed[i].field,
            "Invalid value: %s: field is immutable", text[0] ? text : "null");
    }
}

static void validate_event(struct validate *v)
{
    bool strict = v->kind->group[0] != 0;
    const struct event_names *names = strict ? &events_names : &core_names;
    struct fed_span ns = hub_meta(v->object, "namespace");
    struct fed_span of =
        fed_json_string(fed_json_get(fed_json_get(v->object, names->object), "namespace"));
    bool timed = fed_json_is_string(fed_json_get(v->object, "eventTime"));
    bool fits = of.len > 0
                    ? timed || fed_span_eq(of, ns)
                    : fed_span_is(ns, "default") || (timed && fed_span_is(ns, "kube-system"));

    if (!fits)
        invalid(v, "involvedObject.namespace", of, "does not match event.namespace");
    if (timed)
        validate_new_event(v, names);
    if (strict && v->before)
        validate_strict_update(v);
    else if (strict)
        validate_strict_create(v);
}

/* ---- all ---- */
static const struct {
    const char *group;
    const char *plural;
    enum fed_err (*set_defaults)(struct fed_json_doc *doc, struct fed_json *object);
    void (*validate)(struct validate *v);
} rules[] = {
    {"", "configmaps", NULL, validate_configmap},
    {"", "secrets", default_secret, validate_secret},
    {"", "serviceaccounts", default_account, validate_nothing},
    {"", "namespaces", default_namespace, validate_namespace},
    {"", "events", NULL, validate_event},
    {"events.k8s.io", "events", NULL, validate_event},
    {"coordination.k8s.io", "leases", NULL, validate_lease},
    {RBAC_GROUP, "roles", NULL, validate_role},
    {RBAC_GROUP, "clusterroles", NULL, validate_role},
    {RBAC_GROUP, "rolebindings", default_binding, validate_binding},
    {RBAC_GROUP, "clusterrolebindings", default_binding, validate_binding},
};

enum fed_err hub_core_default(
    const struct hub_kind *kind, struct fed_json_doc *doc, struct fed_json *object)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].set_defaults && strcmp(rules[i].group, kind->group) == 0 &&
            strcmp(rules[i].plural, kind->plural) == 0)
            return rules[i].set_defaults(doc, object);
    return FED_OK;
}

void hub_core_validate(const struct hub_kind *kind, struct fed_json *object,
    const struct fed_json *before, struct hub_causes *causes)
{
    struct validate v = {kind, object, before, causes};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].group, kind->group) == 0 && strcmp(rules[i].plural, kind->plural) == 0)
            rules[i].validate(&v);
}
