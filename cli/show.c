/* show.c - see show.h. */
#include "cli/show.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WORD_MAX 64u

bool cli_is_terminal(FILE *to)
{
    return isatty(fileno(to)) == 1;
}

unsigned cli_width(FILE *to)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t given;

    if (!cli_is_terminal(to))
        return 0;
    if (columns && !fed_span_to_u64(fed_span_text(columns), &given) && given >= 20 && given < 10000)
        return (unsigned)given;
    return ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

void cli_paint(FILE *to, enum cli_color color)
{
    static const char *const codes[] = {
        "\033[0m", "\033[31m", "\033[32m", "\033[33m", "\033[2m", "\033[1m"};
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    if (cli_is_terminal(to) && !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0))
        fputs(codes[color], to);
}

/* ---- tables ---- */
void cli_rows_init(struct cli_rows *rows, size_t columns)
{
    *rows = (struct cli_rows){.columns = columns};
}

static bool make_room(struct cli_rows *rows)
{
    size_t cap = rows->cap ? rows->cap * 2 : 32;
    char **cells;
    unsigned char *colors;

    if (rows->n < rows->cap)
        return true;
    cells = realloc(rows->cells, cap * rows->columns * sizeof *cells);
    if (!cells)
        return false;
    rows->cells = cells;
    colors = realloc(rows->colors, cap);
    if (!colors)
        return false;
    rows->colors = colors;
    rows->cap = cap;
    return true;
}

static char *clean_copy(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len + 1);

    for (size_t i = 0; copy && i <= len; i++)
        copy[i] = text[i] && iscntrl((unsigned char)text[i]) ? ' ' : text[i];
    return copy;
}

void cli_rows_add(struct cli_rows *rows, enum cli_color color, const char *const *cells)
{
    if (rows->failed || !make_room(rows)) {
        rows->failed = true;
        return;
    }
    for (size_t i = 0; i < rows->columns; i++) {
        char *copy = clean_copy(cells[i] && cells[i][0] ? cells[i] : "-");

        rows->cells[rows->n * rows->columns + i] = copy;
        rows->failed = rows->failed || !copy;
    }
    rows->colors[rows->n++] = (unsigned char)color;
}

/* Letters, not bytes: those that follow in a letter of UTF-8 do not count. */
static size_t letters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* The bytes of the first n letters. */
static size_t bytes_of(const char *text, size_t n)
{
    size_t at = 0;

    for (; text[at]; at++)
        if (((unsigned char)text[at] & 0xc0) != 0x80 && n-- == 0)
            break;
    return at;
}

static void print_last(const char *cell, size_t used, size_t width, FILE *to)
{
    size_t room = width > used + 8 ? width - used : 0;

    if (width == 0 || room == 0 || letters(cell) <= room)
        fputs(cell, to);
    else
        fprintf(to, "%.*s...", (int)bytes_of(cell, room - 3), cell);
}

static void print_row(const struct cli_rows *rows, size_t row, const size_t *widths, FILE *to)
{
    char *const *cells = &rows->cells[row * rows->columns];
    size_t width = cli_width(to);
    size_t used = 0;

    cli_paint(to, (enum cli_color)rows->colors[row]);
    for (size_t i = 0; i + 1 < rows->columns; i++) {
        fprintf(to, "%s%*s", cells[i], (int)(widths[i] - letters(cells[i]) + 3), "");
        used += widths[i] + 3;
    }
    print_last(cells[rows->columns - 1], used, width, to);
    if (rows->colors[row] != CLI_PLAIN)
        cli_paint(to, CLI_PLAIN);
    fputc('\n', to);
}

void cli_rows_print(struct cli_rows *rows, FILE *to)
{
    size_t widths[CLI_ROWS_COLUMNS_MAX] = {0};

    if (rows->failed) {
        fputs("fedctl: out of memory\n", stderr);
        cli_rows_free(rows);
        return;
    }
    for (size_t row = 0; row < rows->n; row++)
        for (size_t i = 0; i < rows->columns; i++) {
            size_t n = letters(rows->cells[row * rows->columns + i]);

            widths[i] = n > widths[i] ? n : widths[i];
        }
    for (size_t row = 0; row < rows->n; row++)
        print_row(rows, row, widths, to);
    cli_rows_free(rows);
}

void cli_rows_free(struct cli_rows *rows)
{
    for (size_t i = 0; i < rows->n * rows->columns; i++)
        free(rows->cells[i]);
    free(rows->cells);
    free(rows->colors);
    *rows = (struct cli_rows){.columns = rows->columns};
}

void cli_progress(const char *what, size_t done, size_t all)
{
    if (!cli_is_terminal(stderr))
        return;
    if (done == 0 && all == 0)
        fputs("\r\033[K", stderr);
    else if (all > 0)
        fprintf(stderr, "\r\033[K%s %zu of %zu", what, done, all);
    else
        fprintf(stderr, "\r\033[K%s %zu", what, done);
    fflush(stderr);
}

/* ---- words ---- */
static int lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

size_t cli_distance(struct fed_span a, struct fed_span b)
{
    size_t rows[3][WORD_MAX + 1]; /* of i - 2, i - 1, i; in turns */
    size_t i;

    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return fed_span_eq(a, b) ? 0 : WORD_MAX;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (i = 1; i <= a.len; i++) {
        const size_t *last = rows[(i - 1) % 3];
        size_t *row = rows[i % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (lower(a.at[i - 1]) != lower(b.at[j - 1]));

            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && lower(a.at[i - 1]) == lower(b.at[j - 2]) &&
                lower(a.at[i - 2]) == lower(b.at[j - 1]) && rows[(i - 2) % 3][j - 2] + 1 < best)
                best = rows[(i - 2) % 3][j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

bool cli_is_near(struct fed_span word, struct fed_span name)
{
    size_t allowed = word.len < 4 ? 1 : word.len < 9 ? 2 : 3;

    return cli_distance(word, name) <= allowed;
}

void cli_put_clean(struct fed_buf *out, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++)
        fed_buf_put_u8(out, iscntrl(text.at[i]) ? ' ' : text.at[i]);
}
