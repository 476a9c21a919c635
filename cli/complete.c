/* complete.c - see complete.h. */
#include "cli/complete.h"

#include "cli/look.h"
#include "cli/resource.h"
#include "cli/rollout.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define TYPECONFIGS                                                                                \
    "/apis/core.kubefed.io/v1beta1/namespaces/" CLI_SYSTEM_NAMESPACE "/federatedtypeconfigs"
#define USERS                                                                                      \
    "/api/v1/namespaces/" CLI_SYSTEM_NAMESPACE "/serviceaccounts?labelSelector=fedlet.io%2Fuser"

/* Directives of cobra, whose protocol kubectl speaks with plugins. */
#define FILES ":0"
#define NO_FILES ":4"

/* What the first argument of a command is. */
static const struct {
    const char *command;
    const char *names; /* of `completion names` */
} arguments[] = {{"token revoke", "tokens"}, {"approve", "requests"}, {"unjoin", "clusters"},
    {"enable", "kinds"}, {"disable", "types"}, {"federate", "kinds"},
    {"orphaning-deletion enable", "federated"}, {"orphaning-deletion disable", "federated"},
    {"orphaning-deletion status", "federated"}, {"user remove", "users"}, {"status", "objects"},
    {"tree", "objects"}, {"events", "objects"}, {"diff", "objects"}, {"rollout list", "rollouts"},
    {"rollout status", "rollouts"}, {"rollout watch", "rollouts"}, {"rollout wait", "rollouts"},
    {"rollout pause", "rollouts"}, {"rollout resume", "rollouts"}, {"rollout approve", "rollouts"},
    {"rollout retry", "rollouts"}, {"rollout abort", "rollouts"}, {"rollout undo", "rollouts"}};

/* Where names are, and which text of each object is one. */
static const struct {
    const char *names;
    const char *list;
    const char *text;
} lists[] = {{"tokens", CLI_TOKENS, "metadata.name"}, {"requests", CLI_REQUESTS, "metadata.name"},
    {"clusters", CLI_CLUSTERS, "metadata.name"}, {"types", TYPECONFIGS, "metadata.name"},
    {"federated", TYPECONFIGS, "spec.federatedType.pluralName"}, {"users", USERS, "metadata.name"}};

const char *cli_names_of(const char *command)
{
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        if (strcmp(arguments[i].command, command) == 0)
            return arguments[i].names;
    return "";
}

/* ---- names ---- */

static void put(const char *prefix, struct fed_span name)
{
    size_t len = strlen(prefix);

    if (name.len >= len && memcmp(name.at, prefix, len) == 0)
        printf(FED_SPAN_FMT "\n", FED_SPAN_ARG(name));
}

static enum cli_exit print_kinds(const char *prefix)
{
    struct cli_resources all;
    char name[CLI_QUALIFIED_SIZE];
    enum fed_err err;

    cli_resources_init(&all);
    err = cli_kinds_add(&all, NULL);
    for (size_t i = 0; !err && i < all.n; i++)
        put(prefix, fed_span_text(cli_qualified(all.at[i].plural, all.at[i].group, name)));
    cli_resources_fini(&all);
    return err ? cli_fail("%s", fed_err_text(err)) : CLI_DONE;
}

static enum cli_exit print_names(
    struct cli *cli, const char *list, const char *text, const char *prefix)
{
    struct fed_json *answer;
    struct fed_diag diag = {""};
    const struct fed_json *items;

    if (cli_ask(cli, "GET", list, NULL, fed_span_text(""), &answer, &diag))
        return cli_fail("%s", diag.text);
    items = fed_json_get(answer, "items");
    for (struct fed_json_iter it = fed_json_items(items); fed_json_iter_next(&it);)
        put(prefix, fed_json_string(fed_json_find(it.value, text)));
    return CLI_DONE;
}

/* Federated objects as RESOURCE/NAME, by the kind that is federated. */
struct objects {
    const struct look_kind *kind;
    const char *prefix;
};

static void put_pair(const char *prefix, struct fed_span kind, struct fed_span name)
{
    char text[64 + 254 + 1];

    if (kind.len + 1 + name.len >= sizeof text || !name.len)
        return;
    for (size_t i = 0; i < kind.len; i++) {
        char c = (char)kind.at[i];

        text[i] = (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
    }
    text[kind.len] = '/';
    memcpy(text + kind.len + 1, name.at, name.len);
    put(prefix, fed_span_of(text, kind.len + 1 + name.len));
}

static void put_object(void *ctx, struct fed_json *object)
{
    const struct objects *o = ctx;

    put_pair(
        o->prefix, o->kind->target_kind, fed_json_string(fed_json_find(object, "metadata.name")));
}

static enum cli_exit print_objects(struct look *look, const char *prefix)
{
    struct fed_diag diag = {""};
    enum fed_err err = look_kinds(look, &diag);

    for (size_t i = 0; !err && i < look->n_kinds; i++) {
        struct objects o = {.kind = &look->kinds[i], .prefix = prefix};

        err = look_objects(look, o.kind, put_object, &o, &diag);
        if (err == FED_ERR_NOT_FOUND || err == FED_ERR_FORBIDDEN)
            err = FED_OK; /* of what may be seen */
    }
    return err ? cli_fail("%s", diag.text) : CLI_DONE;
}

/* The objects that have rollouts, each once. */
struct rollouts {
    const char *prefix;
    struct fed_map seen;
};

static void put_rollout(void *ctx, struct fed_json *rollout)
{
    struct rollouts *r = ctx;
    const struct fed_json *object = fed_json_find(rollout, "spec.object");
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span name = fed_json_string(fed_json_get(object, "name"));
    char key[400];
    int n = snprintf(
        key, sizeof key, FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(kind), FED_SPAN_ARG(name));
    struct fed_span span = fed_span_of(key, n > 0 && n < (int)sizeof key ? (size_t)n : 0);

    if (fed_map_get(&r->seen, span) || fed_map_put(&r->seen, span, r))
        return;
    put_pair(r->prefix, kind, name);
}

static enum cli_exit print_rollouts(struct look *look, const char *prefix)
{
    struct rollouts r = {.prefix = prefix};
    struct fed_diag diag = {""};
    char path[200];
    enum fed_err err = cli_connect(look->cli, &diag);

    fed_map_init(&r.seen, look->cli->mem);
    snprintf(path, sizeof path, ROLLOUT_GROUP "/namespaces/%s/rollouts", look_ns(look));
    if (!err)
        err = look_list(look, path, put_rollout, &r, &diag);
    fed_map_fini(&r.seen);
    return err ? cli_fail("%s", diag.text) : CLI_DONE;
}

static enum cli_exit names(struct cli *cli, const struct cli_command *self, const char *what,
    struct look *look, const char *prefix)
{
    if (strcmp(what, "kinds") == 0)
        return print_kinds(prefix);
    if (strcmp(what, "objects") == 0)
        return print_objects(look, prefix);
    if (strcmp(what, "rollouts") == 0)
        return print_rollouts(look, prefix);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(lists[i].names, what) == 0)
            return print_names(cli, lists[i].list, lists[i].text, prefix);
    return cli_misuse(self, "\"%s\" has no names", what);
}

enum cli_exit cli_complete_names(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    struct look look = {.cli = cli, .self = self};
    const char *what = argv[0];
    enum cli_exit done = look_options(&look, cli, self, "n", &argc, &argv);

    if (done == CLI_DONE && argc > 0)
        done = cli_misuse(self, "\"%s\" is one too many", argv[0]);
    if (done == CLI_DONE)
        done = names(cli, self, what, &look, "");
    look_fini(&look);
    return done;
}

/* ---- words, as kubectl asks for them ---- */

struct line {
    char cmd[64];   /* command so far, "" before the first word */
    const char *ns; /* of -n */
    const char *previous;
    const char *current;
};

static const struct cli_command *command_of(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static void read_line(struct line *line, int argc, char **argv)
{
    static const char *const valued[] = {
        "--kubeconfig", "--context", "--host-cluster-context", "-f", "-o", NULL};
    static const char *const spaces[] = {"-n", "--namespace", NULL};
    char pair[64];

    *line = (struct line){.previous = "", .current = argc ? argv[argc - 1] : ""};
    for (int i = 0; i + 1 < argc; i++) {
        line->previous = argv[i];
        if (is_one_of(argv[i], spaces) && i + 2 < argc) {
            line->ns = argv[++i];
        } else if (is_one_of(argv[i], valued)) {
            i++;
        } else if (argv[i][0] == '-') {
            continue;
        } else if (!line->cmd[0]) {
            snprintf(line->cmd, sizeof line->cmd, "%s", argv[i]);
        } else if (snprintf(pair, sizeof pair, "%s %s", line->cmd, argv[i]) < (int)sizeof pair &&
                   command_of(pair)) {
            memcpy(line->cmd, pair, sizeof pair);
        }
    }
}

/* The words that may follow: the first of every command, or the second ones. */
static void put_commands(const struct line *line)
{
    size_t len = strlen(line->cmd);
    struct fed_span before = {0};

    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *name = cli_commands[i].name;
        struct fed_span word = fed_span_of(name, strcspn(name, " "));

        if (!len) {
            if (!fed_span_eq(word, before))
                put(line->current, word);
            before = word;
        } else if (strncmp(name, line->cmd, len) == 0 && name[len] == ' ') {
            put(line->current, fed_span_text(name + len + 1));
        }
    }
    if (!len)
        put(line->current, FED_SPAN_LIT("help"));
    if (strcmp(line->cmd, "completion") == 0) {
        struct fed_span shells = FED_SPAN_LIT(CLI_SHELLS);
        struct fed_span one;

        while (fed_span_split(&shells, ' ', &one))
            put(line->current, one);
    }
}

static void put_options(const struct line *line)
{
    const struct cli_command *command = command_of(line->cmd);
    struct fed_span rest = fed_span_text(command ? command->options : "");
    struct fed_span one;

    if (line->current[0] != '-')
        return;
    while (fed_span_split(&rest, ' ', &one))
        put(line->current, one);
    put(line->current, FED_SPAN_LIT("--kubeconfig"));
    put(line->current, FED_SPAN_LIT("--context"));
    put(line->current, FED_SPAN_LIT("--help"));
}

enum cli_exit cli_complete_words(
    struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    static const char *const files[] = {"-f", "--filename", "--kubeconfig", "-o", "--output", NULL};
    static char nothing[] = "words";
    char *none[] = {nothing, NULL};
    char **rest = none;
    int n_rest = 1;
    struct look look;
    const char *what;
    struct line line;

    read_line(&line, argc, argv);
    if (is_one_of(line.previous, files)) {
        puts(FILES);
        return CLI_DONE;
    }
    put_commands(&line);
    put_options(&line);
    what = cli_names_of(line.cmd);
    if (look_options(&look, cli, self, "", &n_rest, &rest) != CLI_DONE)
        return CLI_FAILED;
    if (line.ns && fed_text_is_dns_label(fed_span_text(line.ns)))
        look.ns_flag = line.ns;
    if (what[0] && line.current[0] != '-')
        (void)names(cli, self, what, &look, line.current); /* without a hub there are none */
    look_fini(&look);
    puts(NO_FILES);
    return CLI_DONE;
}
