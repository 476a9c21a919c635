/* ports_https_ask_test.c - what a request asks of the link, against the vectors that the Python
 * implementation of docs/protocol.md made. */
#include "ports/https/ask.h"
#include "tests/unit/wire_vectors.h"

#define HEADERS_MAX 8u
#define EACH(it, root, key)                                                                        \
    for (struct fed_json_iter it = fed_json_each(fed_json_get(root, key)); fed_json_iter_next(&it);)

static void check_asked(
    struct vectors *v, const struct fed_json *c, const struct fed_https_ask *ask)
{
    const struct fed_json *asked = fed_json_get(c, "asked");
    bool has_range = fed_json_get(asked, "from") != NULL;

    vector_bytes(
        c, fed_span_of(ask->session, sizeof(ask->session)), vector_hex(v, asked, "session"));
    vector_bytes(c, ask->path, vector_text(asked, "path"));
    vector_bytes(c, ask->query, vector_text(asked, "query"));
    assert_int_equal(ask->ping, fed_json_bool(fed_json_get(asked, "ping"), false));
    assert_int_equal(ask->observe, fed_json_bool(fed_json_get(asked, "observe"), false));
    assert_int_equal(ask->has_range, has_range);
    if (has_range) {
        assert_true(ask->from == vector_u64(asked, "from"));
        vector_bytes(c, ask->if_range, vector_text(asked, "if_range"));
    }
}

static void check_ask(struct vectors *v, const struct fed_json *c)
{
    struct fed_http_header headers[HEADERS_MAX];
    struct fed_span target = vector_text(c, "target");
    size_t mark = fed_span_find(target, '?');
    struct fed_http_request request = {.method = vector_text(c, "method"),
        .path = fed_span_sub(target, 0, mark),
        .query = fed_span_sub(target, mark + 1, target.len),
        .headers = headers};
    const struct fed_json *status = fed_json_get(c, "status");
    struct fed_https_ask ask;
    struct fed_diag diag = {""};
    enum fed_err err;

    EACH(it, c, "headers")
    {
        assert_true(request.n_headers < HEADERS_MAX);
        headers[request.n_headers++] = (struct fed_http_header){
            fed_json_string(fed_json_at(it.value, 0)), fed_json_string(fed_json_at(it.value, 1))};
    }
    err = fed_https_ask_read(&request, &ask, &diag);
    if (!status) {
        vector_expects(c, err, &diag);
        check_asked(v, c, &ask);
    } else if (vector_int(c, "status") == 405) {
        assert_int_equal(err, FED_OK);
        assert_int_equal(ask.method, FED_HTTPS_OTHER);
    } else {
        assert_int_equal(err, FED_ERR_INVALID);
        assert_true(diag.text[0]);
    }
}

static void test_asks(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "https");
    EACH(it, v.root, "asks")
    {
        check_ask(&v, it.value);
        n++;
    }
    assert_in_range(n, 30, 1000);
    vectors_close(&v);
}

static void test_etags(void **state)
{
    struct vectors v;
    size_t n = 0;

    (void)state;
    vectors_open(&v, "https");
    EACH(it, v.root, "etags")
    {
        char etag[FED_HTTPS_ETAG_SIZE + 1];

        assert_int_equal(fed_https_etag(vector_text(it.value, "body"), etag), FED_OK);
        vector_bytes(it.value, fed_span_text(etag), vector_text(it.value, "etag"));
        n++;
    }
    assert_int_equal(n, 2);
    vectors_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_etags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
