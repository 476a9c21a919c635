/* completion.c - see completion.h. */
#include "agent/completion.h"

#include "agent/options.h"

#include <stdio.h>
#include <string.h>

bool agent_completion_knows(const char *shell)
{
    return strcmp(shell, "bash") == 0 || strcmp(shell, "zsh") == 0 || strcmp(shell, "fish") == 0;
}

/* ---- words of the help ---- */

static size_t option_len(const char *text)
{
    size_t len = 2 + strspn(text + 2, "abcdefghijklmnopqrstuvwxyz-");

    return len > 2 ? len : 0;
}

/* What stands in backquotes is another command's. */
static bool is_quoted(const char *help, const char *at)
{
    bool quoted = false;

    for (; help < at; help++)
        quoted ^= *help == '`';
    return quoted;
}

/* Whether no option before it is the same. */
static bool is_first(const char *help, const char *at, size_t len)
{
    for (const char *before = strstr(help, "--"); before < at; before = strstr(before + 2, "--"))
        if (option_len(before) == len && memcmp(before, at, len) == 0)
            return false;
    return true;
}

/* Each option's name, without its dashes, between two texts. */
static void each_option(
    const char *help, const char *before, const char *after, struct fed_buf *out)
{
    for (const char *at = strstr(help, "--"); at; at = strstr(at + 2, "--")) {
        size_t len = option_len(at);

        if (len > 0 && !is_quoted(help, at) && is_first(help, at, len))
            fed_buf_printf(out, "%s%.*s%s", before, (int)len - 2, at + 2, after);
    }
}

/* Of the list of commands in the help of all. */
static struct fed_span summary_of(const char *name)
{
    struct fed_span help = fed_span_text(agent_options_help(AGENT_COMMAND_HELP));
    struct fed_span line;

    while (fed_span_split(&help, '\n', &line)) {
        size_t len = 2 + strlen(name);

        if (line.len <= len || !fed_span_is(fed_span_sub(line, 2, len - 2), name) ||
            line.at[len] != ' ')
            continue;
        while (len < line.len && line.at[len] == ' ')
            len++;
        return fed_span_sub(line, len, line.len);
    }
    return (struct fed_span){0};
}

/* ---- scripts ---- */

static const struct values {
    const char *option;
    const char *words;
} values[] = {{"--link", "auto coap https"}, {"--log", "text json"},
    {"--log-level", "error warn info debug"}, {"-o|--output", "json"}};

/* Where nothing is offered bash completes files. */
static void put_bash(struct fed_buf *out)
{
    fed_buf_put_text(out, "_fedlet() {\n"
                          "    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                          "    case ${COMP_WORDS[COMP_CWORD-1]} in\n");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        fed_buf_printf(out, "    %s) words='%s' ;;\n", values[i].option, values[i].words);
    fed_buf_put_text(out, "    --config|--kubeconfig|--policy|--root|--state-dir|--token-file) ;;\n"
                          "    *) case $COMP_CWORD,${COMP_WORDS[1]} in\n"
                          "        1,*) words='");
    for (int i = 0; i < AGENT_COMMANDS; i++)
        fed_buf_printf(out, "%s%s", i > 0 ? " " : "", agent_options_name(i));
    fed_buf_put_text(out, "' ;;\n");
    for (int i = 0; i < AGENT_COMMANDS; i++) {
        fed_buf_printf(out, "        *,%s) words='--help%s", agent_options_name(i),
            i == AGENT_COMMAND_COMPLETION ? " bash zsh fish" : "");
        each_option(agent_options_help(i), " --", "", out);
        if (strstr(agent_options_help(i), "-o json"))
            fed_buf_put_text(out, " -o");
        fed_buf_put_text(out, "' ;;\n");
    }
    fed_buf_put_text(out, "        esac ;;\n"
                          "    esac\n"
                          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                          "}\n"
                          "complete -o default -F _fedlet fedlet\n");
}

static void put_fish(struct fed_buf *out)
{
    char begin[120];

    for (int i = 0; i < AGENT_COMMANDS; i++) {
        const char *name = agent_options_name(i);
        struct fed_span summary = summary_of(name);

        fed_buf_printf(out,
            "complete -c fedlet -f -n __fish_use_subcommand -a %s -d '" FED_SPAN_FMT "'\n", name,
            FED_SPAN_ARG(summary));
        snprintf(begin, sizeof begin, "complete -c fedlet -n '__fish_seen_subcommand_from %s' -l ",
            name);
        each_option(agent_options_help(i), begin, "\n", out);
    }
    fed_buf_put_text(out, "complete -c fedlet -f -n '__fish_seen_subcommand_from completion' -a "
                          "'bash zsh fish'\n"
                          "complete -c fedlet -l help\n");
}

void agent_completion_put(const char *shell, struct fed_buf *out)
{
    if (strcmp(shell, "fish") == 0) {
        put_fish(out);
        return;
    }
    if (strcmp(shell, "zsh") == 0)
        fed_buf_put_text(out, "#compdef fedlet\nautoload -U +X bashcompinit && bashcompinit\n");
    put_bash(out);
}
