/* vault.h - what cannot be had again from hub and cluster, kept a second time beside the state
 * file, and the way from a damaged one to a new one.
 *
 * STATE_DIR/identity (0600): u8 format 1; strings, key and value of each row that is kept
 * (identity, mark, time; state.h); 16 bytes, the first half of the SHA-256 of all before them. It
 * is replaced whole, after the state file was.
 *
 * A damaged state file is set aside as state.db.damaged-1, the one of before becomes -2, and
 * AGENT_VAULT_ASIDE_MAX are kept. The new one begins with what is kept here: the next session pulls
 * the whole bundle, objects in the member are recognised by the managed label and our field
 * manager, and what the bundle does not name loses the label and stays (stray.h). Nothing is
 * deleted. */
#ifndef FEDLET_AGENT_VAULT_H
#define FEDLET_AGENT_VAULT_H

#include "agent/state.h"

#define AGENT_VAULT_FILE "identity"
#define AGENT_VAULT_ASIDE ".damaged-" /* and a digit */
#define AGENT_VAULT_ASIDE_MAX 2u

/* Where it is; borrowed. */
struct agent_vault {
    struct fed_fs *fs;
    const char *path;
};

/* Writes what the store has now, unless the file has it already. The store's and the file's errors
 * with diag. */
FED_MUST_USE enum fed_err agent_vault_keep(struct agent_state *state, struct fed_diag *diag);
/* Puts what is kept into a store that has no identity; FED_OK when it has one. FED_ERR_NOT_FOUND
 * when nothing is kept, FED_ERR_CORRUPT when that is damaged, too. */
FED_MUST_USE enum fed_err agent_vault_restore(struct agent_state *state, struct fed_diag *diag);
/* Takes the files of a closed store at path out of the way. The main file goes first: without it
 * the rest is not taken for a store. */
FED_MUST_USE enum fed_err agent_vault_set_aside(
    struct fed_fs *fs, const char *path, struct fed_diag *diag);

#endif
