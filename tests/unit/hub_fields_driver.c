/* hub_fields_driver.c - applies and updates as lines of JSON, for the comparison with a real API
 * server.
 *
 * In: {"op":"schema","schema":S} first, then
 * {"op":"apply"|"update","manager":M,"apiVersion":V,"subresource":R,
 * "now":UNIX_S,"force":B,"live":OBJECT|null,"object":OBJECT}. Out, one line each: {"object":O} or
 * {"error":TEXT,"causes":[{"reason":R,"message":M,"field":F}]}. {"op":"validate","object":OBJECT}
 * prunes, defaults and validates. */
#include "hub/api/managed_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hub_schema *schema;

static void print(struct fed_json_doc *doc, struct fed_json *answer)
{
    struct fed_buf line;

    (void)doc;
    fed_buf_init(&line, fed_alloc_system(), FED_JSON_BYTES_MAX);
    if (fed_json_put(&line, answer))
        fed_buf_put_text(&line, "{}");
    puts(fed_buf_cstr(&line));
    fflush(stdout);
    fed_buf_fini(&line);
}

static struct fed_json *refused(
    struct fed_json_doc *doc, enum fed_err err, const struct hub_causes *causes)
{
    struct fed_json *answer = fed_json_new_object(doc);
    struct fed_json *list = fed_json_new_array(doc);

    for (size_t i = 0; i < causes->n; i++) {
        struct fed_json *one = fed_json_new_object(doc);

        if (fed_json_set_text(doc, one, "reason", causes->list[i].reason) ||
            fed_json_set_text(doc, one, "message", causes->list[i].message) ||
            fed_json_set_text(doc, one, "field", causes->list[i].field) ||
            fed_json_append(list, one))
            abort();
    }
    if (fed_json_set_text(doc, answer, "error", fed_err_text(err)) ||
        fed_json_set(doc, answer, "causes", list))
        abort();
    return answer;
}

static enum fed_err write_once(struct fed_json_doc *doc, const struct fed_json *in,
    struct fed_json **out, struct hub_causes *causes)
{
    struct hub_field_update update = {
        .schema = schema,
        .manager = fed_json_string(fed_json_get(in, "manager")),
        .api_version = fed_json_string(fed_json_get(in, "apiVersion")),
        .subresource = fed_json_string(fed_json_get(in, "subresource")),
        .now_unix_s = fed_json_int(fed_json_get(in, "now"), 0),
        .force = fed_json_bool(fed_json_get(in, "force"), false),
    };
    struct fed_json *live = fed_json_get(in, "live");
    struct fed_json *object = fed_json_get(in, "object");
    enum fed_err err;

    if (!fed_json_is_object(live))
        live = NULL;
    if (fed_span_is(fed_json_string(fed_json_get(in, "op")), "apply")) {
        struct fed_buf why;

        fed_buf_init(&why, fed_alloc_system(), HUB_CAUSE_MESSAGE_SIZE);
        err = hub_fields_apply(doc, &update, live, object, out, causes, &why);
        if (err == FED_ERR_INVALID)
            hub_causes_add(causes, "FieldValueInvalid", "", "%s", fed_buf_cstr(&why));
        fed_buf_fini(&why);
        return err ? err : hub_schema_default(schema, doc, *out);
    }
    *out = fed_json_clone(doc, object);
    err = hub_schema_default(schema, doc, *out);
    return err ? err : hub_fields_update(doc, &update, live, *out);
}

static enum fed_err validate_once(struct fed_json_doc *doc, const struct fed_json *in,
    struct fed_json **out, struct hub_causes *causes)
{
    enum fed_err err;

    *out = fed_json_clone(doc, fed_json_get(in, "object"));
    err = hub_schema_prune(schema, *out, NULL);
    if (!err)
        err = hub_schema_default(schema, doc, *out);
    return err ? err : hub_schema_validate(schema, *out, causes);
}

static void one_line(struct fed_json_doc *doc, const struct fed_json *in)
{
    struct hub_causes causes = {.n = 0};
    struct fed_json *answer = fed_json_new_object(doc);
    struct fed_json *object = NULL;
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (fed_span_is(fed_json_string(fed_json_get(in, "op")), "schema")) {
        hub_schema_unref(schema);
        schema = NULL;
        err = hub_schema_compile(fed_alloc_system(), fed_json_get(in, "schema"), &schema, &diag);
        print(doc, err ? refused(doc, err, &causes) : answer);
        return;
    }
    if (fed_span_is(fed_json_string(fed_json_get(in, "op")), "validate"))
        err = validate_once(doc, in, &object, &causes);
    else
        err = write_once(doc, in, &object, &causes);
    if (!err)
        err = fed_json_set(doc, answer, "object", object);
    print(doc, err ? refused(doc, err, &causes) : answer);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) > 0) {
        struct fed_json_doc *doc;
        struct fed_json *in;

        if (fed_json_doc_new(fed_alloc_system(), &doc))
            abort();
        if (fed_json_parse(doc, fed_span_of(line, (size_t)n), &in, NULL)) {
            fputs("hub_fields_driver: not JSON\n", stderr);
            return 2;
        }
        one_line(doc, in);
        fed_json_doc_free(doc);
    }
    free(line);
    hub_schema_unref(schema);
    return 0;
}
