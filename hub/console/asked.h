/* asked.h - what the console reads of a request: cookies, lists in headers, the query. Pure. */
#ifndef FEDLET_HUB_CONSOLE_ASKED_H
#define FEDLET_HUB_CONSOLE_ASKED_H

#include "ports/http.h"

#define CONSOLE_COOKIE "__Host-fedhub"

/* The value of the cookie of that name (RFC 6265 section 4.2.1), the first one; empty when there is
 * none. */
struct fed_span console_cookie(const struct fed_http_request *http, const char *name);
/* Whether Accept-Encoding takes gzip (RFC 9110 section 12.5.3). */
bool console_takes_gzip(struct fed_span accept_encoding);
/* Whether a browser goes there, and wants a page: text/html is among what it accepts. */
bool console_wants_page(struct fed_span accept);
/* Whether one of the list of If-None-Match is that etag, compared weakly. */
bool console_etag_matches(struct fed_span if_none_match, struct fed_span etag);
/* The header's value, empty when absent. */
struct fed_span console_header(const struct fed_http_request *http, const char *name);
/* The first value of a name in the query, still encoded; empty when absent. */
struct fed_span console_query(struct fed_span query, const char *name);

#endif
