/* clusters.c - fedctl clusters, approve. */
#include "cli/cli.h"
#include "cli/flags.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 4u
#define COLUMNS_WIDE 11u

const char *cli_cluster_ready(const struct fed_json *cluster)
{
    const struct fed_json *conditions = fed_json_find(cluster, "status.conditions");

    for (struct fed_json_iter it = fed_json_items(conditions); fed_json_iter_next(&it);) {
        const struct fed_json *condition = it.value;
        struct fed_span status = fed_json_string(fed_json_get(condition, "status"));

        if (!fed_span_is(fed_json_string(fed_json_get(condition, "type")), "Ready"))
            continue;
        return fed_span_is(status, "True") ? "True" : "False";
    }
    return fed_json_count(conditions) ? "Offline" : "Unknown";
}

/* "CloneSuspected": two machines came with its identity. "RemovalAwaitsConsent". */
static bool has_condition(const struct fed_json *cluster, const char *type)
{
    const struct fed_json *conditions = fed_json_find(cluster, "status.conditions");

    for (struct fed_json_iter it = fed_json_items(conditions); fed_json_iter_next(&it);)
        if (fed_span_is(fed_json_string(fed_json_get(it.value, "type")), type) &&
            fed_span_is(fed_json_string(fed_json_get(it.value, "status")), "True"))
            return true;
    return false;
}

static bool is_wide(const struct cli *cli)
{
    return cli->output && strcmp(cli->output, "wide") == 0;
}

/* "1.2 MiB" */
static void put_bytes(char out[64], int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1024;
    snprintf(out, 64, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* A member of status.link; "-" when it is not there. */
static void put_text(char out[64], const struct fed_json *cluster, const char *path)
{
    snprintf(out, 64, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(fed_json_string(fed_json_find(cluster, path)), 0, 63)));
    if (!out[0])
        snprintf(out, 64, "-");
}

/* How it is connected, from where, since when; what the month cost, and the one before; what waits.
 */
static void put_link(struct cli *cli, const struct fed_json *cluster, char cells[7][64])
{
    struct fed_span since = fed_json_string(fed_json_find(cluster, "status.link.connectedSince"));
    const struct fed_json *changes = fed_json_find(cluster, "status.link.held.changes");
    struct fed_span until = fed_json_string(fed_json_find(cluster, "status.link.held.until"));
    char age[FED_TEXT_TIME_SIZE] = "-";
    int64_t unix_s;

    put_text(cells[0], cluster, "status.link.binding");
    put_text(cells[1], cluster, "status.link.address");
    if (fed_text_time_parse(since, &unix_s) == FED_OK)
        fed_text_age(fed_loop_unix_s(cli->loop) - unix_s, age);
    snprintf(cells[2], 64, "%s", age);
    put_bytes(cells[3], fed_json_int(fed_json_find(cluster, "status.link.bytes.total"), 0));
    put_bytes(cells[4], fed_json_int(fed_json_find(cluster, "status.link.lastMonth.total"), 0));
    if (changes && until.len > 0)
        snprintf(cells[5], 64, "%lld until " FED_SPAN_FMT, (long long)fed_json_int(changes, 0),
            FED_SPAN_ARG(fed_span_sub(until, 0, 24)));
    else if (changes)
        snprintf(cells[5], 64, "%lld until uncordoned", (long long)fed_json_int(changes, 0));
    else
        snprintf(cells[5], 64, "-");
    put_text(cells[6], cluster, "status.agentVersion");
}

static void add_cluster(struct cli *cli, struct cli_table *table, const struct fed_json *cluster)
{
    struct fed_span created = fed_json_string(fed_json_find(cluster, "metadata.creationTimestamp"));
    char name[64];
    char version[64];
    char age[FED_TEXT_TIME_SIZE] = "-";
    char ready[64];
    char link[7][64];
    const char *row[COLUMNS_WIDE] = {name, ready, version, age};
    int64_t unix_s;

    snprintf(name, sizeof name, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_find(cluster, "metadata.name"))));
    snprintf(ready, sizeof ready, "%s%s%s", cli_cluster_ready(cluster),
        has_condition(cluster, "CloneSuspected") ? ",CloneSuspected" : "",
        has_condition(cluster, "RemovalAwaitsConsent") ? ",RemovalAwaitsConsent" : "");
    snprintf(version, sizeof version, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_find(cluster, "status.kubernetesVersion"))));
    if (!version[0])
        snprintf(version, sizeof version, "-");
    if (fed_text_time_parse(created, &unix_s) == FED_OK)
        fed_text_age(fed_loop_unix_s(cli->loop) - unix_s, age);
    put_link(cli, cluster, link);
    for (size_t i = 0; i < COLUMNS_WIDE - COLUMNS; i++)
        row[COLUMNS + i] = link[i];
    cli_table_add(table, row);
}

enum cli_exit cli_clusters(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    static const char *const head[COLUMNS_WIDE] = {"NAME", "READY", "KUBERNETES-VERSION", "AGE",
        "LINK", "ADDRESS", "CONNECTED", "MONTH", "LAST-MONTH", "HELD", "AGENT"};
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    struct cli_table table;
    const struct fed_json *items;

    (void)argv;
    if (argc > 1)
        return cli_misuse(self, "takes no arguments");
    if (cli_ask(cli, "GET", CLI_CLUSTERS, NULL, fed_span_text(""), &answer, &diag))
        return cli_fail("cannot list clusters: %s", diag.text);
    items = fed_json_get(answer, "items");
    if (cli->json) {
        cli_print_json(items);
        return CLI_DONE;
    }
    if (fed_json_count(items) == 0)
        fprintf(stderr,
            "No clusters yet: `fedctl token create` here, then `fedlet join` on a gateway.\n");
    cli_table_init(&table, is_wide(cli) ? COLUMNS_WIDE : COLUMNS);
    cli_table_add(&table, head);
    for (struct fed_json_iter it = fed_json_items(items); fed_json_iter_next(&it);)
        add_cluster(cli, &table, it.value);
    cli_table_print(&table);
    return CLI_DONE;
}

/* What is said of the join request: that it is let in, or that whichever machine comes next is the
 * cluster. */
static void put_approval(struct cli *cli, bool clone, char out[128])
{
    char now[FED_TEXT_TIME_SIZE];

    fed_text_time(fed_loop_unix_s(cli->loop), now);
    if (clone)
        snprintf(out, 128, "{\"spec\":{\"cloneAcceptedAt\":\"%s\"}}", now);
    else
        snprintf(out, 128, "{\"spec\":{\"approved\":true}}");
}

/* Consent to exactly what waits now: the hub refuses it when that changed meanwhile. */
static enum cli_exit approve_removal(struct cli *cli, const char *cluster)
{
    struct fed_json *object = NULL;
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    struct fed_span id;
    long long waiting;
    char patch[256];
    char path[512];

    snprintf(path, sizeof path, CLI_CLUSTERS "/%s", cluster);
    if (cli_ask(cli, "GET", path, NULL, fed_span_text(""), &object, &diag))
        return cli_fail("cannot read cluster %s: %s", cluster, diag.text);
    id = fed_json_string(fed_json_find(object, "status.removal.approval"));
    waiting = (long long)fed_json_int(fed_json_find(object, "status.removal.waiting"), 0);
    if (id.len == 0)
        return cli_fail("no removal of cluster %s waits for consent", cluster);
    snprintf(path, sizeof path, CLI_CLUSTERS "/%s?fieldManager=fedctl", cluster);
    snprintf(patch, sizeof patch,
        "{\"metadata\":{\"annotations\":{\"fedlet.io/approve-removal\":\"" FED_SPAN_FMT "\"}}}",
        FED_SPAN_ARG(fed_span_sub(id, 0, 64)));
    if (cli_ask(cli, "PATCH", path, "application/merge-patch+json", fed_span_text(patch), &answer,
            &diag))
        return cli_fail("cannot consent to the removals of %s: %s", cluster, diag.text);
    if (cli->json)
        cli_print_json(answer);
    else
        fprintf(stderr, "%lld works leave cluster %s\n", waiting, cluster);
    return CLI_DONE;
}

enum cli_exit cli_approve(struct cli *cli, const struct cli_command *self, int argc, char **argv)
{
    bool clone = false;
    bool removal = false;
    const struct cli_flag flags[] = {
        {"clone", 0, CLI_FLAG_SWITCH, &clone}, {"removal", 0, CLI_FLAG_SWITCH, &removal}};
    struct cli_arguments arguments;
    struct fed_json *answer = NULL;
    struct fed_diag diag = {""};
    char patch[128];
    char path[512];

    if (cli_flags_read(self, argc, argv, flags, 2, NULL, &arguments) != CLI_DONE)
        return CLI_USAGE;
    if (arguments.n != 1)
        return cli_misuse(self, "needs the name of one cluster");
    if (!cli_is_name(arguments.at[0]))
        return cli_misuse(self, "\"%s\" is not a cluster's name", arguments.at[0]);
    if (clone && removal)
        return cli_misuse(self, "--clone and --removal exclude each other");
    if (removal)
        return approve_removal(cli, arguments.at[0]);
    snprintf(path, sizeof path, "%s/%s?fieldManager=fedctl", CLI_REQUESTS, arguments.at[0]);
    put_approval(cli, clone, patch);
    if (cli_ask(cli, "PATCH", path, "application/merge-patch+json", fed_span_text(patch), &answer,
            &diag))
        return cli_fail("cannot approve %s: %s; see `kubectl -n " CLI_SYSTEM_NAMESPACE
                        " get joinrequests`",
            arguments.at[0], diag.text);
    if (cli->json) {
        cli_print_json(answer);
        return CLI_DONE;
    }
    if (clone)
        fprintf(stderr,
            "the next machine that comes as cluster %s is the one that counts; stop the other\n",
            arguments.at[0]);
    else
        fprintf(stderr, "cluster %s approved; its agent is let in at its next question\n",
            arguments.at[0]);
    return CLI_DONE;
}
