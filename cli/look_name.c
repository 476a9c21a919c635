/* look_name.c - see look.h: the words by which people name things, and watching. */
#include "cli/look.h"

#include "proto/base/text.h"

#include <string.h>

#define REFRESH_MS 10000u /* ages move on although nothing changes */

/* ---- kinds ---- */
static bool same(struct fed_span a, struct fed_span b)
{
    return a.len == b.len && a.len > 0 && cli_distance(a, b) == 0;
}

/* fdeploy also goes as deploy. */
static bool is_short(const struct look_kind *kind, struct fed_span word)
{
    for (size_t i = 0; i < fed_json_count(kind->short_names); i++) {
        struct fed_span name = fed_json_string(fed_json_at(kind->short_names, i));

        if (same(word, name) ||
            (name.len > 1 && name.at[0] == 'f' && same(word, fed_span_sub(name, 1, name.len))))
            return true;
    }
    return false;
}

static bool is_named(const struct look_kind *kind, struct fed_span word)
{
    size_t dot = fed_span_find(word, '.');
    struct fed_span group = fed_span_sub(word, dot < word.len ? dot + 1 : dot, word.len);
    struct fed_span head = fed_span_sub(word, 0, dot);

    if (group.len > 0 && !fed_span_eq(group, kind->group) &&
        !(kind->target_group.len > 0 && fed_span_eq(group, kind->target_group)))
        return false;
    return same(head, kind->plural) || same(head, kind->kind) || same(head, kind->singular) ||
           same(head, kind->target_plural) || same(head, kind->target_kind) || is_short(kind, head);
}

const struct look_kind *look_kind(const struct look *look, struct fed_span word)
{
    for (size_t i = 0; i < look->n_kinds; i++)
        if (is_named(&look->kinds[i], word))
            return &look->kinds[i];
    return NULL;
}

static enum cli_exit no_kind(struct look *look, struct fed_span word)
{
    cli_fail("\"" FED_SPAN_FMT "\" is no federated kind", FED_SPAN_ARG(word));
    for (size_t i = 0; i < look->n_kinds; i++) {
        const struct look_kind *kind = &look->kinds[i];

        if (cli_is_near(word, kind->kind) || cli_is_near(word, kind->plural) ||
            cli_is_near(word, kind->target_plural) || cli_is_near(word, kind->target_kind))
            fprintf(stderr, "did you mean: " FED_SPAN_FMT "\n", FED_SPAN_ARG(kind->plural));
    }
    fprintf(
        stderr, "federated kinds: kubectl -n " CLI_SYSTEM_NAMESPACE " get federatedtypeconfigs\n");
    return CLI_FAILED;
}

enum cli_exit look_name(
    struct look *look, const char *text, const struct look_kind **kind, const char **name)
{
    struct fed_span all = fed_span_text(text);
    size_t slash = fed_span_find(all, '/');
    struct fed_span word = fed_span_sub(all, 0, slash);

    if (slash == all.len || word.len == 0 || !cli_is_name(text + slash + 1))
        return cli_misuse(look->self,
            "\"%s\" is not RESOURCE/NAME, as in federateddeployment/web or deployment/web", text);
    *kind = look_kind(look, word);
    *name = text + slash + 1;
    return *kind ? CLI_DONE : no_kind(look, word);
}

/* ---- objects ---- */
struct near {
    struct fed_span name;
    unsigned shown;
};

static void show_near(void *ctx, struct fed_json *object)
{
    struct near *near = ctx;
    struct fed_span name = fed_json_string(fed_json_find(object, "metadata.name"));

    if (near->shown < 5 && cli_is_near(near->name, name)) {
        fprintf(stderr, "did you mean: " FED_SPAN_FMT "\n", FED_SPAN_ARG(name));
        near->shown++;
    }
}

/* A FederatedNamespace is in the namespace that it federates. */
static const char *ns_of(const struct look *look, const struct look_kind *kind, const char *name)
{
    return kind->is_namespace && !look->ns_flag ? name : look_ns(look);
}

enum cli_exit look_get(
    struct look *look, const struct look_kind *kind, const char *name, struct fed_json **out)
{
    const char *ns = ns_of(look, kind, name);
    struct near near = {fed_span_text(name), 0};
    struct fed_diag diag = {""};
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, look->cli->mem, 2048);
    look_path(kind, ns, name, &path);
    err = cli_ask(look->cli, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), out, &diag);
    fed_buf_fini(&path);
    if (err && kind->namespaced)
        cli_fail("namespace %s: %s", ns, diag.text);
    else if (err)
        cli_fail("%s", diag.text);
    if (err == FED_ERR_NOT_FOUND && look_objects(look, kind, show_near, &near, &diag))
        fprintf(stderr, "and its neighbours cannot be listed: %s\n", diag.text);
    return err ? CLI_FAILED : CLI_DONE;
}

/* ---- watching ---- */
struct waiting {
    struct cli *cli;
    bool ended;
    bool changed;
};

static void on_line(void *ctx, struct fed_span line)
{
    struct waiting *w = ctx;

    (void)line;
    w->changed = true;
    w->cli->loop->stop(w->cli->loop->ctx);
}

static void on_open(void *ctx)
{
    (void)ctx;
}

static void on_ended(
    void *ctx, enum fed_err err, const struct fed_kube_answer *refusal, const struct fed_diag *diag)
{
    struct waiting *w = ctx;

    (void)err;
    (void)refusal;
    (void)diag;
    w->ended = true;
    w->cli->loop->stop(w->cli->loop->ctx);
}

static void on_time(void *ctx)
{
    struct waiting *w = ctx;

    w->cli->loop->stop(w->cli->loop->ctx);
}

/* When to go on although nothing changed. */
static uint64_t wake_ms(const struct look *look)
{
    uint64_t at =
        fed_loop_now_ms(look->cli->loop) + (look->refresh_ms ? look->refresh_ms : REFRESH_MS);

    return look->until_ms && look->until_ms < at ? look->until_ms : at;
}

static bool is_late(const struct look *look)
{
    return look->until_ms && fed_loop_now_ms(look->cli->loop) >= look->until_ms;
}

/* Until something changes, or ages are to be written anew. A watch that cannot be had is a wait. */
static enum fed_err wait_for_change(struct look *look, const char *path, bool *changed)
{
    struct cli *cli = look->cli;
    struct waiting w = {.cli = cli};
    struct fed_kube_watch_events events = {
        .ctx = &w, .open = on_open, .line = on_line, .ended = on_ended};
    struct fed_kube_watch *watch = NULL;
    struct fed_timer *timer;
    char query[1200];
    enum fed_err err = cli->loop->timer_new(cli->loop->ctx, on_time, &w, &timer);

    if (err)
        return err;
    cli->loop->timer_set(cli->loop->ctx, timer, wake_ms(look));
    snprintf(query, sizeof query, "%s%cwatch=true&resourceVersion=%s", path,
        strchr(path, '?') ? '&' : '?', look->version);
    w.ended = look->version[0] == 0; /* without it all there is would come first */
    if (!w.ended)
        err = cli->kube->watch(cli->kube->ctx, query, NULL, &events, &watch);
    if (!err)
        err = cli->run(cli->run_ctx);
    if (!err && w.ended && watch)
        err = cli->run(cli->run_ctx);
    else if (watch && !w.ended)
        cli->kube->watch_cancel(cli->kube->ctx, watch);
    cli->loop->timer_free(cli->loop->ctx, timer);
    *changed = w.changed || w.ended;
    return err;
}

/* On a terminal each round takes the place of the last one, elsewhere it follows it. */
static void begin_round(const struct look *look)
{
    char now[FED_TEXT_TIME_SIZE];

    if (look->appends)
        return;
    if (cli_is_terminal(stdout)) {
        fputs("\033[H\033[2J", stdout);
    } else if (!look->cli->json) {
        fed_text_time(fed_loop_unix_s(look->cli->loop), now);
        printf("# %s\n", now);
    }
}

enum cli_exit look_repeat(struct look *look, const char *path, look_show *show, void *ctx)
{
    struct cli *cli = look->cli;
    struct fed_json_doc *lasting = cli->doc;
    enum cli_exit code = CLI_DONE;
    bool changed = true;

    for (bool first = true; code == CLI_DONE && !look->over; first = false) {
        if (fed_json_doc_new(cli->mem, &cli->doc)) {
            cli->doc = lasting;
            return cli_fail("out of memory");
        }
        if (!first && wait_for_change(look, path, &changed))
            code = cli_fail("the watch ended");
        /* Ages alone are no news where nothing is written over. */
        if (code == CLI_DONE && (changed || is_late(look) || cli_is_terminal(stdout))) {
            begin_round(look);
            code = show(ctx);
        }
        if (code == CLI_DONE && !look->over && is_late(look))
            code = CLI_TIMED_OUT;
        if (fflush(stdout))
            code = CLI_FAILED;
        fed_json_doc_free(cli->doc);
        cli->doc = lasting;
    }
    return code;
}
