/* flags.c - see flags.h. */
#include "cli/flags.h"

#include <string.h>

struct reading {
    const struct cli_command *self;
    const struct cli_flag *flags;
    size_t n_flags;
    struct cli_flag common[2];
    size_t n_common;
};

/* Of k8s.io/klog/v2. Values are not looked at. */
static const struct {
    const char *name;
    bool is_switch;
} klog[] = {{"v", false}, {"vmodule", false}, {"logtostderr", true}, {"alsologtostderr", true},
    {"stderrthreshold", false}, {"log-dir", false}, {"log-file", false},
    {"log-file-max-size", false}, {"log-backtrace-at", false}, {"log-flush-frequency", false},
    {"add-dir-header", true}, {"skip-headers", true}, {"skip-log-headers", true},
    {"one-output", true}};

/* Whether the first len bytes of text are name; '_' stands for '-', as in Go's flags. */
static bool same_name(const char *text, size_t len, const char *name)
{
    if (strlen(name) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] != name[i] && !(text[i] == '_' && name[i] == '-'))
            return false;
    return true;
}

static const struct cli_flag *flag_of(const struct cli_flag *flags, size_t n, const char *text)
{
    bool is_long = strncmp(text, "--", 2) == 0;

    for (size_t i = 0; i < n; i++) {
        if (is_long && same_name(text + 2, strcspn(text + 2, "="), flags[i].name))
            return &flags[i];
        if (!is_long && flags[i].letter && text[1] == flags[i].letter)
            return &flags[i];
    }
    return NULL;
}

/* How many words of argv the option of klog is; 0 when it is none. */
static int klog_words(const char *text)
{
    const char *name = text + (text[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");

    if (text[1] == 'v' && text[2] >= '0' && text[2] <= '9')
        return 1;
    for (size_t i = 0; i < sizeof klog / sizeof *klog; i++) {
        if (same_name(name, len, klog[i].name))
            return name[len] || klog[i].is_switch ? 1 : 2;
    }
    return 0;
}

/* The value within the word itself; NULL when it is the next one. */
static const char *value_in(const char *text)
{
    const char *equals = strchr(text, '=');

    if (strncmp(text, "--", 2) == 0)
        return equals ? equals + 1 : NULL;
    return text[2] == '=' ? text + 3 : text[2] ? text + 2 : NULL;
}

static enum cli_exit set_switch(
    const struct reading *r, const struct cli_flag *flag, const char *value)
{
    static const char *const yes[] = {"true", "t", "T", "1", "TRUE", "True"};
    static const char *const no[] = {"false", "f", "F", "0", "FALSE", "False"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!value || strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *(bool *)flag->value = !value || strcmp(value, yes[i]) == 0;
            return CLI_DONE;
        }
    }
    return cli_misuse(r->self, "--%s takes true or false, not \"%s\"", flag->name, value);
}

static enum cli_exit set_value(
    const struct reading *r, const struct cli_flag *flag, const char *value)
{
    struct cli_list *list = flag->value;

    if (flag->kind == CLI_FLAG_TEXT) {
        *(const char **)flag->value = value;
        return CLI_DONE;
    }
    if (list->n == CLI_LIST_MAX)
        return cli_misuse(r->self, "--%s: at most %u of them", flag->name, CLI_LIST_MAX);
    list->at[list->n++] = value;
    return CLI_DONE;
}

/* One option at argv[*i]; *i ends on its last word. */
static enum cli_exit take_option(const struct reading *r, int argc, char **argv, int *i)
{
    const char *text = argv[*i];
    const struct cli_flag *flag = flag_of(r->flags, r->n_flags, text);
    const char *value = value_in(text);
    int words;

    if (!flag)
        flag = flag_of(r->common, r->n_common, text);
    if (!flag) {
        words = klog_words(text);
        *i += words > 0 ? words - 1 : 0;
        return words > 0 ? CLI_DONE : cli_misuse(r->self, "unknown option %s", text);
    }
    if (flag->kind == CLI_FLAG_SWITCH)
        return set_switch(r, flag, value);
    if (!value)
        value = *i + 1 < argc ? argv[++*i] : NULL;
    return value ? set_value(r, flag, value) : cli_misuse(r->self, "%s needs a value", text);
}

enum cli_exit cli_flags_read(const struct cli_command *self, int argc, char **argv,
    const struct cli_flag *flags, size_t n_flags, struct cli_common *common,
    struct cli_arguments *arguments)
{
    struct reading r = {.self = self, .flags = flags, .n_flags = n_flags};
    bool options = true;

    arguments->n = 0;
    if (common) {
        *common = (struct cli_common){.ns = CLI_SYSTEM_NAMESPACE};
        r.common[0] = (struct cli_flag){"kubefed-namespace", 0, CLI_FLAG_TEXT, &common->ns};
        r.common[1] = (struct cli_flag){"dry-run", 0, CLI_FLAG_SWITCH, &common->dry_run};
        r.n_common = 2;
    }
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (take_option(&r, argc, argv, &i) != CLI_DONE)
                return CLI_USAGE;
        } else if (arguments->n == CLI_ARGUMENTS_MAX) {
            return cli_misuse(self, "too many arguments");
        } else {
            arguments->at[arguments->n++] = argv[i];
        }
    }
    if (common && !cli_is_name(common->ns))
        return cli_misuse(self, "--kubefed-namespace \"%s\" is not a namespace", common->ns);
    return CLI_DONE;
}
