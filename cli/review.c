/* review.c - see review.h. */
#include "cli/review.h"

#include "ports/yaml.h"

#define REVIEWS "/apis/fedlet.io/v1alpha1/planreviews"

static enum fed_err put_review(struct fed_json_doc *doc, struct fed_json *spec, struct fed_buf *out)
{
    struct fed_json *review = fed_json_new_object(doc);
    enum fed_err err =
        review ? fed_json_set_text(doc, review, "apiVersion", "fedlet.io/v1alpha1") : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(doc, review, "kind", "PlanReview");
    if (!err)
        err = fed_json_set(doc, review, "spec", spec);
    return err ? err : fed_json_put(out, review);
}

enum fed_err review_ask(
    struct look *look, struct fed_json *spec, struct fed_json **status, struct fed_diag *diag)
{
    struct fed_json *answer = NULL;
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&body, look->cli->mem, FED_JSON_BYTES_MAX);
    err = put_review(look->cli->doc, spec, &body);
    if (!err)
        err = cli_ask(
            look->cli, "POST", REVIEWS, "application/json", fed_buf_span(&body), &answer, diag);
    fed_buf_fini(&body);
    if (err)
        return err;
    *status = fed_json_get(answer, "status");
    fed_json_remove(answer, "status");
    return FED_OK;
}

enum fed_err review_put_yaml(
    struct look *look, const struct fed_json *value, struct fed_buf *out, struct fed_diag *diag)
{
    struct fed_buf json;
    enum fed_err err;

    fed_buf_init(&json, look->cli->mem, FED_YAML_PUT_BYTES_MAX);
    err = fed_json_put_canonical(&json, value);
    if (!err)
        err = fed_yaml_put_json(look->cli->mem, fed_buf_span(&json), out, diag);
    fed_buf_fini(&json);
    return err;
}
