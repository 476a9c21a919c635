/* config_check.c - what a KubeFedConfig must say, and what it may leave out: see check.h. */
#include "hub/kubefed/check.h"
#include "hub/kubefed/duration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const gate_names[] = {
    "PushReconciler", "RawResourceStatusCollection", "SchedulerPreferences", NULL};
static const char *const modes[] = {"Enabled", "Disabled", NULL};

/* Every member but scope and gates, in the order in which KubeFed looks at them. */
enum form { DURATION, NUMBER, TEXT };
static const struct setting {
    const char *section;
    const char *name;
    enum form form;
    const char *otherwise;
} settings[] = {
    {"controllerDuration", "availableDelay", DURATION, "20s"},
    {"controllerDuration", "unavailableDelay", DURATION, "1m0s"},
    {"controllerDuration", "cacheSyncTimeout", DURATION, "5m0s"},
    {"leaderElect", "leaseDuration", DURATION, "15s"},
    {"leaderElect", "renewDeadline", DURATION, "10s"},
    {"leaderElect", "retryPeriod", DURATION, "5s"},
    {"leaderElect", "resourceLock", TEXT, "configmaps"},
    {"clusterHealthCheck", "period", DURATION, "10s"},
    {"clusterHealthCheck", "failureThreshold", NUMBER, "3"},
    {"clusterHealthCheck", "successThreshold", NUMBER, "1"},
    {"clusterHealthCheck", "timeout", DURATION, "3s"},
    {"syncController", "maxConcurrentReconciles", NUMBER, "1"},
    {"syncController", "adoptResources", TEXT, "Enabled"},
    {"statusController", "maxConcurrentReconciles", NUMBER, "1"},
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

static bool is_given(const struct fed_json *value)
{
    return fed_json_type(value) > FED_JSON_NULL;
}

static struct fed_span text_at(const struct fed_json *from, const char *key)
{
    return fed_json_string(fed_json_get(from, key));
}

/* ---- defaults ---- */
static enum fed_err default_setting(
    struct fed_json_doc *doc, struct fed_json *spec, const struct setting *setting)
{
    struct fed_json *section = fed_json_ensure_object(doc, spec, setting->section);
    struct fed_json *value = fed_json_get(section, setting->name);
    char text[HUB_DURATION_TEXT_SIZE];
    int64_t ns;

    if (!section) /* of another type, as the schema will say; or there is no memory */
        return is_given(fed_json_get(spec, setting->section)) ? FED_OK : FED_ERR_NOMEM;
    if (!is_given(value) && setting->form == NUMBER)
        return fed_json_set_int(doc, section, setting->name, strtol(setting->otherwise, NULL, 10));
    if (!is_given(value))
        return fed_json_set_text(doc, section, setting->name, setting->otherwise);
    if (setting->form != DURATION || hub_duration_parse(fed_json_string(value), &ns))
        return FED_OK;
    hub_duration_text(ns, text);
    return fed_span_is(fed_json_string(value), text)
               ? FED_OK
               : fed_json_set_text(doc, section, setting->name, text);
}

static bool has_gate(const struct fed_json *gates, const char *name)
{
    for (size_t i = 0; i < fed_json_count(gates); i++)
        if (fed_span_is(text_at(fed_json_at(gates, i), "name"), name))
            return true;
    return false;
}

static enum fed_err add_gate(struct fed_json_doc *doc, struct fed_json *gates, const char *name)
{
    bool off = strcmp(name, "RawResourceStatusCollection") == 0;
    struct fed_json *gate = fed_json_new_object(doc);
    enum fed_err err = gate ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(doc, gate, "configuration", off ? "Disabled" : "Enabled");
    if (!err)
        err = fed_json_set_text(doc, gate, "name", name);
    return err ? err : fed_json_append(gates, gate);
}

/* Each one goes before the first that is greater: equal names keep their order. */
static enum fed_err sort_gates(
    struct fed_json_doc *doc, struct fed_json *spec, const struct fed_json *gates)
{
    struct fed_json *sorted = fed_json_new_array(doc);
    enum fed_err err = sorted ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < fed_json_count(gates); i++) {
        struct fed_json *gate = fed_json_at(gates, i);
        size_t at = fed_json_count(sorted);

        while (at > 0 && fed_span_cmp(text_at(gate, "name"),
                             text_at(fed_json_at(sorted, at - 1), "name")) < 0)
            at--;
        gate = fed_json_clone(doc, gate);
        err = gate ? fed_json_insert(sorted, at, gate) : FED_ERR_NOMEM;
    }
    return err ? err : fed_json_set(doc, spec, "featureGates", sorted);
}

static enum fed_err default_gates(struct fed_json_doc *doc, struct fed_json *spec)
{
    struct fed_json *gates = fed_json_get(spec, "featureGates");
    enum fed_err err = FED_OK;

    if (is_given(gates) && !fed_json_is_array(gates))
        return FED_OK;
    if (!is_given(gates)) {
        gates = fed_json_new_array(doc);
        err = fed_json_set(doc, spec, "featureGates", gates);
    }
    for (size_t i = 0; !err && gate_names[i]; i++)
        if (!has_gate(gates, gate_names[i]))
            err = add_gate(doc, gates, gate_names[i]);
    return err ? err : sort_gates(doc, spec, gates);
}

enum fed_err hub_kubefed_default_config(struct fed_json_doc *doc, struct fed_json *object)
{
    struct fed_json *spec = fed_json_get(object, "spec");
    enum fed_err err = FED_OK;

    if (!fed_json_is_object(spec))
        return FED_OK;
    for (size_t i = 0; !err && i < N_SETTINGS; i++)
        err = default_setting(doc, spec, &settings[i]);
    return err ? err : default_gates(doc, spec);
}

/* ---- rules ---- */
static void check_above_0(struct hub_kubefed_errors *errors, const char *path, int64_t value)
{
    char shown[24];

    snprintf(shown, sizeof shown, "%lld", (long long)value);
    if (value <= 0)
        hub_kubefed_invalid(errors, path, shown, "should be greater than 0");
}

static void check_setting(struct hub_kubefed_errors *errors, const struct fed_json *section,
    const struct setting *setting)
{
    static const char *const locks[] = {"configmaps", "endpoints", NULL};
    const struct fed_json *value = fed_json_get(section, setting->name);
    char path[96];
    int64_t ns = 0;

    snprintf(path, sizeof path, "spec.%s.%s", setting->section, setting->name);
    if (!is_given(value))
        hub_kubefed_required(errors, path);
    else if (setting->form == NUMBER)
        check_above_0(errors, path, fed_json_int(value, 0));
    else if (setting->form == TEXT)
        hub_kubefed_check_enum(errors, path, fed_json_string(value),
            strcmp(setting->name, "resourceLock") == 0 ? locks : modes);
    else if (hub_duration_parse(fed_json_string(value), &ns))
        hub_kubefed_invalid_text(errors, path, fed_json_string(value), "time: invalid duration");
    else
        check_above_0(errors, path, ns);
}

static bool duration_of(const struct fed_json *section, const char *name, int64_t *ns)
{
    const struct fed_json *value = fed_json_get(section, name);

    return is_given(value) && !hub_duration_parse(fed_json_string(value), ns);
}

static void show_duration(char out[64], int64_t ns)
{
    snprintf(out, 64, "v1.Duration{Duration:%lld}", (long long)ns);
}

/* leaseDuration > renewDeadline > 1.2 x retryPeriod, each where both are there. */
static void check_election(struct hub_kubefed_errors *errors, const struct fed_json *elect)
{
    int64_t lease = 0;
    int64_t renew = 0;
    int64_t retry = 0;
    bool has_renew = duration_of(elect, "renewDeadline", &renew);
    char shown[64];

    if (duration_of(elect, "leaseDuration", &lease) && has_renew && lease <= renew) {
        show_duration(shown, lease);
        hub_kubefed_invalid(errors, "spec.leaderElect.leaseDuration", shown,
            "leaseDuration must be greater than renewDeadline");
    }
    if (duration_of(elect, "retryPeriod", &retry) && has_renew &&
        (double)renew <= (double)retry * 1.2) {
        show_duration(shown, renew);
        hub_kubefed_invalid(errors, "spec.leaderElect.renewDeadline", shown,
            "renewDeadline must be greater than retryPeriod*JitterFactor(1.2)");
    }
}

static void check_section(
    struct hub_kubefed_errors *errors, const struct fed_json *spec, const char *name)
{
    const struct fed_json *section = fed_json_get(spec, name);
    char path[64];

    snprintf(path, sizeof path, "spec.%s", name);
    if (!is_given(section)) {
        hub_kubefed_required(errors, path);
        return;
    }
    for (size_t i = 0; i < N_SETTINGS; i++) {
        if (strcmp(settings[i].section, name) != 0)
            continue;
        if (strcmp(settings[i].name, "resourceLock") == 0)
            check_election(errors, section);
        check_setting(errors, section, &settings[i]);
    }
}

static void check_gates(struct hub_kubefed_errors *errors, const struct fed_json *gates)
{
    if (!is_given(gates)) {
        hub_kubefed_required(errors, "spec.featureGates");
        return;
    }
    for (size_t i = 0; i < fed_json_count(gates); i++) {
        const struct fed_json *gate = fed_json_at(gates, i);
        struct fed_span name = text_at(gate, "name");
        bool known = false;

        for (size_t j = 0; j < i && !known; j++)
            known = fed_span_eq(name, text_at(fed_json_at(gates, j), "name"));
        if (known) {
            hub_kubefed_duplicate(errors, "spec.featureGates.name", name);
            continue;
        }
        hub_kubefed_check_enum(errors, "spec.featureGates.name", name, gate_names);
        hub_kubefed_check_enum(
            errors, "spec.featureGates.configuration", text_at(gate, "configuration"), modes);
    }
}

void hub_kubefed_check_config(
    const struct fed_json *object, const struct fed_json *before, struct hub_kubefed_errors *errors)
{
    static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
    const struct fed_json *spec = fed_json_get(object, "spec");
    struct fed_span scope = text_at(spec, "scope");

    hub_kubefed_check_enum(errors, "spec.scope", scope, scopes);
    if (before && !fed_span_eq(scope, fed_json_string(fed_json_find(before, "spec.scope"))))
        hub_kubefed_invalid_text(errors, "spec.scope", scope, "field is immutable");
    check_section(errors, spec, "controllerDuration");
    check_section(errors, spec, "leaderElect");
    check_gates(errors, fed_json_get(spec, "featureGates"));
    check_section(errors, spec, "clusterHealthCheck");
    check_section(errors, spec, "syncController");
    check_section(errors, spec, "statusController");
}
