/* trust.c - see trust.h. */
#include "agent/trust.h"

#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define CERTIFICATES_MAX (2u * AGENT_TRUST_CAS_MAX)

struct ca {
    struct fed_span pem;
    struct fed_digest key;
    bool self_signed;
};

struct cas {
    struct ca at[CERTIFICATES_MAX];
    size_t n;
};

static size_t find(struct fed_span text, const char *what)
{
    size_t len = strlen(what);

    for (size_t i = 0; i + len <= text.len; i++)
        if (memcmp(text.at + i, what, len) == 0)
            return i;
    return text.len;
}

/* The next certificate of a text, with its frame. */
static bool take_pem(struct fed_span *text, struct fed_span *pem)
{
    struct fed_span from = fed_span_sub(*text, find(*text, BEGIN), text->len);
    size_t end = find(from, END);

    if (end == from.len)
        return false;
    end += strlen(END);
    if (end < from.len && from.at[end] == '\n')
        end++;
    *pem = fed_span_sub(from, 0, end);
    *text = fed_span_sub(from, end, from.len);
    return true;
}

static enum fed_err read_one(
    struct fed_crypto *crypto, struct fed_span pem, struct ca *out, struct fed_diag *diag)
{
    struct fed_crypto_cert_info info;
    enum fed_err err = crypto->cert_info(crypto->ctx, pem, &info, diag);

    if (err)
        return err;
    if (!info.is_ca)
        return fed_diag_set(diag, FED_ERR_INVALID, "a certificate that is no CA's");
    *out = (struct ca){.pem = pem,
        .key = info.public_key,
        .self_signed = !crypto->cert_check(crypto->ctx, pem, pem, fed_span_text(""), NULL)};
    return FED_OK;
}

static enum fed_err read_all(
    struct fed_crypto *crypto, struct fed_span text, struct cas *out, struct fed_diag *diag)
{
    struct fed_span pem;

    out->n = 0;
    while (take_pem(&text, &pem)) {
        enum fed_err err;

        if (out->n == CERTIFICATES_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u certificates", CERTIFICATES_MAX);
        err = read_one(crypto, pem, &out->at[out->n], diag);
        if (err)
            return err;
        out->n++;
    }
    return out->n ? FED_OK : fed_diag_set(diag, FED_ERR_INVALID, "no certificate in it");
}

static const struct ca *with_key(const struct cas *cas, const struct fed_digest *key)
{
    for (size_t i = 0; i < cas->n; i++)
        if (cas->at[i].self_signed && fed_digest_eq(&cas->at[i].key, key))
            return &cas->at[i];
    return NULL;
}

/* One that is known signed the same key. */
static bool is_vouched_for(struct fed_crypto *crypto, const struct cas *cas, const struct ca *ca,
    struct fed_span known_pem)
{
    for (size_t i = 0; i < cas->n; i++)
        if (!cas->at[i].self_signed && fed_digest_eq(&cas->at[i].key, &ca->key) &&
            !crypto->cert_check(crypto->ctx, cas->at[i].pem, known_pem, fed_span_text(""), NULL))
            return true;
    return false;
}

static enum fed_err take(struct fed_crypto *crypto, const struct cas *cas, const struct cas *known,
    struct fed_span known_pem, struct fed_buf *out, struct fed_diag *diag)
{
    size_t n = 0;

    for (size_t i = 0; i < cas->n; i++) {
        const struct ca *ca = &cas->at[i];

        if (!ca->self_signed)
            continue;
        if (!with_key(known, &ca->key) && !is_vouched_for(crypto, cas, ca, known_pem))
            return fed_diag_set(diag, FED_ERR_FORBIDDEN,
                "the hub names a CA that no CA which is trusted here vouches for");
        if (++n > AGENT_TRUST_CAS_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u CAs", AGENT_TRUST_CAS_MAX);
        fed_buf_put(out, ca->pem);
    }
    return n ? fed_buf_err(out) : fed_diag_set(diag, FED_ERR_INVALID, "no CA in it");
}

enum fed_err agent_trust_take(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct agent_trust *trust, struct fed_span answer_pem, struct fed_buf *out,
    struct fed_diag *diag)
{
    struct cas *both = fed_alloc_zero(mem, 2 * sizeof *both);
    struct cas *known = both ? both + 1 : NULL;
    struct fed_span known_pem = trust->known_pem;
    enum fed_err err;

    if (!both)
        return FED_ERR_NOMEM;
    err = read_all(crypto, answer_pem, both, diag);
    if (!err && trust->pin) {
        const struct ca *pinned = with_key(both, trust->pin);

        known_pem = pinned ? pinned->pem : fed_span_text("");
        if (!pinned)
            err = fed_diag_set(diag, FED_ERR_FORBIDDEN,
                "the hub's CA is not the one of the token: this is another hub, or somebody in "
                "between");
    }
    if (!err)
        err = read_all(crypto, known_pem, known, diag);
    if (!err)
        err = take(crypto, both, known, known_pem, out, diag);
    fed_alloc_free(mem, both, 2 * sizeof *both);
    return err;
}

bool agent_trust_has(
    struct fed_crypto *crypto, struct fed_span cas_pem, const struct fed_digest *pin)
{
    struct cas cas;

    return !read_all(crypto, cas_pem, &cas, NULL) && with_key(&cas, pin);
}

static void sort(struct cas *cas)
{
    for (size_t i = 1; i < cas->n; i++)
        for (size_t k = i;
             k > 0 && memcmp(cas->at[k].key.bytes, cas->at[k - 1].key.bytes, FED_DIGEST_SIZE) < 0;
             k--) {
            struct ca swap = cas->at[k];

            cas->at[k] = cas->at[k - 1];
            cas->at[k - 1] = swap;
        }
}

enum fed_err agent_trust_mark(struct fed_crypto *crypto, struct fed_span cas_pem,
    uint8_t out[FED_LINK_TRUST_SIZE], struct fed_diag *diag)
{
    uint8_t keys[CERTIFICATES_MAX * FED_DIGEST_SIZE];
    struct fed_digest digest;
    struct cas cas;
    enum fed_err err = read_all(crypto, cas_pem, &cas, diag);

    if (err)
        return err;
    sort(&cas);
    for (size_t i = 0; i < cas.n; i++)
        memcpy(keys + i * FED_DIGEST_SIZE, cas.at[i].key.bytes, FED_DIGEST_SIZE);
    err = fed_digest_of(fed_span_of(keys, cas.n * FED_DIGEST_SIZE), &digest);
    if (!err)
        memcpy(out, digest.bytes, FED_LINK_TRUST_SIZE);
    return err;
}
