/* taken_parts.h - what the files behind taken.c share; nobody else includes it. */
#ifndef FEDLET_HUB_ROLLOUT_TAKEN_PARTS_H
#define FEDLET_HUB_ROLLOUT_TAKEN_PARTS_H

#include "hub/rollout/internal.h"

struct rollout_incoming { /* one object, parsed */
    struct hub_rollouts *r;
    const struct hub_object_ref *ref;
    struct fed_span bytes;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct rollout_governor by;
    struct rollout_ops ops;
};

/* ---- taken.c ---- */
FED_MUST_USE enum fed_err rollout_incoming_init(struct rollout_incoming *in, struct hub_rollouts *r,
    const struct hub_object_ref *ref, struct fed_span bytes);
void rollout_incoming_fini(struct rollout_incoming *in);
/* What the object says of itself. */
void rollout_incoming_kind(const struct rollout_incoming *in, struct rollout_subject *s);
/* A new content. */
FED_MUST_USE enum fed_err rollout_incoming_changed(
    struct rollout_incoming *in, struct rollout_subject *s, const struct rollout_version *next);
/* Compared with what is known of it (s NULL: nothing), and what follows is staged. */
FED_MUST_USE enum fed_err rollout_incoming_written(
    struct rollout_incoming *in, struct rollout_subject *s);

/* ---- taken_content.c ---- */
int64_t rollout_incoming_generation(const struct fed_json *object);
/* The version of some bytes of the object; kept with what ops commits when that is wanted. */
FED_MUST_USE enum fed_err rollout_incoming_version(struct rollout_incoming *in,
    struct rollout_subject *s, struct fed_span bytes, int64_t generation, bool keep,
    struct rollout_version *out);
/* An object that nobody governed until this write: its base is what it said before. */
FED_MUST_USE enum fed_err rollout_incoming_former(
    struct rollout_incoming *in, struct rollout_subject *s);
/* The name of its content without what a scheduler maintains. */
FED_MUST_USE enum fed_err rollout_incoming_scaled(
    struct rollout_incoming *in, const struct rollout_subject *s, struct fed_digest *out);
/* The preference that scales it came or went. *same: the content is, all the same. */
FED_MUST_USE enum fed_err rollout_incoming_rescale(struct rollout_incoming *in,
    struct rollout_subject *s, const struct rollout_version *next, bool *same);

#endif
