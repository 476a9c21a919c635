/* nodes.c - see nodes.h. */
#include "agent/nodes.h"

#include <stdio.h>
#include <string.h>

/* ---- quantities ---- */

static const struct suffix {
    const char *text;
    uint64_t milli; /* thousandths of one */
} suffixes[] = {{"m", 1}, {"", 1000}, {"k", 1000000}, {"M", 1000000000}, {"G", 1000000000000},
    {"T", 1000000000000000}, {"Ki", 1000ull << 10}, {"Mi", 1000ull << 20}, {"Gi", 1000ull << 30},
    {"Ti", 1000ull << 40}};

static uint64_t times(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool agent_quantity_milli(struct fed_span text, uint64_t *out)
{
    uint64_t whole = 0;
    uint64_t part = 0;
    uint64_t part_of = 1;
    size_t at = 0;

    for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++)
        whole = plus(times(whole, 10), (uint64_t)(text.at[at] - '0'));
    if (at == 0)
        return false;
    if (at < text.len && text.at[at] == '.') {
        for (at++; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++) {
            if (part_of < 1000) { /* finer than that is lost */
                part = part * 10 + (uint64_t)(text.at[at] - '0');
                part_of *= 10;
            }
        }
    }
    text = fed_span_sub(text, at, text.len);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (!fed_span_is(text, suffixes[i].text))
            continue;
        *out = plus(times(whole, suffixes[i].milli), times(part, suffixes[i].milli) / part_of);
        return true;
    }
    return false;
}

/* ---- nodes ---- */

static void take_zone(struct agent_nodes *nodes, struct fed_span label)
{
    char zone[AGENT_NODES_LABEL_MAX + 1];
    size_t at = 0;

    if (label.len == 0 || fed_span_to_cstr(label, zone, sizeof zone))
        return;
    while (at < nodes->n_zones && strcmp(nodes->zones[at], zone) < 0)
        at++;
    if (nodes->n_zones == AGENT_NODES_ZONES_MAX ||
        (at < nodes->n_zones && strcmp(nodes->zones[at], zone) == 0))
        return;
    memmove(nodes->zones[at + 1], nodes->zones[at], (nodes->n_zones - at) * sizeof *nodes->zones);
    memcpy(nodes->zones[at], zone, sizeof zone);
    nodes->n_zones++;
}

void agent_nodes_take(struct agent_nodes *nodes, const struct fed_json *node)
{
    const struct fed_json *labels = fed_json_find(node, "metadata.labels");
    const struct fed_json *allocatable = fed_json_find(node, "status.allocatable");
    struct fed_span region = fed_json_string(fed_json_get(labels, "topology.kubernetes.io/region"));
    uint64_t milli;

    nodes->n++;
    if (!nodes->region[0] && fed_span_to_cstr(region, nodes->region, sizeof nodes->region))
        nodes->region[0] = '\0';
    take_zone(nodes, fed_json_string(fed_json_get(labels, "topology.kubernetes.io/zone")));
    if (agent_quantity_milli(fed_json_string(fed_json_get(allocatable, "cpu")), &milli))
        nodes->cpu_milli = plus(nodes->cpu_milli, milli);
    if (agent_quantity_milli(fed_json_string(fed_json_get(allocatable, "memory")), &milli))
        nodes->memory_kib = plus(nodes->memory_kib, milli / 1000 / 1024);
}

/* ---- facts ---- */

static enum fed_err put_allocatable(const struct agent_nodes *nodes, struct fed_doc *facts)
{
    struct fed_doc *allocatable = fed_doc_new_object();
    char cpu[32];
    char memory[32];
    enum fed_err err = allocatable ? FED_OK : FED_ERR_NOMEM;

    snprintf(cpu, sizeof cpu, "%llum", (unsigned long long)nodes->cpu_milli);
    snprintf(memory, sizeof memory, "%lluKi", (unsigned long long)nodes->memory_kib);
    if (!err)
        err = fed_doc_set_text(allocatable, "cpu", cpu);
    if (!err)
        err = fed_doc_set_text(allocatable, "memory", memory);
    if (err)
        fed_doc_free(allocatable);
    return err ? err : fed_doc_set_take(facts, "allocatable", allocatable);
}

static enum fed_err put_zones(const struct agent_nodes *nodes, struct fed_doc *facts)
{
    struct fed_doc *zones = fed_doc_new_array();
    enum fed_err err = zones ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; !err && i < nodes->n_zones; i++)
        err = fed_doc_append_text(zones, nodes->zones[i]);
    if (err)
        fed_doc_free(zones);
    return err ? err : fed_doc_set_take(facts, "zones", zones);
}

enum fed_err agent_nodes_put(const struct agent_nodes *nodes, struct fed_doc *facts)
{
    enum fed_err err = FED_OK;

    if (nodes->n == 0)
        return FED_OK;
    err = fed_doc_set_int(facts, "nodes", (int64_t)nodes->n);
    if (!err)
        err = put_allocatable(nodes, facts);
    if (!err && nodes->region[0])
        err = fed_doc_set_text(facts, "region", nodes->region);
    if (!err && nodes->n_zones)
        err = put_zones(nodes, facts);
    if (!err && nodes->unschedulable > 0)
        err = fed_doc_set_int(facts, "unschedulablePods", nodes->unschedulable);
    return err;
}
