/* hub_preview_test.c - what the plan would be: the same as the real plan gives, and nothing of it
 * stays. */
#include "hub/plan/preview.h"
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL "{'clusterSelector':{}}"
#define NS_PLACED(placement)                                                                       \
    "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':" placement "}}"
#define MAP(spec)                                                                                  \
    "{'metadata':{'name':'x','namespace':'ns','generation':1,'finalizers':['kubefed.io/"           \
    "sync-controller']},'spec':" spec "}"

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open_three(&w, (const char *const[]){"{'zone':'a'}", "{'zone':'b'}", "{}"});
    *state = &w;
    return 0;
}

/* What was told, one object after the other: "x c1=create/0 c2=unchanged; ". */
struct telling {
    char text[4096];
    char variants[4096];
    enum fed_err answer;
};

static void put(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;

    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

static enum fed_err told(void *ctx, const struct hub_preview_object *object)
{
    struct telling *t = ctx;

    put(t->text, sizeof t->text, FED_SPAN_FMT "%s%s%s", FED_SPAN_ARG(object->ref.name),
        object->asked ? "" : "(follows)", object->stored ? "" : "(new)",
        object->frozen ? "(frozen)" : "");
    if (object->reason[0])
        put(t->text, sizeof t->text, " %s", object->reason);
    for (size_t i = 0; i < object->n_clusters; i++) {
        const struct hub_preview_cluster *row = &object->clusters[i];

        put(t->text, sizeof t->text, " " FED_SPAN_FMT "=%s", FED_SPAN_ARG(row->cluster),
            hub_preview_action_name(row->action));
        if (row->reason[0])
            put(t->text, sizeof t->text, "(%s)", row->reason);
        if (row->variant != SIZE_MAX)
            put(t->text, sizeof t->text, "/%zu", row->variant);
    }
    put(t->text, sizeof t->text, "; ");
    for (size_t i = 0; i < object->n_variants; i++)
        put(t->variants, sizeof t->variants, FED_SPAN_FMT "\n", FED_SPAN_ARG(object->variants[i]));
    return t->answer;
}

struct change {
    const char *resource, *name, *json; /* single quotes; NULL: as stored */
};

static struct telling telling;
static struct fed_diag said;

static enum fed_err preview(
    struct hub_world *w, const struct change *list, size_t n, const char *cluster, bool render)
{
    struct hub_preview_change changes[4] = {{.bytes = {0}}};
    struct hub_preview_ask ask = {.changes = changes,
        .n_changes = n,
        .cluster = fed_span_text(cluster),
        .render = render,
        .told = told,
        .ctx = &telling};
    static char texts[4][2048];

    for (size_t i = 0; i < n; i++) {
        changes[i].ref = (struct hub_object_ref){.resource = fed_span_text(list[i].resource),
            .ns = fed_span_text(strcmp(list[i].resource, "namespaces") == 0 ? "" : "ns"),
            .name = fed_span_text(list[i].name)};
        if (!list[i].json)
            continue;
        snprintf(texts[i], sizeof texts[i], "%s", list[i].json);
        for (char *c = texts[i]; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        changes[i].bytes = fed_span_text(texts[i]);
    }
    telling.text[0] = telling.variants[0] = said.text[0] = '\0';
    return hub_plan_preview(w->plan, &ask, &said);
}

static const char *preview_map(struct hub_world *w, const char *json)
{
    struct change change = {W_CONFIGMAPS, "x", json};

    assert_int_equal(preview(w, &change, 1, "", false), FED_OK);
    return telling.text;
}

static void test_new_object(void **state)
{
    struct hub_world *w = *state;
    uint64_t revision = hub_world_revision(w, "c1");

    assert_string_equal(preview_map(w, MAP("{'template':{'data':{'k':'v'}},'placement':" ALL "}")),
        "x(new) c1=create c2=create c3=create; ");
    assert_string_equal(
        preview_map(w, MAP("{'placement':{'clusterSelector':{'matchLabels':{'zone':'a'}}}}")),
        "x(new) c1=create; ");
    assert_string_equal(preview_map(w, MAP("{}")), "x(new); ");
    /* Nothing of it is there. */
    hub_world_settle(w);
    assert_int_equal(hub_world_revision(w, "c1"), revision);
    assert_null(strstr(hub_world_works(w, "c1"), "ConfigMap"));
}

static void test_against_what_is_there(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "x",
        MAP("{'template':{'data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}"
            "}"));
    assert_string_equal(
        preview_map(w, MAP("{'template':{'data':{'k':'v'}},'placement':{'clusters':[{'name':'c2'},"
                           "{'name':'c3'}]}}")),
        "x c1=remove c2=unchanged c3=create; ");
    assert_string_equal(
        preview_map(
            w, MAP("{'template':{'data':{'k':'w'}},'placement':{'clusters':[{'name':'c1'}]},"
                   "'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/data/"
                   "k','value':'o'}]}]}")),
        "x c1=update c2=remove; ");
    assert_string_equal(
        preview_map(
            w, MAP("{'template':{'data':{'k':'v'}},'placement':" ALL
                   ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/no/such/"
                   "place','value':1}]}]}")),
        "x c1=unchanged c2=refused(ApplyOverridesFailed) c3=create; ");
    assert_string_equal(
        preview_map(w, MAP("{'placement':{'clusterSelector':{'matchExpressions':[{'key':'a',"
                           "'operator':'Is'}]}}}")),
        "x(frozen) ComputePlacementFailed c1=unchanged c2=unchanged; ");
    /* And the real plan is what it was. */
    assert_non_null(strstr(hub_world_works(w, "c1"), "ConfigMap/ns/x"));
    assert_non_null(strstr(hub_world_works(w, "c2"), "ConfigMap/ns/x"));
    assert_null(strstr(hub_world_works(w, "c3"), "ConfigMap/ns/x"));
}

/* Whatever a preview says is what then happens. */
static void test_preview_is_the_plan(void **state)
{
    static const char *const specs[] = {
        "{'placement':{'clusters':[{'name':'c1'}]}}",
        "{'placement':" ALL "}",
        "{'template':{'data':{'k':'w'}},'placement':{'clusterSelector':{'matchLabels':{'zone':'b'}}"
        "}"
        "}",
        "{'placement':{'clusters':[]}}",
    };
    struct hub_world *w = *state;
    char json[1024];

    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        snprintf(
            json, sizeof json, "{'metadata':{'name':'x','namespace':'ns'},'spec':%s}", specs[i]);
        preview_map(w, json);
        hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
        for (unsigned c = 1; c <= 3; c++) {
            char name[3] = {'c', (char)('0' + c), 0};
            char gone[3][24];
            bool there = strstr(hub_world_works(w, name), "ConfigMap/ns/x") != NULL;
            bool said_there = false;

            snprintf(gone[0], sizeof gone[0], "%s=create", name);
            snprintf(gone[1], sizeof gone[1], "%s=update", name);
            snprintf(gone[2], sizeof gone[2], "%s=unchanged", name);
            for (size_t a = 0; a < 3; a++)
                said_there = said_there || strstr(telling.text, gone[a]);
            if (there != said_there)
                fail_msg("spec %s: %s, and %s %s it", specs[i], telling.text, name,
                    there ? "has" : "lacks");
        }
    }
}

static void test_namespaces_take_along(void **state)
{
    struct hub_world *w = *state;
    struct change both[] = {
        {W_NAMESPACES, "ns", NS_PLACED("{'clusters':[{'name':'c3'}]}")},
        {W_CONFIGMAPS, "y",
            "{'metadata':{'name':'y','namespace':'ns'},'spec':{'placement':" ALL "}}"},
    };

    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("{'placement':" ALL "}"));
    assert_int_equal(preview(w, both, 1, "", false), FED_OK);
    assert_string_equal(telling.text,
        "ns c1=remove c2=remove c3=unchanged; x(follows) c1=remove c2=remove c3=unchanged; ");
    assert_int_equal(preview(w, both, 2, "c3", false), FED_OK);
    assert_string_equal(telling.text, "ns c3=unchanged; y(new) c3=create; ");
    assert_non_null(strstr(hub_world_works(w, "c1"), "ConfigMap/ns/x"));
    /* A namespace that is not federated yet, and with its label. */
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_string_equal(preview_map(w, MAP("{'placement':" ALL "}")),
        "x NamespaceNotFederated c1=removing c2=removing c3=removing; ");
    both[0] = (struct change){"namespaces", "ns",
        "{'metadata':{'name':'ns','labels':{'federated':"
        "'true'}}}"};
    assert_int_equal(preview(w, both, 2, "c1", false), FED_OK);
    assert_non_null(strstr(telling.text, "ns(new) c1=create; y(new) c1=create; "));
}

static void test_rendered_once_each(void **state)
{
    struct hub_world *w = *state;
    struct change change = {W_CONFIGMAPS, "x",
        MAP("{'template':{'data':{'k':'v'}},'placement':" ALL
            ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/data/"
            "k','value':'o'}]}]"
            "}")};

    assert_int_equal(preview(w, &change, 1, "", true), FED_OK);
    assert_string_equal(telling.text, "x(new) c1=create/0 c2=create/1 c3=create/0; ");
    assert_non_null(strstr(telling.variants, "\"k\":\"v\""));
    assert_non_null(strstr(telling.variants, "\"k\":\"o\""));
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", change.json);
    change.json = NULL;
    assert_int_equal(preview(w, &change, 1, "c2", true), FED_OK);
    assert_string_equal(telling.text, "x c2=unchanged/0; ");
}

static void test_overrides_by_selector(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(
        w, W_CONFIGMAPS, "ns", "x", MAP("{'template':{'data':{'k':'v'}},'placement':" ALL "}"));
    assert_string_equal(
        preview_map(w, MAP("{'template':{'data':{'k':'v'}},'placement':" ALL
                           ",'overrides':[{'clusterSelector':{'matchLabels':{'zone':'b'}},"
                           "'clusterOverrides':[{'path':'/data/k','value':'o'}]}]}")),
        "x c1=unchanged c2=update c3=unchanged; ");
}

static void test_stopped_type(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(w, W_CONFIGMAPS, "ns", "x", MAP("{'placement':" ALL "}"));
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps",
        "{'metadata':{'name':'configmaps'},'spec':{'federatedType':{'group':'types.kubefed.io',"
        "'kind':'FederatedConfigMap','pluralName':'federatedconfigmaps','scope':'Namespaced',"
        "'version':'v1beta1'},'propagation':'Disabled','targetType':{'kind':'ConfigMap',"
        "'pluralName':'configmaps','scope':'Namespaced','version':'v1'}}}");
    assert_string_equal(
        preview_map(w, MAP("{'placement':{'clusters':[]}}")), "x(frozen) PropagationDisabled; ");
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static void test_policies(void **state)
{
    struct hub_world *w = *state;
    const char *everywhere = MAP("{'template':{'data':{'k':'v'}},'placement':" ALL "}");
    const char *other = MAP("{'template':{'data':{'k':'w'}},'placement':" ALL "}");

    hub_world_put(w, "placementpolicies.fedlet.io", "", "p",
        "{'metadata':{'name':'p','generation':1},'spec':{'effect':'Deny','kinds':[{'kind':"
        "'ConfigMap'}],'clusters':{'selector':{'matchLabels':{'zone':'b'}}}}}");
    assert_string_equal(
        preview_map(w, everywhere), "x(new) c1=create c2=forbidden(ForbiddenByPolicy) c3=create; ");
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", everywhere);
    assert_string_equal(preview_map(w, everywhere),
        "x c1=unchanged c2=forbidden(ForbiddenByPolicy) c3=unchanged; ");
    hub_world_remove(w, "placementpolicies.fedlet.io", "", "p");
    assert_string_equal(preview_map(w, everywhere), "x c1=unchanged c2=unchanged c3=unchanged; ");
    /* Copies that are there leave one an hour, and follow their template meanwhile. */
    hub_world_put(w, "placementpolicies.fedlet.io", "", "q",
        "{'metadata':{'name':'q','generation':1},'spec':{'effect':'Deny','kinds':[{'kind':"
        "'ConfigMap'}],'clusters':{'selector':{}},'deletionBudget':{'removals':1,'period':'1h'}}}");
    preview_map(w, other);
    assert_int_equal(times(telling.text, "=removing(ForbiddenByPolicy)"), 1);
    assert_int_equal(times(telling.text, "=update(ForbiddenByPolicy)"), 2);
}

static void test_refusals_leave_nothing_behind(void **state)
{
    struct hub_world *w = *state;
    struct change wrong[] = {
        {W_CONFIGMAPS, "x", MAP("{'placement':" ALL "}")},
        {"configmaps", "z", "{}"},
    };
    struct change twice[] = {wrong[0], wrong[0]};
    struct change absent = {W_CONFIGMAPS, "absent", NULL};

    assert_int_equal(preview(w, wrong, 2, "", false), FED_ERR_NOT_FOUND);
    assert_non_null(strstr(said.text, "not a federated kind"));
    assert_int_equal(preview(w, twice, 2, "", false), FED_ERR_INVALID);
    assert_int_equal(preview(w, &absent, 1, "", false), FED_ERR_NOT_FOUND);
    wrong[1] = (struct change){W_CONFIGMAPS, "y", "{'metadata':"};
    assert_int_equal(preview(w, wrong, 2, "", false), FED_ERR_INVALID);
    telling.answer = FED_ERR_CLOSED; /* who listens gives up */
    assert_int_equal(preview(w, wrong, 1, "", false), FED_ERR_CLOSED);
    telling.answer = FED_OK;
    absent.name = "x";
    assert_int_equal(preview(w, &absent, 1, "", false), FED_ERR_NOT_FOUND);
    hub_world_restart(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, hub_world_end)
    const struct CMUnitTest tests[] = {
        CASE(test_new_object),
        CASE(test_against_what_is_there),
        CASE(test_preview_is_the_plan),
        CASE(test_namespaces_take_along),
        CASE(test_rendered_once_each),
        CASE(test_overrides_by_selector),
        CASE(test_stopped_type),
        CASE(test_policies),
        CASE(test_refusals_leave_nothing_behind),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
