/* name_rules.c - see name_rules.h. */
#include "hub/api/name_rules.h"

#include "proto/base/text.h"

#define SUBDOMAIN_MAX 253u
#define LABEL_MAX 63u

#define LABEL_FORM "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define QUALIFIED_FORM "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

static const char subdomain_text[] =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '" LABEL_FORM "(\\." LABEL_FORM ")*')";
static const char label_text[] =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '" LABEL_FORM "')";
static const char qualified_text[] =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '" QUALIFIED_FORM "')";
static const char value_text[] =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(" QUALIFIED_FORM ")?')";

struct check {
    struct hub_causes *causes;
    const char *field;
    struct fed_span shown;
};

static void broken(const struct check *c, const char *part, const char *rule)
{
    hub_causes_invalid(c->causes, c->field, c->shown, "%s%s", part, rule);
}

static void too_long(const struct check *c, const char *part, unsigned max)
{
    hub_causes_invalid(
        c->causes, c->field, c->shown, "%smust be no more than %u characters", part, max);
}

static void check_subdomain(const struct check *c, const char *part, struct fed_span value)
{
    if (value.len > SUBDOMAIN_MAX)
        too_long(c, part, SUBDOMAIN_MAX);
    if (!fed_text_has_subdomain_form(value))
        broken(c, part, subdomain_text);
}

static void check_label(const struct check *c, struct fed_span value)
{
    if (value.len > LABEL_MAX)
        too_long(c, "", LABEL_MAX);
    if (!fed_text_has_label_form(value))
        broken(c, "", fed_text_has_subdomain_form(value) ? "must not contain dots" : label_text);
}

static void check_qualified(const struct check *c, struct fed_span value)
{
    size_t slash = fed_span_find(value, '/');
    struct fed_span name = value;

    if (slash < value.len) {
        struct fed_span prefix = fed_span_sub(value, 0, slash);

        name = fed_span_sub(value, slash + 1, value.len);
        if (fed_span_find(name, '/') < name.len) {
            hub_causes_invalid(c->causes, c->field, c->shown,
                "a qualified name %s with an optional DNS subdomain prefix and '/' (e.g. "
                "'example.com/MyName')",
                qualified_text);
            return;
        }
        if (prefix.len == 0)
            broken(c, "prefix part ", "must be non-empty");
        else
            check_subdomain(c, "prefix part ", prefix);
    }
    if (name.len == 0)
        broken(c, "name part ", "must be non-empty");
    else if (name.len > LABEL_MAX)
        too_long(c, "name part ", LABEL_MAX);
    if (!fed_text_has_qualified_form(name))
        broken(c, "name part ", qualified_text);
}

static void check_value(const struct check *c, struct fed_span value)
{
    if (value.len > LABEL_MAX)
        too_long(c, "", LABEL_MAX);
    if (value.len > 0 && !fed_text_has_qualified_form(value))
        broken(c, "", value_text);
}

static void check_segment(const struct check *c, struct fed_span value)
{
    if (fed_span_is(value, ".") || fed_span_is(value, "..")) {
        broken(c, "", value.len == 1 ? "may not be '.'" : "may not be '..'");
        return;
    }
    if (value.len > SUBDOMAIN_MAX) /* a name is part of a key here */
        too_long(c, "", SUBDOMAIN_MAX);
    if (fed_span_find(value, '/') < value.len)
        broken(c, "", "may not contain '/'");
    if (fed_span_find(value, '%') < value.len)
        broken(c, "", "may not contain '%'");
}

void hub_name_check_as(struct hub_causes *causes, enum hub_name_rule rule, const char *field,
    struct fed_span shown, struct fed_span value)
{
    struct check c = {causes, field, shown};

    switch (rule) {
    case HUB_NAME_SUBDOMAIN:
        check_subdomain(&c, "", value);
        break;
    case HUB_NAME_LABEL:
        check_label(&c, value);
        break;
    case HUB_NAME_QUALIFIED:
        check_qualified(&c, value);
        break;
    case HUB_NAME_LABEL_VALUE:
        check_value(&c, value);
        break;
    case HUB_NAME_SEGMENT:
        check_segment(&c, value);
        break;
    }
}

void hub_name_check(
    struct hub_causes *causes, enum hub_name_rule rule, const char *field, struct fed_span value)
{
    hub_name_check_as(causes, rule, field, value, value);
}

bool hub_name_is_bare_finalizer(struct fed_span name)
{
    return fed_span_find(name, '/') == name.len && !fed_span_is(name, "orphan") &&
           !fed_span_is(name, "foregroundDeletion") && !fed_span_is(name, "kubernetes");
}
