/* YAML bodies: what decodes is JSON, and as YAML it is that JSON again. */
#include "ports/yaml.h"
#include "proto/object/json.h"
#include "tests/fuzz/fuzz.h"

struct pass {
    struct fed_buf again; /* the first document, decoded once more */
    size_t n;
};

static bool second(void *ctx, size_t index, struct fed_span json)
{
    struct pass *pass = ctx;

    FUZZ_CHECK(index == 0);
    fed_buf_put(&pass->again, json);
    return true;
}

/* A key of more than 1,024 characters with what ends it is none without its `?` (YAML 1.1 section
 * 9.3.4.3); told by the longest string. */
static bool may_be_keys(struct fed_span json)
{
    size_t begin = 0;

    for (size_t i = 0; i < json.len; i++) {
        if (json.at[i] == '\\')
            i++;
        else if (json.at[i] == '"' && i - begin >= 1024)
            return false;
        else if (json.at[i] == '"')
            begin = i;
    }
    return true;
}

static bool first(void *ctx, size_t index, struct fed_span json)
{
    struct pass *pass = ctx;
    struct fed_diag diag = {{0}};
    struct fed_json_doc *doc;
    struct fed_json *value;

    FUZZ_CHECK(index == pass->n++);
    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    FUZZ_CHECK(!fed_json_parse(doc, json, &value, &diag));
    fed_json_doc_free(doc);
    if (!may_be_keys(json))
        return true;
    fed_buf_init(&pass->again, fed_alloc_system(), 64u << 20);
    FUZZ_CHECK(!fed_yaml_each_json(fed_alloc_system(), json, second, pass, &diag));
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&pass->again), json));
    fed_buf_fini(&pass->again);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pass pass = {.n = 0};
    struct fed_diag diag = {{0}};
    enum fed_err err =
        fed_yaml_each_json(fed_alloc_system(), fed_span_of(data, size), first, &pass, &diag);

    FUZZ_CHECK(!err || diag.text[0]);
    return 0;
}
