/* agent_clash_test.c - what others have beside the template's, and cannot be there with it: the
 * list or map is set whole, once, and what that makes ours by Update is moved to our applies. */
#include "tests/unit/agent_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NS_PATH "/api/v1/namespaces/web"
#define APP "/apis/apps/v1/namespaces/web/deployments/api"
#define LIST "/spec/template/spec/containers"
#define SET "[{\"op\":\"test\",\"path\":\"/metadata/uid\""
#define CONTAINERS(port)                                                                           \
    "[{\"name\":\"main\",\"ports\":[{\"containerPort\":" port ",\"name\":\"http\"}]}]"
#define DEPLOYMENT(port)                                                                           \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{},\"spec\":{\"replicas\":1" \
    ",\"template\":{\"spec\":{\"containers\":" CONTAINERS(port) "}}}}"
#define CAUSE(reason, field) "{\"reason\":\"" reason "\",\"message\":\"m\",\"field\":\"" field "\"}"
#define REFUSAL(causes)                                                                            \
    "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"Duplicate value: http\","           \
    "\"details\":{\"causes\":[" causes "]}}"
#define MORE "{\"f:spec\":{\"f:x\":{}}}"
#define MOVED ",\"f:spec\":{\"f:x\":{}}"
#define CLASH                                                                                      \
    REFUSAL(CAUSE("FieldValueDuplicate", "spec.template.spec.containers[0].ports[1].name"))

struct member { /* what it does with writes to the deployment */
    struct world *w;
    const char *refusal; /* of applies, as long as the list was not set */
    bool stubborn;       /* also after that */
    unsigned set_status; /* of setting the list; 0: 200 */
    unsigned conflicts;  /* so many moves come too late */
    unsigned applies, sets, tidied, late;
    char set[1024];    /* the body of the last one */
    const char *moved; /* fields that are to become those of our applies */
};

static unsigned refuse(const char *text, struct fed_buf *out)
{
    fed_buf_put_text(out, text);
    return 422;
}

/* There are fields of ours by Update, told as that version has them. */
static void by_update(struct world *w, const char *fields, const char *version)
{
    struct world_object *o = world_object(w, APP);

    snprintf(o->other, sizeof o->other, "fedlet");
    snprintf(o->other_fields, sizeof o->other_fields, "%s", fields);
    snprintf(o->other_version, sizeof o->other_version, "%s", version);
}

static unsigned set_list(struct member *m, const char *body, struct fed_buf *out)
{
    m->sets++;
    snprintf(m->set, sizeof m->set, "%s", body);
    if (m->set_status == 422)
        return refuse(CLASH, out);
    if (m->set_status)
        return m->set_status;
    by_update(m->w, MORE, "");
    m->refusal = m->stubborn ? m->refusal : NULL;
    fed_buf_put_text(out, "{}");
    return 200;
}

/* Both entries as they are, the fields of both, and one of them gone. */
static void want_move(const struct member *m, const struct world_object *o, char *want, size_t size)
{
    char more[200] = "";

    if (o->other_version[0])
        snprintf(more, sizeof more, ",\"apiVersion\":\"%s\"", o->other_version);
    if (o->other_fields[0])
        snprintf(
            more + strlen(more), sizeof more - strlen(more), ",\"fieldsV1\":%s", o->other_fields);
    snprintf(want, size,
        "[{\"op\":\"test\",\"path\":\"/metadata/managedFields/%d\",\"value\":{\"manager\":"
        "\"fedlet\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:%s\":{}}}},"
        "{\"op\":\"test\",\"path\":\"/metadata/managedFields/%d\",\"value\":{\"manager\":"
        "\"fedlet\",\"operation\":\"Update\",\"time\":\"2026-01-02T00:00:00Z\"%s}},"
        "{\"op\":\"replace\",\"path\":\"/metadata/managedFields/%d/fieldsV1\","
        "\"value\":{\"f:%s\":{}%s}},"
        "{\"op\":\"remove\",\"path\":\"/metadata/managedFields/%d\"}]",
        !o->other_last, o->fields, o->other_last, more, !o->other_last, o->fields, m->moved,
        o->other_last);
}

static unsigned judge(
    void *ctx, const char *method, const char *path, const char *body, struct fed_buf *out)
{
    struct member *m = ctx;
    struct world_object *o = world_object(m->w, APP);
    char want[1024];

    if (strcmp(method, "PATCH") != 0 || strcmp(path, APP) != 0)
        return 0;
    if (strncmp(body, SET, sizeof SET - 1) == 0)
        return set_list(m, body, out);
    if (body[0] == '[') {
        want_move(m, o, want, sizeof want);
        assert_string_equal(body, want);
        if (m->late < m->conflicts) {
            m->late++;
            return 422;
        }
        m->tidied++;
        o->other[0] = '\0';
        fed_buf_put_text(out, "{}");
        return 200;
    }
    m->applies++;
    return m->refusal ? refuse(m->refusal, out) : 0;
}

/* A deployment is in place, and its next version is refused with that. */
static struct world *begin(struct member *m, const char *refusal)
{
    struct world_work work = {"Deployment", "web", "api", DEPLOYMENT("80"), NULL, 0};
    struct world *w = world_new();

    *m = (struct member){.w = w, .moved = MOVED};
    world_add_object(w, NS_PATH, "");
    w->judge = judge;
    w->judge_ctx = m;
    world_publish(w, 7, 1, &work, 1);
    world_boot(w);
    world_pass(w, 2000);
    assert_int_equal(m->applies, 1);
    world_assert_state(w, 0, "Applied");
    m->refusal = refusal;
    m->applies = 0;
    return w;
}

static void publish(struct world *w, uint64_t revision, const char *blob)
{
    struct world_work work = {"Deployment", "web", "api", blob, NULL, 0};

    world_publish(w, 7, revision, &work, 1);
    world_notify(w);
}

static void test_set_whole(void **state)
{
    struct member m;
    struct world *w = begin(&m, CLASH);
    char want[1024];

    (void)state;
    snprintf(want, sizeof want,
        "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"%s\"},{\"op\":\"replace\","
        "\"path\":\"" LIST "\",\"value\":" CONTAINERS("81") "}]",
        world_object(w, APP)->uid);
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    assert_string_equal(m.set, want);
    assert_int_equal(m.sets, 1);
    assert_int_equal(m.tidied, 1);
    assert_int_equal(m.applies, 3); /* refused, taken, and once more without our other entry */
    assert_true(world_logged(w, "spec.template.spec.containers is set whole"));
    /* The next one is a case of its own. */
    world_object(w, APP)->other_last = true;
    m.refusal = CLASH;
    publish(w, 3, DEPLOYMENT("82"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.sets, 2);
    assert_int_equal(m.tidied, 2);
    world_free(w);
}

/* Two items without a name, of which each could be alone. */
static void test_required(void **state)
{
    struct member m;
    struct world *w = begin(&m,
        REFUSAL(
            CAUSE("FieldValueRequired", "spec.template.spec.containers[0].ports[0].name") "," CAUSE(
                "FieldValueRequired", "spec.template.spec.containers[0].ports[1].name")));

    (void)state;
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.sets, 1);
    world_free(w);
}

/* A field that nobody asked for does not go with what the template asks for now. */
static void test_forbidden(void **state)
{
    struct member m;
    struct world *w = begin(&m, REFUSAL(CAUSE("FieldValueForbidden", "spec.template.spec.extra")));

    (void)state;
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.sets, 1);
    assert_non_null(strstr(m.set, "\"path\":\"/spec/template/spec\",\"value\":{\"containers\":["));
    world_free(w);
}

/* The template itself is wrong: told as that, and tried as rarely as anything that is. */
static void test_wrong_template(void **state)
{
    struct member m;
    struct world *w = begin(&m, CLASH);

    (void)state;
    m.set_status = 422;
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Failed/Progressing UpdateFailed Invalid: Duplicate value: http");
    assert_int_equal(m.applies, 1);
    assert_int_equal(m.sets, 1);
    world_pass(w, 3600000);
    assert_in_range(m.applies, 3, 5);
    assert_int_equal(m.sets, m.applies);
    assert_int_equal(m.tidied, 0);
    m.refusal = NULL;
    publish(w, 3, DEPLOYMENT("82"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Applied");
    world_free(w);
}

/* What comes back at once is not fought without end. */
static void test_comes_back(void **state)
{
    struct member m;
    struct world *w = begin(&m, CLASH);

    (void)state;
    m.stubborn = true;
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 2000);
    world_assert_state(w, 0, "Failed/Progressing UpdateFailed Invalid: Duplicate value: http");
    assert_int_equal(m.applies, 2);
    assert_int_equal(m.sets, 1);
    world_pass(w, 3600000);
    assert_in_range(m.sets, 2, 5);
    m.refusal = NULL;
    world_pass(w, 3600000); /* it gave in: found with the next try */
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.tidied, 1);
    world_free(w);
}

/* It went meanwhile, or the connection broke: as after any request. */
static void test_trouble_between(void **state)
{
    static const unsigned answers[] = {404, 409, 500, 503};

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct member m;
        struct world *w = begin(&m, CLASH);

        m.set_status = answers[i];
        publish(w, 2, DEPLOYMENT("81"));
        world_pass(w, 2000);
        m.set_status = 0;
        world_pass(w, 600000);
        world_assert_state(w, 0, "Applied");
        assert_int_equal(m.tidied, 1);
        world_free(w);
    }
}

/* Nothing that setting a part whole could mend. */
static void test_other_refusals(void **state)
{
    static const char *const refusals[] = {
        REFUSAL(""),
        REFUSAL(CAUSE("FieldValueDuplicate", "spec.replicas")),
        REFUSAL(CAUSE("FieldValueDuplicate", "spec.volumes[0].name")), /* not in the template */
        REFUSAL(CAUSE("FieldValueDuplicate", "spec.replicas[0]")),     /* no list there */
        REFUSAL(CAUSE("FieldValueInvalid", "spec.template.spec.containers[0].image")),
        REFUSAL(CAUSE("FieldValueDuplicate",
            "spec.template.spec.containers[0].ports[1].name") "," CAUSE("FieldValueInvalid",
            "spec.x")),
        REFUSAL(CAUSE("FieldValueDuplicate", "spec/template~[0]")),
        REFUSAL(CAUSE("FieldValueDuplicate", "[0]")),
        REFUSAL(CAUSE("FieldValueForbidden", "spec.template")), /* in all of the spec */
        REFUSAL(CAUSE("FieldValueForbidden", "spec")),
        REFUSAL(CAUSE("FieldValueForbidden", "")),
        REFUSAL(
            CAUSE("FieldValueForbidden", "spec.strategy.rollingUpdate")), /* not in the template */
        REFUSAL(CAUSE("FieldValueForbidden", "spec.template.spec.containers[0].lifecycle")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct member m;
        struct world *w = begin(&m, refusals[i]);

        publish(w, 2, DEPLOYMENT("81"));
        world_pass(w, 2000);
        world_assert_state(w, 0, "Failed/Progressing UpdateFailed Invalid: Duplicate value: http");
        assert_int_equal(m.applies, 1);
        assert_int_equal(m.sets, 0);
        world_free(w);
    }
}

/* Killed between setting the list and what follows: its fields are moved with the next apply; those
 * of another version would say nothing. */
static void test_killed_between(void **state)
{
    static const struct {
        const char *fields, *version, *moved;
    } left[] = {{MORE, "", MOVED}, {MORE, "apps/v1beta2", ""}, {"", "", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        struct member m;
        struct world *w = begin(&m, NULL);

        m.moved = left[i].moved;
        by_update(w, left[i].fields, left[i].version);
        world_crash(w);
        world_boot(w);
        publish(w, 2, DEPLOYMENT("81"));
        world_pass(w, 2000);
        world_assert_state(w, 0, "Applied");
        assert_int_equal(m.sets, 0);
        assert_int_equal(m.tidied, 1);
        world_free(w);
    }
}

/* Others write between the apply and the move: it is tried again, but not for ever. */
static void test_conflicts(void **state)
{
    struct member m;
    struct world *w = begin(&m, CLASH);

    (void)state;
    m.conflicts = 4;
    publish(w, 2, DEPLOYMENT("81"));
    world_pass(w, 60000);
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.late, 4);
    assert_int_equal(m.tidied, 1);
    m.conflicts = 1000;
    m.refusal = CLASH;
    publish(w, 3, DEPLOYMENT("82"));
    world_pass(w, 3600000);
    world_assert_state(w, 0, "Applied");
    assert_int_equal(m.late, 4 + 5);
    m.conflicts = 0; /* with the next apply */
    publish(w, 4, DEPLOYMENT("83"));
    world_pass(w, 2000);
    assert_int_equal(m.tidied, 2);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_whole),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_wrong_template),
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_trouble_between),
        cmocka_unit_test(test_other_refusals),
        cmocka_unit_test(test_killed_between),
        cmocka_unit_test(test_conflicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
