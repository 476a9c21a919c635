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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* As systemd does when stderr is the journal. */
static void name_journal_stream(void)
{
    struct stat st;
    char stream[64];

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

static void the_journal_gets_priorities(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log log;
    char text[400];

    (void)state;
    name_journal_stream();
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

static uint64_t clock_ms = 1000;

static uint64_t test_clock(void)
{
    return clock_ms;
}

static void lines_that_repeat_are_counted(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log_lines lines;
    struct fed_log log = fed_log_lines_stderr(&lines, FED_LOG_INFO, false);
    char text[1000];

    (void)state;
    lines.now_ms = test_clock;
    for (int i = 0; i < 10; i++) {
        fed_log(&log, FED_LOG_WARN, "again");
        clock_ms += 100;
    }
    fed_log(&log, FED_LOG_INFO, "again"); /* another level is another line */
    clock_ms += FED_LOG_WINDOW_MS;
    fed_log(&log, FED_LOG_WARN, "again");
    give_back(c, text, sizeof text);
    assert_string_equal(text, "WARN again\nWARN again\nWARN again\nINFO again\n"
                              "WARN 7 more lines like this were left out: again...\n"
                              "WARN again\n");
}

static void what_was_left_out_is_said_when_room_is_needed(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log_lines lines;
    struct fed_log log = fed_log_lines_stderr(&lines, FED_LOG_DEBUG, false);
    char text[2000];

    (void)state;
    lines.now_ms = test_clock;
    for (int i = 0; i < 5; i++) {
        fed_log(&log, FED_LOG_WARN, "first");
        fed_log(&log, FED_LOG_DEBUG, "all"); /* who asks for these wants all */
    }
    for (unsigned i = 0; i < FED_LOG_SLOTS; i++) {
        clock_ms++;
        fed_log(&log, FED_LOG_INFO, "other %u", i);
    }
    give_back(c, text, sizeof text);
    assert_non_null(strstr(text, "WARN 2 more lines like this were left out: first..."));
    assert_non_null(strstr(text, "INFO other 7\n"));
    assert_non_null(strstr(text, "DEBUG all\nDEBUG all\nINFO other 0\n"));
}

static void json_lines_are_json(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log_lines lines;
    struct fed_log log = fed_log_lines_stderr(&lines, FED_LOG_INFO, true);
    char text[8000];

    (void)state;
    fed_log(&log, FED_LOG_ERROR, "a \"word\" \\ and \n, \xc3\xa9");
    fed_log(&log, FED_LOG_INFO, "broken \xff");
    give_back(c, text, sizeof text);
    assert_non_null(strstr(
        text, "\"level\":\"error\",\"message\":\"a \\\"word\\\" \\\\ and \\\\x0a, \xc3\xa9\"}\n{"));
    assert_non_null(strstr(text, "\"level\":\"info\",\"message\":\"broken ?\"}\n"));
    assert_memory_equal(text, "{\"time\":\"20", 11);
}

/* ---- the journal's own socket ---- */

static void the_journal_gets_fields(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log_lines lines;
    struct fed_log log;
    struct fed_log_about about = {.work = "Deployment shop/web", .reason = "QuotaExceeded"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/fedlet-log-XXXXXX";
    char text[2000];
    ssize_t n;
    int journal = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    assert_int_equal(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
    name_journal_stream();
    log = fed_log_lines_stderr(&lines, FED_LOG_INFO, false);
    unsetenv("JOURNAL_STREAM");
    assert_string_equal(lines.journal, "/run/systemd/journal/socket");
    lines.journal = address.sun_path;
    lines.now_ms = test_clock;
    lines.cluster = "berlin";

    fed_log(&log, FED_LOG_INFO, "one\nline");
    n = recv(journal, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "MESSAGE=one\\x0aline\nPRIORITY=6\n"
                              "SYSLOG_IDENTIFIER=ports_base_log_test\nCLUSTER=berlin\n");
    fed_log_about(&log, FED_LOG_WARN, &about, "apply: %s", "no room");
    n = recv(journal, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "MESSAGE=Deployment shop/web: apply: no room\nPRIORITY=4\n"
                              "SYSLOG_IDENTIFIER=ports_base_log_test\nCLUSTER=berlin\n"
                              "WORK=Deployment shop/web\nREASON=QuotaExceeded\n");
    for (int i = 0; i < 10; i++) /* limited as any */
        fed_log(&log, FED_LOG_WARN, "again");
    for (n = 0; recv(journal, text, sizeof text - 1, MSG_DONTWAIT) > 0;)
        n++;
    assert_int_equal(n, FED_LOG_BURST);

    close(journal); /* nobody listens any more: the present form */
    fed_log(&log, FED_LOG_ERROR, "still heard");
    unlink(address.sun_path);
    fed_log_about(&log, FED_LOG_ERROR, &about, "and this");
    lines.cluster = NULL;
    rmdir(folder);
    give_back(c, text, sizeof text);
    assert_string_equal(text, "<3>still heard\n<3>Deployment shop/web: and this\n");
}

static void json_stays_on_stderr(void **state)
{
    struct caught c = catch_stderr();
    struct fed_log_lines lines;
    struct fed_log log;
    struct fed_log_about about = {.work = "Role \"a\"", .reason = NULL};
    char text[4000];

    (void)state;
    name_journal_stream();
    log = fed_log_lines_stderr(&lines, FED_LOG_INFO, true);
    unsetenv("JOURNAL_STREAM");
    assert_null(lines.journal);
    lines.cluster = "berlin";
    fed_log_about(&log, FED_LOG_INFO, &about, "put back");
    give_back(c, text, sizeof text);
    assert_memory_equal(text, "<6>{\"time\":\"20", 14);
    assert_non_null(
        strstr(text, "\"level\":\"info\",\"cluster\":\"berlin\",\"work\":\"Role \\\"a\\\"\","
                     "\"message\":\"Role \\\"a\\\": put back\"}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_filter_and_name),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(exactly_the_limit_is_not_cut),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(lines_that_repeat_are_counted),
        cmocka_unit_test(what_was_left_out_is_said_when_room_is_needed),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(the_journal_gets_fields),
        cmocka_unit_test(json_stays_on_stderr),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
