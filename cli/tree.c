/* tree.c - fedctl tree: federated namespaces, the objects in them, the clusters of each, and how
 * the member's object is there. */
#include "cli/status.h"

#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>

#define CLUSTERS_SHOWN 20u

struct tree {
    struct look *look;
    const struct look_kind *kind; /* that is being read */
    struct status_object *objects;
    size_t n;
    bool failed;
    bool ascii;
};

static void take_object(void *ctx, struct fed_json *object)
{
    struct tree *t = ctx;
    struct status_object *grown = t->objects;

    if (t->failed)
        return;
    if ((t->n & (t->n - 1)) == 0) /* a power of two: full */
        grown = realloc(grown, (t->n ? 2 * t->n : 1) * sizeof *grown);
    if (grown)
        t->objects = grown;
    t->failed = !grown || status_take(t->look, t->kind, object, &grown[t->n]);
    t->n += !t->failed;
}

/* Those of no namespace last; the FederatedNamespace before what is in it. */
static int by_place(const void *a, const void *b)
{
    const struct status_object *x = a;
    const struct status_object *y = b;
    int order = fed_span_cmp(x->ns, y->ns);

    if (order != 0 && (x->ns.len == 0 || y->ns.len == 0))
        return x->ns.len == 0 ? 1 : -1;
    if (order == 0 && x->kind->is_namespace != y->kind->is_namespace)
        return x->kind->is_namespace ? -1 : 1;
    if (order == 0)
        order = fed_span_cmp(x->kind->plural, y->kind->plural);
    return order ? order : fed_span_cmp(x->name, y->name);
}

/* ---- JSON ---- */
static enum fed_err put_clusters(
    struct tree *t, struct fed_json *to, const struct status_object *status)
{
    struct fed_json_doc *doc = t->look->cli->doc;
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = fed_json_set(doc, to, "clusters", list);

    for (size_t i = 0; !err && i < status->n_rows; i++) {
        const struct status_row *row = &status->rows[i];
        struct fed_json *one = fed_json_new_object(doc);

        err = fed_json_append(list, one);
        if (!err)
            err = fed_json_set_string(doc, one, "name", row->cluster);
        if (!err)
            err = fed_json_set_text(doc, one, "state", cli_state_name(row->state));
        if (!err && row->word.len)
            err = fed_json_set_string(doc, one, "status", row->word);
        if (!err && row->health.len)
            err = fed_json_set_string(doc, one, "health", row->health);
        if (!err && row->message.len)
            err = fed_json_set_string(doc, one, "message", row->message);
    }
    return err;
}

static enum fed_err put_object(
    struct tree *t, struct fed_json *to, const struct status_object *status)
{
    struct fed_json_doc *doc = t->look->cli->doc;
    enum fed_err err = fed_json_set_string(doc, to, "kind", status->kind->kind);

    if (!err)
        err = fed_json_set_string(doc, to, "name", status->name);
    if (!err)
        err = fed_json_set_text(doc, to, "state", cli_state_name(status_worst(status)));
    if (!err && status->problem.len)
        err = fed_json_set_string(doc, to, "reason", status->problem);
    if (!err)
        err = status_json_counts(t->look, to, status->counts);
    return err ? err : put_clusters(t, to, status);
}

/* {"name", "objects": [...]} of what has the same namespace; *next is the first one beyond. */
static enum fed_err put_namespace(struct tree *t, struct fed_json *list, size_t from, size_t *next)
{
    struct fed_json_doc *doc = t->look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    struct fed_json *objects = fed_json_new_array(doc);
    struct fed_span ns = t->objects[from].ns;
    enum fed_err err = fed_json_append(list, to);

    if (!err)
        err = fed_json_set_string(doc, to, "name", ns);
    for (*next = from; !err && *next < t->n && fed_span_eq(t->objects[*next].ns, ns); ++*next) {
        const struct status_object *status = &t->objects[*next];
        struct fed_json *one = fed_json_new_object(doc);

        if (status->kind->is_namespace)
            err = fed_json_set(doc, to, "federatedNamespace", one);
        else
            err = fed_json_append(objects, one);
        if (!err)
            err = put_object(t, one, status);
    }
    return err ? err : fed_json_set(doc, to, "objects", objects);
}

static enum cli_exit print_json(struct tree *t)
{
    struct fed_json_doc *doc = t->look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = fed_json_set(doc, to, "namespaces", list);

    for (size_t i = 0; !err && i < t->n;)
        err = put_namespace(t, list, i, &i);
    if (err)
        return cli_fail("%s", fed_err_text(err));
    cli_print_json(to);
    return CLI_DONE;
}

/* ---- text ---- */
static bool locale_is_ascii(void)
{
    const char *names[] = {getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")};

    for (size_t i = 0; i < 3; i++)
        if (names[i] && names[i][0])
            return !strstr(names[i], "UTF-8") && !strstr(names[i], "utf8");
    return true;
}

static const char *branch(const struct tree *t, bool last)
{
    if (t->ascii)
        return last ? "`- " : "|- ";
    return last ? "\u2514\u2500 " : "\u251c\u2500 ";
}

static const char *stem(const struct tree *t, bool last)
{
    return last ? "   " : t->ascii ? "|  " : "\u2502  ";
}

static void print_cluster(struct tree *t, const struct status_row *row)
{
    cli_paint(stdout, status_color(row->state));
    printf(FED_SPAN_FMT "   %s", FED_SPAN_ARG(row->cluster), cli_state_name(row->state));
    if (row->health.len > 0)
        printf("   " FED_SPAN_FMT, FED_SPAN_ARG(row->health));
    if (row->word.len > 0)
        printf("   " FED_SPAN_FMT "%s", FED_SPAN_ARG(row->word), row->message.len ? ": " : "");
    if (row->word.len > 0 && row->message.len > 0) {
        struct fed_buf clean;

        fed_buf_init(&clean, t->look->cli->mem, 4096);
        cli_put_clean(&clean, row->message);
        printf("%s", fed_buf_cstr(&clean));
        fed_buf_fini(&clean);
    }
    cli_paint(stdout, CLI_PLAIN);
    printf("\n");
}

static void print_clusters(struct tree *t, const struct status_object *status, const char *before)
{
    size_t shown =
        t->look->all || status->n_rows <= CLUSTERS_SHOWN ? status->n_rows : CLUSTERS_SHOWN;

    for (size_t i = 0; i < shown; i++) {
        printf("%s%s", before, branch(t, i + 1 == status->n_rows));
        print_cluster(t, &status->rows[i]);
    }
    if (shown < status->n_rows)
        printf("%s%s... and %zu more; all of them with --all\n", before, branch(t, true),
            status->n_rows - shown);
}

static void print_name(const struct status_object *status)
{
    struct fed_span kind =
        status->kind->singular.len ? status->kind->singular : status->kind->plural;
    char counts[200];

    status_counts(status->counts, counts, sizeof counts);
    cli_paint(stdout, CLI_BOLD);
    printf(FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(kind), FED_SPAN_ARG(status->name));
    cli_paint(stdout, CLI_PLAIN);
    printf("   %s", counts[0] ? counts : "no clusters");
    if (status->problem.len > 0)
        printf("   " FED_SPAN_FMT, FED_SPAN_ARG(status->problem));
    printf("%s\n", status->deleting ? "   being deleted" : "");
}

/* What stands for a namespace without a FederatedNamespace: its label, or nothing. Who may not read
 * namespaces is told the latter as what it is. */
static const char *word_of_namespace(struct tree *t, struct fed_span ns)
{
    struct fed_json *object;
    struct fed_diag diag = {""};
    char path[300];

    snprintf(path, sizeof path, "/api/v1/namespaces/" FED_SPAN_FMT, FED_SPAN_ARG(ns));
    if (!cli_ask(t->look->cli, "GET", path, NULL, fed_span_text(""), &object, &diag) &&
        fed_span_is(fed_json_string(fed_json_find(object, "metadata.labels.federated")), "true"))
        return "   (federated by its label)";
    return "   (no FederatedNamespace of its name)";
}

static void print_namespace(struct tree *t, size_t from, size_t to)
{
    struct fed_span ns = t->objects[from].ns;
    bool federated = t->objects[from].kind->is_namespace;

    if (ns.len == 0)
        printf("(of no namespace)\n");
    else
        printf(FED_SPAN_FMT "%s\n", FED_SPAN_ARG(ns), federated ? "" : word_of_namespace(t, ns));
    for (size_t i = from; i < to; i++) {
        bool last = i + 1 == to;

        printf("%s", branch(t, last));
        print_name(&t->objects[i]);
        print_clusters(t, &t->objects[i], stem(t, last));
    }
}

static void print_text(struct tree *t)
{
    for (size_t i = 0; i < t->n;) {
        size_t from = i;

        while (i < t->n && fed_span_eq(t->objects[i].ns, t->objects[from].ns))
            i++;
        print_namespace(t, from, i);
    }
    if (t->n == 0)
        fprintf(stderr, "no federated objects here; -A looks in all namespaces\n");
}

/* ---- what is asked ---- */
static enum cli_exit read_all(struct tree *t, bool with_cluster_scoped)
{
    struct fed_diag diag = {""};

    for (size_t i = 0; i < t->look->n_kinds; i++) {
        enum fed_err err = FED_OK;

        t->kind = &t->look->kinds[i];
        if (t->kind->namespaced || with_cluster_scoped)
            err = look_objects(t->look, t->kind, take_object, t, &diag);
        if (err == FED_ERR_FORBIDDEN)
            fprintf(stderr, "left out: %s\n", diag.text);
        else if (err && err != FED_ERR_NOT_FOUND)
            return cli_fail(
                "cannot list " FED_SPAN_FMT ": %s", FED_SPAN_ARG(t->kind->plural), diag.text);
    }
    return CLI_DONE;
}

static enum cli_exit read_one(struct tree *t, const char *text)
{
    const char *name;
    struct fed_json *object;
    enum cli_exit code = look_name(t->look, text, &t->kind, &name);

    if (code == CLI_DONE)
        code = look_get(t->look, t->kind, name, &object);
    if (code == CLI_DONE)
        take_object(t, object);
    return code;
}

static enum cli_exit read_what(struct tree *t, int argc, char **argv)
{
    if (argc == 1 && strchr(argv[0], '/'))
        return read_one(t, argv[0]);
    if (argc == 1) {
        if (!fed_text_is_dns_label(fed_span_text(argv[0])))
            return cli_misuse(t->look->self, "\"%s\" is not the name of a namespace", argv[0]);
        t->look->ns_flag = argv[0];
        return read_all(t, false);
    }
    t->look->all_namespaces = !t->look->ns_flag;
    return read_all(t, t->look->all_namespaces);
}

enum cli_exit cli_tree(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct fed_diag diag = {""};
    struct look look;
    struct tree t = {.look = &look, .ascii = locale_is_ascii()};
    enum cli_exit code = look_options(&look, cli, self, "nAa", &argc, &argv);

    if (code == CLI_DONE && argc > 1)
        code = cli_misuse(self, "takes one RESOURCE/NAME or NAMESPACE at most");
    if (code == CLI_DONE && (look_kinds(&look, &diag) || look_clusters(&look, &diag)))
        code = cli_fail("cannot read kinds and clusters: %s", diag.text);
    if (code == CLI_DONE)
        code = read_what(&t, argc, argv);
    if (code == CLI_DONE && t.failed)
        code = cli_fail("out of memory");
    if (code == CLI_DONE) {
        if (t.n > 0)
            qsort(t.objects, t.n, sizeof *t.objects, by_place);
        if (cli->json)
            code = print_json(&t);
        else
            print_text(&t);
    }
    for (size_t i = 0; i < t.n; i++)
        status_fini(&t.objects[i]);
    free(t.objects);
    look_fini(&look);
    return code;
}
