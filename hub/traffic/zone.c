/* zone.c - see zone.h. */
#include "hub/traffic/zone.h"

#include <string.h>

#define HEADER_SIZE 44u
#define DAY_S 86400
#define OFFSET_MAX_S (26 * 3600) /* RFC 8536 section 3.2: -25 h to 26 h */

bool hub_zone_is_name(struct fed_span name)
{
    if (name.len == 0 || name.len > HUB_ZONE_NAME_MAX || name.at[0] == '/' ||
        name.at[name.len - 1] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';

        if (!letter && !other) /* no dots: no way out of the folder */
            return false;
    }
    return true;
}

/* ---- dates ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first of January. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;

    return 365 * (year - 1970) + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 477;
}

static int64_t year_of(int64_t unix_s)
{
    int64_t days = floor_div(unix_s, DAY_S);
    int64_t year = 1970 + floor_div(days * 400, 146097);

    while (days_before_year(year) > days)
        year--;
    while (days_before_year(year + 1) <= days)
        year++;
    return year;
}

/* ---- the footer ---- */

static int month_days(int month, bool leap)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap);
}

/* Local seconds from 1970 on at which it happens in that year. */
static int64_t change_in(const struct hub_zone_change *change, int64_t year)
{
    int64_t day = days_before_year(year);
    bool leap = is_leap(year);
    int first;
    int in_month;

    if (change->form == HUB_ZONE_DAY)
        return (day + change->day) * DAY_S + change->time_s;
    if (change->form == HUB_ZONE_JULIAN)
        return (day + change->day - 1 + (leap && change->day > 59)) * DAY_S + change->time_s;
    for (int month = 1; month < change->month; month++)
        day += month_days(month, leap);
    first = (int)((day + 4) % 7); /* 1970-01-01 was a Thursday; Sunday is 0 */
    first = first < 0 ? first + 7 : first;
    in_month = (change->day - first + 7) % 7 + 7 * (change->week - 1);
    if (in_month >= month_days(change->month, leap))
        in_month -= 7;
    return (day + in_month) * DAY_S + change->time_s;
}

static int32_t rule_offset(const struct hub_zone *zone, int64_t unix_s)
{
    int64_t year = year_of(unix_s + zone->std_s);
    int64_t begin;
    int64_t end;
    bool dst;

    if (!zone->has_dst)
        return zone->std_s;
    begin = change_in(&zone->to_dst, year) - zone->std_s;
    end = change_in(&zone->from_dst, year) - zone->dst_s;
    dst = begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;
    return dst ? zone->dst_s : zone->std_s;
}

static bool take_char(struct fed_span *from, uint8_t c)
{
    if (from->len == 0 || from->at[0] != c)
        return false;
    *from = fed_span_sub(*from, 1, from->len);
    return true;
}

static bool take_number(struct fed_span *from, int max, int *out)
{
    int value = 0;
    size_t n = 0;

    for (; n < from->len && from->at[n] >= '0' && from->at[n] <= '9'; n++) {
        value = value * 10 + (from->at[n] - '0');
        if (value > max)
            return false;
    }
    *out = value;
    *from = fed_span_sub(*from, n, from->len);
    return n > 0;
}

/* "[+-]HH[:MM[:SS]]" in seconds. */
static bool take_time(struct fed_span *from, int32_t *out)
{
    bool minus = take_char(from, '-');
    int part[3] = {0};

    if (!minus)
        (void)take_char(from, '+');
    if (!take_number(from, 167, &part[0]))
        return false;
    for (size_t i = 1; i < 3 && take_char(from, ':'); i++)
        if (!take_number(from, 59, &part[i]))
            return false;
    *out = part[0] * 3600 + part[1] * 60 + part[2];
    *out = minus ? -*out : *out;
    return true;
}

/* "CET", "<+0330>" */
static bool take_name(struct fed_span *from)
{
    bool quoted = take_char(from, '<');
    size_t n = 0;

    for (; n < from->len; n++) {
        uint8_t c = from->at[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            break;
    }
    *from = fed_span_sub(*from, n, from->len);
    return n > 0 && (!quoted || take_char(from, '>'));
}

/* "M3.5.0/2", "J60", "59" */
static bool take_change(struct fed_span *from, struct hub_zone_change *out)
{
    bool ok;

    *out = (struct hub_zone_change){.form = HUB_ZONE_DAY, .time_s = 7200};
    if (!take_char(from, ','))
        return false;
    if (take_char(from, 'M')) {
        out->form = HUB_ZONE_MONTH_WEEK_DAY;
        ok = take_number(from, 12, &out->month) && take_char(from, '.') &&
             take_number(from, 5, &out->week) && take_char(from, '.') &&
             take_number(from, 6, &out->day) && out->month >= 1 && out->week >= 1;
    } else if (take_char(from, 'J')) {
        out->form = HUB_ZONE_JULIAN;
        ok = take_number(from, 365, &out->day) && out->day >= 1;
    } else {
        ok = take_number(from, 365, &out->day);
    }
    return ok && (!take_char(from, '/') || take_time(from, &out->time_s));
}

/* Offsets of a TZ string count to the west. */
static bool take_rule(struct fed_span text, struct hub_zone *out)
{
    int32_t west;

    if (!take_name(&text) || !take_time(&text, &west) || west < -OFFSET_MAX_S ||
        west > OFFSET_MAX_S)
        return false;
    out->std_s = -west;
    out->dst_s = out->std_s + 3600;
    out->has_dst = text.len > 0;
    if (!out->has_dst)
        return true;
    if (!take_name(&text))
        return false;
    if (text.len > 0 && text.at[0] != ',') {
        if (!take_time(&text, &west) || west < -OFFSET_MAX_S || west > OFFSET_MAX_S)
            return false;
        out->dst_s = -west;
    }
    return take_change(&text, &out->to_dst) && take_change(&text, &out->from_dst) && text.len == 0;
}

/* ---- the file ---- */

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static enum fed_err take_header(struct fed_span *from, uint8_t *version, struct counts *out)
{
    uint32_t *const fields[] = {
        &out->isut, &out->isstd, &out->leap, &out->time, &out->type, &out->chars};
    struct fed_span head = fed_span_sub(*from, 0, HEADER_SIZE);

    if (head.len < HEADER_SIZE)
        return FED_ERR_TRUNCATED;
    if (memcmp(head.at, "TZif", 4) != 0)
        return FED_ERR_INVALID;
    *version = head.at[4];
    head = fed_span_sub(head, 20, head.len);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        enum fed_err err = fed_span_take_u32(&head, fields[i]);

        if (err)
            return err;
        if (*fields[i] > HUB_ZONE_FILE_MAX)
            return FED_ERR_LIMIT;
    }
    if (out->time > HUB_ZONE_TRANSITIONS_MAX || out->type > 256)
        return FED_ERR_LIMIT;
    *from = fed_span_sub(*from, HEADER_SIZE, from->len);
    return out->type == 0 ? FED_ERR_INVALID : FED_OK;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->time * (time_size + 1) + (size_t)c->type * 6 + c->chars + c->leap * (time_size + 4) +
           c->isstd + c->isut;
}

static int64_t read_time(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return size == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

/* Offset of a local time type. */
static enum fed_err type_offset(
    const uint8_t *types, const struct counts *c, unsigned type, int32_t *out)
{
    if (type >= c->type)
        return FED_ERR_INVALID;
    *out = (int32_t)read_time(types + (size_t)type * 6, 4);
    return *out < -OFFSET_MAX_S || *out > OFFSET_MAX_S ? FED_ERR_INVALID : FED_OK;
}

static enum fed_err take_block(
    struct fed_span from, const struct counts *c, size_t time_size, struct hub_zone *out)
{
    const uint8_t *indices = from.at + c->time * time_size;
    const uint8_t *types = indices + c->time;
    enum fed_err err = type_offset(types, c, 0, &out->first);

    out->at = fed_alloc_array(out->mem, c->time + 1, sizeof *out->at);
    out->offset = fed_alloc_array(out->mem, c->time + 1, sizeof *out->offset);
    out->n = c->time;
    if (!out->at || !out->offset)
        return FED_ERR_NOMEM;
    for (size_t i = 0; !err && i < c->time; i++) {
        out->at[i] = read_time(from.at + i * time_size, time_size);
        if (i > 0 && out->at[i] <= out->at[i - 1])
            return FED_ERR_INVALID;
        err = type_offset(types, c, indices[i], &out->offset[i]);
    }
    return err;
}

/* Between two line feeds, behind the second block. */
static enum fed_err take_footer(struct fed_span from, struct hub_zone *out)
{
    size_t end;

    if (!take_char(&from, '\n'))
        return FED_ERR_INVALID;
    end = fed_span_find(from, '\n');
    if (end == from.len)
        return FED_ERR_TRUNCATED;
    if (end == 0)
        return FED_OK;
    out->has_rule = take_rule(fed_span_sub(from, 0, end), out);
    return out->has_rule ? FED_OK : FED_ERR_INVALID;
}

static enum fed_err take_file(struct fed_span from, struct hub_zone *out)
{
    struct counts counts;
    size_t time_size = 4;
    uint8_t version;
    enum fed_err err = take_header(&from, &version, &counts);

    if (!err && version != 0) { /* all again, with eight bytes for times */
        from = fed_span_sub(from, block_size(&counts, 4), from.len);
        time_size = 8;
        err = take_header(&from, &version, &counts);
    }
    if (err)
        return err;
    if (from.len < block_size(&counts, time_size))
        return FED_ERR_TRUNCATED;
    err = take_block(from, &counts, time_size, out);
    if (err || time_size == 4)
        return err;
    return take_footer(fed_span_sub(from, block_size(&counts, 8), from.len), out);
}

enum fed_err hub_zone_parse(struct fed_alloc *mem, struct fed_span file, struct hub_zone *out)
{
    enum fed_err err;

    *out = (struct hub_zone){.mem = mem};
    err = file.len > HUB_ZONE_FILE_MAX ? FED_ERR_LIMIT : take_file(file, out);
    if (err)
        hub_zone_fini(out);
    return err;
}

void hub_zone_fini(struct hub_zone *zone)
{
    fed_alloc_free(zone->mem, zone->at, (zone->n + 1) * sizeof *zone->at);
    fed_alloc_free(zone->mem, zone->offset, (zone->n + 1) * sizeof *zone->offset);
    *zone = (struct hub_zone){.mem = zone->mem};
}

int32_t hub_zone_offset(const struct hub_zone *zone, int64_t unix_s)
{
    size_t low = 0;
    size_t high = zone->n;

    if (zone->has_rule && (zone->n == 0 || unix_s >= zone->at[zone->n - 1]))
        return rule_offset(zone, unix_s);
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (zone->at[middle] <= unix_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? zone->first : zone->offset[low - 1];
}
