/* versions_make.c - keeps what stands beside federated objects there: see versions.c.
 *
 * Objects whose companions may be missing wait in a queue, so that a start with many of them makes
 * so many in each turn of the loop. Deleted by somebody else they are made again. */
#include "hub/access/uuid.h"
#include "hub/status/internal.h"
#include "proto/base/text.h"
#include "proto/digest/sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMESPACES "namespaces"
#define TURN_MAX 256u /* made in one turn of the loop */
#define RETRY_MS 2000u

struct status_wanted { /* a federated object whose companions may be missing */
    struct status_wanted *next;
    size_t len;
    char key[]; /* resource NUL namespace NUL name */
};

/* A new one has a new uid, also in the place of one that was deleted. */
static enum fed_err make_uid(const struct hub_object_ref *ref, struct fed_span owner_uid,
    uint64_t revision, char out[HUB_UUID_SIZE])
{
    struct fed_digest digest;
    char text[1024];
    int n = snprintf(text, sizeof text, FED_SPAN_FMT " " FED_SPAN_FMT " " FED_SPAN_FMT " %" PRIu64,
        FED_SPAN_ARG(ref->resource), FED_SPAN_ARG(ref->name), FED_SPAN_ARG(owner_uid), revision);
    enum fed_err err = n < 0 || (size_t)n >= sizeof text
                           ? FED_ERR_LIMIT
                           : fed_digest_of(fed_span_of(text, (size_t)n), &digest);

    if (!err)
        hub_uuid_format(digest.bytes, out);
    return err;
}

static enum fed_err put_owner(
    struct fed_json_doc *doc, struct fed_json *metadata, const struct fed_json *of)
{
    struct fed_json *list = fed_json_new_array(doc);
    struct fed_json *owner = fed_json_new_object(doc);
    enum fed_err err = fed_json_set(doc, metadata, "ownerReferences", list);

    if (!err)
        err = fed_json_append(list, owner);
    if (!err)
        err = fed_json_set_string(
            doc, owner, "apiVersion", fed_json_string(fed_json_get(of, "apiVersion")));
    if (!err)
        err = fed_json_set_string(doc, owner, "kind", fed_json_string(fed_json_get(of, "kind")));
    if (!err)
        err = fed_json_set_string(
            doc, owner, "name", fed_json_string(fed_json_find(of, "metadata.name")));
    return err ? err
               : fed_json_set_string(
                     doc, owner, "uid", fed_json_string(fed_json_find(of, "metadata.uid")));
}

static enum fed_err compose_new(struct hub_status *status, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, const char *api_version, const char *kind,
    const struct fed_json *of, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(doc, object, "metadata");
    char uid[HUB_UUID_SIZE];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = metadata ? make_uid(ref, fed_json_string(fed_json_find(of, "metadata.uid")),
                                      hub_objects_revision(status->objects), uid)
                                : FED_ERR_NOMEM;

    fed_text_time(fed_loop_unix_s(status->loop), now);
    if (!err)
        err = fed_json_set_text(doc, object, "apiVersion", api_version);
    if (!err)
        err = fed_json_set_text(doc, object, "kind", kind);
    if (!err)
        err = fed_json_set_string(doc, metadata, "name", ref->name);
    if (!err && ref->ns.len)
        err = fed_json_set_string(doc, metadata, "namespace", ref->ns);
    if (!err)
        err = fed_json_set_text(doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_int(doc, metadata, "generation", 1);
    if (!err)
        err = fed_json_set_text(doc, metadata, "creationTimestamp", now);
    return err ? err : put_owner(doc, metadata, of);
}

static bool is_missing(struct hub_status *status, const struct hub_object_ref *ref)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, status->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(status->objects, ref, &bytes, NULL);
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND;
}

/* Stores the object. */
static enum fed_err make(struct hub_status *status, const struct hub_object_ref *ref,
    const char *api_version, const char *kind, const struct fed_json *of)
{
    struct hub_object_write write = {.ref = *ref, .expected = 0};
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, status->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_doc_new(status->mem, &doc);
    object = err ? NULL : fed_json_new_object(doc);
    if (!err && !object)
        err = FED_ERR_NOMEM;
    if (!err)
        err = compose_new(status, doc, ref, api_version, kind, of, object);
    if (!err)
        err = fed_json_put(&bytes, object);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_stage(status->objects, &write, 1, NULL, 0, NULL, NULL);
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    return err;
}

/* As upstream's admission has it: nothing is made in a namespace that is going, or gone. */
static bool takes_objects(struct hub_status *status, struct fed_span ns)
{
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(NAMESPACES), .name = ns};
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    bool takes = ns.len == 0;

    if (!takes && !fed_json_doc_new(status->mem, &doc) &&
        !status_object_load(status, &ref, doc, &object, NULL))
        takes = !fed_json_find(object, "metadata.deletionTimestamp");
    fed_json_doc_free(doc);
    return takes;
}

/* Makes what is missing of them. Nothing at all is read of the object when they are there, as after
 * most of its changes. */
static enum fed_err make_all(struct hub_status *status, const struct hub_object_ref *of)
{
    struct hub_planned_type type;
    struct hub_object_ref version;
    struct hub_object_ref statuses;
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    char name[254];
    bool lacks_version;
    bool lacks_statuses;
    enum fed_err err = FED_OK;

    if (hub_plan_type(status->plan, of->resource, &type) || !type.enabled)
        return FED_OK;
    statuses = (struct hub_object_ref){fed_span_text(type.status_resource), of->ns, of->name};
    lacks_version = status_version_ref(of, &type, name, &version) && is_missing(status, &version);
    lacks_statuses = type.collect == HUB_COLLECT_STATUSES && is_missing(status, &statuses);
    if ((!lacks_version && !lacks_statuses) || !takes_objects(status, of->ns))
        return FED_OK;
    err = fed_json_doc_new(status->mem, &doc);
    if (!err)
        err = status_object_load(status, of, doc, &object, NULL);
    if (!err && !fed_json_find(object, "metadata.deletionTimestamp")) {
        if (lacks_version)
            err = make(status, &version, "core.kubefed.io/v1alpha1",
                type.namespaced ? "PropagatedVersion" : "ClusterPropagatedVersion", object);
        if (!err && lacks_statuses)
            err = make(status, &statuses, type.status_api_version, type.status_kind, object);
    }
    fed_json_doc_free(doc);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* ---- the queue ---- */

static struct fed_span wanted_key(const struct status_wanted *wanted)
{
    return fed_span_of(wanted->key, wanted->len);
}

static void arm(struct hub_status *status, uint32_t in_ms)
{
    status->loop->timer_set(
        status->loop->ctx, status->versions_timer, fed_loop_now_ms(status->loop) + in_ms);
}

void status_versions_want(struct hub_status *status, const struct hub_object_ref *of)
{
    struct fed_span parts[] = {of->resource, of->ns, of->name};
    size_t len = of->resource.len + of->ns.len + of->name.len + 2;
    struct status_wanted *wanted = fed_alloc_get(status->mem, sizeof *wanted + len);
    size_t at = 0;

    if (!wanted)
        return; /* with the next change of the object */
    *wanted = (struct status_wanted){.len = len};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy(wanted->key + at, parts[i].at, parts[i].len);
        at += parts[i].len;
        if (i < 2)
            wanted->key[at++] = '\0';
    }
    if (fed_map_get(&status->wanted, wanted_key(wanted)) ||
        fed_map_put(&status->wanted, wanted_key(wanted), wanted)) {
        fed_alloc_free(status->mem, wanted, sizeof *wanted + len);
        return;
    }
    *status->wanted_end = wanted;
    status->wanted_end = &wanted->next;
    if (status->wanted_first == wanted)
        arm(status, 0);
}

static struct status_wanted *take_wanted(struct hub_status *status)
{
    struct status_wanted *wanted = status->wanted_first;

    if (!wanted)
        return NULL;
    status->wanted_first = wanted->next;
    if (!status->wanted_first)
        status->wanted_end = &status->wanted_first;
    fed_map_remove(&status->wanted, wanted_key(wanted));
    return wanted;
}

static void free_wanted(struct hub_status *status, struct status_wanted *wanted)
{
    fed_alloc_free(status->mem, wanted, sizeof *wanted + wanted->len);
}

static struct hub_object_ref wanted_ref(const struct status_wanted *wanted)
{
    struct fed_span key = wanted_key(wanted);
    struct hub_object_ref ref;

    ref.resource = fed_span_sub(key, 0, fed_span_find(key, '\0'));
    key = fed_span_sub(key, ref.resource.len + 1, key.len);
    ref.ns = fed_span_sub(key, 0, fed_span_find(key, '\0'));
    ref.name = fed_span_sub(key, ref.ns.len + 1, key.len);
    return ref;
}

static void on_timer(void *ctx)
{
    struct hub_status *status = ctx;
    struct status_wanted *wanted;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < TURN_MAX && (wanted = take_wanted(status)) != NULL; i++) {
        struct hub_object_ref ref = wanted_ref(wanted);

        err = make_all(status, &ref);
        if (err)
            fed_log(status->log, FED_LOG_WARN,
                "status: the version of " FED_SPAN_FMT " " FED_SPAN_FMT "/" FED_SPAN_FMT
                " cannot be stored: %s; next try in %u ms",
                FED_SPAN_ARG(ref.resource), FED_SPAN_ARG(ref.ns), FED_SPAN_ARG(ref.name),
                fed_err_text(err), RETRY_MS);
        if (err)
            status_versions_want(status, &ref);
        free_wanted(status, wanted);
    }
    if (hub_objects_staged(status->objects) && !hub_objects_flush_soon(status->objects))
        (void)hub_objects_flush(status->objects, NULL);
    if (status->wanted_first)
        arm(status, err ? RETRY_MS : 0);
}

/* ---- when somebody deletes one ---- */

void status_versions_changed(struct hub_status *status, const struct hub_change *change)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct hub_object_ref of;

    if (change->type != HUB_CHANGE_DELETED ||
        !fed_span_ends(change->ref.resource, ".core.kubefed.io") ||
        fed_json_doc_new(status->mem, &doc))
        return;
    if (!fed_json_parse(doc, change->bytes, &object, NULL)) {
        const struct fed_json *owners = fed_json_find(object, "metadata.ownerReferences");

        for (struct fed_json_iter it = fed_json_items(owners); fed_json_iter_next(&it);) {
            if (status_is_companion(
                    status, &change->ref, fed_json_string(fed_json_get(it.value, "name")), &of))
                status_versions_want(status, &of);
        }
    }
    fed_json_doc_free(doc);
}

/* ---- life ---- */

static void want_each(void *ctx, const struct hub_object_ref *ref)
{
    status_versions_want(ctx, ref);
}

enum fed_err status_versions_open(struct hub_status *status)
{
    enum fed_err err;

    fed_map_init(&status->wanted, status->mem);
    status->wanted_end = &status->wanted_first;
    err = status->loop->timer_new(status->loop->ctx, on_timer, status, &status->versions_timer);
    if (!err)
        hub_plan_federated_objects(status->plan, want_each, status);
    return err;
}

void status_versions_close(struct hub_status *status)
{
    struct status_wanted *wanted;

    if (!status->versions_timer)
        return;
    while ((wanted = take_wanted(status)) != NULL)
        free_wanted(status, wanted);
    status->loop->timer_free(status->loop->ctx, status->versions_timer);
    fed_map_fini(&status->wanted);
}
