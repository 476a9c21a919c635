/* hub_access_test.c - who may do what: rules, bindings, what covers what, first roles, tokens, the
 * audit log. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/access/audit.h"
#include "hub/access/bootstrap.h"
#include "hub/access/federated.h"
#include "hub/access/rbac.h"
#include "hub/access/token.h"
#include "proto/base/text.h"

struct access_world {
    struct hub_world hub;
    struct fed_alloc mem; /* counts */
    size_t allocations;
    struct fed_loop loop; /* the hub's, with a clock that is moved */
    int64_t offset_s;
    struct fed_crypto crypto;
    struct hub_rbac *rbac;
};

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct access_world *w = ctx;
    struct fed_alloc *system = fed_alloc_system();

    w->allocations++;
    return system->resize(system->ctx, at, old_size, size);
}

static struct access_world *moved; /* the loop's context is the loop's own */
static int64_t moved_clock(void *ctx)
{
    (void)ctx;
    return ((int64_t)time(NULL) + moved->offset_s) * 1000000;
}

static int setup(void **state)
{
    struct access_world *w = calloc(1, sizeof *w);
    struct fed_diag diag = {""};

    assert_non_null(w);
    moved = w;
    hub_world_open(&w->hub);
    w->mem = (struct fed_alloc){.ctx = w, .resize = resize};
    w->loop = *w->hub.loop;
    w->loop.unix_us = moved_clock;
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &w->crypto, &diag), FED_OK);
    if (hub_rbac_open(&w->mem, NULL, w->hub.objects, &w->rbac, &diag))
        fail_msg("%s", diag.text);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct access_world *w = *state;

    hub_rbac_close(w->rbac);
    fed_tls_crypto_close(&w->crypto);
    hub_world_close(&w->hub);
    free(w);
    return 0;
}

/* ---- helpers ---- */
static void role(struct access_world *w, const char *ns, const char *name, const char *rules)
{
    char json[4096];

    snprintf(json, sizeof json, "{'metadata':{'name':'%s'},'rules':%s}", name, rules);
    hub_world_put(&w->hub, ns ? HUB_RBAC_ROLES : HUB_RBAC_CLUSTER_ROLES, ns ? ns : "", name, json);
}

static void bind(struct access_world *w, const char *ns, const char *name, const char *kind,
    const char *role_name, const char *subjects)
{
    char json[4096];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s'},'roleRef':{'kind':'%s','name':'%s'},'subjects':%s}", name, kind,
        role_name, subjects);
    hub_world_put(
        &w->hub, ns ? HUB_RBAC_BINDINGS : HUB_RBAC_CLUSTER_BINDINGS, ns ? ns : "", name, json);
}

/* "name group group" */
static void user_of(const char *text, struct hub_user *out)
{
    struct fed_span rest = fed_span_text(text);
    struct fed_span word;

    hub_user_init(out);
    assert_true(fed_span_split(&rest, ' ', &word));
    assert_int_equal(hub_user_set_name(out, word), FED_OK);
    while (fed_span_split(&rest, ' ', &word))
        assert_int_equal(hub_user_add_group(out, word), FED_OK);
}

/* "get pods.apps/log ns/name" or "get /path" */
static struct hub_access access_of(const char *text)
{
    struct hub_access access = {.verb = {0}};
    struct fed_span rest = fed_span_text(text);
    struct fed_span what;

    assert_true(fed_span_split(&rest, ' ', &access.verb));
    assert_true(fed_span_split(&rest, ' ', &what));
    if (what.at[0] == '/') {
        access.path = what;
        return access;
    }
    access.subresource = fed_span_sub(what, fed_span_find(what, '/') + 1, what.len);
    what = fed_span_sub(what, 0, fed_span_find(what, '/'));
    access.group = fed_span_sub(what, fed_span_find(what, '.') + 1, what.len);
    access.resource = fed_span_sub(what, 0, fed_span_find(what, '.'));
    access.ns = fed_span_sub(rest, 0, fed_span_find(rest, '/'));
    access.name = fed_span_sub(rest, fed_span_find(rest, '/') + 1, rest.len);
    return access;
}

static bool allows(struct access_world *w, const char *who, const char *what)
{
    struct hub_access access = access_of(what);
    struct hub_user user;

    user_of(who, &user);
    return hub_rbac_allows(w->rbac, &user, &access, NULL);
}

/* ---- the evaluator, as a table ---- */
static void fill(struct access_world *w)
{
    role(w, NULL, "all",
        "[{'verbs':['*'],'apiGroups':['*'],'resources':['*']},"
        "{'verbs':['*'],'nonResourceURLs':['*']}]");
    role(w, NULL, "reader",
        "[{'verbs':['get','list'],'apiGroups':['','apps'],'resources':['pods','pods/log']}]");
    role(w, NULL, "scaler", "[{'verbs':['patch'],'apiGroups':['*'],'resources':['*/scale']}]");
    role(w, NULL, "paths", "[{'verbs':['get'],'nonResourceURLs':['/api','/apis/*','/m**']}]");
    role(w, "a", "named",
        "[{'verbs':['get','delete'],'apiGroups':[''],'resources':['secrets'],"
        "'resourceNames':['one','two']}]");
    bind(w, NULL, "root", "ClusterRole", "all", "[{'kind':'User','name':'root'}]");
    bind(w, NULL, "readers", "ClusterRole", "reader",
        "[{'kind':'Group','name':'readers'},{'kind':'User','name':'ann'}]");
    bind(w, NULL, "scale", "ClusterRole", "scaler", "[{'kind':'User','name':'sam'}]");
    bind(w, NULL, "paths", "ClusterRole", "paths", "[{'kind':'Group','name':'web'}]");
    bind(w, "a", "ben", "ClusterRole", "reader", "[{'kind':'User','name':'ben'}]");
    bind(w, "a", "ben-all", "ClusterRole", "all", "[{'kind':'User','name':'bea'}]");
    bind(w, "a", "named", "Role", "named",
        "[{'kind':'ServiceAccount','name':'bot'},"
        "{'kind':'ServiceAccount','name':'far','namespace':'b'}]");
    bind(w, "b", "other", "Role", "named", "[{'kind':'User','name':'ann'}]");
    bind(w, NULL, "lost", "ClusterRole", "gone", "[{'kind':'User','name':'lou'}]");
    bind(w, NULL, "nobody", "ClusterRole", "all",
        "[{'kind':'Robot','name':'root2'},{'kind':'ServiceAccount','name':'bot'}]");
}

static void test_evaluator(void **state)
{
    static const struct {
        const char *user;
        const char *what;
        bool allowed;
        const char *reason; /* whole; NULL: not looked at */
    } cases[] = {
        {"root", "delete nodes. /x", true,
            "RBAC: allowed by ClusterRoleBinding \"root\" of ClusterRole \"all\" to User \"root\""},
        {"root", "post /anything", true, NULL},
        {"Root", "get pods. a", false, ""},
        {"ann", "get pods. a/p", true,
            "RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"reader\" to User "
            "\"ann\""},
        {"ann", "list pods. ", true, NULL},
        {"ann", "get pods.apps a/p", true, NULL},
        {"ann", "get pods.batch a/p", false, ""},
        {"ann", "get pods./log a/p", true, NULL},
        {"ann", "get pods./exec a/p", false, NULL},
        {"ann", "watch pods. a", false, NULL},
        {"ann", "get secrets. b/one", false,
            "RBAC: role.rbac.authorization.k8s.io \"named\" not found"},
        {"cid readers", "get pods. a/p", true,
            "RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"reader\" to Group "
            "\"readers\""},
        {"readers", "get pods. a/p", false, NULL},
        {"cid ann", "get pods. a/p", false, NULL},
        {"sam", "patch deployments.apps/scale a/d", true, NULL},
        {"sam", "patch deployments.apps a/d", false, NULL},
        {"sam", "patch deployments.apps/scaled a/d", false, NULL},
        {"sam", "patch scale. a/d", false, NULL},
        {"x web", "get /api", true, NULL},
        {"x web", "get /api/v1", false, NULL},
        {"x web", "get /apis/", true, NULL},
        {"x web", "get /apis", false, NULL},
        {"x web", "get /metrics", true, NULL},
        {"x web", "post /api", false, NULL},
        {"ben", "get pods. a/p", true,
            "RBAC: allowed by RoleBinding \"ben/a\" of ClusterRole \"reader\" to User \"ben\""},
        {"ben", "get pods. b/p", false, NULL},
        {"ben", "list pods. ", false, NULL},
        {"bea", "get secrets. a/x", true, NULL},
        {"bea", "get /api", false, NULL},
        {"bea", "get secrets. b/x", false, NULL},
        {"system:serviceaccount:a:bot", "get secrets. a/one", true,
            "RBAC: allowed by RoleBinding \"named/a\" of Role \"named\" to ServiceAccount "
            "\"bot/a\""},
        {"system:serviceaccount:a:bot", "get secrets. a/three", false, NULL},
        {"system:serviceaccount:a:bot", "list secrets. a", false, NULL},
        {"system:serviceaccount:a:bot", "delete secrets. a/two", true, NULL},
        {"system:serviceaccount:b:bot", "get secrets. a/one", false, NULL},
        {"system:serviceaccount:b:far", "get secrets. a/one", true, NULL},
        {"bot", "get secrets. a/one", false, NULL},
        {"lou", "get pods. a", false,
            "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found"},
        {"root2", "get pods. a", false, NULL},
        {"system:serviceaccount::bot", "get pods. a", false, NULL},
    };
    struct access_world *w = *state;

    fill(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hub_access access = access_of(cases[i].what);
        struct hub_reason reason;
        struct hub_user user;

        user_of(cases[i].user, &user);
        if (hub_rbac_allows(w->rbac, &user, &access, &reason) != cases[i].allowed)
            fail_msg(
                "%s: %s: %d (%s)", cases[i].user, cases[i].what, !cases[i].allowed, reason.text);
        if (cases[i].reason)
            assert_string_equal(reason.text, cases[i].reason);
    }
}

static void test_changes_count_at_once(void **state)
{
    struct access_world *w = *state;

    bind(w, "a", "b", "Role", "r", "[{'kind':'User','name':'ann'}]");
    assert_false(allows(w, "ann", "get pods. a/x"));
    role(w, "a", "r", "[{'verbs':['get'],'apiGroups':[''],'resources':['pods']}]");
    assert_true(allows(w, "ann", "get pods. a/x"));
    role(w, "a", "r", "[{'verbs':['list'],'apiGroups':[''],'resources':['pods']}]");
    assert_false(allows(w, "ann", "get pods. a/x"));
    assert_true(allows(w, "ann", "list pods. a"));
    bind(w, "a", "b", "Role", "r", "[{'kind':'User','name':'ben'}]");
    assert_false(allows(w, "ann", "list pods. a"));
    assert_true(allows(w, "ben", "list pods. a"));
    hub_world_remove(&w->hub, HUB_RBAC_ROLES, "a", "r");
    assert_false(allows(w, "ben", "list pods. a"));
    role(w, "a", "r", "[{'verbs':['list'],'apiGroups':[''],'resources':['pods']}]");
    assert_true(allows(w, "ben", "list pods. a"));
    hub_world_remove(&w->hub, HUB_RBAC_BINDINGS, "a", "b");
    assert_false(allows(w, "ben", "list pods. a"));
    /* Read again from the store, as after a restart. */
    bind(w, "a", "b", "Role", "r", "[{'kind':'User','name':'ben'}]");
    hub_rbac_close(w->rbac);
    assert_int_equal(hub_rbac_open(&w->mem, NULL, w->hub.objects, &w->rbac, NULL), FED_OK);
    assert_true(allows(w, "ben", "list pods. a"));
}

/* ---- nobody grants what they do not hold ---- */
static void test_held(void **state)
{
    static const struct {
        const char *rules;
        const char *missing; /* NULL: held */
    } cases[] = {
        {"[]", NULL},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['pods']}]", NULL},
        {"[{'verbs':['get','list'],'apiGroups':['','apps'],'resources':['pods','pods/log']}]",
            NULL},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['x']}]", NULL},
        {"[{'verbs':['get','watch'],'apiGroups':[''],'resources':['pods']}]",
            "\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"watch\"]}"},
        {"[{'verbs':['*'],'apiGroups':[''],'resources':['pods']}]",
            "\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"*\"]}"},
        {"[{'verbs':['get'],'apiGroups':['*'],'resources':['pods']}]",
            "\n{APIGroups:[\"*\"], Resources:[\"pods\"], Verbs:[\"get\"]}"},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['*']}]",
            "\n{APIGroups:[\"\"], Resources:[\"*\"], Verbs:[\"get\"]}"},
        {"[{'verbs':['patch'],'apiGroups':['apps'],'resources':['deployments/scale','*/scale']}]",
            NULL},
        {"[{'verbs':['patch'],'apiGroups':['apps'],'resources':['*/status']}]",
            "\n{APIGroups:[\"apps\"], Resources:[\"*/status\"], Verbs:[\"patch\"]}"},
        {"[{'verbs':['get','delete','create'],'apiGroups':[''],'resources':['pods','nodes']}]",
            "\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"delete\" \"create\"]}"
            "\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\" \"create\"]}"},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['secrets'],'resourceNames':['one']}]",
            NULL},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['secrets']}]",
            "\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}"},
        {"[{'verbs':['get'],'apiGroups':[''],'resources':['secrets'],'resourceNames':['three']}]",
            "\n{APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"three\"], "
            "Verbs:[\"get\"]}"},
        {"[{'verbs':['get'],'nonResourceURLs':['/apis/x','/apis/*']}]", NULL},
        {"[{'verbs':['get'],'nonResourceURLs':['/*']}]",
            "\n{NonResourceURLs:[\"/*\"], Verbs:[\"get\"]}"},
    };
    struct access_world *w = *state;
    struct hub_user user;

    fill(w);
    bind(w, NULL, "eve", "ClusterRole", "reader", "[{'kind':'User','name':'eve'}]");
    bind(w, NULL, "eve2", "ClusterRole", "scaler", "[{'kind':'Group','name':'g'}]");
    bind(w, NULL, "eve3", "ClusterRole", "paths", "[{'kind':'User','name':'eve'}]");
    bind(w, "a", "eve", "Role", "named", "[{'kind':'User','name':'eve'}]");
    user_of("eve g", &user);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json_doc *doc;
        struct fed_json *json;
        struct hub_rules *rules;
        struct fed_buf message;
        char text[512];
        enum fed_err err;

        snprintf(text, sizeof text, "%s", cases[i].rules);
        for (char *c = text; *c; c++)
            if (*c == '\'')
                *c = '"';
        fed_buf_init(&message, fed_alloc_system(), 65536);
        assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
        assert_int_equal(fed_json_parse(doc, fed_span_text(text), &json, NULL), FED_OK);
        assert_int_equal(hub_rules_read(fed_alloc_system(), json, &rules), FED_OK);
        err = hub_rbac_confirm_held(w->rbac, &user, FED_SPAN_LIT("a"), rules, &message);
        assert_int_equal(err, cases[i].missing ? FED_ERR_FORBIDDEN : FED_OK);
        if (cases[i].missing) {
            char whole[1024];

            snprintf(whole, sizeof whole,
                "user \"eve\" (groups=[\"g\"]) is attempting to grant RBAC permissions not "
                "currently held:%s",
                cases[i].missing);
            assert_string_equal(fed_buf_cstr(&message), whole);
        }
        hub_rules_free(rules);
        fed_json_doc_free(doc);
        fed_buf_fini(&message);
    }
}

/* More rights than are compared are refused, not computed. */
static void test_held_is_bounded(void **state)
{
    struct access_world *w = *state;
    struct fed_json_doc *doc;
    struct fed_json *json;
    struct hub_rules *rules;
    struct fed_buf text;
    struct fed_buf message;
    struct hub_user user;

    user_of("eve", &user);
    fed_buf_init(&text, fed_alloc_system(), 65536);
    fed_buf_init(&message, fed_alloc_system(), 65536);
    fed_buf_put_text(&text, "[{\"apiGroups\":[\"\"],\"verbs\":[");
    for (unsigned i = 0; i < 200; i++)
        fed_buf_printf(&text, "%s\"v%u\"", i ? "," : "", i);
    fed_buf_put_text(&text, "],\"resources\":[");
    for (unsigned i = 0; i < 200; i++)
        fed_buf_printf(&text, "%s\"r%u\"", i ? "," : "", i);
    fed_buf_put_text(&text, "]}]");
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    assert_int_equal(fed_json_parse(doc, fed_buf_span(&text), &json, NULL), FED_OK);
    assert_int_equal(hub_rules_read(fed_alloc_system(), json, &rules), FED_OK);
    assert_int_equal(hub_rbac_confirm_held(w->rbac, &user, (struct fed_span){0}, rules, &message),
        FED_ERR_LIMIT);
    hub_rules_free(rules);
    fed_json_doc_free(doc);
    fed_buf_fini(&text);
    fed_buf_fini(&message);
}

/* ---- aggregation ---- */
static void part(struct access_world *w, const char *name, const char *labels, const char *resource)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','labels':%s},'rules':[{'verbs':['get'],'apiGroups':[''],"
        "'resources':['%s']}]}",
        name, labels, resource);
    hub_world_put(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", name, json);
}

static void test_aggregation(void **state)
{
    struct access_world *w = *state;

    hub_world_put(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", "sum",
        "{'metadata':{'name':'sum'},'aggregationRule':{'clusterRoleSelectors':"
        "[{'matchLabels':{'sum':'yes'}}]},'rules':[]}");
    bind(w, NULL, "b", "ClusterRole", "sum", "[{'kind':'User','name':'ann'}]");
    part(w, "one", "{'sum':'yes'}", "pods");
    assert_true(allows(w, "ann", "get pods. a"));
    part(w, "two", "{'sum':'no'}", "nodes");
    assert_false(allows(w, "ann", "get nodes. /x"));
    part(w, "two", "{'sum':'yes'}", "nodes");
    assert_true(allows(w, "ann", "get nodes. /x"));
    part(w, "one", "{}", "pods");
    assert_false(allows(w, "ann", "get pods. a"));
    hub_world_remove(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", "two");
    assert_false(allows(w, "ann", "get nodes. /x"));
    /* Of a sum of sums the change goes through. */
    hub_world_put(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", "all",
        "{'metadata':{'name':'all'},'aggregationRule':{'clusterRoleSelectors':"
        "[{'matchLabels':{'all':'yes'}}]},'rules':[]}");
    hub_world_put(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", "sum",
        "{'metadata':{'name':'sum','labels':{'all':'yes'}},'aggregationRule':"
        "{'clusterRoleSelectors':[{'matchLabels':{'sum':'yes'}}]},'rules':[]}");
    bind(w, NULL, "c", "ClusterRole", "all", "[{'kind':'User','name':'ben'}]");
    part(w, "two", "{'sum':'yes'}", "nodes");
    assert_true(allows(w, "ben", "get nodes. /x"));
}

/* ---- first roles ---- */
static void boot(struct access_world *w)
{
    struct fed_diag diag = {""};

    if (hub_access_bootstrap(&w->mem, &w->loop, &w->crypto, w->hub.objects, &diag))
        fail_msg("%s", diag.text);
    hub_world_settle(&w->hub);
}

static void test_bootstrap(void **state)
{
    static const struct {
        const char *user;
        const char *what;
        bool allowed;
    } cases[] = {
        {"v fedlet:viewers", "list secrets. a", false},
        {"v fedlet:viewers", "list kubefedclusters.core.kubefed.io a", true},
        {"v fedlet:viewers", "create configmaps. a", false},
        {"v fedlet:viewers", "list jointokens.fedlet.io a", true},
        {"o fedlet:operators", "patch federatedsecrets.types.kubefed.io a/x", false},
        {"o fedlet:operators", "list federatedsecrets.types.kubefed.io a", true},
        {"o fedlet:operators", "patch rollouts.fedlet.io a/x", true},
        {"o fedlet:operators", "create namespaces. ", false},
        {"w fedlet:authors", "patch federatedsecrets.types.kubefed.io a/x", true},
        {"w fedlet:authors", "create namespaces. ", true},
        {"w fedlet:authors", "patch rollouts.fedlet.io a/x", false},
        {"w fedlet:authors", "patch kubefedclusters.core.kubefed.io a/x", false},
        {"w fedlet:authors", "get secrets. a/x", false},
        {"o fedlet:operators", "delete kubefedclusters.core.kubefed.io a/x", true},
        {"o fedlet:operators", "list jointokens.fedlet.io a", true},
        {"o fedlet:operators", "create jointokens.fedlet.io a", false},
        {"o fedlet:operators", "patch joinrequests.fedlet.io a/x", true},
        {"o fedlet:operators", "get secrets. a/x", false},
        {"o fedlet:operators", "create serviceaccounts./token a/x", false},
        {"o fedlet:operators", "create rolebindings.rbac.authorization.k8s.io a", false},
        {"o fedlet:operators", "impersonate users. /root", false},
        {"a fedlet:admins", "escalate clusterroles.rbac.authorization.k8s.io /x", true},
        {"n system:authenticated", "create selfsubjectaccessreviews.authorization.k8s.io ", true},
        {"n system:authenticated", "get /openapi/v3", true},
        {"n system:authenticated", "list namespaces. ", false},
        {"system:anonymous system:unauthenticated", "get /version/", true},
        {"system:anonymous system:unauthenticated", "get /api", false},
    };
    struct access_world *w = *state;
    uint64_t revision;

    boot(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (allows(w, cases[i].user, cases[i].what) != cases[i].allowed)
            fail_msg("%s: %s", cases[i].user, cases[i].what);
    revision = hub_objects_revision(w->hub.objects);
    boot(w);
    assert_int_equal(hub_objects_revision(w->hub.objects), revision); /* nothing to do */
    bind(w, "a", "ed", "ClusterRole", "edit", "[{'kind':'User','name':'ed'}]");
    bind(w, "a", "ad", "ClusterRole", "admin", "[{'kind':'User','name':'ad'}]");
    assert_true(allows(w, "ed", "create configmaps. a"));
    assert_true(allows(w, "ed", "list pods. a"));
    assert_false(allows(w, "ed", "create roles.rbac.authorization.k8s.io a"));
    assert_true(allows(w, "ad", "create roles.rbac.authorization.k8s.io a"));
    assert_true(allows(w, "ad", "get configmaps. a/x"));
}

static void type(struct access_world *w, const char *kind, const char *plural)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s'},'spec':{'federatedType':{'group':'types.kubefed.io',"
        "'pluralName':'federated%s'},'targetType':{'kind':'%s'}}}",
        plural, plural, kind);
    hub_world_put(&w->hub, W_TYPES, W_SYSTEM, plural, json);
}

static void test_viewer_follows_types(void **state)
{
    struct access_world *w = *state;
    struct hub_federated_role *role_of_types;

    type(w, "ConfigMap", "configmaps");
    assert_int_equal(hub_federated_role_open(
                         &w->mem, &w->loop, NULL, &w->crypto, w->hub.objects, &role_of_types),
        FED_OK);
    boot(w);
    assert_int_equal(hub_federated_role_update(role_of_types, NULL), FED_OK);
    hub_world_settle(&w->hub);
    assert_true(allows(w, "v fedlet:viewers", "list federatedconfigmaps.types.kubefed.io a"));
    assert_true(
        allows(w, "v fedlet:viewers", "get federatedconfigmaps.types.kubefed.io/status a/x"));
    assert_false(allows(w, "v fedlet:viewers", "patch federatedconfigmaps.types.kubefed.io a/x"));
    assert_false(allows(w, "v fedlet:viewers", "list federatedgadgets.types.kubefed.io a"));
    type(w, "Gadget", "gadgets");
    type(w, "Secret", "secrets");
    assert_true(allows(w, "v fedlet:viewers", "list federatedgadgets.types.kubefed.io a"));
    assert_false(allows(w, "v fedlet:viewers", "list federatedsecrets.types.kubefed.io a"));
    bind(w, "a", "vi", "ClusterRole", "view", "[{'kind':'User','name':'vi'}]");
    assert_true(allows(w, "vi", "list federatedgadgets.types.kubefed.io a"));
    assert_false(allows(w, "vi", "list federatedsecrets.types.kubefed.io a"));
    hub_world_remove(&w->hub, W_TYPES, W_SYSTEM, "gadgets");
    assert_false(allows(w, "v fedlet:viewers", "list federatedgadgets.types.kubefed.io a"));
    hub_federated_role_close(role_of_types);
}

static void test_bootstrap_reconciles(void **state)
{
    struct access_world *w = *state;

    boot(w);
    /* What was taken away comes back, what was added stays. */
    role(w, NULL, "system:basic-user",
        "[{'verbs':['get'],'apiGroups':[''],'resources':['extras']}]");
    bind(w, NULL, "system:basic-user", "ClusterRole", "system:basic-user",
        "[{'kind':'User','name':'one','apiGroup':'rbac.authorization.k8s.io'}]");
    assert_false(
        allows(w, "n system:authenticated", "create selfsubjectreviews.authentication.k8s.io "));
    boot(w);
    assert_true(
        allows(w, "n system:authenticated", "create selfsubjectreviews.authentication.k8s.io "));
    assert_true(allows(w, "one", "get extras. /x"));
    hub_world_put(&w->hub, HUB_RBAC_CLUSTER_ROLES, "", "system:discovery",
        "{'metadata':{'name':'system:discovery','annotations':"
        "{'rbac.authorization.kubernetes.io/autoupdate':'false'}},'rules':[]}");
    boot(w);
    assert_false(allows(w, "n system:authenticated", "get /api"));
}

/* ---- the price of a decision ---- */
/* Of the processor: the machine has others to serve. */
static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void test_price(void **state)
{
    enum { ROLES = 200, BINDINGS = 2000, ROUNDS = 20000 };
    struct access_world *w = *state;
    struct hub_access access = access_of("get pods. n7/x");
    struct hub_user user;
    size_t before;
    int64_t begin;

    boot(w);
    for (unsigned i = 0; i < ROLES; i++) {
        char name[16];

        snprintf(name, sizeof name, "r%u", i);
        role(w, NULL, name,
            "[{'verbs':['get'],'apiGroups':['apps','batch'],'resources':['x','y','z']},"
            "{'verbs':['get','list'],'apiGroups':[''],'resources':['pods']}]");
    }
    for (unsigned i = 0; i < BINDINGS; i++) {
        char ns[16];
        char name[16];
        char role_name[16];
        char subjects[64];

        snprintf(ns, sizeof ns, "n%u", i % 100);
        snprintf(name, sizeof name, "b%u", i);
        snprintf(role_name, sizeof role_name, "r%u", i % ROLES);
        snprintf(subjects, sizeof subjects, "[{'kind':'User','name':'u%u'}]", i / 100);
        bind(w, ns, name, "ClusterRole", role_name, subjects);
    }
    user_of("u7 system:authenticated dev ops web", &user);
    before = w->allocations;
    begin = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_true(hub_rbac_allows(w->rbac, &user, &access, NULL));
    print_message("a decision among %d roles and %d bindings: %lld ns\n", ROLES, BINDINGS,
        (long long)((now_ns() - begin) / ROUNDS));
    assert_int_equal(w->allocations, before);
}

/* ---- tokens ---- */
#define ACCOUNT                                                                                    \
    "{'metadata':{'name':'bot','namespace':'a','uid':'11111111-2222-4333-8444-555555555555'}}"
#define UID "11111111-2222-4333-8444-555555555555"

struct token_world {
    struct access_world *w;
    struct hub_tokens *tokens;
    struct fed_buf key;
    struct hub_token_request request;
    struct fed_buf token;
    struct hub_token_holder holder;
    struct fed_diag diag;
};

static void tokens_open(struct token_world *t, struct access_world *w)
{
    memset(t, 0, sizeof *t);
    t->w = w;
    fed_buf_init(&t->key, fed_alloc_system(), 4096);
    fed_buf_init(&t->token, fed_alloc_system(), HUB_TOKEN_SIZE_MAX);
    assert_int_equal(w->crypto.key_new(w->crypto.ctx, &t->key), FED_OK);
    if (hub_tokens_open(fed_alloc_system(), &w->loop, &w->crypto, w->hub.objects,
            fed_buf_span(&t->key), &t->tokens, &t->diag))
        fail_msg("%s", t->diag.text);
    hub_world_put(&w->hub, "serviceaccounts", "a", "bot", ACCOUNT);
    t->request = (struct hub_token_request){.ns = FED_SPAN_LIT("a"),
        .name = FED_SPAN_LIT("bot"),
        .uid = FED_SPAN_LIT(UID),
        .audiences = {FED_SPAN_LIT(HUB_TOKEN_ISSUER)},
        .n_audiences = 1,
        .ttl_s = 600};
}

static void tokens_close(struct token_world *t)
{
    hub_tokens_close(t->tokens);
    fed_buf_fini(&t->key);
    fed_buf_fini(&t->token);
}

static void issue(struct token_world *t)
{
    fed_buf_clear(&t->token);
    assert_int_equal(hub_tokens_issue(t->tokens, &t->request, &t->token), FED_OK);
}

static enum fed_err verify(struct token_world *t, struct fed_span token)
{
    memset(&t->holder, 0, sizeof t->holder);
    t->diag.text[0] = 0;
    return hub_tokens_verify(t->tokens, token, NULL, 0, &t->holder, &t->diag);
}

static void refused(struct token_world *t, struct fed_span token, const char *why)
{
    assert_int_equal(verify(t, token), FED_ERR_UNAUTHENTICATED);
    if (!strstr(t->diag.text, why))
        fail_msg("\"%s\" is not said in \"%s\"", why, t->diag.text);
}

static void test_token(void **state)
{
    struct token_world t;

    tokens_open(&t, *state);
    issue(&t);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    assert_string_equal(t.holder.user.name, "system:serviceaccount:a:bot");
    assert_string_equal(t.holder.user.uid, UID);
    assert_int_equal(t.holder.user.n_groups, 3);
    assert_string_equal(t.holder.user.groups[0], "system:serviceaccounts");
    assert_string_equal(t.holder.user.groups[1], "system:serviceaccounts:a");
    assert_string_equal(t.holder.user.groups[2], "system:authenticated");
    assert_string_equal(t.holder.audiences[0], HUB_TOKEN_ISSUER);
    assert_memory_equal(t.holder.user.extra[0].value, "JTI=", 4);
    /* Again, from what is remembered; then the end comes all the same. */
    {
        int64_t begin = now_ns();

        for (unsigned i = 0; i < 1000; i++)
            assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
        print_message(
            "a token that was seen before: %lld ns\n", (long long)(now_ns() - begin) / 1000);
    }
    t.w->offset_s += 600;
    refused(&t, fed_buf_span(&t.token), "has expired");
    t.w->offset_s = -120;
    refused(&t, fed_buf_span(&t.token), "not valid yet");
    t.w->offset_s = 0;
    /* Another audience is not the API's. */
    t.request.audiences[0] = FED_SPAN_LIT("vault");
    issue(&t);
    refused(&t, fed_buf_span(&t.token), "audience");
    assert_int_equal(hub_tokens_verify(t.tokens, fed_buf_span(&t.token),
                         &(struct fed_span){(const uint8_t *)"vault", 5}, 1, &t.holder, &t.diag),
        FED_OK);
    tokens_close(&t);
}

static void test_token_follows_objects(void **state)
{
    struct access_world *w = *state;
    struct token_world t;

    tokens_open(&t, w);
    hub_world_put(&w->hub, "secrets", "a", "s", "{'metadata':{'name':'s','uid':'s-uid'}}");
    t.request.bound_kind = "secret";
    t.request.bound_name = FED_SPAN_LIT("s");
    t.request.bound_uid = FED_SPAN_LIT("s-uid");
    issue(&t);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    hub_world_put(&w->hub, "secrets", "a", "s", "{'metadata':{'name':'s','uid':'other'}}");
    refused(&t, fed_buf_span(&t.token), "has been invalidated");
    hub_world_remove(&w->hub, "secrets", "a", "s");
    refused(&t, fed_buf_span(&t.token), "has been invalidated");
    t.request.bound_kind = NULL;
    issue(&t);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    hub_world_put(&w->hub, "serviceaccounts", "a", "bot",
        "{'metadata':{'name':'bot','uid':'" UID "','deletionTimestamp':'2026-01-01T00:00:00Z'}}");
    refused(&t, fed_buf_span(&t.token), "has been deleted");
    hub_world_remove(&w->hub, "serviceaccounts", "a", "bot");
    refused(&t, fed_buf_span(&t.token), "has been deleted");
    hub_world_put(&w->hub, "serviceaccounts", "a", "bot", "{'metadata':{'uid':'made-again'}}");
    refused(&t, fed_buf_span(&t.token), "has been deleted");
    tokens_close(&t);
}

/* Without an end only while its Secret holds it. */
static void test_token_of_a_secret(void **state)
{
    struct access_world *w = *state;
    struct token_world t;
    struct fed_buf base64;
    char json[4096];

    tokens_open(&t, w);
    t.request.ttl_s = 0;
    issue(&t);
    refused(&t, fed_buf_span(&t.token), "does not match");
    t.request.bound_kind = "secret";
    t.request.bound_name = FED_SPAN_LIT("s");
    t.request.bound_uid = FED_SPAN_LIT("s-uid");
    issue(&t);
    fed_buf_init(&base64, fed_alloc_system(), 8192);
    fed_text_put_base64(&base64, fed_buf_span(&t.token));
    snprintf(json, sizeof json,
        "{'metadata':{'name':'s','uid':'s-uid'},'type':'" HUB_TOKEN_SECRET_TYPE
        "','data':{'token':'%s'}}",
        fed_buf_cstr(&base64));
    hub_world_put(&w->hub, "secrets", "a", "s", json);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    hub_world_put(&w->hub, "secrets", "a", "s",
        "{'metadata':{'name':'s','uid':'s-uid'},'type':'" HUB_TOKEN_SECRET_TYPE
        "','data':{'token':'eA=='}}");
    refused(&t, fed_buf_span(&t.token), "does not match");
    fed_buf_fini(&base64);
    tokens_close(&t);
}

/* header.payload.signature, each given as text; the signature NULL: that of the good token. */
static struct fed_span forge(
    struct fed_buf *out, const struct fed_buf *good, const char *header, const char *payload)
{
    struct fed_span rest = fed_buf_span(good);
    struct fed_span parts[3];

    for (size_t i = 0; i < 3; i++)
        assert_true(fed_span_split(&rest, '.', &parts[i]));
    fed_buf_clear(out);
    if (header)
        fed_text_put_base64url(out, fed_span_text(header));
    else
        fed_buf_put(out, parts[0]);
    fed_buf_put_text(out, ".");
    if (payload)
        fed_text_put_base64url(out, fed_span_text(payload));
    else
        fed_buf_put(out, parts[1]);
    fed_buf_put_text(out, ".");
    fed_buf_put(out, parts[2]);
    return fed_buf_span(out);
}

static uint64_t stopped_ms;
static uint64_t stopped_clock(void *ctx)
{
    (void)ctx;
    return stopped_ms;
}

static void test_wrong_tokens_are_bounded(void **state)
{
    struct access_world *w = *state;
    struct token_world t;
    uint8_t bytes[HUB_TOKEN_SIZE_MAX];

    w->loop.now_ms = stopped_clock;
    stopped_ms = 5000;
    tokens_open(&t, w);
    issue(&t);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK); /* remembered */
    memcpy(bytes, t.token.at, t.token.len);
    bytes[t.token.len - 20] = bytes[t.token.len - 20] == 'A' ? 'B' : 'A';
    for (unsigned i = 0; i < HUB_TOKEN_WRONG_PER_S; i++)
        assert_int_equal(verify(&t, fed_span_of(bytes, t.token.len)), FED_ERR_UNAUTHENTICATED);
    assert_int_equal(verify(&t, fed_span_of(bytes, t.token.len)), FED_ERR_BUSY);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    issue(&t);
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_ERR_BUSY);
    stopped_ms += 1000;
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    tokens_close(&t);
}

static void test_forged_tokens(void **state)
{
    static const char *const garbage[] = {"", ".", "..", "...", "a.b.c", "eyJ9.eyJ9.", "x",
        "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0.e30", "e30.e30.AAAA"};
    struct token_world t;
    struct token_world other;
    struct fed_buf forged;
    uint8_t bytes[HUB_TOKEN_SIZE_MAX];

    tokens_open(&t, *state);
    tokens_open(&other, *state);
    fed_buf_init(&forged, fed_alloc_system(), 1u << 20);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        refused(&t, fed_span_text(garbage[i]), "");
    issue(&t);
    refused(&t, forge(&forged, &t.token, "{\"alg\":\"none\"}", NULL), "not signed by this hub");
    refused(&t, forge(&forged, &t.token, "{\"alg\":\"HS256\"}", NULL), "not signed by this hub");
    refused(&t,
        forge(&forged, &t.token, NULL,
            "{\"iss\":\"" HUB_TOKEN_ISSUER "\",\"aud\":[\"" HUB_TOKEN_ISSUER
            "\"],\"sub\":\"system:serviceaccount:kube-system:root\",\"exp\":99999999999}"),
        "signature is wrong");
    /* Another key, with its own kid and with ours. */
    issue(&other);
    refused(&t, fed_buf_span(&other.token), "not signed by this hub");
    {
        struct fed_span rest = fed_buf_span(&t.token);
        struct fed_span head;

        assert_true(fed_span_split(&rest, '.', &head));
        fed_buf_clear(&forged);
        fed_buf_put(&forged, head);
        fed_buf_put_text(&forged, ".");
        rest = fed_buf_span(&other.token);
        assert_true(fed_span_split(&rest, '.', &head));
        fed_buf_put(&forged, rest);
        refused(&t, fed_buf_span(&forged), "signature is wrong");
    }
    /* Every bit of the signature counts, and of what is signed. */
    assert_int_equal(verify(&t, fed_buf_span(&t.token)), FED_OK);
    for (size_t i = 0; i < t.token.len; i += 37) {
        memcpy(bytes, t.token.at, t.token.len);
        bytes[i] = bytes[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(&t, fed_span_of(bytes, t.token.len)), FED_ERR_UNAUTHENTICATED);
    }
    fed_buf_clear(&forged);
    fed_buf_put(&forged, fed_buf_span(&t.token));
    fed_buf_put_text(&forged, ".");
    refused(&t, fed_buf_span(&forged), "not a JSON Web Token");
    fed_buf_clear(&forged);
    for (size_t i = 0; i < 100000; i++)
        fed_buf_put_text(&forged, "AAAAAAAA");
    refused(&t, fed_buf_span(&forged), "too long");
    fed_buf_fini(&forged);
    tokens_close(&t);
    tokens_close(&other);
}

/* ---- the audit log ---- */
struct audit_world {
    struct access_world *w;
    char dir[64];
    struct fed_fs posix;
    struct fed_fs fs;
    bool full;
    struct hub_audit *audit;
    struct hub_user user;
    struct hub_access access;
};

static struct audit_world *auditing;
static enum fed_err full_append(
    void *ctx, struct fed_fs_file *file, struct fed_span bytes, struct fed_diag *diag)
{
    if (auditing->full)
        return fed_diag_set(diag, FED_ERR_FULL, "no space left");
    return auditing->posix.append(ctx, file, bytes, diag);
}

static void audit_open(struct audit_world *a, struct access_world *w, uint64_t bytes, bool reads)
{
    struct hub_audit_options options = {
        .dir = a->dir, .file_bytes = bytes, .files = 3, .reads = reads};
    struct fed_diag diag = {""};

    memset(a, 0, sizeof *a);
    auditing = a;
    a->w = w;
    snprintf(a->dir, sizeof a->dir, "/tmp/hub-audit-XXXXXX");
    assert_non_null(mkdtemp(a->dir));
    a->posix = fed_fs_posix(fed_alloc_system());
    a->fs = a->posix;
    a->fs.append = full_append;
    user_of("ann dev", &a->user);
    a->access = access_of("create configmaps. ns/x");
    if (hub_audit_open(fed_alloc_system(), &w->loop, NULL, &a->fs, &options, &a->audit, &diag))
        fail_msg("%s", diag.text);
}

static void audit_read(struct audit_world *a, unsigned number, struct fed_buf *out)
{
    char path[96];

    snprintf(path, sizeof path, number ? "%s/audit.log.%u" : "%s/audit.log", a->dir, number);
    fed_buf_init(out, fed_alloc_system(), 1u << 20);
    if (a->posix.read(a->posix.ctx, path, out, NULL))
        fed_buf_clear(out);
}

static void audit_close(struct audit_world *a)
{
    char path[96];

    hub_audit_close(a->audit);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(path, sizeof path, i ? "%s/audit.log.%u" : "%s/audit.log", a->dir, i);
        unlink(path);
    }
    assert_int_equal(rmdir(a->dir), 0);
}

static void audit_add(struct audit_world *a, unsigned code, bool writes)
{
    struct hub_audit_record record = {.id = "id-1",
        .user = &a->user,
        .access = &a->access,
        .code = code,
        .writes = writes,
        .reason = "because",
        .source = FED_SPAN_LIT("127.0.0.1:9"),
        .agent = FED_SPAN_LIT("evil\"\n\x01\xff/1")};

    hub_audit_add(a->audit, &record);
}

static size_t lines_of(struct fed_buf *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->len; i++)
        n += text->at[i] == '\n';
    return n;
}

static void test_audit(void **state)
{
    static const char wanted[] =
        "\"id\":\"id-1\",\"user\":\"ann\",\"groups\":[\"dev\"],\"verb\":\"create\",\"resource\":"
        "\"configmaps\",\"namespace\":\"ns\",\"name\":\"x\",\"code\":201,\"reason\":\"because\","
        "\"source\":\"127.0.0.1:9\",\"agent\":\"evil\\\"\\u000a\\u0001\\u00ff/1\",\"chain\":\"";
    struct audit_world a;
    struct fed_buf text;

    audit_open(&a, *state, 1u << 20, false);
    audit_add(&a, 201, true);
    audit_read(&a, 0, &text); /* there at once: before the answer leaves */
    assert_memory_equal(text.at, "{\"time\":\"20", 11);
    assert_non_null(strstr(fed_buf_cstr(&text), wanted));
    fed_buf_fini(&text);
    audit_add(&a, 200, false); /* a read */
    audit_add(&a, 403, false);
    hub_world_settle(&a.w->hub);
    audit_read(&a, 0, &text);
    assert_int_equal(lines_of(&text), 2);
    fed_buf_fini(&text);
    audit_close(&a);
}

static void test_audit_price(void **state)
{
    enum { ROUNDS = 5000 };
    struct audit_world a;
    int64_t begin;
    int64_t written;

    audit_open(&a, *state, 16u << 20, true);
    begin = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        audit_add(&a, 201, true);
    written = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        audit_add(&a, 200, false);
    print_message("a record of a write: %lld ns, of a read: %lld ns\n",
        (long long)((written - begin) / ROUNDS), (long long)((now_ns() - written) / ROUNDS));
    audit_close(&a);
}

static void test_audit_rotates(void **state)
{
    struct audit_world a;
    struct fed_buf text;
    size_t all = 0;

    audit_open(&a, *state, 64u << 10, false);
    for (unsigned i = 0; i < 2000; i++) /* some 260 bytes each: 8 files' worth */
        audit_add(&a, 201, true);
    for (unsigned i = 0; i < 3; i++) {
        audit_read(&a, i, &text);
        assert_true(text.len > 0 && text.len <= (64u << 10));
        assert_int_equal(text.at[text.len - 1], '\n');
        all += lines_of(&text);
        fed_buf_fini(&text);
    }
    assert_true(all > 400 && all < 800);
    audit_read(&a, 3, &text);
    assert_int_equal(text.len, 0);
    fed_buf_fini(&text);
    audit_close(&a);
}

/* The lines of the files that are there, oldest first, each checked: "++-!" for a line that holds,
 * has no chain, is broken. */
static const char *audit_chain(struct audit_world *a, struct hub_chain *chain)
{
    static char said[4096];
    size_t n = 0;

    *chain = (struct hub_chain){""};
    for (unsigned number = 3; number-- > 0;) {
        struct fed_buf text;
        struct fed_span left;
        struct fed_span line;

        audit_read(a, number, &text);
        left = fed_buf_span(&text);
        while (left.len > 0 && fed_span_split(&left, '\n', &line)) {
            enum hub_chain_link link;

            assert_true(n + 1 < sizeof said);
            assert_int_equal(hub_chain_check(chain, line, &link), FED_OK);
            said[n++] = link == HUB_CHAIN_HOLDS ? '+' : link == HUB_CHAIN_NONE ? '-' : '!';
        }
        fed_buf_fini(&text);
    }
    said[n] = '\0';
    return said;
}

static void audit_again(struct audit_world *a)
{
    struct hub_audit_options options = {.dir = a->dir, .file_bytes = 64u << 10, .files = 3};
    struct fed_diag diag = {""};

    hub_audit_close(a->audit);
    assert_int_equal(
        hub_audit_open(fed_alloc_system(), &a->w->loop, NULL, &a->fs, &options, &a->audit, &diag),
        FED_OK);
}

/* The bytes of audit.log, written as somebody would who may. */
static void audit_forge(struct audit_world *a, const struct fed_buf *text, size_t from, size_t skip)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/audit.log", a->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fwrite(text->at, 1, from, file);
    fwrite(text->at + from + skip, 1, text->len - from - skip, file);
    fclose(file);
}

static void test_audit_chain(void **state)
{
    struct audit_world a;
    struct hub_chain chain;
    struct fed_buf text;
    size_t first;

    audit_open(&a, *state, 64u << 10, false);
    for (unsigned i = 0; i < 3; i++)
        audit_add(&a, 201, true);
    a.full = true; /* what is lost leaves no gap in the chain */
    audit_add(&a, 201, true);
    a.full = false;
    audit_again(&a);
    audit_add(&a, 201, true);
    assert_string_equal(audit_chain(&a, &chain), "++++");
    assert_string_equal(chain.at, hub_audit_chain(a.audit)->at);
    audit_read(&a, 0, &text);
    first = fed_span_find(fed_buf_span(&text), '\n') + 1;
    text.at[first + 30] ^= 1; /* in the second record */
    audit_forge(&a, &text, 0, 0);
    assert_string_equal(audit_chain(&a, &chain), "+!++");
    text.at[first + 30] ^= 1;
    audit_forge(&a, &text, first, first); /* the second one is out */
    assert_string_equal(audit_chain(&a, &chain), "+!+");
    audit_forge(&a, &text, 0, first); /* as if it was forgotten in order */
    assert_string_equal(audit_chain(&a, &chain), "+++");
    audit_forge(&a, &text, text.len - 20, 20); /* power was lost */
    audit_again(&a);
    audit_add(&a, 201, true);
    assert_string_equal(audit_chain(&a, &chain), "+++-+");
    fed_buf_fini(&text);
    audit_close(&a);
}

/* It goes on over files, and over a start with a new one that nothing is in yet. */
static void test_audit_chain_rotates(void **state)
{
    struct audit_world a;
    struct hub_chain chain;
    char path[96];

    audit_open(&a, *state, 64u << 10, false);
    for (unsigned i = 0; i < 600; i++)
        audit_add(&a, 201, true);
    assert_null(strpbrk(audit_chain(&a, &chain), "-!"));
    assert_string_equal(chain.at, hub_audit_chain(a.audit)->at);
    snprintf(path, sizeof path, "%s/audit.log", a.dir);
    assert_int_equal(truncate(path, 0), 0);
    audit_again(&a);
    audit_add(&a, 201, true);
    assert_null(strpbrk(audit_chain(&a, &chain), "-!"));
    audit_close(&a);
}

/* Power was lost in a file with no room for more: what is written next begins another one, which
 * begins with a record. */
static void test_audit_cut_rotates(void **state)
{
    struct audit_world a;
    struct hub_chain chain;
    struct fed_buf text;
    size_t len = 0;
    size_t line;

    audit_open(&a, *state, 64u << 10, false);
    do {
        audit_add(&a, 201, true);
        audit_read(&a, 0, &text);
        line = text.len - len;
        len = text.len;
        fed_buf_fini(&text);
    } while (len + line <= 64u << 10);
    audit_read(&a, 0, &text);
    audit_forge(&a, &text, len - 1, 1);
    fed_buf_fini(&text);
    audit_again(&a);
    audit_add(&a, 201, true);
    audit_read(&a, 0, &text);
    assert_int_equal(lines_of(&text), 1);
    assert_int_equal(text.at[0], '{');
    fed_buf_fini(&text);
    assert_null(strpbrk(audit_chain(&a, &chain), "-!"));
    audit_close(&a);
}

static void test_audit_full_disk(void **state)
{
    struct audit_world a;
    struct fed_buf text;

    audit_open(&a, *state, 1u << 20, false);
    audit_add(&a, 201, true);
    a.full = true;
    audit_add(&a, 201, true);
    audit_add(&a, 201, true);
    a.full = false;
    audit_add(&a, 201, true);
    audit_read(&a, 0, &text);
    assert_int_equal(lines_of(&text), 3);
    assert_non_null(strstr(fed_buf_cstr(&text), "\"lost\":2,\"chain\":"));
    fed_buf_fini(&text);
    audit_close(&a);
}

static void test_audit_strangers(void **state)
{
    struct audit_world a;
    struct fed_buf text;

    audit_open(&a, *state, 1u << 20, false);
    user_of("system:anonymous system:unauthenticated", &a.user);
    a.user.anonymous = true;
    a.w->offset_s = 1000; /* the clock of this test: time(NULL) may tick once within */
    for (unsigned i = 0; i < 500; i++)
        audit_add(&a, 401, false);
    a.w->offset_s = 2000;
    audit_add(&a, 401, false);
    hub_audit_close(a.audit);
    a.audit = NULL;
    audit_read(&a, 0, &text);
    assert_true(lines_of(&text) <= 2 * HUB_AUDIT_STRANGERS_PER_S + 3);
    assert_non_null(strstr(fed_buf_cstr(&text), "\"unrecorded\":"));
    fed_buf_fini(&text);
    audit_close(&a);
}

static void test_service_account_names(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } cases[] = {{"system:serviceaccount:a:b", true}, {"system:serviceaccount:a:b.c", true},
        {"system:serviceaccount:a", false}, {"system:serviceaccount:a:", false},
        {"system:serviceaccount::b", false}, {"system:serviceaccount:a:b:c", false},
        {"system:serviceaccount:A:b", false}, {"serviceaccount:a:b", false}, {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_span ns;
        struct fed_span name;

        assert_int_equal(
            hub_user_service_account(fed_span_text(cases[i].name), &ns, &name), cases[i].is);
    }
}

static void test_admins_and_agents(void **state)
{
    struct hub_user user;

    (void)state;
    user_of("x system:masters", &user);
    assert_true(hub_user_is_admin(&user));
    user_of("x fedlet:admins", &user);
    assert_true(hub_user_is_admin(&user));
    user_of("x fedlet:agents system:masters fedlet:admins", &user);
    assert_false(hub_user_is_admin(&user));
    assert_true(hub_user_is_agent(&user));
    user_of("fedlet:admins", &user);
    assert_false(hub_user_is_admin(&user));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_evaluator),
        TEST(test_changes_count_at_once),
        TEST(test_held),
        TEST(test_held_is_bounded),
        TEST(test_aggregation),
        TEST(test_bootstrap),
        TEST(test_viewer_follows_types),
        TEST(test_bootstrap_reconciles),
        TEST(test_price),
        TEST(test_token),
        TEST(test_token_follows_objects),
        TEST(test_token_of_a_secret),
        TEST(test_forged_tokens),
        TEST(test_wrong_tokens_are_bounded),
        TEST(test_audit),
        TEST(test_audit_price),
        TEST(test_audit_rotates),
        TEST(test_audit_chain),
        TEST(test_audit_chain_rotates),
        TEST(test_audit_cut_rotates),
        TEST(test_audit_full_disk),
        TEST(test_audit_strangers),
        TEST(test_service_account_names),
        TEST(test_admins_and_agents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
