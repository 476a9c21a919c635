/* cli_manual_test.c - docs/man/fedctl.1 and the table of commands say the same: every command and
 * option of the table is in the page, and the page has no other ones. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE FEDLET_SOURCE_DIR "/docs/man/fedctl.1"
#define LINE_MAX_BYTES 512
#define LINES_MAX 2000

static char lines[LINES_MAX][LINE_MAX_BYTES];
static size_t n_lines;
static size_t description; /* line of .Sh DESCRIPTION */

static int read_page(void **state)
{
    FILE *file = fopen(PAGE, "r");

    (void)state;
    if (!file)
        return -1;
    while (n_lines < LINES_MAX && fgets(lines[n_lines], LINE_MAX_BYTES, file)) {
        lines[n_lines][strcspn(lines[n_lines], "\n")] = '\0';
        if (strcmp(lines[n_lines], ".Sh DESCRIPTION") == 0)
            description = n_lines;
        n_lines++;
    }
    fclose(file);
    return description > 0 ? 0 : -1;
}

static bool is_command(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return true;
    return strcmp(name, "help") == 0;
}

static bool synopsis_has(const char *name)
{
    for (size_t i = 0; i < description; i++)
        if (strncmp(lines[i], ".Cm ", 4) == 0 && strcmp(lines[i] + 4, name) == 0)
            return true;
    return false;
}

/* ".It Cm NAME" alone or with arguments. */
static bool list_has(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = description; i < n_lines; i++) {
        if (strncmp(lines[i], ".It Cm ", 7) == 0 && strncmp(lines[i] + 7, name, len) == 0 &&
            (lines[i][7 + len] == '\0' || strncmp(lines[i] + 7 + len, " Ar ", 4) == 0))
            return true;
    }
    return false;
}

static void test_commands_are_in_the_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!synopsis_has(cli_commands[i].name) || !list_has(cli_commands[i].name))
            fail_msg("fedctl.1 says nothing of \"%s\"", cli_commands[i].name);
    }
}

static void test_page_has_no_other_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < description; i++) {
        if (strncmp(lines[i], ".Cm ", 4) == 0 && !is_command(lines[i] + 4))
            fail_msg("fedctl.1 has \"%s\", which is no command", lines[i] + 4);
    }
}

/* "--name" as " Fl -name" at an item of the list of options. */
static bool options_have(const char *option, size_t len)
{
    char want[64];

    snprintf(want, sizeof want, "Fl %.*s", (int)len - 1, option + 1);
    for (size_t i = description; i < n_lines; i++) {
        const char *at = strncmp(lines[i], ".It Fl", 6) == 0 ? lines[i] : NULL;

        while (at && (at = strstr(at, want)) != NULL) {
            at += strlen(want);
            if (*at == '\0' || *at == ' ')
                return true;
        }
    }
    return false;
}

static void test_options_are_in_the_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *at = cli_commands[i].options;

        while (*at) {
            size_t len = strcspn(at, " ");

            if (!options_have(at, len))
                fail_msg(
                    "fedctl.1 says nothing of %.*s of \"%s\"", (int)len, at, cli_commands[i].name);
            at += len + strspn(at + len, " ");
        }
    }
}

static bool table_has(const char *option, size_t len)
{
    static const char common[] = " --kubeconfig --context --host-cluster-context --output --help ";
    char want[80];
    char all[2000];

    snprintf(want, sizeof want, " -%.*s ", (int)len, option);
    if (strstr(common, want))
        return true;
    for (size_t i = 0; i < cli_n_commands; i++) {
        snprintf(all, sizeof all, " %s ", cli_commands[i].options);
        if (strstr(all, want))
            return true;
    }
    return false;
}

static void test_page_has_no_other_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_lines; i++) {
        const char *at = lines[i];

        while ((at = strstr(at, "Fl -")) != NULL) {
            size_t len = strcspn(at + 3, " ");

            if (len > 2 && !table_has(at + 3, len))
                fail_msg("fedctl.1 has -%.*s, which is no option", (int)len, at + 3);
            at += 3 + len;
        }
    }
}

/* What --help says names each option, too. */
static void test_help_names_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *at = cli_commands[i].options;

        while (*at) {
            size_t len = strcspn(at, " ");
            char option[64];

            snprintf(option, sizeof option, "%.*s", (int)len, at);
            if (!strstr(cli_commands[i].help, option) && !strstr(cli_commands[i].usage, option))
                fail_msg("the help of \"%s\" does not name %s", cli_commands[i].name, option);
            at += len + strspn(at + len, " ");
        }
        if (!strstr(cli_commands[i].help, "fedctl "))
            fail_msg("the help of \"%s\" has no example", cli_commands[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_are_in_the_page),
        cmocka_unit_test(test_page_has_no_other_commands),
        cmocka_unit_test(test_options_are_in_the_page),
        cmocka_unit_test(test_page_has_no_other_options),
        cmocka_unit_test(test_help_names_options),
    };

    return cmocka_run_group_tests(tests, read_page, NULL);
}
