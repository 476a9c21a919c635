/* identity.c - see identity.h: opening, attaching to the objects, and whom a certificate speaks
 * for. */
#include "hub/identity/internal.h"

#include <string.h>

enum fed_err hub_identity_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    struct fed_fs *fs, struct fed_crypto *crypto, const struct hub_identity_options *options,
    struct hub_identity **out, struct fed_diag *diag)
{
    struct hub_identity *identity = fed_alloc_zero(mem, sizeof *identity);
    enum fed_err err;

    if (!identity)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the hub's identity");
    identity->mem = mem;
    identity->loop = loop;
    identity->log = log;
    identity->fs = fs;
    identity->crypto = crypto;
    identity->offline = options->offline;
    identity->life_s =
        options->certificate_life_s > 0 ? options->certificate_life_s : IDENTITY_YEAR_S;
    identity->return_s = options->certificate_return_s;
    fed_buf_init(&identity->ca.pem, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->ca.key, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->old.pem, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->old.key, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->vouch, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->back, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->trust_pem, mem, 2 * IDENTITY_FILE_MAX);
    fed_buf_init(&identity->answer_pem, mem, 3 * IDENTITY_FILE_MAX);
    fed_buf_init(&identity->chain_pem, mem, 2 * IDENTITY_FILE_MAX);
    fed_buf_init(&identity->server_key, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->token_key, mem, IDENTITY_FILE_MAX);
    fed_buf_init(&identity->names, mem, IDENTITY_FILE_MAX);
    err = fed_span_to_cstr(
        fed_span_text(options->data_dir), identity->data_dir, sizeof identity->data_dir);
    if (err)
        err = fed_diag_set(diag, err, "the path of the data directory is too long");
    if (!err)
        err = identity_pki_open(identity, options, diag);
    if (err) {
        hub_identity_close(identity);
        return err;
    }
    *out = identity;
    return FED_OK;
}

void hub_identity_close(struct hub_identity *identity)
{
    if (!identity)
        return;
    if (identity->look)
        identity->loop->timer_free(identity->loop->ctx, identity->look);
    if (identity->requests)
        hub_objects_unsubscribe(identity->requests);
    if (identity->clusters)
        hub_objects_unsubscribe(identity->clusters);
    fed_buf_fini(&identity->ca.pem);
    identity_wipe(&identity->ca.key);
    fed_buf_fini(&identity->old.pem);
    identity_wipe(&identity->old.key);
    fed_buf_fini(&identity->vouch);
    fed_buf_fini(&identity->back);
    fed_buf_fini(&identity->trust_pem);
    fed_buf_fini(&identity->answer_pem);
    fed_buf_fini(&identity->chain_pem);
    identity_wipe(&identity->server_key);
    identity_wipe(&identity->token_key);
    fed_buf_fini(&identity->names);
    fed_alloc_free(identity->mem, identity, sizeof *identity);
}

struct fed_span hub_identity_ca_pem(const struct hub_identity *identity)
{
    return fed_buf_span(&identity->trust_pem);
}

struct fed_span hub_identity_server_cert_pem(const struct hub_identity *identity)
{
    return fed_buf_span(&identity->chain_pem);
}

struct fed_span hub_identity_server_key_pem(const struct hub_identity *identity)
{
    return fed_buf_span(&identity->server_key);
}

struct fed_span hub_identity_token_key_pem(const struct hub_identity *identity)
{
    return fed_buf_span(&identity->token_key);
}

enum fed_err hub_identity_random(struct hub_identity *identity, uint8_t *out, size_t len)
{
    return identity->crypto->random(identity->crypto->ctx, out, len);
}

static enum fed_err seal_key(struct hub_identity *identity, uint8_t key[FED_SEAL_KEY_SIZE])
{
    static const char label[] = "fedlet hub seal 1";
    uint8_t text[sizeof label + FED_LINK_TRUST_SIZE];

    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, identity->trust, FED_LINK_TRUST_SIZE);
    return identity->crypto->hmac_sha256(identity->crypto->ctx, fed_buf_span(&identity->ca.key),
        fed_span_of(text, sizeof text), key);
}

enum fed_err hub_identity_seal(struct hub_identity *identity, struct fed_span context,
    struct fed_span plain, struct fed_buf *out)
{
    uint8_t key[FED_SEAL_KEY_SIZE];
    enum fed_err err = seal_key(identity, key);

    if (!err)
        err = fed_tls_seal(key, context, plain, out);
    memset(key, 0, sizeof key);
    return err;
}

enum fed_err hub_identity_unseal(struct hub_identity *identity, struct fed_span context,
    struct fed_span sealed, struct fed_buf *out)
{
    uint8_t key[FED_SEAL_KEY_SIZE];
    enum fed_err err = seal_key(identity, key);

    if (!err)
        err = fed_tls_unseal(key, context, sealed, out);
    memset(key, 0, sizeof key);
    return err;
}

static enum fed_err take_addresses(
    struct hub_identity *identity, const char *const *addresses, size_t n, struct fed_diag *diag)
{
    struct fed_link_address parsed;
    enum fed_err err = FED_OK;

    if (n > FED_TOKEN_ADDRESSES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT,
            "%zu addresses for join tokens, at most %u fit into one", n, FED_TOKEN_ADDRESSES_MAX);
    for (size_t i = 0; !err && i < n; i++) {
        err = fed_link_address_parse(fed_span_text(addresses[i]), &parsed, diag);
        if (!err)
            err = fed_span_to_cstr(
                fed_span_text(addresses[i]), identity->addresses[i], sizeof identity->addresses[i]);
        if (err)
            fed_diag_prefix(diag, err, "address %s for join tokens", addresses[i]);
    }
    identity->n_addresses = err ? 0 : n;
    return err;
}

void hub_identity_on_renewed(struct hub_identity *identity, hub_identity_renewed *call, void *ctx)
{
    identity->renewed = call;
    identity->renewed_ctx = ctx;
}

static void on_look(void *ctx)
{
    struct hub_identity *identity = ctx;
    uint64_t wait_ms = IDENTITY_LOOK_MS;
    struct fed_diag diag = {""};
    bool made = false;
    enum fed_err err = identity_server_look(identity, &made, &diag);

    if (!err && made && identity->api_url[0])
        err = hub_identity_write_admin(identity, identity->api_url, &diag);
    if (made && identity->renewed)
        identity->renewed(identity->renewed_ctx);
    if (err) {
        wait_ms = IDENTITY_AGAIN_MS;
        fed_log(identity->log, FED_LOG_ERROR,
            "identity: the hub's certificate nears its end and cannot be made again: %s; next try "
            "in an hour",
            diag.text[0] ? diag.text : fed_err_text(err));
    }
    identity->loop->timer_set(
        identity->loop->ctx, identity->look, fed_loop_now_ms(identity->loop) + wait_ms);
}

enum fed_err hub_identity_attach(struct hub_identity *identity, struct hub_objects *objects,
    const char *const *addresses, size_t n_addresses, struct fed_diag *diag)
{
    enum fed_err err = take_addresses(identity, addresses, n_addresses, diag);

    if (err)
        return err;
    identity->objects = objects;
    err = hub_objects_subscribe(objects, fed_span_text(IDENTITY_REQUESTS), identity_on_request,
        identity, &identity->requests);
    if (!err)
        err = hub_objects_subscribe(objects, fed_span_text(HUB_CLUSTERS), identity_on_cluster,
            identity, &identity->clusters);
    if (!err)
        err = identity->loop->timer_new(identity->loop->ctx, on_look, identity, &identity->look);
    if (err)
        return fed_diag_set(diag, err, "no memory for the hub's identity");
    on_look(identity);
    return identity_requests_settle(identity, diag);
}

/* ---- whom a certificate speaks for ---- */

static enum fed_err check_recorded_key(
    struct hub_identity *identity, const struct fed_crypto_cert_info *cert, struct fed_diag *diag)
{
    struct identity_record request;
    struct fed_buf spki;
    struct fed_digest digest;
    enum fed_err err;

    fed_buf_init(&spki, identity->mem, 1024);
    err = identity_record_peek(
        identity, IDENTITY_REQUESTS, fed_span_text(cert->common_name), &request);
    if (!err && (!request.object || !identity_request_state_is(&request, "Approved")))
        err = FED_ERR_NOT_FOUND;
    if (!err)
        err = identity_request_key(&request, &spki);
    if (!err)
        err = fed_digest_of(fed_buf_span(&spki), &digest);
    if (err == FED_ERR_NOT_FOUND)
        err = fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "no key is recorded for cluster %s: it has to join again", cert->common_name);
    else if (err)
        fed_diag_prefix(diag, err, "join request of cluster %s", cert->common_name);
    else if (!fed_digest_eq(&digest, &cert->public_key))
        err = fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "another key is recorded for cluster %s: this certificate does not count any more",
            cert->common_name);
    identity_record_close(&request);
    fed_buf_fini(&spki);
    return err;
}

enum fed_err hub_identity_cluster_of(struct hub_identity *identity,
    const struct fed_crypto_cert_info *cert, struct fed_buf *cluster, struct fed_diag *diag)
{
    struct fed_span name = fed_span_text(cert->common_name);
    struct identity_record record;
    enum fed_err err;

    /* Exactly the one organization, not among others: what else a certificate claims is not ours to
     * overlook. */
    if (cert->n_organizations != 1 || strcmp(cert->organizations[0], IDENTITY_ORGANIZATION) != 0 ||
        cert->is_ca)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "the certificate is not an agent's");
    if (!fed_text_is_dns_subdomain(name))
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "the certificate does not name a cluster");
    if (!identity->objects)
        return fed_diag_set(diag, FED_ERR_BUSY, "the hub is starting");
    err = identity_record_peek(identity, HUB_CLUSTERS, name, &record);
    if (!err && !record.object)
        err = fed_diag_set(
            diag, FED_ERR_FORBIDDEN, "cluster %s is not registered", cert->common_name);
    identity_record_close(&record);
    if (!err)
        err = check_recorded_key(identity, cert, diag);
    if (err)
        return err;
    fed_buf_put(cluster, name);
    return fed_buf_err(cluster);
}
