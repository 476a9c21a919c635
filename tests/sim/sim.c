/* sim.c - histories: drawn from a seed, run, and judged when the network has healed. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START_MS 1000000u
#define START_UNIX_S 1795000000
#define STEPS 60u
#define STEP_MAX_MS 90000u
#define HEALED_MS 3600000u
#define CONSENTS_MAX 3u /* rounds of them, until nothing waits */
#define TURN_ROUNDS_MAX 10000u

static uint64_t seed_of_history;

/* ---- chance, and words ---- */

static uint32_t next_random(struct sim *sim) /* xorshift64* */
{
    sim->random ^= sim->random >> 12;
    sim->random ^= sim->random << 25;
    sim->random ^= sim->random >> 27;
    return (uint32_t)(sim->random * 2685821657736338717u >> 32);
}

uint32_t sim_random(struct sim *sim, uint32_t below)
{
    return next_random(sim) % below;
}

bool sim_chance(struct sim *sim, unsigned per_mille)
{
    return per_mille > 0 && sim_random(sim, 1000) < per_mille;
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim->trace)
        return;
    fprintf(stderr, "%8llu ", (unsigned long long)(sim->now_ms - START_MS));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void sim_fail(const struct sim *sim, const char *condition, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "seed %llu, at %llu ms: ", (unsigned long long)seed_of_history,
        (unsigned long long)(sim->now_ms - START_MS));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  not so: %s\n  again: tests/sim/run --seed %llu --trace\n", condition,
        (unsigned long long)seed_of_history);
    _Exit(1); /* what the history still holds is no leak to speak of */
}

/* ---- time ---- */

static uint64_t next_due(const struct sim *sim)
{
    uint64_t due_ms = sim_net_due(sim);

    if (sim->loop && sim_loop_due(sim->loop) < due_ms)
        due_ms = sim_loop_due(sim->loop);
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        if (sim->agents[i].up && world_due(sim->agents[i].world) < due_ms)
            due_ms = world_due(sim->agents[i].world);
    return due_ms;
}

static void rest(struct sim *sim)
{
    unsigned rounds = 0;

    do {
        SIM_CHECK(sim, rounds++ < TURN_ROUNDS_MAX, "nothing comes to rest");
        sim_net_turn(sim);
        if (sim->loop)
            sim_loop_turn(sim->loop);
        for (unsigned i = 0; i < SIM_AGENTS; i++) {
            if (!sim->agents[i].up)
                continue;
            world_turn(sim->agents[i].world, sim->now_ms, sim->unix_s);
            sim_watch_member(&sim->agents[i]);
        }
    } while (next_due(sim) <= sim->now_ms);
}

static void be_at(struct sim *sim, uint64_t now_ms)
{
    sim->now_ms = now_ms;
    sim->unix_s = START_UNIX_S + (int64_t)(now_ms - START_MS) / 1000;
}

static void pass(struct sim *sim, uint64_t ms)
{
    uint64_t until_ms = sim->now_ms + ms;

    rest(sim);
    while (next_due(sim) <= until_ms) {
        be_at(sim, next_due(sim));
        rest(sim);
    }
    be_at(sim, until_ms);
}

/* ---- agents ---- */

static void agent_start(struct sim_agent *agent)
{
    sim_trace(agent->sim, "%s: up", agent->name);
    agent->world->now_ms = agent->sim->now_ms;
    agent->world->unix_s = agent->sim->unix_s;
    agent->world->log_text[0] = '\0';
    agent->up = true;
    world_boot(agent->world);
}

static void agent_crash(struct sim_agent *agent)
{
    sim_trace(agent->sim, "%s: crashes", agent->name);
    agent->up = false;
    world_crash(agent->world);
    sim_net_agent_gone(agent);
}

static void agent_new(struct sim *sim, unsigned number)
{
    struct sim_agent *agent = &sim->agents[number];

    *agent = (struct sim_agent){.sim = sim, .number = number, .world = world_new()};
    snprintf(agent->name, sizeof agent->name, "c%u", number);
    snprintf(
        agent->world->identity.cluster, sizeof agent->world->identity.cluster, "%s", agent->name);
    agent->world->link = sim_net_link(agent);
}

/* ---- histories ---- */

static void hub_restart(struct sim *sim)
{
    if (sim->hub_up) {
        sim_hub_crash(sim);
        return;
    }
    if (sim->has_backup && sim_chance(sim, 300))
        sim_hub_restore(sim);
    sim_hub_start(sim);
}

static void step(struct sim *sim)
{
    struct sim_agent *agent = &sim->agents[sim_random(sim, SIM_AGENTS)];
    unsigned dice = sim_random(sim, 100);

    if (dice < 12) {
        if (agent->up)
            agent_crash(agent);
        else
            agent_start(agent);
    } else if (dice < 24) {
        agent->cut_off = !agent->cut_off;
        sim_trace(sim, "%s: %s", agent->name, agent->cut_off ? "cut off" : "reachable");
    } else if (dice < 34) {
        hub_restart(sim);
    } else if (dice < 38) {
        sim->net.loss = sim_random(sim, 4) * 100;
        sim_trace(sim, "network: loses %u of 1000", sim->net.loss);
    } else if (sim->hub_up && dice < 43) {
        sim_hub_backup(sim);
    } else if (sim->hub_up && dice < 55) {
        sim_hub_delete(sim, sim_random(sim, SIM_MAPS));
    } else if (sim->hub_up && dice < 61) {
        sim_hub_turn_over(sim, agent->number);
    } else if (sim->hub_up && dice < 65) {
        sim->consented += sim_hub_consent(sim);
    } else if (sim->hub_up) {
        sim_hub_write(sim, sim_random(sim, SIM_MAPS));
    }
}

static void heal(struct sim *sim)
{
    size_t n;

    sim_trace(sim, "everything heals");
    sim->net.loss = 0;
    if (!sim->hub_up)
        sim_hub_start(sim);
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        sim->agents[i].cut_off = false;
        if (!sim->agents[i].up)
            agent_start(&sim->agents[i]);
    }
    pass(sim, HEALED_MS);
    for (unsigned i = 0; i < CONSENTS_MAX && (n = sim_hub_consent(sim)) > 0; i++) {
        sim->consented += n;
        pass(sim, HEALED_MS);
    }
    SIM_CHECK(sim, sim_hub_consent(sim) == 0, "removals wait that were consented to");
    sim_hub_look(sim);
}

static void judge_member(struct sim_agent *agent, unsigned number)
{
    const struct sim *sim = agent->sim;
    const struct sim_map *map = &sim->maps[number];
    bool expected = map->there && map->placed & 1u << agent->number;
    const struct world_object *object;
    char path[100];
    bool managed;

    snprintf(path, sizeof path, "/api/v1/namespaces/ns/configmaps/m%u", number);
    object = world_object(agent->world, path);
    managed = object && strcmp(object->managed, "true") == 0;
    SIM_CHECK(sim, managed || !expected, "%s: m%u is not in the member", agent->name, number);
    SIM_CHECK(sim, !expected || object->version == map->version, "%s: m%u is version %u, not %u",
        agent->name, number, object->version, map->version);
    /* What a restored hub has forgotten stays in place. */
    SIM_CHECK(sim, expected || !object || sim->restores > 0, "%s: m%u was left behind", agent->name,
        number);
}

static void judge_status(struct sim *sim, unsigned number)
{
    const char *status;

    SIM_CHECK(sim, !sim->maps[number].going, "the deletion of m%u does not end", number);
    if (!sim->maps[number].there)
        return;
    status = sim_hub_status(sim, number);
    SIM_CHECK(sim,
        strstr(status, "\"type\":\"Propagation\"") && strstr(status, "\"status\":\"True\""),
        "m%u: %s", number, status);
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        char name[24];

        snprintf(name, sizeof name, "\"name\":\"c%u\"", i);
        SIM_CHECK(sim, !strstr(status, name) == !(sim->maps[number].placed & 1u << i),
            "m%u is placed in %x: %s", number, sim->maps[number].placed, status);
    }
}

static void judge(struct sim *sim)
{
    for (unsigned number = 0; number < SIM_MAPS; number++) {
        for (unsigned i = 0; i < SIM_AGENTS; i++)
            judge_member(&sim->agents[i], number);
        judge_status(sim, number);
    }
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        SIM_CHECK(sim, world_object(sim->agents[i].world, "/api/v1/namespaces/ns"),
            "%s has lost the namespace", sim->agents[i].name);
}

struct totals {
    unsigned long histories;
    unsigned long lost;
    unsigned long restores;
    unsigned long versions;
    unsigned long consented;
};

static void run_history(struct sim *sim, uint64_t seed, struct totals *totals)
{
    struct sim keep = *sim;

    seed_of_history = seed;
    *sim = (struct sim){.crypto = keep.crypto,
        .fs = keep.fs,
        .identity_dir = keep.identity_dir,
        .trace = keep.trace,
        .random = seed * 0x9e3779b97f4a7c15u + 1,
        .net = {.delay_ms = 300}};
    be_at(sim, START_MS);
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        agent_new(sim, i);
    sim->net.loss = sim_random(sim, 3) * 100;
    sim_hub_new(sim);
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        agent_start(&sim->agents[i]);
    for (unsigned i = 0; i < STEPS; i++) {
        step(sim);
        pass(sim, sim_random(sim, STEP_MAX_MS));
        if (sim->hub_up)
            sim_hub_look(sim);
    }
    heal(sim);
    judge(sim);
    totals->histories++;
    totals->lost += sim->net.lost;
    totals->restores += sim->restores;
    totals->versions += sim->next_version;
    totals->consented += sim->consented;
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        agent_crash(&sim->agents[i]);
        sim_watch_free(&sim->agents[i]);
        world_free(sim->agents[i].world);
    }
    sim_hub_free(sim);
    sim_net_free(sim);
}

/* ---- the program ---- */

static void usage(FILE *out)
{
    fputs("usage: sim [--histories N] [--seed N] [--trace]\n"
          "Runs histories with the seeds from --seed (1) on; one when only --seed is given.\n",
        out);
}

static unsigned long number_of(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end) {
        fprintf(stderr, "sim: %s is no number\n", text);
        exit(2);
    }
    return number;
}

static void remove_identity(const char *dir)
{
    char command[160];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "sim: %s is left behind\n", dir);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"histories", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'}, {"trace", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static struct sim sim;
    struct fed_crypto crypto;
    struct fed_fs fs = fed_fs_posix(fed_alloc_system());
    struct totals totals = {0};
    struct fed_diag diag = {""};
    unsigned long histories = 0;
    unsigned long seed = 0;
    char dir[] = "/tmp/fedlet-sim-identity-XXXXXX";
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            histories = number_of(optarg);
        else if (option == 's')
            seed = number_of(optarg);
        else if (option == 't')
            sim.trace = true;
        else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (histories == 0)
        histories = seed > 0 ? 1 : 500;
    seed = seed > 0 ? seed : 1;
    if (!mkdtemp(dir) || fed_tls_crypto_open(fed_alloc_system(), &crypto, &diag)) {
        fprintf(stderr, "sim: cannot start: %s\n", diag.text);
        return 1;
    }
    sim.crypto = &crypto;
    sim.fs = &fs;
    sim.identity_dir = dir;
    for (unsigned long i = 0; i < histories; i++)
        run_history(&sim, seed + i, &totals);
    fed_tls_crypto_close(&crypto);
    remove_identity(dir);
    printf("ok - %lu histories from seed %lu: %lu messages lost, %lu restores, %lu versions, "
           "%lu removals consented to\n",
        totals.histories, seed, totals.lost, totals.restores, totals.versions, totals.consented);
    return 0;
}
