/* probe.h - is the member's API server well, and what is it? GET /healthz, as KubeFed judges a
 * cluster, and GET /version.
 *
 * Looks once a minute, at once after trouble, and with back-off while it is away. Neither a failed
 * request nor an answer that is not ok is believed before the third in a row (KubeFed's default
 * failureThreshold, here of probes that really follow each other); one that is well is believed at
 * once. Nodes, and pods that find none, are counted every ten minutes,
 * where the agent may list them. */
#ifndef FEDLET_AGENT_PROBE_H
#define FEDLET_AGENT_PROBE_H

#include "agent/answer.h"
#include "agent/ports.h"

struct agent_probe;

struct agent_probe_events {
    void *ctx;
    /* Reachable or not; called at each change, first when it is known. */
    void (*reachable)(void *ctx, bool reachable);
    /* JSON document for the hub: {"kubernetesVersion","healthz":"ok" or what is wrong, and what the
     * nodes amount to (nodes.h)}. */
    void (*facts)(void *ctx, struct fed_span facts);
};

FED_MUST_USE enum fed_err agent_probe_new(const struct agent_ports *ports,
    const struct agent_probe_events *events, struct agent_probe **out);
void agent_probe_free(struct agent_probe *probe);
void agent_probe_start(struct agent_probe *probe);
/* Somebody's request failed: look now. */
void agent_probe_trouble(struct agent_probe *probe);
/* The longest pause between two looks: while it is away, and while it is well. */
#define AGENT_PROBE_CEILING_S 60u
struct agent_probe_status {
    bool reachable;
    uint64_t since_ms; /* monotonic, as below: it is so */
    uint64_t next_ms;  /* the next look; 0: none was yet */
    const char *why;   /* what is wrong, "ok" or "" */
    const char *version;
};
void agent_probe_status(const struct agent_probe *probe, struct agent_probe_status *out);
bool agent_probe_is_reachable(const struct agent_probe *probe);

#endif
