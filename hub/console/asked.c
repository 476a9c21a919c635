/* asked.c - see asked.h. */
#include "hub/console/asked.h"

#include <string.h>

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

struct fed_span console_header(const struct fed_http_request *http, const char *name)
{
    for (size_t i = 0; i < http->n_headers; i++)
        if (fed_span_is(http->headers[i].name, name))
            return http->headers[i].value;
    return (struct fed_span){0};
}

/* What follows "NAME=" in one of the pairs. */
static struct fed_span pair_value(struct fed_span list, uint8_t separator, const char *name)
{
    size_t len = strlen(name);
    struct fed_span pair;

    while (fed_span_split(&list, separator, &pair)) {
        pair = trim(pair);
        if (pair.len > len && fed_span_starts(pair, name) && pair.at[len] == '=')
            return fed_span_sub(pair, len + 1, pair.len);
    }
    return (struct fed_span){0};
}

/* HTTP/2 may bring it in several headers (RFC 9113 section 8.2.3). */
struct fed_span console_cookie(const struct fed_http_request *http, const char *name)
{
    struct fed_span value = {0};

    for (size_t i = 0; i < http->n_headers && value.len == 0; i++)
        if (fed_span_is(http->headers[i].name, "cookie"))
            value = pair_value(http->headers[i].value, ';', name);
    return value;
}

struct fed_span console_query(struct fed_span query, const char *name)
{
    return pair_value(query, '&', name);
}

/* "q=0", "q=0.000" */
static bool is_refused(struct fed_span params)
{
    struct fed_span q = trim(pair_value(params, ';', "q"));

    if (q.len == 0 || q.at[0] != '0')
        return false;
    for (size_t i = 1; i < q.len; i++)
        if (q.at[i] != '.' && q.at[i] != '0')
            return false;
    return true;
}

static bool names(struct fed_span list, const char *const *words, size_t n)
{
    struct fed_span item;

    while (fed_span_split(&list, ',', &item)) {
        size_t end = fed_span_find(item, ';');
        struct fed_span word = trim(fed_span_sub(item, 0, end));

        for (size_t i = 0; i < n; i++)
            if (fed_span_is(word, words[i]))
                return !is_refused(fed_span_sub(item, end + 1, item.len));
    }
    return false;
}

bool console_takes_gzip(struct fed_span accept_encoding)
{
    static const char *const words[] = {"gzip", "x-gzip", "*"};

    return names(accept_encoding, words, 3);
}

bool console_wants_page(struct fed_span accept)
{
    static const char *const words[] = {"text/html"};

    return names(accept, words, 1);
}

static struct fed_span opaque(struct fed_span etag)
{
    return fed_span_starts(etag, "W/") ? fed_span_sub(etag, 2, etag.len) : etag;
}

bool console_etag_matches(struct fed_span if_none_match, struct fed_span etag)
{
    struct fed_span item;

    while (fed_span_split(&if_none_match, ',', &item)) {
        item = trim(item);
        if (fed_span_is(item, "*") || fed_span_eq(opaque(item), opaque(etag)))
            return true;
    }
    return false;
}
