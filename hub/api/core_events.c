/* core_events.c - events.k8s.io/v1 and core/v1 Events: two spellings of one stored object.
 *
 * Source: k8s.io/kubernetes pkg/apis/events/v1/conversion.go. */
#include "hub/api/core.h"

#include <string.h>

static const struct {
    const char *core;
    const char *events;
} names[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};

static enum fed_err rename_member(
    struct fed_json_doc *doc, struct fed_json *object, const char *from, const char *to)
{
    struct fed_json *value = fed_json_get(object, from);
    enum fed_err err = FED_OK;

    if (value)
        err = fed_json_set(doc, object, to, fed_json_clone(doc, value));
    fed_json_remove(object, from);
    return err;
}

enum fed_err hub_core_event_convert(void *ctx, const struct hub_kind *kind, const char *to_version,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag)
{
    bool from_core = fed_span_is(fed_json_string(fed_json_get(object, "apiVersion")), "v1");
    enum fed_err err = FED_OK;

    (void)ctx, (void)kind, (void)to_version, (void)diag;
    for (size_t i = 0; !err && i < sizeof names / sizeof *names; i++)
        err = from_core ? rename_member(doc, object, names[i].core, names[i].events)
                        : rename_member(doc, object, names[i].events, names[i].core);
    return err;
}
