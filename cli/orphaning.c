/* orphaning.c - fedctl orphaning-deletion: whether what a federated object has put into clusters
 * stays when the federated object is deleted (annotation kubefed.io/orphan). */
#include "cli/flags.h"
#include "cli/resource.h"

#include <stdio.h>
#include <string.h>

struct orphaning {
    struct cli *cli;
    struct cli_common common;
    struct cli_resource type;
    const char *ns;
    const char *name;
    struct fed_buf path;
    struct fed_diag diag;
};

static void warn_if_not_federated(const struct cli_resource *type)
{
    char name[CLI_QUALIFIED_SIZE];

    if (strncmp(type->kind, "Federated", 9) != 0 || strcmp(type->group, "types.kubefed.io") != 0)
        fprintf(stderr, "Warning: %s/%s might not be a federated resource\n",
            cli_qualified(type->plural, type->group, name), type->version);
}

static enum fed_err get(struct orphaning *o, const char *type, struct fed_json **out)
{
    enum fed_err err = cli_connect(o->cli, &o->diag);

    if (err)
        return err;
    if (!o->ns)
        o->ns = o->cli->config->ns;
    err = cli_resource_lookup(o->cli, NULL, type, NULL, &o->type, &o->diag);
    if (err)
        return fed_diag_prefix(&o->diag, err, "Failed to find targeted %.100s type", type);
    warn_if_not_federated(&o->type);
    err = cli_resource_path(&o->path, &o->type, o->ns, o->name);
    if (!err)
        err =
            cli_ask(o->cli, "GET", fed_buf_cstr(&o->path), NULL, fed_span_text(""), out, &o->diag);
    if (err)
        return fed_diag_prefix(
            &o->diag, err, "Failed to retrieve resource: \"%s/%s\"", o->ns, o->name);
    return FED_OK;
}

static enum fed_err change(struct orphaning *o, bool on)
{
    const char *body = on ? "{\"metadata\":{\"annotations\":{\"kubefed.io/orphan\":\"true\"}}}"
                          : "{\"metadata\":{\"annotations\":{\"kubefed.io/orphan\":null}}}";
    struct fed_json *answer;
    enum fed_err err;

    fed_buf_put_text(&o->path, "?fieldManager=fedctl");
    err = fed_buf_err(&o->path);
    if (!err)
        err = cli_ask(o->cli, "PATCH", fed_buf_cstr(&o->path), "application/merge-patch+json",
            fed_span_text(body), &answer, &o->diag);
    if (err)
        return fed_diag_prefix(
            &o->diag, err, "Failed to update resource %s \"%s/%s\"", o->type.kind, o->ns, o->name);
    return FED_OK;
}

static void print_status(const struct cli *cli, bool on)
{
    const char *word = on ? "Enabled" : "Disabled";

    if (cli->json)
        printf("{\"orphaningDeletion\":\"%s\"}\n", word);
    else
        printf("%s\n", word);
}

static enum fed_err perform(struct orphaning *o, const char *verb, const char *type)
{
    struct fed_json *object = NULL;
    enum fed_err err = get(o, type, &object);
    bool on = fed_span_is(fed_json_string(fed_json_get(
                              fed_json_find(object, "metadata.annotations"), "kubefed.io/orphan")),
        "true");
    bool wanted = strcmp(verb, "enable") == 0;

    if (err)
        return err;
    if (strcmp(verb, "status") == 0) {
        print_status(o->cli, on);
        return FED_OK;
    }
    if (on != wanted && !o->common.dry_run)
        err = change(o, wanted);
    if (!err)
        fprintf(stderr, "orphaning deletion of %s \"%s/%s\" is %s\n", o->type.kind, o->ns, o->name,
            wanted ? "enabled" : "disabled");
    return err;
}

enum cli_exit cli_orphaning(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct orphaning o = {.cli = cli};
    const struct cli_flag flags[] = {{"namespace", 'n', CLI_FLAG_TEXT, &o.ns}};
    struct cli_arguments arguments;
    enum fed_err err;

    if (cli_flags_read(self, argc, argv, flags, 1, &o.common, &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n < 2)
        return cli_misuse(
            self, arguments.n == 0 ? "resource type is required" : "resource name is required");
    if (arguments.n > 2)
        return cli_misuse(self, "unexpected argument \"%s\"", arguments.at[2]);
    if (o.ns && !cli_is_name(o.ns))
        return cli_misuse(self, "--namespace \"%s\" is not the name of one", o.ns);
    o.name = arguments.at[1];
    fed_buf_init(&o.path, cli->mem, 2048);
    err = perform(&o, strchr(self->name, ' ') + 1, arguments.at[0]);
    fed_buf_fini(&o.path);
    return err ? cli_fail("%s", cli_why(&o.diag, err)) : CLI_DONE;
}
