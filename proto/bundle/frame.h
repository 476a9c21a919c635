/* frame.h - what travels from the hub to an agent: a manifest's change from one revision to
 * another, with the blobs that the agent lacks. The same bytes ride in a notification or answer a
 * pull.
 *
 * Layout (integers are varints, LEB128, unless said):
 *   u8  format   1
 *   u8  flags    0x01 body present; 0x02 works section deflated; 0x04 blobs section deflated;
 *                0x08 base is the empty bundle (a full frame: what the agent holds is replaced, not
 * extended) u32 epoch    big endian base         revision the change starts from (absent when flag
 * 0x08 is set) revision     revision that results, larger than base 16 bytes     first half of the
 * resulting manifest's digest [body] works section: length of the section; when deflated also its
 * inflated length before the bytes n_removed, then each: index in the base manifest as difference
 * to the previous index, options of the removal (FED_WORK_ORPHAN, FED_FRAME_ORDERED) n_changed,
 * then each: index in the base manifest as difference; u8 what (0x01 blob, 0x02 overrides, 0x04
 * options, 0x08 api_version, 0x10 plural); in this order, for blob: source; for the others: the new
 * value n_added, then each: identity strings, options, source, overrides source: 0 = the next blob
 * of the blobs section; k > 0 = the blob of work k-1 of the base manifest; the blobs of the blobs
 * section may be referred to again as n_base_works + 1 + index blobs section: length, inflated
 * length when deflated; n_blobs, then each: length, bytes
 *
 * Deflate is raw (RFC 1951) with a preset dictionary. For the works section it is the built-in
 * dictionary (dict.h). For the blobs section: the built-in one followed by the base manifest's
 * blobs of the changed works with source 0, in index order, each once; of all this the last 32 KiB
 * count. A section is deflated only when that is shorter. The blobs section depends only on old and
 * new blobs, not on the cluster, so that the hub compresses a change once for all clusters that
 * share it.
 *
 * The agent computes each blob's digest itself, builds the resulting manifest and compares the
 * digest: no part can be wrong, missing or from another cluster's bundle without being refused
 * whole. */
#ifndef FEDLET_PROTO_BUNDLE_FRAME_H
#define FEDLET_PROTO_BUNDLE_FRAME_H

#include "proto/bundle/work.h"

#define FED_FRAME_FORMAT 1u
/* Of a removal: it was ordered by name, or consented to (consent.h). Only to an agent that knows
 * it. */
#define FED_FRAME_ORDERED 0x01u
#define FED_FRAME_MAX (32u << 20)              /* encoded */
#define FED_FRAME_WORKS_SECTION_MAX (8u << 20) /* inflated */
#define FED_FRAME_BLOBS_SECTION_MAX (64u << 20)

/* Where the encoder and the decoder get the bytes of a blob that they hold. FED_ERR_NOT_FOUND when
 * not held. The span stays valid until the encoder or decoder call returns. */
typedef enum fed_err fed_blob_lookup(
    void *ctx, const struct fed_digest *digest, struct fed_span *out);

/* A cache for deflated blobs sections, so that one change is compressed once for ten thousand
 * clusters. Both may be NULL. key identifies dictionary and content. */
struct fed_frame_cache {
    void *ctx;
    bool (*get)(void *ctx, const struct fed_digest *key, struct fed_span *out);
    void (*put)(void *ctx, const struct fed_digest *key, struct fed_span deflated);
    bool plain; /* nothing is deflated: for a receiver without the dictionary */
};

/* Encodes the change from base to target (base->revision 0 gives a full frame). blobs must know
 * every blob of target that is not in base; base blobs that are no longer known are not used as
 * dictionary only if they cannot be: then the frame would differ, so FED_ERR_NOT_FOUND is returned
 * and the caller sends a full frame. A base work with the mark FED_WORK_ORDERED, when it leaves,
 * does so with FED_FRAME_ORDERED. FED_ERR_LIMIT when it would exceed FED_FRAME_MAX. */
FED_MUST_USE enum fed_err fed_frame_encode(struct fed_alloc *mem, const struct fed_manifest *base,
    const struct fed_manifest *target, fed_blob_lookup *blobs, void *blobs_ctx,
    const struct fed_frame_cache *cache, struct fed_buf *out);

/* The first bytes, enough to decide what to do with a frame or a notification without body. */
struct fed_frame_head {
    uint32_t epoch;
    uint64_t base_revision; /* 0 for a full frame */
    uint64_t revision;
    uint8_t digest[16]; /* of the resulting manifest */
    bool has_body;
};
FED_MUST_USE enum fed_err fed_frame_head_take(struct fed_span *from, struct fed_frame_head *out);
/* A frame without body: "revision R is there, pull it". */
void fed_frame_head_put(struct fed_buf *out, const struct fed_frame_head *head);

/* A decoded frame. Everything lives in the arena given, nothing points into the frame's bytes or
 * the base. */
struct fed_frame_removed {
    size_t base_index;
    uint32_t options;
};
struct fed_frame {
    struct fed_frame_head head;
    struct fed_manifest target; /* complete and verified against the digest */
    const struct fed_frame_removed
        *removed; /* of the base manifest, ascending; for a full frame: what it lacks */
    size_t n_removed;
    const size_t *changed; /* indices in target of works that are new or differ from base */
    size_t n_changed;
    const struct fed_span *blobs; /* those that travelled */
    const struct fed_digest *blob_digests;
    size_t n_blobs;
};

/* Decodes and verifies against base. FED_ERR_CONFLICT when the frame does not start from base
 * (other revision or epoch; pull again), FED_ERR_DIGEST, FED_ERR_INVALID, FED_ERR_LIMIT,
 * FED_ERR_TRUNCATED, FED_ERR_NOT_FOUND (a base blob is missing), each with diag. Nothing of a
 * refused frame may be used. */
FED_MUST_USE enum fed_err fed_frame_decode(struct fed_arena *arena, struct fed_span bytes,
    const struct fed_manifest *base, fed_blob_lookup *blobs, void *blobs_ctx, struct fed_frame *out,
    struct fed_diag *diag);

#endif
