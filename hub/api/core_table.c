/* core_table.c - reads the table of core kinds: see core.h. */
#include "hub/api/builtin.h"
#include "hub/api/core.h"

#include <string.h>

#define TABLE_MEMORY (1u << 20)
#define TYPES_MAX 512u

struct kind_line {
    struct fed_span group;
    struct fed_span version;
    struct fed_span kind;
    const struct hub_core_type *type;
};

struct hub_core {
    struct fed_alloc *mem;
    struct fed_arena arena;
    struct hub_core_type *types; /* as the table has them, the known ones first */
    size_t n_types;
    struct kind_line kinds[64];
    size_t n_kinds;
};

static const struct {
    const char *name;
    enum hub_core_basis basis;
} scalars[] = {
    {"string", HUB_CORE_STRING},
    {"bool", HUB_CORE_BOOL},
    {"int32", HUB_CORE_INT32},
    {"int64", HUB_CORE_INT64},
    {"float64", HUB_CORE_FLOAT64},
    {"[]byte", HUB_CORE_BYTES},
    {"meta.Time", HUB_CORE_TIME},
    {"meta.MicroTime", HUB_CORE_MICRO_TIME},
    {"meta.FieldsV1", HUB_CORE_RAW},
    {"apiextensions.JSON", HUB_CORE_RAW},
};

/* ---- words ---- */
static struct fed_span next_word(struct fed_span *line)
{
    struct fed_span word = {0};

    (void)fed_span_split(line, ' ', &word);
    return word;
}

static struct hub_core_type *type_find(struct hub_core *core, struct fed_span name)
{
    for (size_t i = 0; i < core->n_types; i++)
        if (fed_span_eq(core->types[i].name, name))
            return &core->types[i];
    return NULL;
}

static bool is_type_head(struct fed_span line)
{
    return fed_span_starts(line, "struct ") || fed_span_starts(line, "union ") ||
           fed_span_starts(line, "alias ") || fed_span_starts(line, "list ");
}

/* ---- first pass: the names of types ---- */
static enum fed_err declare(struct hub_core *core, struct fed_span line)
{
    struct fed_span word = next_word(&line);
    struct hub_core_type *type;

    if (core->n_types == TYPES_MAX)
        return FED_ERR_LIMIT;
    type = &core->types[core->n_types++];
    type->name = next_word(&line);
    if (fed_span_is(word, "struct"))
        type->basis = HUB_CORE_STRUCT;
    else if (fed_span_is(word, "union"))
        type->basis = HUB_CORE_UNION;
    else if (fed_span_is(word, "list"))
        type->basis = HUB_CORE_LIST;
    else
        type->basis = HUB_CORE_STRING; /* an alias: settled in the second pass */
    type->atomic = fed_span_is(next_word(&line), "atomic");
    return FED_OK;
}

static enum fed_err declare_all(struct hub_core *core, struct fed_span text)
{
    struct fed_span line;
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        core->types[core->n_types].name = fed_span_text(scalars[i].name);
        core->types[core->n_types++].basis = scalars[i].basis;
    }
    while (!err && fed_span_split(&text, '\n', &line))
        if (is_type_head(line))
            err = declare(core, line);
    return err;
}

/* ---- second pass: what they are made of ---- */
static enum fed_err field_type(
    struct hub_core *core, struct fed_span go, struct hub_core_field *field)
{
    field->go = go;
    for (;;) {
        if (fed_span_starts(go, "*")) {
            field->pointer = true;
            go = fed_span_sub(go, 1, go.len);
        } else if (fed_span_starts(go, "map[string]")) {
            field->map = true;
            go = fed_span_sub(go, 11, go.len);
        } else if (fed_span_starts(go, "[]") && !fed_span_is(go, "[]byte")) {
            field->list = true;
            go = fed_span_sub(go, 2, go.len);
        } else {
            break;
        }
    }
    field->type = type_find(core, go);
    return field->type ? FED_OK : FED_ERR_INVALID;
}

static void field_flag(struct hub_core_field *field, struct fed_span word)
{
    if (fed_span_is(word, "o"))
        field->omit_empty = true;
    else if (fed_span_is(word, "z"))
        field->omit_zero = true;
    else if (fed_span_is(word, "r"))
        field->required = true;
    else if (fed_span_is(word, "set"))
        field->list_type = HUB_LIST_SET;
    else if (fed_span_is(word, "atomic"))
        field->atomic = true;
    else if (fed_span_is(word, "merge"))
        field->merge = true;
    else if (fed_span_starts(word, "merge=")) {
        field->merge = true;
        field->merge_key = fed_span_sub(word, 6, word.len);
    } else if (fed_span_starts(word, "map=")) {
        field->list_type = HUB_LIST_MAP;
        field->keys = fed_span_sub(word, 4, word.len);
    }
}

static enum fed_err take_field(
    struct hub_core *core, struct fed_span line, struct hub_core_field *field)
{
    uint64_t number;
    enum fed_err err;

    (void)next_word(&line); /* the indentation */
    field->name = next_word(&line);
    err = fed_span_to_u64(next_word(&line), &number);
    if (!err)
        err = field_type(core, next_word(&line), field);
    if (err)
        return err;
    field->number = (unsigned)number;
    while (line.len > 0)
        field_flag(field, next_word(&line));
    return FED_OK;
}

/* The indented lines that follow are the fields. */
static enum fed_err take_fields(
    struct hub_core *core, struct fed_span rest, struct hub_core_type *type)
{
    struct fed_span from = rest;
    struct fed_span line;
    size_t n = 0;
    enum fed_err err = FED_OK;

    while (fed_span_split(&rest, '\n', &line) && fed_span_starts(line, " "))
        n++;
    if (n == 0)
        return FED_OK;
    type->fields = fed_alloc_zero(&core->arena.alloc, n * sizeof *type->fields);
    if (!type->fields)
        return FED_ERR_NOMEM;
    while (!err && type->n_fields < n && fed_span_split(&from, '\n', &line))
        err = take_field(core, line, &type->fields[type->n_fields++]);
    return err;
}

static enum fed_err define(struct hub_core *core, struct fed_span line, struct fed_span rest)
{
    struct fed_span word = next_word(&line);
    struct hub_core_type *type = type_find(core, next_word(&line));
    const struct hub_core_type *of;

    if (fed_span_is(word, "struct") || fed_span_is(word, "union"))
        return take_fields(core, rest, type);
    of = type_find(core, next_word(&line));
    if (!of)
        return FED_ERR_INVALID;
    if (type->basis == HUB_CORE_LIST)
        type->item = of;
    else
        type->basis = of->basis;
    return FED_OK;
}

static enum fed_err take_kind(struct hub_core *core, struct fed_span line)
{
    struct kind_line *kind = &core->kinds[core->n_kinds];

    if (core->n_kinds == sizeof core->kinds / sizeof *core->kinds)
        return FED_ERR_LIMIT;
    (void)next_word(&line);
    kind->group = next_word(&line);
    if (fed_span_is(kind->group, "-"))
        kind->group.len = 0;
    kind->version = next_word(&line);
    kind->kind = next_word(&line);
    kind->type = type_find(core, next_word(&line));
    core->n_kinds++;
    return kind->type ? FED_OK : FED_ERR_INVALID;
}

static enum fed_err define_all(struct hub_core *core, struct fed_span text, struct fed_diag *diag)
{
    struct fed_span line;

    while (fed_span_split(&text, '\n', &line)) {
        enum fed_err err = FED_OK;

        if (is_type_head(line))
            err = define(core, line, text);
        else if (fed_span_starts(line, "kind "))
            err = take_kind(core, line);
        if (err)
            return fed_diag_set(diag, err, "core.table: \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(line));
    }
    return FED_OK;
}

enum fed_err hub_core_open(struct fed_alloc *mem, struct hub_core **out, struct fed_diag *diag)
{
    struct fed_span text = fed_span_of(hub_core_table.text, hub_core_table.len);
    struct hub_core *core = fed_alloc_zero(mem, sizeof *core);
    enum fed_err err;

    if (!core)
        return FED_ERR_NOMEM;
    core->mem = mem;
    fed_arena_init(&core->arena, mem, TABLE_MEMORY);
    core->types = fed_alloc_zero(&core->arena.alloc, TYPES_MAX * sizeof *core->types);
    err = core->types ? declare_all(core, text) : FED_ERR_NOMEM;
    if (!err)
        err = define_all(core, text, diag);
    if (err) {
        hub_core_close(core);
        return err;
    }
    *out = core;
    return FED_OK;
}

void hub_core_close(struct hub_core *core)
{
    if (!core)
        return;
    fed_arena_fini(&core->arena);
    fed_alloc_free(core->mem, core, sizeof *core);
}

/* ---- look-up ---- */
const struct hub_core_type *hub_core_find(
    const struct hub_core *core, struct fed_span api_version, struct fed_span kind)
{
    size_t slash = fed_span_find(api_version, '/');
    bool grouped = slash < api_version.len;
    struct fed_span group = fed_span_sub(api_version, 0, grouped ? slash : 0);
    struct fed_span version =
        grouped ? fed_span_sub(api_version, slash + 1, api_version.len) : api_version;
    bool options = fed_span_is(kind, "DeleteOptions");

    for (size_t i = 0; core && i < core->n_kinds; i++) {
        const struct kind_line *one = &core->kinds[i];

        if (fed_span_eq(one->kind, kind) &&
            (options || (fed_span_eq(one->group, group) && fed_span_eq(one->version, version))))
            return one->type;
    }
    return NULL;
}

const struct hub_core_field *hub_core_field(const struct hub_core_type *type, struct fed_span name)
{
    for (size_t i = 0; type && i < type->n_fields; i++)
        if (fed_span_eq(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

const struct hub_core_field *hub_core_field_number(
    const struct hub_core_type *type, unsigned number)
{
    for (size_t i = 0; type && i < type->n_fields; i++)
        if (type->fields[i].number == number)
            return &type->fields[i];
    return NULL;
}
