/* reads.c - what is read below a Rollout: its two versions, and its clusters in pages. */
#include "hub/access/rule.h"
#include "hub/rollout/internal.h"
#include "hub/rollout/put.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 500u
#define PAGE_MAX 5000u

const char *const rollout_reads[] = {"clusters", "versions", NULL};

/* ---- versions ---- */

static enum fed_err put_version(struct hub_rollouts *r, const struct rollout_subject *s,
    const char *key, const struct rollout_version *version, struct rollout_put *p,
    struct fed_json *to)
{
    struct fed_json *object;
    struct fed_buf bytes;
    enum fed_err err;

    if (!version->has)
        return FED_OK;
    fed_buf_init(&bytes, r->mem, FED_STORE_VALUE_MAX);
    err = rollout_version_load(r, s, &version->digest, &bytes);
    if (!err)
        err = fed_json_parse(p->doc, fed_buf_span(&bytes), &object, NULL);
    if (!err)
        err = fed_json_set(p->doc, to, key, object);
    fed_buf_fini(&bytes);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

static enum fed_err read_versions(struct hub_rollouts *r, const struct rollout_subject *s,
    const struct rollout_paper *paper, struct fed_json_doc *doc, struct fed_json **out)
{
    struct rollout_put p = {.doc = doc};
    struct fed_json *object = fed_json_new_object(doc);
    enum fed_err err = object ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = put_version(r, s, "from", &paper->from, &p, object);
    if (!err)
        err = put_version(r, s, "to", &paper->to, &p, object);
    *out = object;
    return err;
}

/* ---- clusters ---- */

struct listing {
    struct rollout_put p;
    const struct hub_rollout *engine;
    struct fed_json *list;
    struct fed_span state; /* empty: all, as below */
    struct fed_span wave;
    size_t limit;
    size_t n;
    char last[ROLLOUT_NAME_SIZE];
    bool more;
};

static struct fed_span wave_of(const struct listing *l, size_t index)
{
    struct hub_rollout_wave_view wave;
    struct hub_rollout_view view;

    hub_rollout_view(l->engine, &view);
    if (index >= view.n_waves)
        return fed_span_text("");
    hub_rollout_wave_view(l->engine, index, &wave);
    return wave.name;
}

static void put_digest(
    struct rollout_put *p, struct fed_json *to, const char *key, const struct fed_digest *digest)
{
    char text[2 * FED_DIGEST_SIZE + 1];

    if (!digest)
        return;
    for (size_t i = 0; i < FED_DIGEST_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
    put_text(p, to, key, text);
}

static bool list_cluster(void *ctx, const struct hub_rollout_cluster_view *cluster)
{
    struct listing *l = ctx;
    const char *state = cluster->held ? "Held" : hub_rollout_state_text(cluster->state);
    struct fed_span wave = wave_of(l, cluster->wave);
    struct fed_json *one;

    if ((l->state.len && !fed_span_is(l->state, state)) ||
        (l->wave.len && !fed_span_eq(l->wave, wave)))
        return true;
    if (l->n == l->limit) {
        l->more = true;
        return false;
    }
    one = put_item(&l->p, l->list);
    put_span(&l->p, one, "name", cluster->name);
    put_span(&l->p, one, "wave", wave);
    put_text(&l->p, one, "state", state);
    put_time(&l->p, one, "since", cluster->since_unix_s);
    put_digest(&l->p, one, "version", cluster->version);
    put_span(
        &l->p, one, "reason", cluster->by_hold ? FED_SPAN_LIT("ChangesHeld") : cluster->reason);
    put_span(&l->p, one, "message", cluster->message);
    put_time(&l->p, one, "heldUntil", cluster->held_until_unix_s);
    snprintf(l->last, sizeof l->last, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(cluster->name, 0, sizeof l->last - 1)));
    l->n++;
    return !l->p.err;
}

static enum fed_err take_limit(struct hub_kind_read *read, size_t *out, struct fed_diag *diag)
{
    struct fed_span text = read->param(read, "limit");
    uint64_t limit = PAGE_DEFAULT;

    if (text.len && (fed_span_to_u64(text, &limit) || limit == 0))
        return fed_diag_set(diag, FED_ERR_INVALID, "limit: a number from 1 to %u", PAGE_MAX);
    *out = limit < PAGE_MAX ? (size_t)limit : PAGE_MAX;
    return FED_OK;
}

/* Of the present rollout; of one that is over, or waits, there is nothing by cluster. */
static enum fed_err read_clusters(struct hub_rollouts *r, struct rollout_subject *s,
    const struct rollout_paper *paper, struct hub_kind_read *read, struct fed_json_doc *doc,
    struct fed_json **out, struct fed_diag *diag)
{
    struct listing l = {.p = {.doc = doc},
        .engine = s->engine,
        .state = read->param(read, "state"),
        .wave = read->param(read, "wave")};
    struct fed_json *object = fed_json_new_object(doc);
    enum fed_err err = object ? take_limit(read, &l.limit, diag) : FED_ERR_NOMEM;

    if (!err && paper == s->present)
        err = rollout_rouse(r, s, diag);
    if (err)
        return err;
    l.list = put_array(&l.p, object, "clusters");
    if (!l.p.err && paper == s->present && s->engine)
        l.p.err = hub_rollout_clusters(s->engine, read->param(read, "continue"), list_cluster, &l);
    if (!l.p.err)
        l.p.err = fed_json_set_text(doc, object, "continue", l.more ? l.last : "");
    *out = object;
    return l.p.err;
}

/* ---- who may ---- */

/* Versions are of the object, and so is the right to see them. */
static enum fed_err check_right(
    const struct rollout_subject *s, struct hub_kind_read *read, struct fed_diag *diag)
{
    struct fed_span resource = s->ref.resource;
    size_t dot = fed_span_find(resource, '.');
    struct hub_access access = {.verb = fed_span_text("get"),
        .group = fed_span_sub(resource, dot + 1, resource.len),
        .resource = fed_span_sub(resource, 0, dot),
        .ns = s->ref.ns,
        .name = s->ref.name};

    if (read->allows(read, &access))
        return FED_OK;
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "rollouts.fedlet.io \"" FED_SPAN_FMT
        "\" is forbidden: it takes the right to get " FED_SPAN_FMT " \"" FED_SPAN_FMT "\"",
        FED_SPAN_ARG(read->ref.name), FED_SPAN_ARG(resource), FED_SPAN_ARG(s->ref.name));
}

enum fed_err rollout_read(void *ctx, struct hub_kind_read *read, struct fed_diag *diag)
{
    struct hub_rollouts *r = ctx;
    struct rollout_paper *paper;
    struct rollout_subject *s = rollout_subject_of_paper(r, read->ref.ns, read->ref.name, &paper);
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err;

    if (!s)
        return FED_ERR_NOT_FOUND;
    err = check_right(s, read, diag);
    if (!err)
        err = fed_json_doc_new(r->mem, &doc);
    if (err)
        return err;
    err = fed_span_is(read->subresource, "versions")
              ? read_versions(r, s, paper, doc, &object)
              : read_clusters(r, s, paper, read, doc, &object, diag);
    if (!err)
        err = fed_json_put(read->out, object);
    fed_json_doc_free(doc);
    return err;
}
