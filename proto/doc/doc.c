/* doc.c - see doc.h. A struct fed_doc is a cJSON. */
#include "proto/doc/doc.h"

#include "proto/base/text.h"
#include "proto/doc/doc_check.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

static cJSON *raw(const struct fed_doc *v)
{
    return (cJSON *)(uintptr_t)v;
}

static struct fed_doc *of(cJSON *v)
{
    return (struct fed_doc *)v;
}

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Member names of one object; *twice is one that stands there twice, else NULL. */
static enum fed_err find_twice(const cJSON *object, const char **twice)
{
    size_t n = (size_t)cJSON_GetArraySize(object);
    const char **names = n ? calloc(n, sizeof *names) : NULL;
    size_t i = 0;

    *twice = NULL;
    if (n == 0)
        return FED_OK;
    if (!names)
        return FED_ERR_NOMEM;
    for (const cJSON *at = object->child; at && i < n; at = at->next)
        names[i++] = at->string;
    qsort(names, n, sizeof *names, name_cmp);
    for (i = 1; i < n && !*twice; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            *twice = names[i];
    }
    free(names);
    return FED_OK;
}

/* Recursive, which the depth limit of the text bounds. */
static enum fed_err check_names(const cJSON *v, struct fed_diag *diag)
{
    const char *twice = NULL;
    enum fed_err err = FED_OK;

    if (cJSON_IsObject(v)) {
        err = find_twice(v, &twice);
        if (!err && twice)
            return fed_diag_set(diag, FED_ERR_INVALID, "JSON: \"%.64s\" stands twice", twice);
    }
    for (const cJSON *at = v->child; at && !err; at = at->next)
        err = check_names(at, diag);
    return err;
}

enum fed_err fed_doc_parse(struct fed_span text, struct fed_doc **out, struct fed_diag *diag)
{
    enum fed_err err;
    cJSON *v;

    if (text.len > FED_DOC_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "JSON of %zu bytes, at most %u are taken",
            text.len, FED_DOC_BYTES_MAX);
    err = fed_doc_check(text, diag);
    if (err)
        return err;
    /* After the check only memory can be missing. */
    v = cJSON_ParseWithLength((const char *)text.at, text.len);
    if (!v)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for %zu bytes of JSON", text.len);
    err = check_names(v, diag);
    if (err) {
        cJSON_Delete(v);
        return err;
    }
    *out = of(v);
    return FED_OK;
}

void fed_doc_free(struct fed_doc *root)
{
    cJSON_Delete(raw(root));
}

/* ---- reading ---- */

const struct fed_doc *fed_doc_get(const struct fed_doc *object, const char *key)
{
    return fed_doc_is_object(object) ? of(cJSON_GetObjectItemCaseSensitive(raw(object), key))
                                     : NULL;
}

const struct fed_doc *fed_doc_at(const struct fed_doc *array, size_t index)
{
    const cJSON *at =
        array && (fed_doc_is_array(array) || fed_doc_is_object(array)) ? raw(array)->child : NULL;

    while (at && index--)
        at = at->next;
    return of((cJSON *)(uintptr_t)at);
}

size_t fed_doc_count(const struct fed_doc *v)
{
    return v ? (size_t)cJSON_GetArraySize(raw(v)) : 0;
}

const char *fed_doc_key(const struct fed_doc *v)
{
    return v && raw(v)->string ? raw(v)->string : "";
}

bool fed_doc_is_object(const struct fed_doc *v)
{
    return cJSON_IsObject(raw(v));
}

bool fed_doc_is_array(const struct fed_doc *v)
{
    return cJSON_IsArray(raw(v));
}

bool fed_doc_is_string(const struct fed_doc *v)
{
    return cJSON_IsString(raw(v));
}

const char *fed_doc_text(const struct fed_doc *v, const char *otherwise)
{
    return fed_doc_is_string(v) ? raw(v)->valuestring : otherwise;
}

bool fed_doc_bool(const struct fed_doc *v, bool otherwise)
{
    return cJSON_IsBool(raw(v)) ? cJSON_IsTrue(raw(v)) : otherwise;
}

enum fed_err fed_doc_int(const struct fed_doc *v, int64_t min, int64_t max, int64_t *out)
{
    double d;

    if (!v)
        return FED_ERR_NOT_FOUND;
    if (!cJSON_IsNumber(raw(v)))
        return FED_ERR_INVALID;
    d = raw(v)->valuedouble;
    if (!(d >= -(double)FED_DOC_INT_MAX && d <= (double)FED_DOC_INT_MAX))
        return FED_ERR_LIMIT;
    if ((double)(int64_t)d != d)
        return FED_ERR_INVALID;
    if ((int64_t)d < min || (int64_t)d > max)
        return FED_ERR_LIMIT;
    *out = (int64_t)d;
    return FED_OK;
}

enum fed_err fed_doc_only(
    const struct fed_doc *object, const char *const *keys, struct fed_diag *diag)
{
    if (!fed_doc_is_object(object))
        return fed_diag_set(diag, FED_ERR_INVALID, "an object is expected");
    for (const cJSON *at = raw(object)->child; at; at = at->next) {
        const char *const *key = keys;

        while (*key && strcmp(*key, at->string) != 0)
            key++;
        if (!*key)
            return fed_diag_set(diag, FED_ERR_INVALID, "unknown member \"%.64s\"", at->string);
    }
    return FED_OK;
}

/* ---- writing ---- */

struct fed_doc *fed_doc_new_object(void)
{
    return of(cJSON_CreateObject());
}

struct fed_doc *fed_doc_new_array(void)
{
    return of(cJSON_CreateArray());
}

enum fed_err fed_doc_set_take(struct fed_doc *object, const char *key, struct fed_doc *value)
{
    enum fed_err err = FED_OK;

    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_doc_is_object(object) || !fed_text_is_utf8(fed_span_text(key)))
        err = FED_ERR_INVALID;
    else if (fed_doc_get(object, key))
        err = cJSON_ReplaceItemInObjectCaseSensitive(raw(object), key, raw(value)) ? FED_OK
                                                                                   : FED_ERR_NOMEM;
    else if (!cJSON_AddItemToObject(raw(object), key, raw(value)))
        err = FED_ERR_NOMEM;
    if (err)
        fed_doc_free(value);
    return err;
}

enum fed_err fed_doc_append_take(struct fed_doc *array, struct fed_doc *value)
{
    if (!value)
        return FED_ERR_NOMEM;
    if (!fed_doc_is_array(array)) {
        fed_doc_free(value);
        return FED_ERR_INVALID;
    }
    cJSON_AddItemToArray(raw(array), raw(value));
    return FED_OK;
}

enum fed_err fed_doc_set_text(struct fed_doc *object, const char *key, const char *text)
{
    if (!fed_text_is_utf8(fed_span_text(text)))
        return FED_ERR_INVALID;
    return fed_doc_set_take(object, key, of(cJSON_CreateString(text)));
}

enum fed_err fed_doc_set_int(struct fed_doc *object, const char *key, int64_t value)
{
    if (value > FED_DOC_INT_MAX || value < -FED_DOC_INT_MAX)
        return FED_ERR_LIMIT;
    return fed_doc_set_take(object, key, of(cJSON_CreateNumber((double)value)));
}

enum fed_err fed_doc_set_bool(struct fed_doc *object, const char *key, bool value)
{
    return fed_doc_set_take(object, key, of(cJSON_CreateBool(value)));
}

enum fed_err fed_doc_append_text(struct fed_doc *array, const char *text)
{
    if (!fed_text_is_utf8(fed_span_text(text)))
        return FED_ERR_INVALID;
    return fed_doc_append_take(array, of(cJSON_CreateString(text)));
}
