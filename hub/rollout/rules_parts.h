/* rules_parts.h - what the files behind rules.h share; nobody else includes it. */
#ifndef FEDLET_HUB_ROLLOUT_RULES_PARTS_H
#define FEDLET_HUB_ROLLOUT_RULES_PARTS_H

#include "hub/rollout/rules.h"

struct rules_reader {
    struct fed_alloc *mem;
    struct hub_rollout_rules *rules;
    char *field; /* HUB_ROLLOUT_FIELD_MAX */
    struct fed_diag *diag;
};

/* Where: base and member with a dot between, or base alone when member is "". FED_ERR_INVALID. */
enum fed_err rules_wrong(
    const struct rules_reader *r, const char *base, const char *member, const char *why);
/* A member that is there and not null; NULL else. */
const struct fed_json *rules_get(const struct fed_json *object, const char *member);
/* Nothing but these members (NULL ends the list), and an object at all. */
FED_MUST_USE enum fed_err rules_only(const struct rules_reader *r, const struct fed_json *object,
    const char *base, const char *const *members);

/* Each leaves *out as it is when the member is absent. */
enum rules_share_kind {
    RULES_SHARE_SOME, /* 1 or more */
    RULES_SHARE_ANY   /* 0 or more */
};
FED_MUST_USE enum fed_err rules_read_share(const struct rules_reader *r,
    const struct fed_json *from, const char *base, const char *member, enum rules_share_kind kind,
    struct hub_rollout_share *out);
FED_MUST_USE enum fed_err rules_read_duration(const struct rules_reader *r,
    const struct fed_json *from, const char *base, const char *member, uint64_t min_ms,
    uint64_t *out);
/* One of two words; *second tells which. */
FED_MUST_USE enum fed_err rules_read_choice(const struct rules_reader *r,
    const struct fed_json *from, const char *base, const char *member, const char *first,
    const char *other, bool *second);
FED_MUST_USE enum fed_err rules_read_windows(const struct rules_reader *r,
    const struct fed_json *from, const char *base, struct hub_rollout_wave *out);
FED_MUST_USE enum fed_err rules_read_selector(const struct rules_reader *r,
    const struct fed_json *from, const char *base, const char *member, struct fed_selector **out);

#endif
