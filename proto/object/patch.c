/* patch.c - see patch.h. */
#include "proto/object/patch.h"

#include "proto/object/json_tree.h"
#include "proto/object/pointer.h"

#include <inttypes.h>
#include <string.h>

/* ---- merge patch ---- */

/* Two objects that are still to be merged; kept on a stack instead of recursing. */
struct merge {
    yyjson_mut_val *target;
    yyjson_mut_val *patch;
};
struct merger {
    struct fed_json_doc *doc;
    struct fed_json_pairs patch; /* members of the present patch object, sorted */
    struct fed_buf stack;        /* of struct merge */
};

static void merge_push(struct merger *m, struct fed_json *target, yyjson_mut_val *patch)
{
    struct merge next = {.target = fed_json_raw(target), .patch = patch};

    fed_buf_put(&m->stack, fed_span_of(&next, sizeof next));
}

/* Objects in a list that takes the place of something lose their nulls, too: no recursion is deeper
 * than a document may nest. */
static void drop_nulls(struct fed_json *value)
{
    struct fed_json_iter it;

    if (!fed_json_is_object(value) && !fed_json_is_array(value))
        return;
    fed_json_iter_init(&it, value);
    while (fed_json_iter_next(&it)) {
        if (fed_json_is_object(value) && fed_json_type(it.value) == FED_JSON_NULL)
            fed_json_iter_remove(&it);
        else
            drop_nulls(it.value);
    }
}

/* The value that takes the place of old (NULL when there was none): patch itself copied, or an
 * object that the rest of the patch is going to be merged into. NULL when memory is out. */
static struct fed_json *merge_value(struct merger *m, struct fed_json *old, yyjson_mut_val *patch)
{
    struct fed_json *value;

    if (!unsafe_yyjson_is_obj(patch)) {
        value = fed_json_clone(m->doc, fed_json_of(patch));
        if (!fed_json_is_object(old)) /* kube-apiserver's library leaves them there */
            drop_nulls(value);
        return value;
    }
    value = fed_json_is_object(old) ? old : fed_json_new_object(m->doc);
    if (value)
        merge_push(m, value, patch);
    return value;
}

/* The patch's pair for key; it is taken out of the list by clearing its key. NULL when there is
 * none. */
static yyjson_mut_val *merge_find(struct merger *m, bool *used, struct fed_span key)
{
    size_t low = 0;
    size_t high = m->patch.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = fed_span_cmp(key, fed_json_text_of(m->patch.at[middle].key));

        if (order == 0) {
            used[middle] = true;
            return m->patch.at[middle].key->next;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static enum fed_err merge_present(struct merger *m, yyjson_mut_val *target, bool *used)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, fed_json_of(target));
    while (fed_json_iter_next(&it)) {
        yyjson_mut_val *patch = merge_find(m, used, it.key);
        struct fed_json *value;

        if (!patch)
            continue;
        if (unsafe_yyjson_is_null(patch)) {
            fed_json_iter_remove(&it);
            continue;
        }
        value = merge_value(m, it.value, patch);
        if (!value)
            return FED_ERR_NOMEM;
        if (value != it.value)
            fed_json_iter_replace(&it, value);
    }
    return FED_OK;
}

static enum fed_err merge_new(struct merger *m, yyjson_mut_val *target, const bool *used)
{
    for (size_t i = 0; i < m->patch.n; i++) {
        yyjson_mut_val *patch = m->patch.at[i].key->next;
        struct fed_json *key;
        struct fed_json *value;

        if (used[i] || unsafe_yyjson_is_null(patch))
            continue;
        key = fed_json_new_string(m->doc, fed_json_text_of(m->patch.at[i].key));
        value = merge_value(m, NULL, patch);
        if (!key || !value || !yyjson_mut_obj_add(target, fed_json_raw(key), fed_json_raw(value)))
            return FED_ERR_NOMEM;
    }
    return FED_OK;
}

static enum fed_err merge_one(struct merger *m, const struct merge *now)
{
    enum fed_err err;
    bool *used;
    size_t n;

    m->patch.n = 0;
    err = fed_json_pairs_push_last(&m->patch, now->patch);
    if (err)
        return err;
    n = m->patch.n;
    used = fed_alloc_zero(m->patch.mem, n + 1);
    if (!used)
        return FED_ERR_NOMEM;
    err = merge_present(m, now->target, used);
    if (!err)
        err = merge_new(m, now->target, used);
    fed_alloc_free(m->patch.mem, used, n + 1);
    return err;
}

enum fed_err fed_patch_merge(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag)
{
    struct merger m = {.doc = doc, .patch = {.mem = fed_alloc_system()}};
    struct fed_json *root = fed_json_is_object(*target) ? *target : fed_json_new_object(doc);
    enum fed_err err = FED_OK;

    if (!fed_json_is_object(patch))
        return fed_diag_set(diag, FED_ERR_INVALID, "a merge patch must be an object");
    if (!root)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the patch");
    fed_buf_init(&m.stack, fed_alloc_system(), SIZE_MAX / 2);
    merge_push(&m, root, fed_json_raw(patch));
    while (!err && m.stack.len && !m.stack.err) {
        struct merge now;

        memcpy(&now, m.stack.at + m.stack.len - sizeof now, sizeof now);
        fed_buf_cut(&m.stack, m.stack.len - sizeof now);
        err = merge_one(&m, &now);
    }
    if (!err)
        err = fed_buf_err(&m.stack);
    fed_json_pairs_fini(&m.patch);
    fed_buf_fini(&m.stack);
    if (err)
        return fed_diag_set(diag, err, "no memory for the patch");
    *target = root;
    return FED_OK;
}

/* ---- JSON patch ---- */

/* Values looked at by one patch. A patch of the allowed length that walks a large array at each
 * step, or that copies and copies again, is refused instead of keeping the process busy. */
#define WORK_MAX (1u << 22)
#define COPY_COST 4u /* a copied value also takes memory */

struct patcher {
    struct fed_json_doc *doc;
    struct fed_json *root;
    size_t work;
};
struct step {
    struct fed_json *parent;    /* NULL: the whole document */
    bool append;                /* "-" of an array */
    int64_t index;              /* in an array; from its end when negative */
    struct fed_pointer_key key; /* in an object */
};

static enum fed_err spend(struct patcher *p, size_t n)
{
    if (n > WORK_MAX - p->work)
        return FED_ERR_LIMIT;
    p->work += n;
    return FED_OK;
}

/* As Go's strconv.Atoi reads it: signs and leading zeros are fine. */
static enum fed_err read_index(struct fed_span text, int64_t *out)
{
    bool negative = fed_span_starts(text, "-");
    uint64_t value = 0;

    if (negative || fed_span_starts(text, "+"))
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 1 && text.at[0] == '0')
        text = fed_span_sub(text, 1, text.len);
    if (fed_span_to_u64(text, &value) || value > INT64_MAX)
        return FED_ERR_NOT_FOUND;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return FED_OK;
}

/* Reads the last step of a pointer against its container. */
static enum fed_err read_step(struct fed_json *parent, struct fed_span text, struct step *out)
{
    out->parent = parent;
    out->append = false;
    if (fed_json_is_object(parent))
        return fed_pointer_unescape_loose(text, &out->key);
    if (!fed_json_is_array(parent))
        return FED_ERR_NOT_FOUND;
    out->append = fed_span_is(text, "-");
    return out->append ? FED_OK : read_index(text, &out->index);
}

/* Where the step points among n positions of its array; false: at none of them. */
static bool position(const struct step *step, size_t n, size_t *out)
{
    int64_t index = step->index < 0 ? step->index + (int64_t)n : step->index;

    *out = (size_t)index;
    return !step->append && index >= 0 && (size_t)index < n;
}

static struct fed_json *value_at(const struct patcher *p, const struct step *step)
{
    size_t index;

    if (!step->parent)
        return p->root;
    if (fed_json_is_object(step->parent))
        return fed_json_get_span(step->parent, fed_pointer_key_span(&step->key));
    return position(step, fed_json_count(step->parent), &index) ? fed_json_at(step->parent, index)
                                                                : NULL;
}

/* Walks to the container of the pointer's last step. What stands before the first slash is nobody's
 * business. */
static enum fed_err walk(struct patcher *p, struct fed_span pointer, struct step *out)
{
    struct fed_json *at = p->root;
    size_t slash = fed_span_find(pointer, '/');

    if (slash == pointer.len)
        return FED_ERR_NOT_FOUND;
    if (pointer.len > FED_POINTER_MAX)
        return FED_ERR_INVALID;
    pointer = fed_span_sub(pointer, slash, pointer.len);
    for (;;) {
        enum fed_err err;

        pointer = fed_span_sub(pointer, 1, pointer.len);
        slash = fed_span_find(pointer, '/');
        err = spend(p, fed_json_count(at) + 1);
        if (!err)
            err = read_step(at, fed_span_sub(pointer, 0, slash), out);
        if (err || slash == pointer.len)
            return err;
        at = value_at(p, out);
        if (!at)
            return FED_ERR_NOT_FOUND;
        pointer = fed_span_sub(pointer, slash, pointer.len);
    }
}

static enum fed_err add_at(struct patcher *p, const struct step *step, struct fed_json *value)
{
    size_t index;

    if (!value)
        return FED_ERR_NOMEM;
    if (fed_json_is_object(step->parent))
        return fed_json_set_span(p->doc, step->parent, fed_pointer_key_span(&step->key), value);
    if (step->append)
        return fed_json_append(step->parent, value);
    if (!position(step, fed_json_count(step->parent) + 1, &index))
        return FED_ERR_NOT_FOUND;
    return fed_json_insert(step->parent, index, value);
}

static enum fed_err remove_at(const struct step *step)
{
    size_t index;
    bool removed = false;

    if (fed_json_is_object(step->parent))
        removed = fed_json_remove_span(step->parent, fed_pointer_key_span(&step->key));
    else if (position(step, fed_json_count(step->parent), &index))
        removed = fed_json_remove_at(step->parent, index);
    return removed ? FED_OK : FED_ERR_NOT_FOUND;
}

/* Copy with its cost counted; null for nothing. */
static enum fed_err copy_of(struct patcher *p, const struct fed_json *v, struct fed_json **out)
{
    size_t nodes = 1;
    size_t depth = v ? fed_pointer_depth(v, &nodes) : 0;

    if (depth > FED_JSON_DEPTH_MAX || spend(p, nodes > WORK_MAX ? nodes : nodes * COPY_COST))
        return FED_ERR_LIMIT;
    *out = v ? fed_json_clone(p->doc, v) : fed_json_new_null(p->doc);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

/* One operation's path, and value when it takes one. */
static struct fed_span path_of(const struct fed_json *op)
{
    return fed_json_string(fed_json_get(op, "path"));
}

static enum fed_err op_add(struct patcher *p, const struct fed_json *op)
{
    struct fed_json *value = NULL;
    struct step step;
    enum fed_err err = walk(p, path_of(op), &step);

    if (!err)
        err = copy_of(p, fed_json_get(op, "value"), &value);
    return err ? err : add_at(p, &step, value);
}

static enum fed_err op_remove(struct patcher *p, const struct fed_json *op)
{
    struct step step;
    enum fed_err err = walk(p, path_of(op), &step);

    return err ? err : remove_at(&step);
}

/* The whole document by another one; what is none changes nothing. */
static enum fed_err replace_root(struct patcher *p, const struct fed_json *value)
{
    if (!value)
        return FED_ERR_INVALID;
    return fed_json_is_object(value) || fed_json_is_array(value) ? copy_of(p, value, &p->root)
                                                                 : FED_OK;
}

/* A member that an object does not have is added. */
static enum fed_err op_replace(struct patcher *p, const struct fed_json *op)
{
    struct fed_json *value = fed_json_get(op, "value");
    struct step step;
    size_t index;
    enum fed_err err;

    if (path_of(op).len == 0)
        return replace_root(p, value);
    err = walk(p, path_of(op), &step);
    if (!err && fed_json_is_array(step.parent) && !value_at(p, &step))
        err = FED_ERR_NOT_FOUND;
    if (!err)
        err = copy_of(p, value, &value);
    if (err || fed_json_is_object(step.parent))
        return err ? err : add_at(p, &step, value);
    (void)position(&step, fed_json_count(step.parent), &index);
    return fed_json_replace_at(step.parent, index, value);
}

/* A member that an object does not have is null. */
static enum fed_err op_test(struct patcher *p, const struct fed_json *op)
{
    struct fed_json *value = fed_json_get(op, "value");
    struct fed_json *found = p->root;
    struct step step = {.parent = NULL};
    enum fed_err err = value ? FED_OK : FED_ERR_INVALID;

    if (!err && path_of(op).len > 0) {
        err = walk(p, path_of(op), &step);
        found = err ? NULL : value_at(p, &step);
    }
    if (!err && !found && fed_json_is_array(step.parent))
        err = FED_ERR_NOT_FOUND;
    if (err)
        return err;
    if (!found)
        return fed_json_type(value) == FED_JSON_NULL ? FED_OK : FED_ERR_CONFLICT;
    return fed_json_eq(found, value) ? FED_OK : FED_ERR_CONFLICT;
}

/* What is not there in an object is copied as null. */
static enum fed_err op_copy(struct patcher *p, const struct fed_json *op)
{
    struct fed_json *value = NULL;
    struct step step;
    enum fed_err err = walk(p, fed_json_string(fed_json_get(op, "from")), &step);

    if (!err && fed_json_is_array(step.parent) && !value_at(p, &step))
        err = FED_ERR_NOT_FOUND;
    if (!err)
        err = copy_of(p, value_at(p, &step), &value);
    if (!err)
        err = walk(p, path_of(op), &step);
    return err ? err : add_at(p, &step, value);
}

static enum fed_err op_move(struct patcher *p, const struct fed_json *op)
{
    struct fed_json *value;
    struct step step;
    enum fed_err err = walk(p, fed_json_string(fed_json_get(op, "from")), &step);

    if (err)
        return err;
    value = value_at(p, &step);
    err = remove_at(&step);
    if (!err)
        err = walk(p, path_of(op), &step);
    return err ? err : add_at(p, &step, value);
}

typedef enum fed_err op_run(struct patcher *p, const struct fed_json *op);

static enum fed_err run_op(struct patcher *p, const struct fed_json *op, struct fed_diag *diag)
{
    static const struct {
        const char *name;
        op_run *run;
        bool from;
    } ops[] = {{"add", op_add, false}, {"remove", op_remove, false}, {"replace", op_replace, false},
        {"move", op_move, true}, {"copy", op_copy, true}, {"test", op_test, false}};
    struct fed_span name = fed_json_string(fed_json_get(op, "op"));
    struct fed_span path = fed_json_string(fed_json_get(op, "path"));

    if (!fed_json_is_string(fed_json_get(op, "path")))
        return fed_diag_set(diag, FED_ERR_INVALID, "path is missing");
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        enum fed_err err;

        if (!fed_span_is(name, ops[i].name))
            continue;
        if (ops[i].from && !fed_json_is_string(fed_json_get(op, "from")))
            return fed_diag_set(diag, FED_ERR_INVALID, "from is missing");
        err = ops[i].run(p, op);
        if (err == FED_ERR_NOT_FOUND)
            err = FED_ERR_INVALID;
        return err ? fed_diag_set(diag, err, "%s " FED_SPAN_FMT ": %s", ops[i].name,
                         FED_SPAN_ARG(fed_span_sub(path, 0, 256)),
                         err == FED_ERR_CONFLICT  ? "the test failed"
                         : err == FED_ERR_INVALID ? "does not apply"
                                                  : fed_err_text(err))
                   : FED_OK;
    }
    return fed_diag_set(diag, FED_ERR_INVALID, "unknown op \"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(fed_span_sub(name, 0, 32)));
}

enum fed_err fed_patch_json(struct fed_json_doc *doc, struct fed_json **target,
    const struct fed_json *patch, struct fed_diag *diag)
{
    struct patcher p = {.doc = doc, .root = *target};
    struct fed_json_iter it;

    if (!fed_json_is_array(patch))
        return fed_diag_set(diag, FED_ERR_INVALID, "a JSON patch must be a list");
    if (fed_json_count(patch) > FED_PATCH_OPS_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "the patch has more than %u operations", FED_PATCH_OPS_MAX);
    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)patch);
    while (fed_json_iter_next(&it)) {
        enum fed_err err = run_op(&p, it.value, diag);

        if (err)
            return fed_diag_prefix(diag, err, "operation %zu", it.index + 1);
    }
    if (fed_pointer_depth(p.root, NULL) > FED_JSON_DEPTH_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "the patch nests the object deeper than %u levels",
            FED_JSON_DEPTH_MAX);
    *target = p.root;
    return FED_OK;
}
