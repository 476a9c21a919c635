/* federated_config.c - the life of a FederatedTypeConfig: its finalizer, and the status that says
 * whether its type is propagated (see federated_types.h). */
#include "hub/api/federated_parts.h"
#include "hub/api/internal.h"

#include <string.h>

#define CONFIG_FINALIZER "core.kubefed.io/federated-type-config"

/* ---- finalizer ---- */
static bool drop(struct fed_json *finalizers)
{
    bool found = false;

    for (size_t i = fed_json_count(finalizers); i-- > 0;)
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), CONFIG_FINALIZER))
            found = fed_json_remove_at(finalizers, i) || found;
    return found;
}

enum fed_err hub_federated_config_keep(struct hub_admission *a)
{
    struct fed_json *metadata = fed_json_ensure_object(a->doc, a->object, "metadata");
    struct fed_json *finalizers = fed_json_get(metadata, "finalizers");
    enum fed_err err = FED_OK;

    if (!metadata)
        return FED_ERR_NOMEM;
    if (hub_meta(a->object, "deletionTimestamp").len > 0)
        return FED_OK;
    for (size_t i = 0; i < fed_json_count(finalizers); i++)
        if (fed_span_is(fed_json_string(fed_json_at(finalizers, i)), CONFIG_FINALIZER))
            return FED_OK;
    if (!fed_json_is_array(finalizers)) {
        finalizers = fed_json_new_array(a->doc);
        err = fed_json_set(a->doc, metadata, "finalizers", finalizers);
    }
    return err ? err : fed_json_append(finalizers, fed_json_new_text(a->doc, CONFIG_FINALIZER));
}

enum fed_err hub_federated_config_finish(struct hub_objects *objects, struct fed_alloc *mem,
    const struct hub_object_ref *ref, struct fed_json *config, uint64_t revision)
{
    struct fed_json *finalizers = fed_json_find(config, "metadata.finalizers");
    struct hub_object_write write = {.ref = *ref, .expected = revision};
    struct fed_buf bytes;
    enum fed_err err;

    if (hub_meta(config, "deletionTimestamp").len == 0 || !drop(finalizers))
        return FED_OK;
    fed_buf_init(&bytes, mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(config, &bytes);
    write.remove = fed_json_count(finalizers) == 0;
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(objects, &write, 1, NULL, 0, NULL, NULL);
    fed_buf_fini(&bytes);
    /* Somebody was faster: the news of that comes, too. */
    return err == FED_ERR_CONFLICT || err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* ---- status ---- */
static bool says(const struct fed_json *config, const char *path, const char *word)
{
    return fed_span_is(fed_json_string(fed_json_find(config, path)), word);
}

static bool counts(const struct fed_json *config)
{
    return fed_span_is(hub_meta(config, "namespace"), HUB_SYSTEM_NAMESPACE) &&
           hub_meta(config, "deletionTimestamp").len == 0;
}

/* KubeFed collects a statusType for services alone, and not while it collects all raw statuses. */
static bool collects(const struct fed_json *config, const struct hub_kubefed_settings *settings)
{
    return !settings->raw_status && fed_span_is(hub_meta(config, "name"), "services") &&
           says(config, "spec.statusCollection", "Enabled") &&
           fed_json_is_object(fed_json_find(config, "spec.statusType"));
}

static const char *word(bool running)
{
    return running ? "Running" : "NotRunning";
}

enum fed_err hub_federated_config_status(struct fed_json_doc *doc, struct fed_json *config,
    const struct hub_kubefed_settings *settings, bool has_namespaces)
{
    struct fed_json *status = fed_json_new_object(doc);
    bool running = settings->push && counts(config) &&
                   says(config, "spec.propagation", "Enabled") &&
                   (says(config, "spec.targetType.scope", "Namespaced") ? has_namespaces
                                                                        : !settings->namespaced);
    enum fed_err err = fed_json_set(doc, config, "status", status);

    if (!err)
        err = fed_json_set_int(doc, status, "observedGeneration",
            fed_json_int(fed_json_find(config, "metadata.generation"), 1));
    if (!err)
        err = fed_json_set_text(doc, status, "propagationController", word(running));
    return err ? err
               : fed_json_set_text(doc, status, "statusController",
                     word(counts(config) && collects(config, settings)));
}
