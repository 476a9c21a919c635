/* hub.c - the hub's life, from a new store over crashes to restores, and its objects. */
#include "tests/sim/sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/object/json.h"

#define SYSTEM "kube-federation-system"
#define MAPS "federatedconfigmaps.types.kubefed.io"
#define KEY_SIZE 90u
#define HEARTBEAT_S 120u

static void path_of(const struct sim *sim, const char *file, char out[96])
{
    snprintf(out, 96, "%s/%s", sim->dir, file);
}

static void must(
    const struct sim *sim, enum fed_err err, const char *what, const struct fed_diag *diag)
{
    SIM_CHECK(sim, !err, "%s: %s: %s", what, fed_err_text(err), diag ? diag->text : "");
}

/* ---- objects ---- */

/* JSON with single quotes for double ones. */
static void put(struct sim *sim, const char *resource, const char *ns, const char *name,
    const char *format, ...) FED_PRINTF(5, 6);
static void put(struct sim *sim, const char *resource, const char *ns, const char *name,
    const char *format, ...)
{
    struct hub_object_write write = {.ref = {.resource = fed_span_text(resource),
                                         .ns = fed_span_text(ns),
                                         .name = fed_span_text(name)},
        .expected = HUB_ANY_REVISION};
    struct fed_diag diag = {""};
    char text[2048];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(len > 0 && (size_t)len < sizeof text);
    for (int i = 0; i < len; i++)
        text[i] = text[i] == '\'' ? '"' : text[i];
    write.bytes = fed_span_text(text);
    must(sim, hub_objects_commit(sim->objects, &write, 1, NULL, 0, NULL, &diag), name, &diag);
}

static void put_type(struct sim *sim, const char *kind, const char *plural, const char *scope)
{
    put(sim, "federatedtypeconfigs.core.kubefed.io", SYSTEM, plural,
        "{'metadata':{'name':'%s'},'spec':{'propagation':'Enabled','targetType':{'group':'',"
        "'version':'v1','kind':'%s','pluralName':'%s','scope':'%s'},'federatedType':{'group':"
        "'types.kubefed.io','version':'v1beta1','kind':'Federated%s','pluralName':'federated%s',"
        "'scope':'Namespaced'}}}",
        plural, kind, plural, scope, kind, plural);
}

/* Only the cluster itself: approval is what an annotation says of removals that wait. */
static void put_cluster_object(struct sim *sim, const struct sim_agent *agent, const char *approval)
{
    put(sim, "kubefedclusters.core.kubefed.io", SYSTEM, agent->name,
        "{'metadata':{'name':'%s','annotations':{'fedlet.io/approve-removal':'%s'}},'spec':{}}",
        agent->name, approval);
}

/* The cluster, and the record of its key: zeros, and a last byte that says whose. */
static void put_cluster(struct sim *sim, struct sim_agent *agent)
{
    char key[KEY_SIZE / 3 * 4 + 1];

    put_cluster_object(sim, agent, "");
    memset(key, 'A', sizeof key - 1);
    key[sizeof key - 2] = (char)('A' + agent->number);
    key[sizeof key - 1] = '\0';
    put(sim, "joinrequests.fedlet.io", SYSTEM, agent->name,
        "{'metadata':{'name':'%s','namespace':'" SYSTEM "'},'spec':{'clusterName':'%s','publicKey':"
        "'%s','approved':true},'status':{'state':'Approved'}}",
        agent->name, agent->name, key);
}

static void make_certificate(struct sim_agent *agent)
{
    uint8_t key[KEY_SIZE] = {0};

    key[KEY_SIZE - 1] = (uint8_t)agent->number;
    agent->cert = (struct fed_crypto_cert_info){.n_organizations = 1,
        .not_before_unix_s = agent->sim->unix_s - 86400,
        .not_after_unix_s = agent->sim->unix_s + 315360000};
    snprintf(agent->cert.common_name, sizeof agent->cert.common_name, "%s", agent->name);
    snprintf(agent->cert.organizations[0], sizeof agent->cert.organizations[0], "fedlet:agents");
    must(agent->sim, fed_digest_of(fed_span_of(key, sizeof key), &agent->cert.public_key), "digest",
        NULL);
    agent->cert.fingerprint = agent->cert.public_key;
}

static void put_map(struct sim *sim, unsigned number, const char *deletion)
{
    const struct sim_map *map = &sim->maps[number];
    char name[8];
    char overrides[160] = "";
    char placement[SIM_AGENTS * 20] = "";
    size_t len = 0;

    for (unsigned i = 0; i < SIM_AGENTS; i++)
        if (map->placed & 1u << i)
            len += (size_t)snprintf(
                placement + len, sizeof placement - len, "%s{'name':'c%u'}", len ? "," : "", i);
    if (map->tuned > 0)
        snprintf(overrides, sizeof overrides,
            ",'overrides':[{'clusterName':'c0','clusterOverrides':[{'path':'/data/tuned','value':"
            "'%u'}]}]",
            map->tuned);
    snprintf(name, sizeof name, "m%u", number);
    put(sim, MAPS, "ns", name,
        "{'metadata':{'name':'%s','namespace':'ns','generation':%u,'finalizers':['kubefed.io/"
        "sync-controller']%s},'spec':{'template':{'data':{'version':'%u','text':'%032u'}},"
        "'placement':{'clusters':[%s]}%s}}",
        name, sim->next_version, deletion, map->version, map->version * 2654435761u, placement,
        overrides);
}

static void note_placement(struct sim *sim, unsigned number, unsigned before)
{
    unsigned placed = sim->maps[number].placed;

    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_watch *watch = &sim->agents[i].watch;

        if ((before & ~placed) & 1u << i)
            watch->ordered[number] = true;
        if (placed & 1u << i)
            watch->by_name[number] = false;
    }
}

static unsigned placed_in(const struct sim *sim, unsigned agent)
{
    unsigned n = 0;

    for (unsigned number = 0; number < SIM_MAPS; number++)
        n += sim->maps[number].there && sim->maps[number].placed & 1u << agent;
    return n;
}

void sim_hub_turn_over(struct sim *sim, unsigned agent)
{
    bool empty = placed_in(sim, agent) > SIM_MAPS / 2;

    sim_trace(sim, "hub: %s is placed in c%u", empty ? "nothing" : "everything", agent);
    for (unsigned number = 0; number < SIM_MAPS; number++) {
        struct sim_map *map = &sim->maps[number];
        unsigned before = map->placed;

        if (!map->there && !map->going && !empty)
            sim_hub_write(sim, number);
        if (!map->there || map->going)
            continue;
        map->placed = empty ? map->placed & ~(1u << agent) : map->placed | 1u << agent;
        sim->next_version++;
        note_placement(sim, number, before);
        put_map(sim, number, "");
    }
}

size_t sim_hub_consent(struct sim *sim)
{
    size_t n = 0;

    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_agent *agent = &sim->agents[i];
        struct hub_plan_consent consent;
        char id[64];

        if (!hub_plan_consent(sim->plan, fed_span_text(agent->name), &consent))
            continue;
        n += consent.n;
        sim_trace(sim, "hub: %zu removals of %s are consented to", consent.n, agent->name);
        for (unsigned m = 0; m < SIM_MAPS; m++)
            if (!sim->maps[m].there || !(sim->maps[m].placed & 1u << i))
                agent->watch.by_name[m] = true;
        snprintf(id, sizeof id, "%s", consent.id);
        put_cluster_object(sim, agent, id);
    }
    return n;
}

void sim_hub_write(struct sim *sim, unsigned number)
{
    struct sim_map *map = &sim->maps[number];
    const struct sim_map *like = &sim->maps[sim_random(sim, SIM_MAPS)]; /* the first: its blob */
    unsigned before = map->there ? map->placed : 0;

    if (map->going)
        return;
    if (!map->there || sim_chance(sim, 300))
        map->placed = sim_random(sim, 1u << SIM_AGENTS);
    sim->next_version++;
    if (map->there && sim_chance(sim, 300))
        map->tuned = sim->next_version;
    else
        map->version =
            sim->written[number] || like->version == 0 ? sim->next_version : like->version;
    map->there = sim->written[number] = true;
    note_placement(sim, number, before);
    sim_trace(sim, "hub: m%u is version %u, tuned by %u, in %x", number, map->version, map->tuned,
        map->placed);
    put_map(sim, number, "");
}

void sim_hub_delete(struct sim *sim, unsigned number)
{
    struct sim_map *map = &sim->maps[number];

    if (!map->there || map->going)
        return;
    map->going = true;
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        sim->agents[i].watch.ordered[number] = sim->agents[i].watch.by_name[number] = true;
    sim_trace(sim, "hub: m%u is deleted", number);
    put_map(sim, number, ",'deletionTimestamp':'2026-11-29T00:00:00Z'");
}

static bool stored(struct sim *sim, unsigned number, struct fed_buf *out)
{
    char name[8];
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(MAPS), .ns = FED_SPAN_LIT("ns")};

    snprintf(name, sizeof name, "m%u", number);
    ref.name = fed_span_text(name);
    return hub_objects_get(sim->objects, &ref, out, NULL) == FED_OK;
}

void sim_hub_look(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_MAPS; i++) {
        struct fed_buf bytes;

        if (!sim->maps[i].going)
            continue;
        fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
        if (!stored(sim, i, &bytes)) {
            sim_trace(sim, "hub: m%u is gone", i);
            sim->maps[i] = (struct sim_map){0};
        }
        fed_buf_fini(&bytes);
    }
}

const char *sim_hub_status(struct sim *sim, unsigned number)
{
    static char text[4096];
    char name[8];
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT(MAPS), .ns = FED_SPAN_LIT("ns")};
    struct hub_kind_hooks hooks;
    struct fed_json_doc *doc;
    struct fed_json *object;
    struct fed_buf bytes;
    uint64_t revision = 0;

    snprintf(name, sizeof name, "m%u", number);
    ref.name = fed_span_text(name);
    hub_status_federated_hooks(sim->status, &hooks);
    fed_buf_init(&bytes, fed_alloc_system(), HUB_OBJECT_BYTES_MAX);
    must(sim, hub_objects_get(sim->objects, &ref, &bytes, &revision), name, NULL);
    must(sim, fed_json_doc_new(fed_alloc_system(), &doc), name, NULL);
    must(sim, fed_json_parse(doc, fed_buf_span(&bytes), &object, NULL), name, NULL);
    must(sim, hooks.compose(hooks.ctx, &ref, doc, object, &revision), name, NULL);
    fed_buf_clear(&bytes);
    if (fed_json_get(object, "status"))
        must(sim, fed_json_put(&bytes, fed_json_get(object, "status")), name, NULL);
    snprintf(text, sizeof text, "%s", fed_buf_cstr(&bytes));
    fed_buf_fini(&bytes);
    fed_json_doc_free(doc);
    return text;
}

/* ---- life ---- */

static void on_changed(void *ctx, struct fed_span cluster, uint64_t revision)
{
    struct sim *sim = ctx;

    if (sim->gateway)
        hub_gateway_plan_changed(sim->gateway, cluster, revision);
}

static void on_object_changed(void *ctx, const struct hub_object_ref *ref, uint64_t revision)
{
    hub_status_object_changed(((struct sim *)ctx)->status, ref, revision);
}

static void open_store(struct sim *sim)
{
    struct fed_sqlite_options options = {
        .history = true, .application_id = 1, .new_epoch = sim->epoch, .cache_kib = 256};
    struct fed_diag diag = {""};
    char path[96];

    path_of(sim, "hub.db", path);
    must(sim, fed_sqlite_store_open(fed_alloc_system(), path, &options, &sim->sqlite, &diag),
        "store", &diag);
}

static void open_identity(struct sim *sim)
{
    static const char *const names[] = {"hub.example"};
    static const char *const addresses[] = {"coaps://hub.example:5684"};
    struct hub_identity_options options = {
        .data_dir = sim->identity_dir, .advertise = names, .n_advertise = 1};
    struct fed_diag diag = {""};

    must(sim,
        hub_identity_open(fed_alloc_system(), sim_loop_port(sim->loop), NULL, sim->fs, sim->crypto,
            &options, &sim->identity, &diag),
        "identity", &diag);
    must(sim, hub_identity_attach(sim->identity, sim->objects, addresses, 1, &diag), "identity",
        &diag);
}

void sim_hub_start(struct sim *sim)
{
    struct hub_gateway_options options = {.heartbeat_s = HEARTBEAT_S};
    struct fed_alloc *mem = fed_alloc_system();
    struct fed_diag diag = {""};
    struct fed_loop *loop;

    sim->loop = sim_loop_new(sim);
    loop = sim_loop_port(sim->loop);
    open_store(sim);
    must(sim, hub_objects_open(mem, loop, fed_sqlite_store_port(sim->sqlite), &sim->objects, &diag),
        "objects", &diag);
    must(sim, hub_plan_open(mem, loop, NULL, sim->objects, NULL, NULL, &sim->plan, &diag), "plan",
        &diag);
    must(sim,
        hub_status_open(mem, loop, NULL, sim->objects, sim->plan, HEARTBEAT_S, &sim->status, &diag),
        "status", &diag);
    open_identity(sim);
    hub_plan_on_change(sim->plan, on_changed, on_object_changed, sim);
    must(sim,
        hub_gateway_open(mem, loop, NULL, sim->objects, sim->plan, sim->status, sim->identity,
            &options, &sim->gateway, &diag),
        "gateway", &diag);
    must(
        sim, hub_gateway_bind(sim->gateway, sim_net_gateway_link(), &sim->events), "gateway", NULL);
    sim->hub_up = true;
    sim->epoch = hub_plan_epoch(sim->plan);
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        struct sim_agent *agent = &sim->agents[i];
        uint64_t seq = hub_status_report_seq(sim->status, fed_span_text(agent->name));

        SIM_CHECK(sim, seq >= agent->watch.acknowledged,
            "%s was told that report %llu is kept, the hub has %llu", agent->name,
            (unsigned long long)agent->watch.acknowledged, (unsigned long long)seq);
    }
    sim_trace(sim, "hub: up, epoch %08lx", (unsigned long)sim->epoch);
}

void sim_hub_crash(struct sim *sim)
{
    sim_trace(sim, "hub: down");
    sim_net_hub_gone(sim);
    sim->hub_up = false;
    hub_plan_on_change(sim->plan, NULL, NULL, NULL);
    hub_gateway_close(sim->gateway);
    sim->gateway = NULL;
    hub_identity_close(sim->identity);
    hub_status_close(sim->status);
    hub_plan_close(sim->plan);
    hub_objects_close(sim->objects);
    fed_sqlite_store_close(sim->sqlite);
    sim_loop_free(sim->loop);
    sim->loop = NULL;
}

void sim_hub_new(struct sim *sim)
{
    snprintf(sim->dir, sizeof sim->dir, "%s/fedlet-sim-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert(mkdtemp(sim->dir));
    sim->epoch = 1 + sim_random(sim, UINT32_MAX - 1);
    sim_hub_start(sim);
    put_type(sim, "Namespace", "namespaces", "Cluster");
    put_type(sim, "ConfigMap", "configmaps", "Namespaced");
    for (unsigned i = 0; i < SIM_AGENTS; i++) {
        put_cluster(sim, &sim->agents[i]);
        make_certificate(&sim->agents[i]);
    }
    put(sim, "federatednamespaces.types.kubefed.io", "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns','generation':1},'spec':{'placement':{'"
        "clusterSelector':{}}}}");
}

void sim_hub_free(struct sim *sim)
{
    static const char *const files[] = {"hub.db", "hub.db-wal", "hub.db-shm", "backup.db"};
    char path[96];

    if (sim->hub_up)
        sim_hub_crash(sim);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path_of(sim, files[i], path);
        unlink(path);
    }
    rmdir(sim->dir);
}

void sim_hub_backup(struct sim *sim)
{
    struct fed_diag diag = {""};
    char path[96];

    path_of(sim, "backup.db", path);
    unlink(path);
    must(sim, fed_sqlite_store_backup(sim->sqlite, path, &diag), "backup", &diag);
    memcpy(sim->backup, sim->maps, sizeof sim->backup);
    sim->has_backup = true;
    sim_trace(sim, "hub: backup");
}

static void copy_file(const struct sim *sim, const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    char bytes[65536];
    size_t len;

    SIM_CHECK(sim, in && out, "%s cannot be copied to %s", from, to);
    while ((len = fread(bytes, 1, sizeof bytes, in)) > 0)
        SIM_CHECK(sim, fwrite(bytes, 1, len, out) == len, "%s: no room", to);
    fclose(in);
    SIM_CHECK(sim, fclose(out) == 0, "%s: no room", to);
}

void sim_hub_restore(struct sim *sim)
{
    struct fed_diag diag = {""};
    char from[96];
    char to[96];

    path_of(sim, "hub.db-wal", to);
    unlink(to);
    path_of(sim, "hub.db-shm", to);
    unlink(to);
    path_of(sim, "backup.db", from);
    path_of(sim, "hub.db", to);
    copy_file(sim, from, to);
    open_store(sim);
    must(sim, fed_sqlite_store_set_epoch(sim->sqlite, 1 + sim_random(sim, UINT32_MAX - 1), &diag),
        "epoch", &diag);
    fed_sqlite_store_close(sim->sqlite);
    memcpy(sim->maps, sim->backup, sizeof sim->maps);
    sim->restores++;
    for (unsigned i = 0; i < SIM_AGENTS; i++)
        sim->agents[i].watch.acknowledged = 0; /* what came after the backup is lost */
    sim_trace(sim, "hub: restored");
}
