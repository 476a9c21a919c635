/* crd_status.c - the status of a CustomResourceDefinition: accepted names, conditions, stored
 * versions.
 *
 * Source: the naming and establishing controllers of apiextensions-apiserver; reasons and messages
 * are theirs. */
#include "hub/api/crd_parts.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

static struct fed_json *condition_of(const struct fed_json *crd, const char *type)
{
    struct fed_json *list = fed_json_find(crd, "status.conditions");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_get(fed_json_at(list, i), "type")), type))
            return fed_json_at(list, i);
    return NULL;
}

bool hub_crd_condition_is_true(const struct fed_json *crd, const char *type)
{
    return fed_span_is(fed_json_string(fed_json_get(condition_of(crd, type), "status")), "True");
}

static enum fed_err condition_new(
    struct fed_json_doc *doc, struct fed_json *crd, const char *type, struct fed_json **out)
{
    struct fed_json *status = fed_json_ensure_object(doc, crd, "status");
    struct fed_json *list = fed_json_get(status, "conditions");
    enum fed_err err = status ? FED_OK : FED_ERR_NOMEM;

    if (!err && !fed_json_is_array(list)) {
        list = fed_json_new_array(doc);
        err = fed_json_set(doc, status, "conditions", list);
    }
    *out = fed_json_new_object(doc);
    if (!err && *out)
        err = fed_json_set_text(doc, *out, "type", type);
    return err || !*out ? FED_ERR_NOMEM : fed_json_append(list, *out);
}

enum fed_err hub_crd_condition(struct fed_json_doc *doc, struct fed_json *crd, const char *type,
    bool status, const char *reason, const char *message, int64_t now_unix_s)
{
    struct fed_json *condition = condition_of(crd, type);
    const char *word = status ? "True" : "False";
    char now[FED_TEXT_TIME_SIZE];
    bool moved;
    enum fed_err err = condition ? FED_OK : condition_new(doc, crd, type, &condition);

    moved = !err && !fed_span_is(fed_json_string(fed_json_get(condition, "status")), word);
    fed_text_time(now_unix_s, now);
    if (!err)
        err = fed_json_set_text(doc, condition, "status", word);
    if (!err && moved)
        err = fed_json_set_text(doc, condition, "lastTransitionTime", now);
    if (!err)
        err = fed_json_set_text(doc, condition, "reason", reason);
    return err ? err : fed_json_set_text(doc, condition, "message", message);
}

static void condition_drop(struct fed_json *crd, const char *type)
{
    struct fed_json *list = fed_json_find(crd, "status.conditions");

    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_get(fed_json_at(list, i), "type")), type)) {
            fed_json_remove_at(list, i);
            return;
        }
}

/* ---- names ---- */
struct naming {
    const struct hub_kinds *kinds;
    struct fed_json_doc *doc;
    struct fed_span group;
    struct fed_span plural;
    const struct fed_json *wanted;
    struct fed_json *accepted;
    const char *reason; /* of the last conflict; NULL: none */
    char message[400];
};

static bool kind_uses(const struct hub_kind *kind, struct fed_span name, bool of_kind)
{
    if (of_kind)
        return fed_span_is(name, kind->kind) || fed_span_is(name, kind->list_kind);
    if (fed_span_is(name, kind->plural) || fed_span_is(name, kind->singular))
        return true;
    for (size_t i = 0; i < kind->n_short_names; i++)
        if (fed_span_is(name, kind->short_names[i]))
            return true;
    return false;
}

static bool in_use(const struct naming *n, struct fed_span name, bool of_kind)
{
    for (size_t i = 0; i < hub_kinds_count(n->kinds); i++) {
        const struct hub_kind *kind = hub_kinds_at(n->kinds, i);
        bool itself = kind->custom && fed_span_is(n->plural, kind->plural);

        if (fed_span_is(n->group, kind->group) && !itself && kind_uses(kind, name, of_kind))
            return true;
    }
    return false;
}

static enum fed_err weigh_name(struct naming *n, const char *key, const char *reason, bool of_kind)
{
    struct fed_span wanted = fed_json_string(fed_json_get(n->wanted, key));
    struct fed_span accepted = fed_json_string(fed_json_get(n->accepted, key));

    if (!fed_span_eq(wanted, accepted) && in_use(n, wanted, of_kind)) {
        n->reason = reason;
        snprintf(n->message, sizeof n->message, "\"" FED_SPAN_FMT "\" is already in use",
            FED_SPAN_ARG(wanted));
        return FED_OK;
    }
    return fed_json_set_string(n->doc, n->accepted, key, wanted);
}

static bool list_has(const struct fed_json *list, struct fed_span text)
{
    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_eq(fed_json_string(fed_json_at(list, i)), text))
            return true;
    return false;
}

static enum fed_err take_list(struct naming *n, const char *key)
{
    const struct fed_json *list = fed_json_get(n->wanted, key);

    if (fed_json_count(list) > 0)
        return fed_json_set(n->doc, n->accepted, key, fed_json_clone(n->doc, list));
    fed_json_remove(n->accepted, key);
    return FED_OK;
}

static enum fed_err weigh_short_names(struct naming *n)
{
    const struct fed_json *list = fed_json_get(n->wanted, "shortNames");
    const struct fed_json *accepted = fed_json_get(n->accepted, "shortNames");
    size_t conflicts = 0;
    char message[sizeof n->message] = "";
    size_t len = 0;

    for (size_t i = 0; i < fed_json_count(list); i++) {
        struct fed_span name = fed_json_string(fed_json_at(list, i));

        if (list_has(accepted, name) || !in_use(n, name, false) || len >= sizeof message - 1)
            continue;
        len += (size_t)snprintf(message + len, sizeof message - len,
            "%s\"" FED_SPAN_FMT "\" is already in use", conflicts++ ? ", " : "",
            FED_SPAN_ARG(name));
    }
    if (conflicts == 0)
        return take_list(n, "shortNames");
    n->reason = "ShortNamesConflict";
    snprintf(n->message, sizeof n->message, conflicts > 1 ? "[%.397s]" : "%s", message);
    return FED_OK;
}

static enum fed_err weigh_names(struct naming *n)
{
    enum fed_err err = weigh_name(n, "plural", "PluralConflict", false);

    if (!err)
        err = weigh_name(n, "singular", "SingularConflict", false);
    if (!err)
        err = weigh_short_names(n);
    if (!err)
        err = weigh_name(n, "kind", "KindConflict", true);
    if (!err)
        err = weigh_name(n, "listKind", "ListKindConflict", true);
    return err ? err : take_list(n, "categories");
}

/* ---- what is not enforced ---- */
#define UNENFORCED_BYTES_MAX 2048u

static enum fed_err note_unenforced(
    struct fed_json_doc *doc, struct fed_json *crd, bool patterns, int64_t now_unix_s)
{
    const char *type = patterns ? "PatternsNotEnforced" : "ValidationRulesNotEnforced";
    struct fed_buf what;
    struct fed_buf message;
    size_t n = 0;
    enum fed_err err;

    fed_buf_init(&what, fed_alloc_system(), UNENFORCED_BYTES_MAX);
    fed_buf_init(&message, fed_alloc_system(), UNENFORCED_BYTES_MAX + 256);
    hub_crd_unenforced(fed_json_get(crd, "spec"), patterns, &n, &what);
    fed_buf_printf(&message, "%zu %s kept and not enforced by this server: " FED_SPAN_FMT "%s", n,
        patterns
            ? (n == 1 ? "pattern with Unicode classes is" : "patterns with Unicode classes are")
            : (n == 1 ? "CEL rule is" : "CEL rules are"),
        FED_SPAN_ARG(fed_buf_span(&what)), fed_buf_err(&what) ? " ..." : "");
    if (n == 0) {
        condition_drop(crd, type);
        err = FED_OK;
    } else {
        err = hub_crd_condition(
            doc, crd, type, true, "NotSupported", fed_buf_cstr(&message), now_unix_s);
    }
    fed_buf_fini(&what);
    fed_buf_fini(&message);
    return err;
}

static enum fed_err note_storage(struct fed_json_doc *doc, struct fed_json *crd)
{
    const struct fed_json *versions = fed_json_find(crd, "spec.versions");
    struct fed_json *status = fed_json_get(crd, "status");
    struct fed_json *stored = fed_json_get(status, "storedVersions");
    enum fed_err err = FED_OK;

    if (!fed_json_is_array(stored)) {
        stored = fed_json_new_array(doc);
        err = fed_json_set(doc, status, "storedVersions", stored);
    }
    for (size_t i = 0; !err && i < fed_json_count(versions); i++) {
        const struct fed_json *version = fed_json_at(versions, i);
        struct fed_span name = fed_json_string(fed_json_get(version, "name"));

        if (fed_json_bool(fed_json_get(version, "storage"), false) && !list_has(stored, name))
            err = fed_json_append(stored, fed_json_new_string(doc, name));
    }
    return err;
}

/* apiextensions asks for the approval of groups that belong to the community. */
static enum fed_err note_approval(
    struct fed_json_doc *doc, struct fed_json *crd, int64_t now_unix_s)
{
    struct fed_span group = fed_json_string(fed_json_find(crd, "spec.group"));
    struct fed_span approval = fed_json_string(
        fed_json_get(fed_json_find(crd, "metadata.annotations"), "api-approved.kubernetes.io"));
    bool bypassed = fed_span_starts(approval, "unapproved");
    char message[600];

    if (!fed_span_ends(group, ".k8s.io") && !fed_span_ends(group, ".kubernetes.io"))
        return FED_OK;
    snprintf(message, sizeof message, bypassed ? "not approved: \"%.*s\"" : "approved in %.*s",
        (int)(approval.len > 500 ? 500 : approval.len), (const char *)approval.at);
    return hub_crd_condition(doc, crd, "KubernetesAPIApprovalPolicyConformant", !bypassed,
        bypassed ? "UnapprovedAnnotation" : "ApprovedAnnotation", message, now_unix_s);
}

enum fed_err hub_crd_status(const struct hub_kinds *kinds, struct fed_json_doc *doc,
    struct fed_json *crd, int64_t now_unix_s)
{
    struct fed_json *status = fed_json_ensure_object(doc, crd, "status");
    struct naming n = {.kinds = kinds,
        .doc = doc,
        .group = fed_json_string(fed_json_find(crd, "spec.group")),
        .plural = fed_json_string(fed_json_find(crd, "spec.names.plural")),
        .wanted = fed_json_find(crd, "spec.names")};
    enum fed_err err = FED_ERR_NOMEM;

    n.accepted = status ? fed_json_ensure_object(doc, status, "acceptedNames") : NULL;
    if (!n.accepted)
        return err;
    err = weigh_names(&n);
    if (!err)
        err = hub_crd_condition(doc, crd, "NamesAccepted", n.reason == NULL,
            n.reason ? n.reason : "NoConflicts", n.reason ? n.message : "no conflicts found",
            now_unix_s);
    if (!err && !n.reason && !hub_crd_condition_is_true(crd, "Established"))
        err = hub_crd_condition(doc, crd, "Established", true, "InitialNamesAccepted",
            "the initial names have been accepted", now_unix_s);
    else if (!err && !condition_of(crd, "Established"))
        err = hub_crd_condition(doc, crd, "Established", false, "NotAccepted",
            "not all names are accepted", now_unix_s);
    if (!err)
        err = note_approval(doc, crd, now_unix_s);
    if (!err)
        err = note_unenforced(doc, crd, false, now_unix_s);
    if (!err)
        err = note_unenforced(doc, crd, true, now_unix_s);
    return err ? err : note_storage(doc, crd);
}
