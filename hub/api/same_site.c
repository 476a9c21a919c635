/* same_site.c - a write that a browser sends for a page of somebody else is refused.
 *
 * A browser adds by itself what it has of the hub: a certificate, a session's cookie. So whoever
 * writes with one of these must not come from another site; a token is put there by a page that
 * knows it. Source: W3C Fetch Metadata Request Headers, RFC 6454 section 7. */
#include "hub/api/guest.h"

#define SCHEME "https://"

/* "https://HOST:PORT" and "HOST:PORT". "null" is never the same, and http:// is whoever sits on the
 * network. */
static bool is_own_origin(struct fed_span origin, struct fed_span host)
{
    return host.len > 0 && fed_span_starts(origin, SCHEME) &&
           fed_span_eq(fed_span_sub(origin, sizeof SCHEME - 1, origin.len), host);
}

enum fed_err hub_check_same_site(struct hub_request *r)
{
    struct fed_span site = hub_request_header(r, "sec-fetch-site");
    struct fed_span origin = hub_request_header(r, "origin");
    bool ok = true;

    if (site.len > 0)
        ok = fed_span_is(site, "same-origin") || fed_span_is(site, "none");
    else if (origin.len > 0)
        ok = is_own_origin(origin, hub_request_header(r, "host"));
    if (ok)
        return FED_OK;
    hub_fail(r, 403, "Forbidden",
        "a page of another site may not write here with the credentials of this browser");
    return FED_ERR_FORBIDDEN;
}
