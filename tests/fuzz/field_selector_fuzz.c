/* Field selectors of requests: what parses can be used on any object, and a selector of names alone
 * says the same of an object and of its key. */
#include "hub/api/internal.h"
#include "tests/fuzz/fuzz.h"

/* A version with a selectable field, as a CustomResourceDefinition gives it. */
static const char *selectable[] = {".spec.colour"};

static void use(
    struct fed_json_doc *doc, const struct hub_field_selector *selector, struct fed_span ns)
{
    static const char text[] =
        "{\"metadata\":{\"name\":\"a\",\"namespace\":\"default\"},\"type\":\"Opaque\",\"reason\":1,"
        "\"spec\":{\"colour\":true},\"status\":{\"phase\":\"Active\"}}";
    struct hub_object_ref ref = {FED_SPAN_LIT("x"), ns, FED_SPAN_LIT("a")};
    struct fed_json *object;

    FUZZ_CHECK(!fed_json_parse(doc, fed_span_text(text), &object, NULL));
    FUZZ_CHECK(selector->n <= HUB_FIELD_TERMS_MAX);
    if (hub_field_selector_is_of_ref(selector))
        FUZZ_CHECK(hub_field_selector_match(selector, object) ==
                   hub_field_selector_match_ref(selector, &ref));
    else
        (void)hub_field_selector_match(selector, object);
    (void)hub_field_selector_match(selector, NULL);
}

/* Of the built-in kinds, and one of a definition. */
static const struct hub_kind *kind_of(uint8_t choice)
{
    static const char *const plurals[] = {"secrets", "events", "namespaces"};
    static struct hub_kind_version version = {.selectable = selectable, .n_selectable = 1};
    static struct hub_kind gadgets = {.group = "example.com",
        .kind = "Gadget",
        .plural = "gadgets",
        .versions = &version,
        .n_versions = 1};
    static struct hub_kinds *kinds;
    struct fed_diag diag;

    if (!kinds) {
        FUZZ_CHECK(!hub_kinds_new(fed_alloc_system(), &kinds));
        FUZZ_CHECK(!hub_api_builtin_kinds(fed_alloc_system(), kinds, &diag));
    }
    return choice % 4 == 3
               ? &gadgets
               : hub_kinds_find(kinds, (struct fed_span){0}, fed_span_text(plurals[choice % 4]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hub_request r = {.version = NULL};
    struct hub_field_selector selector;
    enum fed_err err;

    if (size == 0)
        return 0;
    r.kind = kind_of(data[0]);
    FUZZ_CHECK(r.kind);
    r.version = &r.kind->versions[0];
    fed_arena_init(&r.arena, fed_alloc_system(), HUB_LIMIT_REQUEST_MEMORY);
    r.mem = &r.arena.alloc;
    FUZZ_CHECK(!fed_json_doc_new(r.mem, &r.doc));
    err = hub_field_selector_parse(&r, r.mem, fed_span_of(data + 1, size - 1), &selector);
    if (!err)
        use(r.doc, &selector, FED_SPAN_LIT("default"));
    else
        FUZZ_CHECK(r.failure.code == 400 && r.failure.message[0]);
    fed_json_doc_free(r.doc);
    fed_arena_fini(&r.arena);
    return 0;
}
