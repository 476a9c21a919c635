/* consent.c - see consent.h. */
#include "proto/bundle/consent.h"

#include <stdlib.h>
#include <string.h>

#define REMOVALS_FORMAT 1u
#define WINDOW_MAX (2u * FED_WORKS_MAX) /* ids: as many as a stored window may have */

/* ---- limits ---- */

void fed_consent_limit_default(struct fed_consent_limit *out)
{
    *out = (struct fed_consent_limit){.share = FED_CONSENT_SHARE, .least = FED_CONSENT_LEAST};
}

static bool take_part(struct fed_span part, struct fed_consent_limit *out)
{
    size_t equals = fed_span_find(part, '=');
    struct fed_span name = fed_span_sub(part, 0, equals);
    struct fed_span value = fed_span_sub(part, equals + 1, part.len);
    uint64_t number;

    if (fed_span_is(name, "share") && fed_span_ends(value, "%")) {
        if (fed_span_to_u64(fed_span_sub(value, 0, value.len - 1), &number) || number > 100)
            return false;
        out->share = (uint32_t)number;
        return true;
    }
    if (!fed_span_is(name, "least") || fed_span_to_u64(value, &number) || number < 1 ||
        number > FED_WORKS_MAX)
        return false;
    out->least = (uint32_t)number;
    return true;
}

enum fed_err fed_consent_limit_parse(
    struct fed_span text, struct fed_consent_limit *out, struct fed_diag *diag)
{
    struct fed_consent_limit limit;
    struct fed_span rest = text;
    struct fed_span part;
    bool good = text.len > 0;

    fed_consent_limit_default(&limit);
    if (fed_span_is(text, "off")) {
        limit.share = 100;
        rest.len = 0;
    }
    while (good && fed_span_split(&rest, ',', &part))
        good = take_part(part, &limit);
    if (!good)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "must be share=N%%,least=M with N from 0 to 100 and M from 1 to %u, one of them, or "
            "off",
            FED_WORKS_MAX);
    *out = limit;
    return FED_OK;
}

/* ---- the rule ---- */

void fed_consent_window_init(struct fed_consent_window *window, struct fed_alloc *mem)
{
    *window = (struct fed_consent_window){.mem = mem};
}

void fed_consent_window_fini(struct fed_consent_window *window)
{
    fed_alloc_free(window->mem, window->ids, window->cap * sizeof *window->ids);
    fed_consent_window_init(window, window->mem);
}

void fed_consent_turn(struct fed_consent_window *window, uint64_t now_ms, bool waits)
{
    if (!waits && window->end_ms <= now_ms)
        fed_consent_window_fini(window);
}

bool fed_consent_needed(const struct fed_consent_limit *limit,
    const struct fed_consent_window *window, uint64_t n, uint64_t works)
{
    uint64_t removed = window->n + n;

    return n > 0 && removed >= limit->least && removed * 100 > limit->share * (works + window->n);
}

enum fed_err fed_consent_reserve(struct fed_consent_window *window, size_t n)
{
    size_t all = window->n + n < WINDOW_MAX ? window->n + n : WINDOW_MAX;
    size_t cap = window->cap ? window->cap : 4;
    struct fed_removal_id *ids;

    if (all <= window->cap)
        return FED_OK;
    while (cap < all)
        cap *= 2;
    ids = window->mem->resize(
        window->mem->ctx, window->ids, window->cap * sizeof *ids, cap * sizeof *ids);
    if (!ids)
        return FED_ERR_NOMEM;
    window->ids = ids;
    window->cap = cap;
    return FED_OK;
}

/* A window goes on as long as removals follow each other, and a limit that lets nearly everything
 * through never ends it: what is full is as strict as it can be, and need not grow. */
void fed_consent_pass(
    struct fed_consent_window *window, const struct fed_removal_id *id, uint64_t now_ms)
{
    window->end_ms = now_ms + FED_CONSENT_WINDOW_S * 1000u;
    if (window->n < window->cap && window->n < WINDOW_MAX)
        window->ids[window->n++] = *id;
    window->sorted = false;
}

void fed_consent_back(struct fed_consent_window *window, const struct fed_work *work)
{
    struct fed_removal_id id;
    struct fed_removal_id *found;

    if (window->n == 0 || fed_removal_id_of(work, &id))
        return;
    if (!window->sorted)
        qsort(window->ids, window->n, sizeof id, fed_removal_id_cmp);
    found = bsearch(&id, window->ids, window->n, sizeof id, fed_removal_id_cmp);
    window->sorted = true;
    if (!found)
        return;
    window->n--;
    memmove(found, found + 1, (size_t)(window->ids + window->n - found) * sizeof id);
}

void fed_consent_window_put(const struct fed_consent_window *window, struct fed_buf *out)
{
    fed_buf_put_varint(out, window->n);
    fed_buf_put(out, fed_span_of(window->ids, window->n * sizeof *window->ids));
}

enum fed_err fed_consent_window_take(struct fed_span *from, struct fed_consent_window *window)
{
    struct fed_span all;
    uint64_t n = 0;
    enum fed_err err = fed_span_take_varint(from, WINDOW_MAX, &n);

    if (!err)
        err = fed_span_take_bytes(from, (size_t)n * sizeof *window->ids, &all);
    if (!err)
        err = fed_consent_reserve(window, (size_t)n);
    if (err || n == 0)
        return err;
    memcpy(window->ids, all.at, all.len);
    window->n = (size_t)n;
    window->sorted = false;
    return FED_OK;
}

/* ---- ids ---- */

static enum fed_err digest_parts(const struct fed_span parts[4], struct fed_removal_id *out)
{
    struct fed_digest_state state;
    struct fed_digest digest;
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    for (size_t i = 0; i < 4 && !err; i++) {
        err = fed_digest_add(&state, parts[i]);
        if (!err && i < 3)
            err = fed_digest_add(&state, fed_span_of("", 1));
    }
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    err = fed_digest_end(&state, &digest);
    if (!err)
        memcpy(out->bytes, digest.bytes, sizeof out->bytes);
    return err;
}

enum fed_err fed_removal_id_of(const struct fed_work *work, struct fed_removal_id *out)
{
    const struct fed_span parts[4] = {
        fed_work_group(work->api_version), work->kind, work->ns, work->name};

    return digest_parts(parts, out);
}

enum fed_err fed_removal_id_of_text(struct fed_span id, struct fed_removal_id *out)
{
    struct fed_span words[5];
    struct fed_span parts[4] = {{0}};
    size_t n = 0;

    while (n < 5 && fed_span_split(&id, '/', &words[n]))
        n++;
    if (n < 4 || id.len > 0)
        return FED_ERR_INVALID;
    if (n == 5)
        parts[0] = words[0];
    memcpy(&parts[1], &words[n - 3], 3 * sizeof *parts);
    return digest_parts(parts, out);
}

int fed_removal_id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, FED_REMOVAL_ID_SIZE);
}

/* ---- the answer ---- */

void fed_removals_put(struct fed_buf *out, const struct fed_removal_id *ids, size_t n)
{
    fed_buf_put_u8(out, REMOVALS_FORMAT);
    fed_buf_put_varint(out, n);
    fed_buf_put(out, fed_span_of(ids, n * sizeof *ids));
}

enum fed_err fed_removals_take(struct fed_span bytes, const struct fed_removal_id **ids, size_t *n)
{
    const struct fed_removal_id *list;
    struct fed_span all;
    uint64_t count = 0;
    uint8_t format = 0;
    enum fed_err err = fed_span_take_u8(&bytes, &format);

    if (!err && format != REMOVALS_FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_varint(&bytes, FED_WORKS_MAX, &count);
    if (!err)
        err = fed_span_take_bytes(&bytes, (size_t)count * sizeof *list, &all);
    if (!err && bytes.len > 0)
        err = FED_ERR_INVALID;
    list = err ? NULL : (const struct fed_removal_id *)(const void *)all.at;
    for (size_t i = 1; !err && i < count; i++)
        if (fed_removal_id_cmp(&list[i - 1], &list[i]) >= 0)
            err = FED_ERR_INVALID;
    if (err)
        return err;
    *ids = list;
    *n = (size_t)count;
    return FED_OK;
}
