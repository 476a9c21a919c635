/* main.c - fedhub: the commands, and how the parts of the service are put together. */
#include "hub/serve.h"

#include "ports/link.h"
#include "proto/base/text.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

enum exit_code { DONE = 0, FAILED = 1, MISUSED = 2 };

static const char usage[] =
    "fedhub - the control plane of a fedlet federation\n"
    "\n"
    "usage:\n"
    "  fedhub serve [--config FILE] [SETTING]...   run the service\n"
    "  fedhub verify [SETTING]...                  check the store (service stopped)\n"
    "  fedhub backup FILE [SETTING]...             write a consistent copy of the store, also "
    "while in use\n"
    "  fedhub restore FILE [SETTING]...            replace the store by a backup (service "
    "stopped)\n"
    "  fedhub ca status|rotate|finish|drop [--force] [SETTING]...\n"
    "                                              the certification authority and its "
    "replacement\n"
    "  fedhub config --check FILE | --sample       check a configuration file, print one\n"
    "  fedhub version [-o json]                    print the version\n"
    "\n"
    "settings (also in the configuration file, without the dashes):\n";
static const char examples[] =
    "\n"
    "examples:\n"
    "  fedhub serve --data-dir /var/lib/fedhub --advertise hub.example.com\n"
    "  fedhub serve --listen 127.0.0.1:0 --coap-listen 127.0.0.1:0 --agent-listen 127.0.0.1:0 "
    "--data-dir ./hub\n"
    "  fedhub backup /backup/hub-$(date +%F).db\n";

static enum exit_code help(FILE *to)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 65536);
    hub_options_help(&text);
    fprintf(to, "%s  %-26s %s\n%s%s", usage, "--config FILE",
        "read settings from FILE (YAML); flags win", fed_buf_cstr(&text), examples);
    fed_buf_fini(&text);
    return to == stdout ? DONE : MISUSED;
}

static enum exit_code misuse(const char *what, const char *detail)
{
    fprintf(stderr, "fedhub: %s%s; see fedhub --help\n", what, detail);
    return MISUSED;
}

static enum exit_code failed(const struct fed_diag *diag, enum fed_err err)
{
    fprintf(stderr, "fedhub: %s\n", diag->text[0] ? diag->text : fed_err_text(err));
    return FAILED;
}

/* ---- arguments ---- */
struct arguments {
    struct hub_options options;
    const char *file; /* the one positional argument */
    bool help;
};

static enum fed_err read_config(
    const char *path, struct hub_options *options, struct fed_diag *diag)
{
    struct fed_alloc *mem = fed_alloc_system();
    struct fed_fs fs = fed_fs_posix(mem);
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, mem, HUB_OPTIONS_FILE_MAX);
    err = fs.read(fs.ctx, path, &text, diag);
    if (!err) {
        err = hub_options_file(mem, fed_buf_span(&text), options, diag);
        if (err)
            fed_diag_prefix(diag, err, "%s", path);
    }
    fed_buf_fini(&text);
    return err;
}

/* "--name value" or "--name=value"; the value, and whether the next argument was used. */
static const char *flag_value(int argc, char **argv, int *i, char *name, size_t size)
{
    struct fed_span flag = fed_span_text(argv[*i] + 2);
    size_t equals = fed_span_find(flag, '=');

    if (fed_span_to_cstr(fed_span_sub(flag, 0, equals), name, size))
        return NULL;
    if (equals < flag.len)
        return argv[*i] + 2 + equals + 1;
    return ++*i < argc ? argv[*i] : NULL;
}

/* The configuration file first, wherever it stands among the flags. */
static enum exit_code find_config(int argc, char **argv, struct arguments *out)
{
    struct fed_diag diag = {{0}};

    for (int i = 0; i < argc; i++) {
        char name[64];
        const char *value;
        enum fed_err err;

        if (strncmp(argv[i], "--config", 8) != 0)
            continue;
        value = flag_value(argc, argv, &i, name, sizeof name);
        if (strcmp(name, "config") != 0)
            continue;
        if (!value)
            return misuse("--config needs a file", "");
        err = read_config(value, &out->options, &diag);
        if (err)
            return failed(&diag, err);
    }
    return DONE;
}

static enum exit_code parse(int argc, char **argv, bool takes_file, struct arguments *out)
{
    struct fed_diag diag = {{0}};
    enum exit_code code;
    size_t from_file;

    *out = (struct arguments){.file = NULL};
    hub_options_default(&out->options);
    code = find_config(argc, argv, out);
    from_file = out->options.n_advertise;
    for (int i = 0; i < argc && !code; i++) {
        char name[64];
        const char *value;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            out->help = true;
            return DONE;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            if (!takes_file || out->file)
                return misuse("unexpected argument ", argv[i]);
            out->file = argv[i];
            continue;
        }
        value = flag_value(argc, argv, &i, name, sizeof name);
        if (!value)
            return misuse("a flag needs a value: ", argv[i < argc ? i : argc - 1]);
        if (strcmp(name, "config") == 0)
            continue;
        if (strcmp(name, "advertise") == 0 && from_file > 0) {
            out->options.n_advertise = 0; /* flags replace the file's list */
            from_file = 0;
        }
        if (hub_options_set(&out->options, name, value, &diag))
            return misuse(diag.text, "");
    }
    return code;
}

/* ---- memory ---- */
/* What a request takes from the heap's end stays there for the next one, instead of a system call
 * to give it back and one to get it again; what is large, as a list of everything, is mapped for
 * itself and goes back whole. Without the second, glibc learns to keep such pieces. */
#define HEAP_KEPT_BYTES (2 << 20)
#define MAPPED_BYTES (256 << 10)

static void tune_heap(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

/* ---- commands ---- */
static enum exit_code command_serve(int argc, char **argv)
{
    struct arguments arguments;
    struct fed_diag diag = {{0}};
    enum exit_code code = parse(argc, argv, false, &arguments);
    enum fed_err err;

    if (code || arguments.help)
        return code ? code : help(stdout);
    tune_heap();
    err = hub_serve(&arguments.options, &diag);
    return err ? failed(&diag, err) : DONE;
}

static enum exit_code command_verify(int argc, char **argv)
{
    struct arguments arguments;
    struct fed_diag diag = {{0}};
    enum exit_code code = parse(argc, argv, false, &arguments);
    enum fed_err err;

    if (code || arguments.help)
        return code ? code : help(stdout);
    err = hub_store_verify(&arguments.options, &diag);
    if (err)
        return failed(&diag, err);
    printf("the store in %s is sound\n", arguments.options.data_dir);
    return DONE;
}

static enum exit_code command_copy(int argc, char **argv,
    enum fed_err (*copy)(
        const struct hub_options *options, const char *file, struct fed_diag *diag))
{
    struct arguments arguments;
    struct fed_diag diag = {{0}};
    enum exit_code code = parse(argc, argv, true, &arguments);
    enum fed_err err;

    if (code || arguments.help)
        return code ? code : help(stdout);
    if (!arguments.file)
        return misuse("a FILE is missing", "");
    err = copy(&arguments.options, arguments.file, &diag);
    return err ? failed(&diag, err) : DONE;
}

static enum exit_code command_backup(int argc, char **argv)
{
    return command_copy(argc, argv, hub_store_backup);
}

static enum exit_code command_restore(int argc, char **argv)
{
    return command_copy(argc, argv, hub_store_restore);
}

static enum exit_code command_config(int argc, char **argv)
{
    struct hub_options options;
    struct fed_diag diag = {{0}};
    struct fed_buf text;
    enum fed_err err;

    if (argc == 1 && strcmp(argv[0], "--help") == 0)
        return help(stdout);
    if (argc == 1 && strcmp(argv[0], "--sample") == 0) {
        fed_buf_init(&text, fed_alloc_system(), 65536);
        hub_options_sample(&text);
        fputs(fed_buf_cstr(&text), stdout);
        fed_buf_fini(&text);
        return DONE;
    }
    if (argc == 3 && strcmp(argv[0], "--check") == 0 && strcmp(argv[1], "--config") == 0) {
        argc--; /* as fedlet has it */
        argv[1] = argv[2];
    }
    if (argc != 2 || strcmp(argv[0], "--check") != 0)
        return misuse("config takes --check FILE or --sample", "");
    hub_options_default(&options);
    err = read_config(argv[1], &options, &diag);
    if (err)
        return failed(&diag, err);
    printf("%s is valid\n", argv[1]);
    return DONE;
}

/* Takes "--force" out of the arguments. */
static enum hub_ca_force take_force(int *argc, char **argv)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--force") != 0)
            continue;
        memmove(argv + i, argv + i + 1, (size_t)(*argc - i - 1) * sizeof *argv);
        --*argc;
        return HUB_CA_FORCE;
    }
    return HUB_CA_CAREFUL;
}

static enum exit_code command_ca(int argc, char **argv)
{
    enum hub_ca_force force = take_force(&argc, argv);
    struct arguments arguments;
    struct fed_diag diag = {{0}};
    struct fed_buf out;
    enum exit_code code = parse(argc, argv, true, &arguments);
    enum fed_err err;

    if (code || arguments.help)
        return code ? code : help(stdout);
    if (!arguments.file || !hub_ca_action(arguments.file))
        return misuse("ca takes status, rotate, finish or drop", "");
    fed_buf_init(&out, fed_alloc_system(), 65536);
    err = hub_ca(&arguments.options, arguments.file, force, &out, &diag);
    if (!err)
        fputs(fed_buf_cstr(&out), stdout);
    fed_buf_fini(&out);
    return err ? failed(&diag, err) : DONE;
}

static enum exit_code command_version(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[0], "-o") == 0 && strcmp(argv[1], "json") == 0;

    if (argc == 1 && strcmp(argv[0], "--help") == 0)
        return help(stdout);
    if (argc > 0 && !json)
        return misuse("version takes -o json or nothing", "");
    printf(json ? "{\"version\":\"%s\"}\n" : "fedhub %s\n", FEDLET_VERSION);
    return DONE;
}

/* What `serve` starts for itself: not for people, and without the descriptors that serve gives it
 * it ends at once. */
static enum exit_code command_gateway_worker(int argc, char **argv)
{
    struct fed_diag diag = {{0}};
    enum fed_err err;

    (void)argv;
    if (argc > 0)
        return misuse("gateway-worker is started by serve", "");
    err = fed_worker_run(fed_alloc_system(), &diag);
    if (err)
        (void)failed(&diag, err);
    _exit(err ? FAILED : DONE); /* by now it could not even open what an exit handler may want */
}

static const struct command {
    const char *name;
    enum exit_code (*run)(int argc, char **argv);
} commands[] = {
    {"serve", command_serve},
    {"verify", command_verify},
    {"backup", command_backup},
    {"restore", command_restore},
    {"ca", command_ca},
    {"config", command_config},
    {"version", command_version},
    {"gateway-worker", command_gateway_worker},
};

/* What could not be written, to a full disk or a closed pipe, was not done. */
static enum exit_code close_output(enum exit_code code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "fedhub: cannot write to standard output: %s\n", strerror(errno));
    return FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return close_output(help(stdout));
    if (strcmp(argv[1], "--version") == 0)
        return close_output(command_version(0, NULL));
    umask(077); /* store and backups hold Secrets */
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return close_output(commands[i].run(argc - 2, argv + 2));
    return misuse("there is no command ", argv[1]);
}
