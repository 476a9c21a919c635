/* plan_replicas.c - fedctl plan replicas: asks the replica planner alone, without a hub. */
#include "cli/cli.h"
#include "proto/schedule/preferences.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* The file's name, NULL after a refusal. */
static const char *read_options(const struct cli_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"filename", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    const char *file = NULL;
    int c;

    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
        if (c != 'f') {
            cli_misuse(self, "unknown option or missing value: %s", argv[optind - 1]);
            return NULL;
        }
        file = optarg;
    }
    if (optind < argc) {
        cli_misuse(self, "unexpected argument \"%s\"", argv[optind]);
        return NULL;
    }
    if (!file || !*file) {
        cli_misuse(self, "needs a document: -f FILE, or -f - for standard input");
        return NULL;
    }
    return file;
}

static enum fed_err read_input(
    struct cli *cli, const char *file, struct fed_buf *out, struct fed_diag *diag)
{
    char chunk[4096];
    size_t n;

    if (strcmp(file, "-") != 0)
        return cli->fs->read(cli->fs->ctx, file, out, diag);
    while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        fed_buf_put(out, fed_span_of(chunk, n));
    if (ferror(stdin))
        return fed_diag_set(diag, FED_ERR_IO, "it cannot be read");
    return fed_buf_err(out);
}

static enum fed_err answer(
    struct cli *cli, struct fed_span text, struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_replicas_question question = {0};
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, cli->mem, 4u * FED_PREFERENCES_BYTES_MAX);
    err = fed_replicas_question_read(&arena, cli->doc, text, &question, diag);
    if (!err)
        err = fed_replicas_plan(cli->mem, question.key, question.total, question.rebalance,
            question.clusters, question.n, diag);
    if (!err)
        err = fed_replicas_answer_put(out, cli->doc, &question);
    fed_arena_fini(&arena);
    return err;
}

enum cli_exit cli_plan_replicas(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    const char *file = read_options(self, argc, argv);
    struct fed_diag diag = {""};
    struct fed_buf text;
    struct fed_buf out;
    enum fed_err err;

    if (!file)
        return CLI_USAGE;
    fed_buf_init(&text, cli->mem, FED_PREFERENCES_BYTES_MAX);
    fed_buf_init(&out, cli->mem, 2u * FED_PREFERENCES_BYTES_MAX);
    err = read_input(cli, file, &text, &diag);
    if (!err)
        err = answer(cli, fed_buf_span(&text), &out, &diag);
    if (!err)
        puts(fed_buf_cstr(&out));
    fed_buf_fini(&text);
    fed_buf_fini(&out);
    if (err)
        return cli_fail("%s: %s", strcmp(file, "-") == 0 ? "standard input" : file,
            diag.text[0] ? diag.text : fed_err_text(err));
    return CLI_DONE;
}
