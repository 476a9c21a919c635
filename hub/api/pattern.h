/* pattern.h - regular expressions as kube-apiserver knows them: Go's regexp, that is RE2.
 *
 * Source: https://github.com/google/re2/wiki/Syntax, Go's regexp/syntax with its Perl flags.
 * Matching takes time linear in text and pattern (a simulated NFA): neither can be chosen so that
 * it hangs. Left out, and refused by name: Unicode classes (\p{...}), \C, and (?i) with letters
 * that are not ASCII. */
#ifndef FEDLET_HUB_API_PATTERN_H
#define FEDLET_HUB_API_PATTERN_H

#include "proto/base/alloc.h"
#include "proto/base/err.h"
#include "proto/base/span.h"

#define HUB_PATTERN_BYTES_MAX 16384u
#define HUB_PATTERN_STEPS_MAX 20000u /* after {n,m} has been written out */

struct hub_pattern; /* immutable */

/* FED_ERR_INVALID: no regular expression, diag is the sentence of Go's regexp; FED_ERR_UNSUPPORTED:
 * one, but of those that are left out; FED_ERR_LIMIT: too large; FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_pattern_new(
    struct fed_alloc *mem, struct fed_span text, struct hub_pattern **out, struct fed_diag *diag);
void hub_pattern_free(struct hub_pattern *pattern); /* NULL is fine */
/* Whether it matches anywhere in the text (UTF-8; a bad byte counts as U+FFFD). FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err hub_pattern_match(
    const struct hub_pattern *pattern, struct fed_span text, bool *out);

#endif
