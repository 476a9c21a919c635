/* items.c - see link.h: what stands behind the fields of a hello, and what an agent asks it with.
 */
#include "proto/link/link.h"

#include <string.h>

enum item { ITEM_MARK = 1, ITEM_TRUST = 2, ITEM_COPIED = 3 };

static void put_item(struct fed_buf *out, enum item item, const uint8_t *bytes, size_t len)
{
    fed_buf_put_u8(out, (uint8_t)item);
    fed_buf_put_string(out, fed_span_of(bytes, len));
}

void fed_link_hello_items_put(struct fed_buf *out, const struct fed_link_hello_items *items)
{
    if (items->has_mark)
        put_item(out, ITEM_MARK, items->mark, sizeof items->mark);
    if (items->has_trust)
        put_item(out, ITEM_TRUST, items->trust, sizeof items->trust);
    if (items->copied)
        put_item(out, ITEM_COPIED, NULL, 0);
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
    }
}

void fed_link_hello_items_take(struct fed_span rest, struct fed_link_hello_items *out)
{
    struct fed_span value;
    uint8_t item;

    *out = (struct fed_link_hello_items){0};
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
    struct fed_link_hello_query found = {0};
    struct fed_span part;
    enum fed_err err;

    while (fed_span_split(&query, '&', &part)) {
        if (!fed_span_starts(part, "n="))
            continue;
        if (found.marks)
            return FED_ERR_INVALID;
        found.marks = true;
        err = take_mark(fed_span_sub(part, 2, part.len), &found);
        if (err)
            return err;
    }
    *out = found;
    return FED_OK;
}
