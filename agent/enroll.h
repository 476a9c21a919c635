/* enroll.h - joining: from a token to an identity on disk.
 *
 * The agent makes a P-256 key that never leaves the machine, opens a session keyed with the token
 * (TLS-PSK over CoAP; over HTTPS one with whoever brings the token's CA along), sends its public
 * key with a proof that it knows the token's secret, waits for approval when the hub asks for it,
 * and checks what comes back: the CA against the token's pin, the certificate against CA and key,
 * its times against the clock. Only then the identity is stored. Repeating a join that broke off
 * uses the same key and costs no use of the token. */
#ifndef FEDLET_AGENT_ENROLL_H
#define FEDLET_AGENT_ENROLL_H

#include "agent/dial.h"
#include "proto/link/link.h"

struct agent_enroll;

struct agent_enroll_options {
    const struct fed_token *token; /* borrowed until done */
    const char *cluster;
    const struct fed_join_label *labels; /* borrowed until done */
    size_t n_labels;
    struct fed_span key_pem;   /* borrowed until done */
    enum agent_dial_mode mode; /* which addresses of the token may be used */
    unsigned timeout_ms;       /* for all of it */
};

/* Called once. err FED_OK: identity is what is to be stored. Else diag is a sentence for people. */
typedef void agent_enroll_done(void *ctx, enum fed_err err, const struct agent_identity *identity,
    const struct fed_diag *diag);

struct agent_enroll_events {
    void *ctx;
    agent_enroll_done *done;
    void (*pending)(void *ctx); /* the hub wants the request approved; called once */
};

struct agent_enroll_slot {
    struct agent_enroll *enroll;
};
struct fed_link_events agent_enroll_link_events(struct agent_enroll_slot *slot);

/* Reads STATE_DIR/key.pem (path) or makes a key there, mode 0600. */
FED_MUST_USE enum fed_err agent_enroll_key(struct fed_alloc *mem, struct fed_fs *fs,
    struct fed_crypto *crypto, const char *path, struct fed_buf *key_pem, struct fed_diag *diag);

/* Begins; done follows from the loop, or at once when nothing can be tried. */
FED_MUST_USE enum fed_err agent_enroll_new(const struct agent_ports *ports,
    const struct agent_enroll_options *options, const struct agent_enroll_events *events,
    struct agent_enroll **out, struct fed_diag *diag);
void agent_enroll_start(struct agent_enroll *enroll);
void agent_enroll_free(struct agent_enroll *enroll);

/* The checks of an answer by themselves; trusted: the CAs that count from then on.
 * FED_ERR_FORBIDDEN, FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err agent_enroll_check(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct fed_token *token, const char *cluster, struct fed_span key_pem, int64_t unix_s,
    const struct fed_join_answer *answer, struct fed_buf *trusted, struct fed_diag *diag);

#endif
