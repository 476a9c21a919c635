/* agent_kube_lazy_test.c - a client that is opened when it is first needed, and made anew when the
 * kubeconfig is another one. */
#include "agent/kube_lazy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct world {
    uint64_t now_ms;
    fed_loop_call *deferred;
    void *deferred_ctx;
    struct fed_loop loop;
    struct fed_kube clients[4];
    unsigned opened;
    unsigned closed;
    unsigned requests[4]; /* of each client */
    unsigned looks;
    bool refuse;
    bool changed;
    struct agent_kube_lazy lazy;
};

static uint64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static enum fed_err defer(void *ctx, fed_loop_call *call, void *call_ctx)
{
    struct world *w = ctx;

    w->deferred = call;
    w->deferred_ctx = call_ctx;
    return FED_OK;
}

static void turn(struct world *w)
{
    fed_loop_call *call = w->deferred;

    w->deferred = NULL;
    if (call)
        call(w->deferred_ctx);
}

static enum fed_err request(void *ctx, const struct fed_kube_request *wanted, fed_kube_done *done,
    void *done_ctx, struct fed_kube_call **out)
{
    (void)wanted;
    (void)done;
    (void)done_ctx;
    (void)out;
    ++*(unsigned *)ctx;
    return FED_OK;
}

static enum fed_err open_client(void *ctx, struct fed_kube **out, struct fed_diag *diag)
{
    struct world *w = ctx;

    if (w->refuse)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "no kubeconfig");
    w->changed = false;
    w->clients[w->opened] = (struct fed_kube){.ctx = &w->requests[w->opened], .request = request};
    *out = &w->clients[w->opened++];
    return FED_OK;
}

static void close_client(void *ctx, struct fed_kube *kube)
{
    struct world *w = ctx;

    assert_ptr_equal(kube, &w->clients[w->closed]);
    w->closed++;
}

static bool is_changed(void *ctx)
{
    struct world *w = ctx;

    w->looks++;
    return w->changed;
}

static void world_init(struct world *w)
{
    struct agent_kube_source source = {
        .ctx = w, .open = open_client, .close = close_client, .changed = is_changed};

    *w = (struct world){.now_ms = 100000};
    w->loop = (struct fed_loop){.ctx = w, .now_ms = now_ms, .defer = defer};
    agent_kube_lazy_init(&w->lazy, &w->loop, NULL, &source);
}

static enum fed_err ask(struct world *w)
{
    return w->lazy.port.request(w->lazy.port.ctx, &(struct fed_kube_request){0}, NULL, NULL, NULL);
}

static void test_opened_when_needed(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.refuse = true;
    assert_int_equal(ask(&w), FED_ERR_NETWORK);
    assert_string_equal(agent_kube_lazy_why(&w.lazy), "no kubeconfig");
    w.refuse = false;
    assert_int_equal(ask(&w), FED_OK);
    assert_string_equal(agent_kube_lazy_why(&w.lazy), "");
    assert_int_equal(w.opened, 1);
    assert_int_equal(w.requests[0], 1);
}

static void test_looks_now_and_then(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(ask(&w), FED_OK);
        w.now_ms += AGENT_KUBE_LOOK_MS / 10;
    }
    assert_int_equal(w.looks, 4);
    assert_null(w.deferred);
}

static void test_another_takes_over(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(ask(&w), FED_OK);
    w.now_ms += AGENT_KUBE_LOOK_MS;
    w.changed = true;
    assert_int_equal(ask(&w), FED_OK); /* still over the old one */
    assert_int_equal(w.requests[0], 2);
    assert_int_equal(w.closed, 0);
    turn(&w);
    assert_int_equal(w.opened, 2);
    assert_int_equal(w.closed, 1);
    assert_int_equal(ask(&w), FED_OK);
    assert_int_equal(w.requests[1], 1);
}

/* Half written: the old one serves on, and it is looked at again. */
static void test_one_that_cannot_be_used(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(ask(&w), FED_OK);
    w.now_ms += AGENT_KUBE_LOOK_MS;
    w.changed = w.refuse = true;
    assert_int_equal(ask(&w), FED_OK);
    turn(&w);
    assert_int_equal(w.closed, 0);
    assert_int_equal(ask(&w), FED_OK);
    assert_int_equal(w.requests[0], 3);
    w.refuse = false;
    w.now_ms += AGENT_KUBE_LOOK_MS;
    assert_int_equal(ask(&w), FED_OK);
    turn(&w);
    assert_int_equal(w.closed, 1);
    agent_kube_lazy_again(&w.lazy); /* as at SIGHUP */
    agent_kube_lazy_again(&w.lazy);
    turn(&w);
    turn(&w);
    assert_int_equal(w.opened, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened_when_needed),
        cmocka_unit_test(test_looks_now_and_then),
        cmocka_unit_test(test_another_takes_over),
        cmocka_unit_test(test_one_that_cannot_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
