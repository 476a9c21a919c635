/* policy_pods.c - what pods of an object may be (see policy.h): their images, and the baseline of
 * Kubernetes' Pod Security Standards. A pod's description is any map with a list of containers:
 * that finds those of kinds that nobody here knows, too. */
#include "agent/policy_inner.h"

#include "agent/limits.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define IMAGE_MAX 1024u

/* ---- images ---- */

/* Bytes of the registry that the name begins with, 0 for none (distribution/reference). */
static size_t registry_of(struct fed_span image)
{
    size_t len = fed_span_find(image, '/');
    bool host = len < image.len && fed_span_is(fed_span_sub(image, 0, len), "localhost");

    for (size_t i = 0; i < len && len < image.len; i++)
        host = host || image.at[i] == '.' || image.at[i] == ':' || isupper(image.at[i]);
    return host ? len : 0;
}

/* As container runtimes read a name without registry (distribution/reference, familiar names), and
 * with one in the one way to write it. */
static struct fed_span complete(struct fed_span image, size_t len, char out[IMAGE_MAX])
{
    const char *registry = "";
    int n;

    if (len == 15 && strncasecmp((const char *)image.at, "index.docker.io", len) == 0) {
        image = fed_span_sub(image, 6, image.len);
        len = 9;
    }
    if (len == 9 && strncasecmp((const char *)image.at, "docker.io", len) == 0) {
        image = fed_span_sub(image, 10, image.len);
        len = 0;
    }
    if (len == 0)
        registry = fed_span_find(image, '/') < image.len ? "docker.io/" : "docker.io/library/";
    n = snprintf(out, IMAGE_MAX, "%s" FED_SPAN_FMT, registry, FED_SPAN_ARG(image));
    if (n < 0 || (size_t)n >= IMAGE_MAX)
        return image;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower(image.at[i]);
    if (len > 4 && memcmp(out + len - 4, ":443", 4) == 0) {
        memmove(out + len - 4, out + len, (size_t)n - len);
        n -= 4;
    }
    return fed_span_of(out, (size_t)n);
}

static bool is_below(struct fed_span prefix, struct fed_span text)
{
    if (text.len < prefix.len || memcmp(text.at, prefix.at, prefix.len) != 0)
        return false;
    if (text.len == prefix.len || prefix.at[prefix.len - 1] == '/')
        return true;
    return text.at[prefix.len] == '/' || text.at[prefix.len] == ':' || text.at[prefix.len] == '@';
}

bool agent_policy_image_below(struct fed_span prefix, struct fed_span image)
{
    size_t len = registry_of(image);
    char whole[IMAGE_MAX];

    return fed_span_is(prefix, "*") || (len > 0 && is_below(prefix, image)) ||
           is_below(prefix, complete(image, len, whole));
}

static bool image_passes(
    const struct agent_policy *policy, const struct fed_json *image, struct fed_diag *diag)
{
    struct fed_span text = fed_json_string(image);

    return text.len == 0 ||
           policy_passes(&policy->images, agent_policy_image_below, "images", "image", text, diag);
}

/* ---- the baseline (Kubernetes, "Pod Security Standards") ---- */

static bool refuse(struct fed_diag *diag, const char *what)
{
    fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "the policy of this gateway does not allow %s (podSecurity: baseline)", what);
    return false;
}

static bool is_one_of(struct fed_span text, const char *const *all)
{
    for (; *all; all++) {
        if (fed_span_is(text, *all))
            return true;
    }
    return false;
}

static bool capabilities_pass(const struct fed_json *security, struct fed_diag *diag)
{
    static const char *const harmless[] = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER",
        "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
        "SYS_CHROOT", NULL};
    struct fed_json_iter it = fed_json_items(fed_json_find(security, "capabilities.add"));

    while (fed_json_iter_next(&it)) {
        if (!is_one_of(fed_json_string(it.value), harmless))
            return refuse(diag, "added capabilities");
    }
    return true;
}

/* What a pod's and a container's securityContext have in common. */
static bool context_passes(const struct fed_json *security, struct fed_diag *diag)
{
    static const char *const types[] = {
        "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};
    const struct fed_json *selinux = fed_json_get(security, "seLinuxOptions");

    if (fed_json_bool(fed_json_find(security, "windowsOptions.hostProcess"), false))
        return refuse(diag, "host processes");
    if (fed_span_is(fed_json_string(fed_json_find(security, "seccompProfile.type")), "Unconfined"))
        return refuse(diag, "pods without seccomp");
    if (fed_span_is(fed_json_string(fed_json_find(security, "appArmorProfile.type")), "Unconfined"))
        return refuse(diag, "pods without AppArmor");
    if (!is_one_of(fed_json_string(fed_json_get(selinux, "type")), types) ||
        fed_json_string(fed_json_get(selinux, "user")).len > 0 ||
        fed_json_string(fed_json_get(selinux, "role")).len > 0)
        return refuse(diag, "SELinux options");
    return true;
}

static bool ports_pass(const struct fed_json *container, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_items(fed_json_get(container, "ports"));

    while (fed_json_iter_next(&it)) {
        if (fed_json_int(fed_json_get(it.value, "hostPort"), 0) != 0)
            return refuse(diag, "host ports");
    }
    return true;
}

static bool container_passes(const struct fed_json *container, struct fed_diag *diag)
{
    const struct fed_json *security = fed_json_get(container, "securityContext");
    struct fed_span mount = fed_json_string(fed_json_get(security, "procMount"));

    if (fed_json_bool(fed_json_get(security, "privileged"), false))
        return refuse(diag, "privileged containers");
    if (mount.len > 0 && !fed_span_is(mount, "Default"))
        return refuse(diag, "an unmasked /proc");
    return capabilities_pass(security, diag) && context_passes(security, diag) &&
           ports_pass(container, diag);
}

static bool sysctls_pass(const struct fed_json *security, struct fed_diag *diag)
{
    static const char *const safe[] = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", NULL};
    struct fed_json_iter it = fed_json_items(fed_json_get(security, "sysctls"));

    while (fed_json_iter_next(&it)) {
        if (!is_one_of(fed_json_string(fed_json_get(it.value, "name")), safe))
            return refuse(diag, "unsafe sysctls");
    }
    return true;
}

static bool pod_passes(const struct fed_json *pod, struct fed_diag *diag)
{
    static const char *const host[] = {"hostNetwork", "hostPID", "hostIPC"};
    const struct fed_json *security = fed_json_get(pod, "securityContext");

    for (size_t i = 0; i < sizeof host / sizeof *host; i++) {
        if (fed_json_bool(fed_json_get(pod, host[i]), false))
            return refuse(diag, "the host's namespaces");
    }
    return context_passes(security, diag) && sysctls_pass(security, diag);
}

/* ---- finding them ---- */

static bool volumes_pass(
    const struct agent_policy *policy, const struct fed_json *pod, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_items(fed_json_get(pod, "volumes"));

    while (fed_json_iter_next(&it)) {
        if (!image_passes(policy, fed_json_find(it.value, "image.reference"), diag))
            return false;
        if (policy->baseline && fed_json_get(it.value, "hostPath"))
            return refuse(diag, "volumes of the host");
    }
    return true;
}

static bool looks_like_pod(const struct fed_json *map)
{
    return fed_json_is_array(fed_json_get(map, "containers")) ||
           fed_json_is_array(fed_json_get(map, "initContainers")) ||
           fed_json_is_array(fed_json_get(map, "ephemeralContainers"));
}

static bool described_passes(
    const struct agent_policy *policy, const struct fed_json *pod, struct fed_diag *diag)
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

    if (policy->baseline && !pod_passes(pod, diag))
        return false;
    if (!volumes_pass(policy, pod, diag))
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct fed_json_iter it = fed_json_items(fed_json_get(pod, lists[i]));

        while (fed_json_iter_next(&it)) {
            if (!image_passes(policy, fed_json_get(it.value, "image"), diag) ||
                (policy->baseline && !container_passes(it.value, diag)))
                return false;
        }
    }
    return true;
}

/* As deep as the object, which has a limit (FED_JSON_DEPTH_MAX). */
static bool all_pass(
    const struct agent_policy *policy, const struct fed_json *value, struct fed_diag *diag)
{
    struct fed_json_iter it = fed_json_each(value);

    if (looks_like_pod(value) && !described_passes(policy, value, diag))
        return false;
    while (fed_json_iter_next(&it)) {
        /* How it was said before there was a field for it. */
        if (policy->baseline && fed_span_is(fed_json_string(it.value), "unconfined") &&
            fed_span_starts(it.key, "container.apparmor.security.beta.kubernetes.io/"))
            return refuse(diag, "pods without AppArmor");
        if (!all_pass(policy, it.value, diag))
            return false;
    }
    return true;
}

enum fed_err policy_check_pods(
    const struct agent_policy *policy, const struct fed_json *object, struct fed_diag *diag)
{
    return all_pass(policy, object, diag) ? FED_OK : FED_ERR_FORBIDDEN;
}
