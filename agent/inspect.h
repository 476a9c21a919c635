/* inspect.h - a state directory as an onlooker sees it: of the service when one runs, else of the
 * files, which are left as they are. For doctor, preflight and support-bundle; program only. */
#ifndef FEDLET_AGENT_INSPECT_H
#define FEDLET_AGENT_INSPECT_H

#include "agent/world.h"
#include "proto/doc/doc.h"

struct agent_inspect {
    struct agent_world *w;
    bool joined;                     /* w->identity and w->key_pem are set */
    struct fed_doc *status;          /* of the service; NULL: none answers */
    struct fed_diag service_trouble; /* why not */
    bool has_table;                  /* of the state file, when no service runs */
    struct agent_state state;
    struct agent_table table;
    struct fed_diag state_trouble; /* why it cannot be read, "" for none */
};

/* Opens loop and crypto of w, and looks. public: what is seen is for others than the owner of the
 * machine (agent_daemon_status_public). Only FED_ERR_NOMEM and the like are errors: what is wrong
 * with the directory is a finding. Close in any case. */
FED_MUST_USE enum fed_err agent_inspect_open(
    struct agent_world *w, bool public, struct agent_inspect *out, struct fed_diag *diag);
void agent_inspect_close(struct agent_inspect *inspect);

#endif
