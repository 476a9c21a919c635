/* namespace_status.c - see namespace_status.h. Source: k8s.io/kubernetes
 * pkg/controller/namespace/deletion; tools read the types and reasons, people the messages. */
#include "hub/api/namespace_status.h"

#include "proto/base/text.h"

#include <stdlib.h>

#define TEXT_MAX 32768u

void hub_remains_init(struct hub_remains *remains, struct fed_alloc *mem)
{
    *remains = (struct hub_remains){.n_errors = 0};
    fed_buf_init(&remains->resources, mem, TEXT_MAX);
    fed_buf_init(&remains->errors, mem, TEXT_MAX);
}

void hub_remains_kind(struct hub_remains *remains, const struct hub_kind *kind, size_t n)
{
    if (n > 0)
        fed_buf_printf(&remains->resources, "%s%s.%s has %zu resource instances",
            remains->resources.len ? ", " : "", kind->plural, kind->group, n);
}

void hub_remains_object(struct hub_remains *remains, const struct fed_json *object)
{
    const struct fed_json *list = fed_json_find(object, "metadata.finalizers");

    for (size_t i = 0; i < fed_json_count(list); i++) {
        struct fed_span name = fed_json_string(fed_json_at(list, i));
        size_t at = 0;

        while (at < remains->n_finalizers && !fed_span_eq(remains->finalizers[at].name, name))
            at++;
        if (at == HUB_REMAINS_FINALIZERS_MAX)
            return;
        if (at == remains->n_finalizers)
            remains->finalizers[remains->n_finalizers++].name = name;
        remains->finalizers[at].n++;
    }
}

void hub_remains_error(struct hub_remains *remains, const char *message)
{
    fed_buf_printf(&remains->errors, "%s%s", remains->n_errors ? ", " : "", message);
    remains->n_errors++;
}

static int finalizer_cmp(const void *a, const void *b)
{
    return fed_span_cmp(*(const struct fed_span *)a, *(const struct fed_span *)b);
}

struct condition {
    const char *type;
    const char *reason; /* of the good state */
    const char *message;
};
static const struct condition good[] = {
    {"NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
        "All resources successfully discovered"},
    {"NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions",
        "All legacy kube types successfully parsed"},
    {"NamespaceDeletionContentFailure", "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization"},
    {"NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"},
    {"NamespaceFinalizersRemaining", "ContentHasNoFinalizers",
        "All content-preserving finalizers finished"},
};

/* Reason and message of what is not good; NULL when it is. */
static const char *trouble(const struct hub_remains *remains, size_t which, struct fed_buf *message)
{
    struct hub_remains sorted = *remains;

    if (which == 2 && remains->n_errors > 0) {
        fed_buf_printf(
            message, "Failed to delete all resource types, %zu remaining: ", remains->n_errors);
        fed_buf_put(message, fed_buf_span(&remains->errors));
        return "ContentDeletionFailed";
    }
    if (which == 3 && remains->resources.len > 0) {
        fed_buf_put_text(message, "Some resources are remaining: ");
        fed_buf_put(message, fed_buf_span(&remains->resources));
        return "SomeResourcesRemain";
    }
    if (which != 4 || remains->n_finalizers == 0)
        return NULL;
    qsort(sorted.finalizers, sorted.n_finalizers, sizeof sorted.finalizers[0], finalizer_cmp);
    fed_buf_put_text(message, "Some content in the namespace has finalizers remaining: ");
    for (size_t i = 0; i < sorted.n_finalizers; i++)
        fed_buf_printf(message, "%s" FED_SPAN_FMT " in %zu resource instances", i ? ", " : "",
            FED_SPAN_ARG(sorted.finalizers[i].name), sorted.finalizers[i].n);
    return "SomeFinalizersRemain";
}

static struct fed_json *condition_find(const struct fed_json *list, const char *type)
{
    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_get(fed_json_at(list, i), "type")), type))
            return fed_json_at(list, i);
    return NULL;
}

static enum fed_err put_condition(struct hub_request *r, const struct hub_remains *remains,
    size_t which, struct fed_json *list, bool *changed)
{
    struct fed_json *present = condition_find(list, good[which].type);
    struct fed_json *condition = present ? present : fed_json_new_object(r->doc);
    struct fed_buf message;
    const char *reason;
    const char *status;
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = condition ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&message, r->mem, 2 * TEXT_MAX);
    reason = trouble(remains, which, &message);
    status = reason ? "True" : "False";
    if (!reason)
        fed_buf_put_text(&message, good[which].message);
    if (present && fed_span_is(fed_json_string(fed_json_get(present, "status")), status) &&
        fed_span_is(fed_json_string(fed_json_get(present, "message")), fed_buf_cstr(&message)))
        return FED_OK;
    *changed = true;
    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    if (!err && !(present && fed_span_is(fed_json_string(fed_json_get(present, "status")), status)))
        err = fed_json_set_text(r->doc, condition, "lastTransitionTime", now);
    if (!err)
        err = fed_json_set_text(r->doc, condition, "type", good[which].type);
    if (!err)
        err = fed_json_set_text(r->doc, condition, "status", status);
    if (!err)
        err = fed_json_set_text(r->doc, condition, "reason", reason ? reason : good[which].reason);
    if (!err)
        err = fed_json_set_text(r->doc, condition, "message", fed_buf_cstr(&message));
    return err || present ? err : fed_json_append(list, condition);
}

enum fed_err hub_remains_store(
    struct hub_request *r, const struct hub_remains *remains, const struct hub_object_ref *ref)
{
    struct hub_object_write write = {.ref = *ref};
    struct fed_json *object = NULL;
    struct fed_json *status;
    struct fed_json *list;
    struct fed_buf bytes;
    bool changed = false;
    enum fed_err err = hub_object_load(r->api, r->doc, ref, &object, &write.expected);

    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    status = fed_json_ensure_object(r->doc, object, "status");
    list = fed_json_get(status, "conditions");
    if (!list) {
        list = fed_json_new_array(r->doc);
        err = fed_json_set(r->doc, status, "conditions", list);
    }
    for (size_t i = 0; !err && i < sizeof good / sizeof *good; i++)
        err = put_condition(r, remains, i, list, &changed);
    if (err || !changed)
        return err;
    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(object, &bytes);
    write.bytes = fed_buf_span(&bytes);
    return err ? err : hub_objects_commit(r->api->objects, &write, 1, NULL, 0, NULL, NULL);
}
