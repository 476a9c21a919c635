/* write.h - a write on its way from a client's body to the store.
 *
 * Who has a body decodes it (hub_write_decoded) or makes it of what is live (hub_write_load, then
 * hub_write_identity), and hands it to hub_write_create or hub_write_update, which check, own,
 * convert, admit, commit and answer. */
#ifndef FEDLET_HUB_API_WRITE_H
#define FEDLET_HUB_API_WRITE_H

#include "hub/api/internal.h"

struct hub_write {
    enum hub_operation operation;
    struct fed_json *live;      /* as stored, storage version; NULL: create */
    struct fed_json *live_view; /* in the asked version, nothing composed; NULL: create */
    uint64_t live_revision;
    struct fed_json *next; /* what is wanted, asked version */
    struct fed_span bytes; /* next as it is stored, once it is; of the request's memory */
    struct fed_span manager;
    bool applied;      /* made by server-side apply */
    bool owned;        /* managedFields are done already */
    bool untyped;      /* what was given does not fit the types of the kind: nobody owns it */
    bool patched;      /* next was made from live, not given as a whole */
    bool decoded;      /* next went through hub_write_clean */
    bool generated;    /* a namespace whose name the server made */
    bool renewed;      /* live is not as it is stored: hub_object_renew */
    bool changes_spec; /* in the asked version, which is not the stored one */
    struct hub_object_ref ref;
    unsigned success; /* HTTP status */
};
FED_MUST_USE enum fed_err hub_write_load(
    struct hub_request *r, struct hub_write *w); /* FED_ERR_NOT_FOUND: no failure set */
FED_MUST_USE enum fed_err hub_write_create(struct hub_request *r, struct hub_write *w);
FED_MUST_USE enum fed_err hub_write_update(struct hub_request *r, struct hub_write *w);
/* What every object of a core kind has, given or not (an empty spec, a time that is not set): that
 * is nobody's. NULL for other kinds. */
FED_MUST_USE enum fed_err hub_write_empty(struct hub_request *r, const struct fed_json **out);
/* Whether the kind of a request, the ctx, has a version: for hub_field_update. */
bool hub_write_knows_version(void *ctx, struct fed_span api_version);

/* ---- write_body.c ---- */
const char *hub_go_word(const struct fed_json *value); /* as encoding/json calls what it meets */
/* What has no kind and apiVersion to be read; %s: hub_go_word. */
#define HUB_GO_NO_HEAD                                                                             \
    "couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go value of "     \
    "type "                                                                                        \
    "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "               \
    "\"json:\\\"kind,omitempty\\\"\" }"
/* A body of POST or PUT as Go decodes it: kind and apiVersion, types, unknown and doubled fields.
 */
FED_MUST_USE enum fed_err hub_write_decoded(struct hub_request *r, struct fed_json **body);
/* The same for an object whose kind and apiVersion were looked at: types, unknown and doubled
 * fields, owner references that are equal. Removes what the kind does not know. */
FED_MUST_USE enum fed_err hub_write_clean(struct hub_request *r, struct fed_json *object);
/* apiVersion, kind, name and namespace of a body against the path; fills them in. */
FED_MUST_USE enum fed_err hub_write_identity(
    struct hub_request *r, struct fed_json *object, bool named);
/* 422 for a custom object that says to be of another kind or version: it was decoded like any
 * other, and its rules begin with its kind. */
FED_MUST_USE enum fed_err hub_write_check_kind(
    struct hub_request *r, const struct fed_json *object);
/* 422: what a patch made of the object does not fit its type. */
enum fed_err hub_write_patch_invalid(
    struct hub_request *r, const struct fed_json *object, const char *why);

/* ---- write_fields.c ---- */
/* Puts lines in the order of their text; *lines is then of the request's memory. */
FED_MUST_USE enum fed_err hub_write_sort_lines(struct hub_request *r, struct fed_span *lines);
/* Says what stands twice, as hub_check_duplicates noted it, then fields that are unknown: of the
 * metadata and of the rest, one per line. A refusal, when the client wants one, is set as the
 * failure.
 *   given   what a patch made, shown in the refusal; NULL: the object is the body itself */
FED_MUST_USE enum fed_err hub_write_report_fields(struct hub_request *r,
    const struct fed_json *given, struct fed_span of_metadata, struct fed_span of_rest);

/* ---- write_check.c ---- */
bool hub_write_is_status(const struct hub_request *r); /* whether it goes to the status endpoint */
/* Fills in what the version's schema has by default; core kinds: hub_core_default. */
FED_MUST_USE enum fed_err hub_write_default(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, struct fed_json *object);
/* The object, with its defaults, by the rules of the version; a refusal is set as the failure.
 *   live   what an update is of, in the same version; NULL for a new object */
FED_MUST_USE enum fed_err hub_write_validate(struct hub_request *r, const struct hub_write *w,
    const struct hub_kind_version *version, const struct fed_json *live, struct fed_json *object);
/* uid and resourceVersion of w->next against the live object. Custom kinds are not replaced without
 * a word on what is replaced; core kinds may be. */
FED_MUST_USE enum fed_err hub_write_check_lock(struct hub_request *r, struct hub_write *w);
/* Runs the kind's admission hook; a refusal is set as the failure. */
FED_MUST_USE enum fed_err hub_admit(
    struct hub_request *r, const struct hub_kind *kind, struct hub_admission *admission);

/* ---- handle_patch.c ---- */
/* Sets r->apply_subject before a configuration is filled in. */
void hub_write_apply_begin(struct hub_request *r, const struct fed_json *config);
/* Merges an applied configuration into live (NULL: nothing is there yet), with its managedFields; a
 * refusal, which names the subject, is set as the failure. */
FED_MUST_USE enum fed_err hub_write_apply_to(struct hub_request *r,
    const struct hub_field_update *update, const struct fed_json *live,
    const struct fed_json *config, struct fed_json **out);

#endif
