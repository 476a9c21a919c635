/* override.c - see override.h.
 *
 * KubeFed runs the operations through an old JSON patch library with negative indices allowed. Each
 * rule that differs from RFC 6902 stands where it is made. */
#include "proto/object/override.h"

#include "proto/object/pointer.h"

struct op {
    enum { OP_REPLACE, OP_ADD, OP_REMOVE } kind;
    struct fed_span path;
    struct fed_json *value; /* NULL when absent */
};

static const char *op_name(const struct op *op)
{
    return op->kind == OP_ADD ? "add" : op->kind == OP_REMOVE ? "remove" : "replace";
}

static enum fed_err read_op(const struct fed_json *v, struct op *out, struct fed_diag *diag)
{
    struct fed_json *op = fed_json_get(v, "op");
    struct fed_json *path = fed_json_get(v, "path");
    struct fed_span name = fed_json_string(op);
    struct op read = {.kind = OP_REPLACE, .value = fed_json_get(v, "value")};

    if (!fed_json_is_object(v))
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    if (op && fed_json_type(op) != FED_JSON_NULL && !fed_json_is_string(op))
        return fed_diag_set(diag, FED_ERR_INVALID, "op is not a string");
    if (fed_span_is(name, "add"))
        read.kind = OP_ADD;
    else if (fed_span_is(name, "remove"))
        read.kind = OP_REMOVE;
    else if (name.len && !fed_span_is(name, "replace"))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "op \"" FED_SPAN_FMT "\" is not one of add, remove, replace",
            FED_SPAN_ARG(fed_span_sub(name, 0, 32)));
    if (!fed_json_is_string(path))
        return fed_diag_set(diag, FED_ERR_INVALID, "path is missing");
    read.path = fed_json_string(path);
    if (read.path.len > FED_POINTER_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "path is longer than %u bytes", FED_POINTER_MAX);
    *out = read;
    return FED_OK;
}

/* ---- check ---- */

static enum fed_err check_members(const struct fed_json *v, struct fed_diag *diag)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)v);
    while (fed_json_iter_next(&it)) {
        if (!fed_span_is(it.key, "op") && !fed_span_is(it.key, "path") &&
            !fed_span_is(it.key, "value"))
            return fed_diag_set(diag, FED_ERR_INVALID, "unknown member \"" FED_SPAN_FMT "\"",
                FED_SPAN_ARG(fed_span_sub(it.key, 0, 64)));
    }
    return FED_OK;
}

/* KubeFed compares the text only: "/metadata" as a whole passes, and the member refuses the result.
 */
static bool is_forbidden(struct fed_span path)
{
    return fed_span_is(path, "/metadata/namespace") || fed_span_is(path, "/metadata/name") ||
           fed_span_is(path, "/metadata/generateName") || fed_span_is(path, "/kind");
}

/* paths: those before it, NULL when one may stand twice. The two that KubeFed refuses too are told
 * in its words. */
static enum fed_err check_path(const struct fed_span *paths, size_t n, struct fed_span path,
    struct fed_span cluster, struct fed_diag *diag)
{
    if (is_forbidden(path))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "override[%zu] for cluster \"" FED_SPAN_FMT "\" has an invalid path: " FED_SPAN_FMT, n,
            FED_SPAN_ARG(cluster), FED_SPAN_ARG(path));
    for (size_t i = 0; paths && i < n; i++) {
        if (fed_span_eq(paths[i], path))
            return fed_diag_set(diag, FED_ERR_INVALID,
                "path \"" FED_SPAN_FMT "\" appears more than once for cluster \"" FED_SPAN_FMT "\"",
                FED_SPAN_ARG(fed_span_sub(path, 0, 256)), FED_SPAN_ARG(cluster));
    }
    return FED_OK;
}

/* Absent and null are an empty list, which iterates over nothing. */
static enum fed_err check_list(const struct fed_json *operations, struct fed_diag *diag)
{
    if (!operations || fed_json_type(operations) == FED_JSON_NULL)
        return FED_OK;
    if (!fed_json_is_array(operations))
        return fed_diag_set(diag, FED_ERR_INVALID, "overrides are not a list");
    if (fed_json_count(operations) > FED_OVERRIDE_OPS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u overrides", FED_OVERRIDE_OPS_MAX);
    return FED_OK;
}

static enum fed_err check_all(struct fed_span cluster, const struct fed_json *operations,
    struct fed_span *paths, struct fed_diag *diag)
{
    enum fed_err list_err = check_list(operations, diag);
    struct fed_json_iter it = fed_json_each(operations);
    size_t n = 0;

    if (list_err)
        return list_err;
    while (fed_json_iter_next(&it)) {
        struct op op;
        enum fed_err err = read_op(it.value, &op, diag);

        if (!err)
            err = check_members(it.value, diag);
        if (err)
            return cluster.len ? fed_diag_prefix(diag, err,
                                     "override[%zu] for cluster \"" FED_SPAN_FMT "\"", n,
                                     FED_SPAN_ARG(cluster))
                               : fed_diag_prefix(diag, err, "override[%zu]", n);
        err = check_path(paths, n, op.path, cluster, diag);
        if (err)
            return err;
        if (paths)
            paths[n] = op.path;
        n++;
    }
    return FED_OK;
}

enum fed_err fed_override_check(
    struct fed_span cluster, const struct fed_json *operations, struct fed_diag *diag)
{
    struct fed_span paths[FED_OVERRIDE_OPS_MAX];

    return check_all(cluster, operations, paths, diag);
}

enum fed_err fed_override_check_joined(const struct fed_json *operations, struct fed_diag *diag)
{
    return check_all(fed_span_text(""), operations, NULL, diag);
}

/* ---- apply ---- */

/* Position in an array; -1 counts from an end that lies at count. FED_ERR_INVALID. */
static enum fed_err array_index(struct fed_span step, size_t count, size_t *out)
{
    bool negative = fed_span_starts(step, "-");
    size_t index;

    /* Signs and leading zeros are what Go's strconv.Atoi takes. */
    if (negative || fed_span_starts(step, "+"))
        step = fed_span_sub(step, 1, step.len);
    while (step.len > 1 && step.at[0] == '0')
        step = fed_span_sub(step, 1, step.len);
    if (fed_pointer_index(step, &index))
        return FED_ERR_INVALID;
    if (negative && index > count)
        return FED_ERR_INVALID;
    *out = negative && index ? count - index : index;
    return FED_OK;
}

/* The value below at named by step; NULL when there is none. */
static struct fed_json *child_of(struct fed_json *at, struct fed_span step)
{
    struct fed_pointer_key key;
    size_t index;

    if (fed_json_is_array(at))
        return array_index(step, fed_json_count(at), &index) ? NULL : fed_json_at(at, index);
    if (fed_pointer_unescape_loose(step, &key))
        return NULL;
    return fed_json_get_span(at, fed_pointer_key_span(&key));
}

/* Container of the path's last step, and that step. NULL when the way there is broken. */
static struct fed_json *parent_of(
    struct fed_json *root, struct fed_span path, struct fed_span *last)
{
    struct fed_json *at = root;
    size_t slash = fed_span_find(path, '/');

    /* What stands before the first slash is dropped, as in "spec/replicas". Without a slash there
     * is no path. */
    if (slash == path.len)
        return NULL;
    path = fed_span_sub(path, slash + 1, path.len);
    while ((slash = fed_span_find(path, '/')) != path.len) {
        at = child_of(at, fed_span_sub(path, 0, slash));
        path = fed_span_sub(path, slash + 1, path.len);
    }
    *last = path;
    return fed_json_is_object(at) || fed_json_is_array(at) ? at : NULL;
}

/* A copy of the operation's value: the list stays the caller's. No value is null. */
static struct fed_json *value_of(struct fed_json_doc *doc, const struct op *op)
{
    return op->value ? fed_json_clone(doc, op->value) : fed_json_new_null(doc);
}

static enum fed_err apply_to_object(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span step, const struct op *op)
{
    struct fed_pointer_key key;
    enum fed_err err = fed_pointer_unescape_loose(step, &key);

    if (err)
        return err;
    if (op->kind == OP_REMOVE)
        return fed_json_remove_span(object, fed_pointer_key_span(&key)) ? FED_OK
                                                                        : FED_ERR_NOT_FOUND;
    /* replace of a missing member adds it. */
    return fed_json_set_span(doc, object, fed_pointer_key_span(&key), value_of(doc, op));
}

static enum fed_err apply_to_array(
    struct fed_json_doc *doc, struct fed_json *array, struct fed_span step, const struct op *op)
{
    size_t count = fed_json_count(array);
    size_t index;
    enum fed_err err;

    if (op->kind == OP_ADD && fed_span_is(step, "-"))
        return fed_json_append(array, value_of(doc, op));
    /* A negative index counts from the end that results: add at -1 appends. */
    err = array_index(step, op->kind == OP_ADD ? count + 1 : count, &index);
    if (err)
        return err;
    if (op->kind == OP_ADD)
        return index <= count ? fed_json_insert(array, index, value_of(doc, op))
                              : FED_ERR_NOT_FOUND;
    if (index >= count)
        return FED_ERR_NOT_FOUND;
    if (op->kind == OP_REMOVE)
        return fed_json_remove_at(array, index) ? FED_OK : FED_ERR_NOT_FOUND;
    return fed_json_replace_at(array, index, value_of(doc, op));
}

/* Path "": only replace knows it, and the result must still be an object. */
static enum fed_err replace_root(
    struct fed_json_doc *doc, struct fed_json **root, const struct op *op, struct fed_diag *diag)
{
    struct fed_json *value;

    if (!fed_json_is_object(op->value))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "replace of the whole object: the value is no object");
    value = fed_json_clone(doc, op->value);
    if (!value)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory");
    *root = value;
    return FED_OK;
}

/* The sentence of the engine that KubeFed runs, which stands in its events. */
static enum fed_err no_parent(const struct op *op, struct fed_diag *diag)
{
    const char *quote = op->kind == OP_REPLACE ? "" : "\"";

    return fed_diag_set(diag, FED_ERR_INVALID,
        "%s operation does not apply: doc is missing path: %s" FED_SPAN_FMT "%s: missing value",
        op_name(op), quote, FED_SPAN_ARG(fed_span_sub(op->path, 0, 256)), quote);
}

static enum fed_err no_element(
    const struct fed_json *parent, struct fed_span step, const struct op *op, struct fed_diag *diag)
{
    struct fed_span path = fed_span_sub(op->path, 0, 256);
    size_t index;

    step = fed_span_sub(step, 0, 64);
    if (op->kind == OP_REPLACE)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "replace operation does not apply: doc is missing key: " FED_SPAN_FMT ": missing value",
            FED_SPAN_ARG(path));
    if (!fed_json_is_array(parent))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "error in %s for path: '" FED_SPAN_FMT
            "': Unable to remove nonexistent key: " FED_SPAN_FMT ": missing value",
            op_name(op), FED_SPAN_ARG(path), FED_SPAN_ARG(step));
    if (array_index(step, SIZE_MAX / 2, &index))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "error in %s for path: '" FED_SPAN_FMT
            "': value was not a proper array index: '" FED_SPAN_FMT "'",
            op_name(op), FED_SPAN_ARG(path), FED_SPAN_ARG(step));
    return fed_diag_set(diag, FED_ERR_INVALID,
        "error in %s for path: '" FED_SPAN_FMT "': Unable to access invalid index: " FED_SPAN_FMT
        ": invalid index referenced",
        op_name(op), FED_SPAN_ARG(path), FED_SPAN_ARG(step));
}

static enum fed_err apply_one(
    struct fed_json_doc *doc, struct fed_json **root, const struct op *op, struct fed_diag *diag)
{
    struct fed_json *parent;
    struct fed_span last;
    enum fed_err err;

    if (op->path.len == 0 && op->kind == OP_REPLACE)
        return replace_root(doc, root, op, diag);
    parent = parent_of(*root, op->path, &last);
    if (!parent)
        return no_parent(op, diag);
    err = fed_json_is_array(parent) ? apply_to_array(doc, parent, last, op)
                                    : apply_to_object(doc, parent, last, op);
    if (err == FED_ERR_NOMEM || err == FED_OK)
        return err ? fed_diag_set(diag, err, "no memory") : FED_OK;
    return no_element(parent, last, op, diag);
}

enum fed_err fed_override_apply(struct fed_json_doc *doc, struct fed_json **root,
    const struct fed_json *operations, struct fed_diag *diag)
{
    enum fed_err list_err = check_list(operations, diag);
    struct fed_json_iter it;

    if (list_err || !fed_json_is_array(operations))
        return list_err; /* nothing to apply */
    fed_json_iter_init(&it, (struct fed_json *)(uintptr_t)operations);
    while (fed_json_iter_next(&it)) {
        struct op op;
        enum fed_err err = read_op(it.value, &op, diag);

        if (!err)
            err = apply_one(doc, root, &op, diag);
        if (err)
            return err;
    }
    if (fed_pointer_depth(*root, NULL) > FED_JSON_DEPTH_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "overrides nest the object deeper than %u levels",
            FED_JSON_DEPTH_MAX);
    return FED_OK;
}
