/* apply.h - brings the member to what the table asks for, one request per entry at a time.
 *
 * What is due goes out in phases: namespaces, CRDs, configuration (accounts, RBAC, ConfigMaps,
 * Secrets), Services, workloads, the rest; then removals, the other way round. A phase waits only
 * for entries of earlier phases that are due or under way: one that failed and waits for its next
 * attempt holds up nobody. Beyond phases an entry waits only for what it needs: the namespace that
 * is part of the bundle, the CRD of its kind that is, the works that its annotation names
 * (wish.h); removals go the other way round (apply_order.c).
 *
 * entry->step, the request, and what follows its success:
 *
 * - READ: GET of the metadata; then APPLY, DELETE, RELEASE, refused or dropped
 * - APPLY: PATCH, server-side apply, forced; then nothing, state Applied
 * - DELETE: DELETE with our uid, in the background; then READ until it is gone
 * - YIELD: PATCH that takes spec.replicas off our fields; then APPLY
 * - RELEASE: PATCH that takes label and ownership off; then dropped
 *
 * An entry with FED_WORK_HELD has no step: its object stays as it is until the bundle says
 * otherwise.
 *
 * READ comes before the first apply of an entry whose object we do not know: an object that exists
 * unmanaged is taken over only with FED_WORK_ADOPT, one labelled kubefed.io/managed "false" is
 * never touched. Deletion is by inventory and uid only; a missing object is applied again, never
 * taken as a wish. */
#ifndef FEDLET_AGENT_APPLY_H
#define FEDLET_AGENT_APPLY_H

#include "agent/answer.h"
#include "agent/budget.h"
#include "agent/policy.h"
#include "agent/ports.h"
#include "agent/state.h"

struct agent_apply;

struct agent_apply_events {
    void *ctx;
    /* An entry's state, health or inventory changed. */
    void (*changed)(void *ctx, struct agent_entry *entry);
    /* Nothing is under way and nothing is due: a good moment to report. */
    void (*settled)(void *ctx);
    /* A request failed in transport or with 401: look whether the API server is well. */
    void (*trouble)(void *ctx);
    /* A template of the bundle is not in the state file; it is looked for again, with pauses. */
    void (*missing)(void *ctx);
    /* The object of a work with FED_WORK_SCALE was seen, changed or not. */
    void (*scaled)(void *ctx, const struct agent_entry *entry);
};

FED_MUST_USE enum fed_err agent_apply_new(const struct agent_ports *ports,
    struct agent_state *state, struct agent_table *table, const struct agent_apply_events *events,
    struct agent_apply **out);
/* Cancels what is under way. */
void agent_apply_free(struct agent_apply *apply);

struct agent_apply_counts {
    uint64_t applied;
    uint64_t failed;    /* refused, or not answered */
    uint64_t restored;  /* drift that was put back at once */
    uint64_t contested; /* drift that somebody keeps making */
};
const struct agent_apply_counts *agent_apply_counts(const struct agent_apply *apply);

/* Starts what is due and sets the timer for the rest. Call after staging. */
void agent_apply_kick(struct agent_apply *apply);
/* While paused nothing is started (API server away). Ending the pause tries everything that waits
 * at once. */
void agent_apply_pause(struct agent_apply *apply);
void agent_apply_resume(struct agent_apply *apply);

/* What this gateway allows from now on, NULL for everything; borrowed. What an earlier policy
 * refused is tried again; what is in place and refused now stays there and is told. */
void agent_apply_set_policy(struct agent_apply *apply, const struct agent_policy *policy);
/* In whose name requests about the work's object are made, written to out; NULL: our own. */
const char *agent_apply_user(
    const struct agent_apply *apply, const struct fed_work *work, char out[AGENT_USER_SIZE]);

/* The object of the entry as a list or watch showed it. */
void agent_apply_seen(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_seen *seen);
/* The watch lost sight of it (label taken off, or deleted), or a complete list did not contain it:
 * it is looked at by itself. resource_version 0: not known. */
void agent_apply_lost(
    struct agent_apply *apply, struct agent_entry *entry, uint64_t resource_version);
/* The API server counts its versions from an earlier point again: those that are known of the
 * entry's object say nothing any more. */
void agent_apply_set_back(struct agent_entry *entry);
/* The member has this kind again: what failed without it is tried now. */
void agent_apply_kind_back(
    struct agent_apply *apply, struct fed_span api_version, struct fed_span plural);

/* State, health or object of the entry changed: whoever waits for it is looked at again. Cheap when
 * nobody waits. */
void agent_apply_moved(struct agent_apply *apply, struct agent_entry *moved);

/* Order of kinds: 0 first. */
unsigned agent_apply_phase(struct fed_span api_version, struct fed_span kind);
/* Accept header of the requests for objects of this entry's kind. */
const char *agent_apply_accept(const struct fed_work *work);
#define AGENT_ACCEPT_METADATA "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define AGENT_ACCEPT_METADATA_LIST                                                                 \
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#define AGENT_ACCEPT_FULL "application/json"

#endif
