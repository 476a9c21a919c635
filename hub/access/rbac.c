/* rbac.c - see rbac.h. */
#include "hub/access/rbac.h"

#include "proto/base/map.h"

#include <stdio.h>
#include <string.h>

#define KEY_SIZE (1 + HUB_USER_NAME_SIZE + 1 + 256)

struct role {                /* also for one that is only referred to */
    struct hub_rules *rules; /* NULL: there is none */
    size_t refs;             /* bindings that name it */
    size_t key_len;
    uint8_t key[];
};

struct subject {
    struct subject *next; /* of the same list */
    struct binding *binding;
    struct list *list;
    struct fed_span kind; /* into the binding's text */
    struct fed_span name;
    struct fed_span ns; /* of a ServiceAccount */
};

struct list { /* the bindings of one (subject, namespace) */
    struct subject *first;
    size_t key_len;
    uint8_t key[];
};

struct binding {
    size_t size;
    struct role *role;
    bool cluster_role;
    struct fed_span ns; /* empty: a ClusterRoleBinding */
    struct fed_span name;
    struct fed_span role_name;
    size_t n;
    struct subject subjects[];
};

struct hub_rbac {
    struct fed_alloc *mem;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_subscription *subscriptions[4];
    struct fed_map roles;    /* ns NUL name */
    struct fed_map bindings; /* ns NUL name */
    struct fed_map subjects; /* 'u' or 'g', name, NUL, ns */
};

static const char *const resources[4] = {
    HUB_RBAC_CLUSTER_ROLES, HUB_RBAC_ROLES, HUB_RBAC_CLUSTER_BINDINGS, HUB_RBAC_BINDINGS};

/* ---- keys ---- */
struct key {
    size_t len;
    uint8_t at[KEY_SIZE];
};

static bool key_put(struct key *key, struct fed_span part)
{
    if (part.len > sizeof key->at - key->len)
        return false;
    if (part.len > 0)
        memcpy(key->at + key->len, part.at, part.len);
    key->len += part.len;
    return true;
}

/* FED_ERR_LIMIT for what is longer than any name that is served. */
static enum fed_err key_make(
    struct key *key, const char *kind, struct fed_span first, struct fed_span second)
{
    key->len = 0;
    return key_put(key, fed_span_text(kind)) && key_put(key, first) &&
                   key_put(key, fed_span_of("", 1)) && key_put(key, second)
               ? FED_OK
               : FED_ERR_LIMIT;
}

static struct fed_span key_span(const struct key *key)
{
    return fed_span_of(key->at, key->len);
}

/* ---- roles ---- */
static struct role *role_find(const struct hub_rbac *rbac, struct fed_span ns, struct fed_span name)
{
    struct key key;

    return key_make(&key, "", ns, name) ? NULL : fed_map_get(&rbac->roles, key_span(&key));
}

static struct role *role_get(struct hub_rbac *rbac, struct fed_span ns, struct fed_span name)
{
    struct role *role = role_find(rbac, ns, name);
    struct key key;

    if (role || key_make(&key, "", ns, name))
        return role;
    role = fed_alloc_zero(rbac->mem, sizeof *role + key.len);
    if (!role)
        return NULL;
    role->key_len = key.len;
    memcpy(role->key, key.at, key.len);
    if (fed_map_put(&rbac->roles, key_span(&key), role)) {
        fed_alloc_free(rbac->mem, role, sizeof *role + key.len);
        return NULL;
    }
    return role;
}

static void role_free(struct hub_rbac *rbac, struct role *role)
{
    hub_rules_free(role->rules);
    fed_alloc_free(rbac->mem, role, sizeof *role + role->key_len);
}

/* Forgets one that neither exists nor is named. */
static void role_release(struct hub_rbac *rbac, struct role *role)
{
    if (role->refs > 0 || role->rules)
        return;
    fed_map_remove(&rbac->roles, fed_span_of(role->key, role->key_len));
    role_free(rbac, role);
}

static enum fed_err role_set(
    struct hub_rbac *rbac, const struct hub_object_ref *ref, const struct fed_json *object)
{
    struct role *role =
        object ? role_get(rbac, ref->ns, ref->name) : role_find(rbac, ref->ns, ref->name);
    enum fed_err err = FED_OK;

    if (!role)
        return object ? FED_ERR_NOMEM : FED_OK;
    hub_rules_free(role->rules);
    role->rules = NULL;
    if (object)
        err = hub_rules_read(rbac->mem, fed_json_get(object, "rules"), &role->rules);
    role_release(rbac, role);
    return err;
}

/* ---- bindings ---- */
static void subject_unlink(struct hub_rbac *rbac, struct subject *subject)
{
    struct list *list = subject->list;
    struct subject **at;

    if (!list)
        return;
    for (at = &list->first; *at != subject; at = &(*at)->next)
        ;
    *at = subject->next;
    if (list->first)
        return;
    fed_map_remove(&rbac->subjects, fed_span_of(list->key, list->key_len));
    fed_alloc_free(rbac->mem, list, sizeof *list + list->key_len);
}

static void binding_free(struct hub_rbac *rbac, struct binding *binding)
{
    for (size_t i = 0; i < binding->n; i++)
        subject_unlink(rbac, &binding->subjects[i]);
    if (binding->role) {
        binding->role->refs--;
        role_release(rbac, binding->role);
    }
    fed_alloc_free(rbac->mem, binding, binding->size);
}

static struct list *list_get(struct hub_rbac *rbac, const struct key *key)
{
    struct list *list = fed_map_get(&rbac->subjects, key_span(key));

    if (list)
        return list;
    list = fed_alloc_zero(rbac->mem, sizeof *list + key->len);
    if (!list)
        return NULL;
    list->key_len = key->len;
    memcpy(list->key, key->at, key->len);
    if (fed_map_put(&rbac->subjects, key_span(key), list)) {
        fed_alloc_free(rbac->mem, list, sizeof *list + key->len);
        return NULL;
    }
    return list;
}

/* The key under which a user finds the subject. FED_ERR_UNSUPPORTED: nobody is it. */
static enum fed_err subject_key(const struct subject *subject, struct key *key)
{
    char account[HUB_USER_NAME_SIZE];
    struct fed_span ns = subject->binding->ns;
    int len;

    if (fed_span_is(subject->kind, "User"))
        return key_make(key, "u", subject->name, ns);
    if (fed_span_is(subject->kind, "Group"))
        return key_make(key, "g", subject->name, ns);
    if (!fed_span_is(subject->kind, "ServiceAccount") || subject->ns.len == 0)
        return FED_ERR_UNSUPPORTED;
    len =
        snprintf(account, sizeof account, HUB_SERVICE_ACCOUNT_PREFIX FED_SPAN_FMT ":" FED_SPAN_FMT,
            FED_SPAN_ARG(subject->ns), FED_SPAN_ARG(subject->name));
    return len > 0 && (size_t)len < sizeof account ? key_make(key, "u", fed_span_text(account), ns)
                                                   : FED_ERR_LIMIT;
}

static enum fed_err subject_link(struct hub_rbac *rbac, struct subject *subject)
{
    struct key key;
    enum fed_err err = subject_key(subject, &key);
    struct subject **at;

    if (err)
        return err == FED_ERR_NOMEM ? err : FED_OK; /* it names nobody that can come */
    subject->list = list_get(rbac, &key);
    if (!subject->list)
        return FED_ERR_NOMEM;
    at = &subject->list->first;
    while (*at && fed_span_cmp((*at)->binding->name, subject->binding->name) < 0)
        at = &(*at)->next;
    subject->next = *at;
    *at = subject;
    return FED_OK;
}

static struct fed_span copy(uint8_t **room, struct fed_span text)
{
    uint8_t *at = *room;

    if (text.len > 0)
        memcpy(at, text.at, text.len);
    *room += text.len;
    return fed_span_of(at, text.len);
}

static struct fed_span member(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(object, key));
}

static struct fed_span subject_ns(const struct fed_json *from, struct fed_span binding_ns)
{
    struct fed_span ns = member(from, "namespace");

    return ns.len > 0 ? ns : binding_ns;
}

static size_t binding_text_size(const struct hub_object_ref *ref, const struct fed_json *object)
{
    struct fed_json_iter it;
    size_t size = ref->ns.len + ref->name.len + member(fed_json_get(object, "roleRef"), "name").len;

    fed_json_iter_init(&it, fed_json_get(object, "subjects"));
    while (fed_json_iter_next(&it))
        size += member(it.value, "kind").len + member(it.value, "name").len +
                subject_ns(it.value, ref->ns).len;
    return size;
}

static struct binding *binding_make(
    struct hub_rbac *rbac, const struct hub_object_ref *ref, const struct fed_json *object)
{
    struct fed_json *list = fed_json_get(object, "subjects");
    const struct fed_json *role = fed_json_get(object, "roleRef");
    size_t n = fed_json_is_array(list) ? fed_json_count(list) : 0;
    size_t size =
        sizeof(struct binding) + n * sizeof(struct subject) + binding_text_size(ref, object);
    struct binding *binding = fed_alloc_zero(rbac->mem, size);
    struct fed_json_iter it;
    uint8_t *room;

    if (!binding)
        return NULL;
    room = (uint8_t *)(binding->subjects + n);
    binding->size = size;
    binding->ns = copy(&room, ref->ns);
    binding->name = copy(&room, ref->name);
    binding->role_name = copy(&room, member(role, "name"));
    binding->cluster_role = fed_span_is(member(role, "kind"), "ClusterRole");
    fed_json_iter_init(&it, n > 0 ? list : NULL);
    while (fed_json_iter_next(&it))
        binding->subjects[binding->n++] = (struct subject){.binding = binding,
            .kind = copy(&room, member(it.value, "kind")),
            .name = copy(&room, member(it.value, "name")),
            .ns = copy(&room, subject_ns(it.value, ref->ns))};
    return binding;
}

static enum fed_err binding_index(
    struct hub_rbac *rbac, struct binding *binding, struct fed_span key)
{
    struct fed_span role_ns = binding->cluster_role ? (struct fed_span){0} : binding->ns;
    enum fed_err err = FED_OK;

    binding->role = role_get(rbac, role_ns, binding->role_name);
    if (!binding->role)
        return FED_ERR_NOMEM;
    binding->role->refs++;
    for (size_t i = 0; !err && i < binding->n; i++)
        err = subject_link(rbac, &binding->subjects[i]);
    return err ? err : fed_map_put(&rbac->bindings, key, binding);
}

static enum fed_err binding_set(
    struct hub_rbac *rbac, const struct hub_object_ref *ref, const struct fed_json *object)
{
    struct binding *binding;
    struct key key;
    enum fed_err err = key_make(&key, "", ref->ns, ref->name);

    if (err)
        return err;
    binding = fed_map_remove(&rbac->bindings, key_span(&key));
    if (binding)
        binding_free(rbac, binding);
    if (!object)
        return FED_OK;
    binding = binding_make(rbac, ref, object);
    if (!binding)
        return FED_ERR_NOMEM;
    err = binding_index(rbac, binding, key_span(&key));
    if (err)
        binding_free(rbac, binding);
    return err;
}

/* ---- what is stored ---- */
static bool is_binding(struct fed_span resource)
{
    return fed_span_is(resource, HUB_RBAC_BINDINGS) ||
           fed_span_is(resource, HUB_RBAC_CLUSTER_BINDINGS);
}

/* bytes empty: it is gone. */
static void take(struct hub_rbac *rbac, const struct hub_object_ref *ref, struct fed_span bytes)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object = NULL;
    enum fed_err err = FED_OK;

    if (bytes.len > 0)
        err = fed_json_doc_new(rbac->mem, &doc);
    if (!err && bytes.len > 0)
        err = fed_json_parse(doc, bytes, &object, NULL);
    if (err)
        object = NULL; /* what it granted before goes all the same */
    err = is_binding(ref->resource) ? binding_set(rbac, ref, object) : role_set(rbac, ref, object);
    if (err || (bytes.len > 0 && !object))
        fed_log(rbac->log, FED_LOG_ERROR,
            "access: " FED_SPAN_FMT " " FED_SPAN_FMT
            " grants nothing until it is written again or the hub starts anew: %s",
            FED_SPAN_ARG(ref->resource), FED_SPAN_ARG(ref->name), fed_err_text(err));
    fed_json_doc_free(doc);
}

static bool may_aggregate(struct fed_alloc *mem, struct fed_span bytes)
{
    struct fed_json_doc *doc;
    struct fed_json *object;
    bool may = false;

    if (bytes.len == 0 || fed_json_doc_new(mem, &doc))
        return false;
    if (!fed_json_parse(doc, bytes, &object, NULL))
        may = fed_json_count(fed_json_find(object, "metadata.labels")) > 0 ||
              fed_json_get(object, "aggregationRule");
    fed_json_doc_free(doc);
    return may;
}

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_rbac *rbac = ctx;
    bool gone = change->type == HUB_CHANGE_DELETED;
    struct fed_diag diag = {{0}};

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    take(rbac, &change->ref, gone ? (struct fed_span){0} : change->bytes);
    if (!fed_span_is(change->ref.resource, HUB_RBAC_CLUSTER_ROLES) ||
        (!may_aggregate(rbac->mem, change->bytes) && !may_aggregate(rbac->mem, change->before)))
        return;
    if (hub_rbac_aggregate(rbac->mem, rbac->objects, &diag))
        fed_log(rbac->log, FED_LOG_ERROR,
            "access: aggregated ClusterRoles stay as they are until the next change of one: %s",
            diag.text);
}

static bool take_stored(void *ctx, const struct hub_object *object)
{
    take(ctx, &object->ref, object->bytes);
    return true;
}

enum fed_err hub_rbac_open(struct fed_alloc *mem, struct fed_log *log, struct hub_objects *objects,
    struct hub_rbac **out, struct fed_diag *diag)
{
    struct hub_rbac *rbac = fed_alloc_zero(mem, sizeof *rbac);
    enum fed_err err = FED_OK;

    if (!rbac)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the rules of access");
    rbac->mem = mem;
    rbac->log = log;
    rbac->objects = objects;
    fed_map_init(&rbac->roles, mem);
    fed_map_init(&rbac->bindings, mem);
    fed_map_init(&rbac->subjects, mem);
    for (size_t i = 0; !err && i < 4; i++) {
        struct fed_span resource = fed_span_text(resources[i]);

        err = hub_objects_list(objects, resource, (struct fed_span){0}, NULL, take_stored, rbac);
        if (!err)
            err = hub_objects_subscribe(objects, resource, changed, rbac, &rbac->subscriptions[i]);
    }
    if (err) {
        hub_rbac_close(rbac);
        return fed_diag_set(diag, err, "the rules of access cannot be read: %s", fed_err_text(err));
    }
    *out = rbac;
    return FED_OK;
}

void hub_rbac_close(struct hub_rbac *rbac)
{
    struct fed_map_iter it;

    if (!rbac)
        return;
    for (size_t i = 0; i < 4; i++)
        if (rbac->subscriptions[i])
            hub_objects_unsubscribe(rbac->subscriptions[i]);
    fed_map_iter_init(&it, &rbac->bindings);
    while (fed_map_iter_next(&it))
        binding_free(rbac, it.value);
    fed_map_iter_init(&it, &rbac->roles);
    while (fed_map_iter_next(&it))
        role_free(rbac, it.value);
    fed_map_fini(&rbac->bindings);
    fed_map_fini(&rbac->roles);
    fed_map_fini(&rbac->subjects);
    fed_alloc_free(rbac->mem, rbac, sizeof *rbac);
}

/* ---- what applies to a user ---- */
typedef bool subject_each(void *ctx, const struct subject *subject);

static bool visit_list(const struct hub_rbac *rbac, const char *kind, struct fed_span name,
    struct fed_span ns, subject_each *each, void *ctx)
{
    const struct list *list;
    struct key key;

    if (key_make(&key, kind, name, ns))
        return true;
    list = fed_map_get(&rbac->subjects, key_span(&key));
    for (const struct subject *at = list ? list->first : NULL; at; at = at->next)
        if (!each(ctx, at))
            return false;
    return true;
}

static bool visit_in(const struct hub_rbac *rbac, const struct hub_user *user, struct fed_span ns,
    subject_each *each, void *ctx)
{
    if (!visit_list(rbac, "u", fed_span_text(user->name), ns, each, ctx))
        return false;
    for (size_t i = 0; i < user->n_groups; i++)
        if (!visit_list(rbac, "g", fed_span_text(user->groups[i]), ns, each, ctx))
            return false;
    return true;
}

static void visit(const struct hub_rbac *rbac, const struct hub_user *user, struct fed_span ns,
    subject_each *each, void *ctx)
{
    if (visit_in(rbac, user, (struct fed_span){0}, each, ctx) && ns.len > 0)
        visit_in(rbac, user, ns, each, ctx);
}

struct decision {
    const struct hub_access *access;
    const struct subject *allowed_by;
    struct hub_reason *reason;
    size_t unresolved;
};

static void put_unresolved(struct decision *d, const struct binding *binding)
{
    size_t used = strlen(d->reason->text);

    snprintf(d->reason->text + used, sizeof d->reason->text - used,
        "%s%s.rbac.authorization.k8s.io \"" FED_SPAN_FMT "\" not found",
        d->unresolved++ ? ", " : "", binding->cluster_role ? "clusterrole" : "role",
        FED_SPAN_ARG(binding->role_name));
}

static bool decide(void *ctx, const struct subject *subject)
{
    struct decision *d = ctx;
    const struct hub_rules *rules = subject->binding->role->rules;

    if (!rules && d->reason)
        put_unresolved(d, subject->binding);
    for (size_t i = 0; rules && i < rules->n; i++)
        if (hub_rule_allows(&rules->at[i], d->access)) {
            d->allowed_by = subject;
            return false;
        }
    return true;
}

static void explain(const struct decision *d, struct hub_reason *out)
{
    const struct subject *subject = d->allowed_by;
    const struct binding *binding = subject->binding;
    bool account = fed_span_is(subject->kind, "ServiceAccount");

    snprintf(out->text, sizeof out->text,
        "RBAC: allowed by %s \"" FED_SPAN_FMT "%s" FED_SPAN_FMT "\" of %s \"" FED_SPAN_FMT
        "\" to " FED_SPAN_FMT " \"" FED_SPAN_FMT "%s" FED_SPAN_FMT "\"",
        binding->ns.len ? "RoleBinding" : "ClusterRoleBinding", FED_SPAN_ARG(binding->name),
        binding->ns.len ? "/" : "", FED_SPAN_ARG(binding->ns),
        binding->cluster_role ? "ClusterRole" : "Role", FED_SPAN_ARG(binding->role_name),
        FED_SPAN_ARG(subject->kind), FED_SPAN_ARG(subject->name), account ? "/" : "",
        FED_SPAN_ARG(account ? subject->ns : (struct fed_span){0}));
}

bool hub_rbac_allows(const struct hub_rbac *rbac, const struct hub_user *user,
    const struct hub_access *access, struct hub_reason *reason)
{
    struct decision d = {.access = access, .reason = reason};

    if (reason)
        reason->text[0] = 0;
    visit(rbac, user, access->resource.len > 0 ? access->ns : (struct fed_span){0}, decide, &d);
    if (d.allowed_by && reason)
        explain(&d, reason);
    else if (reason && d.unresolved > 0) {
        char list[sizeof reason->text];

        snprintf(list, sizeof list, "%s", reason->text);
        snprintf(reason->text, sizeof reason->text,
            d.unresolved > 1 ? "RBAC: [%.1100s]" : "RBAC: %.1100s", list);
    }
    return d.allowed_by != NULL;
}

struct rule_walk {
    hub_rbac_each *each;
    void *ctx;
};

static bool walk_rules(void *ctx, const struct subject *subject)
{
    const struct rule_walk *walk = ctx;
    const struct hub_rules *rules = subject->binding->role->rules;

    for (size_t i = 0; rules && i < rules->n; i++)
        if (!walk->each(walk->ctx, &rules->at[i]))
            return false;
    return true;
}

void hub_rbac_rules_of(const struct hub_rbac *rbac, const struct hub_user *user, struct fed_span ns,
    hub_rbac_each *each, void *ctx)
{
    struct rule_walk walk = {each, ctx};

    visit(rbac, user, ns, walk_rules, &walk);
}

static bool is_list_of(const struct list *list, const struct hub_user *user, struct fed_span ns)
{
    struct fed_span have = fed_span_of(list->key, list->key_len);
    struct key key;

    if (!key_make(&key, "u", fed_span_text(user->name), ns) && fed_span_eq(key_span(&key), have))
        return true;
    for (size_t i = 0; i < user->n_groups; i++)
        if (!key_make(&key, "g", fed_span_text(user->groups[i]), ns) &&
            fed_span_eq(key_span(&key), have))
            return true;
    return false;
}

void hub_rbac_namespaces_of(const struct hub_rbac *rbac, const struct hub_user *user,
    hub_rbac_namespace_each *each, void *ctx)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &rbac->subjects);
    while (fed_map_iter_next(&it)) {
        const struct list *list = it.value;
        struct fed_span ns = list->first->binding->ns;

        if (ns.len > 0 && is_list_of(list, user, ns) && !each(ctx, ns))
            return;
    }
}

const struct hub_rules *hub_rbac_role(
    const struct hub_rbac *rbac, bool cluster_role, struct fed_span ns, struct fed_span name)
{
    const struct role *role = role_find(rbac, cluster_role ? (struct fed_span){0} : ns, name);

    return role ? role->rules : NULL;
}
