/* client_partial.c - what came of a large answer, for a later session or process:
 * fed_link.partial_get and partial_set. The next answer from the same path is asked for from there
 * on; whether it is the same body, its ETag says.
 *
 *   format 'H', path, ETag, then the bytes that came, to the end */
#include "ports/https/client.h"

#include <string.h>

#define FORMAT 0x48u
#define STEP (256u << 10) /* bytes between two calls of fed_link_events.partial */

static struct fed_span path_of(const char *target)
{
    struct fed_span path = fed_span_text(target);

    return fed_span_sub(path, 0, fed_span_find(path, '?'));
}

/* What came of the answer: of an observation that is its first record. */
static const struct fed_buf *body_of(const struct fed_https_request *r)
{
    return r->stream ? &r->records.body : &r->body;
}

static bool is_partial(const struct fed_https_request *r)
{
    return !r->post && !r->answered && r->etag[0] && body_of(r)->len > 0 &&
           !fed_buf_err(body_of(r));
}

void fed_https_kept_drop(struct fed_https_client *client)
{
    fed_buf_fini(&client->kept.body);
    fed_buf_init(&client->kept.body, client->mem, FED_HTTPS_CLIENT_BODY_MAX);
    client->kept.told = 0;
}

void fed_https_kept_keep(struct fed_https_request *r)
{
    struct fed_https_kept *k = &r->client->kept;
    struct fed_buf *body = r->stream ? &r->records.body : &r->body;

    if (!is_partial(r) || k->body.len > body->len)
        return;
    fed_https_kept_drop(r->client);
    memcpy(k->target, r->target, sizeof(k->target));
    memcpy(k->etag, r->etag, sizeof(k->etag));
    k->body = *body;
    k->told = body->len;
    fed_buf_init(body, r->client->mem, FED_HTTPS_CLIENT_BODY_MAX);
}

bool fed_https_kept_take(struct fed_https_request *r)
{
    struct fed_https_kept *k = &r->client->kept;

    if (r->post || k->body.len == 0 || !fed_span_eq(path_of(k->target), path_of(r->target)))
        return false;
    fed_buf_fini(&r->body);
    r->body = k->body;
    r->told = k->told;
    memcpy(r->etag, k->etag, sizeof(r->etag));
    fed_buf_init(&k->body, r->client->mem, FED_HTTPS_CLIENT_BODY_MAX);
    return true;
}

/* Writing all of it costs as much as it is large: told again when it has doubled, all writes
 * together cost twice the body. */
void fed_https_partial_tell(struct fed_https_request *r)
{
    struct fed_https_client *client = r->client;
    size_t step = r->told > STEP ? r->told : STEP;

    if (!client->events.partial || !is_partial(r) || body_of(r)->len < r->told + step)
        return;
    r->told = body_of(r)->len;
    client->events.partial(client->events.ctx);
}

/* The largest: of those under way, and what is kept of an earlier session. */
enum fed_err fed_https_partial_get(void *ctx, struct fed_buf *out)
{
    const struct fed_https_client *client = ctx;
    const struct fed_buf *body = &client->kept.body;
    const char *target = client->kept.target;
    const char *etag = client->kept.etag;

    for (const struct fed_https_request *r = client->requests; r; r = r->next) {
        if (!is_partial(r) || body->len >= body_of(r)->len)
            continue;
        body = body_of(r);
        target = r->target;
        etag = r->etag;
    }
    if (body->len == 0)
        return FED_ERR_NOT_FOUND;
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_string(out, path_of(target));
    fed_buf_put_string(out, fed_span_text(etag));
    fed_buf_put(out, fed_buf_span(body));
    return fed_buf_err(out);
}

enum fed_err fed_https_partial_set(void *ctx, struct fed_span bytes)
{
    struct fed_https_client *client = ctx;
    struct fed_https_kept *k = &client->kept;
    struct fed_span path;
    struct fed_span etag;
    uint8_t format;
    enum fed_err err;

    fed_https_kept_drop(client);
    if (bytes.len == 0)
        return FED_OK;
    err = fed_span_take_u8(&bytes, &format);
    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_string(&bytes, FED_HTTPS_CLIENT_TARGET_MAX, &path);
    if (!err)
        err = fed_span_take_string(&bytes, FED_HTTPS_CLIENT_ETAG_MAX, &etag);
    if (!err && (path.len == 0 || etag.len == 0 || bytes.len == 0))
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_to_cstr(path, k->target, sizeof(k->target));
    if (!err && path_of(k->target).len < path.len)
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_to_cstr(etag, k->etag, sizeof(k->etag));
    if (err)
        return err;
    fed_buf_put(&k->body, bytes);
    k->told = bytes.len;
    err = fed_buf_err(&k->body);
    if (err)
        fed_https_kept_drop(client);
    return err;
}
