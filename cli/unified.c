/* unified.c - see unified.h. Lines are compared by a table of longest common subsequences. */
#include "cli/unified.h"

#define CONTEXT 3u
#define CELLS_MAX (4u << 20)

struct lines {
    struct fed_span *at;
    size_t n;
};
struct edit {
    char mark; /* ' ', '-', '+' */
    struct fed_span line;
};
struct comparing {
    struct fed_alloc *mem;
    struct lines old, new;
    uint32_t *table; /* (n + 1) x (m + 1) of what is between the equal ends */
    size_t cells;
    struct edit *edits;
    size_t n_edits;
};

static enum fed_err split(struct fed_alloc *mem, struct fed_span text, struct lines *out)
{
    size_t n = 1;
    struct fed_span line;

    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == '\n';
    out->n = 0;
    out->at = fed_alloc_array(mem, n, sizeof *out->at);
    if (!out->at)
        return FED_ERR_NOMEM;
    while (fed_span_split(&text, '\n', &line))
        out->at[out->n++] = line;
    return FED_OK;
}

static void add(struct comparing *c, char mark, struct fed_span line)
{
    c->edits[c->n_edits++] = (struct edit){mark, line};
}

static uint32_t *cell(const struct comparing *c, size_t width, size_t i, size_t j)
{
    return &c->table[i * (width + 1) + j];
}

/* The longest common subsequence of what follows old[i] and new[j]. */
static void fill(struct comparing *c, size_t from, size_t n, size_t m)
{
    for (size_t i = n + 1; i-- > 0;)
        for (size_t j = m + 1; j-- > 0;) {
            uint32_t down = i < n ? *cell(c, m, i + 1, j) : 0;
            uint32_t right = j < m ? *cell(c, m, i, j + 1) : 0;

            if (i < n && j < m && fed_span_eq(c->old.at[from + i], c->new.at[from + j]))
                *cell(c, m, i, j) = *cell(c, m, i + 1, j + 1) + 1;
            else
                *cell(c, m, i, j) = down > right ? down : right;
        }
}

static void walk(struct comparing *c, size_t from, size_t n, size_t m)
{
    size_t i = 0;
    size_t j = 0;

    while (i < n || j < m) {
        bool both = c->table && i < n && j < m;

        if (both && fed_span_eq(c->old.at[from + i], c->new.at[from + j])) {
            add(c, ' ', c->old.at[from + i]);
            i++;
            j++;
        } else if (i < n && (!both || *cell(c, m, i + 1, j) >= *cell(c, m, i, j + 1))) {
            add(c, '-', c->old.at[from + i++]);
        } else {
            add(c, '+', c->new.at[from + j++]);
        }
    }
}

static enum fed_err compare(struct comparing *c)
{
    size_t before = 0;
    size_t after = 0;
    size_t n = c->old.n;
    size_t m = c->new.n;

    while (before < n && before < m && fed_span_eq(c->old.at[before], c->new.at[before]))
        before++;
    while (after < n - before && after < m - before &&
           fed_span_eq(c->old.at[n - after - 1], c->new.at[m - after - 1]))
        after++;
    n -= before + after;
    m -= before + after;
    if (n > 0 && m > 0 && (n + 1) <= CELLS_MAX / (m + 1)) {
        c->cells = (n + 1) * (m + 1);
        c->table = fed_alloc_array(c->mem, c->cells, sizeof *c->table);
        if (!c->table)
            return FED_ERR_NOMEM;
        fill(c, before, n, m);
    }
    for (size_t i = 0; i < before; i++)
        add(c, ' ', c->old.at[i]);
    walk(c, before, n, m);
    for (size_t i = 0; i < after; i++)
        add(c, ' ', c->old.at[before + n + i]);
    return FED_OK;
}

/* ---- hunks ---- */
/* The end of the hunk that begins with the change at `first`: changes with at most twice the
 * context between them belong together. */
static size_t hunk_end(const struct comparing *c, size_t first)
{
    size_t last = first;

    for (size_t i = first; i < c->n_edits && i <= last + 2 * CONTEXT + 1; i++)
        if (c->edits[i].mark != ' ')
            last = i;
    return last + CONTEXT + 1 < c->n_edits ? last + CONTEXT + 1 : c->n_edits;
}

static void put_range(struct fed_buf *out, char mark, size_t from, size_t n)
{
    /* What has no lines is named by the line before it. */
    fed_buf_printf(out, "%c%zu", mark, n ? from + 1 : from);
    if (n != 1)
        fed_buf_printf(out, ",%zu", n);
}

static void put_hunk(const struct comparing *c, size_t begin, size_t end, size_t old_at,
    size_t new_at, struct fed_buf *out)
{
    size_t olds = 0;
    size_t news = 0;

    for (size_t i = begin; i < end; i++) {
        olds += c->edits[i].mark != '+';
        news += c->edits[i].mark != '-';
    }
    fed_buf_put_text(out, "@@ ");
    put_range(out, '-', old_at, olds);
    fed_buf_put_text(out, " ");
    put_range(out, '+', new_at, news);
    fed_buf_put_text(out, " @@\n");
    for (size_t i = begin; i < end; i++) {
        fed_buf_put_u8(out, (uint8_t)c->edits[i].mark);
        fed_buf_put(out, c->edits[i].line);
        fed_buf_put_text(out, "\n");
    }
}

static void put_hunks(const struct comparing *c, struct fed_buf *out)
{
    size_t old_at = 0;
    size_t new_at = 0;
    size_t at = 0; /* edits that are behind us */

    for (size_t i = 0; i < c->n_edits; i++) {
        size_t begin = i > CONTEXT ? i - CONTEXT : 0;
        size_t end;

        if (c->edits[i].mark == ' ')
            continue;
        begin = begin < at ? at : begin;
        end = hunk_end(c, i);
        for (; at < begin; at++) {
            old_at += c->edits[at].mark != '+';
            new_at += c->edits[at].mark != '-';
        }
        put_hunk(c, begin, end, old_at, new_at, out);
        for (; at < end; at++) {
            old_at += c->edits[at].mark != '+';
            new_at += c->edits[at].mark != '-';
        }
        i = end - 1;
    }
}

enum fed_err cli_unified_put(struct fed_alloc *mem, struct fed_span old_name,
    struct fed_span old_text, struct fed_span new_name, struct fed_span new_text,
    struct fed_buf *out)
{
    struct comparing c = {.mem = mem};
    size_t room = 0;
    size_t olds = 0;
    size_t news = 0;
    enum fed_err err = FED_OK;

    if (fed_span_eq(old_text, new_text))
        return FED_OK;
    for (size_t i = 0; i < old_text.len; i++)
        olds += old_text.at[i] == '\n';
    for (size_t i = 0; i < new_text.len; i++)
        news += new_text.at[i] == '\n';
    err = split(mem, old_text, &c.old);
    if (!err)
        err = split(mem, new_text, &c.new);
    room = c.old.n + c.new.n + 1;
    if (!err) {
        c.edits = fed_alloc_array(mem, room, sizeof *c.edits);
        err = c.edits ? compare(&c) : FED_ERR_NOMEM;
    }
    if (!err) {
        fed_buf_printf(out, "--- " FED_SPAN_FMT "\n+++ " FED_SPAN_FMT "\n", FED_SPAN_ARG(old_name),
            FED_SPAN_ARG(new_name));
        put_hunks(&c, out);
        err = fed_buf_err(out);
    }
    fed_alloc_free(mem, c.table, c.cells * sizeof *c.table);
    fed_alloc_free(mem, c.edits, room * sizeof *c.edits);
    fed_alloc_free(mem, c.old.at, (olds + 1) * sizeof *c.old.at);
    fed_alloc_free(mem, c.new.at, (news + 1) * sizeof *c.new.at);
    return err;
}
