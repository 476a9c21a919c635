/* name.c - how versions are named: so that a name says nothing of what it names.
 *
 * Names stand in Rollouts, which many may read who may not read the object. A digest of the content
 * alone would let them confirm a guess of a FederatedSecret's. So it is an HMAC: by a key of this
 * hub, made once and stored in row "V-key" (32 bytes, part of every backup), then by the object's
 * uid, so that the same content in two objects has two names. */
#include "hub/rollout/internal.h"

#include <string.h>

#define KEY "V-key" /* before the versions, "V/" */

/* Of two hubs that begin at once one makes it, and both read it. */
static enum fed_err make(struct hub_rollouts *r, struct fed_store *store, struct fed_diag *diag)
{
    struct fed_store_compare absent = {.key = FED_SPAN_LIT(KEY)};
    struct fed_store_op op = {.key = FED_SPAN_LIT(KEY)};
    uint8_t key[FED_DIGEST_SIZE];
    enum fed_err err = r->o.crypto->random(r->o.crypto->ctx, key, sizeof key);

    if (err)
        return err;
    op.value = fed_span_of(key, sizeof key);
    err = store->commit(store->ctx, &absent, 1, &op, 1, NULL, diag);
    return err == FED_ERR_CONFLICT ? FED_OK : err;
}

enum fed_err rollout_names_open(struct hub_rollouts *r, struct fed_diag *diag)
{
    struct fed_store *store = hub_objects_store(r->objects);
    struct fed_buf row;
    enum fed_err err;

    fed_buf_init(&row, r->mem, FED_STORE_VALUE_MAX);
    err = store->get(store->ctx, FED_SPAN_LIT(KEY), &row, NULL);
    if (err == FED_ERR_NOT_FOUND) {
        err = make(r, store, diag);
        if (!err)
            err = store->get(store->ctx, FED_SPAN_LIT(KEY), &row, NULL);
    }
    if (!err && row.len != sizeof r->name_key)
        err = fed_diag_set(diag, FED_ERR_CORRUPT, "row " KEY " is not of %zu bytes: restore it",
            sizeof r->name_key);
    if (!err)
        memcpy(r->name_key, row.at, sizeof r->name_key);
    fed_buf_fini(&row);
    return err;
}

static enum fed_err name_of(const struct hub_rollouts *r, const struct rollout_subject *s,
    struct fed_span content, struct fed_digest *out)
{
    const struct fed_crypto *crypto = r->o.crypto;
    uint8_t key[FED_DIGEST_SIZE];
    enum fed_err err = crypto->hmac_sha256(crypto->ctx,
        fed_span_of(r->name_key, sizeof r->name_key), fed_span_text(s ? s->uid : ""), key);

    return err ? err
               : crypto->hmac_sha256(
                     crypto->ctx, fed_span_of(key, sizeof key), content, out->bytes);
}

enum fed_err rollout_content_of(struct hub_rollouts *r, const struct rollout_subject *s,
    struct fed_span object, bool scaled, struct fed_digest *name, struct fed_buf *out)
{
    size_t before = out->len;
    enum fed_err err = hub_rollout_content(r->mem, object, scaled, out);

    if (!err)
        err = name_of(r, s, fed_span_sub(fed_buf_span(out), before, out->len), name);
    if (err)
        fed_buf_cut(out, before);
    return err;
}
