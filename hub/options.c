/* options.c - see options.h. */
#include "hub/options.h"

#include "ports/yaml.h"
#include "proto/base/text.h"
#include "proto/doc/doc.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum type { TEXT, LISTEN, LIST, NUMBER, AUTO, LEVEL, DURATION, CONSENT };
struct option {
    const char *name;
    enum type type;
    size_t offset;
    size_t size; /* of a text */
    int64_t min;
    int64_t max;
    const char *normal;
    const char *metavar;
    const char *help;
};
#define AT(member) offsetof(struct hub_options, member), sizeof(((struct hub_options *)0)->member)

static const struct option options_table[] = {
    {"data-dir", TEXT, AT(data_dir), 0, 0, "/var/lib/fedhub", "DIR",
        "where the store, the CA and admin.kubeconfig are kept"},
    {"listen", LISTEN, AT(listen), 0, 0, "0.0.0.0:7443", "ADDRESS",
        "Kubernetes API (TCP); port 0 picks a free one"},
    {"coap-listen", LISTEN, AT(coap_listen), 0, 0, "0.0.0.0:5684", "ADDRESS",
        "agents by CoAP over DTLS (UDP)"},
    {"agent-listen", LISTEN, AT(agent_listen), 0, 0, "0.0.0.0:7444", "ADDRESS",
        "agents by HTTPS (TCP)"},
    {"advertise", LIST, AT(advertise), 0, 0, "", "NAME_OR_IP",
        "name or address by which others reach the hub, for certificates and join tokens; "
        "repeatable"},
    {"gateway-workers", AUTO, AT(gateway_workers), 0, 64, "auto", "N",
        "processes that hold the agents' CoAP sessions; auto: one per core, at most 16; 0: the hub "
        "itself holds them"},
    {"heartbeat-s", NUMBER, AT(heartbeat_s), 10, 86400, "120", "SECONDS",
        "how often a silent agent proves that it lives"},
    {"certificate-life", DURATION, AT(certificate_life_s), 60, 315360000, "8760h", "DURATION",
        "how long agents' certificates last; agents get a new one after two thirds of it"},
    {"certificate-return", DURATION, AT(certificate_return_s), 0, 315360000, "0s", "DURATION",
        "how long after its end a certificate can be exchanged for a new one; 0s: as long as its "
        "cluster is registered"},
    {"removal-consent", CONSENT, AT(removal_consent), 0, 0, "share=30%,least=5", "LIMIT",
        "removals that nobody ordered by name, of more than that share of a cluster's works and at "
        "least so many, wait for `fedctl approve CLUSTER --removal`; off: none waits. The "
        "annotation "
        "fedlet.io/removal-consent of a KubeFedCluster says it for that cluster"},
    {"store-cache-kib", NUMBER, AT(store_cache_kib), 64, 4194304, "2048", "KIB",
        "page cache of the store"},
    {"history-s", NUMBER, AT(history_s), 10, 86400, "600", "SECONDS",
        "how long changes are kept for watches that resume and lists that continue"},
    {"history-kib", NUMBER, AT(history_kib), 64, 4194304, "262144", "KIB",
        "room for them on disk; under heavy writing they are kept for a shorter time"},
    {"audit-file-kib", NUMBER, AT(audit_file_kib), 64, 4194304, "65536", "KIB",
        "size at which DIR/audit.log becomes audit.log.1"},
    {"audit-files", NUMBER, AT(audit_files), 1, 100, "5", "N",
        "audit logs kept, the present one included"},
    {"audit-reads", NUMBER, AT(audit_reads), 0, 1, "0", "0|1",
        "1: requests that only read are recorded too"},
    {"console-session", DURATION, AT(console_session_s), 60, 604800, "8h", "DURATION",
        "how long a browser stays signed in to the console"},
    {"console-idle", DURATION, AT(console_idle_s), 60, 604800, "30m", "DURATION",
        "how long it stays so without asking for anything"},
    {"log-level", LEVEL, AT(log_level), 0, 0, "info", "LEVEL", "error, warn, info or debug"},
};
#define N_OPTIONS (sizeof options_table / sizeof *options_table)

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static enum fed_err set_text(
    char *out, size_t size, const struct option *option, const char *value, struct fed_diag *diag)
{
    enum fed_err err = fed_span_to_cstr(fed_span_text(value), out, size);

    if (err || value[0] == 0)
        return fed_diag_set(diag, err ? err : FED_ERR_INVALID, "%s: not a text of 1 to %zu bytes",
            option->name, size - 1);
    return FED_OK;
}

/* ADDRESS:PORT; the address may be empty, and one of IPv6 stands in brackets. */
static enum fed_err check_listen(
    const struct option *option, const char *value, struct fed_diag *diag)
{
    const char *colon = strrchr(value, ':');
    uint64_t port;

    if (colon && colon[1] && !fed_span_to_u64(fed_span_text(colon + 1), &port) && port <= 65535)
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_INVALID,
        "%s: \"%s\" is not ADDRESS:PORT with a port from 0 to 65535", option->name, value);
}

static enum fed_err set_number(
    int64_t *out, const struct option *option, const char *value, struct fed_diag *diag)
{
    uint64_t number;

    if (fed_span_to_u64(fed_span_text(value), &number) || number > INT64_MAX ||
        (int64_t)number < option->min || (int64_t)number > option->max)
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: \"%s\" is not a number from %lld to %lld",
            option->name, value, (long long)option->min, (long long)option->max);
    *out = (int64_t)number;
    return FED_OK;
}

/* Whole seconds, as in 24h. */
static enum fed_err set_duration(
    int64_t *out, const struct option *option, const char *value, struct fed_diag *diag)
{
    uint64_t ms = 0;

    if (fed_text_duration_ms(fed_span_text(value), &ms) || ms % 1000 != 0 ||
        ms / 1000 > (uint64_t)option->max || (int64_t)(ms / 1000) < option->min)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "%s: \"%s\" is not a duration of %lld to %lld seconds, as in 24h", option->name, value,
            (long long)option->min, (long long)option->max);
    *out = (int64_t)(ms / 1000);
    return FED_OK;
}

static enum fed_err set_consent(struct fed_consent_limit *out, const struct option *option,
    const char *value, struct fed_diag *diag)
{
    enum fed_err err = fed_consent_limit_parse(fed_span_text(value), out, diag);

    return err ? fed_diag_prefix(diag, err, "%s", option->name) : FED_OK;
}

static enum fed_err set_level(int64_t *out, const char *value, struct fed_diag *diag)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(value, level_names[i]) == 0) {
            *out = (int64_t)i;
            return FED_OK;
        }
    return fed_diag_set(
        diag, FED_ERR_INVALID, "log-level: \"%s\" is not error, warn, info or debug", value);
}

static enum fed_err set(struct hub_options *options, const struct option *option, const char *value,
    struct fed_diag *diag)
{
    char *at = (char *)options + option->offset;

    switch (option->type) {
    case LISTEN:
        if (value[0] && check_listen(option, value, diag))
            return FED_ERR_INVALID;
        return set_text(at, option->size, option, value, diag);
    case TEXT:
        return set_text(at, option->size, option, value, diag);
    case NUMBER:
        return set_number((int64_t *)(void *)at, option, value, diag);
    case AUTO:
        if (strcmp(value, "auto") != 0)
            return set_number((int64_t *)(void *)at, option, value, diag);
        *(int64_t *)(void *)at = HUB_OPTIONS_AUTO;
        return FED_OK;
    case LEVEL:
        return set_level((int64_t *)(void *)at, value, diag);
    case DURATION:
        return set_duration((int64_t *)(void *)at, option, value, diag);
    case CONSENT:
        return set_consent((struct fed_consent_limit *)(void *)at, option, value, diag);
    case LIST:
        break;
    }
    if (options->n_advertise == HUB_OPTIONS_ADVERTISE_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "%s: more than %u", option->name, HUB_OPTIONS_ADVERTISE_MAX);
    if (set_text(options->advertise[options->n_advertise], sizeof options->advertise[0], option,
            value, diag))
        return FED_ERR_INVALID;
    options->n_advertise++;
    return FED_OK;
}

void hub_options_default(struct hub_options *out)
{
    struct fed_diag diag;

    *out = (struct hub_options){.n_advertise = 0};
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options_table[i].type != LIST &&
            set(out, &options_table[i], options_table[i].normal, &diag))
            continue; /* the table's own defaults are in range: hub_options_test holds them to it */
}

enum fed_err hub_options_set(
    struct hub_options *options, const char *name, const char *value, struct fed_diag *diag)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (strcmp(options_table[i].name, name) == 0)
            return set(options, &options_table[i], value, diag);
    return fed_diag_set(diag, FED_ERR_NOT_FOUND, "there is no setting \"%s\"", name);
}

/* ---- file ---- */
static enum fed_err set_value(struct hub_options *options, const struct option *option,
    const struct fed_doc *value, struct fed_diag *diag)
{
    char number[32];
    int64_t n;
    enum fed_err err = FED_OK;

    if (option->type == LIST) {
        if (!fed_doc_is_array(value))
            return fed_diag_set(diag, FED_ERR_INVALID, "%s: must be a list", option->name);
        for (size_t i = 0; !err && i < fed_doc_count(value); i++)
            err = set(options, option, fed_doc_text(fed_doc_at(value, i), ""), diag);
        return err;
    }
    if (option->type != NUMBER && !(option->type == AUTO && !fed_doc_text(value, NULL)))
        return set(options, option, fed_doc_text(value, ""), diag);
    if (fed_doc_int(value, option->min, option->max, &n))
        return fed_diag_set(diag, FED_ERR_INVALID, "%s: not a number from %lld to %lld",
            option->name, (long long)option->min, (long long)option->max);
    snprintf(number, sizeof number, "%lld", (long long)n);
    return set(options, option, number, diag);
}

static enum fed_err set_all(
    struct hub_options *options, const struct fed_doc *root, struct fed_diag *diag)
{
    const char *keys[N_OPTIONS + 1] = {NULL};
    enum fed_err err;

    for (size_t i = 0; i < N_OPTIONS; i++)
        keys[i] = options_table[i].name;
    if (!fed_doc_is_object(root))
        return fed_diag_set(diag, FED_ERR_INVALID, "not a mapping of settings");
    err = fed_doc_only(root, keys, diag);
    for (size_t i = 0; !err && i < N_OPTIONS; i++) {
        const struct fed_doc *value = fed_doc_get(root, options_table[i].name);

        if (value)
            err = set_value(options, &options_table[i], value, diag);
    }
    return err;
}

struct reading {
    struct hub_options *options;
    struct fed_diag *diag;
    enum fed_err err;
};

static bool read_document(void *ctx, size_t index, struct fed_span json)
{
    struct reading *reading = ctx;
    struct fed_doc *root = NULL;

    if (index > 0)
        reading->err = fed_diag_set(reading->diag, FED_ERR_INVALID, "more than one document");
    else
        reading->err = fed_doc_parse(json, &root, reading->diag);
    if (!reading->err)
        reading->err = set_all(reading->options, root, reading->diag);
    fed_doc_free(root);
    return !reading->err;
}

enum fed_err hub_options_file(
    struct fed_alloc *mem, struct fed_span text, struct hub_options *options, struct fed_diag *diag)
{
    struct reading reading = {options, diag, FED_OK};
    enum fed_err err = fed_yaml_each_json(mem, text, read_document, &reading, diag);

    return reading.err ? reading.err : err;
}

/* ---- what people read ---- */
void hub_options_sample(struct fed_buf *out)
{
    fed_buf_put_text(out, "# fedhub configuration: every setting with its default.\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options_table[i];
        const char *quote = option->type == TEXT || option->type == LISTEN ? "\"" : "";

        fed_buf_printf(out, "\n# %s", option->help);
        if (option->type == NUMBER || option->type == AUTO)
            fed_buf_printf(out, " (%lld to %lld)", (long long)option->min, (long long)option->max);
        if (option->type == LIST)
            fed_buf_printf(out, "\n#%s:\n#- hub.example.com\n", option->name);
        else
            fed_buf_printf(out, "\n%s: %s%s%s\n", option->name, quote, option->normal, quote);
    }
}

static enum fed_err add_list(
    struct fed_doc *to, const struct hub_options *options, const char *name)
{
    struct fed_doc *list = fed_doc_new_array();
    enum fed_err err = list ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < options->n_advertise; i++)
        err = fed_doc_append_text(list, options->advertise[i]);
    if (!err)
        return fed_doc_set_take(to, name, list);
    fed_doc_free(list);
    return err;
}

static enum fed_err add(
    struct fed_doc *to, const struct hub_options *options, const struct option *option)
{
    const char *at = (const char *)options + option->offset;
    const int64_t *number = (const int64_t *)(const void *)at;
    const struct fed_consent_limit *limit;
    char text[96];

    switch (option->type) {
    case LIST:
        return add_list(to, options, option->name);
    case AUTO:
        if (*number == HUB_OPTIONS_AUTO)
            return fed_doc_set_text(to, option->name, "auto");
        return fed_doc_set_int(to, option->name, *number);
    case NUMBER:
        return fed_doc_set_int(to, option->name, *number);
    case DURATION:
        snprintf(text, sizeof text, "%llds", (long long)*number);
        return fed_doc_set_text(to, option->name, text);
    case LEVEL:
        return fed_doc_set_text(to, option->name, level_names[*number]);
    case CONSENT:
        limit = (const struct fed_consent_limit *)(const void *)at;
        if (limit->share == 100)
            return fed_doc_set_text(to, option->name, "off");
        snprintf(text, sizeof text, "share=%u%%,least=%u", (unsigned)limit->share,
            (unsigned)limit->least);
        return fed_doc_set_text(to, option->name, text);
    case TEXT:
    case LISTEN:
        break;
    }
    return fed_doc_set_text(to, option->name, at);
}

enum fed_err hub_options_json(const struct hub_options *options, struct fed_buf *out)
{
    struct fed_doc *doc = fed_doc_new_object();
    enum fed_err err = doc ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < N_OPTIONS; i++)
        err = add(doc, options, &options_table[i]);
    if (!err)
        err = fed_doc_put(out, doc);
    fed_doc_free(doc);
    return err;
}

void hub_options_help(struct fed_buf *out)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options_table[i];
        char flag[64];

        snprintf(flag, sizeof flag, "--%s %s", option->name, option->metavar);
        fed_buf_printf(out, "  %-26s %s", flag, option->help);
        if (option->normal[0])
            fed_buf_printf(out, " (default %s)", option->normal);
        fed_buf_put_text(out, "\n");
    }
}
