/* hub_identity_test.c - the CA's files, tokens through admission, and every way a join can go. */
#include "hub_join_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "proto/base/text.h"

#define DAY_S 86400

static int setup(void **state)
{
    static struct join_world w;

    join_world_open(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    join_world_close(*state);
    return 0;
}

/* ---- files ---- */

static char *copy_file(struct join_world *w, const char *file)
{
    struct fed_span content = join_world_read(w, file);
    char *copy = malloc(content.len + 1);

    memcpy(copy, content.at, content.len);
    copy[content.len] = '\0';
    return copy;
}

static enum fed_err open_again(
    struct join_world *w, const char *const *names, size_t n, struct fed_diag *diag)
{
    struct hub_identity_options options = {
        .data_dir = w->dir, .advertise = names, .n_advertise = n};
    struct hub_identity *identity;
    enum fed_err err;

    diag->text[0] = '\0';
    err = hub_identity_open(
        fed_alloc_system(), &w->loop, NULL, &w->fs, &w->crypto, &options, &identity, diag);
    if (!err)
        hub_identity_close(identity);
    return err;
}

static bool file_is(struct join_world *w, const char *file, const char *content)
{
    return fed_span_is(join_world_read(w, file), content);
}

static unsigned mode_of(struct join_world *w, const char *file)
{
    struct stat st;
    char path[160];

    snprintf(path, sizeof path, "%s/%s", w->dir, file);
    assert_int_equal(stat(path, &st), 0);
    return (unsigned)st.st_mode & 0777;
}

static void test_ca_files(void **state)
{
    static const char *const names[] = {"hub.example", "192.0.2.1"};
    struct join_world *w = *state;
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    char *ca = copy_file(w, "ca.crt");
    char *key = copy_file(w, "ca.key");

    assert_int_equal(mode_of(w, "ca.key"), 0600);
    assert_int_equal(mode_of(w, "server.key"), 0600);
    assert_int_equal(w->crypto.cert_info(w->crypto.ctx, fed_span_text(ca), &info, &diag), FED_OK);
    assert_true(info.is_ca);
    assert_int_equal(strlen(info.common_name), strlen("fedlet hub CA 01234567"));
    assert_int_equal(open_again(w, names, 2, &diag), FED_OK);
    assert_true(file_is(w, "ca.crt", ca));
    /* A crash before the certificate was written: made from the same key. */
    join_world_write(w, "ca.crt", fed_span_text(""));
    assert_int_equal(open_again(w, names, 2, &diag), FED_OK);
    assert_true(file_is(w, "ca.key", key));
    /* A lost key is never replaced in silence. */
    join_world_write(w, "ca.key", fed_span_text(""));
    assert_int_equal(open_again(w, names, 2, &diag), FED_ERR_CORRUPT);
    assert_non_null(strstr(diag.text, "no ca.key"));
    join_world_write(w, "ca.key", FED_SPAN_LIT("-----BEGIN nonsense"));
    assert_int_equal(open_again(w, names, 2, &diag), FED_ERR_CORRUPT);
    /* Another CA's key. */
    join_world_write(w, "ca.key", hub_identity_server_key_pem(w->identity));
    assert_int_equal(open_again(w, names, 2, &diag), FED_ERR_CORRUPT);
    free(ca);
    free(key);
}

static void test_server_certificate(void **state)
{
    static const char *const names[] = {"hub.example", "192.0.2.1"};
    static const char *const bad[] = {"not a name"};
    struct join_world *w = *state;
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    char *first = copy_file(w, "server.crt");
    char *second;

    assert_int_equal(
        w->crypto.cert_check(w->crypto.ctx, fed_span_text(first), hub_identity_ca_pem(w->identity),
            hub_identity_server_key_pem(w->identity), &diag),
        FED_OK);
    assert_int_equal(open_again(w, names, 2, &diag), FED_OK);
    assert_true(file_is(w, "server.crt", first));
    assert_int_equal(open_again(w, names, 1, &diag), FED_OK); /* other names */
    second = copy_file(w, "server.crt");
    assert_string_not_equal(first, second);
    join_world_pass(300 * DAY_S); /* 65 days left */
    assert_int_equal(open_again(w, names, 1, &diag), FED_OK);
    assert_true(file_is(w, "server.crt", second));
    join_world_pass(10 * DAY_S);
    assert_int_equal(open_again(w, names, 1, &diag), FED_OK);
    assert_false(file_is(w, "server.crt", second));
    join_world_write(w, "server.key", fed_span_text(first)); /* damaged */
    assert_int_equal(open_again(w, names, 1, &diag), FED_OK);
    assert_int_equal(
        w->crypto.cert_info(w->crypto.ctx, join_world_read(w, "server.crt"), &info, &diag), FED_OK);
    assert_int_equal(open_again(w, bad, 1, &diag), FED_ERR_INVALID);
    free(first);
    free(second);
}

static struct fed_span line_of(struct fed_span text, const char *key)
{
    struct fed_span line;

    while (fed_span_split(&text, '\n', &line)) {
        while (line.len > 0 && line.at[0] == ' ')
            line = fed_span_sub(line, 1, line.len);
        if (fed_span_starts(line, key))
            return fed_span_sub(line, strlen(key), line.len);
    }
    fail_msg("no line %s", key);
    return line;
}

static void test_admin(void **state)
{
    struct join_world *w = *state;
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    struct fed_buf pem;
    char *first;

    assert_int_equal(
        hub_identity_write_admin(w->identity, "https://127.0.0.1:7443", &diag), FED_OK);
    assert_int_equal(mode_of(w, "admin.kubeconfig"), 0600);
    first = copy_file(w, "admin.kubeconfig");
    assert_true(fed_span_is(line_of(fed_span_text(first), "server: "), "https://127.0.0.1:7443"));
    fed_buf_init(&pem, fed_alloc_system(), 65536);
    assert_int_equal(
        fed_text_base64(line_of(fed_span_text(first), "client-certificate-data: "), &pem), FED_OK);
    assert_int_equal(w->crypto.cert_info(w->crypto.ctx, fed_buf_span(&pem), &info, &diag), FED_OK);
    assert_string_equal(info.common_name, "fedlet:admin");
    assert_int_equal(info.n_organizations, 1);
    assert_string_equal(info.organizations[0], "system:masters");
    assert_int_equal(
        hub_identity_write_admin(w->identity, "https://127.0.0.1:7443", &diag), FED_OK);
    assert_true(file_is(w, "admin.kubeconfig", first)); /* kept */
    assert_int_equal(hub_identity_write_admin(w->identity, "https://[::1]:7443", &diag), FED_OK);
    assert_true(fed_span_is(
        line_of(join_world_read(w, "admin.kubeconfig"), "server: "), "https://[::1]:7443"));
    assert_int_equal(hub_identity_write_admin(w->identity, "https://a\nb", &diag), FED_ERR_INVALID);
    join_world_write(w, "admin.kubeconfig", fed_span_text(first));
    join_world_pass(310 * DAY_S);
    assert_int_equal(
        hub_identity_write_admin(w->identity, "https://127.0.0.1:7443", &diag), FED_OK);
    assert_false(file_is(w, "admin.kubeconfig", first)); /* near its end */
    fed_buf_fini(&pem);
    free(first);
}

/* ---- tokens ---- */

static void test_token(void **state)
{
    struct join_world *w = *state;
    struct fed_crypto_cert_info ca;
    struct fed_diag diag = {""};
    struct fed_token token;
    struct fed_buf key;
    int64_t expires;

    join_world_token(w, "abcdef0123", "{}", &token);
    assert_string_equal(token.id, "abcdef0123");
    assert_int_equal(token.uses, 1);
    assert_int_equal(token.n_addresses, 2);
    assert_string_equal(token.addresses[0], "coaps://hub.example:5684");
    assert_int_equal(
        w->crypto.cert_info(w->crypto.ctx, hub_identity_ca_pem(w->identity), &ca, &diag), FED_OK);
    assert_true(fed_digest_eq(&ca.public_key, &token.pin));
    assert_int_equal(fed_text_time_parse(fed_span_text(join_world_text(
                                             w, JW_TOKENS, "abcdef0123", "status.expiresAt")),
                         &expires),
        FED_OK);
    assert_int_equal(expires, token.expires_unix_s);
    assert_in_range(expires - fed_loop_unix_s(&w->loop), DAY_S - 60, DAY_S);
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"), "1");
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.token"), "");
    fed_buf_init(&key, fed_alloc_system(), 64);
    assert_int_equal(hub_identity_psk(w->identity, FED_SPAN_LIT("abcdef0123"), &key), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&key), fed_span_of(token.secret, sizeof token.secret)));
    assert_int_equal(
        hub_identity_psk(w->identity, FED_SPAN_LIT("abcdef012"), &key), FED_ERR_NOT_FOUND);
    assert_int_equal(
        hub_identity_psk(w->identity, FED_SPAN_LIT("../../etc"), &key), FED_ERR_NOT_FOUND);
    assert_int_equal(hub_identity_psk(w->identity, fed_span_text(""), &key), FED_ERR_NOT_FOUND);
    assert_int_equal(join_world_delete(w, JW_TOKENS, "abcdef0123"), FED_OK);
    assert_int_equal(
        hub_identity_psk(w->identity, FED_SPAN_LIT("abcdef0123"), &key), FED_ERR_NOT_FOUND);
    fed_buf_fini(&key);
}

static void test_token_refused(void **state)
{
    static const char *const bad[] = {"{'ttl':'0s'}", "{'ttl':'8761h'}", "{'ttl':'soon'}",
        "{'ttl':'-1h'}", "{'uses':0}", "{'uses':100001}", "{'uses':-1}", "{'uses':'many'}",
        "{'clusterName':'Upper'}", "{'clusterName':'a/b'}", "{'approve':'maybe'}"};
    static const char *const names[] = {
        "short", "UPPER123", "has-dash", "with space", "", "a23456789012345678901234567890123"};
    struct join_world *w = *state;
    struct fed_buf key;
    char json[256];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(json, sizeof json, "{'spec':%s}", bad[i]);
        assert_int_equal(join_world_create(w, "abcdef0123", json, false, NULL), FED_ERR_INVALID);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(
            join_world_create(w, names[i], "{'spec':{}}", false, NULL), FED_ERR_INVALID);
    assert_int_equal(
        join_world_create(w, "abcdef0123", "{'spec':{}}", true, NULL), FED_OK); /* dry run */
    fed_buf_init(&key, fed_alloc_system(), 64);
    assert_int_equal(
        hub_identity_psk(w->identity, FED_SPAN_LIT("abcdef0123"), &key), FED_ERR_NOT_FOUND);
    fed_buf_fini(&key);
    assert_int_equal(
        join_world_create(w, "abcdef0123", "{'spec':{'uses':2}}", false, NULL), FED_OK);
    assert_int_equal(
        join_world_update(w, JW_TOKENS, "abcdef0123", "{'spec':{'uses':9}}", ""), FED_ERR_INVALID);
    assert_int_equal(
        join_world_update(w, JW_TOKENS, "abcdef0123", "{'status':{'usesLeft':9}}", "status"),
        FED_ERR_FORBIDDEN);
    assert_int_equal(join_world_update(w, JW_TOKENS, "abcdef0123",
                         "{'status':{'usesLeft':9},'metadata':{'labels':{'a':'b'}}}", ""),
        FED_OK);
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"), "2");
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "metadata.labels.a"), "b");
}

/* ---- joins ---- */

static enum fed_err speaks_for(struct join_world *w, const char *pem, char out[254])
{
    struct fed_crypto_cert_info info;
    struct fed_diag diag = {""};
    struct fed_buf cluster;
    enum fed_err err;

    assert_int_equal(w->crypto.cert_info(w->crypto.ctx, fed_span_text(pem), &info, &diag), FED_OK);
    fed_buf_init(&cluster, fed_alloc_system(), 254);
    err = hub_identity_cluster_of(w->identity, &info, &cluster, &diag);
    snprintf(out, 254, "%s", fed_buf_cstr(&cluster));
    fed_buf_fini(&cluster);
    return err;
}

static void test_join(void **state)
{
    struct join_world *w = *state;
    struct fed_crypto_cert_info info;
    struct fed_join_answer answer;
    struct fed_join_answer again;
    struct fed_diag diag;
    struct fed_token token;
    struct join_agent agent;
    char name[254];

    join_world_token(w, "abcdef0123", "{}", &token);
    join_agent_init(w, &agent, "cluster1");
    if (join_agent_join(w, &agent, &token, &answer, &diag))
        fail_msg("%s", diag.text);
    assert_true(answer.approved);
    assert_string_equal(answer.cluster, "cluster1");
    assert_true(fed_span_is(hub_identity_ca_pem(w->identity), answer.ca));
    assert_int_equal(w->crypto.cert_check(w->crypto.ctx, fed_span_text(answer.certificate),
                         hub_identity_ca_pem(w->identity), fed_buf_span(&agent.key), &diag),
        FED_OK);
    assert_int_equal(
        w->crypto.cert_info(w->crypto.ctx, fed_span_text(answer.certificate), &info, &diag),
        FED_OK);
    assert_string_equal(info.common_name, "cluster1");
    assert_int_equal(info.n_organizations, 1);
    assert_string_equal(info.organizations[0], "fedlet:agents");
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_OK);
    assert_string_equal(name, "cluster1");
    /* Complete Kubernetes objects. */
    assert_string_equal(join_world_text(w, W_CLUSTERS, "cluster1", "kind"), "KubeFedCluster");
    assert_string_equal(
        join_world_text(w, W_CLUSTERS, "cluster1", "metadata.labels.region"), "north");
    assert_int_equal(strlen(join_world_text(w, W_CLUSTERS, "cluster1", "metadata.uid")), 36);
    assert_int_equal(
        strlen(join_world_text(w, W_CLUSTERS, "cluster1", "metadata.creationTimestamp")), 20);
    assert_string_equal(join_world_text(w, W_CLUSTERS, "cluster1", "spec.apiEndpoint"),
        "https://cluster1.fedlet.invalid");
    assert_string_equal(
        join_world_text(w, W_CLUSTERS, "cluster1", "spec.secretRef.name"), "cluster1");
    assert_string_equal(join_world_text(w, JW_REQUESTS, "cluster1", "status.state"), "Approved");
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"), "0");
    /* Asked again, even when the token is over: the same answer, and no use. */
    join_world_pass(2 * DAY_S);
    assert_int_equal(join_agent_join(w, &agent, &token, &again, &diag), FED_OK);
    assert_string_equal(again.certificate, answer.certificate);
    join_world_restart(w);
    assert_int_equal(join_agent_join(w, &agent, &token, &again, &diag), FED_OK);
    assert_string_equal(again.certificate, answer.certificate);
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_OK);
    join_agent_fini(&agent);
}

static void test_join_refused(void **state)
{
    struct join_world *w = *state;
    struct fed_join_answer answer;
    struct fed_diag diag;
    struct fed_token once;
    struct fed_token many;
    struct fed_token bound;
    struct join_agent a;
    struct join_agent b;
    struct join_agent other_a;
    struct join_agent upper;

    join_world_token(w, "once000000", "{}", &once);
    join_world_token(w, "many000000", "{'uses':9,'ttl':'1h'}", &many);
    join_world_token(w, "bound00000", "{'clusterName':'c'}", &bound);
    join_agent_init(w, &a, "a");
    join_agent_init(w, &b, "b");
    join_agent_init(w, &other_a, "a");
    join_agent_init(w, &upper, "A");
    assert_int_equal(join_agent_join(w, &a, &once, &answer, &diag), FED_OK);
    assert_int_equal(join_agent_join(w, &b, &once, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_non_null(strstr(diag.text, "used up"));
    assert_int_equal(join_agent_join(w, &other_a, &many, &answer, &diag), FED_ERR_CONFLICT);
    assert_non_null(strstr(diag.text, "another key"));
    assert_int_equal(join_agent_join(w, &b, &bound, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_non_null(strstr(diag.text, "for cluster c only"));
    assert_int_equal(join_agent_join(w, &upper, &many, &answer, &diag), FED_ERR_INVALID);
    assert_string_equal(join_world_text(w, JW_TOKENS, "many000000", "status.usesLeft"), "9");
    join_world_pass(3600); /* to the second: ended */
    assert_int_equal(join_agent_join(w, &b, &many, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_non_null(strstr(diag.text, "ended at"));
    assert_int_equal(join_world_delete(w, JW_TOKENS, "bound00000"), FED_OK);
    assert_int_equal(join_agent_join(w, &b, &bound, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_non_null(strstr(diag.text, "revoked"));
    assert_string_equal(join_world_text(w, W_CLUSTERS, "b", "kind"), "(absent)");
    assert_string_equal(join_world_text(w, JW_REQUESTS, "b", "kind"), "(absent)");
    join_agent_fini(&a);
    join_agent_fini(&b);
    join_agent_fini(&other_a);
    join_agent_fini(&upper);
}

static void test_join_forged(void **state)
{
    struct join_world *w = *state;
    struct fed_join_request request;
    struct fed_join_request right;
    struct fed_join_answer answer;
    struct fed_diag diag = {""};
    struct fed_token token;
    struct fed_token other;
    struct join_agent agent;

    join_world_token(w, "abcdef0123", "{'uses':9}", &token);
    join_world_token(w, "other00000", "{'uses':9}", &other);
    join_agent_init(w, &agent, "cluster1");
    join_agent_request(w, &agent, &token, &right);
    /* A session of another token, a key off the curve, a label that is none: none of them is a
     * wrong proof. */
    assert_int_equal(
        hub_identity_join(w->identity, FED_SPAN_LIT("other00000"), &right, &answer, &diag),
        FED_ERR_FORBIDDEN);
    request = right;
    snprintf(request.labels[0].key, sizeof request.labels[0].key, "a b");
    assert_int_equal(hub_identity_join(w->identity, fed_span_text(""), &request, &answer, &diag),
        FED_ERR_INVALID);
    agent.spki.at[60] ^= 1;
    join_agent_request(w, &agent, &token, &request);
    agent.spki.at[60] ^= 1;
    assert_int_equal(hub_identity_join(w->identity, fed_span_text(""), &request, &answer, &diag),
        FED_ERR_INVALID);
    for (int i = 0; i < 5; i++) {
        request = right;
        if (i % 2)
            request.proof[31] ^= 1;
        else
            request.name[0] = 'd'; /* the proof covers the name */
        assert_int_equal(
            hub_identity_join(w->identity, fed_span_text(""), &request, &answer, &diag),
            FED_ERR_FORBIDDEN);
        assert_non_null(strstr(diag.text, "proof"));
    }
    /* Locked now, even for the right proof; not for who proved the token by the session's key.
     * Other tokens are not. */
    assert_int_equal(
        hub_identity_join(w->identity, fed_span_text(""), &right, &answer, &diag), FED_ERR_BUSY);
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"), "9");
    assert_int_equal(join_agent_join(w, &agent, &other, &answer, &diag), FED_OK);
    request = right;
    request.proof[31] ^= 1;
    assert_int_equal(
        hub_identity_join(w->identity, FED_SPAN_LIT("abcdef0123"), &request, &answer, &diag),
        FED_ERR_BUSY);
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    join_agent_fini(&agent);
}

static void test_join_manual(void **state)
{
    struct join_world *w = *state;
    struct fed_join_answer answer;
    struct fed_diag diag;
    struct fed_token token;
    struct join_agent agent;
    struct join_agent thief;
    struct join_agent unwanted;
    char name[254];

    join_world_token(w, "abcdef0123", "{'approve':'manual','uses':2}", &token);
    join_agent_init(w, &agent, "cluster1");
    join_agent_init(w, &thief, "cluster1");
    join_agent_init(w, &unwanted, "cluster2");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    assert_false(answer.approved);
    assert_int_equal(answer.retry_after_s, 5);
    assert_string_equal(answer.certificate, "");
    assert_string_equal(join_world_text(w, JW_REQUESTS, "cluster1", "status.state"), "Pending");
    assert_string_equal(join_world_text(w, W_CLUSTERS, "cluster1", "kind"), "(absent)");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    assert_false(answer.approved);
    assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"), "1");
    assert_int_equal(join_agent_join(w, &thief, &token, &answer, &diag), FED_ERR_CONFLICT);
    assert_int_equal(join_agent_join(w, &unwanted, &token, &answer, &diag), FED_OK);
    /* Nobody but the hub says Approved or touches what was asked. */
    assert_int_equal(
        join_world_update(w, JW_REQUESTS, "cluster1", "{'status':{'state':'Approved'}}", "status"),
        FED_ERR_FORBIDDEN);
    assert_int_equal(
        join_world_update(w, JW_REQUESTS, "cluster1", "{'spec':{'publicKey':'AAAA'}}", ""),
        FED_ERR_INVALID);
    assert_int_equal(
        join_world_update(w, JW_REQUESTS, "cluster1", "{'spec':{'approved':true}}", ""), FED_OK);
    assert_string_equal(join_world_text(w, JW_REQUESTS, "cluster1", "status.state"), "Approved");
    assert_string_equal(
        join_world_text(w, W_CLUSTERS, "cluster1", "metadata.labels.region"), "north");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    assert_true(answer.approved);
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_OK);
    assert_int_equal(
        join_world_update(w, JW_REQUESTS, "cluster1", "{'spec':{'approved':false}}", ""),
        FED_ERR_INVALID);
    assert_int_equal(join_world_update(w, JW_REQUESTS, "cluster2",
                         "{'status':{'state':'Denied','message':'no'}}", "status"),
        FED_OK);
    assert_int_equal(join_agent_join(w, &unwanted, &token, &answer, &diag), FED_ERR_FORBIDDEN);
    assert_string_equal(join_world_text(w, W_CLUSTERS, "cluster2", "kind"), "(absent)");
    join_agent_fini(&agent);
    join_agent_fini(&thief);
    join_agent_fini(&unwanted);
}

static void test_cut_off(void **state)
{
    struct join_world *w = *state;
    struct fed_join_answer answer;
    struct fed_join_answer second;
    struct fed_diag diag;
    struct fed_token token;
    struct fed_token bound;
    struct join_agent agent;
    struct join_agent other;
    char name[254];

    join_world_token(w, "abcdef0123", "{'uses':9}", &token);
    join_world_token(w, "bound00000", "{'clusterName':'cluster1'}", &bound);
    join_agent_init(w, &agent, "cluster1");
    join_agent_init(w, &other, "cluster1");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    hub_world_remove(&w->hub, W_CLUSTERS, W_SYSTEM, "cluster1");
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_ERR_FORBIDDEN);
    assert_string_equal(join_world_text(w, JW_REQUESTS, "cluster1", "kind"), "(absent)");
    /* Made again by hand: the old key stays out, and the name is for a token that says it. */
    hub_world_cluster(&w->hub, "cluster1", "{}");
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_ERR_FORBIDDEN);
    assert_int_equal(join_agent_join(w, &other, &token, &second, &diag), FED_ERR_CONFLICT);
    assert_int_equal(join_agent_join(w, &other, &bound, &second, &diag), FED_OK);
    assert_int_equal(speaks_for(w, second.certificate, name), FED_OK);
    assert_int_equal(
        speaks_for(w, answer.certificate, name), FED_ERR_FORBIDDEN); /* same name, other key */
    assert_int_equal(join_world_delete(w, JW_REQUESTS, "cluster1"), FED_OK);
    assert_int_equal(speaks_for(w, second.certificate, name), FED_ERR_FORBIDDEN);
    join_agent_fini(&agent);
    join_agent_fini(&other);
}

/* Deleted and made again by two clients within one turn of the loop: whoever hears of the deletion
 * finds a cluster of that name, and the old key stays out all the same. */
static void test_cut_off_in_one_turn(void **state)
{
    static const char again[] = "{\"metadata\":{\"name\":\"cluster1\"},\"spec\":{}}";
    struct join_world *w = *state;
    struct hub_object_write write = {
        .ref = {FED_SPAN_LIT(W_CLUSTERS), FED_SPAN_LIT(W_SYSTEM), FED_SPAN_LIT("cluster1")},
        .expected = HUB_ANY_REVISION,
        .remove = true};
    struct fed_join_answer answer;
    struct fed_join_answer second;
    struct fed_diag diag;
    struct fed_token token;
    struct fed_token bound;
    struct join_agent agent;
    char name[254];

    join_world_token(w, "abcdef0123", "{'uses':9}", &token);
    join_world_token(w, "bound00000", "{'clusterName':'cluster1'}", &bound);
    join_agent_init(w, &agent, "cluster1");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    assert_int_equal(hub_objects_stage(w->hub.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    write.remove = false;
    write.expected = 0;
    write.bytes = fed_span_text(again);
    assert_int_equal(hub_objects_stage(w->hub.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    assert_int_equal(hub_objects_flush(w->hub.objects, NULL), FED_OK);
    assert_string_equal(join_world_text(w, JW_REQUESTS, "cluster1", "kind"), "(absent)");
    assert_int_equal(speaks_for(w, answer.certificate, name), FED_ERR_FORBIDDEN);
    /* A join that comes in the turn of a deletion stays. */
    assert_int_equal(join_agent_join(w, &agent, &bound, &second, &diag), FED_OK);
    write.remove = true;
    write.expected = HUB_ANY_REVISION;
    assert_int_equal(hub_objects_stage(w->hub.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    assert_int_equal(join_agent_join(w, &agent, &token, &second, &diag), FED_OK);
    assert_int_equal(speaks_for(w, second.certificate, name), FED_OK);
    join_agent_fini(&agent);
}

static void test_certificates_refused(void **state)
{
    struct join_world *w = *state;
    struct fed_join_answer answer;
    struct fed_crypto_cert_info info;
    struct fed_crypto_cert_info good;
    struct fed_diag diag;
    struct fed_token token;
    struct fed_buf cluster;
    struct join_agent agent;
    static const char *const names[] = {"cluster", "cluster11", "Cluster1", "cluster1 ", "",
        "kube-federation-system/cluster1", "clusteг1"};

    join_world_token(w, "abcdef0123", "{}", &token);
    join_agent_init(w, &agent, "cluster1");
    assert_int_equal(join_agent_join(w, &agent, &token, &answer, &diag), FED_OK);
    assert_int_equal(
        w->crypto.cert_info(w->crypto.ctx, fed_span_text(answer.certificate), &good, &diag),
        FED_OK);
    fed_buf_init(&cluster, fed_alloc_system(), 254);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        info = good;
        snprintf(info.common_name, sizeof info.common_name, "%s", names[i]);
        assert_int_equal(
            hub_identity_cluster_of(w->identity, &info, &cluster, &diag), FED_ERR_FORBIDDEN);
    }
    info = good;
    info.n_organizations = 2; /* ours, and another one */
    snprintf(info.organizations[1], sizeof info.organizations[1], "system:masters");
    assert_int_equal(
        hub_identity_cluster_of(w->identity, &info, &cluster, &diag), FED_ERR_FORBIDDEN);
    info = good;
    snprintf(info.organizations[0], sizeof info.organizations[0], "fedlet:agents2");
    assert_int_equal(
        hub_identity_cluster_of(w->identity, &info, &cluster, &diag), FED_ERR_FORBIDDEN);
    info = good;
    info.public_key.bytes[31] ^= 1;
    assert_int_equal(
        hub_identity_cluster_of(w->identity, &info, &cluster, &diag), FED_ERR_FORBIDDEN);
    assert_int_equal(cluster.len, 0);
    assert_int_equal(hub_identity_cluster_of(w->identity, &good, &cluster, &diag), FED_OK);
    fed_buf_fini(&cluster);
    join_agent_fini(&agent);
}

/* Every allocation of a join refused in turn: nothing is half done, nothing looks like another
 * key's cluster. */
static void test_no_memory(void **state)
{
    struct join_world *w = *state;
    struct fed_join_request request;
    struct fed_join_answer answer;
    struct fed_diag diag = {""};
    struct fed_token token;
    struct join_agent agent;
    long refused[2] = {0, 0};
    enum fed_err err;

    join_world_token(w, "abcdef0123", "{}", &token);
    join_agent_init(w, &agent, "cluster1");
    join_agent_request(w, &agent, &token, &request);
    for (int again = 0; again < 2; again++) {
        do {
            w->refuse_after = refused[again];
            err = hub_identity_join(w->identity, fed_span_text(token.id), &request, &answer, &diag);
            w->refuse_after = -1;
            if (err) {
                assert_int_equal(err, FED_ERR_NOMEM);
                assert_string_equal(join_world_text(w, JW_TOKENS, "abcdef0123", "status.usesLeft"),
                    again ? "0" : "1");
                assert_string_equal(join_world_text(w, W_CLUSTERS, "cluster1", "kind"),
                    again ? "KubeFedCluster" : "(absent)");
                refused[again]++;
            }
        } while (err);
        assert_true(answer.approved);
    }
    assert_true(refused[0] > 20 && refused[1] > 5);
    join_agent_fini(&agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ca_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join_forged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join_manual, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_off_in_one_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificates_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
