/* piece.c - what is sent: works, and the content that many of them share, both counted. */
#include "hub/plan/internal.h"
#include "proto/object/render.h"

#include <string.h>

#define AGAIN "fedlet.io:again" /* no member of any object; see piece_again */

/* ---- blobs ---- */

enum fed_err plan_blob_get(struct hub_plan *plan, struct fed_span bytes, struct plan_blob **out)
{
    struct fed_digest digest;
    struct plan_blob *blob;
    enum fed_err err = fed_digest_of(bytes, &digest);

    if (err)
        return err;
    blob = fed_map_get(&plan->blobs, fed_span_of(digest.bytes, sizeof digest.bytes));
    if (blob) {
        blob->refs++;
        *out = blob;
        return FED_OK;
    }
    blob = fed_alloc_get(plan->mem, sizeof *blob + bytes.len);
    if (!blob)
        return FED_ERR_NOMEM;
    *blob = (struct plan_blob){.digest = digest, .mem = plan->mem, .refs = 1, .len = bytes.len};
    if (bytes.len)
        memcpy(blob->bytes, bytes.at, bytes.len);
    err = fed_map_put(&plan->blobs, fed_span_of(digest.bytes, sizeof digest.bytes), blob);
    if (err) {
        fed_alloc_free(plan->mem, blob, sizeof *blob + bytes.len);
        return err;
    }
    *out = blob;
    return FED_OK;
}

void plan_blob_unref(struct hub_plan *plan, struct plan_blob *blob)
{
    if (!blob || --blob->refs > 0)
        return;
    fed_map_remove(&plan->blobs, fed_span_of(blob->digest.bytes, sizeof blob->digest.bytes));
    fed_alloc_free(plan->mem, blob, sizeof *blob + blob->len);
}

enum fed_err hub_plan_blob(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    struct hub_plan *plan = ctx;
    struct plan_blob *blob =
        fed_map_get(&plan->blobs, fed_span_of(digest->bytes, sizeof digest->bytes));

    if (!blob)
        return FED_ERR_NOT_FOUND;
    *out = fed_span_of(blob->bytes, blob->len);
    return FED_OK;
}

/* ---- pieces ---- */

/* Copies text behind the piece and points the span there. */
static void keep(struct plan_piece *piece, size_t *at, struct fed_span *text)
{
    if (text->len)
        memcpy(piece->text + *at, text->at, text->len);
    text->at = piece->text + *at;
    *at += text->len;
}

enum fed_err plan_piece_new(struct hub_plan *plan, struct plan_item *owner,
    const struct fed_work *work, struct plan_blob *blob, struct plan_piece **out)
{
    size_t text = work->api_version.len + work->kind.len + work->plural.len + work->ns.len +
                  work->name.len + work->overrides.len;
    struct plan_piece *piece = fed_alloc_get(plan->mem, sizeof *piece + text);
    size_t at = 0;

    if (!piece)
        return FED_ERR_NOMEM;
    *piece = (struct plan_piece){
        .refs = 1, .size = sizeof *piece + text, .work = *work, .blob = blob, .owner = owner};
    blob->refs++;
    plan->n_pieces++;
    piece->work.blob = blob->digest;
    keep(piece, &at, &piece->work.api_version);
    keep(piece, &at, &piece->work.kind);
    keep(piece, &at, &piece->work.plural);
    keep(piece, &at, &piece->work.ns);
    keep(piece, &at, &piece->work.name);
    keep(piece, &at, &piece->work.overrides);
    *out = piece;
    return FED_OK;
}

void plan_piece_unref(struct hub_plan *plan, struct plan_piece *piece)
{
    if (!piece || --piece->refs > 0)
        return;
    plan_blob_unref(plan, piece->blob);
    plan->n_pieces--;
    fed_alloc_free(plan->mem, piece, piece->size);
}

/* ---- the work of an object for a cluster ---- */

static void identify(const struct plan_item *item, struct fed_work *work)
{
    const struct plan_type *type = item->type;

    *work = (struct fed_work){.api_version = item->latest->api_version, .name = item->name};
    work->kind = fed_span_text(type ? type->target_kind : "Namespace");
    work->plural = fed_span_text(type ? type->target_plural : "namespaces");
    if (type && type->target_namespaced) {
        work->ns = item->ns;
        work->options |= FED_WORK_NAMESPACED;
    }
}

void plan_item_describe(
    const struct hub_plan *plan, const struct plan_item *item, struct fed_work *work)
{
    identify(item, work);
    if (plan->settings.adopt)
        work->options |= FED_WORK_ADOPT;
    if (item->retain_replicas)
        work->options |= FED_WORK_RETAIN_REPLICAS;
    if (item->type && plan_collects(plan, item->type))
        work->options |= FED_WORK_STATUS;
    if (plan_is_scaled(plan, item))
        work->options |= FED_WORK_SCALE;
}

void plan_pair_id(const struct plan_item *item, const struct plan_pair *pair, struct fed_buf *out)
{
    struct fed_work work;

    if (pair->piece)
        work = pair->piece->work;
    else
        identify(item, &work);
    fed_work_put_id(out, &work);
}

/* Overrides may make another version of the object, not another object: whoever replaces all of its
 * metadata takes name and namespace away, which a member refuses. */
static enum fed_err check_rendered(struct hub_plan *plan, struct fed_work *work,
    const struct fed_json *object, struct fed_diag *diag)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));

    if (!fed_span_eq(fed_json_string(fed_json_find(object, "metadata.name")), work->name) ||
        !fed_span_eq(fed_json_string(fed_json_find(object, "metadata.namespace")), work->ns))
        return fed_diag_set(
            diag, FED_ERR_CONFLICT, "an empty namespace may not be set during creation");
    if (fed_span_to_cstr(api_version, plan->api_version, sizeof plan->api_version))
        return fed_diag_set(diag, FED_ERR_INVALID, "apiVersion is too long");
    if (api_version.len)
        work->api_version = fed_span_text(plan->api_version);
    return fed_work_check(work, diag);
}

/* Whether the work can be rendered at all; the agent would find the same, but here the writer sees
 * it at once. The work gets the apiVersion that comes out, valid until the next call.
 * FED_ERR_CONFLICT: a member would refuse it. */
static enum fed_err try_render(struct hub_plan *plan, struct fed_work *work,
    const struct plan_blob *blob, struct fed_diag *diag)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, plan->mem, FED_BLOB_MAX + FED_WORK_OVERRIDES_MAX);
    err = fed_render_work(plan->mem, work, fed_span_of(blob->bytes, blob->len), &out, diag);
    if (!err)
        err = fed_json_doc_new(plan->mem, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&out), &object, diag);
    if (!err)
        err = check_rendered(plan, work, object, diag);
    fed_json_doc_free(doc);
    fed_buf_fini(&out);
    return err;
}

static enum fed_err piece_without(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_work work;
    enum fed_err err;

    if (!version->shared) {
        plan_item_describe(plan, item, &work);
        work.api_version = version->api_version;
        work.blob = version->blob->digest;
        work.overrides = fed_span_text("");
        err = fed_work_check(&work, diag);
        if (!err)
            err = plan_piece_new(plan, item, &work, version->blob, &version->shared);
        if (err)
            return err;
    }
    version->shared->refs++;
    *out = version->shared;
    return FED_OK;
}

static enum fed_err piece_with(struct hub_plan *plan, struct plan_item *item,
    const struct plan_version *version, struct fed_span operations, struct plan_piece **out,
    struct fed_diag *diag)
{
    struct fed_work work;
    enum fed_err err;

    plan_item_describe(plan, item, &work);
    work.api_version = version->api_version;
    work.blob = version->blob->digest;
    work.overrides = operations;
    err = try_render(plan, &work, version->blob, diag);
    return err ? err : plan_piece_new(plan, item, &work, version->blob, out);
}

static enum fed_err piece_joined(struct hub_plan *plan, struct plan_item *item,
    const struct plan_version *version, const struct plan_overrides *overrides,
    struct plan_piece **out, struct fed_diag *diag)
{
    struct fed_buf joined;
    enum fed_err err;

    fed_buf_init(&joined, plan->mem, FED_WORK_OVERRIDES_MAX);
    err = plan_overrides_join(overrides, &joined);
    if (err == FED_ERR_LIMIT)
        fed_diag_set(diag, err, "the overrides of this cluster are larger than 64 KiB");
    if (!err)
        err = piece_with(plan, item, version, fed_buf_span(&joined), out, diag);
    fed_buf_fini(&joined);
    return err;
}

/* An agent tries a version again that it gave up when the work changes, and not before. Added and
 * taken away at once, a member of the object's root changes the work and nothing else, in each
 * object, whatever its template says; the template is not sent again, and no agent has to know of
 * it. */
static enum fed_err piece_again(struct hub_plan *plan, struct plan_item *item,
    const struct plan_version *version, const struct plan_overrides *overrides, unsigned tries,
    struct plan_piece **out)
{
    struct fed_diag diag;
    struct fed_buf joined;
    enum fed_err err = FED_OK;

    fed_buf_init(&joined, plan->mem, FED_WORK_OVERRIDES_MAX);
    if (overrides->n > 0)
        err = plan_overrides_join(overrides, &joined);
    if (!err && joined.len > 0)
        fed_buf_cut(&joined, joined.len - 1);
    fed_buf_printf(&joined,
        "%s{\"op\":\"add\",\"path\":\"/" AGAIN
        "\",\"value\":%u},{\"op\":\"remove\",\"path\":\"/" AGAIN "\"}]",
        joined.len > 0 ? "," : "[", tries);
    if (!err)
        err = fed_buf_err(&joined);
    if (!err)
        err = piece_with(plan, item, version, fed_buf_span(&joined), out, &diag);
    fed_buf_fini(&joined);
    return err;
}

/* Where piece_again wrote; the length when it did not. */
static size_t find_again(struct fed_span overrides)
{
    static const char mark[] = "{\"op\":\"add\",\"path\":\"/" AGAIN "\"";
    const uint8_t *at =
        overrides.len ? memmem(overrides.at, overrides.len, mark, sizeof mark - 1) : NULL;

    return at ? (size_t)(at - overrides.at) : overrides.len;
}

bool plan_work_is_again(const struct fed_work *sent, const struct fed_work *work)
{
    struct fed_work bare = *sent;
    size_t at = find_again(sent->overrides);

    if (at == sent->overrides.len)
        return false;
    bare.overrides = work->overrides;
    if (!fed_work_same(&bare, work))
        return false;
    if (at == 1) /* behind "[" */
        return work->overrides.len == 0;
    return work->overrides.len == at && /* the comma stands where the list ended */
           memcmp(work->overrides.at, sent->overrides.at, at - 1) == 0;
}

enum fed_err plan_piece_for(struct hub_plan *plan, struct plan_item *item,
    struct plan_version *version, unsigned tries, const struct plan_cluster *cluster,
    struct plan_piece **out, struct fed_diag *diag)
{
    struct plan_overrides overrides;
    struct plan_piece *piece;
    struct fed_span key;
    enum fed_err err;

    if (version->n_overrides == 0 && tries == 0)
        return piece_without(plan, item, version, out, diag);
    plan_overrides_match(version, cluster, &overrides);
    if (tries > 0) {
        err = piece_again(plan, item, version, &overrides, tries, out);
        if (!err || err == FED_ERR_NOMEM)
            return err;
    }
    if (overrides.n == 0)
        return piece_without(plan, item, version, out, diag);
    if (overrides.named)
        return piece_joined(plan, item, version, &overrides, out, diag);
    key = plan_overrides_key(&overrides);
    piece = fed_map_get(&version->variants, key);
    if (!piece) {
        err = piece_joined(plan, item, version, &overrides, &piece, diag);
        if (err)
            return err;
        err = fed_map_put(&version->variants, key, piece);
        if (err) {
            plan_piece_unref(plan, piece);
            return err;
        }
    }
    piece->refs++;
    *out = piece;
    return FED_OK;
}
