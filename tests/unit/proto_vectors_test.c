/* Both ends of docs/protocol.md against the vectors that its Python implementation made: tokens,
 * join messages, hello, queries, works, reports, renderings, fields. Frames:
 * proto_frame_vectors_test.c. */
#include "ports/crypto.h"
#include "proto/base/text.h"
#include "proto/bundle/consent.h"
#include "proto/bundle/dict.h"
#include "proto/bundle/report.h"
#include "proto/link/link.h"
#include "proto/object/fields.h"
#include "proto/object/render.h"
#include "tests/unit/wire_vectors.h"

#define EACH(it, root, key)                                                                        \
    for (struct fed_json_iter it = fed_json_each(fed_json_get(root, key)); fed_json_iter_next(&it);)

/* ---- tokens ---- */

static void check_token(struct vectors *v, const struct fed_json *c, const struct fed_token *token)
{
    struct fed_buf text;
    size_t n = 0;

    fed_buf_init(&text, fed_alloc_system(), FED_TOKEN_TEXT_MAX);
    vector_bytes(c, fed_span_of(token->pin.bytes, FED_DIGEST_SIZE), vector_hex(v, c, "pin"));
    vector_bytes(c, fed_span_text(token->id), vector_text(c, "id"));
    vector_bytes(c, fed_span_of(token->secret, sizeof token->secret), vector_hex(v, c, "secret"));
    assert_int_equal(token->expires_unix_s, vector_int(c, "expires"));
    assert_int_equal(token->uses, vector_int(c, "uses"));
    EACH(it, c, "addresses")
    {
        assert_true(n < token->n_addresses);
        vector_bytes(c, fed_span_text(token->addresses[n++]), fed_json_string(it.value));
    }
    assert_int_equal(n, token->n_addresses);
    assert_int_equal(fed_token_put(&text, token), FED_OK);
    vector_bytes(c, fed_buf_span(&text), vector_text(c, "text"));
    fed_buf_fini(&text);
}

static void test_tokens(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "tokens");
    EACH(it, v.root, "tokens")
    {
        struct fed_token token;
        struct fed_diag diag = {""};
        enum fed_err err = fed_token_parse(vector_text(it.value, "text"), &token, &diag);

        if (vector_expects(it.value, err, &diag))
            check_token(&v, it.value, &token);
        n++;
    }
    assert_in_range(n, 20, 1000);
    vectors_close(&v);
}

/* ---- join ---- */

static void test_proofs(void **state)
{
    struct fed_crypto crypto;
    struct vectors v;
    size_t n = 0;

    (void)state;
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &crypto, NULL), FED_OK);
    vectors_open(&v, "joins");
    EACH(it, v.root, "proofs")
    {
        uint8_t proof[32];
        struct fed_buf text;

        fed_buf_init(&text, fed_alloc_system(), 1024);
        fed_buf_put_text(&text, "fedlet join 1");
        fed_buf_put_u8(&text, 0);
        fed_buf_put(&text, vector_text(it.value, "cluster"));
        fed_buf_put_u8(&text, 0);
        fed_buf_put(&text, vector_hex(&v, it.value, "publicKey"));
        assert_int_equal(crypto.hmac_sha256(crypto.ctx, vector_hex(&v, it.value, "secret"),
                             fed_buf_span(&text), proof),
            FED_OK);
        vector_bytes(it.value, fed_span_of(proof, sizeof proof), vector_hex(&v, it.value, "proof"));
        fed_buf_fini(&text);
        n++;
    }
    assert_int_equal(n, 2);
    vectors_close(&v);
    fed_tls_crypto_close(&crypto);
}

static void check_request(
    struct vectors *v, const struct fed_json *c, const struct fed_join_request *r)
{
    const struct fed_json *labels = fed_json_get(c, "labels");

    vector_bytes(c, fed_span_text(r->token_id), vector_text(c, "token"));
    vector_bytes(c, fed_span_text(r->name), vector_text(c, "cluster"));
    vector_bytes(c, fed_span_of(r->public_key, r->public_key_len), vector_hex(v, c, "publicKey"));
    vector_bytes(c, fed_span_of(r->proof, sizeof r->proof), vector_hex(v, c, "proof"));
    assert_int_equal(r->n_labels, fed_json_count(labels));
    for (size_t i = 0; i < r->n_labels; i++)
        vector_bytes(c, fed_span_text(r->labels[i].value), vector_text(labels, r->labels[i].key));
}

static void test_join_requests(void **state)
{
    struct fed_join_request *r = fed_alloc_zero(fed_alloc_system(), sizeof *r);
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "joins");
    EACH(it, v.root, "requests")
    {
        struct fed_diag diag = {""};
        struct fed_buf text;

        if (vector_expects(
                it.value, fed_join_request_parse(vector_text(it.value, "text"), r, &diag), &diag))
            check_request(&v, it.value, r);
        if (n++ > 0)
            continue;
        fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
        assert_int_equal(fed_join_request_put(&text, r), FED_OK);
        vector_bytes(it.value, fed_buf_span(&text), vector_text(it.value, "text"));
        fed_buf_fini(&text);
    }
    assert_in_range(n, 15, 1000);
    vectors_close(&v);
    fed_alloc_free(fed_alloc_system(), r, sizeof *r);
}

static void test_join_answers(void **state)
{
    struct fed_join_answer *a = fed_alloc_zero(fed_alloc_system(), sizeof *a);
    struct vectors v;

    (void)state;
    vectors_open(&v, "joins");
    EACH(it, v.root, "answers")
    {
        struct fed_diag diag = {""};
        struct fed_buf text;

        if (!vector_expects(
                it.value, fed_join_answer_parse(vector_text(it.value, "text"), a, &diag), &diag))
            continue;
        assert_int_equal(a->approved, fed_json_bool(fed_json_get(it.value, "approved"), false));
        vector_bytes(it.value, fed_span_text(a->cluster), vector_text(it.value, "cluster"));
        fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
        assert_int_equal(fed_join_answer_put(&text, a), FED_OK);
        vector_bytes(it.value, fed_buf_span(&text), vector_text(it.value, "text"));
        fed_buf_fini(&text);
    }
    vectors_close(&v);
    fed_alloc_free(fed_alloc_system(), a, sizeof *a);
}

/* ---- hello, query ---- */

static void test_hellos(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "hellos")
    {
        struct fed_span bytes = vector_hex(&v, it.value, "hex");
        struct fed_span from = bytes;
        struct fed_link_hello hello;
        struct fed_buf out;

        if (!vector_expects(it.value, fed_link_hello_take(&from, &hello), NULL))
            continue;
        assert_int_equal(hello.heartbeat_s, vector_int(it.value, "heartbeat"));
        assert_int_equal(hello.report_seq, vector_u64(it.value, "seq"));
        assert_int_equal(hello.unix_s, vector_int(it.value, "time"));
        assert_int_equal(hello.epoch, vector_int(it.value, "epoch"));
        fed_buf_init(&out, fed_alloc_system(), 64);
        fed_link_hello_put(&out, &hello);
        vector_bytes(it.value, fed_buf_span(&out), fed_span_sub(bytes, 0, bytes.len - from.len));
        assert_true(from.len == 0 || fed_json_get(it.value, "rest"));
        fed_buf_fini(&out);
    }
    vectors_close(&v);
}

static void check_knows(
    struct vectors *v, const struct fed_json *c, const struct fed_link_hello_items *items)
{
    struct fed_link_hello_items again;
    struct fed_buf out;

    assert_int_equal(items->has_knows, fed_json_get(c, "knows") != NULL);
    assert_int_equal(items->has_kinds, fed_json_get(c, "kinds") != NULL);
    fed_buf_init(&out, fed_alloc_system(), 64);
    if (items->has_knows) {
        fed_buf_put_varint(&out, items->knows);
        vector_bytes(c, fed_buf_span(&out), vector_hex(v, c, "knows"));
        fed_buf_clear(&out);
    } else {
        assert_int_equal(items->knows, FED_LINK_KNOWS_FIRST);
    }
    if (items->has_kinds)
        vector_bytes(c, fed_span_of(items->kinds, sizeof items->kinds), vector_hex(v, c, "kinds"));
    fed_link_hello_items_put(&out, items);
    fed_link_hello_items_take(fed_buf_span(&out), &again);
    assert_int_equal(again.knows, items->knows);
    assert_memory_equal(again.kinds, items->kinds, sizeof again.kinds);
    fed_buf_fini(&out);
}

static void test_hello_items(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "helloItems")
    {
        const struct fed_json *mark = fed_json_get(it.value, "mark");
        const struct fed_json *trust = fed_json_get(it.value, "trust");
        struct fed_link_hello_items items;

        fed_link_hello_items_take(vector_hex(&v, it.value, "hex"), &items);
        assert_int_equal(items.has_mark, mark != NULL);
        assert_int_equal(items.has_trust, trust != NULL);
        assert_int_equal(items.copied, fed_json_get(it.value, "copied") != NULL);
        if (mark)
            vector_bytes(it.value, fed_span_of(items.mark, sizeof items.mark),
                vector_hex(&v, it.value, "mark"));
        if (trust)
            vector_bytes(it.value, fed_span_of(items.trust, sizeof items.trust),
                vector_hex(&v, it.value, "trust"));
        check_knows(&v, it.value, &items);
    }
    vectors_close(&v);
}

static void test_kinds(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "kinds")
    {
        struct fed_span answer = vector_hex(&v, it.value, "hex");
        uint8_t digest[FED_LINK_KINDS_DIGEST_SIZE];
        struct fed_link_kind kinds[4];
        size_t n;

        assert_int_equal(fed_link_kinds_take(answer, kinds, 4, &n), FED_OK);
        assert_int_equal(fed_link_kinds_digest(answer, digest), FED_OK);
        vector_bytes(
            it.value, fed_span_of(digest, sizeof digest), vector_hex(&v, it.value, "digest"));
    }
    vectors_close(&v);
}

static void test_removals(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "removals")
    {
        struct fed_span answer = vector_hex(&v, it.value, "hex");
        const struct fed_removal_id *ids;
        struct fed_buf out;
        size_t n;
        size_t i = 0;

        if (!vector_expects(it.value, fed_removals_take(answer, &ids, &n), NULL))
            continue;
        assert_int_equal(n, fed_json_count(fed_json_get(it.value, "ids")));
        fed_buf_init(&out, fed_alloc_system(), FED_REMOVALS_BYTES_MAX);
        fed_removals_put(&out, ids, n);
        vector_bytes(it.value, fed_buf_span(&out), answer);
        EACH(id, it.value, "ids")
        {
            fed_buf_clear(&out);
            fed_text_put_hex(&out, fed_span_of(ids[i++].bytes, FED_REMOVAL_ID_SIZE));
            vector_bytes(it.value, fed_buf_span(&out), fed_json_string(id.value));
        }
        fed_buf_fini(&out);
    }
    EACH(it, v.root, "removalIds")
    {
        struct fed_work work = {.api_version = vector_text(it.value, "api_version"),
            .kind = vector_text(it.value, "kind"),
            .ns = vector_text(it.value, "ns"),
            .name = vector_text(it.value, "name")};
        struct fed_removal_id id;

        assert_int_equal(fed_removal_id_of(&work, &id), FED_OK);
        vector_bytes(
            it.value, fed_span_of(id.bytes, sizeof id.bytes), vector_hex(&v, it.value, "id"));
        assert_int_equal(fed_removal_id_of_text(vector_text(it.value, "text"), &id), FED_OK);
        vector_bytes(
            it.value, fed_span_of(id.bytes, sizeof id.bytes), vector_hex(&v, it.value, "id"));
    }
    vectors_close(&v);
}

static void test_hello_queries(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "helloQueries")
    {
        struct fed_span text = vector_text(it.value, "text");
        bool marks = fed_json_get(it.value, "mark") != NULL;
        struct fed_link_hello_query query;

        if (!vector_expects(it.value, fed_link_hello_query_parse(text, &query), NULL))
            continue;
        assert_int_equal(query.marks, marks);
        assert_true(query.knows == (fed_json_get(it.value, "knows") ? vector_u64(it.value, "knows")
                                                                    : FED_LINK_KNOWS_FIRST));
        if (marks)
            vector_bytes(it.value, fed_span_of(query.mark, query.has_mark ? sizeof query.mark : 0),
                vector_hex(&v, it.value, "mark"));
    }
    vectors_close(&v);
}

static void test_queries(void **state)
{
    struct vectors v;

    (void)state;
    vectors_open(&v, "link");
    EACH(it, v.root, "queries")
    {
        uint32_t epoch;
        uint64_t revision;
        enum fed_err err =
            fed_link_bundle_query_parse(vector_text(it.value, "text"), &epoch, &revision);

        if (!vector_expects(it.value, err, NULL))
            continue;
        assert_int_equal(epoch, vector_int(it.value, "epoch"));
        assert_int_equal(revision, vector_u64(it.value, "revision"));
    }
    vectors_close(&v);
}

/* ---- works ---- */

static void test_works(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "works");
    EACH(it, v.root, "works")
    {
        struct fed_span bytes = vector_hex(&v, it.value, "hex");
        struct fed_span from = bytes;
        struct fed_diag diag = {""};
        struct fed_work work;
        struct fed_work expected;
        struct fed_buf out;

        n++;
        if (!vector_expects(it.value, fed_work_take(&from, &work, &diag), &diag))
            continue;
        vector_work(&v, fed_json_get(it.value, "work"), &expected);
        assert_int_equal(from.len, 0);
        assert_true(fed_work_same(&work, &expected));
        fed_buf_init(&out, fed_alloc_system(), 4096);
        fed_work_put(&out, &expected);
        vector_bytes(it.value, fed_buf_span(&out), bytes);
        fed_buf_fini(&out);
    }
    assert_in_range(n, 20, 1000);
    vectors_close(&v);
}

/* ---- fields of statuses ---- */

static void test_fields(void **state)
{
    struct vectors v;
    struct fed_fields fields;
    struct fed_json *status;
    struct fed_buf text;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "fields");
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    EACH(it, v.root, "fields")
    {
        const struct fed_json *c = it.value;
        struct fed_diag diag = {""};

        n++;
        if (!vector_expects(c, fed_fields_parse(vector_text(c, "fields"), &fields, &diag), &diag))
            continue;
        assert_int_equal(fed_json_parse(v.doc, vector_text(c, "status"), &status, NULL), FED_OK);
        fed_buf_clear(&text);
        if (fed_fields_select(&fields, status))
            assert_int_equal(fed_json_put(&text, status), FED_OK);
        else
            fed_buf_put_text(&text, "null");
        vector_bytes(c, fed_buf_span(&text), vector_text(c, "selected"));
    }
    assert_in_range(n, 30, 1000);
    fed_buf_fini(&text);
    vectors_close(&v);
}

/* ---- reports ---- */

static bool is_true(const struct fed_json *v, const char *key)
{
    return fed_json_bool(fed_json_get(v, key), false);
}

static void check_entry(const struct fed_json *c, const struct fed_report_entry *e)
{
    assert_int_equal(e->index, vector_int(c, "index"));
    assert_int_equal(e->state, vector_int(c, "state"));
    assert_int_equal(e->health, vector_int(c, "health"));
    assert_int_equal(e->deed, vector_int(c, "deed"));
    assert_int_equal(e->in_place, is_true(c, "in_place"));
    assert_int_equal(e->generation, vector_u64(c, "generation"));
    vector_bytes(c, e->resource_version, vector_text(c, "resource_version"));
    vector_bytes(c, e->reason, vector_text(c, "reason"));
    vector_bytes(c, e->message, vector_text(c, "message"));
}

static void check_sections(const struct fed_json *c, const struct fed_report *r)
{
    size_t n = 0;

    EACH(it, c, "removed")
    {
        assert_true(n < r->n_removed);
        vector_bytes(it.value, r->removed[n].id, vector_text(it.value, "id"));
        assert_int_equal(r->removed[n].state, vector_int(it.value, "state"));
        vector_bytes(it.value, r->removed[n].reason, vector_text(it.value, "reason"));
        vector_bytes(it.value, r->removed[n++].message, vector_text(it.value, "message"));
    }
    assert_int_equal(n, r->n_removed);
    n = 0;
    EACH(it, c, "remote")
    {
        assert_true(n < r->n_remote);
        assert_int_equal(r->remote[n].index, vector_int(it.value, "index"));
        vector_bytes(it.value, r->remote[n++].status, vector_text(it.value, "status"));
    }
    assert_int_equal(n, r->n_remote);
    n = 0;
    EACH(it, c, "scales")
    {
        assert_true(n < r->n_scales);
        assert_int_equal(r->scales[n].index, vector_int(it.value, "index"));
        assert_int_equal(r->scales[n].replicas, vector_int(it.value, "replicas"));
        assert_int_equal(r->scales[n].ready, vector_int(it.value, "ready"));
        assert_int_equal(r->scales[n].running, vector_int(it.value, "running"));
        assert_int_equal(r->scales[n++].unschedulable, vector_int(it.value, "unschedulable"));
    }
    assert_int_equal(n, r->n_scales);
}

static void check_report(const struct fed_json *c, const struct fed_report *r)
{
    size_t n = 0;

    assert_int_equal(r->full, is_true(c, "full"));
    assert_int_equal(r->more, is_true(c, "more"));
    assert_int_equal(r->removed_cut, is_true(c, "removed_cut"));
    assert_int_equal(r->epoch, vector_int(c, "epoch"));
    assert_int_equal(r->revision, vector_u64(c, "revision"));
    assert_int_equal(r->seq, vector_u64(c, "seq"));
    EACH(it, c, "entries")
    {
        assert_true(n < r->n_entries);
        check_entry(it.value, &r->entries[n++]);
    }
    assert_int_equal(n, r->n_entries);
    check_sections(c, r);
    vector_bytes(c, r->facts, vector_text(c, "facts"));
}

static struct fed_span with_zeros(struct vectors *v, const struct fed_json *c)
{
    struct fed_span bytes = vector_hex(v, c, "hex");
    size_t zeros = (size_t)fed_json_int(fed_json_get(c, "zeros"), 0);
    uint8_t *at = fed_alloc_zero(&v->arena.alloc, bytes.len + zeros + 1);

    assert_non_null(at);
    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    return fed_span_of(at, bytes.len + zeros);
}

static void test_reports(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "reports");
    EACH(it, v.root, "reports")
    {
        struct fed_span bytes = with_zeros(&v, it.value);
        struct fed_diag diag = {""};
        struct fed_report report;
        struct fed_buf out;

        n++;
        if (!vector_expects(it.value, fed_report_decode(&v.arena, bytes, &report, &diag), &diag))
            continue;
        check_report(fed_json_get(it.value, "report"), &report);
        fed_buf_init(&out, fed_alloc_system(), FED_REPORT_MAX);
        fed_report_put(&out, &report);
        vector_bytes(it.value, fed_buf_span(&out), bytes);
        fed_buf_fini(&out);
    }
    assert_in_range(n, 30, 1000);
    vectors_close(&v);
}

/* ---- renderings ---- */

static void check_rendering(struct vectors *v, const struct fed_json *c, struct fed_span got)
{
    struct fed_json *object;
    struct fed_json *expected;

    assert_int_equal(fed_json_parse(v->doc, got, &object, NULL), FED_OK);
    assert_int_equal(fed_json_parse(v->doc, vector_text(c, "object"), &expected, NULL), FED_OK);
    if (!fed_json_eq(object, expected))
        fail_msg(FED_SPAN_FMT ": got " FED_SPAN_FMT, FED_SPAN_ARG(vector_text(c, "name")),
            FED_SPAN_ARG(got));
}

static void test_renderings(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "renderings");
    EACH(it, v.root, "renderings")
    {
        struct fed_diag diag = {""};
        struct fed_work work;
        struct fed_buf out;

        fed_buf_init(&out, fed_alloc_system(), 1u << 20);
        vector_work(&v, fed_json_get(it.value, "work"), &work);
        if (vector_expects(it.value,
                fed_render_work(
                    fed_alloc_system(), &work, vector_text(it.value, "template"), &out, &diag),
                &diag))
            check_rendering(&v, it.value, fed_buf_span(&out));
        fed_buf_fini(&out);
        n++;
    }
    assert_in_range(n, 40, 1000);
    vectors_close(&v);
}

/* ---- the dictionary ---- */

/* What others read is what is compiled in. */
static void test_dictionary(void **state)
{
    FILE *file = fopen(FEDLET_SOURCE_DIR "/tests/wire/vectors/dictionary-1.bin", "r");
    uint8_t bytes[16384];
    size_t len;

    (void)state;
    assert_non_null(file);
    len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(fed_span_eq(fed_span_of(bytes, len), fed_dict_builtin()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_join_requests),
        cmocka_unit_test(test_join_answers),
        cmocka_unit_test(test_hellos),
        cmocka_unit_test(test_hello_items),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_removals),
        cmocka_unit_test(test_hello_queries),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_works),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_renderings),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_dictionary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
