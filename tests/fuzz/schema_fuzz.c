/* A schema, a live object and an applied one, a line each: what compiles prunes, defaults and
 * validates anything, and server-side apply under it gives an object that applying again leaves as
 * it is. */
#include "hub/api/managed_fields.h"
#include "tests/fuzz/fuzz.h"

static struct fed_json *take(struct fed_json_doc *doc, struct fed_span *rest)
{
    struct fed_span line = {0};
    struct fed_json *out = NULL;

    fed_span_split(rest, '\n', &line);
    return fed_json_parse(doc, line, &out, NULL) ? NULL : out;
}

static void check(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    struct hub_causes causes = {.n = 0};
    struct fed_buf unknown;

    fed_buf_init(&unknown, fed_alloc_system(), 65536);
    FUZZ_CHECK(!hub_schema_prune(schema, object, &unknown) || fed_buf_err(&unknown));
    FUZZ_CHECK(!hub_schema_default(schema, doc, object));
    FUZZ_CHECK(!hub_schema_validate(schema, object, &causes) == (causes.n == 0));
    fed_buf_fini(&unknown);
}

static void apply(const struct hub_schema *schema, struct fed_json_doc *doc,
    const struct fed_json *live, const struct fed_json *config)
{
    struct hub_field_update update = {.schema = schema,
        .manager = FED_SPAN_LIT("m"),
        .api_version = FED_SPAN_LIT("v1"),
        .now_unix_s = 1800000000,
        .force = true};
    struct hub_causes causes = {.n = 0};
    struct fed_json *once;
    struct fed_json *twice;
    struct fed_buf out;
    struct fed_buf why;
    enum fed_err err;

    fed_buf_init(&why, fed_alloc_system(), 65536);
    err = hub_fields_apply(doc, &update, live, config, &once, &causes, &why);
    FUZZ_CHECK((err == FED_ERR_INVALID || err == FED_ERR_LIMIT) == (why.len > 0));
    if (err) {
        fed_buf_fini(&why);
        return;
    }
    fed_buf_init(&out, fed_alloc_system(), 64u << 20);
    if (!fed_json_put(&out, once)) {
        FUZZ_CHECK(!hub_fields_apply(doc, &update, once, config, &twice, &causes, &why));
        /* One of which nobody owns anything counts as never applied to: the next apply gives what it
         * has to before-first-apply. */
        if (fed_json_get(fed_json_get(once, "metadata"), "managedFields"))
            FUZZ_CHECK(fed_json_eq(once, twice));
    }
    fed_buf_fini(&out);
    fed_buf_fini(&why);
    if (!live)
        return;
    FUZZ_CHECK(hub_fields_update(doc, &update, live, once) != FED_ERR_INTERNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span rest = fed_span_of(data, size);
    struct fed_diag diag = {{0}};
    struct fed_json_doc *doc;
    struct fed_json *parts[3];
    struct hub_schema *schema;

    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    for (size_t i = 0; i < 3; i++)
        parts[i] = take(doc, &rest);
    if (!hub_schema_compile(fed_alloc_system(), parts[0], &schema, &diag)) {
        for (size_t i = 1; i < 3; i++)
            if (fed_json_is_object(parts[i]))
                check(schema, doc, parts[i]);
        if (fed_json_is_object(parts[2]))
            apply(schema, doc, fed_json_is_object(parts[1]) ? parts[1] : NULL, parts[2]);
        hub_schema_unref(schema);
    } else {
        FUZZ_CHECK(diag.text[0]);
    }
    fed_json_doc_free(doc);
    return 0;
}
