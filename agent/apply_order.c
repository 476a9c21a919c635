/* apply_order.c - what an entry waits for before anything is asked of the member: its namespace,
 * the CRD of its kind, an earlier attempt at the same obstacle, the works that it depends on; and
 * before it is removed, the works that depend on it.
 *
 * A waiting entry is due never and costs nothing; whatever ends the wait comes by
 * agent_apply_moved, or with the next round of the table. A walk along the dependencies touches
 * only works that have some, each once per round, and its marks are kept in their wishes. */
#include "agent/apply_inner.h"

#include "agent/health.h"
#include "agent/wish.h"

#include <stdio.h>
#include <string.h>

static bool is_blocked(const struct agent_entry *entry)
{
    return !entry->busy && entry->step != AGENT_STEP_NONE && entry->due_ms == AGENT_DUE_NEVER;
}

static bool is_held(const struct agent_entry *entry)
{
    return entry->work.options & FED_WORK_HELD;
}

void apply_block(struct agent_apply *apply, struct agent_entry *entry, enum agent_trouble trouble)
{
    /* By then somebody else may have made an object of that name. */
    if (entry->step == AGENT_STEP_APPLY && !entry->uid[0])
        entry->step = AGENT_STEP_READ;
    entry->due_ms = AGENT_DUE_NEVER;
    entry->trouble = (uint8_t)trouble;
    apply->any_blocked = true;
}

/* Looks again; from now on it stands before nothing, so that nobody waits for its attempt. */
static void wake(struct agent_entry *entry, uint64_t now_ms)
{
    entry->due_ms = now_ms;
    entry->trouble = AGENT_TROUBLE_NONE;
}

/* Waits, and says what for. */
static void wait_for(struct agent_apply *apply, struct agent_entry *entry,
    enum agent_trouble trouble, const char *reason, const char *message)
{
    apply_block(apply, entry, trouble);
    agent_entry_set(apply->table, entry, entry->removing ? FED_WORK_REMOVING : FED_WORK_WAITING,
        reason, message);
    apply->events.changed(apply->events.ctx, entry);
}

/* ---- namespaces and kinds ---- */

/* Not by us: it is somebody else's, or this gateway's policy wants it to be. Whoever needs it
 * tries, and finds out. */
static bool may_be_there(const struct agent_entry *entry)
{
    return entry->state == FED_WORK_FAILED;
}

static bool wait_for_namespace(struct agent_apply *apply, struct agent_entry *entry)
{
    struct fed_work ns = {.api_version = FED_SPAN_LIT("v1"),
        .kind = FED_SPAN_LIT("Namespace"),
        .name = entry->work.ns};
    const struct agent_entry *found;
    struct fed_diag message;

    if (entry->work.ns.len == 0)
        return false;
    found = agent_table_find(apply->table, &ns);
    if (!found || !agent_entry_is_held_to(found) || found->uid[0] || is_held(found) ||
        may_be_there(found))
        return false;
    fed_diag_set(&message, FED_OK, "namespace \"" FED_SPAN_FMT "\" is not there yet",
        FED_SPAN_ARG(entry->work.ns));
    wait_for(apply, entry, AGENT_TROUBLE_NAMESPACE, apply_reason(entry), message.text);
    return true;
}

bool apply_definition_name(const struct fed_work *work, char *out, size_t size)
{
    struct fed_span group = fed_work_group(work->api_version);
    int len = snprintf(
        out, size, FED_SPAN_FMT "." FED_SPAN_FMT, FED_SPAN_ARG(work->plural), FED_SPAN_ARG(group));

    return group.len > 0 && len > 0 && (size_t)len < size;
}

/* The bundle's own definition of the kind; NULL when it has none. */
static const struct agent_entry *find_crd(
    const struct agent_apply *apply, const struct fed_work *work)
{
    struct fed_work crd = {.api_version = FED_SPAN_LIT("apiextensions.k8s.io/v1"),
        .kind = FED_SPAN_LIT("CustomResourceDefinition")};
    const struct agent_entry *found;
    char name[AGENT_AWAIT_NAME_MAX];

    if (!apply_definition_name(work, name, sizeof name))
        return NULL;
    crd.name = fed_span_text(name);
    found = agent_table_find(apply->table, &crd);
    return found && agent_entry_is_held_to(found) && !is_held(found) ? found : NULL;
}

static bool wait_for_crd(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_entry *crd = find_crd(apply, &entry->work);
    struct fed_diag message;

    if (!crd || (crd->uid[0] && crd->health == FED_HEALTH_HEALTHY) || may_be_there(crd))
        return false;
    fed_diag_set(&message, FED_OK,
        "KindMissing: CustomResourceDefinition " FED_SPAN_FMT " is not established yet",
        FED_SPAN_ARG(crd->work.name));
    wait_for(apply, entry, AGENT_TROUBLE_KIND, apply_reason(entry), message.text);
    return true;
}

static bool same_obstacle(const struct agent_entry *scout, const struct agent_entry *entry)
{
    switch ((enum agent_trouble)scout->trouble) {
    case AGENT_TROUBLE_NAMESPACE:
    case AGENT_TROUBLE_TERMINATING:
        return fed_span_eq(scout->work.ns, entry->work.ns);
    case AGENT_TROUBLE_KIND:
        return fed_span_eq(scout->work.plural, entry->work.plural) &&
               fed_span_eq(scout->work.api_version, entry->work.api_version);
    default:
        return false;
    }
}

const struct agent_entry *apply_scout(
    const struct agent_apply *apply, const struct agent_entry *entry)
{
    for (size_t i = 0; i < apply->table->n; i++) {
        const struct agent_entry *scout = apply->table->at[i];

        if (scout != entry && agent_entry_is_held_to(scout) && scout->step != AGENT_STEP_NONE &&
            !is_blocked(scout) && same_obstacle(scout, entry))
            return scout;
    }
    return NULL;
}

static bool wait_for_scout(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_entry *scout = apply->scouting ? apply_scout(apply, entry) : NULL;

    if (!scout)
        return false;
    wait_for(apply, entry, (enum agent_trouble)scout->trouble, apply_reason(entry), scout->message);
    return true;
}

/* ---- dependencies ---- */

/* Its wish with what it names looked up; NULL when it names nothing. */
static struct agent_wish *wish_of(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_wish *wish;

    if (agent_wish_of(apply->state, entry, &wish, NULL) && entry->removing)
        entry->wish_known = true; /* the template is gone, or never made sense */
    if (!entry->wish || entry->wish->n_dependencies == 0)
        return NULL;
    agent_wish_look_up(apply->table, entry);
    return entry->wish;
}

static bool depends_on(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_entry *on)
{
    const struct agent_wish *wish = wish_of(apply, entry);

    for (size_t i = 0; wish && i < wish->n_dependencies; i++) {
        if (wish->dependencies[i].found == on)
            return true;
    }
    return false;
}

/* Appends what `at` names, and was not reached yet, to the walk. A walk through the bundle does not
 * touch what is on its way out. */
static void walk_on(
    struct agent_apply *apply, struct agent_entry *at, struct agent_entry **last, bool leaving)
{
    const struct agent_wish *wish = at->wish;

    for (size_t i = 0; i < wish->n_dependencies; i++) {
        struct agent_entry *found = wish->dependencies[i].found;
        struct agent_wish *other =
            found && (leaving || !found->removing) ? wish_of(apply, found) : NULL;

        if (!other || other->walk == apply->walk)
            continue;
        other->walk = apply->walk;
        other->from = at;
        other->next = NULL;
        (*last)->wish->next = found;
        *last = found;
    }
}

/* Follows the dependencies of the entry, which has some, until they come back to it or to `goal`;
 * NULL when they do not. From what is returned the links lead back. */
static struct agent_entry *walk(
    struct agent_apply *apply, struct agent_entry *entry, const struct agent_entry *goal)
{
    struct agent_entry *last = entry;

    apply->walk++;
    entry->wish->walk = apply->walk;
    entry->wish->from = entry->wish->next = NULL;
    for (struct agent_entry *at = entry; at; at = at->wish->next) {
        if (depends_on(apply, at, goal))
            return at;
        walk_on(apply, at, &last, entry->removing);
    }
    return NULL;
}

/* Turns the links round: from the entry along the cycle, NULL at its end. */
static void turn_round(struct agent_entry *last)
{
    struct agent_entry *next = NULL;

    for (struct agent_entry *at = last; at; at = at->wish->from) {
        at->wish->next = next;
        next = at;
    }
}

static void name_cycle(const struct agent_entry *entry, struct fed_diag *out)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    size_t len = 0;

    out->text[0] = '\0';
    for (const struct agent_entry *at = entry; at && len < sizeof out->text - 1;
         at = at->wish->next)
        len += (size_t)snprintf(
            out->text + len, sizeof out->text - len, "%s -> ", agent_entry_name(at, name));
    if (len < sizeof out->text - 1)
        snprintf(out->text + len, sizeof out->text - len, "%s", agent_entry_name(entry, name));
}

static void fail_cycle(struct agent_apply *apply, struct agent_entry *entry)
{
    struct agent_entry *next;
    struct fed_diag message;

    name_cycle(entry, &message);
    if (strcmp(entry->reason, AGENT_REASON_CYCLE) != 0)
        fed_log(apply->ports.log, FED_LOG_WARN, "works depend on each other: %s", message.text);
    for (struct agent_entry *at = entry; at; at = next) {
        next = at->wish->next;
        at->wish->cyclic = true;
        at->wish->judged = apply->table->round;
        if (at->busy || is_held(at) ||
            (is_blocked(at) && strcmp(at->reason, AGENT_REASON_CYCLE) == 0))
            continue;
        agent_entry_plan(at, AGENT_STEP_APPLY, 0);
        apply_block(apply, at, AGENT_TROUBLE_DEPENDENCY);
        agent_entry_set(apply->table, at, FED_WORK_FAILED, AGENT_REASON_CYCLE, message.text);
        apply->events.changed(apply->events.ctx, at);
    }
}

static bool is_in_cycle(struct agent_apply *apply, struct agent_entry *entry)
{
    struct agent_wish *wish = entry->wish;
    struct agent_entry *last;

    if (wish->judged == apply->table->round && !wish->cyclic)
        return false;
    last = walk(apply, entry, entry);
    wish->judged = apply->table->round;
    wish->cyclic = last != NULL;
    if (!last)
        return false;
    turn_round(last);
    fail_cycle(apply, entry);
    return true;
}

/* Why a work that is named cannot be built upon; NULL when it can. */
static const char *unready(const struct agent_entry *on)
{
    if (!on)
        return "is not part of the bundle";
    if (on->removing)
        return "is being removed";
    if (on->state == FED_WORK_FAILED)
        return "failed";
    if (on->state != FED_WORK_APPLIED)
        return "is not applied yet";
    switch ((enum fed_work_health)on->health) {
    case FED_HEALTH_PROGRESSING:
        return "is not healthy yet";
    case FED_HEALTH_UNHEALTHY:
        return "is not healthy";
    case FED_HEALTH_UNKNOWN: /* by an earlier process */
        return !on->listed && agent_health_needs_content(on->work.api_version, on->work.kind)
                   ? "has not been looked at yet"
                   : NULL;
    default:
        return NULL;
    }
}

static void say_dependency(
    const struct agent_dependency *d, const char *why, struct fed_diag *message)
{
    char name[AGENT_ENTRY_NAME_SIZE];

    if (d->found)
        agent_entry_name(d->found, name);
    else
        snprintf(name, sizeof name, FED_SPAN_FMT " " FED_SPAN_FMT "%s" FED_SPAN_FMT,
            FED_SPAN_ARG(d->kind), FED_SPAN_ARG(d->ns), d->ns.len > 0 ? "/" : "",
            FED_SPAN_ARG(d->name));
    if (d->found && d->found->state == FED_WORK_FAILED && d->found->message)
        fed_diag_set(message, FED_OK, "waits for %s, which %s: %s", name, why, d->found->message);
    else
        fed_diag_set(message, FED_OK, "waits for %s, which %s", name, why);
}

static bool wait_for_dependencies(struct agent_apply *apply, struct agent_entry *entry)
{
    const struct agent_wish *wish = wish_of(apply, entry);
    struct fed_diag message;

    if (!wish)
        return false;
    if (is_in_cycle(apply, entry))
        return true;
    for (size_t i = 0; i < wish->n_dependencies; i++) {
        const char *why = unready(wish->dependencies[i].found);

        if (!why)
            continue;
        say_dependency(&wish->dependencies[i], why, &message);
        wait_for(apply, entry, AGENT_TROUBLE_DEPENDENCY, "DependencyNotReady", message.text);
        return true;
    }
    return false;
}

/* In the member, or maybe. */
static bool is_there(const struct agent_entry *entry)
{
    return entry->removing ? !entry->dropped : agent_entry_is_held_to(entry) && entry->uid[0];
}

/* What depends on it goes first, or lets it go; in a cycle there is no first. */
static bool wait_for_dependants(struct agent_apply *apply, struct agent_entry *entry)
{
    char name[AGENT_ENTRY_NAME_SIZE];
    struct fed_diag message;

    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *other = apply->table->at[i];

        if (other == entry || !is_there(other) || !depends_on(apply, other, entry) ||
            (wish_of(apply, entry) && walk(apply, entry, other)))
            continue;
        fed_diag_set(&message, FED_OK, "waits until %s, which depends on it, is gone",
            agent_entry_name(other, name));
        wait_for(apply, entry, AGENT_TROUBLE_DEPENDENCY, "WaitingForRemoval", message.text);
        return true;
    }
    return false;
}

/* ---- before a step ---- */

bool apply_waits(struct agent_apply *apply, struct agent_entry *entry)
{
    if (entry->removing) {
        wish_of(apply, entry); /* its template goes with it (state.c) */
        return wait_for_dependants(apply, entry);
    }
    if (entry->step != AGENT_STEP_READ && entry->step != AGENT_STEP_APPLY)
        return false;
    if (!entry->uid[0] && (wait_for_namespace(apply, entry) || wait_for_crd(apply, entry) ||
                              wait_for_scout(apply, entry)))
        return true;
    /* What was applied once is put back whatever became of what it depends on. */
    return (!entry->has_applied || !entry->uid[0]) && wait_for_dependencies(apply, entry);
}

/* ---- after something moved ---- */

static bool is_namespace_of(const struct agent_entry *moved, const struct agent_entry *entry)
{
    return (moved->uid[0] || may_be_there(moved)) && fed_span_is(moved->work.kind, "Namespace") &&
           fed_span_is(moved->work.api_version, "v1") &&
           fed_span_eq(moved->work.name, entry->work.ns);
}

/* May the entry, which waits, go on because of what moved? */
static bool concerns(
    struct agent_apply *apply, struct agent_entry *moved, struct agent_entry *entry)
{
    switch ((enum agent_trouble)entry->trouble) {
    case AGENT_TROUBLE_DEPENDENCY:
        if (entry->removing)
            return moved->dropped && depends_on(apply, moved, entry);
        return depends_on(apply, entry, moved) &&
               !(is_blocked(moved) && entry->state == FED_WORK_FAILED);
    case AGENT_TROUBLE_KIND:
        return find_crd(apply, &entry->work) == moved ||
               (moved->trouble != AGENT_TROUBLE_KIND && same_obstacle(entry, moved));
    case AGENT_TROUBLE_NAMESPACE:
    case AGENT_TROUBLE_TERMINATING:
        return is_namespace_of(moved, entry) ||
               (moved->trouble == AGENT_TROUBLE_NONE && same_obstacle(entry, moved));
    default:
        return false;
    }
}

void agent_apply_moved(struct agent_apply *apply, struct agent_entry *moved)
{
    bool any = is_blocked(moved);
    bool woken = false;

    if (!apply->any_blocked || (is_blocked(moved) && moved->state != FED_WORK_FAILED))
        return;
    for (size_t i = 0; i < apply->table->n; i++) {
        struct agent_entry *entry = apply->table->at[i];

        if (entry == moved || !is_blocked(entry))
            continue;
        if (concerns(apply, moved, entry)) {
            wake(entry, apply_now(apply));
            woken = true;
        } else {
            any = true;
        }
    }
    apply->any_blocked = any;
    if (woken)
        agent_apply_kick(apply);
}

void apply_wake_all(struct agent_apply *apply)
{
    uint64_t now_ms = apply_now(apply);

    for (size_t i = 0; i < apply->table->n && apply->any_blocked; i++) {
        if (is_blocked(apply->table->at[i]))
            wake(apply->table->at[i], now_ms);
    }
    apply->any_blocked = false;
}
