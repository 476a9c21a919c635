/* hub_schedule_test.c - preferences of replicas, on a real store and a clock of the test's own. */
#include "hub/schedule/internal.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define W_CONFIGS "kubefedconfigs.core.kubefed.io"

/* ---- a clock ---- */

struct fed_timer {
    struct fed_timer *next;
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms; /* 0: not set */
};

static struct {
    uint64_t now_ms;
    struct fed_timer *timers;
} fake;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return fake.now_ms;
}

static int64_t fake_unix(void *ctx)
{
    (void)ctx;
    return 1700000000000000 + (int64_t)fake.now_ms * 1000;
}

static enum fed_err fake_new(void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    (void)ctx;
    *out = calloc(1, sizeof **out);
    **out = (struct fed_timer){.next = fake.timers, .call = call, .ctx = call_ctx};
    fake.timers = *out;
    return FED_OK;
}

static void fake_set(void *ctx, struct fed_timer *timer, uint64_t due_ms)
{
    (void)ctx;
    timer->due_ms = due_ms;
}

static void fake_stop(void *ctx, struct fed_timer *timer)
{
    (void)ctx;
    timer->due_ms = 0;
}

static void fake_free(void *ctx, struct fed_timer *timer)
{
    struct fed_timer **at = &fake.timers;

    (void)ctx;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
    free(timer);
}

static struct fed_loop fake_loop = {.now_ms = fake_now,
    .unix_us = fake_unix,
    .timer_new = fake_new,
    .timer_set = fake_set,
    .timer_stop = fake_stop,
    .timer_free = fake_free};

/* ---- the world ---- */

struct world {
    struct hub_world w;
    struct hub_schedule *schedule;
    uint64_t seq[3]; /* of c1, c2, c3 */
};

static void on_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    (void)ctx;
    (void)cluster;
    (void)revision;
}

static void on_object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    struct world *t = ctx;

    hub_status_object_changed(t->w.status, ref, revision);
    if (t->schedule)
        hub_schedule_planned(t->schedule, ref);
}

static void open_schedule(struct world *t)
{
    struct hub_schedule_options options = {.mem = fed_alloc_system(),
        .loop = &fake_loop,
        .objects = t->w.objects,
        .plan = t->w.plan,
        .status = t->w.status};
    struct fed_diag diag = {""};

    hub_plan_on_change(t->w.plan, on_changed, on_object_changed, t);
    if (hub_schedule_open(&options, &t->schedule, &diag))
        fail_msg("%s", diag.text);
}

static void close_schedule(struct world *t)
{
    hub_schedule_close(t->schedule);
    t->schedule = NULL;
}

/* Runs what is due until then, one after the other. */
static void pass(struct world *t, uint64_t ms)
{
    uint64_t end_ms = fake.now_ms + ms;

    for (unsigned i = 0; i < 10000; i++) {
        struct fed_timer *first = NULL;

        for (struct fed_timer *timer = fake.timers; timer; timer = timer->next) {
            if (timer->due_ms && timer->due_ms <= end_ms &&
                (!first || timer->due_ms < first->due_ms))
                first = timer;
        }
        if (!first) {
            fake.now_ms = end_ms;
            hub_world_settle(&t->w);
            return;
        }
        if (first->due_ms > fake.now_ms)
            fake.now_ms = first->due_ms;
        first->due_ms = 0;
        first->call(first->ctx);
        hub_world_settle(&t->w);
    }
    fail_msg("the scheduler does not come to rest");
}

/* As agents report: healthz of the member, and how the pods of Deployment ns/web fare. */
static void report(
    struct world *t, unsigned cluster, const char *healthz, const struct fed_report_scale *scale)
{
    char name[3] = {'c', (char)('0' + cluster), 0};
    char text[100];
    const struct fed_manifest *manifest;
    struct fed_report_scale at = {0};
    struct fed_report r = {.full = t->seq[cluster - 1] == 0, .seq = t->seq[cluster - 1] + 1};
    struct fed_diag diag = {""};

    assert_int_equal(hub_plan_manifest(t->w.plan, fed_span_text(name), &manifest), FED_OK);
    r.epoch = hub_plan_epoch(t->w.plan);
    r.revision = manifest->revision;
    if (healthz) {
        snprintf(
            text, sizeof text, "{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"%s\"}", healthz);
        r.facts = fed_span_text(text);
    }
    if (scale) {
        at = *scale;
        while (at.index < manifest->n_works &&
               !fed_span_is(manifest->works[at.index].kind, "Deployment"))
            at.index++;
        assert_true(manifest->works[at.index].options & FED_WORK_SCALE);
        r.scales = &at;
        r.n_scales = 1;
    }
    if (hub_status_report(t->w.status, fed_span_text(name), &r, &diag))
        fail_msg("%s", diag.text);
    t->seq[cluster - 1]++;
    hub_world_settle(&t->w);
}

static void pods(struct world *t, unsigned cluster, uint32_t replicas, uint32_t ready,
    uint32_t running, uint32_t unschedulable)
{
    report(t, cluster, NULL,
        &(struct fed_report_scale){.replicas = replicas,
            .ready = ready,
            .running = running,
            .unschedulable = unschedulable});
}

/* The cluster holds all that it should. */
static void applied(struct world *t, unsigned cluster)
{
    char name[3] = {'c', (char)('0' + cluster), 0};
    struct fed_report_entry entries[8] = {{0}};
    const struct fed_manifest *manifest;
    struct fed_report r = {.seq = ++t->seq[cluster - 1], .entries = entries};

    assert_int_equal(hub_plan_manifest(t->w.plan, fed_span_text(name), &manifest), FED_OK);
    r.epoch = hub_plan_epoch(t->w.plan);
    r.revision = manifest->revision;
    for (; r.n_entries < manifest->n_works; r.n_entries++)
        entries[r.n_entries] = (struct fed_report_entry){
            .index = r.n_entries, .state = FED_WORK_APPLIED, .generation = 1};
    assert_int_equal(hub_status_report(t->w.status, fed_span_text(name), &r, NULL), FED_OK);
    hub_world_settle(&t->w);
}

static void join(struct world *t, unsigned cluster, const char *labels)
{
    char name[3] = {'c', (char)('0' + cluster), 0};

    hub_world_cluster(&t->w, name, labels);
    hub_status_connected(t->w.status, fed_span_text(name), "coap", "127.0.0.1:1");
    report(t, cluster, "ok", NULL);
}

static void put_target(struct world *t, const char *placement, const char *overrides)
{
    char json[2048];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedDeployment','metadata':{'name':"
        "'web','namespace':'ns','generation':1},'spec':{'template':{'spec':{'replicas':3}},"
        "'placement':%s,'overrides':%s}}",
        placement, overrides);
    hub_world_put(&t->w, W_DEPLOYMENTS, "ns", "web", json);
}

static void put_preference(struct world *t, const char *spec)
{
    char json[1024];

    snprintf(json, sizeof json, "{'metadata':{'name':'web','namespace':'ns'},'spec':%s}", spec);
    hub_world_put(&t->w, SCHEDULE_PREFERENCES, "ns", "web", json);
}

static void put_config(struct world *t, const char *spec)
{
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'kubefed','namespace':'kube-federation-system'},'spec':%s}", spec);
    hub_world_put(&t->w, W_CONFIGS, W_SYSTEM, "kubefed", json);
}

/* "c1,c2 c1=5 c2=4 @2": clusters, replicas overrides in their order, generation. */
static const char *target(struct world *t)
{
    static char text[512];
    struct hub_object_ref ref = {
        FED_SPAN_LIT(W_DEPLOYMENTS), FED_SPAN_LIT("ns"), FED_SPAN_LIT("web")};
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_json *list;
    struct fed_buf bytes;
    struct fed_buf out;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    fed_buf_init(&out, fed_alloc_system(), sizeof text - 1);
    assert_int_equal(hub_objects_get(t->w.objects, &ref, &bytes, NULL), FED_OK);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL), FED_OK);
    list = fed_json_find(object, "spec.placement.clusters");
    for (size_t i = 0; i < fed_json_count(list); i++) {
        fed_buf_put_text(&out, i ? "," : "");
        fed_buf_put(&out, fed_json_string(fed_json_get(fed_json_at(list, i), "name")));
    }
    list = fed_json_find(object, "spec.overrides");
    for (size_t i = 0; i < fed_json_count(list); i++) {
        const struct fed_json *one = fed_json_at(list, i);
        const struct fed_json *operations = fed_json_get(one, "clusterOverrides");

        for (size_t j = 0; j < fed_json_count(operations); j++) {
            const struct fed_json *operation = fed_json_at(operations, j);

            fed_buf_put_text(&out, " ");
            fed_buf_put(&out, fed_json_string(fed_json_get(one, "clusterName")));
            if (!fed_span_is(fed_json_string(fed_json_get(operation, "path")), SCHEDULE_PATH))
                fed_buf_put_text(&out, "+");
            fed_buf_printf(
                &out, "=%lld", (long long)fed_json_int(fed_json_get(operation, "value"), -1));
        }
    }
    fed_buf_printf(
        &out, " @%lld", (long long)fed_json_int(fed_json_find(object, "metadata.generation"), 0));
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    fed_buf_fini(&out);
    return text;
}

#define TOTAL_9 "{'targetKind':'FederatedDeployment','totalReplicas':9}"
#define EVERYWHERE "{'clusterSelector':{}}"

static int setup(void **state)
{
    static struct world t;

    t = (struct world){.schedule = NULL};
    fake.now_ms = 1000000;
    hub_world_open(&t.w);
    hub_world_types(&t.w);
    open_schedule(&t);
    join(&t, 1, "{'zone':'a'}");
    join(&t, 2, "{'zone':'b'}");
    hub_world_put(&t.w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    pass(&t, 60000);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct world *t = *state;

    close_schedule(t);
    hub_world_close(&t->w);
    return 0;
}

/* ---- what is written ---- */

static void test_shares(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    pass(t, 1000);
    assert_string_equal(target(t), " @1");
    put_preference(t, TOTAL_9);
    pass(t, 0); /* no cluster holds it: nothing runs that could be moved */
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    assert_string_equal(hub_world_works(&t->w, "c1"), "Namespace//ns,Deployment/ns/web+");
    pass(t, 3600000);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':10,'rebalance':true,"
                      "'clusters':{'c1':{'weight':2},'c2':{'weight':3}}}");
    pass(t, 0);
    assert_string_equal(target(t), "c1,c2 c1=4 c2=6 @3");
}

static void test_put_back(void **state)
{
    struct world *t = *state;

    put_preference(t, TOTAL_9);
    put_target(t, "{'clusters':[{'name':'c2'},{'name':'c1'}]}",
        "[{'clusterName':'c2','clusterOverrides':[{'path':'/spec/paused','value':1},"
        "{'path':'/spec/replicas','value':40}]},"
        "{'clusterName':'c9','clusterOverrides':[{'path':'/spec/replicas','value':7}]},"
        "{'clusterName':'c8','clusterOverrides':[{'path':'/spec/replicas','value':7},"
        "{'path':'/spec/paused','value':2}]}]");
    pass(t, 5000);
    /* The list names the same clusters and is left as it is. */
    assert_string_equal(target(t), "c2,c1 c2+=1 c2=4 c8+=2 c1=5 @2");
    hub_world_remove(&t->w, SCHEDULE_PREFERENCES, "ns", "web");
    pass(t, 100000);
    assert_string_equal(target(t), "c2,c1 c2+=1 c2=4 c8+=2 c1=5 @2");
}

static void test_nothing(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, "{'targetKind':'FederatedStatefulSet','totalReplicas':9}");
    pass(t, 10000);
    assert_string_equal(target(t), " @1");
    put_config(t, "{'featureGates':[{'name':'SchedulerPreferences','configuration':'Disabled'}]}");
    put_preference(t, TOTAL_9);
    pass(t, 10000);
    assert_string_equal(target(t), " @1");
    hub_world_put(&t->w, W_TYPES, W_SYSTEM, "deployments.apps",
        "{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Disabled','targetType':{"
        "'group':'apps','version':'v1','kind':'Deployment','pluralName':'deployments','scope':"
        "'Namespaced'},'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':"
        "'FederatedDeployment','pluralName':'federateddeployments','scope':'Namespaced'}}}");
    put_config(t, "{'featureGates':[]}");
    pass(t, 10000);
    assert_string_equal(target(t), " @1");
    hub_world_types(&t->w);
    pass(t, 10000);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
}

static void test_bad_preferences(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':9,'clusters':{'c1':{"
                      "'weight':-1}}}");
    pass(t, 10000);
    assert_string_equal(target(t), " @1");
    put_preference(t, TOTAL_9);
    put_target(t, EVERYWHERE,
        "[{'clusterName':'c1','clusterOverrides':[]},{'clusterName':'c1','clusterOverrides':[]}]");
    pass(t, 10000);
    assert_string_equal(target(t), " @1");
}

static void test_where(void **state)
{
    struct world *t = *state;

    hub_world_put(&t->w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c2'}"
        "]}}}");
    put_target(t, EVERYWHERE, "[]");
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':6,"
                      "'intersectWithClusterSelector':true}");
    pass(t, 5000);
    assert_string_equal(target(t), "c2 c2=6 @2");
    hub_world_put(&t->w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    pass(t, 5000);
    assert_string_equal(target(t), "c1,c2 c2=3 c1=3 @3");
    put_target(t, "{'clusterSelector':{'matchLabels':{'zone':'c'}}}", "[]");
    pass(t, 5000);
    assert_string_equal(target(t), " @1");
    hub_world_cluster(&t->w, "c1", "{'zone':'c'}");
    pass(t, 5000);
    assert_string_equal(target(t), "c1 c1=6 @2");
}

/* ---- clusters that come and go ---- */

static void test_lost(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, TOTAL_9);
    pass(t, 5000);
    report(t, 2, "bad", NULL);
    pass(t, 30000);
    report(t, 2, "ok", NULL); /* back in time: nothing moves, then or later */
    pass(t, 100000);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    report(t, 2, "bad", NULL);
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':8}");
    pass(t, 59000);
    assert_string_equal(target(t), "c1,c2 c1=4 c2=4 @3");
    pass(t, 2000);
    assert_string_equal(target(t), "c1 c1=8 @4");
    report(t, 2, "ok", NULL);
    pass(t, 19000);
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':6}");
    pass(t, 500);
    assert_string_equal(target(t), "c1 c1=6 @5");
    pass(t, 1000);
    assert_string_equal(target(t), "c1,c2 c1=3 c2=3 @6");
    /* One that leaves the federation is not waited for. */
    hub_world_remove(&t->w, W_CLUSTERS, W_SYSTEM, "c2");
    pass(t, 0);
    assert_string_equal(target(t), "c1 c1=6 @7");
}

static void test_delays(void **state)
{
    struct world *t = *state;

    put_config(t, "{'controllerDuration':{'availableDelay':'2s','unavailableDelay':'5s'}}");
    put_target(t, EVERYWHERE, "[]");
    put_preference(t, TOTAL_9);
    pass(t, 5000);
    report(t, 2, "bad", NULL);
    pass(t, 4900);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    pass(t, 200);
    assert_string_equal(target(t), "c1 c1=9 @3");
    report(t, 2, "ok", NULL);
    pass(t, 1900);
    assert_string_equal(target(t), "c1 c1=9 @3");
    pass(t, 200);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @4");
}

/* A new one counts at once for what changes, later for the rest. */
static void test_new(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, TOTAL_9);
    pass(t, 5000);
    join(t, 3, "{}");
    pass(t, 19000);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    pass(t, 2000);
    assert_string_equal(target(t), "c1,c2,c3 c1=3 c2=3 c3=3 @3");
}

static void test_restart(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, TOTAL_9);
    pass(t, 5000);
    pods(t, 1, 5, 5, 5, 0);
    pods(t, 2, 4, 1, 1, 0);
    pass(t, 20000);
    close_schedule(t);
    hub_world_restart(&t->w);
    open_schedule(t);
    pass(t, 100000); /* both keep their last word for now: status' own grace */
    assert_string_equal(target(t), "c1,c2 c1=5 c2=4 @2");
    /* What was known of pods still is: c1 keeps its five. */
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':6}");
    pass(t, 0);
    assert_string_equal(target(t), "c1,c2 c1=5 c2=1 @3");
}

/* ---- pods ---- */

static void test_running_stays(void **state)
{
    struct world *t = *state;

    put_target(t, "{'clusters':[{'name':'c1'},{'name':'c2'}]}",
        "[{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':30}]}]");
    pass(t, 1000);
    applied(t, 1);
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':50}");
    pass(t, 1000);
    assert_string_equal(target(t), "c1,c2 c1=30 @1"); /* waits for what runs */
    pods(t, 1, 30, 30, 30, 0);
    pass(t, 1000);
    assert_string_equal(target(t), "c1,c2 c1=30 @1");
    pods(t, 2, 3, 3, 3, 0);
    pass(t, 0);
    assert_string_equal(target(t), "c1,c2 c1=30 c2=20 @2");
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':50,'rebalance':true}");
    pass(t, 0);
    assert_string_equal(target(t), "c1,c2 c1=25 c2=25 @3");
}

static void test_capacity(void **state)
{
    struct world *t = *state;

    put_target(t, EVERYWHERE, "[]");
    put_preference(t, "{'targetKind':'FederatedDeployment','totalReplicas':8}");
    pass(t, 5000);
    assert_string_equal(target(t), "c1,c2 c1=4 c2=4 @2");
    pods(t, 1, 4, 4, 4, 0);
    pods(t, 2, 4, 1, 1, 3);
    pass(t, 9000); /* a rollout is not answered step by step */
    assert_string_equal(target(t), "c1,c2 c1=4 c2=4 @2");
    pass(t, 2000);
    assert_string_equal(target(t), "c1,c2 c1=7 c2=1 @3");
    pods(t, 1, 7, 7, 7, 0);
    pods(t, 2, 1, 1, 1, 0);
    pass(t, 100000);
    assert_string_equal(target(t), "c1,c2 c1=7 c2=1 @3");
    /* More unschedulable pods than are wanted, as in a rollout: room for none, not less. */
    pods(t, 2, 1, 0, 0, 2);
    pass(t, 11000);
    assert_string_equal(target(t), "c1,c2 c1=8 c2=0 @4");
}

/* The option comes and goes with the preference. */
static void test_option(void **state)
{
    struct world *t = *state;
    const struct fed_manifest *manifest;

    put_target(t, "{'clusters':[{'name':'c1'}]}", "[]");
    assert_int_equal(hub_plan_manifest(t->w.plan, FED_SPAN_LIT("c1"), &manifest), FED_OK);
    assert_int_equal(manifest->works[1].options & FED_WORK_SCALE, 0);
    put_preference(t, "{'targetKind':'FederatedConfigMap','totalReplicas':8}");
    assert_int_equal(hub_plan_manifest(t->w.plan, FED_SPAN_LIT("c1"), &manifest), FED_OK);
    assert_int_equal(manifest->works[1].options & FED_WORK_SCALE, 0);
    put_preference(t, TOTAL_9);
    assert_int_equal(hub_plan_manifest(t->w.plan, FED_SPAN_LIT("c1"), &manifest), FED_OK);
    assert_int_equal(manifest->works[1].options & FED_WORK_SCALE, FED_WORK_SCALE);
    hub_world_remove(&t->w, SCHEDULE_PREFERENCES, "ns", "web");
    assert_int_equal(hub_plan_manifest(t->w.plan, FED_SPAN_LIT("c1"), &manifest), FED_OK);
    assert_int_equal(manifest->works[1].options & FED_WORK_SCALE, 0);
}

/* ---- the edit alone ---- */

static void test_edit(void **state)
{
    static const struct schedule_share shares[] = {
        {{(const uint8_t *)"c1", 2}, 5}, {{(const uint8_t *)"c2", 2}, 0}};
    static const struct {
        const char *before;
        const char *after; /* NULL: unchanged; "": refused */
    } rows[] = {
        {"{}", "{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/spec/"
               "replicas','value':5}]},{'clusterName':'c2','clusterOverrides':[{'path':'/spec/"
               "replicas','value':0}]}],'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}}"},
        {"{'spec':{'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/spec/replicas',"
         "'value':0}]},{'clusterName':'c1','clusterOverrides':[{'path':'/ultimate/answer','value':"
         "42},{'path':'/spec/"
         "replicas','value':5}]}],'placement':{'clusterSelector':{},'clusters':[{"
         "'name':'c2'},{'name':'c1'}]}}}",
            NULL},
        /* KubeFed's plugin_test: removed, updated and added, others stay. */
        {"{'spec':{'overrides':[{'clusterName':'c9','clusterOverrides':[{'path':'/spec/replicas',"
         "'value':0},{'path':'/ultimate/answer','value':42}]},{'clusterName':'c1',"
         "'clusterOverrides':[{'path':'/spec/replicas','value':0},{'path':'/ultimate/answer',"
         "'value':42}]},{'clusterName':'c2','clusterOverrides':[{'path':'/ultimate/answer','value':"
         "42}]}],'placement':{'clusters':[{'name':'c1'}]}}}",
            "{'spec':{'overrides':[{'clusterName':'c9','clusterOverrides':[{'path':'/ultimate/"
            "answer','value':42}]},{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas'"
            ",'value':5},{'path':'/ultimate/answer','value':42}]},{'clusterName':'c2',"
            "'clusterOverrides':[{'path':'/ultimate/answer','value':42},{'path':'/spec/replicas',"
            "'value':0}]}],'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}}"},
        /* A value of another type, a removal, an entry by selector, an entry without overrides. */
        {"{'spec':{'overrides':[{'clusterSelector':{}},{'clusterName':'c1','clusterOverrides':[{"
         "'path':'/spec/replicas','value':'5'}]},{'clusterName':'c2','clusterOverrides':[{'op':"
         "'remove','path':'/spec/replicas'}]},{'clusterName':'c9'}],'placement':{'clusters':[{"
         "'name':'c1'},{'name':'c2'}]}}}",
            "{'spec':{'overrides':[{'clusterSelector':{}},{'clusterName':'c1','clusterOverrides':[{"
            "'path':'/spec/replicas','value':5}]},{'clusterName':'c2','clusterOverrides':[{'path':"
            "'/spec/replicas','value':0}]},{'clusterName':'c9'}],'placement':{'clusters':[{'name':"
            "'c1'},{'name':'c2'}]}}}"},
        {"{'spec':{'overrides':[{'clusterName':'c1'},{'clusterName':'c1'}]}}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char before[1024];
        char after[1024];
        struct fed_json_doc *doc;
        struct fed_json *object;
        struct fed_buf out;
        bool changed = false;
        enum fed_err err;

        snprintf(before, sizeof before, "%s", rows[i].before);
        snprintf(after, sizeof after, "%s", rows[i].after ? rows[i].after : rows[i].before);
        for (char *c = before; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        for (char *c = after; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        fed_buf_init(&out, fed_alloc_system(), 65536);
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(fed_json_parse(doc, fed_span_text(before), &object, NULL), FED_OK);
        err = schedule_edit(doc, object, shares, 2, &changed, NULL);
        assert_int_equal(err, rows[i].after && !rows[i].after[0] ? FED_ERR_INVALID : FED_OK);
        if (!err) {
            assert_int_equal(changed, rows[i].after != NULL);
            assert_int_equal(fed_json_put_canonical(&out, object), FED_OK);
            fed_json_doc_free(doc);
            assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
            assert_int_equal(fed_json_parse(doc, fed_span_text(after), &object, NULL), FED_OK);
            fed_buf_put_u8(&out, ' ');
            assert_int_equal(fed_json_put_canonical(&out, object), FED_OK);
            if (memcmp(out.at, out.at + out.len / 2 + 1, out.len / 2) != 0)
                fail_msg("row %zu: %s", i, fed_buf_cstr(&out));
        }
        fed_json_doc_free(doc);
        fed_buf_fini(&out);
    }
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_shares),
        CASE(test_put_back),
        CASE(test_nothing),
        CASE(test_bad_preferences),
        CASE(test_where),
        CASE(test_lost),
        CASE(test_delays),
        CASE(test_new),
        CASE(test_restart),
        CASE(test_running_stays),
        CASE(test_capacity),
        CASE(test_option),
        cmocka_unit_test(test_edit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
