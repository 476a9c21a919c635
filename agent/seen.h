/* seen.h - what the agent wants to know of a member's object: who it is, and whether our part of it
 * is as we left it.
 *
 * Drift is found by managedFields alone: after each apply the digest over the canonical bytes of
 * fieldsV1 of our own entry (manager "fedlet", operation Apply) and its time is remembered; whoever
 * changes or takes away a field that we set moves it out of that entry. The time is that of our
 * last apply that changed something: an object of before (etcd from a backup), or one that somebody
 * else applied in our name, has another. (Kubernetes, "Server-Side Apply", field management.) */
#ifndef FEDLET_AGENT_SEEN_H
#define FEDLET_AGENT_SEEN_H

#include "agent/health.h"
#include "agent/limits.h"
#include "proto/object/json.h"

#define AGENT_FIELD_MANAGER "fedlet"
#define AGENT_FIELDS_SIZE 16u

struct agent_seen {
    /* identity; spans into the text that was parsed or its document */
    struct fed_span ns;
    struct fed_span name;
    char uid[AGENT_UID_MAX + 1]; /* "" when absent */
    uint64_t generation;         /* 0 when the kind has none */
    uint64_t resource_version;   /* 0 when it is no number */
    struct fed_span managed;     /* value of label kubefed.io/managed, empty when absent */
    bool has_managed;
    bool deleting; /* metadata.deletionTimestamp is set */
    /* our managedFields entry */
    bool has_fields;
    bool has_replicas;   /* spec.replicas is among them */
    size_t fields_index; /* position in metadata.managedFields, of the last one */
    uint64_t fields_all; /* positions of all, below 64: bit by bit */
    bool has_update;     /* fields are ours by Update, too (apply_clash.c) */
    size_t update_index;
    uint8_t fields[AGENT_FIELDS_SIZE]; /* zeros without an entry */
    struct agent_health health;
    struct fed_json *status;       /* .status, NULL when absent */
    const struct fed_json *object; /* all of it, or its metadata */
};

/* Parses an object's JSON into doc and reads it.
 *   api_version, kind  for the health rule (a PartialObjectMetadata does not tell its own)
 * FED_ERR_INVALID, FED_ERR_NOMEM, FED_ERR_LIMIT, with diag. Values live as long as doc. */
FED_MUST_USE enum fed_err agent_seen_parse(struct fed_alloc *mem, struct fed_json_doc *doc,
    struct fed_span text, struct fed_span api_version, struct fed_span kind, struct agent_seen *out,
    struct fed_diag *diag);
/* The same from a value of a document. */
FED_MUST_USE enum fed_err agent_seen_read(struct fed_alloc *mem, const struct fed_json *object,
    struct fed_span api_version, struct fed_span kind, struct agent_seen *out,
    struct fed_diag *diag);

#endif
