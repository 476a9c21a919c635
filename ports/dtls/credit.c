/* credit.c - how much of the processor strangers may take, so that it is there for the sessions
 * that are open. What is measured is what things really cost on this machine.
 *
 * Handshakes: a whole one some milliseconds, a resumed one a tenth of one. Their share keeps a
 * flood of them, with valid cookies, from taking all.
 *
 * Cookies: an answer to a ClientHello costs several times what it costs to read one, mostly for the
 * datagram that goes out. A server that answers all of a flood reads too slowly: the buffer of its
 * socket is full, the kernel throws away what comes, and that hits the records of open sessions as
 * often as ClientHellos. Beyond its share a ClientHello is read and forgotten, as if it had been
 * lost on the way; its sender repeats it.
 *
 * Time comes back an eighth as fast while datagrams come faster than they are read. A machine with
 * other work gives us less of the processor than a share of the clock's time says, and reading
 * comes first; but newcomers are not locked out. */
#include "ports/dtls/internal.h"

#define BEHIND 8u

static void refill(
    struct fed_dtls_server *server, struct dtls_credit *credit, unsigned share, int64_t most_us)
{
    uint64_t now_us = fed_loop_clock_us(server->loop);
    uint64_t hundredths = (now_us - credit->at_us) * share;
    uint64_t gained = (server->behind ? hundredths / BEHIND : hundredths) + credit->rest;

    credit->us += (int64_t)(gained / 100);
    credit->rest = (unsigned)(gained % 100);
    if (credit->us > most_us)
        credit->us = most_us;
    credit->at_us = now_us;
}

static bool handshakes_have(struct fed_dtls_server *server, int64_t more_than_us)
{
    if (server->handshake_share == 0)
        return true;
    refill(server, &server->handshake_credit, server->handshake_share, DTLS_CREDIT_US);
    return server->handshake_credit.us > more_than_us;
}

bool dtls_credit_begin(struct fed_dtls_server *server)
{
    return handshakes_have(server, 0);
}

bool dtls_credit_goes_on(struct fed_dtls_server *server)
{
    return handshakes_have(server, -DTLS_CREDIT_US);
}

bool dtls_credit_cookie(struct fed_dtls_server *server)
{
    if (server->cookie_share == 0)
        return true;
    refill(server, &server->cookie_credit, server->cookie_share, DTLS_COOKIE_CREDIT_US);
    return server->cookie_credit.us > 0;
}

uint64_t dtls_credit_start(struct fed_dtls_server *server)
{
    return fed_loop_clock_us(server->loop);
}

void dtls_credit_stop(
    struct fed_dtls_server *server, struct dtls_credit *credit, uint64_t started_us)
{
    credit->us -= (int64_t)(fed_loop_clock_us(server->loop) - started_us);
}
