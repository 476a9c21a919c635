/* frame_diff.c - see frame_diff.h. */
#include "proto/bundle/frame_diff.h"

#include "proto/bundle/dict.h"

#include <stdlib.h>
#include <string.h>

#define DICTIONARY_MAX (32u << 10)

enum fed_err fed_frame_diff(struct fed_arena *arena, const struct fed_manifest *base,
    const struct fed_manifest *target, struct fed_frame_pair **out, size_t *n)
{
    size_t most = base->n_works + target->n_works;
    struct fed_frame_pair *pairs = fed_alloc_array(&arena->alloc, most, sizeof *pairs);
    size_t count = 0;
    size_t b = 0;
    size_t t = 0;

    if (!pairs)
        return FED_ERR_NOMEM;
    while (b < base->n_works || t < target->n_works) {
        int order = b == base->n_works     ? 1
                    : t == target->n_works ? -1
                                           : fed_work_cmp(&base->works[b], &target->works[t]);

        if (order < 0)
            pairs[count++] = (struct fed_frame_pair){.base = b, .target = FED_FRAME_NONE};
        else if (order > 0)
            pairs[count++] = (struct fed_frame_pair){.base = FED_FRAME_NONE, .target = t};
        else if (!fed_work_same(&base->works[b], &target->works[t]))
            pairs[count++] = (struct fed_frame_pair){.base = b, .target = t};
        b += order <= 0;
        t += order >= 0;
    }
    *out = pairs;
    *n = count;
    return FED_OK;
}

struct ranked {
    const struct fed_digest *digest;
    size_t position;
};

static int ranked_cmp(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    int order = memcmp(a->digest->bytes, b->digest->bytes, FED_DIGEST_SIZE);

    return order ? order : (a->position > b->position) - (a->position < b->position);
}

enum fed_err fed_frame_first(
    struct fed_arena *arena, const struct fed_digest *const *digests, size_t n, size_t **first)
{
    struct ranked *ranked = fed_alloc_array(&arena->alloc, n, sizeof *ranked);
    size_t *result = fed_alloc_array(&arena->alloc, n, sizeof *result);

    if (!ranked || !result)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){.digest = digests[i], .position = i};
    if (n > 1)
        qsort(ranked, n, sizeof *ranked, ranked_cmp);
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && fed_digest_eq(ranked[i - 1].digest, ranked[i].digest);

        result[ranked[i].position] = again ? result[ranked[i - 1].position] : ranked[i].position;
    }
    *first = result;
    return FED_OK;
}

enum fed_err fed_frame_dictionary(struct fed_arena *arena, const struct fed_digest *const *old,
    size_t n, fed_blob_lookup *blobs, void *blobs_ctx, struct fed_span *out)
{
    struct fed_span builtin = fed_dict_builtin();
    uint8_t *room;
    size_t left = DICTIONARY_MAX;
    size_t *first;
    enum fed_err err;

    if (n == 0) {
        *out = builtin;
        return FED_OK;
    }
    err = fed_frame_first(arena, old, n, &first);
    if (err)
        return err;
    room = fed_alloc_get(&arena->alloc, DICTIONARY_MAX);
    if (!room)
        return FED_ERR_NOMEM;
    /* Filled from the end, so that only what counts is looked up. */
    for (size_t i = n; i-- > 0 && left;) {
        struct fed_span blob;
        size_t part;

        if (first[i] != i)
            continue;
        err = blobs ? blobs(blobs_ctx, old[i], &blob) : FED_ERR_NOT_FOUND;
        if (err)
            return err;
        part = blob.len < left ? blob.len : left;
        left -= part;
        if (part)
            memcpy(room + left, blob.at + blob.len - part, part);
    }
    if (left) {
        size_t part = builtin.len < left ? builtin.len : left;

        left -= part;
        memcpy(room + left, builtin.at + builtin.len - part, part);
    }
    *out = fed_span_of(room + left, DICTIONARY_MAX - left);
    return FED_OK;
}
