/* schema_prune.c - see schema.h: prune, default. Recursion is bounded by the depth of a parsed
 * document. */
#include "hub/api/schema_node.h"
#include "hub/api/schema_path.h"

/* ---- prune ---- */

static enum fed_err prune(const struct hub_schema_node *node, struct fed_json *value,
    struct hub_schema_path *path, struct fed_buf *unknown);

/* The place of a value of which nothing is said: additionalProperties: true keeps the member, not
 * what is in it. */
static const struct hub_schema_node nothing = {.type = HUB_SCHEMA_OBJECT, .items = NULL};

static enum fed_err prune_object(const struct hub_schema_node *node, struct fed_json *object,
    struct hub_schema_path *path, struct fed_buf *unknown)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;
        size_t before;

        /* Also where the schema has them: what most definitions say of metadata is "an object". */
        if (hub_schema_is_type_meta(node, it.key))
            continue;
        before = hub_schema_path_member(path, it.key);
        if (next) {
            err = prune(next, it.value, path, unknown);
        } else if (node->additional_any && !node->preserve_unknown) {
            err = prune(&nothing, it.value, path, unknown);
        } else if (!node->preserve_unknown) {
            if (unknown)
                fed_buf_printf(unknown, "%s\n", path->text);
            fed_json_iter_remove(&it);
        }
        hub_schema_path_back(path, before);
    }
    return err;
}

static enum fed_err prune(const struct hub_schema_node *node, struct fed_json *value,
    struct hub_schema_path *path, struct fed_buf *unknown)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value))
        return prune_object(node, value, path, unknown);
    if (!fed_json_is_array(value) || (!node->items && node->preserve_unknown))
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it)) {
        size_t before = hub_schema_path_index(path, it.index);

        err = prune(node->items ? node->items : &nothing, it.value, path, unknown);
        hub_schema_path_back(path, before);
    }
    return err;
}

enum fed_err hub_schema_prune(
    const struct hub_schema *schema, struct fed_json *object, struct fed_buf *unknown)
{
    struct hub_schema_path path = {.len = 0};
    enum fed_err err = prune(schema->root, object, &path, unknown);

    return err || !unknown ? err : fed_buf_err(unknown);
}

/* ---- default ---- */

/* What becomes of a member that is null, must not be, and has no default. */
enum nulls { NULLS_GO, NULLS_STAY };
struct defaulting {
    struct fed_json_doc *doc;
    enum nulls nulls;
};

static enum fed_err put_defaults(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *value);

static bool is_bad_null(const struct hub_schema_node *node, const struct fed_json *value)
{
    return fed_json_type(value) == FED_JSON_NULL && !node->nullable;
}

/* A property that is absent gets its default. */
static enum fed_err default_property(
    const struct hub_schema_property *property, struct fed_json_doc *doc, struct fed_json *object)
{
    if (!property->node->otherwise || fed_json_get_span(object, property->key))
        return FED_OK;
    return fed_json_add_span(
        doc, object, property->key, fed_json_clone(doc, property->node->otherwise));
}

/* The value at the iterator: a null that must not be gives way to the default or goes (items of
 * lists stay), any other is searched for what it lacks. */
static enum fed_err default_at(const struct hub_schema_node *node, const struct defaulting *how,
    struct fed_json_iter *it, bool member)
{
    struct fed_json *value = it->value;

    if (is_bad_null(node, value) && node->otherwise) {
        value = fed_json_clone(how->doc, node->otherwise);
        if (!value)
            return FED_ERR_NOMEM;
        fed_json_iter_replace(it, value);
    } else if (is_bad_null(node, value) && member && how->nulls == NULLS_GO) {
        fed_json_iter_remove(it);
        return FED_OK;
    }
    return put_defaults(node, how, value);
}

static enum fed_err default_object(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *object)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < node->n_properties; i++)
        err = default_property(&node->properties[i], how->doc, object);
    fed_json_iter_init(&it, object);
    while (!err && fed_json_iter_next(&it)) {
        const struct hub_schema_property *property = hub_schema_property(node, it.key);
        const struct hub_schema_node *next = property ? property->node : node->additional;

        if (next)
            err = default_at(next, how, &it, true);
    }
    return err;
}

static enum fed_err put_defaults(
    const struct hub_schema_node *node, const struct defaulting *how, struct fed_json *value)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (fed_json_is_object(value))
        return default_object(node, how, value);
    if (!fed_json_is_array(value) || !node->items)
        return FED_OK;
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it))
        err = default_at(node->items, how, &it, false);
    return err;
}

enum fed_err hub_schema_default(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    struct defaulting how = {doc, NULLS_GO};

    return put_defaults(schema->root, &how, object);
}

enum fed_err hub_schema_default_applied(
    const struct hub_schema *schema, struct fed_json_doc *doc, struct fed_json *object)
{
    struct defaulting how = {doc, NULLS_STAY};

    return put_defaults(schema->root, &how, object);
}
