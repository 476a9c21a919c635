/* work.h - a work: one object for one cluster; and the manifest: all works of one cluster at one
 * revision.
 *
 * A work names its template by the SHA-256 of the blob's bytes and carries this cluster's override
 * operations. Works are kept sorted by their identity (fed_work_cmp); positions in that order are
 * what frames and reports use instead of names, which is what makes a change cost tens of bytes.
 *
 * Manifest digest: SHA-256 over, for each work in order, its encoding as of fed_work_put (full blob
 * digest included). Its first 16 bytes travel in each frame and prove that both sides hold the same
 * bundle. */
#ifndef FEDLET_PROTO_BUNDLE_WORK_H
#define FEDLET_PROTO_BUNDLE_WORK_H

#include "proto/base/buf.h"
#include "proto/digest/sha256.h"

#define FED_WORK_API_VERSION_MAX 317u /* group 253 / version 63 */
#define FED_WORK_KIND_MAX 63u
#define FED_WORK_PLURAL_MAX 63u
#define FED_WORK_NAME_MAX 253u
#define FED_WORK_OVERRIDES_MAX (64u << 10)
#define FED_WORKS_MAX 20000u    /* of one cluster */
#define FED_BLOB_MAX (3u << 19) /* 1.5 MiB: etcd's limit for one object */

/* Options of a work: bits, unknown ones are refused. */
#define FED_WORK_NAMESPACED 0x01u /* the member's resource is namespaced */
#define FED_WORK_ADOPT                                                                             \
    0x02u /* take over an object that exists unmanaged (KubeFedConfig adoptResources) */
#define FED_WORK_RETAIN_REPLICAS 0x04u /* leave spec.replicas to the member unless overridden */
#define FED_WORK_ORPHAN 0x08u /* when removed, leave the object and take only the managed label */
#define FED_WORK_STATUS 0x10u /* report the member object's .status (remoteStatus) */
#define FED_WORK_SCALE                                                                             \
    0x20u /* report replicas and how the pods fare (report.h): a preference spreads them */
#define FED_WORK_HELD                                                                              \
    0x40u /* leave the object as it is: neither apply it, nor put it back, nor remove it. Content  \
           * of such a work does not matter; with FED_WORK_ORPHAN it is let go all the same */
/* Never part of a work: marks one of a frame's base whose removal was ordered (frame.h). */
#define FED_WORK_ORDERED 0x80u
/* How the member's object is to be deleted (kubefed.io/deleteoption), from bit 8 on: two bits of
 * policy, one that says whether there is a grace period, and the grace period. */
enum fed_work_delete { /* propagationPolicy; none said: in the background */
    FED_WORK_DELETE_DEFAULT,
    FED_WORK_DELETE_ORPHAN,
    FED_WORK_DELETE_BACKGROUND,
    FED_WORK_DELETE_FOREGROUND
};
#define FED_WORK_DELETE_POLICY(options) ((enum fed_work_delete)((options) >> 8 & 3u))
#define FED_WORK_DELETE_WITH(policy) ((uint32_t)(policy) << 8)
#define FED_WORK_GRACE 0x400u
#define FED_WORK_GRACE_SHIFT 11u
#define FED_WORK_GRACE_MAX 0x1fffffu /* seconds: 24 days */
#define FED_WORK_DELETE_ALL 0xffffff00u
#define FED_WORK_OPTIONS_ALL (0x7fu | FED_WORK_DELETE_ALL)

struct fed_work {
    /* identity; spans borrowed from whoever holds the manifest */
    struct fed_span api_version; /* "apps/v1", "v1" */
    struct fed_span kind;
    struct fed_span plural; /* resource name in the member's API path */
    struct fed_span ns;     /* empty when cluster-scoped */
    struct fed_span name;
    /* content */
    uint32_t options;
    struct fed_digest blob;
    struct fed_span overrides; /* canonical JSON array of {"op","path","value"}; empty for none */
};

struct fed_manifest {
    uint32_t epoch;
    uint64_t revision; /* 0: the empty bundle that every agent starts from, whatever the epoch */
    const struct fed_work *works; /* sorted by identity, no identity twice */
    size_t n_works;
};

/* "apps" of "apps/v1", "" of "v1". */
struct fed_span fed_work_group(struct fed_span api_version);
/* Order of identities: api group, kind, namespace, name; bytewise. The version is not part of it.
 */
int fed_work_cmp(const struct fed_work *a, const struct fed_work *b);
/* "apiVersion/Kind/namespace/name": how reports name a work that has no position any more
 * (report.h). Errors stick in out. */
#define FED_WORK_ID_MAX (FED_WORK_API_VERSION_MAX + FED_WORK_KIND_MAX + 2 * FED_WORK_NAME_MAX + 3)
void fed_work_put_id(struct fed_buf *out, const struct fed_work *work);
/* Whether two of these are of one object, in whichever versions. */
bool fed_work_id_same(struct fed_span a, struct fed_span b);
/* Same identity and the same content. */
bool fed_work_same(const struct fed_work *a, const struct fed_work *b);
/* Lengths, characters, known options, namespace present exactly when namespaced. FED_ERR_INVALID,
 * FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err fed_work_check(const struct fed_work *work, struct fed_diag *diag);

/* Encoding, also that of the agent's state file: strings api_version kind plural ns name, varint
 * options, 32 bytes digest, string overrides. */
void fed_work_put(struct fed_buf *out, const struct fed_work *work);
/* Spans point into *from. FED_ERR_TRUNCATED, FED_ERR_LIMIT, FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err fed_work_take(
    struct fed_span *from, struct fed_work *out, struct fed_diag *diag);

FED_MUST_USE enum fed_err fed_manifest_digest(
    const struct fed_manifest *manifest, struct fed_digest *out);

#endif
