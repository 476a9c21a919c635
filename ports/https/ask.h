/* ask.h - what an HTTP request asks of the link: its session, resource, observation and range.
 * Pure; docs/protocol.md has the rules. */
#ifndef FEDLET_PORTS_HTTPS_ASK_H
#define FEDLET_PORTS_HTTPS_ASK_H

#include "ports/http.h"

#define FED_HTTPS_PREFIX "/fedlet/v1/"
#define FED_HTTPS_ID_SIZE 16u
#define FED_HTTPS_ETAG_SIZE 34u /* 32 hexadecimal digits in quotes */

enum fed_https_method { FED_HTTPS_GET, FED_HTTPS_POST, FED_HTTPS_OTHER };
struct fed_https_ask {
    uint8_t session[FED_HTTPS_ID_SIZE];
    enum fed_https_method method;
    bool ping;
    bool observe;
    /* Below the prefix; a path outside of it as it is, with its slash, which no resource has. */
    struct fed_span path;
    struct fed_span query;
    bool has_range; /* the answer's bytes from `from` on, if its ETag is this: */
    uint64_t from;
    struct fed_span if_range; /* with its quotes */
};

/* FED_ERR_INVALID with a sentence: no session, or not one, or an observation that is none. Ranges
 * of other forms are ignored, as RFC 9110 section 14.2 allows. Spans point into the request. */
FED_MUST_USE enum fed_err fed_https_ask_read(
    const struct fed_http_request *request, struct fed_https_ask *out, struct fed_diag *diag);
/* The first half of the body's SHA-256, in quotes. FED_ERR_NOMEM, FED_ERR_INTERNAL. */
FED_MUST_USE enum fed_err fed_https_etag(struct fed_span body, char out[FED_HTTPS_ETAG_SIZE + 1]);

#endif
