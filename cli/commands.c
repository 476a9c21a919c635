/* commands.c - the table of commands, and the small ones: version and completion. */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const struct cli_command cli_commands[] = {
    {"token create", "[--ttl 24h] [--uses 1] [--name CLUSTER] [--approve auto|manual] [-o json]",
        "make a join token and print it",
        "Prints the token alone, one line, to be given to `fedlet join` on the gateway. It cannot "
        "be shown again.\n\n"
        "  --ttl DURATION         how long it may be used (default 24h)\n"
        "  --uses N               how many clusters may join with it (default 1)\n"
        "  --name CLUSTER         only this cluster may join with it\n"
        "  --approve auto|manual  manual: each join waits for `fedctl approve CLUSTER` (default "
        "auto)\n\n"
        "examples:\n"
        "  fedctl token create\n"
        "  fedctl token create --ttl 1h --name shop-berlin --approve manual\n",
        "--ttl --uses --name --approve", cli_token_create, false},
    {"token list", "[-o json]", "list join tokens, without their secrets",
        "example:\n  fedctl token list\n", "", cli_token_list, false},
    {"token revoke", "ID", "make a join token worthless at once",
        "ID is the one that `fedctl token list` shows. Clusters that joined with it "
        "stay.\n\nexample:\n"
        "  fedctl token revoke joink4v9z\n",
        "", cli_token_revoke, false},
    {"clusters", "[-o json]", "list the clusters of the federation and whether they are ready",
        "example:\n  fedctl clusters\n", "", cli_clusters, false},
    {"approve", "CLUSTER", "let a cluster in that asked with a token of manual approval",
        "`kubectl -n kube-federation-system get joinrequests` shows who waits.\n\nexample:\n"
        "  fedctl approve shop-berlin\n",
        "", cli_approve, false},
    {"user add", "NAME --role admin|operator|viewer|ROLE [--namespace NS] [--ttl D] [-o FILE]",
        "let a person or a program use the hub, and write its kubeconfig",
        "NAME becomes a ServiceAccount in kube-federation-system. Its kubeconfig goes to standard "
        "output, or to FILE (mode 0600); it counts until `fedctl user remove NAME`.\n\n"
        "  --role ROLE       admin: everything; operator: federated objects and clusters; viewer: "
        "reads\n"
        "                    all but Secrets; else the name of a ClusterRole, or of a Role in NS\n"
        "  --namespace NS    the role counts in this namespace alone (-n)\n"
        "  --ttl DURATION    the kubeconfig ends by itself, after 10m to 24h\n"
        "  -o FILE           where the kubeconfig is written\n\n"
        "examples:\n"
        "  fedctl user add ann --role operator -o ann.kubeconfig\n"
        "  fedctl user add ci --role edit --namespace shop --ttl 1h -o ci.kubeconfig\n",
        "--role --namespace --ttl", cli_user_add, true},
    {"user list", "[-o json]", "list the users that were added, and what they may act as",
        "example:\n  fedctl user list\n", "", cli_user_list, false},
    {"user remove", "NAME", "remove a user; its kubeconfig is worthless at once",
        "example:\n  fedctl user remove ann\n", "", cli_user_remove, false},
    {"plan replicas", "-f FILE [-o json]",
        "say how the replica scheduler would spread replicas over clusters",
        "Runs the planner of a ReplicaSchedulingPreference on this machine, without a hub. FILE "
        "(-: standard\n"
        "input) is one JSON document; all but clusters and totalReplicas may be absent:\n\n"
        "  {\"key\": \"ns/name\", \"clusters\": [\"A\", \"B\"], \"totalReplicas\": 50, "
        "\"rebalance\": false,\n"
        "   \"preferences\": {\"*\": {\"weight\": 1, \"minReplicas\": 0, \"maxReplicas\": "
        "null}},\n"
        "   \"current\": {\"A\": 30}, \"capacity\": {\"A\": 10}}\n\n"
        "The answer is {\"plan\":{...},\"overflow\":{...}}: what runs where, and what would be "
        "asked of a cluster\n"
        "beyond its capacity. Clusters of equal weight are served by a hash of name and key.\n\n"
        "example:\n"
        "  echo '{\"clusters\":[\"a\",\"b\"],\"totalReplicas\":9}' | fedctl plan replicas -f -\n",
        "-f --filename", cli_plan_replicas, false},
    {"completion", "bash|zsh|fish", "print a completion script for a shell",
        "example:\n  source <(fedctl completion bash)\n", "", cli_completion, false},
    {"version", "[-o json]", "print the version", "example:\n  fedctl version\n", "", cli_version,
        false},
};
const size_t cli_n_commands = sizeof cli_commands / sizeof cli_commands[0];

enum cli_exit cli_version(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_misuse(self, "takes no arguments");
    if (cli->json)
        printf("{\"version\":\"%s\"}\n", FEDLET_VERSION);
    else
        printf("fedctl %s\n", FEDLET_VERSION);
    return CLI_DONE;
}

/* The words that may follow `before` ("" or "token "), each once. */
static void print_words(const char *before, const char *separator)
{
    char last[64] = "";

    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *name = cli_commands[i].name;
        size_t skip = strlen(before);
        size_t len;

        if (strncmp(name, before, skip) != 0)
            continue;
        len = strcspn(name + skip, " ");
        if (len == 0 || len >= sizeof last ||
            (strlen(last) == len && strncmp(last, name + skip, len) == 0))
            continue;
        snprintf(last, sizeof last, "%.*s", (int)len, name + skip);
        printf("%s%s", last, separator);
    }
}

static void print_fish(void)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *name = cli_commands[i].name;
        const char *second = strchr(name, ' ');

        if (second)
            printf("complete -c fedctl -f -n '__fish_seen_subcommand_from %.*s' -a %s -d '%s'\n",
                (int)(second - name), name, second + 1, cli_commands[i].summary);
        else
            printf("complete -c fedctl -f -n __fish_use_subcommand -a %s -d '%s'\n", name,
                cli_commands[i].summary);
    }
    puts("complete -c fedctl -f -n __fish_use_subcommand -a token -d 'make, list and revoke join "
         "tokens'\n"
         "complete -c fedctl -f -n __fish_use_subcommand -a user -d 'add, list and remove users'");
}

static void print_bash(void)
{
    printf("_fedctl() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words\n"
           "    case ${COMP_WORDS[1]} in\n    token) [ \"$COMP_CWORD\" -eq 2 ] && words=\"");
    print_words("token ", " ");
    printf("\" || words=\"--ttl --uses --name --approve -o --help\" ;;\n"
           "    user) [ \"$COMP_CWORD\" -eq 2 ] && words=\"");
    print_words("user ", " ");
    printf("\" || words=\"--role --namespace --ttl -o --help\" ;;\n"
           "    completion) words=\"bash zsh fish\" ;;\n"
           "    *) [ \"$COMP_CWORD\" -eq 1 ] && words=\"");
    print_words("", " ");
    printf("\" || words=\"-o --help\" ;;\n    esac\n"
           "    COMPREPLY=($(compgen -W \"$words --kubeconfig --context\" -- \"$cur\"))\n}\n"
           "complete -F _fedctl fedctl kubectl-fed\n");
}

enum cli_exit cli_completion(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    (void)cli;
    if (argc != 2)
        return cli_misuse(self, "needs the name of a shell");
    if (strcmp(argv[1], "bash") == 0) {
        print_bash();
    } else if (strcmp(argv[1], "zsh") == 0) {
        puts("#compdef fedctl\nautoload -U +X bashcompinit && bashcompinit");
        print_bash();
    } else if (strcmp(argv[1], "fish") == 0) {
        print_fish();
    } else {
        return cli_misuse(self, "\"%s\" is not one of bash, zsh, fish", argv[1]);
    }
    return CLI_DONE;
}
