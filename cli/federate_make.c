/* federate_make.c - see federate.h. */
#include "cli/federate.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct fed_span key;
    struct fed_span value;
};

static int entry_cmp(const void *a, const void *b)
{
    return fed_span_cmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

#define ANNOTATIONS_SHOWN 64u
/* As Go prints a map: sorted by key. */
static void warn_of_annotations(
    const struct cli_typeconfig *config, const char *qualified, struct fed_json *annotations)
{
    struct entry entries[ANNOTATIONS_SHOWN];
    struct fed_json_iter it;
    size_t n = 0;

    if (fed_json_count(annotations) == 0)
        return;
    fed_json_iter_init(&it, annotations);
    while (n < ANNOTATIONS_SHOWN && fed_json_iter_next(&it))
        entries[n++] = (struct entry){it.key, fed_json_string(it.value)};
    qsort(entries, n, sizeof *entries, entry_cmp);
    fprintf(stderr,
        "Annotations defined for %s \"%s\" will not appear in the template of the federated "
        "resource: map[",
        config->target.kind, qualified);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s" FED_SPAN_FMT ":" FED_SPAN_FMT, i ? " " : "",
            FED_SPAN_ARG(entries[i].key), FED_SPAN_ARG(entries[i].value));
    fputs("]\n", stderr);
}

static void clean_service(struct fed_json *object)
{
    struct fed_json *spec = fed_json_get(object, "spec");
    struct fed_json *ports = fed_json_get(spec, "ports");

    fed_json_remove(spec, "clusterIP");
    fed_json_remove(spec, "clusterIPs");
    for (size_t i = 0; i < fed_json_count(ports); i++)
        if (fed_json_is_object(fed_json_at(ports, i)))
            fed_json_remove(fed_json_at(ports, i), "nodePort");
}

static void remove_if_object(struct fed_json *object, const char *key)
{
    if (fed_json_is_object(object))
        fed_json_remove(object, key);
}

/* Turns the object into its template. */
static enum fed_err clean(
    struct cli *cli, const struct cli_typeconfig *config, struct fed_json *object)
{
    struct fed_json *labels = fed_json_find(object, "metadata.labels");
    struct fed_json *metadata;

    if (strcmp(config->target.kind, "Namespace") == 0)
        remove_if_object(fed_json_get(object, "spec"), "finalizers");
    else if (strcmp(config->target.kind, "ServiceAccount") == 0)
        fed_json_remove(object, "secrets");
    else if (strcmp(config->target.kind, "Service") == 0 &&
             fed_json_is_object(fed_json_get(object, "spec")))
        clean_service(object);
    labels = fed_json_count(labels) > 0 ? fed_json_clone(cli->doc, labels) : NULL;
    fed_json_remove(object, "apiVersion");
    fed_json_remove(object, "kind");
    fed_json_remove(object, "status");
    fed_json_remove(object, "metadata");
    if (!labels)
        return FED_OK;
    metadata = fed_json_ensure_object(cli->doc, object, "metadata");
    return metadata ? fed_json_set(cli->doc, metadata, "labels", labels) : FED_ERR_NOMEM;
}

static struct fed_json *new_federated(
    struct cli *cli, const struct cli_typeconfig *config, const char *name, const char *ns)
{
    const struct cli_resource *type = &config->federated;
    struct fed_json *object = fed_json_new_object(cli->doc);
    struct fed_json *metadata = fed_json_ensure_object(cli->doc, object, "metadata");
    char api_version[sizeof type->group + sizeof type->version + 1];

    snprintf(api_version, sizeof api_version, "%s/%s", type->group, type->version);
    if (!metadata || fed_json_set_text(cli->doc, object, "apiVersion", api_version) ||
        fed_json_set_text(cli->doc, object, "kind", type->kind) ||
        fed_json_set_text(cli->doc, metadata, "name", name))
        return NULL;
    if (type->namespaced && ns[0] && fed_json_set_text(cli->doc, metadata, "namespace", ns))
        return NULL;
    return object;
}

static enum fed_err add_spec(struct cli *cli, struct fed_json *federated, struct fed_json *template)
{
    struct fed_json *spec = fed_json_ensure_object(cli->doc, federated, "spec");
    struct fed_json *placement = fed_json_ensure_object(cli->doc, spec, "placement");
    struct fed_json *selector = fed_json_ensure_object(cli->doc, placement, "clusterSelector");

    if (!fed_json_ensure_object(cli->doc, selector, "matchLabels"))
        return FED_ERR_NOMEM;
    return fed_json_set(cli->doc, spec, "template", template);
}

enum fed_err cli_federate(struct cli *cli, const struct cli_typeconfig *config,
    struct fed_json *object, struct fed_json **out, struct fed_diag *diag)
{
    struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_json *federated;
    struct fed_json *template;
    char name[254];
    char ns[254];
    char qualified[512];
    enum fed_err err;

    if (fed_span_to_cstr(fed_json_string(fed_json_get(metadata, "name")), name, sizeof name) ||
        !name[0] ||
        fed_span_to_cstr(fed_json_string(fed_json_get(metadata, "namespace")), ns, sizeof ns))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "%s: no valid metadata.name", config->target.kind);
    snprintf(qualified, sizeof qualified, "%s%s%s", ns, ns[0] ? "/" : "", name);
    if (strcmp(config->target.kind, "Namespace") == 0)
        snprintf(ns, sizeof ns, "%s", name);
    warn_of_annotations(config, qualified, fed_json_get(metadata, "annotations"));
    federated = new_federated(cli, config, name, ns);
    template = fed_json_clone(cli->doc, object);
    err = federated && template ? clean(cli, config, template) : FED_ERR_NOMEM;
    if (!err)
        err = add_spec(cli, federated, template);
    if (!err)
        *out = federated;
    return err;
}

/* ---- guessing ---- */

/* apimachinery's UnsafeGuessKindToResource; the caller has seen to it that there is room. */
static void guess_plural(const char *singular, char out[64])
{
    size_t len = strlen(singular);
    char last = len ? singular[len - 1] : '\0';

    if (strcmp(singular, "endpoints") == 0 || strcmp(singular, "securitycontextconstraints") == 0)
        snprintf(out, 64, "%.60s", singular);
    else if (last == 's')
        snprintf(out, 64, "%.60ses", singular);
    else if (last == 'y')
        snprintf(out, 64, "%.*sies", (int)(len < 61 ? len : 61) - 1, singular);
    else
        snprintf(out, 64, "%.60ss", singular);
}

enum fed_err cli_federate_guess(
    const struct fed_json *object, struct cli_typeconfig *out, struct fed_diag *diag)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    size_t slash = fed_span_find(api_version, '/');
    bool core = slash == api_version.len;
    struct cli_resource target = {0};

    if (api_version.len == 0 || kind.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "an object without apiVersion or kind");
    if (kind.len + 3 + 9 >= sizeof target.plural ||
        fed_span_to_cstr(kind, target.kind, sizeof target.kind) ||
        (!core && fed_span_to_cstr(
                      fed_span_sub(api_version, 0, slash), target.group, sizeof target.group)) ||
        fed_span_to_cstr(core ? api_version : fed_span_sub(api_version, slash + 1, api_version.len),
            target.version, sizeof target.version))
        return fed_diag_set(diag, FED_ERR_LIMIT, "apiVersion or kind is too long");
    for (size_t i = 0; target.kind[i]; i++)
        target.singular[i] =
            (char)(target.kind[i] >= 'A' && target.kind[i] <= 'Z' ? target.kind[i] - 'A' + 'a'
                                                                  : target.kind[i]);
    guess_plural(target.singular, target.plural);
    target.namespaced = fed_json_string(fed_json_find(object, "metadata.namespace")).len > 0;
    return cli_typeconfig_make(&target, CLI_FEDERATED_GROUP, CLI_FEDERATED_VERSION, out, diag);
}
