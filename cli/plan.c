/* plan.c - fedctl plan: what would go where if these objects were stored.
 *
 * Each object is first written as a dry run, as `kubectl replace` or `create` would write it, so
 * that validation, defaults and rights are those of the real write; then the hub is asked for a
 * PlanReview of all of them together. Nothing is stored. */
#include "cli/review.h"

#include "ports/yaml.h"
#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u << 20)
#define NAMES_SHOWN 8u
#define WRITE_QUERY "dryRun=All&fieldManager=fedctl&fieldValidation=Strict"

struct plan {
    struct look *look;
    struct fed_json *documents; /* of the file */
    struct fed_json *objects;   /* as they would be stored */
    size_t refused;             /* by the hub's API */
    enum fed_err err;
    struct fed_diag diag;
};

/* ---- the file ---- */
static void add_document(struct plan *p, struct fed_json *object)
{
    struct fed_json_iter it;

    if (p->err)
        return;
    if (!fed_span_is(fed_json_string(fed_json_get(object, "kind")), "List")) {
        p->err = fed_json_append(p->documents, fed_json_clone(p->look->cli->doc, object));
        return;
    }
    fed_json_iter_init(&it, fed_json_get(object, "items"));
    while (!p->err && fed_json_iter_next(&it))
        p->err = fed_json_append(p->documents, fed_json_clone(p->look->cli->doc, it.value));
}

static bool take_document(void *ctx, size_t index, struct fed_span json)
{
    struct plan *p = ctx;
    struct fed_json *object = NULL;

    p->err = fed_json_parse(p->look->cli->doc, json, &object, &p->diag);
    if (!p->err && !fed_json_is_object(object))
        p->err =
            fed_diag_set(&p->diag, FED_ERR_INVALID, "document %zu is not an object", index + 1);
    add_document(p, object);
    return !p->err;
}

static enum fed_err read_file(struct plan *p)
{
    struct cli *cli = p->look->cli;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, cli->mem, FILE_BYTES_MAX);
    err = cli_read_file(cli, p->look->file, &text, &p->diag);
    if (!err)
        err = fed_yaml_each_json(cli->mem, fed_buf_span(&text), take_document, p, &p->diag);
    fed_buf_fini(&text);
    return p->err ? p->err : err;
}

/* ---- as they would be stored ---- */
static bool is_namespace(const struct fed_json *object)
{
    return fed_span_is(fed_json_string(fed_json_get(object, "kind")), "Namespace") &&
           fed_span_is(fed_json_string(fed_json_get(object, "apiVersion")), "v1");
}

static const struct look_kind *kind_of(const struct plan *p, const struct fed_json *object)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));
    struct fed_span group = fed_span_sub(api_version, 0, fed_span_find(api_version, '/'));

    for (size_t i = 0; i < p->look->n_kinds; i++)
        if (fed_span_eq(p->look->kinds[i].group, group) &&
            fed_span_eq(p->look->kinds[i].kind, fed_json_string(fed_json_get(object, "kind"))))
            return &p->look->kinds[i];
    return NULL;
}

/* Whether the file itself brings the namespace, so that nothing in it can be written yet. */
static bool brings_namespace(const struct plan *p, struct fed_span ns)
{
    for (struct fed_json_iter it = fed_json_items(p->documents); fed_json_iter_next(&it);) {
        const struct fed_json *object = it.value;

        if (is_namespace(object) &&
            fed_span_eq(fed_json_string(fed_json_find(object, "metadata.name")), ns))
            return true;
    }
    return false;
}

static enum fed_err give_namespace(
    struct plan *p, const struct look_kind *kind, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(p->look->cli->doc, object, "metadata");

    if (!metadata)
        return FED_ERR_NOMEM;
    if (!kind || !kind->namespaced || fed_json_string(fed_json_get(metadata, "namespace")).len > 0)
        return FED_OK;
    return fed_json_set_text(p->look->cli->doc, metadata, "namespace", look_ns(p->look));
}

static enum fed_err put_path(struct plan *p, const struct look_kind *kind,
    const struct fed_json *object, bool named, struct fed_buf *out)
{
    const char *name = look_text(p->look, fed_json_find(object, "metadata.name"));
    const char *ns = look_text(p->look, fed_json_find(object, "metadata.namespace"));

    if (!cli_is_name(name) || (kind && kind->namespaced && !cli_is_name(ns)))
        return fed_diag_set(&p->diag, FED_ERR_INVALID, "it has no name, or none that may be");
    if (kind)
        look_path(kind, ns, named ? name : NULL, out);
    else
        fed_buf_printf(out, "/api/v1/namespaces%s%s", named ? "/" : "", named ? name : "");
    return fed_buf_err(out);
}

static enum fed_err ask(struct plan *p, const struct look_kind *kind, const char *method,
    const struct fed_json *object, struct fed_json **answer)
{
    bool reads = strcmp(method, "GET") == 0;
    struct fed_buf path;
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&path, p->look->cli->mem, 4096);
    fed_buf_init(&body, p->look->cli->mem, FED_JSON_BYTES_MAX);
    err = put_path(p, kind, object, strcmp(method, "POST") != 0, &path);
    if (!reads)
        fed_buf_put_text(&path, "?" WRITE_QUERY);
    if (!err && !reads)
        err = fed_json_put(&body, object);
    if (!err)
        err = cli_ask(p->look->cli, method, fed_buf_cstr(&path), reads ? NULL : "application/json",
            fed_buf_span(&body), answer, &p->diag);
    fed_buf_fini(&path);
    fed_buf_fini(&body);
    return err;
}

/* The object as the hub would store it in place of the present one. */
static enum fed_err dry_run(
    struct plan *p, const struct look_kind *kind, struct fed_json *object, struct fed_json **out)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_json *present = NULL;
    enum fed_err err = ask(p, kind, "GET", object, &present);

    *out = object;
    fed_json_remove(object, "status");
    fed_json_remove(metadata, "resourceVersion");
    if (!err)
        err = fed_json_set(doc, metadata, "resourceVersion",
            fed_json_clone(doc, fed_json_find(present, "metadata.resourceVersion")));
    if (!err)
        return ask(p, kind, "PUT", object, out);
    if (err != FED_ERR_NOT_FOUND)
        return err;
    err = ask(p, kind, "POST", object, out);
    if (err == FED_ERR_NOT_FOUND &&
        brings_namespace(p, fed_json_string(fed_json_get(metadata, "namespace")))) {
        *out = object;
        return FED_OK;
    }
    return err;
}

/* What the file says of policies is no part of the answer, and "nothing goes to clusters" would be
 * wrong: policies decide what may. */
static bool is_policy(const struct fed_json *object)
{
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));

    return (fed_span_is(fed_json_string(fed_json_get(object, "kind")), "PlacementPolicy") ||
               fed_span_is(fed_json_string(fed_json_get(object, "kind")), "RolloutPolicy")) &&
           version.len > 10 &&
           fed_span_eq(fed_span_sub(version, 0, 10), FED_SPAN_LIT("fedlet.io/"));
}

static void take_object(struct plan *p, struct fed_json *object)
{
    const struct look_kind *kind = kind_of(p, object);
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));
    struct fed_span word = fed_json_string(fed_json_get(object, "kind"));
    struct fed_json *stored = NULL;
    enum fed_err err;

    if (is_policy(object)) {
        fprintf(stderr,
            FED_SPAN_FMT " " FED_SPAN_FMT ": left out of the plan, which goes by the policies that "
                         "the hub has now; store it to see what it means\n",
            FED_SPAN_ARG(word), FED_SPAN_ARG(name));
        return;
    }
    if (!kind && !is_namespace(object)) {
        fprintf(stderr,
            FED_SPAN_FMT " " FED_SPAN_FMT ": not federated, nothing of it goes to "
                         "clusters\n",
            FED_SPAN_ARG(word), FED_SPAN_ARG(name));
        return;
    }
    p->diag.text[0] = 0;
    err = give_namespace(p, kind, object);
    if (!err)
        err = dry_run(p, kind, object, &stored);
    if (!err) {
        fed_json_remove(stored, "status");
        err = fed_json_append(p->objects, fed_json_clone(p->look->cli->doc, stored));
    }
    if (!err)
        return;
    p->refused++;
    cli_fail(FED_SPAN_FMT " " FED_SPAN_FMT ": %s", FED_SPAN_ARG(word), FED_SPAN_ARG(name),
        p->diag.text[0] ? p->diag.text : fed_err_text(err));
}

static void take_objects(struct plan *p)
{
    struct fed_json_iter it;
    size_t n = fed_json_count(p->documents);

    fed_json_iter_init(&it, p->documents);
    while (fed_json_iter_next(&it)) {
        if (n > 10)
            cli_progress("checking", it.index + 1, n);
        take_object(p, it.value);
    }
    if (n > 10)
        cli_progress("", 0, 0);
}

/* ---- showing ---- */
static const char *const actions[] = {
    "create", "update", "remove", "refused", "removing", "unchanged", "forbidden"};
#define N_ACTIONS (sizeof actions / sizeof *actions)

static enum cli_color color_of(const char *action)
{
    if (strcmp(action, "create") == 0)
        return CLI_GREEN;
    if (strcmp(action, "update") == 0)
        return CLI_YELLOW;
    return strcmp(action, "remove") == 0 || strcmp(action, "refused") == 0 ? CLI_RED : CLI_PLAIN;
}

static void put_bytes(int64_t bytes, char out[32])
{
    if (bytes < 10240)
        snprintf(out, 32, "%lld B", (long long)bytes);
    else if (bytes < 10 << 20)
        snprintf(out, 32, "%lld KiB", (long long)(bytes >> 10));
    else
        snprintf(out, 32, "%lld MiB", (long long)(bytes >> 20));
}

struct summing { /* clusters of one action of one object */
    size_t n;
    size_t away; /* not heard of now */
    int64_t bytes;
};

static void print_cluster_name(const struct plan *p, const struct fed_json *row, size_t shown)
{
    struct fed_span message = fed_json_string(fed_json_get(row, "message"));
    struct fed_span reason = fed_json_string(fed_json_get(row, "reason"));

    printf("%s" FED_SPAN_FMT, shown ? ", " : "",
        FED_SPAN_ARG(fed_json_string(fed_json_get(row, "name"))));
    if (reason.len > 0)
        printf(" (" FED_SPAN_FMT ": %s)", FED_SPAN_ARG(reason), look_cstr(p->look, message));
}

static void print_action(struct plan *p, const struct fed_json *rows, const char *action)
{
    struct summing sum = {0};
    size_t shown = 0;
    char bytes[32];

    for (struct fed_json_iter it = fed_json_items(rows); fed_json_iter_next(&it);) {
        const struct fed_json *row = it.value;
        const struct look_cluster *cluster =
            look_cluster(p->look, fed_json_string(fed_json_get(row, "name")));

        if (!fed_span_is(fed_json_string(fed_json_get(row, "action")), action))
            continue;
        sum.n++;
        sum.away += !cluster || cluster->ready != LOOK_READY;
        sum.bytes += fed_json_int(fed_json_get(row, "bytes"), 0);
    }
    if (sum.n == 0)
        return;
    cli_paint(stdout, color_of(action));
    printf("  %-9s", action);
    cli_paint(stdout, CLI_PLAIN);
    printf(" %4zu  ", sum.n);
    for (struct fed_json_iter it = fed_json_items(rows); fed_json_iter_next(&it);) {
        const struct fed_json *row = it.value;

        if (!fed_span_is(fed_json_string(fed_json_get(row, "action")), action))
            continue;
        if (shown == NAMES_SHOWN && !p->look->all) {
            printf(", ...");
            break;
        }
        print_cluster_name(p, row, shown++);
    }
    put_bytes(sum.bytes, bytes);
    if (sum.bytes > 0)
        printf("   %s", bytes);
    if (sum.away > 0 && strcmp(action, "unchanged") != 0 && strcmp(action, "forbidden") != 0)
        printf("   (%zu not heard of now: when they are back)", sum.away);
    printf("\n");
}

/* What is shown of clusters is how they are in the end. */
static void print_rollout(const struct plan *p, const struct fed_json *rollout)
{
    const struct fed_json *message = fed_json_get(rollout, "message");
    struct fed_span policy = fed_json_string(fed_json_get(rollout, "policy"));

    if (!rollout)
        return;
    printf("  %s", fed_json_bool(fed_json_get(rollout, "begins"), false) ? "begins a rollout"
                                                                         : "begins no rollout");
    if (policy.len > 0)
        printf(" by RolloutPolicy " FED_SPAN_FMT, FED_SPAN_ARG(policy));
    printf("%s%s\n", message ? ": " : "", message ? look_text(p->look, message) : "");
}

static void print_object(struct plan *p, const struct fed_json *object)
{
    struct fed_span ns = fed_json_string(fed_json_get(object, "namespace"));
    struct fed_span reason = fed_json_string(fed_json_get(object, "reason"));
    const struct fed_json *rows = fed_json_get(object, "clusters");

    /* A Namespace without the label is the hub's alone. */
    if (is_namespace(object) && fed_json_count(rows) == 0)
        return;
    cli_paint(stdout, CLI_BOLD);
    printf(FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(object, "kind"))), FED_SPAN_ARG(ns),
        ns.len ? "/" : "", FED_SPAN_ARG(fed_json_string(fed_json_get(object, "name"))));
    cli_paint(stdout, CLI_PLAIN);
    if (!fed_json_bool(fed_json_get(object, "asked"), true))
        printf("   follows from the above");
    else if (!fed_json_bool(fed_json_get(object, "stored"), true))
        printf("   new");
    if (reason.len > 0)
        printf("   " FED_SPAN_FMT ": %s", FED_SPAN_ARG(reason),
            look_text(p->look, fed_json_get(object, "message")));
    printf("%s\n", fed_json_count(rows) == 0 ? "   goes to no cluster" : "");
    print_rollout(p, fed_json_get(object, "rollout"));
    for (size_t i = 0; i < N_ACTIONS; i++)
        print_action(p, rows, actions[i]);
}

static void print_totals(const struct fed_json *status)
{
    const struct fed_json *totals = fed_json_get(status, "totals");
    int64_t hidden = fed_json_int(fed_json_get(status, "hidden"), 0);
    bool some = false;
    char bytes[32];

    printf("\ntotal: ");
    for (size_t i = 0; i < N_ACTIONS; i++) {
        int64_t n = fed_json_int(fed_json_get(totals, actions[i]), 0);

        if (n > 0)
            printf("%s%lld %s", some ? ", " : "", (long long)n, actions[i]);
        some = some || n > 0;
    }
    put_bytes(fed_json_int(fed_json_get(totals, "bytes"), 0), bytes);
    printf("%s; %s to send, before compression\n", some ? "" : "nothing", bytes);
    if (hidden > 0)
        printf("%lld more objects would change that you may not see\n", (long long)hidden);
    if (fed_json_bool(fed_json_get(status, "rowsCut"), false))
        printf("not all clusters are shown; the total counts all\n");
}

static enum cli_exit print_plan(struct plan *p, const struct fed_json *status)
{
    const struct fed_json *objects = fed_json_get(status, "objects");
    struct fed_buf yaml;
    enum cli_exit code = CLI_DONE;

    if (p->look->cli->json) {
        cli_print_json(status);
        return CLI_DONE;
    }
    if (p->look->cli->output && strcmp(p->look->cli->output, "yaml") == 0) {
        fed_buf_init(&yaml, p->look->cli->mem, 4 * FED_YAML_PUT_BYTES_MAX);
        if (review_put_yaml(p->look, status, &yaml, &p->diag))
            code = cli_fail("too large for YAML; -o json has no limit");
        else
            fwrite(yaml.at, 1, yaml.len, stdout);
        fed_buf_fini(&yaml);
        return code;
    }
    for (struct fed_json_iter it = fed_json_items(objects); fed_json_iter_next(&it);)
        print_object(p, it.value);
    print_totals(status);
    return CLI_DONE;
}

static bool changes_something(const struct fed_json *status)
{
    const struct fed_json *totals = fed_json_get(status, "totals");

    for (size_t i = 0; i < 4; i++) /* the first ones are changes */
        if (fed_json_int(fed_json_get(totals, actions[i]), 0) > 0)
            return true;
    return false;
}

static enum cli_exit run(struct plan *p)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *spec = fed_json_new_object(doc);
    struct fed_json *status = NULL;
    enum cli_exit code;
    enum fed_err err;

    p->documents = fed_json_new_array(doc);
    p->objects = fed_json_new_array(doc);
    err = spec && p->documents && p->objects ? read_file(p) : FED_ERR_NOMEM;
    if (err)
        return cli_fail("%s", p->diag.text[0] ? p->diag.text : fed_err_text(err));
    if (look_kinds(p->look, &p->diag) || look_clusters(p->look, &p->diag))
        return cli_fail("cannot read kinds and clusters: %s", p->diag.text);
    take_objects(p);
    if (p->refused > 0)
        return cli_fail("the hub would refuse %zu of %zu objects; nothing is planned", p->refused,
            fed_json_count(p->documents));
    if (fed_json_count(p->objects) == 0)
        return cli_fail("%s has no federated object", p->look->file);
    err = fed_json_set(doc, spec, "objects", p->objects);
    if (!err)
        err = review_ask(p->look, spec, &status, &p->diag);
    if (err)
        return cli_fail("%s", p->diag.text[0] ? p->diag.text : fed_err_text(err));
    code = print_plan(p, status);
    return code == CLI_DONE && p->look->exit_code && changes_something(status) ? CLI_FAILED : code;
}

enum cli_exit cli_plan(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct look look;
    struct plan p = {.look = &look, .diag = {""}};
    enum cli_exit code = look_options(&look, cli, self, "naef", &argc, &argv);

    if (code == CLI_DONE && argc > 0)
        code = cli_misuse(self, "takes no arguments: -f names the file");
    if (code == CLI_DONE && !look.file)
        code = cli_misuse(self, "needs -f FILE");
    if (code == CLI_DONE)
        code = run(&p);
    look_fini(&look);
    return code;
}
