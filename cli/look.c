/* look.c - see look.h: kinds, clusters, lists. */
#include "cli/look.h"

#include "proto/base/text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define TYPES                                                                                      \
    "/apis/core.kubefed.io/v1beta1/namespaces/" CLI_SYSTEM_NAMESPACE "/federatedtypeconfigs"
#define KINDS_MAX 2000u

enum cli_exit look_options(struct look *look, struct cli *cli, const struct cli_command *self,
    const char *letters, int *argc, char ***argv)
{
    static const struct option all[] = {{"namespace", 1, NULL, 'n'},
        {"all-namespaces", 0, NULL, 'A'}, {"all", 0, NULL, 'a'}, {"watch", 0, NULL, 'w'},
        {"exit-code", 0, NULL, 'e'}, {"cluster", 1, NULL, 'c'}, {"cluster-context", 1, NULL, 'x'},
        {"filename", 1, NULL, 'f'}, {NULL, 0, NULL, 0}};
    const char **values[] = {
        &look->ns_flag, &look->cluster, &look->cluster_context, &look->file, NULL};
    bool *flags[] = {&look->all_namespaces, &look->all, &look->watch, &look->exit_code, NULL};
    int c;

    *look = (struct look){.cli = cli, .self = self};
    fed_map_init(&look->by_name, cli->mem);
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(*argc, *argv, ":n:Awf:", all, NULL)) != -1) {
        const char *value = strchr("ncxf", c) ? strchr("ncxf", c) : NULL;
        const char *flag = strchr("Aawe", c) ? strchr("Aawe", c) : NULL;

        if (c == ':')
            return cli_misuse(self, "%s needs a value", (*argv)[optind - 1]);
        if (c == '?' || !strchr(letters, c))
            return cli_misuse(self, "unknown option %s", (*argv)[optind - 1]);
        if (value)
            *values[value - "ncxf"] = optarg;
        else if (flag)
            *flags[flag - "Aawe"] = true;
    }
    *argc -= optind;
    *argv += optind;
    if (look->ns_flag && !fed_text_is_dns_label(fed_span_text(look->ns_flag)))
        return cli_misuse(self, "\"%s\" is not the name of a namespace", look->ns_flag);
    if (look->cluster && !cli_is_name(look->cluster))
        return cli_misuse(self, "\"%s\" is not a cluster's name", look->cluster);
    if (look->ns_flag && look->all_namespaces)
        return cli_misuse(self, "-n and -A exclude each other");
    return CLI_DONE;
}

void look_fini(struct look *look)
{
    fed_map_fini(&look->by_name);
    free(look->kinds);
    free(look->clusters);
    look->kinds = NULL;
    look->clusters = NULL;
}

const char *look_ns(const struct look *look)
{
    if (look->ns_flag)
        return look->ns_flag;
    return look->cli->config->ns[0] ? look->cli->config->ns : "default";
}

/* ---- text ---- */
const char *look_cstr(struct look *look, struct fed_span text)
{
    /* A string of the document stands in it with its end. */
    struct fed_json *copy;
    struct fed_buf buf;
    const char *out = "";

    fed_buf_init(&buf, look->cli->mem, text.len + 1);
    fed_buf_put(&buf, text);
    fed_buf_put_u8(&buf, 0);
    copy = fed_buf_err(&buf) ? NULL : fed_json_new_string(look->cli->doc, fed_buf_span(&buf));
    if (copy)
        out = (const char *)fed_json_string(copy).at;
    fed_buf_fini(&buf);
    return out;
}

const char *look_text(struct look *look, const struct fed_json *text)
{
    return look_cstr(look, fed_json_string(text));
}

int64_t look_time(const struct fed_json *text)
{
    int64_t unix_s = 0;

    return fed_text_time_parse(fed_json_string(text), &unix_s) ? 0 : unix_s;
}

void look_age(const struct look *look, int64_t since_unix_s, char out[32])
{
    char age[FED_TEXT_TIME_SIZE] = "";

    if (since_unix_s > 0)
        fed_text_age(fed_loop_unix_s(look->cli->loop) - since_unix_s, age);
    snprintf(out, 32, "%s", age);
}

const struct fed_json *look_condition(const struct fed_json *object, const char *type)
{
    const struct fed_json *list = fed_json_find(object, "status.conditions");

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);)
        if (fed_span_is(fed_json_string(fed_json_get(it.value, "type")), type))
            return it.value;
    return NULL;
}

/* ---- lists ---- */
void look_note_version(struct look *look, const struct fed_json *object)
{
    if (fed_span_to_cstr(fed_json_string(fed_json_find(object, "metadata.resourceVersion")),
            look->version, sizeof look->version))
        look->version[0] = 0;
}

static enum fed_err next_page(const char *path, const struct fed_json *answer, struct fed_buf *out)
{
    struct fed_span token = fed_json_string(fed_json_find(answer, "metadata.continue"));

    fed_buf_clear(out);
    fed_buf_printf(out, "%s%climit=%u", path, strchr(path, '?') ? '&' : '?', LOOK_PAGE);
    if (token.len > 0)
        fed_buf_put_text(out, "&continue=");
    cli_put_escaped(out, token);
    return fed_buf_err(out);
}

enum fed_err look_list(
    struct look *look, const char *path, look_each *each, void *ctx, struct fed_diag *diag)
{
    struct fed_json *answer = NULL;
    struct fed_buf page;
    size_t n = 0;
    bool more = true;
    enum fed_err err = FED_OK;

    fed_buf_init(&page, look->cli->mem, 1u << 16);
    while (!err && more) {
        struct fed_json_iter it;

        err = next_page(path, answer, &page);
        if (!err)
            err = cli_ask(
                look->cli, "GET", fed_buf_cstr(&page), NULL, fed_span_text(""), &answer, diag);
        if (err)
            break;
        fed_json_iter_init(&it, fed_json_get(answer, "items"));
        while (fed_json_iter_next(&it)) {
            each(ctx, it.value);
            n++;
        }
        look_note_version(look, answer);
        more = fed_json_string(fed_json_find(answer, "metadata.continue")).len > 0;
        if (more)
            cli_progress("reading", n, 0);
        else if (n > LOOK_PAGE)
            cli_progress("", 0, 0);
    }
    fed_buf_fini(&page);
    return err;
}

void look_path(const struct look_kind *kind, const char *ns, const char *name, struct fed_buf *out)
{
    fed_buf_printf(out, "/apis/" FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(kind->group),
        FED_SPAN_ARG(kind->version));
    if (ns && kind->namespaced)
        fed_buf_printf(out, "/namespaces/%s", ns);
    fed_buf_printf(out, "/" FED_SPAN_FMT, FED_SPAN_ARG(kind->plural));
    if (name)
        fed_buf_printf(out, "/%s", name);
}

enum fed_err look_objects(struct look *look, const struct look_kind *kind, look_each *each,
    void *ctx, struct fed_diag *diag)
{
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, look->cli->mem, 2048);
    look_path(kind, look->all_namespaces ? NULL : look_ns(look), NULL, &path);
    err = look_list(look, fed_buf_cstr(&path), each, ctx, diag);
    fed_buf_fini(&path);
    return err;
}

/* ---- kinds ---- */
struct reading {
    struct look *look;
    struct fed_json *resources; /* group/version -> the list of discovery */
    enum fed_err err;
    struct fed_diag *diag;
};

static const struct fed_json *discovered(
    struct reading *r, struct fed_span group, struct fed_span version)
{
    struct fed_json *answer = NULL;
    char path[400];
    int n = snprintf(path, sizeof path, "/apis/" FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(group),
        FED_SPAN_ARG(version));

    if (n < 0 || (size_t)n >= sizeof path)
        return NULL;
    answer = fed_json_get(r->resources, path);
    if (answer)
        return answer;
    /* A type that is not served yet has no short names. */
    r->err = cli_ask(r->look->cli, "GET", path, NULL, fed_span_text(""), &answer, r->diag);
    if (r->err == FED_ERR_NOT_FOUND) {
        answer = fed_json_new_object(r->look->cli->doc);
        r->err = FED_OK;
    }
    if (!r->err)
        r->err = fed_json_set(r->look->cli->doc, r->resources, path, answer);
    return r->err ? NULL : answer;
}

static void take_names(struct reading *r, struct look_kind *kind)
{
    const struct fed_json *list =
        fed_json_get(discovered(r, kind->group, kind->version), "resources");

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;

        if (!fed_span_eq(fed_json_string(fed_json_get(one, "name")), kind->plural))
            continue;
        kind->singular = fed_json_string(fed_json_get(one, "singularName"));
        kind->short_names = fed_json_get(one, "shortNames");
        return;
    }
}

static void take_kind(void *ctx, struct fed_json *config)
{
    struct reading *r = ctx;
    const struct fed_json *federated = fed_json_find(config, "spec.federatedType");
    const struct fed_json *target = fed_json_find(config, "spec.targetType");
    struct look_kind *grown;

    if (r->err || r->look->n_kinds >= KINDS_MAX)
        return;
    grown = realloc(r->look->kinds, (r->look->n_kinds + 1) * sizeof *grown);
    if (!grown) {
        r->err = FED_ERR_NOMEM;
        return;
    }
    r->look->kinds = grown;
    grown += r->look->n_kinds++;
    *grown = (struct look_kind){.group = fed_json_string(fed_json_get(federated, "group")),
        .version = fed_json_string(fed_json_get(federated, "version")),
        .plural = fed_json_string(fed_json_get(federated, "pluralName")),
        .kind = fed_json_string(fed_json_get(federated, "kind")),
        .namespaced = fed_span_is(fed_json_string(fed_json_get(federated, "scope")), "Namespaced"),
        .target_group = fed_json_string(fed_json_get(target, "group")),
        .target_version = fed_json_string(fed_json_get(target, "version")),
        .target_plural = fed_json_string(fed_json_get(target, "pluralName")),
        .target_kind = fed_json_string(fed_json_get(target, "kind")),
        .target_namespaced =
            fed_span_is(fed_json_string(fed_json_get(target, "scope")), "Namespaced")};
    grown->is_namespace =
        grown->target_group.len == 0 && fed_span_is(grown->target_kind, "Namespace");
    grown->target_namespaced = grown->target_namespaced && !grown->is_namespace;
    take_names(r, grown);
}

enum fed_err look_kinds(struct look *look, struct fed_diag *diag)
{
    struct reading r = {.look = look,
        .resources = fed_json_new_object(look->cli->doc),
        .err = FED_OK,
        .diag = diag};
    struct fed_json *list = fed_json_new_array(look->cli->doc);
    enum fed_err err = r.resources && list ? FED_OK : FED_ERR_NOMEM;

    look->n_kinds = 0;
    if (!err)
        err = look_list(look, TYPES, take_kind, &r, diag);
    return err ? err : r.err;
}

/* ---- clusters ---- */
const char *look_ready_name(enum look_ready ready)
{
    static const char *const names[LOOK_WORDS] = {"ready", "notReady", "offline", "unseen"};

    return ready < LOOK_WORDS ? names[ready] : "";
}

static enum look_ready ready_of(const struct fed_json *ready, const struct fed_json *offline)
{
    struct fed_span message = fed_json_string(fed_json_get(offline, "message"));

    if (fed_span_is(fed_json_string(fed_json_get(ready, "status")), "True"))
        return LOOK_READY;
    if (!fed_span_is(fed_json_string(fed_json_get(offline, "status")), "True"))
        return ready ? LOOK_NOT_READY : LOOK_UNSEEN;
    return fed_span_ends(message, "since the hub started") ? LOOK_UNSEEN : LOOK_OFFLINE;
}

static void take_cluster(void *ctx, struct fed_json *object)
{
    struct reading *r = ctx;
    struct look *look = r->look;
    const struct fed_json *ready = look_condition(object, "Ready");
    const struct fed_json *offline = look_condition(object, "Offline");
    const struct fed_json *says = ready ? ready : offline;
    struct look_cluster *grown = look->clusters;

    if (r->err)
        return;
    if ((look->n_clusters & (look->n_clusters - 1)) == 0) /* a power of two: full */
        grown = realloc(grown, (look->n_clusters ? 2 * look->n_clusters : 1) * sizeof *grown);
    if (!grown) {
        r->err = FED_ERR_NOMEM;
        return;
    }
    look->clusters = grown;
    grown[look->n_clusters++] =
        (struct look_cluster){.name = fed_json_string(fed_json_find(object, "metadata.name")),
            .ready = ready_of(ready, offline),
            .since_unix_s = look_time(fed_json_get(says, "lastTransitionTime")),
            .removals = fed_json_int(fed_json_find(object, "status.removal.waiting"), 0),
            .message = says ? fed_json_string(fed_json_get(says, "message"))
                            : FED_SPAN_LIT("its agent was not heard of yet")};
}

enum fed_err look_clusters(struct look *look, struct fed_diag *diag)
{
    struct reading r = {.look = look, .err = FED_OK, .diag = diag};
    enum fed_err err;

    look->n_clusters = 0;
    free(look->clusters);
    look->clusters = NULL;
    fed_map_fini(&look->by_name);
    fed_map_init(&look->by_name, look->cli->mem);
    err = look_list(look, CLI_CLUSTERS, take_cluster, &r, diag);
    if (!err)
        err = r.err;
    for (size_t i = 0; !err && i < look->n_clusters; i++)
        err = fed_map_put(&look->by_name, look->clusters[i].name, &look->clusters[i]);
    return err;
}

const struct look_cluster *look_cluster(const struct look *look, struct fed_span name)
{
    return fed_map_get(&look->by_name, name);
}
