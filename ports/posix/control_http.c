/* control_http.c - the little of HTTP that a scrape of metrics needs (RFC 9112), and where it may
 * be asked for. */
#include "ports/control.h"

#include "ports/posix/control_wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool fed_control_http_is_whole(struct fed_span head)
{
    for (size_t i = 1; i < head.len; i++) {
        if (head.at[i] != '\n')
            continue;
        if (head.at[i - 1] == '\n' || (i >= 3 && head.at[i - 1] == '\r' && head.at[i - 2] == '\n'))
            return true;
    }
    return false;
}

enum fed_err fed_control_http_parse(struct fed_span head, struct fed_span *path)
{
    struct fed_span line = fed_span_sub(head, 0, fed_span_find(head, '\n'));
    struct fed_span method;
    struct fed_span target;

    if (!fed_span_split(&line, ' ', &method) || !fed_span_split(&line, ' ', &target) ||
        !fed_span_starts(line, "HTTP/1.") || target.len == 0 || target.at[0] != '/')
        return FED_ERR_INVALID;
    if (!fed_span_is(method, "GET"))
        return FED_ERR_UNSUPPORTED;
    *path = fed_span_sub(target, 0, fed_span_find(target, '?'));
    return FED_OK;
}

enum fed_err fed_control_loopback(
    const char *text, struct sockaddr_storage *out, socklen_t *len, struct fed_diag *diag)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    struct fed_span all = fed_span_text(text);
    bool by_v6 = fed_span_starts(all, "[::1]:");
    struct fed_span host = fed_span_sub(all, 0, by_v6 ? 5 : fed_span_find(all, ':'));
    struct fed_span rest = fed_span_sub(all, host.len + 1, all.len);
    uint64_t port = 0;

    memset(out, 0, sizeof *out);
    if ((!by_v6 && !fed_span_is(host, "127.0.0.1")) || fed_span_to_u64(rest, &port) || port == 0 ||
        port > 65535)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "\"%s\" is none of unix:/PATH, 127.0.0.1:PORT and [::1]:PORT", text);
    if (by_v6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons((uint16_t)port);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons((uint16_t)port);
    }
    *len = by_v6 ? sizeof *v6 : sizeof *v4;
    return FED_OK;
}

enum fed_err fed_control_http_check(const char *listen_at, struct fed_diag *diag)
{
    struct sockaddr_storage port;
    struct sockaddr_un path;
    socklen_t len;

    if (strncmp(listen_at, "unix:/", 6) == 0)
        return fed_control_address(listen_at + 5, &path, diag);
    return fed_control_loopback(listen_at, &port, &len, diag);
}
