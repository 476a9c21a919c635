/* cli_rollout_test.c - fedctl rollout: how a Rollout looks, which one is meant, what is asked of
 * the hub and how `wait` ends, against a server that answers from a script. */
#include "cli/rollout.h"

#include "tests/unit/still_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_S 1796026200 /* 2026-11-30T08:10:00Z */

/* ---- a server ---- */

struct step {
    const char *method;
    const char *path; /* part of it */
    unsigned status;  /* 0: the network is gone */
    const char *body;
};
static const struct step *script;
static char asked[4096]; /* every request, one on a line */
static struct {
    fed_kube_done *done;
    void *ctx;
    const struct step *step;
} pending;
static const struct fed_kube_watch_events *watching;
static struct fed_kube_watch_events watch_copy;
static uint64_t watch_ms; /* how long a watch takes until it brings something; 0: for ever */

static enum fed_err serve(void *ctx, const struct fed_kube_request *request, fed_kube_done *done,
    void *done_ctx, struct fed_kube_call **out)
{
    (void)ctx;
    (void)out;
    snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%s %s%s" FED_SPAN_FMT "\n",
        request->method, request->path, request->body.len ? " " : "", FED_SPAN_ARG(request->body));
    if (!script->method || strcmp(script->method, request->method) != 0 ||
        !strstr(request->path, script->path))
        fail_msg("not in the script: %s %s", request->method, request->path);
    pending.done = done;
    pending.ctx = done_ctx;
    pending.step = script;
    if (script[1].method) /* the last answer stays */
        script++;
    return FED_OK;
}

static enum fed_err open_watch(void *ctx, const char *path, const char *accept,
    const struct fed_kube_watch_events *events, struct fed_kube_watch **out)
{
    (void)ctx;
    (void)accept;
    assert_non_null(strstr(path, "watch=true&resourceVersion=7"));
    watch_copy = *events;
    watching = &watch_copy;
    *out = (struct fed_kube_watch *)&watch_copy;
    return FED_OK;
}

static void cancel_watch(void *ctx, struct fed_kube_watch *watch)
{
    (void)ctx;
    (void)watch;
    watching = NULL;
}

static struct fed_kube server = {
    .request = serve, .watch = open_watch, .watch_cancel = cancel_watch};

static enum fed_err connect_server(void *ctx, struct fed_kube **out, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    *out = &server;
    return FED_OK;
}

/* What happens next: an answer, news of the watch, or the timer. */
static enum fed_err run_once(void *ctx)
{
    (void)ctx;
    if (pending.done) {
        fed_kube_done *done = pending.done;
        const struct step *step = pending.step;
        struct fed_kube_answer answer = {.status = step->status, .body = fed_span_text(step->body)};

        pending.done = NULL;
        done(pending.ctx, step->status ? FED_OK : FED_ERR_NETWORK, &answer, NULL);
    } else if (watching && watch_ms && now_ms + watch_ms < timer.due_ms) {
        now_ms += watch_ms;
        watching->line(watching->ctx, FED_SPAN_LIT("{}"));
    } else {
        now_ms = timer.due_ms;
        timer.call(timer.ctx);
    }
    return FED_OK;
}

static int64_t unix_us(void *ctx)
{
    (void)ctx;
    return (int64_t)NOW_S * 1000000 + (int64_t)now_ms * 1000;
}

static void stop_loop(void *ctx)
{
    (void)ctx;
}

/* ---- a command, and what it wrote ---- */

static char out_text[16384];
static char err_text[4096];

static void capture(FILE *stream, int *kept, FILE **to)
{
    fflush(stream);
    *kept = dup(fileno(stream));
    *to = tmpfile();
    assert_non_null(*to);
    assert_true(dup2(fileno(*to), fileno(stream)) >= 0);
}

static void release(FILE *stream, int kept, FILE *from, char *text, size_t size)
{
    size_t n;

    fflush(stream);
    dup2(kept, fileno(stream));
    close(kept);
    rewind(from);
    n = fread(text, 1, size - 1, from);
    text[n] = 0;
    fclose(from);
}

static const struct cli_command *command_named(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

/* The exit code; words are separated by one space. */
static int call(const char *name, const char *words, const struct step *steps)
{
    static char copy[512];
    static const struct fed_kube_config config = {.ns = "shop"};
    const struct cli_command *command = command_named(name);
    struct cli cli = {.mem = fed_alloc_system(),
        .loop = &loop,
        .run = run_once,
        .connect = connect_server,
        .config = &config,
        .json = strstr(words, "-o json") != NULL};
    char *argv[16] = {copy};
    int argc = 1;
    int kept[2];
    FILE *to[2];
    int code;

    loop.unix_us = unix_us;
    loop.stop = stop_loop;
    script = steps;
    asked[0] = 0;
    now_ms = 0;
    watching = NULL;
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(words, "&"), words);
    for (char *at = strtok(copy, " "); at; at = strtok(NULL, " "))
        if (strcmp(at, "-o") != 0 && strcmp(at, "json") != 0)
            argv[argc++] = at;
    argv[0] = (char *)(uintptr_t)command->name;
    assert_int_equal(fed_json_doc_new(cli.mem, &cli.doc), FED_OK);
    capture(stdout, &kept[0], &to[0]);
    capture(stderr, &kept[1], &to[1]);
    code = (int)command->call(&cli, command, argc, argv);
    release(stdout, kept[0], to[0], out_text, sizeof out_text);
    release(stderr, kept[1], to[1], err_text, sizeof err_text);
    fed_json_doc_free(cli.doc);
    return code;
}

/* ---- Rollouts ---- */

#define META(name)                                                                                 \
    "\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"u-" name "\"}"
#define OBJECT "\"object\":{\"kind\":\"FederatedDeployment\",\"name\":\"web\"}"
#define ROLLOUT(name, number, status)                                                              \
    "{" META(name) ",\"spec\":{" OBJECT ",\"number\":" number                                      \
                   ",\"from\":{\"generation\":9}},\"status\":{" status "}}"
#define PHASE(phase) "\"phase\":\"" phase "\",\"clusters\":{\"total\":3,\"updated\":1}"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items "]}"
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0, NULL                                                                        \
    }
#define OF_NAME "/namespaces/shop/rollouts?fieldSelector=metadata.name%3Dweb-5"

static const char full[] =
    "{\"metadata\":{\"name\":\"federateddeployment-web-5\",\"namespace\":\"shop\"},"
    "\"spec\":{\"object\":{\"kind\":\"FederatedDeployment\",\"name\":\"web\"},\"number\":5,"
    "\"policy\":\"careful\",\"from\":{\"digest\":\"00112233445566778899\",\"generation\":9},"
    "\"to\":{\"digest\":\"aabbccddeeff00112233\",\"generation\":12},\"changedBy\":\"alice\"},"
    "\"status\":{\"phase\":\"Running\",\"wave\":\"shops\",\"startTime\":\"2026-11-30T07:10:00Z\","
    "\"clusters\":{\"total\":120,\"updated\":31,\"healthy\":28,\"failed\":1,\"deferred\":4,"
    "\"held\":12,\"pending\":72,\"updating\":3},"
    "\"waves\":[{\"name\":\"canary\",\"phase\":\"Done\",\"total\":1,\"updated\":1,\"healthy\":1,"
    "\"endTime\":\"2026-11-30T07:40:00Z\",\"approvedBy\":\"alice\"},"
    "{\"name\":\"shops\",\"phase\":\"Running\",\"total\":40,\"updated\":30,\"healthy\":27,"
    "\"failed\":1,\"updating\":3,\"deferred\":4,\"held\":12,\"concurrency\":10,"
    "\"failuresAllowed\":2},"
    "{\"name\":\"rest\",\"phase\":\"Waiting\",\"total\":79,\"pending\":72}],"
    "\"failures\":[{\"reason\":\"Unhealthy\",\"message\":\"0 of 3 pods ready\\n\\u001b[31m\","
    "\"count\":12,\"clusters\":[\"c1\",\"c2\"]}],"
    "\"next\":{\"what\":\"the next clusters of wave shops are released\","
    "\"when\":\"2026-11-30T08:20:00Z\",\"waitsFor\":\"their window\"},"
    "\"conditions\":[{\"type\":\"Progressing\",\"status\":\"True\",\"message\":\"x\"},"
    "{\"type\":\"WindowNeverOpens\",\"status\":\"True\",\"message\":\"c9: give it another\"},"
    "{\"type\":\"WaveEmpty\",\"status\":\"False\",\"message\":\"no\"}],"
    "\"actions\":[{\"action\":\"approve\",\"user\":\"alice\",\"reason\":\"looks fine\","
    "\"time\":\"2026-11-30T07:40:00Z\",\"wave\":\"canary\"},"
    "{\"action\":\"pause\",\"user\":\"bob\",\"time\":\"2026-11-30T07:50:00Z\"}]}}";

static const char picture[] =
    "Rollout    federateddeployment-web-5 of FederatedDeployment shop/web\n"
    "Phase      Running, wave shops\n"
    "Change     generation 9 (001122334455) to generation 12 (aabbccddeeff), by alice\n"
    "Policy     careful\n"
    "Started    60m ago\n"
    "Clusters   31/120 updated, 28 healthy, 1 failed, 4 deferred, 12 held, 3 updating, 72 pending\n"
    "Next       the next clusters of wave shops are released in 10m; waits for their window\n"
    "\n"
    "WAVE        CLUSTERS   PROGRESS               HEALTHY   FAILED   DEFERRED   HELD   STATE\n"
    "|- canary   1          ####################   1         0        0          0      "
    "done 30m ago, approved by alice\n"
    "|- shops    40         #############>x.....   27        1/2      4          12     "
    "running, 10 at once\n"
    "`- rest     79         ....................   0         0        0          0      waiting\n"
    "\n"
    "Failures\n"
    "  12 x Unhealthy: 0 of 3 pods ready  [31m\n"
    "      in c1, c2 and 10 more\n"
    "\n"
    "Conditions\n"
    "  WindowNeverOpens: c9: give it another\n"
    "\n"
    "Actions\n"
    "  2026-11-30T07:40:00Z  approve (wave canary) by alice: looks fine\n"
    "  2026-11-30T07:50:00Z  pause by bob\n";

static void test_picture(void **state)
{
    static char body[8192];
    const struct step steps[] = {{"GET", "/rollouts?", 200, body}, END};

    (void)state;
    snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[%s]}", full);
    assert_int_equal(call("rollout status", "rollout/federateddeployment-web-5", steps), CLI_DONE);
    assert_string_equal(out_text, picture);
    assert_string_equal(err_text, "");
}

static void test_picture_of_little(void **state)
{
    static const struct step steps[] = {
        {"GET", OF_NAME, 200, LIST("{" META("web-5") ",\"spec\":{" OBJECT "}}")}, END};

    (void)state;
    assert_int_equal(call("rollout status", "rollout/web-5", steps), CLI_DONE);
    assert_string_equal(out_text, "Rollout    web-5 of FederatedDeployment shop/web\n"
                                  "Phase      Pending\n"
                                  "Change     new, generation 0\n"
                                  "Clusters   0/0 updated\n");
}

/* ---- which one ---- */

#define TYPES                                                                                      \
    {"GET", "/federatedtypeconfigs", 200,                                                          \
        LIST(                                                                                      \
            "{\"spec\":{\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":"            \
            "\"v1beta1\",\"pluralName\":\"federateddeployments\",\"kind\":\"FederatedDeployment\"" \
            ",\"scope\":\"Namespaced\"},\"targetType\":{\"group\":\"apps\",\"version\":\"v1\","    \
            "\"pluralName\":\"deployments\",\"kind\":\"Deployment\",\"scope\":\"Namespaced\"}}"    \
            "}")},                                                                                 \
    {                                                                                              \
        "GET", "/apis/types.kubefed.io/v1beta1", 200, "{\"resources\":[]}"                         \
    }
#define OF_OBJECT "/namespaces/shop/rollouts?labelSelector=fedlet.io%2Fobject-name%3Dweb"
#define THREE                                                                                      \
    LIST(ROLLOUT("web-4", "4", PHASE("Complete")) "," ROLLOUT(                                     \
        "web-6", "6", PHASE("Queued")) "," ROLLOUT("web-5", "5", PHASE("Running")))

static void test_current_one_of_an_object(void **state)
{
    static const struct step steps[] = {TYPES, {"GET", OF_OBJECT, 200, THREE}, END};
    static const struct step over[] = {TYPES,
        {"GET", OF_OBJECT, 200,
            LIST(ROLLOUT("web-11", "11", PHASE("RolledBack")) "," ROLLOUT(
                "web-9", "9", PHASE("Complete")))},
        END};

    (void)state;
    assert_int_equal(call("rollout status", "deployment/web -n shop", steps), CLI_DONE);
    assert_non_null(strstr(out_text, "Rollout    web-5 of"));
    assert_int_equal(call("rollout status", "federateddeployment/web", over), CLI_DONE);
    assert_non_null(strstr(out_text, "Rollout    web-11 of"));
}

static void test_none(void **state)
{
    static const struct step steps[] = {TYPES, {"GET", OF_OBJECT, 200, LIST("")},
        {"GET", "/namespaces/shop/federateddeployments/web", 200, "{}"}, END};
    static const struct step missing[] = {TYPES, {"GET", OF_OBJECT, 200, LIST("")},
        {"GET", "/federateddeployments/web", 404,
            "{\"message\":\"federateddeployments \\\"web\\\" "
            "not found\",\"kind\":\"Status\"}"},
        END};
    static const struct step no_rollout[] = {{"GET", OF_NAME, 200, LIST("")}, END};

    (void)state;
    assert_int_equal(call("rollout status", "deployment/web", steps), CLI_FAILED);
    assert_non_null(strstr(err_text, "has no rollout: no RolloutPolicy governs it"));
    assert_int_equal(call("rollout pause", "deployment/web", missing), CLI_FAILED);
    assert_non_null(strstr(err_text, "namespace shop: federateddeployments \"web\" not found"));
    assert_int_equal(call("rollout watch", "rollout/web-5", no_rollout), CLI_FAILED);
    assert_non_null(strstr(err_text, "`fedctl rollout list -n shop` names them"));
}

static void test_list(void **state)
{
    static const struct step steps[] = {{"GET", "/namespaces/shop/rollouts", 200, THREE}, END};

    (void)state;
    assert_int_equal(call("rollout list", "", steps), CLI_DONE);
    assert_string_equal(out_text,
        "NAMESPACE   NAME    OBJECT                    PHASE      WAVE   UPDATED   FAILED   "
        "DEFERRED   AGE   NEXT\n"
        "shop        web-6   FederatedDeployment/web   Queued     -      1/3       0        0      "
        "    -     -\n"
        "shop        web-5   FederatedDeployment/web   Running    -      1/3       0        0      "
        "    -     -\n"
        "shop        web-4   FederatedDeployment/web   Complete   -      1/3       0        0      "
        "    -     -\n");
    assert_int_equal(call("rollout list", "--active", steps), CLI_DONE);
    assert_null(strstr(out_text, "web-4"));
    assert_non_null(strstr(out_text, "web-6"));
}

/* ---- acting ---- */

#define ONE(phase) LIST(ROLLOUT("web-5", "5", PHASE(phase) ",\"wave\":\"canary\""))

static void test_actions(void **state)
{
    static const char *const verbs[][3] = {{"rollout pause", "pause", "paused"},
        {"rollout resume", "resume", "resumed"}, {"rollout approve", "approve:canary", "approved"},
        {"rollout retry", "retry", "started again"}, {"rollout abort", "abort", "aborted"},
        {"rollout undo", "undo", "is being undone"}};
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"PATCH", "/namespaces/shop/rollouts/web-5", 200, ROLLOUT("web-5", "5", PHASE("Paused"))},
        END};
    char want[300];

    (void)state;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_int_equal(
            call(verbs[i][0], i < 4 ? "rollout/web-5 --reason=so" : "rollout/web-5 -y --reason=so",
                steps),
            CLI_DONE);
        snprintf(want, sizeof want,
            "PATCH /apis/fedlet.io/v1alpha1/namespaces/shop/rollouts/web-5 "
            "{\"metadata\":{\"annotations\":{\"fedlet.io/action\":\"%s\",\"fedlet.io/reason\":"
            "\"so\"},\"uid\":\"u-web-5\"}}\n",
            verbs[i][1]);
        assert_non_null(strstr(asked, want));
        snprintf(want, sizeof want, "rollout.fedlet.io/web-5 of FederatedDeployment shop/web %s\n",
            verbs[i][2]);
        assert_string_equal(out_text, want);
    }
}

static void test_refusals(void **state)
{
    static const struct step unfit[] = {{"GET", OF_NAME, 200, ONE("Complete")},
        {"PATCH", "/rollouts/web-5", 422,
            "{\"kind\":\"Status\",\"message\":\"the rollout is Complete\"}"},
        END};
    static const struct step forbidden[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"PATCH", "/rollouts/web-5", 403, "{\"kind\":\"Status\",\"message\":\"no\"}"}, END};

    (void)state;
    assert_int_equal(call("rollout pause", "rollout/web-5", unfit), CLI_FAILED);
    assert_string_equal(err_text, "fedctl: cannot pause it: the rollout is Complete\n");
    assert_int_equal(call("rollout pause", "rollout/web-5", forbidden), CLI_FAILED);
    assert_non_null(strstr(err_text, "which fedlet:operator has"));
}

/* Without a terminal nobody can be asked, and nothing is done. */
static void test_dangerous_ones_ask(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")}, END};

    (void)state;
    if (isatty(STDIN_FILENO))
        assert_non_null(freopen("/dev/null", "r", stdin));
    assert_int_equal(call("rollout undo", "rollout/web-5", steps), CLI_USAGE);
    assert_non_null(strstr(err_text, "say --yes"));
    assert_int_equal(call("rollout abort", "rollout/web-5", steps), CLI_USAGE);
    assert_null(strstr(asked, "PATCH"));
}

static void test_misuse(void **state)
{
    static const char *const rows[][3] = {{"rollout pause", "", "takes one KIND/NAME"},
        {"rollout pause", "rollout/a rollout/b", "takes one KIND/NAME"},
        {"rollout pause", "rollout/", "is not rollout/NAME"},
        {"rollout pause", "rollout", "is not rollout/NAME"},
        {"rollout pause", "rollout/a --yes", "unknown option"},
        {"rollout abort", "rollout/a --wave=b", "unknown option"},
        {"rollout approve", "rollout/a --wave=B", "not the name of a wave"},
        {"rollout pause", "rollout/a -n B", "not the name of a namespace"},
        {"rollout wait", "rollout/a --timeout=0s", "--timeout takes a duration"},
        {"rollout wait", "rollout/a --timeout=soon", "--timeout takes a duration"},
        {"rollout watch", "rollout/a --timeout=1s", "unknown option"},
        {"rollout list", "rollout/a -A", "not together with -A"},
        {"rollout list", "-A -n shop", "exclude each other"},
        {"rollout status", "rollout/a --state=failed", "choose among --clusters"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(call(rows[i][0], rows[i][1], NULL), CLI_USAGE);
        if (!strstr(err_text, rows[i][2]))
            fail_msg("%s %s: %s", rows[i][0], rows[i][1], err_text);
    }
}

/* ---- waiting ---- */

static void test_wait_ends(void **state)
{
    static const struct {
        const char *body;
        int code;
    } rows[] = {{ONE("Complete"), 0}, {ONE("RolledBack"), 1}, {ONE("Aborted"), 1},
        {ONE("Superseded"), 1}, {ONE("Paused"), 2}, {ONE("AwaitingApproval"), 2},
        {LIST(ROLLOUT("web-5", "5",
             "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PolicyConflict\",\"status\":"
             "\"True\"}]")),
            2},
        {ONE("Running"), 124}, {ONE("Pending"), 124}, {ONE("Soaking"), 124},
        {ONE("RollingBack"), 124}, {ONE("Queued"), 124}};

    (void)state;
    watch_ms = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct step steps[] = {{"GET", OF_NAME, 200, rows[i].body}, END};

        if (call("rollout wait", "rollout/web-5 --timeout=25s", steps) != rows[i].code)
            fail_msg("%s: not %d", rows[i].body, rows[i].code);
        assert_int_equal(now_ms, rows[i].code == 124 ? 25000 : 0);
        assert_int_equal(strlen(out_text) > 0, rows[i].code != 124);
    }
}

/* An object's last change counts, also while it is queued behind another one. */
static void test_wait_for_the_newest(void **state)
{
    static const struct step steps[] = {TYPES, {"GET", OF_OBJECT, 200, THREE},
        {"GET", OF_OBJECT, 200,
            LIST(ROLLOUT("web-5", "5", PHASE("Complete")) "," ROLLOUT(
                "web-6", "6", PHASE("Running")))},
        {"GET", OF_OBJECT, 200, LIST(ROLLOUT("web-6", "6", PHASE("Complete")))}, END};

    (void)state;
    watch_ms = 100;
    assert_int_equal(call("rollout wait", "deployment/web --timeout=1m", steps), 0);
    assert_string_equal(out_text, "2026-11-30T08:10:00Z web-6 Complete: 1/3 updated\n");
    assert_int_equal(now_ms, 200);
}

static void test_wait_lives_through_a_restart(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"GET", OF_NAME, 0, NULL}, {"GET", OF_NAME, 0, NULL},
        {"GET", OF_NAME, 200, ONE("Complete")}, END};

    (void)state;
    watch_ms = 100;
    assert_int_equal(call("rollout wait", "rollout/web-5 --timeout=1m", steps), 0);
    assert_non_null(strstr(err_text, "trying again\n"));
    assert_null(strstr(strstr(err_text, "trying again") + 1, "trying again")); /* once */
    assert_int_equal(now_ms, 3100);                                            /* 1 s, 2 s */
}

static void test_wait_for_a_hub_that_stays_away(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 0, NULL}, END};

    (void)state;
    assert_int_equal(call("rollout wait", "rollout/web-5 --timeout=5s", steps), 124);
    assert_int_equal(now_ms, 5000);
}

/* The kinds are asked for before anything else. */
static void test_wait_for_a_hub_that_is_away_at_first(void **state)
{
    static const struct step steps[] = {{"GET", "federatedtypeconfigs", 0, NULL},
        {"GET", "federatedtypeconfigs", 0, NULL}, TYPES, {"GET", OF_OBJECT, 200, ONE("Complete")},
        END};
    static const struct step never[] = {{"GET", "federatedtypeconfigs", 0, NULL}, END};

    (void)state;
    assert_int_equal(call("rollout wait", "deployment/web --timeout=1m", steps), 0);
    assert_non_null(strstr(err_text, "trying again\n"));
    assert_null(strstr(strstr(err_text, "trying again") + 1, "trying again")); /* once */
    assert_int_equal(now_ms, 3000);
    assert_int_equal(call("rollout watch", "deployment/web", steps), 0);
    assert_int_equal(call("rollout wait", "deployment/web --timeout=40s", never), 124);
    assert_int_equal(now_ms, 40000);
    assert_non_null(strstr(err_text, "all the time that --timeout gives"));
    assert_int_equal(call("rollout status", "deployment/web", never), CLI_FAILED);
    assert_int_equal(now_ms, 0);
}

/* Piped: a line for each change, none for what only looks like one. */
static void test_watch_in_lines(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"GET", OF_NAME, 200, ONE("Running")}, {"GET", OF_NAME, 200, ONE("Paused")},
        {"GET", OF_NAME, 200,
            LIST(ROLLOUT("web-5", "5",
                "\"phase\":\"RolledBack\",\"clusters\":{\"total\":3,\"failed\":1},"
                "\"failures\":[{\"reason\":\"Unhealthy\",\"message\":\"no pod is ready\"}]"))},
        END};

    (void)state;
    watch_ms = 1000;
    assert_int_equal(call("rollout watch", "rollout/web-5", steps), CLI_FAILED);
    assert_string_equal(out_text, "2026-11-30T08:10:00Z web-5 Running wave canary: 1/3 updated\n"
                                  "2026-11-30T08:10:02Z web-5 Paused wave canary: 1/3 updated\n"
                                  "2026-11-30T08:10:03Z web-5 RolledBack: 0/3 updated, 1 failed\n");
    assert_string_equal(err_text, "fedctl: Unhealthy: no pod is ready\n"
                                  "more: fedctl rollout status -n shop rollout/web-5\n");
}

/* ---- more of one ---- */

static void test_clusters(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"GET", "/rollouts/web-5/clusters?limit=500&state=Failed&wave=canary", 200,
            "{\"clusters\":[{\"name\":\"c1\",\"wave\":\"canary\",\"state\":\"Failed\",\"since\":"
            "\"2026-11-30T08:05:00Z\",\"version\":\"aabb\",\"reason\":\"Unhealthy\",\"message\":"
            "\"no pod\"}],\"continue\":\"c1\"}"},
        {"GET", "&continue=c1", 200,
            "{\"clusters\":[{\"name\":\"c2\",\"state\":\"Held\",\"heldUntil\":"
            "\"2026-11-30T09:00:00Z\"}],\"continue\":\"\"}"},
        END};

    (void)state;
    assert_int_equal(
        call("rollout status", "rollout/web-5 --clusters --state=failed --wave=canary", steps),
        CLI_DONE);
    assert_string_equal(out_text,
        "CLUSTER   WAVE     STATE    SINCE   VERSION   WHY\n"
        "c1        canary   Failed   5m      aabb      Unhealthy: no pod\n"
        "c2        -        Held     -       -         until "
        "2026-11-30T09:00:00Z\n");
}

static void test_difference(void **state)
{
    static const struct step steps[] = {{"GET", OF_NAME, 200, ONE("Running")},
        {"GET", "/rollouts/web-5/versions", 200,
            "{\"from\":{\"spec\":{\"template\":{\"image\":\"web:1\"}}},"
            "\"to\":{\"spec\":{\"template\":{\"image\":\"web:2\"}}}}"},
        END};

    (void)state;
    assert_int_equal(call("rollout status", "rollout/web-5 --diff", steps), CLI_DONE);
    assert_string_equal(out_text, "--- generation 9\n+++ generation 0\n@@ -1,3 +1,3 @@\n spec:\n"
                                  "   template:\n-    image: web:1\n+    image: web:2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_picture_of_little),
        cmocka_unit_test(test_current_one_of_an_object),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dangerous_ones_ask),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_wait_ends),
        cmocka_unit_test(test_wait_for_the_newest),
        cmocka_unit_test(test_wait_lives_through_a_restart),
        cmocka_unit_test(test_wait_for_a_hub_that_stays_away),
        cmocka_unit_test(test_wait_for_a_hub_that_is_away_at_first),
        cmocka_unit_test(test_watch_in_lines),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
