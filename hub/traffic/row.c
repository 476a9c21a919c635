/* row.c - a cluster's row in the store: u8 format 1; varint month; varint n, then each: string
 * binding, eight varints: bytes from and to the cluster, datagrams from and to, of the month and of
 * the one before. */
#include "hub/traffic/internal.h"

#include <stdio.h>

#define ROW_FORMAT 1u
#define ROW_MAX 512u
#define NUMBERS 8u /* of a binding */

struct fed_span traffic_row_key(const struct traffic_cluster *cluster, char key[TRAFFIC_KEY_MAX])
{
    int n = snprintf(key, TRAFFIC_KEY_MAX, "u/%s", cluster->name);

    return fed_span_of(key, n < 0 || (unsigned)n >= TRAFFIC_KEY_MAX ? 0 : (size_t)n);
}

static void put_row(struct fed_buf *out, const struct traffic_cluster *cluster)
{
    fed_buf_put_u8(out, ROW_FORMAT);
    fed_buf_put_varint(out, cluster->month);
    fed_buf_put_varint(out, cluster->n_bindings);
    for (size_t i = 0; i < cluster->n_bindings; i++) {
        const struct traffic_binding *b = &cluster->bindings[i];
        const uint64_t numbers[NUMBERS] = {b->month.from_bytes, b->month.to_bytes,
            b->month.from_datagrams, b->month.to_datagrams, b->before.from_bytes,
            b->before.to_bytes, b->before.from_datagrams, b->before.to_datagrams};

        fed_buf_put_string(out, fed_span_text(b->name));
        for (size_t n = 0; n < NUMBERS; n++)
            fed_buf_put_varint(out, numbers[n]);
    }
}

static enum fed_err take_binding(struct fed_span *from, struct traffic_binding *out)
{
    uint64_t *const numbers[NUMBERS] = {&out->month.from_bytes, &out->month.to_bytes,
        &out->month.from_datagrams, &out->month.to_datagrams, &out->before.from_bytes,
        &out->before.to_bytes, &out->before.from_datagrams, &out->before.to_datagrams};
    struct fed_span name;
    enum fed_err err = fed_span_take_string(from, sizeof out->name - 1, &name);

    if (!err)
        err = fed_span_to_cstr(name, out->name, sizeof out->name);
    for (size_t n = 0; !err && n < NUMBERS; n++)
        err = fed_span_take_varint(from, UINT64_MAX, numbers[n]);
    return err;
}

enum fed_err traffic_row_take(struct fed_span from, struct traffic_cluster *out)
{
    uint8_t format = 0;
    uint64_t n = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != ROW_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_varint(&from, UINT32_MAX, &out->month);
    if (!err)
        err = fed_span_take_varint(&from, TRAFFIC_BINDINGS, &n);
    for (size_t i = 0; !err && i < n; i++) {
        err = take_binding(&from, &out->bindings[i]);
        out->n_bindings += !err;
    }
    return err;
}

uint64_t traffic_write(struct hub_traffic *traffic, struct traffic_cluster *cluster)
{
    struct fed_diag diag = {""};
    struct fed_store_op op;
    struct fed_buf row;
    char key[TRAFFIC_KEY_MAX];
    uint64_t revision = 0;
    enum fed_err err;

    fed_buf_init(&row, traffic->options.mem, ROW_MAX);
    put_row(&row, cluster);
    op = (struct fed_store_op){.key = traffic_row_key(cluster, key), .value = fed_buf_span(&row)};
    err = op.key.len ? fed_buf_err(&row) : FED_ERR_LIMIT;
    if (!err)
        err = hub_objects_stage(traffic->options.objects, NULL, 0, &op, 1, &revision, &diag);
    if (!err && !hub_objects_flush_soon(traffic->options.objects))
        err = hub_objects_flush(traffic->options.objects, &diag);
    if (err)
        fed_log(traffic->options.log, FED_LOG_WARN,
            "traffic: the counters of cluster %s cannot be stored: %s", cluster->name,
            diag.text[0] ? diag.text : fed_err_text(err));
    else
        cluster->dirty = false;
    fed_buf_fini(&row);
    return err ? 0 : revision;
}
