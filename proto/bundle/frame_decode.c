/* frame_decode.c - the decoder of frame.h. Each count is checked against the bytes that are left
 * before memory is taken for it, and all memory is the arena's. */
#include "proto/bundle/frame.h"

#include "proto/bundle/dict.h"
#include "proto/bundle/frame_diff.h"

#include <string.h>

/* ---- head ---- */

static enum fed_err take_head(struct fed_span *from, struct fed_frame_head *out, unsigned *flags)
{
    struct fed_span rest = *from;
    struct fed_frame_head head = {0};
    struct fed_span digest;
    uint8_t format;
    uint8_t bits;
    enum fed_err err = fed_span_take_u8(&rest, &format);

    if (!err && format != FED_FRAME_FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u8(&rest, &bits);
    if (!err && (bits & ~FED_FRAME_FLAGS_ALL))
        return FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_u32(&rest, &head.epoch);
    if (!err && !(bits & FED_FRAME_FULL)) {
        err = fed_span_take_varint(&rest, UINT64_MAX, &head.base_revision);
        if (!err && head.base_revision == 0)
            return FED_ERR_INVALID;
    }
    if (!err)
        err = fed_span_take_varint(&rest, UINT64_MAX, &head.revision);
    if (!err)
        err = fed_span_take_bytes(&rest, sizeof head.digest, &digest);
    if (err)
        return err;
    head.has_body = bits & FED_FRAME_BODY;
    if (head.revision <= head.base_revision ||
        (!head.has_body && (bits & (FED_FRAME_WORKS_DEFLATED | FED_FRAME_BLOBS_DEFLATED))))
        return FED_ERR_INVALID;
    memcpy(head.digest, digest.at, sizeof head.digest);
    *from = rest;
    *out = head;
    *flags = bits;
    return FED_OK;
}

enum fed_err fed_frame_head_take(struct fed_span *from, struct fed_frame_head *out)
{
    unsigned flags;

    return take_head(from, out, &flags);
}

/* ---- sections ---- */

struct section {
    struct fed_span bytes; /* as on the wire */
    size_t len;            /* inflated */
    bool deflated;
};
/* A changed or added work as read. */
struct change {
    size_t base; /* FED_FRAME_NONE when added */
    unsigned what;
    uint64_t source;
    struct fed_work work; /* blob not filled in */
};
struct decoder {
    struct fed_arena *arena;
    const struct fed_manifest *base; /* the empty one for a full frame */
    fed_blob_lookup *blobs_of;
    void *blobs_ctx;
    struct section works;
    struct section content;
    struct fed_frame_removed *removed;
    size_t n_removed;
    struct change *changes; /* changed, then added */
    size_t n_changed;
    size_t n_changes;
    struct fed_span *blobs;
    struct fed_digest *digests;
    size_t n_blobs;
    struct fed_diag *diag;
};

static enum fed_err take_section(
    struct fed_span *from, bool deflated, size_t max, struct section *out)
{
    uint64_t len;
    uint64_t inflated;
    enum fed_err err = fed_span_take_varint(from, FED_FRAME_MAX, &len);

    if (err)
        return err;
    inflated = len;
    if (deflated)
        err = fed_span_take_varint(from, max, &inflated);
    else if (len > max)
        err = FED_ERR_LIMIT;
    if (err)
        return err;
    out->len = (size_t)inflated;
    out->deflated = deflated;
    return fed_span_take_bytes(from, (size_t)len, &out->bytes);
}

/* The section's content, in the arena. */
static enum fed_err open_section(struct decoder *d, const struct section *section,
    struct fed_span dictionary, struct fed_span *out)
{
    struct fed_buf buf;
    enum fed_err err;

    fed_buf_init(&buf, &d->arena->alloc, section->len);
    if (section->deflated) {
        /* zlib's own state is given back at once, so it is not the arena's. */
        err = fed_inflate(d->arena->mem, dictionary, section->bytes, section->len, &buf);
    } else {
        fed_buf_put(&buf, section->bytes);
        err = fed_buf_err(&buf);
    }
    *out = fed_buf_span(&buf);
    return err;
}

/* ---- works section ---- */

/* A count of things that take at least min_bytes each. */
static enum fed_err take_count(struct fed_span *from, uint64_t max, size_t min_bytes, size_t *out)
{
    uint64_t n;
    enum fed_err err = fed_span_take_varint(from, max, &n);

    if (err)
        return err;
    if (n > from->len / min_bytes)
        return FED_ERR_TRUNCATED;
    *out = (size_t)n;
    return FED_OK;
}

/* Index as difference; *next is the smallest that may come. */
static enum fed_err take_index(struct decoder *d, struct fed_span *from, size_t *next, size_t *out)
{
    size_t previous = *next ? *next - 1 : 0;
    uint64_t step;
    enum fed_err err = fed_span_take_varint(from, FED_WORKS_MAX, &step);

    if (err)
        return err;
    if ((*next && step == 0) || step >= d->base->n_works - previous)
        return FED_ERR_INVALID;
    *out = previous + (size_t)step;
    *next = *out + 1;
    return FED_OK;
}

static enum fed_err take_removed(struct decoder *d, struct fed_span *from)
{
    size_t next = 0;
    enum fed_err err = take_count(from, d->base->n_works, 2, &d->n_removed);

    if (err)
        return err;
    d->removed = fed_alloc_array(&d->arena->alloc, d->n_removed, sizeof *d->removed);
    if (!d->removed)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < d->n_removed && !err; i++) {
        uint64_t options = 0;

        err = take_index(d, from, &next, &d->removed[i].base_index);
        if (!err)
            err = fed_span_take_varint(from, UINT32_MAX, &options);
        if (!err && (options & ~(uint64_t)(FED_WORK_ORPHAN | FED_FRAME_ORDERED)))
            err = FED_ERR_INVALID;
        d->removed[i].options = (uint32_t)options;
    }
    return err;
}

static enum fed_err take_options(struct fed_span *from, uint32_t *out)
{
    uint64_t options;
    enum fed_err err = fed_span_take_varint(from, UINT32_MAX, &options);

    if (!err)
        *out = (uint32_t)options;
    return err;
}

static enum fed_err take_changed(struct decoder *d, struct fed_span *from, struct change *c)
{
    struct fed_work *work = &c->work;
    uint8_t what;
    enum fed_err err = fed_span_take_u8(from, &what);

    if (err)
        return err;
    if (what == 0 || (what & ~FED_FRAME_WHAT_ALL))
        return FED_ERR_INVALID;
    c->what = what;
    *work = d->base->works[c->base];
    if (what & FED_FRAME_WHAT_BLOB)
        err = fed_span_take_varint(from, UINT32_MAX, &c->source);
    if (!err && (what & FED_FRAME_WHAT_OVERRIDES))
        err = fed_span_take_string(from, FED_WORK_OVERRIDES_MAX, &work->overrides);
    if (!err && (what & FED_FRAME_WHAT_OPTIONS))
        err = take_options(from, &work->options);
    if (!err && (what & FED_FRAME_WHAT_API_VERSION))
        err = fed_span_take_string(from, FED_WORK_API_VERSION_MAX, &work->api_version);
    if (!err && (what & FED_FRAME_WHAT_PLURAL))
        err = fed_span_take_string(from, FED_WORK_PLURAL_MAX, &work->plural);
    return err;
}

static enum fed_err take_added(struct fed_span *from, struct change *c)
{
    struct fed_work *work = &c->work;
    struct {
        struct fed_span *to;
        size_t max;
    } strings[] = {{&work->api_version, FED_WORK_API_VERSION_MAX}, {&work->kind, FED_WORK_KIND_MAX},
        {&work->plural, FED_WORK_PLURAL_MAX}, {&work->ns, FED_WORK_NAME_MAX},
        {&work->name, FED_WORK_NAME_MAX}};
    enum fed_err err = FED_OK;

    c->base = FED_FRAME_NONE;
    c->what = FED_FRAME_WHAT_BLOB;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0] && !err; i++)
        err = fed_span_take_string(from, strings[i].max, strings[i].to);
    if (!err)
        err = take_options(from, &work->options);
    if (!err)
        err = fed_span_take_varint(from, UINT32_MAX, &c->source);
    if (!err)
        err = fed_span_take_string(from, FED_WORK_OVERRIDES_MAX, &work->overrides);
    return err;
}

/* Room for n more changes behind those that are there. */
static enum fed_err grow_changes(struct decoder *d, size_t n)
{
    struct change *at = fed_alloc_array(&d->arena->alloc, d->n_changes + n, sizeof *at);

    if (!at)
        return FED_ERR_NOMEM;
    memset(at, 0, (d->n_changes + n) * sizeof *at);
    if (d->n_changes)
        memcpy(at, d->changes, d->n_changes * sizeof *at);
    d->changes = at;
    return FED_OK;
}

static enum fed_err take_changes(struct decoder *d, struct fed_span *from)
{
    size_t next = 0;
    size_t n;
    enum fed_err err = take_count(from, d->base->n_works, 3, &n);

    if (!err)
        err = grow_changes(d, n);
    for (size_t i = 0; i < n && !err; i++) {
        struct change *c = &d->changes[i];

        err = take_index(d, from, &next, &c->base);
        if (!err)
            err = take_changed(d, from, c);
        if (!err)
            err = fed_work_check(&c->work, d->diag);
    }
    if (err)
        return err;
    d->n_changed = d->n_changes = n;
    err = take_count(from, FED_WORKS_MAX, 8, &n);
    if (!err)
        err = grow_changes(d, n);
    for (size_t i = 0; i < n && !err; i++) {
        err = take_added(from, &d->changes[d->n_changes]);
        if (!err)
            err = fed_work_check(&d->changes[d->n_changes].work, d->diag);
        d->n_changes++;
    }
    return err;
}

/* ---- blobs section ---- */

static bool is_next_blob(const struct change *c)
{
    return (c->what & FED_FRAME_WHAT_BLOB) && c->source == 0;
}

/* The dictionary that the encoder used. */
static enum fed_err make_dictionary(struct decoder *d, struct fed_span *out)
{
    const struct fed_digest **old =
        fed_alloc_array(&d->arena->alloc, d->n_changed, sizeof(struct fed_digest *));
    size_t n = 0;

    if (!old)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < d->n_changed; i++) {
        if (is_next_blob(&d->changes[i]))
            old[n++] = &d->base->works[d->changes[i].base].blob;
    }
    return fed_frame_dictionary(d->arena, old, n, d->blobs_of, d->blobs_ctx, out);
}

static enum fed_err take_blobs(struct decoder *d, struct fed_span *from)
{
    enum fed_err err = take_count(from, d->n_changes, 1, &d->n_blobs);

    if (err)
        return err;
    d->blobs = fed_alloc_array(&d->arena->alloc, d->n_blobs, sizeof *d->blobs);
    d->digests = fed_alloc_array(&d->arena->alloc, d->n_blobs, sizeof *d->digests);
    if (!d->blobs || !d->digests)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < d->n_blobs && !err; i++) {
        err = fed_span_take_string(from, FED_BLOB_MAX, &d->blobs[i]);
        if (!err)
            err = fed_digest_of(d->blobs[i], &d->digests[i]);
    }
    return err;
}

/* Turns sources into digests. Every blob that travelled must be somebody's next one. */
static enum fed_err resolve_sources(struct decoder *d)
{
    size_t used = 0;

    for (size_t i = 0; i < d->n_changes; i++) {
        struct change *c = &d->changes[i];
        uint64_t source = c->source;

        if (!(c->what & FED_FRAME_WHAT_BLOB))
            continue;
        if (source == 0 && used < d->n_blobs)
            c->work.blob = d->digests[used++];
        else if (source && source <= d->base->n_works)
            c->work.blob = d->base->works[source - 1].blob;
        else if (source && source - d->base->n_works - 1 < used)
            c->work.blob = d->digests[source - d->base->n_works - 1];
        else
            return FED_ERR_INVALID;
    }
    return used == d->n_blobs ? FED_OK : FED_ERR_INVALID;
}

/* ---- the resulting manifest ---- */

/* Everything in one piece: a work that nothing changed costs one allocation. */
static enum fed_err keep_work(struct fed_arena *arena, struct fed_work *work)
{
    struct fed_span *const spans[] = {
        &work->api_version, &work->kind, &work->plural, &work->ns, &work->name, &work->overrides};
    const size_t n = sizeof spans / sizeof spans[0];
    struct fed_span room;
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += spans[i]->len;
    room = fed_span_of(fed_alloc_get(&arena->alloc, total), total);
    if (!room.at)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint8_t *to = (uint8_t *)(uintptr_t)room.at;

        if (spans[i]->len)
            memcpy(to, spans[i]->at, spans[i]->len);
        *spans[i] = fed_span_of(to, spans[i]->len);
        room = fed_span_sub(room, spans[i]->len, room.len);
    }
    return FED_OK;
}

struct assembly {
    size_t base;    /* next of the base manifest */
    size_t removed; /* next of the lists */
    size_t changed;
    size_t added;
};

/* Next work of the base that stays; false at the end. FED_ERR_INVALID in *err when it is both
 * removed and changed. */
static bool next_kept(
    const struct decoder *d, struct assembly *a, const struct fed_work **out, enum fed_err *err)
{
    while (a->base < d->base->n_works) {
        size_t i = a->base;
        bool removed = a->removed < d->n_removed && d->removed[a->removed].base_index == i;
        bool changed = a->changed < d->n_changed && d->changes[a->changed].base == i;

        if (removed && changed) {
            *err = FED_ERR_INVALID;
            return false;
        }
        if (!removed) {
            *out = changed ? &d->changes[a->changed].work : &d->base->works[i];
            return true;
        }
        a->removed++;
        a->base++;
    }
    return false;
}

/* Merges what stays of the base with what was added, by identity. */
static enum fed_err assemble(struct decoder *d, struct fed_manifest *target)
{
    struct assembly a = {.added = d->n_changed};
    size_t most = d->base->n_works - d->n_removed + d->n_changes - d->n_changed;
    struct fed_work *works;
    size_t n = 0;
    enum fed_err err = FED_OK;

    if (most > FED_WORKS_MAX)
        return FED_ERR_LIMIT;
    works = fed_alloc_array(&d->arena->alloc, most, sizeof *works);
    if (!works)
        return FED_ERR_NOMEM;
    while (!err && n < most) {
        const struct fed_work *added = a.added < d->n_changes ? &d->changes[a.added].work : NULL;
        const struct fed_work *kept = NULL;
        bool have = next_kept(d, &a, &kept, &err);

        if (err || (!have && !added))
            return FED_ERR_INVALID;
        if (have && (!added || fed_work_cmp(kept, added) < 0)) {
            a.changed += a.changed < d->n_changed && d->changes[a.changed].base == a.base;
            a.base++;
            works[n] = *kept;
        } else {
            a.added++;
            works[n] = *added;
        }
        /* Sorted and no identity twice, whatever the lists said. */
        if (n && fed_work_cmp(&works[n - 1], &works[n]) >= 0)
            return FED_ERR_INVALID;
        err = keep_work(d->arena, &works[n++]);
    }
    target->works = works;
    target->n_works = n;
    return err;
}

/* ---- the whole ---- */

static enum fed_err fail(struct decoder *d, enum fed_err err, const char *where)
{
    return err ? fed_diag_prefix(d->diag, err, "frame: %s", where) : FED_OK;
}

static enum fed_err decode_works(struct decoder *d)
{
    struct fed_span bytes;
    enum fed_err err = open_section(d, &d->works, fed_dict_builtin(), &bytes);

    if (!err)
        err = take_removed(d, &bytes);
    if (!err)
        err = take_changes(d, &bytes);
    if (!err && bytes.len)
        err = FED_ERR_INVALID;
    return fail(d, err, "works");
}

static enum fed_err decode_blobs(struct decoder *d)
{
    struct fed_span dictionary = fed_span_of(NULL, 0);
    struct fed_span bytes;
    enum fed_err err = FED_OK;

    if (d->content.deflated)
        err = make_dictionary(d, &dictionary);
    if (!err)
        err = open_section(d, &d->content, dictionary, &bytes);
    if (!err)
        err = take_blobs(d, &bytes);
    if (!err && bytes.len)
        err = FED_ERR_INVALID;
    if (!err)
        err = resolve_sources(d);
    return fail(d, err, "blobs");
}

static enum fed_err verify(
    const struct fed_manifest *target, const struct fed_frame_head *head, struct fed_diag *diag)
{
    struct fed_digest digest;
    enum fed_err err = fed_manifest_digest(target, &digest);

    if (err)
        return fed_diag_set(diag, err, "frame: %s", fed_err_text(err));
    if (memcmp(digest.bytes, head->digest, sizeof head->digest) != 0)
        return fed_diag_set(diag, FED_ERR_DIGEST,
            "frame: the bundle of revision %llu is not the one that the hub described",
            (unsigned long long)head->revision);
    return FED_OK;
}

/* Fills in what differs from base, which for a full frame is what the receiver really holds. */
static enum fed_err list_changes(
    struct decoder *d, const struct fed_manifest *base, bool full, struct fed_frame *frame)
{
    struct fed_frame_pair *pairs;
    struct fed_frame_removed *removed;
    size_t *changed;
    size_t n;
    enum fed_err err = fed_frame_diff(d->arena, base, &frame->target, &pairs, &n);

    if (err)
        return err;
    changed = fed_alloc_array(&d->arena->alloc, n, sizeof *changed);
    removed = fed_alloc_array(&d->arena->alloc, n, sizeof *removed);
    if (!changed || !removed)
        return FED_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].target != FED_FRAME_NONE)
            changed[frame->n_changed++] = pairs[i].target;
        else
            removed[frame->n_removed++] = (struct fed_frame_removed){.base_index = pairs[i].base,
                .options = base->works[pairs[i].base].options & FED_WORK_ORPHAN};
    }
    frame->changed = changed;
    frame->removed = full ? removed : d->removed;
    if (!full)
        frame->n_removed = d->n_removed;
    return FED_OK;
}

static enum fed_err check_base(
    const struct fed_frame_head *head, const struct fed_manifest *base, struct fed_diag *diag)
{
    if (!head->has_body)
        return fed_diag_set(diag, FED_ERR_INVALID, "frame: no body");
    if (head->base_revision == 0)
        return FED_OK;
    if (head->base_revision != base->revision || head->epoch != base->epoch)
        return fed_diag_set(diag, FED_ERR_CONFLICT,
            "frame: starts from revision %llu of epoch %u, held is revision %llu of epoch %u",
            (unsigned long long)head->base_revision, (unsigned)head->epoch,
            (unsigned long long)base->revision, (unsigned)base->epoch);
    return FED_OK;
}

enum fed_err fed_frame_decode(struct fed_arena *arena, struct fed_span bytes,
    const struct fed_manifest *base, fed_blob_lookup *blobs, void *blobs_ctx, struct fed_frame *out,
    struct fed_diag *diag)
{
    static const struct fed_manifest nothing = {0};
    struct decoder d = {.arena = arena, .blobs_of = blobs, .blobs_ctx = blobs_ctx, .diag = diag};
    struct fed_frame frame = {0};
    unsigned flags;
    enum fed_err err;

    if (diag)
        diag->text[0] = '\0';
    if (bytes.len > FED_FRAME_MAX)
        return fail(&d, FED_ERR_LIMIT, "size");
    err = take_head(&bytes, &frame.head, &flags);
    if (err)
        return fail(&d, err, "head");
    err = check_base(&frame.head, base, diag);
    if (err)
        return err;
    d.base = flags & FED_FRAME_FULL ? &nothing : base;
    err = take_section(
        &bytes, flags & FED_FRAME_WORKS_DEFLATED, FED_FRAME_WORKS_SECTION_MAX, &d.works);
    if (!err)
        err = take_section(
            &bytes, flags & FED_FRAME_BLOBS_DEFLATED, FED_FRAME_BLOBS_SECTION_MAX, &d.content);
    if (!err && bytes.len)
        err = FED_ERR_INVALID;
    if (err)
        return fail(&d, err, "sections");
    err = decode_works(&d);
    if (!err)
        err = decode_blobs(&d);
    if (err)
        return err;
    frame.target =
        (struct fed_manifest){.epoch = frame.head.epoch, .revision = frame.head.revision};
    err = fail(&d, assemble(&d, &frame.target), "manifest");
    if (!err)
        err = verify(&frame.target, &frame.head, diag);
    if (!err)
        err = fail(&d, list_changes(&d, base, flags & FED_FRAME_FULL, &frame), "changes");
    if (err)
        return err;
    frame.blobs = d.blobs;
    frame.blob_digests = d.digests;
    frame.n_blobs = d.n_blobs;
    *out = frame;
    return FED_OK;
}
