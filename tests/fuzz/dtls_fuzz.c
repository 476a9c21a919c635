/* ClientHellos of whoever has an address, with a good cookie or without one, and what is stored of
 * peers that come back.
 *
 *   u8 flags (1: the cookie is made good; 2: what is known comes later; 4: nothing is known),
 *   u16 length, ClientHello, the rest: what is known */
#include "ports/dtls/internal.h"
#include "ports/loop.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define SESSION_ID_AT 59u /* headers of record and message, version, random */
#define COOKIE_SIZE 32u
#define LATER 2u
#define NOTHING 4u

static struct fed_dtls_server *server;
static unsigned flags;
static struct fed_span known;
static struct fed_span asked;

static enum fed_err on_recall(void *ctx, struct fed_span id, struct fed_buf *recall)
{
    (void)ctx;
    asked = id;
    if (flags & LATER)
        return FED_ERR_BUSY;
    if (flags & NOTHING)
        return FED_ERR_NOT_FOUND;
    fed_buf_put(recall, known);
    return FED_OK;
}

static void on_opened(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer)
{
    (void)ctx;
    (void)session;
    (void)peer;
    abort(); /* nobody finishes */
}

static void on_received(void *ctx, struct fed_dtls_session *session, struct fed_span record)
{
    (void)ctx;
    (void)session;
    (void)record;
    abort();
}

static void on_closed(void *ctx, struct fed_dtls_session *session, const char *why)
{
    (void)ctx;
    (void)session;
    (void)why;
}

static void issue(
    struct fed_crypto *crypto, struct fed_buf *ca, struct fed_buf *key, struct fed_buf *cert)
{
    struct fed_crypto_cert_request request = {.common_name = "hub",
        .not_before_unix_s = 1,
        .not_after_unix_s = 4000000000,
        .server = true};
    struct fed_buf spki;

    fed_buf_init(&spki, fed_alloc_system(), 1024);
    FUZZ_CHECK(!crypto->key_new(crypto->ctx, key));
    FUZZ_CHECK(!crypto->ca_new(crypto->ctx, fed_buf_span(key), "ca", 1, 4000000000, ca, NULL));
    FUZZ_CHECK(!crypto->key_public(crypto->ctx, fed_buf_span(key), &spki, NULL));
    request.public_key = fed_buf_span(&spki);
    FUZZ_CHECK(!crypto->cert_issue(
        crypto->ctx, fed_buf_span(ca), fed_buf_span(key), &request, cert, NULL));
    fed_buf_fini(&spki);
}

static void open_server(void)
{
    static struct fed_crypto crypto;
    static struct fed_linux_loop *loop;
    static struct fed_log log;
    struct fed_dtls_events events = {
        .opened = on_opened, .received = on_received, .closed = on_closed, .recall = on_recall};
    struct fed_buf pem[3];
    struct fed_dtls_options options = {
        .listen = "127.0.0.1:0", .sessions_max = 8, .handshakes_max = 4, .session_idle_ms = 1000};

    for (size_t i = 0; i < 3; i++)
        fed_buf_init(&pem[i], fed_alloc_system(), 8192);
    FUZZ_CHECK(!fed_tls_crypto_open(fed_alloc_system(), &crypto, NULL));
    FUZZ_CHECK(!fed_linux_loop_open(fed_alloc_system(), &loop, NULL));
    issue(&crypto, &pem[0], &pem[1], &pem[2]);
    options.client_ca_pem = fed_buf_span(&pem[0]);
    options.key_pem = fed_buf_span(&pem[1]);
    options.cert_pem = fed_buf_span(&pem[2]);
    FUZZ_CHECK(!fed_dtls_server_open(
        fed_alloc_system(), fed_linux_loop_port(loop), &log, &options, &events, &server, NULL));
    FUZZ_CHECK(!dtls_address_parse("127.0.0.1:9", &server->from, NULL));
    for (size_t i = 0; i < 3; i++)
        fed_buf_fini(&pem[i]);
}

static void grow(uint8_t *at, size_t bytes, size_t by)
{
    size_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    value += by;
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

/* Puts a good cookie in the place of the one that is there, an empty one. */
static size_t with_cookie(uint8_t *bytes, size_t len)
{
    size_t at = SESSION_ID_AT + 1u;
    uint8_t *p;

    at += len > SESSION_ID_AT ? bytes[SESSION_ID_AT] : 0;
    if (at >= len || bytes[at] != 0)
        return len;
    memmove(bytes + at + 1 + COOKIE_SIZE, bytes + at + 1, len - at - 1);
    bytes[at] = COOKIE_SIZE;
    p = bytes + at + 1;
    FUZZ_CHECK(mbedtls_ssl_cookie_write(&server->config.cookie, &p, p + COOKIE_SIZE,
                   (const unsigned char *)&server->from, sizeof(server->from)) == 0);
    grow(bytes + 11, 2, COOKIE_SIZE);
    grow(bytes + 14, 3, COOKIE_SIZE);
    grow(bytes + 22, 3, COOKIE_SIZE);
    return len + COOKIE_SIZE;
}

static void hello(uint8_t *bytes, size_t len)
{
    server->incoming = fed_span_of(bytes, len);
    server->incoming_len = len;
    asked = (struct fed_span){0};
    if (!dtls_queue_hello(server))
        dtls_scratch_hello(server);
    if ((flags & LATER) && asked.len > 0) {
        uint8_t id[DTLS_RECALL_ID_SIZE];

        memcpy(id, asked.at, sizeof(id));
        fed_dtls_server_recall(
            server, fed_span_of(id, sizeof(id)), flags & NOTHING ? (struct fed_span){0} : known);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span from = fed_span_of(data, size);
    uint8_t bytes[DTLS_DATAGRAM_MAX];
    struct fed_span datagram;
    struct dtls_recall_made made = {.there = false};
    struct dtls_address address;
    uint8_t first;
    uint16_t len;

    if (!server)
        open_server();
    if (fed_span_take_u8(&from, &first) || fed_span_take_u16(&from, &len) ||
        fed_span_take_bytes(&from, len, &datagram) || len < 14 || len > sizeof(bytes) - COOKIE_SIZE)
        return 0;
    flags = first;
    known = fed_span_sub(from, 0, FED_DTLS_RECALL_MAX);
    memcpy(bytes, datagram.at, len);
    dtls_recall_look(&made, datagram); /* as a client has it */
    FUZZ_CHECK(!made.there);
    address = server->from;
    hello(bytes, flags & 1 ? with_cookie(bytes, len) : len);
    while (server->table.count > 0)
        dtls_session_drop(dtls_table_any(&server->table));
    FUZZ_CHECK(server->handshakes == 0 && server->n_asked == 0 && server->queue.length == 0);
    server->from = address;
    return 0;
}
