/* no_proxy.c - see no_proxy.h. */
#include "ports/https/no_proxy.h"

#include "ports/resolve.h"
#include "proto/base/span.h"

#include <string.h>
#include <strings.h>

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool is_in(const struct fed_resolve_address *address,
    const struct fed_resolve_address *network, size_t bits)
{
    size_t bytes = bits / 8;
    unsigned mask = 0xff00u >> (bits % 8) & 0xff;

    if (address->len != network->len || bits > address->len * 8u)
        return false;
    if (memcmp(address->bytes, network->bytes, bytes) != 0)
        return false;
    return mask == 0 || (address->bytes[bytes] & mask) == (network->bytes[bytes] & mask);
}

/* ADDRESS or ADDRESS/BITS */
static bool matches_address(struct fed_span entry, const struct fed_resolve_address *host)
{
    size_t slash = fed_span_find(entry, '/');
    struct fed_resolve_address network;
    uint64_t bits = host->len * 8u;
    char text[64];

    if (fed_span_to_cstr(fed_span_sub(entry, 0, slash), text, sizeof(text)) ||
        !fed_resolve_literal(text, &network))
        return false;
    if (slash < entry.len &&
        fed_span_to_u64(fed_span_sub(entry, slash + 1, entry.len), &bits) != FED_OK)
        return false;
    return bits <= 128 && is_in(host, &network, (size_t)bits);
}

static bool matches_name(struct fed_span entry, const char *host)
{
    size_t len = strlen(host);
    const char *end;

    if (entry.len > 0 && entry.at[0] == '.')
        entry = fed_span_sub(entry, 1, entry.len);
    if (entry.len == 0 || entry.len > len)
        return false;
    end = host + (len - entry.len);
    return strncasecmp(end, (const char *)entry.at, entry.len) == 0 &&
           (end == host || end[-1] == '.');
}

bool fed_https_no_proxy(const char *list, const char *host)
{
    struct fed_span rest = fed_span_text(list);
    struct fed_resolve_address address;
    bool literal = fed_resolve_literal(host, &address);
    struct fed_span entry;

    while (fed_span_split(&rest, ',', &entry)) {
        entry = trim(entry);
        if (fed_span_is(entry, "*") ||
            (literal ? matches_address(entry, &address) : matches_name(entry, host)))
            return true;
    }
    return false;
}
