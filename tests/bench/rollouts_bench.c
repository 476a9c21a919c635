/* rollouts_bench DIR [CLUSTERS [flap]] - how long rollouts keep the hub busy: a real store in DIR,
 * plan and status, every cluster reports, no network.
 *
 * A change goes in ten waves' worth of concurrency through all clusters, whose agents apply what
 * they get at once. Prints "NAME VALUE UNIT" lines: the longest step (with its write and the plan's
 * turn), what a report costs while the rollout goes on and without one, the whole. flap: 250
 * rollouts at once, and clusters that come and go: what steps cost for each time, and the longest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/rollout/rollout.h"

#define SYSTEM "kube-federation-system"
#define CONFIGMAPS "federatedconfigmaps.types.kubefed.io"
#define BATCH 500u

struct bench {
    size_t n;
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_loop timed; /* the same, with a clock on its timers */
    fed_loop_call *call;
    void *call_ctx;
    /* In time of the processor, which others on the machine do not stretch: */
    double worst_us; /* of a timer's call, with the flush of what it staged */
    double alone_us; /* the same without it: what everybody else waits for at least */
    double steps_us; /* all of them, without the flushes */
    unsigned calls;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_rollouts *rollouts;
    struct hub_gates gates;
    struct hub_plan *plan;
    struct hub_status *status;
    uint64_t *seq;
    uint64_t *revision;   /* that the agent has */
    struct fed_alloc mem; /* of the rollouts */
    size_t bytes;         /* that they have */
    uint32_t rest_ms;
    double report_us;
    size_t reports;
};

#define REST_MS 3000u

static struct bench *the;

static void check(enum fed_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "rollouts_bench: %s: %s\n", what, fed_err_text(err));
        exit(1);
    }
}

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct bench *b = ctx;

    at = fed_alloc_system()->resize(fed_alloc_system()->ctx, at, old_size, size);
    if (at || size == 0)
        b->bytes += size - old_size;
    return at;
}

static double now_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static double cpu_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

/* ---- the loop, with a clock on the rollouts' timer ---- */

static void timed_call(void *ctx)
{
    double started = cpu_us();
    double took;

    (void)ctx;
    the->call(the->call_ctx);
    took = cpu_us() - started;
    the->alone_us = took > the->alone_us ? took : the->alone_us;
    the->steps_us += took;
    check(hub_objects_flush(the->objects, NULL), "flush");
    took = cpu_us() - started;
    the->worst_us = took > the->worst_us ? took : the->worst_us;
    the->calls++;
    if (getenv("TRACE"))
        fprintf(stderr, "%u %.2f\n", the->calls, took / 1e3);
}

static enum fed_err timed_new(
    void *ctx, fed_loop_call *call, void *call_ctx, struct fed_timer **out)
{
    the->call = call;
    the->call_ctx = call_ctx;
    return the->loop->timer_new(ctx, timed_call, NULL, out);
}

static void stop(void *ctx)
{
    struct fed_loop *loop = ctx;

    loop->stop(loop->ctx);
}

static void turn(struct bench *b)
{
    for (int i = 0; i < 3; i++) {
        check(b->loop->defer(b->loop->ctx, stop, b->loop), "defer");
        check(fed_linux_loop_run(b->linux_loop), "loop");
    }
}

/* ---- the world ---- */

static void put(
    struct bench *b, const char *resource, const char *ns, const char *name, const char *json)
{
    struct hub_object_write write = {
        .ref = {fed_span_text(resource), fed_span_text(ns), fed_span_text(name)},
        .bytes = fed_span_text(json),
        .expected = HUB_ANY_REVISION};

    check(hub_objects_commit(b->objects, &write, 1, NULL, 0, NULL, NULL), name);
}

static void cluster_name(size_t i, char out[16])
{
    snprintf(out, 16, "c%05u", (unsigned)(i % 100000));
}

static void put_clusters(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        char name[16];
        char json[128];
        struct hub_object_write write = {.expected = HUB_ANY_REVISION};

        cluster_name(i, name);
        snprintf(json, sizeof json, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{}}", name);
        write.ref = (struct hub_object_ref){
            FED_SPAN_LIT(HUB_CLUSTERS), FED_SPAN_LIT(SYSTEM), fed_span_text(name)};
        write.bytes = fed_span_text(json);
        check(hub_objects_stage(b->objects, &write, 1, NULL, 0, NULL, NULL), name);
        if (i % BATCH == BATCH - 1)
            check(hub_objects_flush(b->objects, NULL), "flush");
    }
    check(hub_objects_flush(b->objects, NULL), "flush");
}

static void put_type(struct bench *b, const char *kind, const char *plural, const char *scope)
{
    char json[512];

    snprintf(json, sizeof json,
        "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"propagation\":\"Enabled\",\"targetType\":{"
        "\"group\":\"\",\"version\":\"v1\",\"kind\":\"%s\",\"pluralName\":\"%s\",\"scope\":\"%s\"},"
        "\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":\"v1beta1\",\"kind\":"
        "\"Federated%s\",\"pluralName\":\"federated%s\",\"scope\":\"Namespaced\"}}}",
        plural, kind, plural, scope, kind, plural);
    put(b, "federatedtypeconfigs.core.kubefed.io", SYSTEM, plural, json);
}

static void put_map(struct bench *b, int value)
{
    char json[400];

    snprintf(json, sizeof json,
        "{\"apiVersion\":\"types.kubefed.io/"
        "v1beta1\",\"kind\":\"FederatedConfigMap\",\"metadata\":{"
        "\"name\":\"x\",\"namespace\":\"ns\",\"uid\":\"u\",\"generation\":%d,\"finalizers\":["
        "\"kubefed.io/sync-controller\"]},\"spec\":{\"template\":{\"data\":{\"k\":\"%d\"}},"
        "\"placement\":{\"clusterSelector\":{}}}}",
        value, value);
    put(b, CONFIGMAPS, "ns", "x", json);
}

static void object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    struct bench *b = ctx;

    hub_status_object_changed(b->status, ref, revision);
    hub_rollouts_planned(b->rollouts, ref);
}

static void manifest_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    (void)ctx;
    (void)cluster;
    (void)revision;
}

static void open_world(struct bench *b, const char *dir)
{
    struct fed_sqlite_options store = {
        .history = true, .application_id = 1, .new_epoch = 7, .cache_kib = 2048};
    static struct fed_crypto crypto;
    struct hub_rollouts_options options = {
        .mem = &b->mem, .crypto = &crypto, .rest_ms = b->rest_ms};
    struct fed_diag diag = {""};
    char path[512];

    snprintf(path, sizeof path, "%s/rollouts.db", dir);
    b->mem = (struct fed_alloc){b, resize};
    check(fed_linux_loop_open(fed_alloc_system(), &b->linux_loop, &diag), "loop");
    b->loop = fed_linux_loop_port(b->linux_loop);
    b->timed = *b->loop;
    b->timed.timer_new = timed_new;
    check(fed_sqlite_store_open(fed_alloc_system(), path, &store, &b->sqlite, &diag), diag.text);
    check(hub_objects_open(
              fed_alloc_system(), b->loop, fed_sqlite_store_port(b->sqlite), &b->objects, &diag),
        "objects");
    options.loop = &b->timed;
    options.objects = b->objects;
    check(fed_tls_crypto_open(fed_alloc_system(), &crypto, &diag), diag.text);
    check(hub_rollouts_open(&options, &b->rollouts, &diag), diag.text);
    hub_rollouts_gates(b->rollouts, &b->gates);
    check(hub_plan_open(
              fed_alloc_system(), b->loop, NULL, b->objects, NULL, &b->gates, &b->plan, &diag),
        diag.text);
    check(hub_status_open(
              fed_alloc_system(), b->loop, NULL, b->objects, b->plan, 120, &b->status, &diag),
        diag.text);
    hub_plan_on_change(b->plan, manifest_changed, object_changed, b);
    check(hub_rollouts_attach(b->rollouts, b->plan, b->status, &diag), diag.text);
}

static void close_world(struct bench *b)
{
    hub_rollouts_detach(b->rollouts);
    hub_status_close(b->status);
    hub_plan_close(b->plan);
    hub_rollouts_close(b->rollouts);
    hub_objects_close(b->objects);
    fed_sqlite_store_close(b->sqlite);
    fed_linux_loop_close(b->linux_loop);
}

/* ---- agents ---- */

static void report(struct bench *b, size_t i)
{
    struct fed_report_entry entries[4] = {{0}};
    const struct fed_manifest *manifest;
    struct fed_report report = {.full = b->seq[i] == 0,
        .epoch = hub_plan_epoch(b->plan),
        .seq = b->seq[i] + 1,
        .entries = entries,
        .facts = b->seq[i] == 0 ? FED_SPAN_LIT("{\"healthz\":\"ok\"}") : fed_span_text("")};
    struct fed_diag diag = {""};
    char name[16];
    double started;

    cluster_name(i, name);
    if (hub_plan_manifest(b->plan, fed_span_text(name), &manifest) ||
        (b->seq[i] && manifest->revision == b->revision[i]))
        return;
    report.revision = b->revision[i] = manifest->revision;
    for (size_t w = 0; w < manifest->n_works && w < 4; w++)
        entries[report.n_entries++] = (struct fed_report_entry){.index = w,
            .state = FED_WORK_APPLIED,
            .health = FED_HEALTH_HEALTHY,
            .generation = manifest->revision};
    if (b->seq[i]++ == 0)
        hub_status_connected(b->status, fed_span_text(name), "coap", "");
    started = now_us();
    check(hub_status_report(b->status, fed_span_text(name), &report, &diag), diag.text);
    b->report_us += now_us() - started;
    b->reports++;
}

static void report_all(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        report(b, i);
        if (i % BATCH == BATCH - 1)
            check(hub_objects_flush(b->objects, NULL), "flush");
    }
    check(hub_objects_flush(b->objects, NULL), "flush");
    turn(b);
}

static void say_report(struct bench *b, const char *name)
{
    printf("%s %.2f us\n", name, b->reports ? b->report_us / (double)b->reports : 0);
    b->report_us = 0;
    b->reports = 0;
}

static bool is_complete(struct bench *b)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT(HUB_ROLLOUTS), FED_SPAN_LIT("ns"), FED_SPAN_LIT("federatedconfigmap-x-1")};
    struct fed_buf bytes;
    bool is;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    is = !hub_objects_get(b->objects, &ref, &bytes, NULL) &&
         strstr(fed_buf_cstr(&bytes), "\"phase\":\"Complete\"");
    fed_buf_fini(&bytes);
    return is;
}

/* ---- clusters that come and go, beside many rollouts ---- */

#define EVERYWHERE 200u
#define WAITING 50u /* behind a canary, for a person */
#define FLAP_MS 3000u

static void put_one(struct bench *b, unsigned i, int value)
{
    char json[600];
    char name[24];

    snprintf(name, sizeof name, "o%03u", i);
    snprintf(json, sizeof json,
        "{\"apiVersion\":\"types.kubefed.io/"
        "v1beta1\",\"kind\":\"FederatedConfigMap\",\"metadata\":{"
        "\"name\":\"%s\",\"namespace\":\"ns\",\"uid\":\"u%u\",\"generation\":%d,\"annotations\":{"
        "\"fedlet.io/rollout-policy\":\"%s\"}},\"spec\":{\"template\":{\"data\":{\"k\":\"%d\"}},"
        "\"placement\":{\"clusterSelector\":{}}}}",
        name, i, value, i < WAITING ? "canary" : "all", value);
    put(b, CONFIGMAPS, "ns", name, json);
}

static void put_policies(struct bench *b)
{
    put(b, HUB_ROLLOUT_POLICIES, "ns", "all",
        "{\"metadata\":{\"name\":\"all\",\"namespace\":\"ns\"},\"spec\":{}}");
    put(b, HUB_ROLLOUT_POLICIES, "ns", "canary",
        "{\"metadata\":{\"name\":\"canary\",\"namespace\":\"ns\"},\"spec\":{\"waves\":[{\"name\":"
        "\"canary\",\"clusters\":{\"names\":[\"c00000\"]},\"approval\":\"Required\"}]}}");
}

static void report_works(struct bench *b, size_t i, const char *facts)
{
    static struct fed_report_entry entries[WAITING + EVERYWHERE + 8];
    const struct fed_manifest *manifest;
    struct fed_report report = {.full = true,
        .epoch = hub_plan_epoch(b->plan),
        .seq = ++b->seq[i],
        .entries = entries,
        .facts = fed_span_text(facts)};
    struct fed_diag diag = {""};
    char name[16];

    cluster_name(i, name);
    check(hub_plan_manifest(b->plan, fed_span_text(name), &manifest), "manifest");
    report.revision = b->revision[i] = manifest->revision;
    for (size_t w = 0; w < manifest->n_works; w++)
        entries[report.n_entries++] = (struct fed_report_entry){.index = w,
            .state = FED_WORK_APPLIED,
            .health = FED_HEALTH_HEALTHY,
            .generation = manifest->revision};
    if (b->seq[i] == 1)
        hub_status_connected(b->status, fed_span_text(name), "coap", "");
    check(hub_status_report(b->status, fed_span_text(name), &report, &diag), diag.text);
}

static void report_all_works(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        report_works(b, i, "{\"healthz\":\"ok\"}");
        if (i % BATCH == BATCH - 1)
            check(hub_objects_flush(b->objects, NULL), "flush");
    }
    check(hub_objects_flush(b->objects, NULL), "flush");
}

static size_t rss_kib(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * 4;
}

static void flip(struct bench *b, size_t i, const char *facts)
{
    struct fed_report report = {.epoch = hub_plan_epoch(b->plan),
        .revision = b->revision[i],
        .seq = ++b->seq[i],
        .facts = fed_span_text(facts)};
    struct fed_diag diag = {""};
    char name[16];

    cluster_name(i, name);
    if (hub_status_report(b->status, fed_span_text(name), &report, &diag))
        report_works(b, i, facts); /* of a revision that is no more */
}

/* Every cluster goes out of reach or comes back in each second, a hundredth of them at a time. */
static void flap(struct bench *b)
{
    static const char *const facts[] = {"{\"healthz\":\"unreachable: x\"}", "{\"healthz\":\"ok\"}"};
    double started = now_us();
    size_t flaps = 0;

    b->steps_us = b->alone_us = 0;
    b->calls = 0;
    while (now_us() - started < FLAP_MS * 1e3) {
        double next = started + (double)flaps / (double)b->n * 1e6;

        if (now_us() >= next)
            for (size_t k = 0; k < b->n / 100; k++, flaps++)
                flip(b, flaps % b->n, facts[flaps / b->n % 2]);
        check(hub_objects_flush(b->objects, NULL), "flush");
        turn(b);
    }
    printf("rollout_flap %.1f us\n", b->steps_us / (double)flaps);
    printf("rollout_flap_longest %.2f ms\n", b->alone_us / 1e3);
}

static void settle(struct bench *b)
{
    for (int i = 0; i < 8; i++) {
        double until = now_us() + 1e6;

        report_all_works(b);
        while (now_us() < until)
            turn(b);
    }
}

static void many(struct bench *b)
{
    put_policies(b);
    for (unsigned i = 0; i < WAITING + EVERYWHERE; i++)
        put_one(b, i, 1);
    report_all_works(b);
    turn(b);
    for (unsigned i = 0; i < WAITING + EVERYWHERE; i++)
        put_one(b, i, 2);
    settle(b);
    printf("rollouts_%u_rss %zu KiB\n", WAITING + EVERYWHERE, rss_kib());
    flap(b);
}

/* What an engine takes when its rollout is over, before it rests and then; and how long the loop is
 * held up when a cluster fails all the same, so that it is made again. */
static void rest(struct bench *b)
{
    double until = now_us() + 5e3 * REST_MS;
    size_t before = b->bytes;
    const struct fed_manifest *manifest;
    struct fed_report_entry entries[4];
    struct fed_report report = {.epoch = hub_plan_epoch(b->plan),
        .revision = b->revision[0],
        .seq = ++b->seq[0],
        .entries = entries};
    struct fed_diag diag = {""};
    char name[16];

    while (now_us() < until && b->bytes > before / 2)
        turn(b);
    printf("rollout_over_of_%zu %zu bytes\n", b->n, before);
    printf("rollout_rest_of_%zu %zu bytes\n", b->n, b->bytes);
    for (size_t w = 0; w < 4; w++)
        entries[w] = (struct fed_report_entry){.index = w,
            .state = FED_WORK_APPLIED,
            .health = FED_HEALTH_UNHEALTHY,
            .generation = b->revision[0]};
    cluster_name(0, name);
    check(hub_plan_manifest(b->plan, fed_span_text(name), &manifest), "manifest");
    report.n_entries = manifest->n_works;
    check(hub_status_report(b->status, fed_span_text(name), &report, &diag), diag.text);
    b->alone_us = 0;
    until = now_us() + 1e6;
    while (now_us() < until)
        turn(b);
    printf("rollout_rise_of_%zu %.2f ms\n", b->n, b->alone_us / 1e3);
    printf("rollout_risen_of_%zu %zu bytes\n", b->n, b->bytes);
}

/* The next change, of an object whose rollout has a row of every cluster. */
static void next_change(struct bench *b)
{
    double started = cpu_us();
    double until;

    put_map(b, 4);
    printf("rollout_next_of_%zu %.2f ms\n", b->n, (cpu_us() - started) / 1e3);
    b->worst_us = 0;
    for (until = now_us() + 2e6; now_us() < until;)
        turn(b);
    printf("rollout_next_longest_of_%zu %.2f ms\n", b->n, b->worst_us / 1e3);
}

int main(int argc, char **argv)
{
    static struct bench b;
    double started;

    if (argc < 2)
        return 2;
    the = &b;
    b.rest_ms = argc > 3 ? 0 : REST_MS;
    b.n = argc > 2 ? (size_t)atol(argv[2]) : 10000;
    b.seq = calloc(b.n, sizeof *b.seq);
    b.revision = calloc(b.n, sizeof *b.revision);
    if (!b.seq || !b.revision)
        return 1;
    open_world(&b, argv[1]);
    put_type(&b, "Namespace", "namespaces", "Cluster");
    put_type(&b, "ConfigMap", "configmaps", "Namespaced");
    put_clusters(&b);
    put(&b, "federatednamespaces.types.kubefed.io", "ns", "ns",
        "{\"metadata\":{\"name\":\"ns\",\"namespace\":\"ns\"},\"spec\":{\"placement\":{"
        "\"clusterSelector\":{}}}}");
    if (argc > 3) {
        many(&b);
        close_world(&b);
        return 0;
    }
    put_map(&b, 1);
    turn(&b);
    report_all(&b);
    b.report_us = 0;
    b.reports = 0;
    put_map(&b, 2);
    turn(&b);
    report_all(&b);
    say_report(&b, "report_without_rollout");
    put(&b, HUB_ROLLOUT_POLICIES, "ns", "p",
        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\"},\"spec\":{\"selector\":{},\"waves\":[{"
        "\"name\":\"all\",\"clusters\":{\"selector\":{}},\"maxConcurrency\":\"10%\"}]}}");
    turn(&b);
    started = now_us();
    put_map(&b, 3);
    printf("begin %.2f ms\n", (now_us() - started) / 1e3);
    b.worst_us = b.alone_us = 0;
    b.calls = 0;
    while (!is_complete(&b) && now_us() - started < 120e6) {
        turn(&b);
        report_all(&b);
    }
    printf("rollout_of_%zu %.0f ms\n", b.n, (now_us() - started) / 1e3);
    printf("steps_of_%zu %u steps\n", b.n, b.calls);
    printf("step_worst_of_%zu %.2f ms\n", b.n, b.alone_us / 1e3);
    printf("rollout_commit_longest %.2f ms\n", b.worst_us / 1e3);
    say_report(&b, "report_in_rollout");
    rest(&b);
    next_change(&b);
    close_world(&b);
    free(b.seq);
    free(b.revision);
    return 0;
}
