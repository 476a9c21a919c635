/* apply_applied.c - answers to applies, and the status of the objects that came back. */
#include "agent/apply_inner.h"
#include "agent/remote.h"
#include "agent/render.h"
#include "agent/trial.h"
#include "agent/wish.h"

#include <stdio.h>
#include <string.h>

/* "null" takes back what was reported. */
static void queue_status(struct agent_apply *apply, struct agent_entry *entry, struct fed_span text)
{
    struct fed_alloc *mem = apply->ports.mem;
    char *copy = fed_alloc_get(mem, text.len);

    if (!copy)
        return; /* with the next event */
    memcpy(copy, text.at, text.len);
    fed_alloc_free(mem, entry->remote, entry->remote_len);
    entry->remote = copy;
    entry->remote_len = text.len;
    entry->version_due = true; /* at once, and with pauses while it keeps changing (report.h) */
}

void apply_note_status(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    static const uint8_t none[sizeof entry->remote_digest];
    const struct agent_wish *wish = NULL;
    struct fed_digest digest = {{0}};
    struct fed_buf text;

    if (!(entry->work.options & FED_WORK_STATUS))
        return;
    fed_buf_init(&text, apply->ports.mem, FED_REPORT_REMOTE_MAX);
    if (agent_wish_of(apply->state, entry, &wish, NULL) ||
        agent_remote_put(apply->ports.mem, wish->status_fields, seen->status, &text) ||
        fed_buf_err(&text) || (text.len > 0 && fed_digest_of(fed_buf_span(&text), &digest)))
        goto done; /* with the next event */
    /* Gone, or left out whole: an old one is no better than none. */
    if (memcmp(digest.bytes, none, sizeof none) == 0 &&
        memcmp(entry->remote_digest, none, sizeof none) != 0)
        queue_status(apply, entry, FED_SPAN_LIT("null"));
    else if (memcmp(digest.bytes, entry->remote_digest, sizeof entry->remote_digest) != 0)
        queue_status(apply, entry, fed_buf_span(&text));
    memcpy(entry->remote_digest, digest.bytes, sizeof entry->remote_digest);
done:
    fed_buf_fini(&text);
}

static enum fed_work_deed deed_of(const struct agent_entry *entry, unsigned status)
{
    if (status == 201)
        return FED_DEED_CREATED;
    return entry->adopting ? FED_DEED_ADOPTED : FED_DEED_UPDATED;
}

/* With replicas that are to be the member's: those of a creation, and of the time before. */
static bool is_to_yield(
    const struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen)
{
    entry->yielded = !seen->has_replicas;
    return seen->has_replicas && agent_render_retains(apply->ports.mem, entry);
}

static void take_applied(struct agent_apply *apply, struct agent_entry *entry,
    const struct agent_seen *seen, const uint8_t content[AGENT_CONTENT_SIZE], bool superseded)
{
    memcpy(entry->uid, seen->uid, sizeof entry->uid);
    memcpy(entry->fields, seen->fields, sizeof entry->fields);
    memcpy(entry->applied, content, sizeof entry->applied);
    entry->has_applied = true;
    entry->nothing = false;
    entry->listed = true; /* whatever list is being read was made without it */
    entry->dirty = true;
    if (entry->generation != seen->generation || entry->resource_version != seen->resource_version)
        entry->report_due = true;
    entry->generation = seen->generation;
    entry->resource_version = seen->resource_version;
    entry->version_due = entry->moved_rv > entry->resource_version; /* moved while it was busy */
    if (superseded)
        return;
    if (is_to_yield(apply, entry, seen)) {
        apply_start_yield(apply, entry, seen);
        return;
    }
    if (apply_clash_tidy(apply, entry, seen))
        return;
    agent_entry_plan(entry, AGENT_STEP_NONE, 0);
    apply_drift_applied(apply, entry, seen);
    agent_entry_set_health(apply->ports.mem, entry, &seen->health);
    apply_note_status(apply, entry, seen);
    if (entry->work.options & FED_WORK_SCALE)
        apply->events.scaled(apply->events.ctx, entry);
    apply_check_meanwhile(apply, entry);
    if (apply->scouting)
        apply_await_tidy(apply);
}

void apply_applied(struct agent_apply *apply, struct agent_entry *entry,
    const uint8_t content[AGENT_CONTENT_SIZE], const struct fed_kube_answer *answer,
    bool superseded)
{
    struct agent_answer refusal;
    struct fed_json_doc *doc = NULL;
    struct fed_arena arena;
    struct agent_seen seen;

    if (answer->status == 200 || answer->status == 201) {
        fed_arena_init(&arena, apply->ports.mem, AGENT_OBJECT_ARENA_MAX);
        if (fed_json_doc_new(&arena.alloc, &doc) == FED_OK &&
            apply_parse(apply, entry, doc, answer->body, &seen)) {
            /* What follows a creation is part of it until the hub was told. */
            if (entry->deed == FED_DEED_NONE || entry->deed_sent)
                entry->deed = (uint8_t)deed_of(entry, answer->status);
            entry->deed_sent = false;
            entry->adopting = false;
            apply->counts.applied++;
            take_applied(apply, entry, &seen, content, superseded);
        }
        fed_json_doc_free(doc);
        fed_arena_fini(&arena);
        return;
    }
    if (superseded)
        return;
    if (answer->status >= 500 || answer->status == 408)
        entry->nothing = false; /* it may have been made all the same */
    agent_answer_read(apply->ports.mem, answer, &refusal);
    if (agent_trouble_of(&refusal, 0) == AGENT_TROUBLE_KIND)
        snprintf(refusal.message, sizeof refusal.message,
            "no matches for kind \"" FED_SPAN_FMT "\" in version \"" FED_SPAN_FMT "\"",
            FED_SPAN_ARG(entry->work.kind), FED_SPAN_ARG(entry->work.api_version));
    if (refusal.field[0] && entry->uid[0])
        apply_immutable(apply, entry, &refusal);
    else if (!apply_clash_settle(apply, entry, &refusal))
        apply_refused(
            apply, entry, AGENT_STEP_APPLY, &refusal, answer->retry_after_s, apply_reason(entry));
}
