/* hub_plan_admit_test.c - what is refused when a federated object is written, on a real store. */
#include "hub/access/user.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open_three(&w, (const char *const[]){"{}", "{}", "{}"});
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    hub_world_close(*state);
    return 0;
}

static void warn(struct hub_admission *admission, const char *text)
{
    (void)admission;
    (void)text;
}

/* The field and the sentence of the refusal, "" when it is taken. */
static const char *write_map(struct hub_world *w, const char *annotations, const char *operations)
{
    static const struct hub_kind kind = {.resource = W_CONFIGMAPS};
    static char said[1024];
    char json[1024];
    struct fed_json_doc *doc;
    struct fed_diag diag = {""};
    struct hub_user who;
    struct hub_admission admission = {
        .operation = HUB_CREATE, .kind = &kind, .who = &who, .warn = warn};

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'template':{'metadata':{'annotations':"
        "%s}},'overrides':[{'clusterName':'c1'},{'clusterName':'c2','clusterOverrides':%s}]}}",
        annotations, operations);
    for (char *at = json; *at; at++)
        *at = (char)(*at == '\'' ? '"' : *at);
    hub_user_init(&who);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    admission.doc = doc;
    assert_int_equal(fed_json_parse(doc, fed_span_text(json), &admission.object, NULL), FED_OK);
    said[0] = '\0';
    if (hub_plan_admit(w->plan, &admission, &diag) != FED_OK)
        snprintf(said, sizeof said, "%s: %s", admission.field, diag.text);
    fed_json_doc_free(doc);
    return said;
}

#define ONE(path, value) "[{'path':'/spec/x'},{'op':'add','path':'" path "','value':" value "}]"
#define NO_PATHS                                                                                   \
    "Invalid value: not a list of paths such as readyReplicas, conditions[*].type or "             \
    "labels['a.b']"

static void test_fields_of_the_status(void **state)
{
    struct hub_world *w = *state;

    assert_string_equal(write_map(w, "{'fedlet.io/status-fields':'a, b[*].c'}", "null"), "");
    assert_string_equal(write_map(w, "{}", ONE("/metadata/annotations", "{'a':'[0]'}")), "");
    assert_string_equal(write_map(w, "{'fedlet.io/status-fields':'a[0]'}", "null"),
        "spec.template.metadata.annotations[fedlet.io/status-fields]: " NO_PATHS);
    assert_string_equal(write_map(w, "{'fedlet.io/status-fields':true}", "null"),
        "spec.template.metadata.annotations[fedlet.io/status-fields]: " NO_PATHS);
    assert_string_equal(
        write_map(w, "{}", ONE("/metadata/annotations/fedlet.io~1status-fields", "'..a'")),
        "spec.overrides[1].clusterOverrides[1].value: " NO_PATHS);
    assert_string_equal(
        write_map(w, "{}",
            ONE("/metadata/annotations", "{'fedlet.io/status-fields':'a.b.c.d.e.f.g.h.i'}")),
        "spec.overrides[1].clusterOverrides[1].value: Invalid value: a path of more than 8 steps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields_of_the_status, setup, teardown),
    };

    return cmocka_run_group_tests_name("hub_plan_admit", tests, NULL, NULL);
}
