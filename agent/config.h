/* config.h - what can be set: one table of keys feeds the file, the options of the command line,
 * `fedlet config --check` and `fedlet config --sample`. The file is YAML; the command line wins
 * over it. */
#ifndef FEDLET_AGENT_CONFIG_H
#define FEDLET_AGENT_CONFIG_H

#include "agent/limits.h"
#include "ports/log.h"
#include "proto/base/buf.h"
#include "proto/bundle/consent.h"

#define AGENT_PATH_MAX 1024u
#define AGENT_METRICS_SIZE 120u
#define AGENT_PROXY_SIZE 513u /* FED_HTTP_PROXY_MAX and a NUL */

struct agent_config {
    char state_dir[AGENT_PATH_MAX];
    char kubeconfig[AGENT_PATH_MAX];  /* "" for the default search */
    char link[8];                     /* auto, coap, https */
    char proxy[AGENT_PROXY_SIZE];     /* "" for that of the environment, "none" for none */
    char log_level[8];                /* error, warn, info, debug */
    char log[8];                      /* text, json */
    char metrics[AGENT_METRICS_SIZE]; /* "" for none */
    char policy[AGENT_PATH_MAX];      /* "" for none (policy.h) */
    char removal_consent[FED_CONSENT_TEXT_SIZE];
    char hubs[AGENT_HUBS_MAX][281];
    size_t n_hubs; /* 0: those that came with the token */
};

void agent_config_defaults(struct agent_config *config);
/* Reads the document (JSON, from the YAML file). FED_ERR_INVALID with the key and its range. */
FED_MUST_USE enum fed_err agent_config_read(
    struct agent_config *config, struct fed_span json, struct fed_diag *diag);
/* Sets one key by its option name ("--state-dir"). FED_ERR_NOT_FOUND when it is no such option. A
 * list is begun anew by its first value from the command line: *first is the caller's memory for
 * that, true at the start. */
FED_MUST_USE enum fed_err agent_config_option(struct agent_config *config, const char *option,
    const char *value, bool *first, struct fed_diag *diag);
/* A commented file with the defaults. */
void agent_config_sample(struct fed_buf *out);
/* The first key of which a running agent cannot take the new value, NULL for none: stateDir, link,
 * proxy. The others are taken at once. */
const char *agent_config_fixed(const struct agent_config *now, const struct agent_config *next);
enum fed_log_level agent_config_log_level(const struct agent_config *config);

#endif
