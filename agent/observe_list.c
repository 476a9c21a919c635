/* observe_list.c - the list of a kind, page by page (see observe.h). What it contains is taken as
 * it comes; what it does not contain means something only when the whole of it came, and then no
 * more than that each missing object is looked at by itself. */
#include "agent/observe_inner.h"

#include "agent/path.h"
#include "agent/scan.h"

#include <string.h>

#define TIMEOUT_MS 60000u

/* ---- what came ---- */

/* An object never gets older: one that is older than what we know of it is of a list that was made
 * before that, or of an API server that was set back. */
static void note_older(
    struct kind *k, const struct agent_entry *entry, const struct agent_seen *seen)
{
    uint64_t known_rv =
        entry->moved_rv > entry->resource_version ? entry->moved_rv : entry->resource_version;

    if (seen->resource_version != 0 && seen->resource_version < known_rv && known_rv < k->ahead_rv)
        k->ahead_rv = known_rv;
}

static enum fed_err on_item(void *ctx, struct fed_span item)
{
    struct kind *k = ctx;
    struct fed_alloc *mem = k->observe->ports.mem;
    struct fed_json_doc *doc = NULL;
    struct fed_arena arena;
    struct agent_seen seen;
    struct agent_entry *entry;
    enum fed_err err;

    fed_arena_init(&arena, mem, AGENT_OBJECT_ARENA_MAX);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = agent_seen_parse(mem, doc, item, k->api_version, k->kind, &seen, NULL);
    if (!err) {
        entry = observe_entry(k, &seen);
        if (entry) {
            note_older(k, entry, &seen);
            entry->listed = true;
            agent_apply_seen(k->observe->apply, entry, &seen);
        } else {
            observe_stray(k, &seen);
        }
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

/* What a list may not be older than: a list without a version asks for the newest. */
static void begin(struct kind *k)
{
    struct agent_table *table = k->observe->table;

    k->pages = 0;
    k->known_rv = 0;
    k->ahead_rv = UINT64_MAX;
    for (size_t i = 0; i < table->n; i++) {
        struct agent_entry *entry = table->at[i];

        if (!observe_is_of(k, entry))
            continue;
        entry->listed = false;
        if (entry->resource_version > k->known_rv)
            k->known_rv = entry->resource_version;
        if (entry->seen_rv > k->known_rv)
            k->known_rv = entry->seen_rv;
    }
}

static uint64_t version_of(const struct kind *k)
{
    uint64_t rv;

    return fed_span_to_u64(fed_span_text(k->rv), &rv) ? 0 : rv;
}

/* The API server's history went back (its etcd was restored from a backup): what was known by later
 * versions would hide every event to come. */
static bool was_set_back(struct kind *k)
{
    struct agent_observe *o = k->observe;
    uint64_t rv = version_of(k);

    if (rv == 0 || (rv >= k->known_rv && rv < k->ahead_rv))
        return false;
    fed_log(o->ports.log, FED_LOG_WARN,
        FED_SPAN_FMT ": the API server's data were set back; all is looked at anew",
        FED_SPAN_ARG(k->plural));
    for (size_t i = 0; i < o->table->n; i++) {
        if (observe_is_of(k, o->table->at[i]))
            agent_apply_set_back(o->table->at[i]);
    }
    return true;
}

/* A list tells what was there at its own version: what was applied after that is not missed. */
static void look_for_lost(struct kind *k)
{
    struct agent_table *table = k->observe->table;

    for (size_t i = 0; i < table->n; i++) {
        if (observe_is_of(k, table->at[i]) && !table->at[i]->listed)
            agent_apply_lost(k->observe->apply, table->at[i], version_of(k));
    }
}

/* An API server that was away, however shortly, may come back with older data (an etcd restored
 * from a backup). A watch from a version that it does not have yet is accepted and stays silent, so
 * one kind is listed where the others go on from where they were. */
void observe_doubt(struct kind *k)
{
    struct agent_observe *o = k->observe;
    uint64_t rv = version_of(k);

    if (rv == 0)
        return;
    if (rv > o->newest_rv)
        o->newest_rv = rv;
    if (o->asked)
        return;
    o->asked = k;
    k->rv[0] = '\0';
}

void observe_ask_other(struct agent_observe *o, const struct kind *but)
{
    o->asked = NULL;
    for (size_t i = 0; i < o->n_kinds && !o->asked; i++) {
        struct kind *k = o->kinds[i];

        if (k == but || version_of(k) == 0)
            continue;
        observe_stop(k);
        observe_doubt(k);
        k->due_ms = observe_now(o);
    }
    observe_arm(o);
}

/* The first list since a watch was lost is older than what was known before: every kind is
 * listed. */
static void compare_history(struct kind *k)
{
    struct agent_observe *o = k->observe;
    bool older = version_of(k) != 0 && version_of(k) < o->newest_rv;

    o->asked = NULL;
    o->newest_rv = 0;
    for (size_t i = 0; i < o->n_kinds && older; i++) {
        struct kind *other = o->kinds[i];

        if (other == k)
            continue;
        observe_stop(other);
        other->rv[0] = '\0';
        other->due_ms = observe_now(o);
    }
    if (older)
        observe_arm(o);
}

static void complete(struct kind *k)
{
    compare_history(k);
    observe_succeeded(k);
    if (k->missing)
        agent_apply_kind_back(k->observe->apply, k->api_version, k->plural);
    k->missing = false;
    look_for_lost(k);
    observe_watch(k);
}

/* ---- pages ---- */

static void take_page(struct kind *k, const struct fed_kube_answer *answer)
{
    struct agent_observe *o = k->observe;
    struct fed_json_doc *doc = NULL;
    struct fed_json *meta = NULL;
    struct fed_arena arena;
    struct fed_span metadata = {0};
    struct fed_span token;
    enum fed_err err = agent_scan_list(answer->body, on_item, k, &metadata);

    fed_arena_init(&arena, o->ports.mem, 64u << 10);
    if (!err)
        err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, metadata, &meta, NULL);
    if (!err)
        err = fed_span_to_cstr(
            fed_json_string(fed_json_get(meta, "resourceVersion")), k->rv, sizeof k->rv);
    token = fed_json_string(fed_json_get(meta, "continue"));
    if (err || k->rv[0] == '\0' || token.len > CONTINUE_MAX || ++k->pages > AGENT_LIST_PAGES_MAX) {
        k->rv[0] = '\0';
        observe_retry(k, 0);
        observe_log(k, "list of", "the answer cannot be read");
    } else if (was_set_back(k)) {
        observe_list(k, (struct fed_span){0});
    } else if (token.len > 0) {
        observe_list(k, token);
    } else {
        complete(k);
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static unsigned page_of(const struct kind *k)
{
    unsigned n = (k->full ? AGENT_LIST_PAGE_FULL : AGENT_LIST_PAGE_METADATA) >> k->halved;

    return n > 0 ? n : 1;
}

static void on_list(
    void *ctx, enum fed_err err, const struct fed_kube_answer *answer, const struct fed_diag *diag)
{
    struct kind *k = ctx;
    struct agent_observe *o = k->observe;
    struct agent_answer refusal;

    (void)diag;
    k->call = NULL;
    if (err == FED_OK && answer->status == 200) {
        take_page(k, answer);
        return;
    }
    k->rv[0] = '\0';
    if (err) {
        k->halved += (err == FED_ERR_LIMIT || err == FED_ERR_NOMEM) && page_of(k) > 1;
        observe_retry(k, 0);
        o->events.trouble(o->events.ctx);
        return;
    }
    agent_answer_read(o->ports.mem, answer, &refusal);
    k->missing = answer->status == 404;
    observe_retry(k, answer->retry_after_s);
    observe_log(k, "list of", refusal.message);
    if (o->asked == k)
        observe_ask_other(o, k);
}

void observe_list(struct kind *k, struct fed_span token)
{
    struct agent_observe *o = k->observe;
    struct fed_buf path;
    enum fed_err err;

    if (token.len == 0)
        begin(k);
    fed_buf_init(&path, o->ports.mem, PATH_MAX_BYTES + 3 * CONTINUE_MAX);
    agent_path_put_kind(&path, k->api_version, k->plural);
    fed_buf_put_text(&path, "?" SELECTOR);
    fed_buf_printf(&path, "&limit=%u", page_of(k));
    if (token.len > 0) {
        fed_buf_put_text(&path, "&continue=");
        agent_path_put_escaped(&path, token);
    }
    k->state = KIND_LISTING;
    err = fed_buf_err(&path);
    if (!err)
        err = o->ports.kube->request(o->ports.kube->ctx,
            &(struct fed_kube_request){.method = "GET",
                .path = fed_buf_cstr(&path),
                .accept = k->full ? AGENT_ACCEPT_FULL : AGENT_ACCEPT_METADATA_LIST,
                .timeout_ms = TIMEOUT_MS},
            on_list, k, &k->call);
    fed_buf_fini(&path);
    if (err) {
        k->call = NULL;
        k->rv[0] = '\0';
        observe_retry(k, 0);
    }
}
