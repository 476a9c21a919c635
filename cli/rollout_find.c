/* rollout_find.c - see rollout.h: from what people write to the Rollout that they mean. */
#include "cli/rollout.h"

#include "proto/base/text.h"

#include <string.h>

#define AWAY_MS 1000u
#define AWAY_MAX_MS 15000u

unsigned rollout_away_ms(unsigned former_ms)
{
    if (former_ms == 0)
        return AWAY_MS;
    return former_ms < AWAY_MAX_MS / 2 ? former_ms * 2 : AWAY_MAX_MS;
}

/* Until then, at most; false: there is no time left, or the wait was interrupted. */
static bool may_wait(const struct look *look, unsigned ms)
{
    uint64_t now_ms = fed_loop_now_ms(look->cli->loop);

    if (look->until_ms && now_ms >= look->until_ms)
        return false;
    if (look->until_ms && look->until_ms - now_ms < ms)
        ms = (unsigned)(look->until_ms - now_ms);
    return !cli_pause(look->cli, ms);
}

static enum cli_exit read_kinds(struct look *look)
{
    unsigned away_ms = 0;
    struct fed_diag diag;
    enum fed_err err;

    for (;;) {
        diag = (struct fed_diag){""};
        err = look_kinds(look, &diag);
        if (!err)
            return CLI_DONE;
        if (!look->patient || (err != FED_ERR_NETWORK && err != FED_ERR_TIMEOUT))
            return cli_fail("cannot read which kinds are federated: %s", cli_why(&diag, err));
        if (!away_ms)
            fprintf(stderr, "fedctl: %s; trying again\n", cli_why(&diag, err));
        away_ms = rollout_away_ms(away_ms);
        if (may_wait(look, away_ms))
            continue;
        if (!look->until_ms || fed_loop_now_ms(look->cli->loop) < look->until_ms)
            return CLI_FAILED; /* interrupted */
        fprintf(stderr, "fedctl: the hub was away all the time that --timeout gives\n");
        return CLI_TIMED_OUT;
    }
}

enum cli_exit rollout_name_read(struct look *look, const char *text, struct rollout_name *out)
{
    struct fed_span all = fed_span_text(text);
    struct fed_span word = fed_span_sub(all, 0, fed_span_find(all, '/'));
    enum cli_exit code;

    *out = (struct rollout_name){.look = look, .text = text};
    if (fed_span_is(word, "rollout") || fed_span_is(word, "rollouts") ||
        fed_span_is(word, "rollouts.fedlet.io") || fed_span_is(word, "rollout.fedlet.io")) {
        out->name = text + word.len + 1;
        if (word.len < all.len && cli_is_name(out->name))
            return CLI_DONE;
        return cli_misuse(look->self, "\"%s\" is not rollout/NAME", text);
    }
    code = read_kinds(look);
    return code != CLI_DONE ? code : look_name(look, text, &out->kind, &out->name);
}

/* The namespace; that which a FederatedNamespace is in has its name. */
static const char *ns_of(const struct rollout_name *name)
{
    const struct look *look = name->look;

    return name->kind && name->kind->is_namespace && !look->ns_flag ? name->name : look_ns(look);
}

/* Labels cannot carry every name; then all of the namespace are read. */
static void put_selector(const struct rollout_name *name, struct fed_buf *out)
{
    if (!name->kind) {
        fed_buf_put_text(out, "?fieldSelector=metadata.name%3D");
        cli_put_escaped(out, fed_span_text(name->name));
    } else if (fed_text_is_label_value(fed_span_text(name->name))) {
        fed_buf_put_text(out, "?labelSelector=fedlet.io%2Fobject-name%3D");
        cli_put_escaped(out, fed_span_text(name->name));
    }
}

enum fed_err rollout_name_path(const struct rollout_name *name, struct fed_buf *out)
{
    struct fed_diag diag = {""};
    enum fed_err err = cli_connect(name->look->cli, &diag); /* the context says which namespace */

    if (err)
        return err;
    fed_buf_printf(out, ROLLOUT_GROUP "/namespaces/%s/rollouts", ns_of(name));
    put_selector(name, out);
    return fed_buf_err(out);
}

bool rollout_is_of(const struct fed_json *rollout, const struct rollout_name *name)
{
    const struct fed_json *object = fed_json_find(rollout, "spec.object");

    if (!name->kind)
        return fed_span_is(fed_json_string(fed_json_find(rollout, "metadata.name")), name->name);
    return fed_span_is(fed_json_string(fed_json_get(object, "name")), name->name) &&
           fed_span_eq(fed_json_string(fed_json_get(object, "kind")), name->kind->kind);
}

void rollout_put_path(const struct fed_json *rollout, struct fed_buf *out)
{
    fed_buf_printf(out, ROLLOUT_GROUP "/namespaces/" FED_SPAN_FMT "/rollouts/" FED_SPAN_FMT,
        FED_SPAN_ARG(fed_json_string(fed_json_find(rollout, "metadata.namespace"))),
        FED_SPAN_ARG(fed_json_string(fed_json_find(rollout, "metadata.name"))));
}

/* ---- choosing ---- */
struct choosing {
    const struct rollout_name *name;
    enum rollout_choice choice;
    struct fed_json *best;
};

static int64_t number_of(const struct fed_json *rollout)
{
    return fed_json_int(fed_json_find(rollout, "spec.number"), 0);
}

/* How much it is the current one: going on, over, queued. */
static int rank_of(const struct fed_json *rollout)
{
    if (fed_span_is(rollout_phase(rollout), "Queued"))
        return 0;
    return rollout_is_over(rollout) ? 1 : 2;
}

static void take(void *ctx, struct fed_json *rollout)
{
    struct choosing *c = ctx;
    int gain;

    if (!rollout_is_of(rollout, c->name))
        return;
    gain = c->best && c->choice == ROLLOUT_CURRENT ? rank_of(rollout) - rank_of(c->best) : 0;
    if (!c->best || gain > 0 || (gain == 0 && number_of(rollout) > number_of(c->best)))
        c->best = rollout;
}

/* There is none: because nothing governs the object, because nothing changed, or because the object
 * itself is not there. */
static enum fed_err say_none(const struct rollout_name *name, struct fed_diag *diag)
{
    struct fed_json *object = NULL;
    struct fed_buf path;
    enum fed_err err;

    if (!name->kind)
        return fed_diag_set(diag, FED_ERR_NOT_FOUND,
            "namespace %s has no rollout \"%s\"; `fedctl rollout list -n %s` names them",
            ns_of(name), name->name, ns_of(name));
    fed_buf_init(&path, name->look->cli->mem, 2048);
    look_path(name->kind, ns_of(name), name->name, &path);
    err = cli_ask(
        name->look->cli, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), &object, diag);
    fed_buf_fini(&path);
    if (err)
        return fed_diag_prefix(diag, FED_ERR_NOT_FOUND, "namespace %s", ns_of(name));
    return fed_diag_set(diag, FED_ERR_NOT_FOUND,
        FED_SPAN_FMT
        " %s/%s has no rollout: no RolloutPolicy governs it, or it did not change since "
        "one does; `kubectl get rolloutpolicies -n %s` shows them",
        FED_SPAN_ARG(name->kind->kind), ns_of(name), name->name, ns_of(name));
}

enum fed_err rollout_read(const struct rollout_name *name, enum rollout_choice choice,
    struct fed_json **out, struct fed_diag *diag)
{
    struct choosing c = {.name = name, .choice = choice};
    struct fed_buf path;
    enum fed_err err;

    fed_buf_init(&path, name->look->cli->mem, 4096);
    err = cli_connect(name->look->cli, diag);
    if (!err)
        err = rollout_name_path(name, &path);
    if (!err)
        err = look_list(name->look, fed_buf_cstr(&path), take, &c, diag);
    fed_buf_fini(&path);
    if (err)
        return err;
    if (!c.best)
        return say_none(name, diag);
    *out = c.best;
    return FED_OK;
}
