/* errors.c - see errors.h. */
#include "hub/kubefed/errors.h"

#include "hub/api/go_text.h"
#include "proto/base/text.h"

#include <string.h>

#define NOT_A_SUBDOMAIN                                                                            \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define NOT_A_LABEL                                                                                \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "           \
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"

void hub_kubefed_errors_init(struct hub_kubefed_errors *errors, struct fed_alloc *mem)
{
    errors->mem = mem;
    errors->n = 0;
    errors->more = 0;
}

void hub_kubefed_errors_fini(struct hub_kubefed_errors *errors)
{
    for (size_t i = 0; i < errors->n; i++)
        fed_buf_fini(&errors->list[i]);
    errors->n = 0;
}

void hub_kubefed_errors_put(const struct hub_kubefed_errors *errors, struct fed_buf *out)
{
    bool several = errors->n + errors->more > 1;

    if (several)
        fed_buf_put_text(out, "[");
    for (size_t i = 0; i < errors->n; i++) {
        if (i > 0)
            fed_buf_put_text(out, ", ");
        fed_buf_put(out, fed_buf_span(&errors->list[i]));
    }
    if (errors->more > 0)
        fed_buf_printf(out, ", and %zu more", errors->more);
    if (several)
        fed_buf_put_text(out, "]");
}

/* The next error's text, with its path; NULL: there is no room. */
static struct fed_buf *begin(struct hub_kubefed_errors *errors, const char *path)
{
    struct fed_buf *text;

    if (errors->n == HUB_KUBEFED_ERRORS_MAX) {
        errors->more++;
        return NULL;
    }
    text = &errors->list[errors->n];
    fed_buf_init(text, errors->mem, HUB_KUBEFED_ERROR_BYTES_MAX);
    fed_buf_printf(text, "%s: ", path);
    return text;
}

/* What was said already is not said again. A text that did not fit stays as far as it came. */
static void end(struct hub_kubefed_errors *errors, struct fed_buf *text)
{
    for (size_t i = 0; i < errors->n; i++)
        if (fed_span_eq(fed_buf_span(text), fed_buf_span(&errors->list[i]))) {
            fed_buf_fini(text);
            return;
        }
    errors->n++;
}

void hub_kubefed_required(struct hub_kubefed_errors *errors, const char *path)
{
    struct fed_buf *text = begin(errors, path);

    if (!text)
        return;
    fed_buf_put_text(text, "Required value");
    end(errors, text);
}

void hub_kubefed_invalid(
    struct hub_kubefed_errors *errors, const char *path, const char *value, const char *why)
{
    struct fed_buf *text = begin(errors, path);

    if (!text)
        return;
    fed_buf_printf(text, "Invalid value: %s: %s", value, why);
    end(errors, text);
}

/* What a text quotes is cut: the rest of the sentence matters more. */
static struct fed_span shown(struct fed_span value)
{
    return fed_span_sub(value, 0, value.len > 512 ? 512 : value.len);
}

void hub_kubefed_invalid_text(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value, const char *why)
{
    struct fed_buf *text = begin(errors, path);

    if (!text)
        return;
    fed_buf_put_text(text, "Invalid value: ");
    hub_put_quoted(text, shown(value));
    fed_buf_printf(text, ": %s", why);
    end(errors, text);
}

void hub_kubefed_duplicate(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value)
{
    struct fed_buf *text = begin(errors, path);

    if (!text)
        return;
    fed_buf_put_text(text, "Duplicate value: ");
    hub_put_quoted(text, shown(value));
    end(errors, text);
}

void hub_kubefed_check_enum(struct hub_kubefed_errors *errors, const char *path,
    struct fed_span value, const char *const *accepted)
{
    struct fed_buf *text;

    if (value.len == 0) {
        hub_kubefed_required(errors, path);
        return;
    }
    for (size_t i = 0; accepted[i]; i++)
        if (fed_span_is(value, accepted[i]))
            return;
    text = begin(errors, path);
    if (!text)
        return;
    fed_buf_put_text(text, "Unsupported value: ");
    hub_put_quoted(text, shown(value));
    fed_buf_put_text(text, ": supported values: ");
    for (size_t i = 0; accepted[i]; i++)
        fed_buf_printf(text, "%s\"%s\"", i > 0 ? ", " : "", accepted[i]);
    end(errors, text);
}

/* ---- names ---- */
/* Both rules of a name, behind one comma, as KubeFed joins them. */
static void refuse_name(struct hub_kubefed_errors *errors, const char *path, struct fed_span value,
    const char *too_long, const char *wrong)
{
    struct fed_buf why;

    if (!too_long && !wrong)
        return;
    fed_buf_init(&why, errors->mem, 1024);
    fed_buf_printf(
        &why, "%s%s%s", too_long ? too_long : "", too_long && wrong ? "," : "", wrong ? wrong : "");
    hub_kubefed_invalid_text(errors, path, value, fed_buf_cstr(&why));
    fed_buf_fini(&why);
}

void hub_kubefed_check_subdomain(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value)
{
    refuse_name(errors, path, value, value.len > 253 ? "must be no more than 253 characters" : NULL,
        fed_text_has_subdomain_form(value) ? NULL : NOT_A_SUBDOMAIN);
}

void hub_kubefed_check_label(struct hub_kubefed_errors *errors, const char *path,
    struct fed_span value, enum hub_kubefed_case letters)
{
    uint8_t folded[64] = {0};
    struct fed_span text = fed_span_of(folded, value.len > 64 ? 64 : value.len);

    for (size_t i = 0; i < text.len; i++) {
        bool upper = letters == HUB_KUBEFED_CASE_FOLDED && value.at[i] >= 'A' && value.at[i] <= 'Z';

        folded[i] = (uint8_t)(upper ? value.at[i] + ('a' - 'A') : value.at[i]);
    }
    refuse_name(errors, path, value, value.len > 63 ? "must be no more than 63 characters" : NULL,
        fed_text_has_label_form(text) && text.at[0] >= 'a' ? NULL : NOT_A_LABEL);
}
