/* plan_bench DIR - how long the plan takes, alone: a real store in DIR, no network.
 *
 * A store is filled behind the plan's back, the plan starts on it from nothing, and then single
 * changes go through it as the hub's writes do. What the store itself needs to record the result
 * is measured beside it, inside its calls. Prints "NAME VALUE UNIT" lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/plan/gates.h"
#include "hub/plan/plan.h"
#include "ports/crypto.h"

#define CONFIGMAPS "federatedconfigmaps.types.kubefed.io"
#define NAMESPACES "federatednamespaces.types.kubefed.io"
#define CLUSTERS "kubefedclusters.core.kubefed.io"
#define TYPES "federatedtypeconfigs.core.kubefed.io"
#define SYSTEM "kube-federation-system"
#define BATCH 500u
#define ROUNDS 11u

struct bench {
    char path[512];
    size_t n_clusters;
    size_t n_objects;
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_sqlite_store *sqlite;
    struct fed_store port;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_gates gates;
    struct fed_alloc mem;
    size_t bytes; /* allocated by the plan */
    double store_us;
    bool governed;   /* what is written from now on */
    size_t released; /* clusters, from the first, that have the latest version of it */
};

static struct bench *the; /* the store's calls have the store's context */

static void check(enum fed_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "plan_bench: %s: %s\n", what, fed_err_text(err));
        exit(1);
    }
}

static double now_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

/* ---- memory of the plan, as it asks for it ---- */

static void *resize(void *ctx, void *at, size_t old_size, size_t new_size)
{
    struct bench *b = ctx;
    struct fed_alloc *system = fed_alloc_system();
    void *next = system->resize(system->ctx, at, old_size, new_size);

    if (next || new_size == 0)
        b->bytes += new_size - old_size;
    return next;
}

/* ---- the store, with a clock ---- */

static struct fed_store *real_store(void)
{
    return fed_sqlite_store_port(the->sqlite);
}

static enum fed_err timed_stage(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    double before = now_us();
    enum fed_err err = real_store()->stage(ctx, compares, n_compares, ops, n_ops, revision, diag);

    the->store_us += now_us() - before;
    return err;
}

static enum fed_err timed_flush(void *ctx, struct fed_diag *diag)
{
    double before = now_us();
    enum fed_err err = real_store()->flush(ctx, diag);

    the->store_us += now_us() - before;
    return err;
}

/* ---- a rollout, of one earlier version ---- */

static enum fed_err taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed)
{
    const struct bench *b = ctx;

    (void)ref;
    (void)bytes;
    (void)why;
    *governed = b->governed;
    return FED_OK;
}

static enum hub_gate_answer choose(void *ctx, const struct hub_object_ref *ref,
    struct fed_span cluster, const struct fed_json *labels, struct hub_gate_choice *out)
{
    const struct bench *b = ctx;

    (void)ref;
    (void)labels;
    out->digest = (struct fed_digest){{1}};
    return strtoul((const char *)cluster.at + sizeof "edge", NULL, 10) < b->released
               ? HUB_GATE_LATEST
               : HUB_GATE_VERSION;
}

static enum fed_err content(void *ctx, const struct hub_object_ref *ref,
    const struct fed_digest *digest, struct fed_buf *out)
{
    (void)ctx;
    (void)digest;
    fed_buf_printf(out,
        "{\"spec\":{\"template\":{\"data\":{\"k\":\"before\",\"of\":\"" FED_SPAN_FMT
        "\"}},\"placement\":{\"clusterSelector\":{}}}}",
        FED_SPAN_ARG(ref->name));
    return fed_buf_err(out);
}

static void why(
    void *ctx, const struct hub_object_ref *ref, struct fed_span cluster, struct fed_buf *out)
{
    (void)ctx;
    (void)ref;
    fed_buf_printf(out, "the wave of " FED_SPAN_FMT " has not begun", FED_SPAN_ARG(cluster));
}

/* ---- the world ---- */

static void open_store(struct bench *b)
{
    struct fed_sqlite_options options = {
        .history = true, .application_id = 1, .new_epoch = 1, .cache_kib = 8192};
    struct fed_diag diag = {""};

    check(fed_sqlite_store_open(fed_alloc_system(), b->path, &options, &b->sqlite, &diag), "store");
    b->port = *fed_sqlite_store_port(b->sqlite);
    b->port.stage = timed_stage;
    b->port.flush = timed_flush;
    check(hub_objects_open(fed_alloc_system(), b->loop, &b->port, &b->objects, &diag), "objects");
}

static void open_all(struct bench *b)
{
    struct fed_diag diag = {""};

    the = b;
    check(fed_linux_loop_open(fed_alloc_system(), &b->linux_loop, &diag), "loop");
    b->loop = fed_linux_loop_port(b->linux_loop);
    open_store(b);
}

static void close_all(struct bench *b)
{
    hub_plan_close(b->plan);
    hub_objects_close(b->objects);
    fed_sqlite_store_close(b->sqlite);
    fed_linux_loop_close(b->linux_loop);
    remove(b->path);
    *b = (struct bench){.n_clusters = 0};
}

static struct hub_object_write write_of(
    const char *resource, const char *ns, const char *name, struct fed_span bytes)
{
    return (struct hub_object_write){
        .ref = {fed_span_text(resource), fed_span_text(ns), fed_span_text(name)},
        .bytes = bytes,
        .expected = HUB_ANY_REVISION};
}

/* As the API does: staged, and the flush at the end of the turn. */
static void put(struct bench *b, const char *resource, const char *ns, const char *name,
    const char *format, const char *a, const char *c)
{
    struct hub_object_write write;
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    fed_buf_printf(&text, format, a, c);
    for (size_t i = 0; i < text.len; i++)
        text.at[i] = text.at[i] == '\'' ? '"' : text.at[i];
    write = write_of(resource, ns, name, fed_buf_span(&text));
    check(hub_objects_stage(b->objects, &write, 1, NULL, 0, NULL, NULL), name);
    fed_buf_fini(&text);
}

static void flush(struct bench *b)
{
    check(hub_objects_flush(b->objects, NULL), "flush");
}

static void put_cluster(struct bench *b, size_t i, const char *zone)
{
    char name[32];

    snprintf(name, sizeof name, "edge-%05zu", i);
    put(b, CLUSTERS, SYSTEM, name,
        "{'metadata':{'name':'%s','labels':{'tier':'web','zone':'%s'}},'spec':{}}", name, zone);
}

static void put_object(struct bench *b, size_t i, const char *value, const char *selector)
{
    char name[32];
    struct fed_buf format;

    snprintf(name, sizeof name, "map-%05zu", i);
    fed_buf_init(&format, fed_alloc_system(), 1u << 20);
    fed_buf_printf(&format,
        "{'metadata':{'name':'%%s','namespace':'shop'},'spec':{'template':{'data':{'k':'%%s',"
        "'of':'%s'}},'placement':{'clusterSelector':%s}}}",
        name, selector);
    put(b, CONFIGMAPS, "shop", name, fed_buf_cstr(&format), name, value);
    fed_buf_fini(&format);
}

static void put_types(struct bench *b)
{
    static const char type[] =
        "{'metadata':{'name':'%1$s'},'spec':{'propagation':'Enabled','targetType':{'group':'',"
        "'version':'v1','kind':'%2$s','pluralName':'%1$s','scope':'Namespaced'},'federatedType':{"
        "'group':'types.kubefed.io','version':'v1beta1','kind':'Federated%2$s','pluralName':"
        "'federated%1$s','scope':'Namespaced'}}}";

    put(b, TYPES, SYSTEM, "configmaps", type, "configmaps", "ConfigMap");
    put(b, TYPES, SYSTEM, "namespaces", type, "namespaces", "Namespace");
    put(b, NAMESPACES, "shop", "shop",
        "{'metadata':{'name':'%s','namespace':'%s'},'spec':{'placement':{'clusterSelector':{}}}}",
        "shop", "shop");
}

/* In every hundredth object a selector looks at the zone. */
static void fill(struct bench *b)
{
    put_types(b);
    for (size_t i = 0; i < b->n_clusters; i++) {
        put_cluster(b, i, i % 2 ? "odd" : "even");
        if (i % BATCH == 0)
            flush(b);
    }
    for (size_t i = 0; i < b->n_objects; i++) {
        put_object(b, i, "v", i % 100 ? "{}" : "{'matchLabels':{'zone':'odd'}}");
        if (i % BATCH == 0)
            flush(b);
    }
    flush(b);
}

static void start_plan(struct bench *b)
{
    struct fed_diag diag = {""};

    b->mem = (struct fed_alloc){.ctx = b, .resize = resize};
    b->gates = (struct hub_gates){
        .ctx = b, .taken = taken, .choose = choose, .content = content, .why = why};
    b->store_us = 0;
    check(hub_plan_open(&b->mem, b->loop, NULL, b->objects, NULL, &b->gates, &b->plan, &diag),
        diag.text);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

/* ---- figures ---- */

static void from_nothing(struct bench *b)
{
    struct hub_plan_counts counts;
    double before = now_us();
    double spent;

    start_plan(b);
    spent = now_us() - before;
    hub_plan_counts(b->plan, &counts);
    printf("plan_full_%zux%zu %.0f ms\n", b->n_objects, b->n_clusters, spent / 1e3);
    printf("plan_full_pairs_%zux%zu %zu pairs\n", b->n_objects, b->n_clusters, counts.pairs);
    printf("plan_bytes_per_pair_%zux%zu %.1f bytes\n", b->n_objects, b->n_clusters,
        (double)b->bytes / (double)counts.pairs);
}

/* One change of one template that all clusters have. */
static void one_change(struct bench *b, const char *name)
{
    double plans[ROUNDS];
    double wholes[ROUNDS];
    char value[16];

    for (size_t i = 0; i < ROUNDS; i++) {
        double before;

        snprintf(value, sizeof value, "w%zu", i);
        put_object(b, 1, value, "{}");
        b->store_us = 0;
        before = now_us();
        flush(b);
        wholes[i] = now_us() - before;
        plans[i] = wholes[i] - b->store_us;
    }
    printf("%s %.1f ms\n", name, median(plans, ROUNDS) / 1e3);
    printf("%s_recorded %.1f ms\n", name, median(wholes, ROUNDS) / 1e3);
}

/* One cluster changes its zone, which few objects ask for. */
static void one_label(struct bench *b)
{
    double times[ROUNDS];
    struct hub_plan_counts counts[2];

    hub_plan_counts(b->plan, &counts[0]);
    for (size_t i = 0; i < ROUNDS; i++) {
        double before;

        put_cluster(b, 7, i % 2 ? "odd" : "even");
        before = now_us();
        flush(b);
        times[i] = now_us() - before;
    }
    hub_plan_counts(b->plan, &counts[1]);
    printf("plan_label_change %.2f ms\n", median(times, ROUNDS) / 1e3);
    printf("plan_label_pairs %llu pairs\n",
        (unsigned long long)(counts[1].computed - counts[0].computed) / ROUNDS);
}

/* A policy that forbids one cluster to every object, none of which is removed at once. */
static void one_policy(struct bench *b)
{
    double before;

    put(b, "placementpolicies.fedlet.io", "", "away",
        "{'metadata':{'name':'away'},'spec':{'effect':'Deny','clusters':{'names':['%s']},"
        "'deletionBudget':{'removals':%s}}}",
        "edge-00007", "0");
    before = now_us();
    flush(b);
    printf("plan_policy_%zux%zu %.0f ms\n", b->n_objects, b->n_clusters, (now_us() - before) / 1e3);
}

static bool count_same(void *ctx, const struct hub_gated *gated)
{
    size_t *same = ctx;

    *same += gated->same;
    return true;
}

/* Waves of a hundred clusters each: what the plan has to do with a turn, and who has what. */
static void one_rollout(struct bench *b)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT(CONFIGMAPS), FED_SPAN_LIT("shop"), FED_SPAN_LIT("map-00001")};
    char names[100][16];
    struct fed_span wave[100];
    double turns[ROUNDS];
    double asks[ROUNDS];

    put_object(b, 1, "before", "{}");
    flush(b);
    b->governed = true;
    put_object(b, 1, "after", "{}");
    flush(b);
    for (size_t i = 0; i < ROUNDS; i++) {
        double before;
        size_t same = 0;

        for (size_t k = 0; k < 100; k++) {
            snprintf(names[k], sizeof names[k], "edge-%05zu", b->released + k);
            wave[k] = fed_span_text(names[k]);
        }
        b->released += 100;
        b->store_us = 0;
        before = now_us();
        check(hub_plan_regate(b->plan, &ref, wave, 100), "regate");
        flush(b);
        turns[i] = now_us() - before - b->store_us;
        before = now_us();
        check(hub_plan_gated(b->plan, &ref, count_same, &same), "gated");
        asks[i] = now_us() - before;
        if (same != b->released)
            check(FED_ERR_CORRUPT, "a turn");
    }
    printf("plan_turn_100_of_%zu %.2f ms\n", b->n_clusters, median(turns, ROUNDS) / 1e3);
    printf("plan_gated_%zu %.2f ms\n", b->n_clusters, median(asks, ROUNDS) / 1e3);
}

static void world(struct bench *b, const char *dir, size_t n_objects, size_t n_clusters)
{
    snprintf(b->path, sizeof b->path, "%s/plan_bench.db", dir);
    remove(b->path);
    b->n_objects = n_objects;
    b->n_clusters = n_clusters;
    open_all(b);
    fill(b);
    from_nothing(b);
}

int main(int argc, char **argv)
{
    static struct bench b;

    if (argc != 2) {
        fprintf(stderr, "usage: plan_bench DIR\n");
        return 2;
    }
    world(&b, argv[1], 1000, 1000);
    one_label(&b);
    one_change(&b, "plan_change_1000");
    one_policy(&b);
    close_all(&b);
    world(&b, argv[1], 10, 10000);
    one_change(&b, "plan_change_10000");
    one_rollout(&b);
    close_all(&b);
    return 0;
}
