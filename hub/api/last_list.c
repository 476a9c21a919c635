/* last_list.c - the last large list, shared by all who ask for the same within a moment.
 *
 * When a hub or its clients come back, every informer lists the same objects at once. As long as
 * nothing was written in between they get the same bytes, made and compressed once. */
#include "hub/api/internal.h"

#define KEEP_MS 1000u
#define WORTH_IT (128u << 10) /* bytes; smaller ones are made as fast as they are found */
#define KEY_MAX 8192u

struct hub_last_list {
    struct hub_api *api;
    struct fed_timer *timer;
    struct fed_http_shared *bytes; /* NULL: none */
    struct fed_buf key;
    uint64_t revision;   /* of the store */
    uint64_t generation; /* of the kinds */
};

static void forget(void *ctx)
{
    struct hub_last_list *last = ctx;

    fed_http_shared_unref(last->bytes);
    last->bytes = NULL;
    fed_buf_fini(&last->key);
}

enum fed_err hub_last_list_open(struct hub_api *api, struct hub_last_list **out)
{
    struct fed_loop *loop = api->options.loop;
    struct hub_last_list *last = fed_alloc_zero(api->mem, sizeof *last);
    enum fed_err err;

    if (!last)
        return FED_ERR_NOMEM;
    last->api = api;
    fed_buf_init(&last->key, api->mem, KEY_MAX);
    err = loop->timer_new(loop->ctx, forget, last, &last->timer);
    if (err) {
        fed_alloc_free(api->mem, last, sizeof *last);
        return err;
    }
    *out = last;
    return FED_OK;
}

void hub_last_list_close(struct hub_last_list *last)
{
    struct fed_loop *loop;

    if (!last)
        return;
    loop = last->api->options.loop;
    loop->timer_free(loop->ctx, last->timer);
    forget(last);
    fed_alloc_free(last->api->mem, last, sizeof *last);
}

/* Whether the answer depends on nothing but path, query and what is stored. */
static bool is_pure(const struct hub_request *r)
{
    return r->accept.form == HUB_FORM_OBJECT && r->accept.text == HUB_TEXT_JSON &&
           !r->kind->hooks.compose && r->n_warnings == 0;
}

static bool put_key(const struct hub_request *r, struct fed_buf *key)
{
    fed_buf_put(key, r->http->path);
    fed_buf_put_text(key, "?");
    fed_buf_put(key, r->http->query);
    return !fed_buf_err(key);
}

struct fed_http_shared *hub_last_list_find(
    const struct hub_last_list *last, const struct hub_request *r)
{
    struct fed_buf key;

    if (!last->bytes || !is_pure(r) || last->revision != hub_objects_revision(last->api->objects) ||
        last->generation != hub_kinds_generation(last->api->kinds))
        return NULL;
    fed_buf_init(&key, r->mem, KEY_MAX);
    return put_key(r, &key) && fed_span_eq(fed_buf_span(&key), fed_buf_span(&last->key))
               ? last->bytes
               : NULL;
}

void hub_last_list_keep(struct hub_last_list *last, const struct hub_request *r, size_t size,
    struct fed_http_shared *bytes)
{
    struct fed_loop *loop = last->api->options.loop;

    if (size < WORTH_IT || !is_pure(r) || hub_objects_staged(last->api->objects))
        return;
    forget(last);
    if (!put_key(r, &last->key)) {
        forget(last);
        return;
    }
    last->bytes = fed_http_shared_ref(bytes);
    last->revision = hub_objects_revision(last->api->objects);
    last->generation = hub_kinds_generation(last->api->kinds);
    loop->timer_set(loop->ctx, last->timer, fed_loop_now_ms(loop) + KEEP_MS);
}
