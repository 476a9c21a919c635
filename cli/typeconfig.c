/* typeconfig.c - see typeconfig.h: what is made. What is stored: typeconfig_store.c. */
#include "cli/typeconfig.h"

#include <stdio.h>
#include <string.h>

enum fed_err cli_typeconfig_make(const struct cli_resource *target, const char *group,
    const char *version, struct cli_typeconfig *out, struct fed_diag *diag)
{
    struct cli_resource *federated = &out->federated;

    memset(out, 0, sizeof *out);
    cli_qualified(target->plural, target->group, out->name);
    out->target = *target;
    /* A FederatedNamespace lives in the namespace that it federates. */
    federated->namespaced = target->namespaced || strcmp(out->name, "namespaces") == 0;
    if ((size_t)snprintf(federated->group, sizeof federated->group, "%s", group) >=
            sizeof federated->group ||
        (size_t)snprintf(federated->version, sizeof federated->version, "%s", version) >=
            sizeof federated->version ||
        strlen(target->plural) + 9 >= sizeof federated->plural ||
        strlen(target->kind) + 9 >= sizeof federated->kind)
        return fed_diag_set(diag, FED_ERR_LIMIT,
            "the names of the federated type of %.100s would be too long", out->name);
    snprintf(federated->plural, sizeof federated->plural, "federated%.54s", target->plural);
    snprintf(federated->kind, sizeof federated->kind, "Federated%.54s", target->kind);
    for (size_t i = 0; i < target->n_short_names; i++)
        snprintf(federated->short_names[i], sizeof federated->short_names[i], "f%.30s",
            target->short_names[i]);
    federated->n_short_names = target->n_short_names;
    return FED_OK;
}

static bool read_type(const struct fed_json *from, struct cli_resource *out)
{
    *out = (struct cli_resource){
        .namespaced = fed_span_is(fed_json_string(fed_json_get(from, "scope")), "Namespaced")};
    return !fed_span_to_cstr(
               fed_json_string(fed_json_get(from, "group")), out->group, sizeof out->group) &&
           !fed_span_to_cstr(
               fed_json_string(fed_json_get(from, "version")), out->version, sizeof out->version) &&
           !fed_span_to_cstr(
               fed_json_string(fed_json_get(from, "kind")), out->kind, sizeof out->kind) &&
           !fed_span_to_cstr(
               fed_json_string(fed_json_get(from, "pluralName")), out->plural, sizeof out->plural);
}

enum fed_err cli_typeconfig_read(
    const struct fed_json *object, struct cli_typeconfig *out, struct fed_diag *diag)
{
    memset(out, 0, sizeof *out);
    if (fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.name")), out->name, sizeof out->name) ||
        !read_type(fed_json_find(object, "spec.targetType"), &out->target) ||
        !read_type(fed_json_find(object, "spec.federatedType"), &out->federated))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "FederatedTypeConfig \"%s\" cannot be read", out->name);
    return FED_OK;
}

/* ---- making ---- */

static enum fed_err set_type(
    struct cli *cli, struct fed_json *spec, const char *key, const struct cli_resource *type)
{
    struct fed_json *object = fed_json_ensure_object(cli->doc, spec, key);
    enum fed_err err = object ? FED_OK : FED_ERR_NOMEM;

    if (!err && type->group[0])
        err = fed_json_set_text(cli->doc, object, "group", type->group);
    if (!err)
        err = fed_json_set_text(cli->doc, object, "version", type->version);
    if (!err)
        err = fed_json_set_text(cli->doc, object, "kind", type->kind);
    if (!err)
        err = fed_json_set_text(cli->doc, object, "pluralName", type->plural);
    return err ? err
               : fed_json_set_text(
                     cli->doc, object, "scope", type->namespaced ? "Namespaced" : "Cluster");
}

static struct fed_json *parse(struct cli *cli, const char *text)
{
    struct fed_json *value;

    return fed_json_parse(cli->doc, fed_span_text(text), &value, NULL) ? NULL : value;
}

struct fed_json *cli_typeconfig_object(struct cli *cli, const struct cli_typeconfig *config)
{
    struct fed_json *object =
        parse(cli, "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\","
                   "\"metadata\":{},\"spec\":{\"propagation\":\"Enabled\"}}");
    struct fed_json *spec = fed_json_get(object, "spec");

    if (!object ||
        fed_json_set_text(cli->doc, fed_json_get(object, "metadata"), "name", config->name) ||
        set_type(cli, spec, "targetType", &config->target) ||
        set_type(cli, spec, "federatedType", &config->federated))
        return NULL;
    return object;
}

#define TEXT "{\"type\":\"string\"}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
static const char definition[] =
    "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
    "\"metadata\":{},\"spec\":{\"names\":{},\"versions\":[{\"served\":true,\"storage\":true,"
    "\"subresources\":{\"status\":{}},\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\","
    "\"required\":[\"spec\"],\"properties\":{\"apiVersion\":" TEXT ",\"kind\":" TEXT
    ",\"metadata\":{\"type\":\"object\"},\"spec\":{\"type\":\"object\",\"properties\":{"
    "\"placement\":{\"type\":\"object\",\"properties\":{\"clusters\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT "},\"required\":[\"name\"]}},"
    "\"clusterSelector\":{\"type\":\"object\",\"properties\":{\"matchExpressions\":{"
    "\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"key\":" TEXT
    ",\"operator\":" TEXT ",\"values\":{\"type\":\"array\",\"items\":" TEXT
    "}},\"required\":[\"key\",\"operator\"]}},\"matchLabels\":{\"type\":\"object\","
    "\"additionalProperties\":" TEXT "}}}}},"
    "\"overrides\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
    "\"clusterName\":" TEXT ",\"clusterOverrides\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"op\":{\"type\":\"string\","
    "\"pattern\":\"^(add|remove|replace)?$\"},\"path\":" TEXT
    ",\"value\":{\"x-kubernetes-preserve-unknown-fields\":true}},\"required\":[\"path\"]}}}}},"
    "\"template\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}},"
    "\"status\":{\"type\":\"object\",\"properties\":{\"conditions\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"properties\":{\"type\":" TEXT ",\"status\":" TEXT
    ",\"reason\":" TEXT ",\"lastUpdateTime\":" TIME ",\"lastTransitionTime\":" TIME
    "},\"required\":[\"type\",\"status\"]}},\"clusters\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"name\":" TEXT ",\"status\":" TEXT
    ",\"remoteStatus\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}},"
    "\"required\":[\"name\"]}},\"observedGeneration\":{\"type\":\"integer\","
    "\"format\":\"int64\"}}}}}}}]}}";

static enum fed_err set_names(
    struct cli *cli, struct fed_json *spec, const struct cli_resource *type)
{
    struct fed_json *names = fed_json_get(spec, "names");
    struct fed_json *list = type->n_short_names ? fed_json_new_array(cli->doc) : NULL;
    enum fed_err err = fed_json_set_text(cli->doc, names, "kind", type->kind);

    if (!err)
        err = fed_json_set_text(cli->doc, names, "plural", type->plural);
    for (size_t i = 0; !err && i < type->n_short_names; i++)
        err = list ? fed_json_append(list, fed_json_new_text(cli->doc, type->short_names[i]))
                   : FED_ERR_NOMEM;
    return err || !list ? err : fed_json_set(cli->doc, names, "shortNames", list);
}

struct fed_json *cli_typeconfig_definition(
    struct cli *cli, const struct cli_typeconfig *config, bool retains)
{
    const struct cli_resource *type = &config->federated;
    struct fed_json *object = parse(cli, definition);
    struct fed_json *spec = fed_json_get(object, "spec");
    struct fed_json *version = fed_json_at(fed_json_get(spec, "versions"), 0);
    struct fed_json *properties =
        fed_json_find(version, "schema.openAPIV3Schema.properties.spec.properties");
    char name[CLI_QUALIFIED_SIZE];

    cli_qualified(type->plural, type->group, name);
    if (!object || fed_json_set_text(cli->doc, fed_json_get(object, "metadata"), "name", name) ||
        fed_json_set_text(cli->doc, spec, "group", type->group) ||
        fed_json_set_text(cli->doc, spec, "scope", type->namespaced ? "Namespaced" : "Cluster") ||
        fed_json_set_text(cli->doc, version, "name", type->version) || set_names(cli, spec, type))
        return NULL;
    if (retains &&
        fed_json_set(cli->doc, properties, "retainReplicas", parse(cli, "{\"type\":\"boolean\"}")))
        return NULL;
    return object;
}

/* ---- completing ---- */

struct completing {
    struct fed_json_doc *doc;
    bool changed;
};

static enum fed_err add_properties(
    struct completing *c, struct fed_json *schema, const struct fed_json *wanted);

static enum fed_err add_property(
    struct completing *c, struct fed_json *properties, struct fed_span key, struct fed_json *wanted)
{
    struct fed_json *there = fed_json_get_span(properties, key);
    enum fed_err err;

    if (there) {
        err = add_properties(c, there, wanted);
        return err ? err
                   : add_properties(c, fed_json_get(there, "items"), fed_json_get(wanted, "items"));
    }
    c->changed = true;
    return fed_json_set_span(c->doc, properties, key, fed_json_clone(c->doc, wanted));
}

static enum fed_err add_properties(
    struct completing *c, struct fed_json *schema, const struct fed_json *wanted)
{
    struct fed_json *from = fed_json_get(wanted, "properties");
    struct fed_json *properties = fed_json_get(schema, "properties");
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    /* Without properties of its own it takes anything, or is of another make. */
    if (!from || !properties)
        return FED_OK;
    fed_json_iter_init(&it, from);
    while (!err && fed_json_iter_next(&it))
        err = add_property(c, properties, it.key, it.value);
    return err;
}

static struct fed_json *version_named(const struct fed_json *spec, const struct fed_json *name)
{
    const struct fed_json *versions = fed_json_get(spec, "versions");

    for (size_t i = 0; i < fed_json_count(versions); i++)
        if (fed_json_eq(fed_json_get(fed_json_at(versions, i), "name"), name))
            return fed_json_at(versions, i);
    return NULL;
}

static enum fed_err replace(
    struct completing *c, struct fed_json *object, const char *key, const struct fed_json *wanted)
{
    const struct fed_json *there = fed_json_get(object, key);

    if (!wanted || (there && fed_json_eq(there, wanted)))
        return FED_OK;
    c->changed = true;
    return fed_json_set(c->doc, object, key, fed_json_clone(c->doc, wanted));
}

enum fed_err cli_typeconfig_complete(
    struct cli *cli, struct fed_json *stored, const struct fed_json *wanted, bool *changed)
{
    static const char *const parts[] = {
        "schema.openAPIV3Schema.properties.spec", "schema.openAPIV3Schema.properties.status"};
    struct completing c = {.doc = cli->doc};
    struct fed_json *spec = fed_json_get(stored, "spec");
    const struct fed_json *from = fed_json_get(wanted, "spec");
    const struct fed_json *version = fed_json_at(fed_json_get(from, "versions"), 0);
    struct fed_json *there = version_named(spec, fed_json_get(version, "name"));
    enum fed_err err;

    if (!there) {
        *changed = true;
        return fed_json_set(cli->doc, stored, "spec", fed_json_clone(cli->doc, from));
    }
    err = replace(&c, fed_json_get(spec, "names"), "shortNames",
        fed_json_get(fed_json_get(from, "names"), "shortNames"));
    /* What every object has (apiVersion, kind, metadata) need not be in a schema. */
    for (size_t i = 0; !err && i < 2; i++)
        err = add_properties(&c, fed_json_find(there, parts[i]), fed_json_find(version, parts[i]));
    *changed = c.changed;
    return err;
}

/* ---- equivalence ---- */

/* Removed in Kubernetes 1.16 or served by both names before: of one plural all are the same. */
static const struct {
    const char *plural;
    const char *group;
    const char *version;
} equivalent[] = {{"deployments", "apps", "v1"}, {"deployments", "apps", "v1beta1"},
    {"deployments", "apps", "v1beta2"}, {"deployments", "extensions", "v1beta1"},
    {"daemonsets", "apps", "v1"}, {"daemonsets", "apps", "v1beta1"},
    {"daemonsets", "apps", "v1beta2"}, {"daemonsets", "extensions", "v1beta1"},
    {"statefulsets", "apps", "v1"}, {"statefulsets", "apps", "v1beta1"},
    {"statefulsets", "apps", "v1beta2"}, {"replicasets", "apps", "v1"},
    {"replicasets", "apps", "v1beta1"}, {"replicasets", "apps", "v1beta2"},
    {"replicasets", "extensions", "v1beta1"}, {"networkpolicies", "networking.k8s.io", "v1"},
    {"networkpolicies", "extensions", "v1beta1"}, {"podsecuritypolicies", "policy", "v1beta1"},
    {"podsecuritypolicies", "extensions", "v1beta1"}, {"ingresses", "networking.k8s.io", "v1beta1"},
    {"ingresses", "extensions", "v1beta1"}};

static bool is_listed(const struct cli_resource *resource)
{
    for (size_t i = 0; i < sizeof equivalent / sizeof *equivalent; i++)
        if (strcmp(equivalent[i].plural, resource->plural) == 0 &&
            strcmp(equivalent[i].group, resource->group) == 0 &&
            strcmp(equivalent[i].version, resource->version) == 0)
            return true;
    return false;
}

bool cli_typeconfig_equivalent(const struct cli_resource *a, const struct cli_resource *b)
{
    return strcmp(a->plural, b->plural) == 0 && is_listed(b) &&
           (strcmp(a->group, b->group) != 0 || strcmp(a->version, b->version) != 0);
}
