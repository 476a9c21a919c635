/* yaml.c - see ports/yaml.h. libyaml reads a document into nodes (aliases share them), we write
 * those out as JSON; the number of nodes written is limited, so that shared nodes cannot multiply
 * without end. */
#include "ports/yaml.h"
#include "ports/kube/yaml_scalar.h"

#include <string.h>
#include <yaml.h>

#define YAML_BYTES_MAX (16u << 20)

struct writer {
    yaml_document_t *document;
    struct fed_buf *out;
    struct fed_diag *diag;
    size_t nodes;
    unsigned depth;
};

static enum fed_err put_node(struct writer *w, int index);

static enum fed_err node_error(
    struct writer *w, const yaml_node_t *node, enum fed_err err, const char *what)
{
    return fed_diag_set(w->diag, err, "line %zu, column %zu: %s", node->start_mark.line + 1,
        node->start_mark.column + 1, what);
}

static struct fed_span scalar_text(const yaml_node_t *node)
{
    return fed_span_of(node->data.scalar.value, node->data.scalar.length);
}

static enum fed_err put_scalar(struct writer *w, const yaml_node_t *node)
{
    const char *tag = (const char *)node->tag;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    /* libyaml gives every untagged scalar the string tag; a tag written by hand differs from that
     * or stands on a plain scalar as !!str, which the parser marks by the style it does not change:
     * then the text decides as before. */
    if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strncmp(tag, "tag:yaml.org,2002:", 18) != 0)
        return node_error(w, node, FED_ERR_UNSUPPORTED, "tags of one's own are not supported");
    if (!plain || (tag && strcmp(tag, "tag:yaml.org,2002:binary") == 0)) {
        yaml_string_put(w->out, scalar_text(node));
        return FED_OK;
    }
    if (yaml_scalar_put(w->out, scalar_text(node)))
        return node_error(w, node, FED_ERR_INVALID, "JSON has no such number");
    return FED_OK;
}

static bool is_merge_key(const yaml_node_t *key)
{
    return key->type == YAML_SCALAR_NODE && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           fed_span_is(scalar_text(key), "<<");
}

/* Whether a mapping itself says the key (a merged one does not override it). */
static bool mapping_has(struct writer *w, const yaml_node_t *mapping, struct fed_span key)
{
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *node = yaml_document_get_node(w->document, p->key);

        if (node->type == YAML_SCALAR_NODE && !is_merge_key(node) &&
            fed_span_eq(scalar_text(node), key))
            return true;
    }
    return false;
}

static enum fed_err put_pair(struct writer *w, const yaml_node_t *key, int value, bool *first)
{
    if (key->type != YAML_SCALAR_NODE)
        return node_error(w, key, FED_ERR_INVALID, "a key must be text");
    if (!*first)
        fed_buf_put_u8(w->out, ',');
    *first = false;
    yaml_string_put(w->out, scalar_text(key));
    fed_buf_put_u8(w->out, ':');
    return put_node(w, value);
}

static enum fed_err put_merged(struct writer *w, const yaml_node_t *into, int index, bool *first)
{
    const yaml_node_t *from = yaml_document_get_node(w->document, index);
    enum fed_err err = FED_OK;

    if (from->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *i = from->data.sequence.items.start;

        for (; !err && i < from->data.sequence.items.top; i++) {
            if (yaml_document_get_node(w->document, *i)->type != YAML_MAPPING_NODE)
                return node_error(w, from, FED_ERR_INVALID, "a merge key takes mappings");
            err = put_merged(w, into, *i, first);
        }
        return err;
    }
    if (from->type != YAML_MAPPING_NODE)
        return node_error(w, from, FED_ERR_INVALID, "a merge key takes a mapping");
    for (const yaml_node_pair_t *p = from->data.mapping.pairs.start;
         !err && p < from->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(w->document, p->key);

        if (key->type == YAML_SCALAR_NODE && !is_merge_key(key) &&
            !mapping_has(w, into, scalar_text(key)))
            err = put_pair(w, key, p->value, first);
    }
    return err;
}

static enum fed_err put_mapping(struct writer *w, const yaml_node_t *node)
{
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    bool first = true;
    enum fed_err err = FED_OK;

    fed_buf_put_u8(w->out, '{');
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; !err && p < end; p++) {
        const yaml_node_t *key = yaml_document_get_node(w->document, p->key);

        err = is_merge_key(key) ? put_merged(w, node, p->value, &first)
                                : put_pair(w, key, p->value, &first);
    }
    fed_buf_put_u8(w->out, '}');
    return err;
}

static enum fed_err put_sequence(struct writer *w, const yaml_node_t *node)
{
    const yaml_node_item_t *start = node->data.sequence.items.start;
    enum fed_err err = FED_OK;

    fed_buf_put_u8(w->out, '[');
    for (const yaml_node_item_t *i = start; !err && i < node->data.sequence.items.top; i++) {
        if (i > start)
            fed_buf_put_u8(w->out, ',');
        err = put_node(w, *i);
    }
    fed_buf_put_u8(w->out, ']');
    return err;
}

static enum fed_err put_node(struct writer *w, int index)
{
    const yaml_node_t *node = yaml_document_get_node(w->document, index);
    enum fed_err err = FED_OK;

    if (++w->nodes > FED_YAML_NODES_MAX)
        return node_error(w, node, FED_ERR_LIMIT, "too many values after expanding aliases");
    if (w->depth >= FED_YAML_DEPTH_MAX)
        return node_error(w, node, FED_ERR_LIMIT, "nested too deep");
    w->depth++;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        err = put_scalar(w, node);
        break;
    case YAML_SEQUENCE_NODE:
        err = put_sequence(w, node);
        break;
    case YAML_MAPPING_NODE:
        err = put_mapping(w, node);
        break;
    case YAML_NO_NODE:
        err = node_error(w, node, FED_ERR_INVALID, "empty node");
        break;
    }
    w->depth--;
    return err ? err : fed_buf_err(w->out);
}

static enum fed_err parser_error(const yaml_parser_t *parser, struct fed_diag *diag)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return FED_ERR_NOMEM;
    return fed_diag_set(diag, FED_ERR_INVALID, "line %zu, column %zu: %s",
        parser->problem_mark.line + 1, parser->problem_mark.column + 1,
        parser->problem ? parser->problem : "not YAML");
}

static bool is_empty(yaml_document_t *document)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);

    return !root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0 &&
                        root->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
}

enum fed_err fed_yaml_each_json(struct fed_alloc *mem, struct fed_span text, fed_yaml_each *each,
    void *ctx, struct fed_diag *diag)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct fed_buf json;
    enum fed_err err = FED_OK;
    bool more = true;

    if (text.len > YAML_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "larger than %u bytes", YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&parser))
        return FED_ERR_NOMEM;
    fed_buf_init(&json, mem, YAML_BYTES_MAX);
    yaml_parser_set_input_string(&parser, text.at ? text.at : (const uint8_t *)"", text.len);
    for (size_t index = 0; !err && more;) {
        struct writer w = {.document = &document, .out = &json, .diag = diag};

        if (!yaml_parser_load(&parser, &document)) {
            err = parser_error(&parser, diag);
            break;
        }
        more = yaml_document_get_root_node(&document) != NULL;
        if (more && !is_empty(&document)) {
            fed_buf_clear(&json);
            err = put_node(&w, 1);
            if (!err && !each(ctx, index++, fed_buf_span(&json)))
                more = false;
        }
        yaml_document_delete(&document);
    }
    fed_buf_fini(&json);
    yaml_parser_delete(&parser);
    return err;
}
