/* happened.c - fedctl events: what happened to an object, its namespace, its scheduling and its
 * clusters, in the order of time. */
#include "cli/status.h"

#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>

struct events {
    struct look *look;
    const struct look_kind *kind; /* NULL: of all */
    const char *name;
    struct fed_map clusters; /* of the object: name -> itself */
    struct fed_map shown;    /* while watching: uid and count -> itself */
    struct fed_json **list;
    size_t n;
    bool failed;
    bool first; /* the round */
};

static struct fed_span involved(const struct fed_json *event, const char *member)
{
    return fed_json_string(fed_json_get(fed_json_get(event, "involvedObject"), member));
}

static bool is_of_federation(struct fed_span kind)
{
    return fed_span_starts(kind, "Federated") || fed_span_is(kind, "KubeFedCluster") ||
           fed_span_is(kind, "ReplicaSchedulingPreference");
}

static bool is_wanted(struct events *e, const struct fed_json *event)
{
    struct fed_span kind = involved(event, "kind");
    struct fed_span name = involved(event, "name");
    struct fed_span ns = involved(event, "namespace");

    if (!e->kind)
        return is_of_federation(kind);
    if (fed_span_is(kind, "KubeFedCluster"))
        return fed_map_get(&e->clusters, name) != NULL;
    if (fed_span_is(kind, "FederatedNamespace"))
        return fed_span_eq(name, ns) && (!e->kind->is_namespace || fed_span_is(name, e->name));
    return fed_span_is(name, e->name) &&
           (fed_span_eq(kind, e->kind->kind) || fed_span_is(kind, "ReplicaSchedulingPreference"));
}

static int64_t time_of(const struct fed_json *event)
{
    static const char *const members[] = {
        "lastTimestamp", "eventTime", "firstTimestamp", "metadata.creationTimestamp"};
    int64_t at = 0;

    for (size_t i = 0; at == 0 && i < 4; i++)
        at = look_time(fed_json_find(event, members[i]));
    return at;
}

static int by_time(const void *a, const void *b)
{
    const struct fed_json *x = *(struct fed_json *const *)a;
    const struct fed_json *y = *(struct fed_json *const *)b;
    int64_t left = time_of(x);
    int64_t right = time_of(y);

    if (left != right)
        return left < right ? -1 : 1;
    return fed_span_cmp(fed_json_string(fed_json_find(x, "metadata.name")),
        fed_json_string(fed_json_find(y, "metadata.name")));
}

/* Whether it was shown in a round before; from now on it was. */
static bool was_shown(struct events *e, const struct fed_json *event)
{
    char key[160];
    int n = snprintf(key, sizeof key, FED_SPAN_FMT "/%lld",
        FED_SPAN_ARG(fed_json_string(fed_json_find(event, "metadata.uid"))),
        (long long)fed_json_int(fed_json_get(event, "count"), 1));
    struct fed_span span = fed_span_of(key, n > 0 && n < 160 ? (size_t)n : 0);

    if (!e->look->watch)
        return false;
    if (fed_map_get(&e->shown, span))
        return true;
    e->failed = e->failed || fed_map_put(&e->shown, span, e);
    return false;
}

static void take_event(void *ctx, struct fed_json *event)
{
    struct events *e = ctx;
    struct fed_json **grown = e->list;

    if (e->failed || !is_wanted(e, event) || was_shown(e, event))
        return;
    if ((e->n & (e->n - 1)) == 0) /* a power of two: full */
        grown = realloc(grown, (e->n ? 2 * e->n : 1) * sizeof *grown);
    if (!grown) {
        e->failed = true;
        return;
    }
    e->list = grown;
    e->list[e->n++] = event;
}

/* ---- showing ---- */
static void print_text(struct events *e)
{
    static const char *const head[] = {"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"};
    struct cli_rows rows;

    if (e->n == 0 && e->first && !e->look->watch)
        fprintf(stderr, "no events; the hub keeps them for an hour\n");
    cli_rows_init(&rows, 5);
    if (e->n > 0 && e->first)
        cli_rows_add(&rows, CLI_PLAIN, head);
    for (size_t i = 0; i < e->n; i++) {
        const struct fed_json *event = e->list[i];
        struct fed_span type = fed_json_string(fed_json_get(event, "type"));
        struct fed_span ns = involved(event, "namespace");
        char object[700];
        char seen[FED_TEXT_TIME_SIZE];

        if (e->look->watch)
            fed_text_time(time_of(event), seen);
        else
            look_age(e->look, time_of(event), seen);
        snprintf(object, sizeof object, FED_SPAN_FMT "%s" FED_SPAN_FMT "/" FED_SPAN_FMT,
            FED_SPAN_ARG(ns), ns.len ? " " : "", FED_SPAN_ARG(involved(event, "kind")),
            FED_SPAN_ARG(involved(event, "name")));
        cli_rows_add(&rows, fed_span_is(type, "Warning") ? CLI_RED : CLI_PLAIN,
            (const char *[]){seen, look_cstr(e->look, type),
                look_text(e->look, fed_json_get(event, "reason")), object,
                look_text(e->look, fed_json_get(event, "message"))});
    }
    cli_rows_print(&rows, stdout);
}

static enum cli_exit print_json(struct events *e)
{
    struct fed_json *list = fed_json_new_array(e->look->cli->doc);
    enum fed_err err = list ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < e->n; i++)
        err = fed_json_append(list, fed_json_clone(e->look->cli->doc, e->list[i]));
    if (err)
        return cli_fail("%s", fed_err_text(err));
    if (!e->look->watch || e->n > 0)
        cli_print_json(list);
    return CLI_DONE;
}

/* ---- reading ---- */
static enum fed_err read_namespace(struct events *e, const char *ns, struct fed_diag *diag)
{
    char path[400];

    snprintf(path, sizeof path, "/api/v1/%s%s%sevents", ns ? "namespaces/" : "", ns ? ns : "",
        ns ? "/" : "");
    return look_list(e->look, path, take_event, e, diag);
}

/* The clusters in which the object is or is to be. */
static enum cli_exit read_clusters(struct events *e)
{
    struct fed_json *object = NULL;
    struct fed_json_iter it;
    enum cli_exit code = look_get(e->look, e->kind, e->name, &object);

    if (code != CLI_DONE)
        return code;
    fed_json_iter_init(&it, fed_json_find(object, "status.clusters"));
    while (fed_json_iter_next(&it))
        if (fed_map_put(&e->clusters, fed_json_string(fed_json_get(it.value, "name")), e))
            return cli_fail("out of memory");
    return CLI_DONE;
}

static const char *own_ns(const struct events *e)
{
    if (!e->kind)
        return e->look->all_namespaces ? NULL : look_ns(e->look);
    if (!e->kind->namespaced)
        return "default"; /* events of what has no namespace are there */
    return e->kind->is_namespace && !e->look->ns_flag ? e->name : look_ns(e->look);
}

static enum cli_exit show(void *ctx)
{
    struct events *e = ctx;
    struct fed_diag diag = {""};
    char version[sizeof e->look->version];
    enum cli_exit code = e->kind ? read_clusters(e) : CLI_DONE;

    e->n = 0;
    if (code != CLI_DONE)
        return code;
    if (read_namespace(e, own_ns(e), &diag))
        return cli_fail("cannot list events: %s", diag.text);
    memcpy(version, e->look->version, sizeof version);
    /* Of clusters; rights there may be missing, and then theirs are. */
    if (own_ns(e) && strcmp(own_ns(e), CLI_SYSTEM_NAMESPACE) != 0)
        (void)!read_namespace(e, CLI_SYSTEM_NAMESPACE, &diag);
    memcpy(e->look->version, version, sizeof version);
    if (e->failed)
        return cli_fail("out of memory");
    if (e->n > 0)
        qsort(e->list, e->n, sizeof *e->list, by_time);
    if (e->look->cli->json)
        code = print_json(e);
    else
        print_text(e);
    e->first = e->first && e->n == 0;
    return code;
}

static enum cli_exit run(struct events *e)
{
    char path[400];
    const char *ns = own_ns(e);

    if (!e->look->watch)
        return show(e);
    e->look->appends = true;
    snprintf(path, sizeof path, "/api/v1/%s%s%sevents", ns ? "namespaces/" : "", ns ? ns : "",
        ns ? "/" : "");
    return look_repeat(e->look, path, show, e);
}

enum cli_exit cli_events(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct fed_diag diag = {""};
    struct look look;
    struct events e = {.look = &look, .first = true};
    enum cli_exit code = look_options(&look, cli, self, "nAw", &argc, &argv);

    fed_map_init(&e.clusters, cli->mem);
    fed_map_init(&e.shown, cli->mem);
    if (code == CLI_DONE && argc > 1)
        code = cli_misuse(self, "takes one RESOURCE/NAME at most");
    if (code == CLI_DONE && look_kinds(&look, &diag))
        code = cli_fail("cannot read which kinds are federated: %s", diag.text);
    if (code == CLI_DONE && argc == 1)
        code = look_name(&look, argv[0], &e.kind, &e.name);
    if (code == CLI_DONE && argc == 0 && !look.ns_flag)
        look.all_namespaces = true;
    if (code == CLI_DONE)
        code = run(&e);
    fed_map_fini(&e.clusters);
    fed_map_fini(&e.shown);
    free(e.list);
    look_fini(&look);
    return code;
}
