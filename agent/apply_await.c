/* apply_await.c - one watch for each namespace and each definition of a kind that works found
 * missing, by name, as metadata only. Any event of it is a reason to try again at once; nothing is
 * read from it. Where such watches are not allowed, the retries of apply_failed.c are what is left.
 */
#include "agent/apply_inner.h"

#include "agent/path.h"

#include <stdio.h>
#include <string.h>

#define SHORT_WATCH_MS 1000u /* one that ended sooner was no use */
#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define NAMESPACES "/api/v1/namespaces"
#define BY_NAME "?watch=true&fieldSelector=metadata.name%3D"

struct await {
    struct agent_apply *apply;
    struct fed_kube_watch *watch;
    uint64_t opened_ms;
    bool is_kind;
    char name[AGENT_AWAIT_NAME_MAX];
};

static bool is_obstacle(const struct agent_entry *entry, bool *is_kind)
{
    *is_kind = entry->trouble == AGENT_TROUBLE_KIND;
    return agent_entry_is_held_to(entry) &&
           (*is_kind || entry->trouble == AGENT_TROUBLE_NAMESPACE ||
               entry->trouble == AGENT_TROUBLE_TERMINATING);
}

/* The name of what the entry misses; false when nothing can be watched for. */
static bool name_of(const struct agent_entry *entry, bool is_kind, char *out, size_t size)
{
    return is_kind ? apply_definition_name(&entry->work, out, size)
                   : entry->work.ns.len > 0 && !fed_span_to_cstr(entry->work.ns, out, size);
}

static bool is_for(const struct await *a, const struct agent_entry *entry)
{
    char name[AGENT_AWAIT_NAME_MAX];
    bool is_kind;

    return is_obstacle(entry, &is_kind) && is_kind == a->is_kind &&
           name_of(entry, is_kind, name, sizeof name) && strcmp(name, a->name) == 0;
}

static void end(struct agent_apply *apply, size_t i)
{
    struct await *a = apply->awaits[i];

    if (!a)
        return;
    if (a->watch)
        apply->ports.kube->watch_cancel(apply->ports.kube->ctx, a->watch);
    fed_alloc_free(apply->ports.mem, a, sizeof *a);
    apply->awaits[i] = NULL;
}

static void on_open(void *ctx)
{
    struct await *a = ctx;

    a->opened_ms = apply_now(a->apply);
}

/* Those that wait for another one's attempt are woken by its success. */
static void on_line(void *ctx, struct fed_span line)
{
    struct await *a = ctx;
    struct agent_apply *apply = a->apply;
    uint64_t now_ms = apply_now(apply);

    (void)line;
    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (entry->busy || entry->step == AGENT_STEP_NONE || entry->due_ms == AGENT_DUE_NEVER ||
            !is_for(a, entry))
            continue;
        entry->due_ms = now_ms;
        agent_retry_reset(&entry->retry);
    }
    agent_apply_kick(apply);
}

static bool open_watch(struct await *a);

static void on_ended(
    void *ctx, enum fed_err err, const struct fed_kube_answer *refusal, const struct fed_diag *diag)
{
    struct await *a = ctx;
    struct agent_apply *apply = a->apply;
    bool in_order = !err && !refusal && apply_now(apply) - a->opened_ms >= SHORT_WATCH_MS;

    (void)diag;
    a->watch = NULL;
    if (in_order && open_watch(a))
        return;
    for (size_t i = 0; i < AGENT_AWAITS_MAX; i++) {
        if (apply->awaits[i] == a)
            end(apply, i); /* the next attempt opens another */
    }
}

static bool open_watch(struct await *a)
{
    struct fed_kube *kube = a->apply->ports.kube;
    struct fed_kube_watch_events events = {
        .ctx = a, .open = on_open, .line = on_line, .ended = on_ended};
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, a->apply->ports.mem, PATH_MAX_BYTES);
    fed_buf_put_text(&path, a->is_kind ? CRDS BY_NAME : NAMESPACES BY_NAME);
    agent_path_put_escaped(&path, fed_span_text(a->name));
    a->opened_ms = apply_now(a->apply);
    err = fed_buf_err(&path);
    if (!err)
        err =
            kube->watch(kube->ctx, fed_buf_cstr(&path), AGENT_ACCEPT_METADATA, &events, &a->watch);
    fed_buf_fini(&path);
    return !err;
}

void apply_await(struct agent_apply *apply, const struct agent_entry *entry)
{
    struct await wanted = {.apply = apply};
    struct await *a;
    size_t room = AGENT_AWAITS_MAX;

    if (!is_obstacle(entry, &wanted.is_kind) ||
        !name_of(entry, wanted.is_kind, wanted.name, sizeof wanted.name))
        return;
    for (size_t i = 0; i < AGENT_AWAITS_MAX; i++) {
        a = apply->awaits[i];
        if (!a)
            room = i;
        else if (a->is_kind == wanted.is_kind && strcmp(a->name, wanted.name) == 0)
            return;
    }
    if (room == AGENT_AWAITS_MAX)
        return;
    a = fed_alloc_get(apply->ports.mem, sizeof *a);
    if (!a)
        return; /* with the next attempt */
    *a = wanted;
    apply->awaits[room] = a;
    if (!open_watch(a))
        end(apply, room);
}

void apply_await_tidy(struct agent_apply *apply)
{
    bool needed[AGENT_AWAITS_MAX] = {false};
    bool is_kind;

    if (!apply->scouting)
        return;
    apply->scouting = false;
    for (size_t i = 0; i < apply->table->n; i++) {
        const struct agent_entry *entry = apply->table->at[i];

        if (!is_obstacle(entry, &is_kind))
            continue;
        apply->scouting = true;
        for (size_t j = 0; j < AGENT_AWAITS_MAX; j++)
            needed[j] = needed[j] || (apply->awaits[j] && is_for(apply->awaits[j], entry));
    }
    for (size_t j = 0; j < AGENT_AWAITS_MAX; j++) {
        if (!needed[j])
            end(apply, j);
    }
}

void apply_await_end(struct agent_apply *apply)
{
    for (size_t i = 0; i < AGENT_AWAITS_MAX; i++)
        end(apply, i);
}
