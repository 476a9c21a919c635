/* ports_tls_pki.c - see ports_tls_pki.h. */
#include "tests/unit/ports_tls_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void id_init(struct pki *pki, struct pki_id *id)
{
    fed_buf_init(&id->key_pem, fed_alloc_system(), 4096);
    fed_buf_init(&id->cert_pem, fed_alloc_system(), 16384);
    assert_int_equal(pki->crypto.key_new(pki->crypto.ctx, &id->key_pem), FED_OK);
}

static void ca_init(struct pki *pki, const char *name, struct pki_id *ca)
{
    struct fed_diag diag = {""};

    id_init(pki, ca);
    if (pki->crypto.ca_new(pki->crypto.ctx, pki_key(ca), name, pki->now_unix_s - 3600,
            pki->now_unix_s + 86400, &ca->cert_pem, &diag))
        fail_msg("%s", diag.text);
}

void pki_init(struct pki *pki)
{
    struct fed_diag diag = {""};

    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &pki->crypto, &diag), FED_OK);
    pki->now_unix_s = (int64_t)time(NULL);
    ca_init(pki, "test CA", &pki->ca);
    ca_init(pki, "another CA", &pki->other_ca);
}

void pki_fini(struct pki *pki)
{
    pki_id_fini(&pki->ca);
    pki_id_fini(&pki->other_ca);
    fed_tls_crypto_close(&pki->crypto);
}

void pki_issue(struct pki *pki, const struct pki_id *ca, const char *name, const char *san,
    int64_t from_s, int64_t to_s, struct pki_id *out)
{
    static const char *const groups[] = {"fedlet:agents", "fedlet, and a comma"};
    const char *names[] = {san};
    char common_name[128];
    struct fed_diag diag = {""};
    struct fed_buf spki;
    struct fed_crypto_cert_request request = {.common_name = common_name,
        .organizations = groups,
        .n_organizations = 2,
        .names = names,
        .n_names = san && san[0] ? 1 : 0,
        .not_before_unix_s = pki->now_unix_s + from_s,
        .not_after_unix_s = pki->now_unix_s + to_s,
        .server = san != NULL,
        .client = san == NULL};

    snprintf(common_name, sizeof(common_name), "system:fedlet:%s", name);
    id_init(pki, out);
    fed_buf_init(&spki, fed_alloc_system(), 1024);
    assert_int_equal(pki->crypto.key_public(pki->crypto.ctx, pki_key(out), &spki, &diag), FED_OK);
    request.public_key = fed_buf_span(&spki);
    if (pki->crypto.cert_issue(
            pki->crypto.ctx, pki_cert(ca), pki_key(ca), &request, &out->cert_pem, &diag))
        fail_msg("%s", diag.text);
    fed_buf_fini(&spki);
}

void pki_id_fini(struct pki_id *id)
{
    fed_buf_fini(&id->key_pem);
    fed_buf_fini(&id->cert_pem);
}

struct fed_span pki_cert(const struct pki_id *id)
{
    return fed_buf_span(&id->cert_pem);
}

struct fed_span pki_key(const struct pki_id *id)
{
    return fed_buf_span(&id->key_pem);
}
