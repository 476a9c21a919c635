/* session.c - see session.h. */
#include "agent/session.h"

#include "proto/link/link.h"

#include <string.h>

#define FORMAT 1u
#define AWAY_TIMEOUT_MS 1000u

/* Keys do not stay in memory that is given back. */
static void forget(struct fed_buf *buf)
{
    if (buf->at)
        explicit_bzero(buf->at, buf->cap);
    fed_buf_fini(buf);
}

/* ---- the file ---- */

static void put_digest(struct fed_buf *out, const struct fed_digest *digest)
{
    fed_buf_put(out, fed_span_of(digest->bytes, sizeof digest->bytes));
}

void agent_session_put(struct fed_buf *out, const struct agent_session *session)
{
    struct fed_digest digest = {{0}};

    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_string(out, session->anchor);
    fed_buf_put_string(out, session->hub);
    put_digest(out, &session->certificate);
    put_digest(out, &session->ca);
    fed_buf_put_varint(out, session->unix_s);
    fed_buf_put_varint(out, session->life_s);
    fed_buf_put_string(out, session->link);
    if (fed_digest_of(fed_buf_span(out), &digest) && !out->err)
        out->err = FED_ERR_INTERNAL;
    put_digest(out, &digest);
}

static enum fed_err take_digest(struct fed_span *from, struct fed_digest *out)
{
    struct fed_span bytes;
    enum fed_err err = fed_span_take_bytes(from, sizeof out->bytes, &bytes);

    if (!err)
        memcpy(out->bytes, bytes.at, sizeof out->bytes);
    return err;
}

static enum fed_err check_digest(struct fed_span *bytes)
{
    struct fed_digest digest;
    enum fed_err err;

    if (bytes->len < sizeof digest.bytes)
        return FED_ERR_TRUNCATED;
    bytes->len -= sizeof digest.bytes;
    err = fed_digest_of(*bytes, &digest);
    if (err)
        return err;
    return memcmp(digest.bytes, bytes->at + bytes->len, sizeof digest.bytes) == 0 ? FED_OK
                                                                                  : FED_ERR_DIGEST;
}

enum fed_err agent_session_take(struct fed_span bytes, struct agent_session *out)
{
    struct agent_session s = {0};
    uint8_t format = 0;
    enum fed_err err = check_digest(&bytes);

    if (!err)
        err = fed_span_take_u8(&bytes, &format);
    if (!err && format != FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_string(&bytes, FED_FS_NAME_MAX, &s.anchor);
    if (!err)
        err = fed_span_take_string(&bytes, FED_TOKEN_ADDRESS_MAX, &s.hub);
    if (!err)
        err = take_digest(&bytes, &s.certificate);
    if (!err)
        err = take_digest(&bytes, &s.ca);
    if (!err)
        err = fed_span_take_varint(&bytes, INT64_MAX, &s.unix_s);
    if (!err)
        err = fed_span_take_varint(&bytes, AGENT_SESSION_LIFE_MAX_S, &s.life_s);
    if (!err)
        err = fed_span_take_string(&bytes, AGENT_SESSION_LINK_MAX, &s.link);
    if (!err && bytes.len > 0)
        err = FED_ERR_INVALID;
    if (!err)
        *out = s;
    return err;
}

/* Whose it is, and where. The name goes to name, which outlives session. */
static enum fed_err describe(const struct agent_session_place *place,
    const struct agent_session_of *of, struct fed_buf *name, struct agent_session *session,
    struct fed_diag *diag)
{
    enum fed_err err = place->fs->name(place->fs->ctx, place->anchor, name, diag);

    if (!err)
        err = fed_digest_of(fed_span_text(of->identity->certificate), &session->certificate);
    if (!err)
        err = fed_digest_of(fed_span_text(of->identity->ca), &session->ca);
    session->anchor = fed_buf_span(name);
    return err;
}

/* ---- keeping ---- */

static void on_away(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    (void)ctx;
    (void)err;
    (void)message;
    (void)diag;
}

static enum fed_err keep(const struct agent_ports *ports, const struct agent_session_place *place,
    const struct agent_session_of *of, struct agent_session *session, struct fed_diag *diag)
{
    struct fed_buf name;
    struct fed_buf file;
    enum fed_err err;

    fed_buf_init(&name, ports->mem, FED_FS_NAME_MAX);
    fed_buf_init(&file, ports->mem, AGENT_SESSION_MAX);
    err = describe(place, of, &name, session, diag);
    if (!err) {
        agent_session_put(&file, session);
        err = fed_buf_err(&file);
    }
    if (!err)
        err = place->fs->write(place->fs->ctx, place->path, fed_buf_span(&file), 0600, diag);
    forget(&file);
    fed_buf_fini(&name);
    return err;
}

/* Nobody waits for what the hub says to the goodbye: a lost one costs it the retransmissions of
 * what it has to tell. */
void agent_session_keep(const struct agent_ports *ports, const struct agent_session_place *place,
    const struct agent_session_of *of, size_t hub, uint32_t heartbeat_ms)
{
    struct fed_link *link = ports->link;
    uint64_t life_s = (uint64_t)heartbeat_ms * AGENT_SESSION_BEATS / 1000;
    struct agent_session session = {.hub = fed_span_text(of->hubs[hub]),
        .life_s = life_s < AGENT_SESSION_LIFE_MAX_S ? life_s : AGENT_SESSION_LIFE_MAX_S};
    int64_t now_unix_s = fed_loop_unix_s(ports->loop);
    struct fed_diag diag = {""};
    struct fed_buf bytes;
    enum fed_err err;

    if (!place || !link->suspend || now_unix_s < 0 ||
        link->request(link->ctx, FED_LINK_POST, FED_LINK_PATH_AWAY, NULL, (struct fed_span){0},
            AWAY_TIMEOUT_MS, on_away, NULL)) {
        link->disconnect(link->ctx);
        return;
    }
    fed_buf_init(&bytes, ports->mem, AGENT_SESSION_LINK_MAX);
    err = link->suspend(link->ctx, &bytes);
    session.unix_s = (uint64_t)now_unix_s;
    session.link = fed_buf_span(&bytes);
    if (!err)
        err = keep(ports, place, of, &session, &diag);
    if (err)
        fed_log(ports->log, FED_LOG_INFO, "the hub session is not kept for the next start: %s",
            diag.text[0] ? diag.text : fed_err_text(err));
    forget(&bytes);
}

/* ---- going on ---- */

/* NULL, or why it is of no use. */
static const char *judge(const struct agent_ports *ports, const struct agent_session *kept,
    const struct agent_session *now, const struct agent_session_of *of, size_t *hub)
{
    int64_t now_unix_s = fed_loop_unix_s(ports->loop);
    size_t i = 0;

    if (!fed_span_eq(kept->anchor, now->anchor))
        return "it was kept in another directory, used already, or the machine was restarted";
    if (memcmp(&kept->certificate, &now->certificate, sizeof kept->certificate) != 0 ||
        memcmp(&kept->ca, &now->ca, sizeof kept->ca) != 0)
        return "certificate or CA changed";
    while (i < of->n_hubs && !fed_span_is(kept->hub, of->hubs[i]))
        i++;
    if (i == of->n_hubs)
        return "the hub's addresses changed";
    if (now_unix_s < 0 || (uint64_t)now_unix_s < kept->unix_s ||
        (uint64_t)now_unix_s - kept->unix_s > kept->life_s)
        return "it is too old";
    *hub = i;
    return NULL;
}

/* Good for nothing from here on, wherever copies of the file are. */
static enum fed_err spend(const struct agent_session_place *place, struct fed_diag *diag)
{
    return place->fs->touch(place->fs->ctx, place->anchor, diag);
}

static enum fed_err go_on(const struct agent_ports *ports, const struct agent_session_place *place,
    const struct agent_session_of *of, struct fed_span file, size_t *hub, struct fed_diag *diag)
{
    struct agent_session now = {.life_s = 0};
    struct agent_session kept;
    struct fed_link_address address;
    struct fed_buf name;
    const char *why = NULL;
    enum fed_err err = agent_session_take(file, &kept);

    fed_buf_init(&name, ports->mem, FED_FS_NAME_MAX);
    if (!err)
        err = describe(place, of, &name, &now, diag);
    if (!err)
        why = judge(ports, &kept, &now, of, hub);
    if (why)
        err = fed_diag_set(diag, FED_ERR_NOT_FOUND, "%s", why);
    if (!err)
        err = fed_link_address_parse(kept.hub, &address, diag);
    if (!err)
        err = spend(place, diag);
    if (!err)
        err = ports->link->resume(
            ports->link->ctx, address.host, address.port, kept.link, AGENT_SESSION_PROOF_MS, diag);
    fed_buf_fini(&name);
    return err;
}

enum fed_err agent_session_resume(const struct agent_ports *ports,
    const struct agent_session_place *place, const struct agent_session_of *of, size_t *hub)
{
    struct fed_diag diag = {""};
    struct fed_buf file;
    enum fed_err err;

    if (!place)
        return FED_ERR_NOT_FOUND;
    fed_buf_init(&file, ports->mem, AGENT_SESSION_MAX);
    err = place->fs->read(place->fs->ctx, place->path, &file, &diag);
    if (err != FED_ERR_NOT_FOUND) {
        enum fed_err removed = place->fs->remove(place->fs->ctx, place->path, &diag);

        err = removed ? removed : err;
        if (!err && ports->link->resume)
            err = go_on(ports, place, of, fed_buf_span(&file), hub, &diag);
        else if (!err)
            err = FED_ERR_NOT_FOUND;
        if (err)
            fed_log(ports->log, FED_LOG_INFO, "the hub session of before is not used: %s",
                diag.text[0] ? diag.text : fed_err_text(err));
    }
    forget(&file);
    return err;
}
