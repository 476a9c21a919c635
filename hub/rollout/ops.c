/* ops.c - a commit in the making: rows and objects that become durable together. */
#include "hub/rollout/internal.h"

#include <string.h>

#define OPS_MEMORY_MAX (256u << 20) /* rows of 100,000 clusters */

void rollout_ops_init(struct rollout_ops *ops, struct fed_alloc *mem)
{
    *ops = (struct rollout_ops){.err = FED_OK};
    fed_arena_init(&ops->arena, mem, OPS_MEMORY_MAX);
}

void rollout_ops_fini(struct rollout_ops *ops)
{
    fed_arena_fini(&ops->arena);
}

static bool copy(struct rollout_ops *ops, struct fed_span from, struct fed_span *to)
{
    uint8_t *at = fed_alloc_get(&ops->arena.alloc, from.len + 1);

    if (!at)
        return false;
    if (from.len)
        memcpy(at, from.at, from.len);
    *to = fed_span_of(at, from.len);
    return true;
}

void rollout_ops_add(struct rollout_ops *ops, struct fed_span key, const struct fed_span *value)
{
    struct fed_store_op op = {.remove = !value};
    struct fed_store_op *list;

    if (ops->err)
        return;
    list = fed_alloc_more(&ops->arena.alloc, ops->list, ops->n, &ops->cap, sizeof *list, 64);
    if (!list || ops->cap > FED_STORE_OPS_MAX * 2) {
        ops->err = list ? FED_ERR_LIMIT : FED_ERR_NOMEM;
        return;
    }
    ops->list = list;
    if (!copy(ops, key, &op.key) || (value && !copy(ops, *value, &op.value)))
        ops->err = FED_ERR_NOMEM;
    else
        ops->list[ops->n++] = op;
}

void rollout_ops_set(struct rollout_ops *ops, size_t index, struct fed_span value)
{
    struct fed_store_op *op = &ops->list[index];

    if (!copy(ops, value, &op->value))
        ops->err = FED_ERR_NOMEM;
    op->remove = false;
}

static bool copy_ref(
    struct rollout_ops *ops, const struct hub_object_ref *from, struct hub_object_ref *to)
{
    return copy(ops, from->resource, &to->resource) && copy(ops, from->ns, &to->ns) &&
           copy(ops, from->name, &to->name);
}

static enum fed_err grow_writes(struct rollout_ops *ops)
{
    struct hub_object_write *writes = fed_alloc_more(
        &ops->arena.alloc, ops->writes, ops->n_writes, &ops->cap_writes, sizeof *writes, 4);

    if (!writes)
        return FED_ERR_NOMEM;
    ops->writes = writes;
    return FED_OK;
}

void rollout_ops_write(struct rollout_ops *ops, const struct hub_object_ref *ref,
    const struct fed_json *object, uint64_t expected)
{
    struct hub_object_write write = {.expected = expected, .remove = !object};
    struct fed_buf bytes;

    if (!ops->err)
        ops->err = grow_writes(ops);
    if (!ops->err && !copy_ref(ops, ref, &write.ref))
        ops->err = FED_ERR_NOMEM;
    if (!ops->err && object) {
        fed_buf_init(&bytes, &ops->arena.alloc, HUB_OBJECT_BYTES_MAX);
        ops->err = fed_json_put(&bytes, object);
        write.bytes = fed_buf_span(&bytes);
    }
    if (!ops->err)
        ops->writes[ops->n_writes++] = write;
}

enum fed_err rollout_ops_stage(struct hub_rollouts *r, struct rollout_subject *s,
    struct rollout_ops *ops, struct fed_diag *diag)
{
    enum fed_err err = ops->err;

    if (err || (ops->n == 0 && ops->n_writes == 0))
        return err;
    err = hub_objects_stage(r->objects, ops->writes, ops->n_writes, ops->list, ops->n, NULL, diag);
    if (err)
        return err;
    rollout_unsettle(r, s);
    if (!hub_objects_flush_soon(r->objects))
        r->flush = true; /* whoever called into this does it, or the timer */
    return FED_OK;
}
