/* Questions to the replica planner: what is taken gives a plan that keeps to the limits, or a
 * refusal. */
#include "proto/schedule/preferences.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct fed_replicas_question *q)
{
    int64_t left = q->total;

    for (size_t i = 0; i < q->n; i++) {
        const struct fed_replicas_cluster *cluster = &q->clusters[i];

        FUZZ_CHECK(cluster->planned >= 0 && cluster->overflow >= 0);
        FUZZ_CHECK(cluster->planned <= left);
        FUZZ_CHECK(cluster->capacity < 0 || cluster->planned <= cluster->capacity);
        FUZZ_CHECK(cluster->preference || cluster->planned + cluster->overflow == 0);
        left -= cluster->planned;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_replicas_question question;
    struct fed_json_doc *doc;
    struct fed_arena arena;
    struct fed_buf out;

    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return 0;
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    fed_buf_init(&out, fed_alloc_system(), 64u << 20);
    if (fed_replicas_question_read(&arena, doc, fed_span_of(data, size), &question, NULL) ==
            FED_OK &&
        fed_replicas_plan(fed_alloc_system(), question.key, question.total, question.rebalance,
            question.clusters, question.n, NULL) == FED_OK) {
        check(&question);
        FUZZ_CHECK(fed_replicas_answer_put(&out, doc, &question) == FED_OK);
    }
    fed_buf_fini(&out);
    fed_arena_fini(&arena);
    fed_json_doc_free(doc);
    return 0;
}
