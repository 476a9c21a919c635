/* frame_diff.h - what the encoder and the decoder of frames share; nobody else includes it. */
#ifndef FEDLET_PROTO_BUNDLE_FRAME_DIFF_H
#define FEDLET_PROTO_BUNDLE_FRAME_DIFF_H

#include "proto/bundle/frame.h"

#define FED_FRAME_BODY 0x01u
#define FED_FRAME_WORKS_DEFLATED 0x02u
#define FED_FRAME_BLOBS_DEFLATED 0x04u
#define FED_FRAME_FULL 0x08u
#define FED_FRAME_FLAGS_ALL 0x0fu

#define FED_FRAME_WHAT_BLOB 0x01u
#define FED_FRAME_WHAT_OVERRIDES 0x02u
#define FED_FRAME_WHAT_OPTIONS 0x04u
#define FED_FRAME_WHAT_API_VERSION 0x08u
#define FED_FRAME_WHAT_PLURAL 0x10u
#define FED_FRAME_WHAT_ALL 0x1fu

/* Two positions of one work; FED_FRAME_NONE where a manifest does not have it. */
#define FED_FRAME_NONE SIZE_MAX
struct fed_frame_pair {
    size_t base;
    size_t target;
};

/* The difference of two manifests: works that only one has or that are not the same, in order of
 * identity. The array is of the arena. */
FED_MUST_USE enum fed_err fed_frame_diff(struct fed_arena *arena, const struct fed_manifest *base,
    const struct fed_manifest *target, struct fed_frame_pair **out, size_t *n);

/* A list of digests, and for each the position at which the same one stands first. first[] is of
 * the arena. */
FED_MUST_USE enum fed_err fed_frame_first(
    struct fed_arena *arena, const struct fed_digest *const *digests, size_t n, size_t **first);

/* The dictionary of the blobs section: the built-in one, then the old blobs, each once, of all of
 * it the last 32 KiB. FED_ERR_NOT_FOUND when a blob that counts is not held. */
FED_MUST_USE enum fed_err fed_frame_dictionary(struct fed_arena *arena,
    const struct fed_digest *const *old, size_t n, fed_blob_lookup *blobs, void *blobs_ctx,
    struct fed_span *out);

#endif
