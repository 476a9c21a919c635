/* main.c - fedlet: reads the configuration, runs one command (command_NAME.c for the long ones),
 * and closes what it opened (world.c).
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. */
#include "agent/completion.h"
#include "agent/world.h"
#include "ports/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#define STATUS_TIMEOUT_MS 5000u

/* ---- status ---- */

static int command_status(struct agent_world *w, const struct agent_options *options)
{
    const char *request = options->json ? "status" : "status text";
    struct fed_diag diag = {""};
    struct fed_buf answer;
    char path[AGENT_PATH_MAX];
    enum fed_err err = agent_world_path(w, AGENT_STATE_SOCKET, path, &diag);

    fed_buf_init(&answer, w->mem, FED_CONTROL_ANSWER_MAX);
    if (!err)
        err = fed_control_ask(
            w->mem, path, fed_span_text(request), STATUS_TIMEOUT_MS, &answer, &diag);
    if (err == FED_ERR_NOT_FOUND)
        fed_diag_set(&diag, err,
            "no service runs on %s; start it with `systemctl start fedlet` or "
            "`fedlet run`",
            w->config.state_dir);
    if (!err) {
        fwrite(answer.at, 1, answer.len, stdout);
        if (options->json)
            putchar('\n');
    }
    fed_buf_fini(&answer);
    return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
}

/* ---- the rest ---- */

static int command_config(struct agent_world *w, const struct agent_options *options)
{
    struct fed_buf text;

    if (options->check) {
        struct fed_diag diag = {""};
        enum fed_err err = agent_world_open_policy(w, &diag);

        if (err)
            return agent_world_fail(&diag, err);
        printf("%s: ok\n", options->config_file);
        return EXIT_SUCCESS;
    }
    fed_buf_init(&text, w->mem, AGENT_CONFIG_MAX);
    agent_config_sample(&text);
    fwrite(text.at, 1, text.len, stdout);
    fed_buf_fini(&text);
    return EXIT_SUCCESS;
}

static int command_completion(struct agent_world *w, const struct agent_options *options)
{
    struct fed_buf script;
    struct fed_diag diag = {""};
    enum fed_err err;

    fed_buf_init(&script, w->mem, AGENT_BODY_MAX);
    agent_completion_put(options->file, &script);
    err = fed_buf_err(&script);
    if (!err)
        fwrite(script.at, 1, script.len, stdout);
    fed_buf_fini(&script);
    return err ? agent_world_fail(&diag, err) : EXIT_SUCCESS;
}

static int command_version(struct agent_world *w, const struct agent_options *options)
{
    (void)w;
    printf(options->json ? "{\"version\":\"%s\"}\n" : "fedlet %s\n", FEDLET_VERSION);
    return EXIT_SUCCESS;
}

static int command_help(struct agent_world *w, const struct agent_options *options)
{
    (void)w;
    (void)options;
    fputs(agent_options_help(AGENT_COMMAND_HELP), stdout);
    return EXIT_SUCCESS;
}

static int (*const commands[AGENT_COMMANDS])(struct agent_world *, const struct agent_options *) = {
    [AGENT_COMMAND_JOIN] = agent_command_join,
    [AGENT_COMMAND_RUN] = agent_command_run,
    [AGENT_COMMAND_STATUS] = command_status,
    [AGENT_COMMAND_RBAC] = agent_command_rbac,
    [AGENT_COMMAND_LEAVE] = agent_command_leave,
    [AGENT_COMMAND_PREFLIGHT] = agent_command_preflight,
    [AGENT_COMMAND_DOCTOR] = agent_command_doctor,
    [AGENT_COMMAND_BUNDLE] = agent_command_bundle,
    [AGENT_COMMAND_INSTALL] = agent_command_install,
    [AGENT_COMMAND_UNINSTALL] = agent_command_uninstall,
    [AGENT_COMMAND_CONFIG] = command_config,
    [AGENT_COMMAND_COMPLETION] = command_completion,
    [AGENT_COMMAND_VERSION] = command_version,
    [AGENT_COMMAND_HELP] = command_help,
};

static int usage(const struct fed_diag *diag)
{
    fprintf(stderr, "fedlet: %s; see `fedlet --help`\n", diag->text);
    return AGENT_EXIT_USAGE;
}

/* What could not be written, to a full disk or a closed pipe, was not done. */
static int close_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "fedlet: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct agent_world w;
    static struct agent_options options;
    struct fed_diag diag = {""};
    enum fed_err err = agent_options_parse(argc, argv, &options, &diag);
    int code;

    if (err)
        return usage(&diag);
    if (options.help) {
        fputs(agent_options_help(options.command), stdout);
        return close_output(EXIT_SUCCESS);
    }
    umask(077); /* the bundle may hold Secrets */
    w.mem = fed_alloc_system();
    w.fs = fed_fs_posix(w.mem);
    err = agent_world_configure(&w, &options, &w.config, &diag);
    if (err)
        return err == FED_ERR_INVALID ? usage(&diag) : agent_world_fail(&diag, err);
    code = commands[options.command](&w, &options);
    agent_world_close(&w);
    return close_output(code);
}
