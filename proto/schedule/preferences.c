/* preferences.c - see preferences.h. */
#include "proto/schedule/preferences.h"

#include "proto/base/bisect.h"

#include <stdlib.h>

static const struct fed_replicas_preference each_the_same = {
    .max = FED_REPLICAS_UNBOUNDED, .weight = 1};

static bool is_absent(const struct fed_json *v)
{
    return !v || fed_json_type(v) == FED_JSON_NULL;
}

static enum fed_err take_int(
    const struct fed_json *v, const char *name, int64_t otherwise, int64_t *out, struct fed_diag *d)
{
    if (is_absent(v)) {
        *out = otherwise;
        return FED_OK;
    }
    if (fed_json_int(v, 0) != fed_json_int(v, 1))
        return fed_diag_set(d, FED_ERR_INVALID, "%s: not an integer of 64 bits", name);
    *out = fed_json_int(v, 0);
    return *out < 0 ? fed_diag_set(d, FED_ERR_INVALID, "%s: below 0", name) : FED_OK;
}

/* Refuses the first member that is not in the list: a mistyped name would silently mean 0. */
static enum fed_err only(
    struct fed_json *object, const char *const *names, size_t n, struct fed_diag *diag)
{
    struct fed_json_iter it;

    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        size_t i = 0;

        while (i < n && !fed_span_is(it.key, names[i]))
            i++;
        if (i == n)
            return fed_diag_set(
                diag, FED_ERR_INVALID, "unknown field \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(it.key));
    }
    return FED_OK;
}

static enum fed_err take_preference(
    struct fed_json *v, struct fed_replicas_preference *out, struct fed_diag *diag)
{
    static const char *const names[] = {"minReplicas", "maxReplicas", "weight"};
    enum fed_err err;

    if (!fed_json_is_object(v))
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    err = only(v, names, sizeof names / sizeof *names, diag);
    if (!err)
        err = take_int(fed_json_get(v, "minReplicas"), "minReplicas", 0, &out->min, diag);
    if (!err)
        err = take_int(
            fed_json_get(v, "maxReplicas"), "maxReplicas", FED_REPLICAS_UNBOUNDED, &out->max, diag);
    if (!err)
        err = take_int(fed_json_get(v, "weight"), "weight", 0, &out->weight, diag);
    return err;
}

static int by_name(const void *a, const void *b)
{
    const struct fed_preference_entry *x = a;
    const struct fed_preference_entry *y = b;

    return fed_span_cmp(x->name, y->name);
}

enum fed_err fed_preferences_read(struct fed_arena *arena, const struct fed_json *clusters,
    struct fed_preferences *out, struct fed_diag *diag)
{
    size_t n = fed_json_count(clusters);
    struct fed_preference_entry *entries;
    struct fed_preferences read = {.n = n};
    struct fed_json_iter it;

    if (!is_absent(clusters) && !fed_json_is_object(clusters))
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    entries = fed_alloc_array(&arena->alloc, n + 1, sizeof *entries);
    if (!entries)
        return FED_ERR_NOMEM;
    fed_json_iter_init(&it, (struct fed_json *)clusters);
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        enum fed_err err = take_preference(it.value, &entries[i].preference, diag);

        if (err)
            return fed_diag_prefix(diag, err, FED_SPAN_FMT, FED_SPAN_ARG(it.key));
        entries[i].name = it.key;
    }
    qsort(entries, n, sizeof *entries, by_name);
    read.entries = entries;
    if (n == 0)
        read.others = &each_the_same;
    else
        read.others = fed_preferences_of(&read, fed_span_text("*"));
    *out = read;
    return FED_OK;
}

struct among_entries {
    const struct fed_preference_entry *entries;
    struct fed_span name;
};

static int order_of_entries(const void *ctx, size_t index)
{
    const struct among_entries *among = ctx;

    return fed_span_cmp(among->entries[index].name, among->name);
}

const struct fed_replicas_preference *fed_preferences_of(
    const struct fed_preferences *preferences, struct fed_span cluster)
{
    struct among_entries among = {preferences->entries, cluster};
    size_t index;

    if (fed_bisect(preferences->n, order_of_entries, &among, &index))
        return &preferences->entries[index].preference;
    return preferences->others;
}

/* ---- the document ---- */

static enum fed_err take_clusters(struct fed_arena *arena, const struct fed_json *list,
    struct fed_replicas_question *out, struct fed_diag *diag)
{
    size_t n = fed_json_count(list);
    struct fed_json_iter it;

    if (!fed_json_is_array(list))
        return fed_diag_set(diag, FED_ERR_INVALID, "clusters: a list of names is required");
    if (n > FED_REPLICAS_CLUSTERS_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "clusters: %zu names, at most %u are taken", n,
            FED_REPLICAS_CLUSTERS_MAX);
    out->clusters = fed_alloc_array(&arena->alloc, n + 1, sizeof *out->clusters);
    if (!out->clusters)
        return FED_ERR_NOMEM;
    out->n = n;
    fed_json_iter_init(&it, (struct fed_json *)list);
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        if (!fed_json_is_string(it.value) || fed_json_string(it.value).len == 0)
            return fed_diag_set(diag, FED_ERR_INVALID, "clusters[%zu]: not a name", i);
        out->clusters[i] =
            (struct fed_replicas_cluster){.name = fed_json_string(it.value), .capacity = -1};
    }
    return FED_OK;
}

/* Numbers by cluster name, as sorted entries (in `min`), so that look-ups stay short. */
static enum fed_err take_numbers(struct fed_arena *arena, const struct fed_json *numbers,
    struct fed_preferences *out, struct fed_diag *diag)
{
    size_t n = fed_json_count(numbers);
    struct fed_preference_entry *entries = fed_alloc_array(&arena->alloc, n + 1, sizeof *entries);
    struct fed_json_iter it;

    if (!entries)
        return FED_ERR_NOMEM;
    if (!is_absent(numbers) && !fed_json_is_object(numbers))
        return fed_diag_set(diag, FED_ERR_INVALID, "not an object");
    fed_json_iter_init(&it, (struct fed_json *)numbers);
    for (size_t i = 0; i < n && fed_json_iter_next(&it); i++) {
        enum fed_err err = is_absent(it.value)
                               ? fed_diag_set(diag, FED_ERR_INVALID, "not an integer of 64 bits")
                               : take_int(it.value, "number", 0, &entries[i].preference.min, diag);

        if (err)
            return fed_diag_prefix(diag, err, FED_SPAN_FMT, FED_SPAN_ARG(it.key));
        entries[i].name = it.key;
    }
    qsort(entries, n, sizeof *entries, by_name);
    *out = (struct fed_preferences){.entries = entries, .n = n};
    return FED_OK;
}

static enum fed_err take_state(struct fed_arena *arena, const struct fed_json *root,
    struct fed_replicas_question *out, struct fed_diag *diag)
{
    struct fed_preferences current;
    struct fed_preferences capacity;
    enum fed_err err = take_numbers(arena, fed_json_get(root, "current"), &current, diag);

    if (err)
        return fed_diag_prefix(diag, err, "current");
    err = take_numbers(arena, fed_json_get(root, "capacity"), &capacity, diag);
    if (err)
        return fed_diag_prefix(diag, err, "capacity");
    for (size_t i = 0; i < out->n; i++) {
        struct fed_replicas_cluster *cluster = &out->clusters[i];
        const struct fed_replicas_preference *running = fed_preferences_of(&current, cluster->name);
        const struct fed_replicas_preference *room = fed_preferences_of(&capacity, cluster->name);

        cluster->current = running ? running->min : 0;
        cluster->capacity = room ? room->min : -1;
    }
    return FED_OK;
}

static enum fed_err take_preferences(struct fed_arena *arena, const struct fed_json *root,
    struct fed_replicas_question *out, struct fed_diag *diag)
{
    struct fed_preferences preferences;
    enum fed_err err =
        fed_preferences_read(arena, fed_json_get(root, "preferences"), &preferences, diag);

    if (err)
        return fed_diag_prefix(diag, err, "preferences");
    for (size_t i = 0; i < out->n; i++)
        out->clusters[i].preference = fed_preferences_of(&preferences, out->clusters[i].name);
    return FED_OK;
}

static enum fed_err take_scalars(
    const struct fed_json *root, struct fed_replicas_question *out, struct fed_diag *diag)
{
    const struct fed_json *key = fed_json_get(root, "key");
    const struct fed_json *total = fed_json_get(root, "totalReplicas");
    const struct fed_json *rebalance = fed_json_get(root, "rebalance");

    if (!is_absent(key) && !fed_json_is_string(key))
        return fed_diag_set(diag, FED_ERR_INVALID, "key: not a string");
    if (!is_absent(rebalance) && fed_json_type(rebalance) != FED_JSON_BOOL)
        return fed_diag_set(diag, FED_ERR_INVALID, "rebalance: neither true nor false");
    if (is_absent(total))
        return fed_diag_set(diag, FED_ERR_INVALID, "totalReplicas: a number is required");
    out->key = fed_json_string(key);
    out->rebalance = fed_json_bool(rebalance, false);
    return take_int(total, "totalReplicas", 0, &out->total, diag);
}

enum fed_err fed_replicas_question_read(struct fed_arena *arena, struct fed_json_doc *doc,
    struct fed_span text, struct fed_replicas_question *out, struct fed_diag *diag)
{
    static const char *const names[] = {
        "key", "clusters", "totalReplicas", "rebalance", "preferences", "current", "capacity"};
    struct fed_replicas_question question = {0};
    struct fed_json *root;
    struct fed_buf path;
    enum fed_err err = fed_json_parse(doc, text, &root, diag);

    if (err)
        return err;
    if (!fed_json_is_object(root))
        return fed_diag_set(diag, FED_ERR_INVALID, "not a JSON object");
    fed_buf_init(&path, &arena->alloc, 1024);
    if (fed_json_duplicate_key(root, &path))
        return fed_diag_set(
            diag, FED_ERR_INVALID, "%s stands twice in its object", fed_buf_cstr(&path));
    err = only(root, names, sizeof names / sizeof *names, diag);
    if (!err)
        err = take_scalars(root, &question, diag);
    if (!err)
        err = take_clusters(arena, fed_json_get(root, "clusters"), &question, diag);
    if (!err)
        err = take_state(arena, root, &question, diag);
    if (!err)
        err = take_preferences(arena, root, &question, diag);
    if (!err)
        *out = question;
    return err;
}

static enum fed_err add(
    struct fed_json_doc *doc, struct fed_json *object, struct fed_span name, int64_t value)
{
    return fed_json_add_span(doc, object, name, fed_json_new_int(doc, value));
}

enum fed_err fed_replicas_answer_put(
    struct fed_buf *out, struct fed_json_doc *doc, const struct fed_replicas_question *question)
{
    struct fed_json *plan = fed_json_new_object(doc);
    struct fed_json *overflow = fed_json_new_object(doc);
    enum fed_err err = plan && overflow ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < question->n; i++) {
        const struct fed_replicas_cluster *cluster = &question->clusters[i];

        err = add(doc, plan, cluster->name, cluster->planned);
        if (!err && cluster->overflow > 0)
            err = add(doc, overflow, cluster->name, cluster->overflow);
    }
    if (err)
        return err;
    /* The parts are canonical, which is by name; the whole begins with the plan. */
    fed_buf_put_text(out, "{\"plan\":");
    err = fed_json_put_canonical(out, plan);
    fed_buf_put_text(out, ",\"overflow\":");
    if (!err)
        err = fed_json_put_canonical(out, overflow);
    fed_buf_put_text(out, "}");
    return err ? err : fed_buf_err(out);
}
