/* select.c - field selectors: metadata of all kinds, and the few other fields that kube-apiserver
 * indexes for core kinds (k8s.io/kubernetes registry strategies). */
#include "hub/api/internal.h"
#include "hub/api/name_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What kube-apiserver calls a field, and where it stands in the object as it is asked for. */
struct field_name {
    const char *group;
    const char *plural; /* NULL: every kind */
    const char *label;
    const char *path;      /* NULL: the label */
    const char *otherwise; /* looked at when the path leads to nothing */
};

#define EVENTS "events.k8s.io", "events"
static const struct field_name field_names[] = {
    {NULL, NULL, "metadata.name", NULL, NULL},
    {NULL, NULL, "metadata.namespace", NULL, NULL},
    {"", "events", "involvedObject.kind", NULL, NULL},
    {"", "events", "involvedObject.namespace", NULL, NULL},
    {"", "events", "involvedObject.name", NULL, NULL},
    {"", "events", "involvedObject.uid", NULL, NULL},
    {"", "events", "involvedObject.apiVersion", NULL, NULL},
    {"", "events", "involvedObject.resourceVersion", NULL, NULL},
    {"", "events", "involvedObject.fieldPath", NULL, NULL},
    {"", "events", "reason", NULL, NULL},
    {"", "events", "reportingComponent", NULL, NULL},
    {"", "events", "source", "source.component", "reportingComponent"},
    {"", "events", "type", NULL, NULL},
    {EVENTS, "regarding.kind", NULL, NULL},
    {EVENTS, "regarding.namespace", NULL, NULL},
    {EVENTS, "regarding.name", NULL, NULL},
    {EVENTS, "regarding.uid", NULL, NULL},
    {EVENTS, "regarding.apiVersion", NULL, NULL},
    {EVENTS, "regarding.resourceVersion", NULL, NULL},
    {EVENTS, "regarding.fieldPath", NULL, NULL},
    {EVENTS, "reason", NULL, NULL},
    {EVENTS, "reportingController", NULL, NULL},
    {EVENTS, "type", NULL, NULL},
    {"", "secrets", "type", NULL, NULL},
    {"", "namespaces", "status.phase", NULL, NULL},
    {"", "namespaces", "name", "metadata.name", NULL},
};

/* A selectable field of the version: its JSON path without the leading dot. NULL: none. */
static const char *field_selectable(const struct hub_kind_version *version, struct fed_span label)
{
    for (size_t i = 0; version && i < version->n_selectable; i++)
        if (version->selectable[i][0] == '.' && fed_span_is(label, version->selectable[i] + 1))
            return version->selectable[i] + 1;
    return NULL;
}

/* Kinds without namespaces have no such field, unless they are of those that take what all have. */
static bool lacks_namespace(const struct hub_kind *kind, struct fed_span label)
{
    return fed_span_is(label, "metadata.namespace") && !kind->namespaced &&
           (!kind->core || kind->group[0] == 0);
}

static const struct field_name *field_find(const struct hub_kind *kind, struct fed_span label)
{
    if (lacks_namespace(kind, label))
        return NULL;
    for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
        const struct field_name *name = &field_names[i];

        if (fed_span_is(label, name->label) &&
            (!name->plural ||
                (strcmp(kind->group, name->group) == 0 && strcmp(kind->plural, name->plural) == 0)))
            return name;
    }
    return NULL;
}

/* Kinds with fields of their own are refused in other words than those without. */
static enum fed_err unknown_field(struct hub_request *r, struct fed_span label)
{
    for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
        const struct field_name *name = &field_names[i];

        if (name->plural && strcmp(r->kind->group, name->group) == 0 &&
            strcmp(r->kind->plural, name->plural) == 0)
            return hub_fail(r, 400, "BadRequest", "field label not supported: " FED_SPAN_FMT,
                FED_SPAN_ARG(label));
    }
    if (!r->kind->core)
        return hub_fail(
            r, 400, "BadRequest", "field label not supported: " FED_SPAN_FMT, FED_SPAN_ARG(label));
    return hub_fail(r, 400, "BadRequest",
        "\"" FED_SPAN_FMT
        "\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        FED_SPAN_ARG(label));
}

/* ---- labels ---- */
/* The rules that a key or value breaks, one behind the other. */
static void put_rules(struct fed_buf *out, const struct hub_causes *causes, struct fed_span shown)
{
    struct fed_buf head;

    fed_buf_init(&head, fed_alloc_system(), 1u << 20);
    fed_buf_put_text(&head, "Invalid value: ");
    hub_put_quoted(&head, shown);
    fed_buf_put_text(&head, ": ");
    fed_buf_put(out, fed_buf_span(&head));
    for (size_t i = 0; i < causes->n; i++) {
        struct fed_span message = fed_span_text(causes->list[i].message);

        fed_buf_put_text(out, i ? "; " : "");
        fed_buf_put(out, fed_span_sub(message, head.len, message.len));
    }
    fed_buf_fini(&head);
}

static enum fed_err label_fault(struct hub_request *r, const struct fed_selector_fault *fault)
{
    struct hub_causes *causes = hub_causes_new(r);
    struct fed_buf text;

    if (!causes)
        return FED_ERR_NOMEM;
    fed_buf_init(&text, r->mem, 65536);
    if (fault->what == FED_SELECTOR_KEY) {
        hub_name_check(causes, HUB_NAME_QUALIFIED, "", fault->key);
        fed_buf_put_text(&text, "<nil>: ");
        put_rules(&text, causes, fault->key);
    } else if (fault->what == FED_SELECTOR_VALUE) {
        hub_name_check(causes, HUB_NAME_LABEL_VALUE, "", fault->value);
        fed_buf_printf(
            &text, "values[%zu][" FED_SPAN_FMT "]: ", fault->index, FED_SPAN_ARG(fault->key));
        put_rules(&text, causes, fault->value);
    } else {
        fed_buf_printf(&text, "values[%zu]: Invalid value: ", fault->index);
        hub_put_quoted(&text, fault->value);
        fed_buf_put_text(&text, ": for 'Gt', 'Lt' operators, the value must be an integer");
    }
    return hub_fail(r, 400, "BadRequest", FED_SELECTOR_REQUIREMENT "%s", fed_buf_cstr(&text));
}

enum fed_err hub_label_selector_parse(
    struct hub_request *r, struct fed_alloc *mem, struct fed_selector **out)
{
    struct fed_selector_fault fault;
    struct fed_diag diag = {{0}};
    enum fed_err err = fed_selector_parse(mem, r->query.label_selector, out, &fault, &diag);

    if (!err || err == FED_ERR_NOMEM)
        return err;
    if (err == FED_ERR_INVALID && fault.what != FED_SELECTOR_SYNTAX)
        return label_fault(r, &fault);
    return hub_fail(r, 400, "BadRequest", "%s", diag.text);
}

/* ---- fields ---- */
/* Cuts the next term at an unescaped comma. */
static bool next_term(struct fed_span *rest, struct fed_span *term)
{
    size_t i = 0;

    if (rest->len == 0)
        return false;
    while (i < rest->len && rest->at[i] != ',')
        i += rest->at[i] == '\\' ? 2 : 1;
    if (i > rest->len)
        i = rest->len;
    *term = fed_span_sub(*rest, 0, i);
    *rest = fed_span_sub(*rest, i + 1, rest->len);
    return true;
}

/* Bytes of the character at the text's begin. */
static size_t character(struct fed_span text)
{
    size_t n = 1;

    while (n < text.len && (text.at[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* A value as it is meant; what stands in it as nothing but a separator is refused. */
static enum fed_err unescape(
    struct hub_request *r, struct fed_alloc *mem, struct fed_span in, struct fed_span *out)
{
    uint8_t *to = fed_alloc_get(mem, in.len + 1);
    size_t len = 0;

    if (!to)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < in.len; i++) {
        struct fed_span next = fed_span_sub(in, i + 1, in.len);

        if (in.at[i] == ',' || in.at[i] == '=')
            return hub_fail(r, 400, "BadRequest",
                "invalid field selector: unescaped character in value: %d", in.at[i]);
        if (in.at[i] == '\\') {
            if (next.len == 0 || !strchr("\\,=", next.at[0]))
                return hub_fail(r, 400, "BadRequest",
                    "invalid field selector: invalid escape sequence: \\" FED_SPAN_FMT,
                    FED_SPAN_ARG(fed_span_sub(next, 0, next.len ? character(next) : 0)));
            i++;
        }
        to[len++] = in.at[i];
    }
    *out = fed_span_of(to, len);
    return FED_OK;
}

/* A term at its first operator: = == != */
static bool split_term(
    struct fed_span term, struct fed_span *path, bool *not_equal, struct fed_span *value)
{
    size_t equals = fed_span_find(term, '=');
    size_t mark = fed_span_find(term, '!');

    if (equals == term.len)
        return false;
    /* "a!b=c" has the path "a!b". */
    while (mark + 1 < equals)
        mark += 1 + fed_span_find(fed_span_sub(term, mark + 1, term.len), '!');
    *not_equal = mark + 1 == equals;
    *path = fed_span_sub(term, 0, *not_equal ? mark : equals);
    *value = fed_span_sub(term, equals + 1, term.len);
    if (!*not_equal && fed_span_starts(*value, "="))
        *value = fed_span_sub(*value, 1, value->len);
    return true;
}

static enum fed_err copy(struct fed_alloc *mem, struct fed_span text, struct fed_span *out)
{
    uint8_t *to = fed_alloc_get(mem, text.len + 1);

    if (!to)
        return FED_ERR_NOMEM;
    memcpy(to, text.at, text.len);
    *out = fed_span_of(to, text.len);
    return FED_OK;
}

/* Where the field stands. */
static enum fed_err find_field(struct hub_request *r, struct fed_alloc *mem, struct fed_span path,
    struct hub_field_selector *out)
{
    const struct field_name *name = field_find(r->kind, path);

    if (name) {
        out->terms[out->n].path = fed_span_text(name->path ? name->path : name->label);
        out->terms[out->n].otherwise = fed_span_text(name->otherwise);
        return FED_OK;
    }
    if (!field_selectable(r->version, path))
        return unknown_field(r, path);
    return copy(mem, path, &out->terms[out->n].path); /* the kind may change while a watch lives */
}

static enum fed_err parse_term(struct hub_request *r, struct fed_alloc *mem, struct fed_span text,
    struct fed_span term, struct hub_field_selector *out)
{
    struct fed_span path;
    struct fed_span value;
    bool not_equal;
    enum fed_err err;

    if (!split_term(term, &path, &not_equal, &value))
        return hub_fail(r, 400, "BadRequest",
            "invalid selector: '" FED_SPAN_FMT "'; can't understand '" FED_SPAN_FMT "'",
            FED_SPAN_ARG(text), FED_SPAN_ARG(term));
    if (path.len == 0 && value.len == 0)
        return FED_OK; /* as nothing */
    if (out->n == HUB_FIELD_TERMS_MAX)
        return hub_fail(
            r, 400, "BadRequest", "invalid selector: more than %u terms", HUB_FIELD_TERMS_MAX);
    out->terms[out->n].not_equal = not_equal;
    err = unescape(r, mem, value, &out->terms[out->n].value);
    if (!err)
        err = find_field(r, mem, path, out);
    if (!err)
        out->n++;
    return err;
}

enum fed_err hub_field_selector_parse(struct hub_request *r, struct fed_alloc *mem,
    struct fed_span text, struct hub_field_selector *out)
{
    struct fed_span rest = text;
    struct fed_span term;
    enum fed_err err = FED_OK;

    *out = (struct hub_field_selector){.n = 0};
    while (!err && next_term(&rest, &term))
        if (term.len > 0)
            err = parse_term(r, mem, text, term, out);
    return err;
}

/* Numbers and booleans of selectable fields as text, in room. */
static struct fed_span field_value(
    const struct fed_json *object, struct fed_span path, char room[32])
{
    struct fed_span key;

    while (fed_span_split(&path, '.', &key))
        object = fed_json_get_span(object, key);
    if (fed_json_type(object) == FED_JSON_BOOL)
        return fed_span_text(fed_json_bool(object, false) ? "true" : "false");
    if (fed_json_type(object) == FED_JSON_INT) {
        snprintf(room, 32, "%" PRId64, fed_json_int(object, 0));
        return fed_span_text(room);
    }
    return fed_json_string(object);
}

bool hub_field_selector_match(
    const struct hub_field_selector *selector, const struct fed_json *object)
{
    char room[32];

    for (size_t i = 0; i < selector->n; i++) {
        struct fed_span found = field_value(object, selector->terms[i].path, room);
        bool equal;

        if (found.len == 0)
            found = field_value(object, selector->terms[i].otherwise, room);
        equal = fed_span_eq(found, selector->terms[i].value);

        if (equal == selector->terms[i].not_equal)
            return false;
    }
    return true;
}

bool hub_field_selector_is_of_ref(const struct hub_field_selector *selector)
{
    for (size_t i = 0; i < selector->n; i++)
        if (!fed_span_is(selector->terms[i].path, "metadata.name") &&
            !fed_span_is(selector->terms[i].path, "metadata.namespace"))
            return false;
    return true;
}

bool hub_field_selector_match_ref(
    const struct hub_field_selector *selector, const struct hub_object_ref *ref)
{
    for (size_t i = 0; i < selector->n; i++) {
        bool by_name = fed_span_is(selector->terms[i].path, "metadata.name");
        bool equal = fed_span_eq(by_name ? ref->name : ref->ns, selector->terms[i].value);

        if (equal == selector->terms[i].not_equal)
            return false;
    }
    return true;
}
