/* json_tree.c - sorted members, equality and duplicate keys, without recursion and without
 * quadratic work. */
#include "proto/object/json_tree.h"

#include <stdlib.h>
#include <string.h>

yyjson_mut_val *fed_json_first(yyjson_mut_val *container)
{
    yyjson_mut_val *last = container->uni.ptr;

    if (unsafe_yyjson_get_len(container) == 0)
        return NULL;
    return unsafe_yyjson_is_obj(container) ? last->next->next : last->next;
}

static int pair_cmp(const void *left, const void *right)
{
    const struct fed_json_pair *a = left;
    const struct fed_json_pair *b = right;
    int order = fed_span_cmp(fed_json_text_of(a->key), fed_json_text_of(b->key));

    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static enum fed_err pairs_reserve(struct fed_json_pairs *pairs, size_t more)
{
    size_t need = pairs->n + more;
    size_t cap = pairs->cap ? pairs->cap : 32;
    void *at;

    if (need <= pairs->cap)
        return FED_OK;
    while (cap < need)
        cap *= 2;
    if (cap > SIZE_MAX / sizeof *pairs->at)
        return FED_ERR_NOMEM;
    at = pairs->mem->resize(
        pairs->mem->ctx, pairs->at, pairs->cap * sizeof *pairs->at, cap * sizeof *pairs->at);
    if (!at)
        return FED_ERR_NOMEM;
    pairs->at = at;
    pairs->cap = cap;
    return FED_OK;
}

enum fed_err fed_json_pairs_push(struct fed_json_pairs *pairs, yyjson_mut_val *object)
{
    size_t n = unsafe_yyjson_get_len(object);
    yyjson_mut_val *key = fed_json_first(object);
    struct fed_json_pair *seg;
    bool sorted = true;
    enum fed_err err;

    if (n == 0)
        return FED_OK;
    err = pairs_reserve(pairs, n);
    if (err)
        return err;
    seg = pairs->at + pairs->n;
    for (size_t i = 0; i < n; i++, key = key->next->next) {
        seg[i] = (struct fed_json_pair){.key = key, .index = i};
        /* Stored objects are canonical, so this is the common case. */
        if (i > 0 && sorted)
            sorted = pair_cmp(&seg[i - 1], &seg[i]) < 0;
    }
    if (!sorted)
        qsort(seg, n, sizeof *seg, pair_cmp);
    pairs->n += n;
    return FED_OK;
}

static bool same_key(const struct fed_json_pair *a, const struct fed_json_pair *b)
{
    return fed_span_eq(fed_json_text_of(a->key), fed_json_text_of(b->key));
}

enum fed_err fed_json_pairs_push_last(struct fed_json_pairs *pairs, yyjson_mut_val *object)
{
    size_t start = pairs->n;
    size_t to = start;
    enum fed_err err = fed_json_pairs_push(pairs, object);

    if (err)
        return err;
    for (size_t i = start; i < pairs->n; i++) {
        if (i + 1 == pairs->n || !same_key(&pairs->at[i], &pairs->at[i + 1]))
            pairs->at[to++] = pairs->at[i];
    }
    pairs->n = to;
    return FED_OK;
}

void fed_json_pairs_fini(struct fed_json_pairs *pairs)
{
    fed_alloc_free(pairs->mem, pairs->at, pairs->cap * sizeof *pairs->at);
    *pairs = (struct fed_json_pairs){.mem = pairs->mem};
}

static bool number_eq(const yyjson_mut_val *a, const yyjson_mut_val *b)
{
    yyjson_subtype sa = unsafe_yyjson_get_subtype((void *)(uintptr_t)a);
    yyjson_subtype sb = unsafe_yyjson_get_subtype((void *)(uintptr_t)b);
    bool real = sa == YYJSON_SUBTYPE_REAL;

    if (real != (sb == YYJSON_SUBTYPE_REAL))
        return false;
    /* The bits, so that 0.0 and -0.0, which are written differently, are different. */
    if (real || sa == sb)
        return a->uni.u64 == b->uni.u64;
    /* One signed, one not: equal only when the signed one is not negative. */
    return a->uni.u64 == b->uni.u64 && a->uni.i64 >= 0;
}

bool fed_json_scalar_eq(const yyjson_mut_val *a, const yyjson_mut_val *b)
{
    yyjson_type type = unsafe_yyjson_get_type((void *)(uintptr_t)a);

    if (type != unsafe_yyjson_get_type((void *)(uintptr_t)b))
        return false;
    switch (type) {
    case YYJSON_TYPE_NULL:
        return true;
    case YYJSON_TYPE_BOOL:
        return a->tag == b->tag;
    case YYJSON_TYPE_NUM:
        return number_eq(a, b);
    case YYJSON_TYPE_STR:
    case YYJSON_TYPE_RAW:
        return fed_span_eq(fed_json_text_of(a), fed_json_text_of(b));
    default:
        return false;
    }
}

/* A pair of containers that is being compared. */
struct eq_frame {
    yyjson_mut_val *a; /* next item of an array */
    yyjson_mut_val *b;
    size_t left;
    size_t seg;   /* start of both segments of an object */
    size_t seg_b; /* next pair of the second one; the first one's lies n before */
    size_t n;     /* 0 for arrays */
};
struct eq {
    struct fed_json_pairs pairs;
    struct eq_frame frames[FED_JSON_TREE_DEPTH_MAX];
    size_t depth;
};

static bool eq_enter_object(struct eq *eq, yyjson_mut_val *a, yyjson_mut_val *b)
{
    struct eq_frame *f = &eq->frames[eq->depth];
    size_t seg = eq->pairs.n;
    size_t n;

    if (fed_json_pairs_push_last(&eq->pairs, a))
        return false;
    n = eq->pairs.n - seg;
    if (fed_json_pairs_push_last(&eq->pairs, b) || eq->pairs.n - seg != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!same_key(&eq->pairs.at[seg + i], &eq->pairs.at[seg + n + i]))
            return false;
    }
    *f = (struct eq_frame){.left = n, .seg = seg, .seg_b = seg + n, .n = n};
    eq->depth++;
    return true;
}

/* Compares a and b; for containers only their shape, their content is left on the stack. */
static bool eq_enter(struct eq *eq, yyjson_mut_val *a, yyjson_mut_val *b)
{
    if (!unsafe_yyjson_is_ctn(a))
        return fed_json_scalar_eq(a, b);
    if (unsafe_yyjson_get_type(a) != unsafe_yyjson_get_type(b))
        return false;
    if (eq->depth == FED_JSON_TREE_DEPTH_MAX)
        return false;
    if (unsafe_yyjson_is_obj(a))
        return eq_enter_object(eq, a, b);
    if (unsafe_yyjson_get_len(a) != unsafe_yyjson_get_len(b))
        return false;
    eq->frames[eq->depth++] = (struct eq_frame){.a = fed_json_first(a),
        .b = fed_json_first(b),
        .left = unsafe_yyjson_get_len(a),
        .seg = eq->pairs.n};
    return true;
}

static bool eq_run(struct eq *eq, yyjson_mut_val *a, yyjson_mut_val *b)
{
    bool same = eq_enter(eq, a, b);

    while (same && eq->depth) {
        struct eq_frame *f = &eq->frames[eq->depth - 1];

        if (f->left == 0) {
            eq->pairs.n = f->seg;
            eq->depth--;
            continue;
        }
        f->left--;
        if (f->n) {
            a = eq->pairs.at[f->seg_b - f->n].key->next;
            b = eq->pairs.at[f->seg_b++].key->next;
        } else {
            a = f->a;
            b = f->b;
            f->a = a->next;
            f->b = b->next;
        }
        same = eq_enter(eq, a, b);
    }
    return same;
}

bool fed_json_eq(const struct fed_json *a, const struct fed_json *b)
{
    struct eq eq;
    bool same;

    if (!a || !b)
        return a == b;
    eq.pairs = (struct fed_json_pairs){.mem = fed_alloc_system()};
    eq.depth = 0;
    same = eq_run(&eq, fed_json_raw(a), fed_json_raw(b));
    fed_json_pairs_fini(&eq.pairs);
    return same;
}

/* A container on the way down: the key or item that is being looked at. */
struct dup_frame {
    yyjson_mut_val *at;
    size_t index;
    size_t n;
    bool object;
};

/* The key that repeats an earlier one first, NULL when there is none. */
static yyjson_mut_val *duplicate_in(yyjson_mut_val *object)
{
    struct fed_json_pairs pairs = {.mem = fed_alloc_system()};
    const struct fed_json_pair *found = NULL;
    yyjson_mut_val *key;

    if (!fed_json_pairs_push(&pairs, object)) {
        for (size_t i = 1; i < pairs.n; i++) {
            if (same_key(&pairs.at[i - 1], &pairs.at[i]) &&
                (!found || pairs.at[i].index < found->index))
                found = &pairs.at[i];
        }
    }
    key = found ? found->key : NULL;
    fed_json_pairs_fini(&pairs);
    return key;
}

static void put_path(
    struct fed_buf *path, const struct dup_frame *frames, size_t depth, const yyjson_mut_val *key)
{
    for (size_t i = 0; i < depth; i++) {
        if (!frames[i].object) {
            fed_buf_printf(path, "[%zu]", frames[i].index);
            continue;
        }
        fed_buf_put_text(path, path->len ? "." : "");
        fed_buf_put(path, fed_json_text_of(frames[i].at));
    }
    fed_buf_put_text(path, path->len ? "." : "");
    fed_buf_put(path, fed_json_text_of(key));
}

bool fed_json_duplicate_key(const struct fed_json *root, struct fed_buf *path)
{
    struct dup_frame frames[FED_JSON_TREE_DEPTH_MAX];
    yyjson_mut_val *v = fed_json_raw(root);
    size_t depth = 0;

    while (v) {
        yyjson_mut_val *key = unsafe_yyjson_is_obj(v) ? duplicate_in(v) : NULL;
        struct dup_frame *f;

        if (key) {
            put_path(path, frames, depth, key);
            return true;
        }
        if (unsafe_yyjson_is_ctn(v) && unsafe_yyjson_get_len(v) &&
            depth < FED_JSON_TREE_DEPTH_MAX) {
            frames[depth++] = (struct dup_frame){.at = fed_json_first(v),
                .n = unsafe_yyjson_get_len(v),
                .object = unsafe_yyjson_is_obj(v)};
        } else {
            while (depth && frames[depth - 1].index + 1 == frames[depth - 1].n)
                depth--;
            if (depth == 0)
                return false;
            f = &frames[depth - 1];
            f->at = f->object ? f->at->next->next : f->at->next;
            f->index++;
        }
        f = &frames[depth - 1];
        v = f->object ? f->at->next : f->at;
    }
    return false;
}
