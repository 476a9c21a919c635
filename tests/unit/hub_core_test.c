/* Core kinds: the table, protobuf bodies as Go writes them, the shape in which Go writes objects,
 * strategic merge patches. */
#include "hub/api/core.h"
#include "hub/api/internal.h"
#include "proto/base/text.h"
#include "tests/unit/proto_test.h"

struct world {
    struct hub_core *core;
    struct fed_json_doc *doc;
    struct fed_diag diag;
};

static int setup(void **state)
{
    static struct world w;

    w = (struct world){.core = NULL};
    assert_int_equal(hub_core_open(fed_alloc_system(), &w.core, &w.diag), FED_OK);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &w.doc), FED_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fed_json_doc_free(w->doc);
    hub_core_close(w->core);
    return 0;
}

/* Single quotes for double ones. */
static struct fed_json *parse(struct world *w, const char *text)
{
    char copy[4096];
    struct fed_json *value = NULL;
    size_t len = strlen(text);

    assert_true(len < sizeof copy);
    for (size_t i = 0; i <= len; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    if (fed_json_parse(w->doc, fed_span_text(copy), &value, &w->diag))
        fail_msg("%s: %s", copy, w->diag.text);
    return value;
}

static const struct hub_core_type *type_of(
    struct world *w, const char *api_version, const char *kind)
{
    const struct hub_core_type *type =
        hub_core_find(w->core, fed_span_text(api_version), fed_span_text(kind));

    assert_non_null(type);
    return type;
}

static void assert_json(struct fed_json *value, struct fed_json *wanted)
{
    struct fed_buf a;
    struct fed_buf b;

    if (fed_json_eq(value, wanted))
        return;
    fed_buf_init(&a, fed_alloc_system(), FED_JSON_BYTES_MAX);
    fed_buf_init(&b, fed_alloc_system(), FED_JSON_BYTES_MAX);
    assert_int_equal(fed_json_put_canonical(&a, value), FED_OK);
    assert_int_equal(fed_json_put_canonical(&b, wanted), FED_OK);
    fail_msg("got    %s\nwanted %s", fed_buf_cstr(&a), fed_buf_cstr(&b));
}

/* ---- the table ---- */
static void test_table(void **state)
{
    struct world *w = *state;
    const struct hub_core_type *meta =
        hub_core_field(type_of(w, "v1", "Secret"), FED_SPAN_LIT("metadata"))->type;
    const struct hub_core_field *owners = hub_core_field(meta, FED_SPAN_LIT("ownerReferences"));
    const struct hub_core_field *kind;

    assert_true(fed_span_is(meta->name, "meta.ObjectMeta"));
    assert_int_equal(owners->number, 13);
    assert_true(owners->list && owners->merge && owners->omit_empty);
    assert_true(fed_span_is(owners->merge_key, "uid"));
    assert_int_equal(owners->list_type, HUB_LIST_MAP);
    kind = hub_core_field_number(owners->type, 1);
    assert_true(fed_span_is(kind->name, "kind"));
    assert_null(hub_core_find(w->core, FED_SPAN_LIT("v1"), FED_SPAN_LIT("Pod")));
    assert_null(hub_core_find(w->core, FED_SPAN_LIT("v2"), FED_SPAN_LIT("Secret")));
    assert_non_null(hub_core_find(w->core, FED_SPAN_LIT("apps/v1"), FED_SPAN_LIT("DeleteOptions")));
}

/* ---- protobuf ---- */
static void decode_vector(struct world *w, struct fed_span line)
{
    struct fed_json *vector = NULL;
    struct fed_json *object = NULL;
    struct fed_buf body;
    const struct hub_core_type *type;

    assert_int_equal(fed_json_parse(w->doc, line, &vector, &w->diag), FED_OK);
    fed_buf_init(&body, fed_alloc_system(), 1u << 20);
    assert_int_equal(
        fed_text_base64(fed_json_string(fed_json_get(vector, "protobuf")), &body), FED_OK);
    if (hub_protobuf_decode(w->core, w->doc, fed_buf_span(&body), &object, &w->diag))
        fail_msg("%.200s: %s", (const char *)line.at, w->diag.text);
    type = hub_core_find(w->core, fed_json_string(fed_json_get(object, "apiVersion")),
        fed_json_string(fed_json_get(object, "kind")));
    if (hub_core_shape(fed_alloc_system(), w->doc, type, object, &w->diag))
        fail_msg("%.200s: %s", (const char *)line.at, w->diag.text);
    assert_json(object, fed_json_get(vector, "object"));
    /* Cut anywhere it is refused or is a smaller object, and never read beyond its end. */
    for (size_t n = 0; n < body.len; n += 1 + body.len / 97) {
        uint8_t *cut = fed_alloc_get(fed_alloc_system(), n + 1);

        memcpy(cut, body.at, n);
        (void)!hub_protobuf_decode(w->core, w->doc, fed_span_of(cut, n), &object, &w->diag);
        fed_alloc_free(fed_alloc_system(), cut, n + 1);
    }
    fed_buf_fini(&body);
}

static void test_vectors(void **state)
{
    struct world *w = *state;
    static char text[1u << 18];
    FILE *file = fopen(FEDLET_SOURCE_DIR "/tests/unit/hub_core_vectors.jsonl", "r");
    struct fed_span rest;
    struct fed_span line;
    size_t n = 0;

    assert_non_null(file);
    rest = fed_span_of(text, fread(text, 1, sizeof text, file));
    fclose(file);
    assert_true(rest.len > 0 && rest.len < sizeof text);
    while (fed_span_split(&rest, '\n', &line)) {
        decode_vector(w, line);
        n++;
    }
    assert_int_equal(n, 42);
}

static void test_envelopes(void **state)
{
    static const struct {
        const char *body; /* behind the magic number, in hex */
        enum fed_err err;
        const char *says;
    } cases[] = {
        {"", FED_ERR_UNSUPPORTED, "no kind"},
        {"0a0b0a02763112054f74686572", FED_ERR_UNSUPPORTED, "no kind \"Other\""},
        {"0a080a02763112025878ff", FED_ERR_INVALID, "envelope"},
        /* ConfigMap with contentEncoding gzip, with another contentType */
        {"0a0f0a0276311209436f6e6669674d61701a04677a6970", FED_ERR_INVALID, "gzip"},
        {"0a0f0a0276311209436f6e6669674d6170220161", FED_ERR_INVALID, "holds \"a\""},
        /* data: a varint where a message belongs; an entry that is longer than the body */
        {"0a0f0a0276311209436f6e6669674d617012021001", FED_ERR_INVALID, "malformed"},
        {"0a0f0a0276311209436f6e6669674d6170120312050a", FED_ERR_INVALID, "malformed"},
        /* the same key twice */
        {"0a0f0a0276311209436f6e6669674d6170120a12030a016112030a0161", FED_ERR_INVALID, "twice"},
    };
    struct world *w = *state;
    struct fed_json *object;
    uint8_t body[256] = {0x6b, 0x38, 0x73, 0x00};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len;
        enum fed_err err;

        assert_int_equal(
            fed_text_hex(fed_span_text(cases[i].body), body + 4, sizeof body - 4, &len), FED_OK);
        err = hub_protobuf_decode(w->core, w->doc, fed_span_of(body, len + 4), &object, &w->diag);
        if (err != cases[i].err || !strstr(w->diag.text, cases[i].says))
            fail_msg("%s: %d %s", cases[i].body, err, w->diag.text);
    }
    body[0] = 0;
    assert_int_equal(hub_protobuf_decode(w->core, w->doc, fed_span_of(body, 8), &object, &w->diag),
        FED_ERR_INVALID);
}

/* ---- the shape ---- */
static void test_shape(void **state)
{
    static const struct {
        const char *api_version;
        const char *kind;
        const char *given;
        const char *wanted; /* an object, or Go's sentence */
    } cases[] = {
        {"v1", "ConfigMap", "{'data':{},'immutable':null}", "{'metadata':{}}"},
        {"v1", "ConfigMap", "{'immutable':false}", "{'metadata':{},'immutable':false}"},
        {"v1", "ConfigMap", "{'data':{'a':null}}", "{'metadata':{},'data':{'a':''}}"},
        {"v1", "Secret", "{'data':{'a':'YQ\\n=='}}", "{'metadata':{},'data':{'a':'YQ=='}}"},
        {"v1", "Secret", "{'data':{'a':'*'}}", "illegal base64 data at input byte 0"},
        {"rbac.authorization.k8s.io/v1", "Role", "{}", "{'metadata':{},'rules':null}"},
        {"v1", "Namespace", "{}", "{'metadata':{},'spec':{},'status':{}}"},
        {"coordination.k8s.io/v1", "Lease",
            "{'spec':{'renewTime':'2026-01-02T05:04:05.500000+02:00'}}",
            "{'metadata':{},'spec':{'renewTime':'2026-01-02T03:04:05.500000Z'}}"},
        {"coordination.k8s.io/v1", "Lease", "{'spec':{'leaseTransitions':3000000000}}",
            "json: cannot unmarshal number 3000000000 into Go struct field "
            "LeaseSpec.spec.leaseTransitions of type int32"},
        {"v1", "ConfigMap", "{'metadata':{'labels':{'a':1}}}",
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
            "string"},
        {"v1", "ConfigMap", "{'data':[]}",
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type "
            "map[string]string"},
        {"v1", "Secret", "{'type':{}}",
            "json: cannot unmarshal object into Go struct field Secret.type of type v1.SecretType"},
        {"v1", "Secret", "{'data':{'a':[97,null,255]}}", "{'metadata':{},'data':{'a':'YQD/'}}"},
        {"v1", "Secret", "{'data':{'a':[[]]}}",
            "json: cannot unmarshal array into Go struct field Secret.data of type uint8"},
        {"v1", "Secret", "{'data':{'a':[256]}}",
            "json: cannot unmarshal number 256 into Go struct field Secret.data of type uint8"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json *object = parse(w, cases[i].given);
        enum fed_err err = hub_core_shape(fed_alloc_system(), w->doc,
            type_of(w, cases[i].api_version, cases[i].kind), object, &w->diag);

        if (cases[i].wanted[0] == '{') {
            assert_int_equal(err, FED_OK);
            assert_json(object, parse(w, cases[i].wanted));
        } else {
            assert_int_equal(err, FED_ERR_INVALID);
            assert_string_equal(w->diag.text, cases[i].wanted);
        }
    }
}

/* What an apply or a strategic patch made. */
static void test_convert(void **state)
{
    static const struct {
        const char *kind;
        const char *given;
        const char *wanted; /* an object, or the converter's sentence */
    } cases[] = {
        {"ConfigMap", "{'data':{'a':'x'}}", "{'metadata':{},'data':{'a':'x'}}"},
        {"ConfigMap", "{'data':{'a':7}}", "cannot convert int64 to string"},
        {"ConfigMap", "{'data':{'a':1.5}}", "unrecognized type: string"},
        {"ConfigMap", "{'data':{'a':[]}}", "unrecognized type: string"},
        {"ConfigMap", "{'data':'x'}", "cannot restore map from string"},
        {"ConfigMap", "{'immutable':'x'}", "unrecognized type: bool"},
        {"ConfigMap", "{'metadata':true}", "cannot restore struct from: bool"},
        {"ConfigMap", "{'metadata':{'finalizers':{}}}", "cannot restore slice from map"},
        {"ConfigMap", "{'metadata':{'creationTimestamp':'x'}}",
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""},
        {"Secret", "{'type':7}", "cannot convert int64 to v1.SecretType"},
        {"Secret", "{'data':{'a':'*'}}",
            "error decoding from json: illegal base64 data at input byte 0"},
        {"Secret", "{'data':{'a':{}}}", "cannot restore slice from map"},
        {"Secret", "{'data':{'a':['x']}}", "unrecognized type: uint8"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json *object = parse(w, cases[i].given);
        enum fed_err err = hub_core_convert(
            fed_alloc_system(), w->doc, type_of(w, "v1", cases[i].kind), object, &w->diag);

        if (cases[i].wanted[0] == '{') {
            assert_int_equal(err, FED_OK);
            assert_json(object, parse(w, cases[i].wanted));
        } else {
            assert_int_equal(err, FED_ERR_INVALID);
            assert_string_equal(w->diag.text, cases[i].wanted);
        }
    }
}

/* ---- strategic merge patch ---- */
static void test_strategic(void **state)
{
    static const struct {
        const char *before;
        const char *patch;
        const char *wanted; /* an object, or a part of the refusal */
    } cases[] = {
        {"{'data':{'a':'1','b':'2'}}", "{'data':{'a':null,'c':'3'}}", "{'data':{'b':'2','c':'3'}}"},
        {"{'data':{'a':'1'}}", "{'data':{'$patch':'replace','c':'3'}}", "{'data':{'c':'3'}}"},
        {"{'data':{'a':'1'}}", "{'data':{'$patch':'delete'}}", "{'data':{}}"},
        {"{'data':{'a':'1'}}", "{'data':{'$patch':'merge'}}", "unknown patch type"},
        {"{'data':{'a':'1','b':'2'}}", "{'data':{'$retainKeys':['b']}}", "{'data':{'b':'2'}}"},
        {"{'data':{}}", "{'data':{'$retainKeys':['b'],'a':'1'}}", "retainKeys"},
        {"{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['c','a']}}",
            "{'metadata':{'finalizers':['c','a','b']}}"},
        {"{'metadata':{'finalizers':['a','b']}}",
            "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a']}}",
            "{'metadata':{'finalizers':['b']}}"},
        {"{'metadata':{'finalizers':['a','b','c']}}",
            "{'metadata':{'$setElementOrder/finalizers':['c','a']}}",
            "{'metadata':{'finalizers':['b','c','a']}}"},
        {"{'metadata':{'finalizers':['a']}}",
            "{'metadata':{'finalizers':['b'],'$setElementOrder/finalizers':['a']}}", "order"},
        {"{'secrets':[{'name':'a'},{'name':'b','namespace':'n'}]}",
            "{'secrets':[{'name':'b','uid':'u'},{'name':'c'}]}",
            "{'secrets':[{'name':'a'},{'name':'b','namespace':'n','uid':'u'},{'name':'c'}]}"},
        {"{'secrets':[{'name':'a'},{'name':'b'}]}", "{'secrets':[{'$patch':'delete','name':'a'}]}",
            "{'secrets':[{'name':'b'}]}"},
        {"{'secrets':[{'name':'a'}]}", "{'secrets':[{'name':'b'},{'$patch':'replace'}]}",
            "{'secrets':[{'name':'b'}]}"},
        {"{'secrets':[{'name':'a'}]}", "{'secrets':[{'uid':'b'}]}", "merge key: name"},
        {"{'imagePullSecrets':[{'name':'a'}]}", "{'imagePullSecrets':[{'name':'b'}]}",
            "{'imagePullSecrets':[{'name':'b'}]}"},
    };
    struct world *w = *state;
    const struct hub_core_type *account = type_of(w, "v1", "ServiceAccount");
    const struct hub_core_type *map = type_of(w, "v1", "ConfigMap");

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_json *object = parse(w, cases[i].before);
        bool data = fed_json_get(object, "data") != NULL;
        enum fed_err err = hub_strategic_merge(
            w->doc, data ? map : account, &object, parse(w, cases[i].patch), &w->diag);

        if (cases[i].wanted[0] == '{') {
            if (err)
                fail_msg("%s: %s", cases[i].patch, w->diag.text);
            assert_json(object, parse(w, cases[i].wanted));
        } else if (!err || !strstr(w->diag.text, cases[i].wanted)) {
            fail_msg("%s: %d %s", cases[i].patch, err, w->diag.text);
        }
    }
}

static void test_strategic_limit(void **state)
{
    struct world *w = *state;
    struct fed_json *object = parse(w, "{'metadata':{'finalizers':['a']}}");
    struct fed_json *patch = parse(w, "{'metadata':{'finalizers':[]}}");
    struct fed_json *list = fed_json_find(patch, "metadata.finalizers");

    for (size_t i = 0; i < 2049; i++)
        assert_int_equal(fed_json_append(list, fed_json_new_int(w->doc, (int64_t)i)), FED_OK);
    assert_int_equal(
        hub_strategic_merge(w->doc, type_of(w, "v1", "ConfigMap"), &object, patch, &w->diag),
        FED_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelopes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_convert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strategic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strategic_limit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
