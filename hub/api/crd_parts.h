/* crd_parts.h - what the files of crd.h share. Not for others. */
#ifndef FEDLET_HUB_API_CRD_PARTS_H
#define FEDLET_HUB_API_CRD_PARTS_H

#include "hub/api/crd.h"

struct own;

struct hub_crds {
    struct hub_crds_options options;
    struct hub_subscription *subscription;
    struct own *own;
};

/* ---- crd.c ---- */
/* Commits a definition over that revision of it; 0: it must be new. */
FED_MUST_USE enum fed_err hub_crds_store(
    struct hub_crds *crds, struct fed_span name, struct fed_json *crd, uint64_t expected);
/* FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err hub_crds_load(struct hub_crds *crds, struct fed_json_doc *doc,
    struct fed_span name, struct fed_json **out, uint64_t *revision);
/* Names, conditions and stored versions, and who owns them. */
FED_MUST_USE enum fed_err hub_crds_set_status(
    struct hub_crds *crds, struct fed_json_doc *doc, struct fed_json *crd);

/* ---- crd_own.c ---- */
/* Completes a definition that somebody needs; others are nobody's business. */
FED_MUST_USE enum fed_err hub_crds_own_admit(
    struct hub_crds *crds, struct hub_admission *admission, struct fed_diag *diag);
/* Keeps the definitions of the hub's own kinds. */
FED_MUST_USE enum fed_err hub_crds_own_builtin(struct hub_crds *crds, struct fed_diag *diag);
void hub_crds_own_free(struct hub_crds *crds);

/* ---- crd_check.c ---- */
/* What a definition lacks unless given: names.singular, names.listKind, conversion. */
FED_MUST_USE enum fed_err hub_crd_default(struct fed_json_doc *doc, struct fed_json *crd);
/* The rules of apiextensions.k8s.io/v1. before: NULL on create. */
void hub_crd_check(
    const struct fed_json *crd, const struct fed_json *before, struct hub_causes *causes);

/* ---- crd_schema.c ---- */
/* The rules of one version's openAPIV3Schema. path: of the schema; status: the version has a status
 * subresource. */
void hub_crd_check_schema(const struct fed_json *schema, const char *path, bool status,
    struct fed_alloc *mem, struct hub_causes *causes);

/* ---- crd_unenforced.c ---- */
/* What of the schemas the hub does not enforce, as conditions ValidationRulesNotEnforced and
 * PatternsNotEnforced say it; what (may be empty) gets "VERSION: PATH: RULE" one after the other.
 */
void hub_crd_unenforced(
    const struct fed_json *spec, bool patterns, size_t *n, struct fed_buf *what);

/* ---- crd_complete.c ---- */
/* Puts into the given spec (theirs, a tree of doc) what is missing of what the hub needs (ours),
 * and loosens what it demands beyond that. kept: gets what is loosened, as "version v1beta1.spec
 * does not require "x"; ...", in memory of its own; what is only added is not named.
 * FED_ERR_FORBIDDEN with what is in conflict, after "NAME needs this definition: "; theirs is then
 * in between. */
FED_MUST_USE enum fed_err hub_crd_complete(struct fed_json_doc *doc, const struct fed_json *ours,
    struct fed_json *theirs, struct fed_buf *kept, struct fed_diag *diag);

/* ---- crd_status.c ---- */
/* Names, conditions and stored versions of a definition from its spec and from what its status says
 * so far. */
FED_MUST_USE enum fed_err hub_crd_status(const struct hub_kinds *kinds, struct fed_json_doc *doc,
    struct fed_json *crd, int64_t now_unix_s);
FED_MUST_USE enum fed_err hub_crd_condition(struct fed_json_doc *doc, struct fed_json *crd,
    const char *type, bool status, const char *reason, const char *message, int64_t now_unix_s);
bool hub_crd_condition_is_true(const struct fed_json *crd, const char *type);

#endif
