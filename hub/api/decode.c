/* decode.c - request bodies to trees: JSON, YAML, and protobuf for core kinds. */
#include "hub/api/internal.h"
#include "ports/yaml.h"

struct yaml_take {
    struct hub_request *r;
    struct fed_json *out;
    enum fed_err err;
    struct fed_diag diag;
};

static bool yaml_document(void *ctx, size_t index, struct fed_span json)
{
    struct yaml_take *take = ctx;

    if (index > 0)
        take->err = fed_diag_set(&take->diag, FED_ERR_INVALID, "more than one document");
    else
        take->err = fed_json_parse(take->r->doc, json, &take->out, &take->diag);
    return !take->err;
}

static enum fed_err decode_yaml(struct hub_request *r, struct fed_json **out, struct fed_diag *diag)
{
    struct yaml_take take = {.r = r};
    enum fed_err err = fed_yaml_each_json(r->mem, r->http->body, yaml_document, &take, diag);

    if (!err && take.err) {
        *diag = take.diag;
        err = take.err;
    }
    if (!err && !take.out)
        err = fed_diag_set(diag, FED_ERR_INVALID, "the body is empty");
    if (!err)
        *out = take.out;
    return err;
}

static bool is_json_type(const struct hub_request *r, struct fed_span type)
{
    return type.len == 0 || fed_span_is(type, "application/json") ||
           (fed_span_is(r->http->method, "PATCH") && fed_span_ends(type, "+json"));
}

/* Objects of other than core kinds travel as JSON or YAML; options of a delete are core. */
static bool takes_protobuf(const struct hub_request *r)
{
    return !r->kind || r->kind->core || fed_span_is(r->http->method, "DELETE");
}

enum fed_err hub_decode_body(struct hub_request *r, struct fed_json **out)
{
    struct fed_span type = hub_request_content_type(r);
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (fed_span_is(type, "application/vnd.kubernetes.protobuf") && takes_protobuf(r))
        err = hub_protobuf_decode(hub_kinds_core(r->api->kinds), r->doc, r->http->body, out, &diag);
    else if (is_json_type(r, type))
        err = fed_json_parse(r->doc, r->http->body, out, &diag);
    else if (fed_span_is(type, "application/yaml") ||
             fed_span_is(type, "application/apply-patch+yaml"))
        /* What kubectl sends under the YAML type is JSON: quicker, and stricter about numbers. */
        err = fed_span_starts(r->http->body, "{")
                  ? fed_json_parse(r->doc, r->http->body, out, &diag)
                  : decode_yaml(r, out, &diag);
    else
        return hub_fail(r, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf");
    if (err == FED_ERR_UNSUPPORTED)
        return hub_fail(r, 400, "BadRequest", "%s", diag.text);
    if (err == FED_ERR_LIMIT)
        return hub_fail(r, 400, "BadRequest", "the body cannot be read: %s", diag.text);
    if (err && err != FED_ERR_NOMEM)
        return hub_fail(r, 400, "BadRequest", "the body cannot be read: %s", diag.text);
    return err;
}
