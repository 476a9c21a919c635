/* main.c - fedctl, also installed as kubectl-fed: finds the command, wires the ports, runs it. */
#include "cli/cli.h"
#include "cli/show.h"
#include "ports/crypto.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct wiring {
    struct fed_alloc *mem;
    struct fed_linux_loop *loop;
    struct fed_log log;
    struct fed_crypto crypto;
    bool crypto_open;
    struct fed_kube_config config;
    struct fed_kube_client *client;
    struct fed_kube_config member_config;
    struct fed_kube_client *member;
    const char *kubeconfig;
    const char *context;
    const char *program; /* as people call it: "fedctl", "kubectl fed" */
};

static enum fed_err run_loop(void *ctx)
{
    struct wiring *w = ctx;

    return fed_linux_loop_run(w->loop);
}

static enum fed_err open_crypto(struct wiring *w, struct fed_diag *diag)
{
    enum fed_err err = w->crypto_open ? FED_OK : fed_tls_crypto_open(w->mem, &w->crypto, diag);

    w->crypto_open = !err;
    return err;
}

static enum fed_err connect_to(struct wiring *w, const char *context,
    struct fed_kube_config *config, struct fed_kube_client **client, struct fed_diag *diag)
{
    enum fed_err err = open_crypto(w, diag);

    if (!err)
        err = fed_kube_config_load(w->mem, w->kubeconfig, context, config, diag);
    if (err)
        return err;
    return fed_kube_client_open(
        w->mem, fed_linux_loop_port(w->loop), &w->log, config, client, diag);
}

static enum fed_err connect_hub(void *ctx, struct fed_kube **out, struct fed_diag *diag)
{
    struct wiring *w = ctx;
    enum fed_err err = connect_to(w, w->context, &w->config, &w->client, diag);

    if (!err)
        *out = fed_kube_client_port(w->client);
    return err;
}

static enum fed_err connect_member(void *ctx, const char *context, struct fed_kube **out,
    const struct fed_kube_config **config, struct fed_diag *diag)
{
    struct wiring *w = ctx;
    enum fed_err err = connect_to(w, context, &w->member_config, &w->member, diag);

    if (err)
        return err;
    *out = fed_kube_client_port(w->member);
    *config = &w->member_config;
    return FED_OK;
}

static void close_wiring(struct wiring *w)
{
    fed_kube_client_close(w->client);
    fed_kube_client_close(w->member);
    if (w->config.server_port)
        fed_kube_config_fini(&w->config);
    if (w->member_config.server_port)
        fed_kube_config_fini(&w->member_config);
    if (w->crypto_open)
        fed_tls_crypto_close(&w->crypto);
    fed_linux_loop_close(w->loop);
}

/* Text for people, in which every "fedctl " at the beginning of a word is the program as it was
 * called. */
static void put_help(FILE *to, const char *program, const char *text)
{
    const char *before = "\n";

    while (*text) {
        if (strncmp(text, "fedctl ", 7) == 0 && strchr(" \n`(", *before)) {
            fprintf(to, "%s ", program);
            text += 7;
        } else {
            fputc(*text++, to);
        }
        before = text - 1;
    }
}

static void usage(FILE *to, const char *program)
{
    fprintf(to,
        "fedctl drives a fedlet federation.\n\nusage: %s [--kubeconfig FILE] "
        "[--context NAME] COMMAND ...\n\n"
        "commands:\n",
        program);
    for (size_t i = 0; i < cli_n_commands; i++)
        fprintf(to, "  %-27s %s\n", cli_commands[i].name, cli_commands[i].summary);
    put_help(to, program,
        "\noptions:\n"
        "  --kubeconfig FILE  the hub's kubeconfig (default: $KUBECONFIG, then ~/.kube/config)\n"
        "  --context NAME     the context in it (default: its current one), also\n"
        "                     --host-cluster-context\n"
        "  -o json            facts as JSON\n"
        "  --help             help, also for one command: fedctl COMMAND --help\n\n"
        "example:\n  fedctl --kubeconfig /var/lib/fedhub/admin.kubeconfig token create --ttl 1h\n");
}

static void help(const char *program, const struct cli_command *command)
{
    printf("%s: %s\n\nusage: %s %s %s\n\n", command->name, command->summary, program, command->name,
        command->usage);
    put_help(stdout, program, command->help);
}

/* The command that argv begins with; *words says how many words its name has. The longer name wins:
 * `plan replicas` is not `plan` of something. */
static const struct cli_command *find(int argc, char **argv, int *words)
{
    const struct cli_command *found = NULL;

    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *second = strchr(cli_commands[i].name, ' ');
        size_t first =
            second ? (size_t)(second - cli_commands[i].name) : strlen(cli_commands[i].name);

        if (argc < 1 || strlen(argv[0]) != first ||
            strncmp(argv[0], cli_commands[i].name, first) != 0)
            continue;
        if (second ? argc < 2 || strcmp(argv[1], second + 1) != 0 : found != NULL)
            continue;
        *words = second ? 2 : 1;
        found = &cli_commands[i];
    }
    return found;
}

/* Whether the i-th command begins with that first word, and its second one is near. */
static bool is_near_second(size_t i, const char *first, const char *second)
{
    const char *name = cli_commands[i].name;
    size_t len = strlen(first);

    return strncmp(name, first, len) == 0 && name[len] == ' ' &&
           cli_is_near(fed_span_text(second), fed_span_text(name + len + 1));
}

static int unknown(int argc, char **argv)
{
    size_t len = strlen(argv[0]);
    const char *second = NULL; /* where it alone is wrong, and one is near */

    for (size_t i = 0; argc > 1 && i < cli_n_commands; i++)
        if (is_near_second(i, argv[0], argv[1]))
            second = argv[1];

    fprintf(stderr, "fedctl: no command \"%s%s%s\"\n", argv[0],
        argc > 1 && argv[1][0] != '-' ? " " : "", argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    for (size_t i = 0; i < cli_n_commands; i++) {
        size_t first = strcspn(cli_commands[i].name, " ");

        if (second && !is_near_second(i, argv[0], second))
            continue;
        if (strncmp(cli_commands[i].name, argv[0], len < 3 ? len : 3) == 0 ||
            cli_is_near(fed_span_of(argv[0], len), fed_span_of(cli_commands[i].name, first)))
            fprintf(stderr, "did you mean: fedctl %s\n", cli_commands[i].name);
    }
    fprintf(stderr, "help: fedctl --help\n");
    return CLI_USAGE;
}

/* The commands that begin with the words of argv: `fedctl token` alone is a question. */
static int incomplete(const char *word)
{
    fprintf(stderr, "fedctl: %s what?\n", word);
    for (size_t i = 0; i < cli_n_commands; i++) {
        size_t len = strlen(word);

        if (strncmp(cli_commands[i].name, word, len) == 0 && cli_commands[i].name[len] == ' ')
            fprintf(stderr, "  fedctl %-27s %s\n", cli_commands[i].name, cli_commands[i].summary);
    }
    return CLI_USAGE;
}

static bool is_first_word(const char *word)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        size_t len = strcspn(cli_commands[i].name, " ");

        if (cli_commands[i].name[len] && strlen(word) == len &&
            strncmp(word, cli_commands[i].name, len) == 0)
            return true;
    }
    return false;
}

/* Takes the options that every command has out of argv. CLI_DONE to go on. */
static enum cli_exit common_options(
    int *argc, char **argv, struct wiring *w, struct cli *cli, bool *wants_help)
{
    int kept = 0;

    for (int i = 0; i < *argc; i++) {
        const char *arg = argv[i];
        const char **value = NULL;
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

        if (strncmp(arg, "--kubeconfig", len) == 0 && len == 12)
            value = &w->kubeconfig;
        else if ((strncmp(arg, "--context", len) == 0 && len == 9) ||
                 (strncmp(arg, "--host-cluster-context", len) == 0 && len == 22))
            value = &w->context;
        if (value) {
            *value = equals ? equals + 1 : i + 1 < *argc ? argv[++i] : NULL;
            if (!*value) {
                fprintf(stderr, "fedctl: %s needs a value\n", arg);
                return CLI_USAGE;
            }
        } else if (strncmp(arg, "-o", 2) == 0 || (strncmp(arg, "--output", len) == 0 && len == 8)) {
            const char *format = equals ? equals + 1 : arg[1] == 'o' ? arg + 2 : "";

            if (!*format && i + 1 < *argc)
                format = argv[++i];

            cli->output = format;
            cli->json = strcmp(format, "json") == 0;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            *wants_help = true;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return CLI_DONE;
}

static int run_command(
    struct wiring *w, struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    struct fed_diag diag = {""};
    int code = CLI_FAILED;

    if (fed_linux_loop_open(w->mem, &w->loop, &diag))
        return cli_fail("%s", diag.text);
    cli->loop = fed_linux_loop_port(w->loop);
    if (fed_json_doc_new(w->mem, &cli->doc) == FED_OK)
        code = command->call(cli, command, argc, argv);
    fed_json_doc_free(cli->doc);
    close_wiring(w);
    return code;
}

/* What could not be written, to a full disk or a closed pipe, was not done. */
static int close_output(int code)
{
    if (fflush(stdout) || ferror(stdout))
        return cli_fail("cannot write to standard output: %s", strerror(errno));
    return code;
}

static const char *const output_words[] = {[CLI_OUTPUT_JSON] = "json",
    [CLI_OUTPUT_FILE] = "a file",
    [CLI_OUTPUT_YAML] = "yaml",
    [CLI_OUTPUT_JSON_WIDE] = "json or wide",
    [CLI_OUTPUT_JSON_YAML] = "json or yaml"};

static bool output_fits(const struct cli *cli, const struct cli_command *command)
{
    if (!cli->output)
        return true;
    switch (command->output) {
    case CLI_OUTPUT_FILE:
        return cli->json || cli->output[0];
    case CLI_OUTPUT_YAML:
        return strcmp(cli->output, "yaml") == 0;
    case CLI_OUTPUT_JSON_WIDE:
        return cli->json || strcmp(cli->output, "wide") == 0;
    case CLI_OUTPUT_JSON_YAML:
        return cli->json || strcmp(cli->output, "yaml") == 0;
    case CLI_OUTPUT_JSON:
        break;
    }
    return cli->json;
}

/* kubectl asks this name what may follow on its command line. */
static bool is_completer(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

    return argv0 && strcmp(slash ? slash + 1 : argv0, "kubectl_complete-fed") == 0;
}

#define COMPLETE_WORDS_MAX 256

/* `completion words`: nothing of the line is an option of this program but where the hub is. */
static int complete(struct wiring *w, struct cli *cli, int argc, char **argv)
{
    static char completion[] = "completion";
    static char words[] = "words";
    char *given[COMPLETE_WORDS_MAX + 3] = {completion, words};
    int n_words = 0;
    int n = argc < COMPLETE_WORDS_MAX ? argc : COMPLETE_WORDS_MAX;

    memcpy(given + 2, argv, (size_t)n * sizeof *argv);
    for (int i = 0; i + 2 < n; i++) {
        if (strcmp(argv[i], "--kubeconfig") == 0)
            w->kubeconfig = argv[i + 1];
        else if (strcmp(argv[i], "--context") == 0)
            w->context = argv[i + 1];
    }
    return close_output(run_command(w, cli, find(2, given, &n_words), n + 2, given));
}

/* kubectl runs kubectl-fed as `kubectl fed`. */
static const char *program_name(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
    const char *name = slash ? slash + 1 : argv0;

    return name && strcmp(name, "kubectl-fed") == 0 ? "kubectl fed" : "fedctl";
}

int main(int argc, char **argv)
{
    struct wiring w = {.mem = fed_alloc_system(),
        .log = fed_log_stderr(FED_LOG_ERROR),
        .program = program_name(argv[0])};
    struct fed_fs fs = fed_fs_posix(w.mem);
    struct cli cli = {.mem = w.mem,
        .run = run_loop,
        .run_ctx = &w,
        .connect = connect_hub,
        .connect_ctx = &w,
        .connect_member = connect_member,
        .crypto = &w.crypto,
        .fs = &fs,
        .config = &w.config};
    const struct cli_command *command;
    bool wants_help = false;
    int words = 0;

    signal(SIGPIPE, SIG_IGN);
    if (is_completer(argv[0]))
        return complete(&w, &cli, argc - 1, argv + 1);
    argc--;
    argv++;
    if (common_options(&argc, argv, &w, &cli, &wants_help) != CLI_DONE)
        return CLI_USAGE;
    if (argc > 0 && strcmp(argv[0], "help") == 0) {
        wants_help = true;
        argc--;
        argv++;
    }
    if (argc == 0) {
        usage(wants_help ? stdout : stderr, w.program);
        return wants_help ? close_output(CLI_DONE) : CLI_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0)
        argv[0] += 2;
    command = find(argc, argv, &words);
    if (!command)
        return argc == 1 && is_first_word(argv[0]) ? incomplete(argv[0]) : unknown(argc, argv);
    if (wants_help) {
        help(w.program, command);
        return close_output(CLI_DONE);
    }
    if (!output_fits(&cli, command)) {
        fprintf(
            stderr, "fedctl: -o takes %s, not \"%s\"\n", output_words[command->output], cli.output);
        return CLI_USAGE;
    }
    return close_output(run_command(&w, &cli, command, argc - words + 1, argv + words - 1));
}
