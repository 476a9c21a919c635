/* keep.h - secrets that were given out, and whom they stand for: sessions of browsers, links that
 * sign in once.
 *
 * A secret is 256 random bits; only its SHA-256 is kept, and is what it is looked up by. Time is
 * monotonic; a grant's own end, which comes from a certificate, is the wall clock's. */
#ifndef FEDLET_HUB_CONSOLE_KEEP_H
#define FEDLET_HUB_CONSOLE_KEEP_H

#include "hub/access/user.h"
#include "ports/crypto.h"
#include "ports/loop.h"
#include "proto/base/map.h"

#define CONSOLE_SECRET_SIZE 44u /* base64url of 32 bytes, and NUL */

/* Whom it stands for, and what that rests on. */
struct console_grant {
    struct hub_user user;
    struct fed_span token; /* must still count; empty: it was a certificate */
    int64_t until_unix_s;  /* end of what it rests on; 0: not known */
};
struct console_kept {
    struct console_grant grant; /* token is its own copy */
    uint64_t id;                /* never used again in this process */
    uint64_t until_ms;
    uint64_t used_ms;
    struct fed_digest key;
};

struct console_keep {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_crypto *crypto;
    uint64_t idle_ms; /* 0: it need not be used */
    size_t max, user_max;
    /* Called when one is over, whatever the reason; not for those that _fini ends. */
    void (*ended)(void *ctx, uint64_t id);
    void *ctx;
    struct fed_map kept; /* key -> console_kept */
    uint64_t last_id;
};

/* Members above kept are set before. */
void console_keep_init(struct console_keep *keep);
void console_keep_fini(struct console_keep *keep);
/* Of one user, and of all, the one that was used longest ago gives way. secret is set when FED_OK.
 * FED_ERR_NOMEM, FED_ERR_FORBIDDEN when what the grant rests on is over. */
FED_MUST_USE enum fed_err console_keep_add(struct console_keep *keep,
    const struct console_grant *grant, uint64_t life_ms, char secret[CONSOLE_SECRET_SIZE],
    struct console_kept **out);
/* NULL when it is unknown or over. Counts as use. */
struct console_kept *console_keep_use(struct console_keep *keep, struct fed_span secret);
/* Unix seconds at which it is over when it is used until then. */
int64_t console_kept_until(const struct console_keep *keep, const struct console_kept *kept);
void console_keep_drop(struct console_keep *keep, struct console_kept *kept);
void console_keep_drop_user(struct console_keep *keep, const char *name);
/* Those that are over. */
void console_keep_sweep(struct console_keep *keep);

#endif
