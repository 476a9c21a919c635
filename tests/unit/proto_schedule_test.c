/* The replica planner: KubeFed's numbers, refusals, and a slow second opinion. */
#include "proto/schedule/preferences.h"
#include "tests/unit/proto_schedule_vectors.h"
#include "tests/unit/proto_test.h"

#include <stdlib.h>
#include <time.h>

struct asked {
    struct fed_arena arena;
    struct fed_json_doc *doc;
    struct fed_replicas_question question;
    struct fed_buf answer;
    struct fed_diag diag;
    enum fed_err err;
};

/* The question may be written with ' for ". */
static void ask(struct asked *a, const char *question)
{
    size_t len = strlen(question);
    char *text;

    *a = (struct asked){0};
    fed_arena_init(&a->arena, fed_alloc_system(), 64u << 20);
    fed_buf_init(&a->answer, fed_alloc_system(), 1u << 20);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &a->doc), FED_OK);
    text = fed_alloc_get(&a->arena.alloc, len + 1);
    assert_non_null(text);
    for (size_t i = 0; i <= len; i++)
        text[i] = question[i] == '\'' ? '"' : question[i];
    a->err =
        fed_replicas_question_read(&a->arena, a->doc, fed_span_text(text), &a->question, &a->diag);
    if (!a->err)
        a->err = fed_replicas_plan(fed_alloc_system(), a->question.key, a->question.total,
            a->question.rebalance, a->question.clusters, a->question.n, &a->diag);
    if (!a->err)
        a->err = fed_replicas_answer_put(&a->answer, a->doc, &a->question);
}

static void ask_end(struct asked *a)
{
    fed_buf_fini(&a->answer);
    fed_json_doc_free(a->doc);
    fed_arena_fini(&a->arena);
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char expected[400];
        struct asked a;

        snprintf(expected, sizeof expected, "%s", vectors[i].answer);
        for (char *c = expected; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        ask(&a, vectors[i].question);
        if (a.err)
            fail_msg("%s: %s", vectors[i].name, a.diag.text);
        if (!fed_span_is(fed_buf_span(&a.answer), expected))
            fail_msg("%s: %s\n gives %s\n not %s", vectors[i].name, vectors[i].question,
                fed_buf_cstr(&a.answer), expected);
        ask_end(&a);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *question;
        const char *says;
    } cases[] = {
        {"", "empty text"},
        {"[]", "not a JSON object"},
        {"{'clusters':['A']}", "totalReplicas: a number is required"},
        {"{'totalReplicas':1}", "clusters: a list of names is required"},
        {"{'clusters':['A'],'totalReplicas':-1}", "totalReplicas: below 0"},
        {"{'clusters':['A'],'totalReplicas':2147483648}",
            "totalReplicas is 2147483648, not in 0 to 2147483647"},
        {"{'clusters':['A'],'totalReplicas':1.5}", "totalReplicas: not an integer of 64 bits"},
        {"{'clusters':['A'],'totalReplicas':'1'}", "totalReplicas: not an integer of 64 bits"},
        {"{'clusters':['A'],'totalReplicas':9223372036854775808}", "not an integer of 64 bits"},
        {"{'clusters':['A','A'],'totalReplicas':1}", "cluster A is named twice"},
        {"{'clusters':['A',''],'totalReplicas':1}", "clusters[1]: not a name"},
        {"{'clusters':[1],'totalReplicas':1}", "clusters[0]: not a name"},
        {"{'clusters':[],'totalReplicas':1,'key':1}", "key: not a string"},
        {"{'clusters':[],'totalReplicas':1,'rebalance':'no'}", "rebalance: neither true nor false"},
        {"{'clusters':[],'totalReplicas':1,'replicas':1}", "unknown field \"replicas\""},
        {"{'clusters':[],'totalReplicas':1,'totalReplicas':2}", "totalReplicas stands twice"},
        {"{'clusters':[],'totalReplicas':1,'preferences':[]}", "preferences: not an object"},
        {"{'clusters':[],'totalReplicas':1,'preferences':{'A':1}}",
            "preferences: A: not an object"},
        {"{'clusters':[],'totalReplicas':1,'preferences':{'A':{'wieght':1}}}",
            "preferences: A: unknown field \"wieght\""},
        {"{'clusters':[],'totalReplicas':1,'preferences':{'A':{'weight':-1}}}",
            "preferences: A: weight: below 0"},
        {"{'clusters':[],'totalReplicas':1,'current':{'A':-1}}", "current: A: number: below 0"},
        {"{'clusters':[],'totalReplicas':1,'capacity':{'A':null}}", "capacity: A: not an integer"},
        {"{'clusters':[],'totalReplicas':1,'capacity':3}", "capacity: not an object"},
        {"{'clusters':['A','B'],'totalReplicas':2,'preferences':{'*':{'weight':"
         "9223372036854775807}}}",
            "the weights add up to more than 64 bits hold"},
        {"{'clusters':['A'],'totalReplicas':2147483647,'preferences':{'*':{'weight':4611686018}}}",
            "weight 4611686018 is too large for 2147483647 replicas"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asked a;

        ask(&a, cases[i].question);
        if (!a.err || !strstr(a.diag.text, cases[i].says))
            fail_msg("%s: %s, expected %s", cases[i].question, a.diag.text, cases[i].says);
        ask_end(&a);
    }
}

/* Numbers of clusters that are not in the list count for nothing; null is absent. */
static void test_absent(void **state)
{
    struct asked a;

    (void)state;
    ask(&a, "{'key':null,'clusters':['A'],'totalReplicas':3,'rebalance':null,'preferences':null,"
            "'current':{'B':9},'capacity':null}");
    assert_int_equal(a.err, FED_OK);
    assert_span(fed_buf_span(&a.answer), "{\"plan\":{\"A\":3},\"overflow\":{}}");
    ask_end(&a);
    ask(&a, "{'clusters':['A'],'totalReplicas':3,'preferences':{'*':{'weight':1,'maxReplicas':null,"
            "'minReplicas':null}},'capacity':{'A':1,'B':0}}");
    assert_int_equal(a.err, FED_OK);
    assert_span(fed_buf_span(&a.answer), "{\"plan\":{\"A\":1},\"overflow\":{\"A\":2}}");
    ask_end(&a);
}

static void test_hash(void **state)
{
    (void)state;
    /* FNV-1 of "", "a" and "foobar" (draft-eastlake-fnv, appendix C). */
    assert_int_equal(fed_replicas_hash(TEXT(""), TEXT("")), 0x811c9dc5u);
    assert_int_equal(fed_replicas_hash(TEXT("a"), TEXT("")), 0x050c5d7eu);
    assert_int_equal(fed_replicas_hash(TEXT("foo"), TEXT("bar")), 0x31f0b262u);
}

/* ---- a second opinion, as KubeFed's text describes it: slow, and written from that alone ---- */

#define OPINION_MAX 12

struct opinion {
    const struct fed_replicas_cluster *of;
    int64_t plan, kept, overflow;
    bool out;
};

static uint32_t slow_hash(struct fed_span name, const char *key)
{
    uint64_t h = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        h = (h * 16777619u & 0xffffffffu) ^ name.at[i];
    for (; *key; key++)
        h = (h * 16777619u & 0xffffffffu) ^ (unsigned char)*key;
    return (uint32_t)h;
}

static bool goes_before(const struct opinion *a, const struct opinion *b, const char *key)
{
    uint32_t ha = slow_hash(a->of->name, key);
    uint32_t hb = slow_hash(b->of->name, key);

    if (a->of->preference->weight != b->of->preference->weight)
        return a->of->preference->weight > b->of->preference->weight;
    return ha != hb ? ha < hb : fed_span_cmp(a->of->name, b->of->name) < 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t slow_plan(const struct fed_replicas_cluster *clusters, size_t n, int64_t total,
    bool rebalance, const char *key, struct opinion out[OPINION_MAX])
{
    int64_t left = total;
    size_t m = 0;
    bool again = true;

    for (size_t i = 0; i < n; i++) {
        struct opinion o = {.of = &clusters[i]};
        size_t at = m;

        if (!clusters[i].preference)
            continue;
        for (; at > 0 && goes_before(&o, &out[at - 1], key); at--)
            out[at] = out[at - 1];
        out[at] = o;
        m++;
    }
    for (size_t i = 0; i < m; i++) {
        out[i].plan = least(out[i].of->preference->min, left);
        if (out[i].of->capacity >= 0)
            out[i].plan = least(out[i].plan, out[i].of->capacity);
        left -= out[i].plan;
    }
    for (size_t i = 0; i < m && !rebalance; i++) {
        int64_t goal = out[i].of->current;

        if (goal <= out[i].plan)
            continue;
        goal = least(goal, out[i].of->preference->max);
        if (out[i].of->capacity >= 0)
            goal = least(goal, out[i].of->capacity);
        goal = least(goal - out[i].plan, left);
        if (goal > 0) {
            left -= goal;
            out[i].kept = goal;
            out[i].plan += goal;
        }
    }
    while (again && left > 0) {
        int64_t sum = 0;
        int64_t pot = left;
        bool closing[OPINION_MAX] = {false};

        again = false;
        for (size_t i = 0; i < m; i++)
            sum += out[i].out ? 0 : out[i].of->preference->weight;
        for (size_t i = 0; i < m && sum > 0; i++) {
            int64_t more;
            int64_t used;
            int64_t goal;

            if (out[i].out)
                continue;
            more = pot * out[i].of->preference->weight / sum;
            if (more * sum < pot * out[i].of->preference->weight)
                more++;
            more = least(more, left);
            used = least(more, out[i].kept);
            out[i].kept -= used;
            goal = out[i].plan + more - used;
            if (goal > out[i].of->preference->max) {
                goal = out[i].of->preference->max;
                closing[i] = true;
            }
            if (out[i].of->capacity >= 0 && goal > out[i].of->capacity) {
                out[i].overflow = goal - out[i].of->capacity;
                goal = out[i].of->capacity;
                closing[i] = true;
            }
            again = again || used > 0 || goal > out[i].plan;
            left -= goal - out[i].plan;
            out[i].plan = goal;
        }
        for (size_t i = 0; i < m; i++)
            out[i].out = out[i].out || closing[i];
    }
    for (size_t i = 0; i < m && !rebalance; i++)
        out[i].overflow = least(out[i].overflow, left) > 0 ? least(out[i].overflow, left) : 0;
    return m;
}

static uint64_t random_state;

static uint64_t below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

/* Mostly small numbers, so that edges meet; now and then large ones. */
static int64_t some_number(int64_t large)
{
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return (int64_t)below((uint64_t)large);
    default:
        return (int64_t)below(20);
    }
}

static void one_round(uint64_t seed)
{
    struct fed_replicas_preference preferences[OPINION_MAX];
    struct fed_replicas_cluster clusters[OPINION_MAX];
    struct opinion opinions[OPINION_MAX];
    struct fed_diag diag = {""};
    char names[OPINION_MAX][40];
    size_t n = below(OPINION_MAX + 1);
    int64_t total = below(4) ? (int64_t)below(100) : (int64_t)below(2147483648u);
    bool rebalance = below(2);
    char key[32];
    size_t m;

    snprintf(key, sizeof key, "ns-%u/web", (unsigned)below(1000));
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "c%u-%zu", (unsigned)below(50), i);
        preferences[i] = (struct fed_replicas_preference){.min = some_number(1000000),
            .max = below(3) ? FED_REPLICAS_UNBOUNDED : some_number(1000000),
            .weight = some_number(1000000)};
        clusters[i] = (struct fed_replicas_cluster){.name = fed_span_text(names[i]),
            .preference = below(6) ? &preferences[i] : NULL,
            .current = some_number(1000000),
            .capacity = below(3) ? -1 : some_number(1000000)};
    }
    assert_int_equal(fed_replicas_plan(fed_alloc_system(), fed_span_text(key), total, rebalance,
                         clusters, n, &diag),
        FED_OK);
    m = slow_plan(clusters, n, total, rebalance, key, opinions);
    for (size_t i = 0; i < m; i++) {
        if (opinions[i].plan != opinions[i].of->planned ||
            opinions[i].overflow != opinions[i].of->overflow)
            fail_msg("seed %llu: %s: %lld + %lld, not %lld + %lld", (unsigned long long)seed,
                (const char *)opinions[i].of->name.at, (long long)opinions[i].of->planned,
                (long long)opinions[i].of->overflow, (long long)opinions[i].plan,
                (long long)opinions[i].overflow);
    }
    for (size_t i = 0; i < n; i++)
        assert_true(clusters[i].preference || (clusters[i].planned | clusters[i].overflow) == 0);
}

static void test_second_opinion(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        random_state = seed;
        one_round(seed);
    }
}

/* Ten thousand clusters, each with another weight and maximum, so that there are passes. */
static void test_many(void **state)
{
    enum { N = 10000 };
    struct fed_replicas_cluster *clusters = calloc(N, sizeof *clusters);
    struct fed_replicas_preference *preferences = calloc(N, sizeof *preferences);
    char(*names)[40] = calloc(N, sizeof *names);
    clock_t begun;
    int64_t sum = 0;
    double seconds;

    (void)state;
    assert_true(clusters && preferences && names);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "edge-%05zu", i);
        preferences[i] = (struct fed_replicas_preference){
            .max = (int64_t)(i * i / 100), .weight = (int64_t)i + 1};
        clusters[i] = (struct fed_replicas_cluster){.name = fed_span_text(names[i]),
            .preference = &preferences[i],
            .current = (int64_t)(i % 7),
            .capacity = i % 3 ? -1 : (int64_t)i};
    }
    begun = clock();
    assert_int_equal(
        fed_replicas_plan(fed_alloc_system(), TEXT("ns/web"), 100000000, false, clusters, N, NULL),
        FED_OK);
    seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
    for (size_t i = 0; i < N; i++) {
        assert_true(clusters[i].planned <= preferences[i].max);
        sum += clusters[i].planned;
    }
    assert_true(sum > 0 && sum <= 100000000);
    if (seconds > 2)
        fail_msg("10,000 clusters took %.2f s of processor time", seconds);
    free(names);
    free(preferences);
    free(clusters);
}

/* Every allocation refused in turn. */
static void *refusing(void *ctx, void *at, size_t old_size, size_t size)
{
    struct fed_alloc *system = fed_alloc_system();
    int *left = ctx;

    if (size > 0 && (*left)-- == 0)
        return NULL;
    return system->resize(system->ctx, at, old_size, size);
}

static void test_memory(void **state)
{
    struct fed_replicas_preference preference = {.max = FED_REPLICAS_UNBOUNDED, .weight = 1};
    enum fed_err err = FED_ERR_NOMEM;

    (void)state;
    for (int allowed = 0; err; allowed++) {
        int left = allowed;
        struct fed_alloc mem = {.ctx = &left, .resize = refusing};
        struct fed_replicas_cluster cluster = {
            .name = TEXT("A"), .preference = &preference, .capacity = -1};

        err = fed_replicas_plan(&mem, TEXT("k"), 5, false, &cluster, 1, NULL);
        assert_true(err == FED_OK || err == FED_ERR_NOMEM);
        assert_int_equal(cluster.planned, err ? 0 : 5);
        assert_true(allowed < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_second_opinion),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
