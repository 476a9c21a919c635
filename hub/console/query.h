/* query.h - the query box: words that all hold.
 *
 *   shop-*  north         a name: with *, the whole of it; without, a part of it; in either case
 *   state:offline         a cluster's connectivity (online late offline never quarantined) or
 *                         delivery (in-sync syncing waiting drifted contested failed)
 *   ns:shop  kind:deployments   objects of a namespace, of a resource (federateddeployments, too)
 *   region=north  tier!=test    labels of clusters, as kubectl writes them
 *   region in (north, south)    the same; then everything but the words with a colon is labels
 *
 * Pure. */
#ifndef FEDLET_HUB_CONSOLE_QUERY_H
#define FEDLET_HUB_CONSOLE_QUERY_H

#include "hub/console/fleet.h"
#include "proto/object/selector.h"

#define CONSOLE_QUERY_MAX 1024u /* bytes */
#define CONSOLE_NAMES_MAX 8u

struct console_words { /* spans are the query's */
    struct fed_span names[CONSOLE_NAMES_MAX];
    size_t n_names;
    unsigned connectivity; /* bits of enum hub_connectivity; 0: any */
    unsigned delivery;     /* bits of enum hub_delivery; 0: any */
    struct fed_span ns;
    struct fed_span kind;
    struct fed_selector *labels; /* NULL: any */
};

/* FED_ERR_INVALID with diag, FED_ERR_LIMIT, FED_ERR_NOMEM. Free with _fini. */
FED_MUST_USE enum fed_err console_query_read(
    struct fed_alloc *mem, struct fed_span text, struct console_words *out, struct fed_diag *diag);
void console_query_fini(struct console_words *words);

/* Whether words are about clusters alone, or objects alone. */
bool console_query_is_of_clusters(const struct console_words *words);
bool console_query_is_of_objects(const struct console_words *words);
bool console_query_has_name(const struct console_words *words, struct fed_span name);
bool console_query_has_cluster(
    const struct console_words *words, const struct console_fleet_cluster *cluster);
/* resource: "federateddeployments.types.kubefed.io". */
bool console_query_has_object(const struct console_words *words, const struct hub_object_ref *ref);

#endif
