/* status_show.c - fedctl status: of one object here, of the federation in status_federation.c.
 *
 * Thousands of clusters are summed up: counts by state, and what is said by how many; rows of the
 * worst first. */
#include "cli/status.h"

#include <string.h>

#define ROWS_SHOWN 20u
#define GROUPS_SHOWN 8u

struct showing {
    struct look *look;
    const struct look_kind *kind;
    const char *name;
    bool applied; /* of the last round */
};

/* ---- JSON ---- */
static enum fed_err set_span(
    struct look *look, struct fed_json *to, const char *key, struct fed_span text)
{
    return text.len ? fed_json_set_string(look->cli->doc, to, key, text) : FED_OK;
}

static enum fed_err put_row(struct look *look, struct fed_json *list, const struct status_row *row)
{
    struct fed_json_doc *doc = look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(list, to);

    if (!err)
        err = set_span(look, to, "name", row->cluster);
    if (!err)
        err = fed_json_set_text(doc, to, "state", cli_state_name(row->state));
    if (!err)
        err = set_span(look, to, "status", row->word);
    if (!err)
        err = set_span(look, to, "health", row->health);
    if (!err)
        err = set_span(look, to, "version", row->version);
    if (!err)
        err = status_json_time(look, to, "since", row->since_unix_s);
    if (!err)
        err = set_span(look, to, "message", row->message);
    return err || !row->remedy[0] ? err : fed_json_set_text(doc, to, "remedy", row->remedy);
}

static enum fed_err put_group(
    struct look *look, struct fed_json *list, const struct status_group *group)
{
    struct fed_json_doc *doc = look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(list, to);

    if (!err)
        err = fed_json_set_text(doc, to, "state", cli_state_name(group->first->state));
    if (!err)
        err = set_span(look, to, "status", group->first->word);
    if (!err)
        err = set_span(look, to, "message", group->first->message);
    if (!err)
        err = fed_json_set_int(doc, to, "clusters", (int64_t)group->n);
    if (!err)
        err = set_span(look, to, "example", group->first->cluster);
    return err ? err : fed_json_set_text(doc, to, "remedy", group->first->remedy);
}

static enum fed_err put_head(
    struct look *look, struct fed_json *to, const struct status_object *status)
{
    struct fed_json_doc *doc = look->cli->doc;
    enum fed_err err = set_span(look, to, "kind", status->kind->kind);

    if (!err)
        err = set_span(look, to, "namespace", status->ns);
    if (!err)
        err = set_span(look, to, "name", status->name);
    if (!err)
        err = fed_json_set_int(doc, to, "generation", status->generation);
    if (!err)
        err = fed_json_set_int(doc, to, "observedGeneration", status->observed);
    if (!err)
        err = fed_json_set_text(doc, to, "state", cli_state_name(status_worst(status)));
    if (!err)
        err = set_span(look, to, "reason", status->problem);
    if (!err)
        err = set_span(look, to, "message", status->problem_message);
    if (!err && status->problem.len > 0)
        err = fed_json_set_text(
            doc, to, "remedy", cli_remedy(status->problem, status->problem_message));
    if (!err)
        err = status_json_time(look, to, "since", status->since_unix_s);
    return err ? err : status_json_counts(look, to, status->counts);
}

static enum cli_exit print_json(struct look *look, const struct status_object *status)
{
    struct fed_json_doc *doc = look->cli->doc;
    struct fed_json *to = fed_json_new_object(doc);
    struct fed_json *rows = fed_json_new_array(doc);
    struct fed_json *groups = fed_json_new_array(doc);
    enum fed_err err = to && rows && groups ? put_head(look, to, status) : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < status->n_groups; i++)
        err = put_group(look, groups, &status->groups[i]);
    for (size_t i = 0; !err && i < status->n_rows; i++)
        err = put_row(look, rows, &status->rows[i]);
    if (!err)
        err = fed_json_set(doc, to, "groups", groups);
    if (!err)
        err = fed_json_set(doc, to, "clusters", rows);
    if (err)
        return cli_fail("%s", fed_err_text(err));
    cli_print_json(to);
    return CLI_DONE;
}

/* ---- text ---- */
static void print_head(struct look *look, const struct status_object *status)
{
    char counts[200];
    char age[32];

    printf(FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT "   generation %lld",
        FED_SPAN_ARG(status->kind->kind), FED_SPAN_ARG(status->ns), status->ns.len ? "/" : "",
        FED_SPAN_ARG(status->name), (long long)status->generation);
    if (status->observed < status->generation)
        printf(" (the hub has planned %lld)", (long long)status->observed);
    look_age(look, status->since_unix_s, age);
    printf("   %s%s%s%s\n",
        status_is_applied(status) ? "applied everywhere" : "not applied everywhere",
        status->deleting ? ", being deleted" : "", age[0] ? " since " : "", age);
    status_counts(status->counts, counts, sizeof counts);
    if (status->n_rows > 0)
        printf("%zu cluster%s: %s\n", status->n_rows, status->n_rows == 1 ? "" : "s", counts);
    else if (status->problem.len == 0)
        printf("no clusters: its placement selects none\n");
    if (status->problem.len > 0) {
        printf(FED_SPAN_FMT "%s" FED_SPAN_FMT "\n", FED_SPAN_ARG(status->problem),
            status->problem_message.len ? ": " : "", FED_SPAN_ARG(status->problem_message));
        printf("  %s\n", cli_remedy(status->problem, status->problem_message));
    }
}

static void print_rows(struct look *look, const struct status_object *status)
{
    static const char *const head[] = {"CLUSTER", "STATE", "SINCE", "HEALTH", "WHY"};
    static const char *const wide[] = {
        "CLUSTER", "STATE", "STATUS", "SINCE", "HEALTH", "VERSION", "HEARD", "MESSAGE"};
    bool is_wide = look->cli->output && strcmp(look->cli->output, "wide") == 0;
    size_t shown = look->all || status->n_rows < ROWS_SHOWN ? status->n_rows : ROWS_SHOWN;
    struct cli_rows rows;

    cli_rows_init(&rows, is_wide ? 8 : 5);
    cli_rows_add(&rows, CLI_PLAIN, is_wide ? wide : head);
    for (size_t i = 0; i < shown; i++) {
        const struct status_row *row = &status->rows[i];
        const struct look_cluster *cluster = look_cluster(look, row->cluster);
        const char *state = cli_state_name(row->state);
        char age[32];
        char why[700];

        look_age(look, row->since_unix_s, age);
        snprintf(why, sizeof why, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(row->word),
            row->word.len && row->message.len ? ": " : "", FED_SPAN_ARG(row->message));
        if (is_wide)
            cli_rows_add(&rows, status_color(row->state),
                (const char *[]){look_cstr(look, row->cluster), state, look_cstr(look, row->word),
                    age, look_cstr(look, row->health), look_cstr(look, row->version),
                    cluster ? look_ready_name(cluster->ready) : "gone",
                    look_cstr(look, row->message)});
        else
            cli_rows_add(&rows, status_color(row->state),
                (const char *[]){
                    look_cstr(look, row->cluster), state, age, look_cstr(look, row->health), why});
    }
    cli_rows_print(&rows, stdout);
    if (shown < status->n_rows)
        printf("... and %zu more; all of them with --all\n", status->n_rows - shown);
}

static void print_groups(struct look *look, const struct status_object *status)
{
    size_t shown = look->all || status->n_groups < GROUPS_SHOWN ? status->n_groups : GROUPS_SHOWN;

    if (shown > 0)
        printf("\nWHAT TO DO\n");
    for (size_t i = 0; i < shown; i++) {
        const struct status_row *row = status->groups[i].first;

        printf("%zu %s (" FED_SPAN_FMT "%s)", status->groups[i].n, cli_state_name(row->state),
            FED_SPAN_ARG(row->cluster), status->groups[i].n > 1 ? ", ..." : "");
        if (status->n_rows > ROWS_SHOWN && row->state != CLI_STATE_OFFLINE)
            printf(" " FED_SPAN_FMT "%s%s", FED_SPAN_ARG(row->word), row->message.len ? ": " : "",
                look_cstr(look, row->message));
        printf("\n  %s\n", row->remedy);
    }
    if (shown < status->n_groups)
        printf("... and %zu other reasons\n", status->n_groups - shown);
}

static enum cli_exit show_object(void *ctx)
{
    struct showing *s = ctx;
    struct status_object status;
    struct fed_json *object = NULL;
    struct fed_diag diag = {""};
    enum cli_exit code = look_get(s->look, s->kind, s->name, &object);

    if (code != CLI_DONE)
        return code;
    if (look_clusters(s->look, &diag))
        return cli_fail("cannot list clusters: %s", diag.text);
    if (status_take(s->look, s->kind, object, &status))
        return cli_fail("out of memory");
    status_take_events(s->look, &status);
    s->applied = status_is_applied(&status);
    if (s->look->cli->json) {
        code = print_json(s->look, &status);
    } else {
        print_head(s->look, &status);
        if (status.n_rows > 0) {
            printf("\n");
            print_rows(s->look, &status);
        }
        print_groups(s->look, &status);
    }
    look_note_version(s->look, object);
    status_fini(&status);
    return code;
}

static enum cli_exit watch_object(struct showing *s)
{
    const char *ns = s->kind->is_namespace && !s->look->ns_flag ? s->name : look_ns(s->look);
    struct fed_buf path;
    enum cli_exit code;

    fed_buf_init(&path, s->look->cli->mem, 2048);
    look_path(s->kind, ns, NULL, &path);
    fed_buf_printf(&path, "?fieldSelector=metadata.name%%3D%s", s->name);
    code = look_repeat(s->look, fed_buf_cstr(&path), show_object, s);
    fed_buf_fini(&path);
    return code;
}

static enum cli_exit of_object(struct look *look, const char *text)
{
    struct showing s = {.look = look};
    enum cli_exit code = look_name(look, text, &s.kind, &s.name);

    if (code != CLI_DONE)
        return code;
    code = look->watch ? watch_object(&s) : show_object(&s);
    return code == CLI_DONE && look->exit_code && !s.applied ? CLI_FAILED : code;
}

enum cli_exit cli_status(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct fed_diag diag = {""};
    struct look look;
    enum cli_exit code = look_options(&look, cli, self, "nAawe", &argc, &argv);

    if (code == CLI_DONE && argc > 1)
        code = cli_misuse(self, "takes one RESOURCE/NAME at most");
    if (code == CLI_DONE && argc == 1 && look.all_namespaces)
        code = cli_misuse(self, "an object is in one namespace: -n, not -A");
    if (code == CLI_DONE && look_kinds(&look, &diag))
        code = cli_fail("cannot read which kinds are federated: %s", diag.text);
    if (code == CLI_DONE && argc == 0)
        code = look.watch ? look_repeat(&look, CLI_CLUSTERS, status_federation, &look)
                          : status_federation(&look);
    else if (code == CLI_DONE)
        code = of_object(&look, argv[0]);
    look_fini(&look);
    return code;
}
