/* fleet_rows - a large fleet in the store of a hub that is not running.
 *
 *   fleet_rows HUB_DB CLUSTERS
 *
 * Registers clusters and takes a full report for each, in which everything that is placed there is
 * applied: what ten thousand agents would leave behind, without them. Prints how many works. */
#include "hub/status/status.h"
#include "hub/store_file.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM "kube-federation-system"

struct fleet {
    struct fed_linux_loop *linux_loop;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_status *status;
    struct fed_diag diag;
    size_t works;
};

static void name_of(unsigned i, char out[32])
{
    snprintf(out, 32, "cluster-%06u", i);
}

static enum fed_err add_cluster(struct fleet *f, unsigned i)
{
    char name[32];
    char text[600];
    struct hub_object_write write = {
        .ref = {FED_SPAN_LIT("kubefedclusters.core.kubefed.io"), FED_SPAN_LIT(SYSTEM), {0}}};

    name_of(i, name);
    snprintf(text, sizeof text,
        "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"KubeFedCluster\",\"metadata\":{"
        "\"name\":\"%s\",\"namespace\":\"" SYSTEM "\",\"uid\":\"00000000-0000-4000-8000-%012u\","
        "\"generation\":1,\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"region\":"
        "\"r%02u\"}},\"spec\":{\"apiEndpoint\":\"https://"
        "%s.example\",\"secretRef\":{\"name\":\"%s\""
        "}}}",
        name, i, i % 20, name, name);
    write.ref.name = fed_span_text(name);
    write.bytes = fed_span_text(text);
    return hub_objects_stage(f->objects, &write, 1, NULL, 0, NULL, &f->diag);
}

static enum fed_err report(struct fleet *f, unsigned i)
{
    static const char facts[] = "{\"kubernetesVersion\":\"v1.34.4\",\"healthz\":\"ok\",\"nodes\":3,"
                                "\"allocatable\":{\"cpu\":\"12000m\",\"memory\":\"25165824Ki\"},"
                                "\"region\":\"eu-west\",\"zones\":[\"a\",\"b\"]}";
    struct fed_report_entry entries[64];
    struct fed_report r = {.full = true,
        .epoch = hub_plan_epoch(f->plan),
        .seq = 1,
        .entries = entries,
        .facts = fed_span_text(facts)};
    const struct fed_manifest *manifest;
    char name[32];
    enum fed_err err;

    name_of(i, name);
    err = hub_plan_manifest(f->plan, fed_span_text(name), &manifest);
    if (err)
        return fed_diag_set(&f->diag, err, "%s has no manifest", name);
    r.revision = manifest->revision;
    for (; r.n_entries < manifest->n_works && r.n_entries < 64; r.n_entries++)
        entries[r.n_entries] = (struct fed_report_entry){.index = r.n_entries,
            .state = FED_WORK_APPLIED,
            .health = FED_HEALTH_HEALTHY,
            .generation = 1};
    f->works += r.n_entries;
    hub_status_connected(f->status, fed_span_text(name), "coap", "192.0.2.1:5684");
    return hub_status_report(f->status, fed_span_text(name), &r, &f->diag);
}

static enum fed_err fill(struct fleet *f, unsigned n)
{
    enum fed_err err = FED_OK;

    for (unsigned i = 0; !err && i < n; i++)
        err = add_cluster(f, i);
    if (!err)
        err = hub_objects_flush(f->objects, &f->diag);
    for (unsigned i = 0; !err && i < n; i++)
        err = report(f, i);
    return err ? err : hub_objects_flush(f->objects, &f->diag);
}

static enum fed_err open_all(struct fleet *f, const char *path)
{
    struct fed_sqlite_options options = {.history = true,
        .application_id = HUB_STORE_APPLICATION_ID,
        .new_epoch = 1,
        .cache_kib = 65536};
    struct fed_alloc *mem = fed_alloc_system();
    enum fed_err err = fed_linux_loop_open(mem, &f->linux_loop, &f->diag);
    struct fed_loop *loop = err ? NULL : fed_linux_loop_port(f->linux_loop);

    if (!err)
        err = fed_sqlite_store_open(mem, path, &options, &f->sqlite, &f->diag);
    if (!err)
        err = hub_objects_open(mem, loop, fed_sqlite_store_port(f->sqlite), &f->objects, &f->diag);
    if (!err)
        err = hub_plan_open(mem, loop, NULL, f->objects, NULL, NULL, &f->plan, &f->diag);
    return err ? err
               : hub_status_open(mem, loop, NULL, f->objects, f->plan, 120, &f->status, &f->diag);
}

static void close_all(struct fleet *f)
{
    hub_status_close(f->status);
    hub_plan_close(f->plan);
    hub_objects_close(f->objects);
    fed_sqlite_store_close(f->sqlite);
    fed_linux_loop_close(f->linux_loop);
}

int main(int argc, char **argv)
{
    struct fleet f = {.diag = {""}};
    uint64_t n;
    enum fed_err err;

    if (argc != 3 || fed_span_to_u64(fed_span_text(argv[2]), &n) || n == 0 || n > 1000000) {
        fprintf(stderr, "usage: fleet_rows HUB_DB CLUSTERS\n");
        return 2;
    }
    err = open_all(&f, argv[1]);
    if (!err)
        err = fill(&f, (unsigned)n);
    if (err)
        fprintf(stderr, "fleet_rows: %s\n", f.diag.text[0] ? f.diag.text : fed_err_text(err));
    else
        printf("%zu\n", f.works);
    close_all(&f);
    return err ? 1 : 0;
}
