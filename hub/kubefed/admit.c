/* admit.c - see admit.h. */
#include "hub/kubefed/admit.h"

#include "hub/kubefed/check.h"

/* FED_ERR_FORBIDDEN when there are any, and lets go of them. */
static enum fed_err deny(
    struct hub_admission *a, const char *webhook, struct hub_kubefed_errors *errors)
{
    struct fed_json *kept;
    struct fed_buf text;
    enum fed_err err = FED_OK;

    fed_buf_init(&text, errors->mem, 64u << 10);
    if (errors->n > 0) {
        fed_buf_printf(
            &text, "admission webhook \"%s.core.kubefed.io\" denied the request: ", webhook);
        hub_kubefed_errors_put(errors, &text);
        kept = fed_json_new_string(a->doc, fed_buf_span(&text)); /* lives as long as the answer */
        err = fed_buf_err(&text) || !kept ? FED_ERR_NOMEM : FED_ERR_FORBIDDEN;
        a->refusal = kept ? (const char *)fed_json_string(kept).at : NULL;
    }
    fed_buf_fini(&text);
    hub_kubefed_errors_fini(errors);
    return err;
}

/* Which half a write is about; false: none that has rules. */
static bool part_of(const struct hub_admission *a, enum hub_kubefed_part *part)
{
    bool status = fed_span_is(a->subresource, "status");

    *part = status ? HUB_KUBEFED_STATUS : HUB_KUBEFED_SPEC;
    return a->operation != HUB_DELETE && (status || a->subresource.len == 0);
}

typedef void check_part(
    const struct fed_json *object, enum hub_kubefed_part part, struct hub_kubefed_errors *errors);

static enum fed_err admit(struct hub_admission *a, const char *plural, check_part *check)
{
    struct hub_kubefed_errors errors;
    enum hub_kubefed_part part;

    if (!part_of(a, &part))
        return FED_OK;
    hub_kubefed_errors_init(&errors, fed_alloc_system());
    check(a->object, part, &errors);
    return deny(a, plural, &errors);
}

enum fed_err hub_kubefed_admit_cluster(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    return admit(a, "kubefedclusters", hub_kubefed_check_cluster);
}

enum fed_err hub_kubefed_admit_config(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_kubefed_errors errors;
    enum hub_kubefed_part part;

    (void)ctx;
    (void)diag;
    if (!part_of(a, &part) || part == HUB_KUBEFED_STATUS)
        return FED_OK;
    hub_kubefed_errors_init(&errors, fed_alloc_system());
    hub_kubefed_check_config(a->object, a->operation == HUB_UPDATE ? a->before : NULL, &errors);
    return deny(a, "kubefedconfigs", &errors);
}

enum fed_err hub_kubefed_fill_config(void *ctx, struct fed_json_doc *doc, struct fed_json *object)
{
    (void)ctx;
    return hub_kubefed_default_config(doc, object);
}

enum fed_err hub_kubefed_admit_type(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    return admit(a, "federatedtypeconfigs", hub_kubefed_check_type);
}

enum fed_err hub_kubefed_fill_type(void *ctx, struct fed_json_doc *doc, struct fed_json *object)
{
    (void)ctx;
    return hub_kubefed_default_type(doc, object);
}
