/* policies.c - the RolloutPolicies, which of them governs an object, their admission and status. */
#include "hub/rollout/internal.h"
#include "proto/base/bisect.h"

#include <stdio.h>
#include <string.h>

/* ---- the list ---- */

struct among_policies {
    const struct hub_rollouts *r;
    struct fed_span ns, name;
};

static int order_of_policies(const void *ctx, size_t index)
{
    const struct among_policies *among = ctx;
    const struct rollout_policy *policy = among->r->policies[index];
    int order = fed_span_cmp(fed_span_text(policy->ns), among->ns);

    return order ? order : fed_span_cmp(fed_span_text(policy->name), among->name);
}

static bool policy_index(
    const struct hub_rollouts *r, struct fed_span ns, struct fed_span name, size_t *index)
{
    struct among_policies among = {r, ns, name};

    return fed_bisect(r->n_policies, order_of_policies, &among, index);
}

struct rollout_policy *rollout_policy_find(
    struct hub_rollouts *r, struct fed_span ns, struct fed_span name)
{
    size_t index;

    return policy_index(r, ns, name, &index) ? r->policies[index] : NULL;
}

static void policy_free(struct hub_rollouts *r, struct rollout_policy *policy)
{
    hub_rollout_rules_free(policy->rules);
    fed_alloc_free(r->mem, policy, sizeof *policy);
}

static enum fed_err policy_add(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct rollout_policy **out)
{
    struct rollout_policy **all;
    struct rollout_policy *policy;
    size_t index;
    enum fed_err err;

    all = fed_alloc_more(r->mem, r->policies, r->n_policies, &r->cap_policies, sizeof *all, 8);
    if (!all)
        return FED_ERR_NOMEM;
    r->policies = all;
    policy = fed_alloc_zero(r->mem, sizeof *policy);
    if (!policy)
        return FED_ERR_NOMEM;
    err = fed_span_to_cstr(ref->ns, policy->ns, sizeof policy->ns);
    if (!err)
        err = fed_span_to_cstr(ref->name, policy->name, sizeof policy->name);
    if (err) {
        policy_free(r, policy);
        return err;
    }
    policy->may_select = true; /* until it was read */
    policy_index(r, ref->ns, ref->name, &index);
    memmove(&r->policies[index + 1], &r->policies[index],
        (r->n_policies - index) * sizeof *r->policies);
    r->policies[index] = policy;
    r->n_policies++;
    *out = policy;
    return FED_OK;
}

void rollout_policies_fini(struct hub_rollouts *r)
{
    for (size_t i = 0; i < r->n_policies; i++)
        policy_free(r, r->policies[i]);
    fed_alloc_free(r->mem, r->policies, r->cap_policies * sizeof *r->policies);
    r->policies = NULL;
    r->n_policies = r->cap_policies = 0;
}

/* ---- what is stored ---- */

static enum fed_err take_rules(
    struct hub_rollouts *r, struct rollout_policy *policy, const struct fed_json *object)
{
    struct hub_rollout_rules *rules = NULL;
    struct fed_diag diag = {""};
    char field[HUB_ROLLOUT_FIELD_MAX] = "";
    enum fed_err err =
        hub_rollout_rules_read(r->mem, fed_json_get(object, "spec"), &rules, field, &diag);

    if (err == FED_ERR_NOMEM)
        return err;
    policy->message[0] = '\0';
    if (err) {
        snprintf(policy->message, sizeof policy->message, "%.120s: %.300s", field, diag.text);
        fed_log(r->log, FED_LOG_ERROR,
            "rollouts: RolloutPolicy %s/%s is not in force: %s; changes of its objects wait",
            policy->ns, policy->name, policy->message);
    }
    hub_rollout_rules_free(policy->rules);
    policy->rules = rules;
    policy->may_select = !rules && fed_json_find(object, "spec.selector");
    policy->generation = fed_json_int(fed_json_find(object, "metadata.generation"), 0);
    return FED_OK;
}

/* What is stored cannot be read: what it may select, nobody knows. */
static enum fed_err take_nothing(
    struct hub_rollouts *r, struct rollout_policy *policy, const char *why)
{
    hub_rollout_rules_free(policy->rules);
    policy->rules = NULL;
    policy->may_select = true;
    snprintf(policy->message, sizeof policy->message, "it cannot be read: %.300s", why);
    fed_log(r->log, FED_LOG_ERROR,
        "rollouts: RolloutPolicy %s/%s is not in force: %s; changes of its namespace's objects "
        "wait until it is written anew, or deleted",
        policy->ns, policy->name, policy->message);
    return FED_OK;
}

enum fed_err rollout_policy_put(
    struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span bytes)
{
    struct rollout_policy *policy = rollout_policy_find(r, ref->ns, ref->name);
    struct fed_diag diag = {""};
    struct fed_json_doc *doc;
    struct fed_json *object;
    enum fed_err err = fed_json_doc_new(r->mem, &doc);

    if (err)
        return err;
    err = policy ? FED_OK : policy_add(r, ref, &policy);
    if (!err)
        err = fed_json_parse(doc, bytes, &object, &diag);
    if (!err)
        err = take_rules(r, policy, object);
    else if (policy && err != FED_ERR_NOMEM)
        err = take_nothing(r, policy, diag.text);
    fed_json_doc_free(doc);
    return err;
}

struct rereading {
    struct hub_rollouts *r;
    enum fed_err err;
};

static bool reread(void *ctx, const struct hub_object *object)
{
    struct rereading *reading = ctx;

    reading->err = rollout_policy_put(reading->r, &object->ref, object->bytes);
    return !reading->err;
}

enum fed_err rollout_policies_ready(struct hub_rollouts *r)
{
    struct rereading reading = {.r = r};
    enum fed_err err;

    if (!r->unread)
        return FED_OK;
    err = hub_objects_list(
        r->objects, fed_span_text(HUB_ROLLOUT_POLICIES), fed_span_text(""), NULL, reread, &reading);
    err = err ? err : reading.err;
    r->unread = err != FED_OK;
    return err;
}

/* Objects that it governed are to be looked at again before anything else. */
void rollout_policy_remove(struct hub_rollouts *r, const struct hub_object_ref *ref)
{
    size_t index;

    if (!policy_index(r, ref->ns, ref->name, &index))
        return;
    policy_free(r, r->policies[index]);
    r->n_policies--;
    memmove(&r->policies[index], &r->policies[index + 1],
        (r->n_policies - index) * sizeof *r->policies);
}

/* ---- who governs ---- */

static void blocked(struct rollout_governor *out, const char *reason)
{
    out->policy = NULL;
    out->blocked = true;
    snprintf(out->reason, sizeof out->reason, "%s", reason);
}

static void by_name(struct hub_rollouts *r, const struct hub_object_ref *ref, struct fed_span name,
    struct rollout_governor *out)
{
    out->policy = rollout_policy_find(r, ref->ns, name);
    if (!out->policy) {
        blocked(out, "PolicyNotFound");
        snprintf(out->message, sizeof out->message,
            "the annotation " HUB_ROLLOUT_POLICY_ANNOTATION " names RolloutPolicy \"" FED_SPAN_FMT
            "\", which is not there: make it, or name another one",
            FED_SPAN_ARG(fed_span_sub(name, 0, 253)));
    } else if (!out->policy->rules) {
        snprintf(out->message, sizeof out->message,
            "RolloutPolicy \"%s\" is not in force: %.300s: correct it, or name another one by the "
            "annotation " HUB_ROLLOUT_POLICY_ANNOTATION,
            out->policy->name, out->policy->message);
        blocked(out, "PolicyInvalid");
    }
}

/* Nobody can say whether it selects the object: so nothing is let out, rather than everywhere. */
static void invalid(struct rollout_governor *out, const struct rollout_policy *policy)
{
    blocked(out, "PolicyInvalid");
    snprintf(out->message, sizeof out->message,
        "RolloutPolicy \"%s\" is not in force, and may select the object: %.300s: correct or "
        "delete it, or name another one by the annotation " HUB_ROLLOUT_POLICY_ANNOTATION,
        policy->name, policy->message[0] ? policy->message : "it could not be read");
}

static void conflict(struct rollout_governor *out, const struct rollout_policy *a,
    const struct rollout_policy *b, size_t n)
{
    blocked(out, ROLLOUT_CONFLICT);
    snprintf(out->message, sizeof out->message,
        "%zu RolloutPolicies select the object, %.200s and %.200s among them: name the one that is "
        "meant by the annotation " HUB_ROLLOUT_POLICY_ANNOTATION ", or change their selectors",
        n, a->name, b->name);
}

void rollout_govern(struct hub_rollouts *r, const struct hub_object_ref *ref,
    const struct fed_json *metadata, struct rollout_governor *out)
{
    const struct fed_json *named =
        fed_json_get(fed_json_get(metadata, "annotations"), HUB_ROLLOUT_POLICY_ANNOTATION);
    const struct fed_json *labels = fed_json_get(metadata, "labels");
    const struct rollout_policy *wrong = NULL;
    struct rollout_policy *second = NULL;
    size_t n = 0;
    size_t i;

    *out = (struct rollout_governor){.policy = NULL};
    if (fed_json_is_string(named)) {
        if (fed_json_string(named).len > 0)
            by_name(r, ref, fed_json_string(named), out);
        return;
    }
    policy_index(r, ref->ns, fed_span_text(""), &i);
    for (; i < r->n_policies && fed_span_is(ref->ns, r->policies[i]->ns); i++) {
        struct rollout_policy *policy = r->policies[i];

        if (!policy->rules && policy->may_select)
            wrong = policy;
        if (!policy->rules || !hub_rollout_rules_select(policy->rules, labels))
            continue;
        if (n == 0)
            out->policy = policy;
        else if (n == 1)
            second = policy;
        n++;
    }
    if (n == 0 && wrong)
        invalid(out, wrong);
    if (n > 1)
        conflict(out, out->policy, second, n);
}

/* ---- admission and status ---- */

void rollout_policies_moved(struct hub_rollouts *r, struct fed_span ns)
{
    size_t i;

    policy_index(r, ns, fed_span_text(""), &i);
    for (; i < r->n_policies && fed_span_is(ns, r->policies[i]->ns); i++)
        r->policies[i]->untold = r->untold = true;
}

void rollout_policies_tell(struct hub_rollouts *r)
{
    if (!r->untold)
        return;
    r->untold = false;
    for (size_t i = 0; i < r->n_policies; i++) {
        struct rollout_policy *policy = r->policies[i];
        struct hub_object_ref ref = {FED_SPAN_LIT(HUB_ROLLOUT_POLICIES), fed_span_text(policy->ns),
            fed_span_text(policy->name)};

        if (!policy->untold)
            continue;
        policy->untold = false;
        policy->told_revision = hub_objects_revision(r->objects);
        hub_objects_touch(r->objects, &ref, policy->told_revision);
    }
}

static size_t in_namespace(const struct hub_rollouts *r, struct fed_span ns)
{
    size_t first;
    size_t n = 0;

    policy_index(r, ns, fed_span_text(""), &first);
    while (first + n < r->n_policies && fed_span_is(ns, r->policies[first + n]->ns))
        n++;
    return n;
}

/* A namespace that goes takes what is governed before what governs it: the other way round changes
 * that wait would go everywhere on their last day. People may take a policy away at any time. */
static enum fed_err admit_delete(
    struct hub_rollouts *r, const struct hub_admission *admission, struct fed_diag *diag)
{
    struct fed_span ns = fed_json_string(fed_json_find(admission->object, "metadata.namespace"));
    struct fed_span name = fed_json_string(fed_json_find(admission->object, "metadata.name"));
    struct fed_map_iter it;

    if (!fed_span_is(admission->user, "system:namespace-controller"))
        return FED_OK;
    fed_map_iter_init(&it, &r->subjects);
    while (fed_map_iter_next(&it)) {
        const struct rollout_subject *s = it.value;

        if (fed_span_eq(s->ref.ns, ns) && (s->blocked || fed_span_is(name, s->policy)) && !s->going)
            return fed_diag_set(diag, FED_ERR_FORBIDDEN,
                "%s \"" FED_SPAN_FMT "\" is forbidden: %s \"" FED_SPAN_FMT
                "\", which it governs, goes first",
                admission->kind->resource, FED_SPAN_ARG(name), s->kind, FED_SPAN_ARG(s->ref.name));
    }
    return FED_OK;
}

static enum fed_err admit_policy(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_rollouts *r = ctx;
    struct hub_rollout_rules *rules;
    struct fed_span ns = fed_json_string(fed_json_find(admission->object, "metadata.namespace"));
    enum fed_err err;

    if (admission->operation == HUB_DELETE)
        return admit_delete(r, admission, diag);
    fed_json_remove(admission->object, "status"); /* is composed */
    if (admission->subresource.len)
        return FED_OK;
    if (admission->operation == HUB_CREATE && in_namespace(r, ns) >= ROLLOUT_POLICIES_MAX)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN,
            "%s is forbidden: there are %u of them in the namespace, which is the most",
            admission->kind->resource, ROLLOUT_POLICIES_MAX);
    err = hub_rollout_rules_read(
        r->mem, fed_json_get(admission->object, "spec"), &rules, admission->field, diag);
    if (!err)
        hub_rollout_rules_free(rules);
    return err == FED_ERR_LIMIT ? FED_ERR_INVALID : err;
}

static enum fed_err put_waves(
    struct fed_json_doc *doc, struct fed_json *status, const struct hub_rollout_rules *rules)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, fed_alloc_system(), 4096);
    for (size_t i = 0; i < rules->n_waves; i++)
        fed_buf_printf(&text, "%s" FED_SPAN_FMT, i ? ", " : "", FED_SPAN_ARG(rules->waves[i].name));
    err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_string(doc, status, "waves", fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

static enum fed_err put_condition(struct fed_json_doc *doc, struct fed_json *list, const char *type,
    bool is, const char *reason, const char *message)
{
    struct fed_json *one = fed_json_new_object(doc);
    enum fed_err err = fed_json_append(list, one);

    if (!err)
        err = fed_json_set_text(doc, one, "type", type);
    if (!err)
        err = fed_json_set_text(doc, one, "status", is ? "True" : "False");
    if (!err)
        err = fed_json_set_text(doc, one, "reason", reason);
    return err || !message[0] ? err : fed_json_set_text(doc, one, "message", message);
}

static bool selects(
    struct hub_rollouts *r, const struct rollout_policy *policy, const struct rollout_subject *s)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *object;
    struct fed_buf bytes;
    bool is = false;

    fed_buf_init(&bytes, r->mem, HUB_OBJECT_BYTES_MAX);
    if (!hub_objects_get(r->objects, &s->ref, &bytes, NULL) && !fed_json_doc_new(r->mem, &doc))
        is = !fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL) &&
             hub_rollout_rules_select(policy->rules, fed_json_find(object, "metadata.labels"));
    fed_json_doc_free(doc);
    fed_buf_fini(&bytes);
    return is;
}

/* Objects that it would govern, and does not, for others would, too; *first: one of them. */
static size_t count_conflicts(struct hub_rollouts *r, const struct rollout_policy *policy,
    const struct rollout_subject **first)
{
    struct fed_map_iter it;
    size_t n = 0;

    fed_map_iter_init(&it, &r->subjects);
    while (policy->rules && fed_map_iter_next(&it)) {
        const struct rollout_subject *s = it.value;

        if (!s->blocked || strcmp(s->reason, ROLLOUT_CONFLICT) != 0 ||
            !fed_span_is(s->ref.ns, policy->ns) || !selects(r, policy, s))
            continue;
        if (n++ == 0 || fed_span_cmp(s->ref.name, (*first)->ref.name) < 0)
            *first = s; /* the same whatever the order of the map */
    }
    return n;
}

static enum fed_err put_conditions(struct hub_rollouts *r, struct fed_json_doc *doc,
    struct fed_json *status, const struct rollout_policy *policy)
{
    struct fed_json *list = fed_json_new_array(doc);
    enum fed_err err = fed_json_set(doc, status, "conditions", list);
    const struct rollout_subject *first = NULL; /* of n that are more than none */
    size_t n = count_conflicts(r, policy, &first);
    char text[900];

    if (!err)
        err = put_condition(doc, list, "Accepted", policy->rules != NULL,
            policy->rules ? "InForce" : "Invalid", policy->message);
    if (err || n == 0)
        return err;
    snprintf(text, sizeof text,
        "%zu %s selected by another policy, too, %s " FED_SPAN_FMT
        "%s: changes wait until the object names the one that is meant by the "
        "annotation " HUB_ROLLOUT_POLICY_ANNOTATION ", or the selectors exclude each other",
        n, n == 1 ? "object is" : "objects are", first->kind, FED_SPAN_ARG(first->ref.name),
        n == 1 ? "" : " among them");
    return put_condition(doc, list, "Conflict", true, ROLLOUT_CONFLICT, text);
}

static enum fed_err compose_policy(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_rollouts *r = ctx;
    const struct rollout_policy *policy = rollout_policy_find(r, ref->ns, ref->name);
    struct fed_json *status;
    enum fed_err err;

    if (!policy)
        return FED_OK;
    if (policy->told_revision > *revision)
        *revision = policy->told_revision;
    status = fed_json_new_object(doc);
    err = fed_json_set(doc, object, "status", status);
    if (!err)
        err = fed_json_set_int(doc, status, "observedGeneration", policy->generation);
    if (!err)
        err = fed_json_set_int(doc, status, "objects", (int64_t)policy->n_objects);
    if (!err && policy->rules)
        err = put_waves(doc, status, policy->rules);
    return err ? err : put_conditions(r, doc, status, policy);
}

void hub_rollouts_policy_hooks(struct hub_rollouts *r, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = r, .admit = admit_policy, .compose = compose_policy};
}
