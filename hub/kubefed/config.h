/* config.h - the one KubeFedConfig that counts, `kubefed` in the system namespace, as the rest of
 * the hub reads it.
 *
 * Source: KubeFed's KubeFedConfig (core.kubefed.io/v1beta1). What is honoured, at once and without
 * a restart:
 *
 * - syncController.adoptResources: whether objects that are in a member already are taken over
 * - featureGates, PushReconciler: Disabled: nothing is sent to members, and what is there stays
 * - featureGates, SchedulerPreferences: whether ReplicaSchedulingPreferences act
 * - featureGates, RawResourceStatusCollection: with statusCollection of a type: remoteStatus
 * - controllerDuration.availableDelay and unavailableDelay: for those preferences alone
 * - scope: Namespaced: cluster-scoped types are not propagated
 *
 * What is kept and means nothing in a federation of agents:
 *
 * - clusterHealthCheck: agents look at their own API server and report; a cluster is offline when
 *   its agent said nothing for one and a half of the hub's heartbeat-s (hub/status/status.h)
 * - leaderElect and cacheSyncTimeout: the hub is one process, which hears of changes
 * - maxConcurrentReconciles: all changes of a turn are planned at once */
#ifndef FEDLET_HUB_KUBEFED_CONFIG_H
#define FEDLET_HUB_KUBEFED_CONFIG_H

#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/log.h"
#include "proto/object/json.h"

#define HUB_KUBEFED_CONFIGS "kubefedconfigs.core.kubefed.io"
#define HUB_KUBEFED_CONFIG "kubefed"

struct hub_kubefed_settings {
    bool namespaced; /* scope Namespaced */
    bool adopt;
    bool push;
    bool scheduler;
    bool raw_status;
    uint64_t available_ms;   /* a cluster takes part again when it was ready for so long */
    uint64_t unavailable_ms; /* and no longer when it was not */
};
/* What holds where nothing is said. */
struct hub_kubefed_settings hub_kubefed_settings_otherwise(void);
/* From a KubeFedConfig, whether defaults were filled in or not. */
struct hub_kubefed_settings hub_kubefed_settings_of(const struct fed_json *config);
/* As stored now. FED_ERR_NOMEM, and what the store says; out is untouched then. */
FED_MUST_USE enum fed_err hub_kubefed_settings_read(
    struct fed_alloc *mem, struct hub_objects *objects, struct hub_kubefed_settings *out);
/* Whether it is the object that counts. */
bool hub_kubefed_config_is(const struct hub_object_ref *ref);

/* The settings as stored now, for whoever does not follow the object itself. */
struct hub_kubefed_config;
typedef void hub_kubefed_config_changed(void *ctx);
FED_MUST_USE enum fed_err hub_kubefed_config_open(struct fed_alloc *mem, struct fed_log *log,
    struct hub_objects *objects, struct hub_kubefed_config **out, struct fed_diag *diag);
void hub_kubefed_config_close(struct hub_kubefed_config *config);
struct hub_kubefed_settings hub_kubefed_config_now(const struct hub_kubefed_config *config);
/* changed is called after the settings differ, the delays aside. */
void hub_kubefed_config_on_change(
    struct hub_kubefed_config *config, hub_kubefed_config_changed *changed, void *ctx);
/* Makes the object with its defaults when it is missing, as KubeFed's controller does when it
 * starts. */
FED_MUST_USE enum fed_err hub_kubefed_config_ensure(struct hub_kubefed_config *config,
    struct fed_crypto *crypto, int64_t now_unix_s, struct fed_diag *diag);

#endif
