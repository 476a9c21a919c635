/* hub_join_world.c - see hub_join_world.h. */
#include "hub_join_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/object/patch.h"

static int64_t clock_offset_s;

static int64_t moved_clock(void *ctx)
{
    (void)ctx;
    return ((int64_t)time(NULL) + clock_offset_s) * 1000000;
}

void join_world_pass(int64_t seconds)
{
    clock_offset_s += seconds;
}

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct join_world *w = ctx;
    struct fed_alloc *system = fed_alloc_system();

    if (size > old_size && w->refuse_after == 0)
        return NULL;
    if (size > old_size && w->refuse_after > 0)
        w->refuse_after--;
    return system->resize(system->ctx, at, old_size, size);
}

static void open_identity(struct join_world *w)
{
    static const char *const names[] = {"hub.example", "192.0.2.1"};
    static const char *const addresses[] = {"coaps://hub.example:5684", "https://192.0.2.1:7444"};
    struct hub_identity_options options = {.data_dir = w->dir,
        .advertise = names,
        .n_advertise = 2,
        .certificate_life_s = w->certificate_life_s,
        .certificate_return_s = w->certificate_return_s};
    struct fed_diag diag = {""};

    w->loop = *w->hub.loop;
    w->loop.unix_us = moved_clock;
    if (hub_identity_open(
            &w->mem, &w->loop, NULL, &w->fs, &w->crypto, &options, &w->identity, &diag))
        fail_msg("%s", diag.text);
    if (hub_identity_attach(w->identity, w->hub.objects, addresses, 2, &diag))
        fail_msg("%s", diag.text);
}

void join_world_open(struct join_world *w)
{
    struct fed_diag diag = {""};

    memset(w, 0, sizeof *w);
    clock_offset_s = 0;
    w->mem = (struct fed_alloc){.ctx = w, .resize = resize};
    w->refuse_after = -1;
    hub_world_open(&w->hub);
    snprintf(w->dir, sizeof w->dir, "%s/data", w->hub.dir);
    w->fs = fed_fs_posix(fed_alloc_system());
    assert_int_equal(fed_tls_crypto_open(fed_alloc_system(), &w->crypto, &diag), FED_OK);
    open_identity(w);
}

void join_world_close(struct join_world *w)
{
    static const char *const files[] = {"ca.crt", "ca.key", "ca.old.crt", "ca.old.key",
        "ca.next.crt", "ca.next.key", "ca.vouch.crt", "server.crt", "server.key",
        "service-account.key", "admin.kubeconfig"};
    char path[160];

    hub_identity_close(w->identity);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        unlink(path);
    }
    rmdir(w->dir);
    fed_tls_crypto_close(&w->crypto);
    hub_world_close(&w->hub);
}

void join_world_restart(struct join_world *w)
{
    hub_identity_close(w->identity);
    hub_world_restart(&w->hub);
    open_identity(w);
    hub_world_settle(&w->hub);
}

struct fed_span join_world_read(struct join_world *w, const char *file)
{
    static struct fed_buf content;
    char path[160];

    if (!content.mem)
        fed_buf_init(&content, fed_alloc_system(), 1u << 20);
    fed_buf_fini(&content);
    fed_buf_init(&content, fed_alloc_system(), 1u << 20);
    snprintf(path, sizeof path, "%s/%s", w->dir, file);
    if (w->fs.read(w->fs.ctx, path, &content, NULL))
        fed_buf_clear(&content);
    return fed_buf_span(&content);
}

void join_world_write(struct join_world *w, const char *file, struct fed_span bytes)
{
    struct fed_diag diag = {""};
    char path[160];

    snprintf(path, sizeof path, "%s/%s", w->dir, file);
    if (bytes.len == 0)
        assert_int_equal(w->fs.remove(w->fs.ctx, path, &diag), FED_OK);
    else
        assert_int_equal(w->fs.write(w->fs.ctx, path, bytes, 0600, &diag), FED_OK);
}

/* ---- objects through admission ---- */

static struct hub_object_ref ref_of(const char *resource, const char *name)
{
    return (struct hub_object_ref){.resource = fed_span_text(resource),
        .ns = fed_span_text(HUB_SYSTEM_NAMESPACE),
        .name = fed_span_text(name)};
}

static struct fed_json *parse_quoted(struct fed_json_doc *doc, const char *json)
{
    struct fed_json *object;
    struct fed_diag diag = {""};
    char text[4096];

    assert_true(strlen(json) < sizeof text);
    for (size_t i = 0; i <= strlen(json); i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    if (fed_json_parse(doc, fed_span_text(text), &object, &diag))
        fail_msg("%s: %s", text, diag.text);
    return object;
}

static struct fed_json *load(
    struct join_world *w, struct fed_json_doc *doc, const char *resource, const char *name)
{
    struct hub_object_ref ref = ref_of(resource, name);
    struct fed_json *object = NULL;
    struct fed_buf bytes;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    if (!hub_objects_get(w->hub.objects, &ref, &bytes, NULL))
        assert_int_equal(fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL), FED_OK);
    fed_buf_fini(&bytes);
    return object;
}

static enum fed_err admit(
    struct join_world *w, const char *resource, struct hub_admission *admission)
{
    struct hub_kind_hooks hooks;
    struct fed_diag diag = {""};
    enum fed_err err;

    if (strcmp(resource, JW_TOKENS) == 0)
        hub_identity_token_hooks(w->identity, &hooks);
    else
        hub_identity_request_hooks(w->identity, &hooks);
    err = hooks.admit(hooks.ctx, admission, &diag);
    if (err)
        assert_true(diag.text[0] != '\0');
    return err;
}

static void store(struct join_world *w, const char *resource, const char *name,
    const struct hub_admission *admission, uint64_t expected)
{
    struct hub_object_write write = {.ref = ref_of(resource, name),
        .expected = expected,
        .remove = admission->operation == HUB_DELETE};
    struct fed_diag diag = {""};
    struct fed_buf bytes;

    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    assert_int_equal(fed_json_put(&bytes, admission->object), FED_OK);
    write.bytes = fed_buf_span(&bytes);
    if (hub_objects_commit(
            w->hub.objects, &write, 1, admission->extra, admission->n_extra, NULL, &diag))
        fail_msg("%s", diag.text);
    fed_buf_fini(&bytes);
    hub_world_settle(&w->hub);
}

enum fed_err join_world_create(struct join_world *w, const char *name, const char *json,
    bool dry_run, char token[FED_TOKEN_TEXT_MAX])
{
    struct hub_admission admission = {.operation = HUB_CREATE, .dry_run = dry_run};
    struct fed_json *metadata;
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    admission.object = parse_quoted(admission.doc, json);
    metadata = fed_json_ensure_object(admission.doc, admission.object, "metadata");
    assert_int_equal(fed_json_set_text(admission.doc, metadata, "name", name), FED_OK);
    err = admit(w, JW_TOKENS, &admission);
    if (token)
        token[0] = '\0';
    if (!err && token)
        assert_int_equal(
            fed_span_to_cstr(fed_json_string(fed_json_find(admission.answer, "status.token")),
                token, FED_TOKEN_TEXT_MAX),
            FED_OK);
    if (!err && dry_run)
        assert_true(admission.n_extra == 0 && !admission.answer);
    if (!err && !dry_run)
        store(w, JW_TOKENS, name, &admission, 0);
    fed_json_doc_free(admission.doc);
    return err;
}

enum fed_err join_world_update(struct join_world *w, const char *resource, const char *name,
    const char *json_patch, const char *subresource)
{
    struct hub_admission admission = {
        .operation = HUB_UPDATE, .subresource = fed_span_text(subresource)};
    struct fed_diag diag = {""};
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    admission.before = load(w, admission.doc, resource, name);
    assert_non_null(admission.before);
    admission.object = fed_json_clone(admission.doc, admission.before);
    assert_int_equal(fed_patch_merge(admission.doc, &admission.object,
                         parse_quoted(admission.doc, json_patch), &diag),
        FED_OK);
    err = admit(w, resource, &admission);
    if (!err)
        store(w, resource, name, &admission, HUB_ANY_REVISION);
    fed_json_doc_free(admission.doc);
    return err;
}

enum fed_err join_world_delete(struct join_world *w, const char *resource, const char *name)
{
    struct hub_admission admission = {.operation = HUB_DELETE};
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    admission.object = load(w, admission.doc, resource, name);
    assert_non_null(admission.object);
    admission.before = admission.object;
    err = admit(w, resource, &admission);
    if (!err)
        store(w, resource, name, &admission, HUB_ANY_REVISION);
    fed_json_doc_free(admission.doc);
    return err;
}

void join_world_token(
    struct join_world *w, const char *name, const char *spec, struct fed_token *out)
{
    struct fed_diag diag = {""};
    char json[1024];
    char text[FED_TOKEN_TEXT_MAX];

    snprintf(json, sizeof json, "{'metadata':{},'spec':%s}", spec);
    assert_int_equal(join_world_create(w, name, json, false, text), FED_OK);
    if (fed_token_parse(fed_span_text(text), out, &diag))
        fail_msg("%s: %s", text, diag.text);
}

const char *join_world_text(
    struct join_world *w, const char *resource, const char *name, const char *dotted)
{
    static char text[8192];
    struct fed_json_doc *doc;
    struct fed_json *object;
    const struct fed_json *value;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    object = load(w, doc, resource, name);
    value = fed_json_find(object, dotted);
    if (fed_json_is_string(value))
        assert_int_equal(fed_span_to_cstr(fed_json_string(value), text, sizeof text), FED_OK);
    else if (fed_json_type(value) == FED_JSON_INT)
        snprintf(text, sizeof text, "%lld", (long long)fed_json_int(value, 0));
    else
        snprintf(text, sizeof text, "%s", object ? "" : "(absent)");
    fed_json_doc_free(doc);
    return text;
}

/* ---- agents ---- */

void join_agent_init(struct join_world *w, struct join_agent *agent, const char *name)
{
    struct fed_diag diag = {""};

    snprintf(agent->name, sizeof agent->name, "%s", name);
    fed_buf_init(&agent->key, fed_alloc_system(), 4096);
    fed_buf_init(&agent->spki, fed_alloc_system(), 1024);
    assert_int_equal(w->crypto.key_new(w->crypto.ctx, &agent->key), FED_OK);
    assert_int_equal(
        w->crypto.key_public(w->crypto.ctx, fed_buf_span(&agent->key), &agent->spki, &diag),
        FED_OK);
}

void join_agent_fini(struct join_agent *agent)
{
    fed_buf_fini(&agent->key);
    fed_buf_fini(&agent->spki);
}

void join_agent_request(struct join_world *w, const struct join_agent *agent,
    const struct fed_token *token, struct fed_join_request *out)
{
    struct fed_buf text;

    memset(out, 0, sizeof *out);
    snprintf(out->token_id, sizeof out->token_id, "%s", token->id);
    snprintf(out->name, sizeof out->name, "%s", agent->name);
    assert_true(agent->spki.len <= sizeof out->public_key);
    memcpy(out->public_key, agent->spki.at, agent->spki.len);
    out->public_key_len = agent->spki.len;
    out->n_labels = 1;
    snprintf(out->labels[0].key, sizeof out->labels[0].key, "region");
    snprintf(out->labels[0].value, sizeof out->labels[0].value, "north");
    /* The formula of proto/link/link.h, put together by hand. */
    fed_buf_init(&text, fed_alloc_system(), 1024);
    fed_buf_put_text(&text, "fedlet join 1");
    fed_buf_put_u8(&text, 0);
    fed_buf_put_text(&text, agent->name);
    fed_buf_put_u8(&text, 0);
    fed_buf_put(&text, fed_buf_span(&agent->spki));
    assert_int_equal(
        w->crypto.hmac_sha256(w->crypto.ctx, fed_span_of(token->secret, sizeof token->secret),
            fed_buf_span(&text), out->proof),
        FED_OK);
    fed_buf_fini(&text);
}

enum fed_err join_agent_join(struct join_world *w, const struct join_agent *agent,
    const struct fed_token *token, struct fed_join_answer *answer, struct fed_diag *diag)
{
    struct fed_join_request request;
    enum fed_err err;

    diag->text[0] = '\0';
    join_agent_request(w, agent, token, &request);
    err = hub_identity_join(w->identity, fed_span_text(token->id), &request, answer, diag);
    hub_world_settle(&w->hub);
    return err;
}
