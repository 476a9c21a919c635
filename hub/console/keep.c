/* keep.c - see keep.h. */
#include "hub/console/keep.h"

#include "proto/base/text.h"

#include <string.h>

#define SECRET_BYTES 32u

void console_keep_init(struct console_keep *keep)
{
    fed_map_init(&keep->kept, keep->mem);
}

static void wipe(void *at, size_t n)
{
    volatile uint8_t *bytes = at;

    while (n > 0)
        bytes[--n] = 0;
}

static void kept_free(struct console_keep *keep, struct console_kept *kept)
{
    uint8_t *token = (uint8_t *)(uintptr_t)kept->grant.token.at;

    if (token) {
        wipe(token, kept->grant.token.len);
        fed_alloc_free(keep->mem, token, kept->grant.token.len);
    }
    fed_alloc_free(keep->mem, kept, sizeof *kept);
}

void console_keep_fini(struct console_keep *keep)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &keep->kept);
    while (fed_map_iter_next(&it))
        kept_free(keep, it.value);
    fed_map_fini(&keep->kept);
}

static struct fed_span key_of(const struct console_kept *kept)
{
    return fed_span_of(kept->key.bytes, sizeof kept->key.bytes);
}

void console_keep_drop(struct console_keep *keep, struct console_kept *kept)
{
    uint64_t id = kept->id;

    (void)fed_map_remove(&keep->kept, key_of(kept));
    kept_free(keep, kept);
    if (keep->ended)
        keep->ended(keep->ctx, id);
}

static bool is_over(const struct console_keep *keep, const struct console_kept *kept)
{
    uint64_t now_ms = fed_loop_now_ms(keep->loop);

    return now_ms >= kept->until_ms ||
           (keep->idle_ms > 0 && now_ms - kept->used_ms >= keep->idle_ms) ||
           (kept->grant.until_unix_s > 0 &&
               fed_loop_unix_s(keep->loop) >= kept->grant.until_unix_s);
}

void console_keep_sweep(struct console_keep *keep)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &keep->kept);
    while (fed_map_iter_next(&it))
        if (is_over(keep, it.value))
            console_keep_drop(keep, it.value);
}

void console_keep_drop_user(struct console_keep *keep, const char *name)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &keep->kept);
    while (fed_map_iter_next(&it)) {
        struct console_kept *kept = it.value;

        if (strcmp(kept->grant.user.name, name) == 0)
            console_keep_drop(keep, kept);
    }
}

/* Makes room for one more of the user. */
static void make_room(struct console_keep *keep, const char *user)
{
    struct console_kept *oldest = NULL;
    struct console_kept *own = NULL;
    struct fed_map_iter it;
    size_t n_own = 0;

    console_keep_sweep(keep);
    fed_map_iter_init(&it, &keep->kept);
    while (fed_map_iter_next(&it)) {
        struct console_kept *kept = it.value;

        if (!oldest || kept->used_ms < oldest->used_ms)
            oldest = kept;
        if (strcmp(kept->grant.user.name, user) != 0)
            continue;
        n_own++;
        if (!own || kept->used_ms < own->used_ms)
            own = kept;
    }
    if (n_own >= keep->user_max)
        console_keep_drop(keep, own);
    else if (keep->kept.count >= keep->max && oldest)
        console_keep_drop(keep, oldest);
}

static enum fed_err kept_new(
    struct console_keep *keep, const struct console_grant *grant, struct console_kept **out)
{
    struct console_kept *kept = fed_alloc_zero(keep->mem, sizeof *kept);
    uint8_t *token = NULL;

    if (kept && grant->token.len > 0)
        token = fed_alloc_get(keep->mem, grant->token.len);
    if (!kept || (grant->token.len > 0 && !token)) {
        fed_alloc_free(keep->mem, kept, sizeof *kept);
        return FED_ERR_NOMEM;
    }
    kept->grant = *grant;
    if (token)
        memcpy(token, grant->token.at, grant->token.len);
    kept->grant.token = fed_span_of(token, token ? grant->token.len : 0);
    *out = kept;
    return FED_OK;
}

static enum fed_err make_secret(
    struct console_keep *keep, struct fed_digest *key, char secret[CONSOLE_SECRET_SIZE])
{
    uint8_t bytes[SECRET_BYTES];
    struct fed_buf text;
    enum fed_err err = keep->crypto->random(keep->crypto->ctx, bytes, sizeof bytes);

    if (!err)
        err = fed_digest_of(fed_span_of(bytes, sizeof bytes), key);
    fed_buf_init(&text, keep->mem, CONSOLE_SECRET_SIZE);
    if (!err)
        fed_text_put_base64url(&text, fed_span_of(bytes, sizeof bytes));
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = fed_span_to_cstr(fed_buf_span(&text), secret, CONSOLE_SECRET_SIZE);
    if (text.at)
        wipe(text.at, text.len);
    fed_buf_fini(&text);
    wipe(bytes, sizeof bytes);
    return err;
}

enum fed_err console_keep_add(struct console_keep *keep, const struct console_grant *grant,
    uint64_t life_ms, char secret[CONSOLE_SECRET_SIZE], struct console_kept **out)
{
    struct console_kept *kept;
    enum fed_err err;

    if (grant->until_unix_s > 0 && fed_loop_unix_s(keep->loop) >= grant->until_unix_s)
        return FED_ERR_FORBIDDEN;
    make_room(keep, grant->user.name);
    err = kept_new(keep, grant, &kept);
    if (err)
        return err;
    kept->used_ms = fed_loop_now_ms(keep->loop);
    kept->until_ms = kept->used_ms + life_ms;
    err = make_secret(keep, &kept->key, secret);
    if (!err)
        err = fed_map_put(&keep->kept, key_of(kept), kept);
    if (err) {
        kept_free(keep, kept);
        return err;
    }
    kept->id = ++keep->last_id;
    *out = kept;
    return FED_OK;
}

struct console_kept *console_keep_use(struct console_keep *keep, struct fed_span secret)
{
    struct console_kept *kept = NULL;
    struct fed_digest key;
    struct fed_buf bytes;

    if (secret.len != CONSOLE_SECRET_SIZE - 1)
        return NULL;
    fed_buf_init(&bytes, keep->mem, SECRET_BYTES);
    if (!fed_text_base64url(secret, &bytes) && !fed_digest_of(fed_buf_span(&bytes), &key))
        kept = fed_map_get(&keep->kept, fed_span_of(key.bytes, sizeof key.bytes));
    if (bytes.at)
        wipe(bytes.at, bytes.len);
    fed_buf_fini(&bytes);
    if (kept && is_over(keep, kept)) {
        console_keep_drop(keep, kept);
        return NULL;
    }
    if (kept)
        kept->used_ms = fed_loop_now_ms(keep->loop);
    return kept;
}

int64_t console_kept_until(const struct console_keep *keep, const struct console_kept *kept)
{
    uint64_t now_ms = fed_loop_now_ms(keep->loop);
    uint64_t left_ms = kept->until_ms > now_ms ? kept->until_ms - now_ms : 0;
    int64_t until = fed_loop_unix_s(keep->loop) + (int64_t)(left_ms / 1000);

    return kept->grant.until_unix_s > 0 && kept->grant.until_unix_s < until
               ? kept->grant.until_unix_s
               : until;
}
