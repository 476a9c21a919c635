/* token.c - fedctl token create, list, revoke. */
#include "cli/cli.h"

#include "proto/base/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* As the hub has them. */
#define TTL_MAX_MS (8760u * UINT64_C(3600000))
#define USES_MAX 100000u

struct token_options {
    const char *ttl;
    const char *name;
    const char *approve;
    uint64_t uses;
};

static bool is_ttl(const char *text)
{
    uint64_t ms = 0;

    return !fed_text_duration_ms(fed_span_text(text), &ms) && ms >= 1000 && ms <= TTL_MAX_MS;
}

/* CLI_DONE when they could be read. */
static enum cli_exit read_options(
    const struct cli_command *self, int argc, char **argv, struct token_options *out)
{
    static const struct option options[] = {{"ttl", required_argument, NULL, 't'},
        {"uses", required_argument, NULL, 'u'}, {"name", required_argument, NULL, 'n'},
        {"approve", required_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    int c;

    *out = (struct token_options){.ttl = "24h", .approve = "auto", .uses = 1};
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 't' && !is_ttl(optarg))
            return cli_misuse(
                self, "--ttl takes a duration from 1s to 8760h, as in 24h, not \"%s\"", optarg);
        if (c == 't')
            out->ttl = optarg;
        else if (c == 'u' && (fed_span_to_u64(fed_span_text(optarg), &out->uses) ||
                                 out->uses == 0 || out->uses > USES_MAX))
            return cli_misuse(
                self, "--uses takes a whole number from 1 to %u, not \"%s\"", USES_MAX, optarg);
        else if (c == 'n')
            out->name = optarg;
        else if (c == 'a')
            out->approve = optarg;
        else if (c == '?')
            return cli_misuse(self, "unknown option or missing value: %s", argv[optind - 1]);
    }
    if (optind < argc)
        return cli_misuse(self, "unexpected argument \"%s\"", argv[optind]);
    if (strcmp(out->approve, "auto") != 0 && strcmp(out->approve, "manual") != 0)
        return cli_misuse(self, "--approve takes auto or manual, not \"%s\"", out->approve);
    if (out->name && !cli_is_name(out->name))
        return cli_misuse(
            self, "--name \"%s\" is not a cluster name (RFC 1123: a-z, 0-9, '-', '.')", out->name);
    return CLI_DONE;
}

static enum fed_err make_body(
    struct cli *cli, const struct token_options *options, struct fed_buf *out)
{
    struct fed_json *object = fed_json_new_object(cli->doc);
    struct fed_json *metadata = fed_json_ensure_object(cli->doc, object, "metadata");
    struct fed_json *spec = fed_json_ensure_object(cli->doc, object, "spec");
    enum fed_err err = object && metadata && spec ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(cli->doc, object, "apiVersion", "fedlet.io/v1alpha1");
    if (!err)
        err = fed_json_set_text(cli->doc, object, "kind", "JoinToken");
    if (!err)
        err = fed_json_set_text(cli->doc, metadata, "generateName", "join");
    if (!err)
        err = fed_json_set_text(cli->doc, spec, "ttl", options->ttl);
    if (!err)
        err = fed_json_set_int(cli->doc, spec, "uses", (int64_t)options->uses);
    if (!err)
        err = fed_json_set_text(cli->doc, spec, "approve", options->approve);
    if (!err && options->name)
        err = fed_json_set_text(cli->doc, spec, "clusterName", options->name);
    return err ? err : fed_json_put(out, object);
}

static enum fed_err delete_token(struct cli *cli, struct fed_span id, struct fed_diag *diag)
{
    struct fed_json *answer;
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, cli->mem, 1024);
    fed_buf_printf(&path, CLI_TOKENS "/" FED_SPAN_FMT, FED_SPAN_ARG(id));
    err = fed_buf_err(&path);
    if (!err)
        err = cli_ask(cli, "DELETE", fed_buf_cstr(&path), NULL, fed_span_text(""), &answer, diag);
    fed_buf_fini(&path);
    return err;
}

/* To a full disk or a closed pipe: nobody has the token, or somebody a part of it. */
static enum cli_exit take_back(struct cli *cli, struct fed_span id)
{
    int why = errno;
    struct fed_diag diag = {""};
    enum fed_err err = delete_token(cli, id, &diag);

    if (err)
        cli_fail(
            "token " FED_SPAN_FMT " cannot be revoked: %s", FED_SPAN_ARG(id), cli_why(&diag, err));
    else
        cli_fail(
            "token " FED_SPAN_FMT " was revoked again: it could not be printed", FED_SPAN_ARG(id));
    errno = why;
    return CLI_FAILED;
}

enum cli_exit cli_token_create(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct token_options options;
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    struct fed_span token;
    struct fed_buf body;
    enum fed_err err;

    if (read_options(self, argc, argv, &options) != CLI_DONE)
        return CLI_USAGE;
    fed_buf_init(&body, cli->mem, 4096);
    err = make_body(cli, &options, &body);
    if (!err)
        err = cli_ask(
            cli, "POST", CLI_TOKENS, "application/json", fed_buf_span(&body), &answer, &diag);
    fed_buf_fini(&body);
    if (err)
        return cli_fail("cannot create a token: %s", diag.text[0] ? diag.text : fed_err_text(err));
    token = fed_json_string(fed_json_find(answer, "status.token"));
    if (token.len == 0)
        return cli_fail("the hub answered without a token");
    if (cli->json)
        cli_print_json(answer);
    else
        printf(FED_SPAN_FMT "\n", FED_SPAN_ARG(token));
    if (fflush(stdout) || ferror(stdout))
        return take_back(cli, fed_json_string(fed_json_find(answer, "metadata.name")));
    return CLI_DONE;
}

static void text_of(const struct fed_json *value, char out[64])
{
    if (fed_json_type(value) == FED_JSON_INT)
        snprintf(out, 64, "%lld", (long long)fed_json_int(value, 0));
    else if (fed_json_is_string(value))
        snprintf(out, 64, FED_SPAN_FMT, FED_SPAN_ARG(fed_json_string(value)));
    else
        snprintf(out, 64, "-");
}

enum cli_exit cli_token_list(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    static const char *const paths[] = {
        "metadata.name", "spec.clusterName", "spec.approve", "status.usesLeft", "status.expiresAt"};
    static const char *const head[] = {"ID", "CLUSTER", "APPROVE", "USES LEFT", "EXPIRES"};
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    struct cli_table table;
    const struct fed_json *items;

    (void)argv;
    if (argc > 1)
        return cli_misuse(self, "takes no arguments");
    if (cli_ask(cli, "GET", CLI_TOKENS, NULL, fed_span_text(""), &answer, &diag))
        return cli_fail("cannot list tokens: %s", diag.text);
    items = fed_json_get(answer, "items");
    if (cli->json) {
        cli_print_json(items);
        return CLI_DONE;
    }
    cli_table_init(&table, 5);
    cli_table_add(&table, head);
    for (struct fed_json_iter it = fed_json_items(items); fed_json_iter_next(&it);) {
        char cells[5][64];
        const char *row[5];

        for (size_t j = 0; j < 5; j++) {
            text_of(fed_json_find(it.value, paths[j]), cells[j]);
            row[j] = cells[j];
        }
        cli_table_add(&table, row);
    }
    cli_table_print(&table);
    return CLI_DONE;
}

enum cli_exit cli_token_revoke(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    if (argc != 2)
        return cli_misuse(self, "needs the id of one token");
    if (!cli_is_name(argv[1]))
        return cli_misuse(self, "\"%s\" is not a token's id", argv[1]);
    err = delete_token(cli, fed_span_text(argv[1]), &diag);
    if (err)
        return cli_fail("cannot revoke %s: %s", argv[1], cli_why(&diag, err));
    fprintf(stderr, "token %s revoked\n", argv[1]);
    return CLI_DONE;
}
