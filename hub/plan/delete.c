/* delete.c - how the copies of an object are to be deleted: the annotation kubefed.io/deleteoption,
 * a DeleteOptions document of which gracePeriodSeconds and propagationPolicy are honoured.
 *
 * KubeFed honours preconditions too, but they cannot hold in more than one cluster, and the agent
 * sets the uid itself. What cannot be honoured blocks the deletion, as in KubeFed: deleting
 * otherwise than was asked for cannot be undone. */
#include "hub/plan/internal.h"

#include <stdio.h>
#include <string.h>

static enum fed_err read_policy(
    const struct fed_json *policy, uint32_t *options, struct fed_diag *diag)
{
    static const struct {
        const char *name;
        enum fed_work_delete policy;
    } policies[] = {{"Orphan", FED_WORK_DELETE_ORPHAN}, {"Background", FED_WORK_DELETE_BACKGROUND},
        {"Foreground", FED_WORK_DELETE_FOREGROUND}};

    if (!policy || fed_json_type(policy) == FED_JSON_NULL)
        return FED_OK;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (fed_span_is(fed_json_string(policy), policies[i].name)) {
            *options |= FED_WORK_DELETE_WITH(policies[i].policy);
            return FED_OK;
        }
    }
    return fed_diag_set(
        diag, FED_ERR_INVALID, "propagationPolicy is none of Orphan, Background, Foreground");
}

static enum fed_err read_grace(
    const struct fed_json *grace, uint32_t *options, struct fed_diag *diag)
{
    int64_t seconds = fed_json_int(grace, -1);

    if (!grace || fed_json_type(grace) == FED_JSON_NULL)
        return FED_OK;
    if (seconds < 0 || seconds > FED_WORK_GRACE_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "gracePeriodSeconds is not a number from 0 to %u", FED_WORK_GRACE_MAX);
    *options |= FED_WORK_GRACE | (uint32_t)seconds << FED_WORK_GRACE_SHIFT;
    return FED_OK;
}

static enum fed_err read_options(
    const struct fed_json *from, uint32_t *options, struct fed_diag *diag)
{
    const struct fed_json *preconditions = fed_json_get(from, "preconditions");
    enum fed_err err;

    if (!fed_json_is_object(from))
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    if (preconditions && fed_json_type(preconditions) != FED_JSON_NULL)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "preconditions cannot hold in more than one cluster");
    err = read_policy(fed_json_get(from, "propagationPolicy"), options, diag);
    return err ? err : read_grace(fed_json_get(from, "gracePeriodSeconds"), options, diag);
}

void plan_delete_options_parse(struct plan_item *item, const struct fed_json *annotation)
{
    struct fed_span text = fed_json_string(annotation);
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_json *from;
    enum fed_err err;

    item->delete_options = 0;
    item->delete_error[0] = '\0';
    if (text.len == 0)
        return;
    err = fed_json_doc_new(fed_alloc_system(), &doc);
    if (!err) {
        err = fed_json_parse(doc, text, &from, &diag);
        if (!err)
            err = read_options(from, &item->delete_options, &diag);
        fed_json_doc_free(doc);
    }
    if (!err)
        return;
    item->delete_options = 0;
    snprintf(item->delete_error, sizeof item->delete_error,
        "annotation kubefed.io/deleteoption: %.100s", diag.text[0] ? diag.text : fed_err_text(err));
}
