/* internal.h - the identity's state, shared by its files. Not for others.
 *
 *   pki.c         the CA, the server's certificate, issuing
 *   rotation.c    a CA that follows another
 *   certificate.c what agents' certificates are, and new ones for the same key
 *   kubeconfig.c  the admin's credentials
 *   record.c      JoinToken, JoinRequest and KubeFedCluster objects: reading, making, saving
 *   token.c       admission of tokens, their keys, and the limit on guesses
 *   join.c        what becomes of an agent's join request
 *   request.c     admission of join requests, approval by a person, what follows a cluster's
 * deletion */
#ifndef FEDLET_HUB_IDENTITY_INTERNAL_H
#define FEDLET_HUB_IDENTITY_INTERNAL_H

#include "hub/identity/identity.h"
#include "proto/base/text.h"

#define IDENTITY_DAY_S 86400
#define IDENTITY_YEAR_S (365 * IDENTITY_DAY_S)
#define IDENTITY_RENEW_S                                                                           \
    (60 * IDENTITY_DAY_S) /* our own certificates are made again when this near their end */
#define IDENTITY_LOOK_MS                                                                           \
    60000u /* a clock that is put, or a machine that slept, is noticed soon                        \
            */
#define IDENTITY_AGAIN_MS 3600000u
#define IDENTITY_BACKDATE_S                                                                        \
    3600 /* gateways' clocks may be behind ours; half the life if shorter                          \
          */
#define IDENTITY_FILE_MAX (64u << 10)
#define IDENTITY_ORGANIZATION "fedlet:agents"

#define IDENTITY_TOKENS "jointokens.fedlet.io"
#define IDENTITY_REQUESTS "joinrequests.fedlet.io"

#define IDENTITY_TOKEN_ID_MIN 6u
#define IDENTITY_TOKEN_USES_MAX 100000
#define IDENTITY_TOKEN_TTL "24h"
#define IDENTITY_TOKEN_TTL_MAX_MS ((uint64_t)8760 * 3600 * 1000)
#define IDENTITY_PENDING_RETRY_S 5u

/* Wrong proofs per token: after so many in the window the token is refused until the window is
 * over. */
#define IDENTITY_GUARD_FAILURES 5u
#define IDENTITY_GUARD_WINDOW_MS 60000u
#define IDENTITY_GUARD_SLOTS 64u
struct identity_guard {
    struct {
        char id[FED_TOKEN_ID_MAX + 1];
        uint64_t since_ms;
        unsigned failures; /* 0: free */
    } slots[IDENTITY_GUARD_SLOTS];
};

struct identity_ca {
    struct fed_buf pem;
    struct fed_buf key; /* empty: it issues nothing any more */
    struct fed_crypto_cert_info info;
};

struct hub_identity {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_fs *fs;
    struct fed_crypto *crypto;
    char data_dir[3072];
    struct identity_ca ca;    /* issues */
    struct identity_ca old;   /* pem empty: none */
    struct fed_buf vouch;     /* ca once more, signed by old */
    struct fed_buf back;      /* old once more, signed by ca: for who knows only that */
    bool bridged;             /* a chain through it counts */
    struct fed_buf trust_pem; /* ca, old */
    struct fed_buf
        answer_pem; /* what agents are given: the hub's own CA first, then the other, vouch, back */
    uint8_t trust[FED_LINK_TRUST_SIZE];
    int64_t life_s;
    int64_t return_s;
    bool offline;
    bool switched; /* the old CA's key is away; this process goes on with its certificate */
    struct fed_buf chain_pem; /* the hub's own certificate, and vouch */
    struct fed_buf server_key;
    int64_t server_ends_unix_s;
    struct fed_buf token_key;
    struct hub_objects *objects; /* NULL until attached */
    struct fed_buf names;        /* of the hub's own certificate, a NUL behind each */
    char api_url[320];           /* of the admin's kubeconfig; empty: there is none yet */
    struct fed_timer *look;      /* at the hub's own certificate */
    hub_identity_renewed *renewed;
    void *renewed_ctx;
    struct hub_subscription *requests;
    struct hub_subscription *clusters;
    size_t n_addresses;
    char addresses[FED_TOKEN_ADDRESSES_MAX][FED_TOKEN_ADDRESS_MAX + 1];
    struct identity_guard guard;
};

/* ---- pki.c ---- */
FED_MUST_USE enum fed_err identity_pki_open(struct hub_identity *identity,
    const struct hub_identity_options *options, struct fed_diag *diag);
/* Makes the hub's own certificate again when that is due. *made says whether it was. On error the
 * old one stays. */
FED_MUST_USE enum fed_err identity_server_look(
    struct hub_identity *identity, bool *made, struct fed_diag *diag);
/* DIR/name. FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err identity_path(const struct hub_identity *identity, const char *name,
    char *out, size_t size, struct fed_diag *diag);
/* FED_OK with an empty buffer when the file is not there. */
FED_MUST_USE enum fed_err identity_read_file(
    struct hub_identity *identity, const char *name, struct fed_buf *out, struct fed_diag *diag);
FED_MUST_USE enum fed_err identity_write_file(struct hub_identity *identity, const char *name,
    const struct fed_buf *bytes, unsigned mode, struct fed_diag *diag);
/* A new key and a self-signed certificate. Nothing is written. */
FED_MUST_USE enum fed_err identity_ca_make(
    struct hub_identity *identity, struct identity_ca *ca, struct fed_diag *diag);
/* Fills in both times (lifetime from now, at most the CA's end) and signs. */
FED_MUST_USE enum fed_err identity_issue(struct hub_identity *identity,
    const struct identity_ca *ca, struct fed_crypto_cert_request *request, int64_t lifetime_s,
    struct fed_buf *pem, struct fed_diag *diag);
/* A new key and a certificate for it. */
FED_MUST_USE enum fed_err identity_issue_with_key(struct hub_identity *identity,
    const struct identity_ca *ca, struct fed_crypto_cert_request *request, int64_t lifetime_s,
    struct fed_buf *pem, struct fed_buf *key_pem, struct fed_diag *diag);
/* fini for what held a private key. */
void identity_wipe(struct fed_buf *buf);

/* ---- rotation.c ---- */
/* Completes a rotation that broke off, before the CA is read. */
FED_MUST_USE enum fed_err identity_rotation_resume(
    struct hub_identity *identity, struct fed_diag *diag);
/* Reads the CA of before, drops it when it has ended, and puts together what others are given. */
FED_MUST_USE enum fed_err identity_rotation_open(
    struct hub_identity *identity, struct fed_diag *diag);
/* The CA of the hub's own certificate, which is the pin of join tokens. */
const struct identity_ca *identity_hub_ca(const struct hub_identity *identity);

/* ---- record.c ---- */
struct identity_record { /* one stored object, as a tree */
    const char *resource;
    struct fed_span name;
    struct fed_json_doc *doc;
    struct fed_json *object; /* NULL: there is none */
    uint64_t revision;       /* 0: there is none */
    struct fed_buf bytes;    /* what is to be written */
};
/* FED_OK also when there is none. name is borrowed until _close. */
FED_MUST_USE enum fed_err identity_record_open(struct hub_identity *identity, const char *resource,
    struct fed_span name, struct identity_record *out);
/* As it is staged: for what nobody is told. A flush for each session that opens would take from
 * thousands that come at once the sync that they share. */
FED_MUST_USE enum fed_err identity_record_peek(struct hub_identity *identity, const char *resource,
    struct fed_span name, struct identity_record *out);
void identity_record_close(struct identity_record *record);
struct hub_object_ref identity_record_ref(const struct identity_record *record);
/* Makes the object with complete metadata, or counts up the generation of the one that is there. */
FED_MUST_USE enum fed_err identity_record_make(struct hub_identity *identity,
    struct identity_record *record, const char *api_version, const char *kind);
/* The write for a commit; refers to record->bytes. */
FED_MUST_USE enum fed_err identity_record_write(
    struct identity_record *record, struct hub_object_write *out);
struct fed_span identity_record_text(const struct identity_record *record, const char *dotted);
FED_MUST_USE enum fed_err identity_set_time(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, int64_t unix_s);

FED_MUST_USE enum fed_err identity_set_hex(
    struct identity_record *record, const char *key, const struct fed_digest *digest);

/* Fills a KubeFedCluster that does not exist yet. */
FED_MUST_USE enum fed_err identity_cluster_fill(
    struct hub_identity *identity, struct identity_record *cluster, const struct fed_json *labels);
/* The SubjectPublicKeyInfo of a join request. FED_ERR_NOT_FOUND, FED_ERR_CORRUPT, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err identity_request_key(
    const struct identity_record *request, struct fed_buf *spki);
bool identity_request_state_is(const struct identity_record *request, const char *state);

/* ---- certificate.c ---- */
/* Signs the request's key and records the certificate in it. */
FED_MUST_USE enum fed_err identity_certify(
    struct hub_identity *identity, struct identity_record *request, struct fed_diag *diag);
/* The answer to an approved one. */
FED_MUST_USE enum fed_err identity_answer(struct hub_identity *identity,
    const struct identity_record *request, struct fed_join_answer *answer);

/* ---- token.c ---- */
struct identity_token {
    uint64_t ttl_ms;
    int64_t uses;
    struct fed_span cluster; /* empty: any */
    bool manual;
};
/* Reads a JoinToken's spec. FED_ERR_INVALID with diag, and the field's path in field (256 bytes;
 * may be NULL). */
FED_MUST_USE enum fed_err identity_token_read(
    const struct fed_json *object, struct identity_token *out, char *field, struct fed_diag *diag);
bool identity_guard_blocked(struct identity_guard *guard, const char *id, uint64_t now_ms);
void identity_guard_failed(struct identity_guard *guard, const char *id, uint64_t now_ms);

/* ---- join.c ---- */
/* Signs the request's key, records the certificate in it, and makes the KubeFedCluster when there
 * is none. Both records are then ready to be written; *new_cluster says whether the second is. */
FED_MUST_USE enum fed_err identity_approve(struct hub_identity *identity,
    struct identity_record *request, struct identity_record *cluster, bool *new_cluster,
    struct fed_diag *diag);

/* ---- request.c ---- */
/* Brings every stored request in line: approved ones get their certificate, those of deleted
 * clusters go. */
FED_MUST_USE enum fed_err identity_requests_settle(
    struct hub_identity *identity, struct fed_diag *diag);
void identity_on_request(void *ctx, const struct hub_change *change);
void identity_on_cluster(void *ctx, const struct hub_change *change);

#endif
