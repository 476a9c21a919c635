/* query.c - see query.h. */
#include "hub/console/query.h"

#include <string.h>

#define LABELS_TEXT (CONSOLE_LABELS_MAX * 2u)

/* ---- reading ---- */

static const struct state {
    const char *word;
    unsigned connectivity;
    unsigned delivery;
} states[] = {
    {"online", 1u << HUB_ONLINE, 0},
    {"late", 1u << HUB_LATE, 0},
    {"offline", 1u << HUB_OFFLINE, 0},
    {"never", 1u << HUB_NEVER, 0},
    {"quarantined", 1u << HUB_QUARANTINED, 0},
    {"in-sync", 0, 1u << HUB_IN_SYNC},
    {"syncing", 0, 1u << HUB_SYNCING},
    {"waiting", 0, 1u << HUB_WAITING},
    {"drifted", 0, 1u << HUB_DRIFTED},
    {"contested", 0, 1u << HUB_CONTESTED},
    {"failed", 0, 1u << HUB_FAILED},
};

static enum fed_err read_state(
    struct fed_span word, struct console_words *out, struct fed_diag *diag)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (fed_span_is(word, states[i].word)) {
            out->connectivity |= states[i].connectivity;
            out->delivery |= states[i].delivery;
            return FED_OK;
        }
    return fed_diag_set(diag, FED_ERR_INVALID,
        "state: is one of online, late, offline, never, quarantined, in-sync, syncing, waiting, "
        "drifted, contested, failed, not \"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(word));
}

/* state:, ns:, kind:. *taken is false for any other word. */
static enum fed_err read_colon(
    struct fed_span word, struct console_words *out, bool *taken, struct fed_diag *diag)
{
    size_t colon = fed_span_find(word, ':');
    struct fed_span key = fed_span_sub(word, 0, colon);
    struct fed_span value = fed_span_sub(word, colon + 1, word.len);

    *taken = colon < word.len;
    if (!*taken)
        return FED_OK;
    if (fed_span_is(key, "state"))
        return read_state(value, out, diag);
    if (fed_span_is(key, "ns"))
        out->ns = value;
    else if (fed_span_is(key, "kind"))
        out->kind = value;
    else
        return fed_diag_set(diag, FED_ERR_INVALID,
            "\"" FED_SPAN_FMT ":\" is none of state:, ns:, kind:", FED_SPAN_ARG(key));
    return FED_OK;
}

static bool is_label_word(struct fed_span word)
{
    return fed_span_find(word, '=') < word.len || fed_span_find(word, '!') < word.len;
}

static enum fed_err read_word(struct fed_span word, bool all_labels, struct console_words *out,
    struct fed_buf *labels, struct fed_diag *diag)
{
    bool taken;
    enum fed_err err = word.len > 0 ? read_colon(word, out, &taken, diag) : FED_OK;

    if (err || word.len == 0 || taken)
        return err;
    if (all_labels || is_label_word(word)) {
        if (labels->len > 0) /* words of one term stay apart, terms of their own are joined */
            fed_buf_put_u8(labels, all_labels ? ' ' : ',');
        fed_buf_put(labels, word);
        return FED_OK;
    }
    if (out->n_names == CONSOLE_NAMES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u names", CONSOLE_NAMES_MAX);
    out->names[out->n_names++] = word;
    return FED_OK;
}

enum fed_err console_query_read(
    struct fed_alloc *mem, struct fed_span text, struct console_words *out, struct fed_diag *diag)
{
    bool all_labels = fed_span_find(text, '(') < text.len;
    struct fed_span rest = text;
    struct fed_span word;
    struct fed_buf labels;
    enum fed_err err = FED_OK;

    *out = (struct console_words){.n_names = 0};
    if (text.len > CONSOLE_QUERY_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "longer than %u bytes", CONSOLE_QUERY_MAX);
    fed_buf_init(&labels, mem, CONSOLE_QUERY_MAX * 2);
    while (!err && fed_span_split(&rest, ' ', &word))
        err = read_word(word, all_labels, out, &labels, diag);
    if (!err)
        err = fed_buf_err(&labels);
    if (!err && labels.len > 0)
        err = fed_selector_parse(mem, fed_buf_span(&labels), &out->labels, NULL, diag);
    fed_buf_fini(&labels);
    return err;
}

void console_query_fini(struct console_words *words)
{
    fed_selector_free(words->labels);
    words->labels = NULL;
}

/* ---- names ---- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* With *, going back to the last one: no deeper than the name is long, times the pattern. */
static bool glob(struct fed_span pattern, struct fed_span name)
{
    size_t p = 0;
    size_t n = 0;
    size_t star = SIZE_MAX;
    size_t from = 0;

    while (n < name.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.len && lower(pattern.at[p]) == lower(name.at[n])) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

static bool has_part(struct fed_span name, struct fed_span part)
{
    for (size_t i = 0; i + part.len <= name.len; i++) {
        size_t k = 0;

        while (k < part.len && lower(name.at[i + k]) == lower(part.at[k]))
            k++;
        if (k == part.len)
            return true;
    }
    return false;
}

bool console_query_has_name(const struct console_words *words, struct fed_span name)
{
    for (size_t i = 0; i < words->n_names; i++) {
        struct fed_span word = words->names[i];

        if (fed_span_find(word, '*') < word.len ? !glob(word, name) : !has_part(name, word))
            return false;
    }
    return true;
}

/* ---- clusters and objects ---- */

bool console_query_is_of_clusters(const struct console_words *words)
{
    return words->labels || words->connectivity || words->delivery;
}

bool console_query_is_of_objects(const struct console_words *words)
{
    return words->ns.len > 0 || words->kind.len > 0;
}

/* The text that a selector reads: labels that are valid need no escapes, others match nothing. */
static bool has_labels(
    const struct fed_selector *selector, const struct console_fleet_cluster *cluster)
{
    uint8_t bytes[LABELS_TEXT];
    struct fed_buf text = {.at = bytes, .cap = sizeof bytes, .limit = sizeof bytes};
    struct fed_span rest = fed_span_of(cluster->labels, cluster->labels_len);
    struct fed_span key;
    struct fed_span value;

    fed_buf_put_u8(&text, '{');
    while (fed_span_split(&rest, 0, &key)) {
        if (!fed_span_split(&rest, 0, &value))
            value = (struct fed_span){0};
        fed_buf_put_text(&text, text.len > 1 ? ",\"" : "\"");
        fed_buf_put(&text, key);
        fed_buf_put_text(&text, "\":\"");
        fed_buf_put(&text, value);
        fed_buf_put_u8(&text, '"');
    }
    fed_buf_put_u8(&text, '}');
    return !fed_buf_err(&text) && fed_selector_match_text(selector, fed_buf_span(&text));
}

bool console_query_has_cluster(
    const struct console_words *words, const struct console_fleet_cluster *cluster)
{
    if (words->connectivity && !(words->connectivity >> cluster->glance.connectivity & 1u))
        return false;
    if (words->delivery && !(words->delivery >> cluster->glance.delivery & 1u))
        return false;
    return console_query_has_name(words, fed_span_text(cluster->name)) &&
           (!words->labels || has_labels(words->labels, cluster));
}

/* "federateddeployments.types.kubefed.io" is of kind deployments, and federateddeployments. */
static bool is_kind(struct fed_span resource, struct fed_span kind)
{
    struct fed_span plural = fed_span_sub(resource, 0, fed_span_find(resource, '.'));

    if (fed_span_starts(plural, "federated") && !fed_span_starts(kind, "federated"))
        plural = fed_span_sub(plural, strlen("federated"), plural.len);
    return glob(kind, plural) || (plural.len > 0 && plural.at[plural.len - 1] == 's' &&
                                     glob(kind, fed_span_sub(plural, 0, plural.len - 1)));
}

bool console_query_has_object(const struct console_words *words, const struct hub_object_ref *ref)
{
    return (words->ns.len == 0 || glob(words->ns, ref->ns)) &&
           (words->kind.len == 0 || is_kind(ref->resource, words->kind)) &&
           console_query_has_name(words, ref->name);
}
