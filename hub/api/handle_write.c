/* handle_write.c - POST and PUT. */
#include "hub/api/internal.h"
#include "hub/api/options.h"
#include "hub/api/write.h"
#include "proto/base/map.h"

#define DOUBLED_MAX 100u /* as many are named as Go's decoder names */

/* ---- members that stand twice ---- */
/* Where in the body, from the root down: a member or an item of each level. */
struct place {
    const struct place *above; /* NULL: the root */
    struct fed_span key;
    size_t index; /* of a list */
    bool item;
};

static void put_place(struct fed_buf *out, const struct place *place)
{
    size_t start = out->len;

    if (place->above)
        put_place(out, place->above);
    if (place->item)
        fed_buf_printf(out, "[%zu]", place->index);
    else
        fed_buf_printf(out, "%s" FED_SPAN_FMT, out->len > start && place->above ? "." : "",
            FED_SPAN_ARG(place->key));
}

struct doubles {
    struct hub_request *r;
    const char *prefix;
    struct fed_buf *out;
    size_t n;
};

static void note(struct doubles *d, const struct place *place)
{
    struct fed_buf line;
    struct fed_span rest = fed_buf_span(d->out);
    struct fed_span one;

    if (d->n == DOUBLED_MAX)
        return;
    fed_buf_init(&line, d->r->mem, 8192);
    fed_buf_printf(&line, "%sduplicate field \"", d->prefix);
    put_place(&line, place);
    fed_buf_put_text(&line, "\"");
    while (fed_span_split(&rest, '\n', &one))
        if (fed_span_eq(one, fed_buf_span(&line)))
            return;
    fed_buf_put(d->out, fed_buf_span(&line));
    fed_buf_put_text(d->out, "\n");
    d->n++;
}

/* Each member is noted once, however often it stands there. */
static enum fed_err see(
    struct doubles *d, struct fed_map *seen, const struct place *place, struct fed_json *object)
{
    void *before = fed_map_get(seen, place->key);

    if (before == object)
        note(d, place);
    return before == d ? FED_OK : fed_map_put(seen, place->key, before ? (void *)d : object);
}

/* In the order in which a decoder meets them. */
static enum fed_err find_doubles(
    struct doubles *d, struct fed_json *value, const struct place *above)
{
    struct place place = {.above = above, .item = fed_json_is_array(value)};
    struct fed_json_iter it;
    struct fed_map seen;
    enum fed_err err = FED_OK;

    fed_map_init(&seen, d->r->api->mem);
    fed_json_iter_init(&it, value);
    while (!err && fed_json_iter_next(&it)) {
        place.key = it.key;
        place.index = it.index;
        if (!place.item)
            err = see(d, &seen, &place, value);
        if (!err && (fed_json_is_object(it.value) || fed_json_is_array(it.value)))
            err = find_doubles(d, it.value, &place);
    }
    fed_map_fini(&seen);
    return err;
}

static bool is_applied(struct hub_request *r)
{
    return fed_span_is(hub_request_content_type(r), "application/apply-patch+yaml");
}

/* In what is applied one is enough. */
static enum fed_err refuse_applied(struct hub_request *r, const char *path)
{
    struct fed_buf text;

    fed_buf_init(&text, r->mem, 8192);
    fed_buf_printf(&text, "duplicate field \"%s\"", path);
    if (r->query.field_validation == HUB_VALIDATE_STRICT)
        return hub_fail(r, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
            r->kind->kind, r->version->name, r->kind->kind, fed_buf_cstr(&text));
    hub_request_warn(r, fed_buf_cstr(&text));
    return FED_OK;
}

enum fed_err hub_check_duplicates(struct hub_request *r, struct fed_json *body)
{
    struct doubles d = {r, fed_json_is_array(body) ? "json patch " : "", &r->doubled, 0};
    struct fed_buf path;

    fed_buf_init(&path, r->mem, 4096);
    if (r->query.field_validation == HUB_VALIDATE_IGNORE || !fed_json_duplicate_key(body, &path))
        return FED_OK;
    if (is_applied(r))
        return refuse_applied(r, fed_buf_cstr(&path));
    fed_buf_init(&r->doubled, r->mem, DOUBLED_MAX * 8192u);
    return find_doubles(&d, body, NULL);
}

enum fed_err hub_handle_create(struct hub_request *r)
{
    struct hub_write w = {.success = 201, .manager = hub_request_manager(r), .decoded = true};
    enum fed_err err = hub_options_write(r, "CreateOptions");

    if (!err)
        err = hub_decode_body(r, &w.next);
    if (!err)
        err = hub_check_duplicates(r, w.next);
    if (!err)
        err = hub_write_decoded(r, &w.next);
    if (!err)
        err = hub_write_identity(r, w.next, false);
    if (err)
        return err;
    r->path.name = hub_meta(w.next, "name");
    return hub_write_create(r, &w);
}

enum fed_err hub_handle_update(struct hub_request *r)
{
    struct hub_write w = {.success = 200, .manager = hub_request_manager(r), .decoded = true};
    enum fed_err err = hub_options_write(r, "UpdateOptions");

    if (!err)
        err = hub_decode_body(r, &w.next);
    if (!err)
        err = hub_check_duplicates(r, w.next);
    if (!err)
        err = hub_write_decoded(r, &w.next);
    if (!err)
        err = hub_write_identity(r, w.next, true);
    if (err)
        return err;
    err = hub_write_load(r, &w);
    if (err == FED_ERR_NOT_FOUND)
        return hub_fail_not_found(r);
    return err ? err : hub_write_update(r, &w);
}
