/* diff.c - fedctl diff: what the hub wants in clusters, against each other, against what agents
 * report, and with --cluster-context against the member's object itself.
 *
 * Agents report states and digests, never contents. So without a context the differences are those
 * that overrides make, and the clusters that do not hold what is wanted. With one, the member says
 * what applying the wanted object would change (server-side apply as a dry run, as `kubectl diff
 * --server-side`); where that is not allowed, the fields that we send are compared one by one.
 * Exit codes are those of kubectl diff: 0 none, 1 differences, 2 failed. */
#include "cli/review.h"
#include "cli/status.h"
#include "cli/unified.h"

#include <string.h>

#define DIFF_BYTES_MAX (32u << 20)
#define NAMES_SHOWN 5u
#define ROWS_SHOWN 20u
#define AGENT_MANAGER "fedlet" /* agent/agent.h: whose fields they are in members */

struct diff {
    struct look *look;
    const struct look_kind *kind;
    struct status_object status;
    const struct fed_json *clusters; /* of the review */
    const struct fed_json *variants;
    bool variants_cut;
    struct fed_buf text; /* the differences */
    bool differs;
    struct fed_diag diag;
};

/* ---- what is wanted ---- */
static enum fed_err ask_review(struct diff *d)
{
    struct fed_json_doc *doc = d->look->cli->doc;
    struct fed_json *spec = fed_json_new_object(doc);
    struct fed_json *list = fed_json_new_array(doc);
    struct fed_json *one = fed_json_new_object(doc);
    struct fed_json *status = NULL;
    const struct fed_json *object;
    enum fed_err err = spec ? fed_json_set_bool(doc, spec, "render", true) : FED_ERR_NOMEM;

    /* Against others they are needed as well. */
    if (!err && d->look->cluster && d->look->cluster_context)
        err = fed_json_set_text(doc, spec, "cluster", d->look->cluster);
    if (!err)
        err = fed_json_set(doc, spec, "references", list);
    if (!err)
        err = fed_json_append(list, one);
    if (!err)
        err = fed_json_set_string(
            doc, one, "apiVersion", fed_json_string(fed_json_get(d->status.object, "apiVersion")));
    if (!err)
        err = fed_json_set_string(doc, one, "kind", d->kind->kind);
    if (!err && d->status.ns.len)
        err = fed_json_set_string(doc, one, "namespace", d->status.ns);
    if (!err)
        err = fed_json_set_string(doc, one, "name", d->status.name);
    if (!err)
        err = review_ask(d->look, spec, &status, &d->diag);
    object = fed_json_at(fed_json_get(status, "objects"), 0);
    d->clusters = fed_json_get(object, "clusters");
    d->variants = fed_json_get(object, "variants");
    d->variants_cut = fed_json_bool(fed_json_get(object, "variantsCut"), false);
    return err;
}

static int64_t variant_of(const struct fed_json *cluster)
{
    return fed_json_int(fed_json_get(cluster, "variant"), -1);
}

static size_t clusters_of(const struct diff *d, int64_t variant)
{
    size_t n = 0;

    for (struct fed_json_iter it = fed_json_items(d->clusters); fed_json_iter_next(&it);)
        n += variant_of(it.value) == variant;
    return n;
}

/* "3 clusters: berlin, lyon, paris" */
static void put_clusters(const struct diff *d, int64_t variant, struct fed_buf *out)
{
    size_t n = clusters_of(d, variant);
    size_t shown = 0;

    fed_buf_printf(out, "%zu cluster%s: ", n, n == 1 ? "" : "s");
    for (struct fed_json_iter it = fed_json_items(d->clusters); fed_json_iter_next(&it);) {
        if (variant_of(it.value) != variant)
            continue;
        if (shown == NAMES_SHOWN && !d->look->all) {
            fed_buf_put_text(out, ", ...");
            return;
        }
        fed_buf_printf(out, "%s" FED_SPAN_FMT, shown++ ? ", " : "",
            FED_SPAN_ARG(fed_json_string(fed_json_get(it.value, "name"))));
    }
}

/* The variant that most clusters have. */
static int64_t common_variant(const struct diff *d)
{
    int64_t best = -1;
    size_t most = 0;

    for (size_t i = 0; i < fed_json_count(d->variants); i++) {
        size_t n = clusters_of(d, (int64_t)i);

        if (n > most) {
            most = n;
            best = (int64_t)i;
        }
    }
    return best;
}

static enum fed_err put_difference(struct diff *d, struct fed_buf *old_name,
    const struct fed_json *old, struct fed_buf *new_name, const struct fed_json *new)
{
    struct fed_buf left;
    struct fed_buf right;
    size_t before = d->text.len;
    enum fed_err err = FED_OK;

    fed_buf_init(&left, d->look->cli->mem, DIFF_BYTES_MAX);
    fed_buf_init(&right, d->look->cli->mem, DIFF_BYTES_MAX);
    if (old)
        err = review_put_yaml(d->look, old, &left, &d->diag);
    if (!err && new)
        err = review_put_yaml(d->look, new, &right, &d->diag);
    if (!err)
        err = cli_unified_put(d->look->cli->mem, fed_buf_span(old_name), fed_buf_span(&left),
            fed_buf_span(new_name), fed_buf_span(&right), &d->text);
    d->differs = d->differs || d->text.len > before;
    fed_buf_fini(&left);
    fed_buf_fini(&right);
    return err;
}

/* Whether the variant is that of --cluster. */
static bool has_cluster(const struct diff *d, int64_t variant)
{
    for (struct fed_json_iter it = fed_json_items(d->clusters); fed_json_iter_next(&it);)
        if (variant_of(it.value) == variant &&
            fed_span_is(fed_json_string(fed_json_get(it.value, "name")), d->look->cluster))
            return true;
    return false;
}

static enum fed_err compare_variants(struct diff *d)
{
    int64_t base = common_variant(d);
    struct fed_buf old_name;
    struct fed_buf new_name;
    enum fed_err err = FED_OK;

    fed_buf_init(&old_name, d->look->cli->mem, 1u << 20);
    fed_buf_init(&new_name, d->look->cli->mem, 1u << 20);
    put_clusters(d, base, &old_name);
    for (struct fed_json_iter it = fed_json_items(d->variants);
         !err && base >= 0 && fed_json_iter_next(&it);) {
        if ((int64_t)it.index == base || (d->look->cluster && !has_cluster(d, (int64_t)it.index)))
            continue;
        fed_buf_clear(&new_name);
        put_clusters(d, (int64_t)it.index, &new_name);
        err = put_difference(
            d, &old_name, fed_json_at(d->variants, (size_t)base), &new_name, it.value);
    }
    fed_buf_fini(&old_name);
    fed_buf_fini(&new_name);
    return err;
}

/* ---- what a member has ---- */
static struct fed_json *project(
    struct fed_json_doc *doc, struct fed_json *wanted, const struct fed_json *live);

/* The item of a list that stands for the same thing: by its name, or what else names it. */
static const struct fed_json *counterpart(
    const struct fed_json *item, const struct fed_json *list, size_t index)
{
    static const char *const keys[] = {
        "name", "key", "containerPort", "port", "mountPath", "ip", "topologyKey", "type"};

    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const struct fed_json *value = fed_json_get(item, keys[k]);

        for (struct fed_json_iter it = fed_json_items(list); value && fed_json_iter_next(&it);)
            if (fed_json_eq(fed_json_get(it.value, keys[k]), value))
                return it.value;
        if (value)
            return NULL;
    }
    return fed_json_at(list, index);
}

static struct fed_json *project_list(
    struct fed_json_doc *doc, struct fed_json *wanted, const struct fed_json *live)
{
    struct fed_json *out = fed_json_new_array(doc);
    struct fed_json_iter it;

    if (!fed_json_is_object(fed_json_at(wanted, 0)))
        return fed_json_clone(doc, live);
    fed_json_iter_init(&it, wanted);
    while (out && fed_json_iter_next(&it)) {
        const struct fed_json *other = counterpart(it.value, live, it.index);

        if (other && fed_json_append(out, project(doc, it.value, other)))
            return NULL;
    }
    return out;
}

/* Of what is live, the part that has the form of what is wanted. NULL when memory is out. */
static struct fed_json *project(
    struct fed_json_doc *doc, struct fed_json *wanted, const struct fed_json *live)
{
    struct fed_json *out;
    struct fed_json_iter it;

    if (fed_json_is_array(wanted) && fed_json_is_array(live))
        return project_list(doc, wanted, live);
    if (!fed_json_is_object(wanted) || !fed_json_is_object(live))
        return fed_json_clone(doc, live);
    out = fed_json_new_object(doc);
    fed_json_iter_init(&it, wanted);
    while (out && fed_json_iter_next(&it)) {
        const struct fed_json *other = fed_json_get_span(live, it.key);

        if (other && fed_json_set_span(doc, out, it.key, project(doc, it.value, other)))
            return NULL;
    }
    return out;
}

/* What the server writes by itself is no difference. */
static void strip(struct fed_json *object)
{
    static const char *const members[] = {
        "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"};
    struct fed_json *metadata = fed_json_get(object, "metadata");

    fed_json_remove(object, "status");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        fed_json_remove(metadata, members[i]);
}

static enum fed_err ask_member(struct diff *d, struct fed_kube *member, const char *method,
    const char *query, const struct fed_json *body, struct fed_json **out)
{
    struct fed_span api_version =
        fed_json_string(fed_json_get(fed_json_at(d->variants, 0), "apiVersion"));
    struct fed_buf path;
    struct fed_buf text;
    enum fed_err err = FED_OK;

    fed_buf_init(&path, d->look->cli->mem, 4096);
    fed_buf_init(&text, d->look->cli->mem, FED_JSON_BYTES_MAX);
    fed_buf_printf(&path, "/%s/" FED_SPAN_FMT,
        fed_span_find(api_version, '/') < api_version.len ? "apis" : "api",
        FED_SPAN_ARG(api_version));
    if (d->kind->target_namespaced)
        fed_buf_printf(&path, "/namespaces/" FED_SPAN_FMT, FED_SPAN_ARG(d->status.ns));
    fed_buf_printf(&path, "/" FED_SPAN_FMT "/" FED_SPAN_FMT "%s",
        FED_SPAN_ARG(d->kind->target_plural), FED_SPAN_ARG(d->status.name), query);
    if (body)
        err = fed_json_put(&text, body);
    if (!err)
        err = cli_ask_at(d->look->cli, member, method, fed_buf_cstr(&path),
            body ? "application/apply-patch+yaml" : NULL, fed_buf_span(&text), out, &d->diag);
    fed_buf_fini(&path);
    fed_buf_fini(&text);
    return err;
}

/* old: what is there; new: what applying would make of it. */
static enum fed_err read_member(struct diff *d, struct fed_kube *member, struct fed_json *wanted,
    struct fed_json **old, struct fed_json **new)
{
    struct fed_json_doc *doc = d->look->cli->doc;
    struct fed_json *live = NULL;
    enum fed_err err = ask_member(d, member, "GET", "", NULL, &live);

    *old = NULL;
    *new = wanted;
    if (err == FED_ERR_NOT_FOUND)
        return FED_OK;
    if (err)
        return err;
    if (!ask_member(d, member, "PATCH", "?dryRun=All&force=true&fieldManager=" AGENT_MANAGER,
            wanted, new)) {
        strip(live);
        strip(*new);
        *old = live;
        return FED_OK;
    }
    fprintf(stderr, "the member makes no dry run (%s); the fields that are sent are compared\n",
        d->diag.text);
    *new = wanted;
    *old = project(doc, wanted, live);
    return *old ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err compare_member(struct diff *d)
{
    struct fed_json *wanted = fed_json_at(d->variants, 0);
    const struct fed_kube_config *config = NULL;
    struct fed_kube *member = NULL;
    struct fed_json *old = NULL;
    struct fed_json *new = NULL;
    struct fed_buf old_name;
    struct fed_buf new_name;
    enum fed_err err;

    if (fed_json_count(d->variants) != 1)
        return fed_diag_set(&d->diag, FED_ERR_INVALID,
            fed_json_count(d->variants) == 0 ? "the hub wants it in no such cluster"
                                             : "clusters differ; --cluster says which one it is");
    err = d->look->cli->connect_member(
        d->look->cli->connect_ctx, d->look->cluster_context, &member, &config, &d->diag);
    if (!err)
        err = read_member(d, member, wanted, &old, &new);
    fed_buf_init(&old_name, d->look->cli->mem, 4096);
    fed_buf_init(&new_name, d->look->cli->mem, 4096);
    fed_buf_printf(&old_name, "live in context %s", d->look->cluster_context);
    fed_buf_put_text(&new_name, "wanted by the hub");
    if (!err)
        err = put_difference(d, &old_name, old, &new_name, new);
    fed_buf_fini(&old_name);
    fed_buf_fini(&new_name);
    return err;
}

/* ---- showing ---- */
static bool is_shown(const struct diff *d, const struct status_row *row)
{
    return !d->look->cluster || fed_span_is(row->cluster, d->look->cluster);
}

/* The clusters that do not hold what is wanted. */
static void print_states(struct diff *d)
{
    size_t shown = 0;
    size_t left = 0;

    for (size_t i = 0; i < d->status.n_rows; i++) {
        const struct status_row *row = &d->status.rows[i];

        if (cli_state_is_settled(row->state) || !is_shown(d, row))
            continue;
        if (shown == ROWS_SHOWN && !d->look->all) {
            left++;
            continue;
        }
        shown++;
        printf("# " FED_SPAN_FMT ": %s: " FED_SPAN_FMT "%s%s\n", FED_SPAN_ARG(row->cluster),
            cli_state_name(row->state), FED_SPAN_ARG(row->word), row->message.len ? ": " : "",
            look_cstr(d->look, row->message));
    }
    if (left > 0)
        printf("# ... and %zu more; all of them with --all\n", left);
}

static void print_text(struct diff *d)
{
    struct fed_span rest = fed_buf_span(&d->text);
    struct fed_span line;

    while (fed_span_split(&rest, '\n', &line)) {
        enum cli_color color = line.len == 0       ? CLI_PLAIN
                               : line.at[0] == '-' ? CLI_RED
                               : line.at[0] == '+' ? CLI_GREEN
                               : line.at[0] == '@' ? CLI_DIM
                                                   : CLI_PLAIN;

        cli_paint(stdout, color);
        fwrite(line.at, 1, line.len, stdout);
        if (color != CLI_PLAIN)
            cli_paint(stdout, CLI_PLAIN);
        fputc('\n', stdout);
    }
    if (d->variants_cut)
        printf("# there are more variants than are shown; --cluster shows one\n");
    print_states(d);
}

static enum fed_err put_json_clusters(struct diff *d, struct fed_json *list)
{
    struct fed_json_doc *doc = d->look->cli->doc;
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < d->status.n_rows; i++) {
        const struct status_row *row = &d->status.rows[i];
        struct fed_json *one = fed_json_new_object(doc);

        if (!is_shown(d, row))
            continue;
        err = fed_json_append(list, one);
        if (!err)
            err = fed_json_set_string(doc, one, "name", row->cluster);
        if (!err)
            err = fed_json_set_text(doc, one, "state", cli_state_name(row->state));
        if (!err && row->message.len)
            err = fed_json_set_string(doc, one, "message", row->message);
        for (struct fed_json_iter it = fed_json_items(d->clusters);
             !err && fed_json_iter_next(&it);)
            if (variant_of(it.value) >= 0 &&
                fed_span_eq(row->cluster, fed_json_string(fed_json_get(it.value, "name"))))
                err = fed_json_set_int(doc, one, "variant", variant_of(it.value));
    }
    return err;
}

static enum fed_err print_json(struct diff *d)
{
    struct fed_json_doc *doc = d->look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = to ? fed_json_set_bool(doc, to, "differs", d->differs) : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_string(doc, to, "diff", fed_buf_span(&d->text));
    if (!err)
        err = fed_json_set(doc, to, "clusters", list);
    if (!err)
        err = put_json_clusters(d, list);
    if (!err)
        err = fed_json_set(doc, to, "variants",
            d->variants ? fed_json_clone(doc, d->variants) : fed_json_new_array(doc));
    if (!err)
        cli_print_json(to);
    return err;
}

static enum fed_err compare(struct diff *d)
{
    enum fed_err err = ask_review(d);

    if (!err)
        err = d->look->cluster_context ? compare_member(d) : compare_variants(d);
    for (size_t i = 0; !err && !d->look->cluster_context && i < d->status.n_rows; i++)
        d->differs = d->differs || (!cli_state_is_settled(d->status.rows[i].state) &&
                                       is_shown(d, &d->status.rows[i]));
    return err;
}

static enum cli_exit run(struct diff *d, const char *text)
{
    struct fed_json *object = NULL;
    const char *name;
    enum cli_exit code = look_name(d->look, text, &d->kind, &name);
    enum fed_err err;

    if (code == CLI_DONE)
        code = look_get(d->look, d->kind, name, &object);
    if (code != CLI_DONE)
        return CLI_USAGE;
    err = status_take(d->look, d->kind, object, &d->status);
    fed_buf_init(&d->text, d->look->cli->mem, DIFF_BYTES_MAX);
    if (!err)
        err = compare(d);
    if (!err && d->look->cli->json)
        err = print_json(d);
    else if (!err)
        print_text(d);
    fed_buf_fini(&d->text);
    status_fini(&d->status);
    if (err) {
        cli_fail("%s", d->diag.text[0] ? d->diag.text : fed_err_text(err));
        return CLI_USAGE;
    }
    return d->differs ? CLI_FAILED : CLI_DONE;
}

enum cli_exit cli_diff(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct look look;
    struct diff d = {.look = &look, .diag = {""}};
    enum cli_exit code = look_options(&look, cli, self, "nacx", &argc, &argv);

    if (code == CLI_DONE && argc != 1)
        code = cli_misuse(self, "takes one RESOURCE/NAME");
    if (code == CLI_DONE && (look_kinds(&look, &d.diag) || look_clusters(&look, &d.diag))) {
        cli_fail("cannot read kinds and clusters: %s", d.diag.text);
        code = CLI_USAGE; /* more than 1: it failed */
    }
    if (code == CLI_DONE)
        code = run(&d, argv[0]);
    look_fini(&look);
    return code;
}
