/* agents.h - where the agents' sessions live: in gateway workers, or in this process; those by CoAP
 * are saved when the hub stops in order, and gone on with when it starts.
 *
 * Files in the data directory, between the two only: sessions (sealed) and sessions.key (0600).
 * They are removed before the first session is made of them: a session that went on twice would
 * use nonces twice. */
#ifndef FEDLET_HUB_AGENTS_H
#define FEDLET_HUB_AGENTS_H

#include "hub/gateway/gateway.h"
#include "hub/options.h"
#include "ports/fs.h"

struct hub_agents;

struct hub_agents_parts {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_fs *fs;
    struct fed_crypto *crypto;
    struct hub_gateway *gateway;
    const struct hub_options *options;
    /* Agents are told these once, at the beginning of a session: when one of them is another now,
     * saved sessions do not go on. */
    uint32_t epoch; /* of the store */
    uint32_t heartbeat_s;
    const uint8_t *trust;      /* FED_LINK_TRUST_SIZE */
    unsigned descriptors;      /* that a process may have for connections */
    unsigned descriptors_here; /* this one, beside those of the API */
    struct fed_span cert_pem;
    struct fed_span chain_pem; /* what is shown by HTTPS; for the call only */
    struct fed_span key_pem;
    struct fed_span client_ca_pem;
};

/* Listens; nothing is taken before _go. What parts points to outlives the agents. */
FED_MUST_USE enum fed_err hub_agents_open(
    const struct hub_agents_parts *parts, struct hub_agents **out, struct fed_diag *diag);
/* Saved sessions go on, and new ones begin. */
void hub_agents_go(struct hub_agents *agents);
/* Stops in order: asked is called when everything that was asked is with the gateway, so that what
 * it holds can be answered; then sessions are saved, then done is called. Once. */
void hub_agents_stop(
    struct hub_agents *agents, void (*asked)(void *ctx), void (*done)(void *ctx), void *ctx);
/* Not inside asked or done. Sessions that were not saved are closed. */
void hub_agents_close(struct hub_agents *agents);
/* New handshakes use these; sessions go on. What cannot be had is logged, and stays as it was. */
void hub_agents_certificate(struct hub_agents *agents, struct fed_span cert_pem,
    struct fed_span chain_pem, struct fed_span key_pem, struct fed_span client_ca_pem);
uint16_t hub_agents_port(const struct hub_agents *agents);
uint16_t hub_agents_https_port(const struct hub_agents *agents);
void hub_agents_stats(const struct hub_agents *agents, struct fed_link_server_stats *out);
void hub_agents_https_stats(const struct hub_agents *agents, struct fed_link_server_stats *out);

/* ---- agents_saved.c: the file ---- */
#define HUB_AGENTS_FILE_MAX (256u << 20) /* 100,000 sessions of 1 KiB, twice over */

/* Appends one session. */
void hub_agents_saved_put(
    struct fed_buf *out, unsigned steer, struct fed_span kept, struct fed_span part);
/* Seals what was put and writes it. */
FED_MUST_USE enum fed_err hub_agents_saved_write(
    const struct hub_agents_parts *parts, struct fed_span sessions, struct fed_diag *diag);
typedef void hub_agents_saved_call(
    void *ctx, unsigned steer, struct fed_span kept, struct fed_span part, uint32_t away_ms);
/* Reads and removes the file, then calls for each session. FED_ERR_NOT_FOUND: there is none;
 * FED_ERR_UNSUPPORTED: of a hub that was another, of before a restart of the machine, or a copy
 * that was put back; FED_ERR_DIGEST, FED_ERR_CORRUPT; whatever is wrong, the file is gone or
 * nothing was called. */
FED_MUST_USE enum fed_err hub_agents_saved_read(const struct hub_agents_parts *parts,
    hub_agents_saved_call *call, void *ctx, struct fed_diag *diag);

#endif
