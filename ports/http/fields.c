/* fields.c - see fields.h. */
#include "ports/http/fields.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIELD_COST 32u

void fed_http_fields_init(struct fed_http_fields *f, struct fed_alloc *mem, size_t limit)
{
    *f = (struct fed_http_fields){.limit = limit};
    fed_buf_init(&f->text, mem, limit);
    fed_buf_init(&f->table, mem, (limit / FIELD_COST + 1) * sizeof(struct fed_http_field));
}

void fed_http_fields_fini(struct fed_http_fields *f)
{
    if (f->list)
        fed_alloc_free(f->text.mem, f->list, f->n_list_room * sizeof(*f->list));
    f->list = NULL;
    f->n_list = 0;
    fed_buf_fini(&f->text);
    fed_buf_fini(&f->table);
}

static enum fed_err put(struct fed_http_fields *f, struct fed_span piece)
{
    if (piece.len > f->limit - f->cost)
        return FED_ERR_LIMIT;
    f->cost += piece.len;
    fed_buf_put(&f->text, piece);
    return fed_buf_err(&f->text);
}

enum fed_err fed_http_fields_name(struct fed_http_fields *f, struct fed_span piece)
{
    enum fed_err err;

    if (!f->is_open) {
        f->is_open = true;
        f->open = (struct fed_http_field){.name_at = (uint32_t)f->text.len};
    }
    err = put(f, piece);
    if (err)
        return err;
    for (size_t i = f->text.len - piece.len; i < f->text.len; i++) {
        uint8_t c = f->text.at[i];

        if (c >= 'A' && c <= 'Z')
            f->text.at[i] = (uint8_t)(c - 'A' + 'a');
    }
    f->open.name_len += (uint32_t)piece.len;
    return FED_OK;
}

enum fed_err fed_http_fields_value(struct fed_http_fields *f, struct fed_span piece)
{
    enum fed_err err;

    if (f->open.value_len == 0)
        f->open.value_at = (uint32_t)f->text.len;
    err = put(f, piece);
    if (!err)
        f->open.value_len += (uint32_t)piece.len;
    return err;
}

enum fed_err fed_http_fields_end(struct fed_http_fields *f)
{
    if (!f->is_open)
        return FED_OK;
    f->is_open = false;
    if (FIELD_COST > f->limit - f->cost)
        return FED_ERR_LIMIT;
    f->cost += FIELD_COST;
    fed_buf_put(&f->table, fed_span_of(&f->open, sizeof(f->open)));
    return fed_buf_err(&f->table);
}

enum fed_err fed_http_fields_add(
    struct fed_http_fields *f, struct fed_span name, struct fed_span value)
{
    enum fed_err err = fed_http_fields_name(f, name);

    if (!err)
        err = fed_http_fields_value(f, value);
    return err ? err : fed_http_fields_end(f);
}

static size_t table_len(const struct fed_http_fields *f)
{
    return f->table.len / sizeof(struct fed_http_field);
}

static struct fed_http_header at(const struct fed_http_fields *f, size_t i)
{
    const struct fed_http_field *field =
        (const struct fed_http_field *)(const void *)f->table.at + i;
    struct fed_span text = fed_buf_span(&f->text);

    return (struct fed_http_header){
        .name = fed_span_sub(text, field->name_at, field->name_len),
        .value = fed_span_sub(text, field->value_at, field->value_len),
    };
}

struct fed_span fed_http_fields_pseudo(const struct fed_http_fields *f, const char *name)
{
    for (size_t i = 0; i < table_len(f); i++) {
        struct fed_http_header header = at(f, i);

        if (fed_span_is(header.name, name))
            return header.value;
    }
    return fed_span_of(NULL, 0);
}

enum fed_err fed_http_fields_finish(struct fed_http_fields *f)
{
    size_t n = table_len(f);
    struct fed_span authority = fed_http_fields_pseudo(f, ":authority");

    f->list = fed_alloc_array(f->text.mem, n + 1, sizeof(*f->list));
    if (!f->list)
        return FED_ERR_NOMEM;
    f->n_list_room = n + 1;
    for (size_t i = 0; i < n; i++) {
        struct fed_http_header header = at(f, i);

        if (!fed_span_starts(header.name, ":"))
            f->list[f->n_list++] = header;
    }
    if (authority.len && !fed_http_headers_find(f->list, f->n_list, "host", NULL))
        f->list[f->n_list++] = (struct fed_http_header){FED_SPAN_LIT("host"), authority};
    return FED_OK;
}

bool fed_http_headers_find(const struct fed_http_header *headers, size_t n_headers,
    const char *name, struct fed_span *value)
{
    for (size_t i = 0; i < n_headers; i++) {
        if (fed_span_is(headers[i].name, name)) {
            if (value)
                *value = headers[i].value;
            return true;
        }
    }
    return false;
}

size_t fed_http_headers_count(
    const struct fed_http_header *headers, size_t n_headers, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < n_headers; i++)
        n += fed_span_is(headers[i].name, name);
    return n;
}

static struct fed_span trim(struct fed_span text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = fed_span_sub(text, 1, SIZE_MAX);
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool same_token(struct fed_span text, const char *token)
{
    if (text.len != strlen(token))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != (uint8_t)token[i])
            return false;
    }
    return true;
}

/* "q=0", "q=0.0", ... */
static bool weight_is_zero(struct fed_span parameter)
{
    parameter = trim(parameter);
    if (!fed_span_starts(parameter, "q=0"))
        return false;
    for (size_t i = 3; i < parameter.len; i++)
        if (parameter.at[i] != '0' && parameter.at[i] != '.')
            return false;
    return true;
}

bool fed_http_list_accepts(struct fed_span list, const char *token)
{
    struct fed_span item;

    while (fed_span_split(&list, ',', &item)) {
        struct fed_span name;

        if (fed_span_split(&item, ';', &name) && same_token(trim(name), token))
            return !weight_is_zero(item);
    }
    return false;
}

static bool is_token_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool fed_http_header_ok(const struct fed_http_header *header)
{
    if (header->name.len == 0)
        return false;
    for (size_t i = 0; i < header->name.len; i++)
        if (!is_token_byte(header->name.at[i]))
            return false;
    for (size_t i = 0; i < header->value.len; i++) {
        uint8_t c = header->value.at[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool fed_http_header_is_framing(struct fed_span name)
{
    static const char *const names[] = {"connection", "content-length", "date", "keep-alive",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (fed_span_is(name, names[i]))
            return true;
    return false;
}

void fed_http_date(int64_t unix_s, char out[FED_HTTP_DATE_SIZE])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t when = (time_t)unix_s;
    struct tm tm;

    if (!gmtime_r(&when, &tm))
        memset(&tm, 0, sizeof(tm));
    snprintf(out, FED_HTTP_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
        days + (unsigned)tm.tm_wday % 7 * 3, (unsigned)tm.tm_mday % 100,
        months + (unsigned)tm.tm_mon % 12 * 3, (unsigned)(tm.tm_year + 1900) % 10000,
        (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}
