/* seed.c - what a new hub begins with: four namespaces and the types that KubeFed enables by
 * default. */
#include "hub/access/bootstrap.h"
#include "hub/api/federated_types.h"
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>

static const char *const namespaces[] = {
    "default", "kube-system", "kube-public", HUB_SYSTEM_NAMESPACE};

static const struct seed_type {
    const char *plural;
    const char *group;
    const char *version;
    const char *kind;
    const char *federated_plural;
    bool cluster; /* scope of the target; FederatedNamespace is namespaced all the same */
} types[] = {
    {"clusterroles", "rbac.authorization.k8s.io", "v1", "ClusterRole", "federatedclusterroles",
        true},
    {"configmaps", "", "v1", "ConfigMap", "federatedconfigmaps", false},
    {"deployments", "apps", "v1", "Deployment", "federateddeployments", false},
    {"ingresses", "networking.k8s.io", "v1", "Ingress", "federatedingresses", false},
    {"jobs", "batch", "v1", "Job", "federatedjobs", false},
    {"namespaces", "", "v1", "Namespace", "federatednamespaces", true},
    {"replicasets", "apps", "v1", "ReplicaSet", "federatedreplicasets", false},
    {"secrets", "", "v1", "Secret", "federatedsecrets", false},
    {"serviceaccounts", "", "v1", "ServiceAccount", "federatedserviceaccounts", false},
    {"services", "", "v1", "Service", "federatedservices", false},
};
#define N_NAMESPACES (sizeof namespaces / sizeof *namespaces)
#define N_TYPES (sizeof types / sizeof *types)
#define N_SEEDS (N_NAMESPACES + N_TYPES)

static void put_namespace(struct fed_buf *out, const char *name, const char *uid, const char *now)
{
    fed_buf_printf(out,
        "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"uid\":\"%"
        "s\","
        "\"creationTimestamp\":\"%s\",\"labels\":{\"kubernetes.io/metadata.name\":\"%s\"}},"
        "\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}",
        name, uid, now, name);
}

static void put_type(struct fed_buf *out, const struct seed_type *type, const char *name,
    const char *uid, const char *now)
{
    bool namespaces_type = !type->group[0] && type->cluster;

    fed_buf_printf(out,
        "{\"kind\":\"FederatedTypeConfig\",\"apiVersion\":\"core.kubefed.io/"
        "v1beta1\",\"metadata\":{"
        "\"name\":\"%s\",\"namespace\":\"" HUB_SYSTEM_NAMESPACE "\",\"uid\":\"%s\","
        "\"creationTimestamp\":\"%s\",\"generation\":1,\"finalizers\":["
        "\"core.kubefed.io/federated-type-config\"]},\"spec\":{\"federatedType\":{"
        "\"group\":\"types.kubefed.io\",\"kind\":\"Federated%s\",\"pluralName\":\"%s\",\"scope\":"
        "\"%s\","
        "\"version\":\"v1beta1\"},\"propagation\":\"Enabled\",\"targetType\":{",
        name, uid, now, type->kind, type->federated_plural,
        type->cluster && !namespaces_type ? "Cluster" : "Namespaced");
    if (type->group[0])
        fed_buf_printf(out, "\"group\":\"%s\",", type->group);
    fed_buf_printf(out,
        "\"kind\":\"%s\",\"pluralName\":\"%s\",\"scope\":\"%s\",\"version\":\"%s\"}},\"status\":{"
        "\"observedGeneration\":1,\"propagationController\":\"Running\",\"statusController\":"
        "\"NotRunning\"}}",
        type->kind, type->plural, type->cluster ? "Cluster" : "Namespaced", type->version);
}

struct seed {
    struct fed_buf bytes;
    char name[320];
};

static enum fed_err make_seed(
    struct hub_api *api, struct seed *seed, size_t i, struct hub_object_write *write)
{
    char uid[40];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = hub_write_uid(api, uid);

    if (err)
        return err;
    fed_text_time(fed_loop_unix_s(api->options.loop), now);
    if (i < N_NAMESPACES) {
        snprintf(seed->name, sizeof seed->name, "%s", namespaces[i]);
        put_namespace(&seed->bytes, seed->name, uid, now);
        write->ref.resource = FED_SPAN_LIT("namespaces");
    } else {
        const struct seed_type *type = &types[i - N_NAMESPACES];

        snprintf(seed->name, sizeof seed->name, "%s%s%s", type->plural, type->group[0] ? "." : "",
            type->group);
        put_type(&seed->bytes, type, seed->name, uid, now);
        write->ref.resource = FED_SPAN_LIT(HUB_TYPE_CONFIGS);
        write->ref.ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE);
    }
    write->ref.name = fed_span_text(seed->name);
    write->bytes = fed_buf_span(&seed->bytes);
    return fed_buf_err(&seed->bytes);
}

static bool present(struct hub_api *api)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT("namespaces"), {0}, FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE)};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, api->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(api->objects, &ref, &bytes, NULL);
    fed_buf_fini(&bytes);
    return err != FED_ERR_NOT_FOUND;
}

static enum fed_err seed_objects(struct hub_api *api, struct fed_diag *diag)
{
    struct hub_object_write writes[N_SEEDS] = {{.expected = 0}};
    struct seed *seeds;
    enum fed_err err = FED_OK;

    /* All in one commit: the namespace is there or nothing is. What a person deletes later stays
     * deleted. */
    if (present(api))
        return FED_OK;
    seeds = fed_alloc_zero(api->mem, N_SEEDS * sizeof *seeds);
    if (!seeds)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < N_SEEDS; i++) {
        fed_buf_init(&seeds[i].bytes, api->mem, 8192);
        err = make_seed(api, &seeds[i], i, &writes[i]);
    }
    if (!err)
        err = hub_objects_commit(api->objects, writes, N_SEEDS, NULL, 0, NULL, diag);
    for (size_t i = 0; i < N_SEEDS; i++)
        fed_buf_fini(&seeds[i].bytes);
    fed_alloc_free(api->mem, seeds, N_SEEDS * sizeof *seeds);
    return err ? fed_diag_prefix(diag, err, "first objects") : FED_OK;
}

enum fed_err hub_api_seed(struct hub_api *api, struct fed_diag *diag)
{
    enum fed_err err = seed_objects(api, diag);

    if (!err)
        err = hub_access_bootstrap(
            api->mem, api->options.loop, api->options.crypto, api->objects, diag);
    return err ? err : hub_federated_role_update(api->federated_role, diag);
}
