/* settings.c - what the KubeFedConfig of the federation says about scheduling. */
#include "hub/identity/identity.h"
#include "hub/schedule/internal.h"
#include "proto/base/text.h"

#define CONFIG_NAME "kubefed"
#define GATE "SchedulerPreferences"
#define AVAILABLE_MS 20000u
#define UNAVAILABLE_MS 60000u
#define DELAY_MAX_MS (24u * 3600u * 1000u)

static uint64_t delay(const struct fed_json *config, const char *path, uint64_t otherwise_ms)
{
    struct fed_span text = fed_json_string(fed_json_find(config, path));
    uint64_t ms;

    if (text.len == 0 || fed_text_duration_ms(text, &ms) || ms == 0 || ms > DELAY_MAX_MS)
        return otherwise_ms;
    return ms;
}

static bool gate_is_on(const struct fed_json *config)
{
    const struct fed_json *gates = fed_json_find(config, "spec.featureGates");

    for (size_t i = 0; i < fed_json_count(gates); i++) {
        const struct fed_json *gate = fed_json_at(gates, i);

        if (fed_span_is(fed_json_string(fed_json_get(gate, "name")), GATE))
            return !fed_span_is(fed_json_string(fed_json_get(gate, "configuration")), "Disabled");
    }
    return true;
}

void schedule_settings_read(struct hub_schedule *s)
{
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(SCHEDULE_CONFIGS),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = FED_SPAN_LIT(CONFIG_NAME)};
    struct fed_json_doc *doc;
    struct fed_json *config = NULL;
    struct fed_buf bytes;

    if (fed_json_doc_new(s->o.mem, &doc))
        return; /* as it was */
    fed_buf_init(&bytes, s->o.mem, HUB_OBJECT_BYTES_MAX);
    if (hub_objects_get(s->o.objects, &ref, &bytes, NULL) ||
        fed_json_parse(doc, fed_buf_span(&bytes), &config, NULL))
        config = NULL;
    s->settings = (struct schedule_settings){.enabled = gate_is_on(config),
        .available_ms = delay(config, "spec.controllerDuration.availableDelay", AVAILABLE_MS),
        .unavailable_ms =
            delay(config, "spec.controllerDuration.unavailableDelay", UNAVAILABLE_MS)};
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
}
