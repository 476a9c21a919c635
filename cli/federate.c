/* federate.c - fedctl federate: federated objects from ordinary ones.
 *
 * Objects are read from the hub, from the member of --cluster-context, or from a file (then
 * nothing is asked and nothing created: the result goes to standard output). Flags and sentences
 * are kubefedctl's. */
#include "cli/federate.h"
#include "ports/yaml.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX_BYTES (16u << 20)

struct federating {
    struct cli *cli;
    struct cli_common common;
    const char *type;
    const char *name;
    const char *ns;
    const char *file;
    const char *cluster_context;
    struct cli_list skip; /* each perhaps with commas */
    bool enable_type;
    bool contents;
    struct fed_kube *member; /* NULL: the hub */
    enum fed_err err;        /* of the file's documents */
    struct fed_diag diag;
};

/* Federated objects of one type. */
struct artifacts {
    struct cli_typeconfig config;
    bool installed;
    struct fed_json *objects; /* array */
};

static enum cli_exit read_flags(
    const struct cli_command *self, int argc, char **argv, struct federating *f)
{
    const struct cli_flag flags[] = {
        {"namespace", 'n', CLI_FLAG_TEXT, &f->ns},
        {"enable-type", 't', CLI_FLAG_SWITCH, &f->enable_type},
        {"contents", 'c', CLI_FLAG_SWITCH, &f->contents},
        {"filename", 'f', CLI_FLAG_TEXT, &f->file},
        {"skip-api-resources", 's', CLI_FLAG_LIST, &f->skip},
        {"cluster-context", 0, CLI_FLAG_TEXT, &f->cluster_context},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &f->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (f->file && arguments.n > 0)
        return cli_misuse(
            self, "Flag '--filename' does not take any args. Got args: [%s]", arguments.at[0]);
    if (f->file)
        return CLI_DONE;
    if (arguments.n < 2)
        return cli_misuse(
            self, arguments.n == 0 ? "TYPE-NAME is required" : "RESOURCE-NAME is required");
    if (arguments.n > 2)
        return cli_misuse(self, "unexpected argument \"%s\"", arguments.at[2]);
    if (f->enable_type && f->cli->output)
        return cli_misuse(self, "Flag '--enable-type' cannot be used with '--output [yaml]'");
    if (f->ns && !cli_is_name(f->ns))
        return cli_misuse(self, "--namespace \"%s\" is not the name of one", f->ns);
    f->type = arguments.at[0];
    f->name = arguments.at[1];
    return CLI_DONE;
}

/* ---- from a file ---- */

static bool federate_document(void *ctx, size_t index, struct fed_span json)
{
    struct federating *f = ctx;
    struct cli_typeconfig config;
    struct fed_json *object = NULL;
    struct fed_json *federated = NULL;

    f->err = fed_json_parse(f->cli->doc, json, &object, &f->diag);
    if (!f->err)
        f->err = cli_federate_guess(object, &config, &f->diag);
    if (!f->err)
        f->err = cli_federate(f->cli, &config, object, &federated, &f->diag);
    if (!f->err)
        f->err = cli_print_yaml(f->cli, federated, &f->diag);
    if (f->err)
        fed_diag_prefix(&f->diag, f->err, "document %zu", index + 1);
    return !f->err;
}

static enum fed_err federate_file(struct federating *f)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, f->cli->mem, FILE_MAX_BYTES);
    err = cli_read_file(f->cli, f->file, &text, &f->diag);
    if (!err)
        err = fed_yaml_each_json(f->cli->mem, fed_buf_span(&text), federate_document, f, &f->diag);
    fed_buf_fini(&text);
    if (f->err)
        err = f->err;
    if (err)
        return fed_diag_prefix(&f->diag, err, "Failed to load yaml from file \"%s\"", f->file);
    return FED_OK;
}

/* ---- from a server ---- */

static enum fed_err find_config(
    struct federating *f, const struct cli_resource *target, struct artifacts *out)
{
    char name[CLI_QUALIFIED_SIZE];
    struct fed_json *object;
    enum fed_err err = cli_typeconfig_get(f->cli, f->common.ns,
        cli_qualified(target->plural, target->group, name), &object, &f->diag);

    out->installed = !err;
    if (!err)
        return cli_typeconfig_read(object, &out->config, &f->diag);
    if (err == FED_ERR_NOT_FOUND && !f->cli->output && !f->enable_type) {
        char said[sizeof f->diag.text];

        snprintf(said, sizeof said, "%.300s", f->diag.text);
        return fed_diag_set(&f->diag, err,
            "%s. Consider using '--enable-type' to optionally enable type while federating the "
            "resource",
            said);
    }
    if (err != FED_ERR_NOT_FOUND && !f->cli->output)
        return err;
    return cli_typeconfig_make(
        target, CLI_FEDERATED_GROUP, CLI_FEDERATED_VERSION, &out->config, &f->diag);
}

static enum fed_err ask_target(struct federating *f, const struct cli_resource *target,
    const char *ns, const char *name, struct fed_json **out)
{
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, f->cli->mem, 2048);
    err = cli_resource_path(&path, target, ns, name);
    if (!err)
        err = cli_ask_at(
            f->cli, f->member, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), out, &f->diag);
    fed_buf_fini(&path);
    return err;
}

static enum fed_err add_object(
    struct federating *f, struct artifacts *artifacts, struct fed_json *object)
{
    struct fed_json *federated;
    enum fed_err err = cli_federate(f->cli, &artifacts->config, object, &federated, &f->diag);

    return err ? err : fed_json_append(artifacts->objects, federated);
}

static enum fed_err check_served(struct federating *f, const struct cli_resource *target)
{
    char name[CLI_QUALIFIED_SIZE];

    if (target->served)
        return FED_OK;
    return fed_diag_set(&f->diag, FED_ERR_NOT_FOUND,
        "the hub holds no %s: name the cluster that does with --cluster-context, or give the "
        "object "
        "with -f FILE",
        cli_qualified(target->plural, target->group, name));
}

/* The object that was named. */
static enum fed_err federate_named(struct federating *f, struct artifacts *out)
{
    struct cli_resource target;
    struct fed_json *object;
    enum fed_err err = cli_resource_lookup(f->cli, f->member, f->type, NULL, &target, &f->diag);

    if (err)
        return fed_diag_prefix(&f->diag, err, "Failed to find target API resource %.100s", f->type);
    err = find_config(f, &target, out);
    if (!err)
        err = check_served(f, &target);
    if (err)
        return err;
    /* What is read is of the version that is federated. */
    if (out->installed)
        snprintf(target.version, sizeof target.version, "%s", out->config.target.version);
    err = ask_target(f, &target, f->ns, f->name, &object);
    if (err)
        return fed_diag_prefix(
            &f->diag, err, "Error retrieving target %s \"%s/%s\"", target.kind, f->ns, f->name);
    out->objects = fed_json_new_array(f->cli->doc);
    return out->objects ? add_object(f, out, object) : FED_ERR_NOMEM;
}

/* ---- the contents of a namespace ---- */

static bool is_skipped(const struct federating *f, const struct cli_resource *resource)
{
    static const char *const always[] = {
        "endpoints", "events", "events.events.k8s.io", "propagatedversions.core.kubefed.io"};

    if (!resource->namespaced || !resource->listed || !resource->served ||
        strcmp(resource->group, "extensions") == 0 ||
        (strncmp(resource->kind, "Federated", 9) == 0 &&
            strcmp(resource->group, CLI_FEDERATED_GROUP) == 0))
        return true;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (cli_resource_matches(resource, always[i]))
            return true;
    for (size_t i = 0; i < f->skip.n; i++) {
        struct fed_span rest = fed_span_text(f->skip.at[i]);
        struct fed_span one;
        char name[CLI_QUALIFIED_SIZE];

        while (fed_span_split(&rest, ',', &one))
            if (one.len && !fed_span_to_cstr(one, name, sizeof name) &&
                (strcmp(name, resource->group) == 0 || cli_resource_matches(resource, name)))
                return true;
    }
    return false;
}

static enum fed_err add_listed(
    struct federating *f, struct artifacts *artifacts, const struct fed_json *items)
{
    enum fed_err err = FED_OK;

    artifacts->objects = fed_json_new_array(f->cli->doc);
    if (!artifacts->objects)
        return FED_ERR_NOMEM;
    for (struct fed_json_iter it = fed_json_items(items); !err && fed_json_iter_next(&it);) {
        struct fed_span name = fed_json_string(fed_json_find(it.value, "metadata.name"));

        if (fed_text_is_dns_subdomain(name))
            err = add_object(f, artifacts, it.value);
        else
            fprintf(stderr,
                "Skipping resource " FED_SPAN_FMT
                " of type %s because it does not conform to the DNS-1123 subdomain spec.\n",
                FED_SPAN_ARG(name), artifacts->config.target.plural);
    }
    return err;
}

static enum fed_err hand_over(struct federating *f, struct artifacts *artifacts);

static enum fed_err federate_kind(
    struct federating *f, const struct cli_resource *resource, struct artifacts *out, bool *any)
{
    struct fed_json *list = NULL;
    enum fed_err err = ask_target(f, resource, f->name, NULL, &list);

    *any = !err && fed_json_count(fed_json_get(list, "items")) > 0;
    if (err == FED_ERR_NOT_FOUND || !*any)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    err = find_config(f, resource, out);
    return err ? err : add_listed(f, out, fed_json_get(list, "items"));
}

/* Everything is made before anything is created. */
static enum fed_err federate_contents(
    struct federating *f, const struct cli_resources *all, struct artifacts *found, size_t *n)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < all->n; i++) {
        bool any = false;

        if (is_skipped(f, &all->at[i]))
            continue;
        err = federate_kind(f, &all->at[i], &found[*n], &any);
        if (any)
            ++*n;
    }
    return err;
}

static enum fed_err with_contents(struct federating *f, struct artifacts *named)
{
    struct cli_resources all;
    struct artifacts *found = NULL;
    size_t n = 0;
    enum fed_err err;

    cli_resources_init(&all);
    err = cli_discover(f->cli, f->member, NULL, &all, &f->diag);
    if (!err) {
        found = fed_alloc_array(f->cli->mem, all.n + 1, sizeof *found);
        err = found ? FED_OK : FED_ERR_NOMEM;
    }
    if (!err)
        err = federate_contents(f, &all, found, &n);
    if (!err)
        err = hand_over(f, named);
    for (size_t i = 0; !err && i < n; i++)
        err = hand_over(f, &found[i]);
    if (found)
        fed_alloc_free(f->cli->mem, found, (all.n + 1) * sizeof *found);
    cli_resources_fini(&all);
    return err;
}

/* ---- creating ---- */

static enum fed_err enable_first(struct federating *f, struct artifacts *artifacts)
{
    bool retains;
    enum fed_err err;

    if (!f->enable_type || artifacts->installed)
        return FED_OK;
    err = cli_typeconfig_retains(f->cli, f->member, &artifacts->config.target, &retains, &f->diag);
    return err ? err
               : cli_typeconfig_install(f->cli, &f->common, &artifacts->config, retains, &f->diag);
}

static enum fed_err create_one(
    struct federating *f, const struct artifacts *artifacts, const struct fed_json *object)
{
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    struct fed_span ns = fed_json_string(fed_json_find(object, "metadata.namespace"));
    char ns_text[254];
    char qualified[512];
    struct fed_buf path;
    enum fed_err err = fed_span_to_cstr(ns, ns_text, sizeof ns_text);

    snprintf(qualified, sizeof qualified, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(ns),
        ns.len ? "/" : "", FED_SPAN_ARG(name));
    if (strcmp(artifacts->config.target.kind, "Namespace") == 0)
        fputs("Resource to federate is a namespace. Given namespace will itself be the container "
              "for the federated namespace\n",
            stderr);
    fed_buf_init(&path, f->cli->mem, 1024);
    if (!err)
        err = cli_resource_path(&path, &artifacts->config.federated, ns_text, NULL);
    fed_buf_put_text(&path, "?fieldManager=fedctl");
    if (!err && !f->common.dry_run)
        err = cli_create(f->cli, fed_buf_cstr(&path), object, &f->diag);
    fed_buf_fini(&path);
    if (err)
        return fed_diag_prefix(
            &f->diag, err, "Error creating federated resource \"%s\"", qualified);
    fprintf(stderr, "Successfully created %s \"%s\" from %s\n", artifacts->config.federated.kind,
        qualified, artifacts->config.target.kind);
    return FED_OK;
}

/* Prints what was made, or creates it on the hub. */
static enum fed_err hand_over(struct federating *f, struct artifacts *artifacts)
{
    enum fed_err err = f->cli->output ? FED_OK : enable_first(f, artifacts);

    for (struct fed_json_iter it = fed_json_items(artifacts->objects);
         !err && fed_json_iter_next(&it);) {
        const struct fed_json *object = it.value;

        err = f->cli->output ? cli_print_yaml(f->cli, object, &f->diag)
                             : create_one(f, artifacts, object);
    }
    return err;
}

static enum fed_err federate(struct federating *f)
{
    struct artifacts named = {.installed = false};
    enum fed_err err = cli_connect(f->cli, &f->diag);

    if (!err && f->cluster_context)
        err = cli_connect_member(f->cli, f->cluster_context, &f->member, &f->diag);
    if (err)
        return err;
    if (!f->ns)
        f->ns = f->cli->config->ns;
    err = federate_named(f, &named);
    if (err || !f->contents)
        return err ? err : hand_over(f, &named);
    if (strcmp(named.config.target.kind, "Namespace") != 0)
        return fed_diag_set(&f->diag, FED_ERR_INVALID,
            "Flag '--contents' can only be used with type 'namespaces'.");
    return with_contents(f, &named);
}

enum cli_exit cli_federate_command(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct federating f = {.cli = cli};
    enum fed_err err;

    if (read_flags(self, argc, argv, &f) != CLI_DONE)
        return CLI_USAGE;
    err = f.file ? federate_file(&f) : federate(&f);
    return err ? cli_fail("%s", cli_why(&f.diag, err)) : CLI_DONE;
}
