/* fields.h - header fields as they arrive, piece by piece, and small questions about them.
 *
 * Names become lower case. HTTP/2 pseudo fields, and the same facts of an HTTP/1.1 start line, are
 * kept under their HTTP/2 names (":method", ":path", ":authority") and are not part of the list.
 * Each field costs its bytes and 32 more, as RFC 9113 section 6.5.2 counts
 * SETTINGS_MAX_HEADER_LIST_SIZE. */
#ifndef FEDLET_PORTS_HTTP_FIELDS_H
#define FEDLET_PORTS_HTTP_FIELDS_H

#include "ports/http.h"

struct fed_http_field {
    uint32_t name_at;
    uint32_t name_len;
    uint32_t value_at;
    uint32_t value_len;
};

struct fed_http_fields {
    struct fed_buf text;
    struct fed_buf table; /* of struct fed_http_field */
    struct fed_http_field open;
    bool is_open;
    size_t cost;                  /* so far */
    size_t limit;                 /* of cost */
    struct fed_http_header *list; /* after finish */
    size_t n_list;
    size_t n_list_room;
};

/* limit < 4 GiB. */
void fed_http_fields_init(struct fed_http_fields *f, struct fed_alloc *mem, size_t limit);
void fed_http_fields_fini(struct fed_http_fields *f);
/* Pieces of a name, then of its value, then end. FED_ERR_LIMIT, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_http_fields_name(struct fed_http_fields *f, struct fed_span piece);
FED_MUST_USE enum fed_err fed_http_fields_value(struct fed_http_fields *f, struct fed_span piece);
FED_MUST_USE enum fed_err fed_http_fields_end(struct fed_http_fields *f);
/* A whole field. */
FED_MUST_USE enum fed_err fed_http_fields_add(
    struct fed_http_fields *f, struct fed_span name, struct fed_span value);
/* Makes the list; ":authority" is listed as "host" when no "host" came. Nothing is added
 * afterwards. */
FED_MUST_USE enum fed_err fed_http_fields_finish(struct fed_http_fields *f);
/* After finish: the value of a pseudo field, empty when it did not come. */
struct fed_span fed_http_fields_pseudo(const struct fed_http_fields *f, const char *name);

/* First field of that name: true and its value. value may be NULL. */
bool fed_http_headers_find(const struct fed_http_header *headers, size_t n_headers,
    const char *name, struct fed_span *value);
size_t fed_http_headers_count(
    const struct fed_http_header *headers, size_t n_headers, const char *name);
/* A list with weights (RFC 9110 section 12.4.2) names the token, case-insensitively, and its q is
 * not 0. */
bool fed_http_list_accepts(struct fed_span list, const char *token);
/* Whether a header of ours may be sent: a lower-case token (RFC 9110 section 5.1), and a value
 * without control bytes. */
bool fed_http_header_ok(const struct fed_http_header *header);
/* Fields that describe the message's framing or connection; the port writes these itself. */
bool fed_http_header_is_framing(struct fed_span name);

#define FED_HTTP_DATE_SIZE 32
/* IMF-fixdate, RFC 9110 section 5.6.7. */
void fed_http_date(int64_t unix_s, char out[FED_HTTP_DATE_SIZE]);

#endif
