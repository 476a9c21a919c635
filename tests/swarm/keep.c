/* keep.c - files of a swarm, so that what costs time costs it once.
 *
 * Keys: u8 format 1, then strings (PEM). State: u8 format 1; string CA (PEM); varint n; then each:
 * strings name, key, certificate. */
#include "tests/swarm/swarm.h"

#include <string.h>

#define FORMAT 1u
#define FILE_MAX (512u << 20)
#define PEM_MAX 8192u

struct fed_span swarm_keep(struct swarm *swarm, struct fed_span text)
{
    uint8_t *copy = fed_alloc_get(&swarm->texts.alloc, text.len + 1);

    if (!copy)
        return (struct fed_span){0};
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    return fed_span_of(copy, text.len);
}

static enum fed_err take_kept(
    struct swarm *swarm, struct fed_span *from, size_t max, struct fed_span *out)
{
    struct fed_span text;
    enum fed_err err = fed_span_take_string(from, max, &text);

    if (err)
        return err;
    *out = swarm_keep(swarm, text);
    return out->at ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err read_file(
    struct swarm *swarm, const char *path, struct fed_buf *raw, struct fed_diag *diag)
{
    fed_buf_init(raw, swarm->mem, FILE_MAX);
    return swarm->fs.read(swarm->fs.ctx, path, raw, diag);
}

static enum fed_err write_file(
    struct swarm *swarm, const char *path, struct fed_buf *raw, struct fed_diag *diag)
{
    enum fed_err err = fed_buf_err(raw);

    return err ? err : swarm->fs.write(swarm->fs.ctx, path, fed_buf_span(raw), 0600, diag);
}

/* ---- keys ---- */

static enum fed_err keys_take(struct swarm *swarm, struct fed_span from, size_t *n)
{
    uint8_t format;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != FORMAT)
        err = FED_ERR_UNSUPPORTED;
    for (*n = 0; !err && from.len && *n < swarm->n; (*n)++)
        err = take_kept(swarm, &from, PEM_MAX, &swarm->agents[*n].key_pem);
    return err;
}

static enum fed_err keys_make(struct swarm *swarm, size_t from)
{
    enum fed_err err = FED_OK;

    for (size_t i = from; !err && i < swarm->n; i++) {
        struct fed_buf key;

        fed_buf_init(&key, swarm->mem, PEM_MAX);
        err = swarm->crypto.key_new(swarm->crypto.ctx, &key);
        if (!err)
            err = fed_buf_err(&key);
        if (!err)
            swarm->agents[i].key_pem = swarm_keep(swarm, fed_buf_span(&key));
        if (!err && !swarm->agents[i].key_pem.at)
            err = FED_ERR_NOMEM;
        fed_buf_fini(&key);
    }
    return err;
}

static enum fed_err keys_write(struct swarm *swarm, struct fed_diag *diag)
{
    struct fed_buf raw;
    enum fed_err err;

    fed_buf_init(&raw, swarm->mem, FILE_MAX);
    fed_buf_put_u8(&raw, FORMAT);
    for (size_t i = 0; i < swarm->n; i++)
        fed_buf_put_string(&raw, swarm->agents[i].key_pem);
    err = write_file(swarm, swarm->keys_path, &raw, diag);
    fed_buf_fini(&raw);
    return err;
}

enum fed_err swarm_keys(struct swarm *swarm, struct fed_diag *diag)
{
    struct fed_buf raw = {0};
    size_t n = 0;
    enum fed_err err = FED_OK;

    if (swarm->keys_path) {
        err = read_file(swarm, swarm->keys_path, &raw, diag);
        if (!err)
            err = keys_take(swarm, fed_buf_span(&raw), &n);
        else if (err == FED_ERR_NOT_FOUND)
            err = FED_OK;
        fed_buf_fini(&raw);
    }
    if (err)
        return fed_diag_prefix(diag, err, "%s", swarm->keys_path);
    if (n == swarm->n)
        return FED_OK;
    fed_log(swarm->log, FED_LOG_INFO, "making %zu keys", swarm->n - n);
    err = keys_make(swarm, n);
    if (!err && swarm->keys_path)
        err = keys_write(swarm, diag);
    return err;
}

/* ---- who has joined ---- */

static enum fed_err agent_take(
    struct swarm *swarm, struct fed_span *from, struct swarm_agent *agent)
{
    struct fed_span name;
    enum fed_err err = fed_span_take_string(from, sizeof agent->name - 1, &name);

    if (!err)
        err = fed_span_to_cstr(name, agent->name, sizeof agent->name);
    if (!err)
        err = take_kept(swarm, from, PEM_MAX, &agent->key_pem);
    if (!err)
        err = take_kept(swarm, from, PEM_MAX, &agent->cert_pem);
    return err;
}

static enum fed_err state_take(struct swarm *swarm, struct fed_span from, struct fed_diag *diag)
{
    uint8_t format;
    uint64_t n = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = take_kept(swarm, &from, PEM_MAX, &swarm->ca_pem);
    if (!err)
        err = fed_span_take_varint(&from, SWARM_AGENTS_MAX, &n);
    if (!err && n < swarm->n)
        return fed_diag_set(diag, FED_ERR_INVALID, "only %zu agents have joined", (size_t)n);
    for (size_t i = 0; !err && i < swarm->n; i++)
        err = agent_take(swarm, &from, &swarm->agents[i]);
    return err;
}

enum fed_err swarm_state_read(struct swarm *swarm, struct fed_diag *diag)
{
    struct fed_buf raw;
    enum fed_err err = read_file(swarm, swarm->state_path, &raw, diag);

    if (!err)
        err = state_take(swarm, fed_buf_span(&raw), diag);
    fed_buf_fini(&raw);
    return err ? fed_diag_prefix(diag, err, "%s", swarm->state_path) : FED_OK;
}

enum fed_err swarm_state_write(struct swarm *swarm, struct fed_diag *diag)
{
    struct fed_buf raw;
    enum fed_err err;

    fed_buf_init(&raw, swarm->mem, FILE_MAX);
    fed_buf_put_u8(&raw, FORMAT);
    fed_buf_put_string(&raw, swarm->ca_pem);
    fed_buf_put_varint(&raw, swarm->n);
    for (size_t i = 0; i < swarm->n; i++) {
        fed_buf_put_string(&raw, fed_span_text(swarm->agents[i].name));
        fed_buf_put_string(&raw, swarm->agents[i].key_pem);
        fed_buf_put_string(&raw, swarm->agents[i].cert_pem);
    }
    err = write_file(swarm, swarm->state_path, &raw, diag);
    fed_buf_fini(&raw);
    return err;
}
