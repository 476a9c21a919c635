/* main.c - options, the ports, the loop. See swarm.h. */
#include "tests/swarm/swarm.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TEXTS_MAX (1u << 30)
#define WINDOW_NORMAL 32u

struct options {
    const char *hub;
    const char *token;
    const char *state;
    const char *keys;
    const char *name;
    uint64_t agents;
    uint64_t window;
    enum fed_log_level level;
};

static const char usage[] =
    "usage: swarm --hub URL --agents N --state FILE [options]\n"
    "\n"
    "Agents without clusters, each with a session of its own: coaps://HOST:PORT or\n"
    "https://HOST:PORT. Commands are read from stdin, events are written to stdout.\n"
    "\n"
    "  --state FILE   who has joined; made when it is not there\n"
    "  --token TOKEN  for those who have not joined; it needs N uses\n"
    "  --keys FILE    private keys made before; those that lack are added\n"
    "  --name PREFIX  of the clusters' names (swarm)\n"
    "  --window N     agents that are being started at once (32)\n"
    "  --verbose      tell of each trouble on stderr\n";

static bool number(const char *text, uint64_t max, uint64_t *out)
{
    return !fed_span_to_u64(fed_span_text(text), out) && *out > 0 && *out <= max;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"hub", 1, NULL, 'h'}, {"agents", 1, NULL, 'a'},
        {"state", 1, NULL, 's'}, {"token", 1, NULL, 't'}, {"keys", 1, NULL, 'k'},
        {"name", 1, NULL, 'n'}, {"window", 1, NULL, 'w'}, {"verbose", 0, NULL, 'v'},
        {NULL, 0, NULL, 0}};
    bool ok = true;
    int c;

    *o = (struct options){.name = "swarm", .window = WINDOW_NORMAL, .level = FED_LOG_INFO};
    while (ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'h':
            o->hub = optarg;
            break;
        case 'a':
            ok = number(optarg, SWARM_AGENTS_MAX, &o->agents);
            break;
        case 's':
            o->state = optarg;
            break;
        case 't':
            o->token = optarg;
            break;
        case 'k':
            o->keys = optarg;
            break;
        case 'n':
            o->name = optarg;
            break;
        case 'w':
            ok = number(optarg, SWARM_AGENTS_MAX, &o->window);
            break;
        case 'v':
            o->level = FED_LOG_DEBUG;
            break;
        default:
            ok = false;
        }
    }
    return ok && optind == argc && o->hub && o->agents && o->state;
}

/* A session has descriptors of its own. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum fed_err identities(struct swarm *swarm, struct fed_diag *diag)
{
    enum fed_err err = swarm_state_read(swarm, diag);

    if (!err) {
        swarm->n_enrolled = swarm->n;
        return FED_OK;
    }
    if (err != FED_ERR_NOT_FOUND)
        return err;
    if (!swarm->has_token)
        return fed_diag_set(diag, FED_ERR_INVALID, "nobody has joined, and there is no --token");
    return swarm_keys(swarm, diag);
}

static enum fed_err set_up(struct swarm *swarm, const struct options *o, struct fed_diag *diag)
{
    enum fed_err err = fed_link_address_parse(fed_span_text(o->hub), &swarm->hub, diag);

    if (!err && o->token)
        err = fed_token_parse(fed_span_text(o->token), &swarm->token, diag);
    swarm->has_token = o->token != NULL;
    swarm->state_path = o->state;
    swarm->keys_path = o->keys;
    swarm->prefix = o->name;
    swarm->window = (size_t)o->window;
    if (!err)
        err = fed_tls_crypto_open(swarm->mem, &swarm->crypto, diag);
    if (err)
        return err;
    err = swarm_fleet_open(swarm, (size_t)o->agents, diag);
    if (!err)
        err = identities(swarm, diag);
    if (!err)
        err = swarm_command_open(swarm, diag);
    return err;
}

static int run(const struct options *o)
{
    static struct fed_log log;
    struct swarm swarm = {.mem = fed_alloc_system(), .log = &log};
    struct fed_linux_loop *loop = NULL;
    struct fed_diag diag = {""};
    enum fed_err err;

    log = fed_log_stderr(o->level);
    swarm.fs = fed_fs_posix(swarm.mem);
    fed_arena_init(&swarm.texts, swarm.mem, TEXTS_MAX);
    swarm_blobs_init(&swarm.blobs, swarm.mem);
    err = fed_linux_loop_open(swarm.mem, &loop, &diag);
    if (!err) {
        swarm.loop = fed_linux_loop_port(loop);
        err = set_up(&swarm, o, &diag);
    }
    if (!err) {
        swarm_fleet_begin(&swarm);
        err = fed_linux_loop_run(loop);
    }
    if (err)
        fed_log(&log, FED_LOG_ERROR, "%s", diag.text[0] ? diag.text : fed_err_text(err));
    swarm_command_close(&swarm);
    swarm_fleet_close(&swarm);
    swarm_blobs_fini(&swarm.blobs);
    fed_tls_crypto_close(&swarm.crypto);
    fed_linux_loop_close(loop);
    fed_arena_fini(&swarm.texts);
    return err || swarm.failed;
}

int main(int argc, char **argv)
{
    struct options options;

    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    raise_limit();
    return run(&options);
}
