/* cli_see_test.c - differences as diff -u shows them, remedies, and words that are near. */
#include "cli/remedy.h"
#include "cli/show.h"
#include "cli/unified.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *difference(const char *old, const char *new)
{
    static char text[8192];
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    assert_int_equal(cli_unified_put(fed_alloc_system(), FED_SPAN_LIT("a"), fed_span_text(old),
                         FED_SPAN_LIT("b"), fed_span_text(new), &out),
        FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    fed_buf_fini(&out);
    return text;
}

static void test_unified(void **state)
{
    (void)state;
    assert_string_equal(difference("", ""), "");
    assert_string_equal(difference("x\ny\n", "x\ny\n"), "");
    assert_string_equal(difference("", "x\ny\n"), "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n");
    assert_string_equal(difference("x\n", ""), "--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n");
    assert_string_equal(difference("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nV\n6\n7\n8\n"),
        "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+V\n 6\n 7\n 8\n");
    /* Six equal lines between two changes keep them together, seven do not. */
    assert_string_equal(difference("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n"),
        "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
    assert_string_equal(difference("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n"),
        "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
    assert_string_equal(difference("a\nb\nc\nd\n", "b\nx\nd\ne\n"),
        "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n b\n-c\n+x\n d\n+e\n");
}

/* Whatever the texts are, taking the '-' lines away and putting the '+' lines in gives the new one.
 */
static void test_unified_is_a_patch(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 2000; round++) {
        char texts[2][256] = {"", ""};
        char patched[512] = "";
        char rest[2048];
        char old[256];
        char *at;
        size_t line = 1;
        char *old_at = old;

        for (unsigned t = 0; t < 2; t++)
            for (int i = rand() % 30; i > 0; i--)
                snprintf(texts[t] + strlen(texts[t]), 8, "%c\n", 'a' + rand() % 4);
        snprintf(old, sizeof old, "%s", texts[0]);
        snprintf(rest, sizeof rest, "%s", difference(texts[0], texts[1]));
        at = strstr(rest, "@@");
        while (at && *at) {
            char *end = strchr(at, '\n');
            size_t from;

            *end = 0;
            if (sscanf(at, "@@ -%zu", &from) == 1) {
                bool none = strstr(at, ",0 +") != NULL;

                for (; line < from + none; line++) {
                    strncat(patched, old_at, 2);
                    old_at += 2;
                }
            } else {
                if (*at != '+') {
                    assert_int_equal(*old_at, at[1]);
                    old_at += 2;
                    line++;
                }
                if (*at != '-')
                    snprintf(patched + strlen(patched), 8, "%s\n", at + 1);
            }
            at = end + 1;
        }
        snprintf(patched + strlen(patched), sizeof patched - strlen(patched), "%s", old_at);
        if (strcmp(patched, texts[1]) != 0)
            fail_msg("round %u:\n%s-> \n%sgave\n%s", round, texts[0], texts[1], patched);
    }
}

static void test_unified_of_large_texts(void **state)
{
    static char large[2][60000];
    struct fed_buf out;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof large[0]; i += 2) {
        memcpy(large[0] + i, "x\n", 2);
        memcpy(large[1] + i, "y\n", 2);
    }
    fed_buf_init(&out, fed_alloc_system(), 1u << 20);
    assert_int_equal(cli_unified_put(fed_alloc_system(), FED_SPAN_LIT("a"), fed_span_text(large[0]),
                         FED_SPAN_LIT("b"), fed_span_text(large[1]), &out),
        FED_OK);
    assert_non_null(strstr(fed_buf_cstr(&out), "-x\n+y\n"));
    fed_buf_clear(&out);
    out.limit = 10;
    assert_int_equal(cli_unified_put(fed_alloc_system(), FED_SPAN_LIT("a"), fed_span_text(large[0]),
                         FED_SPAN_LIT("b"), fed_span_text(large[1]), &out),
        FED_ERR_LIMIT);
    fed_buf_fini(&out);
}

static void test_states(void **state)
{
    static const struct {
        const char *word;
        const char *message;
        enum cli_state state;
        const char *remedy; /* begins with */
    } rows[] = {
        {"", "", CLI_STATE_APPLIED, ""},
        {"Pending", "", CLI_STATE_PENDING, "The agent has it"},
        {"ClusterNotReady", "", CLI_STATE_OFFLINE, "It is sent as soon"},
        {"WaitingForRemoval", "", CLI_STATE_REMOVING, "It is gone once"},
        {"WaitingForRemoval", "6 of 9 works ...: fedctl approve edge --removal", CLI_STATE_REMOVING,
            "Consent with `fedctl approve"},
        {"ApplyOverridesFailed", "no such path", CLI_STATE_REFUSED, "Correct spec.overrides"},
        {"AlreadyExists", "", CLI_STATE_FAILED, "An object of this name"},
        {"CreationFailed", "deployments.apps is forbidden: User x cannot", CLI_STATE_FAILED,
            "Give the agent the right"},
        {"CreationFailed", "pods \"x\" is forbidden: exceeded quota: q", CLI_STATE_FAILED,
            "Raise the ResourceQuota"},
        {"UpdateFailed", "spec.selector: Invalid value: ...: field is immutable", CLI_STATE_FAILED,
            "The field cannot change"},
        {"CreationFailed", "namespaces \"shop\" not found", CLI_STATE_FAILED,
            "Federate the namespace"},
        {"ForbiddenByPolicy", "", CLI_STATE_FORBIDDEN, "A PlacementPolicy leaves"},
        {"SomethingFailed", "what nobody knows", CLI_STATE_FAILED, "The agent tries again"},
        {"SomethingNew", "", CLI_STATE_PENDING, "The agent goes on"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *remedy =
            cli_remedy(fed_span_text(rows[i].word), fed_span_text(rows[i].message));

        assert_int_equal(cli_state_of(fed_span_text(rows[i].word)), rows[i].state);
        if (strncmp(remedy, rows[i].remedy, strlen(rows[i].remedy)) != 0)
            fail_msg("%s: %s", rows[i].word, remedy);
    }
}

static size_t distance(const char *a, const char *b)
{
    return cli_distance(fed_span_text(a), fed_span_text(b));
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("Deployment", "deployment"), 0);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("wbe", "web"), 1);
    assert_true(cli_is_near(FED_SPAN_LIT("deploymnet"), FED_SPAN_LIT("deployment")));
    assert_false(cli_is_near(FED_SPAN_LIT("web"), FED_SPAN_LIT("api")));
}

static void test_rows(void **state)
{
    char printed[512];
    struct cli_rows rows;
    FILE *to = tmpfile();
    size_t n;

    (void)state;
    assert_non_null(to);
    cli_rows_init(&rows, 3);
    cli_rows_add(&rows, CLI_PLAIN, (const char *[]){"NAME", "STATE", "WHY"});
    cli_rows_add(&rows, CLI_RED, (const char *[]){"z\xc3\xbcrich", NULL, "two\nlines \033[31m"});
    cli_rows_print(&rows, to);
    rewind(to);
    n = fread(printed, 1, sizeof printed - 1, to);
    printed[n] = 0;
    fclose(to);
    assert_string_equal(printed, "NAME     STATE   WHY\n"
                                 "z\xc3\xbcrich   -       two lines  [31m\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unified),
        cmocka_unit_test(test_unified_is_a_patch),
        cmocka_unit_test(test_unified_of_large_texts),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
