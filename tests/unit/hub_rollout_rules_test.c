/* hub_rollout_rules_test.c - what a RolloutPolicy may say, and what of an object is its version. */
#include "hub/rollout/content.h"
#include "hub/rollout/rules.h"
#include "hub/traffic/window.h"
#include "proto/digest/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char quoted[4096];

static struct fed_span with_quotes(const char *text)
{
    snprintf(quoted, sizeof quoted, "%s", text);
    for (char *at = quoted; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return fed_span_text(quoted);
}

static enum fed_err read_rules(const char *text, struct hub_rollout_rules **out,
    char field[HUB_ROLLOUT_FIELD_MAX], struct fed_diag *diag)
{
    struct fed_json_doc *doc;
    struct fed_json *spec;
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, with_quotes(text), &spec, NULL), FED_OK);
    err = hub_rollout_rules_read(fed_alloc_system(), spec, out, field, diag);
    fed_json_doc_free(doc);
    return err;
}

/* ---- rules ---- */

#define WAVE(rest) "{'waves':[{'name':'w','clusters':{'names':['a']}" rest "}]}"
#define WINDOW(rest) WAVE(",'windows':[{'from':'02:00','to':'05:00'" rest "}]")

static const struct refused {
    const char *spec;
    const char *field;
    const char *says;
} refused[] = {
    {"[]", "spec", "an object"},
    {"{'wave':[]}", "spec.wave", "no such field"},
    {"{'selector':'tier=web'}", "spec.selector", "label selector"},
    {"{'selector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}", "spec.selector", "Is"},
    {"{'waves':{}}", "spec.waves", "list"},
    {"{'waves':[1]}", "spec.waves[0]", "an object"},
    {"{'waves':[{'clusters':{'size':1}}]}", "spec.waves[0].name", "Required"},
    {"{'waves':[{'name':'A','clusters':{'size':1}}]}", "spec.waves[0].name", "lower-case"},
    {"{'waves':[{'name':'rest','clusters':{'size':1}}]}", "spec.waves[0].name", "last wave"},
    {"{'waves':[{'name':'a','clusters':{'size':1}},{'name':'a','clusters':{'size':1}}]}",
        "spec.waves[1].name", "Duplicate"},
    {"{'waves':[{'name':'a'}]}", "spec.waves[0].clusters", "Required"},
    {"{'waves':[{'name':'a','clusters':{}}]}", "spec.waves[0].clusters", "just one"},
    {"{'waves':[{'name':'a','clusters':{'size':1,'names':['a']}}]}", "spec.waves[0].clusters",
        "just one"},
    {"{'waves':[{'name':'a','clusters':{'names':[]}}]}", "spec.waves[0].clusters.names", "1 to"},
    {"{'waves':[{'name':'a','clusters':{'names':['a','A!']}}]}", "spec.waves[0].clusters.names[1]",
        "no name"},
    {"{'waves':[{'name':'a','clusters':{'names':['a','b','a']}}]}", "spec.waves[0].clusters.names",
        "twice"},
    {"{'waves':[{'name':'a','clusters':{'size':0}}]}", "spec.waves[0].clusters.size", "from 1"},
    {"{'waves':[{'name':'a','clusters':{'size':'0%'}}]}", "spec.waves[0].clusters.size", "1%"},
    {WAVE(",'maxConcurrency':0"), "spec.waves[0].maxConcurrency", "from 1"},
    {WAVE(",'maxConcurrency':-1"), "spec.waves[0].maxConcurrency", "from 1"},
    {WAVE(",'maxConcurrency':1.5"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':'0%'"), "spec.waves[0].maxConcurrency", "1%"},
    {WAVE(",'maxConcurrency':'101%'"), "spec.waves[0].maxConcurrency", "100%"},
    {WAVE(",'maxConcurrency':'5.5%'"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':'-5%'"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':'05%'"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':'5'"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':'%'"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':true"), "spec.waves[0].maxConcurrency", "whole"},
    {WAVE(",'maxConcurrency':99999999999"), "spec.waves[0].maxConcurrency", "1000000"},
    {WAVE(",'maxFailures':-1"), "spec.waves[0].maxFailures", "from 0"},
    {WAVE(",'maxFailures':'0%'"), "spec.waves[0].maxFailures", "1%"},
    {WAVE(",'soak':'10'"), "spec.waves[0].soak", "duration"},
    {WAVE(",'soak':'-1m'"), "spec.waves[0].soak", "duration"},
    {WAVE(",'soak':'721h'"), "spec.waves[0].soak", "720h"},
    {WAVE(",'soak':600"), "spec.waves[0].soak", "duration"},
    {WAVE(",'approval':'Maybe'"), "spec.waves[0].approval", "Required"},
    {WAVE(",'windows':[]"), "spec.waves[0].windows", "1 to 8"},
    {WAVE(",'windows':[{},{},{},{},{},{},{},{},{}]"), "spec.waves[0].windows", "1 to 8"},
    {WAVE(",'windows':[{'to':'05:00'}]"), "spec.waves[0].windows[0].from", "00:00"},
    {WAVE(",'windows':[{'from':'24:00','to':'05:00'}]"), "spec.waves[0].windows[0].from", "23:59"},
    {WAVE(",'windows':[{'from':'02:00','to':'24:01'}]"), "spec.waves[0].windows[0].to", "24:00"},
    {WAVE(",'windows':[{'from':'2:00','to':'24:00'}]"), "spec.waves[0].windows[0].from", "00:00"},
    {WAVE(",'windows':[{'from':'02:00','to':'02:00'}]"), "spec.waves[0].windows[0].to", "over"},
    {WINDOW(",'days':[]"), "spec.waves[0].windows[0].days", "Mon"},
    {WINDOW(",'days':['Monday']"), "spec.waves[0].windows[0].days", "Mon"},
    {WINDOW(",'zone':'UTC'"), "spec.waves[0].windows[0].zone", "no such field"},
    {WINDOW(",'timeZoneLabel':'a b'"), "spec.waves[0].windows[0].timeZoneLabel", "Europe.Berlin"},
    {WAVE(",'windows':[{'from':'02:00','to':'05:00','timeZoneLabel':'tz'},"
          "{'from':'02:00','to':'05:00'}]"),
        "spec.waves[0].windows[1].timeZoneLabel", "the same"},
    {"{'progressDeadline':'0s'}", "spec.progressDeadline", "1s"},
    {"{'maxFailures':'101%'}", "spec.maxFailures", "100%"},
    {"{'onFailure':'Ignore'}", "spec.onFailure", "\"Pause\", \"Rollback\""},
    {"{'offline':{'after':'soon'}}", "spec.offline.after", "duration"},
    {"{'offline':{'then':'Drop'}}", "spec.offline.then", "\"Defer\", \"Hold\""},
    {"{'offline':{'than':'Hold'}}", "spec.offline.than", "no such field"},
    {"{'minReported':0}", "spec.minReported", "from 1"},
    {"{'minReported':'50%'}", "spec.minReported", "number of clusters"},
    {"{'onNewChange':'Ask'}", "spec.onNewChange", "\"Replace\", \"Queue\""},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char field[HUB_ROLLOUT_FIELD_MAX] = "";
        struct fed_diag diag = {""};
        struct hub_rollout_rules *rules = NULL;

        if (read_rules(refused[i].spec, &rules, field, &diag) != FED_ERR_INVALID)
            fail_msg("%s is taken", refused[i].spec);
        if (strcmp(field, refused[i].field) != 0 || !strstr(diag.text, refused[i].says))
            fail_msg("%s: %s: %s", refused[i].spec, field, diag.text);
        assert_null(rules);
    }
}

static void test_defaults(void **state)
{
    char field[HUB_ROLLOUT_FIELD_MAX];
    struct hub_rollout_rules *rules;

    (void)state;
    assert_int_equal(read_rules("{}", &rules, field, NULL), FED_OK);
    assert_int_equal(rules->n_waves, 1);
    assert_true(fed_span_is(rules->waves[0].name, "rest"));
    assert_int_equal(hub_rollout_share_up(&rules->waves[0].concurrency, 7), 7);
    assert_int_equal(hub_rollout_share_down(&rules->waves[0].failures, 7), SIZE_MAX);
    assert_int_equal(hub_rollout_share_down(&rules->failures, 7), 0);
    assert_int_equal(rules->deadline_ms, 600000);
    assert_int_equal(rules->offline_after_ms, 600000);
    assert_int_equal(rules->min_reported, 1);
    assert_false(rules->rollback || rules->hold || rules->queue);
    assert_false(hub_rollout_rules_select(rules, NULL));
    assert_ptr_equal(hub_rollout_rules_keep(rules), rules);
    hub_rollout_rules_free(rules);
    hub_rollout_rules_free(rules);
}

/* The policy of the documentation. */
static void test_careful(void **state)
{
    static const char text[] =
        "{'selector':{'matchLabels':{'tier':'web'}},'waves':[{'name':'canary','clusters':{'names':"
        "['cluster1']},'soak':'10m','approval':'Required'},{'name':'shops','clusters':{'selector':"
        "{'matchLabels':{'kind':'shop'}}},'maxConcurrency':'25%','maxFailures':2,'windows':[{'days'"
        ":['Mon','Tue','Wed','Thu'],'from':'22:00','to':'05:00','timeZoneLabel':'tz'}]}],"
        "'progressDeadline':'15m','maxFailures':'1%','onFailure':'Rollback','offline':{'after':"
        "'10m','then':'Hold'},'minReported':1,'onNewChange':'Queue'}";
    char field[HUB_ROLLOUT_FIELD_MAX];
    struct hub_rollout_rules *rules;
    struct fed_json_doc *doc;
    struct fed_json *labels;

    (void)state;
    assert_int_equal(read_rules(text, &rules, field, NULL), FED_OK);
    assert_int_equal(rules->n_waves, 3);
    assert_true(rules->rollback && rules->hold && rules->queue && rules->waves[0].approval);
    assert_int_equal(rules->waves[0].soak_ms, 600000);
    assert_int_equal(rules->waves[1].windows[0].days, 0x0f);
    assert_int_equal(rules->waves[1].windows[0].from_min, 22 * 60);
    assert_int_equal(rules->waves[1].windows[0].to_min, 29 * 60);
    assert_true(fed_span_is(rules->zone_labels[rules->waves[1].zone_label], "tz"));
    assert_int_equal(hub_rollout_share_up(&rules->waves[1].concurrency, 1), 1);
    assert_int_equal(hub_rollout_share_up(&rules->waves[1].concurrency, 9), 3);
    assert_int_equal(hub_rollout_share_up(&rules->waves[1].concurrency, 0), 0);
    assert_int_equal(hub_rollout_share_down(&rules->failures, 99), 0);
    assert_int_equal(hub_rollout_share_down(&rules->failures, 299), 2);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(
        fed_json_parse(doc, with_quotes("{'kind':'shop','tier':'web'}"), &labels, NULL), FED_OK);
    assert_int_equal(hub_rollout_rules_waves(rules, FED_SPAN_LIT("cluster1"), NULL), 1);
    assert_int_equal(hub_rollout_rules_waves(rules, FED_SPAN_LIT("cluster1"), labels), 3);
    assert_int_equal(hub_rollout_rules_waves(rules, FED_SPAN_LIT("cluster2"), labels), 2);
    assert_true(hub_rollout_rules_select(rules, labels));
    assert_false(hub_rollout_rules_select(rules, NULL));
    fed_json_doc_free(doc);
    hub_rollout_rules_free(rules);
}

/* ---- versions ---- */

static const char *content(const char *object, bool scaled, struct fed_digest *digest)
{
    static char text[4096];
    struct fed_buf out;

    fed_buf_init(&out, fed_alloc_system(), sizeof text);
    assert_int_equal(
        hub_rollout_content(fed_alloc_system(), with_quotes(object), scaled, &out), FED_OK);
    if (digest)
        assert_int_equal(fed_digest_of(fed_buf_span(&out), digest), FED_OK);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&out));
    for (char *at = text; *at; at++)
        *at = *at == '"' ? '\'' : *at;
    fed_buf_fini(&out);
    return text;
}

#define OBJECT(spec) "{'metadata':{'name':'web'},'status':{'a':1},'spec':" spec "}"

static void test_content(void **state)
{
    struct fed_digest a;
    struct fed_digest b;

    (void)state;
    assert_string_equal(
        content(
            OBJECT("{'template':{'b':1,'a':2},'placement':{'clusters':[{'name':'x'}]},'more':1}"),
            false, &a),
        "{'spec':{'placement':{'clusters':[{'name':'x'}]},'template':{'a':2,'b':1}}}");
    content(
        OBJECT("{'placement':{'clusters':[{'name':'x'}]},'template':{'a':2,'b':1}}"), false, &b);
    assert_true(fed_digest_eq(&a, &b));
    content(
        OBJECT("{'placement':{'clusters':[{'name':'y'}]},'template':{'a':2,'b':1}}"), false, &b);
    assert_false(fed_digest_eq(&a, &b));
    assert_string_equal(content("{}", false, &a), "{'spec':{}}");
}

#define SHARE(n) "{'path':'/spec/replicas','value':" n "}"
#define SCALED(x, y)                                                                               \
    OBJECT("{'template':1,'placement':{'clusters':[{'name':'x'},{'name':'" y                       \
           "'}]},'overrides':[{'clusterName':'x','clusterOverrides':[" SHARE(                      \
               x) ",{'path':'/a','value':1}]},{'clusterName':'" y                                  \
                  "','clusterOverrides':[" SHARE(                                                  \
                      "7") "]},{'clusterSelector':{},'clusterOverrides':[" SHARE("9") "]}]}")

static void test_scaled(void **state)
{
    struct fed_digest a;
    struct fed_digest b;

    (void)state;
    assert_string_equal(content(SCALED("3", "y"), true, &a),
        "{'spec':{'overrides':[{'clusterName':'x','clusterOverrides':[{'path':'/a','value':1}]},"
        "{'clusterOverrides':[" SHARE("9") "],'clusterSelector':{}}],'template':1}}");
    content(SCALED("5", "z"), true, &b);
    assert_true(fed_digest_eq(&a, &b));
    content(SCALED("5", "z"), false, &b);
    assert_false(fed_digest_eq(&a, &b));
    assert_string_equal(content(OBJECT("{'template':1,'overrides':[{'clusterName':'x',"
                                       "'clusterOverrides':[" SHARE("3") "]}]}"),
                            true, NULL),
        "{'spec':{'template':1}}");
}

static void test_refresh(void **state)
{
    static const char expected[] =
        "{'spec':{'overrides':[{'clusterName':'x','clusterOverrides':[{'path':'/a','value':1},"
        "{'path':'/spec/replicas','value':5}]},{'clusterOverrides':[{'path':'/spec/replicas',"
        "'value':9}],'clusterSelector':{}},{'clusterName':'z','clusterOverrides':[{'path':"
        "'/spec/replicas','value':7}]}],'placement':{'clusters':[{'name':'x'},{'name':'z'}]},"
        "'template':1}}";
    struct fed_buf old;
    struct fed_buf out;
    char current[2048];

    (void)state;
    fed_buf_init(&old, fed_alloc_system(), 4096);
    fed_buf_init(&out, fed_alloc_system(), 4096);
    assert_int_equal(
        hub_rollout_content(fed_alloc_system(), with_quotes(SCALED("3", "y")), true, &old), FED_OK);
    snprintf(current, sizeof current, "%s", SCALED("5", "z"));
    assert_int_equal(hub_rollout_content_refresh(
                         fed_alloc_system(), fed_buf_span(&old), with_quotes(current), true, &out),
        FED_OK);
    for (size_t i = 0; i < out.len; i++)
        out.at[i] = out.at[i] == '"' ? '\'' : out.at[i];
    assert_string_equal(fed_buf_cstr(&out), expected);
    fed_buf_clear(&out);
    assert_int_equal(hub_rollout_content_refresh(
                         fed_alloc_system(), fed_buf_span(&old), with_quotes(current), false, &out),
        FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&out), fed_buf_span(&old)));
    fed_buf_clear(&out);
    assert_int_equal(
        hub_rollout_content(fed_alloc_system(), FED_SPAN_LIT("[]"), false, &out), FED_ERR_INVALID);
    assert_int_equal(out.len, 0);
    fed_buf_fini(&old);
    fed_buf_fini(&out);
}

/* ---- when a window opens ---- */

static void test_next(void **state)
{
    /* 2026: clocks go ahead on 29 March at 01:00 UTC and back on 25 October at 01:00 UTC. */
    static struct hub_zone berlin = {.first = 3600,
        .has_rule = true,
        .has_dst = true,
        .std_s = 3600,
        .dst_s = 7200,
        .to_dst = {HUB_ZONE_MONTH_WEEK_DAY, 3, 5, 0, 7200},
        .from_dst = {HUB_ZONE_MONTH_WEEK_DAY, 10, 5, 0, 10800}};
    static const struct next {
        uint8_t days;
        int from_min, to_min;
        int64_t now_s, next_s;
    } list[] = {
        {0x7f, 0, 1440, 1795996800, 1795996800},                  /* always */
        {0x01, 120, 300, 1795996800, 1795996800 + 3600},          /* Monday 02:00 in winter */
        {0x02, 120, 300, 1795996800, 1795996800 + 90000},         /* Tuesday */
        {0x01, 0, 30, 1795996800, 1795996800 + 7 * 86400 - 3600}, /* it was at 23:00 UTC */
        {0x40, 1380, 1500, 1795996800 - 3601, 1795996800 - 3601}, /* Sunday, over midnight */
        {0x40, 120, 150, 1774742400, 1775347200},                 /* 29 March has no 02:15 */
        {0x40, 120, 300, 1774742400, 1774746000},                 /* ... and its 02:00 is 03:00 */
        {0x40, 120, 180, 1792882800, 1792886400}, /* 25 October has 02:00 twice: the first */
    };

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct hub_windows windows = {.n = 1,
            .at = {{.days = list[i].days,
                .from_min = list[i].from_min,
                .to_min = list[i].to_min,
                .zone = &berlin}}};

        if (hub_windows_next(&windows, list[i].now_s) != list[i].next_s)
            fail_msg("%zu: in %lld s", i,
                (long long)(hub_windows_next(&windows, list[i].now_s) - list[i].now_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_careful),
        cmocka_unit_test(test_content), cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_refresh), cmocka_unit_test(test_next)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
