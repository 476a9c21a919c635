/* json_path.c - JSONPath as printer columns use it: .a.b, ['k'], [0], [-1], [0:2], [0,1], [*], ..,
 * [?(@.k=="v")] with any comparison, escaped dots.
 *
 * Source: Kubernetes "JSONPath Support" (client-go util/jsonpath). A cell shows the first result,
 * so the search ends with it. */
#include "hub/api/internal.h"

#include <string.h>

#define PATH_MAX_BYTES 1024u

static const struct fed_json *find(const struct fed_json *from, struct fed_span path);

static struct fed_span rest_of(struct fed_span path, size_t used)
{
    return fed_span_sub(path, used, path.len);
}

/* ---- every child, every descendant ---- */
static const struct fed_json *find_in_children(const struct fed_json *from, struct fed_span path)
{
    const struct fed_json *found = NULL;
    struct fed_json_iter it;

    if (!fed_json_is_object(from) && !fed_json_is_array(from))
        return NULL;
    fed_json_iter_init(&it, (struct fed_json *)from);
    while (!found && fed_json_iter_next(&it))
        found = find(it.value, path);
    return found;
}

static const struct fed_json *find_below(const struct fed_json *from, struct fed_span path)
{
    const struct fed_json *found = find(from, path);
    struct fed_json_iter it;

    if (found || (!fed_json_is_object(from) && !fed_json_is_array(from)))
        return found;
    fed_json_iter_init(&it, (struct fed_json *)from);
    while (!found && fed_json_iter_next(&it))
        found = find_below(it.value, path);
    return found;
}

/* ---- names, with "\." for a dot ---- */
static const struct fed_json *find_name(const struct fed_json *from, struct fed_span path)
{
    char name[256];
    size_t len = 0;
    size_t i = 0;

    for (; i < path.len && path.at[i] != '.' && path.at[i] != '['; i++) {
        if (path.at[i] == '\\' && i + 1 < path.len)
            i++;
        if (len < sizeof name)
            name[len++] = (char)path.at[i];
    }
    if (len == 1 && name[0] == '*')
        return find_in_children(from, rest_of(path, i));
    from = len > 0 ? fed_json_get_span(from, fed_span_of(name, len)) : from;
    return from ? find(from, rest_of(path, i)) : NULL;
}

/* ---- filters ---- */
static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && text.at[0] == ' ')
        text = rest_of(text, 1);
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

struct operand {
    const struct fed_json *value; /* of a path */
    struct fed_span text;         /* of a quoted literal or a word */
    double number;
    bool is_text, is_number, is_word;
};

static bool to_number(struct fed_span text, double *out)
{
    struct fed_json_doc *doc;
    struct fed_json *value;
    bool ok = false;

    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return false;
    if (!fed_json_parse(doc, text, &value, NULL) &&
        (fed_json_type(value) == FED_JSON_INT || fed_json_type(value) == FED_JSON_REAL)) {
        *out = fed_json_real(value, 0);
        ok = true;
    }
    fed_json_doc_free(doc);
    return ok;
}

static struct operand operand_of(const struct fed_json *item, struct fed_span text)
{
    struct operand operand = {.text = text};

    if (fed_span_starts(text, "@")) {
        operand.value = find(item, rest_of(text, 1));
        operand.is_text = fed_json_is_string(operand.value);
        operand.text = fed_json_string(operand.value);
        operand.is_number = fed_json_type(operand.value) == FED_JSON_INT ||
                            fed_json_type(operand.value) == FED_JSON_REAL;
        operand.number = fed_json_real(operand.value, 0);
        operand.is_word = fed_json_type(operand.value) == FED_JSON_BOOL;
        if (operand.is_word)
            operand.text = fed_span_text(fed_json_bool(operand.value, false) ? "true" : "false");
    } else if (text.len >= 2 && (text.at[0] == '"' || text.at[0] == '\'')) {
        operand.is_text = true;
        operand.text = fed_span_sub(text, 1, text.len - 2);
    } else {
        operand.is_number = to_number(text, &operand.number);
        operand.is_word = fed_span_is(text, "true") || fed_span_is(text, "false");
    }
    return operand;
}

static bool holds(const struct operand *a, const struct operand *b, struct fed_span operator)
{
    bool equals = fed_span_ends(operator, "=");
    int order;

    if (a->is_number && b->is_number)
        order = a->number < b->number ? -1 : a->number > b->number;
    else if ((a->is_text && b->is_text) || (a->is_word && b->is_word))
        order = fed_span_cmp(a->text, b->text);
    else
        return false;
    if (operator.at[0] == '=')
        return order == 0;
    if (operator.at[0] == '!')
        return order != 0;
    return (order == 0 && equals) || (operator.at[0] == '<' ? order < 0 : order> 0);
}

/* Where the operator stands: outside of quotes. */
static struct fed_span operator_in(struct fed_span text)
{
    uint8_t quote = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c && strchr("=!<>", c)) {
            bool two = i + 1 < text.len && text.at[i + 1] == '=';

            return fed_span_sub(text, i, two ? 2 : 1);
        }
    }
    return (struct fed_span){0};
}

static bool passes(const struct fed_json *item, struct fed_span condition)
{
    struct fed_span operator= operator_in(condition);
    struct operand left;
    struct operand right;
    size_t at;

    condition = trim(condition);
    if (operator.len == 0)
        return fed_span_starts(condition, "@") && find(item, rest_of(condition, 1)) != NULL;
    at = (size_t)(operator.at - condition.at);
    left = operand_of(item, trim(fed_span_sub(condition, 0, at)));
    right = operand_of(item, trim(rest_of(condition, at + operator.len)));
    return holds(&left, &right, operator);
}

static const struct fed_json *find_filtered(
    const struct fed_json *from, struct fed_span condition, struct fed_span path)
{
    const struct fed_json *found = NULL;
    struct fed_json_iter it;

    if (!fed_json_is_array(from))
        return NULL;
    fed_json_iter_init(&it, (struct fed_json *)from);
    while (!found && fed_json_iter_next(&it))
        if (passes(it.value, condition))
            found = find(it.value, path);
    return found;
}

/* ---- brackets ---- */
/* The closing bracket, past quotes and inner brackets; len when there is none. */
static size_t closing(struct fed_span path)
{
    unsigned depth = 0;
    uint8_t quote = 0;

    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.at[i];

        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '[')
            depth++;
        else if (c == ']' && --depth == 0)
            return i;
    }
    return path.len;
}

/* A count from the front or, negative, from the back. */
static int64_t index_of(struct fed_span text, size_t n, int64_t otherwise)
{
    bool negative = fed_span_starts(text, "-");
    uint64_t value;

    if (fed_span_to_u64(negative ? rest_of(text, 1) : text, &value) || value > INT32_MAX)
        return otherwise;
    return negative ? (int64_t)n - (int64_t)value : (int64_t)value;
}

static const struct fed_json *find_slice(
    const struct fed_json *from, struct fed_span inside, struct fed_span path)
{
    size_t n = fed_json_is_array(from) ? fed_json_count(from) : 0;
    size_t colon = fed_span_find(inside, ':');
    struct fed_span second = rest_of(inside, colon + 1);
    struct fed_span step = rest_of(second, fed_span_find(second, ':') + 1);
    int64_t start = index_of(trim(fed_span_sub(inside, 0, colon)), n, 0);
    int64_t end =
        index_of(trim(fed_span_sub(second, 0, fed_span_find(second, ':'))), n, (int64_t)n);
    int64_t by = index_of(trim(step), n, 1);
    const struct fed_json *found = NULL;

    for (int64_t i = start < 0 ? 0 : start; !found && i < end && i < (int64_t)n && by > 0; i += by)
        found = find(fed_json_at(from, (size_t)i), path);
    return found;
}

static const struct fed_json *find_quoted(
    const struct fed_json *from, struct fed_span key, struct fed_span path)
{
    char name[256];
    size_t len = 0;

    for (size_t i = 0; i < key.len && len < sizeof name; i++) {
        if (key.at[i] == '\\' && i + 1 < key.len)
            i++;
        name[len++] = (char)key.at[i];
    }
    from = fed_json_get_span(from, fed_span_of(name, len));
    return from ? find(from, path) : NULL;
}

static const struct fed_json *find_one(
    const struct fed_json *from, struct fed_span inside, struct fed_span path)
{
    int64_t index;

    inside = trim(inside);
    if (inside.len >= 2 && (inside.at[0] == '\'' || inside.at[0] == '"'))
        return find_quoted(from, fed_span_sub(inside, 1, inside.len - 2), path);
    if (fed_span_is(inside, "*"))
        return find_in_children(from, path);
    if (fed_span_find(inside, ':') < inside.len)
        return find_slice(from, inside, path);
    index = index_of(inside, fed_json_count(from), -1);
    return index >= 0 && fed_json_is_array(from) && (size_t)index < fed_json_count(from)
               ? find(fed_json_at(from, (size_t)index), path)
               : NULL;
}

static const struct fed_json *find_bracket(const struct fed_json *from, struct fed_span path)
{
    size_t end = closing(path);
    struct fed_span inside = fed_span_sub(path, 1, end - 1);
    struct fed_span part;
    const struct fed_json *found = NULL;

    if (end == path.len)
        return NULL;
    path = rest_of(path, end + 1);
    if (fed_span_starts(inside, "?(") && fed_span_ends(inside, ")"))
        return find_filtered(from, fed_span_sub(inside, 2, inside.len - 3), path);
    if (inside.len > 0 && (inside.at[0] == '\'' || inside.at[0] == '"'))
        return find_one(from, inside, path);
    while (!found && fed_span_split(&inside, ',', &part))
        found = find_one(from, part, path);
    return found;
}

static const struct fed_json *find(const struct fed_json *from, struct fed_span path)
{
    if (!from || path.len == 0)
        return from;
    if (path.at[0] == '[')
        return find_bracket(from, path);
    if (path.at[0] != '.')
        return find_name(from, path);
    path = rest_of(path, 1);
    if (fed_span_starts(path, "."))
        return find_below(from, rest_of(path, 1));
    return fed_span_starts(path, "[") ? find_bracket(from, path) : find_name(from, path);
}

const struct fed_json *hub_json_path(const struct fed_json *from, const char *path)
{
    struct fed_span text = fed_span_text(path);

    if (fed_span_ends(text, HUB_COLUMN_TIME))
        text.len -= sizeof HUB_COLUMN_TIME - 1;
    return text.len > PATH_MAX_BYTES ? NULL : find(from, text);
}
