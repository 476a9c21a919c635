/* gates.h - feature gates as the KubeFedConfig of the federation sets them.
 *
 * Source: KubeFed's spec.featureGates[] {name, configuration: Enabled or Disabled} and the defaults
 * of its gates (pkg/features). Pure; nothing else here reads a KubeFedConfig. */
#ifndef FEDLET_HUB_PLAN_GATES_H
#define FEDLET_HUB_PLAN_GATES_H

#include "proto/object/json.h"

#define HUB_GATE_CONFIGS "kubefedconfigs.core.kubefed.io"
#define HUB_GATE_CONFIG "kubefed" /* the one that counts, in the system namespace */
#define HUB_GATE_RAW_STATUS "RawResourceStatusCollection"

/* config NULL: the defaults. An unknown gate is off. */
bool hub_gate_is_on(const struct fed_json *config, const char *gate);

#endif
