/* member_clean.c - deletes from a member what federated objects put there. See agent_install.h. */
#include "cli/agent_install.h"
#include "cli/resource.h"

#include <stdio.h>
#include <string.h>

#define SELECTOR "?labelSelector=kubefed.io%2Fmanaged%3Dtrue"

struct cleaning {
    struct cli *cli;
    struct fed_kube *member;
    size_t n;
    struct fed_diag *diag;
};

/* Kinds that hold others, and whose end would end them unnamed, come last. */
static bool is_last(const struct cli_resource *resource)
{
    return strcmp(resource->plural, "namespaces") == 0 ||
           strcmp(resource->plural, "customresourcedefinitions") == 0;
}

static enum fed_err delete_one(
    struct cleaning *c, const struct cli_resource *resource, const struct fed_json *object)
{
    struct fed_json *answer;
    struct fed_buf path;
    char ns[254];
    char name[254];
    enum fed_err err;

    if (fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.namespace")), ns, sizeof ns) ||
        fed_span_to_cstr(
            fed_json_string(fed_json_find(object, "metadata.name")), name, sizeof name) ||
        !name[0])
        return FED_ERR_INVALID;
    fed_buf_init(&path, c->cli->mem, 2048);
    err = cli_resource_path(&path, resource, ns, name);
    if (!err)
        err = cli_ask_at(c->cli, c->member, "DELETE", fed_buf_cstr(&path), "application/json",
            fed_span_text("{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                          "\"propagationPolicy\":\"Background\"}"),
            &answer, c->diag);
    fed_buf_fini(&path);
    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    if (err)
        return fed_diag_prefix(
            c->diag, err, "%s %s%s%s", resource->kind, ns, ns[0] ? "/" : "", name);
    c->n++;
    return FED_OK;
}

static enum fed_err clean_kind(struct cleaning *c, const struct cli_resource *resource)
{
    struct fed_json *list = NULL;
    const struct fed_json *items;
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, c->cli->mem, 1024);
    err = cli_resource_path(&path, resource, NULL, NULL);
    fed_buf_put_text(&path, SELECTOR);
    if (!err)
        err = cli_ask_at(
            c->cli, c->member, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), &list, c->diag);
    fed_buf_fini(&path);
    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_OK
                                        : fed_diag_prefix(c->diag, err, "%s", resource->plural);
    items = fed_json_get(list, "items");
    for (struct fed_json_iter it = fed_json_items(items); !err && fed_json_iter_next(&it);)
        err = delete_one(c, resource, it.value);
    return err;
}

enum fed_err cli_member_clean(
    struct cli *cli, struct fed_kube *member, size_t *n, struct fed_diag *diag)
{
    struct cleaning c = {.cli = cli, .member = member, .diag = diag};
    struct cli_resources all;
    enum fed_err err;

    cli_resources_init(&all);
    err = cli_discover(cli, member, NULL, &all, diag);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; !err && i < all.n; i++) {
            const struct cli_resource *one = &all.at[i];

            if (one->listed && is_last(one) == (round == 1) && strcmp(one->plural, "events") != 0 &&
                strcmp(one->group, "metrics.k8s.io") != 0)
                err = clean_kind(&c, one);
        }
    }
    cli_resources_fini(&all);
    *n = c.n;
    return err;
}
