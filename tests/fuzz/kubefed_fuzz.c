/* Objects of KubeFed's API, whatever is in them: defaults, rules and warnings do no harm. What has
 * its defaults once keeps them, and warnings change nothing. */
#include "hub/kubefed/check.h"
#include "hub/kubefed/config.h"
#include "hub/kubefed/warn.h"
#include "tests/fuzz/fuzz.h"

static bool maybe(void *ctx, struct fed_span name)
{
    (void)ctx;
    return name.len % 2 == 0;
}

static void hear(void *ctx, const char *text)
{
    size_t *n = ctx;

    FUZZ_CHECK(text[0]);
    (*n)++;
}

static void check(const struct fed_json *object, const struct fed_json *before)
{
    struct hub_kubefed_errors errors;
    struct fed_buf text;

    hub_kubefed_errors_init(&errors, fed_alloc_system());
    fed_buf_init(&text, fed_alloc_system(), 1u << 20);
    for (int part = HUB_KUBEFED_SPEC; part <= HUB_KUBEFED_STATUS; part++) {
        hub_kubefed_check_cluster(object, (enum hub_kubefed_part)part, &errors);
        hub_kubefed_check_type(object, (enum hub_kubefed_part)part, &errors);
    }
    hub_kubefed_check_config(object, before, &errors);
    hub_kubefed_errors_put(&errors, &text);
    FUZZ_CHECK((errors.n > 0) == (text.len > 0));
    fed_buf_fini(&text);
    hub_kubefed_errors_fini(&errors);
}

static void fill(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *again;

    if (hub_kubefed_default_config(doc, object) || hub_kubefed_default_type(doc, object))
        return;
    again = fed_json_clone(doc, object);
    if (!again || hub_kubefed_default_config(doc, again) || hub_kubefed_default_type(doc, again))
        return;
    FUZZ_CHECK(fed_json_eq(again, object));
    (void)hub_kubefed_settings_of(object);
}

static void warn(struct fed_json_doc *doc, struct fed_json *object)
{
    size_t n = 0;
    struct hub_kubefed_around around = {.has_cluster = maybe,
        .is_federated = maybe,
        .is_labelled = maybe,
        .namespaced = true,
        .warn = hear,
        .warn_ctx = &n};
    struct fed_json *before = fed_json_clone(doc, object);

    hub_kubefed_warn(doc, object, &around);
    FUZZ_CHECK(!before || fed_json_eq(before, object));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_json *before;

    if (fed_json_doc_new(fed_alloc_system(), &doc))
        return 0;
    if (!fed_json_parse(doc, fed_span_of(data, size), &object, NULL) &&
        !fed_json_duplicate_key(object, &(struct fed_buf){.mem = fed_alloc_system()})) {
        before = fed_json_clone(doc, object);
        warn(doc, object);
        fill(doc, object);
        check(object, before);
    }
    fed_json_doc_free(doc);
    return 0;
}
