/* coap_client_fuzz.c - the agent's message layer with whatever a hub sends: records, each behind
 * half its length in one byte, and between them what an agent does: requests of all kinds, time
 * that passes, a session that goes on. What is sent must parse, every request ends exactly once.
 * The DTLS client below is a fake that keeps nothing. */
#include "ports/coap/client.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/still_loop.h"

#include <string.h>

#define ACT 0x80u
#define LARGE 0x40u /* records of whole blocks, too */

static struct fed_coap_client *client;
static unsigned open_requests;
static bool up;
static const uint8_t large[3000];

static void pass(uint64_t ms)
{
    uint64_t end_ms = now_ms + ms;

    while (timer.due_ms <= end_ms) {
        now_ms = timer.due_ms > now_ms ? timer.due_ms : now_ms;
        timer.due_ms = UINT64_MAX;
        timer.call(timer.ctx);
    }
    now_ms = end_ms;
}

/* ---- ports/dtls ---- */

enum fed_err fed_dtls_client_open(struct fed_alloc *mem, struct fed_loop *of,
    const struct fed_dtls_client_events *events, struct fed_dtls_client **out,
    struct fed_diag *diag)
{
    (void)mem;
    (void)of;
    (void)events;
    (void)diag;
    *out = NULL;
    return FED_OK;
}

void fed_dtls_client_close(struct fed_dtls_client *dtls)
{
    (void)dtls;
}

enum fed_err fed_dtls_client_connect(struct fed_dtls_client *dtls, const char *host, uint16_t port,
    const struct fed_dtls_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    (void)dtls;
    (void)host;
    (void)port;
    (void)identity;
    (void)timeout_ms;
    (void)diag;
    up = true;
    return FED_OK;
}

void fed_dtls_client_disconnect(struct fed_dtls_client *dtls)
{
    (void)dtls;
    up = false;
}

enum fed_err fed_dtls_client_send(struct fed_dtls_client *dtls, struct fed_span record)
{
    struct fed_coap_message m;

    (void)dtls;
    FUZZ_CHECK(up && record.len <= FED_COAP_MESSAGE_MAX);
    FUZZ_CHECK(fed_coap_message_parse(record, &m) == FED_COAP_GOOD);
    return FED_OK;
}

enum fed_err fed_dtls_client_save(struct fed_dtls_client *dtls, struct fed_buf *out)
{
    (void)dtls;
    fed_buf_put_text(out, "keys");
    up = false;
    return FED_OK;
}

enum fed_err fed_dtls_client_restore(struct fed_dtls_client *dtls, const char *host, uint16_t port,
    struct fed_span saved, struct fed_diag *diag)
{
    (void)dtls;
    (void)host;
    (void)port;
    (void)saved;
    (void)diag;
    up = true;
    return FED_OK;
}

void fed_dtls_client_stats(const struct fed_dtls_client *dtls, struct fed_dtls_session_stats *out)
{
    (void)dtls;
    *out = (struct fed_dtls_session_stats){0};
}

bool fed_dtls_client_is_narrow(const struct fed_dtls_client *dtls)
{
    (void)dtls;
    return false;
}

const char *fed_dtls_client_peer(const struct fed_dtls_client *dtls)
{
    (void)dtls;
    return "hub";
}

/* ---- the agent ---- */

static void on_up(void *ctx)
{
    (void)ctx;
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    FUZZ_CHECK(err && diag && open_requests == 0);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    (void)ctx;
    FUZZ_CHECK(message->code >= 200);
}

static void on_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    (void)ctx;
    FUZZ_CHECK(open_requests > 0 && (err ? !message && diag : message && !diag));
    open_requests--;
}

static void request(enum fed_link_method method, size_t size)
{
    if (fed_coap_client_request(client, method, "b", "e=1&r=2", fed_span_of(large, size), 30000,
            on_done, NULL) == FED_OK)
        open_requests++;
}

static void go_on(struct fed_span from)
{
    struct fed_buf saved;
    struct fed_diag diag;

    fed_buf_init(&saved, fed_alloc_system(), 4096);
    if (client->state == FED_COAP_UP)
        FUZZ_CHECK(fed_coap_client_suspend(client, &saved) == FED_OK);
    /* Now and then what the disk has is not what was written. */
    if (fed_coap_client_resume(
            client, "::1", 1, from.len > 20 ? from : fed_buf_span(&saved), 4000, &diag) == FED_OK)
        pass(0);
    fed_buf_fini(&saved);
}

static void act(unsigned what, struct fed_span from)
{
    switch (what) {
    case 0:
        request(FED_LINK_GET, 0);
        break;
    case 1:
        request(FED_LINK_POST, 10);
        break;
    case 2:
        request(FED_LINK_POST, sizeof(large));
        break;
    case 3:
        if (fed_coap_client_observe(client, "b", NULL, 30000, on_done, NULL) == FED_OK)
            open_requests++;
        break;
    case 4:
        if (fed_coap_client_ping(client, 30000, on_done, NULL) == FED_OK)
            open_requests++;
        break;
    case 5:
        pass(700);
        break;
    case 6:
        pass(20000);
        break;
    default:
        go_on(from);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fed_link_events events = {.up = on_up, .down = on_down, .notification = on_notification};
    struct fed_span rest = fed_span_of(bytes, len);
    struct fed_diag diag;
    uint8_t size;

    now_ms = 1;
    up = false;
    open_requests = 0;
    FUZZ_CHECK(
        fed_coap_client_open(fed_alloc_system(), &loop, NULL, &events, &client, &diag) == FED_OK);
    client->random = 1; /* the same each time */
    FUZZ_CHECK(
        fed_coap_client_port(client)->connect(client, "hub", 1,
            &(struct fed_link_client_identity){.psk_identity = "x", .psk_key = FED_SPAN_LIT("y")},
            1000, &diag) == FED_OK);
    client->state = FED_COAP_UP;
    client->next_mid = 0;
    while (fed_span_take_u8(&rest, &size) == FED_OK) {
        if (size & ACT) {
            act(size & 7u, rest);
        } else {
            size_t want = size & LARGE ? (size & 0x3fu) * 20u : size * 2u;
            struct fed_span one = fed_span_sub(rest, 0, want);

            fed_coap_client_received(client, one);
            fed_coap_client_arm(client);
            rest = fed_span_sub(rest, one.len, rest.len - one.len);
        }
        pass(1);
    }
    fed_coap_client_close(client);
    FUZZ_CHECK(open_requests == 0);
    return 0;
}
