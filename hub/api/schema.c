/* schema.c - see schema.h: from an openAPIV3Schema document to nodes. */
#include "hub/api/format.h"
#include "hub/api/schema_node.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA_DEPTH_MAX 64u

#define DEFINITIONS_MAX 4u
struct definition {
    struct fed_span name;
    struct hub_schema_node *node;
};
struct compile {
    struct hub_schema *schema;
    const struct fed_json *definitions; /* schemas that refer to themselves: built-in kinds only */
    struct definition known[DEFINITIONS_MAX];
    size_t n_known;
    struct fed_diag *diag;
    unsigned depth;
};

static enum fed_err compile_node(
    struct compile *c, const struct fed_json *from, struct hub_schema_node **out);

/* Server-side apply takes any scalar where a string has a format other than this one. */
static bool is_formatted(const struct fed_json *from)
{
    struct fed_span format = fed_json_string(fed_json_get(from, "format"));

    return format.len > 0 && !fed_span_is(format, "byte");
}

static enum fed_err compile_type(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    static const struct {
        const char *name;
        enum hub_schema_type type;
    } types[] = {
        {"object", HUB_SCHEMA_OBJECT},
        {"array", HUB_SCHEMA_ARRAY},
        {"string", HUB_SCHEMA_STRING},
        {"integer", HUB_SCHEMA_INTEGER},
        {"number", HUB_SCHEMA_NUMBER},
        {"boolean", HUB_SCHEMA_BOOLEAN},
    };
    struct fed_span name = fed_json_string(fed_json_get(from, "type"));

    if (name.len == 0)
        return FED_OK;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (fed_span_is(name, types[i].name)) {
            node->type = types[i].type;
            node->formatted = node->type == HUB_SCHEMA_STRING && is_formatted(from);
            return FED_OK;
        }
    }
    return fed_diag_set(c->diag, FED_ERR_INVALID,
        "type: \"" FED_SPAN_FMT "\" is not one of a structural schema", FED_SPAN_ARG(name));
}

/* A part of the source that a node keeps; NULL when it is absent or memory is out. */
static enum fed_err keep(
    struct compile *c, const struct fed_json *part, const struct fed_json **out)
{
    *out = part ? fed_json_clone(c->schema->doc, part) : NULL;
    return part && !*out ? FED_ERR_NOMEM : FED_OK;
}

/* A list of names, which those who read it take for granted. */
static enum fed_err keep_names(struct compile *c, const struct fed_json *from, const char *key,
    const struct fed_json **out)
{
    const struct fed_json *names = fed_json_get(from, key);

    if (fed_json_type(names) == FED_JSON_NULL)
        names = NULL;
    if (names && fed_json_type(names) != FED_JSON_ARRAY)
        return fed_diag_set(c->diag, FED_ERR_INVALID, "%s must be a list", key);
    for (struct fed_json_iter it = fed_json_items(names); fed_json_iter_next(&it);)
        if (fed_json_type(it.value) != FED_JSON_STRING)
            return fed_diag_set(c->diag, FED_ERR_INVALID, "%s must be strings", key);
    return keep(c, names, out);
}

static enum fed_err compile_extensions(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    struct fed_span list = fed_json_string(fed_json_get(from, "x-kubernetes-list-type"));
    enum fed_err err = keep_names(c, from, "x-kubernetes-list-map-keys", &node->list_keys);

    node->nullable = fed_json_bool(fed_json_get(from, "nullable"), false);
    node->int_or_string = fed_json_bool(fed_json_get(from, "x-kubernetes-int-or-string"), false);
    node->preserve_unknown =
        fed_json_bool(fed_json_get(from, "x-kubernetes-preserve-unknown-fields"), false);
    node->embedded = fed_json_bool(fed_json_get(from, "x-kubernetes-embedded-resource"), false);
    node->map_atomic =
        fed_span_is(fed_json_string(fed_json_get(from, "x-kubernetes-map-type")), "atomic");
    if (fed_span_is(list, "set"))
        node->list_type = HUB_LIST_SET;
    else if (fed_span_is(list, "map") && fed_json_count(node->list_keys) > 0)
        node->list_type = HUB_LIST_MAP;
    return err;
}

/* ---- rules ---- */
static bool has_rules(const struct fed_json *from)
{
    static const char *const words[] = {"minimum", "maximum", "multipleOf", "minLength",
        "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "format", "pattern",
        "enum", "allOf", "anyOf", "oneOf", "not"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fed_json_get(from, words[i]))
            return true;
    return false;
}

/* What is no regular expression is refused; one that this hub cannot run is left out, and a
 * definition says so in a condition. */
static enum fed_err compile_pattern(
    struct compile *c, const struct fed_json *from, struct hub_schema_rules *rules)
{
    const struct fed_json *kept;
    enum fed_err err = keep(c, fed_json_get(from, "pattern"), &kept);

    rules->pattern_text = fed_json_string(kept);
    if (err || rules->pattern_text.len == 0)
        return err;
    err = hub_pattern_new(c->schema->mem, rules->pattern_text, &rules->pattern, c->diag);
    if (err == FED_ERR_INVALID)
        return fed_diag_prefix(c->diag, err, "pattern");
    return err == FED_ERR_NOMEM ? err : FED_OK;
}

static enum fed_err compile_junctor(struct compile *c, const struct fed_json *list, const char *key,
    struct hub_schema_rules *rules, size_t *n)
{
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        size_t at = rules->n_all + rules->n_any + rules->n_one;
        enum fed_err err = compile_node(c, it.value, &rules->junctors[at]);

        if (err)
            return fed_diag_prefix(c->diag, err, "%s[%zu]", key, it.index);
        (*n)++;
    }
    return FED_OK;
}

static enum fed_err compile_junctors(
    struct compile *c, const struct fed_json *from, struct hub_schema_rules *rules)
{
    const struct fed_json *all = fed_json_get(from, "allOf");
    const struct fed_json *any = fed_json_get(from, "anyOf");
    const struct fed_json *one = fed_json_get(from, "oneOf");
    const struct fed_json *inverted = fed_json_get(from, "not");
    size_t n = fed_json_count(all) + fed_json_count(any) + fed_json_count(one);
    enum fed_err err = FED_OK;

    if ((all && !fed_json_is_array(all)) || (any && !fed_json_is_array(any)) ||
        (one && !fed_json_is_array(one)))
        return fed_diag_set(c->diag, FED_ERR_INVALID, "allOf, anyOf and oneOf must be lists");
    if (n > 0) {
        rules->junctors = fed_alloc_zero(c->schema->mem, n * sizeof *rules->junctors);
        if (!rules->junctors)
            return FED_ERR_NOMEM;
        rules->n_junctors = n;
        err = compile_junctor(c, all, "allOf", rules, &rules->n_all);
    }
    if (!err)
        err = compile_junctor(c, any, "anyOf", rules, &rules->n_any);
    if (!err)
        err = compile_junctor(c, one, "oneOf", rules, &rules->n_one);
    if (!err && inverted) {
        err = compile_node(c, inverted, &rules->inverted);
        if (err)
            fed_diag_prefix(c->diag, err, "not");
    }
    return err;
}

static void compile_numbers(const struct fed_json *from, struct hub_schema_rules *rules)
{
    const struct fed_json *minimum = fed_json_get(from, "minimum");
    const struct fed_json *maximum = fed_json_get(from, "maximum");

    rules->has_minimum = minimum != NULL;
    rules->has_maximum = maximum != NULL;
    rules->minimum = fed_json_real(minimum, 0);
    rules->maximum = fed_json_real(maximum, 0);
    rules->above_minimum = fed_json_bool(fed_json_get(from, "exclusiveMinimum"), false);
    rules->below_maximum = fed_json_bool(fed_json_get(from, "exclusiveMaximum"), false);
    rules->multiple_of = fed_json_real(fed_json_get(from, "multipleOf"), 0);
    rules->min_length = fed_json_int(fed_json_get(from, "minLength"), -1);
    rules->max_length = fed_json_int(fed_json_get(from, "maxLength"), -1);
    rules->min_items = fed_json_int(fed_json_get(from, "minItems"), -1);
    rules->max_items = fed_json_int(fed_json_get(from, "maxItems"), -1);
    rules->min_properties = fed_json_int(fed_json_get(from, "minProperties"), -1);
    rules->max_properties = fed_json_int(fed_json_get(from, "maxProperties"), -1);
}

static enum fed_err compile_rules(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    struct hub_schema_rules *rules;
    enum fed_err err;

    if (!has_rules(from))
        return FED_OK;
    rules = fed_alloc_zero(c->schema->mem, sizeof *rules);
    if (!rules)
        return FED_ERR_NOMEM;
    node->rules = rules;
    compile_numbers(from, rules);
    rules->format = hub_format_find(fed_json_string(fed_json_get(from, "format")));
    err = keep(c, fed_json_get(from, "enum"), &rules->enums);
    if (!err && rules->enums && !fed_json_is_array(rules->enums))
        err = fed_diag_set(c->diag, FED_ERR_INVALID, "enum must be a list");
    if (!err)
        err = compile_pattern(c, from, rules);
    return err ? err : compile_junctors(c, from, rules);
}

static enum fed_err compile_own(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    enum fed_err err = keep(c, fed_json_get(from, "required"), &node->required);

    if (!err && node->required && !fed_json_is_array(node->required))
        err = fed_diag_set(c->diag, FED_ERR_INVALID, "required must be a list");
    if (!err)
        err = keep(c, fed_json_get(from, "default"), &node->otherwise);
    return err ? err : compile_rules(c, from, node);
}

static int property_cmp(const void *a, const void *b)
{
    return fed_span_cmp(
        ((const struct hub_schema_property *)a)->key, ((const struct hub_schema_property *)b)->key);
}

static enum fed_err keep_key(struct compile *c, struct fed_span key, struct fed_span *out)
{
    struct fed_json *text = fed_json_new_string(c->schema->doc, key);

    *out = fed_json_string(text);
    return text ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err compile_properties(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    struct fed_json *properties = fed_json_get(from, "properties");
    struct fed_json_iter it;
    size_t n = fed_json_count(properties);

    if (n == 0)
        return FED_OK;
    node->properties = fed_alloc_array(c->schema->mem, n, sizeof *node->properties);
    if (!node->properties)
        return FED_ERR_NOMEM;
    node->n_properties = n;
    memset(node->properties, 0, n * sizeof *node->properties);
    fed_json_iter_init(&it, properties);
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        enum fed_err err;

        err = keep_key(c, it.key, &node->properties[i].key);
        if (!err)
            err = compile_node(c, it.value, &node->properties[i].node);
        if (err)
            return fed_diag_prefix(c->diag, err, "properties." FED_SPAN_FMT, FED_SPAN_ARG(it.key));
    }
    qsort(node->properties, n, sizeof *node->properties, property_cmp);
    return FED_OK;
}

static enum fed_err compile_children(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    struct fed_json *additional = fed_json_get(from, "additionalProperties");
    struct fed_json *items = fed_json_get(from, "items");
    enum fed_err err = compile_properties(c, from, node);

    if (!err && fed_json_is_object(additional)) {
        err = compile_node(c, additional, &node->additional);
        if (err)
            return fed_diag_prefix(c->diag, err, "additionalProperties");
    } else if (fed_json_bool(additional, false)) {
        node->additional_any = true;
    }
    if (!err && items) {
        err = compile_node(c, items, &node->items);
        if (err)
            return fed_diag_prefix(c->diag, err, "items");
    }
    return err;
}

static struct hub_schema_node *node_new(struct hub_schema *schema)
{
    struct hub_schema_node *node = fed_alloc_zero(schema->mem, sizeof *node);

    if (node) {
        node->next = schema->nodes;
        schema->nodes = node;
    }
    return node;
}

static enum fed_err compile_into(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node);

/* "#/components/schemas/NAME", compiled once. */
static enum fed_err compile_reference(
    struct compile *c, struct fed_span reference, struct hub_schema_node **out)
{
    struct fed_span name = reference;
    const struct fed_json *from;

    while (fed_span_find(name, '/') < name.len)
        name = fed_span_sub(name, fed_span_find(name, '/') + 1, name.len);
    from = fed_json_get_span(c->definitions, name);
    for (size_t i = 0; i < c->n_known; i++)
        if (fed_span_eq(name, c->known[i].name)) {
            *out = c->known[i].node;
            return FED_OK;
        }
    if (!from || c->n_known == DEFINITIONS_MAX)
        return fed_diag_set(c->diag, FED_ERR_INVALID, "$ref: nothing is there");
    *out = node_new(c->schema);
    if (!*out)
        return FED_ERR_NOMEM;
    c->known[c->n_known++] = (struct definition){name, *out};
    return compile_into(c, from, *out);
}

static enum fed_err compile_node(
    struct compile *c, const struct fed_json *from, struct hub_schema_node **out)
{
    struct hub_schema_node *node;

    if (!fed_json_is_object(from))
        return fed_diag_set(c->diag, FED_ERR_INVALID, "a schema must be an object");
    if (c->depth >= SCHEMA_DEPTH_MAX)
        return fed_diag_set(c->diag, FED_ERR_LIMIT, "nested deeper than %u", SCHEMA_DEPTH_MAX);
    if (c->definitions && fed_json_get(from, "$ref"))
        return compile_reference(c, fed_json_string(fed_json_get(from, "$ref")), out);
    node = node_new(c->schema);
    if (!node)
        return FED_ERR_NOMEM;
    *out = node;
    return compile_into(c, from, node);
}

static enum fed_err compile_into(
    struct compile *c, const struct fed_json *from, struct hub_schema_node *node)
{
    enum fed_err err;

    c->depth++;
    err = compile_extensions(c, from, node);
    if (!err)
        err = compile_type(c, from, node);
    if (!err)
        err = compile_own(c, from, node);
    if (!err)
        err = compile_children(c, from, node);
    c->depth--;
    return err;
}

static enum fed_err schema_fill(
    struct hub_schema *schema, const struct fed_json *openapi, struct fed_diag *diag)
{
    struct compile c = {.schema = schema, .diag = diag};
    enum fed_err err = fed_json_put(&schema->source, openapi);

    if (!err)
        err = fed_json_doc_new(schema->mem, &schema->doc);
    c.definitions = fed_json_get(openapi, "definitions");
    return err ? err : compile_node(&c, openapi, &schema->root);
}

enum fed_err hub_schema_compile(struct fed_alloc *mem, const struct fed_json *openapi,
    struct hub_schema **out, struct fed_diag *diag)
{
    enum fed_err err = hub_schema_compile_value(mem, openapi, out, diag);

    if (!err)
        (*out)->root->embedded = true;
    return err;
}

enum fed_err hub_schema_compile_value(struct fed_alloc *mem, const struct fed_json *openapi,
    struct hub_schema **out, struct fed_diag *diag)
{
    struct hub_schema *schema = fed_alloc_zero(mem, sizeof *schema);
    enum fed_err err;

    if (!schema)
        return FED_ERR_NOMEM;
    schema->mem = mem;
    schema->refs = 1;
    fed_buf_init(&schema->source, mem, HUB_SCHEMA_BYTES_MAX);
    err = schema_fill(schema, openapi, diag);
    if (err) {
        hub_schema_unref(schema);
        return fed_diag_prefix(diag, err, "openAPIV3Schema");
    }
    *out = schema;
    return FED_OK;
}

struct hub_schema *hub_schema_ref(struct hub_schema *schema)
{
    if (schema)
        schema->refs++;
    return schema;
}

static void rules_free(struct fed_alloc *mem, struct hub_schema_rules *rules)
{
    if (!rules)
        return;
    hub_pattern_free(rules->pattern);
    fed_alloc_free(mem, rules->junctors, rules->n_junctors * sizeof *rules->junctors);
    fed_alloc_free(mem, rules, sizeof *rules);
}

static void node_free(struct fed_alloc *mem, struct hub_schema_node *node)
{
    rules_free(mem, node->rules);
    fed_alloc_free(mem, node->properties, node->n_properties * sizeof *node->properties);
    fed_alloc_free(mem, node, sizeof *node);
}

void hub_schema_unref(struct hub_schema *schema)
{
    if (!schema || --schema->refs > 0)
        return;
    while (schema->nodes) {
        struct hub_schema_node *next = schema->nodes->next;

        node_free(schema->mem, schema->nodes);
        schema->nodes = next;
    }
    fed_json_doc_free(schema->doc);
    fed_buf_fini(&schema->source);
    fed_alloc_free(schema->mem, schema, sizeof *schema);
}

struct fed_span hub_schema_openapi(const struct hub_schema *schema)
{
    return fed_buf_span(&schema->source);
}

const struct hub_schema_property *hub_schema_property(
    const struct hub_schema_node *node, struct fed_span key)
{
    struct hub_schema_property wanted = {.key = key};

    if (!node || node->n_properties == 0)
        return NULL;
    return bsearch(&wanted, node->properties, node->n_properties, sizeof wanted, property_cmp);
}

bool hub_schema_is_type_meta(const struct hub_schema_node *node, struct fed_span key)
{
    return node->embedded && (fed_span_is(key, "apiVersion") || fed_span_is(key, "kind") ||
                                 fed_span_is(key, "metadata"));
}

/* ---- the walk of server-side apply ---- */

/* metadata as every object has it: finalizers are a set, owner references a list keyed by uid. */
static struct hub_schema_node meta_string = {.type = HUB_SCHEMA_STRING};
static struct hub_schema_node meta_time = {.type = HUB_SCHEMA_STRING, .formatted = true};
static struct hub_schema_node meta_integer = {.type = HUB_SCHEMA_INTEGER};
static struct hub_schema_node meta_boolean = {.type = HUB_SCHEMA_BOOLEAN};
static struct hub_schema_node meta_map = {.type = HUB_SCHEMA_OBJECT, .additional = &meta_string};
#define META_KEY(text)                                                                             \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define META_OBJECT(members)                                                                       \
    .type = HUB_SCHEMA_OBJECT, .properties = (members),                                            \
    .n_properties = sizeof(members) / sizeof *(members)
static struct hub_schema_property meta_owner[] = {
    {META_KEY("apiVersion"), &meta_string},
    {META_KEY("blockOwnerDeletion"), &meta_boolean},
    {META_KEY("controller"), &meta_boolean},
    {META_KEY("kind"), &meta_string},
    {META_KEY("name"), &meta_string},
    {META_KEY("uid"), &meta_string},
};
static struct hub_schema_node meta_reference = {META_OBJECT(meta_owner), .map_atomic = true};
static struct hub_schema_node meta_owners = {
    .type = HUB_SCHEMA_ARRAY, .list_type = HUB_LIST_MAP, .items = &meta_reference};
static struct hub_schema_node meta_finalizers = {
    .type = HUB_SCHEMA_ARRAY, .list_type = HUB_LIST_SET, .items = &meta_string};
static struct hub_schema_node meta_managed = {.type = HUB_SCHEMA_ARRAY};
static struct hub_schema_property meta_properties[] = {
    {META_KEY("annotations"), &meta_map},
    {META_KEY("creationTimestamp"), &meta_time},
    {META_KEY("deletionGracePeriodSeconds"), &meta_integer},
    {META_KEY("deletionTimestamp"), &meta_time},
    {META_KEY("finalizers"), &meta_finalizers},
    {META_KEY("generateName"), &meta_string},
    {META_KEY("generation"), &meta_integer},
    {META_KEY("labels"), &meta_map},
    {META_KEY("managedFields"), &meta_managed},
    {META_KEY("name"), &meta_string},
    {META_KEY("namespace"), &meta_string},
    {META_KEY("ownerReferences"), &meta_owners},
    {META_KEY("resourceVersion"), &meta_string},
    {META_KEY("selfLink"), &meta_string},
    {META_KEY("uid"), &meta_string},
};
static const struct hub_schema_node meta_root = {META_OBJECT(meta_properties)};

const struct hub_schema_node *hub_schema_root(const struct hub_schema *schema)
{
    return schema ? schema->root : NULL;
}

const struct hub_schema_node *hub_schema_member(
    const struct hub_schema_node *node, struct fed_span key)
{
    const struct hub_schema_property *property;

    if (!node)
        return NULL;
    if (node->embedded && fed_span_is(key, "metadata"))
        return &meta_root;
    property = hub_schema_property(node, key);
    return property ? property->node : node->additional;
}

const struct hub_schema_node *hub_schema_item(const struct hub_schema_node *node)
{
    return node ? node->items : NULL;
}

enum hub_list_type hub_schema_list_type(const struct hub_schema_node *node)
{
    return node ? node->list_type : HUB_LIST_ATOMIC;
}

/* Strings of a parsed document are NUL-terminated by the JSON library, so the keys can be handed
 * out as C strings. */
size_t hub_schema_list_keys(const struct hub_schema_node *node, const char *keys[8])
{
    size_t n = 0;

    if (node == &meta_owners) {
        keys[0] = "uid";
        return 1;
    }
    if (!node)
        return 0;
    for (; n < fed_json_count(node->list_keys) && n < 8; n++)
        keys[n] = (const char *)fed_json_string(fed_json_at(node->list_keys, n)).at;
    return n;
}

bool hub_schema_map_atomic(const struct hub_schema_node *node)
{
    return node && node->map_atomic;
}

bool hub_schema_is_declared(const struct hub_schema_node *node, struct fed_span key)
{
    return node && (hub_schema_property(node, key) || hub_schema_is_type_meta(node, key));
}

const struct fed_json *hub_schema_otherwise(const struct hub_schema_node *node)
{
    return node ? node->otherwise : NULL;
}
