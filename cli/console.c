/* console.c - fedctl console: an address that signs a browser in, once. */
#include "cli/cli.h"
#include "proto/base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define LINKS "/console/links"
#define BODY_MAX 64u
#define TTL_MIN_MS 10000u /* as the hub has them */
#define TTL_MAX_MS 900000u

struct console_options {
    uint64_t ttl_s; /* 0: the hub's own */
    bool print;
};

static enum cli_exit read_options(
    const struct cli_command *self, int argc, char **argv, struct console_options *out)
{
    static const struct option options[] = {{"ttl", required_argument, NULL, 't'},
        {"print", no_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    uint64_t ms = 0;
    int c;

    *out = (struct console_options){.ttl_s = 0};
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'p')
            out->print = true;
        else if (c == 't' && (fed_text_duration_ms(fed_span_text(optarg), &ms) || ms < TTL_MIN_MS ||
                                 ms > TTL_MAX_MS))
            return cli_misuse(self, "--ttl takes a duration from 10s to 15m, not \"%s\"", optarg);
        else if (c == 't')
            out->ttl_s = ms / 1000;
        else if (c == '?')
            return cli_misuse(self, "unknown option or missing value: %s", argv[optind - 1]);
    }
    return optind < argc ? cli_misuse(self, "unexpected argument \"%s\"", argv[optind]) : CLI_DONE;
}

/* An address of IPv6 stands in brackets. */
static void put_address(const struct cli *cli, struct fed_span path, struct fed_buf *out)
{
    const struct fed_kube_config *config = cli->config;
    bool bare = strchr(config->server_host, ':') && config->server_host[0] != '[';

    fed_buf_printf(out, "https://%s%s%s:%u%s" FED_SPAN_FMT, bare ? "[" : "", config->server_host,
        bare ? "]" : "", config->server_port, config->base_path, FED_SPAN_ARG(path));
}

static enum cli_exit print_link(
    struct cli *cli, const struct console_options *options, struct fed_json *answer)
{
    struct fed_span path = fed_json_string(fed_json_get(answer, "url_path"));
    char until[FED_TEXT_TIME_SIZE];
    struct fed_buf address;

    if (!fed_span_starts(path, "/console/"))
        return cli_fail("the hub answered without a link");
    fed_buf_init(&address, cli->mem, 2048);
    put_address(cli, path, &address);
    if (fed_buf_err(&address)) {
        fed_buf_fini(&address);
        return cli_fail("out of memory");
    }
    fed_text_time(fed_json_int(fed_json_get(answer, "expires_unix_s"), 0), until);
    if (cli->json && !fed_json_set_text(cli->doc, answer, "url", fed_buf_cstr(&address))) {
        cli_print_json(answer);
    } else {
        if (!options->print)
            fprintf(stderr,
                "Open it in a browser before %s; it signs one browser in, once, with your rights.\n"
                "A browser that does not know the hub's CA warns first.\n",
                until);
        printf("%s\n", fed_buf_cstr(&address));
    }
    fed_buf_fini(&address);
    return CLI_DONE;
}

enum cli_exit cli_console(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct console_options options;
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    char body[BODY_MAX] = "{}";
    enum fed_err err;

    if (read_options(self, argc, argv, &options) != CLI_DONE)
        return CLI_USAGE;
    if (options.ttl_s > 0)
        snprintf(body, sizeof body, "{\"ttl_s\":%llu}", (unsigned long long)options.ttl_s);
    err = cli_ask(cli, "POST", LINKS, "application/json", fed_span_text(body), &answer, &diag);
    if (err == FED_ERR_NOT_FOUND)
        return cli_fail("this hub has no console");
    if (err)
        return cli_fail("cannot make a link: %s", cli_why(&diag, err));
    return print_link(cli, &options, answer);
}
