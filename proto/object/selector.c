/* selector.c - see selector.h. */
#include "proto/object/selector.h"

#include "proto/base/text.h"
#include "proto/object/json_text.h"

#include <string.h>

#define TEXT_MAX (64u << 10) /* string form */
#define VALUES_MAX 4096u     /* of all terms together */
#define MEMORY_MAX (1u << 20)

enum term_op { TERM_IN, TERM_NOT_IN, TERM_EXISTS, TERM_NOT_EXISTS, TERM_GREATER, TERM_LESS };
struct value {
    struct value *next;
    struct fed_span text;
};
struct term {
    struct fed_span key;
    enum term_op op;
    struct value *values;
};
struct fed_selector {
    struct fed_arena arena;
    struct term *terms; /* in the arena; a thousand watches have none */
    size_t cap;
    size_t n;
    size_t n_values;
};

static struct fed_selector *selector_new(struct fed_alloc *mem)
{
    struct fed_selector *s = fed_alloc_zero(mem, sizeof *s);

    if (s)
        fed_arena_init(&s->arena, mem, MEMORY_MAX);
    return s;
}

void fed_selector_free(struct fed_selector *selector)
{
    struct fed_alloc *mem;

    if (!selector)
        return;
    mem = selector->arena.mem;
    fed_arena_fini(&selector->arena);
    fed_alloc_free(mem, selector, sizeof *selector);
}

static enum fed_err keep(struct fed_selector *s, struct fed_span text, struct fed_span *out)
{
    uint8_t *copy = fed_alloc_get(&s->arena.alloc, text.len);

    if (!copy)
        return FED_ERR_NOMEM;
    if (text.len)
        memcpy(copy, text.at, text.len);
    *out = fed_span_of(copy, text.len);
    return FED_OK;
}

/* As Go's strconv.ParseInt: a sign, zeros in front. */
static bool to_int(struct fed_span text, int64_t *out)
{
    bool negative = fed_span_starts(text, "-");
    uint64_t value;

    text = fed_span_sub(text, negative || fed_span_starts(text, "+") ? 1 : 0, text.len);
    while (text.len > 1 && text.at[0] == '0')
        text = fed_span_sub(text, 1, text.len);
    if (fed_span_to_u64(text, &value) || value > (uint64_t)INT64_MAX)
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool is_comparison(const struct term *term)
{
    return term->op == TERM_GREATER || term->op == TERM_LESS;
}

static enum fed_err keep_value(
    struct fed_selector *s, struct term *term, struct fed_span text, struct fed_diag *diag)
{
    struct value *value;

    for (value = term->values; value; value = value->next)
        if (fed_span_eq(value->text, text))
            return FED_OK;
    if (s->n_values == VALUES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "selector with more than %u values", VALUES_MAX);
    value = fed_alloc_zero(&s->arena.alloc, sizeof *value);
    if (!value || keep(s, text, &value->text))
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the selector");
    value->next = term->values;
    term->values = value;
    s->n_values++;
    return FED_OK;
}

static enum fed_err check_value(
    const struct term *term, struct fed_span text, struct fed_diag *diag)
{
    int64_t number;

    if (is_comparison(term) && !to_int(text, &number))
        return fed_diag_set(diag, FED_ERR_INVALID, "\"" FED_SPAN_FMT "\" is not an integer",
            FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    if (!fed_text_is_label_value(text))
        return fed_diag_set(diag, FED_ERR_INVALID, "\"" FED_SPAN_FMT "\" is not a label value",
            FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    return FED_OK;
}

static enum fed_err add_value(
    struct fed_selector *s, struct term *term, struct fed_span text, struct fed_diag *diag)
{
    enum fed_err err = check_value(term, text, diag);

    return err ? err : keep_value(s, term, text, diag);
}

/* NULL when memory is out. */
static struct term *room_for_term(struct fed_selector *s)
{
    size_t cap = s->cap ? s->cap * 2 : 4;
    struct fed_alloc *mem = &s->arena.alloc;
    struct term *terms;

    if (s->n == s->cap) {
        terms = mem->resize(mem->ctx, s->terms, s->cap * sizeof *terms, cap * sizeof *terms);
        if (!terms)
            return NULL;
        s->terms = terms;
        s->cap = cap;
    }
    s->terms[s->n] = (struct term){.op = TERM_IN};
    return &s->terms[s->n];
}

static enum fed_err add_term(
    struct fed_selector *s, struct fed_span key, struct term **out, struct fed_diag *diag)
{
    struct term *term;

    if (s->n == FED_SELECTOR_TERMS_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "selector with more than %u terms", FED_SELECTOR_TERMS_MAX);
    if (!fed_text_is_label_key(key))
        return fed_diag_set(diag, FED_ERR_INVALID, "\"" FED_SPAN_FMT "\" is not a label key",
            FED_SPAN_ARG(fed_span_sub(key, 0, 80)));
    term = room_for_term(s);
    if (!term || keep(s, key, &term->key))
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the selector");
    s->n++;
    *out = term;
    return FED_OK;
}

/* ---- string form: the grammar of apimachinery's labels.Parse ---- */

struct lexer {
    struct fed_span rest;
    struct fed_selector_fault *fault;
    struct fed_diag *diag;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_symbol(uint8_t c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static void skip_space(struct lexer *l)
{
    while (l->rest.len && is_space(l->rest.at[0]))
        l->rest = fed_span_sub(l->rest, 1, l->rest.len);
}

/* The next token without taking it: a symbol, a word, or empty at the end. */
static struct fed_span peek(struct lexer *l)
{
    static const char *const symbols[] = {"==", "!=", "=", "!", "(", ")", ",", ">", "<"};
    size_t n = 0;

    skip_space(l);
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        if (fed_span_starts(l->rest, symbols[i]))
            return fed_span_sub(l->rest, 0, strlen(symbols[i]));
    }
    while (n < l->rest.len && !is_space(l->rest.at[n]) && !is_symbol(l->rest.at[n]))
        n++;
    return fed_span_sub(l->rest, 0, n);
}

static struct fed_span take(struct lexer *l)
{
    struct fed_span token = peek(l);

    l->rest = fed_span_sub(l->rest, token.len, l->rest.len);
    return token;
}

static bool take_symbol(struct lexer *l, const char *symbol)
{
    if (!fed_span_is(peek(l), symbol))
        return false;
    take(l);
    return true;
}

static bool is_word(struct fed_span token)
{
    return token.len && !is_symbol(token.at[0]);
}

static bool is_end_of_term(struct fed_span token)
{
    return token.len == 0 || fed_span_is(token, ",");
}

/* inside: of a term, not between two. */
static enum fed_err unexpected(
    struct lexer *l, bool inside, struct fed_span found, const char *expected)
{
    l->fault->what = FED_SELECTOR_SYNTAX;
    return fed_diag_set(l->diag, FED_ERR_INVALID, "%sfound '" FED_SPAN_FMT "'%s",
        inside ? FED_SELECTOR_REQUIREMENT : "", FED_SPAN_ARG(fed_span_sub(found, 0, 80)), expected);
}

static bool take_operator(struct lexer *l, enum term_op *op, bool *list)
{
    static const struct {
        const char *name;
        enum term_op op;
        bool list;
    } operators[] = {{"=", TERM_IN, false}, {"==", TERM_IN, false}, {"!=", TERM_NOT_IN, false},
        {"in", TERM_IN, true}, {"notin", TERM_NOT_IN, true}, {">", TERM_GREATER, false},
        {"<", TERM_LESS, false}};

    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (take_symbol(l, operators[i].name)) {
            *op = operators[i].op;
            *list = operators[i].list;
            return true;
        }
    }
    return false;
}

/* Of an empty place before, between or behind commas comes the empty value. */
static enum fed_err take_identifiers(struct fed_selector *s, struct lexer *l, struct term *term)
{
    enum fed_err err = FED_OK;

    while (!err) {
        struct fed_span token = take(l);

        if (is_word(token)) {
            err = keep_value(s, term, token, l->diag);
            token = peek(l);
            if (!err && fed_span_is(token, ")"))
                return FED_OK;
            if (!err && !fed_span_is(token, ","))
                return unexpected(l, true, token, ", expected: ',' or ')'");
            continue;
        }
        if (!fed_span_is(token, ","))
            return unexpected(l, true, token, ", expected: ',', or identifier");
        if (!term->values)
            err = keep_value(s, term, fed_span_of(NULL, 0), l->diag);
        if (err || is_word(peek(l)))
            continue;
        if (fed_span_is(peek(l), ")"))
            return keep_value(s, term, fed_span_of(NULL, 0), l->diag);
        if (take_symbol(l, ","))
            err = keep_value(s, term, fed_span_of(NULL, 0), l->diag);
    }
    return err;
}

/* "(a, b)"; "()" is the empty value. */
static enum fed_err take_list(struct fed_selector *s, struct lexer *l, struct term *term)
{
    struct fed_span token = take(l);
    enum fed_err err;

    if (!fed_span_is(token, "("))
        return unexpected(l, true, token, " expected: '('");
    token = peek(l);
    if (take_symbol(l, ")"))
        return keep_value(s, term, fed_span_of(NULL, 0), l->diag);
    if (!is_word(token) && !fed_span_is(token, ","))
        return unexpected(l, true, token, ", expected: ',', ')' or identifier");
    err = take_identifiers(s, l, term);
    if (err)
        return err;
    return take_symbol(l, ")") ? FED_OK : unexpected(l, true, token, ", expected: ')'");
}

/* The smallest value that is wrong, and which of the values in their order that is. */
static enum fed_err check_values(struct lexer *l, const struct term *term)
{
    const struct value *wrong = NULL;
    size_t index = 0;

    for (const struct value *v = term->values; v; v = v->next)
        if (check_value(term, v->text, NULL) && (!wrong || fed_span_cmp(v->text, wrong->text) < 0))
            wrong = v;
    if (!wrong)
        return FED_OK;
    for (const struct value *v = term->values; v; v = v->next)
        index += fed_span_cmp(v->text, wrong->text) < 0;
    l->fault->what = is_comparison(term) ? FED_SELECTOR_NUMBER : FED_SELECTOR_VALUE;
    l->fault->index = index;
    for (size_t i = 0; i + wrong->text.len <= l->fault->text.len; i++)
        if (fed_span_eq(fed_span_sub(l->fault->text, i, wrong->text.len), wrong->text)) {
            l->fault->value = fed_span_sub(l->fault->text, i, wrong->text.len);
            break;
        }
    return check_value(term, wrong->text, l->diag);
}

static enum fed_err take_values(struct fed_selector *s, struct lexer *l, struct term *term)
{
    struct fed_span token;
    enum fed_err err;
    bool list;

    if (!take_operator(l, &term->op, &list))
        return unexpected(l, true, peek(l), ", expected: in, notin, =, ==, !=, gt, lt");
    token = peek(l);
    if (list)
        err = take_list(s, l, term);
    else if (is_end_of_term(token))
        err = keep_value(s, term, fed_span_of(NULL, 0), l->diag);
    else
        err = is_word(take(l)) ? keep_value(s, term, token, l->diag)
                               : unexpected(l, true, token, ", expected: identifier");
    return err ? err : check_values(l, term);
}

static enum fed_err take_term(struct fed_selector *s, struct lexer *l)
{
    bool absent = take_symbol(l, "!");
    struct fed_span key = take(l);
    struct term *term;
    enum fed_err err;

    if (!is_word(key))
        return unexpected(l, true, key, ", expected: identifier");
    l->fault->what = FED_SELECTOR_KEY;
    l->fault->key = key;
    err = add_term(s, key, &term, l->diag);
    if (err)
        return err;
    term->op = absent ? TERM_NOT_EXISTS : TERM_EXISTS;
    return absent || is_end_of_term(peek(l)) ? FED_OK : take_values(s, l, term);
}

static enum fed_err take_terms(struct fed_selector *s, struct lexer *l)
{
    struct fed_span token = peek(l);
    enum fed_err err = FED_OK;

    if (token.len == 0)
        return FED_OK;
    if (!is_word(token) && !fed_span_is(token, "!"))
        return unexpected(l, false, token, ", expected: !, identifier, or 'end of string'");
    while (!err) {
        err = take_term(s, l);
        token = peek(l);
        if (err || token.len == 0)
            return err;
        if (!take_symbol(l, ","))
            return unexpected(l, false, token, ", expected: ',' or 'end of string'");
        token = peek(l);
        if (!is_word(token) && !fed_span_is(token, "!"))
            return unexpected(l, false, token, ", expected: identifier after ','");
    }
    return err;
}

enum fed_err fed_selector_parse(struct fed_alloc *mem, struct fed_span text,
    struct fed_selector **out, struct fed_selector_fault *fault, struct fed_diag *diag)
{
    struct fed_selector_fault ignored;
    struct lexer l = {.rest = text, .fault = fault ? fault : &ignored, .diag = diag};
    struct fed_selector *s;
    enum fed_err err;

    *l.fault = (struct fed_selector_fault){.what = FED_SELECTOR_SYNTAX, .text = text};
    if (text.len > TEXT_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "selector longer than %u bytes", TEXT_MAX);
    s = selector_new(mem);
    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the selector");
    err = take_terms(s, &l);
    if (err) {
        fed_selector_free(s);
        return err;
    }
    *out = s;
    return FED_OK;
}

/* ---- object form ---- */

static enum fed_err read_labels(
    struct fed_selector *s, const struct fed_json *labels, struct fed_diag *diag)
{
    struct fed_json_iter it;

    if (labels && !fed_json_is_object(labels) && fed_json_type(labels) != FED_JSON_NULL)
        return fed_diag_set(diag, FED_ERR_INVALID, "matchLabels is not an object");
    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)labels);
    while (fed_json_iter_next(&it)) {
        struct term *term;
        enum fed_err err = FED_OK;

        if (!fed_json_is_string(it.value))
            err = fed_diag_set(diag, FED_ERR_INVALID, "matchLabels: a value is not a string");
        if (!err)
            err = add_term(s, it.key, &term, diag);
        if (!err) {
            term->op = TERM_IN;
            err = add_value(s, term, fed_json_string(it.value), diag);
        }
        if (err)
            return err;
    }
    return FED_OK;
}

/* Texts of refusals are apimachinery's (labels.NewRequirement), as KubeFed's events show them. */
static enum fed_err refuse_values(const struct fed_json *values, struct fed_diag *diag)
{
    struct fed_json_iter it;
    struct fed_buf list;
    enum fed_err err;

    fed_buf_init(&list, fed_alloc_system(), 512);
    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)values);
    while (fed_json_iter_next(&it) && list.len < 256)
        fed_buf_printf(&list, "%s\"" FED_SPAN_FMT "\"", it.index ? ", " : "",
            FED_SPAN_ARG(fed_span_sub(fed_json_string(it.value), 0, 63)));
    err = fed_diag_set(diag, FED_ERR_INVALID,
        "values: Invalid value: []string{" FED_SPAN_FMT "}: values set must be empty for exists "
        "and does not exist",
        FED_SPAN_ARG(fed_buf_span(&list)));
    fed_buf_fini(&list);
    return err;
}

static enum fed_err read_values(
    struct fed_selector *s, struct term *term, const struct fed_json *values, struct fed_diag *diag)
{
    bool wanted = term->op == TERM_IN || term->op == TERM_NOT_IN;
    struct fed_json_iter it;

    if (values && !fed_json_is_array(values) && fed_json_type(values) != FED_JSON_NULL)
        return fed_diag_set(diag, FED_ERR_INVALID, "values is not a list");
    if (wanted && fed_json_count(values) == 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "values: Invalid value: []string(nil): for 'in', 'notin' operators, values set can't "
            "be empty");
    if (!wanted && fed_json_count(values) != 0)
        return refuse_values(values, diag);
    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)values);
    while (fed_json_iter_next(&it)) {
        enum fed_err err = fed_json_is_string(it.value)
                               ? add_value(s, term, fed_json_string(it.value), diag)
                               : fed_diag_set(diag, FED_ERR_INVALID, "a value is not a string");

        if (err)
            return err;
    }
    return FED_OK;
}

static enum fed_err read_expression(
    struct fed_selector *s, const struct fed_json *expression, struct fed_diag *diag)
{
    static const char *const names[] = {[TERM_IN] = "In",
        [TERM_NOT_IN] = "NotIn",
        [TERM_EXISTS] = "Exists",
        [TERM_NOT_EXISTS] = "DoesNotExist"};
    struct fed_span op = fed_json_string(fed_json_get(expression, "operator"));
    struct term *term;
    enum fed_err err = add_term(s, fed_json_string(fed_json_get(expression, "key")), &term, diag);

    if (err)
        return err;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (fed_span_is(op, names[i])) {
            term->op = (enum term_op)i;
            return read_values(s, term, fed_json_get(expression, "values"), diag);
        }
    }
    return fed_diag_set(diag, FED_ERR_INVALID,
        "\"" FED_SPAN_FMT "\" is not a valid pod selector operator",
        FED_SPAN_ARG(fed_span_sub(op, 0, 64)));
}

static enum fed_err read_object(
    struct fed_selector *s, const struct fed_json *object, struct fed_diag *diag)
{
    struct fed_json *expressions = fed_json_get(object, "matchExpressions");
    struct fed_json_iter it;
    enum fed_err err;

    if (object && !fed_json_is_object(object) && fed_json_type(object) != FED_JSON_NULL)
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    if (expressions && !fed_json_is_array(expressions) &&
        fed_json_type(expressions) != FED_JSON_NULL)
        return fed_diag_set(diag, FED_ERR_INVALID, "matchExpressions is not a list");
    err = read_labels(s, fed_json_get(object, "matchLabels"), diag);
    fed_json_iter_init(&it, expressions);
    while (!err && fed_json_iter_next(&it)) {
        err = read_expression(s, it.value, diag);
    }
    return err;
}

enum fed_err fed_selector_from_object(struct fed_alloc *mem, const struct fed_json *object,
    struct fed_selector **out, struct fed_diag *diag)
{
    struct fed_selector *s = selector_new(mem);
    enum fed_err err;

    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the selector");
    err = read_object(s, object, diag);
    if (err) {
        fed_selector_free(s);
        return err;
    }
    *out = s;
    return FED_OK;
}

/* ---- matching ---- */

static bool has_value(const struct term *term, struct fed_span text)
{
    for (const struct value *v = term->values; v; v = v->next) {
        if (fed_span_eq(v->text, text))
            return true;
    }
    return false;
}

static bool compares(const struct term *term, struct fed_span text)
{
    int64_t number;
    int64_t bound;

    if (!to_int(text, &number) || !to_int(term->values->text, &bound))
        return false;
    return term->op == TERM_GREATER ? number > bound : number < bound;
}

static bool term_matches(const struct term *term, bool present, struct fed_span text)
{
    switch (term->op) {
    case TERM_IN:
        return present && has_value(term, text);
    case TERM_NOT_IN:
        return !present || !has_value(term, text);
    case TERM_EXISTS:
        return present;
    case TERM_NOT_EXISTS:
        return !present;
    default:
        return present && compares(term, text);
    }
}

bool fed_selector_match(const struct fed_selector *selector, const struct fed_json *labels)
{
    for (size_t i = 0; i < selector->n; i++) {
        const struct fed_json *label = fed_json_get_span(labels, selector->terms[i].key);

        if (!term_matches(&selector->terms[i], label != NULL, fed_json_string(label)))
            return false;
    }
    return true;
}

bool fed_selector_match_text(const struct fed_selector *selector, struct fed_span labels)
{
    for (size_t i = 0; i < selector->n; i++) {
        struct fed_span value;
        struct fed_span text = {0};
        bool present = fed_json_text_member_span(labels, selector->terms[i].key, &value);

        if (present)
            (void)fed_json_text_string(value, &text);
        if (!term_matches(&selector->terms[i], present, text))
            return false;
    }
    return true;
}

bool fed_selector_is_everything(const struct fed_selector *selector)
{
    return selector->n == 0;
}

bool fed_selector_requires(
    const struct fed_selector *selector, struct fed_span *key, struct fed_span *value)
{
    for (size_t i = 0; i < selector->n; i++) {
        const struct term *term = &selector->terms[i];

        if (term->op != TERM_IN || !term->values || term->values->next)
            continue;
        *key = term->key;
        *value = term->values->text;
        return true;
    }
    return false;
}
