/* cluster.c - what a KubeFedCluster must say: see check.h. */
#include "hub/kubefed/check.h"
#include "hub/kubefed/endpoint.h"

#include "hub/api/go_text.h"

#include <stdio.h>

static const char *const tls_names[] = {"*", "SubjectName", "ValidityPeriod", NULL};

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

/* []v1beta1.TLSValidation{"*", "SubjectName"} */
static void put_list(struct fed_buf *out, const struct fed_json *list)
{
    fed_buf_put_text(out, "[]v1beta1.TLSValidation{");
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        fed_buf_put_text(out, it.index > 0 ? ", " : "");
        hub_put_quoted(out, fed_json_string(it.value));
    }
    fed_buf_put_text(out, "}");
}

static void check_tls(struct hub_kubefed_errors *errors, const struct fed_json *list)
{
    static const char path[] = "spec.disabledTLSValidations";
    struct fed_buf shown;
    bool all = false;

    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        struct fed_span value = fed_json_string(it.value);

        all = all || fed_span_is(value, "*");
        hub_kubefed_check_enum(errors, path, value, tls_names);
    }
    if (!all || fed_json_count(list) < 2)
        return;
    fed_buf_init(&shown, errors->mem, 1024);
    put_list(&shown, list);
    hub_kubefed_invalid(errors, path, fed_buf_cstr(&shown),
        "when * is specified, it is expected to be the only option in list");
    fed_buf_fini(&shown);
}

/* Whether it says anything about a connection to it. */
static bool has_connection(const struct fed_json *spec)
{
    static const char *const members[] = {
        "apiEndpoint", "secretRef", "caBundle", "proxyURL", "disabledTLSValidations"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (fed_json_type(fed_json_get(spec, members[i])) > FED_JSON_NULL)
            return true;
    return false;
}

static void check_spec(struct hub_kubefed_errors *errors, const struct fed_json *spec)
{
    struct fed_span secret = text_at(fed_json_get(spec, "secretRef"), "name");
    struct fed_span proxy = text_at(spec, "proxyURL");

    if (!has_connection(spec))
        return;
    hub_kubefed_check_endpoint(errors, "spec.apiEndpoint", text_at(spec, "apiEndpoint"));
    if (secret.len == 0)
        hub_kubefed_required(errors, "spec.secretRef.name");
    else
        hub_kubefed_check_subdomain(errors, "spec.secretRef.name", secret);
    check_tls(errors, fed_json_get(spec, "disabledTLSValidations"));
    if (proxy.len > 0)
        hub_kubefed_check_proxy(errors, "spec.proxyURL", proxy);
}

static void check_condition(
    struct hub_kubefed_errors *errors, size_t index, const struct fed_json *condition)
{
    static const char *const types[] = {"Ready", "Offline", "ConfigMalformed", NULL};
    static const char *const states[] = {"True", "False", "Unknown", NULL};
    struct fed_span probed = text_at(condition, "lastProbeTime");
    char path[80];

    snprintf(path, sizeof path, "status.conditions[%zu].type", index);
    hub_kubefed_check_enum(errors, path, text_at(condition, "type"), types);
    snprintf(path, sizeof path, "status.conditions[%zu].status", index);
    hub_kubefed_check_enum(errors, path, text_at(condition, "status"), states);
    snprintf(path, sizeof path, "status.conditions[%zu].lastProbeTime", index);
    if (probed.len == 0 || fed_span_is(probed, "0001-01-01T00:00:00Z"))
        hub_kubefed_required(errors, path);
}

void hub_kubefed_check_cluster(
    const struct fed_json *object, enum hub_kubefed_part part, struct hub_kubefed_errors *errors)
{
    const struct fed_json *conditions = fed_json_find(object, "status.conditions");

    if (part == HUB_KUBEFED_SPEC)
        check_spec(errors, fed_json_get(object, "spec"));
    for (struct fed_json_iter it = fed_json_items(conditions);
         part == HUB_KUBEFED_STATUS && fed_json_iter_next(&it);)
        check_condition(errors, it.index, it.value);
}
