/* type.c - what a FederatedTypeConfig must say, and what it may leave out: see check.h. */
#include "hub/kubefed/check.h"

#include <stdio.h>

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

/* ---- defaults ---- */
/* KubeFed's own rule: es after s, x, ch, sh, z, o; y becomes ies; else s. */
static void pluralize(struct fed_span kind, char out[72])
{
    size_t n = 0;
    char last;
    char before;

    for (; n < kind.len && n < 64; n++)
        out[n] = (char)(kind.at[n] >= 'A' && kind.at[n] <= 'Z' ? kind.at[n] + 32 : kind.at[n]);
    last = n > 0 ? out[n - 1] : 0;
    before = n > 1 ? out[n - 2] : 0;
    if (last == 'y')
        snprintf(out + n - 1, 72 - n + 1, "ies");
    else if (last == 's' || last == 'x' || last == 'z' || last == 'o' ||
             (last == 'h' && (before == 'c' || before == 's')))
        snprintf(out + n, 72 - n, "es");
    else
        snprintf(out + n, 72 - n, "s");
}

static enum fed_err default_text(
    struct fed_json_doc *doc, struct fed_json *type, const char *key, struct fed_span value)
{
    if (!fed_json_is_object(type) || text_at(type, key).len > 0 || value.len == 0)
        return FED_OK;
    return fed_json_set_string(doc, type, key, value);
}

enum fed_err hub_kubefed_default_type(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *spec = fed_json_get(object, "spec");
    struct fed_json *target = fed_json_get(spec, "targetType");
    struct fed_json *federated = fed_json_get(spec, "federatedType");
    struct fed_json *status = fed_json_get(spec, "statusType");
    struct fed_json *made[] = {federated, status};
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    size_t dot = fed_span_find(name, '.');
    enum fed_err err = default_text(doc, target, "pluralName", fed_span_sub(name, 0, dot));

    if (!err && dot < name.len)
        err = default_text(doc, target, "group", fed_span_sub(name, dot + 1, name.len));
    for (size_t i = 0; !err && i < 2; i++) {
        struct fed_span kind = text_at(made[i], "kind");
        char plural[72] = "";

        if (kind.len > 0)
            pluralize(kind, plural);
        err = default_text(doc, made[i], "pluralName", fed_span_text(plural));
    }
    if (!err)
        err = default_text(doc, status, "group", text_at(federated, "group"));
    return err ? err : default_text(doc, status, "version", text_at(federated, "version"));
}

/* ---- rules ---- */
enum requirement { MAY_BE_CORE, HAS_DOMAIN };

static void check_group(struct hub_kubefed_errors *errors, const char *path, struct fed_span group,
    enum requirement requirement)
{
    if (requirement == HAS_DOMAIN && group.len == 0)
        hub_kubefed_required(errors, path);
    else if (requirement == HAS_DOMAIN && fed_span_find(group, '.') == group.len)
        hub_kubefed_invalid_text(errors, path, group, "should be a domain with at least one dot");
    if (group.len > 0)
        hub_kubefed_check_subdomain(errors, path, group);
}

static void check_resource(struct hub_kubefed_errors *errors, const char *member,
    const struct fed_json *type, enum requirement requirement)
{
    static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
    static const char *const labels[] = {"version", "kind", "pluralName"};
    char path[80];

    snprintf(path, sizeof path, "spec.%s.group", member);
    check_group(errors, path, text_at(type, "group"), requirement);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        struct fed_span value = text_at(type, labels[i]);

        snprintf(path, sizeof path, "spec.%s.%s", member, labels[i]);
        if (value.len == 0)
            hub_kubefed_required(errors, path);
        else
            hub_kubefed_check_label(
                errors, path, value, i == 1 ? HUB_KUBEFED_CASE_FOLDED : HUB_KUBEFED_CASE_AS_IS);
    }
    snprintf(path, sizeof path, "spec.%s.scope", member);
    hub_kubefed_check_enum(errors, path, text_at(type, "scope"), scopes);
}

static void check_name(struct hub_kubefed_errors *errors, const struct fed_json *object)
{
    const struct fed_json *target = fed_json_find(object, "spec.targetType");
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    struct fed_span plural = text_at(target, "pluralName");
    struct fed_span group = text_at(target, "group");
    bool same = group.len == 0
                    ? fed_span_eq(name, plural)
                    : name.len == plural.len + 1 + group.len &&
                          fed_span_eq(fed_span_sub(name, 0, plural.len), plural) &&
                          name.at[plural.len] == '.' &&
                          fed_span_eq(fed_span_sub(name, plural.len + 1, name.len), group);

    if (!same)
        hub_kubefed_invalid_text(
            errors, "name", name, "name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'");
}

static void check_spec(struct hub_kubefed_errors *errors, const struct fed_json *spec)
{
    static const char *const modes[] = {"Enabled", "Disabled", NULL};
    const struct fed_json *status = fed_json_get(spec, "statusType");
    const struct fed_json *collection = fed_json_get(spec, "statusCollection");

    check_resource(errors, "targetType", fed_json_get(spec, "targetType"), MAY_BE_CORE);
    hub_kubefed_check_enum(errors, "spec.propagation", text_at(spec, "propagation"), modes);
    check_resource(errors, "federatedType", fed_json_get(spec, "federatedType"), HAS_DOMAIN);
    if (fed_json_is_object(status))
        check_resource(errors, "statusType", status, HAS_DOMAIN);
    if (fed_json_is_string(collection))
        hub_kubefed_check_enum(errors, "spec.statusCollection", fed_json_string(collection), modes);
}

static void check_status(struct hub_kubefed_errors *errors, const struct fed_json *status)
{
    static const char *const states[] = {"Running", "NotRunning", NULL};
    int64_t generation = fed_json_int(fed_json_get(status, "observedGeneration"), 0);
    const struct fed_json *collector = fed_json_get(status, "statusController");
    char shown[24];

    snprintf(shown, sizeof shown, "%lld", (long long)generation);
    if (generation < 0)
        hub_kubefed_invalid(
            errors, "status.observedGeneration", shown, "must be greater than or equal to 0");
    hub_kubefed_check_enum(
        errors, "status.propagationController", text_at(status, "propagationController"), states);
    if (fed_json_is_string(collector))
        hub_kubefed_check_enum(
            errors, "status.statusController", fed_json_string(collector), states);
}

void hub_kubefed_check_type(
    const struct fed_json *object, enum hub_kubefed_part part, struct hub_kubefed_errors *errors)
{
    if (part == HUB_KUBEFED_STATUS) {
        check_status(errors, fed_json_get(object, "status"));
        return;
    }
    check_name(errors, object);
    check_spec(errors, fed_json_get(object, "spec"));
}
