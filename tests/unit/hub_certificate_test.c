/* hub_certificate_test.c - certificates over years: new ones for the same key, and a CA that
 * follows another. */
#include "hub_join_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/identity/internal.h"
#include "proto/base/text.h"

#define DAY_S 86400
#define YEAR_S (365 * DAY_S)

static int setup(void **state)
{
    static struct join_world w;

    join_world_open(&w);
    *state = &w;
    return 0;
}

static char *copies[64];
static size_t n_copies;

/* Kept until the test is over. */
static char *copy(struct fed_span span)
{
    char *text = malloc(span.len + 1);

    assert_true(n_copies < sizeof copies / sizeof *copies);
    memcpy(text, span.at, span.len);
    text[span.len] = 0;
    copies[n_copies++] = text;
    return text;
}

static int teardown(void **state)
{
    while (n_copies > 0)
        free(copies[--n_copies]);
    join_world_close(*state);
    return 0;
}

static struct fed_crypto_cert_info info_of(struct join_world *w, const char *pem)
{
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};

    if (w->crypto.cert_info(w->crypto.ctx, fed_span_text(pem), &info, &diag))
        fail_msg("%s", diag.text);
    return info;
}

/* A cluster that joined by itself; its certificate. */
static void join(struct join_world *w, struct join_agent *agent, const char *name, char cert[4096])
{
    static struct fed_join_answer answer;
    struct fed_diag diag;
    struct fed_token token;
    char id[32];

    snprintf(id, sizeof id, "token%s", name);
    join_world_token(w, id, "{}", &token);
    join_agent_init(w, agent, name);
    if (join_agent_join(w, agent, &token, &answer, &diag))
        fail_msg("%s", diag.text);
    memcpy(cert, answer.certificate, sizeof answer.certificate);
}

static enum fed_err renew_ended(struct join_world *w, const char *name, int64_t ends_unix_s,
    struct fed_join_answer *answer, struct fed_diag *diag)
{
    enum fed_err err;

    diag->text[0] = 0;
    err = hub_identity_renew(w->identity, fed_span_text(name), ends_unix_s, true, answer, diag);
    hub_world_settle(&w->hub);
    return err;
}

static void renew(struct join_world *w, const char *name, struct fed_join_answer *answer)
{
    struct fed_diag diag;

    if (renew_ended(w, name, fed_loop_unix_s(&w->loop) + DAY_S, answer, &diag))
        fail_msg("%s", diag.text);
}

static void use(struct join_world *w, const char *name, const char *cert)
{
    struct fed_crypto_cert_info info = info_of(w, cert);

    hub_identity_used(w->identity, fed_span_text(name), &info);
    hub_world_settle(&w->hub);
}

/* The digest that a field of a join request says. */
static bool says(
    struct join_world *w, const char *name, const char *field, const struct fed_digest *digest)
{
    struct fed_buf hex;
    bool same;

    fed_buf_init(&hex, fed_alloc_system(), 128);
    fed_text_put_hex(&hex, fed_span_of(digest->bytes, sizeof digest->bytes));
    same = strcmp(join_world_text(w, JW_REQUESTS, name, field), fed_buf_cstr(&hex)) == 0;
    fed_buf_fini(&hex);
    return same;
}

static void test_renew(void **state)
{
    static struct fed_join_answer answer;
    static struct fed_join_answer again;
    struct join_world *w = *state;
    struct fed_crypto_cert_info first;
    struct fed_crypto_cert_info second;
    struct join_agent agent;
    struct fed_diag diag;
    char cert[4096];

    join(w, &agent, "edge", cert);
    first = info_of(w, cert);
    assert_in_range(first.not_after_unix_s - fed_loop_unix_s(&w->loop), YEAR_S - 60, YEAR_S);
    assert_true(says(w, "edge", "status.certificateFingerprint", &first.fingerprint));
    /* What was issued just now is not made again. */
    renew(w, "edge", &again);
    assert_string_equal(again.certificate, cert);
    assert_string_equal(join_world_text(w, JW_REQUESTS, "edge", "status.renewedAt"), "");
    join_world_pass(240 * DAY_S);
    renew(w, "edge", &answer);
    assert_true(answer.approved);
    assert_string_equal(answer.cluster, "edge");
    second = info_of(w, answer.certificate);
    assert_true(fed_digest_eq(&first.public_key, &second.public_key));
    assert_string_equal(second.common_name, "edge");
    assert_int_equal(second.n_organizations, 1);
    assert_string_equal(second.organizations[0], "fedlet:agents");
    assert_in_range(
        second.not_after_unix_s - first.not_after_unix_s, 240 * DAY_S - 60, 240 * DAY_S + 60);
    assert_true(says(w, "edge", "status.certificateFingerprint", &second.fingerprint));
    assert_true(join_world_text(w, JW_REQUESTS, "edge", "status.renewedAt")[0] != '\0');
    assert_int_equal(w->crypto.cert_check(w->crypto.ctx, fed_span_text(answer.certificate),
                         hub_identity_ca_pem(w->identity), fed_buf_span(&agent.key), &diag),
        FED_OK);
    /* The answer was lost: the same once more. */
    renew(w, "edge", &again);
    assert_string_equal(again.certificate, answer.certificate);
    /* It is known which one is used. */
    use(w, "edge", cert);
    assert_string_equal(join_world_text(w, JW_REQUESTS, "edge", "status.certificateInUse"), "");
    use(w, "edge", answer.certificate);
    assert_true(says(w, "edge", "status.certificateInUse", &second.fingerprint));
    join_agent_fini(&agent);
}

static void test_renew_refused(void **state)
{
    static struct fed_join_answer answer;
    struct join_world *w = *state;
    int64_t ended = fed_loop_unix_s(&w->loop) - 10 * YEAR_S;
    struct fed_token token;
    struct join_agent agent;
    struct join_agent waiting;
    struct fed_diag diag;
    char cert[4096];

    assert_int_equal(renew_ended(w, "nobody", ended, &answer, &diag), FED_ERR_FORBIDDEN);
    join_world_token(w, "byhand1", "{'approve':'manual'}", &token);
    join_agent_init(w, &waiting, "waiting");
    assert_int_equal(join_agent_join(w, &waiting, &token, &answer, &diag), FED_OK);
    assert_int_equal(renew_ended(w, "waiting", ended, &answer, &diag), FED_ERR_FORBIDDEN);
    /* However long ago it ended, unless the hub says how long. */
    join(w, &agent, "edge", cert);
    assert_int_equal(renew_ended(w, "edge", ended, &answer, &diag), FED_OK);
    w->certificate_return_s = 30 * DAY_S;
    join_world_restart(w);
    assert_int_equal(renew_ended(w, "edge", ended, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_non_null(strstr(diag.text, "join again with a token"));
    assert_int_equal(
        renew_ended(w, "edge", fed_loop_unix_s(&w->loop) - 29 * DAY_S, &answer, &diag), FED_OK);
    /* Its key is not recorded any more. */
    assert_int_equal(join_world_delete(w, JW_REQUESTS, "edge"), FED_OK);
    assert_int_equal(renew_ended(w, "edge", fed_loop_unix_s(&w->loop) + DAY_S, &answer, &diag),
        FED_ERR_FORBIDDEN);
    w->certificate_return_s = 0;
    join_agent_fini(&agent);
    join_agent_fini(&waiting);
}

static void test_life(void **state)
{
    static struct fed_join_answer answer;
    struct join_world *w = *state;
    struct fed_crypto_cert_info info;
    struct join_agent agent;
    char cert[4096];

    w->certificate_life_s = 60;
    join_world_restart(w);
    join(w, &agent, "edge", cert);
    info = info_of(w, cert);
    assert_in_range(info.not_after_unix_s - fed_loop_unix_s(&w->loop), 55, 60);
    /* Less of the past than of the future: two thirds of the whole are not over yet. */
    assert_in_range(info.not_after_unix_s - info.not_before_unix_s, 90, 90);
    join_world_pass(40);
    renew(w, "edge", &answer);
    assert_string_not_equal(answer.certificate, cert);
    w->certificate_life_s = 0;
    join_agent_fini(&agent);
}

/* What was issued just now is answered again whatever its times are: those of a longer life than
 * certificates have by now, or cut by the end of the CA. */
static void test_life_changes(void **state)
{
    static struct fed_join_answer answer;
    static struct fed_join_answer again;
    struct join_world *w = *state;
    struct join_agent agent;
    char cert[4096];

    join(w, &agent, "edge", cert);
    join_world_pass(60 * DAY_S);
    w->certificate_life_s = 30 * DAY_S;
    join_world_restart(w);
    renew(w, "edge", &answer);
    assert_string_not_equal(answer.certificate, cert);
    assert_in_range(
        info_of(w, answer.certificate).not_after_unix_s - fed_loop_unix_s(&w->loop), 1, 30 * DAY_S);
    w->certificate_life_s = 0;
    join_world_restart(w);
    join_world_pass(10 * YEAR_S - 90 * DAY_S);
    renew(w, "edge", &answer);
    assert_in_range(
        info_of(w, answer.certificate).not_after_unix_s - fed_loop_unix_s(&w->loop), 1, 30 * DAY_S);
    renew(w, "edge", &again);
    assert_string_equal(again.certificate, answer.certificate);
    join_agent_fini(&agent);
}

/* ---- the CA ---- */

static const struct hub_identity_cas *cas(struct join_world *w)
{
    static struct hub_identity_cas now;

    hub_identity_cas(w->identity, &now);
    return &now;
}

static void step(struct join_world *w,
    enum fed_err (*what)(struct hub_identity *identity, struct fed_diag *diag))
{
    struct fed_diag diag = {""};

    if (what(w->identity, &diag))
        fail_msg("%s", diag.text);
    join_world_restart(w);
}

static bool file_is_there(struct join_world *w, const char *name)
{
    return join_world_read(w, name).len > 0;
}

static bool chains(struct join_world *w, struct fed_span chain, const char *ca)
{
    struct fed_diag diag;

    return w->crypto.cert_check(
               w->crypto.ctx, chain, fed_span_text(ca), fed_span_text(""), &diag) == FED_OK;
}

static unsigned certificates_in(const char *pem)
{
    unsigned n = 0;

    for (const char *at = strstr(pem, "BEGIN CERT"); at; at = strstr(at + 1, "BEGIN CERT"))
        n++;
    return n;
}

/* How many clusters there are, and how many of them know the CA that issues. */
struct counted {
    unsigned all;
    unsigned confirmed;
};

static bool count(void *ctx, struct fed_span cluster, bool confirmed)
{
    struct counted *counted = ctx;

    (void)cluster;
    counted->all++;
    counted->confirmed += confirmed;
    return true;
}

static struct counted members(struct join_world *w)
{
    struct counted counted = {0};
    struct fed_diag diag;

    assert_int_equal(hub_identity_members(w->identity, count, &counted, &diag), FED_OK);
    return counted;
}

/* It renews, and comes with that. */
static void use_newer(struct join_world *w, const char *name, struct fed_join_answer *answer)
{
    char *before = copy(fed_span_text(answer->certificate));

    join_world_pass((int64_t)100 * DAY_S);
    renew(w, name, answer);
    assert_string_not_equal(answer->certificate, before);
    use(w, name, answer->certificate);
}

/* ---- the hub's own ---- */

static bool look(struct join_world *w)
{
    struct fed_diag diag = {""};
    bool made = true;

    if (identity_server_look(w->identity, &made, &diag))
        fail_msg("%s", diag.text);
    return made;
}

static enum fed_err no_room(
    void *ctx, const char *path, struct fed_span bytes, unsigned mode, struct fed_diag *diag)
{
    (void)ctx;
    (void)bytes;
    (void)mode;
    return fed_diag_set(diag, FED_ERR_IO, "%s: no room", path);
}

/* A hub that runs makes its certificate again before it ends, and once. */
static void test_own(void **state)
{
    struct join_world *w = *state;
    struct fed_fs *fs = w->identity->fs;
    struct fed_fs full = *fs;
    struct fed_diag diag = {""};
    char *cert = copy(hub_identity_server_cert_pem(w->identity));
    char *key = copy(hub_identity_server_key_pem(w->identity));
    bool made;

    assert_false(look(w));
    join_world_pass((int64_t)300 * DAY_S);
    assert_false(look(w));
    join_world_pass((int64_t)10 * DAY_S);
    /* While there is no room for it the old one stays. */
    full.write = no_room;
    w->identity->fs = &full;
    assert_int_equal(identity_server_look(w->identity, &made, &diag), FED_ERR_IO);
    assert_false(made);
    w->identity->fs = fs;
    assert_string_equal(copy(hub_identity_server_cert_pem(w->identity)), cert);
    assert_string_equal(copy(hub_identity_server_key_pem(w->identity)), key);
    assert_true(look(w));
    assert_false(look(w));
    assert_string_not_equal(copy(hub_identity_server_cert_pem(w->identity)), cert);
    assert_string_not_equal(copy(hub_identity_server_key_pem(w->identity)), key);
    assert_string_equal(
        copy(hub_identity_server_cert_pem(w->identity)), copy(join_world_read(w, "server.crt")));
    assert_string_equal(
        copy(hub_identity_server_key_pem(w->identity)), copy(join_world_read(w, "server.key")));
    assert_true(
        chains(w, hub_identity_server_cert_pem(w->identity), copy(join_world_read(w, "ca.crt"))));
    /* Near the end of the CA another one would last no longer. */
    join_world_pass((int64_t)9 * 365 * DAY_S);
    assert_true(look(w));
    join_world_pass((int64_t)40 * DAY_S);
    assert_false(look(w));
}

static enum fed_err unseal(struct join_world *w, const char *context, struct fed_span sealed)
{
    struct fed_buf plain;
    enum fed_err err;

    fed_buf_init(&plain, fed_alloc_system(), 64);
    err = hub_identity_unseal(w->identity, fed_span_text(context), sealed, &plain);
    if (!err)
        assert_string_equal(fed_buf_cstr(&plain), "secret");
    fed_buf_fini(&plain);
    return err;
}

/* What is sealed is for this set of CAs: none of before and none of after reads it. */
static void test_sealed(void **state)
{
    struct join_world *w = *state;
    struct fed_buf sealed[2];

    for (size_t i = 0; i < 2; i++) {
        fed_buf_init(&sealed[i], fed_alloc_system(), 256);
        assert_int_equal(
            hub_identity_seal(w->identity, FED_SPAN_LIT("one"), FED_SPAN_LIT("secret"), &sealed[i]),
            FED_OK);
        assert_int_equal(unseal(w, "one", fed_buf_span(&sealed[i])), FED_OK);
        assert_int_equal(unseal(w, "two", fed_buf_span(&sealed[i])), FED_ERR_DIGEST);
        step(w, i ? hub_identity_switch : hub_identity_rotate);
    }
    assert_int_equal(unseal(w, "one", fed_buf_span(&sealed[0])), FED_ERR_DIGEST);
    assert_int_equal(unseal(w, "one", fed_buf_span(&sealed[1])), FED_OK); /* the same two CAs */
    step(w, hub_identity_drop);
    assert_int_equal(unseal(w, "one", fed_buf_span(&sealed[1])), FED_ERR_DIGEST);
    fed_buf_fini(&sealed[0]);
    fed_buf_fini(&sealed[1]);
}

static void test_rotation(void **state)
{
    static struct fed_join_answer answer;
    struct join_world *w = *state;
    struct fed_digest pin = cas(w)->now.pin;
    struct fed_token token;
    struct join_agent one;
    struct join_agent two;
    struct fed_diag diag = {""};
    uint8_t trust[FED_LINK_TRUST_SIZE];
    char cert[4096];
    char second[4096];
    char *old = copy(join_world_read(w, "ca.crt"));
    char *fresh;

    join(w, &one, "one", cert);
    memcpy(trust, hub_identity_trust(w->identity), sizeof trust);
    assert_int_equal(hub_identity_switch(w->identity, &diag), FED_ERR_CONFLICT);
    assert_int_equal(hub_identity_drop(w->identity, &diag), FED_ERR_CONFLICT);
    step(w, hub_identity_rotate);

    /* Overlap: both count, agents are given the new one's, and the hub still shows the old one's.
     */
    assert_int_equal(cas(w)->state, HUB_ROTATION_OVERLAP);
    assert_true(fed_digest_eq(&cas(w)->old.pin, &pin));
    assert_false(fed_digest_eq(&cas(w)->now.pin, &pin));
    assert_true(cas(w)->bridged);
    assert_int_equal(hub_identity_rotate(w->identity, &diag), FED_ERR_CONFLICT);
    assert_memory_not_equal(trust, hub_identity_trust(w->identity), sizeof trust);
    fresh = copy(join_world_read(w, "ca.crt"));
    assert_true(chains(w, hub_identity_server_cert_pem(w->identity), old));
    assert_false(chains(w, hub_identity_server_cert_pem(w->identity), fresh));
    assert_int_equal(certificates_in(copy(hub_identity_ca_pem(w->identity))), 2);
    renew(w, "one", &answer);
    assert_string_not_equal(answer.certificate, cert);
    assert_true(chains(w, fed_span_text(answer.certificate), fresh));
    assert_int_equal(certificates_in(answer.ca), 4); /* both, and each vouched for by the other */
    /* A token of now pins what the hub shows, and whoever joins with it is given both. */
    join_world_token(w, "overlap", "{}", &token);
    assert_true(fed_digest_eq(&token.pin, &pin));
    join(w, &two, "two", second);
    assert_true(chains(w, fed_span_text(second), fresh));

    /* Who came with the new certificate knows the new CA; with the last one the hub switches. */
    assert_true(members(w).all == 2 && members(w).confirmed == 0);
    use(w, "one", answer.certificate);
    assert_true(members(w).all == 2 && members(w).confirmed == 1);
    assert_true(file_is_there(w, "ca.old.key"));
    use(w, "two", second);
    assert_int_equal(members(w).confirmed, 2);
    assert_false(file_is_there(w, "ca.old.key"));
    assert_int_equal(cas(w)->state, HUB_ROTATION_OVERLAP); /* of this process */
    /* Once: what a person begins next is nothing to this process. */
    join_world_write(w, "ca.old.key", FED_SPAN_LIT("of a later rotation"));
    use_newer(w, "one", &answer);
    assert_true(file_is_there(w, "ca.old.key"));
    join_world_write(w, "ca.old.key", FED_SPAN_LIT(""));
    join_world_restart(w);

    /* Switched: who knows only the old one still gets in, by the bridge. */
    assert_int_equal(cas(w)->state, HUB_ROTATION_SWITCHED);
    assert_true(chains(w, hub_identity_server_cert_pem(w->identity), fresh));
    assert_true(chains(w, hub_identity_server_cert_pem(w->identity), old));
    assert_false(chains(w, join_world_read(w, "server.crt"), old));
    assert_int_equal(certificates_in(copy(hub_identity_ca_pem(w->identity))), 2);
    join_world_token(w, "switched", "{}", &token);
    assert_true(fed_digest_eq(&token.pin, &cas(w)->now.pin));
    step(w, hub_identity_drop);

    assert_int_equal(cas(w)->state, HUB_ROTATION_NONE);
    assert_string_equal(copy(hub_identity_ca_pem(w->identity)), fresh);
    assert_int_equal(certificates_in(copy(hub_identity_server_cert_pem(w->identity))), 1);
    assert_memory_not_equal(trust, hub_identity_trust(w->identity), sizeof trust);
    renew(w, "one", &answer);
    assert_int_equal(certificates_in(answer.ca), 1);
    join_agent_fini(&one);
    join_agent_fini(&two);
}

/* Stopped anywhere while the files are written, the next start has one whole CA or the other. */
static void test_rotation_broken_off(void **state)
{
    static const char *const names[] = {
        "ca.next.key", "ca.vouch.crt", "ca.old.key", "ca.old.crt", "ca.next.crt"};
    struct join_world *w = *state;
    struct fed_digest pin = cas(w)->now.pin;
    struct fed_diag diag = {""};
    char *old[2] = {copy(join_world_read(w, "ca.crt")), copy(join_world_read(w, "ca.key"))};
    char *fresh[2];
    char *vouch;

    assert_int_equal(hub_identity_rotate(w->identity, &diag), FED_OK);
    fresh[0] = copy(join_world_read(w, "ca.crt"));
    fresh[1] = copy(join_world_read(w, "ca.key"));
    vouch = copy(join_world_read(w, "ca.vouch.crt"));
    for (size_t n = 0; n <= 6; n++) {
        const char *content[] = {fresh[1], vouch, old[1], old[0], fresh[0]};

        /* As it was before, then the first n writes; the sixth is that of ca.key. */
        join_world_write(w, "ca.crt", fed_span_text(old[0]));
        join_world_write(w, "ca.key", fed_span_text(n == 6 ? fresh[1] : old[1]));
        for (size_t i = 0; i < 5; i++)
            join_world_write(w, names[i], fed_span_text(i < n ? content[i] : ""));
        join_world_restart(w);
        assert_int_equal(cas(w)->state, n < 5 ? HUB_ROTATION_NONE : HUB_ROTATION_OVERLAP);
        assert_int_equal(fed_digest_eq(&cas(w)->now.pin, &pin), n < 5);
        assert_false(file_is_there(w, "ca.next.crt") || file_is_there(w, "ca.next.key"));
        assert_int_equal(file_is_there(w, "ca.old.crt"), n >= 5);
    }
}

/* A certificate whose key is gone never takes the place of a CA. */
static void test_rotation_without_key(void **state)
{
    struct join_world *w = *state;
    struct fed_digest pin = cas(w)->now.pin;
    struct fed_diag diag = {""};
    char *old[2] = {copy(join_world_read(w, "ca.crt")), copy(join_world_read(w, "ca.key"))};
    char *fresh[2];

    assert_int_equal(hub_identity_rotate(w->identity, &diag), FED_OK);
    fresh[0] = copy(join_world_read(w, "ca.crt"));
    fresh[1] = copy(join_world_read(w, "ca.key"));
    join_world_restart(w);
    for (int in_place = 0; in_place < 2; in_place++)
        for (int wrong = 0; wrong < 2; wrong++) {
            join_world_write(w, "ca.crt", fed_span_text(old[0]));
            join_world_write(w, "ca.key", fed_span_text(in_place ? fresh[1] : old[1]));
            join_world_write(w, "ca.next.crt", fed_span_text(fresh[0]));
            join_world_write(w, "ca.next.key", fed_span_text(wrong ? old[1] : ""));
            join_world_write(w, "ca.old.crt", fed_span_text(old[0]));
            join_world_write(w, "ca.old.key", fed_span_text(old[1]));
            join_world_restart(w);
            assert_int_equal(fed_digest_eq(&cas(w)->now.pin, &pin), !in_place);
            assert_false(file_is_there(w, "ca.next.crt") || file_is_there(w, "ca.next.key"));
            assert_string_equal(copy(join_world_read(w, "ca.key")), in_place ? fresh[1] : old[1]);
        }
}

/* A CA that has ended is dropped by itself. */
static void test_old_ca_ends(void **state)
{
    struct join_world *w = *state;

    join_world_pass((int64_t)9 * YEAR_S);
    step(w, hub_identity_rotate);
    join_world_restart(w);
    assert_int_equal(cas(w)->state, HUB_ROTATION_OVERLAP);
    join_world_pass(YEAR_S);
    join_world_restart(w);
    assert_int_equal(cas(w)->state, HUB_ROTATION_NONE);
    assert_false(file_is_there(w, "ca.old.crt"));
    assert_true(chains(
        w, hub_identity_server_cert_pem(w->identity), copy(hub_identity_ca_pem(w->identity))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renew_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_life_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_broken_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_without_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_ca_ends, setup, teardown),
    };

    return cmocka_run_group_tests_name("hub_certificate", tests, NULL, NULL);
}
