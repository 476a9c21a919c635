/* unreadable.c - Rollouts of which something that is stored cannot be read.
 *
 * Nobody can say which version a cluster is to have: so all of the object's keep what they have,
 * and nothing more goes out, until it can be read again, the Rollout is deleted by a person, or the
 * object goes. Everything else goes on. Nothing of it is written or collected meanwhile. */
#include "hub/rollout/internal.h"
#include "hub/rollout/put.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MAX_MS 300000u
#define REMEDY                                                                                     \
    "clusters keep what they have. Restore a backup of the hub; or give the object the content "   \
    "that all clusters are to have, and delete this Rollout: all of them get it at once"

/* ---- which subject ---- */

/* A Rollout that cannot even be parsed has its name: "federateddeployment-web-5". */
bool rollout_is_named_after(const struct rollout_subject *s, struct fed_span name, int64_t *number)
{
    struct rollout_paper paper = {0};
    uint64_t n;
    size_t dash = name.len;

    while (dash > 0 && name.at[dash - 1] != '-')
        dash--;
    if (dash == 0 || fed_span_to_u64(fed_span_sub(name, dash, name.len), &n))
        return false;
    paper.number = *number = (int64_t)n;
    rollout_paper_put_name(s, &paper);
    return fed_span_is(name, paper.name);
}

static bool is_older(const struct rollout_subject *s, int64_t number)
{
    return s->papers && s->papers->number > number;
}

/* ---- what is wrong ---- */

void rollout_trouble(
    struct hub_rollouts *r, struct rollout_subject *s, struct fed_span name, const char *what)
{
    struct hub_object_ref ref = {FED_SPAN_LIT(HUB_ROLLOUTS), s->ref.ns, name};
    bool known = strcmp(s->trouble, what) == 0 && fed_span_is(name, s->unreadable);

    hub_rollout_free(s->engine);
    hub_rollout_rules_free(s->rules);
    s->engine = NULL;
    s->rules = NULL;
    s->present = NULL;
    s->broken = r->broken = r->troubled = true;
    if (known)
        return;
    snprintf(s->unreadable, sizeof s->unreadable, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(name, 0, sizeof s->unreadable - 1)));
    snprintf(s->trouble, sizeof s->trouble, "%s", what);
    fed_log(r->log, FED_LOG_ERROR, "rollouts: " FED_SPAN_FMT "/%s cannot be read: %s; " REMEDY,
        FED_SPAN_ARG(s->ref.ns), s->unreadable, s->trouble);
    hub_objects_touch(r->objects, &ref, hub_objects_revision(r->objects));
}

void rollout_trouble_over(struct hub_rollouts *r, struct rollout_subject *s)
{
    struct hub_object_ref ref = {
        FED_SPAN_LIT(HUB_ROLLOUTS), s->ref.ns, fed_span_text(s->unreadable)};

    s->wait_ms = 0;
    if (!s->trouble[0])
        return;
    s->trouble[0] = '\0';
    fed_log(r->log, FED_LOG_INFO, "rollouts: " FED_SPAN_FMT "/" FED_SPAN_FMT " can be read again",
        FED_SPAN_ARG(s->ref.ns), FED_SPAN_ARG(s->ref.name));
    hub_objects_touch(r->objects, &ref, hub_objects_revision(r->objects));
}

/* Longer each time: whatever it is, a person mends it. */
void rollout_again_later(struct hub_rollouts *r, struct rollout_subject *s)
{
    s->wait_ms = s->wait_ms * 2 < ROLLOUT_RETRY_MS ? ROLLOUT_RETRY_MS : s->wait_ms * 2;
    if (s->wait_ms > WAIT_MAX_MS)
        s->wait_ms = WAIT_MAX_MS;
    s->again_ms = fed_loop_now_ms(r->o.loop) + s->wait_ms;
    s->broken = r->broken = true;
}

/* One that is neither over nor waiting has a record; without it nobody knows how far it is. */
void rollout_check_records(struct hub_rollouts *r, struct rollout_subject *s)
{
    const struct rollout_paper *last = s->papers;

    if (!s->broken && last && !s->engine && !last->ended && !last->waits)
        rollout_trouble(r, s, fed_span_text(last->name), "the record of its progress is missing");
}

/* ---- those that cannot be parsed ---- */

enum fed_err rollout_lost_add(
    struct hub_rollouts *r, const struct hub_object_ref *ref, const char *what)
{
    struct rollout_lost *lost = fed_alloc_zero(r->mem, sizeof *lost);

    if (!lost)
        return FED_ERR_NOMEM;
    snprintf(lost->ns, sizeof lost->ns, FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(ref->ns, 0, 63)));
    snprintf(lost->name, sizeof lost->name, FED_SPAN_FMT,
        FED_SPAN_ARG(fed_span_sub(ref->name, 0, sizeof lost->name - 1)));
    snprintf(lost->what, sizeof lost->what, "%s", what);
    lost->next = r->lost;
    r->lost = lost;
    fed_log(r->log, FED_LOG_ERROR, "rollouts: Rollout %s/%s cannot be read: %s", lost->ns,
        lost->name, lost->what);
    return FED_OK;
}

void rollout_lost_fini(struct hub_rollouts *r)
{
    while (r->lost) {
        struct rollout_lost *lost = r->lost;

        r->lost = lost->next;
        fed_alloc_free(r->mem, lost, sizeof *lost);
    }
}

/* The object is there: is one of them its present one? */
void rollout_lost_look(struct hub_rollouts *r, struct rollout_subject *s)
{
    int64_t number;

    for (const struct rollout_lost *lost = r->lost; lost; lost = lost->next)
        if (fed_span_is(s->ref.ns, lost->ns) &&
            rollout_is_named_after(s, fed_span_text(lost->name), &number) && !is_older(s, number))
            rollout_trouble(r, s, fed_span_text(lost->name), lost->what);
}

/* ---- shown ---- */

static enum fed_err put_trouble(
    const struct rollout_subject *s, struct fed_json_doc *doc, struct fed_json *object)
{
    struct rollout_put p = {.doc = doc};
    struct fed_json *status = fed_json_ensure_object(doc, object, "status");
    struct fed_json *list = fed_json_get(status, "conditions");
    struct fed_json *one;
    char text[700];

    if (!status)
        return FED_ERR_NOMEM;
    if (!fed_json_is_array(list))
        list = put_array(&p, status, "conditions");
    snprintf(text, sizeof text, "%s: " REMEDY, s->trouble);
    one = put_item(&p, list);
    put_text(&p, one, "type", "Readable");
    put_text(&p, one, "status", "False");
    put_text(&p, one, "reason", HUB_GATE_UNREADABLE);
    put_text(&p, one, "message", text);
    fed_json_remove(status, "next");
    return p.err;
}

enum fed_err rollout_compose_trouble(void *ctx, const struct hub_object_ref *ref,
    struct fed_json_doc *doc, struct fed_json *object, uint64_t *revision)
{
    struct hub_rollouts *r = ctx;
    struct fed_map_iter it;

    (void)revision;
    fed_map_iter_init(&it, &r->subjects);
    while (r->troubled && fed_map_iter_next(&it)) {
        const struct rollout_subject *s = it.value;

        if (s->trouble[0] && fed_span_eq(s->ref.ns, ref->ns) &&
            fed_span_is(ref->name, s->unreadable))
            return put_trouble(s, doc, object);
    }
    return FED_OK;
}
