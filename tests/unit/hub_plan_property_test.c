/* hub_plan_property_test.c - whatever happened in whatever order, the plan that was kept up to date
 * change by change is the one that a start computes from nothing: every cluster keeps its revision,
 * which it does exactly when its manifest has the same digest. Some objects are governed: their
 * clusters get versions by answers that change as they like (hub/plan/gates.h).
 *
 * SEED=N runs another history; the one that a build is judged by is always the same. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define W_POLICIES "placementpolicies.fedlet.io"
#define CLUSTERS 6u
#define STEPS 500u
#define COMPARE_EVERY 8u

static uint32_t seed;
static char history[STEPS][700];
static size_t n_history;

static uint32_t below(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static const char *one_of(const char *const *texts, size_t n)
{
    return texts[below((uint32_t)n)];
}
#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){__VA_ARGS__},                                                     \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void note(const char *what, const char *name)
{
    snprintf(history[n_history++], sizeof history[0], "%.40s %.600s", what, name);
}

/* ---- what happens ---- */

static const char *selector(void)
{
    return ONE_OF("{}", "{'matchLabels':{'zone':'a'}}", "{'matchLabels':{'tier':'x'}}",
        "{'matchExpressions':[{'key':'zone','operator':'Exists'}]}",
        "{'matchExpressions':[{'key':'tier','operator':'NotIn','values':['x']}]}");
}

static const char *cluster(void)
{
    static char name[8];

    snprintf(name, sizeof name, "c%u", below(CLUSTERS));
    return name;
}

static const char *placement(void)
{
    static char text[256];

    switch (below(4)) {
    case 0:
        return ONE_OF("{}", "{'clusters':[]}");
    case 1:
        snprintf(text, sizeof text, "{'clusters':[{'name':'c%u'},{'name':'c%u'}]}", below(CLUSTERS),
            below(CLUSTERS));
        return text;
    default:
        snprintf(text, sizeof text, "{'clusterSelector':%s}", selector());
        return text;
    }
}

/* Always of a kind that fits the template: what does not fit keeps its last version, which a start
 * does not know. */
static const char *overrides(void)
{
    static char text[1024];
    size_t len = 0;
    bool named = false;

    text[0] = '\0';
    for (uint32_t i = below(4); i > 0; i--) {
        bool by_name = !named && below(3) == 0;

        len += (size_t)snprintf(text + len, sizeof text - len, "%s{", len ? "," : "");
        if (by_name)
            len += (size_t)snprintf(text + len, sizeof text - len, "'clusterName':'%s'", cluster());
        else
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "'clusterSelector':%s", selector());
        named = named || by_name;
        len += (size_t)snprintf(text + len, sizeof text - len,
            ",'clusterOverrides':[{'path':'/data/k%u','value':'%u'}]}", below(2), below(3));
    }
    return text;
}

static void change_cluster(struct hub_world *w)
{
    const char *name = cluster();

    note("cluster", name);
    if (below(6) == 0) {
        struct hub_object_ref ref = {
            fed_span_text(W_CLUSTERS), fed_span_text(W_SYSTEM), fed_span_text(name)};
        struct fed_buf bytes;

        fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
        if (hub_objects_get(w->objects, &ref, &bytes, NULL) == FED_OK)
            hub_world_remove(w, W_CLUSTERS, W_SYSTEM, name);
        fed_buf_fini(&bytes);
        return;
    }
    hub_world_cluster(w, name,
        ONE_OF("{}", "{'zone':'a'}", "{'zone':'b'}", "{'zone':'a','tier':'x'}", "{'tier':'x'}"));
}

static void put_or_remove(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json)
{
    struct hub_object_ref ref = {fed_span_text(resource), fed_span_text(ns), fed_span_text(name)};
    struct fed_buf bytes;
    bool there;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    there = hub_objects_get(w->objects, &ref, &bytes, NULL) == FED_OK;
    fed_buf_fini(&bytes);
    if (there && below(5) == 0) {
        note(resource, name);
        hub_world_remove(w, resource, ns, name);
    } else {
        note(resource, json);
        hub_world_put(w, resource, ns, name, json);
    }
}

static void change_namespace(struct hub_world *w)
{
    const char *name = ONE_OF("n0", "n1");
    char json[512];

    snprintf(json, sizeof json, "{'metadata':{'name':'%s','labels':%s}}", name,
        ONE_OF("{}", "{'federated':'true'}", "{'team':'x'}", "{'federated':'true','team':'x'}"));
    put_or_remove(w, "namespaces", "", name, json);
}

static void change_federated_namespace(struct hub_world *w)
{
    const char *name = ONE_OF("n0", "n1");
    char json[1024];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'%s'},'spec':{'placement':%s}}", name, name,
        placement());
    put_or_remove(w, W_NAMESPACES, name, name, json);
}

static void change_map(struct hub_world *w)
{
    const char *ns = ONE_OF("n0", "n1");
    const char *name = ONE_OF("m0", "m1", "m2");
    char json[4096];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'%s'%s},'spec':{'template':{'data':{'k':'%u'}},"
        "'placement':%s,'overrides':[%s]}}",
        name, ns, below(4) ? "" : ",'annotations':{'fedlet.io/placement-policies':'p0,p2'}",
        below(3), placement(), overrides());
    put_or_remove(w, W_CONFIGMAPS, ns, name, json);
}

static void change_role(struct hub_world *w)
{
    char json[1024];

    snprintf(json, sizeof json, "{'metadata':{'name':'r'},'spec':{'placement':%s}}", placement());
    put_or_remove(w, W_CLUSTERROLES, "", "r", json);
}

static void change_policy(struct hub_world *w)
{
    const char *name = ONE_OF("p0", "p1", "p2");
    char clusters[256];
    char json[2048];

    if (below(2))
        snprintf(clusters, sizeof clusters, "{'selector':%s}", selector());
    else
        snprintf(clusters, sizeof clusters, "{'names':['%s']}", cluster());
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s'},'spec':{'effect':'%s','clusters':%s%s%s%s,'deletionBudget':{"
        "'removals':%s,'period':'24h'}}}",
        name, ONE_OF("Deny", "Deny", "Allow"), clusters,
        ONE_OF("", ",'namespaces':['n0']", ",'namespaceSelector':{'matchLabels':{'team':'x'}}"),
        ONE_OF("", ",'kinds':[{'kind':'ConfigMap'}]", ",'kinds':[{'kind':'Namespace'}]"),
        ONE_OF("", "", ",'subjects':[{'kind':'User','name':'ana'}]"),
        ONE_OF("0", "1", "3", "'50%'", "'100%'"));
    put_or_remove(w, W_POLICIES, "", name, json);
}

/* What was removed is gone from the member, or not yet. */
static void confirm(struct hub_world *w)
{
    const char *name = cluster();
    const struct fed_manifest *manifest;

    note("confirm", name);
    if (hub_plan_manifest(w->plan, fed_span_text(name), &manifest) == FED_OK)
        hub_plan_removed(w->plan, fed_span_text(name), manifest->revision, NULL, 0);
    hub_world_settle(w);
}

/* ---- versions ---- */

#define NAMESPACES 2u
#define MAPS 3u
#define VERSIONS 4u
#define ANSWERS (VERSIONS + 2u) /* a version, the latest, nothing */

static struct {
    bool governed[NAMESPACES][MAPS];
    uint8_t answers[NAMESPACES][MAPS][CLUSTERS];
    char versions[VERSIONS][2048];
} gate;

/* false: none of the maps. */
static bool which(const struct hub_object_ref *ref, size_t *ns, size_t *map)
{
    if (!fed_span_is(ref->resource, W_CONFIGMAPS))
        return false;
    *ns = ref->ns.at[1] - '0';
    *map = ref->name.at[1] - '0';
    return true;
}

static enum fed_err taken(void *ctx, const struct hub_object_ref *ref, struct fed_span bytes,
    enum hub_gate_taking why, bool *governed)
{
    size_t ns;
    size_t map;

    (void)ctx;
    (void)bytes;
    (void)why;
    if (which(ref, &ns, &map))
        *governed = gate.governed[ns][map];
    return FED_OK;
}

static enum hub_gate_answer choose(void *ctx, const struct hub_object_ref *ref,
    struct fed_span name, const struct fed_json *labels, struct hub_gate_choice *out)
{
    size_t ns;
    size_t map;
    uint8_t answer;

    (void)ctx;
    (void)labels;
    assert_true(which(ref, &ns, &map) && gate.governed[ns][map]);
    answer = gate.answers[ns][map][name.at[1] - '0'];
    memset(&out->digest, answer, sizeof out->digest);
    return answer < VERSIONS    ? HUB_GATE_VERSION
           : answer == VERSIONS ? HUB_GATE_LATEST
                                : HUB_GATE_NOTHING;
}

static enum fed_err content(void *ctx, const struct hub_object_ref *ref,
    const struct fed_digest *digest, struct fed_buf *out)
{
    (void)ctx;
    (void)ref;
    fed_buf_put_text(out, gate.versions[digest->bytes[0]]);
    return fed_buf_err(out);
}

static void why(
    void *ctx, const struct hub_object_ref *ref, struct fed_span name, struct fed_buf *out)
{
    (void)ctx;
    (void)ref;
    fed_buf_put(out, name);
}

static const struct hub_gates gates = {
    .taken = taken, .choose = choose, .content = content, .why = why};

static void make_versions(void)
{
    memset(&gate, 0, sizeof gate);
    for (size_t i = 0; i < VERSIONS; i++) {
        char *at = gate.versions[i];

        snprintf(at, sizeof gate.versions[i],
            "{'spec':{'template':{'data':{'k':'v%zu'}},'placement':%s,'overrides':[%s]}}", i,
            placement(), overrides());
        for (; *at; at++)
            *at = *at == '\'' ? '"' : *at;
    }
}

static void change_answers(struct hub_world *w)
{
    char texts[3][8];
    struct fed_span names[3];
    size_t ns = below(NAMESPACES);
    size_t map = below(MAPS);
    struct hub_object_ref ref = {.resource = fed_span_text(W_CONFIGMAPS),
        .ns = fed_span_text(ns ? "n1" : "n0"),
        .name = fed_span_text(map == 0   ? "m0"
                              : map == 1 ? "m1"
                                         : "m2")};
    uint32_t kind = below(6);

    note("answers", (char[]){(char)('0' + ns), (char)('0' + map), (char)('0' + kind), '\0'});
    if (kind == 0) {
        gate.governed[ns][map] = !gate.governed[ns][map];
        assert_int_equal(hub_plan_govern(w->plan, &ref, gate.governed[ns][map]), FED_OK);
    } else if (kind == 1) {
        memset(gate.answers[ns][map], (int)below(ANSWERS), CLUSTERS);
        assert_int_equal(hub_plan_regate(w->plan, &ref, NULL, 0), FED_OK);
    } else {
        for (size_t i = 0; i < 3; i++) {
            snprintf(texts[i], sizeof texts[i], "%s", cluster());
            names[i] = fed_span_text(texts[i]);
            gate.answers[ns][map][texts[i][1] - '0'] = (uint8_t)below(ANSWERS);
        }
        assert_int_equal(hub_plan_regate(w->plan, &ref, names, 3), FED_OK);
    }
    hub_world_settle(w);
}

static void step(struct hub_world *w)
{
    static void (*const changes[])(struct hub_world *) = {change_cluster, change_cluster,
        change_namespace, change_federated_namespace, change_map, change_map, change_map,
        change_role, change_policy, confirm, change_answers, change_answers, change_answers};

    changes[below(sizeof changes / sizeof changes[0])](w);
}

/* ---- what is compared ---- */

struct picture {
    uint64_t revisions[CLUSTERS];
    char works[CLUSTERS][1024];
};

static void look(struct hub_world *w, struct picture *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < CLUSTERS; i++) {
        const struct fed_manifest *manifest;
        char name[8];

        snprintf(name, sizeof name, "c%u", i);
        snprintf(out->works[i], sizeof out->works[i], "%s", hub_world_works(w, name));
        if (hub_plan_manifest(w->plan, fed_span_text(name), &manifest) == FED_OK)
            out->revisions[i] = manifest->revision;
    }
}

static void compare(struct hub_world *w, uint32_t first_seed)
{
    struct picture before;
    struct picture after;

    look(w, &before);
    hub_world_restart(w);
    look(w, &after);
    for (unsigned i = 0; i < CLUSTERS; i++) {
        if (before.revisions[i] == after.revisions[i])
            continue;
        for (size_t at = n_history < 30 ? 0 : n_history - 30; at < n_history; at++)
            print_error("  %s\n", history[at]);
        fail_msg("seed %u, step %zu, cluster c%u: kept up to date\n  %s\nfrom nothing\n  %s",
            first_seed, n_history, i, before.works[i], after.works[i]);
    }
}

static void test_kept_up_to_date_is_from_nothing(void **state)
{
    static struct hub_world w;
    const char *wanted = getenv("SEED");
    uint32_t first_seed = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : 1;

    (void)state;
    seed = first_seed;
    n_history = 0;
    hub_world_open(&w);
    make_versions();
    w.gates = &gates;
    hub_world_restart(&w);
    hub_world_types(&w);
    for (size_t i = 1; i <= STEPS; i++) {
        step(&w);
        if (i % COMPARE_EVERY == 0)
            compare(&w, first_seed);
    }
    hub_world_close(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_up_to_date_is_from_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
