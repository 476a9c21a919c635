/* traffic.c - see traffic.h: clusters and counting. */
#include "hub/traffic/internal.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- months ---- */

uint64_t traffic_month(int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];
    uint64_t year = 0;

    fed_text_time(unix_s < 0 ? 0 : unix_s, text); /* 2026-11-22T... */
    for (size_t i = 0; i < 4; i++)
        year = year * 10 + (uint64_t)(text[i] - '0');
    return year * 12 + (uint64_t)(text[5] - '0') * 10 + (uint64_t)(text[6] - '0') - 1;
}

int64_t traffic_month_begin(uint64_t month)
{
    char text[FED_TEXT_TIME_SIZE];
    int64_t unix_s = 0;

    snprintf(text, sizeof text, "%04u-%02u-01T00:00:00Z", (unsigned)(month / 12 % 10000),
        (unsigned)(month % 12 + 1));
    return fed_text_time_parse(fed_span_text(text), &unix_s) ? 0 : unix_s;
}

/* A clock that is put back keeps what was counted: the month that was begun goes on. */
void traffic_turn(struct hub_traffic *traffic, struct traffic_cluster *cluster)
{
    uint64_t now = traffic_month(fed_loop_unix_s(traffic->options.loop));

    if (now == cluster->month || now + 1 == cluster->month)
        return;
    for (size_t i = 0; i < cluster->n_bindings; i++) {
        struct traffic_binding *binding = &cluster->bindings[i];

        binding->before =
            now == cluster->month + 1 ? binding->month : (struct hub_traffic_counts){0};
        binding->month = (struct hub_traffic_counts){0};
        cluster->dirty = true;
    }
    cluster->month = now;
}

/* ---- clusters ---- */

struct traffic_cluster *traffic_find(struct hub_traffic *traffic, struct fed_span name)
{
    return fed_map_get(&traffic->clusters, name);
}

static void cluster_free(struct hub_traffic *traffic, struct traffic_cluster *cluster)
{
    traffic_rules_free(traffic, cluster->rules);
    fed_alloc_free(traffic->options.mem, cluster->series, sizeof *cluster->series);
    fed_alloc_free(traffic->options.mem, cluster->name, strlen(cluster->name) + 1);
    fed_alloc_free(traffic->options.mem, cluster, sizeof *cluster);
}

/* NULL without memory: then nothing is counted. */
static struct traffic_cluster *cluster_get(struct hub_traffic *traffic, struct fed_span name)
{
    struct traffic_cluster *cluster = traffic_find(traffic, name);

    if (cluster)
        return cluster;
    cluster = fed_alloc_zero(traffic->options.mem, sizeof *cluster);
    if (!cluster)
        return NULL;
    cluster->month = traffic_month(fed_loop_unix_s(traffic->options.loop));
    cluster->name = fed_alloc_zero(traffic->options.mem, name.len + 1);
    if (cluster->name) {
        memcpy(cluster->name, name.at, name.len);
        if (!fed_map_put(&traffic->clusters, name, cluster))
            return cluster;
        fed_alloc_free(traffic->options.mem, cluster->name, name.len + 1);
    }
    fed_alloc_free(traffic->options.mem, cluster, sizeof *cluster);
    return NULL;
}

/* ---- counting ---- */

static void add(struct hub_traffic_counts *to, const struct hub_traffic_counts *more)
{
    to->from_bytes += more->from_bytes;
    to->to_bytes += more->to_bytes;
    to->from_datagrams += more->from_datagrams;
    to->to_datagrams += more->to_datagrams;
}

struct hub_traffic_counts traffic_sum(const struct traffic_cluster *cluster, bool before)
{
    struct hub_traffic_counts sum = {0};

    for (size_t i = 0; i < cluster->n_bindings; i++)
        add(&sum, before ? &cluster->bindings[i].before : &cluster->bindings[i].month);
    return sum;
}

uint64_t traffic_used(const struct traffic_cluster *cluster)
{
    struct hub_traffic_counts sum = traffic_sum(cluster, false);

    return sum.from_bytes + sum.to_bytes +
           TRAFFIC_HEADERS * (sum.from_datagrams + sum.to_datagrams);
}

static struct traffic_binding *binding_of(struct traffic_cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->n_bindings; i++)
        if (strcmp(cluster->bindings[i].name, name) == 0)
            return &cluster->bindings[i];
    if (cluster->n_bindings == TRAFFIC_BINDINGS)
        return &cluster->bindings[TRAFFIC_BINDINGS - 1];
    cluster->bindings[cluster->n_bindings] = (struct traffic_binding){.name = ""};
    snprintf(
        cluster->bindings[cluster->n_bindings].name, sizeof cluster->bindings[0].name, "%s", name);
    return &cluster->bindings[cluster->n_bindings++];
}

static void add_total(
    struct hub_traffic *traffic, const char *name, const struct hub_traffic_counts *more)
{
    size_t i = 0;

    while (i < traffic->n_totals && strcmp(traffic->totals[i].name, name) != 0)
        i++;
    if (i == TRAFFIC_BINDINGS) {
        i--;
    } else if (i == traffic->n_totals) {
        snprintf(traffic->totals[i].name, sizeof traffic->totals[i].name, "%s", name);
        traffic->n_totals++;
    }
    add(&traffic->totals[i].counts, more);
}

void hub_traffic_count(struct hub_traffic *traffic, struct fed_span name, const char *binding,
    const struct fed_link_stats *stats)
{
    struct hub_traffic_counts more = {.from_bytes = stats->received_bytes,
        .to_bytes = stats->sent_bytes,
        .from_datagrams = stats->received_datagrams,
        .to_datagrams = stats->sent_datagrams};
    struct traffic_cluster *cluster = cluster_get(traffic, name);

    if (more.from_bytes + more.to_bytes + more.from_datagrams + more.to_datagrams == 0)
        return;
    add_total(traffic, binding, &more);
    if (!cluster)
        return;
    traffic_turn(traffic, cluster);
    add(&binding_of(cluster, binding)->month, &more);
    if (!cluster->series)
        cluster->series = fed_alloc_zero(traffic->options.mem, sizeof *cluster->series);
    if (cluster->series)
        traffic_series_add(cluster->series, traffic->step, more.from_bytes, more.to_bytes);
    cluster->dirty = true;
}

void hub_traffic_connected(
    struct hub_traffic *traffic, struct fed_span name, const char *binding, const char *address)
{
    struct traffic_cluster *cluster = cluster_get(traffic, name);

    if (!cluster)
        return;
    cluster->sessions++;
    cluster->connected_unix_s = fed_loop_unix_s(traffic->options.loop);
    snprintf(cluster->binding, sizeof cluster->binding, "%s", binding);
    snprintf(cluster->address, sizeof cluster->address, "%s", address);
}

void hub_traffic_disconnected(struct hub_traffic *traffic, struct fed_span name)
{
    struct traffic_cluster *cluster = traffic_find(traffic, name);

    if (cluster && cluster->sessions > 0)
        cluster->sessions--;
}

bool hub_traffic_total(
    struct hub_traffic *traffic, size_t index, const char **binding, struct hub_traffic_counts *out)
{
    if (index == 0 && traffic->collect)
        traffic->collect(traffic->collect_ctx, fed_span_text(""));
    if (index >= traffic->n_totals)
        return false;
    *binding = traffic->totals[index].name;
    *out = traffic->totals[index].counts;
    return true;
}

void hub_traffic_state(struct hub_traffic *traffic, struct hub_traffic_state *out)
{
    struct fed_map_iter it;

    *out = (struct hub_traffic_state){0};
    fed_map_iter_init(&it, &traffic->clusters);
    while (fed_map_iter_next(&it)) {
        const struct traffic_cluster *cluster = it.value;

        out->connected += cluster->sessions > 0;
        out->held += cluster->hold != TRAFFIC_FREE;
        out->spent += cluster->level == TRAFFIC_SPENT;
    }
}

/* ---- what is written ---- */

void hub_traffic_save(struct hub_traffic *traffic)
{
    struct fed_map_iter it;

    if (traffic->collect)
        traffic->collect(traffic->collect_ctx, fed_span_text(""));
    fed_map_iter_init(&it, &traffic->clusters);
    while (fed_map_iter_next(&it)) {
        struct traffic_cluster *cluster = it.value;

        traffic_turn(traffic, cluster);
        if (cluster->dirty)
            (void)traffic_write(traffic, cluster);
    }
}

static void on_write(void *ctx)
{
    struct hub_traffic *traffic = ctx;
    struct fed_loop *loop = traffic->options.loop;

    hub_traffic_save(traffic);
    loop->timer_set(loop->ctx, traffic->write, fed_loop_now_ms(loop) + TRAFFIC_WRITE_MS);
}

/* ---- changes of clusters ---- */

static void cluster_gone(struct hub_traffic *traffic, struct fed_span name)
{
    struct traffic_cluster *cluster = fed_map_remove(&traffic->clusters, name);
    struct fed_store_op op = {.remove = true};
    char key[TRAFFIC_KEY_MAX];

    if (!cluster)
        return;
    op.key = traffic_row_key(cluster, key);
    if (op.key.len && !hub_objects_stage(traffic->options.objects, NULL, 0, &op, 1, NULL, NULL) &&
        !hub_objects_flush_soon(traffic->options.objects))
        (void)hub_objects_flush(traffic->options.objects, NULL);
    traffic->n_rules -= cluster->rules != NULL;
    cluster_free(traffic, cluster);
}

/* What is wrong was refused, or warned of in a log when an older hub took it: it counts for
 * nothing.
 */
static enum fed_err take_rules(struct hub_traffic *traffic, struct fed_span name,
    struct fed_span bytes, struct traffic_rules **out)
{
    struct hub_kubefed_errors errors;
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(traffic->options.mem, &doc);

    if (err)
        return err;
    hub_kubefed_errors_init(&errors, traffic->options.mem);
    err = fed_json_parse(doc, bytes, &object, NULL);
    if (!err)
        err = traffic_rules_read(traffic, object, &errors, out);
    if (errors.n > 0)
        fed_log(traffic->options.log, FED_LOG_WARN,
            "traffic: an annotation of cluster " FED_SPAN_FMT " is not understood: %s",
            FED_SPAN_ARG(name), fed_buf_cstr(&errors.list[0]));
    hub_kubefed_errors_fini(&errors);
    fed_json_doc_free(doc);
    return err;
}

/* The cluster when it has rules, or had. */
static struct traffic_cluster *set_rules(
    struct hub_traffic *traffic, struct fed_span name, struct fed_span bytes)
{
    struct traffic_rules *rules = NULL;
    struct traffic_cluster *cluster;
    enum fed_err err = take_rules(traffic, name, bytes, &rules);

    if (err) {
        fed_log(traffic->options.log, FED_LOG_ERROR,
            "traffic: the annotations of cluster " FED_SPAN_FMT
            " cannot be read: %s; what held before does",
            FED_SPAN_ARG(name), fed_err_text(err));
        return NULL;
    }
    cluster = rules ? cluster_get(traffic, name) : traffic_find(traffic, name);
    if (!cluster) {
        traffic_rules_free(traffic, rules);
        return NULL;
    }
    traffic->n_rules += rules != NULL;
    traffic->n_rules -= cluster->rules != NULL;
    traffic_rules_free(traffic, cluster->rules);
    cluster->rules = rules;
    return cluster;
}

static void on_cluster(void *ctx, const struct hub_change *change)
{
    struct hub_traffic *traffic = ctx;
    struct traffic_cluster *cluster;

    if (!fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        return;
    if (change->type == HUB_CHANGE_DELETED)
        cluster_gone(traffic, change->ref.name);
    if (change->type != HUB_CHANGE_ADDED && change->type != HUB_CHANGE_MODIFIED)
        return;
    cluster = set_rules(traffic, change->ref.name, change->bytes);
    if (cluster)
        traffic_judge(traffic, cluster);
    if (traffic->n_rules > 0)
        traffic_tick_in(traffic, TRAFFIC_TICK_MS);
}

/* ---- life ---- */

void hub_traffic_on_collect(struct hub_traffic *traffic, hub_traffic_collect *collect, void *ctx)
{
    traffic->collect = collect;
    traffic->collect_ctx = ctx;
}

void hub_traffic_on_tell(struct hub_traffic *traffic, hub_traffic_tell *tell, void *ctx)
{
    traffic->tell = tell;
    traffic->tell_ctx = ctx;
}

struct loading {
    struct hub_traffic *traffic;
    enum fed_err err;
};

/* A row that cannot be read is begun anew: counters are no reason not to start. */
static bool load_row(void *ctx, const struct fed_store_item *item)
{
    struct loading *l = ctx;
    struct traffic_cluster *cluster =
        cluster_get(l->traffic, fed_span_sub(item->key, 2, item->key.len));
    enum fed_err err;

    l->err = cluster ? FED_OK : FED_ERR_NOMEM;
    if (l->err)
        return false;
    err = traffic_row_take(item->value, cluster);
    if (err)
        fed_log(l->traffic->options.log, FED_LOG_WARN,
            "traffic: the counters of cluster %s cannot be read: %s", cluster->name,
            fed_err_text(err));
    traffic_turn(l->traffic, cluster);
    return true;
}

static bool load_cluster(void *ctx, const struct hub_object *object)
{
    struct loading *l = ctx;

    (void)set_rules(l->traffic, object->ref.name, object->bytes);
    return true;
}

static enum fed_err load(struct hub_traffic *traffic)
{
    struct fed_store *store = hub_objects_store(traffic->options.objects);
    struct loading l = {.traffic = traffic};
    enum fed_err err =
        store->range(store->ctx, FED_SPAN_LIT("u/"), FED_SPAN_LIT("u0"), 0, load_row, &l);

    err = err ? err : l.err;
    return err ? err
               : hub_objects_list(traffic->options.objects, FED_SPAN_LIT(HUB_CLUSTERS),
                     FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), NULL, load_cluster, &l);
}

/* What waited over the restart in clusters that have no rules any more. */
static void release_others(struct hub_traffic *traffic)
{
    struct fed_span name = hub_plan_cluster_at(traffic->options.plan, 0);

    for (size_t i = 0; name.len > 0; name = hub_plan_cluster_at(traffic->options.plan, ++i)) {
        const struct traffic_cluster *cluster = traffic_find(traffic, name);

        if (!cluster || !cluster->rules)
            hub_plan_hold(traffic->options.plan, name, "", 0);
    }
}

enum fed_err hub_traffic_open(
    const struct hub_traffic_options *options, struct hub_traffic **out, struct fed_diag *diag)
{
    struct hub_traffic *traffic = fed_alloc_zero(options->mem, sizeof *traffic);
    struct fed_loop *loop = options->loop;
    enum fed_err err;

    if (!traffic)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the counters");
    traffic->options = *options;
    traffic->tick_ms = UINT64_MAX;
    fed_map_init(&traffic->clusters, options->mem);
    fed_map_init(&traffic->zones, options->mem);
    err = loop->timer_new(loop->ctx, traffic_tick, traffic, &traffic->tick);
    if (!err)
        err = loop->timer_new(loop->ctx, on_write, traffic, &traffic->write);
    if (!err)
        err = load(traffic);
    if (!err)
        err = hub_objects_subscribe(options->objects, FED_SPAN_LIT(HUB_CLUSTERS), on_cluster,
            traffic, &traffic->subscription);
    if (err) {
        hub_traffic_close(traffic);
        return fed_diag_set(diag, err, "traffic: %s", fed_err_text(err));
    }
    loop->timer_set(loop->ctx, traffic->write, fed_loop_now_ms(loop) + TRAFFIC_WRITE_MS);
    release_others(traffic);
    traffic_tick(traffic);
    *out = traffic;
    return FED_OK;
}

void hub_traffic_close(struct hub_traffic *traffic)
{
    struct fed_map_iter it;

    if (!traffic)
        return;
    if (traffic->subscription) {
        hub_objects_unsubscribe(traffic->subscription);
        hub_traffic_save(traffic);
        (void)hub_objects_flush(traffic->options.objects, NULL);
    }
    traffic->options.loop->timer_free(traffic->options.loop->ctx, traffic->tick);
    traffic->options.loop->timer_free(traffic->options.loop->ctx, traffic->write);
    fed_map_iter_init(&it, &traffic->clusters);
    while (fed_map_iter_next(&it))
        cluster_free(traffic, it.value);
    fed_map_fini(&traffic->clusters);
    traffic_zones_fini(traffic);
    fed_alloc_free(traffic->options.mem, traffic, sizeof *traffic);
}

void hub_traffic_cluster_hooks(struct hub_traffic *traffic, struct hub_kind_hooks *hooks)
{
    traffic->inner = *hooks;
    hooks->ctx = traffic;
    hooks->admit = traffic_admit;
    hooks->compose = traffic_compose;
}
