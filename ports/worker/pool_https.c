/* pool_https.c - see pool.h. The kernel spreads connections over the workers by their addresses, so
 * those of one session (HTTP/1.1 needs one for each request under way) may be with several. Each of
 * these has a part of the session, under the id that the peer gave it and its certificate; here
 * they are one. */
#include "ports/worker/pool.h"

#include <string.h>

#define TOUCHES 8u /* the others hear of life at one that often within the time of silence */

static struct fed_span key_span(const uint8_t key[POOL_KEY_SIZE])
{
    return fed_span_of(key, POOL_KEY_SIZE);
}

static void make_key(
    struct fed_span id, const struct fed_crypto_cert_info *cert, uint8_t out[POOL_KEY_SIZE])
{
    memset(out, 0, POOL_KEY_SIZE);
    memcpy(out, id.at, FED_WORKER_ID_SIZE);
    if (cert)
        memcpy(
            out + FED_WORKER_ID_SIZE, cert->fingerprint.bytes, POOL_KEY_SIZE - FED_WORKER_ID_SIZE);
}

/* ---- those that are over ---- */
static void remember(struct fed_worker_pool *pool, const uint8_t key[POOL_KEY_SIZE])
{
    struct pool_ended *ended = &pool->ended[pool->ended_next];

    memcpy(ended->key, key, POOL_KEY_SIZE);
    ended->until_ms = fed_loop_now_ms(pool->loop) + POOL_ENDED_MS;
    pool->ended_next = (pool->ended_next + 1) % POOL_ENDED_MAX;
}

static bool is_ended(const struct fed_worker_pool *pool, const uint8_t key[POOL_KEY_SIZE])
{
    uint64_t now_ms = fed_loop_now_ms(pool->loop);

    for (size_t i = 0; i < POOL_ENDED_MAX; i++)
        if (pool->ended[i].until_ms > now_ms && memcmp(pool->ended[i].key, key, POOL_KEY_SIZE) == 0)
            return true;
    return false;
}

/* ---- life ---- */
static struct pool_joint *joint_new(struct fed_worker_pool *pool, const uint8_t key[POOL_KEY_SIZE])
{
    struct pool_joint *joint = fed_alloc_zero(pool->mem, sizeof *joint);

    if (!joint)
        return NULL;
    joint->pool = pool;
    memcpy(joint->key, key, POOL_KEY_SIZE);
    if (fed_map_put(&pool->joints, key_span(joint->key), joint)) {
        fed_alloc_free(pool->mem, joint, sizeof *joint);
        return NULL;
    }
    return joint;
}

static void part_put(struct pool_joint *joint, struct pool_session *part)
{
    part->joint = joint;
    part->next_part = joint->parts;
    joint->parts = part;
}

static void part_take(struct pool_joint *joint, struct pool_session *part)
{
    struct pool_session **at = &joint->parts;

    while (*at != part)
        at = &(*at)->next_part;
    *at = part->next_part;
    part->joint = NULL;
    part->next_part = NULL;
    joint->past.sent_bytes += part->stats.sent_bytes;
    joint->past.received_bytes += part->stats.received_bytes;
}

/* Also of the parts that are left, which are remembered where they are. */
static void joint_free(struct pool_joint *joint)
{
    struct fed_worker_pool *pool = joint->pool;

    if (joint->parts)
        remember(pool, joint->key);
    while (joint->parts) {
        struct pool_session *part = joint->parts;

        part_take(joint, part);
        pool_link_end(part);
    }
    (void)fed_map_remove(&pool->joints, key_span(joint->key));
    fed_alloc_free(pool->mem, joint, sizeof *joint);
}

bool pool_https_opened(
    struct pool_session *part, struct fed_span id, const struct fed_link_peer *peer)
{
    struct fed_worker_pool *pool = part->worker->pool;
    uint8_t key[POOL_KEY_SIZE];
    struct pool_joint *joint;

    make_key(id, peer->cert, key);
    joint = fed_map_get(&pool->joints, key_span(key));
    if (joint) {
        part_put(joint, part);
        return true;
    }
    if (is_ended(pool, key))
        return true;
    joint = joint_new(pool, key);
    if (!joint) {
        pool_link_end(part);
        return false;
    }
    part_put(joint, part);
    pool->https_events.opened(pool->https_events.ctx, (struct fed_link_session *)joint, peer);
    return true;
}

void pool_https_left(struct pool_session *part, const char *why)
{
    struct pool_joint *joint = part->joint;
    struct fed_worker_pool *pool;
    bool observed;

    if (!joint)
        return;
    pool = joint->pool;
    observed = joint->stream == part;
    part_take(joint, part);
    if (observed)
        joint->stream = NULL;
    if (joint->parts && !observed)
        return;
    if (why)
        pool->https_events.closed(pool->https_events.ctx, (struct fed_link_session *)joint, why);
    joint_free(joint);
}

void pool_https_alive(struct pool_session *part)
{
    struct pool_joint *joint = part->joint;
    struct fed_worker_pool *pool = part->worker->pool;
    uint64_t now_ms = fed_loop_now_ms(pool->loop);

    if (!joint)
        return;
    if (joint->parts->next_part &&
        now_ms - joint->touched_ms >= pool->https.session_idle_ms / TOUCHES) {
        struct fed_worker_message m = {.type = FED_WORKER_TOUCH};

        joint->touched_ms = now_ms;
        for (struct pool_session *other = joint->parts; other; other = other->next_part) {
            m.session = other->id;
            if (other != part)
                pool_worker_send(other->worker, &m);
        }
    }
    pool->https_events.alive(pool->https_events.ctx, (struct fed_link_session *)joint);
}

void pool_https_observes(struct pool_session *part)
{
    struct pool_joint *joint = part->joint;
    struct fed_worker_message m = {.type = FED_WORKER_UNOBSERVE};

    if (!joint)
        return;
    if (joint->stream && joint->stream != part) {
        m.session = joint->stream->id;
        pool_worker_send(joint->stream->worker, &m);
    }
    joint->stream = part;
}

/* ---- the functions of ports/link.h ---- */

void fed_worker_https_set_user(struct fed_link_session *session, void *user)
{
    ((struct pool_joint *)session)->user = user;
}

void *fed_worker_https_user(const struct fed_link_session *session)
{
    return ((const struct pool_joint *)session)->user;
}

void fed_worker_https_close(struct fed_link_session *session)
{
    joint_free((struct pool_joint *)session);
}

enum fed_err fed_worker_https_notify(
    struct fed_link_session *session, struct fed_span body, uint64_t tag)
{
    const struct pool_session *part = ((const struct pool_joint *)session)->stream;
    struct fed_worker_message m = {.type = FED_WORKER_NOTIFY};

    if (!part)
        return FED_ERR_NOT_FOUND;
    if (body.len > FED_WORKER_NOTIFY_MAX ||
        worker_stream_waiting(&part->worker->stream) + body.len > POOL_BODIES_MAX)
        return FED_ERR_LIMIT;
    m.notify.session = part->id;
    m.notify.tag = tag;
    m.notify.body = body;
    pool_worker_send(part->worker, &m);
    return FED_OK;
}

void fed_worker_https_stats(const struct fed_link_session *session, struct fed_link_stats *out)
{
    const struct pool_joint *joint = (const struct pool_joint *)session;

    *out = joint->past;
    for (const struct pool_session *part = joint->parts; part; part = part->next_part) {
        out->sent_bytes += part->stats.sent_bytes;
        out->received_bytes += part->stats.received_bytes;
    }
}

const struct fed_link_calls *fed_worker_https_calls(void)
{
    static const struct fed_link_calls calls = {.name = "https",
        .set_user = fed_worker_https_set_user,
        .user = fed_worker_https_user,
        .close = fed_worker_https_close,
        .answer = fed_worker_answer,
        .notify = fed_worker_https_notify,
        .stats = fed_worker_https_stats};

    return &calls;
}
