/* options.c - see options.h. */
#include "agent/options.h"

#include "agent/completion.h"
#include "proto/base/text.h"

#include <string.h>

#define USES_CONFIG 0x01u
#define USES_JSON 0x02u
#define USES_TIMEOUT 0x04u
#define USES_TOKEN 0x08u
#define USES_FILE 0x10u
#define USES_IGNORE 0x20u
#define USES_ROOT 0x40u

static const struct command {
    const char *name;
    unsigned uses;
    const char *help;
} commands[AGENT_COMMANDS] = {
    [AGENT_COMMAND_JOIN] = {"join", USES_CONFIG | USES_TIMEOUT | USES_TOKEN,
        "fedlet join TOKEN --name CLUSTER [options]\n"
        "\n"
        "Enrols this cluster at the hub that made the token. TOKEN may be - to read it from "
        "stdin.\n"
        "\n"
        "  --token-file FILE  read the token from FILE instead\n"
        "  --name CLUSTER     name of this cluster in the federation\n"
        "  --label KEY=VALUE  label of the cluster, repeatable\n"
        "  --kubeconfig FILE  the member cluster; remembered for `fedlet run`\n"
        "  --state-dir DIR    default /var/lib/fedlet\n"
        "  --link auto|coap|https, --proxy URL   as for `fedlet run`\n"
        "  --config FILE, --log-level LEVEL   as for `fedlet run`\n"
        "  --again            this directory has joined before, and its cluster was unregistered, "
        "its\n"
        "                     certificate is refused, or another machine came with its identity:\n"
        "                     what is in place is taken over, or loses the managed label and "
        "stays\n"
        "  --timeout D        wait that long for approval, default 10m\n"
        "\n"
        "Example:\n"
        "  fedctl token create | ssh gateway fedlet join - --name shop-17 --label region=north\n"},
    [AGENT_COMMAND_RUN] = {"run", USES_CONFIG,
        "fedlet run [options]\n"
        "\n"
        "The service: pulls this cluster's bundle, applies it, and reports back.\n"
        "\n"
        "  --config FILE      see `fedlet config --sample`\n"
        "  --state-dir DIR    default /var/lib/fedlet\n"
        "  --kubeconfig FILE  the member cluster\n"
        "  --link auto|coap|https  auto: CoAP while UDP gets through, else HTTPS\n"
        "  --proxy URL        before https:// hubs: http://[USER:PASSWORD@]HOST:PORT, or none;\n"
        "                     without it $HTTPS_PROXY unless $NO_PROXY names the hub\n"
        "  --hub URL          instead of the addresses of the token, repeatable\n"
        "  --removal-consent LIMIT  which removals wait for consent, share=30%,least=5 or off\n"
        "  --policy FILE      what the hub may do here, see fedlet(8)\n"
        "  --log-level error|warn|info|debug, --log text|json\n"
        "  --metrics unix:PATH|127.0.0.1:PORT   for Prometheus, by default off\n"
        "\n"
        "SIGHUP reads FILE again: addresses, policy, log, metrics, kubeconfig.\n"
        "\n"
        "Example:\n"
        "  fedlet run --kubeconfig /etc/rancher/k3s/k3s.yaml\n"},
    [AGENT_COMMAND_STATUS] = {"status", USES_CONFIG | USES_JSON,
        "fedlet status [--state-dir DIR] [-o json]\n"
        "\n"
        "Asks the running service: connection (link in use, addresses, next try), bundle, works,\n"
        "traffic, certificate, and what is waited for: why, since when, and when it is tried "
        "next.\n"
        "\n"
        "Example:\n"
        "  fedlet status -o json\n"},
    [AGENT_COMMAND_RBAC] = {"rbac", USES_CONFIG | USES_JSON,
        "fedlet rbac [--service-account NAMESPACE/NAME | --user NAME] [-o json] [options]\n"
        "\n"
        "Prints the roles and bindings that the agent needs for the kinds and namespaces that its\n"
        "bundle uses now, no more; for kubectl apply. Works while the service runs, and without "
        "it.\n"
        "\n"
        "  --service-account NAMESPACE/NAME  whom to bind, default kube-federation-system/fedlet\n"
        "  --user NAME                       a user instead, as the kubeconfig's certificate says\n"
        "  --policy FILE, --config FILE, --state-dir DIR   as for `fedlet run`; a running service\n"
        "                                    answers by its own\n"
        "\n"
        "Examples:\n"
        "  fedlet rbac | kubectl apply -f -\n"
        "  fedlet rbac --user gateway -o json\n"},
    [AGENT_COMMAND_LEAVE] = {"leave", USES_CONFIG | USES_TIMEOUT,
        "fedlet leave [--keep-objects] [--state-dir DIR] [--kubeconfig FILE] [--timeout D]\n"
        "\n"
        "Ends this cluster's membership: deletes what was applied (or, with --keep-objects, only\n"
        "takes label and ownership off) and then the agent's identity. The service must be "
        "stopped.\n"
        "\n"
        "Example:\n"
        "  systemctl stop fedlet && fedlet leave --keep-objects\n"},
    [AGENT_COMMAND_PREFLIGHT] = {"preflight", USES_CONFIG | USES_JSON | USES_TOKEN | USES_IGNORE,
        "fedlet preflight [TOKEN|-] [--token-file FILE] [--ignore ID,...] [-o json]\n"
        "\n"
        "Looks, before joining, at what the agent will need; the token is not used up.\n"
        "\n"
        "Example:\n"
        "  fedlet preflight - --kubeconfig /etc/rancher/k3s/k3s.yaml < token\n"},
    [AGENT_COMMAND_DOCTOR] = {"doctor", USES_CONFIG | USES_JSON | USES_IGNORE,
        "fedlet doctor [--state-dir DIR] [--kubeconfig FILE] [--ignore ID,...] [-o json]\n"
        "\n"
        "What is wrong now, layer by layer, and what to do; whether or not the service runs.\n"
        "\n"
        "Example:\n"
        "  fedlet doctor -o json\n"},
    [AGENT_COMMAND_BUNDLE] = {"support-bundle", USES_CONFIG | USES_FILE,
        "fedlet support-bundle FILE|- [--state-dir DIR] [--kubeconfig FILE]\n"
        "\n"
        "Writes facts for who is to help, as JSON, without keys, tokens or contents of objects.\n"
        "\n"
        "Example:\n"
        "  fedlet support-bundle /tmp/gateway.json\n"},
    [AGENT_COMMAND_INSTALL] = {"install", USES_CONFIG | USES_ROOT,
        "fedlet install [--dry-run] [--kubeconfig FILE] [--root DIR]\n"
        "\n"
        "Puts program, systemd units and state directory in place, or repairs them.\n"
        "\n"
        "Example:\n"
        "  fedlet install --dry-run\n"},
    [AGENT_COMMAND_UNINSTALL] = {"uninstall", USES_CONFIG | USES_ROOT,
        "fedlet uninstall [--purge] [--dry-run] [--root DIR]\n"
        "\n"
        "Takes away what `fedlet install` made; with --purge the state directory, too.\n"
        "\n"
        "Example:\n"
        "  fedlet leave && fedlet uninstall --purge\n"},
    [AGENT_COMMAND_CONFIG] = {"config", USES_CONFIG,
        "fedlet config --check --config FILE\n"
        "fedlet config --sample\n"
        "\n"
        "Checks a configuration file, or prints one with all keys, their meaning and defaults.\n"
        "\n"
        "Example:\n"
        "  fedlet config --sample > /etc/fedlet/config.yaml\n"},
    [AGENT_COMMAND_COMPLETION] = {"completion", USES_FILE,
        "fedlet completion bash|zsh|fish\n"
        "\n"
        "Prints a script that completes commands and options.\n"
        "\n"
        "Example:\n"
        "  source <(fedlet completion bash)\n"},
    [AGENT_COMMAND_VERSION] = {"version", USES_JSON, "fedlet version [-o json]\n"},
    [AGENT_COMMAND_HELP] = {"help", 0,
        "fedlet - the member's agent of a Kubernetes federation\n"
        "\n"
        "  install         put the service on this machine\n"
        "  preflight       look, before joining, whether all is there\n"
        "  join            enrol this cluster with a token from the hub\n"
        "  run             the service\n"
        "  status          what the running service is doing\n"
        "  rbac            the rights that the agent needs in its cluster\n"
        "  doctor          what is wrong, and what to do\n"
        "  support-bundle  facts for who is to help\n"
        "  leave           end the membership\n"
        "  uninstall       take the service off this machine\n"
        "  config          check a configuration file, or print a sample\n"
        "  completion      print a completion script for a shell\n"
        "  version         print the version\n"
        "\n"
        "`fedlet COMMAND --help` says more.\n"},
};

const char *agent_options_help(enum agent_command command)
{
    return commands[command].help;
}

const char *agent_options_name(enum agent_command command)
{
    return commands[command].name;
}

static enum fed_err find_command(const char *name, struct agent_options *out, struct fed_diag *diag)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (unsigned i = 0; i < AGENT_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            out->command = (enum agent_command)i;
            return FED_OK;
        }
    }
    return fed_diag_set(diag, FED_ERR_INVALID, "no such command: %s", name);
}

static enum fed_err add_label(struct agent_options *out, const char *text, struct fed_diag *diag)
{
    struct fed_span all = fed_span_text(text);
    size_t equals = fed_span_find(all, '=');
    struct fed_span key = fed_span_sub(all, 0, equals);
    struct fed_span value = fed_span_sub(all, equals + 1, all.len);
    struct fed_join_label *label = &out->labels[out->n_labels];

    if (out->n_labels == FED_JOIN_LABELS_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID, "--label: at most %u", FED_JOIN_LABELS_MAX);
    if (equals == all.len || !fed_text_is_label_key(key) || !fed_text_is_label_value(value) ||
        fed_span_to_cstr(key, label->key, sizeof label->key) ||
        fed_span_to_cstr(value, label->value, sizeof label->value))
        return fed_diag_set(diag, FED_ERR_INVALID, "--label: \"%s\" is no KEY=VALUE", text);
    out->n_labels++;
    return FED_OK;
}

static enum fed_err set_timeout(struct agent_options *out, const char *text, struct fed_diag *diag)
{
    uint64_t ms = 0;

    if (fed_text_duration_ms(fed_span_text(text), &ms) || ms == 0 || ms > 86400000u)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "--timeout: \"%s\" is no duration up to 24h, such as 5m", text);
    out->timeout_ms = (unsigned)ms;
    return FED_OK;
}

static enum fed_err set_output(struct agent_options *out, const char *text, struct fed_diag *diag)
{
    if (strcmp(text, "json") != 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "-o: \"%s\" is not json", text);
    out->json = true;
    return FED_OK;
}

static enum fed_err set_account(struct agent_options *out, const char *text, struct fed_diag *diag)
{
    struct fed_span all = fed_span_text(text);
    size_t slash = fed_span_find(all, '/');

    if (!fed_text_is_dns_label(fed_span_sub(all, 0, slash)) ||
        !fed_text_is_dns_subdomain(fed_span_sub(all, slash + 1, all.len)))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "--service-account: \"%s\" is no NAMESPACE/NAME", text);
    out->account = text;
    return FED_OK;
}

/* Options without a value. */
static bool take_flag(struct agent_options *out, const char *option)
{
    bool config = out->command == AGENT_COMMAND_CONFIG;

    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        return out->help = true;
    if (strcmp(option, "--keep-objects") == 0 && out->command == AGENT_COMMAND_LEAVE)
        return out->keep_objects = true;
    if (strcmp(option, "--again") == 0 && out->command == AGENT_COMMAND_JOIN)
        return out->again = true;
    if (strcmp(option, "--dry-run") == 0 && (commands[out->command].uses & USES_ROOT))
        return out->dry_run = true;
    if (strcmp(option, "--purge") == 0 && out->command == AGENT_COMMAND_UNINSTALL)
        return out->purge = true;
    if (strcmp(option, "--check") == 0 && config)
        return out->check = true;
    if (strcmp(option, "--sample") == 0 && config)
        return out->sample = true;
    return false;
}

static enum fed_err take_value(
    struct agent_options *out, const char *option, const char *value, struct fed_diag *diag)
{
    unsigned uses = commands[out->command].uses;
    bool join = out->command == AGENT_COMMAND_JOIN;

    if (strcmp(option, "--label") == 0 && join)
        return add_label(out, value, diag);
    if (strcmp(option, "--timeout") == 0 && (uses & USES_TIMEOUT))
        return set_timeout(out, value, diag);
    if ((strcmp(option, "-o") == 0 || strcmp(option, "--output") == 0) && (uses & USES_JSON))
        return set_output(out, value, diag);
    if (strcmp(option, "--name") == 0 && join) {
        out->name = value;
        return FED_OK;
    }
    if (strcmp(option, "--ignore") == 0 && (uses & USES_IGNORE)) {
        out->ignore = value;
        return FED_OK;
    }
    if (strcmp(option, "--root") == 0 && (uses & USES_ROOT)) {
        out->root = value;
        return FED_OK;
    }
    if (strcmp(option, "--token-file") == 0 && (uses & USES_TOKEN)) {
        out->token_file = value;
        return FED_OK;
    }
    if (strcmp(option, "--service-account") == 0 && out->command == AGENT_COMMAND_RBAC)
        return set_account(out, value, diag);
    if (strcmp(option, "--user") == 0 && out->command == AGENT_COMMAND_RBAC) {
        out->user = value;
        return FED_OK;
    }
    if (strcmp(option, "--config") == 0 && (uses & USES_CONFIG)) {
        out->config_file = value;
        return FED_OK;
    }
    if (!(uses & USES_CONFIG))
        return fed_diag_set(diag, FED_ERR_INVALID, "unknown option %s", option);
    if (out->n_overrides == sizeof out->overrides / sizeof *out->overrides)
        return fed_diag_set(diag, FED_ERR_INVALID, "too many options");
    out->overrides[out->n_overrides].option = option;
    out->overrides[out->n_overrides++].value = value;
    return FED_OK;
}

static enum fed_err check_complete(const struct agent_options *out, struct fed_diag *diag)
{
    if (out->help)
        return FED_OK;
    if (out->command == AGENT_COMMAND_JOIN && !out->token && !out->token_file)
        return fed_diag_set(diag, FED_ERR_INVALID, "join needs a token");
    if (out->token && out->token_file)
        return fed_diag_set(diag, FED_ERR_INVALID, "a token or --token-file, not both");
    if (out->command == AGENT_COMMAND_BUNDLE && !out->file)
        return fed_diag_set(diag, FED_ERR_INVALID, "support-bundle needs a file, or - for stdout");
    if (out->command == AGENT_COMMAND_COMPLETION &&
        (!out->file || !agent_completion_knows(out->file)))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "completion needs the name of a shell: " AGENT_SHELLS);
    if (out->command == AGENT_COMMAND_JOIN &&
        (!out->name || !fed_text_is_dns_subdomain(fed_span_text(out->name))))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "join needs --name CLUSTER: lower-case letters, digits, - and .");
    if (out->account && out->user)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "rbac takes --service-account or --user, not both");
    if (out->user && (!out->user[0] || strpbrk(out->user, "\"\\\n\r\t")))
        return fed_diag_set(diag, FED_ERR_INVALID, "--user: a name without quotes");
    if (out->command == AGENT_COMMAND_CONFIG && out->check == out->sample)
        return fed_diag_set(diag, FED_ERR_INVALID, "config needs --check or --sample");
    if (out->check && !out->config_file)
        return fed_diag_set(diag, FED_ERR_INVALID, "config --check needs --config FILE");
    return FED_OK;
}

static enum fed_err take_argument(
    struct agent_options *out, const char *argument, struct fed_diag *diag)
{
    unsigned uses = commands[out->command].uses;
    const char **to = uses & USES_TOKEN ? &out->token : &out->file;

    if (!(uses & (USES_TOKEN | USES_FILE)) || *to)
        return fed_diag_set(diag, FED_ERR_INVALID, "unexpected argument %s", argument);
    *to = argument;
    return FED_OK;
}

/* Of "--name value" or "--name=value", which is cut at its "="; NULL when there is none. */
static const char *value_of(int argc, char **argv, int *i)
{
    char *equals = strncmp(argv[*i], "--", 2) == 0 ? strchr(argv[*i], '=') : NULL;

    if (equals) {
        *equals = '\0';
        return equals + 1;
    }
    return ++*i < argc ? argv[*i] : NULL;
}

enum fed_err agent_options_parse(
    int argc, char **argv, struct agent_options *out, struct fed_diag *diag)
{
    enum fed_err err;

    *out = (struct agent_options){.command = AGENT_COMMAND_HELP};
    if (argc < 2)
        return fed_diag_set(diag, FED_ERR_INVALID, "no command");
    err = find_command(argv[1], out, diag);
    for (int i = 2; i < argc && !err; i++) {
        if (argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
            err = take_argument(out, argv[i], diag);
        } else if (!take_flag(out, argv[i])) {
            const char *option = argv[i];
            const char *value = value_of(argc, argv, &i);

            if (value)
                err = take_value(out, option, value, diag);
            else
                err =
                    fed_diag_set(diag, FED_ERR_INVALID, "unknown option, or no value: %s", option);
        }
    }
    return err ? err : check_complete(out, diag);
}
