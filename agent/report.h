/* report.h - tells the hub what changed (proto/bundle/report.h), in messages that fit one datagram.
 *
 * The first report of a process is a full one (nothing about reports is on disk: an idle agent
 * writes nothing), AGENT_REPORT_FIRST_MS after the link came up, and so is the next after the hub
 * answered Conflict or came back with a sequence number that is not ours. One report is under way
 * at a time; what changes meanwhile goes with the next. The removals under way stand whole in every
 * report, or it says that there are more. */
#ifndef FEDLET_AGENT_REPORT_H
#define FEDLET_AGENT_REPORT_H

#include "agent/ports.h"
#include "agent/table.h"

struct agent_report;

struct agent_report_events {
    void *ctx;
    /* A full report begins: whoever keeps remote statuses offers them again. */
    void (*full)(void *ctx);
};

FED_MUST_USE enum fed_err agent_report_new(const struct agent_ports *ports,
    struct agent_table *table, const struct agent_report_events *events, struct agent_report **out);
void agent_report_free(struct agent_report *report);

/* What the hub understands (proto/link/knows.h): what it does not is left out. Until it is said:
 * FED_LINK_KNOWS_FIRST. */
void agent_report_hub_knows(struct agent_report *report, uint64_t knows);
/* The session is up and the hub holds this sequence number (0: none). */
void agent_report_link_up(struct agent_report *report, uint64_t hub_seq);
void agent_report_link_down(struct agent_report *report);

/* The member moved versions or statuses of entries (version_due), and that is all: each goes out
 * soon the first time, later with growing pauses (AGENT_VERSION_GAP_FLOOR_MS), or with whatever
 * else there is to say of it. */
void agent_report_moved(struct agent_report *report);
/* Something changed: goes out within AGENT_REPORT_COALESCE_MS. */
void agent_report_soon(struct agent_report *report);
/* Goes out now, when there is something to tell. */
void agent_report_now(struct agent_report *report);
/* Another bundle was staged: its revision is news by itself, and a full report under way begins
 * again. */
void agent_report_staged(struct agent_report *report);
/* JSON document about the cluster; sent when it differs from the last. FED_ERR_LIMIT,
 * FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err agent_report_facts(struct agent_report *report, struct fed_span facts);

#endif
