/* CustomResourceDefinitions: any schema is checked, compiled and used on any object without harm,
 * and what the checks let through compiles. The input is a schema and an object, apart by a NUL. */
#include "hub/api/crd_parts.h"
#include "hub/api/schema.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void use(struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object,
    struct hub_causes *causes)
{
    struct fed_buf once;
    struct fed_buf twice;

    fed_buf_init(&once, fed_alloc_system(), 16u << 20);
    fed_buf_init(&twice, fed_alloc_system(), 16u << 20);
    (void)!hub_schema_prune(schema, object, NULL);
    (void)!hub_schema_default(schema, doc, object);
    (void)!hub_schema_validate(schema, object, causes);
    /* Pruned once is pruned: an object that went through is not changed by going through again. */
    if (!fed_json_put_canonical(&once, object) && !hub_schema_prune(schema, object, NULL) &&
        !fed_json_put_canonical(&twice, object) && !fed_buf_err(&once) && !fed_buf_err(&twice))
        FUZZ_CHECK(fed_span_eq(fed_buf_span(&once), fed_buf_span(&twice)));
    fed_buf_fini(&once);
    fed_buf_fini(&twice);
}

static struct fed_json *spec_of(struct fed_json_doc *doc, const struct fed_json *schema)
{
    static const char around[] =
        "{\"scope\":\"Cluster\",\"names\":{\"kind\":\"K\"},\"versions\":[{"
        "\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{}}]}";
    struct fed_json *spec;

    if (fed_json_parse(doc, fed_span_text(around), &spec, NULL) ||
        fed_json_set(doc, fed_json_get(fed_json_at(fed_json_get(spec, "versions"), 0), "schema"),
            "openAPIV3Schema", fed_json_clone(doc, schema)))
        return NULL;
    return spec;
}

/* What was completed once is complete. */
static void complete(
    struct fed_json_doc *doc, const struct fed_json *needed, const struct fed_json *given)
{
    struct fed_json *ours = spec_of(doc, needed);
    struct fed_json *theirs = spec_of(doc, given);
    struct fed_json *once;
    struct fed_buf kept;

    fed_buf_init(&kept, fed_alloc_system(), 1024);
    if (ours && theirs && !hub_crd_complete(doc, ours, theirs, &kept, NULL)) {
        once = fed_json_clone(doc, theirs);
        FUZZ_CHECK(!hub_crd_complete(doc, ours, theirs, &kept, NULL));
        FUZZ_CHECK(!once || fed_json_eq(once, theirs));
    }
    fed_buf_fini(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t first = zero ? (size_t)(zero - data) : size;
    struct hub_causes *causes = calloc(1, sizeof *causes);
    struct hub_schema *schema = NULL;
    struct fed_json_doc *doc;
    struct fed_json *openapi;
    struct fed_json *object;

    if (!causes || fed_json_doc_new(fed_alloc_system(), &doc)) {
        free(causes);
        return 0;
    }
    if (!fed_json_parse(doc, fed_span_of(data, first), &openapi, NULL)) {
        hub_crd_check_schema(openapi, "schema", true, fed_alloc_system(), causes);
        if (!hub_schema_compile(fed_alloc_system(), openapi, &schema, NULL) && zero &&
            !fed_json_parse(doc, fed_span_of(zero + 1, size - first - 1), &object, NULL)) {
            bool sound = causes->n == 0;

            use(schema, doc, object, causes);
            causes->n = 0;
            hub_crd_check_schema(object, "schema", true, fed_alloc_system(), causes);
            if (sound && causes->n == 0) /* both are schemas, as admission sees to */
                complete(doc, openapi, object);
        }
    }
    hub_schema_unref(schema);
    fed_json_doc_free(doc);
    free(causes);
    return 0;
}
