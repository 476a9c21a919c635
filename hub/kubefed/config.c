/* config.c - see config.h. */
#include "hub/kubefed/config.h"

#include "hub/access/uuid.h"
#include "hub/kubefed/check.h"
#include "proto/base/text.h"

#include <string.h>

#define AVAILABLE_MS 20000u /* as config_check.c defaults them */
#define UNAVAILABLE_MS 60000u
#define DELAY_MAX_MS (24u * 3600u * 1000u)

struct hub_kubefed_config {
    struct fed_alloc *mem;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_subscription *subscription;
    struct hub_kubefed_settings now;
    hub_kubefed_config_changed *changed;
    void *changed_ctx;
};

static const struct hub_object_ref the_config = {FED_SPAN_LIT(HUB_KUBEFED_CONFIGS),
    FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), FED_SPAN_LIT(HUB_KUBEFED_CONFIG)};

struct hub_kubefed_settings hub_kubefed_settings_otherwise(void)
{
    return (struct hub_kubefed_settings){.adopt = true,
        .push = true,
        .scheduler = true,
        .available_ms = AVAILABLE_MS,
        .unavailable_ms = UNAVAILABLE_MS};
}

static bool gate_of(const struct fed_json *gates, const char *name, bool otherwise)
{
    for (size_t i = 0; i < fed_json_count(gates); i++) {
        const struct fed_json *gate = fed_json_at(gates, i);

        if (fed_span_is(fed_json_string(fed_json_get(gate, "name")), name))
            return fed_span_is(fed_json_string(fed_json_get(gate, "configuration")), "Enabled");
    }
    return otherwise;
}

static uint64_t delay_of(const struct fed_json *config, const char *path, uint64_t otherwise_ms)
{
    struct fed_span text = fed_json_string(fed_json_find(config, path));
    uint64_t ms;

    if (text.len == 0 || fed_text_duration_ms(text, &ms) || ms == 0 || ms > DELAY_MAX_MS)
        return otherwise_ms;
    return ms;
}

struct hub_kubefed_settings hub_kubefed_settings_of(const struct fed_json *config)
{
    const struct fed_json *gates = fed_json_find(config, "spec.featureGates");
    struct hub_kubefed_settings s = hub_kubefed_settings_otherwise();

    s.namespaced = fed_span_is(fed_json_string(fed_json_find(config, "spec.scope")), "Namespaced");
    s.adopt = !fed_span_is(
        fed_json_string(fed_json_find(config, "spec.syncController.adoptResources")), "Disabled");
    s.push = gate_of(gates, "PushReconciler", s.push);
    s.scheduler = gate_of(gates, "SchedulerPreferences", s.scheduler);
    s.raw_status = gate_of(gates, "RawResourceStatusCollection", s.raw_status);
    s.available_ms = delay_of(config, "spec.controllerDuration.availableDelay", s.available_ms);
    s.unavailable_ms =
        delay_of(config, "spec.controllerDuration.unavailableDelay", s.unavailable_ms);
    return s;
}

bool hub_kubefed_config_is(const struct hub_object_ref *ref)
{
    return fed_span_eq(ref->resource, the_config.resource) && fed_span_eq(ref->ns, the_config.ns) &&
           fed_span_eq(ref->name, the_config.name);
}

static bool same(const struct hub_kubefed_settings *a, const struct hub_kubefed_settings *b)
{
    return a->namespaced == b->namespaced && a->adopt == b->adopt && a->push == b->push &&
           a->scheduler == b->scheduler && a->raw_status == b->raw_status;
}

static enum fed_err parse(
    struct fed_alloc *mem, struct fed_span bytes, struct hub_kubefed_settings *out)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    if (err)
        return err;
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        *out = hub_kubefed_settings_of(object);
    fed_json_doc_free(doc);
    return err;
}

enum fed_err hub_kubefed_settings_read(
    struct fed_alloc *mem, struct hub_objects *objects, struct hub_kubefed_settings *out)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(objects, &the_config, &bytes, NULL);
    if (!err)
        err = parse(mem, fed_buf_span(&bytes), out);
    else if (err == FED_ERR_NOT_FOUND) {
        *out = hub_kubefed_settings_otherwise();
        err = FED_OK;
    }
    fed_buf_fini(&bytes);
    return err;
}

static void on_change(void *ctx, const struct hub_change *change)
{
    struct hub_kubefed_config *config = ctx;
    bool deleted = change->type == HUB_CHANGE_DELETED;
    struct hub_kubefed_settings before = config->now;
    enum fed_err err;

    if (change->type == HUB_CHANGE_TOUCHED || !hub_kubefed_config_is(&change->ref))
        return;
    err = parse(config->mem, deleted ? FED_SPAN_LIT("{}") : change->bytes, &config->now);
    if (!err && config->changed && !same(&before, &config->now))
        config->changed(config->changed_ctx);
    if (err)
        fed_log(config->log, FED_LOG_ERROR,
            "kubefed: KubeFedConfig " HUB_KUBEFED_CONFIG
            " cannot be read: %s; what it said before stays",
            fed_err_text(err));
}

enum fed_err hub_kubefed_config_open(struct fed_alloc *mem, struct fed_log *log,
    struct hub_objects *objects, struct hub_kubefed_config **out, struct fed_diag *diag)
{
    struct hub_kubefed_config *config = fed_alloc_zero(mem, sizeof *config);
    enum fed_err err = config ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return fed_diag_set(diag, err, "no memory for KubeFedConfig");
    config->mem = mem;
    config->log = log;
    config->objects = objects;
    err = hub_objects_subscribe(
        objects, the_config.resource, on_change, config, &config->subscription);
    if (!err)
        err = hub_kubefed_settings_read(mem, objects, &config->now);
    if (err) {
        hub_kubefed_config_close(config);
        return fed_diag_prefix(diag, err, "KubeFedConfig");
    }
    *out = config;
    return FED_OK;
}

void hub_kubefed_config_close(struct hub_kubefed_config *config)
{
    if (!config)
        return;
    hub_objects_unsubscribe(config->subscription);
    fed_alloc_free(config->mem, config, sizeof *config);
}

struct hub_kubefed_settings hub_kubefed_config_now(const struct hub_kubefed_config *config)
{
    return config->now;
}

void hub_kubefed_config_on_change(
    struct hub_kubefed_config *config, hub_kubefed_config_changed *changed, void *ctx)
{
    config->changed = changed;
    config->changed_ctx = ctx;
}

/* ---- the first one ---- */
static enum fed_err make(
    struct fed_json_doc *doc, const char *uid, int64_t now_unix_s, struct fed_json **out)
{
    struct fed_json *object = fed_json_new_object(doc);
    struct fed_json *metadata;
    struct fed_json *spec;
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = object ? FED_OK : FED_ERR_NOMEM;

    fed_text_time(now_unix_s, now);
    if (!err)
        err = fed_json_set_text(doc, object, "apiVersion", "core.kubefed.io/v1beta1");
    if (!err)
        err = fed_json_set_text(doc, object, "kind", "KubeFedConfig");
    metadata = err ? NULL : fed_json_ensure_object(doc, object, "metadata");
    spec = err ? NULL : fed_json_ensure_object(doc, object, "spec");
    if (!metadata || !spec)
        return FED_ERR_NOMEM;
    err = fed_json_set_string(doc, metadata, "name", the_config.name);
    if (!err)
        err = fed_json_set_string(doc, metadata, "namespace", the_config.ns);
    if (!err)
        err = fed_json_set_text(doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_text(doc, metadata, "creationTimestamp", now);
    if (!err)
        err = fed_json_set_int(doc, metadata, "generation", 1);
    if (!err)
        err = fed_json_set_text(doc, spec, "scope", "Cluster");
    *out = object;
    return err ? err : hub_kubefed_default_config(doc, object);
}

enum fed_err hub_kubefed_config_ensure(struct hub_kubefed_config *config, struct fed_crypto *crypto,
    int64_t now_unix_s, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = the_config};
    struct fed_json_doc *doc = NULL;
    struct fed_json *object = NULL;
    struct fed_buf bytes;
    char uid[40];
    enum fed_err err;

    fed_buf_init(&bytes, config->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_objects_get(config->objects, &write.ref, &bytes, NULL);
    fed_buf_clear(&bytes);
    if (err != FED_ERR_NOT_FOUND) {
        fed_buf_fini(&bytes);
        return err;
    }
    err = hub_uuid_new(crypto, uid);
    if (!err)
        err = fed_json_doc_new(config->mem, &doc);
    if (!err)
        err = make(doc, uid, now_unix_s, &object);
    if (!err)
        err = fed_json_put(&bytes, object);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(config->objects, &write, 1, NULL, 0, NULL, diag);
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    return err ? fed_diag_prefix(diag, err, "KubeFedConfig " HUB_KUBEFED_CONFIG) : FED_OK;
}
