/* pki.c - the CA and the server's certificate in the data directory, and issuing.
 *
 * Keys are written before the certificates that belong to them, so that a crash between the two
 * leaves something that the next start completes. A CA is replaced by a rotation only (rotation.c):
 * losing it cuts off every agent, so a half-missing one is refused. */
#include "hub/identity/internal.h"

#include <stdio.h>
#include <string.h>

#define CA_LIFETIME_S ((int64_t)10 * IDENTITY_YEAR_S)
#define CA_WARN_S                                                                                  \
    ((int64_t)2 * IDENTITY_YEAR_S) /* agents' certificates shorten in the last year                \
                                    */
#define NAMES_MAX 64u

void identity_wipe(struct fed_buf *buf)
{
    volatile uint8_t *at = buf->at;

    for (size_t i = 0; at && i < buf->cap; i++)
        at[i] = 0;
    fed_buf_fini(buf);
}

enum fed_err identity_path(const struct hub_identity *identity, const char *name, char *out,
    size_t size, struct fed_diag *diag)
{
    int n = snprintf(out, size, "%s/%s", identity->data_dir, name);

    if (n < 0 || (size_t)n >= size)
        return fed_diag_set(diag, FED_ERR_LIMIT, "the path of the data directory is too long");
    return FED_OK;
}

enum fed_err identity_read_file(
    struct hub_identity *identity, const char *name, struct fed_buf *out, struct fed_diag *diag)
{
    char path[4096];
    enum fed_err err = identity_path(identity, name, path, sizeof path, diag);

    fed_buf_clear(out);
    if (!err)
        err = identity->fs->read(identity->fs->ctx, path, out, diag);
    if (err == FED_ERR_NOT_FOUND) {
        fed_buf_clear(out);
        return FED_OK;
    }
    return err;
}

enum fed_err identity_write_file(struct hub_identity *identity, const char *name,
    const struct fed_buf *bytes, unsigned mode, struct fed_diag *diag)
{
    char path[4096];
    enum fed_err err = identity_path(identity, name, path, sizeof path, diag);

    if (!err)
        err = identity->fs->write(identity->fs->ctx, path, fed_buf_span(bytes), mode, diag);
    return err;
}

/* ---- issuing ---- */

enum fed_err identity_issue(struct hub_identity *identity, const struct identity_ca *ca,
    struct fed_crypto_cert_request *request, int64_t lifetime_s, struct fed_buf *pem,
    struct fed_diag *diag)
{
    struct fed_crypto *crypto = identity->crypto;
    int64_t now = fed_loop_unix_s(identity->loop);
    int64_t backdate_s =
        lifetime_s / 2 < IDENTITY_BACKDATE_S ? lifetime_s / 2 : IDENTITY_BACKDATE_S;

    request->not_before_unix_s = now - backdate_s;
    request->not_after_unix_s = now + lifetime_s;
    if (request->not_before_unix_s < ca->info.not_before_unix_s)
        request->not_before_unix_s = ca->info.not_before_unix_s;
    if (request->not_after_unix_s > ca->info.not_after_unix_s)
        request->not_after_unix_s = ca->info.not_after_unix_s;
    return crypto->cert_issue(
        crypto->ctx, fed_buf_span(&ca->pem), fed_buf_span(&ca->key), request, pem, diag);
}

enum fed_err identity_issue_with_key(struct hub_identity *identity, const struct identity_ca *ca,
    struct fed_crypto_cert_request *request, int64_t lifetime_s, struct fed_buf *pem,
    struct fed_buf *key_pem, struct fed_diag *diag)
{
    struct fed_crypto *crypto = identity->crypto;
    struct fed_buf spki;
    enum fed_err err;

    fed_buf_init(&spki, identity->mem, 1024);
    fed_buf_clear(pem);
    fed_buf_clear(key_pem);
    err = crypto->key_new(crypto->ctx, key_pem);
    if (!err)
        err = crypto->key_public(crypto->ctx, fed_buf_span(key_pem), &spki, diag);
    request->public_key = fed_buf_span(&spki);
    if (!err)
        err = identity_issue(identity, ca, request, lifetime_s, pem, diag);
    fed_buf_fini(&spki);
    return err;
}

/* ---- the CA ---- */

static enum fed_err ca_make_key(
    struct hub_identity *identity, struct identity_ca *ca, struct fed_diag *diag)
{
    enum fed_err err = identity->crypto->key_new(identity->crypto->ctx, &ca->key);

    return err ? fed_diag_set(diag, err, "no key could be made for the CA") : FED_OK;
}

static enum fed_err ca_make_cert(
    struct hub_identity *identity, struct identity_ca *ca, struct fed_diag *diag)
{
    int64_t now = fed_loop_unix_s(identity->loop);
    uint8_t mark[4];
    char name[64];
    enum fed_err err = identity->crypto->random(identity->crypto->ctx, mark, sizeof mark);

    if (err)
        return fed_diag_set(diag, err, "no random bytes");
    snprintf(
        name, sizeof name, "fedlet hub CA %02x%02x%02x%02x", mark[0], mark[1], mark[2], mark[3]);
    err = identity->crypto->ca_new(identity->crypto->ctx, fed_buf_span(&ca->key), name,
        now - IDENTITY_DAY_S, now + CA_LIFETIME_S, &ca->pem, diag);
    if (!err)
        fed_log(identity->log, FED_LOG_INFO, "identity: made %s in %s", name, identity->data_dir);
    return err;
}

enum fed_err identity_ca_make(
    struct hub_identity *identity, struct identity_ca *ca, struct fed_diag *diag)
{
    enum fed_err err = ca_make_key(identity, ca, diag);

    return err ? err : ca_make_cert(identity, ca, diag);
}

static void ca_warn(struct hub_identity *identity, int64_t now)
{
    const struct fed_crypto_cert_info *ca = &identity->ca.info;
    char ends[FED_TEXT_TIME_SIZE];

    fed_text_time(ca->not_after_unix_s, ends);
    if (ca->not_before_unix_s > now)
        fed_log(identity->log, FED_LOG_WARN,
            "identity: %s/ca.crt begins in the future: the clock is behind; agents may refuse the "
            "hub",
            identity->data_dir);
    else if (ca->not_after_unix_s < now + CA_WARN_S)
        fed_log(identity->log, FED_LOG_WARN,
            "identity: the CA ends at %s, and every certificate with it: `fedhub ca rotate`", ends);
}

static enum fed_err ca_check(struct hub_identity *identity, struct fed_diag *diag)
{
    struct fed_crypto *crypto = identity->crypto;
    struct fed_span ca = fed_buf_span(&identity->ca.pem);
    int64_t now = fed_loop_unix_s(identity->loop);
    enum fed_err err = crypto->cert_info(crypto->ctx, ca, &identity->ca.info, diag);

    if (!err)
        err = crypto->cert_check(crypto->ctx, ca, ca, fed_buf_span(&identity->ca.key), diag);
    if (err)
        return fed_diag_prefix(diag, FED_ERR_CORRUPT, "%s: ca.crt and ca.key", identity->data_dir);
    if (!identity->ca.info.is_ca)
        return fed_diag_set(
            diag, FED_ERR_CORRUPT, "%s/ca.crt is not the certificate of a CA", identity->data_dir);
    if (identity->ca.info.not_after_unix_s <= now)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s/ca.crt has ended, or the clock is wrong",
            identity->data_dir);
    ca_warn(identity, now);
    return FED_OK;
}

static enum fed_err ca_complete(struct hub_identity *identity, struct fed_diag *diag)
{
    bool no_key = identity->ca.key.len == 0;
    enum fed_err err = no_key ? ca_make_key(identity, &identity->ca, diag) : FED_OK;

    if (!err && no_key)
        err = identity_write_file(identity, "ca.key", &identity->ca.key, 0600, diag);
    if (!err && identity->ca.pem.len == 0) {
        err = ca_make_cert(identity, &identity->ca, diag);
        if (!err)
            err = identity_write_file(identity, "ca.crt", &identity->ca.pem, 0644, diag);
    }
    return err;
}

static enum fed_err ca_open(struct hub_identity *identity, struct fed_diag *diag)
{
    enum fed_err err = identity_rotation_resume(identity, diag);

    if (!err)
        err = identity_read_file(identity, "ca.crt", &identity->ca.pem, diag);
    if (!err)
        err = identity_read_file(identity, "ca.key", &identity->ca.key, diag);
    if (err)
        return err;
    if (identity->ca.pem.len > 0 && identity->ca.key.len == 0)
        return fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s has ca.crt but no ca.key: bring the key back from a backup; a new CA would cut off "
            "every agent",
            identity->data_dir);
    if (identity->offline && identity->ca.key.len == 0)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND, "%s has no CA yet: `fedhub serve` makes it",
            identity->data_dir);
    err = ca_complete(identity, diag);
    if (!err)
        err = ca_check(identity, diag);
    return err ? err : identity_rotation_open(identity, diag);
}

/* ---- the server's certificate ---- */

struct names {
    const char *at[NAMES_MAX];
    size_t n;
};

static enum fed_err names_add(struct names *names, const char *name, struct fed_diag *diag)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i], name) == 0)
            return FED_OK;
    if (names->n == NAMES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u advertised names", NAMES_MAX);
    names->at[names->n++] = name;
    return FED_OK;
}

/* Those that were kept. */
static void names_of(struct hub_identity *identity, struct names *names)
{
    struct fed_span rest = fed_buf_span(&identity->names);
    struct fed_span name;

    names->n = 0;
    while (names->n < NAMES_MAX && fed_span_split(&rest, 0, &name) && name.len > 0)
        names->at[names->n++] = (const char *)name.at;
}

static enum fed_err names_keep(struct hub_identity *identity,
    const struct hub_identity_options *options, struct fed_diag *diag)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    struct names names = {.n = 0};
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < options->n_advertise; i++)
        err = names_add(&names, options->advertise[i], diag);
    for (size_t i = 0; !err && i < sizeof always / sizeof always[0]; i++)
        err = names_add(&names, always[i], diag);
    for (size_t i = 0; i < names.n; i++)
        fed_buf_put(&identity->names, fed_span_of(names.at[i], strlen(names.at[i]) + 1));
    return err ? err : fed_buf_err(&identity->names);
}

/* The common name, which nobody compares, carries a digest of the names: that is how a change of
 * them is noticed. */
static enum fed_err server_common_name(const struct names *names, char out[64])
{
    struct fed_digest_state state;
    struct fed_digest digest;
    enum fed_err err = fed_digest_begin(&state);

    for (size_t i = 0; !err && i < names->n; i++)
        err = fed_digest_add(&state, fed_span_of(names->at[i], strlen(names->at[i]) + 1));
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    err = fed_digest_end(&state, &digest);
    if (err)
        return err;
    snprintf(out, 64, "fedlet hub %02x%02x%02x%02x%02x%02x%02x%02x", digest.bytes[0],
        digest.bytes[1], digest.bytes[2], digest.bytes[3], digest.bytes[4], digest.bytes[5],
        digest.bytes[6], digest.bytes[7]);
    return FED_OK;
}

struct server {
    struct fed_buf pem;
    struct fed_buf key;
    struct fed_crypto_cert_info info;
};

static void server_init(struct hub_identity *identity, struct server *server)
{
    fed_buf_init(&server->pem, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&server->key, identity->mem, IDENTITY_FILE_MAX);
}

static void server_fini(struct server *server)
{
    fed_buf_fini(&server->pem);
    identity_wipe(&server->key);
}

/* One that is made now lasts that long. */
static int64_t server_end(const struct hub_identity *identity)
{
    int64_t end = fed_loop_unix_s(identity->loop) + IDENTITY_YEAR_S;
    int64_t ca_end = identity_hub_ca(identity)->info.not_after_unix_s;

    return end < ca_end ? end : ca_end;
}

static bool server_is_right(
    struct hub_identity *identity, struct server *server, const char *common_name)
{
    struct fed_crypto *crypto = identity->crypto;
    int64_t now = fed_loop_unix_s(identity->loop);

    if (server->pem.len == 0 || server->key.len == 0)
        return false;
    return !crypto->cert_info(crypto->ctx, fed_buf_span(&server->pem), &server->info, NULL) &&
           !crypto->cert_check(crypto->ctx, fed_buf_span(&server->pem),
               fed_buf_span(&identity_hub_ca(identity)->pem), fed_buf_span(&server->key), NULL) &&
           strcmp(server->info.common_name, common_name) == 0 &&
           server->info.not_before_unix_s <= now &&
           server->info.not_after_unix_s > now + IDENTITY_RENEW_S;
}

/* During a rotation, who trusts only the CA of before follows from the new one's certificates. */
static enum fed_err server_chain(
    struct hub_identity *identity, const struct server *server, struct fed_buf *chain)
{
    fed_buf_put(chain, fed_buf_span(&server->pem));
    if (identity->bridged && identity->old.key.len == 0)
        fed_buf_put(chain, fed_buf_span(&identity->vouch));
    return fed_buf_err(chain);
}

static enum fed_err server_make(struct hub_identity *identity, const struct names *names,
    const char *common_name, struct server *server, struct fed_diag *diag)
{
    struct fed_crypto_cert_request request = {
        .common_name = common_name, .names = names->at, .n_names = names->n, .server = true};
    struct fed_crypto *crypto = identity->crypto;
    enum fed_err err = identity_issue_with_key(identity, identity_hub_ca(identity), &request,
        IDENTITY_YEAR_S, &server->pem, &server->key, diag);

    if (!err)
        err = crypto->cert_info(crypto->ctx, fed_buf_span(&server->pem), &server->info, diag);
    if (err)
        return fed_diag_prefix(diag, err, "the hub's certificate");
    err = identity_write_file(identity, "server.key", &server->key, 0600, diag);
    if (!err)
        err = identity_write_file(identity, "server.crt", &server->pem, 0644, diag);
    if (!err)
        fed_log(identity->log, FED_LOG_INFO,
            "identity: made the hub's certificate for %s and %zu more, by %s", names->at[0],
            names->n - 1, identity_hub_ca(identity)->info.common_name);
    return err;
}

/* From here on it is the hub's; what was there before is in server. */
static enum fed_err server_use(struct hub_identity *identity, struct server *server)
{
    struct fed_buf chain;
    struct fed_buf before;
    enum fed_err err;

    fed_buf_init(&chain, identity->mem, 2 * IDENTITY_FILE_MAX);
    err = server_chain(identity, server, &chain);
    if (err) {
        fed_buf_fini(&chain);
        return err;
    }
    fed_buf_fini(&identity->chain_pem);
    identity->chain_pem = chain;
    before = identity->server_key;
    identity->server_key = server->key;
    server->key = before;
    identity->server_ends_unix_s = server->info.not_after_unix_s;
    return FED_OK;
}

static enum fed_err server_open(struct hub_identity *identity,
    const struct hub_identity_options *options, struct fed_diag *diag)
{
    struct names names;
    struct server server;
    char common_name[64];
    enum fed_err err = names_keep(identity, options, diag);

    server_init(identity, &server);
    names_of(identity, &names);
    if (!err)
        err = server_common_name(&names, common_name);
    if (!err)
        err = identity_read_file(identity, "server.crt", &server.pem, diag);
    if (!err)
        err = identity_read_file(identity, "server.key", &server.key, diag);
    if (!err && !server_is_right(identity, &server, common_name))
        err = server_make(identity, &names, common_name, &server, diag);
    if (!err)
        err = server_use(identity, &server);
    server_fini(&server);
    return err;
}

/* A CA near its end makes none that lasts longer: then the one that is there is as good. */
enum fed_err identity_server_look(struct hub_identity *identity, bool *made, struct fed_diag *diag)
{
    struct names names;
    struct server server;
    char common_name[64];
    enum fed_err err;

    *made = false;
    if (identity->server_ends_unix_s > fed_loop_unix_s(identity->loop) + IDENTITY_RENEW_S ||
        server_end(identity) < identity->server_ends_unix_s + IDENTITY_DAY_S)
        return FED_OK;
    server_init(identity, &server);
    names_of(identity, &names);
    err = server_common_name(&names, common_name);
    if (!err)
        err = server_make(identity, &names, common_name, &server, diag);
    if (!err)
        err = server_use(identity, &server);
    *made = !err;
    server_fini(&server);
    return err;
}

/* ---- the key of ServiceAccounts' tokens ---- */

static enum fed_err token_key_open(struct hub_identity *identity, struct fed_diag *diag)
{
    enum fed_err err =
        identity_read_file(identity, "service-account.key", &identity->token_key, diag);

    if (err || identity->token_key.len > 0)
        return err;
    err = identity->crypto->key_new(identity->crypto->ctx, &identity->token_key);
    if (err)
        return fed_diag_set(diag, err, "no key could be made for tokens");
    return identity_write_file(identity, "service-account.key", &identity->token_key, 0600, diag);
}

enum fed_err identity_pki_open(struct hub_identity *identity,
    const struct hub_identity_options *options, struct fed_diag *diag)
{
    enum fed_err err = identity->fs->make_dir(identity->fs->ctx, identity->data_dir, 0700, diag);

    if (!err)
        err = ca_open(identity, diag);
    if (err || identity->offline)
        return err;
    err = token_key_open(identity, diag);
    return err ? err : server_open(identity, options, diag);
}
