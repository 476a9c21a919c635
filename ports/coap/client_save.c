/* client_save.c - what a later process needs to go on with a session, beside the keys:
 *
 *   u8 format 2; u16 next message id, u16 next token; u8 observed, then u16 token and u32 number of
 *   the newest notification; u8 what the path carries no large datagrams for (1 answers, 2
 * requests, 4 it was seen); varints smoothed round trip and its variation in ms (0: not measured);
 *   string session (ports/dtls)
 *
 * Message ids go on, as the hub repeats its answer to a POST whose id it saw before. The
 * observation is remembered so that a notification still under way is not reset, which would tell
 * the hub that nobody observes. */
#include "ports/coap/client.h"

#define FORMAT 2u
#define SMALL 1u
#define SMALL_REQUESTS 2u
#define SMALL_PROVEN 4u
#define SMALL_ALL 7u
#define SAVED_MAX 2048u
#define RTT_MAX_MS 60000u

static void put_state(struct fed_buf *out, const struct fed_coap_client *client)
{
    const struct fed_coap_observation *o = &client->observation;

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u16(out, client->next_mid);
    fed_buf_put_u16(out, client->next_token);
    fed_buf_put_u8(out, o->active);
    fed_buf_put_u16(out, o->token);
    fed_buf_put_u32(out, o->seq);
    fed_buf_put_u8(out,
        (uint8_t)((client->small ? SMALL : 0u) | (client->small_requests ? SMALL_REQUESTS : 0u) |
                  (client->small_proven ? SMALL_PROVEN : 0u)));
    fed_buf_put_varint(out, client->srtt_ms);
    fed_buf_put_varint(out, client->rttvar_ms);
}

enum fed_err fed_coap_client_suspend(void *ctx, struct fed_buf *out)
{
    struct fed_coap_client *client = ctx;
    struct fed_buf session;
    enum fed_err err;

    fed_buf_init(&session, client->mem, SAVED_MAX);
    put_state(out, client);
    err = fed_dtls_client_save(client->dtls, &session);
    if (!err) {
        fed_buf_put_string(out, fed_buf_span(&session));
        err = fed_buf_err(out);
    }
    fed_buf_fini(&session);
    client->port.disconnect(client);
    return err;
}

static enum fed_err take_observation(
    struct fed_span *from, uint64_t now_ms, struct fed_coap_observation *out)
{
    uint8_t active = 0;
    enum fed_err err = fed_span_take_u8(from, &active);

    *out = (struct fed_coap_observation){.seen_ms = now_ms};
    if (!err)
        err = fed_span_take_u16(from, &out->token);
    if (!err)
        err = fed_span_take_u32(from, &out->seq);
    if (!err && (active > 1 || out->seq > 0xffffffu))
        err = FED_ERR_INVALID;
    out->active = active;
    return err;
}

static enum fed_err take_path(struct fed_span *from, struct fed_coap_client *client)
{
    uint8_t flags = 0;
    enum fed_err err = fed_span_take_u8(from, &flags);

    if (!err && (flags & ~SMALL_ALL))
        err = FED_ERR_INVALID;
    client->small = flags & SMALL;
    client->small_requests = flags & SMALL_REQUESTS;
    client->small_proven = flags & SMALL_PROVEN;
    return err;
}

static enum fed_err take_state(
    struct fed_coap_client *client, struct fed_span *from, struct fed_span *session)
{
    uint8_t format = 0;
    uint64_t srtt_ms = 0;
    uint64_t rttvar_ms = 0;
    enum fed_err err = fed_span_take_u8(from, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u16(from, &client->next_mid);
    if (!err)
        err = fed_span_take_u16(from, &client->next_token);
    if (!err)
        err = take_observation(from, fed_loop_now_ms(client->loop), &client->observation);
    if (!err)
        err = take_path(from, client);
    if (!err)
        err = fed_span_take_varint(from, RTT_MAX_MS, &srtt_ms);
    if (!err)
        err = fed_span_take_varint(from, RTT_MAX_MS, &rttvar_ms);
    if (!err)
        err = fed_span_take_string(from, SAVED_MAX, session);
    if (!err && from->len > 0)
        err = FED_ERR_INVALID;
    client->srtt_ms = (uint32_t)srtt_ms;
    client->rttvar_ms = (uint32_t)rttvar_ms;
    return err;
}

enum fed_err fed_coap_client_resume(void *ctx, const char *host, uint16_t port,
    struct fed_span saved, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fed_coap_client *client = ctx;
    struct fed_span session;
    enum fed_err err;

    if (client->state != FED_COAP_CLOSED)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    fed_coap_client_begin(client, FED_COAP_CLOSED);
    err = take_state(client, &saved, &session);
    if (err) {
        client->observation.active = false;
        return fed_diag_set(diag, err == FED_ERR_UNSUPPORTED ? err : FED_ERR_INVALID,
            "the saved session cannot be read");
    }
    err = fed_dtls_client_restore(client->dtls, host, port, session, diag);
    if (err) {
        client->observation.active = false;
        return err;
    }
    client->state = FED_COAP_UP;
    client->announce = true;
    client->proof_ms = fed_loop_now_ms(client->loop) + timeout_ms;
    fed_coap_client_arm(client);
    return FED_OK;
}
