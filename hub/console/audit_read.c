/* audit_read.c - the audit log, newest first, a page at a time, from its files.
 *
 * A page reads at most READ_MAX bytes, from a place backwards; a query that matches little comes to
 * its page's end by that, and goes on with the next one. */
#include "hub/console/audit_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define READ_MAX (1u << 20)
#define CHUNK (128u << 10)
#define PAGE_MAX 500u
#define PAGE 100u
#define BODY_MAX (4u << 20)
#define TEXT_MAX 256u /* looked for at every place of a page: what that takes is the product */

struct page {
    struct hub_console *console;
    struct hub_request *r;
    struct fed_span user, verb, resource, text; /* empty: whatever */
    size_t limit;
    size_t n;
    size_t left; /* bytes that may be read still */
    struct fed_buf body;
    struct audit_place place;
    bool over; /* nothing is older */
};

/* ---- places ---- */

/* The end of the newest file, or of the one behind the present place. */
static enum fed_err place_next(struct page *page, unsigned file)
{
    uint64_t size = 0;
    enum fed_err err = FED_ERR_NOT_FOUND;

    if (file < page->console->options.audit_files)
        err = audit_mark(page->console, file, page->place.mark, &size);
    if (err == FED_ERR_NOT_FOUND && file == 0) /* just renamed, and nothing written since */
        return place_next(page, 1);
    page->over = err == FED_ERR_NOT_FOUND;
    page->place.file = file;
    page->place.offset = size;
    return page->over ? FED_OK : err;
}

/* ---- lines ---- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool begins_with(struct fed_span line, size_t at, struct fed_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (lower(line.at[at + i]) != lower(text.at[i]))
            return false;
    return true;
}

/* Somewhere in the line, in either case. */
static bool has_text(struct fed_span line, struct fed_span text)
{
    for (size_t i = 0; i + text.len <= line.len; i++)
        if (begins_with(line, i, text))
            return true;
    return false;
}

static bool is_value(const struct fed_json *record, const char *key, struct fed_span value)
{
    return value.len == 0 || fed_span_eq(fed_json_string(fed_json_get(record, key)), value);
}

/* A line that was cut by a loss of power is no record. */
static enum fed_err take_line(struct page *page, struct fed_span line)
{
    struct fed_json_doc *doc;
    struct fed_json *record;
    enum fed_err err;

    if (line.len == 0 || !has_text(line, page->text))
        return FED_OK;
    err = fed_json_doc_new(page->console->mem, &doc);
    if (err)
        return err;
    if (!fed_json_parse(doc, line, &record, NULL) && fed_json_is_object(record) &&
        is_value(record, "user", page->user) && is_value(record, "verb", page->verb) &&
        is_value(record, "resource", page->resource)) {
        if (page->n++ > 0)
            fed_buf_put_u8(&page->body, ',');
        fed_buf_put(&page->body, line);
    }
    fed_json_doc_free(doc);
    return fed_buf_err(&page->body);
}

/* The lines of a chunk, last first, until the page is full. begin: the chunk's place in the file;
 * its first line is only half there unless that is 0. */
static enum fed_err take_chunk(struct page *page, struct fed_span chunk, uint64_t begin)
{
    size_t end = chunk.len;
    enum fed_err err = FED_OK;

    while (!err && end > 0 && page->n < page->limit) {
        size_t from = end - 1; /* the line's own newline */

        while (from > 0 && chunk.at[from - 1] != '\n')
            from--;
        if (from == 0 && begin > 0)
            break;
        err = take_line(page, fed_span_sub(chunk, from, end - 1 - from));
        end = from;
    }
    /* A line longer than a chunk is none of ours: it is passed over. */
    page->place.offset = end == chunk.len && page->n < page->limit ? begin : begin + end;
    return err;
}

static enum fed_err fill(struct page *page)
{
    struct fed_buf chunk;
    enum fed_err err = FED_OK;

    fed_buf_init(&chunk, page->console->mem, CHUNK);
    while (!err && !page->over && page->n < page->limit && page->left > 0) {
        size_t want = page->place.offset < CHUNK ? (size_t)page->place.offset : CHUNK;
        uint64_t begin = page->place.offset - want;
        uint64_t size;

        if (want == 0) {
            err = place_next(page, page->place.file + 1);
            continue;
        }
        fed_buf_clear(&chunk);
        err = audit_read_part(page->console, page->place.file, begin, want, &chunk, &size);
        if (!err)
            err = take_chunk(page, fed_buf_span(&chunk), begin);
        page->left -= want < page->left ? want : page->left;
    }
    fed_buf_fini(&chunk);
    return err;
}

/* ---- GET /console/audit ---- */

static enum fed_err query(struct hub_request *r, const char *name, struct fed_span *out)
{
    return hub_percent_decode(r->mem, console_query(r->http->query, name), true, out);
}

static enum fed_err read_query(struct page *page)
{
    struct hub_request *r = page->r;
    struct fed_span limit = console_query(r->http->query, "limit");
    struct fed_span before = console_query(r->http->query, "before");
    uint64_t number = PAGE;
    enum fed_err err = query(r, "user", &page->user);

    if (!err)
        err = query(r, "verb", &page->verb);
    if (!err)
        err = query(r, "resource", &page->resource);
    if (!err)
        err = query(r, "q", &page->text);
    if (!err && limit.len > 0)
        err = fed_span_to_u64(limit, &number);
    if (err || number == 0 || number > PAGE_MAX)
        return hub_fail(r, 400, "BadRequest",
            "limit is a number from 1 to %u; names in the query are percent-encoded", PAGE_MAX);
    if (page->text.len > TEXT_MAX)
        return hub_fail(r, 400, "BadRequest", "q is at most %u bytes long", TEXT_MAX);
    page->limit = (size_t)number;
    if (before.len == 0)
        return place_next(page, 0);
    if (audit_place_read(before, &page->place))
        return hub_fail(r, 400, "BadRequest", "before is the next of an earlier answer");
    return audit_place_find(page->console, r, &page->place);
}

enum fed_err console_handle_audit(struct hub_console *console, struct hub_request *r)
{
    struct page page = {.console = console, .r = r, .left = READ_MAX};
    enum fed_err err = audit_require(console, r);

    if (!err)
        err = read_query(&page);
    if (err)
        return err;
    fed_buf_init(&page.body, r->mem, BODY_MAX);
    fed_buf_put_text(&page.body, "{\"records\":[");
    err = fill(&page);
    if (err)
        return err;
    fed_buf_put_text(&page.body, "],\"next\":");
    if (page.over)
        fed_buf_put_text(&page.body, "null}\n");
    else
        fed_buf_printf(&page.body, "\"%u-%" PRIu64 "-%s\"}\n", page.place.file, page.place.offset,
            page.place.mark);
    return console_respond(r, &page.body, NULL, 0);
}
