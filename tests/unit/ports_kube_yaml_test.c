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
    assert_int_equal(load(CONFIG("{token: t}"), "b", &config, &diag), FED_ERR_NOT_FOUND);
    assert_int_equal(load(CONFIG("{token: t}"), "c", &config, &diag), FED_ERR_NOT_FOUND);
    assert_int_equal(load("just text", NULL, &config, &diag), FED_ERR_INVALID);
    assert_int_equal(
        fed_kube_config_load(fed_alloc_system(), "/nonexistent/x", NULL, &config, &diag),
        FED_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_kubeconfig),
        cmocka_unit_test(test_kubeconfig_refusals)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
