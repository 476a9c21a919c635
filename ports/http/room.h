/* room.h - who goes when somebody comes and there is no room: connections of one client and of all,
 * handshakes of one address and of all. Whoever has most gives way, by what it would miss least. */
#ifndef FEDLET_PORTS_HTTP_ROOM_H
#define FEDLET_PORTS_HTTP_ROOM_H

#include "ports/http/server.h"

/* Whether there is room for another connection, in its handshake, for which share was counted just
 * now; frees others to make it. */
bool fed_http_room_make(struct fed_http_server *server, struct fed_http_share *share);
/* conn begins its handshake; it is over, one way or the other (nothing when it was before). */
void fed_http_room_enter(struct fed_http_conn *conn);
void fed_http_room_leave(struct fed_http_conn *conn);

#endif
