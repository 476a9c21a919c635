/* builtin.c - the built-in kinds, and the namespaces' finalizer, phase and label. */
#include "hub/api/builtin.h"
#include "hub/api/core.h"
#include "hub/api/internal.h"

#include <string.h>

/* ---- Namespace ---- */
static bool is_permanent(struct fed_span name)
{
    static const char *const permanent[] = {
        "default", "kube-system", "kube-public", HUB_SYSTEM_NAMESPACE};

    for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
        if (fed_span_is(name, permanent[i]))
            return true;
    return false;
}

static bool has_own_finalizer(const struct fed_json *list)
{
    for (size_t i = 0; i < fed_json_count(list); i++)
        if (fed_span_is(fed_json_string(fed_json_at(list, i)), "kubernetes"))
            return true;
    return false;
}

static enum fed_err namespace_new(struct hub_admission *a)
{
    struct fed_json *spec = fed_json_ensure_object(a->doc, a->object, "spec");
    struct fed_json *status = fed_json_ensure_object(a->doc, a->object, "status");
    struct fed_json *finalizers = fed_json_get(spec, "finalizers");
    enum fed_err err = FED_OK;

    if (!spec || !status)
        return FED_ERR_NOMEM;
    if (!finalizers) {
        finalizers = fed_json_new_array(a->doc);
        err = fed_json_set(a->doc, spec, "finalizers", finalizers);
    }
    if (!err && !has_own_finalizer(finalizers))
        err = fed_json_append(finalizers, fed_json_new_text(a->doc, "kubernetes"));
    return err ? err : fed_json_set_text(a->doc, status, "phase", "Active");
}

static enum fed_err namespace_admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct fed_span name = hub_meta(a->object, "name");
    enum fed_err err = FED_OK;

    (void)ctx;
    if (a->operation == HUB_DELETE)
        return is_permanent(name) ? fed_diag_set(diag, FED_ERR_FORBIDDEN,
                                        "namespaces \"" FED_SPAN_FMT
                                        "\" is forbidden: this namespace may not be deleted",
                                        FED_SPAN_ARG(name))
                                  : FED_OK;
    if (a->operation == HUB_CREATE)
        err = namespace_new(a);
    else if (!fed_span_is(a->subresource, "finalize") &&
             fed_json_find(a->before, "spec.finalizers"))
        err = fed_json_set(a->doc, fed_json_ensure_object(a->doc, a->object, "spec"), "finalizers",
            fed_json_clone(a->doc, fed_json_find(a->before, "spec.finalizers")));
    return err;
}

/* ---- all ---- */
static enum fed_err put_builtin(struct fed_alloc *mem, struct hub_kinds *kinds,
    const struct hub_builtin *builtin, struct fed_diag *diag)
{
    struct hub_kind kind = {.n_versions = 0};
    struct fed_json_doc *doc = NULL;
    struct fed_json *spec;
    struct fed_arena arena;
    enum fed_err err;

    fed_arena_init(&arena, mem, 1u << 20);
    err = fed_json_doc_new(&arena.alloc, &doc);
    if (!err)
        err = fed_json_parse(doc, fed_span_of(builtin->text, builtin->len), &spec, diag);
    if (!err)
        err = hub_kind_from_spec(&arena.alloc, kinds, spec, &kind, diag);
    if (!err)
        err = hub_kinds_put(kinds, &kind);
    hub_kind_fini(&kind);
    fed_json_doc_free(doc);
    fed_arena_fini(&arena);
    return err ? fed_diag_prefix(diag, err, "built-in %s", builtin->name) : FED_OK;
}

enum fed_err hub_api_builtin_kinds(
    struct fed_alloc *mem, struct hub_kinds *kinds, struct fed_diag *diag)
{
    static const struct hub_kind_hooks namespace_hooks = {.admit = namespace_admit};
    static const struct hub_kind_hooks event_hooks = {.convert = hub_core_event_convert};
    struct hub_core *core = NULL;
    enum fed_err err = hub_core_open(mem, &core, diag);

    if (!err)
        err = hub_core_kinds(mem, core, kinds, diag);
    for (size_t i = 0; !err && i < hub_builtins_count; i++)
        err = put_builtin(mem, kinds, &hub_builtins[i], diag);
    if (!err)
        err = hub_kinds_hook(kinds, "", "namespaces", &namespace_hooks);
    if (!err)
        err = hub_kinds_hook(kinds, "", "events", &event_hooks);
    if (!err)
        err = hub_kinds_hook(kinds, "events.k8s.io", "events", &event_hooks);
    return err;
}
