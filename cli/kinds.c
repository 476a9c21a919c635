/* kinds.c - the kinds that every Kubernetes serves, so that a type can be federated though the hub
 * itself does not serve it.
 *
 * Source: discovery of kube-apiserver v1.34, the preferred version of each group, what can be
 * created and deleted. tests/e2e/ctl.sh compares it with a real one. */
#include "cli/resource.h"

#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *group;
    const char *version;
    const char *plural;
    const char *kind;
    const char *short_names; /* separated by a space */
    bool namespaced;
    bool replicas; /* has spec.replicas, an int32 */
} kinds[] = {
    {"", "v1", "configmaps", "ConfigMap", "cm", true, false},
    {"", "v1", "endpoints", "Endpoints", "ep", true, false},
    {"", "v1", "events", "Event", "ev", true, false},
    {"", "v1", "limitranges", "LimitRange", "limits", true, false},
    {"", "v1", "namespaces", "Namespace", "ns", false, false},
    {"", "v1", "nodes", "Node", "no", false, false},
    {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", true, false},
    {"", "v1", "persistentvolumes", "PersistentVolume", "pv", false, false},
    {"", "v1", "pods", "Pod", "po", true, false},
    {"", "v1", "podtemplates", "PodTemplate", "", true, false},
    {"", "v1", "replicationcontrollers", "ReplicationController", "rc", true, true},
    {"", "v1", "resourcequotas", "ResourceQuota", "quota", true, false},
    {"", "v1", "secrets", "Secret", "", true, false},
    {"", "v1", "serviceaccounts", "ServiceAccount", "sa", true, false},
    {"", "v1", "services", "Service", "svc", true, false},
    {"apiregistration.k8s.io", "v1", "apiservices", "APIService", "", false, false},
    {"apps", "v1", "controllerrevisions", "ControllerRevision", "", true, false},
    {"apps", "v1", "daemonsets", "DaemonSet", "ds", true, false},
    {"apps", "v1", "deployments", "Deployment", "deploy", true, true},
    {"apps", "v1", "replicasets", "ReplicaSet", "rs", true, true},
    {"apps", "v1", "statefulsets", "StatefulSet", "sts", true, true},
    {"events.k8s.io", "v1", "events", "Event", "ev", true, false},
    {"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", true,
        false},
    {"batch", "v1", "cronjobs", "CronJob", "cj", true, false},
    {"batch", "v1", "jobs", "Job", "", true, false},
    {"certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", "csr",
        false, false},
    {"networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", false, false},
    {"networking.k8s.io", "v1", "ingresses", "Ingress", "ing", true, false},
    {"networking.k8s.io", "v1", "ipaddresses", "IPAddress", "ip", false, false},
    {"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", true, false},
    {"networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", "", false, false},
    {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", true, false},
    {"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", false,
        false},
    {"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", false, false},
    {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", true, false},
    {"rbac.authorization.k8s.io", "v1", "roles", "Role", "", true, false},
    {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", "", false, false},
    {"storage.k8s.io", "v1", "csinodes", "CSINode", "", false, false},
    {"storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity", "", true, false},
    {"storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", false, false},
    {"storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", "", false, false},
    {"storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", "vac", false,
        false},
    {"admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration", "", false, false},
    {"admissionregistration.k8s.io", "v1", "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy", "", false, false},
    {"admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding", "", false, false},
    {"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration", "", false, false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
        "crd crds", false, false},
    {"scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", false, false},
    {"coordination.k8s.io", "v1", "leases", "Lease", "", true, false},
    {"node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", "", false, false},
    {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", true, false},
    {"resource.k8s.io", "v1", "deviceclasses", "DeviceClass", "", false, false},
    {"resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", "", true, false},
    {"resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate", "", true, false},
    {"resource.k8s.io", "v1", "resourceslices", "ResourceSlice", "", false, false},
    {"flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema", "", false, false},
    {"flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations",
        "PriorityLevelConfiguration", "", false, false},
};

static bool has(const struct cli_resources *all, const struct kind *kind)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->at[i].plural, kind->plural) == 0 &&
            strcmp(all->at[i].group, kind->group) == 0)
            return true;
    return false;
}

static void fill(struct cli_resource *out, const struct kind *kind)
{
    struct fed_span rest = fed_span_text(kind->short_names);
    struct fed_span one;

    *out = (struct cli_resource){
        .namespaced = kind->namespaced, .listed = true, .scaled = kind->replicas};
    snprintf(out->group, sizeof out->group, "%s", kind->group);
    snprintf(out->version, sizeof out->version, "%s", kind->version);
    snprintf(out->plural, sizeof out->plural, "%s", kind->plural);
    snprintf(out->kind, sizeof out->kind, "%s", kind->kind);
    for (size_t i = 0; kind->kind[i] && i + 1 < sizeof out->singular; i++)
        out->singular[i] =
            (char)(kind->kind[i] >= 'A' && kind->kind[i] <= 'Z' ? kind->kind[i] - 'A' + 'a'
                                                                : kind->kind[i]);
    while (rest.len > 0 && out->n_short_names < CLI_SHORT_NAMES_MAX &&
           fed_span_split(&rest, ' ', &one))
        snprintf(out->short_names[out->n_short_names++], sizeof out->short_names[0], FED_SPAN_FMT,
            FED_SPAN_ARG(one));
}

enum fed_err cli_kinds_add(struct cli_resources *all, const char *version)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof kinds / sizeof *kinds; i++) {
        struct cli_resource one;

        if (has(all, &kinds[i]) || (version && strcmp(version, kinds[i].version) != 0))
            continue;
        fill(&one, &kinds[i]);
        err = cli_resources_add(all, &one);
    }
    return err;
}
