/* vault.c - see vault.h. */
#include "agent/vault.h"

#include "agent/config.h"

#include <stdio.h>
#include <string.h>

#define FORMAT 1u
#define FILE_MAX (40u << 10)
#define VALUE_MAX (32u << 10)
#define SUM_SIZE 16u
#define NAME_MAX_BYTES (AGENT_PATH_MAX + 32u)

static const char *const kept[] = {AGENT_STATE_IDENTITY, AGENT_STATE_MARK, AGENT_STATE_TIME};

#define KEPT_N (sizeof kept / sizeof kept[0])

/* ---- keeping ---- */

static enum fed_err compose(struct agent_state *state, struct fed_buf *out)
{
    struct fed_digest digest;
    struct fed_buf value;
    enum fed_err err = FED_OK;

    fed_buf_init(&value, state->mem, VALUE_MAX);
    fed_buf_put_u8(out, FORMAT);
    for (size_t i = 0; i < KEPT_N && !err; i++) {
        fed_buf_clear(&value);
        err = state->store->get(state->store->ctx, fed_span_text(kept[i]), &value, NULL);
        if (!err) {
            fed_buf_put_string(out, fed_span_text(kept[i]));
            fed_buf_put_string(out, fed_buf_span(&value));
        } else if (err == FED_ERR_NOT_FOUND && i > 0) {
            err = FED_OK;
        }
    }
    fed_buf_fini(&value);
    if (!err)
        err = fed_buf_err(out);
    if (!err)
        err = fed_digest_of(fed_buf_span(out), &digest);
    if (!err)
        fed_buf_put(out, fed_span_of(digest.bytes, SUM_SIZE));
    return err ? err : fed_buf_err(out);
}

enum fed_err agent_vault_keep(struct agent_state *state, struct fed_diag *diag)
{
    const struct agent_vault *vault = state->vault;
    struct fed_buf now;
    struct fed_buf file;
    enum fed_err err;

    if (!vault)
        return FED_OK;
    fed_buf_init(&now, state->mem, FILE_MAX);
    fed_buf_init(&file, state->mem, FILE_MAX);
    err = compose(state, &now);
    if (!err && (vault->fs->read(vault->fs->ctx, vault->path, &file, NULL) ||
                    !fed_span_eq(fed_buf_span(&file), fed_buf_span(&now))))
        err = vault->fs->write(vault->fs->ctx, vault->path, fed_buf_span(&now), 0600, diag);
    fed_buf_fini(&file);
    fed_buf_fini(&now);
    return err;
}

/* ---- restoring ---- */

static enum fed_err check(struct fed_span *bytes)
{
    struct fed_digest digest;
    uint8_t format = 0;
    struct fed_span body;
    enum fed_err err;

    if (bytes->len < SUM_SIZE)
        return FED_ERR_TRUNCATED;
    body = fed_span_sub(*bytes, 0, bytes->len - SUM_SIZE);
    err = fed_digest_of(body, &digest);
    if (!err && memcmp(digest.bytes, bytes->at + body.len, SUM_SIZE) != 0)
        err = FED_ERR_DIGEST;
    if (!err)
        err = fed_span_take_u8(&body, &format);
    if (!err && format != FORMAT)
        err = FED_ERR_UNSUPPORTED;
    *bytes = body;
    return err;
}

static enum fed_err take_rows(struct fed_span bytes, struct fed_store_op ops[KEPT_N], size_t *n)
{
    enum fed_err err = check(&bytes);

    *n = 0;
    while (!err && bytes.len > 0) {
        struct fed_store_op *op = &ops[*n];

        if (*n == KEPT_N)
            return FED_ERR_LIMIT;
        *op = (struct fed_store_op){.remove = false};
        err = fed_span_take_string(&bytes, FED_STORE_KEY_MAX, &op->key);
        if (!err)
            err = fed_span_take_string(&bytes, VALUE_MAX, &op->value);
        (*n)++;
    }
    return err;
}

static bool is_there(struct agent_state *state)
{
    struct fed_buf value;
    bool there;

    fed_buf_init(&value, state->mem, VALUE_MAX);
    there = state->store->get(state->store->ctx, fed_span_text(kept[0]), &value, NULL) !=
            FED_ERR_NOT_FOUND;
    fed_buf_fini(&value);
    return there;
}

enum fed_err agent_vault_restore(struct agent_state *state, struct fed_diag *diag)
{
    const struct agent_vault *vault = state->vault;
    struct fed_store_op ops[KEPT_N];
    struct fed_buf file;
    size_t n = 0;
    enum fed_err err;

    if (is_there(state))
        return FED_OK;
    fed_buf_init(&file, state->mem, FILE_MAX);
    err = vault->fs->read(vault->fs->ctx, vault->path, &file, diag);
    if (!err && take_rows(fed_buf_span(&file), ops, &n))
        err = fed_diag_set(diag, FED_ERR_CORRUPT,
            "%s, which keeps the identity, is damaged, too; join again with a new token: "
            "`fedlet join --again`",
            vault->path);
    if (!err)
        err = state->store->commit(state->store->ctx, NULL, 0, ops, n, NULL, diag);
    fed_buf_fini(&file);
    return err;
}

/* ---- setting aside ---- */

static enum fed_err move(struct fed_fs *fs, const char *path, unsigned from, unsigned to,
    const char *suffix, struct fed_diag *diag)
{
    char a[NAME_MAX_BYTES];
    char b[NAME_MAX_BYTES];
    int n = from ? snprintf(a, sizeof a, "%s" AGENT_VAULT_ASIDE "%u%s", path, from, suffix)
                 : snprintf(a, sizeof a, "%s%s", path, suffix);
    int m = snprintf(b, sizeof b, "%s" AGENT_VAULT_ASIDE "%u%s", path, to, suffix);
    enum fed_err err;

    if (n < 0 || (size_t)n >= sizeof a || m < 0 || (size_t)m >= sizeof b)
        return fed_diag_set(diag, FED_ERR_LIMIT, "%s: the path is too long", path);
    /* What stays of the older one would be taken for a part of it. */
    err = fs->remove(fs->ctx, b, diag);
    if (!err)
        err = fs->rename(fs->ctx, a, b, diag);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

enum fed_err agent_vault_set_aside(struct fed_fs *fs, const char *path, struct fed_diag *diag)
{
    static const char *const suffixes[] = {"", "-wal"};
    static const char *const spare[] = {"-shm", "-journal"};
    enum fed_err err = FED_OK;

    for (unsigned to = AGENT_VAULT_ASIDE_MAX; to > 0 && !err; to--)
        for (size_t i = 0; i < 2 && !err; i++)
            err = move(fs, path, to - 1, to, suffixes[i], diag);
    for (size_t i = 0; i < 2 && !err; i++) {
        char name[NAME_MAX_BYTES];
        int n = snprintf(name, sizeof name, "%s%s", path, spare[i]);

        if (n > 0 && (size_t)n < sizeof name)
            err = fs->remove(fs->ctx, name, diag);
    }
    return err;
}
