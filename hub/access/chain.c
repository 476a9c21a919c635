/* chain.c - see chain.h. */
#include "hub/access/chain.h"

#include "proto/digest/sha256.h"

#include <stdio.h>
#include <string.h>

#define KEY ",\"chain\":\""
#define KEY_LEN (sizeof KEY - 1u)
#define SUFFIX (KEY_LEN + HUB_CHAIN_DIGITS + 2u)

void hub_chain_begin(struct hub_chain *chain)
{
    memset(chain->at, '0', HUB_CHAIN_DIGITS);
    chain->at[HUB_CHAIN_DIGITS] = '\0';
}

/* Of a record in two parts. */
static enum fed_err link_of(const struct hub_chain *before, struct fed_span record,
    struct fed_span end, struct hub_chain *out)
{
    struct fed_digest_state state;
    struct fed_digest digest;
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    err = fed_digest_add(&state, fed_span_text(before->at));
    if (!err)
        err = fed_digest_add(&state, record);
    if (!err)
        err = fed_digest_add(&state, end);
    if (!err)
        err = fed_digest_end(&state, &digest);
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    for (size_t i = 0; i < HUB_CHAIN_DIGITS / 2; i++)
        snprintf(out->at + 2 * i, 3, "%02x", digest.bytes[i]);
    return FED_OK;
}

enum fed_err hub_chain_put(struct hub_chain *chain, struct fed_span record, struct fed_buf *out)
{
    struct hub_chain next;
    enum fed_err err;

    if (record.len < 2 || record.at[record.len - 1] != '}')
        return FED_ERR_INVALID;
    err = link_of(chain, record, fed_span_text(""), &next);
    if (err)
        return err;
    fed_buf_put(out, fed_span_sub(record, 0, record.len - 1));
    fed_buf_put_text(out, KEY);
    fed_buf_put_text(out, next.at);
    fed_buf_put_text(out, "\"}\n");
    *chain = next;
    return fed_buf_err(out);
}

/* false: the line does not end like one that has a chain. */
static bool read_own(struct fed_span line, struct hub_chain *out)
{
    struct fed_span end;

    if (line.len < SUFFIX + 1)
        return false;
    end = fed_span_sub(line, line.len - SUFFIX, SUFFIX);
    if (memcmp(end.at, KEY, KEY_LEN) != 0 || memcmp(end.at + SUFFIX - 2, "\"}", 2) != 0)
        return false;
    for (size_t i = 0; i < HUB_CHAIN_DIGITS; i++) {
        uint8_t c = end.at[KEY_LEN + i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
    }
    memcpy(out->at, end.at + KEY_LEN, HUB_CHAIN_DIGITS);
    out->at[HUB_CHAIN_DIGITS] = '\0';
    return true;
}

enum fed_err hub_chain_check(
    struct hub_chain *chain, struct fed_span line, enum hub_chain_link *out)
{
    struct hub_chain own;
    struct hub_chain want;
    enum fed_err err;

    if (!read_own(line, &own)) {
        *out = HUB_CHAIN_NONE;
        return FED_OK;
    }
    if (!chain->at[0]) {
        *chain = own;
        *out = HUB_CHAIN_HOLDS;
        return FED_OK;
    }
    err = link_of(chain, fed_span_sub(line, 0, line.len - SUFFIX), fed_span_text("}"), &want);
    if (err)
        return err;
    *out = strcmp(own.at, want.at) == 0 ? HUB_CHAIN_HOLDS : HUB_CHAIN_BROKEN;
    *chain = own;
    return FED_OK;
}
