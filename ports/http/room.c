/* room.c - see room.h. */
#include "ports/http/room.h"

#define CROWDED_PAUSE_MS 60000u
#define SILENT_MS 2000u /* in a handshake: a slow path, or nobody */

/* ---- connections ---- */
/* A connection that can go without loss to its client: the oldest handshake, else the one that is
 * idle for longest. */
static struct fed_http_conn *least_needed(
    const struct fed_http_server *server, const struct fed_http_share *share)
{
    struct fed_http_conn *found = NULL;

    for (struct fed_http_conn *conn = server->conns; conn; conn = conn->next) {
        if (conn->share != share || !fed_http_conn_is_idle(conn))
            continue;
        /* The list begins with the newest. */
        if (!found || !conn->session ||
            (found->session && conn->session->idle_since_ms <= found->session->idle_since_ms))
            found = conn;
    }
    return found;
}

static struct fed_http_share *largest(const struct fed_http_server *server)
{
    struct fed_http_share *found = NULL;
    struct fed_map_iter it;

    fed_map_iter_init(&it, &server->shares.by_name);
    while (fed_map_iter_next(&it)) {
        struct fed_http_share *share = it.value;

        if (!found || share->n_conns > found->n_conns)
            found = share;
    }
    return found;
}

/* Said once a minute, however many come. */
static bool may_say(struct fed_http_server *server)
{
    uint64_t now_ms = fed_loop_now_ms(server->engine.loop);

    if (server->crowded_ms && now_ms - server->crowded_ms < CROWDED_PAUSE_MS)
        return false;
    server->crowded_ms = now_ms;
    return true;
}

static void crowded(struct fed_http_server *server, const struct fed_http_share *share)
{
    if (!may_say(server))
        return;
    fed_log(server->log, FED_LOG_WARN,
        "http: %zu connections are open, %zu of them by %s: new ones take the place of idle "
        "ones "
        "or are closed",
        server->n_conns, share->n_conns, share->name);
}

static bool has_connection(struct fed_http_server *server, struct fed_http_share *share)
{
    struct fed_http_share *from = share;
    struct fed_http_conn *conn;

    if (share->n_conns <= server->client_connections_max) {
        if (server->n_conns < server->connections_max)
            return true;
        from = largest(server);
    }
    crowded(server, from);
    conn = least_needed(server, from);
    if (conn) {
        server->stats.turned_away++;
        fed_http_conn_free(conn);
    }
    return conn != NULL;
}

/* ---- handshakes ---- */
void fed_http_room_enter(struct fed_http_conn *conn)
{
    struct fed_http_server *server = conn->server;

    conn->shaking = true;
    conn->heard_ms = fed_loop_now_ms(server->engine.loop);
    conn->prev_shaking = server->shaking_last;
    if (server->shaking_last)
        server->shaking_last->next_shaking = conn;
    else
        server->shaking = conn;
    server->shaking_last = conn;
    server->n_handshakes++;
    conn->share->n_handshakes++;
}

void fed_http_room_leave(struct fed_http_conn *conn)
{
    struct fed_http_server *server = conn->server;

    if (!conn->shaking)
        return;
    conn->shaking = false;
    if (conn->prev_shaking)
        conn->prev_shaking->next_shaking = conn->next_shaking;
    else
        server->shaking = conn->next_shaking;
    if (conn->next_shaking)
        conn->next_shaking->prev_shaking = conn->prev_shaking;
    else
        server->shaking_last = conn->prev_shaking;
    server->n_handshakes--;
    conn->share->n_handshakes--;
}

static const struct fed_http_share *most_handshakes(const struct fed_http_server *server)
{
    const struct fed_http_share *found = NULL;

    for (const struct fed_http_conn *conn = server->shaking; conn; conn = conn->next_shaking)
        if (!found || conn->share->n_handshakes > found->n_handshakes)
            found = conn->share;
    return found;
}

/* Who waits for us is not silent, however long. */
static bool is_silent(const struct fed_http_conn *conn)
{
    return !conn->stepping && conn->place == FED_HTTP_NOWHERE &&
           fed_loop_now_ms(conn->server->engine.loop) >= conn->heard_ms + SILENT_MS;
}

static struct fed_http_conn *oldest_silent(
    const struct fed_http_server *server, const struct fed_http_share *share)
{
    struct fed_http_conn *conn = server->shaking;

    while (conn && (conn->share != share || !is_silent(conn)))
        conn = conn->next_shaking;
    return conn;
}

static bool has_handshake(struct fed_http_server *server, struct fed_http_share *share)
{
    const struct fed_http_share *from = share;
    struct fed_http_conn *conn;

    if (!server->client_handshakes_max || share->n_handshakes < server->client_handshakes_max) {
        if (!server->handshakes_max || server->n_handshakes < server->handshakes_max)
            return true;
        from = most_handshakes(server);
    }
    if (may_say(server))
        fed_log(server->log, FED_LOG_WARN,
            "http: %zu TLS handshakes are under way, %zu of them with %s: new ones take the place "
            "of silent ones or are closed",
            server->n_handshakes, from->n_handshakes, from->name);
    conn = oldest_silent(server, from);
    if (conn) {
        server->stats.turned_away++;
        fed_http_room_leave(conn); /* it did not fail */
        fed_http_conn_free(conn);
    }
    return conn != NULL;
}

bool fed_http_room_make(struct fed_http_server *server, struct fed_http_share *share)
{
    return has_handshake(server, share) && has_connection(server, share);
}

bool fed_http_server_recount(struct fed_http_conn *conn, const char *client)
{
    struct fed_http_server *server = conn->server;
    struct fed_http_share *share = fed_http_share_take(&server->shares, client);
    struct fed_http_conn *other = NULL;

    if (!share)
        return false;
    fed_http_share_drop(conn->share);
    conn->share = share;
    if (share->n_conns <= server->certificate_connections_max)
        return true;
    crowded(server, share);
    other = least_needed(server, share);
    if (other)
        fed_http_conn_free(other);
    return other != NULL;
}
