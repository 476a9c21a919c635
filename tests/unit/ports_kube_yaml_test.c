/* ports_kube_yaml_test.c - YAML to JSON, and kubeconfig. */
#include "ports/kube.h"
#include "ports/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool collect(void *ctx, size_t index, struct fed_span json)
{
    char *text = ctx;

    snprintf(text + strlen(text), 4096 - strlen(text), "%s" FED_SPAN_FMT, index ? "|" : "",
        FED_SPAN_ARG(json));
    return true;
}

static const char *convert(const char *yaml)
{
    static char text[4096];
    struct fed_diag diag = {""};
    enum fed_err err;

    text[0] = '\0';
    err = fed_yaml_each_json(fed_alloc_system(), fed_span_text(yaml), collect, text, &diag);
    if (err)
        snprintf(text, sizeof text, "error: %s", diag.text[0] ? diag.text : fed_err_text(err));
    return text;
}

static void test_values(void **state)
{
    static const char *const rows[][2] = {
        {"a: 1", "{\"a\":1}"},
        {"a: '1'", "{\"a\":\"1\"}"},
        {"a: yes\nb: off\nc: \"yes\"", "{\"a\":true,\"b\":false,\"c\":\"yes\"}"},
        {"[y, ~, null, 0x10, 010, 1_000, -5, +3]", "[true,null,null,16,8,1000,-5,3]"},
        {"[1.5, 1e3, .5, 1.2.3, 1a]", "[1.5,1000,0.5,\"1.2.3\",\"1a\"]"},
        {"[9007199254740993, 18446744073709551616]", "[9007199254740993,18446744073709551616]"},
        {"a: 2026-01-01", "{\"a\":\"2026-01-01\"}"},
        {"a: |\n  x\n  \"y\"\n", "{\"a\":\"x\\u000a\\\"y\\\"\\u000a\"}"},
        {"1: a\ntrue: b", "{\"1\":\"a\",\"true\":\"b\"}"},
        {"---\na: 1\n---\n---\nb: 2\n", "{\"a\":1}|{\"b\":2}"},
        {"x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}",
            "{\"x\":{\"a\":1,\"b\":2},\"y\":{\"a\":1,\"b\":3}}"},
        {"{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}"},
        {"[\"a \\u2028 b\", \"\\N\\_\", \"\\x7f\\uFEFF\\uFFFF\"]",
            "[\"a \\u2028 b\",\"\\u0085\xc2\xa0\",\"\\u007f\\ufeff\\uffff\"]"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(convert(rows[i][0]), rows[i][1]);
}

static void test_refusals(void **state)
{
    char deep[512];

    (void)state;
    assert_non_null(strstr(convert("a: [1"), "error: line"));
    assert_non_null(strstr(convert("a: .inf"), "no such number"));
    assert_non_null(strstr(convert("a: !mine x"), "tags"));
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    deep[400] = '\0';
    assert_non_null(strstr(convert(deep), "nested too deep"));
    assert_non_null(
        strstr(convert("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
                       "[*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e "
                       "[*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]"),
            "too many values"));
}

static const char *write_yaml(const char *json)
{
    static struct fed_buf out;
    static struct fed_diag diag;

    fed_buf_fini(&out);
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    if (fed_yaml_put_json(fed_alloc_system(), fed_span_text(json), &out, &diag))
        return diag.text;
    return fed_buf_cstr(&out);
}

/* What go.yaml.in/yaml/v2 writes of the same, through sigs.k8s.io/yaml. */
static void test_writing(void **state)
{
    static const char *const rows[][2] = {
        {"{\"b\":[1,{\"c\":null,\"a\":true},[]],\"a\":{}}",
            "a: {}\nb:\n- 1\n- a: true\n  c: null\n- []\n"},
        {"[[1,[2]],\"x\"]", "- - 1\n  - - 2\n- x\n"},
        {"\"x\"", "x\n"},
        {"[\"\",\"y\",\"No\",\"null\",\"~\",\"yess\"]",
            "- \"\"\n- \"y\"\n- \"No\"\n- \"null\"\n- \"~\"\n- yess\n"},
        {"[\"1\",\"0x1f\",\"1_000\",\"1e3\",\".5\",\"-.inf\",\"0b101\",\"-0b101\"]",
            "- \"1\"\n- \"0x1f\"\n- \"1_000\"\n- \"1e3\"\n- \".5\"\n- \"-.inf\"\n- \"0b101\"\n- "
            "\"-0b101\"\n"},
        {"[\"1.2.3\",\"0o18\",\"0xg\",\"1e999\",\"5s\",\"-\",\"+\",\"1.2.\","
         "\"0x11112222333344445\"]",
            "- 1.2.3\n- 0o18\n- 0xg\n- 1e999\n- 5s\n- '-'\n- +\n- 1.2.\n- 0x11112222333344445\n"},
        {"[\"2026-01-02\",\"2026-01-02T03:04:05Z\",\"2026-1-2 3:04:05.5\",\"2026-13-01\"]",
            "- \"2026-01-02\"\n- \"2026-01-02T03:04:05Z\"\n- \"2026-1-2 3:04:05.5\"\n- "
            "2026-13-01\n"},
        {"[\"2026-01-02T03:04Z\",\"2026-01-02t03:04:05+01:00\",\"2026-01-02 "
         "03:04:05Z\",\"2026-01\"]",
            "- 2026-01-02T03:04Z\n- \"2026-01-02t03:04:05+01:00\"\n- 2026-01-02 03:04:05Z\n- "
            "2026-01\n"},
        {"[\"12:30\",\"190:20:30.15\",\"12:75\",\"a:b\",\"1:2:3\"]",
            "- \"12:30\"\n- \"190:20:30.15\"\n- 12:75\n- a:b\n- \"1:2:3\"\n"},
        {"[9007199254740993,1.5,-3,1e21,1e-7]",
            "- 9007199254740993\n- 1.5\n- -3\n- 1e+21\n- 1e-7\n"},
        {"[\"<<\"]", "- \"<<\"\n"},
        {"{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"x \\ny\",\"d\":\"\\n\",\"e\":\" x\\ny\"}",
            "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: \"x \\ny\"\nd: |2+\n\ne: |2-\n   x\n  y\n"},
        {"[\"a: b\",\"# c\",\"a #b\",\"'q'\",\" "
         "x\",\"\\t\",\"\\u00e9\",\"{a}\",\"*a\",\"a\\u0001\"]",
            "- 'a: b'\n- '# c'\n- 'a #b'\n- '''q'''\n- ' x'\n- \"\\t\"\n- \xc3\xa9\n- '{a}'\n- "
            "'*a'\n- \"a\\x01\"\n"},
        /* letters behind everything else, numbers by value */
        {"{\"a10\":1,\"a9\":2,\"aa\":3,\"a.b\":4,\"A\":5,\"a\":6,\"a01\":7,\"a1\":8,\"10\":9}",
            "\"10\": 9\nA: 5\na: 6\na.b: 4\na1: 8\na01: 7\na9: 2\na10: 1\naa: 3\n"},
        {"{\"true\":1,\"kubernetes.io/name\":2,\"a b\":3,\"\":4}",
            "\"\": 4\na b: 3\nkubernetes.io/name: 2\n\"true\": 1\n"},
        {"{\"a\":1,\"a\":2}", "a: 2\n"},
        {"{\"text\":\"one two three four five six seven eight nine ten eleven twelve thirteen "
         "fourteen fifteen\"}",
            "text: one two three four five six seven eight nine ten eleven twelve thirteen "
            "fourteen\n  fifteen\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(write_yaml(rows[i][0]), rows[i][1]);
}

static void test_writing_is_limited(void **state)
{
    size_t n = FED_YAML_PUT_BYTES_MAX + 1;
    char *text = malloc(n);
    struct fed_diag diag = {""};
    struct fed_buf out;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', n);
    fed_buf_init(&out, fed_alloc_system(), 100);
    assert_int_equal(
        fed_yaml_put_json(fed_alloc_system(), fed_span_of(text, n), &out, &diag), FED_ERR_LIMIT);
    assert_non_null(strstr(diag.text, "at most"));
    assert_int_equal(fed_yaml_put_json(fed_alloc_system(), FED_SPAN_LIT("{\"a\""), &out, &diag),
        FED_ERR_INVALID);
    memset(text + 1, 'x', 200);
    text[0] = text[201] = '"';
    assert_int_equal(
        fed_yaml_put_json(fed_alloc_system(), fed_span_of(text, 202), &out, &diag), FED_ERR_LIMIT);
    fed_buf_fini(&out);
    free(text);
}

static enum fed_err load(
    const char *text, const char *context, struct fed_kube_config *out, struct fed_diag *diag)
{
    char path[] = "/tmp/kubeconfig-XXXXXX";
    int fd = mkstemp(path);
    enum fed_err err;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    err = fed_kube_config_load(fed_alloc_system(), path, context, out, diag);
    unlink(path);
    return err;
}

#define CONFIG(user)                                                                               \
    "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters:\n- name: k\n  cluster:\n    "     \
    "server: "                                                                                     \
    "https://[::1]:6443/x/\n    certificate-authority-data: Q0E=\ncontexts:\n- name: a\n  "        \
    "context: {cluster: k, user: u, "                                                              \
    "namespace: apps}\n- name: b\n  context: {cluster: gone, user: u}\nusers:\n- name: u\n  "      \
    "user: " user "\n"

static void test_kubeconfig(void **state)
{
    struct fed_kube_config config;
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(load(CONFIG("{token: t}"), NULL, &config, &diag), FED_OK);
    assert_string_equal(config.server_host, "::1");
    assert_int_equal(config.server_port, 6443);
    assert_string_equal(config.base_path, "/x");
    assert_string_equal(config.ns, "apps");
    assert_true(fed_span_is(fed_buf_span(&config.ca_pem), "CA"));
    assert_true(fed_span_is(fed_buf_span(&config.token), "t"));
    fed_kube_config_fini(&config);
}

static void test_kubeconfig_refusals(void **state)
{
    struct fed_kube_config config;
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(
        load(CONFIG("{exec: {command: aws}}"), NULL, &config, &diag), FED_ERR_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "credential plugin"));
    assert_non_null(strstr(diag.text, "kubectl create token"));
    assert_int_equal(
        load(CONFIG("{auth-provider: {name: gcp}}"), NULL, &config, &diag), FED_ERR_UNSUPPORTED);
    assert_int_equal(load(CONFIG("{token: t}"), "b", &config, &diag), FED_ERR_NOT_FOUND);
    assert_int_equal(load(CONFIG("{token: t}"), "c", &config, &diag), FED_ERR_NOT_FOUND);
    assert_int_equal(load("just text", NULL, &config, &diag), FED_ERR_INVALID);
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), "/nonexistent/x", NULL, &config, &diag),
        FED_ERR_NOT_FOUND);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_files(const char *folder, const char *const *names)
{
    char path[200];

    for (; *names; names++) {
        snprintf(path, sizeof path, "%s/%s", folder, *names);
        unlink(path);
    }
    rmdir(folder);
}

#define ONE(context, server)                                                                       \
    "clusters: [{name: c, cluster: {server: \"https://" server "\"}}]\ncontexts: [{name: " context \
    ", context: {cluster: c}}]\n"

static void test_kubeconfig_list(void **state)
{
    static const char *const names[] = {"a", "b", NULL};
    char folder[] = "/tmp/kubeconfigs-XXXXXX";
    char list[300];
    struct fed_kube_config config;
    struct fed_diag diag = {""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "a", ONE("a", "first") "current-context: b\n");
    write_file(folder, "b", ONE("b", "second") "current-context: a\n");
    snprintf(list, sizeof list, "%s/gone:%s/a::%s/b", folder, folder, folder);
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(fed_kube_config_load(fed_alloc_system(), NULL, "b", &config, &diag), FED_OK);
    assert_string_equal(config.server_host, "second");
    fed_kube_config_fini(&config);
    /* The first file says which context is current, the second has it. */
    assert_int_equal(fed_kube_config_load(fed_alloc_system(), NULL, NULL, &config, &diag), FED_OK);
    assert_string_equal(config.server_host, "second");
    fed_kube_config_fini(&config);
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), NULL, "c", &config, &diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/gone"));
    /* A context whose files are missing is not looked for elsewhere. */
    write_file(folder, "a",
        "clusters: [{name: c, cluster: {server: \"https://x\", certificate-authority: none}}]\n"
        "contexts: [{name: b, context: {cluster: c}}]\n");
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), NULL, "b", &config, &diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/none"));
    unsetenv("KUBECONFIG");
    remove_files(folder, names);
}

/* As all paths of the file: relative to it, wherever the process stands. */
static void test_token_file(void **state)
{
    static const char *const names[] = {"a", NULL};
    char folder[] = "/tmp/kubeconfigs-XXXXXX";
    char path[100];
    char expected[100];
    struct fed_kube_config config;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(expected, sizeof expected, "%s/token", folder);
    write_file(folder, "a",
        "clusters: [{name: c, cluster: {server: \"https://x\"}}]\n"
        "users: [{name: u, user: {tokenFile: token}}]\n"
        "contexts: [{name: a, context: {cluster: c, user: u}}]\ncurrent-context: a\n");
    assert_int_equal(fed_kube_config_load(fed_alloc_system(), path, NULL, &config, NULL), FED_OK);
    assert_string_equal(config.token_file, expected);
    fed_kube_config_fini(&config);
    remove_files(folder, names);
}

/* ---- the machine's own cluster ---- */

static void copy_to(const char *root, const char *folders, const char *name, const char *from)
{
    char command[900];

    snprintf(command, sizeof command,
        "mkdir -p '%s%s' && cp '" FEDLET_SOURCE_DIR "/tests/unit/kubeconfigs/%s' '%s%s/%s'", root,
        folders, from, root, folders, name);
    assert_int_equal(system(command), 0);
}

static void expect_own(const char *host, unsigned port, const char *ends_in)
{
    struct fed_kube_config config;
    struct fed_diag diag = {""};
    const char *file;

    if (fed_kube_config_load_own(fed_alloc_system(), NULL, &config, &diag))
        fail_msg("%s", diag.text);
    assert_string_equal(config.server_host, host);
    assert_int_equal(config.server_port, port);
    assert_true(config.ca_pem.len > 0);
    assert_true(config.cert_pem.len > 0 ? config.key_pem.len > 0 : config.token.len > 0);
    file = fed_buf_cstr(&config.files); /* one file: what it ends in */
    assert_true(strlen(file) > strlen(ends_in));
    assert_string_equal(file + strlen(file) - strlen(ends_in), ends_in);
    fed_kube_config_fini(&config);
}

static void test_own_cluster(void **state)
{
    char root[] = "/tmp/fedlet-host-XXXXXX";
    char home[200];
    char command[100];
    struct fed_kube_config config;
    struct fed_diag diag = {""};

    (void)state;
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "/");
    assert_non_null(mkdtemp(root));
    setenv("HOME", root, 1);
    setenv("FEDLET_HOST_ROOT", root, 1);
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(
        fed_kube_config_load_own(fed_alloc_system(), NULL, &config, &diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "k3s, kubeadm or MicroK8s"));
    copy_to(root, "/var/snap/microk8s/current/credentials", "client.config", "microk8s.config");
    expect_own("127.0.0.1", 16443, "client.config");
    copy_to(root, "/etc/kubernetes", "admin.conf", "kubeadm.conf");
    expect_own("192.0.2.10", 6443, "/etc/kubernetes/admin.conf");
    copy_to(root, "/etc/rancher/k3s", "k3s.yaml", "k3s.yaml");
    expect_own("127.0.0.1", 6443, "/etc/rancher/k3s/k3s.yaml");
    /* Only where the machine's own is meant: kubectl knows nothing of these files either. */
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), NULL, NULL, &config, &diag), FED_ERR_NOT_FOUND);
    /* A pod is told where it is; a person's own file goes first. */
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    assert_int_equal(
        fed_kube_config_load_own(fed_alloc_system(), NULL, &config, &diag), FED_ERR_NOT_FOUND);
    unsetenv("KUBERNETES_SERVICE_HOST");
    copy_to(root, "/.kube", "config", "kubeadm.conf");
    expect_own("192.0.2.10", 6443, "/.kube/config");
    unsetenv("FEDLET_HOST_ROOT");
    setenv("HOME", home, 1);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

static void test_in_cluster(void **state)
{
    static const char *const names[] = {"ca.crt", "namespace", "token", NULL};
    char folder[] = "/tmp/serviceaccount-XXXXXX";
    char home[64];
    struct fed_kube_config config;
    struct fed_diag diag = {""};

    (void)state;
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "/");
    assert_non_null(mkdtemp(folder));
    setenv("HOME", folder, 1);
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), NULL, NULL, &config, &diag), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "this is not a pod"));
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
    setenv("FEDLET_SERVICE_ACCOUNT_DIR", folder, 1);
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), NULL, NULL, &config, &diag), FED_ERR_NOT_FOUND);
    write_file(folder, "ca.crt", "CA");
    write_file(folder, "namespace", "apps");
    assert_int_equal(fed_kube_config_load(fed_alloc_system(), NULL, NULL, &config, &diag), FED_OK);
    assert_string_equal(config.server_host, "fd00::1");
    assert_int_equal(config.server_port, 6443);
    assert_string_equal(config.ns, "apps");
    assert_non_null(strstr(config.token_file, "/token"));
    assert_string_equal(fed_buf_cstr(&config.ca_pem), "CA");
    fed_kube_config_fini(&config);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("FEDLET_SERVICE_ACCOUNT_DIR");
    setenv("HOME", home, 1);
    remove_files(folder, names);
}

/* ---- without memory ---- */

struct stingy {
    struct fed_alloc alloc;
    size_t left;
};

static void *stingy_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct stingy *s = ctx;

    if (size > 0 && s->left-- == 0)
        return NULL;
    return fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
}

/* Each allocation refused in turn, once: whole, or not at all. */
static void test_no_memory(void **state)
{
    static const char *const names[] = {"a", NULL};
    char folder[] = "/tmp/kubeconfigs-XXXXXX";
    char path[100];
    size_t refused = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    write_file(folder, "a",
        "clusters: [{name: c, cluster: {server: \"https://x\", certificate-authority-data: "
        "Y2E=}}]\nusers: [{name: u, user: {token: abc}}]\n"
        "contexts: [{name: a, context: {cluster: c, user: u}}]\ncurrent-context: a\n");
    for (size_t n = 0; n < refused + 2; n++) {
        struct stingy s = {.left = n};
        struct fed_kube_config config;

        s.alloc = (struct fed_alloc){.ctx = &s, .resize = stingy_resize};
        if (fed_kube_config_load(&s.alloc, path, NULL, &config, NULL)) {
            refused++;
            continue;
        }
        assert_true(fed_span_is(fed_buf_span(&config.token), "abc"));
        assert_true(fed_span_is(fed_buf_span(&config.ca_pem), "ca"));
        assert_true(fed_span_starts(fed_buf_span(&config.files), path));
        fed_kube_config_fini(&config);
    }
    assert_true(refused > 5);
    remove_files(folder, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_writing_is_limited), cmocka_unit_test(test_kubeconfig),
        cmocka_unit_test(test_kubeconfig_refusals), cmocka_unit_test(test_kubeconfig_list),
        cmocka_unit_test(test_token_file), cmocka_unit_test(test_own_cluster),
        cmocka_unit_test(test_in_cluster), cmocka_unit_test(test_no_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
