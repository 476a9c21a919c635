/* status_federation.c - fedctl status without a name: the clusters, the objects by state, what is
 * stuck and why, what waits longest. */
#include "cli/status.h"

#include <stdlib.h>
#include <string.h>

#define STUCK_SHOWN 20u

struct stuck {
    const struct look_kind *kind;
    struct fed_span ns, name;
    enum cli_state state;
    size_t not_applied, clusters;
    int64_t since_unix_s;
    const char *why;
    const char *remedy;
};
struct federation {
    struct look *look;
    const struct look_kind *kind; /* that is being read */
    size_t ready[LOOK_WORDS];
    size_t counts[CLI_STATES];
    size_t unplaced; /* objects that are applied to no cluster */
    size_t n_objects;
    struct stuck *stuck;
    size_t n_stuck;
    size_t waiting; /* join requests */
    bool failed;    /* memory was out */
};

/* ---- reading ---- */
static void add_stuck(struct federation *f, const struct status_object *status)
{
    struct stuck *grown = f->stuck;
    struct fed_span word = status->problem;
    struct fed_span message = status->problem_message;
    char why[900];

    if ((f->n_stuck & (f->n_stuck - 1)) == 0) /* a power of two: full */
        grown = realloc(grown, (f->n_stuck ? 2 * f->n_stuck : 1) * sizeof *grown);
    if (!grown) {
        f->failed = true;
        return;
    }
    f->stuck = grown;
    status_sentence(status, why, sizeof why);
    if (word.len == 0 && status->n_groups > 0) {
        word = status->groups[0].first->word;
        message = status->groups[0].first->message;
    }
    grown[f->n_stuck++] = (struct stuck){.kind = status->kind,
        .ns = status->ns,
        .name = status->name,
        .state = status_worst(status),
        .not_applied = status->n_rows - status->counts[CLI_STATE_APPLIED] -
                       status->counts[CLI_STATE_FORBIDDEN],
        .clusters = status->n_rows,
        .since_unix_s = status->since_unix_s,
        .why = look_cstr(f->look, fed_span_text(why)),
        .remedy = status->problem.len == 0 && status->n_groups > 0 ? status->groups[0].first->remedy
                                                                   : cli_remedy(word, message)};
}

static void take_object(void *ctx, struct fed_json *object)
{
    struct federation *f = ctx;
    struct status_object status;

    if (f->failed || status_take(f->look, f->kind, object, &status)) {
        f->failed = true;
        return;
    }
    f->n_objects++;
    f->counts[status_worst(&status)]++;
    f->unplaced += status_is_applied(&status) && status.n_rows == 0;
    if (!status_is_applied(&status))
        add_stuck(f, &status);
    status_fini(&status);
}

static void take_request(void *ctx, struct fed_json *request)
{
    struct federation *f = ctx;

    f->waiting += fed_span_is(fed_json_string(fed_json_find(request, "status.state")), "Pending");
}

static enum cli_exit read_objects(struct federation *f)
{
    struct fed_diag diag = {""};
    size_t hidden = 0;

    for (size_t i = 0; i < f->look->n_kinds; i++) {
        enum fed_err err;

        f->kind = &f->look->kinds[i];
        err = look_objects(f->look, f->kind, take_object, f, &diag);
        hidden += err == FED_ERR_FORBIDDEN;
        /* A kind that was enabled a moment ago, or is no longer, has no objects to tell of. */
        if (err && err != FED_ERR_FORBIDDEN && err != FED_ERR_NOT_FOUND)
            return cli_fail(
                "cannot list " FED_SPAN_FMT ": %s", FED_SPAN_ARG(f->kind->plural), diag.text);
    }
    if (hidden > 0)
        fprintf(stderr, "%zu of %zu kinds may not be listed and are left out\n", hidden,
            f->look->n_kinds);
    return f->failed ? cli_fail("out of memory") : CLI_DONE;
}

static int worst_first(const void *a, const void *b)
{
    const struct stuck *x = a;
    const struct stuck *y = b;

    if (x->state != y->state)
        return x->state > y->state ? -1 : 1;
    if (x->since_unix_s != y->since_unix_s)
        return x->since_unix_s < y->since_unix_s ? -1 : 1;
    return fed_span_cmp(x->name, y->name);
}

static const struct stuck *oldest(const struct federation *f)
{
    const struct stuck *found = NULL;

    for (size_t i = 0; i < f->n_stuck; i++)
        if (f->stuck[i].since_unix_s > 0 &&
            (!found || f->stuck[i].since_unix_s < found->since_unix_s))
            found = &f->stuck[i];
    return found;
}

/* ---- JSON ---- */
static enum fed_err put_stuck(struct federation *f, struct fed_json *to, const struct stuck *stuck)
{
    struct fed_json_doc *doc = f->look->cli->doc;
    enum fed_err err = fed_json_set_string(doc, to, "kind", stuck->kind->kind);

    if (!err && stuck->ns.len)
        err = fed_json_set_string(doc, to, "namespace", stuck->ns);
    if (!err)
        err = fed_json_set_string(doc, to, "name", stuck->name);
    if (!err)
        err = fed_json_set_text(doc, to, "state", cli_state_name(stuck->state));
    if (!err)
        err = fed_json_set_int(doc, to, "clusters", (int64_t)stuck->clusters);
    if (!err)
        err = fed_json_set_int(doc, to, "notApplied", (int64_t)stuck->not_applied);
    if (!err)
        err = status_json_time(f->look, to, "since", stuck->since_unix_s);
    if (!err)
        err = fed_json_set_text(doc, to, "message", stuck->why);
    return err ? err : fed_json_set_text(doc, to, "remedy", stuck->remedy);
}

static enum fed_err put_clusters(struct federation *f, struct fed_json *to)
{
    struct fed_json_doc *doc = f->look->cli->doc;
    struct fed_json *clusters = fed_json_ensure_object(doc, to, "clusters");
    enum fed_err err = clusters ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_int(doc, clusters, "total", (int64_t)f->look->n_clusters);
    for (size_t i = 0; !err && i < LOOK_WORDS; i++)
        err = fed_json_set_int(
            doc, clusters, look_ready_name((enum look_ready)i), (int64_t)f->ready[i]);
    return err ? err : fed_json_set_int(doc, clusters, "waitingForApproval", (int64_t)f->waiting);
}

static enum fed_err put_objects(struct federation *f, struct fed_json *to)
{
    struct fed_json_doc *doc = f->look->cli->doc;
    struct fed_json *objects = fed_json_ensure_object(doc, to, "objects");
    enum fed_err err = objects ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_int(doc, objects, "total", (int64_t)f->n_objects);
    if (!err)
        err = fed_json_set_int(doc, objects, "unplaced", (int64_t)f->unplaced);
    return err ? err : status_json_counts(f->look, objects, f->counts);
}

static enum cli_exit print_json(struct federation *f)
{
    struct fed_json_doc *doc = f->look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    struct fed_json *list = fed_json_new_array(doc);
    struct fed_json *first = fed_json_new_object(doc);
    const struct stuck *waits = oldest(f);
    enum fed_err err = to && list && first ? put_clusters(f, to) : FED_ERR_NOMEM;

    if (!err)
        err = put_objects(f, to);
    for (size_t i = 0; !err && i < f->n_stuck; i++) {
        struct fed_json *one = fed_json_new_object(doc);

        err = fed_json_append(list, one);
        if (!err)
            err = put_stuck(f, one, &f->stuck[i]);
    }
    if (!err)
        err = fed_json_set(doc, to, "stuck", list);
    if (!err && waits) {
        err = put_stuck(f, first, waits);
        if (!err)
            err = fed_json_set(doc, to, "oldest", first);
    }
    if (err)
        return cli_fail("%s", fed_err_text(err));
    cli_print_json(to);
    return CLI_DONE;
}

/* ---- text ---- */
static void print_clusters(struct federation *f)
{
    struct look *look = f->look;
    size_t shown = 0;

    printf("clusters   %zu: %zu ready, %zu not ready, %zu offline, %zu not heard of\n",
        look->n_clusters, f->ready[LOOK_READY], f->ready[LOOK_NOT_READY], f->ready[LOOK_OFFLINE],
        f->ready[LOOK_UNSEEN]);
    for (size_t i = 0; i < look->n_clusters; i++) {
        const struct look_cluster *cluster = &look->clusters[i];
        char age[32];

        if (cluster->ready == LOOK_READY || (shown >= STUCK_SHOWN && !look->all))
            continue;
        shown++;
        look_age(look, cluster->since_unix_s, age);
        cli_paint(stdout, CLI_YELLOW);
        printf("  " FED_SPAN_FMT "%s%s: %s", FED_SPAN_ARG(cluster->name), age[0] ? ", " : "", age,
            look_cstr(look, cluster->message));
        cli_paint(stdout, CLI_PLAIN);
        printf("\n");
    }
    for (size_t i = 0; i < look->n_clusters; i++) {
        const struct look_cluster *cluster = &look->clusters[i];

        if (cluster->removals > 0)
            printf("  " FED_SPAN_FMT
                   ": %lld removals wait for consent: fedctl approve " FED_SPAN_FMT " --removal\n",
                FED_SPAN_ARG(cluster->name), (long long)cluster->removals,
                FED_SPAN_ARG(cluster->name));
    }
    if (f->waiting > 0)
        printf("  %zu wait for approval: kubectl -n " CLI_SYSTEM_NAMESPACE " get joinrequests\n",
            f->waiting);
    if (look->n_clusters == 0 && f->waiting == 0)
        printf("  none yet: `fedctl token create` here, then `fedlet join` on a gateway\n");
}

static void print_objects(struct federation *f)
{
    char counts[200];

    status_counts(f->counts, counts, sizeof counts);
    printf("objects    %zu%s%s", f->n_objects, counts[0] ? ": " : "", counts);
    if (f->unplaced > 0)
        printf(" (%zu of them select no cluster)", f->unplaced);
    printf("\n");
}

static void print_stuck(struct federation *f)
{
    static const char *const head[] = {"OBJECT", "STATE", "CLUSTERS", "SINCE", "WHY"};
    size_t shown = f->look->all || f->n_stuck < STUCK_SHOWN ? f->n_stuck : STUCK_SHOWN;
    const char *last = "";
    struct cli_rows rows;

    if (shown == 0)
        return;
    printf("\n");
    cli_rows_init(&rows, 5);
    cli_rows_add(&rows, CLI_PLAIN, head);
    for (size_t i = 0; i < shown; i++) {
        const struct stuck *stuck = &f->stuck[i];
        char object[700];
        char clusters[64];
        char age[32];

        snprintf(object, sizeof object, FED_SPAN_FMT "%s" FED_SPAN_FMT "/" FED_SPAN_FMT,
            FED_SPAN_ARG(stuck->ns), stuck->ns.len ? " " : "",
            FED_SPAN_ARG(stuck->kind->singular.len ? stuck->kind->singular : stuck->kind->plural),
            FED_SPAN_ARG(stuck->name));
        snprintf(clusters, sizeof clusters, "%zu of %zu", stuck->not_applied, stuck->clusters);
        look_age(f->look, stuck->since_unix_s, age);
        cli_rows_add(&rows, status_color(stuck->state),
            (const char *[]){object, cli_state_name(stuck->state), clusters, age, stuck->why});
    }
    cli_rows_print(&rows, stdout);
    if (shown < f->n_stuck)
        printf("... and %zu more; all of them with --all\n", f->n_stuck - shown);
    printf("\nWHAT TO DO\n");
    for (size_t i = 0; i < shown; i++)
        if (strcmp(last, f->stuck[i].remedy) != 0) {
            last = f->stuck[i].remedy;
            printf("  %s: %s\n", cli_state_name(f->stuck[i].state), last);
        }
    printf("  details: fedctl status RESOURCE/NAME -n NAMESPACE\n");
}

static void print_oldest(struct federation *f)
{
    const struct stuck *waits = oldest(f);
    char age[32];

    if (!waits)
        return;
    look_age(f->look, waits->since_unix_s, age);
    printf("oldest     " FED_SPAN_FMT "%s" FED_SPAN_FMT " " FED_SPAN_FMT " is %s since %s\n",
        FED_SPAN_ARG(waits->ns), waits->ns.len ? "/" : "", FED_SPAN_ARG(waits->name),
        FED_SPAN_ARG(waits->kind->kind), cli_state_name(waits->state), age);
}

static enum cli_exit show(struct federation *f)
{
    struct fed_diag diag = {""};
    char version[sizeof f->look->version];
    enum cli_exit code;

    if (look_clusters(f->look, &diag))
        return cli_fail("cannot list clusters: %s", diag.text);
    memcpy(version, f->look->version, sizeof version);
    for (size_t i = 0; i < f->look->n_clusters; i++)
        f->ready[f->look->clusters[i].ready]++;
    /* Only those who may see requests are told of them. */
    (void)!look_list(f->look, CLI_REQUESTS, take_request, f, &diag);
    code = read_objects(f);
    memcpy(f->look->version, version, sizeof version);
    if (code != CLI_DONE)
        return code;
    if (f->n_stuck > 0)
        qsort(f->stuck, f->n_stuck, sizeof *f->stuck, worst_first);
    if (f->look->cli->json)
        return print_json(f);
    print_clusters(f);
    print_objects(f);
    print_oldest(f);
    print_stuck(f);
    return CLI_DONE;
}

enum cli_exit status_federation(void *ctx)
{
    struct look *look = ctx;
    struct federation f = {.look = look};
    enum cli_exit code;
    bool fine;

    look->all_namespaces = !look->ns_flag;
    code = show(&f);
    fine = f.n_stuck == 0 && f.ready[LOOK_READY] == look->n_clusters;
    free(f.stuck);
    return code == CLI_DONE && look->exit_code && !look->watch && !fine ? CLI_FAILED : code;
}
