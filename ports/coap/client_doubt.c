/* client_doubt.c - somebody says, in the clear, that the hub does not know our session: a hub that
 * went down without a word, or whoever can send datagrams in its name. So the hub is asked in the
 * session itself, and only its silence ends it (docs/protocol.md section 10.2). */
#include "ports/coap/client.h"

static void ask(struct fed_coap_client *client);

static void on_pong(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct fed_coap_client *client = ctx;
    struct fed_diag why;

    (void)message;
    (void)diag;
    if (err == FED_ERR_CLOSED || client->doubt.tries == 0)
        return;
    if (!err) {
        client->doubt.tries = 0;
        return;
    }
    if (client->doubt.tries < FED_COAP_DOUBT_PINGS) {
        ask(client);
        return;
    }
    client->doubt.tries = 0;
    fed_diag_set(&why, FED_ERR_CLOSED, "%s: the hub does not know this session any more",
        fed_dtls_client_peer(client->dtls));
    fed_coap_client_over(client, FED_ERR_CLOSED, &why);
}

/* Long enough for an answer on this way, and twice as long each time. */
static void ask(struct fed_coap_client *client)
{
    uint32_t wait_ms = FED_COAP_DOUBT_MS;

    if (client->srtt_ms > 0)
        wait_ms = 2 * client->srtt_ms + 4 * client->rttvar_ms;
    if (wait_ms < FED_COAP_DOUBT_FLOOR_MS)
        wait_ms = FED_COAP_DOUBT_FLOOR_MS;
    if (wait_ms > FED_COAP_DOUBT_CEILING_MS)
        wait_ms = FED_COAP_DOUBT_CEILING_MS;
    wait_ms <<= client->doubt.tries++;
    if (fed_coap_client_ping(client, wait_ms, on_pong, client))
        client->doubt.tries = 0; /* the heartbeat finds out */
}

void fed_coap_client_doubt(struct fed_coap_client *client)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);

    if (client->state != FED_COAP_UP || client->doubt.tries > 0 || now_ms < client->doubt.next_ms)
        return;
    client->doubt.next_ms = now_ms + FED_COAP_DOUBT_PAUSE_MS;
    ask(client);
    fed_coap_client_arm(client);
}
