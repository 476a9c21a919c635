/* units.h - the systemd units that `fedlet install` writes: those of deploy/ as they are in the
 * sources, without comments (agent/units.cmake). */
#ifndef FEDLET_AGENT_UNITS_H
#define FEDLET_AGENT_UNITS_H

#include <stddef.h>

/* What stands in them for the cluster's kubeconfig. */
#define AGENT_UNITS_KUBECONFIG "/etc/rancher/k3s/k3s.yaml"

struct agent_unit {
    const char *path; /* below the root */
    const char *text;
    unsigned before; /* only for systemd older than that; 0: always */
};
extern const struct agent_unit agent_units[];
extern const size_t agent_n_units;

#endif
