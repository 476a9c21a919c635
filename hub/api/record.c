/* record.c - what the audit log says of a request, and the id that joins the two. */
#include "hub/api/guest.h"

#include <string.h>

/* Random for the process, counted within it: unique, and cheaper than 16 random bytes each. */
void hub_request_number(struct hub_request *r)
{
    uint8_t bytes[16];
    uint64_t number = ++r->api->n_requests;

    memcpy(bytes, r->api->audit_prefix, 8);
    for (size_t i = 0; i < 8; i++)
        bytes[8 + i] = (uint8_t)(number >> (8 * (7 - i)));
    hub_uuid_format(bytes, r->audit_id);
}

static bool is_review(const struct hub_request *r)
{
    return r->path.endpoint == HUB_ENDPOINT_RESOURCE && hub_review_is(&r->path);
}

static bool writes(const struct hub_request *r)
{
    struct fed_span method = r->http->method;

    return r->authorized && !fed_span_is(method, "GET") && !fed_span_is(method, "HEAD") &&
           !is_review(r);
}

/* False: nothing is to be recorded. access is what the record points to. */
static bool make_record(const struct hub_request *r, unsigned code, struct hub_access *access,
    struct hub_audit_record *record)
{
    if (!r->api->options.audit || r->audited || !r->user.name[0])
        return false; /* without a name: refused before anybody was asked for */
    *access = r->access;
    if (access->resource.len > 0 && r->path.name.len > 0)
        access->name = r->path.name; /* of an object that was made, too */
    if (access->resource.len == 0 && access->path.len == 0)
        access->path = r->http->path;
    *record = (struct hub_audit_record){.id = r->audit_id,
        .user = &r->user,
        .impersonator = r->impersonator,
        .access = access,
        .code = code,
        .writes = writes(r),
        .dry_run = r->query.dry_run,
        .console = r->by_session,
        .reason = r->failure.code ? r->failure.reason : r->reason.text,
        .source = r->http->peer_address,
        .agent = hub_request_header(r, "user-agent")};
    return true;
}

void hub_request_record(struct hub_request *r, unsigned code)
{
    struct hub_audit_record record;
    struct hub_access access;

    hub_metrics_count(r, code);
    if (!make_record(r, code, &access, &record))
        return;
    r->audited = true;
    hub_audit_add(r->api->options.audit, &record);
}

void hub_request_put_record(const struct hub_request *r, unsigned code, struct fed_buf *out)
{
    struct hub_audit_record record;
    struct hub_access access;

    if (make_record(r, code, &access, &record))
        hub_audit_put(r->api->options.audit, &record, out);
}

bool hub_audit_ends_with(const struct hub_api *api, const struct hub_chain *chain)
{
    struct hub_chain none;

    if (!api->options.audit)
        return true;
    hub_chain_begin(&none);
    return strcmp(hub_audit_chain(api->options.audit)->at, chain->at[0] ? chain->at : none.at) == 0;
}
