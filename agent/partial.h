/* partial.h - what came of a large bundle, across a restart of the agent.
 *
 * The link can say what it has of an unfinished answer, and go on from there in another process
 * (ports/link.h). It is kept in STATE_DIR/partial (0600, as a bundle holds Secrets) at an orderly
 * stop and, against any other end, when 256 KiB came and each time that it has doubled: all writes
 * together are twice the bundle, however slow the link. Whether it is good is not asked here: the
 * hub's ETag says whether it is the same body, and the frame's digests whether all of it is right.
 */
#ifndef FEDLET_AGENT_PARTIAL_H
#define FEDLET_AGENT_PARTIAL_H

#include "agent/ports.h"

/* Larger ones begin anew: writing them takes as much memory again. */
#define AGENT_PARTIAL_MAX (8u << 20)

/* Where it is kept; borrowed. */
struct agent_partial_place {
    struct fed_fs *fs;
    const char *path;
};

struct agent_partial {
    const struct agent_partial_place *place; /* NULL: nowhere */
    bool written;                            /* there may be a file */
};

/* Gives the link what an earlier process kept. Once, before connecting: afterwards the link has
 * more than the file. */
void agent_partial_load(struct agent_partial *partial, const struct agent_ports *ports);
/* Writes what there is; removes the file when there is nothing. */
void agent_partial_keep(struct agent_partial *partial, const struct agent_ports *ports);
/* The bundle is complete, whichever way it came: the link forgets its part too. */
void agent_partial_forget(struct agent_partial *partial, const struct agent_ports *ports);

#endif
