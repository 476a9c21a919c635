/* link.c - see link.h: hello, query, addresses. */
#include "proto/link/link.h"

#include "proto/base/text.h"

#define HELLO_FORMAT 1u

void fed_link_hello_put(struct fed_buf *out, const struct fed_link_hello *hello)
{
    fed_buf_put_u8(out, HELLO_FORMAT);
    fed_buf_put_varint(out, hello->heartbeat_s);
    fed_buf_put_varint(out, hello->report_seq);
    fed_buf_put_varint(out, hello->unix_s < 0 ? 0 : (uint64_t)hello->unix_s);
    fed_buf_put_u32(out, hello->epoch);
}

enum fed_err fed_link_hello_take(struct fed_span *from, struct fed_link_hello *out)
{
    struct fed_span rest = *from;
    struct fed_link_hello hello = {0};
    uint64_t heartbeat_s;
    uint64_t unix_s;
    uint8_t format;
    enum fed_err err = fed_span_take_u8(&rest, &format);

    if (!err && format != HELLO_FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_varint(&rest, UINT32_MAX, &heartbeat_s);
    if (!err)
        err = fed_span_take_varint(&rest, UINT64_MAX, &hello.report_seq);
    if (!err)
        err = fed_span_take_varint(&rest, INT64_MAX, &unix_s);
    if (!err)
        err = fed_span_take_u32(&rest, &hello.epoch);
    if (err)
        return err;
    hello.heartbeat_s = (uint32_t)heartbeat_s;
    hello.unix_s = (int64_t)unix_s;
    *from = rest;
    *out = hello;
    return FED_OK;
}

/* ---- query ---- */

void fed_link_bundle_query_put(struct fed_buf *out, uint32_t epoch, uint64_t revision)
{
    fed_buf_printf(out, "e=%lu&r=%llu", (unsigned long)epoch, (unsigned long long)revision);
}

enum fed_err fed_link_bundle_query_parse(struct fed_span query, uint32_t *epoch, uint64_t *revision)
{
    bool have_epoch = false;
    bool have_revision = false;
    bool have_kept = false;
    uint64_t e = 0;
    uint64_t r = 0;
    struct fed_span part;

    while (fed_span_split(&query, '&', &part)) {
        bool is_epoch = fed_span_starts(part, "e=");
        bool *have = is_epoch ? &have_epoch : &have_revision;
        enum fed_err err;

        if (fed_span_is(part, FED_LINK_MARK_KEPT) && !have_kept) {
            have_kept = true;
            continue;
        }
        if ((!is_epoch && !fed_span_starts(part, "r=")) || *have)
            return FED_ERR_INVALID;
        err = fed_span_to_u64(fed_span_sub(part, 2, part.len), is_epoch ? &e : &r);
        if (err)
            return err;
        *have = true;
    }
    if (!have_epoch || !have_revision)
        return FED_ERR_INVALID;
    if (e > UINT32_MAX)
        return FED_ERR_LIMIT;
    *epoch = (uint32_t)e;
    *revision = r;
    return FED_OK;
}

bool fed_link_bundle_query_kept(struct fed_span query)
{
    struct fed_span part;

    while (fed_span_split(&query, '&', &part))
        if (fed_span_is(part, FED_LINK_MARK_KEPT))
            return true;
    return false;
}

/* ---- addresses ---- */

/* Hex digits, colons and dots of an IPv6 address; the resolver is the judge of the rest. */
static bool is_ipv6(struct fed_span text)
{
    if (text.len < 2 || text.len > 45 || fed_span_find(text, ':') == text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c != ':' && c != '.' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') &&
            !(c >= 'A' && c <= 'F'))
            return false;
    }
    return true;
}

/* DNS name, in either case, or IPv4 address. */
static bool is_host(struct fed_span text)
{
    char lower[254];

    if (text.len == 0 || text.len >= sizeof lower)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];

        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return fed_text_is_dns_subdomain(fed_span_of(lower, text.len));
}

/* Splits "host:port" or "[v6]:port". */
static bool split_port(struct fed_span text, struct fed_span *host, struct fed_span *port)
{
    size_t end;

    if (fed_span_starts(text, "[")) {
        end = fed_span_find(text, ']');
        *host = fed_span_sub(text, 1, end - 1);
        text = fed_span_sub(text, end + 1, text.len);
        *port = fed_span_sub(text, 1, text.len);
        return is_ipv6(*host) && fed_span_starts(text, ":");
    }
    end = fed_span_find(text, ':');
    *host = fed_span_sub(text, 0, end);
    *port = fed_span_sub(text, end + 1, text.len);
    return end < text.len && is_host(*host);
}

enum fed_err fed_link_address_parse(
    struct fed_span text, struct fed_link_address *out, struct fed_diag *diag)
{
    struct fed_link_address address = {.coap = fed_span_starts(text, "coaps://")};
    struct fed_span rest = fed_span_sub(text, 8, text.len); /* both schemes are this long */
    struct fed_span host;
    struct fed_span port;
    uint64_t number;

    if (!address.coap && !fed_span_starts(text, "https://"))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "address \"" FED_SPAN_FMT "\": must begin with coaps:// or https://",
            FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    if (fed_span_ends(rest, "/"))
        rest.len--;
    if (!split_port(rest, &host, &port) ||
        fed_span_to_cstr(host, address.host, sizeof address.host))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "address \"" FED_SPAN_FMT "\": HOST:PORT expected",
            FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    if (fed_span_to_u64(port, &number) || number == 0 || number > UINT16_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "address \"" FED_SPAN_FMT "\": the port must be a number from 1 to 65535",
            FED_SPAN_ARG(fed_span_sub(text, 0, 80)));
    address.port = (uint16_t)number;
    *out = address;
    return FED_OK;
}
