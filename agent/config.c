/* config.c - see config.h. */
#include "agent/config.h"

#include "proto/doc/doc.h"
#include "proto/link/link.h"

#include <stddef.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_CHOICE, KIND_CONSENT, KIND_HUBS };

static const struct key {
    const char *name;
    const char *option;
    enum kind kind;
    size_t at;
    size_t size;
    const char *choices; /* separated by spaces */
    const char *otherwise;
    const char *help;
} keys[] = {
    {"stateDir", "--state-dir", KIND_TEXT, offsetof(struct agent_config, state_dir), AGENT_PATH_MAX,
        NULL, "/var/lib/fedlet", "folder for identity, bundle and inventory (mode 0700)"},
    {"kubeconfig", "--kubeconfig", KIND_TEXT, offsetof(struct agent_config, kubeconfig),
        AGENT_PATH_MAX, NULL, "",
        "the member cluster; empty: $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount"},
    {"link", "--link", KIND_CHOICE, offsetof(struct agent_config, link), 8, "auto coap https",
        "auto",
        "how to reach the hub: auto (CoAP while UDP gets through, else HTTPS), coap or https"},
    {"proxy", "--proxy", KIND_TEXT, offsetof(struct agent_config, proxy), AGENT_PROXY_SIZE, NULL,
        "",
        "HTTP proxy before https:// addresses, http://[USER:PASSWORD@]HOST:PORT; empty: "
        "$HTTPS_PROXY unless $NO_PROXY names the hub; none: never one"},
    {"hubs", "--hub", KIND_HUBS, 0, 0, NULL, "",
        "addresses instead of those that came with the token, for example "
        "coaps://hub.example:5684, https://hub.example:7444"},
    {"removalConsent", "--removal-consent", KIND_CONSENT,
        offsetof(struct agent_config, removal_consent), FED_CONSENT_TEXT_SIZE, NULL,
        "share=30%,least=5",
        "removals that nobody ordered by name, of more than that share of the works and at least "
        "so "
        "many, stay until somebody consents at the hub, whatever the hub's own limit is; off: "
        "none"},
    {"policy", "--policy", KIND_TEXT, offsetof(struct agent_config, policy), AGENT_PATH_MAX, NULL,
        "",
        "file that says what the hub may do here: kinds, namespaces, images, pods, accounts; see "
        "fedlet(8)"},
    {"logLevel", "--log-level", KIND_CHOICE, offsetof(struct agent_config, log_level), 8,
        "error warn info debug", "info", "most detailed lines: error, warn, info or debug"},
    {"log", "--log", KIND_CHOICE, offsetof(struct agent_config, log), 8, "text json", "text",
        "lines of text, or JSON objects with time, level and message"},
    {"metrics", "--metrics", KIND_TEXT, offsetof(struct agent_config, metrics), AGENT_METRICS_SIZE,
        NULL, "",
        "where Prometheus may ask for /metrics: unix:/run/fedlet/metrics.sock, 127.0.0.1:PORT or "
        "[::1]:PORT; empty: nowhere"},
};
#define N_KEYS (sizeof keys / sizeof *keys)

static bool is_choice(const char *choices, const char *value)
{
    struct fed_span rest = fed_span_text(choices);
    struct fed_span one;

    while (fed_span_split(&rest, ' ', &one)) {
        if (fed_span_is(one, value))
            return true;
    }
    return false;
}

static enum fed_err add_hub(struct agent_config *config, const char *value, struct fed_diag *diag)
{
    struct fed_link_address address;

    if (config->n_hubs == AGENT_HUBS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "hubs: at most %u", AGENT_HUBS_MAX);
    if (fed_link_address_parse(fed_span_text(value), &address, diag) ||
        fed_span_to_cstr(
            fed_span_text(value), config->hubs[config->n_hubs], sizeof config->hubs[0]))
        return fed_diag_prefix(diag, FED_ERR_INVALID, "hubs: \"%s\"", value);
    config->n_hubs++;
    return FED_OK;
}

static enum fed_err set(
    struct agent_config *config, const struct key *key, const char *value, struct fed_diag *diag)
{
    struct fed_consent_limit limit;

    if (key->kind == KIND_HUBS)
        return add_hub(config, value, diag);
    if (key->kind == KIND_CONSENT && fed_consent_limit_parse(fed_span_text(value), &limit, diag))
        return fed_diag_prefix(diag, FED_ERR_INVALID, "%s", key->name);
    if (key->kind == KIND_CHOICE && !is_choice(key->choices, value))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "%s: \"%s\" is none of %s", key->name, value, key->choices);
    if (fed_span_to_cstr(fed_span_text(value), (char *)config + key->at, key->size))
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "%s: longer than %zu bytes", key->name, key->size - 1);
    return FED_OK;
}

void agent_config_defaults(struct agent_config *config)
{
    *config = (struct agent_config){0};
    for (size_t i = 0; i < N_KEYS; i++) {
        if (keys[i].kind != KIND_HUBS)
            memcpy((char *)config + keys[i].at, keys[i].otherwise, strlen(keys[i].otherwise) + 1);
    }
}

static enum fed_err read_key(struct agent_config *config, const struct key *key,
    const struct fed_doc *value, struct fed_diag *diag)
{
    enum fed_err err = FED_OK;

    if (key->kind != KIND_HUBS) {
        if (!fed_doc_is_string(value))
            return fed_diag_set(diag, FED_ERR_INVALID, "%s: must be a text", key->name);
        return set(config, key, fed_doc_text(value, ""), diag);
    }
    if (!fed_doc_is_array(value))
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: must be a list of addresses", key->name);
    config->n_hubs = 0;
    for (size_t i = 0; i < fed_doc_count(value) && !err; i++)
        err = set(config, key, fed_doc_text(fed_doc_at(value, i), ""), diag);
    return err;
}

enum fed_err agent_config_read(
    struct agent_config *config, struct fed_span json, struct fed_diag *diag)
{
    const char *names[N_KEYS + 1] = {0};
    struct fed_doc *doc = NULL;
    enum fed_err err = fed_doc_parse(json, &doc, diag);

    for (size_t i = 0; i < N_KEYS; i++)
        names[i] = keys[i].name;
    if (!err && !fed_doc_is_object(doc))
        err = fed_diag_set(diag, FED_ERR_INVALID, "not a document of keys and values");
    if (!err)
        err = fed_doc_only(doc, names, diag);
    for (size_t i = 0; i < N_KEYS && !err; i++) {
        const struct fed_doc *value = fed_doc_get(doc, keys[i].name);

        if (value)
            err = read_key(config, &keys[i], value, diag);
    }
    fed_doc_free(doc);
    return err;
}

enum fed_err agent_config_option(struct agent_config *config, const char *option, const char *value,
    bool *first, struct fed_diag *diag)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(keys[i].option, option) != 0)
            continue;
        if (keys[i].kind == KIND_HUBS && *first) {
            config->n_hubs = 0;
            *first = false;
        }
        return set(config, &keys[i], value, diag);
    }
    return FED_ERR_NOT_FOUND;
}

const char *agent_config_fixed(const struct agent_config *now, const struct agent_config *next)
{
    if (strcmp(now->state_dir, next->state_dir) != 0)
        return "stateDir";
    if (strcmp(now->link, next->link) != 0)
        return "link";
    return strcmp(now->proxy, next->proxy) != 0 ? "proxy" : NULL;
}

void agent_config_sample(struct fed_buf *out)
{
    fed_buf_put_text(
        out, "# fedlet configuration. Every key may be left out; these are the defaults.\n");
    for (size_t i = 0; i < N_KEYS; i++) {
        fed_buf_printf(out, "\n# %s\n", keys[i].help);
        if (keys[i].kind == KIND_HUBS)
            fed_buf_printf(out, "%s: []\n", keys[i].name);
        else
            fed_buf_printf(out, "%s: \"%s\"\n", keys[i].name, keys[i].otherwise);
    }
}

enum fed_log_level agent_config_log_level(const struct agent_config *config)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(config->log_level, names[i]) == 0)
            return (enum fed_log_level)i;
    }
    return FED_LOG_INFO;
}
