/* federated.c - see federated.h. */
#include "hub/access/federated.h"

#include "hub/access/rbac.h"
#include "hub/access/uuid.h"
#include "proto/base/text.h"
#include "proto/object/json.h"

struct hub_federated_role {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_crypto *crypto;
    struct hub_objects *objects;
    struct hub_subscription *types;
};

struct making {
    struct fed_json_doc *doc;
    struct fed_json *rules;
    enum fed_err err;
};

static struct fed_span text_of(const struct fed_json *object, const char *dotted)
{
    return fed_json_string(fed_json_find(object, dotted));
}

static enum fed_err put_texts(struct making *m, struct fed_json *rule, const char *key,
    const struct fed_span *texts, size_t n)
{
    struct fed_json *list = fed_json_new_array(m->doc);
    enum fed_err err = fed_json_set(m->doc, rule, key, list);

    for (size_t i = 0; !err && i < n; i++)
        err = fed_json_append(list, fed_json_new_string(m->doc, texts[i]));
    return err;
}

/* The rule of the group, made when there is none. */
static struct fed_json *rule_of(struct making *m, struct fed_span group)
{
    static const struct fed_span verbs[] = {
        {(const uint8_t *)"get", 3}, {(const uint8_t *)"list", 4}, {(const uint8_t *)"watch", 5}};
    struct fed_json_iter it;
    struct fed_json *rule;

    fed_json_iter_init(&it, m->rules);
    while (fed_json_iter_next(&it))
        if (fed_span_eq(
                fed_json_string(fed_json_at(fed_json_get(it.value, "apiGroups"), 0)), group))
            return it.value;
    rule = fed_json_new_object(m->doc);
    if (!rule || put_texts(m, rule, "verbs", verbs, 3) ||
        put_texts(m, rule, "apiGroups", &group, 1) || put_texts(m, rule, "resources", NULL, 0) ||
        fed_json_append(m->rules, rule))
        return NULL;
    return rule;
}

static enum fed_err add_type(struct making *m, const struct fed_json *type)
{
    struct fed_span group = text_of(type, "spec.federatedType.group");
    struct fed_span plural = text_of(type, "spec.federatedType.pluralName");
    struct fed_json *resources;
    struct fed_buf status;
    enum fed_err err;

    if (plural.len == 0 || (text_of(type, "spec.targetType.group").len == 0 &&
                               fed_span_is(text_of(type, "spec.targetType.kind"), "Secret")))
        return FED_OK;
    resources = fed_json_get(rule_of(m, group), "resources");
    if (!resources)
        return FED_ERR_NOMEM;
    fed_buf_init(&status, fed_alloc_system(), 512);
    fed_buf_put(&status, plural);
    fed_buf_put_text(&status, "/status");
    err = fed_buf_err(&status);
    if (!err)
        err = fed_json_append(resources, fed_json_new_string(m->doc, plural));
    if (!err)
        err = fed_json_append(resources, fed_json_new_string(m->doc, fed_buf_span(&status)));
    fed_buf_fini(&status);
    return err;
}

static bool take_type(void *ctx, const struct hub_object *object)
{
    struct making *m = ctx;
    struct fed_json *type;

    if (!fed_json_parse(m->doc, object->bytes, &type, NULL))
        m->err = add_type(m, type);
    return !m->err;
}

/* ---- the role ---- */
static enum fed_err role_new(
    struct hub_federated_role *role, struct making *m, struct fed_json **out)
{
    static const char text[] =
        "{\"kind\":\"ClusterRole\",\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"metadata\":"
        "{\"name\":\"" HUB_FEDERATED_ROLE "\",\"labels\":{\"kubernetes.io/bootstrapping\":"
        "\"rbac-defaults\",\"rbac.authorization.k8s.io/aggregate-to-view\":\"true\","
        "\"fedlet.io/aggregate-to-viewer\":\"true\"}},\"rules\":[]}";
    struct fed_json *metadata;
    char uid[HUB_UUID_SIZE];
    char now[FED_TEXT_TIME_SIZE];
    enum fed_err err = fed_json_parse(m->doc, fed_span_text(text), out, NULL);

    if (!err)
        err = hub_uuid_new(role->crypto, uid);
    if (err)
        return err;
    fed_text_time(fed_loop_unix_s(role->loop), now);
    metadata = fed_json_get(*out, "metadata");
    err = fed_json_set_text(m->doc, metadata, "uid", uid);
    return err ? err : fed_json_set_text(m->doc, metadata, "creationTimestamp", now);
}

static enum fed_err store(struct hub_federated_role *role, const struct hub_object_ref *ref,
    const struct fed_json *object, uint64_t expected, struct fed_diag *diag)
{
    struct hub_object_write write = {.ref = *ref, .expected = expected};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, role->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_put(&bytes, object);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(role->objects, &write, 1, NULL, 0, NULL, diag);
    fed_buf_fini(&bytes);
    return err;
}

static enum fed_err bring_in_line(
    struct hub_federated_role *role, struct making *m, struct fed_diag *diag)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT(HUB_RBAC_CLUSTER_ROLES), {0}, FED_SPAN_LIT(HUB_FEDERATED_ROLE)};
    struct fed_json *object = NULL;
    struct fed_buf bytes;
    uint64_t revision = 0;
    enum fed_err err;

    fed_buf_init(&bytes, role->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(role->objects, &ref, &bytes, &revision);
    if (err == FED_ERR_NOT_FOUND)
        err = role_new(role, m, &object);
    else if (!err)
        err = fed_json_parse(m->doc, fed_buf_span(&bytes), &object, diag);
    fed_buf_fini(&bytes);
    if (err || (revision > 0 && fed_json_eq(fed_json_get(object, "rules"), m->rules)))
        return err;
    err = fed_json_set(m->doc, object, "rules", m->rules);
    return err ? err : store(role, &ref, object, revision, diag);
}

enum fed_err hub_federated_role_update(struct hub_federated_role *role, struct fed_diag *diag)
{
    struct making m = {.err = FED_OK};
    enum fed_err err = fed_json_doc_new(role->mem, &m.doc);

    if (!err)
        m.rules = fed_json_new_array(m.doc);
    if (!err && !m.rules)
        err = FED_ERR_NOMEM;
    if (!err)
        err = hub_objects_list(role->objects, FED_SPAN_LIT(HUB_TYPE_CONFIGS), (struct fed_span){0},
            NULL, take_type, &m);
    if (!err)
        err = m.err;
    if (!err)
        err = bring_in_line(role, &m, diag);
    fed_json_doc_free(m.doc);
    return err ? fed_diag_prefix(diag, err, "ClusterRole " HUB_FEDERATED_ROLE) : FED_OK;
}

static void type_changed(void *ctx, const struct hub_change *change)
{
    struct hub_federated_role *role = ctx;
    struct fed_diag diag = {{0}};

    if (change->type != HUB_CHANGE_TOUCHED && hub_federated_role_update(role, &diag))
        fed_log(role->log, FED_LOG_ERROR,
            "access: %s; it stays as it is until a FederatedTypeConfig changes or the hub starts "
            "anew",
            diag.text);
}

enum fed_err hub_federated_role_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct fed_crypto *crypto, struct hub_objects *objects,
    struct hub_federated_role **out)
{
    struct hub_federated_role *role = fed_alloc_zero(mem, sizeof *role);
    enum fed_err err;

    if (!role)
        return FED_ERR_NOMEM;
    role->mem = mem;
    role->loop = loop;
    role->log = log;
    role->crypto = crypto;
    role->objects = objects;
    err = hub_objects_subscribe(
        objects, FED_SPAN_LIT(HUB_TYPE_CONFIGS), type_changed, role, &role->types);
    if (err) {
        hub_federated_role_close(role);
        return err;
    }
    *out = role;
    return FED_OK;
}

void hub_federated_role_close(struct hub_federated_role *role)
{
    if (!role)
        return;
    if (role->types)
        hub_objects_unsubscribe(role->types);
    fed_alloc_free(role->mem, role, sizeof *role);
}
