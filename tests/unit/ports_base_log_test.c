/* ports_base_log_test.c - ports/log.h as lines on a stderr that the test reads. */
#include "ports/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct caught {
    int saved;
    int from;
};

static struct caught catch_stderr(void)
{
    struct caught c;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    c.saved = dup(STDERR_FILENO);
    c.from = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return c;
}

static void give_back(struct caught c, char *out, size_t size)
{
    ssize_t n;

    dup2(c.saved, STDERR_FILENO);
    close(c.saved);
    n = read(c.from, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    close(c.from);
}

static void levels_filter_and_name(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log = fed_log_stderr(FED_LOG_INFO);
    char text[400];

    (void)state;
    fed_log(&log, FED_LOG_ERROR, "one %d", 1);
    fed_log(&log, FED_LOG_WARN, "two");
    fed_log(&log, FED_LOG_INFO, "three");
    fed_log(&log, FED_LOG_DEBUG, "four");
    fed_log(NULL, FED_LOG_ERROR, "nobody");
    give_back(c, text, sizeof text);
    assert_string_equal(text, "ERROR one 1\nWARN two\nINFO three\n");
}

static void control_characters_are_escaped(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log = fed_log_stderr(FED_LOG_INFO);
    char text[400];

    (void)state;
    fed_log(&log, FED_LOG_INFO, "a\nERROR b\x1b[2J\x7f\xc2\x9b d\xc3\xa9");
    give_back(c, text, sizeof text);
    assert_string_equal(text, "INFO a\\x0aERROR b\\x1b[2J\\x7f\\x9b d\xc3\xa9\n");
}

static void long_text_is_cut_between_characters(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log = fed_log_stderr(FED_LOG_INFO);
    char text[3000];
    char wide[2001];

    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(wide + i, "\xc3\xa9", 2);
    wide[2000] = '\0';
    fed_log(&log, FED_LOG_INFO, "x%s", wide);
    give_back(c, text, sizeof text);
    assert_int_equal(strlen(text), 5 + 1 + 998 + 3 + 1);
    assert_string_equal(text + strlen(text) - 6, "\xc3\xa9...\n");
}

static void exactly_the_limit_is_not_cut(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log = fed_log_stderr(FED_LOG_INFO);
    char text[3000];
    char full[1001];

    (void)state;
    memset(full, 'a', 1000);
    full[1000] = '\0';
    fed_log(&log, FED_LOG_INFO, "%s", full);
    give_back(c, text, sizeof text);
    assert_int_equal(strlen(text), 5 + 1000 + 1);
    assert_int_equal(text[1004], 'a');
}

static void the_journal_gets_priorities(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log;
    struct stat st;
    char stream[64];
    char text[400];

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log = fed_log_stderr(FED_LOG_DEBUG);
    fed_log(&log, FED_LOG_ERROR, "e");
    fed_log(&log, FED_LOG_DEBUG, "d");
    setenv("JOURNAL_STREAM", "1:1", 1); /* somebody else's */
    log = fed_log_stderr(FED_LOG_DEBUG);
    fed_log(&log, FED_LOG_WARN, "w");
    unsetenv("JOURNAL_STREAM");
    give_back(c, text, sizeof text);
    assert_string_equal(text, "<3>e\n<7>d\nWARN w\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_filter_and_name),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(exactly_the_limit_is_not_cut),
        cmocka_unit_test(the_journal_gets_priorities),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
