/* agent_wish_test.c - what annotations of a template ask of the agent. */
#include "agent/wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum fed_err read_wish(
    const char *annotations, const char *overrides, struct agent_wish **out, struct fed_diag *diag)
{
    char blob[1024];
    int n = snprintf(blob, sizeof blob,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":%s}}",
        annotations);

    assert_true(n > 0 && (size_t)n < sizeof blob);
    return agent_wish_read(
        fed_alloc_system(), fed_span_text(blob), fed_span_text(overrides), out, diag);
}

static void test_values(void **state)
{
    struct agent_wish *wish;
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(read_wish("{\"a\":\"b\",\"fedlet.io/else\":\"x\"}", "", &wish, &diag), FED_OK);
    assert_null(wish);
    assert_int_equal(read_wish("{\"fedlet.io/drift\":\"report\",\"fedlet.io/replace\":\"true\","
                               "\"fedlet.io/health-deadline\":\"1m30s\"}",
                         "", &wish, &diag),
        FED_OK);
    assert_true(wish->report_drift && wish->replace);
    assert_int_equal(wish->deadline_ms, 90000);
    agent_wish_free(fed_alloc_system(), wish);
    assert_int_equal(read_wish("{\"fedlet.io/depends-on\":\"A/b\",\"fedlet.io/status-fields\":"
                               "\"readyReplicas,conditions[*].type\"}",
                         "", &wish, &diag),
        FED_OK);
    assert_true(fed_span_is(wish->status_fields, "readyReplicas,conditions[*].type"));
    assert_true(fed_span_is(wish->dependencies[0].name, "b"));
    agent_wish_free(fed_alloc_system(), wish);
    assert_int_equal(read_wish("{\"fedlet.io/drift\":\"restore\",\"fedlet.io/replace\":\"false\"}",
                         "", &wish, &diag),
        FED_OK);
    assert_null(wish);
}

static void test_overrides(void **state)
{
    struct agent_wish *wish;
    struct fed_diag diag = {""};

    (void)state;
    assert_int_equal(
        read_wish("{}",
            "[{\"op\":\"add\",\"path\":\"/metadata/annotations/fedlet.io~1drift\",\"value\":"
            "\"report\"}]",
            &wish, &diag),
        FED_OK);
    assert_true(wish->report_drift);
    agent_wish_free(fed_alloc_system(), wish);
    assert_int_equal(
        read_wish("{\"fedlet.io/drift\":\"report\"}",
            "[{\"op\":\"replace\",\"path\":\"/metadata/annotations\",\"value\":{}}]", &wish, &diag),
        FED_OK);
    assert_null(wish);
    assert_int_equal(read_wish("{\"fedlet.io/drift\":\"report\"}",
                         "[{\"op\":\"remove\",\"path\":\"/spec/x\"}]", &wish, &diag),
        FED_ERR_INVALID);
}

static void test_refused(void **state)
{
    static const struct {
        const char *annotation;
        const char *word;
    } rows[] = {{"\"fedlet.io/drift\":\"no\"", "neither report nor restore"},
        {"\"fedlet.io/drift\":true", "neither report nor restore"},
        {"\"fedlet.io/replace\":\"yes\"", "neither true nor false"},
        {"\"fedlet.io/health-deadline\":\"5\"", "not a duration"},
        {"\"fedlet.io/health-deadline\":\"25h\"", "not a duration"},
        {"\"fedlet.io/health-deadline\":\"10ms\"", "not a duration"},
        {"\"fedlet.io/status-fields\":\"a[0]\"", "not a list of paths"},
        {"\"fedlet.io/status-fields\":7", "not a list of paths"},
        {"\"fedlet.io/depends-on\":\"Deployment\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"Deployment/\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"/db\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"Deployment./db\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"Deployment/a/b/c\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"Deployment//b\"", "not a list"},
        {"\"fedlet.io/depends-on\":\"A/b,,A/c\"", "not a list"}};
    struct agent_wish *wish;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fed_diag diag = {""};
        char annotations[200];

        snprintf(annotations, sizeof annotations, "{%s}", rows[i].annotation);
        assert_int_equal(read_wish(annotations, "", &wish, &diag), FED_ERR_INVALID);
        assert_non_null(strstr(diag.text, rows[i].word));
        assert_non_null(strstr(diag.text, "metadata.annotations[fedlet.io/"));
        assert_null(wish);
    }
}

static struct agent_entry *add(struct agent_table *table, const char *api_version, const char *kind,
    const char *ns, const char *name)
{
    struct fed_work work = {.api_version = fed_span_text(api_version),
        .kind = fed_span_text(kind),
        .plural = FED_SPAN_LIT("things"),
        .ns = fed_span_text(ns),
        .name = fed_span_text(name),
        .options = *ns ? FED_WORK_NAMESPACED : 0};
    struct agent_entry *entry = agent_entry_new(table->mem, &work);

    assert_non_null(entry);
    entry->in_manifest = true;
    assert_int_equal(agent_table_append_take(table, entry), FED_OK);
    return entry;
}

/* As what the entry wishes, whose wish stays the caller's. */
static void look_up(
    const struct agent_table *table, struct agent_entry *entry, struct agent_wish *wish)
{
    wish->looked_up = table->round - 1;
    entry->wish = wish;
    agent_wish_look_up(table, entry);
    entry->wish = NULL;
}

static void test_dependencies(void **state)
{
    static const char *const ids[] = {
        "web/Deployment/apps/v1", "base/ConfigMap/v1", "/Namespace/v1", NULL};
    struct agent_entry *elsewhere;
    struct agent_entry *here;
    struct agent_table table;
    struct agent_wish *wish;
    struct fed_diag diag = {""};

    (void)state;
    agent_table_init(&table, fed_alloc_system());
    add(&table, "v1", "ConfigMap", "base", "settings");
    elsewhere = add(&table, "v1", "ConfigMap", "else", "settings");
    here = add(&table, "v1", "ConfigMap", "web", "of-it");
    add(&table, "v1", "Namespace", "", "web");
    add(&table, "apps/v1", "Deployment", "web", "db");
    assert_int_equal(
        read_wish("{\"fedlet.io/depends-on\":\"Deployment.apps/db, ConfigMap/base/settings,"
                  "Namespace/web,Deployment.other/db\"}",
            "", &wish, &diag),
        FED_OK);
    assert_int_equal(wish->n_dependencies, 4);
    look_up(&table, here, wish);
    for (size_t i = 0; i < 4; i++) {
        const struct agent_entry *entry = wish->dependencies[i].found;
        char id[100] = "";

        if (entry)
            snprintf(id, sizeof id, FED_SPAN_FMT "/" FED_SPAN_FMT "/" FED_SPAN_FMT,
                FED_SPAN_ARG(entry->work.ns), FED_SPAN_ARG(entry->work.kind),
                FED_SPAN_ARG(entry->work.api_version));
        assert_string_equal(id, ids[i] ? ids[i] : "");
    }
    /* from another namespace the same name means nothing */
    look_up(&table, elsewhere, wish);
    assert_null(wish->dependencies[0].found);
    agent_wish_free(fed_alloc_system(), wish);
    agent_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dependencies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
