/* items.c - see link.h: what stands behind the fields of a hello, and what an agent asks it with.
 */
#include "proto/link/link.h"

#include <string.h>

enum item { ITEM_MARK = 1, ITEM_TRUST, ITEM_COPIED, ITEM_KNOWS, ITEM_KINDS };

#define VARINT_MAX 10u /* bytes */

static void put_item(struct fed_buf *out, enum item item, const uint8_t *bytes, size_t len)
{
    fed_buf_put_u8(out, (uint8_t)item);
    fed_buf_put_string(out, fed_span_of(bytes, len));
}

static void put_knows(struct fed_buf *out, uint64_t knows)
{
    uint8_t bytes[VARINT_MAX];
    size_t n = 0;

    for (; knows > 0x7f; knows >>= 7)
        bytes[n++] = (uint8_t)(knows | 0x80);
    bytes[n++] = (uint8_t)knows;
    put_item(out, ITEM_KNOWS, bytes, n);
}

void fed_link_hello_items_put(struct fed_buf *out, const struct fed_link_hello_items *items)
{
    if (items->has_mark)
        put_item(out, ITEM_MARK, items->mark, sizeof items->mark);
    if (items->has_trust)
        put_item(out, ITEM_TRUST, items->trust, sizeof items->trust);
    if (items->copied)
        put_item(out, ITEM_COPIED, NULL, 0);
    if (items->has_knows)
        put_knows(out, items->knows);
    if (items->has_kinds)
        put_item(out, ITEM_KINDS, items->kinds, sizeof items->kinds);
}

/* What is no varint was not said. */
static void take_knows(struct fed_span value, struct fed_link_hello_items *out)
{
    uint64_t knows;

    if (fed_span_take_varint(&value, UINT64_MAX, &knows) || value.len > 0)
        return;
    out->knows = knows;
    out->has_knows = true;
}

/* An item of another length than ours is one that we do not know. */
static void take_item(uint8_t item, struct fed_span value, struct fed_link_hello_items *out)
{
    if (item == ITEM_MARK && !out->has_mark && value.len == sizeof out->mark) {
        memcpy(out->mark, value.at, sizeof out->mark);
        out->has_mark = true;
    } else if (item == ITEM_TRUST && !out->has_trust && value.len == sizeof out->trust) {
        memcpy(out->trust, value.at, sizeof out->trust);
        out->has_trust = true;
    } else if (item == ITEM_COPIED && value.len == 0) {
        out->copied = true;
    } else if (item == ITEM_KNOWS && !out->has_knows) {
        take_knows(value, out);
    } else if (item == ITEM_KINDS && !out->has_kinds && value.len == sizeof out->kinds) {
        memcpy(out->kinds, value.at, sizeof out->kinds);
        out->has_kinds = true;
    }
}

void fed_link_hello_items_take(struct fed_span rest, struct fed_link_hello_items *out)
{
    struct fed_span value;
    uint8_t item;

    *out = (struct fed_link_hello_items){.knows = FED_LINK_KNOWS_FIRST};
    while (rest.len > 0 && !fed_span_take_u8(&rest, &item) &&
           !fed_span_take_string(&rest, rest.len, &value))
        take_item(item, value, out);
}

/* ---- the query of a hello ---- */

static const char none[] = "0";

void fed_link_hello_query_put(struct fed_buf *out, const uint8_t *mark)
{
    fed_buf_put_text(out, "n=");
    if (!mark)
        fed_buf_put_text(out, none);
    for (size_t i = 0; mark && i < FED_LINK_MARK_SIZE; i++)
        fed_buf_printf(out, "%02x", mark[i]);
}

void fed_link_hello_query_put_knows(struct fed_buf *out, uint64_t knows)
{
    fed_buf_printf(out, "%sv=%llu", out->len > 0 ? "&" : "", (unsigned long long)knows);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum fed_err take_mark(struct fed_span text, struct fed_link_hello_query *out)
{
    if (fed_span_is(text, none))
        return FED_OK;
    if (text.len != (size_t)2 * FED_LINK_MARK_SIZE)
        return FED_ERR_INVALID;
    for (size_t i = 0; i < FED_LINK_MARK_SIZE; i++) {
        int high = hex_digit(text.at[2 * i]);
        int low = hex_digit(text.at[2 * i + 1]);

        if (high < 0 || low < 0)
            return FED_ERR_INVALID;
        out->mark[i] = (uint8_t)(high << 4 | low);
    }
    out->has_mark = true;
    return FED_OK;
}

enum fed_err fed_link_hello_query_parse(struct fed_span query, struct fed_link_hello_query *out)
{
    struct fed_link_hello_query found = {.knows = FED_LINK_KNOWS_FIRST};
    struct fed_span part;
    bool knows = false;
    enum fed_err err = FED_OK;

    while (!err && fed_span_split(&query, '&', &part)) {
        struct fed_span value = fed_span_sub(part, 2, part.len);

        if (fed_span_starts(part, "n=")) {
            err = found.marks ? FED_ERR_INVALID : take_mark(value, &found);
            found.marks = true;
        } else if (fed_span_starts(part, "v=")) {
            err = knows ? FED_ERR_INVALID : fed_span_to_u64(value, &found.knows);
            knows = true;
        }
    }
    if (!err)
        *out = found;
    return err;
}
