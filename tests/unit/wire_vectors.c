/* wire_vectors.c - see wire_vectors.h. */
#include "tests/unit/wire_vectors.h"

#include "proto/base/text.h"

#define FILE_MAX (1u << 20)

void vectors_open(struct vectors *v, const char *name)
{
    char path[512];
    struct fed_diag diag = {""};
    uint8_t *text;
    size_t len;
    FILE *file;

    snprintf(path, sizeof path, FEDLET_SOURCE_DIR "/tests/wire/vectors/%s.json", name);
    fed_arena_init(&v->arena, fed_alloc_system(), 64u << 20);
    text = fed_alloc_get(&v->arena.alloc, FILE_MAX);
    file = fopen(path, "r");
    assert_non_null(text);
    if (!file)
        fail_msg("%s cannot be read", path);
    len = fread(text, 1, FILE_MAX, file);
    fclose(file);
    assert_in_range(len, 1, FILE_MAX - 1);
    assert_int_equal(fed_json_doc_new(&v->arena.alloc, &v->doc), FED_OK);
    if (fed_json_parse(v->doc, fed_span_of(text, len), &v->root, &diag))
        fail_msg("%s: %s", path, diag.text);
}

void vectors_close(struct vectors *v)
{
    fed_json_doc_free(v->doc);
    fed_arena_fini(&v->arena);
}

static const char *name_of(const struct fed_json *v)
{
    static char name[100];
    struct fed_span text = fed_json_string(fed_json_get(v, "name"));

    if (text.len == 0)
        text = fed_json_string(fed_json_get(v, "text"));
    snprintf(name, sizeof name, FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    return name;
}

struct fed_span vector_text(const struct fed_json *v, const char *key)
{
    const struct fed_json *text = fed_json_get(v, key);

    if (!fed_json_is_string(text))
        fail_msg("%s: no text %s", name_of(v), key);
    return fed_json_string(text);
}

struct fed_span vector_hex(struct vectors *vectors, const struct fed_json *v, const char *key)
{
    struct fed_span text = vector_text(v, key);
    uint8_t *bytes = fed_alloc_get(&vectors->arena.alloc, text.len / 2 + 1);
    size_t len;

    assert_non_null(bytes);
    if (fed_text_hex(text, bytes, text.len / 2 + 1, &len))
        fail_msg("%s: %s is not hex", name_of(v), key);
    return fed_span_of(bytes, len);
}

int64_t vector_int(const struct fed_json *v, const char *key)
{
    if (fed_json_type(fed_json_get(v, key)) != FED_JSON_INT)
        fail_msg("%s: no number %s", name_of(v), key);
    return fed_json_int(fed_json_get(v, key), 0);
}

uint64_t vector_u64(const struct fed_json *v, const char *key)
{
    uint64_t value = 0;

    if (fed_span_to_u64(vector_text(v, key), &value))
        fail_msg("%s: %s is no number", name_of(v), key);
    return value;
}

void vector_work(struct vectors *vectors, const struct fed_json *shown, struct fed_work *out)
{
    struct fed_span blob = vector_hex(vectors, shown, "blob");

    *out = (struct fed_work){.api_version = vector_text(shown, "apiVersion"),
        .kind = vector_text(shown, "kind"),
        .plural = vector_text(shown, "plural"),
        .ns = vector_text(shown, "namespace"),
        .name = vector_text(shown, "name"),
        .options = (uint32_t)vector_int(shown, "options"),
        .overrides = vector_text(shown, "overrides")};
    assert_int_equal(blob.len, FED_DIGEST_SIZE);
    memcpy(out->blob.bytes, blob.at, FED_DIGEST_SIZE);
}

static const char *err_name(enum fed_err err)
{
    static const char *const names[] = {
#define NAME_OF(name, text) [FED_ERR_##name] = #name,
        FED_ERR_LIST(NAME_OF)
#undef NAME_OF
    };

    return names[err];
}

bool vector_expects(const struct fed_json *v, enum fed_err err, const struct fed_diag *diag)
{
    const struct fed_json *error = fed_json_get(v, "error");
    struct fed_span expected = error ? fed_json_string(error) : FED_SPAN_LIT("OK");

    if (!fed_span_is(expected, err_name(err)))
        fail_msg("%s: %s (%s), expected " FED_SPAN_FMT, name_of(v), err_name(err),
            diag ? diag->text : "", FED_SPAN_ARG(expected));
    return err == FED_OK;
}

void vector_bytes(const struct fed_json *v, struct fed_span got, struct fed_span expected)
{
    size_t i = 0;

    while (i < got.len && i < expected.len && got.at[i] == expected.at[i])
        i++;
    if (!fed_span_eq(got, expected))
        fail_msg("%s: %zu bytes, expected %zu, the first difference is at %zu", name_of(v), got.len,
            expected.len, i);
}
