/* gates.c - see gates.h. */
#include "hub/plan/gates.h"

#include <string.h>

bool hub_gate_is_on(const struct fed_json *config, const char *gate)
{
    const struct fed_json *list = fed_json_find(config, "spec.featureGates");
    bool on = strcmp(gate, "PushReconciler") == 0 || strcmp(gate, "SchedulerPreferences") == 0;

    for (size_t i = 0; i < fed_json_count(list); i++) {
        const struct fed_json *one = fed_json_at(list, i);

        if (fed_span_is(fed_json_string(fed_json_get(one, "name")), gate))
            on = fed_span_is(fed_json_string(fed_json_get(one, "configuration")), "Enabled");
    }
    return on;
}
