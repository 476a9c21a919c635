/* admit.c - agents that all come at once, after a crash of the hub or of the network before it. A
 * session that begins costs the hub a look at its bundle and a row in the store, some hundred
 * microseconds; those that have begun have to be served meanwhile. Who is too many is told when to
 * come back, at the rate at which they are taken.
 *
 * And sessions of those who are no agents, or not yet. */
#include "hub/gateway/internal.h"

bool gateway_admit(struct hub_gateway *gateway, uint32_t *later_s)
{
    uint64_t now_ms = fed_loop_now_ms(gateway->loop);

    if (now_ms - gateway->hellos_since_ms >= 1000) {
        gateway->hellos_since_ms = now_ms;
        gateway->hellos = 0;
    }
    if (gateway->hellos++ < GATEWAY_HELLOS_PER_S)
        return true;
    *later_s = gateway->hellos / GATEWAY_HELLOS_PER_S;
    if (*later_s > GATEWAY_RETRY_SPREAD_S)
        *later_s = GATEWAY_RETRY_SPREAD_S;
    return false;
}

/* ---- strangers ---- */

void gateway_stranger_forget(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (!session->stranger)
        return;
    if (session->stranger_newer)
        session->stranger_newer->stranger_older = session->stranger_older;
    else
        gateway->strangers_newest = session->stranger_older;
    if (session->stranger_older)
        session->stranger_older->stranger_newer = session->stranger_newer;
    else
        gateway->strangers_oldest = session->stranger_newer;
    session->stranger = false;
    gateway->n_strangers--;
}

static void too_many(struct hub_gateway *gateway)
{
    uint64_t now_ms = fed_loop_now_ms(gateway->loop);

    gateway_session_cut(gateway->strangers_oldest);
    if (gateway->strangers_logged_ms &&
        now_ms - gateway->strangers_logged_ms < GATEWAY_GUESTS_WINDOW_MS)
        return;
    gateway->strangers_logged_ms = now_ms;
    fed_log(gateway->log, FED_LOG_WARN,
        "gateway: more than %u sessions of tokens and of certificates that do not count: the "
        "oldest ends for each further one",
        GATEWAY_STRANGERS_MAX);
}

void gateway_stranger_add(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    session->stranger = true;
    session->stranger_newer = NULL;
    session->stranger_older = gateway->strangers_newest;
    if (gateway->strangers_newest)
        gateway->strangers_newest->stranger_newer = session;
    else
        gateway->strangers_oldest = session;
    gateway->strangers_newest = session;
    if (++gateway->n_strangers > GATEWAY_STRANGERS_MAX)
        too_many(gateway);
}
