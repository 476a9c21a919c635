/* work.c - see work.h. */
#include "proto/bundle/work.h"

#include "proto/base/text.h"

struct fed_span fed_work_group(struct fed_span api_version)
{
    size_t slash = fed_span_find(api_version, '/');

    return fed_span_sub(api_version, 0, slash == api_version.len ? 0 : slash);
}

int fed_work_cmp(const struct fed_work *a, const struct fed_work *b)
{
    int order = fed_span_cmp(fed_work_group(a->api_version), fed_work_group(b->api_version));

    if (!order)
        order = fed_span_cmp(a->kind, b->kind);
    if (!order)
        order = fed_span_cmp(a->ns, b->ns);
    return order ? order : fed_span_cmp(a->name, b->name);
}

void fed_work_put_id(struct fed_buf *out, const struct fed_work *work)
{
    const struct fed_span parts[] = {work->api_version, work->kind, work->ns, work->name};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i > 0)
            fed_buf_put_u8(out, '/');
        fed_buf_put(out, parts[i]);
    }
}

/* What is before the version, "" of the core group, and what is behind it. */
static void split_id(struct fed_span id, struct fed_span *group, struct fed_span *rest)
{
    struct fed_span all = id;
    struct fed_span part = {0};
    size_t n = 0;

    while (fed_span_split(&all, '/', &part))
        n++;
    *group = (struct fed_span){0};
    *rest = id;
    if (n > 4)
        fed_span_split(rest, '/', group);
    fed_span_split(rest, '/', &part);
}

bool fed_work_id_same(struct fed_span a, struct fed_span b)
{
    struct fed_span groups[2];
    struct fed_span rests[2];

    split_id(a, &groups[0], &rests[0]);
    split_id(b, &groups[1], &rests[1]);
    return fed_span_eq(groups[0], groups[1]) && fed_span_eq(rests[0], rests[1]);
}

bool fed_work_same(const struct fed_work *a, const struct fed_work *b)
{
    return fed_work_cmp(a, b) == 0 && fed_span_eq(a->api_version, b->api_version) &&
           fed_span_eq(a->plural, b->plural) && a->options == b->options &&
           fed_digest_eq(&a->blob, &b->blob) && fed_span_eq(a->overrides, b->overrides);
}

/* ---- check ---- */

static bool is_api_version(struct fed_span text)
{
    size_t slash = fed_span_find(text, '/');

    if (text.len > FED_WORK_API_VERSION_MAX)
        return false;
    if (slash == text.len)
        return fed_text_is_dns_label(text);
    return fed_text_is_dns_subdomain(fed_span_sub(text, 0, slash)) &&
           fed_text_is_dns_label(fed_span_sub(text, slash + 1, text.len));
}

/* A label of DNS in any case, as CustomResourceDefinitions name kinds: hyphens are allowed. */
static bool is_kind(struct fed_span text)
{
    if (text.len == 0 || text.len > FED_WORK_KIND_MAX || text.at[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!letter && (i == 0 || (c != '-' && (c < '0' || c > '9'))))
            return false;
    }
    return true;
}

/* What kube-apiserver takes as a path segment (apimachinery IsValidPathSegmentName): roles are
 * called "system:node". */
static bool is_name(struct fed_span text)
{
    if (text.len == 0 || text.len > FED_WORK_NAME_MAX || fed_span_is(text, ".") ||
        fed_span_is(text, "..") || !fed_text_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c <= 0x20 || c == 0x7f || c == '/' || c == '%')
            return false;
    }
    return true;
}

static enum fed_err refused(struct fed_diag *diag, const char *what, struct fed_span value)
{
    return fed_diag_set(diag, FED_ERR_INVALID, "\"" FED_SPAN_FMT "\" is not a valid %s",
        FED_SPAN_ARG(fed_span_sub(value, 0, 80)), what);
}

enum fed_err fed_work_check(const struct fed_work *work, struct fed_diag *diag)
{
    bool namespaced = work->options & FED_WORK_NAMESPACED;

    if (!is_api_version(work->api_version))
        return refused(diag, "apiVersion", work->api_version);
    if (!is_kind(work->kind))
        return refused(diag, "kind", work->kind);
    if (!fed_text_is_dns_label(work->plural))
        return refused(diag, "resource name", work->plural);
    if (!is_name(work->name))
        return refused(diag, "name", work->name);
    if (work->options & ~FED_WORK_OPTIONS_ALL)
        return fed_diag_set(diag, FED_ERR_INVALID, "unknown options 0x%x",
            (unsigned)(work->options & ~FED_WORK_OPTIONS_ALL));
    if (namespaced != (work->ns.len > 0))
        return fed_diag_set(diag, FED_ERR_INVALID,
            namespaced ? "namespace is missing" : "namespace of a cluster-scoped kind");
    if (namespaced && !fed_text_is_dns_label(work->ns))
        return refused(diag, "namespace", work->ns);
    if (work->overrides.len > FED_WORK_OVERRIDES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "overrides of %zu bytes, at most %u are taken",
            work->overrides.len, FED_WORK_OVERRIDES_MAX);
    return FED_OK;
}

/* ---- encoding ---- */

void fed_work_put(struct fed_buf *out, const struct fed_work *work)
{
    fed_buf_put_string(out, work->api_version);
    fed_buf_put_string(out, work->kind);
    fed_buf_put_string(out, work->plural);
    fed_buf_put_string(out, work->ns);
    fed_buf_put_string(out, work->name);
    fed_buf_put_varint(out, work->options);
    fed_buf_put(out, fed_span_of(work->blob.bytes, sizeof work->blob.bytes));
    fed_buf_put_string(out, work->overrides);
}

static enum fed_err take_fields(struct fed_span *from, struct fed_work *work)
{
    struct {
        struct fed_span *to;
        size_t max;
    } strings[] = {{&work->api_version, FED_WORK_API_VERSION_MAX}, {&work->kind, FED_WORK_KIND_MAX},
        {&work->plural, FED_WORK_PLURAL_MAX}, {&work->ns, FED_WORK_NAME_MAX},
        {&work->name, FED_WORK_NAME_MAX}};
    struct fed_span digest;
    uint64_t options;
    enum fed_err err = FED_OK;

    for (size_t i = 0; i < sizeof strings / sizeof strings[0] && !err; i++)
        err = fed_span_take_string(from, strings[i].max, strings[i].to);
    if (!err)
        err = fed_span_take_varint(from, FED_WORK_OPTIONS_ALL, &options);
    if (!err)
        err = fed_span_take_bytes(from, FED_DIGEST_SIZE, &digest);
    if (err)
        return err;
    work->options = (uint32_t)options;
    for (size_t i = 0; i < FED_DIGEST_SIZE; i++)
        work->blob.bytes[i] = digest.at[i];
    return fed_span_take_string(from, FED_WORK_OVERRIDES_MAX, &work->overrides);
}

enum fed_err fed_work_take(struct fed_span *from, struct fed_work *out, struct fed_diag *diag)
{
    struct fed_span rest = *from;
    struct fed_work work = {0};
    enum fed_err err = take_fields(&rest, &work);

    if (err)
        return fed_diag_set(diag, err, "work: %s", fed_err_text(err));
    err = fed_work_check(&work, diag);
    if (err)
        return fed_diag_prefix(diag, err, "work");
    *from = rest;
    *out = work;
    return FED_OK;
}

enum fed_err fed_manifest_digest(const struct fed_manifest *manifest, struct fed_digest *out)
{
    struct fed_digest_state state;
    struct fed_buf buf;
    enum fed_err err = fed_digest_begin(&state);

    if (err)
        return err;
    fed_buf_init(&buf, fed_alloc_system(), SIZE_MAX / 2);
    for (size_t i = 0; i < manifest->n_works && !err; i++) {
        fed_buf_clear(&buf);
        fed_work_put(&buf, &manifest->works[i]);
        err = fed_buf_err(&buf);
        if (!err)
            err = fed_digest_add(&state, fed_buf_span(&buf));
    }
    fed_buf_fini(&buf);
    if (err) {
        fed_digest_abort(&state);
        return err;
    }
    return fed_digest_end(&state, out);
}
