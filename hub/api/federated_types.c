/* federated_types.c - see federated_types.h. */
#include "hub/api/federated_parts.h"
#include "hub/api/internal.h"
#include "hub/api/short_form.h"
#include "hub/kubefed/admit.h"

#include <stdio.h>
#include <string.h>

struct type_name { /* which kind a FederatedTypeConfig stands for */
    struct type_name *next;
    char config[254];
    char group[254];
    char plural[64];
};

struct hub_federated_types {
    struct fed_alloc *mem;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct hub_crds *crds;
    struct hub_kind_hooks hooks;
    struct hub_subscription *subscription;
    struct hub_kubefed_config *config; /* NULL: what holds where nothing is said */
    struct type_name *made;
    uint64_t touched; /* revision as of which all of them were told to differ */
};

/* ---- the definitions that were made ---- */

static struct type_name *made_find(struct hub_federated_types *types, struct fed_span config)
{
    for (struct type_name *name = types->made; name; name = name->next)
        if (fed_span_is(config, name->config))
            return name;
    return NULL;
}

static void owner_text(char out[300], struct fed_span config)
{
    snprintf(out, 300, "FederatedTypeConfig " FED_SPAN_FMT, FED_SPAN_ARG(config));
}

/* The definition stays, and its objects: nobody protects it any more. */
static void forget(struct hub_federated_types *types, struct fed_span config)
{
    struct type_name **at = &types->made;
    char owner[300];

    while (*at && !fed_span_is(config, (*at)->config))
        at = &(*at)->next;
    if (*at) {
        struct type_name *name = *at;

        *at = name->next;
        owner_text(owner, config);
        hub_crds_disown(types->crds, owner);
        fed_alloc_free(types->mem, name, sizeof *name);
    }
}

static enum fed_err remember(
    struct hub_federated_types *types, struct fed_span config, const struct fed_json *federated)
{
    struct fed_span group = fed_json_string(fed_json_get(federated, "group"));
    struct fed_span plural = fed_json_string(fed_json_get(federated, "pluralName"));
    struct type_name *name = made_find(types, config);
    enum fed_err err;

    if (name && fed_span_is(plural, name->plural) && fed_span_is(group, name->group))
        return FED_OK;
    forget(types, config);
    name = fed_alloc_zero(types->mem, sizeof *name);
    if (!name)
        return FED_ERR_NOMEM;
    err = fed_span_to_cstr(config, name->config, sizeof name->config);
    if (!err)
        err = fed_span_to_cstr(group, name->group, sizeof name->group);
    if (!err)
        err = fed_span_to_cstr(plural, name->plural, sizeof name->plural);
    if (!err)
        err = hub_kinds_hook(types->kinds, name->group, name->plural, &types->hooks);
    if (err) {
        fed_alloc_free(types->mem, name, sizeof *name);
        return err;
    }
    name->next = types->made;
    types->made = name;
    return FED_OK;
}

static bool is_enabled(const struct fed_json *config)
{
    return fed_span_is(fed_json_string(fed_json_find(config, "spec.propagation")), "Enabled") &&
           hub_meta(config, "deletionTimestamp").len == 0;
}

/* Writes the definition of the federated type, which makes its kind. A type that is disabled needs
 * none: `kubefedctl disable --delete-crd` deletes it before the FederatedTypeConfig. */
static enum fed_err make_kind(struct hub_federated_types *types, struct fed_span config_name,
    const struct fed_json *config, struct fed_diag *diag)
{
    struct fed_buf text;
    char owner[300];
    enum fed_err err = remember(types, config_name, fed_json_find(config, "spec.federatedType"));

    owner_text(owner, config_name);
    if (err || !is_enabled(config)) {
        hub_crds_disown(types->crds, owner);
        return err;
    }
    fed_buf_init(&text, types->mem, 1u << 20);
    err = hub_federated_definition(types->mem, config, &text);
    if (!err)
        err = hub_crds_own(types->crds, fed_buf_span(&text), owner, diag);
    fed_buf_fini(&text);
    return err;
}

static void consider(struct hub_federated_types *types, const struct hub_object_ref *ref,
    struct fed_span bytes, uint64_t revision)
{
    struct fed_json_doc *doc;
    struct fed_json *config;
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (!fed_span_is(ref->ns, HUB_SYSTEM_NAMESPACE))
        return;
    err = fed_json_doc_new(types->mem, &doc);
    if (!err) {
        err = fed_json_parse(doc, bytes, &config, &diag);
        if (!err)
            err = make_kind(types, ref->name, config, &diag);
        if (!err)
            err = hub_federated_config_finish(types->objects, types->mem, ref, config, revision);
        fed_json_doc_free(doc);
    }
    if (err)
        fed_log(types->log, FED_LOG_ERROR,
            "api: FederatedTypeConfig " FED_SPAN_FMT ": %s; its type is not served",
            FED_SPAN_ARG(ref->name), diag.text[0] ? diag.text : fed_err_text(err));
}

static void touch_all(void *ctx);

static void changed(void *ctx, const struct hub_change *change)
{
    struct hub_federated_types *types = ctx;

    bool namespaces = fed_span_is(change->ref.name, "namespaces");

    if (change->type == HUB_CHANGE_TOUCHED)
        return;
    if (change->type == HUB_CHANGE_DELETED && fed_span_is(change->ref.ns, HUB_SYSTEM_NAMESPACE))
        forget(types, change->ref.name);
    if (change->type != HUB_CHANGE_DELETED)
        consider(types, &change->ref, change->bytes, change->revision);
    if (namespaces && change->type != HUB_CHANGE_MODIFIED)
        touch_all(types);
}

/* The store may not be changed while it lists: the objects are copied first. */
struct stored {
    struct stored *next;
    struct fed_buf name;
    struct fed_buf ns;
    struct fed_buf bytes;
    uint64_t revision;
};
struct all_stored {
    struct fed_alloc *mem;
    struct stored *list;
    enum fed_err err;
};

static bool take_stored(void *ctx, const struct hub_object *object)
{
    struct all_stored *all = ctx;
    struct stored *one = fed_alloc_zero(all->mem, sizeof *one);

    if (!one) {
        all->err = FED_ERR_NOMEM;
        return false;
    }
    fed_buf_init(&one->name, all->mem, 1024);
    fed_buf_init(&one->ns, all->mem, 1024);
    fed_buf_init(&one->bytes, all->mem, HUB_OBJECT_BYTES_MAX);
    fed_buf_put(&one->name, object->ref.name);
    fed_buf_put(&one->ns, object->ref.ns);
    fed_buf_put(&one->bytes, object->bytes);
    one->revision = object->revision;
    one->next = all->list;
    all->list = one;
    all->err = fed_buf_err(&one->bytes);
    return !all->err;
}

static enum fed_err consider_stored(struct hub_federated_types *types)
{
    struct all_stored all = {.mem = types->mem};
    enum fed_err err = hub_objects_list(types->objects, FED_SPAN_LIT(HUB_TYPE_CONFIGS),
        (struct fed_span){0}, NULL, take_stored, &all);

    while (all.list) {
        struct stored *one = all.list;
        struct hub_object_ref ref = {
            FED_SPAN_LIT(HUB_TYPE_CONFIGS), fed_buf_span(&one->ns), fed_buf_span(&one->name)};

        if (!err && !all.err)
            consider(types, &ref, fed_buf_span(&one->bytes), one->revision);
        all.list = one->next;
        fed_buf_fini(&one->name);
        fed_buf_fini(&one->ns);
        fed_buf_fini(&one->bytes);
        fed_alloc_free(types->mem, one, sizeof *one);
    }
    return err ? err : all.err;
}

/* ---- hooks of FederatedTypeConfig itself ---- */
static enum fed_err refuse(
    struct hub_admission *a, struct fed_diag *diag, const char *field, const char *why)
{
    snprintf(a->field, sizeof a->field, "%s", field);
    return fed_diag_set(diag, FED_ERR_INVALID, "%s", why);
}

/* A kind of that name which is not, and cannot become, this config's: another's, one of another
 * make, or one that Kubernetes defines. */
static bool is_taken(struct hub_federated_types *types, const struct hub_kind *kind,
    struct fed_span config, const struct fed_json *federated)
{
    const char *owner = hub_crds_owner(types->crds, fed_span_text(kind->resource));
    bool namespaced = fed_span_is(fed_json_string(fed_json_get(federated, "scope")), "Namespaced");
    char own[300];

    owner_text(own, config);
    return !kind->custom || (owner && strcmp(owner, own) != 0) || kind->namespaced != namespaced ||
           !fed_span_is(fed_json_string(fed_json_get(federated, "kind")), kind->kind);
}

static enum fed_err check_config(struct hub_federated_types *types, struct hub_admission *a,
    const struct fed_json *spec, struct fed_diag *diag)
{
    const struct fed_json *federated = fed_json_get(spec, "federatedType");
    struct fed_span group = fed_json_string(fed_json_get(federated, "group"));
    struct fed_span plural = fed_json_string(fed_json_get(federated, "pluralName"));
    struct fed_span config = hub_meta(a->object, "name");
    const struct hub_kind *kind = hub_kinds_find(types->kinds, group, plural);

    if (kind && is_taken(types, kind, config, federated))
        return refuse(a, diag, "spec.federatedType.pluralName",
            "Invalid value: another kind has this name already");
    return FED_OK;
}

static enum fed_err put_status(
    struct hub_federated_types *types, struct fed_json_doc *doc, struct fed_json *config)
{
    struct hub_kubefed_settings settings =
        types->config ? hub_kubefed_config_now(types->config) : hub_kubefed_settings_otherwise();

    return hub_federated_config_status(
        doc, config, &settings, made_find(types, FED_SPAN_LIT("namespaces")) != NULL);
}

static enum fed_err config_admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    enum fed_err err = hub_kubefed_admit_type(NULL, a, diag);

    if (err || a->operation == HUB_DELETE || a->subresource.len > 0)
        return err;
    err = check_config(ctx, a, fed_json_get(a->object, "spec"), diag);
    if (!err)
        err = hub_federated_config_keep(a);
    return err ? err : put_status(ctx, a->doc, a->object); /* for patches of the status */
}

static enum fed_err config_compose(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_federated_types *types = ctx;

    (void)ref;
    if (types->touched > *revision)
        *revision = types->touched;
    return put_status(types, doc, object);
}

/* What all types depend on has changed: whoever watches them is told. */
struct touching {
    struct hub_federated_types *types;
    struct fed_buf names; /* one per line: nothing may be touched while they are listed */
};

static bool note_name(void *ctx, const struct hub_object *object)
{
    struct touching *t = ctx;

    if (fed_span_is(object->ref.ns, HUB_SYSTEM_NAMESPACE)) {
        fed_buf_put(&t->names, object->ref.name);
        fed_buf_put_u8(&t->names, '\n');
    }
    return true;
}

static void touch_all(void *ctx)
{
    struct touching t = {.types = ctx};
    struct fed_span rest;
    struct fed_span name;

    fed_buf_init(&t.names, t.types->mem, HUB_OBJECT_BYTES_MAX);
    t.types->touched = hub_objects_revision(t.types->objects);
    if (!hub_objects_list(t.types->objects, FED_SPAN_LIT(HUB_TYPE_CONFIGS), (struct fed_span){0},
            NULL, note_name, &t)) {
        rest = fed_buf_span(&t.names);
        while (fed_span_split(&rest, '\n', &name)) {
            struct hub_object_ref ref = {
                FED_SPAN_LIT(HUB_TYPE_CONFIGS), FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), name};

            hub_objects_touch(t.types->objects, &ref, t.types->touched);
        }
    }
    fed_buf_fini(&t.names);
}

void hub_federated_types_follow(
    struct hub_federated_types *types, struct hub_kubefed_config *config)
{
    types->config = config;
    hub_kubefed_config_on_change(config, touch_all, types);
}

/* ---- open ---- */
enum fed_err hub_federated_types_open(struct fed_alloc *mem, struct fed_log *log,
    struct hub_objects *objects, struct hub_kinds *kinds, struct hub_crds *crds,
    const struct hub_kind_hooks *hooks, struct hub_federated_types **out, struct fed_diag *diag)
{
    struct hub_federated_types *types = fed_alloc_zero(mem, sizeof *types);
    struct hub_kind_hooks own = {.ctx = types,
        .admit = config_admit,
        .fill = hub_kubefed_fill_type,
        .compose = config_compose};
    enum fed_err err = types ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return fed_diag_set(diag, err, "no memory for federated types");
    types->mem = mem;
    types->log = log;
    types->objects = objects;
    types->kinds = kinds;
    types->crds = crds;
    types->hooks = *hooks;
    types->hooks.convert = hub_short_form_convert;
    err = hub_kinds_hook(kinds, "core.kubefed.io", "federatedtypeconfigs", &own);
    if (!err)
        err = hub_objects_subscribe(
            objects, FED_SPAN_LIT(HUB_TYPE_CONFIGS), changed, types, &types->subscription);
    if (!err)
        err = consider_stored(types);
    if (err) {
        hub_federated_types_close(types);
        return fed_diag_prefix(diag, err, "federated types");
    }
    *out = types;
    return FED_OK;
}

void hub_federated_types_close(struct hub_federated_types *types)
{
    if (!types)
        return;
    hub_objects_unsubscribe(types->subscription);
    while (types->made) {
        struct type_name *name = types->made;

        types->made = name->next;
        fed_alloc_free(types->mem, name, sizeof *name);
    }
    fed_alloc_free(types->mem, types, sizeof *types);
}
