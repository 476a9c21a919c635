/* kubeconfig.c - DIR/admin.kubeconfig: the credentials of whoever may read the data directory.
 *
 * The file is ours: it is read back line by line in the form it is written here, and anything else
 * is written anew. Form: kubectl's kubeconfig, v1 Config, certificates embedded as base64 of PEM.
 */
#include "hub/identity/internal.h"

#include <string.h>

#define FILE_NAME "admin.kubeconfig"
#define KEY_CA "certificate-authority-data: "
#define KEY_SERVER "server: "
#define KEY_CERT "client-certificate-data: "
#define KEY_KEY "client-key-data: "

/* The rest of the first line that is key behind its indentation. */
static struct fed_span value_of(struct fed_span text, const char *key)
{
    struct fed_span line;

    while (fed_span_split(&text, '\n', &line)) {
        while (line.len > 0 && line.at[0] == ' ')
            line = fed_span_sub(line, 1, line.len);
        if (fed_span_starts(line, key))
            return fed_span_sub(line, strlen(key), line.len);
    }
    return fed_span_text("");
}

static bool decode(struct fed_span text, const char *key, struct fed_buf *out)
{
    fed_buf_clear(out);
    return !fed_text_base64(value_of(text, key), out) && out->len > 0;
}

static bool cert_is_right(
    struct hub_identity *identity, const struct fed_buf *cert, const struct fed_buf *key)
{
    struct fed_crypto *crypto = identity->crypto;
    struct fed_crypto_cert_info info;
    int64_t now = fed_loop_unix_s(identity->loop);

    return !crypto->cert_info(crypto->ctx, fed_buf_span(cert), &info, NULL) &&
           !crypto->cert_check(crypto->ctx, fed_buf_span(cert), fed_buf_span(&identity->trust_pem),
               fed_buf_span(key), NULL) &&
           info.not_before_unix_s <= now && info.not_after_unix_s > now + IDENTITY_RENEW_S;
}

static bool is_right(struct hub_identity *identity, struct fed_span text, const char *api_url)
{
    struct fed_buf ca;
    struct fed_buf cert;
    struct fed_buf key;
    bool right;

    fed_buf_init(&ca, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&cert, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&key, identity->mem, IDENTITY_FILE_MAX);
    right = fed_span_is(value_of(text, KEY_SERVER), api_url) && decode(text, KEY_CA, &ca) &&
            decode(text, KEY_CERT, &cert) && decode(text, KEY_KEY, &key) &&
            fed_span_eq(fed_buf_span(&ca), fed_buf_span(&identity->trust_pem)) &&
            cert_is_right(identity, &cert, &key);
    fed_buf_fini(&ca);
    fed_buf_fini(&cert);
    identity_wipe(&key);
    return right;
}

static void put_data(struct fed_buf *out, const char *key, struct fed_span pem)
{
    fed_buf_printf(out, "    %s", key);
    fed_text_put_base64(out, pem);
    fed_buf_put_text(out, "\n");
}

static enum fed_err compose(
    struct hub_identity *identity, const char *api_url, struct fed_buf *out, struct fed_diag *diag)
{
    static const char *const groups[] = {"system:masters"};
    struct fed_crypto_cert_request request = {.common_name = "fedlet:admin",
        .organizations = groups,
        .n_organizations = 1,
        .client = true};
    struct fed_buf cert;
    struct fed_buf key;
    enum fed_err err;

    fed_buf_init(&cert, identity->mem, IDENTITY_FILE_MAX);
    fed_buf_init(&key, identity->mem, IDENTITY_FILE_MAX);
    err = identity_issue_with_key(
        identity, &identity->ca, &request, IDENTITY_YEAR_S, &cert, &key, diag);
    if (!err) {
        fed_buf_printf(out,
            "apiVersion: v1\nkind: Config\nclusters:\n- name: fedlet\n  cluster:\n    %s%s\n",
            KEY_SERVER, api_url);
        put_data(out, KEY_CA, fed_buf_span(&identity->trust_pem));
        fed_buf_put_text(out, "users:\n- name: admin\n  user:\n");
        put_data(out, KEY_CERT, fed_buf_span(&cert));
        put_data(out, KEY_KEY, fed_buf_span(&key));
        fed_buf_put_text(out,
            "contexts:\n- name: fedlet\n  context:\n    cluster: fedlet\n    user: admin\n"
            "current-context: fedlet\n");
        err = fed_buf_err(out);
    }
    fed_buf_fini(&cert);
    identity_wipe(&key);
    return err;
}

static bool url_is_plain(const char *url)
{
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\'' || *c == '#')
            return false;
    return strncmp(url, "https://", 8) == 0;
}

enum fed_err hub_identity_write_admin(
    struct hub_identity *identity, const char *api_url, struct fed_diag *diag)
{
    struct fed_buf text;
    char path[4096];
    enum fed_err err = identity_path(identity, FILE_NAME, path, sizeof path, diag);

    if (err)
        return err;
    if (!url_is_plain(api_url) || strlen(api_url) >= sizeof identity->api_url)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: not an https address", api_url);
    memmove(identity->api_url, api_url, strlen(api_url) + 1);
    fed_buf_init(&text, identity->mem, IDENTITY_FILE_MAX);
    err = identity->fs->read(identity->fs->ctx, path, &text, diag);
    if (!err && is_right(identity, fed_buf_span(&text), api_url))
        goto done;
    if (err && err != FED_ERR_NOT_FOUND && err != FED_ERR_LIMIT)
        goto done;
    fed_buf_clear(&text);
    err = compose(identity, api_url, &text, diag);
    if (!err)
        err = identity->fs->write(identity->fs->ctx, path, fed_buf_span(&text), 0600, diag);
    if (!err)
        fed_log(identity->log, FED_LOG_INFO, "identity: wrote %s for %s", path, api_url);
done:
    identity_wipe(&text);
    return err;
}
