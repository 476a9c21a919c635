/* held.c - nobody grants what they do not hold: the comparison behind the escalation check. */
#include "hub/access/rbac.h"

#include <string.h>

#define MISSING_MAX 256u /* named in the message; a sentence with more helps nobody */
#define VERBS_MAX 16u    /* named for one resource */

struct missing { /* rights on one resource, or one path, that differ by verb alone */
    struct hub_right right;
    struct fed_span verbs[VERBS_MAX];
    size_t n_verbs;
    struct fed_span text;
};

struct comparison {
    const struct hub_rbac *rbac;
    const struct hub_user *user;
    struct fed_span ns;
    const struct hub_right *right;
    bool covered;
    struct missing *missing;
    size_t n;
    size_t more;
};

static bool covers(void *ctx, const struct hub_rule *rule)
{
    struct comparison *c = ctx;

    c->covered = hub_rule_covers(rule, c->right);
    return !c->covered;
}

static bool same_place(const struct hub_right *a, const struct hub_right *b)
{
    return a->url.len == 0 && b->url.len == 0 && a->named == b->named &&
           fed_span_eq(a->group, b->group) && fed_span_eq(a->resource, b->resource) &&
           fed_span_eq(a->name, b->name);
}

static void note(struct comparison *c, const struct hub_right *right)
{
    struct missing *place = NULL;

    for (size_t i = 0; i < c->n && !place; i++)
        if (same_place(&c->missing[i].right, right))
            place = &c->missing[i];
    if (!place && c->n < MISSING_MAX) {
        place = &c->missing[c->n++];
        *place = (struct missing){.right = *right};
    }
    if (place && place->n_verbs < VERBS_MAX)
        place->verbs[place->n_verbs++] = right->verb;
    else
        c->more++;
}

static bool compare(void *ctx, const struct hub_right *right)
{
    struct comparison *c = ctx;

    c->right = right;
    c->covered = false;
    hub_rbac_rules_of(c->rbac, c->user, c->ns, covers, c);
    if (!c->covered)
        note(c, right);
    return true;
}

/* Go's %q of what names hold: printable text, quotes and backslashes escaped. */
static void put_quoted(struct fed_buf *out, struct fed_span text)
{
    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            fed_buf_put_u8(out, '\\');
        fed_buf_put_u8(out, text.at[i] < ' ' ? ' ' : text.at[i]);
    }
    fed_buf_put_u8(out, '"');
}

static void put_list(
    struct fed_buf *out, const char *key, const struct fed_span *texts, size_t n, bool last)
{
    fed_buf_printf(out, "%s:[", key);
    for (size_t i = 0; i < n; i++) {
        fed_buf_put_text(out, i ? " " : "");
        put_quoted(out, texts[i]);
    }
    fed_buf_put_text(out, last ? "]" : "], ");
}

static void put_missing(struct fed_buf *out, const struct missing *m)
{
    fed_buf_put_text(out, "{");
    if (m->right.url.len > 0) {
        put_list(out, "NonResourceURLs", &m->right.url, 1, false);
    } else {
        put_list(out, "APIGroups", &m->right.group, 1, false);
        put_list(out, "Resources", &m->right.resource, 1, false);
        if (m->right.named)
            put_list(out, "ResourceNames", &m->right.name, 1, false);
    }
    put_list(out, "Verbs", m->verbs, m->n_verbs, true);
    fed_buf_put_text(out, "}");
}

/* Sorted by their text, as kube-apiserver prints them. */
static void put_sorted(struct comparison *c, struct fed_buf *scratch, struct fed_buf *out)
{
    for (size_t i = 0; i < c->n; i++)
        put_missing(scratch, &c->missing[i]);
    for (size_t i = 0, at = 0; i < c->n; i++) {
        struct fed_buf one;

        fed_buf_init(&one, scratch->mem, 1u << 20);
        put_missing(&one, &c->missing[i]);
        c->missing[i].text = fed_span_of(scratch->at + at, one.len);
        at += one.len;
        fed_buf_fini(&one);
    }
    for (size_t i = 1; i < c->n; i++) { /* few: insertion */
        struct missing m = c->missing[i];
        size_t k = i;

        for (; k > 0 && fed_span_cmp(m.text, c->missing[k - 1].text) < 0; k--)
            c->missing[k] = c->missing[k - 1];
        c->missing[k] = m;
    }
    for (size_t i = 0; i < c->n; i++) {
        fed_buf_put_text(out, "\n");
        fed_buf_put(out, c->missing[i].text);
    }
    if (c->more > 0)
        fed_buf_printf(out, "\nand %zu more", c->more);
}

static enum fed_err put_refusal(struct comparison *c, struct fed_buf *out)
{
    struct fed_buf scratch;
    enum fed_err err;

    fed_buf_init(&scratch, out->mem, 1u << 20);
    fed_buf_put_text(out, "user ");
    put_quoted(out, fed_span_text(c->user->name));
    fed_buf_put_text(out, " (groups=[");
    for (size_t i = 0; i < c->user->n_groups; i++) {
        fed_buf_put_text(out, i ? " " : "");
        put_quoted(out, fed_span_text(c->user->groups[i]));
    }
    fed_buf_put_text(out, "]) is attempting to grant RBAC permissions not currently held:");
    put_sorted(c, &scratch, out);
    err = fed_buf_err(&scratch);
    fed_buf_fini(&scratch);
    return err ? err : fed_buf_err(out);
}

enum fed_err hub_rbac_confirm_held(const struct hub_rbac *rbac, const struct hub_user *user,
    struct fed_span ns, const struct hub_rules *rules, struct fed_buf *message)
{
    struct comparison c = {.rbac = rbac, .user = user, .ns = ns};
    enum fed_err err;

    c.missing = fed_alloc_array(message->mem, MISSING_MAX, sizeof *c.missing);
    if (!c.missing)
        return FED_ERR_NOMEM;
    err = hub_rules_each_right(rules, compare, &c);
    if (!err && c.n > 0) {
        err = put_refusal(&c, message);
        err = err ? err : FED_ERR_FORBIDDEN;
    }
    fed_alloc_free(message->mem, c.missing, MISSING_MAX * sizeof *c.missing);
    return err;
}
