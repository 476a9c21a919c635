/* plan_show.c - see plan.h: the answers, for people. */
#include "cli/plan.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define NAMES_SHOWN 8u

static enum cli_color color_of(const char *action)
{
    if (strcmp(action, "create") == 0)
        return CLI_GREEN;
    if (strcmp(action, "update") == 0)
        return CLI_YELLOW;
    return strcmp(action, "remove") == 0 || strcmp(action, "refused") == 0 ? CLI_RED : CLI_PLAIN;
}

static void put_bytes(int64_t bytes, char out[32])
{
    if (bytes < 10240)
        snprintf(out, 32, "%lld B", (long long)bytes);
    else if (bytes < 10 << 20)
        snprintf(out, 32, "%lld KiB", (long long)(bytes >> 10));
    else
        snprintf(out, 32, "%lld MiB", (long long)(bytes >> 20));
}

struct summing { /* clusters of one action of one object */
    size_t n;
    size_t away; /* not heard of now */
    int64_t bytes;
};

static void print_cluster_name(const struct plan *p, const struct fed_json *row, size_t shown)
{
    struct fed_span message = fed_json_string(fed_json_get(row, "message"));
    struct fed_span reason = fed_json_string(fed_json_get(row, "reason"));

    printf("%s" FED_SPAN_FMT, shown ? ", " : "",
        FED_SPAN_ARG(fed_json_string(fed_json_get(row, "name"))));
    if (reason.len > 0)
        printf(" (" FED_SPAN_FMT ": %s)", FED_SPAN_ARG(reason), look_cstr(p->look, message));
}

static void print_action(struct plan *p, const struct fed_json *rows, const char *action)
{
    struct summing sum = {0};
    size_t shown = 0;
    char bytes[32];

    for (struct fed_json_iter it = fed_json_items(rows); fed_json_iter_next(&it);) {
        const struct fed_json *row = it.value;
        const struct look_cluster *cluster =
            look_cluster(p->look, fed_json_string(fed_json_get(row, "name")));

        if (!fed_span_is(fed_json_string(fed_json_get(row, "action")), action))
            continue;
        sum.n++;
        sum.away += !cluster || cluster->ready != LOOK_READY;
        sum.bytes += fed_json_int(fed_json_get(row, "bytes"), 0);
    }
    if (sum.n == 0)
        return;
    cli_paint(stdout, color_of(action));
    printf("  %-9s", action);
    cli_paint(stdout, CLI_PLAIN);
    printf(" %4zu  ", sum.n);
    for (struct fed_json_iter it = fed_json_items(rows); fed_json_iter_next(&it);) {
        const struct fed_json *row = it.value;

        if (!fed_span_is(fed_json_string(fed_json_get(row, "action")), action))
            continue;
        if (shown == NAMES_SHOWN && !p->look->all) {
            printf(", ...");
            break;
        }
        print_cluster_name(p, row, shown++);
    }
    put_bytes(sum.bytes, bytes);
    if (sum.bytes > 0)
        printf("   %s", bytes);
    if (sum.away > 0 && strcmp(action, "unchanged") != 0 && strcmp(action, "forbidden") != 0)
        printf("   (%zu not heard of now: when they are back)", sum.away);
    printf("\n");
}

/* What is shown of clusters is how they are in the end. */
static void print_rollout(const struct plan *p, const struct fed_json *rollout)
{
    const struct fed_json *message = fed_json_get(rollout, "message");
    struct fed_span policy = fed_json_string(fed_json_get(rollout, "policy"));

    if (!rollout)
        return;
    printf("  %s", fed_json_bool(fed_json_get(rollout, "begins"), false) ? "begins a rollout"
                                                                         : "begins no rollout");
    if (policy.len > 0)
        printf(" by RolloutPolicy " FED_SPAN_FMT, FED_SPAN_ARG(policy));
    printf("%s%s\n", message ? ": " : "", message ? look_text(p->look, message) : "");
}

static bool is_namespace(const struct fed_json *object)
{
    return fed_span_is(fed_json_string(fed_json_get(object, "kind")), "Namespace") &&
           fed_span_is(fed_json_string(fed_json_get(object, "apiVersion")), "v1");
}

static void print_object(struct plan *p, const struct fed_json *object)
{
    struct fed_span ns = fed_json_string(fed_json_get(object, "namespace"));
    struct fed_span reason = fed_json_string(fed_json_get(object, "reason"));
    const struct fed_json *rows = fed_json_get(object, "clusters");

    /* A Namespace without the label is the hub's alone. */
    if (is_namespace(object) && fed_json_count(rows) == 0)
        return;
    cli_paint(stdout, CLI_BOLD);
    printf(FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_get(object, "kind"))), FED_SPAN_ARG(ns),
        ns.len ? "/" : "", FED_SPAN_ARG(fed_json_string(fed_json_get(object, "name"))));
    cli_paint(stdout, CLI_PLAIN);
    if (!fed_json_bool(fed_json_get(object, "asked"), true))
        printf("   follows from the above");
    else if (!fed_json_bool(fed_json_get(object, "stored"), true))
        printf("   new");
    if (reason.len > 0)
        printf("   " FED_SPAN_FMT ": %s", FED_SPAN_ARG(reason),
            look_text(p->look, fed_json_get(object, "message")));
    printf("%s\n", fed_json_count(rows) == 0 ? "   goes to no cluster" : "");
    print_rollout(p, fed_json_get(object, "rollout"));
    if (fed_json_bool(fed_json_get(object, "scaled"), false))
        printf("  a ReplicaSchedulingPreference scales it: how it shares replicas anew is not "
               "foreseen\n");
    for (size_t i = 0; i < PLAN_ACTIONS; i++)
        print_action(p, rows, plan_actions[i]);
}

/* What the objects below it follow from. */
static void print_because(struct plan *p, const struct fed_json *answer)
{
    const struct fed_json *because = fed_json_get(answer, "because");
    const struct fed_json *status = fed_json_get(answer, "status");

    if (!because)
        return;
    cli_paint(stdout, CLI_BOLD);
    printf("%s", look_text(p->look, fed_json_get(because, "kind")));
    for (struct fed_json_iter it = fed_json_items(fed_json_get(because, "names"));
         fed_json_iter_next(&it);)
        printf("%s%s", it.index ? ", " : " ", look_text(p->look, it.value));
    cli_paint(stdout, CLI_PLAIN);
    if (fed_json_count(fed_json_get(status, "objects")) == 0)
        printf("   changes nothing in clusters%s",
            fed_json_int(fed_json_get(status, "hidden"), 0) > 0 ? " that you may see" : "");
    printf("\n");
}

static void print_totals(const struct fed_json *status)
{
    const struct fed_json *totals = fed_json_get(status, "totals");
    int64_t hidden = fed_json_int(fed_json_get(status, "hidden"), 0);
    bool some = false;
    char bytes[32];

    printf("\ntotal: ");
    for (size_t i = 0; i < PLAN_ACTIONS; i++) {
        int64_t n = fed_json_int(fed_json_get(totals, plan_actions[i]), 0);

        if (n > 0)
            printf("%s%lld %s", some ? ", " : "", (long long)n, plan_actions[i]);
        some = some || n > 0;
    }
    put_bytes(fed_json_int(fed_json_get(totals, "bytes"), 0), bytes);
    printf("%s; %s to send, before compression\n", some ? "" : "nothing", bytes);
    if (hidden > 0)
        printf("%lld more objects would change that you may not see\n", (long long)hidden);
    if (fed_json_bool(fed_json_get(status, "rowsCut"), false))
        printf("not all clusters are shown; the total counts all\n");
}

void plan_print(struct plan *p, const struct fed_json *merged)
{
    for (struct fed_json_iter it = fed_json_items(p->answers); fed_json_iter_next(&it);) {
        print_because(p, it.value);
        for (struct fed_json_iter of = fed_json_items(fed_json_find(it.value, "status.objects"));
             fed_json_iter_next(&of);)
            print_object(p, of.value);
    }
    print_totals(merged);
}
