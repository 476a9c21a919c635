/* core_kinds.c - the stored kinds of the table as the documents that kind_spec.c reads. */
#include "hub/api/builtin.h"
#include "hub/api/core.h"

#include <string.h>

#define SPEC_BYTES_MAX (1u << 20)

/* ---- schemas ---- */
static void put_struct(struct fed_buf *out, const struct hub_core_type *type, bool root);

static void put_type(struct fed_buf *out, const struct hub_core_type *type)
{
    static const char *const texts[] = {
        [HUB_CORE_STRING] = "{\"type\":\"string\"}",
        [HUB_CORE_BOOL] = "{\"type\":\"boolean\"}",
        [HUB_CORE_INT32] = "{\"type\":\"integer\",\"format\":\"int32\"}",
        [HUB_CORE_INT64] = "{\"type\":\"integer\",\"format\":\"int64\"}",
        [HUB_CORE_FLOAT64] = "{\"type\":\"number\",\"format\":\"double\"}",
        [HUB_CORE_BYTES] = "{\"type\":\"string\",\"format\":\"byte\"}",
        [HUB_CORE_TIME] = "{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true}",
        [HUB_CORE_MICRO_TIME] = "{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true}",
        [HUB_CORE_RAW] = "{\"x-kubernetes-preserve-unknown-fields\":true}",
    };

    if (type->basis == HUB_CORE_STRUCT)
        put_struct(out, type, false);
    else if (type->basis == HUB_CORE_LIST) {
        fed_buf_put_text(
            out, "{\"type\":\"array\",\"x-kubernetes-list-type\":\"atomic\",\"items\":");
        put_type(out, type->item);
        fed_buf_put_text(out, "}");
    } else {
        fed_buf_put_text(
            out, type->basis == HUB_CORE_UNION ? texts[HUB_CORE_RAW] : texts[type->basis]);
    }
}

static void put_keys(struct fed_buf *out, struct fed_span keys)
{
    const char *separator = "[\"";
    struct fed_span key;

    while (fed_span_split(&keys, ',', &key)) {
        fed_buf_printf(out, "%s" FED_SPAN_FMT, separator, FED_SPAN_ARG(key));
        separator = "\",\"";
    }
    fed_buf_put_text(out, "\"]");
}

static void put_list(struct fed_buf *out, const struct hub_core_field *field)
{
    static const char *const names[] = {
        [HUB_LIST_ATOMIC] = "atomic", [HUB_LIST_SET] = "set", [HUB_LIST_MAP] = "map"};

    fed_buf_printf(
        out, "{\"type\":\"array\",\"x-kubernetes-list-type\":\"%s\"", names[field->list_type]);
    if (field->list_type == HUB_LIST_MAP) {
        fed_buf_put_text(out, ",\"x-kubernetes-list-map-keys\":");
        put_keys(out, field->keys);
    }
    if (field->merge)
        fed_buf_put_text(out, ",\"x-kubernetes-patch-strategy\":\"merge\"");
    if (field->merge_key.len > 0)
        fed_buf_printf(out, ",\"x-kubernetes-patch-merge-key\":\"" FED_SPAN_FMT "\"",
            FED_SPAN_ARG(field->merge_key));
    fed_buf_put_text(out, ",\"items\":");
    put_type(out, field->type);
    fed_buf_put_text(out, "}");
}

static void put_field(struct fed_buf *out, const struct hub_core_field *field)
{
    if (field->list) {
        put_list(out, field);
        return;
    }
    if (field->map)
        fed_buf_printf(out, "{\"type\":\"object\"%s,\"additionalProperties\":",
            field->atomic ? ",\"x-kubernetes-map-type\":\"atomic\"" : "");
    put_type(out, field->type);
    if (field->map)
        fed_buf_put_text(out, "}");
}

/* metadata is known for every root, so it is left out there; so is what the server requires. */
static void put_struct(struct fed_buf *out, const struct hub_core_type *type, bool root)
{
    size_t n = 0;

    fed_buf_printf(
        out, "{\"type\":\"object\"%s", type->atomic ? ",\"x-kubernetes-map-type\":\"atomic\"" : "");
    for (size_t i = 0; i < type->n_fields; i++) {
        const struct hub_core_field *field = &type->fields[i];

        if (root && fed_span_is(field->name, "metadata"))
            continue;
        fed_buf_printf(out, "%s\"" FED_SPAN_FMT "\":", n++ ? "," : ",\"properties\":{",
            FED_SPAN_ARG(field->name));
        put_field(out, field);
    }
    fed_buf_put_text(out, n ? "}}" : "}");
}

void hub_core_put_schema(struct fed_buf *out, const struct hub_core_type *type)
{
    put_struct(out, type, true);
}

/* ---- kinds ---- */
static struct fed_span next_word(struct fed_span *line, uint8_t separator)
{
    struct fed_span word = {0};

    (void)fed_span_split(line, separator, &word);
    return word;
}

static void put_texts(struct fed_buf *out, const char *key, struct fed_span list)
{
    fed_buf_printf(out, ",\"%s\":", key);
    put_keys(out, list);
}

/* "Name|string|name|0|name" */
static void put_column(struct fed_buf *out, struct fed_span line)
{
    struct fed_span name = next_word(&line, '|');
    struct fed_span type = next_word(&line, '|');
    struct fed_span format = next_word(&line, '|');
    struct fed_span priority = next_word(&line, '|');

    fed_buf_printf(out,
        "{\"name\":\"" FED_SPAN_FMT "\",\"type\":\"" FED_SPAN_FMT "\",\"format\":\"" FED_SPAN_FMT
        "\",\"priority\":" FED_SPAN_FMT ",\"jsonPath\":\"" FED_SPAN_FMT "\"}",
        FED_SPAN_ARG(name), FED_SPAN_ARG(type), FED_SPAN_ARG(format), FED_SPAN_ARG(priority),
        FED_SPAN_ARG(line));
}

static void put_columns(struct fed_buf *out, struct fed_span rest)
{
    struct fed_span line;
    size_t n = 0;

    while (fed_span_split(&rest, '\n', &line) && fed_span_starts(line, "column ")) {
        fed_buf_put_text(out, n++ ? "," : "");
        put_column(out, fed_span_sub(line, 7, line.len));
    }
}

struct kind_words {
    struct fed_span group, version, kind, type, plural, scope;
    struct fed_span short_names, categories, singular;
    bool status;
};

static void take_words(struct fed_span line, struct kind_words *out)
{
    struct fed_span *const fixed[] = {
        &out->group, &out->version, &out->kind, &out->type, &out->plural, &out->scope};

    *out = (struct kind_words){.status = false};
    (void)next_word(&line, ' ');
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        *fixed[i] = next_word(&line, ' ');
    if (fed_span_is(out->group, "-"))
        out->group.len = 0;
    while (line.len > 0) {
        struct fed_span word = next_word(&line, ' ');
        size_t equals = fed_span_find(word, '=');
        struct fed_span value = fed_span_sub(word, equals + 1, word.len);

        if (fed_span_is(word, "status"))
            out->status = true;
        else if (fed_span_starts(word, "short="))
            out->short_names = value;
        else if (fed_span_starts(word, "cat="))
            out->categories = value;
        else if (fed_span_starts(word, "singular="))
            out->singular = value;
    }
}

static void put_spec(struct fed_buf *out, const struct kind_words *w,
    const struct hub_core_type *type, struct fed_span rest)
{
    fed_buf_printf(out,
        "{\"group\":\"" FED_SPAN_FMT "\",\"scope\":\"" FED_SPAN_FMT
        "\",\"names\":{\"kind\":\"" FED_SPAN_FMT "\",\"plural\":\"" FED_SPAN_FMT
        "\",\"singular\":\"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(w->group), FED_SPAN_ARG(w->scope), FED_SPAN_ARG(w->kind),
        FED_SPAN_ARG(w->plural), FED_SPAN_ARG(w->singular));
    if (w->short_names.len > 0)
        put_texts(out, "shortNames", w->short_names);
    if (w->categories.len > 0)
        put_texts(out, "categories", w->categories);
    fed_buf_printf(out,
        "},\"versions\":[{\"name\":\"" FED_SPAN_FMT
        "\",\"served\":true,\"storage\":true,\"subresources\":{%s},\"additionalPrinterColumns\":[",
        FED_SPAN_ARG(w->version), w->status ? "\"status\":{}" : "");
    put_columns(out, rest);
    fed_buf_put_text(out, "],\"schema\":{\"openAPIV3Schema\":");
    put_struct(out, type, true);
    fed_buf_put_text(out, "}}]}");
}

/* events.k8s.io has no objects of its own: it shows those of core events. */
static void share_events(
    const struct hub_kinds *kinds, struct hub_kind *kind, struct hub_kind_version versions[2])
{
    const struct hub_kind *core =
        hub_kinds_find(kinds, (struct fed_span){0}, fed_span_text(kind->plural));

    versions[0] = kind->versions[0];
    versions[0].storage = false;
    versions[1] = core->versions[0];
    versions[1].served = false;
    versions[1].of_core = true;
    kind->resource = core->resource;
    kind->versions = versions;
    kind->n_versions = 2;
}

static enum fed_err put_kind(struct fed_alloc *mem, struct fed_span text,
    const struct hub_core_type *type, struct hub_kinds *kinds, struct fed_diag *diag)
{
    struct hub_kind_version versions[2];
    struct hub_kind parsed = {.n_versions = 0};
    struct hub_kind kind;
    struct fed_json_doc *doc = NULL;
    struct fed_json *spec;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, mem, SPEC_BYTES_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, text, &spec, diag);
    if (!err)
        err = hub_kind_from_spec(&arena.alloc, kinds, spec, &parsed, diag);
    if (!err) {
        parsed.core = type;
        parsed.counts_generation = false;
        parsed.versions[0].core = type;
        kind = parsed;
        if (strcmp(kind.group, "events.k8s.io") == 0)
            share_events(kinds, &kind, versions);
        err = hub_kinds_put(kinds, &kind);
    }
    hub_kind_fini(&parsed);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

static enum fed_err take_line(struct fed_alloc *mem, const struct hub_core *core,
    struct fed_span line, struct fed_span rest, struct hub_kinds *kinds, struct fed_diag *diag)
{
    struct kind_words words;
    const struct hub_core_type *type;
    struct fed_buf api_version;
    struct fed_buf spec;
    enum fed_err err;

    take_words(line, &words);
    if (words.plural.len == 0)
        return FED_OK; /* not stored */
    fed_buf_init(&api_version, mem, 512);
    fed_buf_init(&spec, mem, SPEC_BYTES_MAX);
    fed_buf_printf(&api_version, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(words.group),
        words.group.len ? "/" : "", FED_SPAN_ARG(words.version));
    type = hub_core_find(core, fed_buf_span(&api_version), words.kind);
    put_spec(&spec, &words, type, rest);
    err = fed_buf_err(&spec);
    if (!err)
        err = put_kind(mem, fed_buf_span(&spec), type, kinds, diag);
    fed_buf_fini(&spec);
    fed_buf_fini(&api_version);
    return err ? fed_diag_prefix(diag, err, "core kind " FED_SPAN_FMT, FED_SPAN_ARG(words.kind))
               : FED_OK;
}

enum fed_err hub_core_kinds(
    struct fed_alloc *mem, struct hub_core *core, struct hub_kinds *kinds, struct fed_diag *diag)
{
    struct fed_span text = fed_span_of(hub_core_table.text, hub_core_table.len);
    struct fed_span line;
    enum fed_err err = FED_OK;

    hub_kinds_take_core(kinds, core);
    while (!err && fed_span_split(&text, '\n', &line))
        if (fed_span_starts(line, "kind "))
            err = take_line(mem, core, line, text, kinds, diag);
    return err;
}
