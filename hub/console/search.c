/* search.c - what the query box finds: clusters, and federated objects that the user may list. */
#include "hub/console/internal.h"
#include "hub/console/query.h"

#define BODY_MAX (1u << 20)
#define LIMIT 20u
#define LIMIT_MAX 200u

struct search {
    struct hub_console *console;
    struct hub_request *r;
    struct console_words words;
    struct fed_buf body;
    size_t limit;
    size_t found; /* of one sort */
    /* The right that was looked at last: objects come by resource and namespace. */
    struct fed_span resource, ns;
    bool may_list;
};

static void put_clusters(struct search *s)
{
    const struct console_fleet *fleet = s->console->fleet;

    fed_buf_put_text(&s->body, "{\"clusters\":[");
    for (size_t i = 0; i < fleet->n && !console_query_is_of_objects(&s->words); i++) {
        const struct console_fleet_cluster *cluster = fleet->list[i];

        if (!console_query_has_cluster(&s->words, cluster) || s->found++ >= s->limit)
            continue;
        fed_buf_put_text(&s->body, s->found > 1 ? ",{\"name\":" : "{\"name\":");
        hub_json_put_text(&s->body, cluster->name);
        fed_buf_printf(&s->body, ",\"id\":%llu,\"connectivity\":%d,\"delivery\":%d}",
            (unsigned long long)cluster->id, cluster->glance.connectivity,
            cluster->glance.delivery);
    }
    fed_buf_printf(&s->body, "],\"n_clusters\":%zu", s->found);
}

static bool may_list(struct search *s, const struct hub_object_ref *ref)
{
    size_t dot = fed_span_find(ref->resource, '.');
    struct hub_access access = {.verb = FED_SPAN_LIT("list"),
        .group = fed_span_sub(ref->resource, dot + 1, ref->resource.len),
        .resource = fed_span_sub(ref->resource, 0, dot),
        .ns = ref->ns};

    if (s->resource.len == 0 || !fed_span_eq(s->resource, ref->resource) ||
        !fed_span_eq(s->ns, ref->ns)) {
        s->resource = ref->resource;
        s->ns = ref->ns;
        s->may_list = hub_api_authorize(s->console->options.api, &s->r->user, &access, NULL);
    }
    return s->may_list;
}

static void take_object(void *ctx, const struct hub_object_ref *ref)
{
    struct search *s = ctx;

    if (!console_query_has_object(&s->words, ref) || !may_list(s, ref) || s->found++ >= s->limit)
        return;
    fed_buf_put_text(&s->body, s->found > 1 ? ",{\"resource\":" : "{\"resource\":");
    hub_json_put(&s->body, ref->resource);
    fed_buf_put_text(&s->body, ",\"namespace\":");
    hub_json_put(&s->body, ref->ns);
    fed_buf_put_text(&s->body, ",\"name\":");
    hub_json_put(&s->body, ref->name);
    fed_buf_put_u8(&s->body, '}');
}

static void put_objects(struct search *s)
{
    s->found = 0;
    fed_buf_put_text(&s->body, ",\"objects\":[");
    if (!console_query_is_of_clusters(&s->words))
        hub_plan_federated_objects(s->console->options.plan, take_object, s);
    fed_buf_printf(&s->body, "],\"n_objects\":%zu}\n", s->found);
}

static enum fed_err read_query(struct search *s)
{
    struct fed_span limit = console_query(s->r->http->query, "limit");
    struct fed_diag diag = {""};
    struct fed_span text;
    uint64_t number = LIMIT;
    enum fed_err err =
        hub_percent_decode(s->r->mem, console_query(s->r->http->query, "q"), true, &text);

    if (!err && limit.len > 0)
        err = fed_span_to_u64(limit, &number);
    if (err || number == 0 || number > LIMIT_MAX)
        return hub_fail(s->r, 400, "BadRequest",
            "limit is a number from 1 to %u, and q is percent-encoded", LIMIT_MAX);
    s->limit = (size_t)number;
    err = console_query_read(s->r->mem, text, &s->words, &diag);
    return err == FED_ERR_INVALID || err == FED_ERR_LIMIT
               ? hub_fail(s->r, 400, "BadRequest", "the query: %s", diag.text)
               : err;
}

enum fed_err console_handle_search(struct hub_console *console, struct hub_request *r)
{
    struct search s = {.console = console, .r = r};
    enum fed_err err = console_require_read(r);

    if (!err)
        err = console_require_fleet(r);
    if (!err)
        err = read_query(&s);
    if (err)
        return err;
    console_fleet_look(console->fleet);
    fed_buf_init(&s.body, r->mem, BODY_MAX);
    put_clusters(&s);
    put_objects(&s);
    console_query_fini(&s.words);
    return console_respond(r, &s.body, NULL, 0);
}
