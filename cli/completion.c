/* completion.c - fedctl completion: scripts for bash, zsh and fish, made from the table of
 * commands. */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

/* ---- words of the table ---- */

/* The first word of the i-th command, when no command before it begins with the same. */
static bool first_word(size_t i, char out[64])
{
    const char *name = cli_commands[i].name;
    size_t len = strcspn(name, " ");

    snprintf(out, 64, "%.*s", (int)len, name);
    for (size_t k = 0; k < i; k++)
        if (strncmp(cli_commands[k].name, out, len) == 0 &&
            strcspn(cli_commands[k].name, " ") == len)
            return false;
    return true;
}

/* What comes behind the first word; NULL when the command is another, or ends there. */
static const char *second_word(size_t i, const char *first)
{
    size_t len = strlen(first);

    return strncmp(cli_commands[i].name, first, len) == 0 && cli_commands[i].name[len] == ' '
               ? cli_commands[i].name + len + 1
               : NULL;
}

static const struct cli_command *command_named(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

/* ---- bash, and zsh by its bashcompinit ---- */

static void put_first_words(void)
{
    char word[64];

    for (size_t i = 0; i < cli_n_commands; i++)
        if (first_word(i, word))
            printf("%s ", word);
}

static void put_second_words(const char *first)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (second_word(i, first))
            printf("%s ", second_word(i, first));
}

static void bash_cases(void)
{
    char word[64];

    printf("    \"\") words=\"");
    put_first_words();
    printf("help\" ;;\n");
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *command = &cli_commands[i];

        if (first_word(i, word)) {
            const struct cli_command *alone = command_named(word);

            printf("    %s) words=\"", word);
            put_second_words(word);
            printf("%s%s\" names=%s ;;\n", strcmp(word, "completion") == 0 ? CLI_SHELLS : "",
                alone ? alone->options : "", cli_names_of(word));
        }
        if (strchr(command->name, ' '))
            printf("    \"%s\") words=\"%s\" names=%s ;;\n", command->name, command->options,
                cli_names_of(command->name));
    }
}

static void bash_pairs(void)
{
    const char *separator = "";

    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!strchr(cli_commands[i].name, ' '))
            continue;
        printf("%s\"%s\"", separator, cli_commands[i].name);
        separator = "|";
    }
}

static void print_bash(void)
{
    puts(
        "_fedctl() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local hub=() ns=() cmd= words= names= word i\n"
        "    case $prev in\n"
        "    --kubeconfig|-f|--filename|-o|--output)\n"
        "        COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
        "    --context|--host-cluster-context|--cluster-context|--from)\n"
        "        COMPREPLY=($(compgen -W \"$(kubectl config get-contexts -o name 2>/dev/null)\" -- "
        "\"$cur\")); return ;;\n"
        "    esac\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=${COMP_WORDS[i]}\n"
        "        case $word in\n"
        "        --kubeconfig|--context|--host-cluster-context)\n"
        "            hub+=(\"$word\" \"${COMP_WORDS[i+1]}\"); i=$((i + 1)); continue ;;\n"
        "        -n|--namespace) ns=(-n \"${COMP_WORDS[i+1]}\"); i=$((i + 1)); continue ;;\n"
        "        -*) continue ;;\n"
        "        esac\n"
        "        [ -n \"$cmd\" ] || { cmd=$word; continue; }");
    printf("        case \"$cmd $word\" in ");
    bash_pairs();
    puts(") cmd=\"$cmd $word\" ;; esac\n"
         "    done\n"
         "    case $cmd in");
    bash_cases();
    puts("    esac\n"
         "    case $names in objects|rollouts) ;; *) ns=() ;; esac\n"
         "    [ -z \"$names\" ] || words=\"$words $(fedctl \"${hub[@]}\" completion names $names "
         "\"${ns[@]}\" 2>/dev/null)\"\n"
         "    COMPREPLY=($(compgen -W \"$words --kubeconfig --context -o --help\" -- \"$cur\"))\n"
         "}\n"
         "complete -F _fedctl fedctl kubectl-fed");
}

/* ---- fish ---- */

static void fish_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

/* fish looks for words anywhere on the line: `enable` is also in `orphaning-deletion enable`. */
static void fish_condition(const struct cli_command *command)
{
    const char *second = strchr(command->name, ' ');

    if (second) {
        printf("complete -c fedctl -f -n '__fish_seen_subcommand_from %.*s; and "
               "__fish_seen_subcommand_from %s'",
            (int)(second - command->name), command->name, second + 1);
        return;
    }
    printf("complete -c fedctl -f -n '__fish_seen_subcommand_from %s", command->name);
    for (size_t i = 0; i < cli_n_commands; i++) {
        second = strchr(cli_commands[i].name, ' ');
        if (second && strcmp(second + 1, command->name) == 0)
            printf("; and not __fish_seen_subcommand_from %.*s",
                (int)(second - cli_commands[i].name), cli_commands[i].name);
    }
    putchar('\'');
}

static void fish_words(void)
{
    char word[64];

    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *second = strchr(cli_commands[i].name, ' ');

        if (first_word(i, word)) {
            const struct cli_command *alone = command_named(word);

            printf("complete -c fedctl -f -n __fish_use_subcommand -a %s -d ", word);
            fish_quoted(alone ? alone->summary : word);
            putchar('\n');
        }
        if (!second)
            continue;
        snprintf(
            word, sizeof word, "%.*s", (int)(second - cli_commands[i].name), cli_commands[i].name);
        printf("complete -c fedctl -f -n '__fish_seen_subcommand_from %s; and not "
               "__fish_seen_subcommand_from ",
            word);
        put_second_words(word);
        printf("' -a %s -d ", second + 1);
        fish_quoted(cli_commands[i].summary);
        putchar('\n');
    }
}

static void fish_options(const struct cli_command *command)
{
    struct fed_span rest = fed_span_text(command->options);
    struct fed_span one;

    while (fed_span_split(&rest, ' ', &one)) {
        if (one.len <= 2)
            continue;
        fish_condition(command);
        printf(" -l " FED_SPAN_FMT "\n", FED_SPAN_ARG(fed_span_sub(one, 2, one.len)));
    }
    if (cli_names_of(command->name)[0]) {
        fish_condition(command);
        printf(" -a '(fedctl completion names %s 2>/dev/null)'\n", cli_names_of(command->name));
    }
}

static void print_fish(void)
{
    fish_words();
    for (size_t i = 0; i < cli_n_commands; i++)
        fish_options(&cli_commands[i]);
    puts("complete -c fedctl -f -n '__fish_seen_subcommand_from completion' -a '" CLI_SHELLS "'\n"
         "complete -c fedctl -l kubeconfig -r\n"
         "complete -c fedctl -l context -x\n"
         "complete -c fedctl -l help");
}

enum cli_exit cli_completion(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "names") == 0)
        return cli_complete_names(cli, self, argc - 2, argv + 2);
    if (argc >= 2 && strcmp(argv[1], "words") == 0)
        return cli_complete_words(cli, self, argc - 2, argv + 2);
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
