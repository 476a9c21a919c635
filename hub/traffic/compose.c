/* compose.c - status.link of a KubeFedCluster, and what of its budget and quiet windows is a
 * condition. */
#include "hub/traffic/internal.h"

#include "proto/base/text.h"
#include "proto/link/knows.h"

#include <inttypes.h>
#include <stdio.h>

#define SENTENCE_MAX 300u

/* Members of one object, until one fails. */
struct setter {
    struct fed_json_doc *doc;
    struct fed_json *to;
    enum fed_err err;
};

static void set_text(struct setter *s, const char *key, const char *value)
{
    if (!s->err)
        s->err = fed_json_set_text(s->doc, s->to, key, value);
}

static void set_int(struct setter *s, const char *key, uint64_t value)
{
    if (!s->err)
        s->err =
            fed_json_set_int(s->doc, s->to, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void set_time(struct setter *s, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, text);
    set_text(s, key, text);
}

static struct setter child(struct setter *s, const char *key)
{
    struct setter c = {.doc = s->doc, .to = fed_json_new_object(s->doc), .err = s->err};

    if (!c.err)
        c.err = fed_json_set(s->doc, s->to, key, c.to);
    return c;
}

static struct setter element(struct setter *s, struct fed_json *list)
{
    struct setter c = {.doc = s->doc, .to = fed_json_new_object(s->doc), .err = s->err};

    if (!c.err)
        c.err = fed_json_append(list, c.to);
    return c;
}

static void keep_err(struct setter *s, const struct setter *c)
{
    if (!s->err)
        s->err = c->err;
}

static void put_counts(struct setter *s, const struct hub_traffic_counts *counts)
{
    set_int(s, "fromCluster", counts->from_bytes);
    set_int(s, "toCluster", counts->to_bytes);
    set_int(s, "total", counts->from_bytes + counts->to_bytes);
    set_int(s, "datagramsFromCluster", counts->from_datagrams);
    set_int(s, "datagramsToCluster", counts->to_datagrams);
}

static void put_counts_at(
    struct setter *s, const char *key, const struct hub_traffic_counts *counts)
{
    struct setter c = child(s, key);

    put_counts(&c, counts);
    keep_err(s, &c);
}

static void put_bindings(struct setter *s, const struct traffic_cluster *cluster)
{
    struct fed_json *list = fed_json_new_array(s->doc);

    if (!s->err)
        s->err = fed_json_set(s->doc, s->to, "bindings", list);
    for (size_t i = 0; i < cluster->n_bindings; i++) {
        struct setter one = element(s, list);

        set_text(&one, "name", cluster->bindings[i].name);
        put_counts_at(&one, "bytes", &cluster->bindings[i].month);
        put_counts_at(&one, "lastMonth", &cluster->bindings[i].before);
        keep_err(s, &one);
    }
}

/* What the agent does not understand and this hub would say; absent when there is nothing. */
static void put_lacking(struct setter *s, uint64_t knows)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = {{FED_LINK_KNOWS_STATUS, "Status"}, {FED_LINK_KNOWS_SCALE, "Scale"},
        {FED_LINK_KNOWS_DELETE, "DeleteOptions"}, {FED_LINK_KNOWS_DICTIONARY_1, "Dictionary1"},
        {FED_LINK_KNOWS_NOTE, "Note"}, {FED_LINK_KNOWS_IN_PLACE, "InPlace"},
        {FED_LINK_KNOWS_CONSENT, "RemovalConsent"}};
    struct fed_json *list = fed_json_new_array(s->doc);

    for (size_t i = 0; !s->err && i < sizeof names / sizeof *names; i++)
        if (!(knows & names[i].bit))
            s->err =
                fed_json_append(list, fed_json_new_string(s->doc, fed_span_text(names[i].name)));
    if (!s->err && fed_json_count(list) > 0)
        s->err = fed_json_set(s->doc, s->to, "agentLacks", list);
}

static void put_budget(struct setter *s, const struct traffic_cluster *cluster)
{
    struct setter c;

    if (!cluster->rules || cluster->rules->monthly_bytes == 0)
        return;
    c = child(s, "budget");
    set_int(&c, "bytes", cluster->rules->monthly_bytes);
    set_int(&c, "used", traffic_used(cluster));
    set_int(&c, "percent", traffic_used(cluster) * 100 / cluster->rules->monthly_bytes);
    keep_err(s, &c);
}

static void put_held(
    struct hub_traffic *traffic, struct setter *s, const struct traffic_cluster *cluster)
{
    struct setter c;

    if (cluster->hold == TRAFFIC_FREE)
        return;
    c = child(s, "held");
    set_text(&c, "reason", traffic_hold_reason(cluster->hold));
    if (cluster->until_unix_s)
        set_time(&c, "until", cluster->until_unix_s);
    set_int(&c, "changes", hub_plan_held(traffic->options.plan, fed_span_text(cluster->name)));
    keep_err(s, &c);
}

static void put_link(
    struct hub_traffic *traffic, struct setter *s, const struct traffic_cluster *cluster)
{
    struct hub_traffic_counts month = traffic_sum(cluster, false);
    struct hub_traffic_counts before = traffic_sum(cluster, true);
    char text[16];

    if (cluster->sessions > 0) {
        set_text(s, "binding", cluster->binding);
        set_text(s, "address", cluster->address);
        set_time(s, "connectedSince", cluster->connected_unix_s);
    }
    snprintf(text, sizeof text, "%04u-%02u", (unsigned)(cluster->month / 12 % 10000),
        (unsigned)(cluster->month % 12 + 1));
    set_text(s, "month", text);
    put_counts_at(s, "bytes", &month);
    put_counts_at(s, "lastMonth", &before);
    put_bindings(s, cluster);
    put_lacking(s, hub_plan_knows(traffic->options.plan, fed_span_text(cluster->name)));
    put_budget(s, cluster);
    put_held(traffic, s, cluster);
}

/* ---- conditions ---- */

struct condition {
    const char *type;
    bool is;
    const char *reason;
    const char *message;
    int64_t since_unix_s;
};

static void put_condition(
    struct setter *s, struct fed_json *list, const struct condition *from, int64_t now_s)
{
    struct setter c = element(s, list);

    set_text(&c, "type", from->type);
    set_text(&c, "status", from->is ? "True" : "False");
    set_time(&c, "lastProbeTime", now_s);
    set_time(&c, "lastTransitionTime", from->since_unix_s ? from->since_unix_s : now_s);
    set_text(&c, "reason", from->reason);
    set_text(&c, "message", from->message);
    keep_err(s, &c);
}

static void put_budget_condition(
    struct setter *s, struct fed_json *list, const struct traffic_cluster *cluster, int64_t now_s)
{
    static const char *const reasons[] = {
        "WithinMonthlyBytes", "MonthlyBytesNearEnd", "MonthlyBytesSpent"};
    struct condition condition = {.type = "MonthlyBytesSpent",
        .is = cluster->level == TRAFFIC_SPENT,
        .reason = reasons[cluster->level],
        .since_unix_s = cluster->level_unix_s};
    char message[SENTENCE_MAX];

    if (!cluster->rules || cluster->rules->monthly_bytes == 0)
        return;
    snprintf(message, sizeof message, "%" PRIu64 " of %" PRIu64 " bytes are used",
        traffic_used(cluster), cluster->rules->monthly_bytes);
    condition.message = message;
    put_condition(s, list, &condition, now_s);
}

static void put_held_condition(struct hub_traffic *traffic, struct setter *s, struct fed_json *list,
    const struct traffic_cluster *cluster, int64_t now_s)
{
    struct condition condition = {.type = "ChangesHeld",
        .is = true,
        .reason = traffic_hold_reason(cluster->hold),
        .since_unix_s = cluster->hold_unix_s};
    char message[2 * SENTENCE_MAX];
    char why[SENTENCE_MAX];

    if (cluster->hold == TRAFFIC_FREE)
        return;
    traffic_put_why(cluster, why, sizeof why);
    snprintf(message, sizeof message,
        "%s: %zu objects wait; those with the annotation fedlet.io/urgent=true do not", why,
        hub_plan_held(traffic->options.plan, fed_span_text(cluster->name)));
    condition.message = message;
    put_condition(s, list, &condition, now_s);
}

/* Conditions are required in status: without any there is nothing to add to. */
enum fed_err traffic_compose(void *ctx, const struct hub_object_ref *ref, struct fed_json_doc *doc,
    struct fed_json *object, uint64_t *revision)
{
    struct hub_traffic *traffic = ctx;
    struct setter status = {.doc = doc};
    struct fed_json *conditions;
    struct traffic_cluster *cluster;
    int64_t now_s = fed_loop_unix_s(traffic->options.loop);
    struct setter link;

    if (traffic->inner.compose)
        status.err = traffic->inner.compose(traffic->inner.ctx, ref, doc, object, revision);
    if (traffic->collect)
        traffic->collect(traffic->collect_ctx, ref->name);
    cluster = traffic_find(traffic, ref->name);
    status.to = fed_json_get(object, "status");
    conditions = fed_json_get(status.to, "conditions");
    if (status.err || !cluster || !conditions)
        return status.err;
    traffic_turn(traffic, cluster);
    put_held_condition(traffic, &status, conditions, cluster, now_s);
    put_budget_condition(&status, conditions, cluster, now_s);
    link = child(&status, "link");
    put_link(traffic, &link, cluster);
    if (cluster->told_revision > *revision)
        *revision = cluster->told_revision;
    return link.err ? link.err : status.err;
}
