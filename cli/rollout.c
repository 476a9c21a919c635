/* rollout.c - fedctl rollout list, status, watch and wait: looking at rollouts. */
#include "cli/rollout.h"

#include "cli/flags.h"
#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>

#define LIVE_MS 1000u          /* a terminal counts seconds down */
#define TIMEOUT_MS 2592000000u /* 30 days, as long as a soak may take */

/* ---- list ---- */
struct listing {
    struct look *look;
    const struct rollout_name *name; /* NULL: all */
    bool active;
    struct fed_json **list;
    size_t n;
    bool failed;
};

static void take_one(void *ctx, struct fed_json *rollout)
{
    struct listing *l = ctx;
    struct fed_json **grown = l->list;

    if (l->failed || (l->name && !rollout_is_of(rollout, l->name)) ||
        (l->active && rollout_is_over(rollout)))
        return;
    if ((l->n & (l->n - 1)) == 0) /* a power of two: full */
        grown = realloc(grown, (l->n ? 2 * l->n : 1) * sizeof *grown);
    l->failed = !grown;
    if (!grown)
        return;
    l->list = grown;
    l->list[l->n++] = rollout;
}

static struct fed_span text_at(const struct fed_json *from, const char *dotted)
{
    return fed_json_string(fed_json_find(from, dotted));
}

static int compare_spans(const struct fed_json *a, const struct fed_json *b, const char *dotted)
{
    return fed_span_cmp(text_at(a, dotted), text_at(b, dotted));
}

/* Objects by name, of each the newest first. */
static int by_object(const void *a, const void *b)
{
    const struct fed_json *x = *(struct fed_json *const *)a;
    const struct fed_json *y = *(struct fed_json *const *)b;
    int64_t left = fed_json_int(fed_json_find(x, "spec.number"), 0);
    int64_t right = fed_json_int(fed_json_find(y, "spec.number"), 0);
    int order = compare_spans(x, y, "metadata.namespace");

    if (order == 0)
        order = compare_spans(x, y, "spec.object.name");
    if (order == 0)
        order = compare_spans(x, y, "spec.object.kind");
    return order != 0 ? order : left > right ? -1 : 1;
}

#define LIST_COLUMNS 10u

static void add_row(struct listing *l, struct cli_rows *rows, const struct fed_json *rollout)
{
    static const char *const counts[] = {"failed", "deferred"};
    enum rollout_verdict verdict = rollout_verdict(rollout);
    struct fed_buf object;
    struct fed_buf next;
    char numbers[2][24];
    char updated[48];
    char age[32];

    fed_buf_init(&object, l->look->cli->mem, 4096);
    fed_buf_init(&next, l->look->cli->mem, 1u << 16);
    fed_buf_printf(&object, FED_SPAN_FMT "/" FED_SPAN_FMT,
        FED_SPAN_ARG(text_at(rollout, "spec.object.kind")),
        FED_SPAN_ARG(text_at(rollout, "spec.object.name")));
    rollout_put_next(rollout, fed_loop_unix_s(l->look->cli->loop), &next);
    snprintf(updated, sizeof updated, "%lld/%lld", (long long)rollout_count(rollout, "updated"),
        (long long)rollout_count(rollout, "total"));
    for (size_t i = 0; i < 2; i++)
        snprintf(
            numbers[i], sizeof numbers[i], "%lld", (long long)rollout_count(rollout, counts[i]));
    look_age(l->look, look_time(fed_json_find(rollout, "metadata.creationTimestamp")), age);
    cli_rows_add(rows,
        verdict == ROLLOUT_FAILED  ? CLI_RED
        : verdict == ROLLOUT_WAITS ? CLI_YELLOW
                                   : CLI_PLAIN,
        (const char *[]){look_cstr(l->look, text_at(rollout, "metadata.namespace")),
            look_cstr(l->look, text_at(rollout, "metadata.name")), fed_buf_cstr(&object),
            look_cstr(l->look, rollout_phase(rollout)),
            look_cstr(l->look, text_at(rollout, "status.wave")), updated, numbers[0], numbers[1],
            age, fed_buf_cstr(&next)});
    fed_buf_fini(&object);
    fed_buf_fini(&next);
}

static void print_rows(struct listing *l)
{
    static const char *const head[LIST_COLUMNS] = {"NAMESPACE", "NAME", "OBJECT", "PHASE", "WAVE",
        "UPDATED", "FAILED", "DEFERRED", "AGE", "NEXT"};
    struct cli_rows rows;

    if (l->n == 0) {
        fprintf(stderr, "no rollouts; a RolloutPolicy makes one of each change of the objects that "
                        "it selects\n");
        return;
    }
    cli_rows_init(&rows, LIST_COLUMNS);
    cli_rows_add(&rows, CLI_PLAIN, head);
    for (size_t i = 0; i < l->n; i++)
        add_row(l, &rows, l->list[i]);
    cli_rows_print(&rows, stdout);
}

static enum cli_exit print_list(struct listing *l)
{
    struct fed_json *all = fed_json_new_array(l->look->cli->doc);
    enum fed_err err = all ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < l->n; i++)
        err = fed_json_append(all, fed_json_clone(l->look->cli->doc, l->list[i]));
    if (err)
        return cli_fail("%s", fed_err_text(err));
    cli_print_json(all);
    return CLI_DONE;
}

static enum cli_exit list_rollouts(struct listing *l)
{
    struct fed_diag diag = {""};
    struct fed_buf path;
    enum fed_err err = cli_connect(l->look->cli, &diag);

    fed_buf_init(&path, l->look->cli->mem, 4096);
    if (!err && l->name)
        err = rollout_name_path(l->name, &path);
    else if (!err && l->look->all_namespaces)
        fed_buf_put_text(&path, ROLLOUT_GROUP "/rollouts");
    else if (!err)
        fed_buf_printf(&path, ROLLOUT_GROUP "/namespaces/%s/rollouts", look_ns(l->look));
    if (!err)
        err = look_list(l->look, fed_buf_cstr(&path), take_one, l, &diag);
    fed_buf_fini(&path);
    if (err || l->failed)
        return cli_fail(
            "cannot list rollouts: %s", cli_why(&diag, l->failed ? FED_ERR_NOMEM : err));
    if (l->n > 0)
        qsort(l->list, l->n, sizeof *l->list, by_object);
    if (l->look->cli->json)
        return print_list(l);
    print_rows(l);
    return CLI_DONE;
}

/* ---- options ---- */
struct options {
    const char *ns;
    bool all_namespaces;
    bool active;
    bool clusters;
    bool diff;
    const char *state;
    const char *wave;
    const char *timeout;
};

static enum cli_exit read_options(struct look *look, struct cli *cli,
    const struct cli_command *self, int argc, char **argv, struct options *o,
    struct cli_arguments *arguments)
{
    const struct cli_flag flags[] = {{"namespace", 'n', CLI_FLAG_TEXT, &o->ns},
        {"all-namespaces", 'A', CLI_FLAG_SWITCH, &o->all_namespaces},
        {"active", 0, CLI_FLAG_SWITCH, &o->active}, {"clusters", 0, CLI_FLAG_SWITCH, &o->clusters},
        {"diff", 0, CLI_FLAG_SWITCH, &o->diff}, {"state", 0, CLI_FLAG_TEXT, &o->state},
        {"wave", 0, CLI_FLAG_TEXT, &o->wave}, {"timeout", 0, CLI_FLAG_TEXT, &o->timeout}};
    struct cli_flag own[sizeof flags / sizeof *flags];
    size_t n = 0;

    /* Those that the command's line in the table has. */
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const char *at = strstr(self->options, flags[i].name);

        if (at && at > self->options + 1 && at[-1] == '-' && strchr(" ", at[strlen(flags[i].name)]))
            own[n++] = flags[i];
    }
    *look = (struct look){.cli = cli, .self = self};
    fed_map_init(&look->by_name, cli->mem);
    if (cli_flags_read(self, argc, argv, own, n, NULL, arguments) != CLI_DONE)
        return CLI_USAGE;
    look->ns_flag = o->ns;
    look->all_namespaces = o->all_namespaces;
    if (o->ns && !fed_text_is_dns_label(fed_span_text(o->ns)))
        return cli_misuse(self, "\"%s\" is not the name of a namespace", o->ns);
    if (o->ns && o->all_namespaces)
        return cli_misuse(self, "-n and -A exclude each other");
    return CLI_DONE;
}

static enum cli_exit read_timeout(
    struct look *look, const struct cli_command *self, const struct options *o)
{
    uint64_t timeout_ms = 0;

    if (!o->timeout)
        return CLI_DONE;
    if (fed_text_duration_ms(fed_span_text(o->timeout), &timeout_ms) || timeout_ms == 0 ||
        timeout_ms > TIMEOUT_MS)
        return cli_misuse(
            self, "--timeout takes a duration up to 720h, such as 30m, not \"%s\"", o->timeout);
    look->until_ms = fed_loop_now_ms(look->cli->loop) + timeout_ms;
    return CLI_DONE;
}

/* Options and the one name; patient: the hub may be away. */
static enum cli_exit read_named(struct look *look, struct cli *cli, const struct cli_command *self,
    int argc, char **argv, struct options *o, struct rollout_name *name, bool patient)
{
    struct cli_arguments arguments = {.n = 0};
    enum cli_exit code = read_options(look, cli, self, argc, argv, o, &arguments);

    look->patient = patient;
    if (code == CLI_DONE)
        code = read_timeout(look, self, o);
    if (code == CLI_DONE && arguments.n != 1)
        code =
            cli_misuse(self, "takes one KIND/NAME, as in federateddeployment/web, or rollout/NAME");
    return code == CLI_DONE ? rollout_name_read(look, arguments.at[0], name) : code;
}

enum cli_exit cli_rollout_list(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct options o = {.ns = NULL};
    struct cli_arguments arguments = {.n = 0};
    struct rollout_name name;
    struct look look;
    struct listing l = {.look = &look};
    enum cli_exit code = read_options(&look, cli, self, argc, argv, &o, &arguments);

    l.active = o.active;
    if (code == CLI_DONE && (arguments.n > 1 || (arguments.n == 1 && o.all_namespaces)))
        code = cli_misuse(self, "takes one KIND/NAME at most, and not together with -A");
    if (code == CLI_DONE && arguments.n == 1) {
        l.name = &name;
        code = rollout_name_read(&look, arguments.at[0], &name);
    }
    if (code == CLI_DONE)
        code = list_rollouts(&l);
    free(l.list);
    look_fini(&look);
    return code;
}

/* ---- status ---- */
enum cli_exit cli_rollout_status(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct options o = {.ns = NULL};
    struct rollout_name name;
    struct fed_json *rollout = NULL;
    struct fed_diag diag = {""};
    struct look look;
    enum cli_exit code = read_named(&look, cli, self, argc, argv, &o, &name, false);
    enum fed_err err;

    if (code == CLI_DONE && (o.state || o.wave) && !o.clusters)
        code = cli_misuse(self, "--state and --wave choose among --clusters");
    if (code == CLI_DONE) {
        err = rollout_read(&name, ROLLOUT_CURRENT, &rollout, &diag);
        if (err)
            code = cli_fail("%s", cli_why(&diag, err));
    }
    if (code != CLI_DONE) {
        look_fini(&look);
        return code;
    }
    if (o.clusters)
        code = rollout_clusters(&look, rollout, o.state, o.wave);
    else if (o.diff)
        code = rollout_difference(&look, rollout);
    else if (cli->json)
        cli_print_json(rollout);
    else
        rollout_print(rollout, fed_loop_unix_s(cli->loop), stdout);
    look_fini(&look);
    return code;
}

/* ---- watch and wait ---- */
struct following {
    struct rollout_name name;
    struct look *look;
    enum rollout_choice choice;
    bool waits;          /* `wait`: says nothing until it ends */
    unsigned away_ms;    /* the hub is away, and it was said: between two tries */
    struct fed_buf last; /* line that was shown */
};

/* Interrupted is interrupted; a hub that restarts is waited for. */
static enum cli_exit on_error(struct following *f, enum fed_err err, const struct fed_diag *diag)
{
    if (err != FED_ERR_NETWORK && err != FED_ERR_TIMEOUT)
        return cli_fail("%s", cli_why(diag, err));
    if (!f->away_ms)
        fprintf(stderr, "fedctl: %s; trying again\n", cli_why(diag, err));
    f->away_ms = rollout_away_ms(f->away_ms);
    f->look->version[0] = 0;
    f->look->refresh_ms = f->away_ms;
    return CLI_DONE;
}

/* `wait` ends with what the rollout came to. */
static enum cli_exit end_of(const struct fed_json *rollout, struct cli *cli)
{
    enum rollout_verdict verdict = rollout_verdict(rollout);
    const struct fed_json *failure = fed_json_at(fed_json_find(rollout, "status.failures"), 0);
    struct fed_buf line;

    if (cli->json)
        return verdict == ROLLOUT_DONE    ? CLI_DONE
               : verdict == ROLLOUT_WAITS ? CLI_WAITING
                                          : CLI_FAILED;
    fed_buf_init(&line, cli->mem, 1u << 16);
    if (verdict == ROLLOUT_DONE && rollout_count(rollout, "deferred") > 0)
        fprintf(stderr, "%lld clusters are out of reach; they get the change when they are back\n",
            (long long)rollout_count(rollout, "deferred"));
    if (verdict == ROLLOUT_FAILED && failure) {
        cli_put_clean(&line, text_at(failure, "reason"));
        fed_buf_put_text(&line, text_at(failure, "message").len ? ": " : "");
        cli_put_clean(&line, text_at(failure, "message"));
        fprintf(stderr, "fedctl: %s\n", fed_buf_cstr(&line));
        fed_buf_clear(&line);
    }
    if (verdict != ROLLOUT_DONE) {
        rollout_put_command(rollout, "status", &line);
        fprintf(stderr, "more: %s\n", fed_buf_cstr(&line));
    }
    fed_buf_fini(&line);
    return verdict == ROLLOUT_DONE ? CLI_DONE : verdict == ROLLOUT_WAITS ? CLI_WAITING : CLI_FAILED;
}

/* One line for each change, dated; as JSON the Rollout itself. */
static void append_line(struct following *f, const struct fed_json *rollout)
{
    struct cli *cli = f->look->cli;
    char now[FED_TEXT_TIME_SIZE];
    struct fed_buf line;

    fed_buf_init(&line, cli->mem, FED_JSON_BYTES_MAX);
    if (!cli->json)
        rollout_put_line(rollout, &line);
    else if (fed_json_put(&line, rollout))
        fed_buf_clear(&line);
    if (line.len > 0 && !fed_span_eq(fed_buf_span(&line), fed_buf_span(&f->last))) {
        fed_text_time(fed_loop_unix_s(cli->loop), now);
        printf("%s%s%s\n", cli->json ? "" : now, cli->json ? "" : " ", fed_buf_cstr(&line));
        fflush(stdout); /* before what is said of it on standard error */
    }
    fed_buf_fini(&f->last);
    f->last = line;
}

static bool is_end(const struct following *f, const struct fed_json *rollout)
{
    return f->waits ? rollout_verdict(rollout) != ROLLOUT_GOES_ON : rollout_is_over(rollout);
}

static enum cli_exit show(void *ctx)
{
    struct following *f = ctx;
    struct cli *cli = f->look->cli;
    struct fed_json *rollout = NULL;
    struct fed_diag diag = {""};
    enum fed_err err = rollout_read(&f->name, f->choice, &rollout, &diag);

    if (err)
        return on_error(f, err, &diag);
    f->away_ms = 0;
    f->look->refresh_ms = cli_is_terminal(stdout) ? LIVE_MS : 0;
    f->look->over = is_end(f, rollout);
    if (!f->look->appends)
        rollout_print(rollout, fed_loop_unix_s(cli->loop), stdout);
    else if (!f->waits || f->look->over)
        append_line(f, rollout);
    return f->look->over ? end_of(rollout, cli) : CLI_DONE;
}

static enum cli_exit follow(struct following *f)
{
    struct look *look = f->look;
    struct fed_diag diag = {""};
    struct fed_buf path;
    enum cli_exit code;
    enum fed_err err = cli_connect(look->cli, &diag);

    fed_buf_init(&path, look->cli->mem, 4096);
    fed_buf_init(&f->last, look->cli->mem, FED_JSON_BYTES_MAX);
    if (!err)
        err = rollout_name_path(&f->name, &path);
    code =
        err ? cli_fail("%s", cli_why(&diag, err)) : look_repeat(look, fed_buf_cstr(&path), show, f);
    if (code == CLI_TIMED_OUT)
        fprintf(stderr, "fedctl: it goes on after the time that --timeout gives\n");
    fed_buf_fini(&f->last);
    fed_buf_fini(&path);
    return code;
}

enum cli_exit cli_rollout_watch(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct options o = {.ns = NULL};
    struct look look;
    struct following f = {.look = &look, .choice = ROLLOUT_CURRENT};
    enum cli_exit code = read_named(&look, cli, self, argc, argv, &o, &f.name, true);

    look.appends = cli->json || !cli_is_terminal(stdout);
    if (code == CLI_DONE)
        code = follow(&f);
    look_fini(&look);
    return code;
}

enum cli_exit cli_rollout_wait(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct options o = {.ns = NULL};
    struct look look;
    struct following f = {.look = &look, .choice = ROLLOUT_NEWEST, .waits = true};
    enum cli_exit code = read_named(&look, cli, self, argc, argv, &o, &f.name, true);

    look.appends = true;
    if (code == CLI_DONE)
        code = follow(&f);
    look_fini(&look);
    return code;
}
