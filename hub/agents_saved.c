/* agents_saved.c - see agents.h: sessions in a file between two processes of the hub.
 *
 * sealed: format 2, wall clock in milliseconds, version of the hub, epoch of the store, heartbeat,
 * trust, name of the key's file, then per session its steering byte, the gateway's part and the
 * link's part. A copy of both files has another name for its key. */
#include "hub/agents.h"

#include "hub/store_file.h"

#include <string.h>

#define FORMAT 2u
#define HUB_MAX 512u
#define CONTEXT "fedhub sessions 1"
#define SESSION_PART_MAX (16u << 10)

struct files {
    char sealed[HUB_STORE_PATH_MAX];
    char key[HUB_STORE_PATH_MAX];
};

static enum fed_err files_set(
    const struct hub_agents_parts *parts, struct files *out, struct fed_diag *diag)
{
    enum fed_err err = hub_store_path(parts->options, "sessions", out->sealed, diag);

    return err ? err : hub_store_path(parts->options, "sessions.key", out->key, diag);
}

static void wipe(struct fed_buf *buf)
{
    if (buf->at)
        memset(buf->at, 0, buf->cap);
    fed_buf_fini(buf);
}

void hub_agents_saved_put(
    struct fed_buf *out, unsigned steer, struct fed_span kept, struct fed_span part)
{
    fed_buf_put_u16(out, (uint16_t)steer);
    fed_buf_put_string(out, kept);
    fed_buf_put_string(out, part);
}

/* ---- write ---- */

/* What the hub is to agents. */
static void put_hub(const struct hub_agents_parts *parts, struct fed_buf *out)
{
    fed_buf_put_string(out, fed_span_text(FEDLET_VERSION));
    fed_buf_put_u32(out, parts->epoch);
    fed_buf_put_u32(out, parts->heartbeat_s);
    fed_buf_put(out, fed_span_of(parts->trust, FED_LINK_TRUST_SIZE));
}

static void put_head(
    const struct hub_agents_parts *parts, struct fed_span name, struct fed_buf *out)
{
    int64_t now_us = parts->loop->unix_us(parts->loop->ctx);

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u64(out, now_us > 0 ? (uint64_t)now_us / 1000 : 0);
    put_hub(parts, out);
    fed_buf_put_string(out, name);
}

/* First the key, whose file's name is in what is sealed with it. */
static enum fed_err write_key(const struct hub_agents_parts *parts, const struct files *files,
    uint8_t *key, struct fed_buf *name, struct fed_diag *diag)
{
    struct fed_fs *fs = parts->fs;
    enum fed_err err = parts->crypto->random(parts->crypto->ctx, key, FED_SEAL_KEY_SIZE);

    if (!err)
        err = fs->write(fs->ctx, files->key, fed_span_of(key, FED_SEAL_KEY_SIZE), 0600, diag);
    return err ? err : fs->name(fs->ctx, files->key, name, diag);
}

enum fed_err hub_agents_saved_write(
    const struct hub_agents_parts *parts, struct fed_span sessions, struct fed_diag *diag)
{
    struct fed_fs *fs = parts->fs;
    struct files files;
    struct fed_buf name;
    struct fed_buf plain;
    struct fed_buf sealed;
    uint8_t key[FED_SEAL_KEY_SIZE];
    enum fed_err err = files_set(parts, &files, diag);

    if (err)
        return err;
    fed_buf_init(&name, parts->mem, FED_FS_NAME_MAX);
    fed_buf_init(&plain, parts->mem, HUB_AGENTS_FILE_MAX);
    fed_buf_init(&sealed, parts->mem, HUB_AGENTS_FILE_MAX + FED_SEAL_EXTRA);
    err = write_key(parts, &files, key, &name, diag);
    put_head(parts, fed_buf_span(&name), &plain);
    fed_buf_put(&plain, sessions);
    if (!err)
        err = fed_buf_err(&plain);
    if (!err)
        err = fed_tls_seal(key, FED_SPAN_LIT(CONTEXT), fed_buf_span(&plain), &sealed);
    if (!err)
        err = fs->write(fs->ctx, files.sealed, fed_buf_span(&sealed), 0600, diag);
    memset(key, 0, sizeof key);
    fed_buf_fini(&name);
    wipe(&plain);
    fed_buf_fini(&sealed);
    return err;
}

/* ---- read ---- */

/* Both files, which are gone afterwards: that is made sure before anything is made of them. And the
 * name that the key's had. */
static enum fed_err take_files(const struct hub_agents_parts *parts, const struct files *files,
    struct fed_buf *sealed, struct fed_buf *key, struct fed_buf *name, struct fed_diag *diag)
{
    struct fed_fs *fs = parts->fs;
    enum fed_err err = fs->read(fs->ctx, files->sealed, sealed, diag);
    enum fed_err key_err = fs->read(fs->ctx, files->key, key, diag);
    enum fed_err name_err = key_err ? key_err : fs->name(fs->ctx, files->key, name, diag);
    enum fed_err gone = fs->remove(fs->ctx, files->key, diag);

    if (!gone)
        gone = fs->remove(fs->ctx, files->sealed, diag);
    if (gone)
        return gone;
    return err ? err : name_err;
}

static enum fed_err take_hub(
    const struct hub_agents_parts *parts, struct fed_span name, struct fed_span *from)
{
    struct fed_span theirs;
    struct fed_buf ours;
    enum fed_err err;

    fed_buf_init(&ours, parts->mem, HUB_MAX);
    put_hub(parts, &ours);
    fed_buf_put_string(&ours, name);
    err = fed_buf_err(&ours);
    if (!err &&
        (fed_span_take_bytes(from, ours.len, &theirs) || !fed_span_eq(theirs, fed_buf_span(&ours))))
        err = FED_ERR_UNSUPPORTED;
    fed_buf_fini(&ours);
    return err;
}

static enum fed_err take_head(const struct hub_agents_parts *parts, struct fed_span name,
    struct fed_span *from, uint32_t *away_ms)
{
    int64_t now_us = parts->loop->unix_us(parts->loop->ctx);
    uint64_t now_ms = now_us > 0 ? (uint64_t)now_us / 1000 : 0;
    uint64_t saved_ms;
    uint8_t format;
    enum fed_err err = fed_span_take_u8(from, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u64(from, &saved_ms);
    if (err)
        return FED_ERR_CORRUPT;
    /* A clock that was set back makes them younger, by no more than they may be old. */
    saved_ms = now_ms > saved_ms ? now_ms - saved_ms : 0;
    *away_ms = saved_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)saved_ms;
    return take_hub(parts, name, from);
}

static enum fed_err each(const struct hub_agents_parts *parts, struct fed_span name,
    struct fed_span from, hub_agents_saved_call *call, void *ctx)
{
    uint32_t away_ms;
    enum fed_err err = take_head(parts, name, &from, &away_ms);

    while (!err && from.len > 0) {
        struct fed_span kept;
        struct fed_span part;
        uint16_t steer;

        err = fed_span_take_u16(&from, &steer);
        if (!err)
            err = fed_span_take_string(&from, SESSION_PART_MAX, &kept);
        if (!err)
            err = fed_span_take_string(&from, SESSION_PART_MAX, &part);
        if (err)
            return FED_ERR_CORRUPT;
        call(ctx, steer, kept, part, away_ms);
    }
    return err;
}

enum fed_err hub_agents_saved_read(const struct hub_agents_parts *parts,
    hub_agents_saved_call *call, void *ctx, struct fed_diag *diag)
{
    struct files files;
    struct fed_buf plain;
    struct fed_buf sealed;
    struct fed_buf key;
    struct fed_buf name;
    enum fed_err err = files_set(parts, &files, diag);

    if (err)
        return err;
    fed_buf_init(&name, parts->mem, FED_FS_NAME_MAX);
    fed_buf_init(&key, parts->mem, FED_SEAL_KEY_SIZE);
    fed_buf_init(&sealed, parts->mem, HUB_AGENTS_FILE_MAX + FED_SEAL_EXTRA);
    fed_buf_init(&plain, parts->mem, HUB_AGENTS_FILE_MAX + 1);
    err = take_files(parts, &files, &sealed, &key, &name, diag);
    if (!err && key.len != FED_SEAL_KEY_SIZE)
        err = FED_ERR_CORRUPT;
    if (!err)
        err = fed_tls_unseal(key.at, FED_SPAN_LIT(CONTEXT), fed_buf_span(&sealed), &plain);
    if (!err)
        err = each(parts, fed_buf_span(&name), fed_buf_span(&plain), call, ctx);
    fed_buf_fini(&name);
    wipe(&key);
    wipe(&plain);
    fed_buf_fini(&sealed);
    return err;
}
