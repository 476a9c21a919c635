/* serve.h - the service and its offline commands, as the command line calls them.
 *
 * Data directory: hub.db (the store), lock (one process), ca.*, server.*, admin.kubeconfig
 * (identity). */
#ifndef FEDLET_HUB_SERVE_H
#define FEDLET_HUB_SERVE_H

#include "hub/options.h"
#include "ports/fs.h"

/* Runs until SIGTERM or SIGINT. FED_ERR_BUSY when another process has the directory. */
FED_MUST_USE enum fed_err hub_serve(const struct hub_options *options, struct fed_diag *diag);

FED_MUST_USE enum fed_err hub_store_verify(
    const struct hub_options *options, struct fed_diag *diag);
/* file must not exist. */
FED_MUST_USE enum fed_err hub_store_backup(
    const struct hub_options *options, const char *file, struct fed_diag *diag);
/* Checks the backup, keeps the present store as hub.db.replaced, gives the new one another epoch.
 */
FED_MUST_USE enum fed_err hub_store_restore(
    const struct hub_options *options, const char *file, struct fed_diag *diag);

/* status, rotate, finish, drop of the CA, also beside a hub that runs, which takes it in at its
 * next start; what is to be said is appended to out. FED_ERR_NOT_FOUND for another action,
 * FED_ERR_CONFLICT when it cannot be done now, with diag. */
bool hub_ca_action(const char *name);
enum hub_ca_force { HUB_CA_CAREFUL, HUB_CA_FORCE };
FED_MUST_USE enum fed_err hub_ca(const struct hub_options *options, const char *action,
    enum hub_ca_force force, struct fed_buf *out, struct fed_diag *diag);

#endif
