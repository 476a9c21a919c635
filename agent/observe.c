/* observe.c - see observe.h. */
#include "agent/observe.h"

#include "agent/federated.h"
#include "agent/path.h"
#include "agent/scan.h"
#include "agent/stray.h"

#include <stdio.h>
#include <string.h>

#define SELECTOR "labelSelector=kubefed.io%2Fmanaged%3Dtrue"
#define PATH_MAX_BYTES 8192u
#define CONTINUE_MAX 4096u
#define LIST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 30000u
#define STRAYS_RETRY_CEILING_MS 600000u /* the member may well have no such kind */
#define STRAYS_PAUSE_MS 1000u
#define SHORT_WATCH_MS 1000u /* a watch that ended sooner counts as a failure */

enum kind_state { KIND_WAITING, KIND_LISTING, KIND_WATCHING };

struct kind {
    struct agent_observe *observe;
    char *names; /* api_version NUL plural NUL kind NUL, owned */
    size_t names_len;
    struct fed_span api_version;
    struct fed_span plural;
    struct fed_span kind;
    bool full;
    bool strays_only; /* no work is of this kind */
    enum kind_state state;
    char rv[64]; /* where to go on; "" asks for a list */
    struct fed_kube_call *call;
    struct fed_kube_watch *watch;
    struct agent_retry retry;
    uint64_t due_ms; /* while waiting */
    uint64_t opened_ms;
    bool strays; /* more than can be dealt with at once: another list finds them */
};

struct agent_observe {
    struct agent_ports ports;
    struct agent_table *table;
    struct agent_apply *apply;
    struct agent_observe_events events;
    struct agent_stray *stray;
    struct fed_timer *timer;
    struct kind **kinds;
    size_t n_kinds;
    size_t cap_kinds;
    struct agent_federated federated;
    bool paused;
};

static uint64_t now_of(const struct agent_observe *o)
{
    return fed_loop_now_ms(o->ports.loop);
}

static void arm(struct agent_observe *o)
{
    uint64_t next_ms = UINT64_MAX;

    agent_timer_stop(&o->ports, o->timer);
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (o->kinds[i]->state == KIND_WAITING && o->kinds[i]->due_ms < next_ms)
            next_ms = o->kinds[i]->due_ms;
    }
    if (next_ms != UINT64_MAX && !o->paused)
        agent_timer_at(&o->ports, o->timer, next_ms);
}

static void wait_and_retry(struct kind *k, unsigned asked_s)
{
    struct agent_observe *o = k->observe;

    k->state = KIND_WAITING;
    k->due_ms = agent_retry_failed(&k->retry, now_of(o), RETRY_FLOOR_MS,
        k->strays_only ? STRAYS_RETRY_CEILING_MS : RETRY_CEILING_MS, agent_spread(&o->ports),
        asked_s > 600 ? 600000u : asked_s * 1000u);
    arm(o);
}

/* Refusals only: what fails in transport is the probe's to say, once. */
static void log_kind(struct kind *k, const char *what, const char *why)
{
    fed_log(k->observe->ports.log,
        k->retry.attempts <= 1 && !k->strays_only ? FED_LOG_WARN : FED_LOG_DEBUG,
        "%s " FED_SPAN_FMT ": %s", what, FED_SPAN_ARG(k->plural), why);
}

/* ---- what came ---- */

static struct agent_entry *entry_of(struct kind *k, const struct agent_seen *seen)
{
    struct fed_work work = {
        .api_version = k->api_version, .kind = k->kind, .ns = seen->ns, .name = seen->name};

    return agent_table_find(k->observe->table, &work);
}

/* With the label and of no work, present or past. What an older bundle does not know may be in the
 * one that is to come. */
static void on_stray(struct kind *k, const struct agent_seen *seen)
{
    struct fed_work work = {
        .api_version = k->api_version, .plural = k->plural, .ns = seen->ns, .name = seen->name};

    if (seen->deleting || !fed_span_is(seen->managed, "true"))
        return;
    if (!k->observe->events.current(k->observe->events.ctx) ||
        !agent_stray_release(k->observe->stray, &work, seen))
        k->strays = true;
}

static void start_list(struct kind *k, struct fed_span token);
static void start_watch(struct kind *k);

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
        entry = entry_of(k, &seen);
        if (entry) {
            entry->listed = true;
            agent_apply_seen(k->observe->apply, entry, &seen);
        } else {
            on_stray(k, &seen);
        }
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err;
}

static bool is_of_kind(const struct kind *k, const struct agent_entry *entry)
{
    return fed_span_eq(entry->work.plural, k->plural) &&
           fed_span_eq(entry->work.api_version, k->api_version);
}

static void mark_unlisted(struct kind *k)
{
    for (size_t i = 0; i < k->observe->table->n; i++) {
        if (is_of_kind(k, k->observe->table->at[i]))
            k->observe->table->at[i]->listed = false;
    }
}

/* A list tells what was there at its own version: what was applied after that is not missed. */
static void look_for_lost(struct kind *k)
{
    struct agent_table *table = k->observe->table;
    uint64_t listed_rv;

    if (fed_span_to_u64(fed_span_text(k->rv), &listed_rv))
        listed_rv = 0;
    for (size_t i = 0; i < table->n; i++) {
        if (is_of_kind(k, table->at[i]) && !table->at[i]->listed)
            agent_apply_lost(k->observe->apply, table->at[i], listed_rv, "");
    }
}

/* ---- lists ---- */

static void list_page(struct kind *k, const struct fed_kube_answer *answer)
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
    if (err || k->rv[0] == '\0' || token.len > CONTINUE_MAX) {
        k->rv[0] = '\0';
        wait_and_retry(k, 0);
        log_kind(k, "list of", "the answer cannot be read");
    } else if (token.len > 0) {
        start_list(k, token);
    } else {
        agent_retry_reset(&k->retry);
        look_for_lost(k);
        start_watch(k);
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
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
        list_page(k, answer);
        return;
    }
    k->rv[0] = '\0';
    if (err) {
        wait_and_retry(k, 0);
        o->events.trouble(o->events.ctx);
        return;
    }
    agent_answer_read(o->ports.mem, answer, &refusal);
    wait_and_retry(k, answer->retry_after_s);
    log_kind(k, "list of", refusal.message);
}

static void start_list(struct kind *k, struct fed_span token)
{
    struct agent_observe *o = k->observe;
    struct fed_buf path;
    enum fed_err err;

    if (token.len == 0)
        mark_unlisted(k);
    fed_buf_init(&path, o->ports.mem, PATH_MAX_BYTES + 3 * CONTINUE_MAX);
    agent_path_put_kind(&path, k->api_version, k->plural);
    fed_buf_put_text(&path, "?" SELECTOR);
    fed_buf_printf(&path, "&limit=%u", k->full ? AGENT_LIST_PAGE_FULL : AGENT_LIST_PAGE_METADATA);
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
                .timeout_ms = LIST_TIMEOUT_MS},
            on_list, k, &k->call);
    fed_buf_fini(&path);
    if (err) {
        k->call = NULL;
        k->rv[0] = '\0';
        wait_and_retry(k, 0);
    }
}

/* ---- watches ---- */

static void watch_error(struct kind *k, const struct fed_json *status)
{
    struct agent_observe *o = k->observe;
    int64_t code = fed_json_int(fed_json_get(status, "code"), 0);

    o->ports.kube->watch_cancel(o->ports.kube->ctx, k->watch);
    k->watch = NULL;
    k->rv[0] = '\0';
    if (code == 410 && k->retry.attempts == 0) {
        k->retry.attempts = 1; /* should that list be too old again, wait */
        start_list(k, (struct fed_span){0});
        return;
    }
    wait_and_retry(k, 0);
}

static void watch_object(struct kind *k, struct fed_span type, const struct fed_json *object)
{
    struct agent_observe *o = k->observe;
    struct agent_seen seen;
    struct agent_entry *entry;
    struct fed_span rv = fed_json_string(fed_json_find(object, "metadata.resourceVersion"));

    if (rv.len > 0 && rv.len < sizeof k->rv && fed_span_to_cstr(rv, k->rv, sizeof k->rv))
        k->rv[0] = '\0';
    if (fed_span_is(type, "BOOKMARK"))
        return;
    if (agent_seen_read(o->ports.mem, object, k->api_version, k->kind, &seen, NULL))
        return;
    entry = entry_of(k, &seen);
    if (!entry && !fed_span_is(type, "DELETED"))
        on_stray(k, &seen);
    else if (!entry)
        return;
    else if (fed_span_is(type, "DELETED"))
        agent_apply_lost(o->apply, entry, seen.resource_version, seen.other_manager);
    else
        agent_apply_seen(o->apply, entry, &seen);
}

static void on_line(void *ctx, struct fed_span line)
{
    struct kind *k = ctx;
    struct fed_json_doc *doc = NULL;
    struct fed_json *event = NULL;
    struct fed_arena arena;
    struct fed_span type;

    fed_arena_init(&arena, k->observe->ports.mem, AGENT_OBJECT_ARENA_MAX);
    if (fed_json_doc_new(&arena.alloc, &doc) == FED_OK &&
        fed_json_parse(doc, line, &event, NULL) == FED_OK) {
        type = fed_json_string(fed_json_get(event, "type"));
        if (fed_span_is(type, "ERROR"))
            watch_error(k, fed_json_get(event, "object"));
        else
            watch_object(k, type, fed_json_get(event, "object"));
    }
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
}

static void on_open(void *ctx)
{
    struct kind *k = ctx;

    k->opened_ms = now_of(k->observe);
}

static void on_ended(
    void *ctx, enum fed_err err, unsigned status, struct fed_span body, const struct fed_diag *diag)
{
    struct kind *k = ctx;
    struct agent_observe *o = k->observe;

    (void)body;
    k->watch = NULL;
    if (status != 0) { /* refused; 410 among the reasons */
        k->rv[0] = '\0';
        wait_and_retry(k, 0);
        log_kind(k, "watch of", diag && diag->text[0] ? diag->text : "refused");
    } else if (err) {
        wait_and_retry(k, 0);
        o->events.trouble(o->events.ctx);
    } else if (now_of(o) - k->opened_ms < SHORT_WATCH_MS) {
        wait_and_retry(k, 0);
    } else {
        agent_retry_reset(&k->retry);
        start_watch(k);
    }
}

static void start_watch(struct kind *k)
{
    struct agent_observe *o = k->observe;
    struct fed_kube_watch_events events = {
        .ctx = k, .open = on_open, .line = on_line, .ended = on_ended};
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, o->ports.mem, PATH_MAX_BYTES);
    agent_path_put_kind(&path, k->api_version, k->plural);
    fed_buf_put_text(&path, "?" SELECTOR "&watch=true&allowWatchBookmarks=true&resourceVersion=");
    agent_path_put_escaped(&path, fed_span_text(k->rv));
    k->state = KIND_WATCHING;
    k->opened_ms = now_of(o);
    err = fed_buf_err(&path);
    if (!err)
        err = o->ports.kube->watch(o->ports.kube->ctx, fed_buf_cstr(&path),
            k->full ? AGENT_ACCEPT_FULL : AGENT_ACCEPT_METADATA, &events, &k->watch);
    fed_buf_fini(&path);
    if (err) {
        k->watch = NULL;
        wait_and_retry(k, 0);
    }
}

static void go_on(struct kind *k)
{
    if (k->rv[0])
        start_watch(k);
    else
        start_list(k, (struct fed_span){0});
}

static void on_timer(void *ctx)
{
    struct agent_observe *o = ctx;
    uint64_t now_ms = now_of(o);

    for (size_t i = 0; i < o->n_kinds && !o->paused; i++) {
        if (o->kinds[i]->state == KIND_WAITING && o->kinds[i]->due_ms <= now_ms)
            go_on(o->kinds[i]);
    }
    arm(o);
}

/* ---- kinds ---- */

static void stop(struct kind *k)
{
    struct fed_kube *kube = k->observe->ports.kube;

    k->strays = false;

    if (k->call)
        kube->cancel(kube->ctx, k->call);
    if (k->watch)
        kube->watch_cancel(kube->ctx, k->watch);
    k->call = NULL;
    k->watch = NULL;
    k->state = KIND_WAITING;
}

/* Room for more strays. */
static void on_stray_room(void *ctx)
{
    struct agent_observe *o = ctx;

    for (size_t i = 0; i < o->n_kinds; i++) {
        struct kind *k = o->kinds[i];

        if (!k->strays)
            continue;
        stop(k);
        k->rv[0] = '\0';
        k->due_ms = now_of(o) + STRAYS_PAUSE_MS;
    }
    arm(o);
}

void agent_observe_current(struct agent_observe *o)
{
    on_stray_room(o);
}

static void kind_free(struct agent_observe *o, struct kind *k)
{
    stop(k);
    fed_alloc_free(o->ports.mem, k->names, k->names_len);
    fed_alloc_free(o->ports.mem, k, sizeof *k);
}

static struct fed_span put_name(struct kind *k, size_t *at, struct fed_span name)
{
    uint8_t *to = (uint8_t *)k->names + *at;

    if (name.len > 0)
        memcpy(to, name.at, name.len);
    *at += name.len;
    return fed_span_of(to, name.len);
}

static struct kind *kind_new(struct agent_observe *o, const struct fed_work *work)
{
    struct kind *k = fed_alloc_zero(o->ports.mem, sizeof *k);
    size_t at = 0;

    if (!k)
        return NULL;
    k->observe = o;
    k->names_len = work->api_version.len + work->plural.len + work->kind.len;
    k->names = fed_alloc_get(o->ports.mem, k->names_len);
    if (!k->names) {
        fed_alloc_free(o->ports.mem, k, sizeof *k);
        return NULL;
    }
    k->api_version = put_name(k, &at, work->api_version);
    k->plural = put_name(k, &at, work->plural);
    k->kind = put_name(k, &at, work->kind);
    return k;
}

static struct kind *add_kind(struct agent_observe *o, const struct fed_work *work)
{
    struct kind *k;

    if (o->n_kinds == AGENT_KINDS_MAX)
        return NULL;
    if (o->n_kinds == o->cap_kinds) {
        size_t cap = o->cap_kinds ? o->cap_kinds * 2 : 8;
        struct kind **kinds = o->ports.mem->resize(
            o->ports.mem->ctx, o->kinds, o->cap_kinds * sizeof *kinds, cap * sizeof *kinds);

        if (!kinds)
            return NULL;
        o->kinds = kinds;
        o->cap_kinds = cap;
    }
    k = kind_new(o, work);
    if (k)
        o->kinds[o->n_kinds++] = k;
    return k;
}

static struct kind *find_kind(struct agent_observe *o, const struct agent_entry *entry)
{
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (is_of_kind(o->kinds[i], entry))
            return o->kinds[i];
    }
    return NULL;
}

static bool is_wanted(const struct agent_entry *entry)
{
    return entry->uid[0] && !entry->dropped && (agent_entry_is_held_to(entry) || entry->removing);
}

void agent_observe_want(struct agent_observe *o, const struct agent_entry *entry)
{
    bool full = strcmp(agent_apply_accept(&entry->work), AGENT_ACCEPT_FULL) == 0;
    struct kind *k;

    if (!is_wanted(entry))
        return;
    k = find_kind(o, entry);
    if (k && k->strays_only && k->state == KIND_WAITING) {
        agent_retry_reset(&k->retry);
        k->due_ms = now_of(o);
        arm(o);
    }
    if (k)
        k->strays_only = false;
    if (k && (k->full || !full))
        return;
    if (!k)
        k = add_kind(o, &entry->work);
    if (!k)
        return; /* tried again with the next change */
    stop(k);
    k->full = k->full || full;
    k->rv[0] = '\0';
    k->due_ms = now_of(o); /* from the timer: this may be a callback of that very kind */
    arm(o);
}

static bool is_used(const struct agent_observe *o, const struct kind *k)
{
    for (size_t i = 0; i < o->table->n; i++) {
        if (is_of_kind(k, o->table->at[i]) && is_wanted(o->table->at[i]))
            return true;
    }
    return false;
}

/* ---- federated kinds ---- */

static bool is_observed(const struct agent_observe *o, const struct fed_link_kind *kind)
{
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (fed_span_eq(o->kinds[i]->plural, kind->plural) &&
            fed_span_eq(o->kinds[i]->api_version, kind->api_version))
            return true;
    }
    return false;
}

/* Before there is a bundle nothing can be told from a stray. */
static void want_strays(struct agent_observe *o)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n_kinds; i++)
        n += o->kinds[i]->strays_only;
    for (size_t i = 0; i < o->federated.n && o->table->revision > 0; i++) {
        const struct fed_link_kind *kind = &o->federated.at[i];
        struct fed_work work = {
            .api_version = kind->api_version, .kind = kind->kind, .plural = kind->plural};
        struct kind *k;

        if (n == AGENT_STRAY_KINDS_MAX || is_observed(o, kind))
            continue;
        k = add_kind(o, &work);
        if (!k)
            return; /* tried again with the next change */
        n++;
        k->strays_only = true;
        k->due_ms = now_of(o);
    }
}

enum fed_err agent_observe_federated(struct agent_observe *o, struct fed_span kinds)
{
    enum fed_err err = agent_federated_set(&o->federated, o->ports.mem, kinds);

    if (!err)
        agent_observe_sync(o);
    return err;
}

/* Lists the entry's kind once more; once for all works of the kind. */
static void list_again(struct agent_observe *o, struct kind *k)
{
    stop(k);
    k->rv[0] = '\0';
    k->due_ms = now_of(o) + 1;
}

/* The status of an object that stands as it is comes with a list. */
static void want_status(struct agent_observe *o, struct agent_entry *entry)
{
    static const uint8_t none[sizeof entry->remote_digest];
    struct kind *k = find_kind(o, entry);

    entry->status_wanted = false;
    if (k && k->state == KIND_WATCHING && memcmp(entry->remote_digest, none, sizeof none) == 0)
        list_again(o, k);
}

void agent_observe_sync(struct agent_observe *o)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->n_kinds; i++) {
        bool used = is_used(o, o->kinds[i]);

        if (used ||
            agent_federated_has(&o->federated, o->kinds[i]->api_version, o->kinds[i]->plural)) {
            o->kinds[i]->strays_only = !used;
            o->kinds[kept++] = o->kinds[i];
        } else {
            kind_free(o, o->kinds[i]);
        }
    }
    o->n_kinds = kept;
    for (size_t i = 0; i < o->table->n; i++)
        agent_observe_want(o, o->table->at[i]);
    want_strays(o);
    for (size_t i = 0; i < o->table->n; i++) {
        if (o->table->at[i]->status_wanted)
            want_status(o, o->table->at[i]);
    }
    arm(o);
}

void agent_observe_refresh_status(struct agent_observe *o)
{
    for (size_t i = 0; i < o->table->n; i++) {
        struct agent_entry *entry = o->table->at[i];
        struct kind *k = find_kind(o, entry);

        if (!k || !entry->in_manifest || !(entry->work.options & FED_WORK_STATUS))
            continue;
        memset(entry->remote_digest, 0, sizeof entry->remote_digest);
        list_again(o, k);
    }
    arm(o);
}

void agent_observe_pause(struct agent_observe *o)
{
    o->paused = true;
    arm(o);
}

void agent_observe_resume(struct agent_observe *o)
{
    uint64_t now_ms = now_of(o);

    o->paused = false;
    for (size_t i = 0; i < o->n_kinds; i++) {
        if (o->kinds[i]->state != KIND_WAITING)
            continue;
        o->kinds[i]->due_ms = now_ms;
        agent_retry_reset(&o->kinds[i]->retry);
    }
    arm(o);
}

enum fed_err agent_observe_new(const struct agent_ports *ports, struct agent_table *table,
    struct agent_apply *apply, const struct agent_observe_events *events,
    struct agent_observe **out)
{
    struct agent_observe *o = fed_alloc_zero(ports->mem, sizeof *o);
    enum fed_err err;

    if (!o)
        return FED_ERR_NOMEM;
    o->ports = *ports;
    o->table = table;
    o->apply = apply;
    o->events = *events;
    err = agent_stray_new(ports, on_stray_room, o, &o->stray);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_timer, o, &o->timer);
    if (err) {
        agent_stray_free(o->stray);
        fed_alloc_free(ports->mem, o, sizeof *o);
        return err;
    }
    *out = o;
    return FED_OK;
}

void agent_observe_free(struct agent_observe *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_kinds; i++)
        kind_free(o, o->kinds[i]);
    agent_stray_free(o->stray);
    agent_federated_fini(&o->federated, o->ports.mem);
    fed_alloc_free(o->ports.mem, o->kinds, o->cap_kinds * sizeof(struct kind *));
    o->ports.loop->timer_free(o->ports.loop->ctx, o->timer);
    fed_alloc_free(o->ports.mem, o, sizeof *o);
}
