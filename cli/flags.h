/* flags.h - options of one command as a table, as kubefedctl (cobra and pflag) reads them.
 *
 * Options and arguments may stand in any order. "--name value", "--name=value", "-n value",
 * "-nvalue", "-n=value"; a switch is set by its name or by "--name=true|false"; "--" ends the
 * options. The options of Go's klog (-v, --logtostderr ...) are read over, so that scripts written
 * for kubefedctl go on working. */
#ifndef FEDLET_CLI_FLAGS_H
#define FEDLET_CLI_FLAGS_H

#include "cli/cli.h"

#define CLI_LIST_MAX 64u
/* Values of an option that may be repeated. */
struct cli_list {
    const char *at[CLI_LIST_MAX];
    size_t n;
};

enum cli_flag_kind {
    CLI_FLAG_TEXT,   /* value: const char ** */
    CLI_FLAG_SWITCH, /* value: bool * */
    CLI_FLAG_LIST    /* value: struct cli_list * */
};
struct cli_flag {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum cli_flag_kind kind;
    void *value;
};

/* What kubefedctl takes with every command, besides --kubeconfig and --host-cluster-context, which
 * main.c reads. */
struct cli_common {
    const char *ns; /* --kubefed-namespace */
    bool dry_run;
};

#define CLI_ARGUMENTS_MAX 16u
struct cli_arguments {
    const char *at[CLI_ARGUMENTS_MAX];
    size_t n;
};
/* argv[0] is read over. CLI_DONE, or CLI_USAGE after having said what is wrong. common may be
 * NULL: then its options are unknown. */
enum cli_exit cli_flags_read(const struct cli_command *self, int argc, char **argv,
    const struct cli_flag *flags, size_t n_flags, struct cli_common *common,
    struct cli_arguments *arguments);

#endif
