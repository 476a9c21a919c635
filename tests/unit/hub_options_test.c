/* hub_options_test.c - settings: defaults in range, files, refusals. */
#include "hub/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_sample_is_the_default(void **state)
{
    struct hub_options normal;
    struct hub_options read;
    struct fed_diag diag = {""};
    struct fed_buf sample;

    (void)state;
    hub_options_default(&normal);
    hub_options_default(&read);
    assert_string_equal(normal.listen, "0.0.0.0:7443");
    assert_int_equal(normal.heartbeat_s, 120);
    fed_buf_init(&sample, fed_alloc_system(), 65536);
    hub_options_sample(&sample);
    if (hub_options_file(fed_alloc_system(), fed_buf_span(&sample), &read, &diag))
        fail_msg("%s", diag.text);
    assert_memory_equal(&normal, &read, sizeof normal);
    fed_buf_fini(&sample);
}

/* What is shown of the settings is a file with them. */
static void test_json_is_a_file(void **state)
{
    struct hub_options set;
    struct hub_options read;
    struct fed_diag diag = {""};
    struct fed_buf text;

    (void)state;
    hub_options_default(&set);
    hub_options_default(&read);
    assert_int_equal(hub_options_set(&set, "advertise", "hub.example.com", &diag), FED_OK);
    assert_int_equal(hub_options_set(&set, "removal-consent", "share=7%,least=2", &diag), FED_OK);
    assert_int_equal(hub_options_set(&set, "gateway-workers", "3", &diag), FED_OK);
    assert_int_equal(hub_options_set(&set, "console-idle", "5m", &diag), FED_OK);
    assert_int_equal(hub_options_set(&set, "log-level", "debug", &diag), FED_OK);
    fed_buf_init(&text, fed_alloc_system(), 65536);
    assert_int_equal(hub_options_json(&set, &text), FED_OK);
    if (hub_options_file(fed_alloc_system(), fed_buf_span(&text), &read, &diag))
        fail_msg("%s", diag.text);
    assert_memory_equal(&set, &read, sizeof set);
    fed_buf_fini(&text);
}

static void test_file(void **state)
{
    static const struct {
        const char *text;
        enum fed_err err;
        const char *says;
    } cases[] = {
        {"advertise: [hub.example.com, 192.0.2.1]\nheartbeat-s: 60\n", FED_OK, ""},
        {"zork: 1\n", FED_ERR_INVALID, "zork"},
        {"heartbeat-s: 5\n", FED_ERR_INVALID, "10 to 86400"},
        {"heartbeat-s: soon\n", FED_ERR_INVALID, "10 to 86400"},
        {"advertise: [a, b]\nhistory-s: 10\nhistory-kib: 4194304\n", FED_OK, ""},
        {"history-s: 9\n", FED_ERR_INVALID, "10 to 86400"},
        {"history-kib: 63\n", FED_ERR_INVALID, "64 to 4194304"},
        {"advertise: [a, b]\ncertificate-life: 1m\ncertificate-return: 720h\n", FED_OK, ""},
        {"certificate-life: 59s\n", FED_ERR_INVALID, "60 to"},
        {"certificate-life: 90001ms\n", FED_ERR_INVALID, "as in 24h"},
        {"certificate-return: -1s\n", FED_ERR_INVALID, "as in 24h"},
        {"advertise: [a, b]\ngateway-workers: 0\n", FED_OK, ""},
        {"advertise: [a, b]\ngateway-workers: auto\n", FED_OK, ""},
        {"gateway-workers: some\n", FED_ERR_INVALID, "0 to 64"},
        {"gateway-workers: 65\n", FED_ERR_INVALID, "0 to 64"},
        {"log-level: loud\n", FED_ERR_INVALID, "loud"},
        {"advertise: hub\n", FED_ERR_INVALID, "list"},
        {"- a\n", FED_ERR_INVALID, "mapping"},
        {"a: [\n", FED_ERR_INVALID, ""},
        {"listen: ''\n", FED_ERR_INVALID, "listen"},
        {"listen: localhost\n", FED_ERR_INVALID, "ADDRESS:PORT"},
        {"coap-listen: '0.0.0.0:65536'\n", FED_ERR_INVALID, "coap-listen"},
        {"agent-listen: '[::1]:'\n", FED_ERR_INVALID, "agent-listen"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hub_options options;
        struct fed_diag diag = {""};

        hub_options_default(&options);
        assert_int_equal(
            hub_options_file(fed_alloc_system(), fed_span_text(cases[i].text), &options, &diag),
            cases[i].err);
        assert_non_null(strstr(diag.text, cases[i].says));
        if (!cases[i].err)
            assert_int_equal(options.n_advertise, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_is_the_default),
        cmocka_unit_test(test_json_is_a_file),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
