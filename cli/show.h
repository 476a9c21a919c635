/* show.h - how facts look on a terminal, and how they do not when there is none.
 *
 * Colours, progress and cutting to the width are for terminals only (NO_COLOR and TERM=dumb are
 * respected); what goes to a file or a pipe is whole. Text of others is printed without its control
 * characters, so that no message moves the cursor. */
#ifndef FEDLET_CLI_SHOW_H
#define FEDLET_CLI_SHOW_H

#include "proto/base/buf.h"

#include <stdio.h>

enum cli_color { CLI_PLAIN, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_DIM, CLI_BOLD };

bool cli_is_terminal(FILE *to);
unsigned cli_width(FILE *to);                   /* columns; 0 when it is no terminal */
void cli_paint(FILE *to, enum cli_color color); /* CLI_PLAIN ends it; nothing without colours */

/* A table: cells are kept until _print. Columns are padded by three spaces, as kubectl does; the
 * last one is cut at the terminal's edge. Any number of rows. */
#define CLI_ROWS_COLUMNS_MAX 12u
struct cli_rows {
    size_t columns;
    size_t n;
    size_t cap;
    char **cells;
    unsigned char *colors; /* of rows */
    bool failed;           /* memory was out: _print says so */
};
void cli_rows_init(struct cli_rows *rows, size_t columns);
/* Copies. NULL counts as "-". */
void cli_rows_add(struct cli_rows *rows, enum cli_color color, const char *const *cells);
void cli_rows_print(struct cli_rows *rows, FILE *to); /* and frees it */
void cli_rows_free(struct cli_rows *rows);

/* A line on stderr that the next one replaces: `what done of all` (all 0: not known). On a terminal
 * only, and not more often than is seen. done 0 and all 0: takes it away. */
void cli_progress(const char *what, size_t done, size_t all);

/* How many letters have to change, or two neighbours to swap, to get from one word to the other;
 * capitals aside. */
size_t cli_distance(struct fed_span a, struct fed_span b);
/* Whether somebody who wrote `word` may have meant `name`. */
bool cli_is_near(struct fed_span word, struct fed_span name);

/* The text with control characters as spaces; errors stick in out. */
void cli_put_clean(struct fed_buf *out, struct fed_span text);

#endif
