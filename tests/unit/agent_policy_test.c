/* agent_policy_test.c - a gateway's own policy: what it lets through, and in whose name. */
#include "agent/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct agent_policy *policy_of(const char *json)
{
    struct agent_policy *policy = NULL;
    struct fed_diag diag = {""};

    if (agent_policy_read(fed_alloc_system(), fed_span_text(json), &policy, &diag))
        fail_msg("%s", diag.text);
    return policy;
}

static struct fed_work work_of(
    const char *api_version, const char *kind, const char *ns, const char *name)
{
    return (struct fed_work){.api_version = fed_span_text(api_version),
        .kind = fed_span_text(kind),
        .ns = fed_span_text(ns),
        .name = fed_span_text(name)};
}

/* word NULL: allowed. */
static void judge(
    const char *policy_json, const struct fed_work *work, const char *object, const char *word)
{
    struct agent_policy *policy = policy_of(policy_json);
    struct fed_diag diag = {""};
    enum fed_err err =
        agent_policy_check(policy, fed_alloc_system(), work, fed_span_text(object), &diag);

    if (err != (word ? FED_ERR_FORBIDDEN : FED_OK) || (word && !strstr(diag.text, word)))
        fail_msg(
            "%s\n%s\n: %s, expected %s", policy_json, object, diag.text, word ? word : "nothing");
    agent_policy_free(policy);
}

static void test_kinds_and_places(void **state)
{
    static const struct {
        const char *policy;
        const char *api_version;
        const char *kind;
        const char *ns;
        const char *name;
        const char *word;
    } rows[] = {{"{}", "v1", "Secret", "kube-system", "a", NULL},
        {"{\"kinds\":{\"deny\":[\"Secret\"]}}", "v1", "Secret", "a", "a",
            "kind Secret (kinds.deny)"},
        {"{\"kinds\":{\"deny\":[\"Secret\"]}}", "other.io/v1", "Secret", "a", "a",
            "kind Secret.other.io"},
        {"{\"kinds\":{\"deny\":[\"Deployment.apps\"]}}", "apps/v1", "Deployment", "a", "a",
            "Deployment.apps"},
        {"{\"kinds\":{\"deny\":[\"Deployment.apps\"]}}", "else.io/v1", "Deployment", "a", "a",
            NULL},
        {"{\"kinds\":{\"deny\":[\"*.rbac.authorization.k8s.io\"]}}", "rbac.authorization.k8s.io/v1",
            "Role", "a", "a", "Role.rbac"},
        {"{\"kinds\":{\"deny\":[\"Cluster*\"]}}", "rbac.authorization.k8s.io/v1", "ClusterRole", "",
            "a", "ClusterRole"},
        {"{\"kinds\":{\"allow\":[\"ConfigMap\",\"*.apps\"]}}", "apps/v1", "Deployment", "a", "a",
            NULL},
        {"{\"kinds\":{\"allow\":[\"ConfigMap\",\"*.apps\"]}}", "v1", "Pod", "a", "a",
            "kinds.allow"},
        {"{\"kinds\":{\"allow\":[]}}", "v1", "Pod", "a", "a", "kinds.allow"},
        {"{\"kinds\":{\"allow\":[\"*\"],\"deny\":[\"Pod\"]}}", "v1", "Pod", "a", "a", "kinds.deny"},
        {"{\"namespaces\":{\"deny\":[\"kube-*\"]}}", "v1", "ConfigMap", "kube-system", "a",
            "namespace kube-system (namespaces.deny)"},
        {"{\"namespaces\":{\"deny\":[\"kube-*\"]}}", "v1", "ConfigMap", "my-kube-x", "a", NULL},
        {"{\"namespaces\":{\"allow\":[\"shop\",\"web-*-x\"]}}", "v1", "ConfigMap", "web-1-2-x", "a",
            NULL},
        {"{\"namespaces\":{\"allow\":[\"shop\"]}}", "v1", "ConfigMap", "shop2", "a",
            "namespaces.allow"},
        {"{\"namespaces\":{\"allow\":[\"shop\"]}}", "v1", "Namespace", "", "else", "else"},
        {"{\"namespaces\":{\"allow\":[\"shop\"]}}", "v1", "Namespace", "", "shop", NULL},
        {"{\"namespaces\":{\"allow\":[\"shop\"]}}", "v1", "PersistentVolume", "", "x", NULL},
        {"{\"clusterScoped\":false}", "v1", "PersistentVolume", "", "x", "clusterScoped"},
        {"{\"clusterScoped\":false}", "v1", "Namespace", "", "x", NULL},
        {"{\"clusterScoped\":false}", "v1", "ConfigMap", "a", "x", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_work work = work_of(rows[i].api_version, rows[i].kind, rows[i].ns, rows[i].name);

        char object[100];

        snprintf(object, sizeof object, "{\"kind\":\"%s\"}", rows[i].kind);
        judge(rows[i].policy, &work, object, rows[i].word);
    }
}

/* An override of the whole object makes it another kind, sent where that kind is served. */
static void test_kind_in_the_object(void **state)
{
    static const char policy[] = "{\"kinds\":{\"deny\":[\"Secret\"]}}";
    struct fed_work work = work_of("v1", "ConfigMap", "shop", "a");

    (void)state;
    work.plural = FED_SPAN_LIT("secrets");
    judge(policy, &work, "{\"kind\":\"ConfigMap\"}", NULL); /* the API server refuses it */
    judge(policy, &work, "{\"kind\":\"Secret\"}", "another kind");
    judge(policy, &work, "{\"kind\":\"ConfigMap\",\"kind\":\"Secret\"}", "another kind");
    judge(policy, &work, "{}", "another kind");
}

static void test_images(void **state)
{
    static const struct {
        const char *prefix;
        const char *image;
        bool below;
    } rows[] = {{"registry.example/", "registry.example/shop/web:1", true},
        {"registry.example", "registry.example/shop/web:1", true},
        {"registry.example", "registry.example.evil.com/shop/web:1", false},
        {"registry.example/shop", "registry.example/shopping:1", false},
        {"registry.example/shop/web", "registry.example/shop/web@sha256:00", true},
        {"registry.example/shop/web", "registry.example/shop/web", true},
        {"registry.example:5000/", "registry.example:5000/a", true}, {"docker.io/", "nginx", true},
        {"docker.io/library/nginx", "nginx:1", true}, {"docker.io/library/", "user/nginx", false},
        {"docker.io/user/", "user/nginx", true}, {"docker.io/", "localhost/nginx", false},
        {"docker.io/", "localhost:5000/nginx", false}, {"nginx", "nginx", false},
        {"*", "what/ever", true},
        /* The same registry, written otherwise. */
        {"quay.io/", "QUAY.io/a", true}, {"quay.io/", "quay.io:443/a", true},
        {"quay.io:443/", "quay.io:443/a", true}, {"quay.io/", "quay.io:8443/a", false},
        {"docker.io/library/nginx", "docker.io/nginx:1", true},
        {"docker.io/", "index.docker.io/user/a", true},
        {"docker.io/library/", "index.docker.io/nginx", true},
        /* A registry too: runtimes take what is not in lower case for a host. */
        {"docker.io/", "INTRANET/a", false}, {"intranet/", "INTRANET/a", true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (agent_policy_image_below(fed_span_text(rows[i].prefix), fed_span_text(rows[i].image)) !=
            rows[i].below)
            fail_msg("%s below %s", rows[i].image, rows[i].prefix);
    }
}

#define POD(spec) "{\"kind\":\"Deployment\",\"spec\":{\"template\":{\"spec\":" spec "}}}"
#define ONE(container) POD("{\"containers\":[{\"name\":\"a\"},{" container "}]}")

static void test_inside(void **state)
{
    static const char images[] =
        "{\"images\":{\"allow\":[\"good.io/\"],\"deny\":[\"good.io/old\"]}}";
    static const char baseline[] = "{\"podSecurity\":\"baseline\"}";
    static const struct {
        const char *policy;
        const char *object;
        const char *word;
    } rows[] = {{images, ONE("\"image\":\"good.io/a:1\""), NULL},
        {images, ONE("\"image\":\"good.io/old:1\""), "image good.io/old:1 (images.deny)"},
        {images, ONE("\"image\":\"nginx\""), "image nginx (images.allow)"},
        {images, POD("{\"initContainers\":[{\"image\":\"bad.io/a\"}]}"), "bad.io/a"},
        {images, POD("{\"ephemeralContainers\":[{\"image\":\"bad.io/a\"}]}"), "bad.io/a"},
        {images, POD("{\"containers\":[],\"volumes\":[{\"image\":{\"reference\":\"bad.io/v\"}}]}"),
            "bad.io/v"},
        {images,
            "{\"kind\":\"Deployment\",\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{"
            "\"containers\":[{"
            "\"image\":\"bad.io/cron\"}]}}}}}}",
            "bad.io/cron"},
        {images,
            "{\"kind\":\"Deployment\",\"spec\":{\"deep\":[{\"x\":{\"containers\":[{\"image\":\"bad."
            "io/x\"}]}}]}}",
            "bad.io/x"},
        {images, "{\"kind\":\"Deployment\",\"spec\":{\"image\":\"bad.io/no-container\"}}", NULL},
        {baseline, ONE("\"image\":\"nginx\",\"securityContext\":{\"privileged\":false}"), NULL},
        {baseline, ONE("\"securityContext\":{\"privileged\":true}"), "privileged containers"},
        {baseline, ONE("\"securityContext\":{\"capabilities\":{\"add\":[\"NET_ADMIN\"]}}"),
            "capabilities"},
        {baseline, ONE("\"securityContext\":{\"capabilities\":{\"add\":[\"CHOWN\"]}}"), NULL},
        {baseline, ONE("\"securityContext\":{\"procMount\":\"Unmasked\"}"), "/proc"},
        {baseline, ONE("\"securityContext\":{\"seccompProfile\":{\"type\":\"Unconfined\"}}"),
            "seccomp"},
        {baseline, ONE("\"securityContext\":{\"seLinuxOptions\":{\"type\":\"spc_t\"}}"), "SELinux"},
        {baseline, ONE("\"ports\":[{\"containerPort\":80},{\"hostPort\":80}]"), "host ports"},
        {baseline, POD("{\"containers\":[],\"hostNetwork\":true}"), "namespaces"},
        {baseline, POD("{\"containers\":[],\"hostPID\":true}"), "namespaces"},
        {baseline, POD("{\"containers\":[],\"hostIPC\":true}"), "namespaces"},
        {baseline, POD("{\"containers\":[],\"volumes\":[{\"hostPath\":{\"path\":\"/\"}}]}"),
            "volumes of the host"},
        {baseline,
            POD("{\"containers\":[],\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.msgmax\"}]"
                "}}"),
            "sysctls"},
        {baseline,
            POD("{\"containers\":[],\"securityContext\":{\"windowsOptions\":{\"hostProcess\":true}}"
                "}"),
            "host processes"},
        {baseline,
            "{\"kind\":\"Deployment\",\"metadata\":{\"annotations\":{\"container.apparmor.security."
            "beta.kubernetes.io/"
            "a\":\"unconfined\"}}}",
            "AppArmor"}};
    struct fed_work work = work_of("apps/v1", "Deployment", "shop", "web");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        judge(rows[i].policy, &work, rows[i].object, rows[i].word);
}

static void test_accounts(void **state)
{
    static const struct {
        const char *ns;
        const char *user;
    } rows[] = {{"shop", "system:serviceaccount:shop:deployer"},
        {"web-1", "system:serviceaccount:fleet:web"}, {"else", "system:serviceaccount:else:others"},
        {"", "system:serviceaccount:fleet:root"}};
    struct agent_policy *policy =
        policy_of("{\"serviceAccounts\":{\"*\":\"others\",\"shop\":\"deployer\",\"web-*\":\"fleet/"
                  "web\"},\"clusterServiceAccount\":\"fleet/root\"}");
    struct agent_policy *none = policy_of("{}");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_work work = work_of("v1", "ConfigMap", rows[i].ns, "a");
        struct agent_account account;
        char user[AGENT_USER_SIZE];

        assert_true(agent_policy_account(policy, &work, &account));
        agent_account_user(&account, user);
        assert_string_equal(user, rows[i].user);
        assert_false(agent_policy_account(none, &work, &account));
        assert_false(agent_policy_account(NULL, &work, &account));
    }
    agent_policy_free(policy);
    agent_policy_free(none);
}

static void test_refused_files(void **state)
{
    static const struct {
        const char *json;
        const char *word;
    } rows[] = {{"[]", "keys and values"}, {"{\"kind\":{}}", "kind"},
        {"{\"kinds\":[]}", "kinds: must hold"}, {"{\"kinds\":{\"allowed\":[]}}", "allowed"},
        {"{\"kinds\":{\"allow\":\"x\"}}", "kinds.allow"},
        {"{\"images\":{\"deny\":[\"\"]}}", "images.deny[0]"},
        {"{\"images\":{\"deny\":[1]}}", "images.deny[0]"},
        {"{\"podSecurity\":\"restricted\"}", "podSecurity"},
        {"{\"podSecurity\":true}", "podSecurity"}, {"{\"serviceAccounts\":[]}", "serviceAccounts"},
        {"{\"serviceAccounts\":{\"a\":\"B\"}}", "serviceAccounts"},
        {"{\"serviceAccounts\":{\"a\":\"a/b/c\"}}", "serviceAccounts"},
        {"{\"clusterServiceAccount\":\"x\"}", "clusterServiceAccount"},
        {"{\"clusterScoped\":\"no\"}", "clusterScoped"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct agent_policy *policy = NULL;
        struct fed_diag diag = {""};

        if (agent_policy_read(fed_alloc_system(), fed_span_text(rows[i].json), &policy, &diag) !=
                FED_ERR_INVALID ||
            !strstr(diag.text, rows[i].word) || policy)
            fail_msg("%s: %s", rows[i].json, diag.text);
    }
}

/* Every allocation refused in turn: refused whole, nothing leaks, nothing is allowed by accident.
 */
struct stingy {
    struct fed_alloc alloc;
    size_t left;
};

static void *stingy_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct stingy *s = ctx;

    if (size > 0 && s->left-- == 0) {
        s->left = 0;
        return NULL;
    }
    return fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
}

static void test_no_memory(void **state)
{
    static const char json[] =
        "{\"kinds\":{\"allow\":[\"*\"]},\"images\":{\"allow\":[\"good.io/\"]},"
        "\"serviceAccounts\":{\"a\":\"b\"}}";
    struct fed_work work = work_of("apps/v1", "Deployment", "a", "web");
    enum fed_err err = FED_ERR_NOMEM;

    (void)state;
    for (size_t n = 0; err == FED_ERR_NOMEM; n++) {
        struct stingy s = {.left = n};
        struct agent_policy *policy = NULL;

        s.alloc = (struct fed_alloc){.ctx = &s, .resize = stingy_resize};
        err = agent_policy_read(&s.alloc, fed_span_text(json), &policy, NULL);
        if (!err)
            err = agent_policy_check(
                policy, &s.alloc, &work, fed_span_text(ONE("\"image\":\"bad.io/a\"")), NULL);
        agent_policy_free(policy);
        assert_true(n < 100);
    }
    assert_int_equal(err, FED_ERR_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_places),
        cmocka_unit_test(test_kind_in_the_object),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
