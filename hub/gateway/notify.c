/* notify.c - the queue of sessions that are to be notified, and what an acknowledgement means. */
#include "hub/gateway/internal.h"

static void arm(struct hub_gateway *gateway)
{
    gateway->loop->timer_set(gateway->loop->ctx, gateway->drain, fed_loop_now_ms(gateway->loop));
}

void gateway_notify_want(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (session->queued || session->under_way || !session->observing)
        return;
    session->queued = true;
    session->next = NULL;
    session->previous = gateway->queue_last;
    if (gateway->queue_last)
        gateway->queue_last->next = session;
    else
        gateway->queue_first = session;
    gateway->queue_last = session;
    arm(gateway);
}

void gateway_notify_forget(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;

    if (!session->queued)
        return;
    if (session->previous)
        session->previous->next = session->next;
    else
        gateway->queue_first = session->next;
    if (session->next)
        session->next->previous = session->previous;
    else
        gateway->queue_last = session->previous;
    session->queued = false;
    session->previous = session->next = NULL;
}

static enum fed_err send_one(struct gateway_session *session, struct fed_buf *frame)
{
    struct hub_gateway *gateway = session->binding->gateway;
    enum gateway_frame form;
    uint64_t target;
    enum fed_err err = gateway_bundle_notification(gateway, session, frame, &form, &target);

    /* Nothing new for this cluster, but kinds: the same head again makes the agent ask for them. */
    if (err == FED_ERR_EXISTS && session->kinds_due &&
        gateway_bundle_repeat(gateway, session, frame)) {
        form = GATEWAY_FRAME_HEAD;
        target = session->told;
        session->kinds_due = false;
        session->kinds_told = gateway->kinds_moved;
        err = FED_OK;
    }
    /* Not planned yet, after a start: the plan says when it is. */
    if (err)
        return err == FED_ERR_NOT_FOUND ? FED_ERR_EXISTS : err;
    session->tag++;
    err = session->binding->link->notify(session->link, fed_buf_span(frame), session->tag);
    if (err == FED_ERR_LIMIT && form == GATEWAY_FRAME_BODY) {
        form = GATEWAY_FRAME_HEAD;
        err = gateway_bundle_head(gateway, session, frame);
        if (!err)
            err = session->binding->link->notify(session->link, fed_buf_span(frame), session->tag);
    }
    if (err)
        return err;
    session->brief = false;
    session->under_way = true;
    session->under_way_body = form == GATEWAY_FRAME_BODY;
    session->under_way_revision = target;
    gateway->stats.notified++;
    return FED_OK;
}

static void notify_one(struct gateway_session *session, struct fed_buf *frame)
{
    struct hub_gateway *gateway = session->binding->gateway;
    enum fed_err err;

    fed_buf_clear(frame);
    if (!session->observing || session->under_way)
        return;
    err = send_one(session, frame);
    switch (err) {
    case FED_OK:
    case FED_ERR_EXISTS:
        return;
    case FED_ERR_NOT_FOUND: /* it observes no longer: the agent asks again */
        session->observing = false;
        return;
    default:
        session->observing = false;
        session->unheard = true;
        fed_log(gateway->log, FED_LOG_WARN,
            "gateway: cluster %s could not be notified: %s; its session ends at its next sign of "
            "life, so that it asks anew",
            session->name, fed_err_text(err));
    }
}

/* The path may not carry the change itself: that there is one fits anywhere, and what is pulled
 * comes in blocks that fit. */
void gateway_notify_unfit(struct gateway_session *session, uint64_t tag)
{
    if (!session->under_way || tag != session->tag)
        return;
    session->under_way = false;
    session->brief = true;
    gateway_notify_want(session);
}

void gateway_notify_drain(void *ctx)
{
    struct hub_gateway *gateway = ctx;
    struct fed_buf frame;

    fed_buf_init(&frame, gateway->mem, FED_FRAME_MAX);
    for (size_t i = 0; i < GATEWAY_SLICE && gateway->queue_first; i++) {
        struct gateway_session *session = gateway->queue_first;

        gateway_notify_forget(session);
        notify_one(session, &frame);
    }
    fed_buf_fini(&frame);
    if (gateway->queue_first)
        arm(gateway);
}

void gateway_notified(struct gateway_session *session, uint64_t tag, bool delivered)
{
    if (!session->under_way || tag != session->tag)
        return;
    session->under_way = false;
    if (!delivered) {
        session->observing = false;
        session->unheard = !session->away;
        return;
    }
    /* A pull that was answered meanwhile may know more than this acknowledgement. */
    if (session->under_way_revision > session->told)
        session->told = session->under_way_revision;
    if (session->under_way_body && session->under_way_revision > session->held)
        session->held = session->under_way_revision;
    gateway_notify_want(session);
}
