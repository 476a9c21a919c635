/* handle_delete.c - DELETE of one object and of a collection: preconditions, finalizers, dry run.
 */
#include "hub/api/options.h"
#include "hub/api/write.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_ROOM 16384u

#define COLLECTION_BATCH 500u

static bool is_namespace(const struct hub_kind *kind)
{
    return kind->group[0] == 0 && strcmp(kind->plural, "namespaces") == 0;
}

static enum fed_err check_preconditions(struct hub_request *r, const struct hub_kind *kind,
    const struct hub_delete_options *options, const struct fed_json *live, uint64_t revision)
{
    struct fed_span name = hub_meta(live, "name");
    uint64_t wanted;

    if (options->uid.len > 0 && !fed_span_eq(options->uid, hub_meta(live, "uid")))
        hub_fail(r, 409, "Conflict",
            "Operation cannot be fulfilled on %s%s%s \"" FED_SPAN_FMT
            "\": the UID in the precondition (" FED_SPAN_FMT
            ") does not match the UID in record (" FED_SPAN_FMT
            "). The object might have been deleted and then recreated",
            kind->kind, kind->group[0] ? "." : "", kind->group, FED_SPAN_ARG(name),
            FED_SPAN_ARG(options->uid), FED_SPAN_ARG(hub_meta(live, "uid")));
    else if (options->resource_version.len > 0 &&
             (fed_span_to_u64(options->resource_version, &wanted) || wanted < revision))
        hub_fail(r, 409, "Conflict",
            "Operation cannot be fulfilled on %s%s%s \"" FED_SPAN_FMT
            "\": the ResourceVersion in the precondition (" FED_SPAN_FMT
            ") does not match the ResourceVersion in record (%llu). The object might have been "
            "modified",
            kind->kind, kind->group[0] ? "." : "", kind->group, FED_SPAN_ARG(name),
            FED_SPAN_ARG(options->resource_version), (unsigned long long)revision);
    else
        return FED_OK;
    r->failure.details = HUB_DETAILS_KIND;
    return FED_ERR_INVALID;
}

/* The object stays until its finalizers are gone: says since when it is to go. */
static enum fed_err mark(
    struct hub_request *r, const struct hub_kind *kind, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    int64_t generation = fed_json_int(fed_json_get(metadata, "generation"), 0);
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err;

    fed_text_time(fed_loop_unix_s(r->api->options.loop), now);
    err = metadata ? fed_json_set_text(r->doc, metadata, "deletionTimestamp", now) : FED_ERR_NOMEM;
    if (!err && !is_namespace(kind))
        err = fed_json_set_int(r->doc, metadata, "deletionGracePeriodSeconds", 0);
    if (!err && generation > 0)
        err = fed_json_set_int(r->doc, metadata, "generation", generation + 1);
    if (!err && is_namespace(kind))
        err = fed_json_set_text(
            r->doc, fed_json_ensure_object(r->doc, object, "status"), "phase", "Terminating");
    return err;
}

static bool is_collector(struct fed_span finalizer)
{
    return fed_span_is(finalizer, HUB_FINALIZER_FOREGROUND) ||
           fed_span_is(finalizer, HUB_FINALIZER_ORPHAN);
}

/* The finalizers of garbage collection as the policy wants them: owners.c works on them. */
static enum fed_err set_propagation(
    struct hub_request *r, enum hub_propagation propagation, struct fed_json *object, bool *changed)
{
    struct fed_json *metadata = fed_json_ensure_object(r->doc, object, "metadata");
    struct fed_json *list = fed_json_get(metadata, "finalizers");
    const char *wanted = propagation == HUB_PROPAGATE_FOREGROUND ? HUB_FINALIZER_FOREGROUND
                         : propagation == HUB_PROPAGATE_ORPHAN   ? HUB_FINALIZER_ORPHAN
                                                                 : NULL;
    bool there = false;
    enum fed_err err = metadata ? FED_OK : FED_ERR_NOMEM;

    *changed = false;
    if (propagation == HUB_PROPAGATE_DEFAULT)
        return FED_OK;
    for (size_t i = fed_json_count(list); i > 0; i--) {
        struct fed_span one = fed_json_string(fed_json_at(list, i - 1));

        if (wanted && fed_span_is(one, wanted)) {
            there = true;
        } else if (is_collector(one)) {
            fed_json_remove_at(list, i - 1);
            *changed = true;
        }
    }
    if (!err && wanted && !there) {
        if (!list) {
            list = fed_json_new_array(r->doc);
            err = fed_json_set(r->doc, metadata, "finalizers", list);
        }
        if (!err)
            err = fed_json_append(list, fed_json_new_text(r->doc, wanted));
        *changed = true;
    }
    if (!err && fed_json_count(list) == 0)
        fed_json_remove(metadata, "finalizers");
    return err;
}

static enum fed_err commit_delete(struct hub_request *r, const struct hub_object_ref *ref,
    const struct hub_admission *admission, struct fed_json *left, uint64_t expected,
    uint64_t *revision)
{
    struct hub_object_write write = {.ref = *ref, .expected = expected, .remove = left == NULL};
    struct fed_diag diag = {{0}};
    struct fed_buf bytes;
    enum fed_err err = FED_OK;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    if (left)
        err = hub_object_bytes(left, &bytes);
    write.bytes = fed_buf_span(&bytes);
    /* What is gone must be told. */
    if (!err && !fed_arena_reserve(&r->arena, ANSWER_ROOM))
        err = FED_ERR_NOMEM;
    if (!err)
        err = hub_stage(r->api, &write, admission, revision, &diag);
    return err ? hub_fail_err(r, err, &diag) : FED_OK;
}

/* What is left behind says in which version. */
static enum fed_err note_version(struct hub_request *r, struct fed_json *left, uint64_t revision)
{
    char text[24];

    if (!left)
        return FED_OK;
    snprintf(text, sizeof text, "%llu", (unsigned long long)revision);
    return fed_json_set_text(
        r->doc, fed_json_ensure_object(r->doc, left, "metadata"), "resourceVersion", text);
}

enum fed_err hub_delete_object(struct hub_request *r, const struct hub_kind *kind,
    const struct hub_object_ref *ref, const struct hub_delete_options *options,
    struct fed_json **live, struct fed_json **left)
{
    struct hub_admission admission = {.operation = HUB_DELETE, .dry_run = options->dry_run};
    uint64_t revision;
    bool changed;
    enum fed_err err = hub_object_load(r->api, r->doc, ref, live, &revision);

    if (err)
        return err;
    *left = NULL;
    err = check_preconditions(r, kind, options, *live, revision);
    admission.object = *live;
    admission.before = *live;
    if (!err)
        err = hub_admit(r, kind, &admission);
    if (err)
        return err;
    err = set_propagation(r, options->propagation, *live, &changed);
    if (err)
        return err;
    if (is_namespace(kind) || hub_object_has_finalizers(*live)) {
        *left = *live;
        if (hub_meta(*live, "deletionTimestamp").len == 0)
            err = mark(r, kind, *left);
        else if (!changed)
            return note_version(r, *left, revision); /* it is on its way already */
    }
    if (!err && !options->dry_run)
        err = commit_delete(r, ref, &admission, *left, revision, &revision);
    return err ? err : note_version(r, *left, revision);
}

/* ---- one object ---- */
static enum fed_err show_left(
    struct hub_request *r, const struct hub_object_ref *ref, struct fed_json *left)
{
    struct hub_view view = hub_view_of(r);
    uint64_t revision;
    struct fed_diag diag = {{0}};
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err;

    if (fed_span_to_u64(hub_meta(left, "resourceVersion"), &revision))
        revision = hub_objects_revision(r->api->objects);
    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    err = hub_object_bytes(left, &bytes);
    if (!err)
        err = hub_object_view(&view, r->doc, ref, fed_buf_span(&bytes), &revision, &object, &diag);
    return err ? hub_fail_err(r, err, &diag) : hub_respond_object(r, 200, object);
}

enum fed_err hub_handle_delete(struct hub_request *r)
{
    struct hub_object_ref ref = hub_request_ref(r);
    struct hub_delete_options options;
    struct fed_json *live;
    struct fed_json *left;
    enum fed_err err = hub_options_delete(r, &options);

    if (err)
        return err;
    err = hub_delete_object(r, r->kind, &ref, &options, &live, &left);
    if (err == FED_ERR_NOT_FOUND && r->failure.code == 0)
        return hub_fail_not_found(r);
    if (err)
        return hub_fail_err(r, err, NULL);
    return left ? show_left(r, &ref, left)
                : hub_respond_deleted(r, ref.name, hub_meta(live, "uid"));
}

/* ---- a collection ---- */
struct collection {
    struct hub_request *r;
    struct fed_selector *labels;
    struct hub_field_selector fields;
    struct hub_object_ref batch[COLLECTION_BATCH];
    size_t n;
    struct hub_page page;       /* where it begins; its revision is that of the answer */
    struct hub_object_ref last; /* that was deleted */
    uint64_t left;              /* of limit=; 0: no more, UINT64_MAX: there is none */
    struct fed_buf *answer;     /* what is deleted, as it was: the items of a list */
    enum fed_err err;
};

static enum fed_err show(
    struct collection *c, struct fed_json_doc *doc, const struct hub_object *object)
{
    struct hub_view view = hub_view_of(c->r);
    uint64_t revision = object->revision;
    struct fed_json *shown;
    enum fed_err err =
        hub_object_view(&view, doc, &object->ref, object->bytes, &revision, &shown, NULL);

    if (err)
        return err;
    if (hub_kind_is_typed(c->r->kind))
        hub_object_anonymize(shown);
    if (c->answer->at[c->answer->len - 1] != '[')
        fed_buf_put_text(c->answer, ",");
    return fed_json_put(c->answer, shown);
}

static struct fed_span keep(struct hub_request *r, struct fed_span text)
{
    const char *copy = hub_request_cstr(r, text);

    return fed_span_of(copy, copy[0] ? text.len : 0);
}

static bool collect(void *ctx, const struct hub_object *object)
{
    struct collection *c = ctx;
    struct fed_json_doc *doc;
    struct fed_json *tree;

    c->err = fed_json_doc_new(c->r->api->mem, &doc);
    if (c->err)
        return false;
    c->err = fed_json_parse(doc, object->bytes, &tree, NULL);
    if (!c->err && fed_selector_match(c->labels, fed_json_find(tree, "metadata.labels")) &&
        hub_field_selector_match(&c->fields, tree)) {
        if (c->left != UINT64_MAX)
            c->left--;
        c->batch[c->n++] = (struct hub_object_ref){fed_span_text(c->r->kind->resource),
            keep(c->r, object->ref.ns), keep(c->r, object->ref.name)};
        c->err = show(c, doc, object);
    }
    fed_json_doc_free(doc);
    return !c->err && c->n < COLLECTION_BATCH && c->left > 0;
}

static enum fed_err delete_batch(struct collection *c, const struct hub_delete_options *options)
{
    for (size_t i = 0; i < c->n; i++) {
        struct fed_json *live;
        struct fed_json *left;
        enum fed_err err = hub_delete_object(c->r, c->r->kind, &c->batch[i], options, &live, &left);

        if (err && err != FED_ERR_NOT_FOUND)
            return hub_fail_err(c->r, err, NULL);
    }
    return FED_OK;
}

static enum fed_err delete_all(
    struct hub_request *r, struct collection *c, struct hub_delete_options *options)
{
    const struct hub_object_ref *after = c->page.continues ? &c->page.after : NULL;
    enum fed_err err;

    do {
        c->n = 0;
        err = hub_objects_list(
            r->api->objects, fed_span_text(r->kind->resource), r->path.ns, after, collect, c);
        if (!err)
            err = c->err;
        if (!err)
            err = delete_batch(c, options);
        if (c->n > 0) {
            c->last = c->batch[c->n - 1];
            after = &c->last;
        }
    } while (!err && c->n == COLLECTION_BATCH && c->left > 0);
    return err;
}

/* A limit may leave some: how many, and where to go on. */
static enum fed_err put_end(struct hub_request *r, struct collection *c)
{
    bool selects = r->query.label_selector.len > 0 || r->query.field_selector.len > 0;
    struct fed_buf token;
    size_t n = 0;
    enum fed_err err = FED_OK;

    fed_buf_init(&token, r->mem, 4096);
    if (c->left == 0)
        err = hub_objects_count_at(r->api->objects, c->page.revision,
            fed_span_text(r->kind->resource), r->path.ns, &c->last, &n);
    if (n > 0)
        hub_page_put_token(&token, r, &c->page, &c->last);
    if (!err)
        err = fed_buf_err(&token);
    if (n > 0 || r->version->core)
        hub_table_end(
            c->answer, c->page.revision, fed_buf_span(&token), n > 0 && !selects ? (int64_t)n : -1);
    else
        fed_buf_printf(c->answer,
            "],\"metadata\":{\"continue\":\"\",\"resourceVersion\":\"%llu\"}}",
            (unsigned long long)c->page.revision);
    fed_buf_put_text(c->answer, "\n");
    return err ? err : fed_buf_err(c->answer);
}

enum fed_err hub_handle_delete_collection(struct hub_request *r)
{
    struct hub_delete_options options;
    struct fed_buf answer;
    char api_version[330];
    struct collection *c = fed_alloc_zero(r->mem, sizeof *c);
    enum fed_err err = c ? hub_options_list(r) : FED_ERR_NOMEM;

    if (is_namespace(r->kind)) /* one by one only, as with kube-apiserver */
        return hub_fail(r, 405, "MethodNotAllowed",
            "the server does not allow this method on the requested resource");
    if (!err)
        err = hub_options_delete(r, &options);
    if (err)
        return err;
    c->r = r;
    err = hub_field_selector_parse(r, r->mem, r->query.field_selector, &c->fields);
    if (err)
        return err;
    err = hub_label_selector_parse(r, r->mem, &c->labels);
    if (!err)
        err = hub_page_open(r, &c->page);
    if (err)
        return err;
    fed_buf_init(&answer, r->api->mem, HUB_LIMIT_ANSWER_BYTES);
    c->answer = &answer;
    c->left = c->page.limit > 0 ? c->page.limit : UINT64_MAX;
    hub_api_version(r->kind, r->version, api_version);
    fed_buf_printf(&answer, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"items\":[",
        r->kind->list_kind, api_version);
    err = delete_all(r, c, &options);
    if (!err)
        err = put_end(r, c);
    err = err ? hub_fail_err(r, err, NULL)
              : hub_respond(r, 200, "application/json", fed_buf_span(&answer), NULL, 0);
    fed_buf_fini(&answer);
    return err;
}
