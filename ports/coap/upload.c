/* upload.c - requests that do not fit one datagram: reports with many removals or with large
 * statuses, join requests with many labels. Blocks come one after the other (RFC 7959 section 2.5);
 * each but the last is answered with 2.31 and has no effect. A repeated block is answered from what
 * peer.c remembers of POSTs. */
#include "ports/coap/server.h"

#include <string.h>

#define CONTINUE 231
#define INCOMPLETE 408

static void upload_count(struct fed_link_session *s, size_t size)
{
    s->server->uploads_size += size - s->upload->counted;
    s->upload->counted = size;
}

void fed_coap_peer_upload_free(struct fed_link_session *s)
{
    if (!s->upload)
        return;
    upload_count(s, 0);
    fed_buf_fini(&s->upload->bytes);
    fed_alloc_free(s->server->mem, s->upload, sizeof(*s->upload));
    s->upload = NULL;
}

static bool upload_begin(struct fed_link_session *s, const struct fed_coap_key *key)
{
    fed_coap_peer_upload_free(s);
    s->upload = fed_alloc_zero(s->server->mem, sizeof(*s->upload));
    if (!s->upload)
        return false;
    s->upload->key = *key;
    fed_buf_init(&s->upload->bytes, s->server->mem, FED_COAP_UPLOAD_MAX);
    return true;
}

/* Whether the block continues what is there. */
static bool fits(const struct fed_coap_upload *u, const struct fed_coap_message *m,
    const struct fed_coap_key *key)
{
    return u && u->key.len == key->len && memcmp(u->key.bytes, key->bytes, key->len) == 0 &&
           u->bytes.len == (size_t)m->block1_num << (m->block1_szx + 4);
}

/* 0, or what refuses the block. */
static unsigned upload_add(struct fed_link_session *s, const struct fed_coap_message *m)
{
    struct fed_coap_upload *u = s->upload;

    if (u->bytes.len + m->payload.len > FED_COAP_UPLOAD_MAX)
        return FED_LINK_TOO_LARGE;
    if (m->payload.len > FED_COAP_UPLOADS_MAX - s->server->uploads_size)
        return FED_LINK_UNAVAILABLE;
    fed_buf_put(&u->bytes, m->payload);
    if (fed_buf_err(&u->bytes))
        return FED_LINK_UNAVAILABLE;
    upload_count(s, u->bytes.len);
    u->expires_ms = fed_loop_now_ms(s->server->loop) + FED_COAP_UPLOAD_MS;
    return 0;
}

static void refuse(struct fed_link_session *s, const struct fed_coap_message *m, unsigned code)
{
    fed_coap_peer_upload_free(s);
    fed_coap_answer_code(s, m, code);
}

/* The buffer is not the session's any more: a callback may begin another, or end the session. */
static void complete(
    struct fed_link_session *s, const struct fed_coap_message *m, const struct fed_coap_key *key)
{
    struct fed_alloc *mem = s->server->mem;
    struct fed_coap_upload *u = s->upload;

    upload_count(s, 0);
    s->upload = NULL;
    fed_coap_peer_request(s, m, key, fed_buf_span(&u->bytes), false);
    fed_buf_fini(&u->bytes);
    fed_alloc_free(mem, u, sizeof(*u));
}

void fed_coap_peer_upload(
    struct fed_link_session *s, const struct fed_coap_message *m, const struct fed_coap_key *key)
{
    size_t size = (size_t)16 << m->block1_szx;
    unsigned code;

    if (m->block1_more ? m->payload.len != size : m->payload.len > size) {
        refuse(s, m, FED_LINK_BAD_REQUEST);
        return;
    }
    if (m->block1_num == 0 && !upload_begin(s, key)) {
        refuse(s, m, FED_LINK_UNAVAILABLE);
        return;
    }
    if (!fits(s->upload, m, key)) {
        refuse(s, m, INCOMPLETE);
        return;
    }
    code = upload_add(s, m);
    if (code)
        refuse(s, m, code);
    else if (m->block1_more)
        fed_coap_answer_code(s, m, CONTINUE);
    else
        complete(s, m, key);
    if (!s->closed)
        fed_coap_peer_arm(s);
}
