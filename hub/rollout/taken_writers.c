/* taken_writers.c - who writes federated objects, in this turn: a Rollout says whose change it is.
 */
#include "hub/rollout/internal.h"

#include <stdio.h>
#include <string.h>

void rollout_note_writer(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span user)
{
    struct rollout_writer *writer = fed_alloc_zero(r->mem, sizeof *writer);
    int n;

    if (!writer)
        return; /* a rollout says less, then */
    n = snprintf(writer->key, sizeof writer->key, FED_SPAN_FMT "%c" FED_SPAN_FMT "%c" FED_SPAN_FMT,
        FED_SPAN_ARG(ref->resource), 0, FED_SPAN_ARG(ref->ns), 0, FED_SPAN_ARG(ref->name));
    if (n < 0 || (size_t)n >= sizeof writer->key) {
        fed_alloc_free(r->mem, writer, sizeof *writer);
        return;
    }
    writer->key_len = (size_t)n;
    snprintf(writer->user, sizeof writer->user, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(user, 0, ROLLOUT_USER_MAX)));
    writer->next = r->writers; /* the last one counts */
    r->writers = writer;
}

void rollout_forget_writers(struct hub_rollouts *r)
{
    while (r->writers) {
        struct rollout_writer *writer = r->writers;

        r->writers = writer->next;
        fed_alloc_free(r->mem, writer, sizeof *writer);
    }
}
