/* Server-side apply and FieldsV1. The input is the live object, an applied configuration and the
 * force byte '!', apart by NULs. What apply gives can be applied to again: the same configuration
 * never conflicts with itself, and the third time it changes nothing (the second time an empty map
 * comes back that lost its children, and what nobody owned gets an owner). A field set that decodes
 * is the same when it is written and read again. */
#include "hub/api/field_set.h"
#include "hub/api/managed_fields.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
    "\"replicas\":{\"type\":\"integer\"},\"parts\":{\"type\":\"array\",\"x-kubernetes-list-type\":"
    "\"map\",\"x-kubernetes-list-map-keys\":[\"name\"],\"items\":{\"type\":\"object\","
    "\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},\"port\":{\"type\":"
    "\"integer\"}}}},\"tags\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\",\"items\":{"
    "\"type\":\"string\"}},\"list\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},\"map\":"
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}},\"atom\":{\"type\":"
    "\"object\",\"x-kubernetes-map-type\":\"atomic\",\"properties\":{\"a\":{\"type\":\"string\"}}}}"
    "},\"any\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}";

static struct hub_schema *schema_of(struct fed_json_doc *doc)
{
    static struct hub_schema *schema;
    struct fed_json *openapi;

    if (!schema) {
        FUZZ_CHECK(!fed_json_parse(doc, fed_span_text(schema_text), &openapi, NULL));
        FUZZ_CHECK(!hub_schema_compile(fed_alloc_system(), openapi, &schema, NULL));
    }
    return schema;
}

static void field_sets(struct fed_alloc *mem, struct fed_json_doc *doc, const struct fed_json *live)
{
    const struct fed_json *list = fed_json_find(live, "metadata.managedFields");
    struct hub_field_context c;

    hub_field_context_init(&c, mem, doc);
    for (size_t i = 0; i < fed_json_count(list) && !c.err; i++) {
        const struct hub_field_set *set =
            hub_field_set_decode(&c, fed_json_get(fed_json_at(list, i), "fieldsV1"));
        const struct hub_field_set *again;

        if (c.err)
            break;
        again = hub_field_set_decode(&c, hub_field_set_encode(&c, set));
        FUZZ_CHECK(c.err || hub_field_set_eq(set, again));
        FUZZ_CHECK(c.err || !hub_field_set_difference(&c, set, again));
        FUZZ_CHECK(c.err || hub_field_set_eq(set, hub_field_set_union(&c, set, again)));
        FUZZ_CHECK(c.err || hub_field_set_eq(set, hub_field_set_intersection(&c, set, again)));
    }
    hub_field_context_fini(&c);
}

static void show(const struct fed_json *object)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 64u << 20);
    if (!fed_json_put(&text, object))
        fprintf(stderr, "%s\n", fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

static struct fed_json *apply_once(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config, struct hub_causes *causes)
{
    struct fed_json *next;
    struct fed_buf why;
    enum fed_err err;

    fed_buf_init(&why, fed_alloc_system(), 1u << 20);
    err = hub_fields_apply(doc, update, live, config, &next, causes, &why);
    FUZZ_CHECK((err == FED_ERR_INVALID || err == FED_ERR_LIMIT) == (why.len > 0));
    fed_buf_fini(&why);
    if (err)
        return NULL;
    FUZZ_CHECK(!hub_schema_default(update->schema, doc, next));
    return next;
}

static void apply(struct fed_json_doc *doc, struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config, struct hub_causes *causes)
{
    struct fed_json *first = apply_once(doc, update, live, config, causes);
    struct fed_json *second;
    struct fed_json *third;

    if (!first)
        return;
    update->force = false;
    second = apply_once(doc, update, first, config, causes);
    third = second ? apply_once(doc, update, second, config, causes) : NULL;
    FUZZ_CHECK(third);
    if (!fed_json_eq(second, third)) {
        show(second);
        show(third);
        FUZZ_CHECK(false);
    }
}

static void update_plain(struct fed_json_doc *doc, const struct hub_field_update *update,
    const struct fed_json *live, const struct fed_json *config)
{
    struct fed_json *next = fed_json_clone(doc, config);

    FUZZ_CHECK(next);
    (void)!hub_fields_update(doc, update, live, next);
}

/* What reaches the bookkeeping was pruned, defaulted and checked before. */
static struct fed_json *take(
    struct fed_json_doc *doc, struct fed_span text, struct hub_causes *causes)
{
    struct hub_schema *schema = schema_of(doc);
    struct fed_json *object;

    if (fed_json_parse(doc, text, &object, NULL) || !fed_json_is_object(object) ||
        hub_schema_prune(schema, object, NULL) || hub_schema_validate(schema, object, causes))
        return NULL;
    return object;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span rest = fed_span_of(data, size);
    struct fed_span text = {0};
    struct hub_field_update update = {.manager = FED_SPAN_LIT("m"),
        .api_version = FED_SPAN_LIT("example.com/v1"),
        .now_unix_s = 1800000000};
    struct hub_causes *causes = calloc(1, sizeof *causes);
    struct fed_json_doc *doc;
    struct fed_arena arena;
    struct fed_json *live;
    struct fed_json *config;

    FUZZ_CHECK(causes);
    fed_arena_init(&arena, fed_alloc_system(), 64u << 20);
    FUZZ_CHECK(!fed_json_doc_new(&arena.alloc, &doc));
    update.schema = schema_of(doc);
    (void)fed_span_split(&rest, 0, &text);
    live = take(doc, text, causes);
    if (live)
        field_sets(&arena.alloc, doc, live);
    (void)fed_span_split(&rest, 0, &text);
    config = take(doc, text, causes);
    update.force = fed_span_is(rest, "!");
    if (config && !fed_json_find(config, "metadata.managedFields"))
        apply(doc, &update, live, config, causes);
    if (config)
        update_plain(doc, &update, live, config);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    free(causes);
    return 0;
}
