/* enable.c - fedctl enable, disable: which types are federated.
 *
 * Flags and sentences are kubefedctl's. The target is found on the hub, among the kinds of every
 * Kubernetes, in the member of --cluster-context, or named whole by --kind, --version, --group and
 * --scope. */
#include "cli/typeconfig.h"
#include "ports/yaml.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX_BYTES (1u << 20)
#define STOP_MS 10000u
#define POLL_MS 100u

struct enabling {
    struct cli *cli;
    struct cli_common common;
    const char *name;
    const char *federated_group;
    const char *federated_version;
    const char *version;
    const char *group;
    const char *kind;
    const char *scope;
    const char *file;
    const char *cluster_context;
    char from_file[4][254]; /* name, target's version, group, version */
    bool delete_definition;
    struct fed_diag diag;
};

/* ---- enable ---- */

static enum cli_exit check_names(const struct cli_command *self, const struct enabling *e)
{
    if (!cli_is_name(e->federated_group) || !strchr(e->federated_group, '.'))
        return cli_misuse(
            self, "--federated-group \"%s\" is not a domain with a dot", e->federated_group);
    if (!cli_is_name(e->federated_version) || strchr(e->federated_version, '.'))
        return cli_misuse(self, "--federated-version \"%s\" is not a version, such as v1beta1",
            e->federated_version);
    if (e->version && !cli_is_name(e->version))
        return cli_misuse(self, "--version \"%s\" is not a version, such as v1", e->version);
    if (e->group && e->group[0] && !cli_is_name(e->group))
        return cli_misuse(self, "--group \"%s\" is not an API group", e->group);
    if (e->scope && strcmp(e->scope, "Namespaced") != 0 && strcmp(e->scope, "Cluster") != 0)
        return cli_misuse(self, "--scope takes Namespaced or Cluster, not \"%s\"", e->scope);
    if ((e->group || e->scope) && !e->kind)
        return cli_misuse(self, "--group and --scope need --kind");
    if (e->kind && !e->version)
        return cli_misuse(self, "--kind needs --version");
    return CLI_DONE;
}

static enum cli_exit read_enable(
    const struct cli_command *self, int argc, char **argv, struct enabling *e)
{
    const struct cli_flag flags[] = {
        {"federated-group", 0, CLI_FLAG_TEXT, &e->federated_group},
        {"federated-version", 0, CLI_FLAG_TEXT, &e->federated_version},
        {"version", 0, CLI_FLAG_TEXT, &e->version},
        {"group", 0, CLI_FLAG_TEXT, &e->group},
        {"kind", 0, CLI_FLAG_TEXT, &e->kind},
        {"scope", 0, CLI_FLAG_TEXT, &e->scope},
        {"cluster-context", 0, CLI_FLAG_TEXT, &e->cluster_context},
        {"filename", 'f', CLI_FLAG_TEXT, &e->file},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &e->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n > 1 || (e->file && arguments.n > 0))
        return cli_misuse(self, "takes one NAME or -f FILE");
    if (!e->file && arguments.n == 0)
        return cli_misuse(self, "NAME is required");
    e->name = e->file ? NULL : arguments.at[0];
    return check_names(self, e);
}

static bool take_directive(void *ctx, size_t index, struct fed_span json)
{
    struct enabling *e = ctx;
    static const char *const paths[] = {
        "metadata.name", "spec.targetVersion", "spec.federatedGroup", "spec.federatedVersion"};
    struct fed_json *root;

    (void)index;
    if (fed_json_parse(e->cli->doc, json, &root, &e->diag))
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (fed_span_to_cstr(fed_json_string(fed_json_find(root, paths[i])), e->from_file[i],
                sizeof e->from_file[i]))
            fed_diag_set(&e->diag, FED_ERR_LIMIT, "%s is too long", paths[i]);
    }
    return false;
}

/* EnableTypeDirective: metadata.name, spec {targetVersion, federatedGroup, federatedVersion}. */
static enum fed_err read_directive(struct enabling *e)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, e->cli->mem, FILE_MAX_BYTES);
    err = cli_read_file(e->cli, e->file, &text, &e->diag);
    if (!err)
        err = fed_yaml_each_json(e->cli->mem, fed_buf_span(&text), take_directive, e, &e->diag);
    fed_buf_fini(&text);
    if (!err && e->diag.text[0])
        err = FED_ERR_INVALID;
    if (!err && !e->from_file[0][0])
        err = fed_diag_set(&e->diag, FED_ERR_INVALID, "metadata.name is missing");
    if (err)
        return fed_diag_prefix(&e->diag, err, "Failed to load yaml from file \"%s\"", e->file);
    e->name = e->from_file[0];
    e->version = e->from_file[1][0] ? e->from_file[1] : e->version;
    e->federated_group = e->from_file[2][0] ? e->from_file[2] : e->federated_group;
    e->federated_version = e->from_file[3][0] ? e->from_file[3] : e->federated_version;
    return FED_OK;
}

/* What the flags say: NAME is then the plural, alone or with its group. */
static enum fed_err named_whole(const struct enabling *e, struct cli_resource *out)
{
    size_t dot = strcspn(e->name, ".");
    const char *group = e->group ? e->group : e->name[dot] ? e->name + dot + 1 : "";

    *out = (struct cli_resource){.namespaced = !e->scope || strcmp(e->scope, "Namespaced") == 0};
    if (fed_span_to_cstr(fed_span_of(e->name, dot), out->plural, sizeof out->plural) ||
        fed_span_to_cstr(fed_span_text(group), out->group, sizeof out->group) ||
        fed_span_to_cstr(fed_span_text(e->kind), out->kind, sizeof out->kind) ||
        fed_span_to_cstr(fed_span_text(e->version), out->version, sizeof out->version))
        return FED_ERR_LIMIT;
    for (const char *c = out->kind; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *c))
            return FED_ERR_INVALID;
    return cli_is_name(out->plural) && (!group[0] || cli_is_name(group)) ? FED_OK : FED_ERR_INVALID;
}

static enum fed_err find_target(
    struct enabling *e, struct fed_kube *member, struct cli_resource *out)
{
    enum fed_err err;

    if (e->kind) {
        err = named_whole(e, out);
        return err ? fed_diag_set(&e->diag, err, "no valid name of a type: %.100s, kind %.100s",
                         e->name, e->kind)
                   : FED_OK;
    }
    err = cli_resource_lookup(e->cli, member, e->name, e->version, out, &e->diag);
    if (err == FED_ERR_NOT_FOUND && !member) {
        char said[sizeof e->diag.text];

        snprintf(said, sizeof said, "%.250s", e->diag.text);
        fed_diag_set(&e->diag, err,
            "%s A type of a member is found with --cluster-context CONTEXT, or named with --kind, "
            "--version, --group and --scope.",
            said);
    }
    return err;
}

static enum fed_err print_both(
    struct enabling *e, const struct cli_typeconfig *config, bool retains)
{
    struct fed_json *object = cli_typeconfig_object(e->cli, config);
    struct fed_json *definition = cli_typeconfig_definition(e->cli, config, retains);
    enum fed_err err = object && definition ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = cli_print_yaml(e->cli, object, &e->diag);
    return err ? err : cli_print_yaml(e->cli, definition, &e->diag);
}

static enum fed_err enable(struct enabling *e)
{
    struct fed_kube *member = NULL;
    struct cli_resource target;
    struct cli_typeconfig config;
    bool retains = false;
    enum fed_err err = FED_OK;

    if (e->cluster_context)
        err = cli_connect_member(e->cli, e->cluster_context, &member, &e->diag);
    if (!err)
        err = find_target(e, member, &target);
    if (!err)
        err = cli_typeconfig_make(
            &target, e->federated_group, e->federated_version, &config, &e->diag);
    if (!err)
        err = cli_typeconfig_retains(e->cli, member, &target, &retains, &e->diag);
    if (err)
        return err;
    if (e->cli->output)
        return print_both(e, &config, retains);
    return cli_typeconfig_install(e->cli, &e->common, &config, retains, &e->diag);
}

enum cli_exit cli_enable(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct enabling e = {.cli = cli,
        .federated_group = CLI_FEDERATED_GROUP,
        .federated_version = CLI_FEDERATED_VERSION};
    enum fed_err err = FED_OK;

    if (read_enable(self, argc, argv, &e) != CLI_DONE)
        return CLI_USAGE;
    if (e.file) {
        err = read_directive(&e);
        if (!err && check_names(self, &e) != CLI_DONE)
            return CLI_FAILED;
    }
    if (!err)
        err = enable(&e);
    return err ? cli_fail("%s", cli_why(&e.diag, err)) : CLI_DONE;
}

/* ---- disable ---- */

static enum cli_exit read_disable(
    const struct cli_command *self, int argc, char **argv, struct enabling *e)
{
    const struct cli_flag flags[] = {
        {"federated-group", 0, CLI_FLAG_TEXT, &e->federated_group},
        {"version", 0, CLI_FLAG_TEXT, &e->version},
        {"delete-crd", 0, CLI_FLAG_SWITCH, &e->delete_definition},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &e->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n != 1)
        return cli_misuse(self, arguments.n ? "takes one NAME" : "NAME is required");
    e->name = arguments.at[0];
    if (!e->delete_definition && e->version)
        return cli_misuse(self, "--version flag valid only with --delete-crd");
    if (!e->delete_definition && strcmp(e->federated_group, CLI_FEDERATED_GROUP) != 0)
        return cli_misuse(self, "--federated-group flag valid only with --delete-crd");
    return check_names(self, e);
}

static enum fed_err has_instances(struct enabling *e, const struct cli_resource *type, bool *out)
{
    struct fed_json *list;
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, e->cli->mem, 1024);
    err = cli_resource_path(&path, type, NULL, NULL);
    fed_buf_put_text(&path, "?limit=1");
    if (!err)
        err = cli_ask(e->cli, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), &list, &e->diag);
    fed_buf_fini(&path);
    *out = !err && fed_json_count(fed_json_get(list, "items")) > 0;
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

static enum fed_err check_no_instances(struct enabling *e, const struct cli_resource *type)
{
    bool exist;
    enum fed_err err = has_instances(e, type, &exist);

    if (err || !exist)
        return err;
    return fed_diag_set(&e->diag, FED_ERR_CONFLICT,
        "Cannot delete CRD \"%s.%s\" while resource instances exist. Please try fedctl disable "
        "again after removing the resource instances or without the '--delete-crd' option",
        type->plural, type->group);
}

static enum fed_err stop_propagation(struct enabling *e, const char *path)
{
    struct fed_json *answer;
    enum fed_err err = cli_ask(e->cli, "PATCH", path, "application/merge-patch+json",
        fed_span_text("{\"spec\":{\"propagation\":\"Disabled\"}}"), &answer, &e->diag);

    if (err)
        return fed_diag_prefix(&e->diag, err,
            "Error disabling propagation for FederatedTypeConfig \"%s/%s\"", e->common.ns, e->name);
    printf("Disabled propagation for FederatedTypeConfig \"%s/%s\"\n", e->common.ns, e->name);
    return FED_OK;
}

static enum fed_err wait_stopped(struct enabling *e, const char *path)
{
    uint64_t until = fed_loop_now_ms(e->cli->loop) + STOP_MS;
    struct fed_json *object;

    printf("Verifying propagation controller is stopped for FederatedTypeConfig \"%s/%s\"\n",
        e->common.ns, e->name);
    for (;;) {
        enum fed_err err = cli_ask(e->cli, "GET", path, NULL, fed_span_text(""), &object, &e->diag);

        if (!err &&
            fed_span_is(fed_json_string(fed_json_find(object, "status.propagationController")),
                "NotRunning"))
            break;
        if (fed_loop_now_ms(e->cli->loop) >= until)
            return fed_diag_set(&e->diag, FED_ERR_TIMEOUT,
                "Unable to verify propagation controller for FederatedTypeConfig \"%s/%s\" is "
                "stopped: timed out waiting for the condition",
                e->common.ns, e->name);
        err = cli_pause(e->cli, POLL_MS);
        if (err)
            return err;
    }
    printf("Propagation controller for FederatedTypeConfig \"%s/%s\" is stopped\n", e->common.ns,
        e->name);
    return FED_OK;
}

/* The hub keeps the definition for as long as it knows the configuration, so that the latter went
 * first; its end may take a moment. */
static enum fed_err delete_definition(struct enabling *e, const struct cli_resource *type)
{
    uint64_t until = fed_loop_now_ms(e->cli->loop) + STOP_MS;
    struct fed_json *answer;
    char path[400];
    enum fed_err err;

    snprintf(path, sizeof path, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s.%s",
        type->plural, type->group);
    for (;;) {
        err = cli_ask(e->cli, "DELETE", path, NULL, fed_span_text(""), &answer, &e->diag);
        if (err != FED_ERR_FORBIDDEN || !strstr(e->diag.text, "needs this definition") ||
            fed_loop_now_ms(e->cli->loop) >= until)
            break;
        err = cli_pause(e->cli, POLL_MS);
        if (err)
            return err;
    }
    if (err && err != FED_ERR_NOT_FOUND)
        return fed_diag_prefix(
            &e->diag, err, "Error deleting crd \"%s.%s\"", type->plural, type->group);
    printf("customresourcedefinition \"%s.%s\" %s\n", type->plural, type->group,
        err ? "does not exist" : "deleted");
    return FED_OK;
}

static enum fed_err delete_config(struct enabling *e, const char *path)
{
    struct fed_json *answer;
    enum fed_err err = cli_ask(e->cli, "DELETE", path, NULL, fed_span_text(""), &answer, &e->diag);

    if (err)
        return fed_diag_prefix(
            &e->diag, err, "Error deleting FederatedTypeConfig \"%s/%s\"", e->common.ns, e->name);
    return FED_OK;
}

/* Propagation ends before the definition goes, and instances are looked for before both. */
static enum fed_err disable_there(struct enabling *e, const struct fed_json *object)
{
    struct cli_typeconfig config;
    char path[CLI_TYPECONFIG_PATH_SIZE];
    enum fed_err err = cli_typeconfig_read(object, &config, &e->diag);

    if (err || e->common.dry_run)
        return err;
    cli_typeconfig_path(e->common.ns, e->name, path);
    if (e->delete_definition)
        err = check_no_instances(e, &config.federated);
    if (!err && fed_span_is(fed_json_string(fed_json_find(object, "spec.propagation")), "Enabled"))
        err = stop_propagation(e, path);
    if (!err)
        err = wait_stopped(e, path);
    if (!err && e->delete_definition)
        err = check_no_instances(e, &config.federated);
    if (!err)
        err = delete_config(e, path);
    if (err)
        return err;
    if (e->delete_definition)
        err = delete_definition(e, &config.federated);
    printf("federatedtypeconfig \"%s/%s\" deleted\n", e->common.ns, e->name);
    return err;
}

/* Only the definition may be left: its name follows from the target's. */
static enum fed_err disable_absent(struct enabling *e)
{
    struct cli_resource target;
    struct cli_typeconfig config;
    enum fed_err err;

    printf("FederatedTypeConfig \"%s/%s\" does not exist\n", e->common.ns, e->name);
    if (!e->delete_definition || e->common.dry_run)
        return FED_OK;
    err = cli_resource_lookup(e->cli, NULL, e->name, e->version, &target, &e->diag);
    if (!err)
        err = cli_typeconfig_make(
            &target, e->federated_group, CLI_FEDERATED_VERSION, &config, &e->diag);
    if (!err)
        err = check_no_instances(e, &config.federated);
    return err ? err : delete_definition(e, &config.federated);
}

enum cli_exit cli_disable(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct enabling e = {.cli = cli,
        .federated_group = CLI_FEDERATED_GROUP,
        .federated_version = CLI_FEDERATED_VERSION};
    struct cli_resource target;
    char name[CLI_QUALIFIED_SIZE];
    struct fed_json *object;
    enum fed_err err;

    if (read_disable(self, argc, argv, &e) != CLI_DONE)
        return CLI_USAGE;
    /* With a dot it is the configuration's name, though the target may be gone. */
    if (!strchr(e.name, '.')) {
        err = cli_resource_lookup(cli, NULL, e.name, NULL, &target, &e.diag);
        if (err)
            return cli_fail("%s", cli_why(&e.diag, err));
        e.name = cli_qualified(target.plural, target.group, name);
    }
    if (!cli_is_name(e.name))
        return cli_misuse(self, "\"%s\" is not the name of a type", e.name);
    err = cli_typeconfig_get(cli, e.common.ns, e.name, &object, &e.diag);
    if (!err)
        err = disable_there(&e, object);
    else if (err == FED_ERR_NOT_FOUND)
        err = disable_absent(&e);
    return err ? cli_fail("%s", cli_why(&e.diag, err)) : CLI_DONE;
}
