/* admit.c - agents that all come at once, after a crash of the hub or of the network before it. A
 * session that begins costs the hub a look at its bundle and a row in the store, some hundred
 * microseconds; those that have begun have to be served meanwhile. Who is too many is told when to
 * come back, at the rate at which they are taken. */
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
