/* frame.c - the encoder of frame.h, and the head. */
#include "proto/bundle/frame.h"

#include "proto/bundle/dict.h"
#include "proto/bundle/frame_diff.h"

#include <string.h>

#define DEFLATE_MIN 24u /* shorter sections never shrink */

/* ---- head ---- */

static void put_head(struct fed_buf *out, const struct fed_frame_head *head, unsigned flags)
{
    if (head->base_revision == 0)
        flags |= FED_FRAME_FULL;
    fed_buf_put_u8(out, FED_FRAME_FORMAT);
    fed_buf_put_u8(out, (uint8_t)flags);
    fed_buf_put_u32(out, head->epoch);
    if (head->base_revision)
        fed_buf_put_varint(out, head->base_revision);
    fed_buf_put_varint(out, head->revision);
    fed_buf_put(out, fed_span_of(head->digest, sizeof head->digest));
}

void fed_frame_head_put(struct fed_buf *out, const struct fed_frame_head *head)
{
    put_head(out, head, 0);
}

/* ---- sections ---- */

struct encoder {
    struct fed_arena arena; /* short-lived arrays */
    const struct fed_manifest *base;
    const struct fed_manifest *target;
    fed_blob_lookup *blobs;
    void *blobs_ctx;
    const struct fed_frame_cache *cache;
    struct fed_frame_pair *pairs;
    size_t n_pairs;
    const struct fed_digest **new_blobs; /* those that travel */
    size_t n_new;
    const struct fed_digest **old_blobs; /* of works whose new blob travels: the dictionary */
    size_t n_old;
    uint64_t *sources; /* per pair, where it brings a blob */
    struct fed_buf works;
    struct fed_buf content; /* blobs section */
};

static const struct fed_work *base_of(const struct encoder *e, const struct fed_frame_pair *p)
{
    return p->base == FED_FRAME_NONE ? NULL : &e->base->works[p->base];
}

static const struct fed_work *target_of(const struct encoder *e, const struct fed_frame_pair *p)
{
    return p->target == FED_FRAME_NONE ? NULL : &e->target->works[p->target];
}

enum list { LIST_REMOVED, LIST_CHANGED, LIST_ADDED };

static enum list list_of(const struct fed_frame_pair *p)
{
    if (p->target == FED_FRAME_NONE)
        return LIST_REMOVED;
    return p->base == FED_FRAME_NONE ? LIST_ADDED : LIST_CHANGED;
}

static bool brings_blob(const struct encoder *e, const struct fed_frame_pair *p)
{
    const struct fed_work *base = base_of(e, p);
    const struct fed_work *target = target_of(e, p);

    return target && (!base || !fed_digest_eq(&base->blob, &target->blob));
}

/* Ranks the base manifest's blobs, in front, and those of the pairs behind them: the position at
 * which a digest stands first says whether the base holds it. */
static enum fed_err rank_blobs(struct encoder *e, size_t **first)
{
    size_t n_base = e->base->n_works;
    const struct fed_digest **all =
        fed_alloc_array(&e->arena.alloc, n_base + e->n_pairs, sizeof(struct fed_digest *));

    if (!all)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n_base; i++)
        all[i] = &e->base->works[i].blob;
    for (size_t i = 0; i < e->n_pairs; i++) {
        const struct fed_work *target = target_of(e, &e->pairs[i]);

        all[n_base + i] = target ? &target->blob : &base_of(e, &e->pairs[i])->blob;
    }
    return fed_frame_first(&e->arena, all, n_base + e->n_pairs, first);
}

/* The source of one pair. blob_index[rank] is where a blob stands among those that travel. */
static void find_source(struct encoder *e, size_t i, size_t rank, size_t *blob_index)
{
    const struct fed_work *base = base_of(e, &e->pairs[i]);
    size_t n_base = e->base->n_works;

    if (rank < n_base) {
        e->sources[i] = rank + 1;
        return;
    }
    rank -= n_base;
    if (blob_index[rank] != SIZE_MAX) {
        e->sources[i] = (uint64_t)n_base + 1 + blob_index[rank];
        return;
    }
    e->sources[i] = 0;
    blob_index[rank] = e->n_new;
    e->new_blobs[e->n_new++] = &target_of(e, &e->pairs[i])->blob;
    if (base)
        e->old_blobs[e->n_old++] = &base->blob;
}

/* Decides for each pair where its blob comes from. */
static enum fed_err find_sources(struct encoder *e)
{
    size_t n = e->n_pairs;
    size_t *blob_index = fed_alloc_array(&e->arena.alloc, n, sizeof *blob_index);
    size_t *first;
    enum fed_err err = rank_blobs(e, &first);

    e->new_blobs = fed_alloc_array(&e->arena.alloc, n, sizeof(struct fed_digest *));
    e->old_blobs = fed_alloc_array(&e->arena.alloc, n, sizeof(struct fed_digest *));
    e->sources = fed_alloc_array(&e->arena.alloc, n, sizeof *e->sources);
    if (err || !blob_index || !e->new_blobs || !e->old_blobs || !e->sources)
        return err ? err : FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        blob_index[i] = SIZE_MAX;
    /* Changed works come before added ones on the wire, and so do their blobs. */
    for (enum list list = LIST_CHANGED; list <= LIST_ADDED; list++) {
        for (size_t i = 0; i < n; i++) {
            if (list_of(&e->pairs[i]) == list && brings_blob(e, &e->pairs[i]))
                find_source(e, i, first[e->base->n_works + i], blob_index);
        }
    }
    return FED_OK;
}

static unsigned what_changed(const struct fed_work *base, const struct fed_work *target)
{
    unsigned what = 0;

    if (!fed_digest_eq(&base->blob, &target->blob))
        what |= FED_FRAME_WHAT_BLOB;
    if (!fed_span_eq(base->overrides, target->overrides))
        what |= FED_FRAME_WHAT_OVERRIDES;
    if (base->options != target->options)
        what |= FED_FRAME_WHAT_OPTIONS;
    if (!fed_span_eq(base->api_version, target->api_version))
        what |= FED_FRAME_WHAT_API_VERSION;
    if (!fed_span_eq(base->plural, target->plural))
        what |= FED_FRAME_WHAT_PLURAL;
    return what;
}

static void put_changed(struct encoder *e, size_t i)
{
    const struct fed_work *target = target_of(e, &e->pairs[i]);
    unsigned what = what_changed(base_of(e, &e->pairs[i]), target);

    fed_buf_put_u8(&e->works, (uint8_t)what);
    if (what & FED_FRAME_WHAT_BLOB)
        fed_buf_put_varint(&e->works, e->sources[i]);
    if (what & FED_FRAME_WHAT_OVERRIDES)
        fed_buf_put_string(&e->works, target->overrides);
    if (what & FED_FRAME_WHAT_OPTIONS)
        fed_buf_put_varint(&e->works, target->options);
    if (what & FED_FRAME_WHAT_API_VERSION)
        fed_buf_put_string(&e->works, target->api_version);
    if (what & FED_FRAME_WHAT_PLURAL)
        fed_buf_put_string(&e->works, target->plural);
}

static void put_added(struct encoder *e, size_t i)
{
    const struct fed_work *work = target_of(e, &e->pairs[i]);

    fed_buf_put_string(&e->works, work->api_version);
    fed_buf_put_string(&e->works, work->kind);
    fed_buf_put_string(&e->works, work->plural);
    fed_buf_put_string(&e->works, work->ns);
    fed_buf_put_string(&e->works, work->name);
    fed_buf_put_varint(&e->works, work->options);
    fed_buf_put_varint(&e->works, e->sources[i]);
    fed_buf_put_string(&e->works, work->overrides);
}

static uint32_t removal_of(uint32_t options)
{
    return (options & FED_WORK_ORPHAN) | (options & FED_WORK_ORDERED ? FED_FRAME_ORDERED : 0);
}

static void put_list(struct encoder *e, enum list list)
{
    size_t previous = 0;
    size_t n = 0;

    for (size_t i = 0; i < e->n_pairs; i++)
        n += list_of(&e->pairs[i]) == list;
    fed_buf_put_varint(&e->works, n);
    for (size_t i = 0; i < e->n_pairs; i++) {
        const struct fed_frame_pair *p = &e->pairs[i];

        if (list_of(p) != list)
            continue;
        if (list == LIST_ADDED) {
            put_added(e, i);
            continue;
        }
        fed_buf_put_varint(&e->works, p->base - previous);
        previous = p->base;
        if (list == LIST_REMOVED)
            fed_buf_put_varint(&e->works, removal_of(base_of(e, p)->options));
        else
            put_changed(e, i);
    }
}

static enum fed_err build_blobs(struct encoder *e)
{
    fed_buf_put_varint(&e->content, e->n_new);
    for (size_t i = 0; i < e->n_new; i++) {
        struct fed_span blob;
        enum fed_err err =
            e->blobs ? e->blobs(e->blobs_ctx, e->new_blobs[i], &blob) : FED_ERR_NOT_FOUND;

        if (err)
            return err;
        if (blob.len > FED_BLOB_MAX)
            return FED_ERR_LIMIT;
        fed_buf_put_string(&e->content, blob);
    }
    return fed_buf_err(&e->content);
}

/* ---- compression ---- */

/* Length, inflated length when deflated, bytes. An empty deflated span means that it is not worth
 * it. */
static void put_section(struct fed_buf *out, struct fed_span content, struct fed_span deflated)
{
    if (deflated.len == 0) {
        fed_buf_put_string(out, content);
        return;
    }
    fed_buf_put_varint(out, deflated.len);
    fed_buf_put_varint(out, content.len);
    fed_buf_put(out, deflated);
}

/* Leaves out empty when deflating does not pay. */
static enum fed_err squeeze(
    struct encoder *e, struct fed_span dictionary, struct fed_span content, struct fed_buf *out)
{
    enum fed_err err;

    if (content.len < DEFLATE_MIN || (e->cache && e->cache->plain))
        return FED_OK;
    err = fed_deflate(e->arena.mem, dictionary, content, out);
    /* Three bytes: what the inflated length takes at most for sections where it matters. */
    if (!err && out->len + 3 >= content.len)
        fed_buf_clear(out);
    return err;
}

/* Lengths in front, so that no two pairs of dictionary and content give the same key. */
static enum fed_err cache_key(
    struct fed_span dictionary, struct fed_span content, struct fed_digest *out)
{
    uint64_t lengths[2] = {dictionary.len, content.len};
    struct fed_digest_state state;
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    err = fed_digest_add(&state, fed_span_of(lengths, sizeof lengths));
    if (!err)
        err = fed_digest_add(&state, dictionary);
    if (!err)
        err = fed_digest_add(&state, content);
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    return fed_digest_end(&state, out);
}

/* squeeze() by way of the cache. A cached empty span says "not worth it". */
static enum fed_err squeeze_blobs(
    struct encoder *e, struct fed_span dictionary, struct fed_buf *out)
{
    struct fed_span content = fed_buf_span(&e->content);
    struct fed_digest key;
    struct fed_span known;
    enum fed_err err;

    if (!e->cache || e->cache->plain || e->n_new == 0)
        return squeeze(e, dictionary, content, out);
    err = cache_key(dictionary, content, &key);
    if (err)
        return err;
    if (e->cache->get && e->cache->get(e->cache->ctx, &key, &known)) {
        fed_buf_put(out, known);
        return fed_buf_err(out);
    }
    err = squeeze(e, dictionary, content, out);
    if (!err && e->cache->put)
        e->cache->put(e->cache->ctx, &key, fed_buf_span(out));
    return err;
}

static enum fed_err put_body(struct encoder *e, struct fed_frame_head *head, struct fed_buf *out)
{
    struct fed_span dictionary;
    struct fed_buf works;
    struct fed_buf blobs;
    unsigned flags = FED_FRAME_BODY;
    enum fed_err err;

    fed_buf_init(&works, e->arena.mem, FED_FRAME_MAX);
    fed_buf_init(&blobs, e->arena.mem, FED_FRAME_MAX);
    err = fed_frame_dictionary(
        &e->arena, e->old_blobs, e->n_old, e->blobs, e->blobs_ctx, &dictionary);
    if (!err)
        err = squeeze(e, fed_dict_builtin(), fed_buf_span(&e->works), &works);
    if (!err)
        err = squeeze_blobs(e, dictionary, &blobs);
    if (err)
        goto done;
    flags |= works.len ? FED_FRAME_WORKS_DEFLATED : 0;
    flags |= blobs.len ? FED_FRAME_BLOBS_DEFLATED : 0;
    put_head(out, head, flags);
    put_section(out, fed_buf_span(&e->works), fed_buf_span(&works));
    put_section(out, fed_buf_span(&e->content), fed_buf_span(&blobs));
    err = fed_buf_err(out);
done:
    fed_buf_fini(&works);
    fed_buf_fini(&blobs);
    return err;
}

static enum fed_err encode(struct encoder *e, struct fed_buf *out)
{
    struct fed_frame_head head = {.epoch = e->target->epoch,
        .base_revision = e->base->revision,
        .revision = e->target->revision};
    struct fed_digest digest;
    enum fed_err err = fed_manifest_digest(e->target, &digest);

    if (!err)
        err = fed_frame_diff(&e->arena, e->base, e->target, &e->pairs, &e->n_pairs);
    if (!err)
        err = find_sources(e);
    if (err)
        return err;
    memcpy(head.digest, digest.bytes, sizeof head.digest);
    for (enum list list = LIST_REMOVED; list <= LIST_ADDED; list++)
        put_list(e, list);
    err = fed_buf_err(&e->works);
    if (!err)
        err = build_blobs(e);
    return err ? err : put_body(e, &head, out);
}

enum fed_err fed_frame_encode(struct fed_alloc *mem, const struct fed_manifest *base,
    const struct fed_manifest *target, fed_blob_lookup *blobs, void *blobs_ctx,
    const struct fed_frame_cache *cache, struct fed_buf *out)
{
    static const struct fed_manifest nothing = {0};
    struct encoder e = {.base = base->revision ? base : &nothing,
        .target = target,
        .blobs = blobs,
        .blobs_ctx = blobs_ctx,
        .cache = cache};
    size_t before = out->len;
    enum fed_err err = fed_buf_err(out);

    if (err)
        return err;
    if (target->revision <= e.base->revision ||
        (e.base->revision && e.base->epoch != target->epoch))
        return FED_ERR_INVALID;
    if (target->n_works > FED_WORKS_MAX)
        return FED_ERR_LIMIT;
    fed_arena_init(&e.arena, mem, SIZE_MAX / 2);
    fed_buf_init(&e.works, mem, FED_FRAME_WORKS_SECTION_MAX);
    fed_buf_init(&e.content, mem, FED_FRAME_BLOBS_SECTION_MAX);
    err = encode(&e, out);
    if (!err && out->len - before > FED_FRAME_MAX)
        err = FED_ERR_LIMIT;
    if (err)
        fed_buf_cut(out, before);
    fed_buf_fini(&e.works);
    fed_buf_fini(&e.content);
    fed_arena_fini(&e.arena);
    return err;
}
