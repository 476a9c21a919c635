/* remedy.h - what to do about a state, in one sentence. Pure.
 *
 * The words are KubeFed's (kubefed pkg/controller/sync/status), which status.clusters[].status and
 * the Propagation condition use; where a word says little, the member's own sentence decides. */
#ifndef FEDLET_CLI_REMEDY_H
#define FEDLET_CLI_REMEDY_H

#include "proto/base/span.h"

enum cli_state {
    CLI_STATE_APPLIED,   /* the member holds it as asked */
    CLI_STATE_FORBIDDEN, /* a PlacementPolicy leaves the cluster out: nothing is there, as wanted */
    CLI_STATE_PENDING,   /* on its way to a cluster that is there */
    CLI_STATE_REMOVING,  /* asked to go, and still there */
    CLI_STATE_OFFLINE,   /* the cluster is not heard of, or its API server is not well */
    CLI_STATE_REFUSED,   /* the hub cannot make what would be sent */
    CLI_STATE_FAILED,    /* the member did not take it */
    CLI_STATES
};
const char *cli_state_name(enum cli_state state); /* "applied" ... */
/* Whether nothing more is to happen there. */
bool cli_state_is_settled(enum cli_state state);
/* Of status.clusters[].status; empty: applied. */
enum cli_state cli_state_of(struct fed_span word);
/* "" when there is nothing to do. */
const char *cli_remedy(struct fed_span word, struct fed_span message);

#endif
