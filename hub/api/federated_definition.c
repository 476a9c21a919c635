/* federated_definition.c - the CustomResourceDefinition that a FederatedTypeConfig stands for.
 *
 * Source: what `kubefedctl enable` generates. The schema is the same for every federated type:
 * hub/api/definitions/federated.schema.json. */
#include "hub/api/builtin.h"
#include "hub/api/federated_parts.h"
#include "hub/api/internal.h"
#include "hub/api/short_form.h"

#include <stdio.h>
#include <string.h>

/* Short names and scale of the types that Kubernetes itself defines; others have neither. */
static const struct known_type {
    const char *name; /* plural.group */
    const char *short_name;
    bool replicas;
} known_types[] = {
    {"configmaps", "cm", false},
    {"endpoints", "ep", false},
    {"limitranges", "limits", false},
    {"namespaces", "ns", false},
    {"persistentvolumeclaims", "pvc", false},
    {"persistentvolumes", "pv", false},
    {"pods", "po", false},
    {"replicationcontrollers", "rc", true},
    {"resourcequotas", "quota", false},
    {"serviceaccounts", "sa", false},
    {"services", "svc", false},
    {"customresourcedefinitions.apiextensions.k8s.io", "crd", false},
    {"daemonsets.apps", "ds", false},
    {"deployments.apps", "deploy", true},
    {"replicasets.apps", "rs", true},
    {"statefulsets.apps", "sts", true},
    {"horizontalpodautoscalers.autoscaling", "hpa", false},
    {"cronjobs.batch", "cj", false},
    {"ingresses.networking.k8s.io", "ing", false},
    {"networkpolicies.networking.k8s.io", "netpol", false},
    {"poddisruptionbudgets.policy", "pdb", false},
    {"priorityclasses.scheduling.k8s.io", "pc", false},
    {"storageclasses.storage.k8s.io", "sc", false},
};

static const struct known_type *known_type(const struct fed_json *target)
{
    struct fed_span group = fed_json_string(fed_json_get(target, "group"));
    struct fed_span plural = fed_json_string(fed_json_get(target, "pluralName"));
    char name[330];

    snprintf(name, sizeof name, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(plural),
        group.len ? "." : "", FED_SPAN_ARG(group));
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++)
        if (strcmp(known_types[i].name, name) == 0)
            return &known_types[i];
    return NULL;
}

/* The schema of every federated type; only those that have replicas keep them in the clusters. */
static enum fed_err put_schema(struct fed_alloc *mem, struct fed_buf *out, bool replicas)
{
    struct fed_json_doc *doc;
    struct fed_json *schema;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(
        doc, fed_span_of(hub_federated_schema.text, hub_federated_schema.len), &schema, NULL);
    if (!err && !replicas)
        fed_json_remove(fed_json_find(schema, "properties.spec.properties"), "retainReplicas");
    if (!err)
        err = fed_json_put(out, schema);
    fed_json_doc_free(doc);
    return err;
}

static void put_version(
    struct fed_buf *out, struct fed_span name, bool storage, struct fed_span schema)
{
    fed_buf_put_text(out, "{\"name\":");
    hub_json_put(out, name);
    fed_buf_printf(out,
        ",\"served\":true,\"storage\":%s,\"subresources\":{\"status\":{}},\"schema\":{"
        "\"openAPIV3Schema\":",
        storage ? "true" : "false");
    fed_buf_put(out, schema);
    fed_buf_put_text(out, "}}");
}

static void put_spec_with(struct fed_buf *out, const struct fed_json *config,
    const struct known_type *known, struct fed_span schema)
{
    const struct fed_json *federated = fed_json_find(config, "spec.federatedType");
    struct fed_span version = fed_json_string(fed_json_get(federated, "version"));

    fed_buf_put_text(out, "{\"group\":");
    hub_json_put(out, fed_json_string(fed_json_get(federated, "group")));
    fed_buf_put_text(out, ",\"scope\":");
    hub_json_put(out, fed_json_string(fed_json_get(federated, "scope")));
    fed_buf_put_text(out, ",\"names\":{\"kind\":");
    hub_json_put(out, fed_json_string(fed_json_get(federated, "kind")));
    fed_buf_put_text(out, ",\"plural\":");
    hub_json_put(out, fed_json_string(fed_json_get(federated, "pluralName")));
    if (known)
        fed_buf_printf(out, ",\"shortNames\":[\"f%s\"]", known->short_name);
    fed_buf_put_text(out, ",\"categories\":[\"federated\"]},\"versions\":[");
    put_version(out, version, true, schema);
    if (!fed_span_is(version, HUB_SHORT_FORM_VERSION)) {
        fed_buf_put_text(out, ",");
        put_version(out, FED_SPAN_LIT(HUB_SHORT_FORM_VERSION), false, schema);
    }
    fed_buf_put_text(out, "]}");
}

enum fed_err hub_federated_definition(
    struct fed_alloc *mem, const struct fed_json *config, struct fed_buf *out)
{
    const struct known_type *known = known_type(fed_json_find(config, "spec.targetType"));
    struct fed_buf schema;
    enum fed_err err;

    fed_buf_init(&schema, mem, HUB_SCHEMA_BYTES_MAX);
    err = put_schema(mem, &schema, known && known->replicas);
    if (!err)
        put_spec_with(out, config, known, fed_buf_span(&schema));
    fed_buf_fini(&schema);
    return err ? err : fed_buf_err(out);
}
