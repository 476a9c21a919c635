/* field_set.c - see field_set.h. All set operations are one walk over two sorted lists of children.
 */
#include "hub/api/field_set.h"

#include "hub/api/go_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void hub_field_context_init(
    struct hub_field_context *c, struct fed_alloc *mem, struct fed_json_doc *doc)
{
    *c = (struct hub_field_context){.mem = mem, .doc = doc};
    fed_buf_init(&c->scratch, fed_alloc_system(), HUB_FIELD_ELEMENT_MAX);
}

void hub_field_context_fini(struct hub_field_context *c)
{
    fed_buf_fini(&c->scratch);
}

static void fail(struct hub_field_context *c, enum fed_err err)
{
    if (!c->err)
        c->err = err;
}

/* ---- nodes ---- */

const struct hub_field_set **hub_field_set_room(struct hub_field_context *c, size_t n)
{
    const struct hub_field_set **room = fed_alloc_array(c->mem, n ? n : 1, sizeof *room);

    if (!room)
        fail(c, FED_ERR_NOMEM);
    return room;
}

const struct hub_field_set *hub_field_set_node(struct hub_field_context *c, struct fed_span name,
    bool member, const struct hub_field_set **child, size_t n)
{
    struct hub_field_set *node;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (child[i])
            child[kept++] = child[i];
    if (!member && kept == 0)
        return NULL;
    node = fed_alloc_get(c->mem, sizeof *node);
    if (!node) {
        fail(c, FED_ERR_NOMEM);
        return NULL;
    }
    *node = (struct hub_field_set){.name = name, .member = member, .n = kept, .child = child};
    return node;
}

const struct hub_field_set *hub_field_set_path(
    struct hub_field_context *c, const char *const *names, size_t n)
{
    const struct hub_field_set *node = NULL;

    for (size_t i = n + 1; i-- > 0;) {
        const struct hub_field_set **child = hub_field_set_room(c, 1);

        if (!child)
            return NULL;
        child[0] = node;
        node = hub_field_set_node(c, fed_span_text(i > 0 ? names[i - 1] : ""), i == n, child, 1);
    }
    return node;
}

/* ---- algebra ---- */

enum algebra { UNION, INTERSECTION, DIFFERENCE };

static bool combine_member(enum algebra how, bool a, bool b)
{
    if (how == UNION)
        return a || b;
    return how == INTERSECTION ? a && b : a && !b;
}

/* a and b are not both NULL. Sets are as deep as the objects they came from, which have a limit. */
static const struct hub_field_set *combine(struct hub_field_context *c, enum algebra how,
    const struct hub_field_set *a, const struct hub_field_set *b)
{
    const struct hub_field_set **child;
    size_t n = 0;
    size_t i = 0;
    size_t j = 0;

    if (!a)
        return how == UNION ? b : NULL;
    if (!b)
        return how == INTERSECTION ? NULL : a;
    child = hub_field_set_room(c, a->n + b->n);
    if (!child)
        return NULL;
    while (i < a->n || j < b->n) {
        int order = i == a->n   ? 1
                    : j == b->n ? -1
                                : fed_span_cmp(a->child[i]->name, b->child[j]->name);
        const struct hub_field_set *left = order <= 0 ? a->child[i++] : NULL;
        const struct hub_field_set *right = order >= 0 ? b->child[j++] : NULL;

        child[n++] = combine(c, how, left, right);
    }
    return hub_field_set_node(c, a->name, combine_member(how, a->member, b->member), child, n);
}

const struct hub_field_set *hub_field_set_union(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b)
{
    return combine(c, UNION, a, b);
}

const struct hub_field_set *hub_field_set_intersection(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b)
{
    return combine(c, INTERSECTION, a, b);
}

const struct hub_field_set *hub_field_set_difference(
    struct hub_field_context *c, const struct hub_field_set *a, const struct hub_field_set *b)
{
    return combine(c, DIFFERENCE, a, b);
}

static const struct hub_field_set *filter(
    struct hub_field_context *c, const struct hub_field_set *a, const char *name, bool keep)
{
    const struct hub_field_set **child = a ? hub_field_set_room(c, a->n) : NULL;
    size_t n = 0;

    if (!child)
        return NULL;
    for (size_t i = 0; i < a->n; i++)
        if (fed_span_is(a->child[i]->name, name) == keep)
            child[n++] = a->child[i];
    return hub_field_set_node(c, a->name, a->member, child, n);
}

const struct hub_field_set *hub_field_set_without(
    struct hub_field_context *c, const struct hub_field_set *a, const char *name)
{
    return filter(c, a, name, false);
}

const struct hub_field_set *hub_field_set_child(const struct hub_field_set *a, struct fed_span name)
{
    size_t low = 0;
    size_t high = a ? a->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = fed_span_cmp(name, a->child[middle]->name);

        if (order == 0)
            return a->child[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool hub_field_set_eq(const struct hub_field_set *a, const struct hub_field_set *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->member != b->member || a->n != b->n || !fed_span_eq(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!hub_field_set_eq(a->child[i], b->child[i]))
            return false;
    return true;
}

/* ---- path elements ---- */

static bool is_escaped(uint8_t byte)
{
    return byte == '<' || byte == '>' || byte == '&';
}

/* Writes the end of out, from `at`, again, with what Go escapes. */
static void escape_end(struct hub_field_context *c, struct fed_buf *out, size_t at)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), out->limit);
    fed_buf_put(&text, fed_span_sub(fed_buf_span(out), at, out->len));
    if (fed_buf_err(&text))
        fail(c, fed_buf_err(&text));
    fed_buf_cut(out, at);
    for (size_t i = 0; i < text.len; i++) {
        if (is_escaped(text.at[i]))
            fed_buf_printf(out, "\\u%04x", text.at[i]);
        else
            fed_buf_put_u8(out, text.at[i]);
    }
    fed_buf_fini(&text);
}

void hub_field_put_json(
    struct hub_field_context *c, struct fed_buf *out, const struct fed_json *value)
{
    size_t at = out->len;

    if (fed_json_put_canonical(out, value))
        fail(c, FED_ERR_LIMIT);
    for (size_t i = at; i < out->len; i++) {
        if (is_escaped(out->at[i])) {
            escape_end(c, out, at);
            return;
        }
    }
}

/* 1.0 is the same key as 1. */
static void put_value(
    struct hub_field_context *c, struct fed_buf *out, const struct fed_json *value)
{
    int64_t integer = fed_json_int(value, INT64_MIN);

    if (fed_json_type(value) == FED_JSON_REAL && integer != INT64_MIN)
        fed_buf_printf(out, "%" PRId64, integer);
    else
        hub_field_put_json(c, out, value);
}

/* What stands in the scratch buffer, copied to memory that stays. */
static struct fed_span keep_scratch(struct hub_field_context *c)
{
    struct fed_span text = fed_buf_span(&c->scratch);
    enum fed_err err = fed_buf_err(&c->scratch);
    uint8_t *copy = err ? NULL : fed_alloc_get(c->mem, text.len ? text.len : 1);

    if (!copy) {
        fail(c, err ? err : FED_ERR_NOMEM);
        return (struct fed_span){0};
    }
    memcpy(copy, text.at, text.len);
    return fed_span_of(copy, text.len);
}

struct fed_span hub_field_element_member(struct hub_field_context *c, struct fed_span key)
{
    bool fits = key.len <= HUB_FIELD_ELEMENT_MAX - 2;
    uint8_t *text = fits ? fed_alloc_get(c->mem, key.len + 2) : NULL;

    if (!text) {
        fail(c, fits ? FED_ERR_NOMEM : FED_ERR_LIMIT);
        return (struct fed_span){0};
    }
    memcpy(text, "f:", 2);
    if (key.len > 0)
        memcpy(text + 2, key.at, key.len);
    return fed_span_of(text, key.len + 2);
}

struct fed_span hub_field_element_key(struct hub_field_context *c, const char *const *names,
    const struct fed_json *const *values, size_t n)
{
    const char *between = "";

    fed_buf_clear(&c->scratch);
    fed_buf_put_text(&c->scratch, "k:{");
    for (size_t i = 0; i < n; i++) {
        if (!values[i])
            continue;
        fed_buf_put_text(&c->scratch, between);
        fed_buf_put_u8(&c->scratch, '"');
        fed_buf_put_text(&c->scratch, names[i]);
        fed_buf_put_text(&c->scratch, "\":");
        put_value(c, &c->scratch, values[i]);
        between = ",";
    }
    fed_buf_put_text(&c->scratch, "}");
    return keep_scratch(c);
}

struct fed_span hub_field_element_value(struct hub_field_context *c, const struct fed_json *value)
{
    fed_buf_clear(&c->scratch);
    fed_buf_put_text(&c->scratch, "v:");
    put_value(c, &c->scratch, value);
    return keep_scratch(c);
}

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define KEYS_MAX 8u

static struct fed_span decode_key(struct hub_field_context *c, struct fed_json *object)
{
    const char *names[KEYS_MAX];
    const struct fed_json *values[KEYS_MAX];
    struct fed_json_iter it;
    size_t n = 0;

    if (!fed_json_is_object(object) || fed_json_count(object) > KEYS_MAX) {
        fail(c, FED_ERR_INVALID);
        return (struct fed_span){0};
    }
    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it))
        names[n++] = (const char *)it.key.at; /* the JSON library ends its strings with a NUL */
    qsort(names, n, sizeof *names, name_cmp);
    for (size_t i = 0; i < n; i++)
        values[i] = fed_json_get(object, names[i]);
    return hub_field_element_key(c, names, values, n);
}

static bool is_digits(struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.len > 0;
}

/* The canonical text of an element; empty when its kind is unknown (or on error). */
static struct fed_span decode_element(struct hub_field_context *c, struct fed_span text)
{
    struct fed_span rest = fed_span_sub(text, 2, text.len);
    struct fed_json *value = NULL;

    if (text.len < 2 || text.at[1] != ':' || text.len > HUB_FIELD_ELEMENT_MAX) {
        fail(c, FED_ERR_INVALID);
        return (struct fed_span){0};
    }
    if (text.at[0] == 'f')
        return hub_field_element_member(c, rest);
    if (text.at[0] == 'i' && is_digits(rest))
        return text;
    if (text.at[0] != 'k' && text.at[0] != 'v' && text.at[0] != 'i')
        return (struct fed_span){0};
    if (text.at[0] == 'i' || fed_json_parse(c->doc, rest, &value, NULL)) {
        fail(c, FED_ERR_INVALID);
        return (struct fed_span){0};
    }
    return text.at[0] == 'k' ? decode_key(c, value) : hub_field_element_value(c, value);
}

/* As structured-merge-diff shows a value: lists with commas, maps without anything between. */
static void show_value(struct fed_buf *out, const struct fed_json *value)
{
    bool list = fed_json_is_array(value);
    struct fed_json_iter it;

    if (fed_json_is_string(value)) {
        hub_put_quoted(out, fed_json_string(value));
        return;
    }
    if (!list && !fed_json_is_object(value)) {
        if (fed_json_put(out, value))
            fed_buf_put_text(out, "?");
        return;
    }
    fed_buf_put_text(out, list ? "[" : "");
    fed_json_iter_init(&it, (struct fed_json *)value);
    while (fed_json_iter_next(&it)) {
        if (list)
            fed_buf_put_text(out, it.index ? "," : "");
        else
            fed_buf_printf(out, FED_SPAN_FMT "=", FED_SPAN_ARG(it.key));
        show_value(out, it.value);
    }
    fed_buf_put_text(out, list ? "]" : "");
}

void hub_field_element_show(
    struct hub_field_context *c, struct fed_span element, struct fed_buf *out)
{
    struct fed_span rest = fed_span_sub(element, 2, element.len);
    struct fed_json *value = NULL;
    struct fed_json_iter it;
    const char *between = "";

    if (fed_span_starts(element, "f:")) {
        fed_buf_put_text(out, ".");
        fed_buf_put(out, rest);
        return;
    }
    fed_buf_put_text(out, fed_span_starts(element, "v:") ? "[=" : "[");
    if (fed_json_parse(c->doc, rest, &value, NULL))
        fed_buf_put(out, rest);
    else if (!fed_span_starts(element, "k:"))
        show_value(out, value);
    fed_json_iter_init(&it, fed_span_starts(element, "k:") ? value : NULL);
    while (fed_json_iter_next(&it)) {
        fed_buf_printf(out, "%s" FED_SPAN_FMT "=", between, FED_SPAN_ARG(it.key));
        show_value(out, it.value);
        between = ",";
    }
    fed_buf_put_text(out, "]");
}

/* ---- in the order of lists ---- */
struct listed {
    const struct hub_field_set *node;
    const struct fed_json *value; /* of a keyed item or an item of a set */
};

static int rank_of(const struct fed_json *value)
{
    switch (fed_json_type(value)) {
    case FED_JSON_INT:
    case FED_JSON_REAL:
        return 0;
    case FED_JSON_STRING:
        return 1;
    case FED_JSON_BOOL:
        return 2;
    default:
        return 3;
    }
}

static int value_cmp(const struct fed_json *a, const struct fed_json *b)
{
    double numbers[2] = {fed_json_real(a, 0), fed_json_real(b, 0)};

    if (rank_of(a) != rank_of(b))
        return rank_of(a) - rank_of(b);
    if (rank_of(a) == 0)
        return numbers[0] < numbers[1] ? -1 : numbers[0] > numbers[1];
    if (rank_of(a) == 1)
        return fed_span_cmp(fed_json_string(a), fed_json_string(b));
    return (int)fed_json_bool(a, false) - (int)fed_json_bool(b, false);
}

/* Name by name, value by value; both are in the order of names. */
static int keys_cmp(const struct fed_json *a, const struct fed_json *b)
{
    struct fed_json_iter left;
    struct fed_json_iter right;

    fed_json_iter_init(&left, (struct fed_json *)a);
    fed_json_iter_init(&right, (struct fed_json *)b);
    for (;;) {
        bool more[2] = {fed_json_iter_next(&left), fed_json_iter_next(&right)};
        int order;

        if (!more[0] || !more[1])
            return (int)more[0] - (int)more[1];
        order = fed_span_cmp(left.key, right.key);
        if (!order)
            order = value_cmp(left.value, right.value);
        if (order)
            return order;
    }
}

static int listed_cmp(const void *a, const void *b)
{
    static const char kinds[] = "fkvi";
    const struct listed *left = a;
    const struct listed *right = b;
    uint8_t letters[2] = {left->node->name.at[0], right->node->name.at[0]};

    if (letters[0] != letters[1])
        return strchr(kinds, letters[0]) < strchr(kinds, letters[1]) ? -1 : 1;
    if (!left->value || !right->value)
        return fed_span_cmp(left->node->name, right->node->name);
    return letters[0] == 'k' ? keys_cmp(left->value, right->value)
                             : value_cmp(left->value, right->value);
}

const struct hub_field_set **hub_field_set_ordered(
    struct hub_field_context *c, const struct hub_field_set *a)
{
    const struct hub_field_set **out = hub_field_set_room(c, a->n);
    struct listed *list = fed_alloc_array(c->mem, a->n + 1, sizeof *list);

    if (!out || !list) {
        fail(c, FED_ERR_NOMEM);
        return NULL;
    }
    for (size_t i = 0; i < a->n; i++) {
        struct fed_span name = a->child[i]->name;
        struct fed_json *value = NULL;

        if (fed_span_starts(name, "k:") || fed_span_starts(name, "v:"))
            (void)!fed_json_parse(c->doc, fed_span_sub(name, 2, name.len), &value, NULL);
        list[i] = (struct listed){a->child[i], value};
    }
    qsort(list, a->n, sizeof *list, listed_cmp);
    for (size_t i = 0; i < a->n; i++)
        out[i] = list[i].node;
    return out;
}

/* ---- FieldsV1 ---- */

static int child_cmp(const void *a, const void *b)
{
    return fed_span_cmp((*(const struct hub_field_set *const *)a)->name,
        (*(const struct hub_field_set *const *)b)->name);
}

/* Sorts; elements that stand twice become one. */
static size_t sort_children(
    struct hub_field_context *c, const struct hub_field_set **child, size_t n)
{
    size_t kept = 0;

    qsort(child, n, sizeof *child, child_cmp);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && fed_span_eq(child[kept - 1]->name, child[i]->name))
            child[kept - 1] = hub_field_set_union(c, child[kept - 1], child[i]);
        else
            child[kept++] = child[i];
        if (c->err)
            return 0;
    }
    return kept;
}

static const struct hub_field_set *decode_node(
    struct hub_field_context *c, struct fed_span name, const struct fed_json *fields, bool root)
{
    const struct hub_field_set **child = hub_field_set_room(c, fed_json_count(fields));
    struct fed_json_iter it;
    bool member = false;
    size_t n = 0;

    if (!child || (!fed_json_is_object(fields) && fed_json_type(fields) != FED_JSON_NULL)) {
        fail(c, FED_ERR_INVALID);
        return NULL;
    }
    fed_json_iter_init(&it, (struct fed_json *)fields);
    while (!c->err && fed_json_iter_next(&it)) {
        struct fed_span element;

        if (fed_span_is(it.key, ".")) {
            member = true;
            continue;
        }
        element = decode_element(c, it.key);
        if (element.len > 0 && !c->err)
            child[n] = decode_node(c, element, it.value, false);
        if (element.len > 0 && !c->err && child[n])
            n++;
    }
    n = c->err ? 0 : sort_children(c, child, n);
    return hub_field_set_node(c, name, !root && (member || n == 0), child, n);
}

const struct hub_field_set *hub_field_set_decode(
    struct hub_field_context *c, const struct fed_json *fields)
{
    const struct hub_field_set *set =
        fields ? decode_node(c, (struct fed_span){0}, fields, true) : NULL;

    return c->err ? NULL : set;
}

struct fed_json *hub_field_set_encode(struct hub_field_context *c, const struct hub_field_set *a)
{
    struct fed_json *object = fed_json_new_object(c->doc);
    size_t n = a ? a->n : 0;

    if (!object)
        return NULL;
    if (n > 0 && a->member && fed_json_set(c->doc, object, ".", fed_json_new_object(c->doc)))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (fed_json_add_span(
                c->doc, object, a->child[i]->name, hub_field_set_encode(c, a->child[i])))
            return NULL;
    return object;
}
