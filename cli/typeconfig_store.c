/* typeconfig_store.c - see typeconfig.h: what is on the hub, and what is written there. */
#include "cli/typeconfig.h"

#include <stdio.h>
#include <string.h>

#define DEFINITIONS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define MANAGER "?fieldManager=fedctl"

struct installing {
    struct cli *cli;
    const struct cli_common *common;
    const struct cli_typeconfig *config;
    struct fed_diag *diag;
};

void cli_typeconfig_path(const char *ns, const char *name, char out[CLI_TYPECONFIG_PATH_SIZE])
{
    snprintf(out, CLI_TYPECONFIG_PATH_SIZE,
        "/apis/core.kubefed.io/v1beta1/namespaces/%.253s/federatedtypeconfigs%s%.253s", ns,
        name ? "/" : "", name ? name : "");
}

enum fed_err cli_typeconfig_get(struct cli *cli, const char *ns, const char *name,
    struct fed_json **object, struct fed_diag *diag)
{
    char path[CLI_TYPECONFIG_PATH_SIZE];

    cli_typeconfig_path(ns, name, path);
    return cli_ask(cli, "GET", path, NULL, fed_span_text(""), object, diag);
}

/* ---- retainReplicas ---- */

enum fed_err cli_typeconfig_retains(struct cli *cli, struct fed_kube *server,
    const struct cli_resource *target, bool *out, struct fed_diag *diag)
{
    char name[CLI_QUALIFIED_SIZE];
    char path[CLI_QUALIFIED_SIZE + sizeof DEFINITIONS + 1];
    struct fed_json *object;
    const struct fed_json *replicas;
    enum fed_err err = FED_ERR_NOT_FOUND;

    snprintf(
        path, sizeof path, DEFINITIONS "/%s", cli_qualified(target->plural, target->group, name));
    if (target->group[0])
        err = cli_ask_at(cli, server, "GET", path, NULL, fed_span_text(""), &object, diag);
    if (err == FED_ERR_NOT_FOUND || err == FED_ERR_FORBIDDEN) {
        diag->text[0] = '\0';
        *out = target->scaled;
        return FED_OK;
    }
    if (err)
        return err;
    replicas = fed_json_find(fed_json_at(fed_json_find(object, "spec.versions"), 0),
        "schema.openAPIV3Schema.properties.spec.properties.replicas");
    *out = fed_span_is(fed_json_string(fed_json_get(replicas, "type")), "integer") &&
           fed_span_is(fed_json_string(fed_json_get(replicas, "format")), "int32");
    return FED_OK;
}

/* ---- installing ---- */

static enum fed_err check_namespace(const struct installing *in)
{
    char path[300];
    struct fed_json *object;
    enum fed_err err;

    snprintf(path, sizeof path, "/api/v1/namespaces/%.253s", in->common->ns);
    err = cli_ask(in->cli, "GET", path, NULL, fed_span_text(""), &object, in->diag);
    if (err == FED_ERR_NOT_FOUND)
        return fed_diag_prefix(
            in->diag, err, "KubeFed system namespace \"%s\" does not exist", in->common->ns);
    /* Who may write type configurations need not be able to read namespaces. */
    return err == FED_ERR_FORBIDDEN ? FED_OK : err;
}

static void versioned(const struct cli_resource *type, char out[CLI_QUALIFIED_SIZE + 70])
{
    char name[CLI_QUALIFIED_SIZE];

    snprintf(out, CLI_QUALIFIED_SIZE + 70, "%s/%s", cli_qualified(type->plural, type->group, name),
        type->version);
}

static enum fed_err check_same_type(const struct installing *in, const struct fed_json *before)
{
    const struct cli_resource *to = &in->config->federated;
    struct cli_typeconfig old;
    char names[3][CLI_QUALIFIED_SIZE + 70];
    enum fed_err err = cli_typeconfig_read(before, &old, in->diag);

    if (err || (strcmp(old.federated.plural, to->plural) == 0 &&
                   strcmp(old.federated.group, to->group) == 0 &&
                   strcmp(old.federated.version, to->version) == 0))
        return err;
    versioned(&old.target, names[0]);
    versioned(&old.federated, names[1]);
    versioned(to, names[2]);
    return fed_diag_set(in->diag, FED_ERR_CONFLICT,
        "Federation is already enabled for \"%s\" with federated type \"%s\". Changing the "
        "federated type to \"%s\" is not supported.",
        names[0], names[1], names[2]);
}

/* Against one other FederatedTypeConfig, when the definition is there already. */
static enum fed_err check_other(const struct installing *in, const struct cli_typeconfig *other)
{
    char names[2][CLI_QUALIFIED_SIZE + 70];

    if (cli_typeconfig_equivalent(&other->target, &in->config->target)) {
        versioned(&in->config->target, names[0]);
        versioned(&other->target, names[1]);
        return fed_diag_set(in->diag, FED_ERR_CONFLICT,
            "Failed to enable \"%s\". Federation of this type is already enabled for equivalent "
            "type \"%s\" by FederatedTypeConfig \"%s/%s\"",
            names[0], names[1], in->common->ns, other->name);
    }
    if (strcmp(other->name, in->config->name) == 0 ||
        strcmp(other->federated.plural, in->config->federated.plural) != 0 ||
        strcmp(other->federated.group, in->config->federated.group) != 0)
        return FED_OK;
    return fed_diag_set(in->diag, FED_ERR_CONFLICT,
        "Failed to enable federation of \"%s\" due to the FederatedTypeConfig for \"%s\" already "
        "referencing a federated type CRD named \"%s.%s\". If these target types are distinct "
        "despite sharing the same kind, specifying a non-default --federated-group should allow "
        "\"%s\" to be enabled.",
        in->config->name, other->name, other->federated.plural, other->federated.group,
        in->config->name);
}

static enum fed_err check_others(const struct installing *in)
{
    char path[CLI_TYPECONFIG_PATH_SIZE];
    struct fed_json *list;
    const struct fed_json *items;
    enum fed_err err;

    cli_typeconfig_path(in->common->ns, NULL, path);
    err = cli_ask(in->cli, "GET", path, NULL, fed_span_text(""), &list, in->diag);
    if (err)
        return fed_diag_prefix(in->diag, err, "Error getting FederatedTypeConfig list");
    items = fed_json_get(list, "items");
    for (struct fed_json_iter it = fed_json_items(items); !err && fed_json_iter_next(&it);) {
        struct cli_typeconfig other;

        err = cli_typeconfig_read(it.value, &other, in->diag);
        if (!err)
            err = check_other(in, &other);
    }
    return err;
}

static enum fed_err create(
    const struct installing *in, const char *list, const struct fed_json *object)
{
    char path[CLI_TYPECONFIG_PATH_SIZE + sizeof MANAGER];
    struct fed_json *answer;

    if (in->common->dry_run)
        return FED_OK;
    snprintf(path, sizeof path, "%s" MANAGER, list);
    return cli_send(in->cli, NULL, "POST", path, object, &answer, in->diag);
}

static enum fed_err update(
    const struct installing *in, const char *list, const char *name, const struct fed_json *object)
{
    char path[2 * CLI_TYPECONFIG_PATH_SIZE];
    struct fed_json *answer;

    if (in->common->dry_run)
        return FED_OK;
    snprintf(path, sizeof path, "%s/%s" MANAGER, list, name);
    return cli_send(in->cli, NULL, "PUT", path, object, &answer, in->diag);
}

static enum fed_err get_definition(
    const struct installing *in, const char *name, struct fed_json **out)
{
    char path[CLI_QUALIFIED_SIZE + sizeof DEFINITIONS + 1];
    enum fed_err err;

    snprintf(path, sizeof path, DEFINITIONS "/%s", name);
    err = cli_ask(in->cli, "GET", path, NULL, fed_span_text(""), out, in->diag);
    if (!err || err == FED_ERR_NOT_FOUND)
        return FED_OK;
    return fed_diag_prefix(in->diag, err, "Error getting CRD \"%s\"", name);
}

static enum fed_err write_config(
    const struct installing *in, struct fed_json *before, struct fed_json *object)
{
    const char *name = in->config->name;
    char list[CLI_TYPECONFIG_PATH_SIZE];
    enum fed_err err = FED_OK;

    cli_typeconfig_path(in->common->ns, NULL, list);
    if (before)
        err = fed_json_set(in->cli->doc, before, "spec",
            fed_json_clone(in->cli->doc, fed_json_get(object, "spec")));
    if (!err)
        err = before ? update(in, list, name, before) : create(in, list, object);
    if (err)
        return fed_diag_prefix(in->diag, err, "Error %s FederatedTypeConfig \"%s\"",
            before ? "updating" : "creating", name);
    return FED_OK;
}

/* The hub makes a definition for each configuration, and knows more fields than KubeFed: that one
 * is completed. One that has all already is left to the hub, which renews it with itself. */
static enum fed_err write_definition(
    const struct installing *in, const char *name, const struct fed_json *object)
{
    struct fed_json *there = NULL;
    bool changed = false;
    enum fed_err err = get_definition(in, name, &there);

    if (err)
        return err;
    if (!there)
        err = create(in, DEFINITIONS, object);
    else
        err = cli_typeconfig_complete(in->cli, there, object, &changed);
    if (!err && changed)
        err = update(in, DEFINITIONS, name, there);
    if (err)
        return fed_diag_prefix(
            in->diag, err, "Error %s CRD \"%s\"", there ? "updating" : "creating", name);
    return FED_OK;
}

static enum fed_err install(
    const struct installing *in, struct fed_json *definition, struct fed_json *object)
{
    struct fed_json *config_before = NULL;
    struct fed_json *before = NULL;
    char name[CLI_QUALIFIED_SIZE];
    enum fed_err err =
        cli_typeconfig_get(in->cli, in->common->ns, in->config->name, &config_before, in->diag);

    cli_qualified(in->config->federated.plural, in->config->federated.group, name);
    if (err && err != FED_ERR_NOT_FOUND)
        return fed_diag_prefix(
            in->diag, err, "Error retrieving FederatedTypeConfig \"%s\"", in->config->name);
    err = config_before ? check_same_type(in, config_before) : FED_OK;
    if (!err)
        err = get_definition(in, name, &before);
    if (!err && before)
        err = check_others(in);
    if (!err)
        err = write_config(in, config_before, object);
    if (!err)
        err = write_definition(in, name, definition);
    if (err)
        return err;
    printf("customresourcedefinition.apiextensions.k8s.io/%s %s\n", name,
        before ? "updated" : "created");
    printf("federatedtypeconfig.core.kubefed.io/%s %s in namespace %s\n", in->config->name,
        config_before ? "updated" : "created", in->common->ns);
    return FED_OK;
}

enum fed_err cli_typeconfig_install(struct cli *cli, const struct cli_common *common,
    const struct cli_typeconfig *config, bool retains, struct fed_diag *diag)
{
    struct installing in = {.cli = cli, .common = common, .config = config, .diag = diag};
    struct fed_json *definition = cli_typeconfig_definition(cli, config, retains);
    struct fed_json *object = cli_typeconfig_object(cli, config);
    enum fed_err err = definition && object ? check_namespace(&in) : FED_ERR_NOMEM;

    return err ? err : install(&in, definition, object);
}
