/* preview_parts.h - the preview's state, shared by its files. Not for others.
 *
 *   preview.c         objects that stand in, rows, telling
 *   preview_world.c   clusters and policies that are others than they are */
#ifndef FEDLET_HUB_PLAN_PREVIEW_PARTS_H
#define FEDLET_HUB_PLAN_PREVIEW_PARTS_H

#include "hub/plan/internal.h"
#include "hub/plan/preview.h"

struct preview_stand_in {
    struct plan_item *now;  /* NULL: there is none */
    struct plan_item *next; /* the same as now when it is only looked at */
};
struct preview_variant {
    struct plan_piece *piece; /* counted */
    struct fed_buf json;
};
struct preview {
    struct hub_plan *plan;
    const struct hub_preview_ask *ask;
    struct preview_stand_in *items; /* of ask->changes */
    size_t n_items;
    struct hub_preview_cluster *rows;
    struct fed_diag *messages; /* of rows */
    size_t n_rows;
    struct preview_variant variants[HUB_PREVIEW_VARIANTS_MAX];
    size_t n_variants;
    bool variants_cut;
};

/* ---- preview.c ---- */
/* Whether a copy is in the cluster's manifest, to be there. */
bool preview_is_present(const struct plan_pair *pair);
/* false: there is nothing to say about the cluster. */
bool preview_row_of(const struct plan_pair *pair, const struct plan_cluster *cluster,
    const struct plan_wish *wish, struct hub_preview_cluster *row, struct fed_diag *message);
/* An item that is as it is stored, with the rows. */
FED_MUST_USE enum fed_err preview_tell_follower(struct preview *p, const struct plan_item *item);

/* ---- preview_world.c ---- */
/* Tells of each object that is to be in other clusters, or with another content, when the clusters
 * and policies are those of the question. */
FED_MUST_USE enum fed_err preview_world(struct preview *p, struct fed_diag *diag);

#endif
