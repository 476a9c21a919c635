/* rotation.c - a CA that follows another. The files say how far it is:
 *
 * NONE: ca.crt and ca.key. One CA.
 *
 * OVERLAP: besides ca.old.crt, ca.old.key, ca.vouch.crt. The new one (ca.crt) issues to agents, the
 * old one signs the hub's own certificate.
 *
 * SWITCHED: besides ca.old.crt, ca.vouch.crt. The new one signs that, too; agents of the old one
 * are let in, and follow from it to the new one by ca.vouch.crt.
 *
 * A rotation is written in an order from which a start can go on: ca.next.key, ca.vouch.crt,
 * ca.old.*, then ca.next.crt. With that one there, ca.key and ca.crt are overwritten and ca.next.*
 * removed, as often as it takes; without it, what is there of ca.old.* is the present CA and goes
 * away. */
#include "hub/identity/internal.h"

#include <stdio.h>
#include <string.h>

static enum fed_err remove_file(
    struct hub_identity *identity, const char *name, struct fed_diag *diag)
{
    char path[4096];
    enum fed_err err = identity_path(identity, name, path, sizeof path, diag);

    return err ? err : identity->fs->remove(identity->fs->ctx, path, diag);
}

static enum fed_err remove_old(struct hub_identity *identity, struct fed_diag *diag)
{
    static const char *const names[] = {"ca.old.key", "ca.old.crt", "ca.vouch.crt"};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < sizeof names / sizeof *names; i++)
        err = remove_file(identity, names[i], diag);
    return err;
}

const struct identity_ca *identity_hub_ca(const struct hub_identity *identity)
{
    return identity->old.key.len > 0 ? &identity->old : &identity->ca;
}

/* ---- at the start ---- */

/* Nothing in key when the file is not there, or is not the key of that certificate. */
static enum fed_err read_key_of(struct hub_identity *identity, const struct fed_buf *cert,
    const char *name, struct fed_buf *key, struct fed_diag *diag)
{
    struct fed_crypto *crypto = identity->crypto;
    enum fed_err err;

    fed_buf_clear(key);
    err = identity_read_file(identity, name, key, diag);
    if (err || key->len == 0)
        return err;
    err = crypto->cert_check(
        crypto->ctx, fed_buf_span(cert), fed_buf_span(cert), fed_buf_span(key), diag);
    if (!err || err == FED_ERR_NOMEM)
        return err;
    fed_buf_clear(key);
    return FED_OK;
}

/* The next CA takes the present one's place, if its key is there: in ca.next.key, or in ca.key
 * already. A certificate without its key would leave no CA at all. */
static enum fed_err take_place(
    struct hub_identity *identity, const struct fed_buf *cert, struct fed_diag *diag)
{
    struct fed_buf key;
    enum fed_err err;

    fed_buf_init(&key, identity->mem, IDENTITY_FILE_MAX);
    err = read_key_of(identity, cert, "ca.next.key", &key, diag);
    if (!err && key.len > 0)
        err = identity_write_file(identity, "ca.key", &key, 0600, diag);
    else if (!err)
        err = read_key_of(identity, cert, "ca.key", &key, diag);
    if (!err && key.len > 0)
        err = identity_write_file(identity, "ca.crt", cert, 0644, diag);
    else if (!err)
        fed_log(identity->log, FED_LOG_WARN,
            "identity: %s/ca.next.crt has no key: that rotation is given up", identity->data_dir);
    identity_wipe(&key);
    return err;
}

enum fed_err identity_rotation_resume(struct hub_identity *identity, struct fed_diag *diag)
{
    struct fed_buf cert;
    enum fed_err err;

    fed_buf_init(&cert, identity->mem, IDENTITY_FILE_MAX);
    err = identity_read_file(identity, "ca.next.crt", &cert, diag);
    if (!err && cert.len > 0) {
        err = take_place(identity, &cert, diag);
        if (!err)
            err = remove_file(identity, "ca.next.crt", diag);
    }
    if (!err)
        err = remove_file(identity, "ca.next.key", diag);
    fed_buf_fini(&cert);
    return err;
}

static enum fed_err read_old(struct hub_identity *identity, struct fed_diag *diag)
{
    enum fed_err err = identity_read_file(identity, "ca.old.crt", &identity->old.pem, diag);

    if (!err)
        err = identity_read_file(identity, "ca.old.key", &identity->old.key, diag);
    if (!err)
        err = identity_read_file(identity, "ca.vouch.crt", &identity->vouch, diag);
    if (!err && identity->old.pem.len > 0)
        err = identity->crypto->cert_info(
            identity->crypto->ctx, fed_buf_span(&identity->old.pem), &identity->old.info, diag);
    return err ? fed_diag_prefix(diag, err, "%s: ca.old.crt", identity->data_dir) : FED_OK;
}

static void forget_old(struct hub_identity *identity)
{
    struct fed_buf *all[] = {&identity->old.pem, &identity->old.key, &identity->vouch};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        identity_wipe(all[i]);
        fed_buf_init(all[i], identity->mem, IDENTITY_FILE_MAX);
    }
    identity->old.info = (struct fed_crypto_cert_info){0};
}

/* The old one counts no more when it has ended; of a rotation that never began it is the present
 * one, or not whole. */
static enum fed_err judge_old(struct hub_identity *identity, struct fed_diag *diag)
{
    bool whole = identity->old.pem.len > 0;
    bool never =
        !whole || fed_digest_eq(&identity->old.info.public_key, &identity->ca.info.public_key);
    bool ended = whole && identity->old.info.not_after_unix_s <= fed_loop_unix_s(identity->loop);

    if ((!never && !ended) || (!whole && identity->old.key.len + identity->vouch.len == 0))
        return FED_OK;
    if (ended)
        fed_log(identity->log, FED_LOG_INFO, "identity: %s has ended and is dropped",
            identity->old.info.common_name);
    forget_old(identity);
    return identity->offline ? FED_OK : remove_old(identity, diag);
}

/* Whether a chain through the vouching certificate counts, which the old CA's own may forbid. */
static bool is_bridge(struct hub_identity *identity)
{
    static const char *const names[] = {"probe"};
    struct fed_crypto_cert_request request = {
        .common_name = "probe", .names = names, .n_names = 1, .server = true};
    struct fed_crypto *crypto = identity->crypto;
    struct fed_buf chain;
    struct fed_buf key;
    enum fed_err err;

    if (identity->old.pem.len == 0 || identity->vouch.len == 0)
        return false;
    fed_buf_init(&chain, identity->mem, 2 * IDENTITY_FILE_MAX);
    fed_buf_init(&key, identity->mem, IDENTITY_FILE_MAX);
    err = identity_issue_with_key(
        identity, &identity->ca, &request, IDENTITY_DAY_S, &chain, &key, NULL);
    fed_buf_put(&chain, fed_buf_span(&identity->vouch));
    if (!err)
        err = fed_buf_err(&chain);
    if (!err)
        err = crypto->cert_check(crypto->ctx, fed_buf_span(&chain),
            fed_buf_span(&identity->old.pem), fed_buf_span(&key), NULL);
    fed_buf_fini(&chain);
    identity_wipe(&key);
    return !err;
}

static enum fed_err sum_up(struct hub_identity *identity)
{
    const uint8_t *now = identity->ca.info.public_key.bytes;
    const uint8_t *old = identity->old.info.public_key.bytes;
    bool two = identity->old.pem.len > 0;
    bool old_first = two && memcmp(old, now, FED_DIGEST_SIZE) < 0;
    struct fed_digest_state state;
    struct fed_digest digest;
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    err = fed_digest_add(&state, fed_span_of(old_first ? old : now, FED_DIGEST_SIZE));
    if (!err && two)
        err = fed_digest_add(&state, fed_span_of(old_first ? now : old, FED_DIGEST_SIZE));
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    err = fed_digest_end(&state, &digest);
    if (!err)
        memcpy(identity->trust, digest.bytes, sizeof identity->trust);
    return err;
}

/* An agent that joined with a token of the new CA takes the old one, too, when that is vouched for.
 */
static enum fed_err vouch_back(struct hub_identity *identity, struct fed_diag *diag)
{
    const struct identity_ca *old = &identity->old;

    fed_buf_clear(&identity->back);
    if (old->pem.len == 0)
        return FED_OK;
    return identity->crypto->ca_vouch(identity->crypto->ctx, fed_buf_span(&identity->ca.pem),
        fed_buf_span(&identity->ca.key), fed_buf_span(&old->pem), old->info.not_before_unix_s,
        old->info.not_after_unix_s, &identity->back, diag);
}

static enum fed_err put_together(struct hub_identity *identity)
{
    const struct identity_ca *first = identity_hub_ca(identity);
    const struct identity_ca *second = first == &identity->ca ? &identity->old : &identity->ca;

    fed_buf_clear(&identity->trust_pem);
    fed_buf_put(&identity->trust_pem, fed_buf_span(&identity->ca.pem));
    fed_buf_put(&identity->trust_pem, fed_buf_span(&identity->old.pem));
    /* The one that tokens pin first: agents of before look at nothing else. */
    fed_buf_clear(&identity->answer_pem);
    fed_buf_put(&identity->answer_pem, fed_buf_span(&first->pem));
    fed_buf_put(&identity->answer_pem, fed_buf_span(&second->pem));
    fed_buf_put(&identity->answer_pem, fed_buf_span(&identity->vouch));
    fed_buf_put(&identity->answer_pem, fed_buf_span(&identity->back));
    identity->bridged = is_bridge(identity);
    if (fed_buf_err(&identity->trust_pem))
        return fed_buf_err(&identity->trust_pem);
    return fed_buf_err(&identity->answer_pem);
}

enum fed_err identity_rotation_open(struct hub_identity *identity, struct fed_diag *diag)
{
    enum fed_err err = read_old(identity, diag);

    if (!err)
        err = judge_old(identity, diag);
    if (!err)
        err = vouch_back(identity, diag);
    if (!err)
        err = put_together(identity);
    if (!err)
        err = sum_up(identity);
    return err;
}

const uint8_t *hub_identity_trust(const struct hub_identity *identity)
{
    return identity->trust;
}

/* ---- what a person asks for ---- */

static void tell(const struct fed_crypto_cert_info *info, struct hub_identity_ca *out)
{
    memcpy(out->name, info->common_name, sizeof out->name);
    out->pin = info->public_key;
    out->not_before_unix_s = info->not_before_unix_s;
    out->not_after_unix_s = info->not_after_unix_s;
}

void hub_identity_cas(const struct hub_identity *identity, struct hub_identity_cas *out)
{
    *out = (struct hub_identity_cas){.state = HUB_ROTATION_NONE, .bridged = identity->bridged};
    tell(&identity->ca.info, &out->now);
    if (identity->old.pem.len == 0)
        return;
    tell(&identity->old.info, &out->old);
    out->state = identity->old.key.len > 0 ? HUB_ROTATION_OVERLAP : HUB_ROTATION_SWITCHED;
}

static enum fed_err write_next(struct hub_identity *identity, const struct identity_ca *next,
    const struct fed_buf *vouch, struct fed_diag *diag)
{
    enum fed_err err = identity_write_file(identity, "ca.next.key", &next->key, 0600, diag);

    if (!err)
        err = identity_write_file(identity, "ca.vouch.crt", vouch, 0644, diag);
    if (!err)
        err = identity_write_file(identity, "ca.old.key", &identity->ca.key, 0600, diag);
    if (!err)
        err = identity_write_file(identity, "ca.old.crt", &identity->ca.pem, 0644, diag);
    if (!err)
        err = identity_write_file(identity, "ca.next.crt", &next->pem, 0644, diag);
    return err ? err : identity_rotation_resume(identity, diag);
}

enum fed_err hub_identity_rotate(struct hub_identity *identity, struct fed_diag *diag)
{
    struct fed_crypto *crypto = identity->crypto;
    struct identity_ca next = {0};
    struct fed_buf vouch;
    enum fed_err err;

    if (identity->old.pem.len > 0)
        return fed_diag_set(diag, FED_ERR_CONFLICT,
            "a rotation is under way: `fedhub ca status`, then `fedhub ca finish` and `fedhub ca "
            "drop`");
    fed_buf_init(&next.pem, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&next.key, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&vouch, identity->mem, IDENTITY_FILE_MAX);
    err = identity_ca_make(identity, &next, diag);
    if (!err)
        err = crypto->ca_vouch(crypto->ctx, fed_buf_span(&identity->ca.pem),
            fed_buf_span(&identity->ca.key), fed_buf_span(&next.pem),
            fed_loop_unix_s(identity->loop) - IDENTITY_DAY_S, identity->ca.info.not_after_unix_s,
            &vouch, diag);
    if (!err)
        err = write_next(identity, &next, &vouch, diag);
    fed_buf_fini(&next.pem);
    identity_wipe(&next.key);
    fed_buf_fini(&vouch);
    return err;
}

/* The old key is gone for good: what it would still have to sign is signed by the new one. */
enum fed_err hub_identity_switch(struct hub_identity *identity, struct fed_diag *diag)
{
    if (identity->old.key.len == 0)
        return fed_diag_set(diag, FED_ERR_CONFLICT,
            identity->old.pem.len > 0 ? "the hub's certificate is by the new CA already"
                                      : "no rotation is under way: `fedhub ca rotate`");
    return remove_file(identity, "ca.old.key", diag);
}

enum fed_err hub_identity_drop(struct hub_identity *identity, struct fed_diag *diag)
{
    if (identity->old.pem.len == 0)
        return fed_diag_set(diag, FED_ERR_CONFLICT, "there is no old CA to drop");
    return remove_old(identity, diag);
}

void hub_identity_attach_offline(struct hub_identity *identity, struct hub_objects *objects)
{
    identity->objects = objects;
}
