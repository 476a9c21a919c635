/* saved.c - what the gateway knows of an agent, kept while its session goes from one process of the
 * hub to the next: format 2, flags, revision held, revision told, the mark that it was given and
 * the one that it came with, and the mark of the CAs that it was told to trust. The rest is the
 * plan's and the store's. Where the CAs are others since, the agent is to say hello: its session
 * ends. */
#include "hub/gateway/internal.h"

#include <string.h>

#define FORMAT 2u
#define OBSERVING 1u
#define KINDS_DUE 2u
#define MARKED 4u
#define AWAY 8u
#define BRIEF 16u

static uint8_t flags_of(const struct gateway_session *session)
{
    return (uint8_t)((session->observing ? OBSERVING : 0) | (session->kinds_due ? KINDS_DUE : 0) |
                     (session->marked ? MARKED : 0) | (session->away ? AWAY : 0) |
                     (session->brief ? BRIEF : 0));
}

enum fed_err hub_gateway_session_save(
    const struct fed_link_calls *link, struct fed_link_session *peer, struct fed_buf *out)
{
    struct gateway_session *session = link->user(peer);

    if (!session)
        return FED_ERR_UNSUPPORTED;
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, flags_of(session));
    fed_buf_put_u64(out, session->held);
    fed_buf_put_u64(out, session->told);
    fed_buf_put(out, fed_span_of(session->mark, sizeof session->mark));
    fed_buf_put(out, fed_span_of(session->mark_came, sizeof session->mark_came));
    fed_buf_put(out,
        fed_span_of(hub_identity_trust(session->binding->gateway->identity), FED_LINK_TRUST_SIZE));
    gateway_count(session);
    link->set_user(peer, NULL);
    gateway_session_forget(session);
    return fed_buf_err(out);
}

enum fed_err gateway_session_restore(struct gateway_session *session, struct fed_span kept)
{
    uint8_t format;
    uint8_t flags;
    uint64_t held;
    uint64_t told;
    struct fed_span mark;
    struct fed_span came;
    struct fed_span trust;
    enum fed_err err = fed_span_take_u8(&kept, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u8(&kept, &flags);
    if (!err)
        err = fed_span_take_u64(&kept, &held);
    if (!err)
        err = fed_span_take_u64(&kept, &told);
    if (!err)
        err = fed_span_take_bytes(&kept, sizeof session->mark, &mark);
    if (!err)
        err = fed_span_take_bytes(&kept, sizeof session->mark_came, &came);
    if (!err)
        err = fed_span_take_bytes(&kept, FED_LINK_TRUST_SIZE, &trust);
    if (err || kept.len > 0)
        return FED_ERR_CORRUPT;
    if (memcmp(trust.at, hub_identity_trust(session->binding->gateway->identity), trust.len) != 0)
        return FED_ERR_CONFLICT;
    session->observing = flags & OBSERVING;
    session->kinds_due = flags & KINDS_DUE;
    session->marked = flags & MARKED;
    session->away = flags & AWAY;
    session->brief = flags & BRIEF;
    memcpy(session->mark, mark.at, sizeof session->mark);
    memcpy(session->mark_came, came.at, sizeof session->mark_came);
    session->held = held;
    session->told = told;
    session->kinds_told = session->binding->gateway->kinds_moved;
    if (session->binding->link->stats) /* what was before is counted */
        session->binding->link->stats(session->link, &session->counted);
    gateway_notify_want(session); /* of what changed since */
    return FED_OK;
}
