/* import_read.c - see import.h: from an API server or a file into stages. */
#include "cli/import.h"
#include "cli/typeconfig.h"
#include "ports/yaml.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX_BYTES (64u << 20)
#define CONTROLLER "kubefed-controller-manager"

enum fed_err cli_import_init(struct cli_import *import)
{
    for (size_t i = 0; i < CLI_IMPORT_STAGES; i++) {
        import->stage[i] = fed_json_new_array(import->cli->doc);
        if (!import->stage[i])
            return FED_ERR_NOMEM;
    }
    import->unknown = fed_json_new_array(import->cli->doc);
    return import->unknown ? FED_OK : FED_ERR_NOMEM;
}

/* ---- what people wrote ---- */

static enum fed_err keep(
    struct cli *cli, struct fed_json *to, const struct fed_json *from, const char *key)
{
    const struct fed_json *value = fed_json_get(from, key);

    return value ? fed_json_set(cli->doc, to, key, fed_json_clone(cli->doc, value)) : FED_OK;
}

struct fed_json *cli_import_clean(struct cli *cli, const struct fed_json *object)
{
    static const char *const top[] = {"apiVersion", "kind", "spec"};
    static const char *const kept[] = {"name", "namespace", "labels", "annotations"};
    struct fed_json *out = fed_json_new_object(cli->doc);
    struct fed_json *metadata = out ? fed_json_ensure_object(cli->doc, out, "metadata") : NULL;
    enum fed_err err = metadata ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < sizeof top / sizeof *top; i++)
        err = keep(cli, out, object, top[i]);
    for (size_t i = 0; !err && i < sizeof kept / sizeof *kept; i++)
        err = keep(cli, metadata, fed_json_get(object, "metadata"), kept[i]);
    return err ? NULL : out;
}

/* ---- where an object belongs ---- */

static struct fed_span group_of(const struct fed_json *object)
{
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    struct fed_span group = fed_span_text("");

    for (size_t i = 0; i < version.len; i++)
        if (version.at[i] == '/')
            group = fed_span_sub(version, 0, i);
    return group;
}

static bool is_kind(const struct fed_json *object, const char *group, const char *kind)
{
    return fed_span_is(group_of(object), group) &&
           fed_span_is(fed_json_string(fed_json_get(object, "kind")), kind);
}

static bool is_of_type(const struct cli_import *import, const struct fed_json *object)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, import->stage[CLI_IMPORT_TYPES]);
    while (fed_json_iter_next(&it)) {
        const struct fed_json *type = fed_json_find(it.value, "spec.federatedType");

        if (fed_span_eq(fed_json_string(fed_json_get(type, "group")), group_of(object)) &&
            fed_span_eq(fed_json_string(fed_json_get(type, "kind")),
                fed_json_string(fed_json_get(object, "kind"))))
            return true;
    }
    return false;
}

/* CLI_IMPORT_STAGES for what is not taken over. */
static enum cli_import_stage stage_of(
    const struct cli_import *import, const struct fed_json *object)
{
    if (is_kind(object, "core.kubefed.io", "KubeFedConfig"))
        return CLI_IMPORT_CONFIG;
    if (is_kind(object, "core.kubefed.io", "FederatedTypeConfig"))
        return CLI_IMPORT_TYPES;
    if (is_kind(object, "core.kubefed.io", "KubeFedCluster"))
        return CLI_IMPORT_CLUSTERS;
    if (is_kind(object, "scheduling.kubefed.io", "ReplicaSchedulingPreference"))
        return CLI_IMPORT_PREFERENCES;
    if (is_kind(object, "", "Namespace"))
        return CLI_IMPORT_NAMESPACES;
    if (is_kind(object, CLI_FEDERATED_GROUP, "FederatedNamespace"))
        return CLI_IMPORT_FEDERATED_NAMESPACES;
    return fed_span_is(group_of(object), CLI_FEDERATED_GROUP) || is_of_type(import, object)
               ? CLI_IMPORT_FEDERATED
               : CLI_IMPORT_STAGES;
}

/* Silent about what KubeFed itself makes and the hub makes anew. */
static void note_ignored(struct cli_import *import, const struct fed_json *object)
{
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));

    if (fed_span_is(group_of(object), "core.kubefed.io") ||
        fed_span_is(group_of(object), "apiextensions.k8s.io"))
        return;
    if (!import->ignored++)
        snprintf(import->ignored_kind, sizeof import->ignored_kind, FED_SPAN_FMT,
            FED_SPAN_ARG(fed_span_sub(kind, 0, kind.len < 100 ? kind.len : 100)));
}

static enum fed_err add_one(struct cli_import *import, const struct fed_json *object)
{
    enum cli_import_stage stage;
    struct fed_json *clean;

    if (!fed_json_is_object(object) || !fed_json_string(fed_json_get(object, "kind")).len ||
        !fed_json_string(fed_json_find(object, "metadata.name")).len)
        return fed_diag_set(import->diag, FED_ERR_INVALID,
            "an object without kind or metadata.name cannot be imported");
    stage = stage_of(import, object);
    if (import->n++ >= CLI_IMPORT_OBJECTS_MAX)
        return fed_diag_set(
            import->diag, FED_ERR_LIMIT, "more than %u objects", CLI_IMPORT_OBJECTS_MAX);
    clean = cli_import_clean(import->cli, object);
    if (!clean)
        return FED_ERR_NOMEM;
    return fed_json_append(
        stage == CLI_IMPORT_STAGES ? import->unknown : import->stage[stage], clean);
}

/* One object, or each of a list. */
static enum fed_err add(struct cli_import *import, struct fed_json *object)
{
    struct fed_json *items = fed_json_get(object, "items");
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    if (!fed_json_is_array(items))
        return add_one(import, object);
    fed_json_iter_init(&it, items);
    while (!err && fed_json_iter_next(&it))
        err = add_one(import, it.value);
    return err;
}

/* Of all namespaces those that hold something that comes along. */
static bool holds_something(const struct cli_import *import, struct fed_span ns)
{
    static const enum cli_import_stage in[] = {
        CLI_IMPORT_FEDERATED_NAMESPACES, CLI_IMPORT_FEDERATED, CLI_IMPORT_PREFERENCES};
    struct fed_json_iter it;

    for (size_t s = 0; s < sizeof in / sizeof *in; s++) {
        fed_json_iter_init(&it, import->stage[in[s]]);
        while (fed_json_iter_next(&it))
            if (fed_span_eq(ns, fed_json_string(fed_json_find(it.value, "metadata.namespace"))))
                return true;
    }
    return false;
}

/* Once everything was read: what a type that came late makes federated, and which namespaces are
 * needed. */
static enum fed_err settle(struct cli_import *import)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, import->unknown);
    while (!err && fed_json_iter_next(&it)) {
        if (!is_of_type(import, it.value))
            note_ignored(import, it.value);
        else
            err = fed_json_append(
                import->stage[CLI_IMPORT_FEDERATED], fed_json_clone(import->cli->doc, it.value));
    }
    fed_json_iter_init(&it, import->stage[CLI_IMPORT_NAMESPACES]);
    while (!err && fed_json_iter_next(&it))
        if (!holds_something(import, fed_json_string(fed_json_find(it.value, "metadata.name"))))
            fed_json_iter_remove(&it);
    return err;
}

/* ---- a file ---- */

struct reading {
    struct cli_import *import;
    enum fed_err err;
};

static bool read_document(void *ctx, size_t index, struct fed_span json)
{
    struct reading *reading = ctx;
    struct cli_import *import = reading->import;
    struct fed_json *object = NULL;

    reading->err = fed_json_parse(import->cli->doc, json, &object, import->diag);
    if (!reading->err)
        reading->err = add(import, object);
    if (reading->err)
        fed_diag_prefix(import->diag, reading->err, "document %zu", index + 1);
    return !reading->err;
}

enum fed_err cli_import_read_file(struct cli_import *import, const char *path)
{
    struct reading reading = {.import = import};
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, import->cli->mem, FILE_MAX_BYTES);
    err = cli_read_file(import->cli, path, &text, import->diag);
    if (!err)
        err = fed_yaml_each_json(
            import->cli->mem, fed_buf_span(&text), read_document, &reading, import->diag);
    fed_buf_fini(&text);
    if (reading.err)
        err = reading.err;
    if (!err)
        err = settle(import);
    return err ? fed_diag_prefix(import->diag, err, "%.200s", path) : FED_OK;
}

/* ---- an API server ---- */

/* Lists of newer servers leave apiVersion and kind out of the items. */
static enum fed_err name_items(
    struct cli_import *import, struct fed_json *list, const char *version, const char *kind)
{
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, fed_json_get(list, "items"));
    while (!err && fed_json_iter_next(&it)) {
        err = fed_json_set_text(import->cli->doc, it.value, "apiVersion", version);
        if (!err)
            err = fed_json_set_text(import->cli->doc, it.value, "kind", kind);
    }
    return err;
}

/* All pages of a list. */
static enum fed_err read_list(struct cli_import *import, struct fed_kube *server, const char *path,
    const char *version, const char *kind)
{
    struct fed_span after = fed_span_text("");
    struct fed_json *list = NULL;
    struct fed_buf query;
    enum fed_err err = FED_OK;

    fed_buf_init(&query, import->cli->mem, 8192);
    do {
        fed_buf_clear(&query);
        fed_buf_printf(&query, "%s?limit=%u", path, CLI_IMPORT_PAGE);
        if (after.len)
            fed_buf_put_text(&query, "&continue=");
        cli_put_escaped(&query, after);
        err = fed_buf_err(&query);
        if (!err)
            err = cli_ask_at(import->cli, server, "GET", fed_buf_cstr(&query), NULL,
                fed_span_text(""), &list, import->diag);
        if (!err)
            err = name_items(import, list, version, kind);
        if (!err)
            err = add(import, list);
        after = fed_json_string(fed_json_find(list, "metadata.continue"));
    } while (!err && after.len);
    fed_buf_fini(&query);
    return err ? fed_diag_prefix(import->diag, err, "cannot list %.120s", path) : FED_OK;
}

static enum fed_err check_stopped(
    struct cli_import *import, struct fed_kube *server, const char *context)
{
    char path[400];
    struct fed_json *controller = NULL;
    enum fed_err err;

    snprintf(path, sizeof path, "/apis/apps/v1/namespaces/%.253s/deployments/" CONTROLLER,
        import->system_ns);
    err = cli_ask_at(
        import->cli, server, "GET", path, NULL, fed_span_text(""), &controller, import->diag);
    if (err == FED_ERR_NOT_FOUND ||
        (!err && !fed_json_int(fed_json_find(controller, "spec.replicas"), 1)))
        return FED_OK;
    if (err)
        return err;
    return fed_diag_set(import->diag, FED_ERR_CONFLICT,
        "KubeFed still runs there, and both would write to the same clusters. Stop it first:\n"
        "  kubectl --context %s -n %s scale deployment " CONTROLLER " --replicas=0\n"
        "or look at what would be done with --dry-run, or insist with --while-running",
        context, import->system_ns);
}

static enum fed_err read_type(
    struct cli_import *import, struct fed_kube *server, const struct fed_json *object)
{
    struct cli_typeconfig config;
    struct fed_buf path;
    char version[CLI_QUALIFIED_SIZE];
    enum fed_err err = cli_typeconfig_read(object, &config, import->diag);

    if (err)
        return err;
    snprintf(version, sizeof version, "%s/%s", config.federated.group, config.federated.version);
    fed_buf_init(&path, import->cli->mem, 1024);
    err = cli_resource_path(&path, &config.federated, NULL, NULL);
    if (!err)
        err = read_list(import, server, fed_buf_cstr(&path), version, config.federated.kind);
    fed_buf_fini(&path);
    /* Its definition may be gone. */
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

enum fed_err cli_import_read_server(
    struct cli_import *import, struct fed_kube *server, const char *context, bool running)
{
    static const struct {
        const char *plural;
        const char *kind;
        bool needed;
    } core[] = {{"federatedtypeconfigs", "FederatedTypeConfig", true},
        {"kubefedconfigs", "KubeFedConfig", false}, {"kubefedclusters", "KubeFedCluster", false}};
    struct fed_json *types = import->stage[CLI_IMPORT_TYPES];
    struct fed_json_iter it;
    char path[400];
    enum fed_err err = running ? FED_OK : check_stopped(import, server, context);

    for (size_t i = 0; !err && i < sizeof core / sizeof *core; i++) {
        snprintf(path, sizeof path, "/apis/core.kubefed.io/v1beta1/namespaces/%.253s/%s",
            import->system_ns, core[i].plural);
        err = read_list(import, server, path, "core.kubefed.io/v1beta1", core[i].kind);
        if (err == FED_ERR_NOT_FOUND && core[i].needed)
            return fed_diag_set(import->diag, err,
                "context %s has no FederatedTypeConfigs: no KubeFed was there", context);
        if (err == FED_ERR_NOT_FOUND)
            err = FED_OK;
    }
    fed_json_iter_init(&it, types);
    while (!err && fed_json_iter_next(&it))
        err = read_type(import, server, it.value);
    if (!err)
        err = read_list(import, server,
            "/apis/scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences",
            "scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference");
    if (err == FED_ERR_NOT_FOUND)
        err = FED_OK;
    if (!err)
        err = read_list(import, server, "/api/v1/namespaces", "v1", "Namespace");
    return err ? err : settle(import);
}
