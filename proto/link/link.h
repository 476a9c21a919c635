/* link.h - the resources between agent and hub, the same on every binding, and their small
 * messages. docs/protocol.md is the whole specification, with codes, times and what each side does.
 *
 *   method  path  who     request payload          answer payload
 *   POST    /j    token   join request (JSON)      join answer (JSON)
 *   GET     /h    agent   -                        hello (below)
 *   GET     /b    agent   - query e=EPOCH r=REV    frame (proto/bundle/frame.h); observable: each
 * notification is a frame too, with body when it is small, else to be pulled POST    /s    agent
 * report                   -        Conflict when the sequence does not fit: send a full one
 *   POST    /c    agent   -                        join answer: a new certificate for the same key
 * and name. The one thing that a certificate which has ended may still do
 *   GET     /k    agent   -                        kinds that are federated (below); hubs before it
 * was there answer Not Found. That they changed is told by a notification without body of the
 * revision that the agent has.
 *   POST    /a    agent   -                        -        The agent stops for a while and means
 * to go on with this session: the hub sends nothing to where it was. Hubs before answer Not Found.
 *
 * The identity of an agent is the session's (its certificate's common name), never a parameter.
 * Heartbeat: CoAP empty message ("ping", RFC 7252 section 4.3); any datagram proves life.
 *
 * Hello: u8 format 1; varints heartbeat_s, report seq that the hub holds (0: none), hub's time in
 * Unix seconds; u32 epoch big endian. */
#ifndef FEDLET_PROTO_LINK_LINK_H
#define FEDLET_PROTO_LINK_LINK_H

#include "proto/base/buf.h"
#include "proto/digest/sha256.h"
#include "proto/link/knows.h"

#define FED_LINK_PATH_JOIN "j"
#define FED_LINK_PATH_HELLO "h"
#define FED_LINK_PATH_BUNDLE "b"
#define FED_LINK_PATH_REPORT "s"
#define FED_LINK_PATH_KINDS "k"
#define FED_LINK_PATH_CERTIFICATE "c"
#define FED_LINK_PATH_AWAY "a"
#define FED_LINK_PATH_REMOVALS "r" /* proto/bundle/consent.h */
#define FED_LINK_NOTIFY_BODY_MAX                                                                   \
    896u /* a frame up to this size rides in the notification: one datagram */

struct fed_link_hello {
    uint32_t heartbeat_s;
    uint32_t epoch;
    uint64_t report_seq;
    int64_t unix_s;
};
void fed_link_hello_put(struct fed_buf *out, const struct fed_link_hello *hello);
FED_MUST_USE enum fed_err fed_link_hello_take(struct fed_span *from, struct fed_link_hello *out);

/* Behind the fields of a hello stand items, in any order: u8 item, string value. Readers skip what
 * they do not know, and what does not look like an item ends the list.
 *   1 mark    8 bytes: the agent stores it, and says it at its next hello
 *   2 trust   4 bytes: of the set of CAs that agents are to trust (docs/protocol.md section 3.4)
 *   3 copied  empty: somebody came with an older mark of this cluster
 *   4 knows   varint: what the hub understands (knows.h); of a hub that does not say:
 *             FED_LINK_KNOWS_FIRST
 *   5 kinds   8 bytes: the first of the SHA-256 of its answer to k; whoever holds that does not ask
 * An agent asks with "n=" and the mark that it stored last, 16 hex digits, or "n=0" when it has
 * none; and with "v=" and what it understands, decimal. Members of the query that are not known are
 * skipped. */
#define FED_LINK_MARK_SIZE 8u
#define FED_LINK_TRUST_SIZE 4u
#define FED_LINK_KINDS_DIGEST_SIZE 8u
struct fed_link_hello_items {
    bool has_mark;
    bool has_trust;
    bool copied;
    bool has_knows;
    bool has_kinds;
    uint8_t mark[FED_LINK_MARK_SIZE];
    uint8_t trust[FED_LINK_TRUST_SIZE];
    uint64_t knows; /* FED_LINK_KNOWS_FIRST when it was not said */
    uint8_t kinds[FED_LINK_KINDS_DIGEST_SIZE];
};
void fed_link_hello_items_put(struct fed_buf *out, const struct fed_link_hello_items *items);
void fed_link_hello_items_take(struct fed_span rest, struct fed_link_hello_items *out);
struct fed_link_hello_query {
    bool marks; /* the agent speaks of marks at all */
    bool has_mark;
    uint8_t mark[FED_LINK_MARK_SIZE];
    uint64_t knows; /* FED_LINK_KNOWS_FIRST when it was not said */
};
/* mark may be NULL: "n=0". */
void fed_link_hello_query_put(struct fed_buf *out, const uint8_t *mark);
/* Appends what the agent understands. */
void fed_link_hello_query_put_knows(struct fed_buf *out, uint64_t knows);
/* FED_ERR_INVALID for a mark that is none, or two, FED_ERR_INVALID and FED_ERR_LIMIT for what it
 * understands. */
FED_MUST_USE enum fed_err fed_link_hello_query_parse(
    struct fed_span query, struct fed_link_hello_query *out);

/* Kinds: u8 format 1; varint n, then each: strings api_version, kind, plural of the member's
 * resource. What of them carries the managed label and is of no work is a stray. */
#define FED_LINK_KINDS_MAX 256u
#define FED_LINK_KINDS_BYTES_MAX (32u << 10)
struct fed_link_kind {
    struct fed_span api_version;
    struct fed_span kind;
    struct fed_span plural;
};
/* What the hello says of an answer to k. */
FED_MUST_USE enum fed_err fed_link_kinds_digest(
    struct fed_span answer, uint8_t out[FED_LINK_KINDS_DIGEST_SIZE]);
void fed_link_kinds_begin(struct fed_buf *out, size_t n);
void fed_link_kinds_add(struct fed_buf *out, const struct fed_link_kind *kind);
/* Reads at most max kinds, in their order; the spans point into bytes. FED_ERR_UNSUPPORTED for
 * another format, FED_ERR_TRUNCATED, FED_ERR_LIMIT, FED_ERR_INVALID. */
FED_MUST_USE enum fed_err fed_link_kinds_take(
    struct fed_span bytes, struct fed_link_kind *out, size_t max, size_t *n);

/* "e=EPOCH&r=REV" of the bundle resource, decimal. */
#define FED_LINK_MARK_KEPT                                                                         \
    "n=1" /* a member of its query: the mark of this session's hello is stored */
void fed_link_bundle_query_put(struct fed_buf *out, uint32_t epoch, uint64_t revision);
FED_MUST_USE enum fed_err fed_link_bundle_query_parse(
    struct fed_span query, uint32_t *epoch, uint64_t *revision);
bool fed_link_bundle_query_kept(struct fed_span query); /* FED_LINK_MARK_KEPT is in it */

/* ---- join token: one line of text, printed by `fedctl token create` ----
 * "fedlet1." then base64url of: u8 format 1; 32 bytes SHA-256 of the hub CA's SubjectPublicKeyInfo
 * (the pin); string id; string secret (20 random bytes); varint expiry in Unix seconds; varint
 * uses; varint n, then n strings: addresses "coaps://HOST:PORT" or "https://HOST:PORT"; 4 bytes:
 * first of the SHA-256 of all before (typing errors). */
#define FED_TOKEN_TEXT_MAX 2048u
#define FED_TOKEN_ID_MAX 32u
#define FED_TOKEN_SECRET_SIZE 20u
#define FED_TOKEN_ADDRESSES_MAX 8u
#define FED_TOKEN_ADDRESS_MAX 280u

struct fed_token {
    struct fed_digest pin;
    char id[FED_TOKEN_ID_MAX + 1];         /* [a-z0-9]: also the TLS-PSK identity */
    uint8_t secret[FED_TOKEN_SECRET_SIZE]; /* the TLS-PSK key */
    int64_t expires_unix_s;
    uint32_t uses;
    size_t n_addresses;
    char addresses[FED_TOKEN_ADDRESSES_MAX][FED_TOKEN_ADDRESS_MAX + 1];
};
FED_MUST_USE enum fed_err fed_token_put(struct fed_buf *out, const struct fed_token *token);
FED_MUST_USE enum fed_err fed_token_parse(
    struct fed_span text, struct fed_token *out, struct fed_diag *diag);
/* "coaps://host:port", "https://[::1]:7444": scheme, host (without brackets), port. */
struct fed_link_address {
    bool coap; /* else https */
    char host[254];
    uint16_t port;
};
FED_MUST_USE enum fed_err fed_link_address_parse(
    struct fed_span text, struct fed_link_address *out, struct fed_diag *diag);

/* ---- join messages ---- */
#define FED_JOIN_LABELS_MAX 64u
#define FED_JOIN_MESSAGE_MAX 16384u
struct fed_join_label {
    char key[318];
    char value[64];
};
struct fed_join_request { /* {"v":1,"token":ID,"name":N,"publicKey":BASE64 of the DER
                             SPKI,"labels":{},"proof":BASE64} */
    char token_id[FED_TOKEN_ID_MAX + 1];
    char name[254];          /* cluster: RFC 1123 subdomain */
    uint8_t public_key[128]; /* SubjectPublicKeyInfo, DER, P-256: 91 bytes */
    size_t public_key_len;
    uint8_t proof[32]; /* HMAC-SHA256(secret, "fedlet join 1" NUL name NUL public key) */
    size_t n_labels;
    struct fed_join_label labels[FED_JOIN_LABELS_MAX];
};
struct
    fed_join_answer { /* {"v":1,"state":"Approved|Pending","retryAfterSeconds":N,"certificate":PEM,"ca":PEM,"cluster":N}
                       */
    bool approved;
    uint32_t retry_after_s; /* when pending */
    char certificate[4096]; /* PEM */
    char ca[4096];
    char cluster[254];
};
FED_MUST_USE enum fed_err fed_join_request_put(
    struct fed_buf *out, const struct fed_join_request *request);
FED_MUST_USE enum fed_err fed_join_request_parse(
    struct fed_span text, struct fed_join_request *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_join_answer_put(
    struct fed_buf *out, const struct fed_join_answer *answer);
FED_MUST_USE enum fed_err fed_join_answer_parse(
    struct fed_span text, struct fed_join_answer *out, struct fed_diag *diag);

#endif
