/* credit.c - how much of the processor handshakes may take, so that a flood of them, with valid
 * cookies, leaves time for the sessions that are open. What is measured is what they really cost on
 * this machine: a whole handshake some milliseconds, a resumed one a tenth of one. */
#include "ports/dtls/internal.h"

static void refill(struct fed_dtls_server *server)
{
    uint64_t now_us = fed_loop_clock_us(server->loop);
    uint64_t gained =
        (now_us - server->credit_at_us) * server->handshake_share + server->credit_rest;

    server->credit_us += (int64_t)(gained / 100);
    server->credit_rest = (unsigned)(gained % 100);
    if (server->credit_us > DTLS_CREDIT_US)
        server->credit_us = DTLS_CREDIT_US;
    server->credit_at_us = now_us;
}

bool dtls_credit_begin(struct fed_dtls_server *server)
{
    if (server->handshake_share == 0)
        return true;
    refill(server);
    return server->credit_us > 0;
}

bool dtls_credit_goes_on(struct fed_dtls_server *server)
{
    if (server->handshake_share == 0)
        return true;
    refill(server);
    return server->credit_us > -DTLS_CREDIT_US;
}

uint64_t dtls_credit_start(struct fed_dtls_server *server)
{
    return server->handshake_share ? fed_loop_clock_us(server->loop) : 0;
}

void dtls_credit_stop(struct fed_dtls_server *server, uint64_t started_us)
{
    if (server->handshake_share)
        server->credit_us -= (int64_t)(fed_loop_clock_us(server->loop) - started_us);
}
