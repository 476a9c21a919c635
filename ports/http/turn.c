/* turn.c - see turn.h. */
#include "ports/http/turn.h"

#define ROUND_US 5000 /* of work before descriptors and timers are looked at again */

/* ---- queues ---- */
static void append(struct fed_http_conns *queue, struct fed_http_conn *conn)
{
    conn->next_waiting = NULL;
    conn->prev_waiting = queue->last;
    if (queue->last)
        queue->last->next_waiting = conn;
    else
        queue->first = conn;
    queue->last = conn;
}

static void take_out(struct fed_http_conns *queue, struct fed_http_conn *conn)
{
    if (conn->prev_waiting)
        conn->prev_waiting->next_waiting = conn->next_waiting;
    else
        queue->first = conn->next_waiting;
    if (conn->next_waiting)
        conn->next_waiting->prev_waiting = conn->prev_waiting;
    else
        queue->last = conn->prev_waiting;
    conn->place = FED_HTTP_NOWHERE;
}

static void give_turn(struct fed_http_share *share)
{
    struct fed_http_shares *all = share->all;

    if (share->has_turn)
        return;
    share->has_turn = true;
    share->next = NULL;
    if (all->turn_last)
        all->turn_last->next = share;
    else
        all->turn = share;
    all->turn_last = share;
}

static void end_turn(struct fed_http_share *share)
{
    struct fed_http_shares *all = share->all;
    struct fed_http_share *before = NULL;

    if (!share->has_turn)
        return;
    if (all->turn != share)
        for (before = all->turn; before->next != share; before = before->next)
            ;
    if (before)
        before->next = share->next;
    else
        all->turn = share->next;
    if (all->turn_last == share)
        all->turn_last = before;
    share->has_turn = false;
}

/* ---- time ---- */
static int64_t clock_us(struct fed_http_server *server)
{
    struct fed_loop *loop = server->engine.loop;

    return loop->unix_us(loop->ctx);
}

int64_t fed_http_turn_begin(struct fed_http_server *server)
{
    return clock_us(server);
}

void fed_http_turn_end(struct fed_http_server *server, int64_t begun_us)
{
    int64_t took = clock_us(server) - begun_us;

    /* The wall clock may have been set meanwhile. */
    server->spent_us += took < 0 || took > ROUND_US ? ROUND_US : took;
}

static bool has_time(struct fed_http_server *server)
{
    uint64_t now_ms = fed_loop_now_ms(server->engine.loop);

    if (server->round_ms != now_ms) {
        server->round_ms = now_ms;
        server->spent_us = 0;
    }
    return server->spent_us < ROUND_US;
}

bool fed_http_turn_free(struct fed_http_server *server)
{
    return !server->paused && !server->shares.turn && has_time(server);
}

/* ---- turns ---- */
static void call_soon(struct fed_http_server *server)
{
    struct fed_loop *loop = server->engine.loop;

    loop->timer_set(loop->ctx, server->flush_timer, fed_loop_now_ms(loop));
}

void fed_http_turn_wait(struct fed_http_conn *conn)
{
    if (conn->place != FED_HTTP_NOWHERE)
        return;
    append(&conn->share->waiting, conn);
    conn->place = FED_HTTP_WAITING;
    if (!conn->server->shares.turn)
        call_soon(conn->server);
    give_turn(conn->share);
}

void fed_http_turn_leave(struct fed_http_conn *conn)
{
    struct fed_http_share *share = conn->share;

    if (conn->place == FED_HTTP_WAITING)
        take_out(&share->waiting, conn);
    else if (conn->place == FED_HTTP_PARKED)
        take_out(&share->parked, conn);
    if (share && !share->waiting.first)
        end_turn(share);
}

void fed_http_turn_eased(void *ctx, struct fed_http_share *share)
{
    struct fed_http_conn *conn;

    struct fed_http_conn *next;
    bool any = false;

    for (conn = share->parked.first; conn; conn = next) {
        next = conn->next_waiting;
        if (!fed_http_conn_may_answer(conn))
            continue;
        take_out(&share->parked, conn);
        append(&share->waiting, conn);
        conn->place = FED_HTTP_WAITING;
        any = true;
    }
    if (!any)
        return;
    give_turn(share);
    call_soon(ctx);
}

/* The next connection, its share behind the others; NULL: nobody, or one that was parked. */
static struct fed_http_conn *next_in_turn(struct fed_http_shares *all)
{
    struct fed_http_share *share = all->turn;
    struct fed_http_conn *conn = share->waiting.first;

    take_out(&share->waiting, conn);
    end_turn(share);
    if (share->waiting.first)
        give_turn(share);
    if (!fed_http_conn_may_answer(conn)) {
        append(&share->parked, conn);
        conn->place = FED_HTTP_PARKED;
        return NULL;
    }
    return conn;
}

void fed_http_turns_take(struct fed_http_server *server)
{
    while (!server->paused && server->shares.turn && has_time(server)) {
        struct fed_http_conn *conn = next_in_turn(&server->shares);

        if (conn)
            fed_http_conn_turn(conn);
    }
    if (server->shares.turn && !server->paused)
        call_soon(server);
}
