/* ask.c - one question to the hub, answered before the command goes on; and what commands print. */
#include "cli/cli.h"
#include "ports/yaml.h"
#include "proto/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVED_MS 10000u /* until a type that was just enabled is served */
#define POLL_MS 250u

struct asking {
    struct cli *cli;
    bool of_hub;
    bool answered;
    enum fed_err err;
    unsigned status;
    struct fed_json *body;
    struct fed_diag *diag;
};

static enum fed_err err_of_status(unsigned status)
{
    switch (status) {
    case 401:
        return FED_ERR_UNAUTHENTICATED;
    case 403:
        return FED_ERR_FORBIDDEN;
    case 404:
        return FED_ERR_NOT_FOUND;
    case 409:
        return FED_ERR_CONFLICT;
    default:
        return FED_ERR_INVALID;
    }
}

static void on_answer(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct asking *asking = ctx;

    asking->answered = true;
    asking->err = err;
    if (err) {
        fed_diag_set(asking->diag, err, "%s%s",
            diag && diag->text[0] ? diag->text : fed_err_text(err),
            err == FED_ERR_NETWORK && asking->of_hub ? "; is fedhub running there?" : "");
    } else if (answer->status >= 400) {
        asking->err = err_of_status(answer->status);
        fed_kube_answer_text(answer, asking->diag);
    } else {
        asking->err = fed_json_parse(asking->cli->doc, answer->body, &asking->body, asking->diag);
    }
    asking->cli->loop->stop(asking->cli->loop->ctx);
}

enum fed_err cli_connect(struct cli *cli, struct fed_diag *diag)
{
    return cli->kube ? FED_OK : cli->connect(cli->connect_ctx, &cli->kube, diag);
}

enum fed_err cli_connect_member(
    struct cli *cli, const char *context, struct fed_kube **out, struct fed_diag *diag)
{
    const struct fed_kube_config *ignored;

    return cli->connect_member(cli->connect_ctx, context, out, &ignored, diag);
}

enum fed_err cli_ask_at(struct cli *cli, struct fed_kube *server, const char *method,
    const char *path, const char *content_type, struct fed_span body, struct fed_json **out,
    struct fed_diag *diag)
{
    struct asking asking = {.cli = cli, .of_hub = !server, .diag = diag};
    struct fed_kube_request request = {
        .method = method, .path = path, .content_type = content_type, .body = body};
    enum fed_err err = FED_OK;

    if (!server) {
        err = cli_connect(cli, diag);
        server = cli->kube;
    }
    if (!err)
        err = server->request(server->ctx, &request, on_answer, &asking, NULL);
    if (!err)
        err = cli->run(cli->run_ctx);
    if (!err && !asking.answered)
        err = fed_diag_set(diag, FED_ERR_CLOSED, "interrupted");
    if (err || asking.err)
        return err ? err : asking.err;
    *out = asking.body;
    return FED_OK;
}

enum fed_err cli_ask(struct cli *cli, const char *method, const char *path,
    const char *content_type, struct fed_span body, struct fed_json **out, struct fed_diag *diag)
{
    return cli_ask_at(cli, NULL, method, path, content_type, body, out, diag);
}

enum fed_err cli_send(struct cli *cli, struct fed_kube *server, const char *method,
    const char *path, const struct fed_json *body, struct fed_json **out, struct fed_diag *diag)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, cli->mem, FED_JSON_BYTES_MAX);
    err = fed_json_put(&text, body);
    if (!err)
        err = cli_ask_at(
            cli, server, method, path, "application/json", fed_buf_span(&text), out, diag);
    fed_buf_fini(&text);
    return err;
}

static void stop_waiting(void *ctx)
{
    struct cli *cli = ctx;

    cli->loop->stop(cli->loop->ctx);
}

enum fed_err cli_pause(struct cli *cli, unsigned ms)
{
    struct fed_timer *timer;
    enum fed_err err = cli->loop->timer_new(cli->loop->ctx, stop_waiting, cli, &timer);

    if (err)
        return err;
    cli->loop->timer_set(cli->loop->ctx, timer, fed_loop_now_ms(cli->loop) + ms);
    err = cli->run(cli->run_ctx);
    cli->loop->timer_free(cli->loop->ctx, timer);
    return err;
}

enum fed_err cli_create(
    struct cli *cli, const char *path, const struct fed_json *object, struct fed_diag *diag)
{
    uint64_t until = fed_loop_now_ms(cli->loop) + SERVED_MS;
    struct fed_json *answer;
    enum fed_err err;

    for (;;) {
        err = cli_send(cli, NULL, "POST", path, object, &answer, diag);
        if (err != FED_ERR_NOT_FOUND || fed_loop_now_ms(cli->loop) >= until)
            return err;
        err = cli_pause(cli, POLL_MS);
        if (err)
            return err;
    }
}

void cli_put_escaped(struct fed_buf *out, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c && strchr("-._~:", c)))
            fed_buf_put_u8(out, c);
        else
            fed_buf_printf(out, "%%%02X", c);
    }
}

/* ---- files ---- */

static enum fed_err read_stdin(struct fed_buf *out, struct fed_diag *diag)
{
    char part[4096];
    size_t n;

    while ((n = fread(part, 1, sizeof part, stdin)) > 0)
        fed_buf_put(out, fed_span_of(part, n));
    if (ferror(stdin))
        return fed_diag_set(diag, FED_ERR_IO, "cannot read standard input");
    return fed_buf_err(out);
}

enum fed_err cli_read_file(
    struct cli *cli, const char *path, struct fed_buf *out, struct fed_diag *diag)
{
    enum fed_err err;

    if (strcmp(path, "-") == 0)
        err = read_stdin(out, diag);
    else
        err = cli->fs->read(cli->fs->ctx, path, out, diag);
    if (err == FED_ERR_LIMIT)
        return fed_diag_set(diag, err, "%s: longer than %zu bytes", path, out->limit);
    return err;
}

enum fed_err cli_print_yaml(struct cli *cli, const struct fed_json *value, struct fed_diag *diag)
{
    struct fed_buf json;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&json, cli->mem, FED_JSON_BYTES_MAX);
    fed_buf_init(&text, cli->mem, 4 * FED_JSON_BYTES_MAX);
    err = fed_json_put(&json, value);
    if (!err)
        err = fed_yaml_put_json(cli->mem, fed_buf_span(&json), &text, diag);
    if (!err) {
        fputs("---\n", stdout);
        fwrite(text.at, 1, text.len, stdout);
    }
    fed_buf_fini(&json);
    fed_buf_fini(&text);
    return err;
}

const char *cli_why(const struct fed_diag *diag, enum fed_err err)
{
    return diag->text[0] ? diag->text : fed_err_text(err);
}

/* ---- what is said ---- */

enum cli_exit cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("fedctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_FAILED;
}

enum cli_exit cli_misuse(const struct cli_command *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "fedctl %s: ", self->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nusage: fedctl %s %s\nhelp:  fedctl %s --help\n", self->name, self->usage,
        self->name);
    va_end(args);
    return CLI_USAGE;
}

void cli_print_json(const struct fed_json *value)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), FED_JSON_BYTES_MAX);
    if (fed_json_put_pretty(&text, value))
        cli_fail("out of memory");
    else
        printf("%s\n", fed_buf_cstr(&text));
    fed_buf_fini(&text);
}

bool cli_is_name(const char *text)
{
    return fed_text_is_dns_subdomain(fed_span_text(text));
}

enum cli_exit cli_confirm(const struct cli_command *self, const char *question)
{
    char answer[16] = "";

    if (!isatty(STDIN_FILENO))
        return cli_misuse(self, "there is no terminal to ask at: say --yes");
    fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return CLI_DONE;
    return cli_fail("nothing was changed");
}

/* ---- tables ---- */

void cli_table_init(struct cli_table *table, size_t columns)
{
    *table = (struct cli_table){.columns = columns};
}

void cli_table_add(struct cli_table *table, const char *const *cells)
{
    if ((table->rows + 1) * table->columns > table->cap) {
        size_t cap = table->cap ? table->cap * 2 : 32 * table->columns;
        char(*all)[64] = realloc(table->cells, cap * sizeof *all);

        if (!all)
            return;
        table->cells = all;
        table->cap = cap;
    }
    for (size_t i = 0; i < table->columns; i++)
        snprintf(table->cells[table->rows * table->columns + i], 64, "%s", cells[i]);
    table->rows++;
}

void cli_table_print(struct cli_table *table)
{
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 0; column < table->columns; column++) {
            const char *cell = table->cells[row * table->columns + column];
            size_t width = 0;

            for (size_t i = 0; i < table->rows; i++) {
                size_t len = strlen(table->cells[i * table->columns + column]);

                width = len > width ? len : width;
            }
            if (column + 1 == table->columns)
                printf("%s\n", cell);
            else
                printf("%-*s", (int)width + 3, cell);
        }
    }
    free(table->cells);
    *table = (struct cli_table){0};
}
