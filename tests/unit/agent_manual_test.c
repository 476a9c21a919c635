/* agent_manual_test.c - what fedlet says of itself is the same everywhere: help, docs/man/fedlet.8,
 * and the command lines of docs/operations.md, which the real parser takes. */
#include "agent/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX_BYTES 200000u

static char *manual;
static char *guide;

static char *read_file(const char *path)
{
    char *text = calloc(1, FILE_MAX_BYTES);
    FILE *file = fopen(path, "r");

    if (!text || !file || fread(text, 1, FILE_MAX_BYTES - 1, file) == 0)
        exit(1);
    fclose(file);
    return text;
}

static int read_files(void **state)
{
    (void)state;
    manual = read_file(FEDLET_SOURCE_DIR "/docs/man/fedlet.8");
    guide = read_file(FEDLET_SOURCE_DIR "/docs/operations.md");
    return 0;
}

static int free_files(void **state)
{
    (void)state;
    free(manual);
    free(guide);
    return 0;
}

/* The command as the parser knows it: the word behind "fedlet" in its help. */
static void name_of(unsigned command, char out[40])
{
    const char *help = agent_options_help((enum agent_command)command);

    assert_int_equal(sscanf(help, "fedlet %39[a-z-]", out), 1);
}

static void test_commands_are_in_the_page(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AGENT_COMMAND_HELP; i++) {
        char name[40];
        char want[60];

        name_of(i, name);
        snprintf(want, sizeof want, "\n.Cm %s\n", name);
        if (!strstr(manual, want))
            fail_msg("the synopsis has no %s", name);
        snprintf(want, sizeof want, "\n.It Cm %s", name);
        if (!strstr(manual, want))
            fail_msg("the description has no %s", name);
        if (!strstr(agent_options_help(AGENT_COMMAND_HELP), name))
            fail_msg("the help has no %s", name);
    }
}

static bool page_has(const char *option, size_t len)
{
    char want[60];

    snprintf(want, sizeof want, "Fl %.*s", (int)len - 1, option + 1);
    for (const char *at = manual; (at = strstr(at, want)) != NULL; at++)
        if (strchr(" \n", at[strlen(want)]))
            return true;
    return false;
}

static void test_options_are_in_the_page(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AGENT_COMMANDS; i++) {
        const char *at = agent_options_help((enum agent_command)i);

        while ((at = strstr(at, "--")) != NULL) {
            size_t len = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");

            if (!page_has(at, len))
                fail_msg("the page has no %.*s", (int)len, at);
            at += len;
        }
    }
}

static bool help_has(const char *option)
{
    for (unsigned i = 0; i < AGENT_COMMANDS; i++) {
        const char *at = agent_options_help((enum agent_command)i);

        while ((at = strstr(at, option)) != NULL) {
            at += strlen(option);
            if (strspn(at, "abcdefghijklmnopqrstuvwxyz-") == 0)
                return true;
        }
    }
    return strcmp(option, "--output") == 0 || strcmp(option, "--version") == 0;
}

static void test_page_has_no_other_options(void **state)
{
    (void)state;
    for (const char *at = manual; (at = strstr(at, "Fl -")) != NULL;) {
        char option[40] = "-";
        size_t len = strspn(at + 3, "abcdefghijklmnopqrstuvwxyz-");

        snprintf(option + 1, sizeof option - 1, "%.*s", (int)len, at + 3);
        if (!help_has(option))
            fail_msg("the page has %s, which no help has", option);
        at += 3 + len;
    }
}

static void test_keys_are_in_the_page(void **state)
{
    struct fed_buf sample;

    (void)state;
    fed_buf_init(&sample, fed_alloc_system(), AGENT_CONFIG_MAX);
    agent_config_sample(&sample);
    for (const char *at = fed_buf_cstr(&sample); at && *at; at = strchr(at, '\n') + 1) {
        char key[40];

        if (sscanf(at, "%39[a-zA-Z]:", key) == 1 && !strstr(manual, key))
            fail_msg("the page has no key %s", key);
    }
    fed_buf_fini(&sample);
}

/* One command line of the guide, from "fedlet" on: placeholders and all. */
static void try_line(const char *line, size_t len)
{
    static struct agent_options options;
    char text[400];
    char *argv[40];
    char *rest = NULL;
    int argc = 0;
    struct fed_diag diag = {""};

    assert_true(len < sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)len, line);
    for (char *word = strtok_r(text, " ", &rest); word && argc < 39;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    argv[argc] = NULL;
    if (agent_options_parse(argc, argv, &options, &diag))
        fail_msg("%.*s: %s", (int)len, line, diag.text);
}

/* Of a block of shell: from the program's name to the end of the line. */
static bool try_shell(const char *line, size_t len)
{
    char text[400];
    const char *at;

    snprintf(text, sizeof text, "%.*s", (int)len, line);
    at = strncmp(text, "scp ", 4) == 0 || strncmp(text, "systemctl", 9) == 0
             ? NULL
             : strstr(text, "fedlet ");
    if (!at || !strchr("abcdefghijklmnopqrstuvwxyz", at[7]))
        return false;
    try_line(at, strlen(at));
    return true;
}

/* Of a sentence: what stands between two backticks; "join --again" alone is how people speak. */
static unsigned try_spans(const char *line, size_t len)
{
    unsigned tried = 0;

    for (size_t i = 0; i + 8 < len; i++) {
        size_t end = i + 1;

        if (line[i] != '`')
            continue;
        while (end < len && line[end] != '`')
            end++;
        if (strncmp(line + i + 1, "fedlet ", 7) == 0 &&
            strncmp(line + i + 1, "fedlet join", 11) != 0) {
            try_line(line + i + 1, end - i - 1);
            tried++;
        }
        i = end;
    }
    return tried;
}

static void test_lines_of_the_guide(void **state)
{
    unsigned tried = 0;
    bool shell = false;

    (void)state;
    for (const char *at = guide; *at;) {
        size_t len = strcspn(at, "\n");

        if (strncmp(at, "```", 3) == 0)
            shell = strncmp(at, "```sh", 5) == 0;
        else if (shell)
            tried += try_shell(at, len);
        else
            tried += try_spans(at, len);
        at += len + (at[len] == '\n');
    }
    assert_in_range(tried, 15, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_are_in_the_page),
        cmocka_unit_test(test_options_are_in_the_page),
        cmocka_unit_test(test_page_has_no_other_options),
        cmocka_unit_test(test_keys_are_in_the_page),
        cmocka_unit_test(test_lines_of_the_guide),
    };

    return cmocka_run_group_tests(tests, read_files, free_files);
}
