/* resource.c - see resource.h. */
#include "cli/resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void cli_resources_init(struct cli_resources *all)
{
    *all = (struct cli_resources){0};
}

void cli_resources_fini(struct cli_resources *all)
{
    free(all->at);
    cli_resources_init(all);
}

enum fed_err cli_resources_add(struct cli_resources *all, const struct cli_resource *one)
{
    if (all->n == CLI_RESOURCES_MAX)
        return FED_ERR_LIMIT;
    if (all->n == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 128;
        struct cli_resource *at = realloc(all->at, cap * sizeof *at);

        if (!at)
            return FED_ERR_NOMEM;
        all->at = at;
        all->cap = cap;
    }
    all->at[all->n++] = *one;
    return FED_OK;
}

const char *cli_qualified(const char *plural, const char *group, char out[CLI_QUALIFIED_SIZE])
{
    snprintf(out, CLI_QUALIFIED_SIZE, "%s%s%s", plural, group[0] ? "." : "", group);
    return out;
}

/* ---- discovery ---- */

/* Names that do not fit are of no resource that could be federated: its CustomResourceDefinition's
 * name would be too long. */
static bool read_resource(const struct fed_json *from, struct fed_span group,
    struct fed_span version, struct cli_resource *out)
{
    const struct fed_json *short_names = fed_json_get(from, "shortNames");
    const struct fed_json *verbs = fed_json_get(from, "verbs");

    *out = (struct cli_resource){
        .namespaced = fed_json_bool(fed_json_get(from, "namespaced"), false), .served = true};
    if (fed_span_to_cstr(group, out->group, sizeof out->group) ||
        fed_span_to_cstr(version, out->version, sizeof out->version) ||
        fed_span_to_cstr(
            fed_json_string(fed_json_get(from, "name")), out->plural, sizeof out->plural) ||
        fed_span_to_cstr(fed_json_string(fed_json_get(from, "singularName")), out->singular,
            sizeof out->singular) ||
        fed_span_to_cstr(fed_json_string(fed_json_get(from, "kind")), out->kind, sizeof out->kind))
        return false;
    for (size_t i = 0; i < fed_json_count(short_names) && i < CLI_SHORT_NAMES_MAX; i++)
        if (!fed_span_to_cstr(fed_json_string(fed_json_at(short_names, i)), out->short_names[i],
                sizeof out->short_names[0]))
            out->n_short_names = i + 1;
    for (struct fed_json_iter it = fed_json_items(verbs); fed_json_iter_next(&it);)
        out->listed = out->listed || fed_span_is(fed_json_string(it.value), "list");
    return out->plural[0] && out->kind[0];
}

static struct cli_resource *known(
    struct cli_resources *all, const char *plural, struct fed_span group)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->at[i].plural, plural) == 0 && fed_span_is(group, all->at[i].group))
            return &all->at[i];
    return NULL;
}

static enum fed_err add_list(struct cli_resources *all, const struct fed_json *list,
    struct fed_span group, struct fed_span version)
{
    const struct fed_json *items = fed_json_get(list, "resources");
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(items); !err && fed_json_iter_next(&it);) {
        struct cli_resource one;
        struct cli_resource *parent;
        char *slash;

        if (!read_resource(it.value, group, version, &one))
            continue;
        slash = strchr(one.plural, '/');
        if (slash)
            *slash = '\0';
        parent = known(all, one.plural, group);
        if (slash && parent && strcmp(slash + 1, "scale") == 0)
            parent->scaled = true;
        if (!slash && !parent)
            err = cli_resources_add(all, &one);
    }
    return err;
}

static enum fed_err add_version(struct cli *cli, struct fed_kube *server, struct fed_span group,
    struct fed_span version, struct cli_resources *all, struct fed_diag *diag)
{
    struct fed_json *list;
    char path[400];
    enum fed_err err;

    snprintf(path, sizeof path, "/%s%s" FED_SPAN_FMT "/" FED_SPAN_FMT, group.len ? "apis" : "api",
        group.len ? "/" : "", FED_SPAN_ARG(group), FED_SPAN_ARG(version));
    err = cli_ask_at(cli, server, "GET", path, NULL, fed_span_text(""), &list, diag);
    /* A group whose own API server does not answer (metrics, say) hides nothing else. */
    if (err && group.len)
        return err == FED_ERR_NETWORK || err == FED_ERR_NOMEM ? err : FED_OK;
    return err ? err : add_list(all, list, group, version);
}

static enum fed_err add_group(struct cli *cli, struct fed_kube *server,
    const struct fed_json *group, const char *version, struct cli_resources *all,
    struct fed_diag *diag)
{
    struct fed_span name = fed_json_string(fed_json_get(group, "name"));
    struct fed_span preferred = fed_json_string(fed_json_find(group, "preferredVersion.version"));
    const struct fed_json *versions = fed_json_get(group, "versions");
    enum fed_err err = FED_OK;

    if (!version)
        err = add_version(cli, server, name, preferred, all, diag);
    for (struct fed_json_iter it = fed_json_items(versions); !err && fed_json_iter_next(&it);) {
        struct fed_span one = fed_json_string(fed_json_get(it.value, "version"));

        if (version ? fed_span_is(one, version) : !fed_span_eq(one, preferred))
            err = add_version(cli, server, name, one, all, diag);
    }
    return err;
}

enum fed_err cli_discover(struct cli *cli, struct fed_kube *server, const char *version,
    struct cli_resources *all, struct fed_diag *diag)
{
    struct fed_json *groups;
    const struct fed_json *list;
    enum fed_err err = FED_OK;

    if (!version || strcmp(version, "v1") == 0)
        err = add_version(cli, server, fed_span_text(""), fed_span_text("v1"), all, diag);
    if (!err)
        err = cli_ask_at(cli, server, "GET", "/apis", NULL, fed_span_text(""), &groups, diag);
    if (err)
        return err;
    list = fed_json_get(groups, "groups");
    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);)
        err = add_group(cli, server, it.value, version, all, diag);
    return err;
}

/* ---- finding ---- */

bool cli_resource_matches(const struct cli_resource *resource, const char *name)
{
    char qualified[CLI_QUALIFIED_SIZE];

    if (strcasecmp(name, resource->plural) == 0 || strcasecmp(name, resource->kind) == 0 ||
        (resource->singular[0] && strcasecmp(name, resource->singular) == 0) ||
        strcasecmp(name, cli_qualified(resource->plural, resource->group, qualified)) == 0)
        return true;
    for (size_t i = 0; i < resource->n_short_names; i++)
        if (strcasecmp(name, resource->short_names[i]) == 0)
            return true;
    return false;
}

static enum fed_err ambiguous(
    const struct cli_resources *all, const char *name, struct fed_diag *diag)
{
    char list[300] = "";
    char qualified[CLI_QUALIFIED_SIZE];
    size_t len = 0;

    for (size_t i = 0; i < all->n && len < sizeof list; i++)
        if (cli_resource_matches(&all->at[i], name))
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "",
                cli_qualified(all->at[i].plural, all->at[i].group, qualified));
    return fed_diag_set(diag, FED_ERR_CONFLICT,
        "Multiple resources are matched by \"%s\": %s. A group-qualified plural name must be "
        "provided.",
        name, list);
}

enum fed_err cli_resources_find(const struct cli_resources *all, const char *name,
    const struct cli_resource **out, struct fed_diag *diag)
{
    const struct cli_resource *found = NULL;
    size_t n = 0;

    for (size_t i = 0; i < all->n; i++) {
        if (!cli_resource_matches(&all->at[i], name))
            continue;
        if (!all->at[i].group[0]) {
            *out = &all->at[i];
            return FED_OK;
        }
        found = found ? found : &all->at[i];
        n++;
    }
    if (n > 1)
        return ambiguous(all, name, diag);
    if (!found)
        return fed_diag_set(
            diag, FED_ERR_NOT_FOUND, "Unable to find api resource named \"%.200s\".", name);
    *out = found;
    return FED_OK;
}

enum fed_err cli_resource_lookup(struct cli *cli, struct fed_kube *server, const char *name,
    const char *version, struct cli_resource *out, struct fed_diag *diag)
{
    const struct cli_resource *found;
    struct cli_resources all;
    enum fed_err err;

    cli_resources_init(&all);
    err = cli_discover(cli, server, version, &all, diag);
    if (!err && !server)
        err = cli_kinds_add(&all, version);
    if (!err)
        err = cli_resources_find(&all, name, &found, diag);
    if (!err)
        *out = *found;
    cli_resources_fini(&all);
    return err;
}

/* ---- paths ---- */

enum fed_err cli_resource_path(
    struct fed_buf *out, const struct cli_resource *resource, const char *ns, const char *name)
{
    if (resource->group[0])
        fed_buf_printf(out, "/apis/%s/%s", resource->group, resource->version);
    else
        fed_buf_printf(out, "/api/%s", resource->version);
    if (resource->namespaced && ns && ns[0]) {
        fed_buf_put_text(out, "/namespaces/");
        cli_put_escaped(out, fed_span_text(ns));
    }
    fed_buf_printf(out, "/%s", resource->plural);
    if (name) {
        fed_buf_put_text(out, "/");
        cli_put_escaped(out, fed_span_text(name));
    }
    return fed_buf_err(out);
}
