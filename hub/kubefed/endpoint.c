/* endpoint.c - see endpoint.h. */
#include "hub/kubefed/endpoint.h"

#include "hub/api/go_text.h"

#include <stdio.h>
#include <string.h>

#define NO_HOST "host must be a URL or a host:port pair"

struct url {
    struct fed_span scheme;    /* as it was written */
    struct fed_span authority; /* behind "//"; at NULL: there is none */
    struct fed_span path;
    struct fed_span port; /* at NULL: none; may be empty */
};

static struct fed_span behind(struct fed_span text, size_t at)
{
    return fed_span_sub(text, at, text.len);
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What stands before a first colon, when it may be a scheme (RFC 3986 section 3.1). false: the text
 * begins with the colon. */
static bool take_scheme(struct fed_span *text, struct fed_span *scheme)
{
    *scheme = (struct fed_span){0};
    for (size_t i = 0; i < text->len; i++) {
        uint8_t c = text->at[i];
        bool inner = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

        if (c == ':') {
            *scheme = fed_span_sub(*text, 0, i);
            *text = behind(*text, i + 1);
            return i > 0;
        }
        if (!is_alpha(c) && !(inner && i > 0))
            return true;
    }
    return true;
}

/* ":80" behind a host; why when it is none. */
static void take_port(struct fed_span text, struct url *url, struct fed_buf *why)
{
    if (text.len == 0)
        return;
    url->port = behind(text, 1);
    for (size_t i = 0; i < text.len; i++) {
        if (i == 0 ? text.at[i] == ':' : text.at[i] >= '0' && text.at[i] <= '9')
            continue;
        fed_buf_put_text(why, "invalid port ");
        hub_put_quoted(why, text);
        fed_buf_put_text(why, " after host");
        return;
    }
}

static bool may_be_in_host(uint8_t c)
{
    return c >= 0x80 || is_alpha(c) || (c >= '0' && c <= '9') ||
           (c > ' ' && c != 0x7f && strchr("-_.~!$&'()*+,;=:[]<>\"%", c));
}

static void split_authority(struct fed_span host, struct url *url, struct fed_buf *why)
{
    size_t colon = host.len;

    for (size_t i = 0; i < host.len; i++) /* userinfo, as far as the last @ */
        if (host.at[i] == '@') {
            host = behind(host, i + 1);
            i = (size_t)-1;
        }
    for (size_t i = 0; i < host.len; i++)
        if (!may_be_in_host(host.at[i])) {
            fed_buf_put_text(why, "invalid character ");
            hub_put_quoted(why, fed_span_sub(host, i, 1));
            fed_buf_put_text(why, " in host name");
            return;
        }
    if (fed_span_starts(host, "[")) {
        size_t end = fed_span_find(host, ']');

        if (end == host.len)
            fed_buf_put_text(why, "missing ']' in host");
        else
            take_port(behind(host, end + 1), url, why);
        return;
    }
    for (size_t i = host.len; i > 0 && colon == host.len; i--)
        if (host.at[i - 1] == ':')
            colon = i - 1;
    take_port(behind(host, colon), url, why);
}

/* false with the reason, behind `parse "text": `, in why. */
static bool parse(struct fed_span text, struct url *url, struct fed_buf *why)
{
    struct fed_span rest = text;
    size_t end;

    memset(url, 0, sizeof *url);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] == 0x7f)
            fed_buf_put_text(why, why->len ? "" : "net/url: invalid control character in URL");
    if (why->len == 0 && !take_scheme(&rest, &url->scheme))
        fed_buf_put_text(why, "missing protocol scheme");
    if (why->len == 0 && fed_span_starts(rest, "//")) {
        rest = behind(rest, 2);
        for (end = 0; end < rest.len && !strchr("/?#", rest.at[end]);)
            end++;
        url->authority = fed_span_sub(rest, 0, end);
        split_authority(url->authority, url, why);
        rest = behind(rest, end);
    }
    for (end = 0; end < rest.len && !strchr("?#", rest.at[end]);)
        end++;
    url->path = fed_span_sub(rest, 0, end);
    return why->len == 0;
}

static bool is_complete(const struct url *url)
{
    return url->scheme.len > 0 && url->authority.len > 0;
}

static void check_port(struct hub_kubefed_errors *errors, const char *path, struct fed_span port)
{
    uint64_t number = 0;
    char text[24];

    /* Go reads leading zeros, too. */
    while (port.len > 1 && port.at[0] == '0')
        port = behind(port, 1);
    if (port.len == 0)
        return;
    if (fed_span_to_u64(port, &number) || number > INT64_MAX) {
        hub_kubefed_invalid_text(errors, path, port, "error converting port to integer");
        return;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    if (number < 1 || number > 65535)
        hub_kubefed_invalid(errors, path, text, "must be between 1 and 65535, inclusive");
}

/* The text with "https://" before it, and what is wrong with that. */
static bool parse_bare(
    struct fed_span value, struct fed_buf *whole, struct url *url, struct fed_buf *why)
{
    struct fed_buf inner;
    bool ok;

    fed_buf_init(&inner, why->mem, 1024);
    fed_buf_put_text(whole, "https://");
    fed_buf_put(whole, value);
    ok = parse(fed_buf_span(whole), url, &inner);
    if (!ok) {
        fed_buf_put_text(why, "parse ");
        hub_put_quoted(why, fed_buf_span(whole));
        fed_buf_printf(why, ": %s", fed_buf_cstr(&inner));
    } else if (url->path.len > 0 && !fed_span_is(url->path, "/")) {
        fed_buf_put_text(why, NO_HOST ": ");
        hub_put_quoted(why, value);
        ok = false;
    }
    fed_buf_fini(&inner);
    return ok;
}

static void lower(struct fed_span text, char *out, size_t size)
{
    size_t n = text.len < size - 1 ? text.len : size - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] + 32 : text.at[i]);
    out[n] = 0;
}

void hub_kubefed_check_endpoint(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value)
{
    static const char *const schemes[] = {"http", "https", NULL};
    struct url url;
    struct fed_buf whole;
    struct fed_buf why;
    char scheme[32];
    bool ok;

    if (value.len == 0) {
        hub_kubefed_required(errors, path);
        return;
    }
    if (value.len > HUB_ENDPOINT_MAX) {
        hub_kubefed_invalid_text(errors, path, value, "must be no more than 2048 characters");
        return;
    }
    fed_buf_init(&whole, errors->mem, HUB_ENDPOINT_MAX + 16);
    fed_buf_init(&why, errors->mem, 4 * HUB_ENDPOINT_MAX);
    ok = parse(value, &url, &why) && is_complete(&url);
    if (!ok) {
        fed_buf_clear(&why);
        ok = parse_bare(value, &whole, &url, &why);
    }
    if (!ok) {
        hub_kubefed_invalid_text(errors, path, value, fed_buf_cstr(&why));
    } else {
        lower(url.scheme, scheme, sizeof scheme);
        hub_kubefed_check_enum(errors, path, fed_span_text(scheme), schemes);
        check_port(errors, path, url.port);
    }
    fed_buf_fini(&whole);
    fed_buf_fini(&why);
}

void hub_kubefed_check_proxy(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value)
{
    static const char *const schemes[] = {"http", "https", "socks5"};
    struct url url;
    struct fed_buf why;
    char scheme[32];
    bool known = false;

    fed_buf_init(&why, errors->mem, 1024);
    if (value.len > HUB_ENDPOINT_MAX || !parse(value, &url, &why)) {
        hub_kubefed_invalid_text(errors, path, value, "error parsing the proxy URL");
        fed_buf_fini(&why);
        return;
    }
    fed_buf_fini(&why);
    lower(url.scheme, scheme, sizeof scheme);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        known = known || strcmp(scheme, schemes[i]) == 0;
    if (!known)
        hub_kubefed_invalid_text(
            errors, path, value, "proxy URL scheme must be one of: [http, https, socks5]");
}
