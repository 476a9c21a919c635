/* identity.h - the hub's CA and certificates, the admin's kubeconfig, join tokens and join
 * requests.
 *
 * Files in the data directory: ca.crt, ca.key (0600), those of a rotation (rotation.c), server.crt,
 * server.key (0600; made again when names or the CA change or it nears its end),
 * service-account.key (0600; signs ServiceAccounts' tokens, which all end when it is replaced),
 * admin.kubeconfig (0600; certificate with CN fedlet:admin, O system:masters). Agents'
 * certificates: CN = cluster name, O = fedlet:agents; nothing of a request's subject is used.
 *
 * JoinToken (fedlet.io/v1alpha1, namespaced, in kube-federation-system): spec {ttl, uses,
 * clusterName, approve}; the server makes the id (the object's name) and the secret (row "t/" id),
 * and gives the token text once, in the answer to the create, as status.token, which is never
 * stored. status {expiresAt, usesLeft, revoked}. Deleting the object revokes the token. Its name is
 * 6 to 32 of [a-z0-9]. JoinRequest: one per cluster that asked, of the cluster's name, made by the
 * hub only; spec {token, clusterName, publicKey (base64 of the SubjectPublicKeyInfo), labels,
 * approved}; status {state, requestedAt, approvedAt, renewedAt, certificateNotAfter,
 * certificate, certificateFingerprint, certificateAuthority (the pin of the CA that issued it),
 * certificateInUse (fingerprint of the newest one that the agent came with), publicKeyFingerprint,
 * message}. It is the record of the cluster's key: an
 * approved one that is deleted cuts its cluster off. A waiting one is let in by spec.approved: true
 * and turned away by setting status.state to Denied. It goes with its KubeFedCluster. A
 * KubeFedCluster that a join makes has placeholders in spec.apiEndpoint and spec.secretRef, which
 * KubeFed's schema wants and nothing here uses. */
#ifndef FEDLET_HUB_IDENTITY_IDENTITY_H
#define FEDLET_HUB_IDENTITY_IDENTITY_H

#include "hub/api/kinds.h"
#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/fs.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "proto/link/link.h"

struct hub_identity;

struct hub_identity_options {
    const char *data_dir;
    const char *const *advertise; /* names and addresses for the server's certificate, which always
                                   * has localhost, 127.0.0.1 and ::1 besides */
    size_t n_advertise;
    int64_t certificate_life_s;   /* of agents' certificates; 0: a year */
    int64_t certificate_return_s; /* how long after its end one may be exchanged; 0: always */
    bool offline; /* only the CAs are read, nothing is made: for what a person asks of them */
};
/* Makes what is missing. The hub's objects may be NULL until _attach. */
FED_MUST_USE enum fed_err hub_identity_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct fed_fs *fs, struct fed_crypto *crypto,
    const struct hub_identity_options *options, struct hub_identity **out, struct fed_diag *diag);
void hub_identity_close(struct hub_identity *identity);
/* All CAs that count, the one that issues first: whoever trusts the hub trusts these. */
struct fed_span hub_identity_ca_pem(const struct hub_identity *identity);
/* The hub's certificate and, during a rotation, what leads from it to the CA of before. */
struct fed_span hub_identity_server_cert_pem(const struct hub_identity *identity);
struct fed_span hub_identity_server_key_pem(const struct hub_identity *identity);
struct fed_span hub_identity_token_key_pem(const struct hub_identity *identity);
/* The hub's certificate is looked at every minute, by the wall clock, and made again 60 days before
 * its end, key and files too; call is told of it, and hands it to whoever shows it. When that fails
 * the old one stays, and another is tried an hour later. The admin's kubeconfig is looked at with
 * it. */
typedef void hub_identity_renewed(void *ctx);
void hub_identity_on_renewed(struct hub_identity *identity, hub_identity_renewed *call, void *ctx);
/* Writes DIR/admin.kubeconfig for this API address (kept when it is still right). */
FED_MUST_USE enum fed_err hub_identity_write_admin(
    struct hub_identity *identity, const char *api_url, struct fed_diag *diag);
/* From here on tokens and joins work. addresses: for tokens, "coaps://..." and "https://...". */
FED_MUST_USE enum fed_err hub_identity_attach(struct hub_identity *identity,
    struct hub_objects *objects, const char *const *addresses, size_t n_addresses,
    struct fed_diag *diag);
void hub_identity_token_hooks(struct hub_identity *identity, struct hub_kind_hooks *hooks);
void hub_identity_request_hooks(struct hub_identity *identity, struct hub_kind_hooks *hooks);

/* Key of a token for TLS-PSK. Also for expired and used-up tokens (the join request then gets a
 * sentence); not for unknown or revoked ones. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_identity_psk(
    struct hub_identity *identity, struct fed_span token_id, struct fed_buf *key);
/* A join request that came by a session authenticated with token_id (or empty: proof alone counts).
 * FED_OK with an answer (approved or pending); FED_ERR_FORBIDDEN (expired, used up, revoked, wrong
 * proof, other name bound), FED_ERR_CONFLICT (a cluster of that name exists with another key),
 * FED_ERR_INVALID, FED_ERR_BUSY (too many wrong proofs, or a change at the same moment: try later),
 * each with diag for the agent's user. Repeating it with the same key and name is answered again
 * and costs no use, also when the token is used up or has ended: an answer may be lost. Approval
 * creates the KubeFedCluster. */
FED_MUST_USE enum fed_err hub_identity_join(struct hub_identity *identity, struct fed_span token_id,
    const struct fed_join_request *request, struct fed_join_answer *answer, struct fed_diag *diag);
/* The cluster that a client certificate speaks for: chains to our CA is checked already; here O,
 * registration and that its key is the one recorded for the cluster. FED_ERR_FORBIDDEN with diag.
 */
FED_MUST_USE enum fed_err hub_identity_cluster_of(struct hub_identity *identity,
    const struct fed_crypto_cert_info *cert, struct fed_buf *cluster, struct fed_diag *diag);

/* A new certificate for the cluster's recorded key, for a session that hub_identity_cluster_of let
 * in; ends_unix_s: the end of the certificate that it came with. The answer is that of an approved
 * join. One that was issued just now is answered again; without issue that is all, and else it is
 * FED_ERR_NOT_FOUND. FED_ERR_FORBIDDEN (ended too long ago, not registered any more), FED_ERR_BUSY,
 * each with diag. */
FED_MUST_USE enum fed_err hub_identity_renew(struct hub_identity *identity, struct fed_span cluster,
    int64_t ends_unix_s, bool issue, struct fed_join_answer *answer, struct fed_diag *diag);
/* The agent came with this certificate: when it is the newest one, that is recorded. */
void hub_identity_used(struct hub_identity *identity, struct fed_span cluster,
    const struct fed_crypto_cert_info *cert);
/* Of the set of CAs that agents are to trust: the first bytes of the SHA-256 of their pins,
 * smallest first. */
const uint8_t *hub_identity_trust(const struct hub_identity *identity);

FED_MUST_USE enum fed_err hub_identity_random(
    struct hub_identity *identity, uint8_t *out, size_t len);

/* AES-256-GCM under a key that is made of the CA's private key and of all CAs that count: what was
 * sealed cannot be read any more when one of them comes or goes. For secrets that stand in the
 * store, copies of which travel further than the CA's key. Appends to out. FED_ERR_DIGEST from
 * _unseal when key, context or a byte is another. */
FED_MUST_USE enum fed_err hub_identity_seal(struct hub_identity *identity, struct fed_span context,
    struct fed_span plain, struct fed_buf *out);
FED_MUST_USE enum fed_err hub_identity_unseal(struct hub_identity *identity,
    struct fed_span context, struct fed_span sealed, struct fed_buf *out);

/* ---- the CA over years (docs/identity.md has the states) ---- */
enum hub_identity_rotation {
    HUB_ROTATION_NONE,    /* one CA */
    HUB_ROTATION_OVERLAP, /* a new one issues to agents; the hub itself still shows the old one's */
    HUB_ROTATION_SWITCHED /* the hub shows the new one's; the old one's agents are still let in */
};
struct hub_identity_ca {
    char name[256];
    struct fed_digest pin;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
};
struct hub_identity_cas {
    enum hub_identity_rotation state;
    struct hub_identity_ca now; /* that issues */
    struct hub_identity_ca old; /* unless NONE */
    bool bridged;               /* agents that know only the old one can follow to the new one */
};
void hub_identity_cas(const struct hub_identity *identity, struct hub_identity_cas *out);
/* The three steps. They change files; a hub that runs takes them in at its next start.
 * FED_ERR_CONFLICT with diag when there is nothing like that to do. */
FED_MUST_USE enum fed_err hub_identity_rotate(struct hub_identity *identity, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_identity_switch(struct hub_identity *identity, struct fed_diag *diag);
FED_MUST_USE enum fed_err hub_identity_drop(struct hub_identity *identity, struct fed_diag *diag);
/* Every approved cluster: whether it came with a certificate of the CA that issues now. Return
 * false to stop. */
typedef bool hub_identity_member(void *ctx, struct fed_span cluster, bool confirmed);
FED_MUST_USE enum fed_err hub_identity_members(
    struct hub_identity *identity, hub_identity_member *each, void *ctx, struct fed_diag *diag);
/* Instead of _attach for an offline one: reads objects, changes nothing. */
void hub_identity_attach_offline(struct hub_identity *identity, struct hub_objects *objects);

#endif
