/* status.c - see status.h: what the hub tells of one object, put together. */
#include "cli/status.h"

#include "proto/base/text.h"

#include <stdlib.h>
#include <string.h>

enum cli_color status_color(enum cli_state state)
{
    switch (state) {
    case CLI_STATE_FAILED:
    case CLI_STATE_REFUSED:
        return CLI_RED;
    case CLI_STATE_OFFLINE:
        return CLI_YELLOW;
    default:
        return CLI_PLAIN;
    }
}

/* ---- rows ---- */
static void explain_offline(const struct look *look, struct status_row *row)
{
    const struct look_cluster *cluster = look_cluster(look, row->cluster);

    if (!cluster)
        return;
    if (row->message.len == 0)
        row->message = cluster->message;
    row->since_unix_s = cluster->since_unix_s;
    if (cluster->ready == LOOK_UNSEEN)
        row->remedy =
            "Start its agent, or join it: `fedctl token create` here, `fedlet join` there.";
    else if (cluster->ready == LOOK_NOT_READY)
        row->remedy = "Its agent is there, its API server is not well: look at the member's own "
                      "control plane.";
}

static void take_row(const struct look *look, const struct status_object *status,
    const struct fed_json *entry, struct status_row *row)
{
    int64_t changed = look_time(fed_json_get(entry, "lastTransitionTime"));

    *row = (struct status_row){.cluster = fed_json_string(fed_json_get(entry, "name")),
        .word = fed_json_string(fed_json_get(entry, "status")),
        .message = fed_json_string(fed_json_get(entry, "message")),
        .health = fed_json_string(fed_json_get(entry, "health")),
        .version = fed_json_string(fed_json_get(entry, "version"))};
    row->state = cli_state_of(row->word);
    row->remedy = cli_remedy(row->word, row->message);
    if (!cli_state_is_settled(row->state))
        row->since_unix_s = status->since_unix_s;
    if (row->state == CLI_STATE_OFFLINE)
        explain_offline(look, row);
    if (changed > 0)
        row->since_unix_s = changed;
}

static int by_severity(const void *a, const void *b)
{
    const struct status_row *x = a;
    const struct status_row *y = b;

    if (x->state != y->state)
        return x->state > y->state ? -1 : 1;
    return fed_span_cmp(x->cluster, y->cluster);
}

static enum fed_err take_rows(const struct look *look, struct status_object *out)
{
    const struct fed_json *list = fed_json_find(out->object, "status.clusters");
    struct fed_json_iter it;

    out->rows = calloc(fed_json_count(list) + 1, sizeof *out->rows);
    if (!out->rows)
        return FED_ERR_NOMEM;
    fed_json_iter_init(&it, fed_json_find(out->object, "status.clusters"));
    while (fed_json_iter_next(&it)) {
        struct status_row *row = &out->rows[out->n_rows++];

        take_row(look, out, it.value, row);
        out->counts[row->state]++;
    }
    qsort(out->rows, out->n_rows, sizeof *out->rows, by_severity);
    return FED_OK;
}

/* ---- groups ---- */
static enum fed_err key_of(const struct status_row *row, struct fed_buf *out)
{
    fed_buf_clear(out);
    fed_buf_put_u8(out, (uint8_t)row->state);
    fed_buf_put_string(out, row->word);
    /* What is said of a cluster that is not there names times of its own. */
    fed_buf_put_string(
        out, row->state == CLI_STATE_OFFLINE ? fed_span_text(row->remedy) : row->message);
    return fed_buf_err(out);
}

static enum fed_err group_one(struct status_object *out, struct fed_map *map,
    const struct status_row *row, struct fed_buf *key)
{
    struct status_group *group;
    enum fed_err err = key_of(row, key);

    if (err)
        return err;
    group = fed_map_get(map, fed_buf_span(key));
    if (group) {
        group->n++;
        return FED_OK;
    }
    group = &out->groups[out->n_groups++];
    *group = (struct status_group){row, 1};
    return fed_map_put(map, fed_buf_span(key), group);
}

static int by_size(const void *a, const void *b)
{
    const struct status_group *x = a;
    const struct status_group *y = b;

    if (x->first->state != y->first->state)
        return x->first->state > y->first->state ? -1 : 1;
    return x->n != y->n ? (x->n > y->n ? -1 : 1) : by_severity(x->first, y->first);
}

static enum fed_err take_groups(struct look *look, struct status_object *out)
{
    struct fed_map map;
    struct fed_buf key;
    enum fed_err err = FED_OK;

    out->groups = calloc(out->n_rows + 1, sizeof *out->groups);
    if (!out->groups)
        return FED_ERR_NOMEM;
    fed_map_init(&map, look->cli->mem);
    fed_buf_init(&key, look->cli->mem, 1u << 16);
    for (size_t i = 0; !err && i < out->n_rows && !cli_state_is_settled(out->rows[i].state); i++)
        err = group_one(out, &map, &out->rows[i], &key);
    fed_buf_fini(&key);
    fed_map_fini(&map);
    qsort(out->groups, out->n_groups, sizeof *out->groups, by_size);
    return err;
}

/* ---- the object ---- */
static void take_problem(struct status_object *out, const struct fed_json *propagation)
{
    struct fed_span reason = fed_json_string(fed_json_get(propagation, "reason"));

    if (reason.len == 0 || fed_span_is(reason, "CheckClusters"))
        return;
    out->problem = reason;
    out->problem_message = fed_json_string(fed_json_get(propagation, "message"));
}

enum fed_err status_take(struct look *look, const struct look_kind *kind,
    const struct fed_json *object, struct status_object *out)
{
    const struct fed_json *propagation = look_condition(object, "Propagation");
    enum fed_err err;

    *out = (struct status_object){.kind = kind,
        .object = object,
        .ns = fed_json_string(fed_json_find(object, "metadata.namespace")),
        .name = fed_json_string(fed_json_find(object, "metadata.name")),
        .generation = fed_json_int(fed_json_find(object, "metadata.generation"), 0),
        .observed = fed_json_int(fed_json_find(object, "status.observedGeneration"), 0),
        .deleting = fed_json_is_string(fed_json_find(object, "metadata.deletionTimestamp")),
        .since_unix_s = look_time(fed_json_get(propagation, "lastTransitionTime"))};
    take_problem(out, propagation);
    err = take_rows(look, out);
    if (!err)
        err = take_groups(look, out);
    if (err)
        status_fini(out);
    return err;
}

void status_fini(struct status_object *status)
{
    free(status->rows);
    free(status->groups);
    status->rows = NULL;
    status->groups = NULL;
}

enum cli_state status_worst(const struct status_object *status)
{
    if (status->problem.len > 0)
        return CLI_STATE_REFUSED;
    if (status->n_rows > 0 && !cli_state_is_settled(status->rows[0].state))
        return status->rows[0].state;
    if (status->deleting)
        return CLI_STATE_REMOVING;
    return status->observed < status->generation ? CLI_STATE_PENDING : CLI_STATE_APPLIED;
}

bool status_is_applied(const struct status_object *status)
{
    return status_worst(status) == CLI_STATE_APPLIED;
}

/* ---- events ---- */
struct seeing {
    struct fed_span kind;
    struct status_object *status;
    struct fed_map rows; /* cluster -> its row */
};

/* ...in cluster "paris"...: the cluster that the sentence names. */
static struct fed_span named_cluster(struct fed_span message)
{
    static const char before[] = "cluster \"";
    size_t len = sizeof before - 1;

    for (size_t i = 0; i + len < message.len; i++)
        if (memcmp(message.at + i, before, len) == 0) {
            struct fed_span rest = fed_span_sub(message, i + len, message.len);

            return fed_span_sub(rest, 0, fed_span_find(rest, '"'));
        }
    return (struct fed_span){0};
}

static void see_event(void *ctx, struct fed_json *event)
{
    struct seeing *s = ctx;
    struct status_row *row =
        fed_map_get(&s->rows, named_cluster(fed_json_string(fed_json_get(event, "message"))));
    bool warning = fed_span_is(fed_json_string(fed_json_get(event, "type")), "Warning");
    int64_t at = look_time(fed_json_get(event, warning ? "firstTimestamp" : "lastTimestamp"));

    if (!row || at == 0 ||
        !fed_span_eq(fed_json_string(fed_json_find(event, "involvedObject.kind")), s->kind))
        return;
    if (warning != (row->state == CLI_STATE_FAILED || row->state == CLI_STATE_REFUSED))
        return;
    if ((row->state == CLI_STATE_APPLIED || warning) && at > row->since_unix_s)
        row->since_unix_s = at;
}

void status_take_events(struct look *look, struct status_object *status)
{
    struct seeing s = {.kind = status->kind->kind, .status = status};
    struct fed_diag diag = {""};
    struct fed_buf path;

    fed_map_init(&s.rows, look->cli->mem);
    fed_buf_init(&path, look->cli->mem, 2048);
    fed_buf_printf(&path,
        "/api/v1/namespaces/" FED_SPAN_FMT
        "/events?fieldSelector=involvedObject.name%%3D" FED_SPAN_FMT,
        FED_SPAN_ARG(status->ns.len ? status->ns : FED_SPAN_LIT("default")),
        FED_SPAN_ARG(status->name));
    for (size_t i = 0; i < status->n_rows; i++)
        if (fed_map_put(&s.rows, status->rows[i].cluster, &status->rows[i]))
            break; /* without memory fewer times are known */
    /* Times alone depend on it, and rights on events may be missing. */
    (void)!look_list(look, fed_buf_cstr(&path), see_event, &s, &diag);
    fed_buf_fini(&path);
    fed_map_fini(&s.rows);
}

/* ---- words ---- */
void status_counts(const size_t counts[CLI_STATES], char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < CLI_STATES && used < size; i++)
        if (counts[i] > 0) {
            int n = snprintf(out + used, size - used, "%s%zu %s", used ? ", " : "", counts[i],
                cli_state_name((enum cli_state)i));

            used += n > 0 ? (size_t)n : 0;
        }
}

void status_sentence(const struct status_object *status, char *out, size_t size)
{
    const struct status_row *row = status->n_groups ? status->groups[0].first : NULL;

    if (status->problem.len > 0)
        snprintf(out, size, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(status->problem),
            status->problem_message.len ? ": " : "", FED_SPAN_ARG(status->problem_message));
    else if (row)
        snprintf(out, size, FED_SPAN_FMT ": " FED_SPAN_FMT "%s" FED_SPAN_FMT,
            FED_SPAN_ARG(row->cluster), FED_SPAN_ARG(row->word), row->message.len ? ": " : "",
            FED_SPAN_ARG(row->message));
    else
        snprintf(out, size, "%s", status->deleting ? "it is being deleted" : "");
}

enum fed_err status_json_counts(
    struct look *look, struct fed_json *to, const size_t counts[CLI_STATES])
{
    struct fed_json *object = fed_json_ensure_object(look->cli->doc, to, "counts");
    enum fed_err err = object ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < CLI_STATES; i++)
        err = fed_json_set_int(
            look->cli->doc, object, cli_state_name((enum cli_state)i), (int64_t)counts[i]);
    return err;
}

enum fed_err status_json_time(
    struct look *look, struct fed_json *to, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    if (unix_s <= 0)
        return FED_OK;
    fed_text_time(unix_s, text);
    return fed_json_set_text(look->cli->doc, to, key, text);
}
