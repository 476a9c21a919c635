/* handle_list.c - lists: selected, in pages, as objects, a table or metadata alone.
 *
 * The stored objects are those of the page's revision; what is composed into some of them (status
 * from agents) is of now. */
#include "hub/api/options.h"

#include "proto/base/text.h"
#include "proto/object/json_text.h"

#include <stdio.h>

struct lister {
    struct hub_request *r;
    struct hub_view view;
    struct fed_selector *labels;
    struct hub_field_selector fields;
    struct fed_arena arena; /* of one object */
    struct fed_buf *out;
    int64_t now_unix_s;
    struct hub_page page;
    uint64_t shown;
    bool by_text; /* form and selectors need no tree of a plain object */
    bool more;    /* the page ended before the list */
    char last_ns[256];
    char last_name[256];
    enum fed_err err;
    struct fed_diag diag;
};

static enum fed_err put_partial(
    const struct lister *l, struct fed_json_doc *doc, const struct fed_json *object)
{
    struct fed_json *partial = hub_object_partial(&l->view, doc, object);

    return partial ? fed_json_put(l->out, partial) : FED_ERR_NOMEM;
}

static enum fed_err lister_show(struct lister *l, struct fed_json_doc *doc, struct fed_json *object)
{
    if (l->shown > 0)
        fed_buf_put_text(l->out, ",");
    l->shown++;
    if (hub_kind_is_typed(l->view.kind) && l->r->accept.form == HUB_FORM_OBJECT)
        hub_object_anonymize(object);
    if (l->r->accept.form == HUB_FORM_TABLE) {
        hub_table_row(l->out, &l->view, object, l->r->query.include_object, l->now_unix_s);
        return fed_buf_err(l->out);
    }
    return l->r->accept.form == HUB_FORM_PARTIAL_LIST ? put_partial(l, doc, object)
                                                      : fed_json_put(l->out, object);
}

static enum fed_err lister_tree(struct lister *l, const struct hub_object *stored)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    uint64_t revision = stored->revision;
    enum fed_err err = fed_json_doc_new(&l->arena.alloc, &doc);

    if (err)
        return err;
    err = hub_object_view(&l->view, doc, &stored->ref, stored->bytes, &revision, &object, &l->diag);
    if (!err && fed_selector_match(l->labels, fed_json_find(object, "metadata.labels")) &&
        hub_field_selector_match(&l->fields, object)) {
        if (l->page.limit > 0 && l->shown == l->page.limit)
            l->more = true;
        else
            err = lister_show(l, doc, object);
    }
    fed_json_doc_free(doc);
    fed_arena_reset(&l->arena);
    return err;
}

/* Most lists are of objects as they are stored: their text is enough. */
static enum fed_err lister_plain(
    struct lister *l, const struct hub_object *stored, struct fed_span metadata, size_t head)
{
    struct fed_span labels;

    (void)fed_json_text_member(metadata, "labels", &labels);
    if (!fed_selector_match_text(l->labels, labels) ||
        !hub_field_selector_match_ref(&l->fields, &stored->ref))
        return FED_OK;
    if (l->page.limit > 0 && l->shown == l->page.limit) {
        l->more = true;
        return FED_OK;
    }
    if (l->shown++ > 0)
        fed_buf_put_text(l->out, ",");
    hub_object_put_plain(l->out, stored->bytes, metadata, head, stored->revision);
    return fed_buf_err(l->out);
}

static enum fed_err lister_item(struct lister *l, const struct hub_object *stored)
{
    struct fed_span metadata;
    bool typed = hub_kind_is_typed(l->view.kind);
    size_t head = typed ? hub_object_head(&l->view, stored->bytes) : 0;
    enum fed_err err =
        l->by_text && (head > 0 || !typed) &&
                hub_object_is_plain(&l->view, stored->bytes, stored->revision, &metadata)
            ? lister_plain(l, stored, metadata, head)
            : lister_tree(l, stored);

    if (!err && !l->more)
        err = fed_span_to_cstr(stored->ref.ns, l->last_ns, sizeof l->last_ns);
    if (!err && !l->more)
        err = fed_span_to_cstr(stored->ref.name, l->last_name, sizeof l->last_name);
    return err;
}

static bool lister_each(void *ctx, const struct hub_object *object)
{
    struct lister *l = ctx;

    l->err = lister_item(l, object);
    return !l->err && !l->more;
}

static struct hub_object_ref last_shown(const struct lister *l)
{
    return (struct hub_object_ref){.resource = fed_span_text(l->r->kind->resource),
        .ns = fed_span_text(l->last_ns),
        .name = fed_span_text(l->last_name)};
}

/* How many there are behind this page; -1 when selectors make that another question. */
static enum fed_err count_remaining(const struct lister *l, int64_t *out)
{
    struct hub_request *r = l->r;
    struct hub_object_ref last = last_shown(l);
    size_t n = 0;
    enum fed_err err;

    *out = -1;
    if (!l->more || r->query.label_selector.len > 0 || r->query.field_selector.len > 0)
        return FED_OK;
    err = hub_objects_count_at(
        r->api->objects, l->page.revision, fed_span_text(r->kind->resource), r->path.ns, &last, &n);
    *out = (int64_t)n;
    return err;
}

static void put_head(struct lister *l)
{
    char api_version[330];

    if (l->r->accept.form == HUB_FORM_TABLE) {
        hub_table_begin(l->out, &l->view, true);
        return;
    }
    hub_api_version(l->view.kind, l->view.version, api_version);
    fed_buf_printf(l->out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"items\":[",
        l->r->accept.form == HUB_FORM_PARTIAL_LIST ? "PartialObjectMetadataList"
                                                   : l->view.kind->list_kind,
        l->r->accept.form == HUB_FORM_PARTIAL_LIST ? hub_view_meta_version(&l->view) : api_version);
}

static enum fed_err check_form(struct hub_request *r)
{
    if (r->accept.form != HUB_FORM_PARTIAL)
        return hub_check_table_options(r);
    return hub_fail(r, 406, "NotAcceptable",
        "you requested PartialObjectMetadata, but the requested object is a list (%s)",
        hub_go_type(r, "List"));
}

static enum fed_err lister_open(struct lister *l, struct hub_request *r)
{
    enum fed_err err = hub_options_list(r);

    l->r = r;
    l->view = hub_view_of(r);
    l->now_unix_s = fed_loop_unix_s(r->api->options.loop);
    if (!err)
        err = hub_page_open(r, &l->page);
    if (!err)
        err = hub_field_selector_parse(r, r->mem, r->query.field_selector, &l->fields);
    if (!err)
        err = check_form(r);
    if (err)
        return err;
    l->by_text = r->accept.form == HUB_FORM_OBJECT && hub_field_selector_is_of_ref(&l->fields);
    return hub_label_selector_parse(r, r->mem, &l->labels);
}

static enum fed_err respond(struct lister *l)
{
    size_t size = l->out->len;
    enum fed_err err = fed_buf_err(l->out);
    struct fed_http_shared *bytes;

    if (l->r->accept.text != HUB_TEXT_JSON)
        return hub_respond_take(l->r, l->out);
    bytes = err ? NULL : fed_http_shared_take(l->out);
    if (!bytes)
        return err ? err : FED_ERR_NOMEM;
    hub_last_list_keep(l->r->api->last_list, l->r, size, bytes);
    err = hub_respond_shared(l->r, bytes);
    fed_http_shared_unref(bytes);
    return err;
}

/* The label index knows the present state, of labels that are stored: none that are composed. */
static enum fed_err lister_read(struct lister *l)
{
    struct hub_api *api = l->r->api;
    struct fed_span resource = fed_span_text(l->r->kind->resource);
    const struct hub_object_ref *after = l->page.continues ? &l->page.after : NULL;
    enum fed_err err = FED_ERR_UNSUPPORTED;

    if (l->by_text && !l->r->kind->hooks.compose &&
        l->page.revision == hub_objects_revision(api->objects))
        err = hub_label_index_list(
            api->label_index, resource, l->r->path.ns, after, l->labels, lister_each, l);
    if (err == FED_ERR_UNSUPPORTED)
        err = hub_objects_list_at(
            api->objects, l->page.revision, resource, l->r->path.ns, after, lister_each, l);
    return err;
}

/* A list of custom objects says that nothing follows; one of core objects leaves it out. */
static void put_end(struct lister *l, struct fed_span token, int64_t remaining)
{
    if (token.len > 0 || l->view.version->core || l->r->accept.form != HUB_FORM_OBJECT)
        hub_table_end(l->out, l->page.revision, token, remaining);
    else
        fed_buf_printf(l->out, "],\"metadata\":{\"continue\":\"\",\"resourceVersion\":\"%llu\"}}",
            (unsigned long long)l->page.revision);
}

static enum fed_err lister_run(struct lister *l)
{
    struct hub_request *r = l->r;
    struct hub_object_ref last;
    struct fed_buf token;
    int64_t remaining;
    enum fed_err err;

    put_head(l);
    err = lister_read(l);
    if (err == FED_ERR_GONE)
        return hub_page_expired(r, &l->page);
    if (!err)
        err = l->err;
    if (!err)
        err = count_remaining(l, &remaining);
    if (err)
        return hub_fail_err(r, err, &l->diag);
    last = last_shown(l);
    fed_buf_init(&token, r->mem, 4096);
    if (l->more)
        hub_page_put_token(&token, r, &l->page, &last);
    put_end(l, fed_buf_span(&token), remaining);
    fed_buf_put_text(l->out, "\n");
    if (fed_buf_err(&token))
        return hub_fail_err(r, fed_buf_err(&token), NULL);
    err = respond(l);
    return err ? hub_fail_err(r, err, NULL) : FED_OK;
}

enum fed_err hub_handle_list(struct hub_request *r)
{
    struct fed_http_shared *same = hub_last_list_find(r->api->last_list, r);
    struct lister *l = same ? NULL : fed_alloc_zero(r->mem, sizeof *l);
    struct fed_buf out;
    enum fed_err err;

    if (same)
        return hub_respond_shared(r, same);
    if (!l)
        return FED_ERR_NOMEM;
    fed_buf_init(&out, r->api->mem, HUB_LIMIT_ANSWER_BYTES);
    fed_arena_init(&l->arena, r->api->mem, HUB_LIMIT_REQUEST_MEMORY);
    l->out = &out;
    err = lister_open(l, r);
    if (!err)
        err = lister_run(l);
    fed_arena_fini(&l->arena);
    fed_buf_fini(&out);
    return err;
}
