/* engine_cause.c - reasons and messages: thousands of clusters say the same few. */
#include "hub/rollout/engine_parts.h"

#include <string.h>

static size_t size_of(const struct rollout_cause *cause)
{
    return sizeof *cause + cause->reason_len + 1 + cause->message_len;
}

static struct fed_span key_of(const struct rollout_cause *cause)
{
    return fed_span_of(cause->text, cause->reason_len + 1 + cause->message_len);
}

/* Cut between characters, never within. */
static struct fed_span cut(struct fed_span text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && (text.at[max] & 0xc0) == 0x80)
        max--;
    return fed_span_sub(text, 0, max);
}

/* A NUL ends the reason in the key. */
static struct fed_span until_nul(struct fed_span text)
{
    return fed_span_sub(text, 0, fed_span_find(text, 0));
}

static void copy(char *to, struct fed_span from)
{
    if (from.len > 0)
        memcpy(to, from.at, from.len);
}

struct rollout_cause *rollout_cause_get(
    struct hub_rollout *r, struct fed_span reason, struct fed_span message)
{
    struct fed_span of = cut(until_nul(reason), HUB_ROLLOUT_REASON_MAX);
    struct fed_span says = cut(until_nul(message), HUB_ROLLOUT_MESSAGE_MAX);
    struct rollout_cause *cause = fed_alloc_zero(r->mem, sizeof *cause + of.len + 1 + says.len);
    struct rollout_cause *same;

    if (!cause)
        return NULL;
    cause->refs = 1;
    cause->reason_len = of.len;
    cause->message_len = says.len;
    copy(cause->text, of);
    copy(cause->text + of.len + 1, says);
    same = fed_map_get(&r->causes, key_of(cause));
    if (!same && !fed_map_put(&r->causes, key_of(cause), cause))
        return cause;
    fed_alloc_free(r->mem, cause, size_of(cause));
    return rollout_cause_keep(same);
}

struct rollout_cause *rollout_cause_keep(struct rollout_cause *cause)
{
    if (cause)
        cause->refs++;
    return cause;
}

void rollout_cause_drop(struct hub_rollout *r, struct rollout_cause *cause)
{
    if (!cause || --cause->refs > 0)
        return;
    fed_map_remove(&r->causes, key_of(cause));
    fed_alloc_free(r->mem, cause, size_of(cause));
}

struct fed_span rollout_cause_reason(const struct rollout_cause *cause)
{
    return cause ? fed_span_of(cause->text, cause->reason_len) : FED_SPAN_LIT("");
}

struct fed_span rollout_cause_message(const struct rollout_cause *cause)
{
    return cause ? fed_span_of(cause->text + cause->reason_len + 1, cause->message_len)
                 : FED_SPAN_LIT("");
}
