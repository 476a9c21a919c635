/* agent_world_inner.h - the parts of the agent's world to each other. */
#ifndef FEDLET_TESTS_AGENT_WORLD_INNER_H
#define FEDLET_TESTS_AGENT_WORLD_INNER_H

#include "tests/unit/agent_world.h"

void world_kube_init(struct world *w);
bool world_kube_step(struct world *w); /* answers one request; false: none that may be answered */
void world_kube_cut(struct world *w);
void world_link_init(struct world *w);
bool world_link_step(struct world *w);
void world_link_cut(struct world *w);

#endif
