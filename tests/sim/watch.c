/* watch.c - what must hold at every moment of a history. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bundle/consent.h"
#include "proto/link/link.h"

/* ---- bundles ---- */

static enum fed_err known_blob(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    struct sim_watch *watch = ctx;

    for (size_t i = 0; i < watch->n_known; i++) {
        const struct fed_frame *frame = &watch->known[i].frame;

        for (size_t b = 0; b < frame->n_blobs; b++) {
            if (!fed_digest_eq(&frame->blob_digests[b], digest))
                continue;
            *out = frame->blobs[b];
            return FED_OK;
        }
    }
    return FED_ERR_NOT_FOUND;
}

static const struct fed_manifest *known_base(
    const struct sim_watch *watch, const struct fed_frame_head *head)
{
    for (size_t i = watch->n_known; i-- > 0;) {
        const struct fed_manifest *target = &watch->known[i].frame.target;

        if (target->epoch == head->epoch && target->revision == head->base_revision)
            return target;
    }
    return NULL;
}

static bool references(const struct fed_manifest *manifest, const struct fed_digest *blob)
{
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_digest_eq(&manifest->works[i].blob, blob))
            return true;
    return false;
}

/* The oldest are forgotten; blobs of theirs that newer manifests still refer to go along. */
static struct sim_known *known_new(struct sim_watch *watch)
{
    if (watch->n_known == SIM_KNOWN) {
        fed_arena_fini(&watch->known[0].arena);
        memmove(&watch->known[0], &watch->known[1], (SIM_KNOWN - 1) * sizeof watch->known[0]);
        watch->n_known--;
    }
    return &watch->known[watch->n_known];
}

void sim_watch_sent(struct sim_agent *agent, struct fed_span bytes)
{
    struct sim_watch *watch = &agent->watch;
    struct fed_manifest nothing = {0};
    const struct fed_manifest *base = &nothing;
    struct fed_span rest = bytes;
    struct fed_frame_head head;
    struct sim_known *known;
    struct fed_diag diag = {""};
    enum fed_err err;

    SIM_CHECK(agent->sim, fed_frame_head_take(&rest, &head) == FED_OK, "%s is sent no frame",
        agent->name);
    if (!head.has_body)
        return;
    if (head.base_revision > 0)
        base = known_base(watch, &head);
    if (!base)
        return; /* older than what is remembered here */
    known = known_new(watch);
    fed_arena_init(&known->arena, fed_alloc_system(), 8u << 20);
    err = fed_frame_decode(&known->arena, bytes, base, known_blob, watch, &known->frame, &diag);
    SIM_CHECK(agent->sim, !err || err == FED_ERR_NOT_FOUND, "%s: the frame to revision %llu: %s",
        agent->name, (unsigned long long)head.revision, diag.text);
    if (err) {
        fed_arena_fini(&known->arena);
        return;
    }
    watch->n_known++;
    for (size_t i = 0; i < known->frame.n_blobs; i++)
        SIM_CHECK(agent->sim, !references(base, &known->frame.blob_digests[i]),
            "%s gets a blob again that it holds, from revision %llu to %llu", agent->name,
            (unsigned long long)head.base_revision, (unsigned long long)head.revision);
}

void sim_watch_asked(struct sim_agent *agent, struct fed_span query)
{
    struct sim_watch *watch = &agent->watch;
    uint32_t epoch;
    uint64_t revision;

    SIM_CHECK(agent->sim, fed_link_bundle_query_parse(query, &epoch, &revision) == FED_OK,
        "%s asks for nothing: %.*s", agent->name, (int)query.len, (const char *)query.at);
    if (revision == 0)
        return; /* it wants everything, whatever it holds */
    SIM_CHECK(agent->sim, epoch != watch->epoch || revision >= watch->revision,
        "%s went back from revision %llu to %llu", agent->name, (unsigned long long)watch->revision,
        (unsigned long long)revision);
    watch->epoch = epoch;
    watch->revision = revision;
}

/* ---- the member ---- */

/* So few works are in a member that the least number of a bulk is what decides. */
static void watch_bulk(struct sim_agent *agent)
{
    struct sim_watch *watch = &agent->watch;
    size_t n = 0;

    if (agent->sim->now_ms - watch->passed_ms >= FED_CONSENT_WINDOW_S * 1000u)
        memset(watch->passed, 0, sizeof watch->passed);
    for (unsigned map = 0; map < SIM_MAPS; map++) {
        char path[100];

        snprintf(path, sizeof path, "/api/v1/namespaces/ns/configmaps/m%u", map);
        if (world_object(agent->world, path))
            watch->passed[map] = false;
        n += watch->passed[map];
    }
    SIM_CHECK(agent->sim, n < FED_CONSENT_LEAST,
        "%s deleted %zu works that nobody ordered by name or consented to", agent->name, n);
}

static void watch_deletions(struct sim_agent *agent)
{
    static const char prefix[] = "DELETE /api/v1/namespaces/ns/configmaps/m";
    const char *at = agent->world->requests;

    SIM_CHECK(agent->sim, !strstr(at, "DELETE /api/v1/namespaces/ns\n"),
        "%s deletes the namespace, which nobody ordered", agent->name);
    while ((at = strstr(at, prefix))) {
        unsigned map = (unsigned)strtoul(at + sizeof prefix - 1, NULL, 10);

        SIM_CHECK(agent->sim, map < SIM_MAPS && agent->watch.ordered[map],
            "%s deletes m%u, which nobody ordered", agent->name, map);
        if (!agent->watch.by_name[map]) {
            agent->watch.passed[map] = true;
            agent->watch.passed_ms = agent->sim->now_ms;
        }
        at++;
    }
    watch_bulk(agent);
    world_forget_requests(agent->world);
}

static void watch_versions(struct sim_agent *agent)
{
    struct sim_watch *watch = &agent->watch;

    for (unsigned map = 0; map < SIM_MAPS; map++) {
        const struct world_object *object;
        char path[100];

        snprintf(path, sizeof path, "/api/v1/namespaces/ns/configmaps/m%u", map);
        object = world_object(agent->world, path);
        if (!object) {
            watch->applied[map] = 0;
            continue;
        }
        if (object->version <
            watch->applied[map]) { /* once for each restore, when it learns of it */
            SIM_CHECK(agent->sim, watch->went_back[map] < agent->sim->restores,
                "%s: m%u went back from version %u to %u", agent->name, map, watch->applied[map],
                object->version);
            watch->went_back[map] = agent->sim->restores;
        }
        watch->applied[map] = object->version;
    }
}

void sim_watch_member(struct sim_agent *agent)
{
    watch_deletions(agent);
    watch_versions(agent);
}

void sim_watch_free(struct sim_agent *agent)
{
    while (agent->watch.n_known > 0)
        fed_arena_fini(&agent->watch.known[--agent->watch.n_known].arena);
}
