/* client_proxy.c - the way through an HTTP proxy: its URL, and the CONNECT that asks for a tunnel
 * (RFC 9110 section 9.3.6). The proxy learns host and port, nothing of what is inside. */
#include "ports/http/client.h"

#include "ports/http/fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define USER_MAX 400u

/* ---- the URL ---- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* USER[:PASSWORD], percent-encoded, as base64. */
static bool secret_put(struct fed_span user, char out[700])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t plain[USER_MAX + 3];
    size_t len = 0;
    size_t at = 0;
    bool colon = false;

    for (size_t i = 0; i < user.len; i++) {
        int high = user.at[i] == '%' && i + 2 < user.len ? hex_value(user.at[i + 1]) : -1;
        int low = high >= 0 ? hex_value(user.at[i + 2]) : -1;

        if (len == USER_MAX || (user.at[i] == '%' && low < 0))
            return false;
        colon = colon || user.at[i] == ':';
        plain[len++] = low >= 0 ? (uint8_t)(high << 4 | low) : user.at[i];
        i += low >= 0 ? 2 : 0;
    }
    if (!colon)
        plain[len++] = ':';
    memset(plain + len, 0, 2);
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)plain[i] << 16 | (unsigned)plain[i + 1] << 8 | plain[i + 2];

        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    out[at] = 0;
    memset(plain, 0, sizeof(plain));
    return true;
}

static bool port_of(struct fed_span text, uint16_t *out)
{
    uint64_t port = 0;

    if (fed_span_to_u64(text, &port) || port == 0 || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* HOST[:PORT], IPv6 in brackets. */
static bool place_parse(struct fed_span place, struct fed_http_proxy *out)
{
    bool bracket = place.len > 0 && place.at[0] == '[';
    size_t end = fed_span_find(place, bracket ? ']' : ':');
    struct fed_span host = fed_span_sub(place, bracket, end - bracket);
    struct fed_span rest = fed_span_sub(place, end + bracket, place.len);

    if (host.len == 0 || (bracket && end == place.len))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (host.at[i] <= ' ' || host.at[i] >= 0x7f || strchr("/?#@[]", host.at[i]))
            return false;
    out->port = 80;
    if (rest.len > 0 &&
        (rest.at[0] != ':' || !port_of(fed_span_sub(rest, 1, rest.len), &out->port)))
        return false;
    if (fed_span_to_cstr(host, out->host, sizeof(out->host)))
        return false;
    snprintf(out->name, sizeof(out->name), bracket ? "proxy [%s]:%u" : "proxy %.240s:%u", out->host,
        out->port);
    return true;
}

enum fed_err fed_http_proxy_parse(
    const char *url, struct fed_http_proxy *out, struct fed_diag *diag)
{
    struct fed_span rest = fed_span_text(url ? url : "");
    struct fed_http_proxy proxy = {0};
    size_t at;

    if (rest.len == 0) {
        *out = proxy;
        return FED_OK;
    }
    if (rest.len > FED_HTTP_PROXY_MAX || !fed_span_starts(rest, "http://"))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "proxy: not http://[USER:PASSWORD@]HOST:PORT of at most %u bytes", FED_HTTP_PROXY_MAX);
    rest = fed_span_sub(rest, strlen("http://"), rest.len);
    if (rest.len > 0 && rest.at[rest.len - 1] == '/')
        rest.len--;
    for (at = rest.len; at > 0 && rest.at[at - 1] != '@'; at--)
        ;
    if (at > 0 && !secret_put(fed_span_sub(rest, 0, at - 1), proxy.secret))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "proxy: its user and password are longer than %u bytes or badly encoded", USER_MAX);
    if (!place_parse(fed_span_sub(rest, at, rest.len), &proxy))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "proxy: its host or port cannot be read; it is HOST:PORT");
    *out = proxy;
    return FED_OK;
}

enum fed_err fed_http_proxy_check(const char *url, struct fed_diag *diag)
{
    struct fed_http_proxy proxy;
    enum fed_err err = fed_http_proxy_parse(url, &proxy, diag);

    memset(&proxy, 0, sizeof(proxy));
    return err;
}

/* ---- the tunnel ---- */

enum fed_err fed_http_tunnel_begin(struct fed_http_link *link, struct fed_diag *diag)
{
    struct fed_http_client *client = link->client;
    const struct fed_http_proxy *proxy = &client->proxy;
    struct fed_buf request;
    ssize_t sent = -1;

    fed_buf_clear(&link->tunnel);
    fed_buf_init(&request, client->mem, 4096);
    fed_buf_printf(
        &request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", client->authority, client->authority);
    if (proxy->secret[0])
        fed_buf_printf(&request, "Proxy-Authorization: Basic %s\r\n", proxy->secret);
    fed_buf_put_text(&request, "\r\n");
    /* The buffer of a fresh socket takes that much at once. */
    if (!fed_buf_err(&request))
        sent = send(link->transport.fd, request.at, request.len, MSG_NOSIGNAL);
    if (sent == (ssize_t)request.len) {
        client->traffic.sent += request.len;
        fed_buf_fini(&request);
        return FED_ERR_BUSY;
    }
    fed_buf_fini(&request);
    return fed_diag_set(diag, FED_ERR_NETWORK, "%s: cannot be asked: %s", proxy->name,
        sent < 0 ? strerror(errno) : "the socket is full");
}

/* "HTTP/1.1 407 Proxy Authentication Required", without what does not belong on a terminal. */
static void status_line(struct fed_span head, char out[120])
{
    size_t len = 0;

    while (len < head.len && len < 119 && head.at[len] >= ' ' && head.at[len] < 0x7f) {
        out[len] = (char)head.at[len];
        len++;
    }
    out[len] = 0;
}

enum fed_err fed_http_tunnel_judge(
    const struct fed_http_proxy *proxy, struct fed_span head, struct fed_diag *diag)
{
    struct fed_span code = fed_span_sub(head, strlen("HTTP/1.1 "), 3);
    const char *hint = "";
    char line[120];
    uint64_t status = 0;

    if (!fed_span_starts(head, "HTTP/1.") || fed_span_to_u64(code, &status))
        return fed_diag_set(
            diag, FED_ERR_FORBIDDEN, "%s: its answer is not that of an HTTP proxy", proxy->name);
    if (status >= 200 && status < 300)
        return FED_OK;
    if (status == 407)
        hint = proxy->secret[0] ? "; user or password are wrong" : "; it wants user and password";
    status_line(head, line);
    return fed_diag_set(
        diag, FED_ERR_FORBIDDEN, "%s refuses the tunnel: %s%s", proxy->name, line, hint);
}

static bool is_whole(const struct fed_buf *answer)
{
    return answer->len >= 4 && memcmp(answer->at + answer->len - 4, "\r\n\r\n", 4) == 0;
}

enum fed_err fed_http_tunnel_read(struct fed_http_link *link, struct fed_diag *diag)
{
    const char *name = link->client->proxy.name;

    /* Byte by byte: what follows the head belongs to TLS. It is a few hundred, once. */
    while (!is_whole(&link->tunnel)) {
        uint8_t byte;
        ssize_t n = recv(link->transport.fd, &byte, 1, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            link->transport.read_wants = FED_LOOP_READ;
            return FED_ERR_BUSY;
        }
        if (n <= 0)
            return fed_diag_set(diag, FED_ERR_NETWORK, "%s: %s", name,
                n < 0 ? strerror(errno) : "it closed the connection without an answer");
        link->client->traffic.received++;
        fed_buf_put_u8(&link->tunnel, byte);
        if (fed_buf_err(&link->tunnel))
            return fed_diag_set(diag, FED_ERR_FORBIDDEN, "%s: its answer has no end", name);
    }
    return fed_http_tunnel_judge(&link->client->proxy, fed_buf_span(&link->tunnel), diag);
}
