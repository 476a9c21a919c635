/* Bearer tokens. The input is a token as it came, or after the byte '=' the claims of one that is
 * rightly signed: the checks behind the signature see those. Whoever a token makes a user is the
 * ServiceAccount that is there, of that uid, and nobody else. */
#include "hub/access/token.h"
#include "proto/base/text.h"
#include "proto/object/json.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOW_US ((int64_t)1800000000 * 1000000)
#define UID "6d7f1e6a-0000-4000-8000-000000000000"

static struct {
    struct fed_loop loop;
    struct fed_crypto crypto;
    struct hub_objects *objects;
    struct hub_tokens *tokens;
    uint64_t now_ms;
    char header[128]; /* of a token of ours, base64url */
} world;

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return world.now_ms += 10; /* wrong signatures are not so many that others wait */
}

static int64_t unix_us(void *ctx)
{
    (void)ctx;
    return NOW_US;
}

static enum fed_err no_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 7, len);
    return FED_OK;
}

static enum fed_err key_public(
    void *ctx, struct fed_span key_pem, struct fed_buf *spki_der, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    fed_buf_put(spki_der, key_pem);
    return fed_buf_err(spki_der);
}

static enum fed_err sign(
    void *ctx, struct fed_span key_pem, struct fed_span message, uint8_t signature[64])
{
    (void)ctx;
    (void)key_pem;
    (void)message;
    memset(signature, 's', 64);
    return FED_OK;
}

/* One signature is right for everything. */
static enum fed_err verify(
    void *ctx, struct fed_span spki_der, struct fed_span message, const uint8_t signature[64])
{
    (void)ctx;
    (void)spki_der;
    (void)message;
    for (size_t i = 0; i < 64; i++)
        if (signature[i] != 's')
            return FED_ERR_FORBIDDEN;
    return FED_OK;
}

static void put_object(const char *resource, const char *name, const char *more)
{
    char text[512];
    struct hub_object_write write = {
        .ref = {fed_span_text(resource), FED_SPAN_LIT("default"), fed_span_text(name)}};

    snprintf(text, sizeof text,
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"uid\":\"" UID "\"}%s}", name,
        more);
    write.bytes = fed_span_text(text);
    FUZZ_CHECK(!hub_objects_commit(world.objects, &write, 1, NULL, 0, NULL, NULL));
}

static void open_store(void)
{
    static struct fed_sqlite_store *sqlite;
    struct fed_sqlite_options options = {
        .history = true, .application_id = 1, .new_epoch = 1, .cache_kib = 256};
    struct fed_diag diag;
    char dir[] = "/tmp/fuzz-token-XXXXXX";
    char path[64];

    FUZZ_CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/hub.db", dir);
    FUZZ_CHECK(!fed_sqlite_store_open(fed_alloc_system(), path, &options, &sqlite, &diag));
    FUZZ_CHECK(!hub_objects_open(
        fed_alloc_system(), NULL, fed_sqlite_store_port(sqlite), &world.objects, &diag));
    put_object("serviceaccounts", "bot", "");
    put_object("secrets", "s", ",\"type\":\"kubernetes.io/service-account-token\"");
    /* The files are open; their names are not needed any more. */
    for (const char *const *suffix = (const char *const[]){"", "-wal", "-shm", NULL}; *suffix;
         suffix++) {
        snprintf(path, sizeof path, "%s/hub.db%s", dir, *suffix);
        unlink(path);
    }
    rmdir(dir);
}

static void open_world(void)
{
    struct hub_token_request request = {.ns = FED_SPAN_LIT("default"),
        .name = FED_SPAN_LIT("bot"),
        .uid = FED_SPAN_LIT(UID),
        .audiences = {FED_SPAN_LIT(HUB_TOKEN_ISSUER)},
        .n_audiences = 1,
        .ttl_s = 600};
    struct hub_token_holder holder;
    struct fed_diag diag;
    struct fed_buf token;

    world.loop = (struct fed_loop){.now_ms = now_ms, .unix_us = unix_us};
    world.crypto = (struct fed_crypto){
        .random = no_random, .key_public = key_public, .sign = sign, .verify = verify};
    open_store();
    FUZZ_CHECK(!hub_tokens_open(fed_alloc_system(), &world.loop, &world.crypto, world.objects,
        FED_SPAN_LIT("a key"), &world.tokens, &diag));
    fed_buf_init(&token, fed_alloc_system(), HUB_TOKEN_SIZE_MAX);
    FUZZ_CHECK(!hub_tokens_issue(world.tokens, &request, &token));
    FUZZ_CHECK(!hub_tokens_verify(world.tokens, fed_buf_span(&token), NULL, 0, &holder, &diag));
    FUZZ_CHECK(!fed_span_to_cstr(
        fed_span_sub(fed_buf_span(&token), 0, fed_span_find(fed_buf_span(&token), '.')),
        world.header, sizeof world.header));
    fed_buf_fini(&token);
}

static void check(struct fed_span token)
{
    static const struct fed_span audiences[] = {{(const uint8_t *)"vault", 5},
        {(const uint8_t *)HUB_TOKEN_ISSUER, sizeof HUB_TOKEN_ISSUER - 1}};
    static struct hub_token_holder holder;
    struct fed_diag diag = {{0}};

    for (size_t n = 0; n <= 2; n += 2) {
        enum fed_err err =
            hub_tokens_verify(world.tokens, token, n ? audiences : NULL, n, &holder, &diag);

        FUZZ_CHECK(!err || err == FED_ERR_UNAUTHENTICATED);
        FUZZ_CHECK(!err || diag.text[0]);
        if (err)
            continue;
        FUZZ_CHECK(strcmp(holder.user.name, "system:serviceaccount:default:bot") == 0);
        FUZZ_CHECK(strcmp(holder.user.uid, UID) == 0);
        FUZZ_CHECK(holder.n_audiences > 0);
    }
}

static void check_signed(struct fed_span claims)
{
    uint8_t signature[64];
    struct fed_buf token;

    (void)!sign(NULL, claims, claims, signature);
    fed_buf_init(&token, fed_alloc_system(), 1u << 20);
    fed_buf_put_text(&token, world.header);
    fed_buf_put_text(&token, ".");
    fed_text_put_base64url(&token, claims);
    fed_buf_put_text(&token, ".");
    fed_text_put_base64url(&token, fed_span_of(signature, sizeof signature));
    if (!fed_buf_err(&token))
        check(fed_buf_span(&token));
    fed_buf_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.tokens)
        open_world();
    if (size > 0 && data[0] == '=')
        check_signed(fed_span_of(data + 1, size - 1));
    else
        check(fed_span_of(data, size));
    return 0;
}
