/* plan_ask.c - see plan.h: the questions to the hub, and their answers as one.
 *
 * One question about policies looks at a bounded number of pairs of object and cluster; a larger
 * one is asked of the first and the second half of the clusters, and so on. */
#include "cli/plan.h"
#include "cli/review.h"

#include <string.h>

#define NAMES_MAX 10000u /* of clusters in one question: the schema's */

const char *const plan_actions[PLAN_ACTIONS] = {
    "create", "update", "remove", "refused", "removing", "unchanged", "forbidden", "left"};

/* ---- answers as one ---- */
static bool is_same(const struct fed_json *a, const struct fed_json *b)
{
    static const char *const keys[] = {"apiVersion", "kind", "namespace", "name"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!fed_span_eq(fed_json_string(fed_json_get(a, keys[i])),
                fed_json_string(fed_json_get(b, keys[i]))))
            return false;
    return true;
}

static struct fed_json *find_same(const struct fed_json *objects, const struct fed_json *object)
{
    for (struct fed_json_iter it = fed_json_items(objects); fed_json_iter_next(&it);)
        if (is_same(it.value, object))
            return it.value;
    return NULL;
}

static enum fed_err append_all(
    struct fed_json_doc *doc, struct fed_json *to, const struct fed_json *from)
{
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(from); !err && fed_json_iter_next(&it);)
        err = fed_json_append(to, fed_json_clone(doc, it.value));
    return err;
}

/* Figures of one answer onto those of another. The same objects may be hidden in both: there are
 * as many as the larger one counts, at least. */
static enum fed_err add_figures(
    struct fed_json_doc *doc, struct fed_json *to, const struct fed_json *from)
{
    struct fed_json *totals = fed_json_ensure_object(doc, to, "totals");
    int64_t hidden = fed_json_int(fed_json_get(to, "hidden"), 0);
    int64_t more = fed_json_int(fed_json_get(from, "hidden"), 0);
    enum fed_err err = totals ? FED_OK : FED_ERR_NOMEM;

    for (struct fed_json_iter it = fed_json_each(fed_json_get(from, "totals"));
         !err && fed_json_iter_next(&it);) {
        int64_t sum = fed_json_int(fed_json_get_span(totals, it.key), 0);

        err = fed_json_set_span(
            doc, totals, it.key, fed_json_new_int(doc, sum + fed_json_int(it.value, 0)));
    }
    if (!err && more > hidden)
        err = fed_json_set_int(doc, to, "hidden", more);
    if (!err && fed_json_bool(fed_json_get(from, "rowsCut"), false))
        err = fed_json_set_bool(doc, to, "rowsCut", true);
    return err;
}

/* Answers to the same question about different clusters, the second onto the first. */
static enum fed_err join_halves(
    struct fed_json_doc *doc, struct fed_json *to, const struct fed_json *from)
{
    struct fed_json *objects = fed_json_get(to, "objects");
    enum fed_err err = add_figures(doc, to, from);

    for (struct fed_json_iter it = fed_json_items(fed_json_get(from, "objects"));
         !err && fed_json_iter_next(&it);) {
        struct fed_json *same = find_same(objects, it.value);

        err = same ? append_all(
                         doc, fed_json_get(same, "clusters"), fed_json_get(it.value, "clusters"))
                   : fed_json_append(objects, fed_json_clone(doc, it.value));
    }
    return err;
}

static enum fed_err mark_object(struct plan *p, struct fed_json *object)
{
    struct fed_buf key;
    enum fed_err err;

    fed_buf_init(&key, p->look->cli->mem, 4096);
    err = plan_key(fed_json_string(fed_json_get(object, "kind")),
        fed_json_string(fed_json_get(object, "namespace")),
        fed_json_string(fed_json_get(object, "name")), &key);
    if (!err && fed_json_get_span(p->scaled, fed_buf_span(&key)))
        err = fed_json_set_bool(p->look->cli->doc, object, "scaled", true);
    fed_buf_fini(&key);
    return err;
}

static enum fed_err merge_answer(
    struct plan *p, struct fed_json *merged, const struct fed_json *answer)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    const struct fed_json *status = fed_json_get(answer, "status");
    const struct fed_json *because = fed_json_get(answer, "because");
    enum fed_err err = add_figures(doc, merged, status);

    for (struct fed_json_iter it = fed_json_items(fed_json_get(status, "objects"));
         !err && fed_json_iter_next(&it);) {
        struct fed_json *object = fed_json_clone(doc, it.value);

        err = fed_json_append(fed_json_get(merged, "objects"), object);
        if (!err && because)
            err = fed_json_set(doc, object, "because", fed_json_clone(doc, because));
    }
    return err;
}

static enum fed_err begin_merged(struct fed_json_doc *doc, struct fed_json *merged)
{
    enum fed_err err = fed_json_set(doc, merged, "objects", fed_json_new_array(doc));
    struct fed_json *totals = fed_json_ensure_object(doc, merged, "totals");

    for (size_t i = 0; !err && i < PLAN_ACTIONS; i++)
        err = totals ? fed_json_set_int(doc, totals, plan_actions[i], 0) : FED_ERR_NOMEM;
    return err ? err : fed_json_set_int(doc, totals, "bytes", 0);
}

struct fed_json *plan_merged(struct plan *p)
{
    struct fed_json *first = fed_json_at(p->answers, 0);
    struct fed_json *merged = fed_json_new_object(p->look->cli->doc);
    enum fed_err err;

    /* Nearly always: it may be large. */
    if (fed_json_count(p->answers) == 1 && !fed_json_get(first, "because"))
        return fed_json_get(first, "status");
    err = merged ? begin_merged(p->look->cli->doc, merged) : FED_ERR_NOMEM;
    for (struct fed_json_iter it = fed_json_items(p->answers); !err && fed_json_iter_next(&it);)
        err = merge_answer(p, merged, it.value);
    return err ? NULL : merged;
}

static enum fed_err add_answer(struct plan *p, struct fed_json *because, struct fed_json *status)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *answer = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(p->answers, answer);

    for (struct fed_json_iter it = fed_json_items(fed_json_get(status, "objects"));
         !err && fed_json_iter_next(&it);)
        err = mark_object(p, it.value);
    if (!err && because)
        err = fed_json_set(doc, answer, "because", because);
    return err ? err : fed_json_set(doc, answer, "status", status);
}

/* ---- questions ---- */
/* {"kind","names"}; names are to be filled. */
static struct fed_json *because_of(
    struct plan *p, const char *kind, struct fed_span name, struct fed_json **names)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *because = fed_json_new_object(doc);

    *names = fed_json_new_array(doc);
    if (!because || fed_json_set_text(doc, because, "kind", kind) ||
        fed_json_set(doc, because, "names", *names))
        return NULL;
    if (name.len > 0 && fed_json_append(*names, fed_json_new_string(doc, name)))
        return NULL;
    return because;
}

static enum fed_err ask_objects(struct plan *p)
{
    struct fed_json *spec = fed_json_new_object(p->look->cli->doc);
    struct fed_json *status = NULL;
    enum fed_err err =
        spec ? fed_json_set(p->look->cli->doc, spec, "objects", p->objects) : FED_ERR_NOMEM;

    if (!err)
        err = review_ask(p->look, spec, &status, &p->diag);
    return err ? err : add_answer(p, NULL, status);
}

/* Of n clusters from the first one on; all: they are not named. */
static enum fed_err ask_policies_once(
    struct plan *p, size_t first, size_t n, struct fed_json **status)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *spec = fed_json_new_object(doc);
    struct fed_json *names = fed_json_new_array(doc);
    enum fed_err err = spec && names ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set(doc, spec, "policies", fed_json_clone(doc, p->policies));
    for (size_t i = first; !err && i < first + n; i++)
        err = fed_json_append(names, fed_json_new_string(doc, p->look->clusters[i].name));
    if (!err && n < p->look->n_clusters)
        err = fed_json_set(doc, fed_json_ensure_object(doc, spec, "clusters"), "names", names);
    return err ? err : review_ask(p->look, spec, status, &p->diag);
}

static enum fed_err ask_policies_about(
    struct plan *p, size_t first, size_t n, struct fed_json **status)
{
    struct fed_json *rest = NULL;
    size_t half = n / 2;
    enum fed_err err = FED_ERR_LIMIT;

    if (n <= NAMES_MAX || n == p->look->n_clusters)
        err = ask_policies_once(p, first, n, status);
    if (!err || n < 2 || (err != FED_ERR_LIMIT && !strstr(p->diag.text, "fewer clusters")))
        return err;
    err = ask_policies_about(p, first, half, status);
    if (!err)
        err = ask_policies_about(p, first + half, n - half, &rest);
    return err ? err : join_halves(p->look->cli->doc, *status, rest);
}

static enum fed_err ask_policies(struct plan *p)
{
    struct fed_json *names;
    struct fed_json *because = because_of(p, "PlacementPolicy", fed_span_text(""), &names);
    struct fed_json *status = NULL;
    enum fed_err err = because ? FED_OK : FED_ERR_NOMEM;

    for (struct fed_json_iter it = fed_json_items(p->policies); !err && fed_json_iter_next(&it);)
        err = fed_json_append(
            names, fed_json_clone(p->look->cli->doc, fed_json_find(it.value, "metadata.name")));
    if (!err)
        err = ask_policies_about(p, 0, p->look->n_clusters, &status);
    return err ? err : add_answer(p, because, status);
}

/* Each cluster by itself: its labels are its own. What labels decide of one cluster says nothing
 * about another. */
static enum fed_err ask_cluster(struct plan *p, const struct fed_json *change)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *spec = fed_json_new_object(doc);
    struct fed_json *status = fed_json_new_object(doc);
    struct fed_json *clusters = spec ? fed_json_ensure_object(doc, spec, "clusters") : NULL;
    struct fed_json *names;
    struct fed_json *because =
        because_of(p, "KubeFedCluster", fed_json_string(fed_json_get(change, "name")), &names);
    enum fed_err err = status && clusters && because ? FED_OK : FED_ERR_NOMEM;

    if (!err && fed_json_count(fed_json_get(change, "labels")) > 0) {
        err = fed_json_set(doc, clusters, "names", fed_json_clone(doc, names));
        if (!err)
            err = fed_json_set(
                doc, clusters, "labels", fed_json_clone(doc, fed_json_get(change, "labels")));
        if (!err)
            err = review_ask(p->look, spec, &status, &p->diag);
    }
    return err ? err : add_answer(p, because, status);
}

static enum fed_err ask_clusters(struct plan *p)
{
    size_t n = fed_json_count(p->clusters);
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(p->clusters); !err && fed_json_iter_next(&it);) {
        if (n > 10)
            cli_progress("clusters", it.index + 1, n);
        err = ask_cluster(p, it.value);
    }
    if (n > 10)
        cli_progress("", 0, 0);
    return err;
}

enum fed_err plan_ask(struct plan *p)
{
    enum fed_err err = FED_OK;

    if (fed_json_count(p->objects) > 0)
        err = ask_objects(p);
    if (!err && fed_json_count(p->policies) > 0)
        err = ask_policies(p);
    return err ? err : ask_clusters(p);
}
