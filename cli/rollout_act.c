/* rollout_act.c - fedctl rollout pause, resume, approve, retry, abort and undo.
 *
 * An action is an annotation of the Rollout, as anybody could set with kubectl; the hub takes it in
 * the same commit or refuses it, and takes the annotation away. */
#include "cli/rollout.h"

#include "cli/flags.h"
#include "proto/base/text.h"

#include <string.h>

#define REASON_BYTES_MAX 1024u

struct acting {
    const struct cli_command *self;
    const char *verb;
    const char *ns;
    const char *reason;
    const char *wave; /* of approve: the one that is meant */
    bool yes;
    struct look look;
    struct rollout_name name;
    struct fed_json *rollout;
    struct fed_diag diag;
};

static const struct action {
    const char *verb;
    const char *done; /* what was */
} actions[] = {{"pause", "paused"}, {"resume", "resumed"}, {"approve", "approved"},
    {"retry", "started again"}, {"abort", "aborted"}, {"undo", "is being undone"}};

static const char *done_word(const char *verb)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].verb, verb) == 0)
            return actions[i].done;
    return verb;
}

static bool is_dangerous(const struct acting *a)
{
    return strcmp(a->verb, "abort") == 0 || strcmp(a->verb, "undo") == 0;
}

/* ---- asking first ---- */
static void put_bytes(int64_t bytes, struct fed_buf *out)
{
    if (bytes >= 10000)
        fed_buf_printf(out, ", est. %lld KB", (long long)(bytes + 500) / 1000);
    else if (bytes > 0)
        fed_buf_printf(out, ", est. %lld B", (long long)bytes);
}

/* What it touches, by the hub's own figures. */
static void put_question(const struct acting *a, struct fed_buf *out)
{
    long long updated = rollout_count(a->rollout, "updated");
    long long total = rollout_count(a->rollout, "total");
    long long from = fed_json_int(fed_json_find(a->rollout, "spec.from.generation"), 0);
    int64_t each = fed_json_int(fed_json_find(a->rollout, "status.estimate.perCluster"), 0);
    long long touched = rollout_count(a->rollout, "healthy") +
                        rollout_count(a->rollout, "updating") + rollout_count(a->rollout, "failed");

    rollout_put_object(a->rollout, out);
    if (strcmp(a->verb, "abort") == 0) {
        fed_buf_printf(out,
            ": %lld of %lld clusters have the change and keep it, the others stay as they are; the "
            "next change starts from there. Abort?",
            updated, total);
        return;
    }
    if (from > 0)
        fed_buf_printf(
            out, ": %lld of %lld clusters go back to generation %lld", touched, total, from);
    else
        fed_buf_printf(out, ": %lld of %lld clusters have it, and there is no version before it",
            touched, total);
    put_bytes(each * touched, out);
    fed_buf_put_text(out, ". Undo?");
}

static enum cli_exit confirm(const struct acting *a)
{
    enum cli_exit code;
    struct fed_buf question;

    if (!is_dangerous(a) || a->yes)
        return CLI_DONE;
    fed_buf_init(&question, a->look.cli->mem, 4096);
    put_question(a, &question);
    code = cli_confirm(a->self, fed_buf_cstr(&question));
    fed_buf_fini(&question);
    return code;
}

/* ---- acting ---- */

/* The wave that was seen goes along with an approval: what opened meanwhile is not approved by
 * somebody who has not looked at it. */
static enum fed_err put_action(const struct acting *a, struct fed_json *annotations)
{
    struct fed_json_doc *doc = a->look.cli->doc;
    struct fed_span wave = a->wave ? fed_span_text(a->wave)
                                   : fed_json_string(fed_json_find(a->rollout, "status.wave"));
    struct fed_buf action;
    enum fed_err err;

    fed_buf_init(&action, a->look.cli->mem, 512);
    fed_buf_put_text(&action, a->verb);
    if (strcmp(a->verb, "approve") == 0 && wave.len > 0)
        fed_buf_printf(&action, ":" FED_SPAN_FMT, FED_SPAN_ARG(wave));
    err = fed_buf_err(&action);
    if (!err)
        err = fed_json_set_string(doc, annotations, "fedlet.io/action", fed_buf_span(&action));
    if (!err && a->reason)
        err = fed_json_set_text(doc, annotations, "fedlet.io/reason", a->reason);
    fed_buf_fini(&action);
    return err;
}

static enum fed_err patch(struct acting *a)
{
    struct cli *cli = a->look.cli;
    struct fed_json *body = fed_json_new_object(cli->doc);
    struct fed_json *metadata = body ? fed_json_ensure_object(cli->doc, body, "metadata") : NULL;
    struct fed_json *annotations =
        metadata ? fed_json_ensure_object(cli->doc, metadata, "annotations") : NULL;
    struct fed_span uid = fed_json_string(fed_json_find(a->rollout, "metadata.uid"));
    enum fed_err err = annotations ? put_action(a, annotations) : FED_ERR_NOMEM;
    struct fed_buf path;
    struct fed_buf text;

    fed_buf_init(&path, cli->mem, 2048);
    fed_buf_init(&text, cli->mem, 1u << 16);
    rollout_put_path(a->rollout, &path);
    if (!err) /* the one that was looked at: a later one may have its name */
        err = fed_json_set_string(cli->doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_put(&text, body);
    if (!err)
        err = fed_buf_err(&path);
    if (!err)
        err = cli_ask(cli, "PATCH", fed_buf_cstr(&path), "application/merge-patch+json",
            fed_buf_span(&text), &a->rollout, &a->diag);
    fed_buf_fini(&path);
    fed_buf_fini(&text);
    return err;
}

static enum cli_exit say_refused(const struct acting *a, enum fed_err err)
{
    cli_fail("cannot %s it: %s", a->verb, cli_why(&a->diag, err));
    if (err == FED_ERR_FORBIDDEN)
        fprintf(stderr, "steering rollouts takes the right to patch rollouts.fedlet.io, which "
                        "fedlet:operator has\n");
    return CLI_FAILED;
}

/* What was done, where it stands now, and what comes next. */
static void report(const struct acting *a)
{
    struct fed_buf line;

    fed_buf_init(&line, a->look.cli->mem, 1u << 16);
    rollout_put_object(a->rollout, &line);
    printf("rollout.fedlet.io/" FED_SPAN_FMT " of %s %s\n",
        FED_SPAN_ARG(fed_json_string(fed_json_find(a->rollout, "metadata.name"))),
        fed_buf_cstr(&line), done_word(a->verb));
    fed_buf_clear(&line);
    rollout_put_command(a->rollout, strcmp(a->verb, "pause") == 0 ? "resume" : "watch", &line);
    fprintf(stderr, "next: %s\n", fed_buf_cstr(&line));
    fed_buf_fini(&line);
}

static enum cli_exit read_options(struct acting *a, struct cli *cli, int argc, char **argv)
{
    const struct cli_flag flags[] = {{"namespace", 'n', CLI_FLAG_TEXT, &a->ns},
        {"reason", 0, CLI_FLAG_TEXT, &a->reason},
        {is_dangerous(a) ? "yes" : "wave", is_dangerous(a) ? 'y' : 0,
            is_dangerous(a) ? CLI_FLAG_SWITCH : CLI_FLAG_TEXT,
            is_dangerous(a) ? (void *)&a->yes : (void *)&a->wave}};
    size_t n = is_dangerous(a) || strcmp(a->verb, "approve") == 0 ? 3 : 2;
    struct cli_arguments arguments = {.n = 0};

    a->look = (struct look){.cli = cli, .self = a->self};
    fed_map_init(&a->look.by_name, cli->mem);
    if (cli_flags_read(a->self, argc, argv, flags, n, NULL, &arguments) != CLI_DONE)
        return CLI_USAGE;
    a->look.ns_flag = a->ns;
    if (a->ns && !fed_text_is_dns_label(fed_span_text(a->ns)))
        return cli_misuse(a->self, "\"%s\" is not the name of a namespace", a->ns);
    if (a->reason && strlen(a->reason) > REASON_BYTES_MAX)
        return cli_misuse(a->self, "--reason is longer than %u bytes", REASON_BYTES_MAX);
    if (a->wave && !fed_text_is_dns_label(fed_span_text(a->wave)))
        return cli_misuse(a->self, "\"%s\" is not the name of a wave", a->wave);
    if (arguments.n != 1)
        return cli_misuse(
            a->self, "takes one KIND/NAME, as in federateddeployment/web, or rollout/NAME");
    return rollout_name_read(&a->look, arguments.at[0], &a->name);
}

static enum cli_exit act(struct acting *a)
{
    enum fed_err err = rollout_read(&a->name, ROLLOUT_CURRENT, &a->rollout, &a->diag);
    enum cli_exit code;

    if (err)
        return cli_fail("%s", cli_why(&a->diag, err));
    code = confirm(a);
    if (code != CLI_DONE)
        return code;
    err = patch(a);
    if (err)
        return say_refused(a, err);
    if (a->look.cli->json)
        cli_print_json(a->rollout);
    else
        report(a);
    return CLI_DONE;
}

enum cli_exit cli_rollout_act(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct acting a = {.self = self, .verb = strchr(self->name, ' ') + 1};
    enum cli_exit code = read_options(&a, cli, argc, argv);

    if (code == CLI_DONE)
        code = act(&a);
    look_fini(&a.look);
    return code;
}
