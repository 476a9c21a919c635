/* address.c - see address.h. */
#include "ports/dtls/address.h"

#include "proto/base/span.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static enum fed_err bad(const char *text, struct fed_diag *diag)
{
    return fed_diag_set(diag, FED_ERR_INVALID,
        "not an address and port like 0.0.0.0:5684 or [::]:5684: %.80s", text);
}

enum fed_err dtls_address_parse(const char *text, struct dtls_address *out, struct fed_diag *diag)
{
    struct dtls_address address = {0};
    const char *colon = strrchr(text, ':');
    char host[64];
    size_t len;
    uint64_t port;

    if (!colon || fed_span_to_u64(fed_span_text(colon + 1), &port) || port > 65535)
        return bad(text, diag);
    len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return bad(text, diag);
    }
    if (len >= sizeof(host))
        return bad(text, diag);
    memcpy(host, text, len);
    host[len] = 0;
    address.port = (uint16_t)port;
    if (len == 0 || inet_pton(AF_INET6, host, address.ip) == 1)
        address.family = AF_INET6;
    else if (inet_pton(AF_INET, host, address.ip) == 1)
        address.family = AF_INET;
    else
        return bad(text, diag);
    *out = address;
    return FED_OK;
}

enum fed_err dtls_address_from_system(const struct sockaddr_storage *from, struct dtls_address *out)
{
    struct dtls_address address = {.family = from->ss_family};

    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        memcpy(address.ip, &in->sin_addr, 4);
        address.port = ntohs(in->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

        memcpy(address.ip, &in6->sin6_addr, 16);
        address.port = ntohs(in6->sin6_port);
        address.scope = in6->sin6_scope_id;
    } else {
        return FED_ERR_UNSUPPORTED;
    }
    *out = address;
    return FED_OK;
}

socklen_t dtls_address_to_system(const struct dtls_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (address->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;

        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    in6->sin6_scope_id = address->scope;
    memcpy(&in6->sin6_addr, address->ip, 16);
    return sizeof(*in6);
}

bool dtls_address_eq(const struct dtls_address *a, const struct dtls_address *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

uint64_t dtls_address_hash(const struct dtls_address *address, uint64_t seed)
{
    uint64_t words[3];
    uint64_t hash = seed;

    _Static_assert(sizeof(*address) == sizeof(words), "no padding in an address");
    memcpy(words, address, sizeof(words));
    for (size_t i = 0; i < 3; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

void dtls_address_text(const struct dtls_address *address, char out[DTLS_ADDRESS_TEXT_SIZE])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char ip[INET6_ADDRSTRLEN] = "?";

    if (address->family == AF_INET6 && memcmp(address->ip, mapped, 12) == 0) {
        inet_ntop(AF_INET, address->ip + 12, ip, sizeof(ip));
        snprintf(out, DTLS_ADDRESS_TEXT_SIZE, "%s:%u", ip, (unsigned)address->port);
        return;
    }
    inet_ntop(address->family, address->ip, ip, sizeof(ip));
    if (address->family == AF_INET)
        snprintf(out, DTLS_ADDRESS_TEXT_SIZE, "%s:%u", ip, (unsigned)address->port);
    else if (address->scope)
        snprintf(out, DTLS_ADDRESS_TEXT_SIZE, "[%s%%%u]:%u", ip, (unsigned)address->scope,
            (unsigned)address->port);
    else
        snprintf(out, DTLS_ADDRESS_TEXT_SIZE, "[%s]:%u", ip, (unsigned)address->port);
}
