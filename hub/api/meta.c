/* meta.c - object metadata: which members there are, what they may hold, and who sets them.
 *
 * Source: apimachinery metav1.ObjectMeta, api/validation/objectmeta.go, names.SimpleNameGenerator.
 */
#include "hub/api/meta.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define ANNOTATIONS_BYTES_MAX (256u << 10)
#define GENERATED_BASE_MAX 58u
#define GENERATED_RANDOM 5u
#define SEGMENT_MAX 253u

static const char *const known[] = {"name", "generateName", "namespace", "selfLink", "uid",
    "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
    "managedFields"};

static bool is_known(struct fed_span key)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (fed_span_is(key, known[i]))
            return true;
    return false;
}

void hub_meta_prune(struct fed_json *metadata, struct fed_buf *unknown)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, metadata);
    while (fed_json_iter_next(&it)) {
        bool keep = is_known(it.key);

        if (!keep && unknown)
            fed_buf_printf(unknown, "metadata." FED_SPAN_FMT "\n", FED_SPAN_ARG(it.key));
        if (!keep || fed_json_type(it.value) == FED_JSON_NULL)
            fed_json_iter_remove(&it);
    }
}

static void check_pair(struct hub_causes *causes, const char *field, struct fed_span key,
    const struct fed_json *value, bool label)
{
    char path[300];

    snprintf(path, sizeof path, "metadata.%s", field);
    if (!fed_text_is_label_key(key))
        hub_causes_add(causes, "FieldValueInvalid", path,
            "Invalid value: \"" FED_SPAN_FMT
            "\": name part must consist of alphanumeric characters, "
            "'-', '_' or '.', and must start and end with an alphanumeric character",
            FED_SPAN_ARG(key));
    if (!fed_json_is_string(value))
        hub_causes_add(causes, "FieldValueTypeInvalid", path,
            "Invalid value: \"" FED_SPAN_FMT "\": must be a string", FED_SPAN_ARG(key));
    else if (label && !fed_text_is_label_value(fed_json_string(value)))
        hub_causes_add(causes, "FieldValueInvalid", path,
            "Invalid value: \"" FED_SPAN_FMT
            "\": a valid label must be an empty string or consist of "
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
            "character, at most 63 characters",
            FED_SPAN_ARG(fed_json_string(value)));
}

static void check_map(
    struct hub_causes *causes, const struct fed_json *metadata, const char *field, bool label)
{
    struct fed_json *map = fed_json_get(metadata, field);
    struct fed_json_iter it;
    char path[64];
    size_t bytes = 0;

    if (!map)
        return;
    snprintf(path, sizeof path, "metadata.%s", field);
    if (!fed_json_is_object(map)) {
        hub_causes_add(causes, "FieldValueTypeInvalid", path, "Invalid value: must be an object");
        return;
    }
    fed_json_iter_init(&it, map);
    while (fed_json_iter_next(&it)) {
        check_pair(causes, field, it.key, it.value, label);
        bytes += it.key.len + fed_json_string(it.value).len;
    }
    if (!label && bytes > ANNOTATIONS_BYTES_MAX)
        hub_causes_add(causes, "FieldValueTooLong", path, "Too long: may not be more than %u bytes",
            ANNOTATIONS_BYTES_MAX);
}

static void check_finalizers(struct hub_causes *causes, const struct fed_json *metadata)
{
    const struct fed_json *list = fed_json_get(metadata, "finalizers");

    if (list && !fed_json_is_array(list))
        hub_causes_add(causes, "FieldValueTypeInvalid", "metadata.finalizers",
            "Invalid value: must be a list");
    for (size_t i = 0; i < fed_json_count(list); i++) {
        struct fed_span text = fed_json_string(fed_json_at(list, i));

        if (!fed_text_is_label_key(text))
            hub_causes_add(causes, "FieldValueInvalid", "metadata.finalizers",
                "Invalid value: \"" FED_SPAN_FMT "\": must be a qualified name",
                FED_SPAN_ARG(text));
    }
}

static bool holds_text(const struct fed_json *list, struct fed_span text)
{
    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_eq(fed_json_string(fed_json_at(list, i)), text))
            return true;
    return false;
}

enum fed_err hub_meta_check_new_finalizers(
    struct hub_request *r, const struct fed_json *live, const struct fed_json *object)
{
    const struct fed_json *before = fed_json_find(live, "metadata.finalizers");
    const struct fed_json *list = fed_json_find(object, "metadata.finalizers");

    if (hub_meta(live, "deletionTimestamp").len == 0)
        return FED_OK;
    for (size_t i = 0; i < fed_json_count(list); i++) {
        struct fed_span text = fed_json_string(fed_json_at(list, i));

        if (!holds_text(before, text))
            return hub_fail_field(r, "metadata.finalizers", "FieldValueForbidden",
                "Forbidden: no new finalizers can be added if the object is being deleted, found "
                "new finalizers "
                "[]string{\"" FED_SPAN_FMT "\"}",
                FED_SPAN_ARG(text));
    }
    return FED_OK;
}

static void check_owners(struct hub_causes *causes, const struct fed_json *metadata)
{
    static const char *const required[] = {"apiVersion", "kind", "name", "uid"};
    const struct fed_json *list = fed_json_get(metadata, "ownerReferences");

    if (list && !fed_json_is_array(list))
        hub_causes_add(causes, "FieldValueTypeInvalid", "metadata.ownerReferences",
            "Invalid value: must be a list");
    for (size_t i = 0; i < fed_json_count(list); i++)
        for (size_t k = 0; k < sizeof required / sizeof *required; k++)
            if (fed_json_string(fed_json_get(fed_json_at(list, i), required[k])).len == 0) {
                char path[96];

                snprintf(path, sizeof path, "metadata.ownerReferences[%zu].%s", i, required[k]);
                hub_causes_add(
                    causes, "FieldValueRequired", path, "Required value: must not be empty");
            }
}

void hub_meta_validate(const struct fed_json *object, struct hub_causes *causes)
{
    const struct fed_json *metadata = fed_json_get(object, "metadata");

    check_map(causes, metadata, "labels", true);
    check_map(causes, metadata, "annotations", false);
    check_finalizers(causes, metadata);
    check_owners(causes, metadata);
}

/* Roles and bindings may have any name that is one segment of a path. */
static enum fed_err check_segment(struct hub_request *r, struct fed_span name)
{
    const char *why = NULL;

    if (fed_span_is(name, ".") || fed_span_is(name, ".."))
        why = name.len == 1 ? "may not be '.'" : "may not be '..'";
    else if (fed_span_find(name, '/') < name.len)
        why = "may not contain '/'";
    else if (fed_span_find(name, '%') < name.len)
        why = "may not contain '%'";
    else if (name.len > SEGMENT_MAX)
        why = "may not be longer than 253 bytes";
    return why ? hub_fail_field(r, "metadata.name", "FieldValueInvalid",
                     "Invalid value: \"" FED_SPAN_FMT "\": %s", FED_SPAN_ARG(name), why)
               : FED_OK;
}

enum fed_err hub_meta_check_name(struct hub_request *r, struct fed_span name)
{
    bool label = r->kind->group[0] == 0 && strcmp(r->kind->plural, "namespaces") == 0;

    if (name.len == 0)
        return hub_fail_field(r, "metadata.name", "FieldValueRequired",
            "Required value: name or generateName is required");
    if (strcmp(r->kind->group, HUB_RBAC_GROUP) == 0)
        return check_segment(r, name);
    if (label ? fed_text_is_dns_label(name) : fed_text_is_dns_subdomain(name))
        return FED_OK;
    return hub_fail_field(r, "metadata.name", "FieldValueInvalid",
        "Invalid value: \"" FED_SPAN_FMT "\": a lowercase RFC 1123 %s must consist of lower case "
        "alphanumeric characters%s, and must start and end with an alphanumeric character%s",
        FED_SPAN_ARG(name), label ? "label" : "subdomain", label ? " or '-'" : ", '-' or '.'",
        label ? ", at most 63 characters" : " (e.g. 'example.com'), at most 253 characters");
}

enum fed_err hub_meta_generate_name(struct hub_request *r, struct fed_json *metadata)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    struct fed_span base = fed_json_string(fed_json_get(metadata, "generateName"));
    struct fed_crypto *crypto = r->api->options.crypto;
    uint8_t random[GENERATED_RANDOM];
    char name[GENERATED_BASE_MAX + GENERATED_RANDOM + 1];
    enum fed_err err;

    if (base.len == 0 || fed_json_string(fed_json_get(metadata, "name")).len > 0)
        return FED_OK;
    err = crypto->random(crypto->ctx, random, sizeof random);
    if (err)
        return err;
    base = fed_span_sub(base, 0, GENERATED_BASE_MAX);
    memcpy(name, base.at, base.len);
    for (size_t i = 0; i < GENERATED_RANDOM; i++)
        name[base.len + i] = letters[random[i] % (sizeof letters - 1)];
    return fed_json_set_string(
        r->doc, metadata, "name", fed_span_of(name, base.len + GENERATED_RANDOM));
}

enum fed_err hub_write_uid(struct hub_api *api, char out[40])
{
    return hub_uuid_new(api->options.crypto, out);
}

enum fed_err hub_meta_new(struct hub_request *r, struct fed_json *object)
{
    static const char *const ours[] = {"selfLink", "uid", "resourceVersion", "generation",
        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    char uid[40];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = metadata ? hub_write_uid(r->api, uid) : FED_ERR_NOMEM;

    if (err)
        return err;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        fed_json_remove(metadata, ours[i]);
    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    err = fed_json_set_text(r->doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_text(r->doc, metadata, "creationTimestamp", now);
    if (!err && r->kind->counts_generation)
        err = fed_json_set_int(r->doc, metadata, "generation", 1);
    return err;
}

enum fed_err hub_meta_keep(
    struct hub_request *r, const struct fed_json *live, struct fed_json *object)
{
    static const char *const kept[] = {"name", "generateName", "namespace", "uid", "generation",
        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    const struct fed_json *before = fed_json_get(live, "metadata");
    enum fed_err err = metadata ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return err;
    fed_json_remove(metadata, "selfLink");
    fed_json_remove(metadata, "resourceVersion");
    for (size_t i = 0; !err && i < sizeof kept / sizeof *kept; i++) {
        const struct fed_json *value = fed_json_get(before, kept[i]);

        if (value)
            err = fed_json_set(r->doc, metadata, kept[i], fed_json_clone(r->doc, value));
        else
            fed_json_remove(metadata, kept[i]);
    }
    return err;
}
