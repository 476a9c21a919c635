/* bundle.c - what an agent holds, in memory. */
#include "tests/swarm/swarm.h"

#include <string.h>

#define STAGE_ARENA_MAX (96u << 20) /* as the agent's */

struct swarm_blob {
    size_t users; /* works of bundles */
    bool expected;
    size_t len;
    uint8_t bytes[];
};

/* ---- blobs ---- */

static struct fed_span key_of(const struct fed_digest *digest)
{
    return fed_span_of(digest->bytes, sizeof digest->bytes);
}

static bool contains(const struct swarm_blob *blob, const char *text)
{
    return text[0] && memmem(blob->bytes, blob->len, text, strlen(text)) != NULL;
}

void swarm_blobs_init(struct swarm_blobs *blobs, struct fed_alloc *mem)
{
    *blobs = (struct swarm_blobs){.mem = mem};
    fed_map_init(&blobs->map, mem);
}

static void blob_free(struct swarm_blobs *blobs, struct swarm_blob *blob)
{
    fed_alloc_free(blobs->mem, blob, sizeof *blob + blob->len);
}

void swarm_blobs_fini(struct swarm_blobs *blobs)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &blobs->map);
    while (fed_map_iter_next(&it))
        blob_free(blobs, it.value);
    fed_map_fini(&blobs->map);
}

void swarm_blobs_expect(struct swarm_blobs *blobs, const char *text)
{
    struct fed_map_iter it;
    size_t len = strlen(text);

    len = len > SWARM_TEXT_MAX ? SWARM_TEXT_MAX : len;
    memcpy(blobs->expected, text, len);
    blobs->expected[len] = 0;
    fed_map_iter_init(&it, &blobs->map);
    while (fed_map_iter_next(&it)) {
        struct swarm_blob *blob = it.value;

        blob->expected = contains(blob, blobs->expected);
    }
}

static enum fed_err blob_add(
    struct swarm_blobs *blobs, const struct fed_digest *digest, struct fed_span bytes)
{
    struct swarm_blob *blob;

    if (fed_map_get(&blobs->map, key_of(digest)))
        return FED_OK;
    blob = fed_alloc_get(blobs->mem, sizeof *blob + bytes.len);
    if (!blob)
        return FED_ERR_NOMEM;
    *blob = (struct swarm_blob){.len = bytes.len};
    if (bytes.len)
        memcpy(blob->bytes, bytes.at, bytes.len);
    blob->expected = contains(blob, blobs->expected);
    if (fed_map_put(&blobs->map, key_of(digest), blob)) {
        blob_free(blobs, blob);
        return FED_ERR_NOMEM;
    }
    return FED_OK;
}

static void blob_leave(struct swarm_blobs *blobs, const struct fed_digest *digest)
{
    struct swarm_blob *blob = fed_map_get(&blobs->map, key_of(digest));

    if (!blob || --blob->users > 0)
        return;
    fed_map_remove(&blobs->map, key_of(digest));
    blob_free(blobs, blob);
}

/* ---- the bundle ---- */

void swarm_bundle_init(struct swarm_bundle *bundle, struct fed_alloc *mem)
{
    *bundle = (struct swarm_bundle){0};
    fed_buf_init(&bundle->works, mem, FED_FRAME_WORKS_SECTION_MAX);
}

static void let_go(const struct swarm_bundle *bundle, struct swarm_blobs *blobs)
{
    struct fed_span from = fed_buf_span(&bundle->works);
    struct fed_work work;

    while (from.len && !fed_work_take(&from, &work, NULL))
        blob_leave(blobs, &work.blob);
}

void swarm_bundle_fini(struct swarm_bundle *bundle, struct swarm_blobs *blobs)
{
    let_go(bundle, blobs);
    fed_alloc_free(bundle->works.mem, bundle->notes, bundle->n_works * sizeof *bundle->notes);
    fed_buf_fini(&bundle->works);
}

/* The works point into the bundle's own encoding. */
static enum fed_err manifest_of(
    const struct swarm_bundle *bundle, struct fed_alloc *mem, struct fed_manifest *out)
{
    struct fed_work *works = fed_alloc_array(mem, bundle->n_works + 1, sizeof *works);
    struct fed_span from = fed_buf_span(&bundle->works);
    enum fed_err err = works ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < bundle->n_works; i++)
        err = fed_work_take(&from, &works[i], NULL);
    *out = (struct fed_manifest){.epoch = bundle->epoch,
        .revision = bundle->revision,
        .works = works,
        .n_works = bundle->n_works};
    return err;
}

bool swarm_bundle_meets(const struct swarm_bundle *bundle, const struct swarm_blobs *blobs)
{
    struct fed_span from = fed_buf_span(&bundle->works);
    struct fed_work work;

    while (from.len && !fed_work_take(&from, &work, NULL)) {
        const struct swarm_blob *blob = fed_map_get(&blobs->map, key_of(&work.blob));

        if (blob && blob->expected)
            return true;
    }
    return false;
}

/* ---- taking a frame in ---- */

struct taking {
    struct swarm_bundle *bundle;
    struct swarm_blobs *blobs;
    struct fed_manifest base;
    struct fed_frame frame;
    struct swarm_bundle next;
};

/* Only what this agent holds, whoever else holds more. */
static enum fed_err look_up(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct taking *t = ctx;

    for (size_t i = 0; i < t->base.n_works; i++) {
        const struct swarm_blob *blob;

        if (!fed_digest_eq(&t->base.works[i].blob, digest))
            continue;
        blob = fed_map_get(&t->blobs->map, key_of(digest));
        if (!blob)
            break;
        *out = fed_span_of(blob->bytes, blob->len);
        return FED_OK;
    }
    return FED_ERR_NOT_FOUND;
}

static enum fed_err check_head(
    const struct swarm_bundle *bundle, struct fed_span frame, struct fed_diag *diag)
{
    struct fed_frame_head head;
    enum fed_err err = fed_frame_head_take(&frame, &head);

    if (err)
        return fed_diag_set(diag, err, "the head cannot be read");
    if (!head.has_body)
        return fed_diag_set(diag, FED_ERR_CONFLICT, "a frame without changes");
    if (bundle->revision == 0)
        return FED_OK;
    if (head.epoch != bundle->epoch)
        return head.base_revision == 0
                   ? FED_OK
                   : fed_diag_set(diag, FED_ERR_CONFLICT, "a change of another epoch");
    if (head.revision < bundle->revision)
        return fed_diag_set(diag, FED_ERR_GONE, "revision %llu after revision %llu",
            (unsigned long long)head.revision, (unsigned long long)bundle->revision);
    return FED_OK;
}

/* Where the work of the next bundle was in the present one; both are in order. */
static const struct swarm_note *note_before(
    const struct taking *t, const struct fed_work *work, size_t *at)
{
    while (*at < t->base.n_works) {
        int order = fed_work_cmp(&t->base.works[*at], work);

        if (order == 0)
            return &t->bundle->notes[*at];
        if (order > 0)
            break;
        (*at)++;
    }
    return NULL;
}

static void make_note(struct taking *t, size_t i, const struct swarm_note *before, bool same)
{
    struct swarm_note *note = &t->next.notes[i];

    if (before)
        *note = *before;
    if (before && same)
        return;
    note->generation++;
    note->deed = before ? FED_DEED_UPDATED : FED_DEED_CREATED;
    note->dirty = true;
}

static enum fed_err make_next(struct taking *t)
{
    const struct fed_manifest *target = &t->frame.target;
    struct fed_alloc *mem = t->bundle->works.mem;
    size_t at = 0;

    t->next.epoch = target->epoch;
    t->next.revision = target->revision;
    memcpy(t->next.digest, t->frame.head.digest, sizeof t->next.digest);
    t->next.notes = fed_alloc_zero(mem, target->n_works * sizeof *t->next.notes + 1);
    if (!t->next.notes)
        return FED_ERR_NOMEM;
    t->next.n_works = target->n_works;
    for (size_t i = 0; i < target->n_works; i++) {
        const struct fed_work *work = &target->works[i];
        const struct swarm_note *before = note_before(t, work, &at);

        make_note(t, i, before, before && fed_work_same(&t->base.works[at], work));
        fed_work_put(&t->next.works, work);
    }
    return fed_buf_err(&t->next.works);
}

static enum fed_err add_blobs(struct taking *t)
{
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < t->frame.n_blobs; i++)
        err = blob_add(t->blobs, &t->frame.blob_digests[i], t->frame.blobs[i]);
    return err;
}

/* From here nothing fails. */
static void adopt(struct taking *t)
{
    const struct fed_manifest *target = &t->frame.target;

    for (size_t i = 0; i < target->n_works; i++) {
        struct swarm_blob *blob = fed_map_get(&t->blobs->map, key_of(&target->works[i].blob));

        if (blob)
            blob->users++;
    }
    swarm_bundle_fini(t->bundle, t->blobs);
    *t->bundle = t->next;
}

static enum fed_err take(
    struct taking *t, struct fed_arena *arena, struct fed_span frame, struct fed_diag *diag)
{
    enum fed_err err = manifest_of(t->bundle, &arena->alloc, &t->base);

    if (!err)
        err = fed_frame_decode(arena, frame, &t->base, look_up, t, &t->frame, diag);
    if (!err)
        err = make_next(t);
    if (!err)
        err = add_blobs(t);
    return err;
}

enum fed_err swarm_bundle_take(struct swarm_bundle *bundle, struct swarm_blobs *blobs,
    struct fed_span frame, struct fed_diag *diag)
{
    struct taking t = {.bundle = bundle, .blobs = blobs};
    struct fed_arena arena;
    enum fed_err err = check_head(bundle, frame, diag);

    if (err)
        return err;
    fed_arena_init(&arena, bundle->works.mem, STAGE_ARENA_MAX);
    swarm_bundle_init(&t.next, bundle->works.mem);
    err = take(&t, &arena, frame, diag);
    if (!err) {
        adopt(&t);
    } else {
        fed_alloc_free(bundle->works.mem, t.next.notes, t.next.n_works * sizeof *t.next.notes);
        fed_buf_fini(&t.next.works);
    }
    fed_arena_fini(&arena);
    return err;
}
