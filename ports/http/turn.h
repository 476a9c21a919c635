/* turn.h - who is served next when there is more to do than a round of the loop has time for.
 *
 * Handshakes and handlers are what takes long. As long as nobody waits and the round has not spent
 * its time, they run at once, where the bytes arrived. Else connections wait in the queue of their
 * client's share, and shares take turns, one handshake or one request each: a client with a
 * thousand requests is as far from its next answer as one with a single one. So are the connections
 * of one client: whoever had its turn goes behind the others. */
#ifndef FEDLET_PORTS_HTTP_TURN_H
#define FEDLET_PORTS_HTTP_TURN_H

#include "ports/http/server.h"

/* Whether conn may do its work now. */
bool fed_http_turn_free(struct fed_http_server *server);
/* Puts it into its share's queue, behind those that are there; nothing when it waits already. */
void fed_http_turn_wait(struct fed_http_conn *conn);
/* Takes it out of any queue. */
void fed_http_turn_leave(struct fed_http_conn *conn);
/* Around the work: what it took. */
int64_t fed_http_turn_begin(struct fed_http_server *server);
void fed_http_turn_end(struct fed_http_server *server, int64_t begun_us);
/* Steps waiting connections, one turn each, until none waits or the round's time is over. */
void fed_http_turns_take(struct fed_http_server *server);
/* fed_http_shares.eased; ctx is the server. */
void fed_http_turn_eased(void *ctx, struct fed_http_share *share);

#endif
