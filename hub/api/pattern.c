/* pattern.c - see pattern.h: text to tree, tree to program, program over text. */
#include "hub/api/pattern.h"

#include <string.h>

#define RUNE_MAX 0x10ffffu
#define RUNE_BAD 0xfffdu
#define REPEAT_MAX 1000u
#define DEPTH_MAX 250u
#define NODES_MAX 20000u
#define RANGES_MAX 20000u
#define NONE UINT32_MAX
#define UNBOUNDED UINT32_MAX
#define FLAGS (UINT32_MAX - 1) /* an atom that is none: flags from here on */

enum node_type {
    NODE_EMPTY,
    NODE_CLASS,  /* one rune of ranges[first, first + n) */
    NODE_ASSERT, /* of type `a` */
    NODE_JOIN,   /* a then b */
    NODE_EITHER, /* a or b */
    NODE_REPEAT  /* a, min to max times */
};
enum assertion { AT_START, AT_END, AT_LINE_START, AT_LINE_END, AT_WORD_EDGE, NOT_AT_WORD_EDGE };

struct node {
    enum node_type type;
    uint32_t a, b;
    uint32_t min, max;
};
struct range {
    uint32_t low, high;
};

enum step_type { STEP_CLASS, STEP_ASSERT, STEP_SPLIT, STEP_MATCH };
struct step {
    uint32_t type : 2;
    uint32_t n : 30; /* CLASS: ranges; SPLIT: the other way; ASSERT: the assertion */
    uint32_t first;  /* CLASS: first range */
    uint32_t next;
};

struct hub_pattern {
    struct fed_alloc *mem;
    struct step *steps;
    uint32_t n_steps, cap_steps;
    struct range *ranges;
    uint32_t n_ranges, cap_ranges;
    uint32_t start;
};

/* ---- growing arrays ---- */
static bool grow(
    struct fed_alloc *mem, void **at, uint32_t n, uint32_t *cap, size_t size, uint32_t max)
{
    uint32_t next = *cap ? *cap * 2 : 8;
    void *to;

    if (n < *cap)
        return true;
    if (n >= max)
        return false;
    to = mem->resize(mem->ctx, *at, *cap * size, next * size);
    if (!to)
        return false;
    *at = to;
    *cap = next;
    return true;
}

/* ---- UTF-8 ---- */
static size_t rune_at(struct fed_span text, size_t at, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.at[at];
    size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t rune = n == 1 ? first : n == 0 ? 0 : first & (0xffu >> (n + 1));

    *out = RUNE_BAD;
    if (n == 0 || first > 0xf4 || at + n > text.len)
        return 1;
    for (size_t i = 1; i < n; i++) {
        if ((text.at[at + i] & 0xc0) != 0x80)
            return 1;
        rune = (rune << 6) | (text.at[at + i] & 0x3f);
    }
    if (rune < least[n] || rune > RUNE_MAX || (rune >= 0xd800 && rune < 0xe000))
        return 1;
    *out = rune;
    return n;
}

/* ---- text to tree ---- */
struct parse {
    struct hub_pattern *pattern;
    struct fed_span text;
    size_t at;
    struct node *nodes;
    uint32_t n_nodes, cap_nodes;
    unsigned depth;
    bool fold, lines, dot_all;
    enum fed_err err;
    struct fed_diag *diag;
};

static uint32_t fail(struct parse *p, enum fed_err err, const char *what, size_t from, size_t to)
{
    struct fed_span part = fed_span_sub(p->text, from, to - from);

    if (!p->err)
        p->err = fed_diag_set(
            p->diag, err, "error parsing regexp: %s: `" FED_SPAN_FMT "`", what, FED_SPAN_ARG(part));
    return NONE;
}

static uint32_t node_new(struct parse *p, struct node node)
{
    void *nodes = p->nodes;

    if (p->err)
        return NONE;
    if (!grow(p->pattern->mem, &nodes, p->n_nodes, &p->cap_nodes, sizeof node, NODES_MAX)) {
        p->err = fed_diag_set(p->diag, FED_ERR_LIMIT, "the regular expression is too large");
        return NONE;
    }
    p->nodes = nodes;
    p->nodes[p->n_nodes] = node;
    return p->n_nodes++;
}

static bool more(const struct parse *p)
{
    return p->at < p->text.len;
}

static uint8_t look(const struct parse *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? p->text.at[p->at + ahead] : 0;
}

/* ---- classes: a run of ranges being built at the end of the pattern's ranges ---- */
static void add_range(struct parse *p, uint32_t low, uint32_t high)
{
    struct hub_pattern *pattern = p->pattern;
    void *ranges = pattern->ranges;

    if (p->err)
        return;
    if (!grow(pattern->mem, &ranges, pattern->n_ranges, &pattern->cap_ranges, sizeof(struct range),
            RANGES_MAX)) {
        p->err = fed_diag_set(p->diag, FED_ERR_LIMIT, "the regular expression is too large");
        return;
    }
    pattern->ranges = ranges;
    pattern->ranges[pattern->n_ranges++] = (struct range){low, high};
}

static void add_overlap(
    struct parse *p, uint32_t low, uint32_t high, uint32_t first, uint32_t last, int by)
{
    uint32_t from = low > first ? low : first;
    uint32_t to = high < last ? high : last;

    if (from <= to)
        add_range(p, (uint32_t)((int64_t)from + by), (uint32_t)((int64_t)to + by));
}

/* With (?i) the other case, too, and the two signs that fold to k and s. */
static void add_folded(struct parse *p, uint32_t low, uint32_t high, size_t from)
{
    add_range(p, low, high);
    if (!p->fold)
        return;
    if (high > 127 && !(low == 0 && high == RUNE_MAX) && low != 0x80)
        fail(p, FED_ERR_UNSUPPORTED, "case folding beyond ASCII", from, p->at);
    add_overlap(p, low, high, 'a', 'z', 'A' - 'a');
    add_overlap(p, low, high, 'A', 'Z', 'a' - 'A');
    if ((low <= 'k' && high >= 'k') || (low <= 'K' && high >= 'K'))
        add_range(p, 0x212a, 0x212a);
    if ((low <= 's' && high >= 's') || (low <= 'S' && high >= 'S'))
        add_range(p, 0x17f, 0x17f);
}

static void sort_ranges(struct range *at, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && at[k].low < at[k - 1].low; k--) {
            struct range swap = at[k];

            at[k] = at[k - 1];
            at[k - 1] = swap;
        }
}

/* Turns the ranges from `first` on into what they leave out. */
static void negate(struct parse *p, uint32_t first)
{
    struct hub_pattern *pattern = p->pattern;
    uint32_t n = pattern->n_ranges - first;
    uint32_t low = 0;

    if (p->err)
        return;
    sort_ranges(pattern->ranges + first, n);
    for (uint32_t i = 0; i < n; i++) {
        struct range range = pattern->ranges[first + i];

        if (range.low > low)
            add_range(p, low, range.low - 1);
        if (range.high >= low)
            low = range.high + 1;
        if (p->err)
            return;
    }
    if (low <= RUNE_MAX)
        add_range(p, low, RUNE_MAX);
    if (p->err)
        return;
    memmove(pattern->ranges + first, pattern->ranges + first + n,
        (pattern->n_ranges - first - n) * sizeof *pattern->ranges);
    pattern->n_ranges -= n;
}

static const struct named {
    const char *name;
    const char *ranges; /* pairs of characters */
} perl_classes[] = {{"d", "09"}, {"s", "\t\n\f\r  "}, {"w", "09AZ__az"}},
  posix_classes[] = {{"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\1\177"},
      {"blank", "\t\t  "}, {"cntrl", "\1\037\177\177"}, {"digit", "09"}, {"graph", "!~"},
      {"lower", "az"}, {"print", " ~"}, {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},
      {"word", "09AZ__az"}, {"xdigit", "09AFaf"}};

static void add_named(struct parse *p, const struct named *named, bool negated)
{
    uint32_t first = p->pattern->n_ranges;

    if (strcmp(named->name, "ascii") == 0 || strcmp(named->name, "cntrl") == 0)
        add_range(p, 0, 0); /* which no C string can hold */
    for (const char *at = named->ranges; *at; at += 2) {
        if (p->fold && !negated)
            add_folded(p, (uint8_t)at[0], (uint8_t)at[1], p->at);
        else
            add_range(p, (uint8_t)at[0], (uint8_t)at[1]);
    }
    if (negated)
        negate(p, first);
}

static bool take_perl_class(struct parse *p)
{
    uint8_t c = look(p, 1);

    if (look(p, 0) != '\\')
        return false;
    for (size_t i = 0; i < sizeof perl_classes / sizeof *perl_classes; i++)
        if ((c | 32) == perl_classes[i].name[0]) {
            p->at += 2;
            add_named(p, &perl_classes[i], !(c & 32));
            return true;
        }
    if (c == 'p' || c == 'P') {
        fail(p, FED_ERR_UNSUPPORTED, "Unicode classes are not known here", p->at, p->at + 2);
        return true;
    }
    return false;
}

static bool take_posix_class(struct parse *p)
{
    struct fed_span rest = fed_span_sub(p->text, p->at, p->text.len);
    size_t end = 2;
    bool negated;

    if (!fed_span_starts(rest, "[:"))
        return false;
    while (end + 1 < rest.len && !(rest.at[end] == ':' && rest.at[end + 1] == ']'))
        end++;
    if (end + 1 >= rest.len)
        return false;
    negated = rest.at[2] == '^';
    for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes; i++)
        if (fed_span_is(fed_span_sub(rest, negated ? 3 : 2, end - (negated ? 3 : 2)),
                posix_classes[i].name)) {
            p->at += end + 2;
            add_named(p, &posix_classes[i], negated);
            return true;
        }
    fail(p, FED_ERR_INVALID, "invalid character class range", p->at, p->at + end + 2);
    return true;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t take_hex(struct parse *p, size_t from)
{
    uint32_t rune = 0;
    size_t digits = 0;

    if (look(p, 0) == '{') {
        for (p->at++; more(p) && look(p, 0) != '}'; p->at++, digits++) {
            if (hex(look(p, 0)) < 0 || rune > RUNE_MAX)
                return fail(p, FED_ERR_INVALID, "invalid escape sequence", from, p->at);
            rune = rune * 16 + (uint32_t)hex(look(p, 0));
        }
        p->at += more(p);
        return digits > 0 && rune <= RUNE_MAX
                   ? rune
                   : fail(p, FED_ERR_INVALID, "invalid escape sequence", from, p->at);
    }
    if (hex(look(p, 0)) < 0 || hex(look(p, 1)) < 0)
        return fail(p, FED_ERR_INVALID, "invalid escape sequence", from, p->at);
    rune = (uint32_t)(hex(look(p, 0)) * 16 + hex(look(p, 1)));
    p->at += 2;
    return rune;
}

/* The rune behind a backslash, at which p stands. */
static uint32_t take_escape(struct parse *p)
{
    static const char letters[] = "afnrtv";
    static const char runes[] = "\a\f\n\r\t\v";
    size_t from = p->at;
    uint32_t rune;
    uint8_t c;

    p->at++;
    if (!more(p))
        return fail(p, FED_ERR_INVALID, "trailing backslash at end of expression", p->at, p->at);
    p->at += rune_at(p->text, p->at, &rune);
    c = rune < 0x80 ? (uint8_t)rune : 'z';
    if (c == 'x')
        return take_hex(p, from);
    if (c == '0' || (c >= '1' && c <= '7' && look(p, 0) >= '0' && look(p, 0) <= '7')) {
        rune = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && look(p, 0) >= '0' && look(p, 0) <= '7'; i++)
            rune = rune * 8 + (uint32_t)(p->text.at[p->at++] - '0');
        return rune;
    }
    for (size_t i = 0; letters[i]; i++)
        if (c == letters[i])
            return (uint8_t)runes[i];
    if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
        return fail(p, c == 'C' ? FED_ERR_UNSUPPORTED : FED_ERR_INVALID, "invalid escape sequence",
            from, p->at);
    return rune;
}

static uint32_t take_class_rune(struct parse *p, size_t from)
{
    uint32_t rune;

    if (!more(p))
        return fail(p, FED_ERR_INVALID, "missing closing ]", from, p->text.len);
    if (look(p, 0) == '\\')
        return take_escape(p);
    p->at += rune_at(p->text, p->at, &rune);
    return rune;
}

static void take_class_range(struct parse *p, size_t from)
{
    size_t start = p->at;
    uint32_t low = take_class_rune(p, from);
    uint32_t high = low;

    if (!p->err && look(p, 0) == '-' && p->at + 1 < p->text.len && look(p, 1) != ']') {
        p->at++;
        high = take_class_rune(p, from);
    }
    if (p->err)
        return;
    if (high < low)
        fail(p, FED_ERR_INVALID, "invalid character class range", start, p->at);
    else
        add_folded(p, low, high, start);
}

static uint32_t class_node(struct parse *p, uint32_t first)
{
    return node_new(
        p, (struct node){.type = NODE_CLASS, .a = first, .b = p->pattern->n_ranges - first});
}

static uint32_t take_class(struct parse *p)
{
    uint32_t first = p->pattern->n_ranges;
    size_t from = p->at++;
    bool negated = look(p, 0) == '^';
    bool begun = false;

    p->at += negated;
    while (!p->err && (!begun || look(p, 0) != ']')) {
        if (!more(p))
            return fail(p, FED_ERR_INVALID, "missing closing ]", from, p->text.len);
        begun = true;
        if (!take_posix_class(p) && !take_perl_class(p))
            take_class_range(p, from);
    }
    p->at++;
    if (negated)
        negate(p, first);
    return class_node(p, first);
}

static uint32_t literal(struct parse *p, uint32_t rune, size_t from)
{
    uint32_t first = p->pattern->n_ranges;

    add_folded(p, rune, rune, from);
    return class_node(p, first);
}

static uint32_t assertion(struct parse *p, enum assertion which, size_t bytes)
{
    p->at += bytes;
    return node_new(p, (struct node){.type = NODE_ASSERT, .a = which});
}

static uint32_t join(struct parse *p, uint32_t a, uint32_t b)
{
    return a == NONE ? b : node_new(p, (struct node){.type = NODE_JOIN, .a = a, .b = b});
}

static uint32_t take_quoted(struct parse *p)
{
    uint32_t all = NONE;

    p->at += 2;
    while (!p->err && more(p) && !(look(p, 0) == '\\' && look(p, 1) == 'E')) {
        size_t from = p->at;
        uint32_t rune;

        p->at += rune_at(p->text, p->at, &rune);
        all = join(p, all, literal(p, rune, from));
    }
    if (more(p))
        p->at += 2;
    return all == NONE ? node_new(p, (struct node){.type = NODE_EMPTY}) : all;
}

static uint32_t take_backslash(struct parse *p)
{
    uint32_t first = p->pattern->n_ranges;
    size_t from = p->at;
    uint32_t rune;

    switch (look(p, 1)) {
    case 'A':
        return assertion(p, AT_START, 2);
    case 'z':
        return assertion(p, AT_END, 2);
    case 'b':
        return assertion(p, AT_WORD_EDGE, 2);
    case 'B':
        return assertion(p, NOT_AT_WORD_EDGE, 2);
    case 'Q':
        return take_quoted(p);
    default:
        break;
    }
    if (take_perl_class(p))
        return class_node(p, first);
    rune = take_escape(p);
    return p->err ? NONE : literal(p, rune, from);
}

static uint32_t take_either(struct parse *p);

/* (?flags) or (?flags: ; true when a group begins. */
static bool take_flags(struct parse *p, size_t from)
{
    bool on = true;
    bool any = false;

    for (;;) {
        uint8_t c = look(p, 0);

        if (!more(p)) {
            fail(p, FED_ERR_INVALID, "invalid or unsupported Perl syntax", from, p->at);
            return false;
        }
        p->at++;
        if (c == 'i')
            p->fold = on;
        else if (c == 'm')
            p->lines = on;
        else if (c == 's')
            p->dot_all = on;
        else if (c == '-' && on)
            on = false;
        else if ((c == ':' || c == ')') && (on || any))
            return c == ':';
        else if (c != 'U') {
            fail(p, FED_ERR_INVALID, "invalid or unsupported Perl syntax", from, p->at);
            return false;
        }
        any = c != '-';
    }
}

static bool is_word(uint32_t rune)
{
    return rune == '_' || (rune >= '0' && rune <= '9') ||
           ((rune | 32) >= 'a' && (rune | 32) <= 'z');
}

static void take_name(struct parse *p, size_t from)
{
    size_t start = p->at;

    while (more(p) && look(p, 0) != '>')
        p->at++;
    if (!more(p)) {
        fail(p, FED_ERR_INVALID, "invalid named capture", from, p->text.len);
        return;
    }
    for (size_t i = start; i < p->at; i++)
        if (!is_word(p->text.at[i]))
            start = p->at;
    p->at++;
    if (start + 1 >= p->at)
        fail(p, FED_ERR_INVALID, "invalid named capture", from, p->at);
}

static uint32_t take_group(struct parse *p)
{
    struct parse before = *p;
    size_t from = p->at++;
    uint32_t inside;

    if (look(p, 0) == '?') {
        bool named = look(p, 1) == '<' || (look(p, 1) == 'P' && look(p, 2) == '<');

        p->at++;
        if (named) {
            p->at += look(p, 0) == 'P' ? 2 : 1;
            take_name(p, from);
        } else if (!take_flags(p, from)) { /* flags to the end of the group around */
            return p->err ? NONE : FLAGS;
        }
    }
    if (p->err)
        return NONE;
    if (++p->depth > DEPTH_MAX)
        return fail(p, FED_ERR_INVALID, "expression nests too deeply", 0, p->text.len);
    inside = take_either(p);
    p->depth--;
    p->fold = before.fold;
    p->lines = before.lines;
    p->dot_all = before.dot_all;
    if (!p->err && look(p, 0) != ')')
        return fail(p, FED_ERR_INVALID, "missing closing )", 0, p->text.len);
    p->at++;
    return inside;
}

static uint32_t take_dot(struct parse *p)
{
    uint32_t first = p->pattern->n_ranges;

    p->at++;
    if (p->dot_all) {
        add_range(p, 0, RUNE_MAX);
    } else {
        add_range(p, 0, '\n' - 1);
        add_range(p, '\n' + 1, RUNE_MAX);
    }
    return class_node(p, first);
}

static uint32_t take_atom(struct parse *p)
{
    size_t from = p->at;
    uint32_t rune;

    switch (look(p, 0)) {
    case '(':
        return take_group(p);
    case '[':
        return take_class(p);
    case '.':
        return take_dot(p);
    case '^':
        return assertion(p, p->lines ? AT_LINE_START : AT_START, 1);
    case '$':
        return assertion(p, p->lines ? AT_LINE_END : AT_END, 1);
    case '\\':
        return take_backslash(p);
    default:
        p->at += rune_at(p->text, p->at, &rune);
        if (rune == RUNE_BAD && p->at - from == 1)
            return fail(p, FED_ERR_INVALID, "invalid UTF-8", from, p->at);
        return literal(p, rune, from);
    }
}

static bool take_count(struct parse *p, uint32_t *out)
{
    uint32_t n = 0;
    size_t from = p->at;

    while (look(p, 0) >= '0' && look(p, 0) <= '9') {
        n = n > REPEAT_MAX ? n : n * 10 + (uint32_t)(look(p, 0) - '0');
        p->at++;
    }
    *out = n;
    return p->at > from && !(p->at - from > 1 && p->text.at[from] == '0');
}

/* {n}, {n,} or {n,m}; anything else that begins with a brace is a literal. */
static bool take_braces(struct parse *p, uint32_t *min, uint32_t *max)
{
    size_t from = p->at++;
    bool ok = take_count(p, min);

    *max = *min;
    if (ok && look(p, 0) == ',') {
        p->at++;
        if (look(p, 0) == '}')
            *max = UNBOUNDED;
        else
            ok = take_count(p, max);
    }
    if (!ok || look(p, 0) != '}') {
        p->at = from;
        return false;
    }
    p->at++;
    if (*min > REPEAT_MAX || (*max != UNBOUNDED && (*max > REPEAT_MAX || *max < *min)))
        fail(p, FED_ERR_INVALID, "invalid repeat count", from, p->at);
    return true;
}

static bool take_repeat(struct parse *p, uint32_t *min, uint32_t *max)
{
    uint8_t c = look(p, 0);

    if (c == '{')
        return take_braces(p, min, max);
    if (c != '*' && c != '+' && c != '?')
        return false;
    p->at++;
    *min = c == '+';
    *max = c == '?' ? 1 : UNBOUNDED;
    return true;
}

/* How often the innermost is repeated at most, for the limit that Go sets on {n,m} in {n,m}. */
static uint32_t repeats(const struct parse *p, uint32_t node)
{
    uint32_t times = 1;

    while (node != NONE && p->nodes[node].type == NODE_REPEAT) {
        const struct node *at = &p->nodes[node];
        uint32_t n = at->max == UNBOUNDED ? at->min : at->max;

        times *= n > 1 ? n : 1;
        if (times > REPEAT_MAX)
            return times;
        node = at->a;
    }
    return times;
}

struct joined {
    uint32_t all;        /* what is joined so far */
    uint32_t last;       /* what a repetition applies to */
    size_t repeat_from;  /* the last repetition in the text */
    size_t repeat_until; /* 0: none */
};

static void repeat_last(struct parse *p, struct joined *j, size_t from, uint32_t min, uint32_t max)
{
    p->at += look(p, 0) == '?'; /* lazy: the same texts match */
    if (p->err)
        return;
    if (j->last == NONE) {
        fail(p, FED_ERR_INVALID, "missing argument to repetition operator", from, p->at);
        return;
    }
    if (j->repeat_until == from) {
        fail(p, FED_ERR_INVALID, "invalid nested repetition operator", j->repeat_from, p->at);
        return;
    }
    j->last = node_new(p, (struct node){.type = NODE_REPEAT, .a = j->last, .min = min, .max = max});
    j->repeat_from = from;
    j->repeat_until = p->at;
    if (!p->err && repeats(p, j->last) > REPEAT_MAX)
        fail(p, FED_ERR_INVALID, "invalid repeat count", from, p->at);
}

static uint32_t take_joined(struct parse *p)
{
    struct joined j = {.all = NONE, .last = NONE};

    while (!p->err && more(p) && look(p, 0) != '|' && look(p, 0) != ')') {
        size_t from = p->at;
        uint32_t min;
        uint32_t max;
        uint32_t atom;

        if (take_repeat(p, &min, &max)) {
            repeat_last(p, &j, from, min, max);
            continue;
        }
        atom = take_atom(p);
        if (p->err || atom == FLAGS)
            continue;
        if (j.last != NONE)
            j.all = join(p, j.all, j.last);
        j.last = atom;
    }
    if (j.last == NONE)
        return node_new(p, (struct node){.type = NODE_EMPTY});
    return join(p, j.all, j.last);
}

static uint32_t take_either(struct parse *p)
{
    uint32_t all = take_joined(p);

    while (!p->err && look(p, 0) == '|') {
        uint32_t other;

        p->at++;
        other = take_joined(p);
        all = node_new(p, (struct node){.type = NODE_EITHER, .a = all, .b = other});
    }
    return all;
}

/* ---- tree to program, from its end ---- */
static uint32_t step_new(struct parse *p, struct step step)
{
    struct hub_pattern *pattern = p->pattern;
    void *steps = pattern->steps;

    if (p->err)
        return 0;
    if (!grow(pattern->mem, &steps, pattern->n_steps, &pattern->cap_steps, sizeof step,
            HUB_PATTERN_STEPS_MAX)) {
        p->err = fed_diag_set(p->diag, FED_ERR_LIMIT, "the regular expression is too large");
        return 0;
    }
    pattern->steps = steps;
    pattern->steps[pattern->n_steps] = step;
    return pattern->n_steps++;
}

static uint32_t emit(struct parse *p, uint32_t at, uint32_t next);

static uint32_t emit_loop(struct parse *p, uint32_t body, uint32_t next)
{
    uint32_t split = step_new(p, (struct step){.type = STEP_SPLIT, .next = next});
    uint32_t inside = emit(p, body, split);

    if (!p->err)
        p->pattern->steps[split].n = inside & 0x3fffffff;
    return split;
}

static uint32_t emit_repeat(struct parse *p, const struct node *node, uint32_t next)
{
    uint32_t end = next;
    struct node copy = *node;

    if (copy.max == UNBOUNDED)
        next = emit_loop(p, copy.a, next);
    else
        for (uint32_t i = copy.min; !p->err && i < copy.max; i++)
            next = step_new(
                p, (struct step){
                       .type = STEP_SPLIT, .n = emit(p, copy.a, next) & 0x3fffffff, .next = end});
    for (uint32_t i = 0; !p->err && i < copy.min; i++)
        next = emit(p, copy.a, next);
    return next;
}

static uint32_t emit(struct parse *p, uint32_t at, uint32_t next)
{
    struct node node;

    if (p->err)
        return 0;
    node = p->nodes[at];
    switch (node.type) {
    case NODE_EMPTY:
        return next;
    case NODE_CLASS:
        return step_new(
            p, (struct step){
                   .type = STEP_CLASS, .n = node.b & 0x3fffffff, .first = node.a, .next = next});
    case NODE_ASSERT:
        return step_new(
            p, (struct step){.type = STEP_ASSERT, .n = node.a & 0x3fffffff, .next = next});
    case NODE_JOIN:
        /* Left-leaning, as long as the pattern: no recursion along it. */
        while (node.type == NODE_JOIN && !p->err) {
            next = emit(p, node.b, next);
            at = node.a;
            node = p->nodes[at];
        }
        return emit(p, at, next);
    case NODE_EITHER: {
        uint32_t all = NONE;

        while (node.type == NODE_EITHER && !p->err) {
            uint32_t other = emit(p, node.b, next);

            all = all == NONE
                      ? other
                      : step_new(p, (struct step){
                                        .type = STEP_SPLIT, .n = other & 0x3fffffff, .next = all});
            at = node.a;
            node = p->nodes[at];
        }
        return step_new(
            p, (struct step){.type = STEP_SPLIT, .n = emit(p, at, next) & 0x3fffffff, .next = all});
    }
    case NODE_REPEAT:
        return emit_repeat(p, &node, next);
    }
    return next;
}

enum fed_err hub_pattern_new(
    struct fed_alloc *mem, struct fed_span text, struct hub_pattern **out, struct fed_diag *diag)
{
    struct hub_pattern *pattern = fed_alloc_zero(mem, sizeof *pattern);
    struct parse p = {.pattern = pattern, .text = text, .diag = diag};
    uint32_t root;

    if (!pattern)
        return FED_ERR_NOMEM;
    pattern->mem = mem;
    if (text.len > HUB_PATTERN_BYTES_MAX)
        p.err = fed_diag_set(diag, FED_ERR_LIMIT, "the regular expression is longer than %u bytes",
            HUB_PATTERN_BYTES_MAX);
    root = p.err ? NONE : take_either(&p);
    if (!p.err && more(&p))
        fail(&p, FED_ERR_INVALID, "unexpected )", 0, text.len);
    if (!p.err)
        pattern->start = emit(&p, root, step_new(&p, (struct step){.type = STEP_MATCH}));
    fed_alloc_free(mem, p.nodes, p.cap_nodes * sizeof *p.nodes);
    if (p.err) {
        hub_pattern_free(pattern);
        return p.err;
    }
    *out = pattern;
    return FED_OK;
}

void hub_pattern_free(struct hub_pattern *pattern)
{
    if (!pattern)
        return;
    fed_alloc_free(pattern->mem, pattern->steps, pattern->cap_steps * sizeof *pattern->steps);
    fed_alloc_free(pattern->mem, pattern->ranges, pattern->cap_ranges * sizeof *pattern->ranges);
    fed_alloc_free(pattern->mem, pattern, sizeof *pattern);
}

/* ---- program over text ---- */
struct states { /* where the program may stand; a set with a list (Briggs, Torczon) */
    uint32_t *list;
    uint32_t *place;
    uint32_t n;
};

struct run {
    const struct hub_pattern *pattern;
    struct states now, then;
    uint32_t *stack;
    uint32_t before, after; /* runes around the present place; NONE at the ends */
    bool matched;
};

static bool states_add(struct states *states, uint32_t step)
{
    uint32_t place = states->place[step];

    if (place < states->n && states->list[place] == step)
        return false;
    states->place[step] = states->n;
    states->list[states->n++] = step;
    return true;
}

static bool holds(const struct run *run, uint32_t which)
{
    bool edge = (run->before != NONE && is_word(run->before)) !=
                (run->after != NONE && is_word(run->after));

    switch ((enum assertion)which) {
    case AT_START:
        return run->before == NONE;
    case AT_END:
        return run->after == NONE;
    case AT_LINE_START:
        return run->before == NONE || run->before == '\n';
    case AT_LINE_END:
        return run->after == NONE || run->after == '\n';
    case AT_WORD_EDGE:
        return edge;
    case NOT_AT_WORD_EDGE:
        return !edge;
    }
    return false;
}

/* Adds a step and all that follow without reading. The stack holds each step at most twice. */
static void follow(struct run *run, struct states *states, uint32_t first)
{
    uint32_t n = 0;

    run->stack[n++] = first;
    while (n > 0) {
        uint32_t at = run->stack[--n];
        const struct step *step = &run->pattern->steps[at];

        if (!states_add(states, at))
            continue;
        if (step->type == STEP_MATCH)
            run->matched = true;
        else if (step->type == STEP_SPLIT) {
            run->stack[n++] = step->next;
            run->stack[n++] = step->n;
        } else if (step->type == STEP_ASSERT && holds(run, step->n))
            run->stack[n++] = step->next;
    }
}

static bool in_class(const struct hub_pattern *pattern, const struct step *step, uint32_t rune)
{
    for (uint32_t i = 0; i < step->n; i++)
        if (rune >= pattern->ranges[step->first + i].low &&
            rune <= pattern->ranges[step->first + i].high)
            return true;
    return false;
}

static void run_text(struct run *run, struct fed_span text)
{
    size_t at = 0;

    run->before = NONE;
    for (;;) {
        size_t n = at < text.len ? rune_at(text, at, &run->after) : 0;
        uint32_t rune = n > 0 ? run->after : NONE;

        run->after = rune;
        for (uint32_t i = 0; i < run->then.n; i++)
            follow(run, &run->now, run->then.list[i]);
        follow(run, &run->now, run->pattern->start);
        if (run->matched || n == 0)
            return;
        run->then.n = 0;
        for (uint32_t i = 0; i < run->now.n; i++) {
            const struct step *step = &run->pattern->steps[run->now.list[i]];

            if (step->type == STEP_CLASS && in_class(run->pattern, step, rune))
                states_add(&run->then, step->next);
        }
        run->now.n = 0;
        run->before = rune;
        at += n;
    }
}

enum fed_err hub_pattern_match(const struct hub_pattern *pattern, struct fed_span text, bool *out)
{
    size_t n = pattern->n_steps;
    uint32_t *room = fed_alloc_zero(pattern->mem, (n * 6 + 2) * sizeof *room);
    struct run run = {.pattern = pattern};

    if (!room)
        return FED_ERR_NOMEM;
    run.now = (struct states){room, room + n, 0};
    run.then = (struct states){room + 2 * n, room + 3 * n, 0};
    run.stack = room + 4 * n;
    run_text(&run, text);
    fed_alloc_free(pattern->mem, room, (n * 6 + 2) * sizeof *room);
    *out = run.matched;
    return FED_OK;
}
