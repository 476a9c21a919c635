/* times.c - when the Propagation condition of a federated object last moved.
 *
 * Row "c/" resource NUL namespace NUL name: u8 format 1, varint lastUpdateTime and
 * lastTransitionTime (Unix seconds), string reason. The condition is composed when somebody reads,
 * so that is when a move is noticed; its time is that of the report or change behind it. Rows are
 * written together, within a second, and losing one costs a time that is younger than it should be.
 * Rules: KubeFed pkg/controller/sync/status/status.go: lastTransitionTime moves with status or
 * reason, lastUpdateTime also with what was propagated. */
#include "hub/status/internal.h"

#include <stdio.h>
#include <string.h>

#define WRITE_MS 1000u
#define WRITE_MAX 1024u /* rows of one commit */
#define ROW_FORMAT 1u

/* ---- keys ---- */

static bool key_of(const struct hub_object_ref *ref, char key[1024], size_t *len)
{
    int n = snprintf(key, 1024, "c/" FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT,
        FED_SPAN_ARG(ref->resource), 0, FED_SPAN_ARG(ref->ns), 0, FED_SPAN_ARG(ref->name));

    *len = n > 0 ? (size_t)n : 0;
    return n > 0 && n < 1024;
}

static void take(struct status_object *object, struct fed_span row)
{
    struct fed_span reason = {0};
    uint64_t update = 0;
    uint64_t transition = 0;
    uint8_t format = 0;

    if (fed_span_take_u8(&row, &format) || format != ROW_FORMAT ||
        fed_span_take_varint(&row, INT64_MAX, &update) ||
        fed_span_take_varint(&row, INT64_MAX, &transition) ||
        fed_span_take_string(&row, sizeof object->reason - 1, &reason) ||
        fed_span_to_cstr(reason, object->reason, sizeof object->reason))
        return; /* as if it had never been: the times begin now */
    object->update_unix_s = (int64_t)update;
    object->transition_unix_s = (int64_t)transition;
    object->known = object->stored = true;
}

struct status_object *status_object_get(struct hub_status *status, const struct hub_object_ref *ref)
{
    char key[1024];
    size_t len;
    struct status_object *object;
    struct fed_buf row;

    if (!key_of(ref, key, &len))
        return NULL;
    object = fed_map_get(&status->seen, fed_span_of(key, len));
    if (object)
        return object;
    object = fed_alloc_zero(status->mem, sizeof *object);
    if (object && fed_map_put(&status->seen, fed_span_of(key, len), object)) {
        fed_alloc_free(status->mem, object, sizeof *object);
        return NULL;
    }
    if (!object)
        return NULL;
    fed_buf_init(&row, status->mem, 1024);
    if (!hub_objects_get_row(status->objects, fed_span_of(key, len), &row, NULL))
        take(object, fed_buf_span(&row));
    fed_buf_fini(&row);
    return object;
}

struct status_object *status_object_find(
    struct hub_status *status, const struct hub_object_ref *ref)
{
    char key[1024];
    size_t len;

    return key_of(ref, key, &len) ? fed_map_get(&status->seen, fed_span_of(key, len)) : NULL;
}

/* ---- moves ---- */

static void move(struct hub_status *status, struct status_object *object)
{
    if (object->dirty)
        return;
    object->dirty = true;
    if (status->n_dirty++ == 0)
        status->loop->timer_set(
            status->loop->ctx, status->times_timer, fed_loop_now_ms(status->loop) + WRITE_MS);
}

void status_times_see(struct hub_status *status, struct status_object *object, const char *reason)
{
    int64_t now = fed_loop_unix_s(status->loop);

    if (!object->known || strcmp(object->reason, reason) != 0) {
        int64_t since = object->known && object->touched_unix_s ? object->touched_unix_s : now;

        object->known = true;
        snprintf(object->reason, sizeof object->reason, "%s", reason);
        object->transition_unix_s = since;
        if (object->update_unix_s < since)
            object->update_unix_s = since;
        move(status, object);
    }
    if (object->update_unix_s < object->propagated_unix_s) {
        object->update_unix_s = object->propagated_unix_s;
        move(status, object);
    }
}

/* ---- rows ---- */

static enum fed_err add_row(struct fed_arena *arena, struct fed_store_op *op, struct fed_span key,
    struct status_object *object)
{
    struct fed_buf row;
    uint8_t *copy = fed_alloc_get(&arena->alloc, key.len);

    fed_buf_init(&row, &arena->alloc, 256);
    fed_buf_put_u8(&row, ROW_FORMAT);
    fed_buf_put_varint(&row, (uint64_t)object->update_unix_s);
    fed_buf_put_varint(&row, (uint64_t)object->transition_unix_s);
    fed_buf_put_string(&row, fed_span_text(object->reason));
    if (!copy || fed_buf_err(&row))
        return FED_ERR_NOMEM;
    memcpy(copy, key.at, key.len);
    *op = (struct fed_store_op){.key = fed_span_of(copy, key.len), .value = fed_buf_span(&row)};
    object->dirty = false;
    object->stored = true;
    return FED_OK;
}

void status_times_write(void *ctx)
{
    struct hub_status *status = ctx;
    struct fed_arena arena;
    struct fed_store_op *ops;
    struct fed_map_iter it;
    size_t n = 0;
    enum fed_err err = FED_OK;

    fed_arena_init(&arena, status->mem, 8u << 20);
    ops = fed_alloc_array(&arena.alloc, WRITE_MAX, sizeof *ops);
    fed_map_iter_init(&it, &status->seen);
    while (ops && !err && n < WRITE_MAX && n < status->n_dirty && fed_map_iter_next(&it)) {
        struct status_object *object = it.value;

        if (object->dirty)
            err = add_row(&arena, &ops[n++], it.key, object);
    }
    if (!ops || err)
        n = 0; /* what is not written now is with its next move */
    status->n_dirty = n < status->n_dirty && n ? status->n_dirty - n : 0;
    if (n && (hub_objects_stage(status->objects, NULL, 0, ops, n, NULL, NULL) ||
                 !hub_objects_flush_soon(status->objects)))
        fed_log(status->log, FED_LOG_WARN, "status: the times of %zu conditions are not stored", n);
    if (status->n_dirty)
        status->loop->timer_set(
            status->loop->ctx, status->times_timer, fed_loop_now_ms(status->loop) + WRITE_MS);
    fed_arena_fini(&arena);
}

void status_object_forget(struct hub_status *status, const struct hub_object_ref *ref)
{
    struct fed_store_op op = {.remove = true};
    struct status_object *object;
    char key[1024];
    size_t len;

    if (!key_of(ref, key, &len))
        return;
    op.key = fed_span_of(key, len);
    object = fed_map_get(&status->seen, op.key);
    if (!object)
        return;
    if (object->dirty)
        status->n_dirty--;
    if (object->stored && hub_objects_stage(status->objects, NULL, 0, &op, 1, NULL, NULL))
        fed_log(status->log, FED_LOG_WARN,
            "status: the times of " FED_SPAN_FMT "/" FED_SPAN_FMT " cannot be forgotten",
            FED_SPAN_ARG(ref->ns), FED_SPAN_ARG(ref->name));
    else if (object->stored && !hub_objects_flush_soon(status->objects))
        (void)hub_objects_flush(status->objects, NULL);
    fed_alloc_free(status->mem, fed_map_remove(&status->seen, op.key), sizeof *object);
}
