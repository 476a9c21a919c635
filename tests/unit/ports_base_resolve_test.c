/* Names looked up beside the loop. */
#include "ports/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct fed_linux_loop *linux_loop;
static struct fed_loop *loop;
static unsigned n_done;
static enum fed_err done_err;
static struct fed_resolve_address first;
static size_t n_found;
static struct fed_diag why;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &linux_loop, NULL), FED_OK);
    loop = fed_linux_loop_port(linux_loop);
    n_done = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fed_linux_loop_close(linux_loop);
    /* Every child was waited for. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static void on_done(void *ctx, enum fed_err err, const struct fed_resolve_address *addresses,
    size_t n, const struct fed_diag *diag)
{
    (void)ctx;
    n_done++;
    done_err = err;
    n_found = n;
    if (err)
        why = *diag;
    else
        first = addresses[0];
    loop->stop(loop->ctx);
}

static void ask(const char *name)
{
    struct fed_resolve *resolve = NULL;
    struct fed_diag diag = {""};

    assert_int_equal(
        fed_resolve_start(fed_alloc_system(), loop, name, on_done, NULL, &resolve, &diag), FED_OK);
    assert_int_equal(n_done, 0);
    assert_int_equal(fed_linux_loop_run(linux_loop), FED_OK);
    assert_int_equal(n_done, 1);
}

static void test_literals(void **state)
{
    static const struct {
        const char *text;
        unsigned len; /* 0: a name */
        uint8_t last;
    } cases[] = {{"127.0.0.1", 4, 1}, {"192.0.2.77", 4, 77}, {"::1", 16, 1},
        {"2001:db8::ff", 16, 255}, {"fe80::2%lo", 16, 2}, {"fe80::2%no-such-interface", 0, 0},
        {"localhost", 0, 0}, {"127.0.0.1.", 0, 0}, {"1.2.3", 0, 0}, {"", 0, 0}, {"[::1]", 0, 0},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", 0, 0}};
    struct fed_resolve_address address;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is = fed_resolve_literal(cases[i].text, &address);

        if (is != (cases[i].len > 0))
            fail_msg("%s", cases[i].text);
        if (!is)
            continue;
        assert_int_equal(address.len, cases[i].len);
        assert_int_equal(address.bytes[address.len - 1], cases[i].last);
    }
    assert_true(fed_resolve_literal("fe80::2%lo", &address));
    assert_true(address.scope > 0);
}

static void test_name(void **state)
{
    (void)state;
    ask("localhost");
    assert_int_equal(done_err, FED_OK);
    assert_true(n_found >= 1 && n_found <= FED_RESOLVE_MAX);
    assert_int_equal(first.bytes[first.len - 1], 1);
}

static void test_unknown(void **state)
{
    (void)state;
    ask("no-such-host.invalid");
    assert_int_equal(done_err, FED_ERR_NETWORK);
    assert_non_null(strstr(why.text, "cannot be resolved"));
    n_done = 0;
    ask("not a name");
    assert_int_equal(done_err, FED_ERR_NETWORK);
}

/* ---- a resolver that changes, fails, and says nothing ---- */

static const char *dns = NULL; /* what "hub.test" is; "": unknown; "-": no answer */

/* In the place of the system's, in the child (ld --wrap). */
typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);
resolver __wrap_getaddrinfo, __real_getaddrinfo;

int __wrap_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    if (!dns || strcmp(host, "hub.test") != 0)
        return __real_getaddrinfo(host, service, hints, out);
    if (strcmp(dns, "-") == 0)
        for (;;)
            pause();
    return dns[0] ? __real_getaddrinfo(dns, service, hints, out) : EAI_AGAIN;
}

static uint8_t last_byte(void)
{
    assert_int_equal(done_err, FED_OK);
    assert_int_equal(n_found, 1);
    n_done = 0;
    return first.bytes[first.len - 1];
}

/* Each answer is fresh; without one the last that was good is better than none. */
static void test_answers_of_before(void **state)
{
    uint64_t begin_ms;

    (void)state;
    dns = "";
    ask("hub.test");
    assert_int_equal(done_err, FED_ERR_NETWORK);
    n_done = 0;
    dns = "127.0.0.5";
    ask("hub.test");
    assert_int_equal(last_byte(), 5);
    dns = "127.0.0.6";
    ask("hub.test");
    assert_int_equal(last_byte(), 6);
    dns = "";
    ask("hub.test");
    assert_int_equal(last_byte(), 6);
    dns = "-";
    begin_ms = fed_loop_now_ms(loop);
    ask("hub.test");
    assert_int_equal(last_byte(), 6);
    assert_in_range(fed_loop_now_ms(loop) - begin_ms, 2900, 8000);
    /* Others had none. */
    ask("no-such-host.invalid");
    assert_int_equal(done_err, FED_ERR_NETWORK);
    n_done = 0;
    /* Only the last few names are known. */
    dns = NULL;
    for (unsigned i = 0; i < 4; i++) {
        char name[] = "127.0.0.1";

        name[8] = (char)('1' + i);
        ask(name);
        n_done = 0;
    }
    dns = "";
    ask("hub.test");
    assert_int_equal(done_err, FED_ERR_NETWORK);
    dns = NULL;
}

static void test_cancel(void **state)
{
    struct fed_resolve *resolve = NULL;

    (void)state;
    assert_int_equal(
        fed_resolve_start(fed_alloc_system(), loop, "localhost", on_done, NULL, &resolve, NULL),
        FED_OK);
    fed_resolve_cancel(resolve);
    fed_resolve_cancel(NULL);
    assert_int_equal(n_done, 0);
}

static void test_many(void **state)
{
    struct fed_resolve *resolve[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(
            fed_resolve_start(fed_alloc_system(), loop,
                i % 2 ? "localhost" : "no-such-host.invalid", on_done, NULL, &resolve[i], NULL),
            FED_OK);
    while (n_done < 20)
        assert_int_equal(fed_linux_loop_run(linux_loop), FED_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_literals),
        cmocka_unit_test_setup_teardown(test_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_of_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
