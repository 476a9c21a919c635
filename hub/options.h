/* options.h - the settings of fedhub: one table feeds flags, configuration file, --check, sample
 * and help. */
#ifndef FEDLET_HUB_OPTIONS_H
#define FEDLET_HUB_OPTIONS_H

#include "ports/log.h"
#include "proto/base/buf.h"
#include "proto/bundle/consent.h"

#define HUB_OPTIONS_ADVERTISE_MAX 16u
#define HUB_OPTIONS_AUTO (-1)
#define HUB_OPTIONS_FILE_MAX (64u << 10)

struct hub_options {
    char data_dir[512];
    char listen[280];
    char coap_listen[280];
    char agent_listen[280];
    char advertise[HUB_OPTIONS_ADVERTISE_MAX][256];
    size_t n_advertise;
    int64_t gateway_workers; /* HUB_OPTIONS_AUTO: one per core */
    int64_t heartbeat_s;
    int64_t certificate_life_s;
    int64_t certificate_return_s; /* 0: no end */
    struct fed_consent_limit removal_consent;
    int64_t store_cache_kib;
    int64_t history_s;
    int64_t history_kib;
    int64_t audit_file_kib;
    int64_t audit_files;
    int64_t audit_reads; /* 0 or 1 */
    int64_t console_session_s;
    int64_t console_idle_s;
    int64_t log_level; /* enum fed_log_level */
};

void hub_options_default(struct hub_options *out);
/* Sets one by its name ("data-dir"); lists grow. FED_ERR_NOT_FOUND, FED_ERR_INVALID, FED_ERR_LIMIT
 * with diag. */
FED_MUST_USE enum fed_err hub_options_set(
    struct hub_options *options, const char *name, const char *value, struct fed_diag *diag);
/* A YAML mapping of the same names. FED_ERR_INVALID with diag. */
FED_MUST_USE enum fed_err hub_options_file(struct fed_alloc *mem, struct fed_span text,
    struct hub_options *options, struct fed_diag *diag);
/* A file with every setting, its default and its help. */
void hub_options_sample(struct fed_buf *out);
/* What is set, as a JSON object with every name. */
FED_MUST_USE enum fed_err hub_options_json(const struct hub_options *options, struct fed_buf *out);
void hub_options_help(struct fed_buf *out);

#endif
