/* configure.c - the configuration of a command: defaults, the file, then the command line; also of
 * a service that is told to read it again. */
#include "agent/world.h"
#include "ports/control.h"
#include "ports/yaml.h"

#include <stdio.h>
#include <string.h>

struct one_document {
    agent_world_document *read;
    void *ctx;
    enum fed_err err;
    struct fed_diag *diag;
};

static bool on_document(void *ctx, size_t index, struct fed_span json)
{
    struct one_document *one = ctx;

    if (index > 0)
        one->err = fed_diag_set(one->diag, FED_ERR_INVALID, "more than one document");
    else
        one->err = one->read(one->ctx, json, one->diag);
    return !one->err;
}

enum fed_err agent_world_read(const struct agent_world *w, const char *path, size_t limit,
    agent_world_document *read, void *ctx, struct fed_diag *diag)
{
    struct one_document one = {.read = read, .ctx = ctx, .diag = diag};
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, w->mem, limit);
    err = w->fs.read(w->fs.ctx, path, &text, diag);
    if (!err)
        err = fed_yaml_each_json(w->mem, fed_buf_span(&text), on_document, &one, diag);
    fed_buf_fini(&text);
    return err ? err : one.err;
}

static enum fed_err read_config(void *ctx, struct fed_span json, struct fed_diag *diag)
{
    return agent_config_read(ctx, json, diag);
}

static enum fed_err read_config_file(
    const struct agent_world *w, const char *path, struct agent_config *out, struct fed_diag *diag)
{
    enum fed_err err = agent_world_read(w, path, AGENT_CONFIG_MAX, read_config, out, diag);

    return err ? fed_diag_prefix(diag, err, "%s", path) : FED_OK;
}

enum fed_err agent_world_configure(const struct agent_world *w, const struct agent_options *options,
    struct agent_config *out, struct fed_diag *diag)
{
    bool first_hub = true;
    enum fed_err err = FED_OK;

    agent_config_defaults(out);
    if (options->config_file && read_config_file(w, options->config_file, out, diag))
        return FED_ERR_IO;
    for (size_t i = 0; i < options->n_overrides && !err; i++) {
        const char *option = options->overrides[i].option;

        err = agent_config_option(out, option, options->overrides[i].value, &first_hub, diag);
        if (err == FED_ERR_NOT_FOUND)
            fed_diag_set(diag, err, "unknown option %s", option);
    }
    if (!err && strcmp(out->proxy, "none") != 0)
        err = fed_https_proxy_check(out->proxy, diag);
    if (!err && out->metrics[0] && fed_control_http_check(out->metrics, diag))
        err = fed_diag_prefix(diag, FED_ERR_INVALID, "metrics");
    return err ? FED_ERR_INVALID : FED_OK;
}

static enum fed_err read_token_file(
    struct agent_world *w, const char *path, struct fed_token *out, struct fed_diag *diag)
{
    struct fed_buf text;
    struct fed_span token;
    enum fed_err err;

    fed_buf_init(&text, w->mem, FED_TOKEN_TEXT_MAX + 2);
    err = w->fs.read(w->fs.ctx, path, &text, diag);
    token = fed_buf_span(&text);
    while (token.len > 0 && strchr("\r\n ", token.at[token.len - 1]))
        token.len--;
    if (!err)
        err = fed_token_parse(token, out, diag);
    fed_buf_fini(&text);
    return err ? fed_diag_prefix(diag, err, "%s", path) : FED_OK;
}

enum fed_err agent_world_token(struct agent_world *w, const struct agent_options *options,
    struct fed_token *out, struct fed_diag *diag)
{
    char line[FED_TOKEN_TEXT_MAX + 2];
    const char *text = options->token;

    if (options->token_file)
        return read_token_file(w, options->token_file, out, diag);
    if (strcmp(text, "-") == 0) {
        if (!fgets(line, sizeof line, stdin))
            return fed_diag_set(diag, FED_ERR_INVALID, "no token on stdin");
        line[strcspn(line, "\r\n")] = '\0';
        text = line;
    }
    return fed_token_parse(fed_span_text(text), out, diag);
}
