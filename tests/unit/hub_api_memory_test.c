/* hub_api_memory_test.c - every allocation of a request refused in turn: the answer is a Status
 * that says so and asks to come again, nothing leaks, and what was refused is not stored. */
#include "hub/limits.h"
#include "hub_api_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATCH "application/json-patch+json"
#define STRATEGIC "application/strategic-merge-patch+json"
#define APPLY "application/apply-patch+yaml"
#define FCM "/apis/types.kubefed.io/v1beta1/namespaces/default/federatedconfigmaps"
#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
#define CASES_MAX 20000

struct attempt {
    const char *method;
    const char *target;
    const char *type;
    const char *body;
    unsigned success;
    bool reads;
};

/* Two objects, the same each time. */
static void prepare(struct world *w)
{
    (void)world_call(w, "PATCH", CM "/a", MERGE, "{'metadata':{'finalizers':null}}");
    (void)world_call(w, "DELETE", CM "/a", JSON, NULL);
    (void)world_call(w, "DELETE", CM "/new", JSON, NULL);
    (void)world_call(w, "DELETE", FCM "/f", JSON, NULL);
    world_must(w, 201, "POST", CM, JSON,
        "{'metadata':{'name':'a','labels':{'l':'1'},'finalizers':[]},'data':{'k':'1'}}");
    world_must(w, 201, "POST", FCM, JSON,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap',"
        "'metadata':{'name':'f'},'spec':{'placement':{'clusters':[{'name':'c'}]},"
        "'template':{'data':{'k':'1'}}}}");
}

static void check_refusal(struct world *w, const struct attempt *a, long n)
{
    if (w->last.status != 503 && w->last.status != 500)
        fail_msg("%s %s, allocation %ld refused: %u " FED_SPAN_FMT, a->method, a->target, n,
            w->last.status, FED_SPAN_ARG(fed_buf_span(&w->last.body)));
    assert_string_equal(world_at(w, "kind"), "Status");
    assert_true(world_at(w, "message")[0] != 0);
}

/* Refuses the first allocation, then the second ..., until none was asked for that was refused. */
static void refuse_each(struct world *w, const struct attempt *a)
{
    bool stored = true;

    for (long n = 0; n < CASES_MAX; n++) {
        uint64_t before;

        if (stored)
            prepare(w);
        before = hub_objects_revision(w->objects);
        world_ration(w, n);
        (void)world_call(w, a->method, a->target, a->type, a->body);
        stored = hub_objects_revision(w->objects) != before;
        if (!w->memory.refused) {
            world_ration(w, -1);
            assert_int_equal(w->last.status, a->success);
            assert_int_equal(stored, !a->reads);
            return;
        }
        world_ration(w, -1);
        if (w->last.status == a->success && stored == !a->reads)
            continue; /* it did without */
        check_refusal(w, a, n);
        if (stored)
            fail_msg("%s %s: stored, though allocation %ld was refused", a->method, a->target, n);
    }
    fail_msg("%s %s: never went through", a->method, a->target);
}

static void each_verb(void **state)
{
    static const struct attempt attempts[] = {
        {"GET", CM "/a", "", NULL, 200, true},
        {"GET", FCM "/f", "", NULL, 200, true},
        {"GET", CM "?labelSelector=l+in+(1,2)&fieldSelector=metadata.name!=x&limit=5", "", NULL,
            200, true},
        {"GET", "/apis", "", NULL, 200, true},
        {"GET", "/openapi/v3", "", NULL, 200, true},
        {"POST", CM, JSON, "{'metadata':{'name':'new'},'data':{'k':'1'}}", 201, false},
        {"POST", CM, "application/yaml", "metadata: {name: new}\ndata: {k: v}\n", 201, false},
        {"PUT", CM "/a", JSON, "{'metadata':{'name':'a'},'data':{'k':'2'}}", 200, false},
        {"PATCH", CM "/a", MERGE, "{'data':{'k':'2'}}", 200, false},
        {"PATCH", CM "/a", PATCH, "[{'op':'replace','path':'/data/k','value':'2'}]", 200, false},
        {"PATCH", CM "/a", STRATEGIC, "{'metadata':{'finalizers':['x/y']}}", 200, false},
        {"PATCH", FCM "/f?fieldManager=m&force=true", APPLY,
            "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap',"
            "'metadata':{'name':'f'},'spec':{'template':{'data':{'k':'2'}}}}",
            200, false},
        {"DELETE", CM "/a", JSON, NULL, 200, false},
    };
    struct world w;

    (void)state;
    world_open(&w);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        refuse_each(&w, &attempts[i]);
    w.accept = TABLE;
    refuse_each(&w, &attempts[2]);
    world_close(&w);
}

/* A watch is opened or refused; one that cannot be told of a change ends, so that its client lists
 * again. */
static void watches(void **state)
{
    struct world w;
    bool refused = true;

    (void)state;
    world_open(&w);
    prepare(&w);
    for (long n = 0; refused; n++) {
        struct fed_http_exchange *x;

        world_ration(&w, n);
        x = world_watch(&w, CM "?watch=1&labelSelector=l");
        refused = w.memory.refused;
        world_ration(&w, -1);
        assert_true(x->status == 200 || x->status == 503);
        assert_true(refused || (x->status == 200 && world_says(x, "\"ADDED\"")));
        world_unwatch(&w, x);
    }
    refused = true;
    for (long n = 0; refused; n++) {
        struct fed_http_exchange *x = world_watch(&w, CM "?watch=1&labelSelector=l");
        char body[64];

        snprintf(body, sizeof body, "{'data':{'k':'%ld'}}", n);
        world_ration(&w, n);
        (void)world_call(&w, "PATCH", CM "/a", MERGE, body);
        refused = w.memory.refused;
        world_ration(&w, -1);
        if (w.last.status == 200)
            if (!x->ended && !world_says(x, "MODIFIED"))
                fail_msg("allocation %ld refused: no event, and the watch goes on: " FED_SPAN_FMT,
                    n, FED_SPAN_ARG(fed_buf_span(&x->body)));
        world_unwatch(&w, x);
    }
    world_close(&w);
}

/* A watch that falls behind is over at once; its exchange is closed when the server comes to it. */
static void watch_behind(void **state)
{
    struct world w;
    struct fed_http_exchange *x;

    (void)state;
    world_open(&w);
    prepare(&w);
    x = world_watch(&w, CM "?watch=1");
    x->behind = true;
    world_must(&w, 200, "PATCH", CM "/a", MERGE, "{'data':{'k':'2'}}");
    world_must(&w, 200, "PATCH", CM "/a", MERGE, "{'data':{'k':'3'}}");
    assert_false(world_says(x, "MODIFIED"));
    world_unwatch(&w, x);
    world_close(&w);
}

/* As many as one user may have; the next is told to come again, another user is served. */
static void watches_of_one_user(void **state)
{
    struct world w;
    struct fed_http_exchange **open = calloc(HUB_LIMIT_USER_WATCHES, sizeof(*open));
    struct fed_http_exchange *x;

    (void)state;
    assert_non_null(open);
    world_open(&w);
    for (unsigned i = 0; i < HUB_LIMIT_USER_WATCHES; i++) {
        open[i] = world_watch(&w, CM "?watch=1&resourceVersion=0");
        assert_int_equal(open[i]->status, 200);
    }
    world_must(&w, 429, "GET", CM "?watch=1", "", NULL);
    assert_string_equal(world_at(&w, "reason"), "TooManyRequests");
    assert_string_equal(world_at(&w, "details.retryAfterSeconds"), "1");
    snprintf(w.peer.common_name, sizeof w.peer.common_name, "other");
    x = world_watch(&w, CM "?watch=1");
    assert_int_equal(x->status, 200);
    world_unwatch(&w, x);
    snprintf(w.peer.common_name, sizeof w.peer.common_name, "admin");
    world_unwatch(&w, open[0]);
    open[0] = world_watch(&w, CM "?watch=1");
    assert_int_equal(open[0]->status, 200);
    for (unsigned i = 0; i < HUB_LIMIT_USER_WATCHES; i++)
        world_unwatch(&w, open[i]);
    free(open);
    world_close(&w);
}

/* l in (v00000,v00001,...): n values. */
static void long_selector(char *out, size_t size, unsigned n)
{
    size_t len = (size_t)snprintf(out, size, CM "?watch=1&resourceVersion=0&labelSelector=l+in+(");

    for (unsigned i = 0; i < n; i++) {
        len += (size_t)snprintf(out + len, size - len, "%sv%05u", i ? "," : "", i);
        assert_true(len < size);
    }
    assert_true((size_t)snprintf(out + len, size - len, ")") < size - len);
}

/* Few watches with long selectors take as much as many with short ones: what one user's hold is
 * bounded, what all hold is, and room comes back when watches end. */
static void selectors_of_watches(void **state)
{
    static char target[65536];
    struct world w;
    static struct fed_http_exchange *open[HUB_LIMIT_USER_WATCHES];
    size_t before;
    unsigned n[3] = {0, 0, 0};
    unsigned of_all = 0;

    (void)state;
    world_open(&w);
    world_must(&w, 400, "GET", CM "?watch=1&labelSelector=l+in+(", "", NULL);
    long_selector(target, sizeof target, 4097);
    world_must(&w, 400, "GET", target, "", NULL); /* too long by itself, at any time */
    long_selector(target, sizeof target, 4000);
    before = w.memory.in_use;
    for (unsigned user = 0; user < 3; user++) {
        snprintf(w.peer.common_name, sizeof w.peer.common_name, "user-%u", user);
        while (n[user] < HUB_LIMIT_USER_WATCHES) {
            struct fed_http_exchange *x = world_watch(&w, target);

            if (x->status != 200) {
                assert_int_equal(x->status, 429);
                assert_true(world_says(x, "\"retryAfterSeconds\":1"));
                assert_true(world_says(x, user < 2 ? "user-" : "all watches"));
                world_unwatch(&w, x);
                break;
            }
            open[of_all++] = x;
            n[user]++;
        }
        assert_in_range(w.memory.in_use - before, 0, HUB_LIMIT_WATCH_BYTES + (8u << 20));
    }
    assert_in_range(n[0], 50, 1000);
    assert_int_equal(n[0], n[1]);
    assert_in_range(n[2], 0, 1);
    /* A short one is served as soon as one of the long ones ends. */
    world_unwatch(&w, open[--of_all]);
    open[of_all++] = world_watch(&w, CM "?watch=1&labelSelector=l");
    assert_int_equal(open[of_all - 1]->status, 200);
    while (of_all > 0)
        world_unwatch(&w, open[--of_all]);
    assert_in_range(w.memory.in_use, 0, before + (1u << 20));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verb),
        cmocka_unit_test(watches),
        cmocka_unit_test(watch_behind),
        cmocka_unit_test(watches_of_one_user),
        cmocka_unit_test(selectors_of_watches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
