/* plan_file.c - see plan.h: the file, and its objects as the hub would store them.
 *
 * Each is written as a dry run, as `kubectl replace` or `create` would write it, so that
 * validation, defaults and rights are those of the real write. */
#include "cli/plan.h"

#include "ports/yaml.h"
#include "proto/base/text.h"

#include <string.h>

#define FILE_BYTES_MAX (16u << 20)
#define WRITE_QUERY "dryRun=All&fieldManager=fedctl&fieldValidation=Strict"
#define PREFERENCES "/apis/scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences"

/* ---- the file ---- */
static void add_document(struct plan *p, struct fed_json *object)
{
    struct fed_json_iter it;

    if (p->err)
        return;
    if (!fed_span_is(fed_json_string(fed_json_get(object, "kind")), "List")) {
        p->err = fed_json_append(p->documents, fed_json_clone(p->look->cli->doc, object));
        return;
    }
    fed_json_iter_init(&it, fed_json_get(object, "items"));
    while (!p->err && fed_json_iter_next(&it))
        p->err = fed_json_append(p->documents, fed_json_clone(p->look->cli->doc, it.value));
}

static bool take_document(void *ctx, size_t index, struct fed_span json)
{
    struct plan *p = ctx;
    struct fed_json *object = NULL;

    p->err = fed_json_parse(p->look->cli->doc, json, &object, &p->diag);
    if (!p->err && !fed_json_is_object(object))
        p->err =
            fed_diag_set(&p->diag, FED_ERR_INVALID, "document %zu is not an object", index + 1);
    add_document(p, object);
    return !p->err;
}

enum fed_err plan_read(struct plan *p)
{
    struct cli *cli = p->look->cli;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, cli->mem, FILE_BYTES_MAX);
    err = cli_read_file(cli, p->look->file, &text, &p->diag);
    if (!err)
        err = fed_yaml_each_json(cli->mem, fed_buf_span(&text), take_document, p, &p->diag);
    fed_buf_fini(&text);
    return p->err ? p->err : err;
}

/* ---- as they would be stored ---- */
static bool is_namespace(const struct fed_json *object)
{
    return fed_span_is(fed_json_string(fed_json_get(object, "kind")), "Namespace") &&
           fed_span_is(fed_json_string(fed_json_get(object, "apiVersion")), "v1");
}

static const struct look_kind *kind_of(const struct plan *p, const struct fed_json *object)
{
    struct fed_span api_version = fed_json_string(fed_json_get(object, "apiVersion"));
    struct fed_span group = fed_span_sub(api_version, 0, fed_span_find(api_version, '/'));

    for (size_t i = 0; i < p->look->n_kinds; i++)
        if (fed_span_eq(p->look->kinds[i].group, group) &&
            fed_span_eq(p->look->kinds[i].kind, fed_json_string(fed_json_get(object, "kind"))))
            return &p->look->kinds[i];
    return NULL;
}

/* Whether the file itself brings the namespace, so that nothing in it can be written yet. */
static bool brings_namespace(const struct plan *p, struct fed_span ns)
{
    for (struct fed_json_iter it = fed_json_items(p->documents); fed_json_iter_next(&it);) {
        const struct fed_json *object = it.value;

        if (is_namespace(object) &&
            fed_span_eq(fed_json_string(fed_json_find(object, "metadata.name")), ns))
            return true;
    }
    return false;
}

static enum fed_err give_namespace(
    struct plan *p, const struct look_kind *kind, const char *ns, struct fed_json *object)
{
    struct fed_json *metadata = fed_json_ensure_object(p->look->cli->doc, object, "metadata");

    if (!metadata)
        return FED_ERR_NOMEM;
    if (!kind || !kind->namespaced || fed_json_string(fed_json_get(metadata, "namespace")).len > 0)
        return FED_OK;
    return fed_json_set_text(p->look->cli->doc, metadata, "namespace", ns);
}

static enum fed_err put_path(struct plan *p, const struct look_kind *kind,
    const struct fed_json *object, bool named, struct fed_buf *out)
{
    const char *name = look_text(p->look, fed_json_find(object, "metadata.name"));
    const char *ns = look_text(p->look, fed_json_find(object, "metadata.namespace"));

    if (!cli_is_name(name) || (kind && kind->namespaced && !cli_is_name(ns)))
        return fed_diag_set(&p->diag, FED_ERR_INVALID, "it has no name, or none that may be");
    if (kind)
        look_path(kind, ns, named ? name : NULL, out);
    else
        fed_buf_printf(out, "/api/v1/namespaces%s%s", named ? "/" : "", named ? name : "");
    return fed_buf_err(out);
}

static enum fed_err ask(struct plan *p, const struct look_kind *kind, const char *method,
    const struct fed_json *object, struct fed_json **answer)
{
    bool reads = strcmp(method, "GET") == 0;
    struct fed_buf path;
    struct fed_buf body;
    enum fed_err err;

    fed_buf_init(&path, p->look->cli->mem, 4096);
    fed_buf_init(&body, p->look->cli->mem, FED_JSON_BYTES_MAX);
    err = put_path(p, kind, object, strcmp(method, "POST") != 0, &path);
    if (!reads)
        fed_buf_put_text(&path, "?" WRITE_QUERY);
    if (!err && !reads)
        err = fed_json_put(&body, object);
    if (!err)
        err = cli_ask(p->look->cli, method, fed_buf_cstr(&path), reads ? NULL : "application/json",
            fed_buf_span(&body), answer, &p->diag);
    fed_buf_fini(&path);
    fed_buf_fini(&body);
    return err;
}

/* The object as the hub would store it in place of the present one; *now is that, NULL when there
 * is none. */
static enum fed_err dry_run(struct plan *p, const struct look_kind *kind, struct fed_json *object,
    struct fed_json **now, struct fed_json **out)
{
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *metadata = fed_json_get(object, "metadata");
    struct fed_json *present = NULL;
    enum fed_err err = ask(p, kind, "GET", object, &present);

    *now = err ? NULL : present;
    *out = object;
    fed_json_remove(object, "status");
    fed_json_remove(metadata, "resourceVersion");
    if (!err)
        err = fed_json_set(doc, metadata, "resourceVersion",
            fed_json_clone(doc, fed_json_find(present, "metadata.resourceVersion")));
    if (!err)
        return ask(p, kind, "PUT", object, out);
    if (err != FED_ERR_NOT_FOUND)
        return err;
    err = ask(p, kind, "POST", object, out);
    if (err == FED_ERR_NOT_FOUND &&
        brings_namespace(p, fed_json_string(fed_json_get(metadata, "namespace")))) {
        *out = object;
        return FED_OK;
    }
    return err;
}

/* ---- one document ---- */
static bool is_a(const struct fed_json *object, const char *group, const char *kind)
{
    struct fed_span version = fed_json_string(fed_json_get(object, "apiVersion"));

    return fed_span_is(fed_json_string(fed_json_get(object, "kind")), kind) &&
           fed_span_is(fed_span_sub(version, 0, fed_span_find(version, '/')), group);
}

static void say(const struct fed_json *object, const char *why)
{
    fprintf(stderr, FED_SPAN_FMT " " FED_SPAN_FMT ": %s\n",
        FED_SPAN_ARG(fed_json_string(fed_json_get(object, "kind"))),
        FED_SPAN_ARG(fed_json_string(fed_json_find(object, "metadata.name"))), why);
}

static enum fed_err take_federated(struct plan *p, struct fed_json *object)
{
    const struct look_kind *kind = kind_of(p, object);
    struct fed_json *now = NULL;
    struct fed_json *stored = NULL;
    enum fed_err err = give_namespace(p, kind, look_ns(p->look), object);

    if (!err)
        err = dry_run(p, kind, object, &now, &stored);
    if (err)
        return err;
    fed_json_remove(stored, "status");
    return fed_json_append(p->objects, fed_json_clone(p->look->cli->doc, stored));
}

static enum fed_err take_policy(struct plan *p, struct fed_json *object)
{
    const struct look_kind kind = {.group = FED_SPAN_LIT("fedlet.io"),
        .version = FED_SPAN_LIT("v1alpha1"),
        .plural = FED_SPAN_LIT("placementpolicies")};
    struct fed_json *now = NULL;
    struct fed_json *stored = NULL;
    enum fed_err err = dry_run(p, &kind, object, &now, &stored);

    if (err)
        return err;
    fed_json_remove(stored, "status");
    return fed_json_append(p->policies, fed_json_clone(p->look->cli->doc, stored));
}

/* What is put onto a cluster, and as null what is taken off, to make one set of labels of the
 * other. */
static enum fed_err put_labels(struct fed_json_doc *doc, const struct fed_json *now,
    const struct fed_json *next, struct fed_json *out)
{
    enum fed_err err = out ? FED_OK : FED_ERR_NOMEM;

    for (struct fed_json_iter it = fed_json_each(next); !err && fed_json_iter_next(&it);)
        if (!fed_json_eq(fed_json_get_span(now, it.key), it.value))
            err = fed_json_set_span(doc, out, it.key, fed_json_clone(doc, it.value));
    for (struct fed_json_iter it = fed_json_each(now); !err && fed_json_iter_next(&it);)
        if (!fed_json_get_span(next, it.key))
            err = fed_json_set_span(doc, out, it.key, fed_json_new_null(doc));
    return err;
}

static enum fed_err take_cluster(struct plan *p, struct fed_json *object)
{
    const struct look_kind kind = {.group = FED_SPAN_LIT("core.kubefed.io"),
        .version = FED_SPAN_LIT("v1beta1"),
        .plural = FED_SPAN_LIT("kubefedclusters"),
        .namespaced = true};
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_json *now = NULL;
    struct fed_json *stored = NULL;
    struct fed_json *change = fed_json_new_object(doc);
    enum fed_err err =
        change ? give_namespace(p, &kind, CLI_SYSTEM_NAMESPACE, object) : FED_ERR_NOMEM;

    if (!err)
        err = dry_run(p, &kind, object, &now, &stored);
    if (err)
        return err;
    if (!now) {
        say(object, "not registered yet: what would go there is not foreseen");
        return FED_OK;
    }
    err = fed_json_set_string(
        doc, change, "name", fed_json_string(fed_json_find(stored, "metadata.name")));
    if (!err)
        err = put_labels(doc, fed_json_find(now, "metadata.labels"),
            fed_json_find(stored, "metadata.labels"),
            fed_json_ensure_object(doc, change, "labels"));
    return err ? err : fed_json_append(p->clusters, change);
}

/* ---- preferences ---- */
enum fed_err plan_key(
    struct fed_span kind, struct fed_span ns, struct fed_span name, struct fed_buf *out)
{
    fed_buf_put(out, kind);
    fed_buf_put_u8(out, ' ');
    fed_buf_put(out, ns);
    fed_buf_put_u8(out, '/');
    fed_buf_put(out, name);
    return fed_buf_err(out);
}

static void note_preference(void *ctx, struct fed_json *preference)
{
    struct plan *p = ctx;
    struct fed_json_doc *doc = p->look->cli->doc;
    struct fed_span ns = fed_json_string(fed_json_find(preference, "metadata.namespace"));
    struct fed_buf key;
    enum fed_err err;

    fed_buf_init(&key, p->look->cli->mem, 4096);
    err = plan_key(fed_json_string(fed_json_find(preference, "spec.targetKind")),
        ns.len > 0 ? ns : fed_span_text(look_ns(p->look)),
        fed_json_string(fed_json_find(preference, "metadata.name")), &key);
    if (!err)
        err = fed_json_set_span(doc, p->scaled, fed_buf_span(&key), fed_json_new_bool(doc, true));
    fed_buf_fini(&key);
    if (err && !p->err)
        p->err = err;
}

/* Which objects the hub scales. Who may not read that is told so. */
static void read_preferences(struct plan *p)
{
    enum fed_err err = look_list(p->look, PREFERENCES, note_preference, p, &p->diag);

    if (err == FED_ERR_FORBIDDEN)
        fprintf(stderr,
            "ReplicaSchedulingPreferences may not be read; where one scales an object, how it "
            "shares replicas anew is not foreseen, and that is not marked\n");
    else if (err != FED_ERR_NOT_FOUND && err && !p->err)
        p->err = err;
}

/* ---- all ---- */
static enum fed_err take_object(struct plan *p, struct fed_json *object)
{
    if (is_a(object, "fedlet.io", "PlacementPolicy"))
        return take_policy(p, object);
    if (is_a(object, "core.kubefed.io", "KubeFedCluster"))
        return take_cluster(p, object);
    if (kind_of(p, object) || is_namespace(object))
        return take_federated(p, object);
    if (is_a(object, "scheduling.kubefed.io", "ReplicaSchedulingPreference")) {
        note_preference(p, object);
        say(object,
            "how it would share replicas is not foreseen; `fedctl plan replicas` runs its planner");
    } else if (is_a(object, "fedlet.io", "RolloutPolicy")) {
        say(object,
            "left out of the plan, which goes by the RolloutPolicies that the hub has now; store "
            "it to see what it means");
    } else {
        say(object, "not federated, nothing of it goes to clusters");
    }
    return FED_OK;
}

void plan_take(struct plan *p)
{
    size_t n = fed_json_count(p->documents);

    p->err = FED_OK;
    read_preferences(p);
    for (struct fed_json_iter it = fed_json_items(p->documents); fed_json_iter_next(&it);) {
        enum fed_err err;

        if (n > 10)
            cli_progress("checking", it.index + 1, n);
        p->diag.text[0] = 0;
        err = take_object(p, it.value);
        if (!err)
            continue;
        p->refused++;
        cli_fail(FED_SPAN_FMT " " FED_SPAN_FMT ": %s",
            FED_SPAN_ARG(fed_json_string(fed_json_get(it.value, "kind"))),
            FED_SPAN_ARG(fed_json_string(fed_json_find(it.value, "metadata.name"))),
            cli_why(&p->diag, err));
    }
    if (n > 10)
        cli_progress("", 0, 0);
}
