/* agent_answers.c - what kube-apiserver 1.34 answers to applies that it refuses, and what the agent
 * makes of it. Recorded word for word; behind "rbac escalation" by the sources' texts. */
#include "tests/unit/agent_answers.h"

#define HTTP(status, body, trouble, field)                                                         \
    {                                                                                              \
        status, body, AGENT_TROUBLE_##trouble, field                                               \
    }

/* clang-format off */
const struct agent_answer_row agent_answer_rows[] = {
    /* immutable deployment selector */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Deployment.apps \\\"d\\\" is invalid: spec.selector: Invalid value: {\\\"matchLa"
        "bels\\\":{\\\"app\\\":\\\"b\\\"}}: field is immutable\",\"reason\":\"Invalid\",\"details"
        "\":{\"name\":\"d\",\"group\":\"apps\",\"kind\":\"Deployment\",\"causes\":[{\"reason\":\""
        "FieldValueInvalid\",\"message\":\"Invalid value: {\\\"matchLabels\\\":{\\\"app\\\":\\\"b"
        "\\\"}}: field is immutable\",\"field\":\"spec.selector\"}]},\"code\":422}",
        IMMUTABLE, "spec.selector"),
    /* typed patch */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"failed to create typed patch object (x/d; apps/v1, Kind=Deployment): .spec.nonse"
        "nse: field not declared in schema\",\"code\":500}",
        INVALID, ""),
    /* invalid 422 */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Deployment.apps \\\"d\\\" is invalid: spec.template.spec.containers[0].imagePull"
        "Policy: Unsupported value: \\\"Nope\\\": supported values: \\\"Always\\\", \\\"IfNotPres"
        "ent\\\", \\\"Never\\\"\",\"reason\":\"Invalid\",\"details\":{\"name\":\"d\",\"group\":\""
        "apps\",\"kind\":\"Deployment\",\"causes\":[{\"reason\":\"FieldValueNotSupported\",\"mess"
        "age\":\"Unsupported value: \\\"Nope\\\": supported values: \\\"Always\\\", \\\"IfNotPres"
        "ent\\\", \\\"Never\\\"\",\"field\":\"spec.template.spec.containers[0].imagePullPolicy\"}"
        "]},\"code\":422}",
        INVALID, ""),
    /* malformed */
    HTTP(400,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"error decoding YAML: error converting YAML to JSON: yaml: line 1: did not find e"
        "xpected node content\",\"reason\":\"BadRequest\",\"code\":400}",
        INVALID, ""),
    /* immutable job template */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Job.batch \\\"j\\\" is invalid: spec.template: Invalid value: {\\\"labels\\\":{"
        "\\\"batch.kubernetes.io/controller-uid\\\":\\\"75aa976d-b172-4e24-9363-4aa24d5e7167\\\","
        "\\\"batch.kubernetes.io/job-name\\\":\\\"j\\\",\\\"controller-uid\\\":\\\"75aa976d-b172-"
        "4e24-9363-4aa24d5e7167\\\",\\\"job-name\\\":\\\"j\\\"},\\\"Spec\\\":{\\\"Volumes\\\":nul"
        "l,\\\"InitContainers\\\":null,\\\"Containers\\\":[{\\\"Name\\\":\\\"c\\\",\\\"Image\\\":"
        "\\\"b\\\",\\\"Command\\\":null,\\\"Args\\\":null,\\\"WorkingDir\\\":\\\"\\\",\\\"Ports"
        "\\\":null,\\\"EnvFrom\\\":null,\\\"Env\\\":null,\\\"Resources\\\":{\\\"Limits\\\":null,"
        "\\\"Requests\\\":null,\\\"Claims\\\":null},\\\"ResizePolicy\\\":null,\\\"RestartPolicy"
        "\\\":null,\\\"RestartPolicyRules\\\":null,\\\"VolumeMounts\\\":null,\\\"VolumeDevices"
        "\\\":null,\\\"LivenessProbe\\\":null,\\\"ReadinessProbe\\\":null,\\\"StartupProbe\\\":nu"
        "ll,\\\"Lifecycle\\\":null,\\\"TerminationMessagePath\\\":\\\"/dev/termination-log\\\","
        "\\\"TerminationMessagePolicy\\\":\\\"File\\\",\\\"ImagePullPolicy\\\":\\\"Always\\\","
        "\\\"SecurityContext\\\":null,\\\"Stdin\\\":false,\\\"StdinOnce\\\":false,\\\"TTY\\\":fal"
        "se}],\\\"EphemeralContainers\\\":null,\\\"RestartPolicy\\\":\\\"Never\\\",\\\"Terminatio"
        "nGracePeriodSeconds\\\":30,\\\"ActiveDeadlineSeconds\\\":null,\\\"DNSPolicy\\\":\\\"Clus"
        "terFirst\\\",\\\"NodeSelector\\\":null,\\\"ServiceAccountName\\\":\\\"\\\",\\\"Automount"
        "ServiceAccountToken\\\":null,\\\"NodeName\\\":\\\"\\\",\\\"SecurityContext\\\":{\\\"Host"
        "Network\\\":false,\\\"HostPID\\\":false,\\\"HostIPC\\\":false,\\\"ShareProcessNamespace"
        "\\\":null,\\\"HostUsers\\\":null,\\\"SELinuxOptions\\\":null,\\\"WindowsOptions\\\":null"
        ",\\\"RunAsUser\\\":null,\\\"RunAsGroup\\\":null,\\\"RunAsNonRoot\\\":null,\\\"Supplement"
        "alGroups\\\":null,\\\"SupplementalGroupsPolicy\\\":null,\\\"FSGroup\\\":null,\\\"FSGroup"
        "ChangePolicy\\\":null,\\\"Sysctls\\\":null,\\\"SeccompProfile\\\":null,\\\"AppArmorProfi"
        "le\\\":null,\\\"SELinuxChangePolicy\\\":null},\\\"ImagePullSecrets\\\":null,\\\"Hostname"
        "\\\":\\\"\\\",\\\"Subdomain\\\":\\\"\\\",\\\"SetHostnameAsFQDN\\\":null,\\\"Affinity\\\""
        ":null,\\\"SchedulerName\\\":\\\"default-scheduler\\\",\\\"Tolerations\\\":null,\\\"HostA"
        "liases\\\":null,\\\"PriorityClassName\\\":\\\"\\\",\\\"Priority\\\":null,\\\"PreemptionP"
        "olicy\\\":null,\\\"DNSConfig\\\":null,\\\"ReadinessGates\\\":null,\\\"RuntimeClassName"
        "\\\":null,\\\"Overhead\\\":null,\\\"EnableServiceLinks\\\":null,\\\"TopologySpreadConstr"
        "aints\\\":null,\\\"OS\\\":null,\\\"SchedulingGates\\\":null,\\\"ResourceClaims\\\":null,"
        "\\\"Resources\\\":null,\\\"HostnameOverride\\\":null}}: field is immutable\",\"reason\":"
        "\"Invalid\",\"details\":{\"name\":\"j\",\"group\":\"batch\",\"kind\":\"Job\",\"causes\":"
        "[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: {\\\"labels\\\":{\\\"bat"
        "ch.kubernetes.io/controller-uid\\\":\\\"75aa976d-b172-4e24-9363-4aa24d5e7167\\\",\\\"bat"
        "ch.kubernetes.io/job-name\\\":\\\"j\\\",\\\"controller-uid\\\":\\\"75aa976d-b172-4e24-93"
        "63-4aa24d5e7167\\\",\\\"job-name\\\":\\\"j\\\"},\\\"Spec\\\":{\\\"Volumes\\\":null,\\\"I"
        "nitContainers\\\":null,\\\"Containers\\\":[{\\\"Name\\\":\\\"c\\\",\\\"Image\\\":\\\"b"
        "\\\",\\\"Command\\\":null,\\\"Args\\\":null,\\\"WorkingDir\\\":\\\"\\\",\\\"Ports\\\":nu"
        "ll,\\\"EnvFrom\\\":null,\\\"Env\\\":null,\\\"Resources\\\":{\\\"Limits\\\":null,\\\"Requ"
        "ests\\\":null,\\\"Claims\\\":null},\\\"ResizePolicy\\\":null,\\\"RestartPolicy\\\":null,"
        "\\\"RestartPolicyRules\\\":null,\\\"VolumeMounts\\\":null,\\\"VolumeDevices\\\":null,"
        "\\\"LivenessProbe\\\":null,\\\"ReadinessProbe\\\":null,\\\"StartupProbe\\\":null,\\\"Lif"
        "ecycle\\\":null,\\\"TerminationMessagePath\\\":\\\"/dev/termination-log\\\",\\\"Terminat"
        "ionMessagePolicy\\\":\\\"File\\\",\\\"ImagePullPolicy\\\":\\\"Always\\\",\\\"SecurityCon"
        "text\\\":null,\\\"Stdin\\\":false,\\\"StdinOnce\\\":false,\\\"TTY\\\":false}],\\\"Epheme"
        "ralContainers\\\":null,\\\"RestartPolicy\\\":\\\"Never\\\",\\\"TerminationGracePeriodSec"
        "onds\\\":30,\\\"ActiveDeadlineSeconds\\\":null,\\\"DNSPolicy\\\":\\\"ClusterFirst\\\","
        "\\\"NodeSelector\\\":null,\\\"ServiceAccountName\\\":\\\"\\\",\\\"AutomountServiceAccoun"
        "tToken\\\":null,\\\"NodeName\\\":\\\"\\\",\\\"SecurityContext\\\":{\\\"HostNetwork\\\":f"
        "alse,\\\"HostPID\\\":false,\\\"HostIPC\\\":false,\\\"ShareProcessNamespace\\\":null,\\\""
        "HostUsers\\\":null,\\\"SELinuxOptions\\\":null,\\\"WindowsOptions\\\":null,\\\"RunAsUser"
        "\\\":null,\\\"RunAsGroup\\\":null,\\\"RunAsNonRoot\\\":null,\\\"SupplementalGroups\\\":n"
        "ull,\\\"SupplementalGroupsPolicy\\\":null,\\\"FSGroup\\\":null,\\\"FSGroupChangePolicy"
        "\\\":null,\\\"Sysctls\\\":null,\\\"SeccompProfile\\\":null,\\\"AppArmorProfile\\\":null,"
        "\\\"SELinuxChangePolicy\\\":null},\\\"ImagePullSecrets\\\":null,\\\"Hostname\\\":\\\""
        "\\\",\\\"Subdomain\\\":\\\"\\\",\\\"SetHostnameAsFQDN\\\":null,\\\"Affinity\\\":null,"
        "\\\"SchedulerName\\\":\\\"default-scheduler\\\",\\\"Tolerations\\\":null,\\\"HostAliases"
        "\\\":null,\\\"PriorityClassName\\\":\\\"\\\",\\\"Priority\\\":null,\\\"PreemptionPolicy"
        "\\\":null,\\\"DNSConfig\\\":null,\\\"ReadinessGates\\\":null,\\\"RuntimeClassName\\\":nu"
        "ll,\\\"Overhead\\\":null,\\\"EnableServiceLinks\\\":null,\\\"TopologySpreadConstraints"
        "\\\":null,\\\"OS\\\":null,\\\"SchedulingGates\\\":null,\\\"ResourceClaims\\\":null,\\\"R"
        "esources\\\":null,\\\"HostnameOverride\\\":null}}: field is immutable\",\"field\":\"spec"
        ".template\"}]},\"code\":422}",
        IMMUTABLE, "spec.template"),
    /* immutable service clusterIP */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Service \\\"s\\\" is invalid: spec.clusterIPs[0]: Invalid value: [\\\"10.96.0.78"
        "\\\"]: may not change once set\",\"reason\":\"Invalid\",\"details\":{\"name\":\"s\",\"ki"
        "nd\":\"Service\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid val"
        "ue: [\\\"10.96.0.78\\\"]: may not change once set\",\"field\":\"spec.clusterIPs[0]\"}]},"
        "\"code\":422}",
        IMMUTABLE, "spec.clusterIPs[0]"),
    /* immutable pvc */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"PersistentVolumeClaim \\\"p\\\" is invalid: spec: Forbidden: spec is immutable a"
        "fter creation except resources.requests and volumeAttributesClassName for bound claims"
        "\\n@@ -10,7 +10,7 @@\\n   }\\n  },\\n  \\\"VolumeName\\\": \\\"\\\",\\n- \\\"StorageClas"
        "sName\\\": \\\"a\\\",\\n+ \\\"StorageClassName\\\": \\\"b\\\",\\n  \\\"VolumeMode\\\": "
        "\\\"Filesystem\\\",\\n  \\\"DataSource\\\": null,\\n  \\\"DataSourceRef\\\": null,\\n\","
        "\"reason\":\"Invalid\",\"details\":{\"name\":\"p\",\"kind\":\"PersistentVolumeClaim\",\""
        "causes\":[{\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: spec is immutable"
        " after creation except resources.requests and volumeAttributesClassName for bound claims"
        "\\n@@ -10,7 +10,7 @@\\n   }\\n  },\\n  \\\"VolumeName\\\": \\\"\\\",\\n- \\\"StorageClas"
        "sName\\\": \\\"a\\\",\\n+ \\\"StorageClassName\\\": \\\"b\\\",\\n  \\\"VolumeMode\\\": "
        "\\\"Filesystem\\\",\\n  \\\"DataSource\\\": null,\\n  \\\"DataSourceRef\\\": null,\\n\","
        "\"field\":\"spec\"}]},\"code\":422}",
        IMMUTABLE, "spec"),
    /* pvc shrink */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"PersistentVolumeClaim \\\"p\\\" is invalid: spec: Forbidden: spec is immutable a"
        "fter creation except resources.requests and volumeAttributesClassName for bound claims"
        "\\n@@ -6,7 +6,7 @@\\n  \\\"Resources\\\": {\\n   \\\"Limits\\\": null,\\n   \\\"Requests"
        "\\\": {\\n-   \\\"storage\\\": \\\"1Gi\\\"\\n+   \\\"storage\\\": \\\"500Mi\\\"\\n   }"
        "\\n  },\\n  \\\"VolumeName\\\": \\\"\\\",\\n\",\"reason\":\"Invalid\",\"details\":{\"nam"
        "e\":\"p\",\"kind\":\"PersistentVolumeClaim\",\"causes\":[{\"reason\":\"FieldValueForbidd"
        "en\",\"message\":\"Forbidden: spec is immutable after creation except resources.requests"
        " and volumeAttributesClassName for bound claims\\n@@ -6,7 +6,7 @@\\n  \\\"Resources\\\":"
        " {\\n   \\\"Limits\\\": null,\\n   \\\"Requests\\\": {\\n-   \\\"storage\\\": \\\"1Gi"
        "\\\"\\n+   \\\"storage\\\": \\\"500Mi\\\"\\n   }\\n  },\\n  \\\"VolumeName\\\": \\\"\\\""
        ",\\n\",\"field\":\"spec\"}]},\"code\":422}",
        IMMUTABLE, "spec"),
    /* immutable statefulset */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"StatefulSet.apps \\\"t\\\" is invalid: spec: Forbidden: updates to statefulset s"
        "pec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisio"
        "nHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidd"
        "en\",\"reason\":\"Invalid\",\"details\":{\"name\":\"t\",\"group\":\"apps\",\"kind\":\"St"
        "atefulSet\",\"causes\":[{\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: upd"
        "ates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'upda"
        "teStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minRead"
        "ySeconds' are forbidden\",\"field\":\"spec\"}]},\"code\":422}",
        IMMUTABLE, "spec"),
    /* immutable secret */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Secret \\\"k\\\" is invalid: data: Forbidden: field is immutable when `immutable"
        "` is set\",\"reason\":\"Invalid\",\"details\":{\"name\":\"k\",\"kind\":\"Secret\",\"caus"
        "es\":[{\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: field is immutable wh"
        "en `immutable` is set\",\"field\":\"data\"}]},\"code\":422}",
        IMMUTABLE, "data"),
    /* immutable configmap */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"ConfigMap \\\"i\\\" is invalid: data: Forbidden: field is immutable when `immuta"
        "ble` is set\",\"reason\":\"Invalid\",\"details\":{\"name\":\"i\",\"kind\":\"ConfigMap\","
        "\"causes\":[{\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: field is immuta"
        "ble when `immutable` is set\",\"field\":\"data\"}]},\"code\":422}",
        IMMUTABLE, "data"),
    /* immutable secret type */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Secret \\\"ty\\\" is invalid: type: Invalid value: \\\"b\\\": field is immutable"
        "\",\"reason\":\"Invalid\",\"details\":{\"name\":\"ty\",\"kind\":\"Secret\",\"causes\":[{"
        "\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: \\\"b\\\": field is immuta"
        "ble\",\"field\":\"type\"}]},\"code\":422}",
        IMMUTABLE, "type"),
    /* immutable roleRef */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"RoleBinding.rbac.authorization.k8s.io \\\"rb\\\" is invalid: roleRef: Invalid va"
        "lue: {\\\"APIGroup\\\":\\\"rbac.authorization.k8s.io\\\",\\\"Kind\\\":\\\"ClusterRole"
        "\\\",\\\"Name\\\":\\\"edit\\\"}: cannot change roleRef\",\"reason\":\"Invalid\",\"detail"
        "s\":{\"name\":\"rb\",\"group\":\"rbac.authorization.k8s.io\",\"kind\":\"RoleBinding\",\""
        "causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: {\\\"APIGroup"
        "\\\":\\\"rbac.authorization.k8s.io\\\",\\\"Kind\\\":\\\"ClusterRole\\\",\\\"Name\\\":"
        "\\\"edit\\\"}: cannot change roleRef\",\"field\":\"roleRef\"}]},\"code\":422}",
        IMMUTABLE, "roleRef"),
    /* immutable storageclass */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"StorageClass.storage.k8s.io \\\"sc\\\" is invalid: provisioner: Forbidden: updat"
        "es to provisioner are forbidden.\",\"reason\":\"Invalid\",\"details\":{\"name\":\"sc\","
        "\"group\":\"storage.k8s.io\",\"kind\":\"StorageClass\",\"causes\":[{\"reason\":\"FieldVa"
        "lueForbidden\",\"message\":\"Forbidden: updates to provisioner are forbidden.\",\"field"
        "\":\"provisioner\"}]},\"code\":422}",
        IMMUTABLE, "provisioner"),
    /* immutable priorityclass */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"PriorityClass.scheduling.k8s.io \\\"pc\\\" is invalid: value: Forbidden: may not"
        " be changed in an update.\",\"reason\":\"Invalid\",\"details\":{\"name\":\"pc\",\"group"
        "\":\"scheduling.k8s.io\",\"kind\":\"PriorityClass\",\"causes\":[{\"reason\":\"FieldValue"
        "Forbidden\",\"message\":\"Forbidden: may not be changed in an update.\",\"field\":\"valu"
        "e\"}]},\"code\":422}",
        IMMUTABLE, "value"),
    /* immutable pod */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Pod \\\"po\\\" is invalid: spec: Forbidden: pod updates may not change fields ot"
        "her than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineS"
        "econds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGra"
        "cePeriodSeconds` (allow it to be set to 1 if it was previously negative)\\n@@ -94,7 +94,"
        "7 @@\\n    \\\"Name\\\": \\\"c\\\",\\n    \\\"Image\\\": \\\"i\\\",\\n    \\\"Command"
        "\\\": [\\n-    \\\"a\\\"\\n+    \\\"b\\\"\\n    ],\\n    \\\"Args\\\": null,\\n    \\\"W"
        "orkingDir\\\": \\\"\\\",\\n\",\"reason\":\"Invalid\",\"details\":{\"name\":\"po\",\"kind"
        "\":\"Pod\",\"causes\":[{\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: pod "
        "updates may not change fields other than `spec.containers[*].image`,`spec.initContainers"
        "[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing t"
        "olerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was prev"
        "iously negative)\\n@@ -94,7 +94,7 @@\\n    \\\"Name\\\": \\\"c\\\",\\n    \\\"Image\\\":"
        " \\\"i\\\",\\n    \\\"Command\\\": [\\n-    \\\"a\\\"\\n+    \\\"b\\\"\\n    ],\\n    "
        "\\\"Args\\\": null,\\n    \\\"WorkingDir\\\": \\\"\\\",\\n\",\"field\":\"spec\"}]},\"cod"
        "e\":422}",
        IMMUTABLE, "spec"),
    /* ns missing */
    HTTP(404,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"namespaces \\\"none\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name"
        "\":\"none\",\"kind\":\"namespaces\"},\"code\":404}",
        NAMESPACE, ""),
    /* kind missing */
    HTTP(404,
        "404 page not found\n",
        KIND, ""),
    /* version missing */
    HTTP(404,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"the server could not find the requested resource\",\"reason\":\"NotFound\",\"det"
        "ails\":{},\"code\":404}",
        KIND, ""),
    /* conflict field manager */
    HTTP(409,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Apply failed with 1 conflict: conflict with \\\"fedlet\\\": .data.a\",\"reason\""
        ":\"Conflict\",\"details\":{\"causes\":[{\"reason\":\"FieldManagerConflict\",\"message\":"
        "\"conflict with \\\"fedlet\\\"\",\"field\":\".data.a\"}]},\"code\":409}",
        CONFLICT, ""),
    /* uid conflict */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"ConfigMap \\\"c\\\" is invalid: metadata.uid: Invalid value: \\\"8d3c1b9e-0000-0"
        "000-0000-000000000000\\\": field is immutable\",\"reason\":\"Invalid\",\"details\":{\"na"
        "me\":\"c\",\"kind\":\"ConfigMap\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"messag"
        "e\":\"Invalid value: \\\"8d3c1b9e-0000-0000-0000-000000000000\\\": field is immutable\","
        "\"field\":\"metadata.uid\"},{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid valu"
        "e: \\\"8d3c1b9e-0000-0000-0000-000000000000\\\": field is immutable\",\"field\":\"metada"
        "ta.uid\"}]},\"code\":422}",
        CONFLICT, ""),
    /* too large cm */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"ConfigMap \\\"big\\\" is invalid: []: Too long: may not be more than 1048576 byt"
        "es\",\"reason\":\"Invalid\",\"details\":{\"name\":\"big\",\"kind\":\"ConfigMap\",\"cause"
        "s\":[{\"reason\":\"FieldValueTooLong\",\"message\":\"Too long: may not be more than 1048"
        "576 bytes\",\"field\":\"[]\"}]},\"code\":422}",
        TOO_LARGE, ""),
    /* too large body */
    HTTP(413,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Request entity too large: limit is 3145728\",\"reason\":\"RequestEntityTooLarge"
        "\",\"code\":413}",
        TOO_LARGE, ""),
    /* cel immutable */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Blob.example.com \\\"b\\\" is invalid: spec.once: Invalid value: \\\"string\\\":"
        " once is immutable\",\"reason\":\"Invalid\",\"details\":{\"name\":\"b\",\"group\":\"exam"
        "ple.com\",\"kind\":\"Blob\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\""
        "Invalid value: \\\"string\\\": once is immutable\",\"field\":\"spec.once\"}]},\"code\":4"
        "22}",
        IMMUTABLE, "spec.once"),
    /* too large etcd cr */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"etcdserver: request is too large\",\"code\":500}",
        TOO_LARGE, ""),
    /* other version */
    HTTP(404,
        "404 page not found\n",
        KIND, ""),
    /* crd scope immutable */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"CustomResourceDefinition.apiextensions.k8s.io \\\"blobs.example.com\\\" is inval"
        "id: spec.scope: Invalid value: \\\"Cluster\\\": field is immutable\",\"reason\":\"Invali"
        "d\",\"details\":{\"name\":\"blobs.example.com\",\"group\":\"apiextensions.k8s.io\",\"kin"
        "d\":\"CustomResourceDefinition\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message"
        "\":\"Invalid value: \\\"Cluster\\\": field is immutable\",\"field\":\"spec.scope\"}]},\""
        "code\":422}",
        IMMUTABLE, "spec.scope"),
    /* quota */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"configmaps \\\"q\\\" is forbidden: exceeded quota: q, requested: count/configmap"
        "s=1, used: count/configmaps=4, limited: count/configmaps=1\",\"reason\":\"Forbidden\",\""
        "details\":{\"name\":\"q\",\"kind\":\"configmaps\"},\"code\":403}",
        QUOTA, ""),
    /* rbac forbidden */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"configmaps \\\"r\\\" is forbidden: User \\\"bob\\\" cannot patch resource \\\"co"
        "nfigmaps\\\" in API group \\\"\\\" in the namespace \\\"x\\\"\",\"reason\":\"Forbidden\""
        ",\"details\":{\"name\":\"r\",\"kind\":\"configmaps\"},\"code\":403}",
        FORBIDDEN, ""),
    /* rbac escalate */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"roles.rbac.authorization.k8s.io \\\"r\\\" is forbidden: User \\\"system:servicea"
        "ccount:x:default\\\" cannot patch resource \\\"roles\\\" in API group \\\"rbac.authoriza"
        "tion.k8s.io\\\" in the namespace \\\"x\\\"\",\"reason\":\"Forbidden\",\"details\":{\"nam"
        "e\":\"r\",\"group\":\"rbac.authorization.k8s.io\",\"kind\":\"roles\"},\"code\":403}",
        FORBIDDEN, ""),
    /* sa missing */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"pods \\\"nosa\\\" is forbidden: error looking up service account x/nope: service"
        "account \\\"nope\\\" not found\",\"reason\":\"Forbidden\",\"details\":{\"name\":\"nosa\""
        ",\"kind\":\"pods\"},\"code\":403}",
        DENIED, ""),
    /* priorityclass missing */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"pods \\\"nopc\\\" is forbidden: no PriorityClass with name nope was found\",\"re"
        "ason\":\"Forbidden\",\"details\":{\"name\":\"nopc\",\"kind\":\"pods\"},\"code\":403}",
        DENIED, ""),
    /* podsecurity */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"pods \\\"ps\\\" is forbidden: violates PodSecurity \\\"restricted:latest\\\": al"
        "lowPrivilegeEscalation != false (container \\\"c\\\" must set securityContext.allowPrivi"
        "legeEscalation=false), unrestricted capabilities (container \\\"c\\\" must set securityC"
        "ontext.capabilities.drop=[\\\"ALL\\\"]), runAsNonRoot != true (pod or container \\\"c"
        "\\\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \\\"c"
        "\\\" must set securityContext.seccompProfile.type to \\\"RuntimeDefault\\\" or \\\"Local"
        "host\\\")\",\"reason\":\"Forbidden\",\"details\":{\"name\":\"ps\",\"kind\":\"pods\"},\"c"
        "ode\":403}",
        DENIED, ""),
    /* vap denied */
    HTTP(422,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"secrets \\\"v\\\" is forbidden: ValidatingAdmissionPolicy 'no' with binding 'no'"
        " denied request: no secrets here\",\"reason\":\"Invalid\",\"details\":{\"name\":\"v\",\""
        "kind\":\"secrets\",\"causes\":[{\"message\":\"ValidatingAdmissionPolicy 'no' with bindin"
        "g 'no' denied request: no secrets here\"}]},\"code\":422}",
        DENIED, ""),
    /* webhook down.example.com */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Internal error occurred: failed calling webhook \\\"down.example.com\\\": failed"
        " to call webhook: Post \\\"https://127.0.0.1:1/x?timeout=1s\\\": dial tcp 127.0.0.1:1: c"
        "onnect: connection refused\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"me"
        "ssage\":\"failed calling webhook \\\"down.example.com\\\": failed to call webhook: Post "
        "\\\"https://127.0.0.1:1/x?timeout=1s\\\": dial tcp 127.0.0.1:1: connect: connection refu"
        "sed\"}]},\"code\":500}",
        WEBHOOK, ""),
    /* webhook slow.example.com */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Internal error occurred: failed calling webhook \\\"slow.example.com\\\": failed"
        " to call webhook: Post \\\"https://127.0.0.1:53397/x?timeout=1s\\\": context deadline ex"
        "ceeded\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":\"failed cal"
        "ling webhook \\\"slow.example.com\\\": failed to call webhook: Post \\\"https://127.0.0."
        "1:53397/x?timeout=1s\\\": context deadline exceeded\"}]},\"code\":500}",
        WEBHOOK, ""),
    /* webhook no service */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Internal error occurred: failed calling webhook \\\"svc.example.com\\\": failed "
        "to call webhook: Post \\\"https://none.x.svc:443/?timeout=1s\\\": service \\\"none\\\" n"
        "ot found\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":\"failed c"
        "alling webhook \\\"svc.example.com\\\": failed to call webhook: Post \\\"https://none.x."
        "svc:443/?timeout=1s\\\": service \\\"none\\\" not found\"}]},\"code\":500}",
        WEBHOOK, ""),
    /* ns terminating */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"configmaps \\\"z\\\" is forbidden: unable to create new content in namespace x b"
        "ecause it is being terminated\",\"reason\":\"Forbidden\",\"details\":{\"name\":\"z\",\"k"
        "ind\":\"configmaps\",\"causes\":[{\"reason\":\"NamespaceTerminating\",\"message\":\"name"
        "space x is being terminated\",\"field\":\"metadata.namespace\"}]},\"code\":403}",
        TERMINATING, ""),
    /* rbac escalation */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"roles.rbac.authorization.k8s.io \\\"r\\\" is forbidden: user \\\"bob\\\" (groups"
        "=[\\\"system:authenticated\\\"]) is attempting to grant RBAC permissions not currently h"
        "eld:\\n{APIGroups:[\\\"\\\"], Resources:[\\\"secrets\\\"], Verbs:[\\\"get\\\"]}\",\"reas"
        "on\":\"Forbidden\",\"details\":{\"name\":\"r\",\"group\":\"rbac.authorization.k8s.io\","
        "\"kind\":\"roles\"},\"code\":403}",
        FORBIDDEN, ""),
    /* webhook denies */
    HTTP(403,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"admission webhook \\\"no.example.com\\\" denied the request: this field is immut"
        "able here\",\"reason\":\"Forbidden\",\"code\":403}",
        DENIED, ""),
    /* webhook denies by 400 */
    HTTP(400,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"admission webhook \\\"no.example.com\\\" denied the request: no\",\"reason\":\"B"
        "adRequest\",\"code\":400}",
        DENIED, ""),
    /* APF */
    HTTP(429,
        "Too many requests, please try again later.\n",
        THROTTLED, ""),
    /* etcd */
    HTTP(500,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"etcdserver: leader changed\",\"code\":500}",
        SERVER, ""),
    /* etcd time-out */
    HTTP(504,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Timeout: request did not complete within requested timeout - context deadline ex"
        "ceeded\",\"reason\":\"Timeout\",\"details\":{},\"code\":504}",
        SERVER, ""),
    /* unauthorized */
    HTTP(401,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"mess"
        "age\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}",
        SERVER, ""),
    /* no text at all */
    HTTP(503,
        "\xff\xfe",
        SERVER, ""),
    /* two troubles */
    HTTP(422,
        "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"m\",\"reason\":\"Invalid\",\"d"
        "etails\":{\"causes\":[{\"message\":\"field is immutable\",\"field\":\"spec.a\"},{\"messa"
        "ge\":\"Required value\",\"field\":\"spec.b\"}]},\"code\":422}",
        INVALID, ""),
};
const size_t agent_answer_n_rows = sizeof agent_answer_rows / sizeof *agent_answer_rows;
