/* import.c - fedctl import: a KubeFed installation's objects to the hub. What is there already is
 * left alone unless --overwrite says otherwise, so that the command can be repeated. */
#include "cli/import.h"
#include "cli/typeconfig.h"

#include <stdio.h>
#include <string.h>

#define MANAGER "?fieldManager=fedctl"

struct importing {
    struct cli *cli;
    struct cli_common common;
    const char *from; /* context */
    const char *file;
    bool overwrite;
    bool running;
    struct cli_import read;
    struct cli_resources types; /* federated types of the hub */
    struct fed_json *rows;      /* what became of each object, for -o json */
    size_t created, same, replaced, different;
    struct fed_diag diag;
};

static enum cli_exit read_flags(
    const struct cli_command *self, int argc, char **argv, struct importing *in)
{
    const struct cli_flag flags[] = {
        {"from", 0, CLI_FLAG_TEXT, &in->from},
        {"filename", 'f', CLI_FLAG_TEXT, &in->file},
        {"overwrite", 0, CLI_FLAG_SWITCH, &in->overwrite},
        {"while-running", 0, CLI_FLAG_SWITCH, &in->running},
    };
    struct cli_arguments arguments;

    if (cli_flags_read(self, argc, argv, flags, sizeof flags / sizeof *flags, &in->common,
            &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n)
        return cli_misuse(self, "unexpected argument \"%s\"", arguments.at[0]);
    if (!in->from == !in->file)
        return cli_misuse(self, "needs one of --from CONTEXT and -f FILE");
    return CLI_DONE;
}

/* ---- what became of an object ---- */

static enum fed_err told(
    struct importing *in, const char *resource, const struct fed_json *object, const char *what)
{
    struct fed_span ns = fed_json_string(fed_json_find(object, "metadata.namespace"));
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    struct fed_json *row;
    enum fed_err err;

    if (!in->cli->json) {
        printf("%s/" FED_SPAN_FMT "%s" FED_SPAN_FMT " %s%s\n", resource, FED_SPAN_ARG(ns),
            ns.len ? "/" : "", FED_SPAN_ARG(name), what, in->common.dry_run ? " (dry run)" : "");
        return FED_OK;
    }
    row = fed_json_new_object(in->cli->doc);
    err = row ? fed_json_set_text(in->cli->doc, row, "resource", resource) : FED_ERR_NOMEM;
    if (!err && ns.len)
        err = fed_json_set_string(in->cli->doc, row, "namespace", ns);
    if (!err)
        err = fed_json_set_string(in->cli->doc, row, "name", name);
    if (!err)
        err = fed_json_set_text(in->cli->doc, row, "result", what);
    return err ? err : fed_json_append(in->rows, row);
}

/* ---- writing ---- */

static enum fed_err path_of(struct importing *in, const struct cli_resource *resource,
    const struct fed_json *object, bool named, struct fed_buf *out)
{
    char ns[254];
    char name[254];
    enum fed_err err = fed_span_to_cstr(
        fed_json_string(fed_json_find(object, "metadata.namespace")), ns, sizeof ns);

    if (!err)
        err = fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.name")), name, sizeof name);
    if (err)
        return fed_diag_set(
            &in->diag, FED_ERR_INVALID, "a %s has a name that is too long", resource->kind);
    return cli_resource_path(out, resource, ns, named ? name : NULL);
}

static enum fed_err get(struct importing *in, const struct cli_resource *resource,
    const struct fed_json *object, struct fed_json **out)
{
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, in->cli->mem, 2048);
    err = path_of(in, resource, object, true, &path);
    if (!err)
        err = cli_ask(in->cli, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), out, &in->diag);
    fed_buf_fini(&path);
    return err;
}

static enum fed_err post(
    struct importing *in, const struct cli_resource *resource, const struct fed_json *object)
{
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, in->cli->mem, 2048);
    err = path_of(in, resource, object, false, &path);
    fed_buf_put_text(&path, MANAGER);
    if (!err)
        err = cli_create(in->cli, fed_buf_cstr(&path), object, &in->diag);
    fed_buf_fini(&path);
    return err;
}

/* The stored object with the spec that comes; what else it has is the hub's or somebody's. */
static enum fed_err put(struct importing *in, const struct cli_resource *resource,
    struct fed_json *stored, const struct fed_json *object)
{
    struct fed_json *answer;
    struct fed_buf path;
    enum fed_err err = fed_json_set(
        in->cli->doc, stored, "spec", fed_json_clone(in->cli->doc, fed_json_get(object, "spec")));

    fed_buf_init(&path, in->cli->mem, 2048);
    if (!err)
        err = path_of(in, resource, object, true, &path);
    fed_buf_put_text(&path, MANAGER);
    if (!err)
        err = cli_send(in->cli, NULL, "PUT", fed_buf_cstr(&path), stored, &answer, &in->diag);
    fed_buf_fini(&path);
    return err;
}

static enum fed_err import_one(
    struct importing *in, const struct cli_resource *resource, const struct fed_json *object)
{
    char qualified[CLI_QUALIFIED_SIZE];
    struct fed_json *stored = NULL;
    const char *what = "created";
    enum fed_err err = get(in, resource, object, &stored);

    cli_qualified(resource->plural, resource->group, qualified);
    if (err == FED_ERR_NOT_FOUND) {
        err = in->common.dry_run ? FED_OK : post(in, resource, object);
        in->created++;
    } else if (!err && fed_json_eq(fed_json_get(stored, "spec"), fed_json_get(object, "spec"))) {
        what = "unchanged";
        in->same++;
    } else if (!err && in->overwrite) {
        what = "replaced";
        err = in->common.dry_run ? FED_OK : put(in, resource, stored, object);
        in->replaced++;
    } else if (!err) {
        what = "is different, left as it is";
        in->different++;
    }
    if (err)
        return fed_diag_prefix(&in->diag, err, "%s \"" FED_SPAN_FMT "\"", qualified,
            FED_SPAN_ARG(fed_json_string(fed_json_find(object, "metadata.name"))));
    return told(in, qualified, object, what);
}

/* ---- stages ---- */

static const struct cli_resource fixed[CLI_IMPORT_STAGES] = {
    [CLI_IMPORT_CONFIG] = {.group = "core.kubefed.io",
        .version = "v1beta1",
        .plural = "kubefedconfigs",
        .kind = "KubeFedConfig",
        .namespaced = true},
    [CLI_IMPORT_TYPES] = {.group = "core.kubefed.io",
        .version = "v1beta1",
        .plural = "federatedtypeconfigs",
        .kind = "FederatedTypeConfig",
        .namespaced = true},
    [CLI_IMPORT_NAMESPACES] = {.version = "v1", .plural = "namespaces", .kind = "Namespace"},
    [CLI_IMPORT_PREFERENCES] = {.group = "scheduling.kubefed.io",
        .version = "v1alpha1",
        .plural = "replicaschedulingpreferences",
        .kind = "ReplicaSchedulingPreference",
        .namespaced = true},
    [CLI_IMPORT_CLUSTERS] = {.group = "core.kubefed.io",
        .version = "v1beta1",
        .plural = "kubefedclusters",
        .kind = "KubeFedCluster",
        .namespaced = true},
};

/* What belongs to KubeFed itself moves to the hub's namespace for it. */
static enum fed_err into_system_namespace(struct importing *in, struct fed_json *object)
{
    return fed_json_set_text(
        in->cli->doc, fed_json_get(object, "metadata"), "namespace", CLI_SYSTEM_NAMESPACE);
}

/* Type by type: those of the hub, and, after the types stage or in a dry run, those that come. */
static enum fed_err note_types(struct importing *in, struct fed_json *list)
{
    struct cli_typeconfig config;
    struct fed_json_iter it;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, list);
    while (!err && fed_json_iter_next(&it)) {
        err = cli_typeconfig_read(it.value, &config, &in->diag);
        if (!err)
            err = cli_resources_add(&in->types, &config.federated);
    }
    return err;
}

static enum fed_err ask_types(struct importing *in)
{
    char path[CLI_TYPECONFIG_PATH_SIZE];
    struct fed_json *list;
    enum fed_err err;

    cli_typeconfig_path(CLI_SYSTEM_NAMESPACE, NULL, path);
    err = cli_ask(in->cli, "GET", path, NULL, fed_span_text(""), &list, &in->diag);
    if (!err)
        err = note_types(in, fed_json_get(list, "items"));
    return err ? err : note_types(in, in->read.stage[CLI_IMPORT_TYPES]);
}

static enum fed_err find_type(
    struct importing *in, const struct fed_json *object, const struct cli_resource **out)
{
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));

    for (size_t i = 0; i < in->types.n; i++) {
        size_t len = strlen(in->types.at[i].group);

        if (fed_span_is(kind, in->types.at[i].kind) && version.len > len &&
            version.at[len] == '/' &&
            fed_span_is(fed_span_sub(version, 0, len), in->types.at[i].group)) {
            *out = &in->types.at[i];
            return FED_OK;
        }
    }
    return fed_diag_set(&in->diag, FED_ERR_NOT_FOUND,
        FED_SPAN_FMT " \"" FED_SPAN_FMT
                     "\": no FederatedTypeConfig, neither here nor among what is "
                     "imported, has this kind (%s)",
        FED_SPAN_ARG(kind), FED_SPAN_ARG(fed_json_string(fed_json_find(object, "metadata.name"))),
        "`fedctl enable` makes one");
}

/* Clusters join by themselves; what is taken over is the labels, of those that have. */
static enum fed_err import_labels(struct importing *in, const struct fed_json *object)
{
    const struct fed_json *wanted = fed_json_find(object, "metadata.labels");
    struct fed_json *stored = NULL;
    struct fed_json *labels;
    struct fed_json_iter it;
    bool any = false;
    enum fed_err err = get(in, &fixed[CLI_IMPORT_CLUSTERS], object, &stored);

    if (err == FED_ERR_NOT_FOUND)
        return told(in, "kubefedclusters.core.kubefed.io", object, "has not joined here yet");
    if (err)
        return err;
    labels = fed_json_ensure_object(in->cli->doc, fed_json_get(stored, "metadata"), "labels");
    if (!labels)
        return FED_ERR_NOMEM;
    it = fed_json_each(wanted);
    while (!err && fed_json_iter_next(&it)) {
        if (fed_json_type(fed_json_get_span(labels, it.key)) != FED_JSON_ABSENT)
            continue;
        any = true;
        err =
            fed_json_set_span(in->cli->doc, labels, it.key, fed_json_clone(in->cli->doc, it.value));
    }
    if (!err && any && !in->common.dry_run)
        err = put(in, &fixed[CLI_IMPORT_CLUSTERS], stored, stored);
    return err ? err
               : told(in, "kubefedclusters.core.kubefed.io", object,
                     any ? "labelled" : "has joined, and has these labels");
}

/* The one KubeFedConfig: a hub is for all namespaces. */
static enum fed_err import_config(struct importing *in, const struct fed_json *object)
{
    struct fed_span scope = fed_json_string(fed_json_find(object, "spec.scope"));

    if (!fed_span_is(fed_json_string(fed_json_find(object, "metadata.name")), "kubefed"))
        return FED_OK;
    if (scope.len && !fed_span_is(scope, "Cluster"))
        return fed_diag_set(&in->diag, FED_ERR_INVALID,
            "the KubeFedConfig is of scope " FED_SPAN_FMT
            ": such an installation cannot be imported, a hub is for all namespaces",
            FED_SPAN_ARG(scope));
    return import_one(in, &fixed[CLI_IMPORT_CONFIG], object);
}

static enum fed_err import_object(
    struct importing *in, enum cli_import_stage stage, struct fed_json *object)
{
    const struct cli_resource *resource = &fixed[stage];
    bool of_kubefed =
        stage == CLI_IMPORT_CONFIG || stage == CLI_IMPORT_TYPES || stage == CLI_IMPORT_CLUSTERS;
    enum fed_err err = of_kubefed ? into_system_namespace(in, object) : FED_OK;

    if (err)
        return err;
    if (stage == CLI_IMPORT_CONFIG)
        return import_config(in, object);
    if (stage == CLI_IMPORT_CLUSTERS)
        return import_labels(in, object);
    if (!resource->kind[0])
        err = find_type(in, object, &resource);
    return err ? err : import_one(in, resource, object);
}

static enum fed_err import_all(struct importing *in)
{
    struct fed_json_iter it;
    enum fed_err err = ask_types(in);

    for (int stage = 0; !err && stage < CLI_IMPORT_STAGES; stage++) {
        fed_json_iter_init(&it, in->read.stage[stage]);
        while (!err && fed_json_iter_next(&it))
            err = import_object(in, (enum cli_import_stage)stage, it.value);
    }
    return err;
}

/* ---- the command ---- */

static enum fed_err read_source(struct importing *in)
{
    struct fed_kube *server;
    enum fed_err err;

    in->read = (struct cli_import){.cli = in->cli, .system_ns = in->common.ns, .diag = &in->diag};
    err = cli_import_init(&in->read);
    if (!err && in->file)
        return cli_import_read_file(&in->read, in->file);
    if (!err)
        err = cli_connect(in->cli, &in->diag);
    if (!err)
        err = cli_connect_member(in->cli, in->from, &server, &in->diag);
    return err ? err
               : cli_import_read_server(
                     &in->read, server, in->from, in->running || in->common.dry_run);
}

static enum cli_exit summary(struct importing *in)
{
    fflush(stdout); /* the sum comes last, also where both go to one place */
    if (in->read.ignored)
        fprintf(stderr, "not of KubeFed, left out: %zu object%s, such as a %s\n", in->read.ignored,
            in->read.ignored == 1 ? "" : "s", in->read.ignored_kind);
    fprintf(stderr, "%s%zu created, %zu unchanged, %zu replaced, %zu different\n",
        in->common.dry_run ? "dry run: " : "", in->created, in->same, in->replaced, in->different);
    if (in->cli->json)
        cli_print_json(in->rows);
    if (!in->different)
        return CLI_DONE;
    return cli_fail("%zu object%s of the same name %s here with another spec; --overwrite "
                    "replaces them",
        in->different, in->different == 1 ? "" : "s", in->different == 1 ? "is" : "are");
}

enum cli_exit cli_import_command(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct importing in = {.cli = cli};
    enum fed_err err;

    if (read_flags(self, argc, argv, &in) != CLI_DONE)
        return CLI_USAGE;
    cli_resources_init(&in.types);
    in.rows = fed_json_new_array(cli->doc);
    err = in.rows ? read_source(&in) : FED_ERR_NOMEM;
    if (!err)
        err = import_all(&in);
    cli_resources_fini(&in.types);
    return err ? cli_fail("%s", cli_why(&in.diag, err)) : summary(&in);
}
