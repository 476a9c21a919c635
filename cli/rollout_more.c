/* rollout_more.c - see rollout.h: the clusters of a rollout, and what it changes. */
#include "cli/review.h"
#include "cli/rollout.h"
#include "cli/unified.h"

#include "proto/base/text.h"

#include <string.h>

/* ---- clusters ---- */
struct page {
    struct look *look;
    const struct fed_json *rollout;
    const char *state;
    const char *wave;
    struct fed_json *all; /* for JSON; NULL: rows */
    struct cli_rows rows;
    size_t n;
};

static enum fed_err put_page_path(
    const struct page *p, const struct fed_json *answer, struct fed_buf *out)
{
    struct fed_span token = fed_json_string(fed_json_get(answer, "continue"));

    fed_buf_clear(out);
    rollout_put_path(p->rollout, out);
    fed_buf_printf(out, "/clusters?limit=%u", LOOK_PAGE);
    if (p->state) { /* states begin with a capital; people need not know */
        fed_buf_printf(out, "&state=%c",
            p->state[0] >= 'a' && p->state[0] <= 'z' ? p->state[0] - 32 : p->state[0]);
        cli_put_escaped(out, fed_span_text(p->state[0] ? p->state + 1 : ""));
    }
    if (p->wave)
        fed_buf_put_text(out, "&wave=");
    cli_put_escaped(out, fed_span_text(p->wave));
    if (token.len > 0)
        fed_buf_put_text(out, "&continue=");
    cli_put_escaped(out, token);
    return fed_buf_err(out);
}

static void add_row(struct page *p, const struct fed_json *one)
{
    struct fed_span reason = fed_json_string(fed_json_get(one, "reason"));
    struct fed_span message = fed_json_string(fed_json_get(one, "message"));
    struct fed_span held = fed_json_string(fed_json_get(one, "heldUntil"));
    struct fed_span state = fed_json_string(fed_json_get(one, "state"));
    struct fed_span version = fed_json_string(fed_json_get(one, "version"));
    struct fed_buf why;
    char since[32];

    fed_buf_init(&why, p->look->cli->mem, 1u << 16);
    fed_buf_put(&why, reason);
    if (reason.len > 0 && message.len > 0)
        fed_buf_put_text(&why, ": ");
    fed_buf_put(&why, message);
    if (held.len > 0)
        fed_buf_printf(&why, "%suntil " FED_SPAN_FMT, why.len > 0 ? "; " : "", FED_SPAN_ARG(held));
    look_age(p->look, look_time(fed_json_get(one, "since")), since);
    cli_rows_add(&p->rows, fed_span_is(state, "Failed") ? CLI_RED : CLI_PLAIN,
        (const char *[]){look_text(p->look, fed_json_get(one, "name")),
            look_text(p->look, fed_json_get(one, "wave")), look_cstr(p->look, state), since,
            look_cstr(p->look, fed_span_sub(version, 0, 12)), fed_buf_cstr(&why)});
    fed_buf_fini(&why);
}

static enum fed_err take_page(struct page *p, const struct fed_json *answer)
{
    const struct fed_json *list = fed_json_get(answer, "clusters");
    enum fed_err err = FED_OK;

    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);) {
        p->n++;
        if (p->all)
            err = fed_json_append(p->all, fed_json_clone(p->look->cli->doc, it.value));
        else
            add_row(p, it.value);
    }
    return err;
}

static enum fed_err read_pages(struct page *p, struct fed_diag *diag)
{
    struct fed_json *answer = NULL;
    struct fed_buf path;
    enum fed_err err = FED_OK;

    fed_buf_init(&path, p->look->cli->mem, 8192);
    do {
        err = put_page_path(p, answer, &path);
        if (!err)
            err = cli_ask(
                p->look->cli, "GET", fed_buf_cstr(&path), NULL, fed_span_text(""), &answer, diag);
        if (!err)
            err = take_page(p, answer);
    } while (!err && fed_json_string(fed_json_get(answer, "continue")).len > 0);
    fed_buf_fini(&path);
    return err;
}

enum cli_exit rollout_clusters(
    struct look *look, const struct fed_json *rollout, const char *state, const char *wave)
{
    struct page p = {.look = look, .rollout = rollout, .state = state, .wave = wave};
    struct fed_diag diag = {""};
    enum fed_err err;

    if (look->cli->json) {
        p.all = fed_json_new_array(look->cli->doc);
        if (!p.all)
            return cli_fail("out of memory");
    }
    cli_rows_init(&p.rows, 6);
    cli_rows_add(&p.rows, CLI_PLAIN,
        (const char *[]){"CLUSTER", "WAVE", "STATE", "SINCE", "VERSION", "WHY"});
    err = read_pages(&p, &diag);
    if (err) {
        cli_rows_free(&p.rows);
        return cli_fail("cannot read the clusters: %s", cli_why(&diag, err));
    }
    if (p.all) {
        cli_print_json(p.all);
        cli_rows_free(&p.rows);
    } else if (p.n > 0) {
        cli_rows_print(&p.rows, stdout);
    } else {
        cli_rows_free(&p.rows);
        fprintf(stderr, "no such clusters\n");
    }
    return CLI_DONE;
}

/* ---- what it changes ---- */
static enum fed_err put_side(struct look *look, const struct fed_json *versions, const char *side,
    struct fed_buf *out, struct fed_diag *diag)
{
    const struct fed_json *version = fed_json_get(versions, side);

    return version ? review_put_yaml(look, version, out, diag) : FED_OK;
}

static enum fed_err put_difference(struct look *look, const struct fed_json *rollout,
    const struct fed_json *versions, struct fed_buf *out, struct fed_diag *diag)
{
    long long from = fed_json_int(fed_json_find(rollout, "spec.from.generation"), 0);
    long long to = fed_json_int(fed_json_find(rollout, "spec.to.generation"), 0);
    struct fed_buf sides[2];
    char names[2][64];
    enum fed_err err;

    snprintf(names[0], sizeof names[0], from ? "generation %lld" : "nothing", from);
    snprintf(names[1], sizeof names[1], "generation %lld", to);
    fed_buf_init(&sides[0], look->cli->mem, 4 * FED_JSON_BYTES_MAX);
    fed_buf_init(&sides[1], look->cli->mem, 4 * FED_JSON_BYTES_MAX);
    err = put_side(look, versions, "from", &sides[0], diag);
    if (!err)
        err = put_side(look, versions, "to", &sides[1], diag);
    if (!err)
        err = cli_unified_put(look->cli->mem, fed_span_text(names[0]), fed_buf_span(&sides[0]),
            fed_span_text(names[1]), fed_buf_span(&sides[1]), out);
    fed_buf_fini(&sides[0]);
    fed_buf_fini(&sides[1]);
    return err;
}

enum cli_exit rollout_difference(struct look *look, const struct fed_json *rollout)
{
    struct fed_json *versions = NULL;
    struct fed_diag diag = {""};
    struct fed_buf buf;
    enum fed_err err;

    fed_buf_init(&buf, look->cli->mem, 8 * FED_JSON_BYTES_MAX);
    rollout_put_path(rollout, &buf);
    fed_buf_put_text(&buf, "/versions");
    err = fed_buf_err(&buf);
    if (!err)
        err = cli_ask(
            look->cli, "GET", fed_buf_cstr(&buf), NULL, fed_span_text(""), &versions, &diag);
    fed_buf_clear(&buf);
    if (!err && look->cli->json)
        cli_print_json(versions);
    else if (!err)
        err = put_difference(look, rollout, versions, &buf, &diag);
    if (!err)
        fwrite(buf.at, 1, buf.len, stdout);
    fed_buf_fini(&buf);
    return err ? cli_fail("cannot read what it changes: %s", cli_why(&diag, err)) : CLI_DONE;
}
