/* options.h - the command line of fedlet, parsed; COMMAND and what it may be given is one table. */
#ifndef FEDLET_AGENT_OPTIONS_H
#define FEDLET_AGENT_OPTIONS_H

#include "agent/config.h"
#include "proto/link/link.h"

enum agent_command {
    AGENT_COMMAND_JOIN,
    AGENT_COMMAND_RUN,
    AGENT_COMMAND_STATUS,
    AGENT_COMMAND_RBAC,
    AGENT_COMMAND_LEAVE,
    AGENT_COMMAND_PREFLIGHT,
    AGENT_COMMAND_DOCTOR,
    AGENT_COMMAND_BUNDLE,
    AGENT_COMMAND_INSTALL,
    AGENT_COMMAND_UNINSTALL,
    AGENT_COMMAND_CONFIG,
    AGENT_COMMAND_COMPLETION,
    AGENT_COMMAND_VERSION,
    AGENT_COMMAND_HELP,
    AGENT_COMMANDS
};

struct agent_options {
    enum agent_command command;
    bool help; /* of that command */
    bool json;
    bool keep_objects;
    bool again;
    bool dry_run;
    bool purge;
    bool check;
    bool sample;
    const char *config_file; /* NULL for none */
    const char *token;       /* "-" for stdin */
    const char *token_file;  /* instead of token */
    const char *account;     /* rbac: NAMESPACE/NAME, NULL for the usual one */
    const char *user;        /* rbac: instead of account */
    const char *name;
    const char *file;    /* that is written, "-" for stdout; completion: the shell */
    const char *ignore;  /* ids of checks, separated by commas; NULL for none */
    const char *root;    /* instead of the machine's own; NULL: that */
    unsigned timeout_ms; /* 0: the command's own */
    size_t n_labels;
    struct fed_join_label labels[FED_JOIN_LABELS_MAX];
    /* options that go over the configuration file, in their order */
    size_t n_overrides;
    struct {
        const char *option;
        const char *value;
    } overrides[32];
};

/* FED_ERR_INVALID with a sentence: wrong usage. */
FED_MUST_USE enum fed_err agent_options_parse(
    int argc, char **argv, struct agent_options *out, struct fed_diag *diag);
/* Help of one command, or of all with AGENT_COMMAND_HELP. */
const char *agent_options_help(enum agent_command command);
const char *agent_options_name(enum agent_command command);

#endif
