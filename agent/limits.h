/* limits.h - every maximum of the agent, with its reason. */
#ifndef FEDLET_AGENT_LIMITS_H
#define FEDLET_AGENT_LIMITS_H

/* Requests to the member's API server that are under way at once: enough to hide its latency, few
 * enough to stay polite beside k3s on a small machine. */
#define AGENT_INFLIGHT_MAX 8u
/* Bytes that decoding and staging one bundle may take: a full frame with inflated sections and the
 * trees of nothing else. */
#define AGENT_STAGE_ARENA_MAX (96u << 20)
/* Bytes for the tree of one member object: etcd's limit of 1.5 MiB as text, times the size of a
 * tree. */
#define AGENT_OBJECT_ARENA_MAX (24u << 20)
/* Rendered body of one work: template and overrides, re-encoded. */
#define AGENT_BODY_MAX (4u << 20)
/* Items of one page of a LIST; with contents and as metadata only. Halved for a kind of which a page
 * is more than the HTTP client takes (16 MiB). */
#define AGENT_LIST_PAGE_FULL 100u
#define AGENT_LIST_PAGE_METADATA 500u
/* Pages of one list, before its API server is taken for one that never ends. */
#define AGENT_LIST_PAGES_MAX 2000u
/* A watch without an event and without a bookmark for so long is opened again: API servers send
 * bookmarks about each minute, and one request in five minutes hurts none that does not. */
#define AGENT_WATCH_SILENT_MS 300000u
/* A watch that ended sooner counts as a failure. */
#define AGENT_WATCH_SHORT_MS 10000u
/* Requests that only repeat what failed: so many at once, then four in five seconds over all works,
 * and one over all kinds (lists and watches), so that works that fail for ever leave room for
 * those. One that comes to something gives back more than it took, so that an API server that is
 * well again is asked as fast as it answers. */
#define AGENT_RETRY_RATE ((struct agent_rate){.each_ms = 1250, .burst = 20})
#define AGENT_KIND_RETRY_RATE ((struct agent_rate){.each_ms = 5000, .burst = 30})
#define AGENT_RETRY_GAIN 3u
/* Foreign changes put back, over all works. */
#define AGENT_RESTORE_RATE ((struct agent_rate){.each_ms = 100, .burst = 100})
/* Kinds under watch in one cluster. */
#define AGENT_KINDS_MAX 512u
/* Kinds that are watched for strays alone: each costs a stream and a few hundred bytes. */
#define AGENT_STRAY_KINDS_MAX 64u
/* A uid is 36 characters; other servers may be longer. */
#define AGENT_UID_MAX 63u
/* A person's sentence about one work, as in a report (FED_REPORT_MESSAGE_MAX). */
#define AGENT_MESSAGE_MAX 512u
/* A work put back that often within AGENT_FIGHT_WINDOW_MS is contested: from then on with pauses
 * that double, half of each random, until nobody changed it for the window and the last pause. */
#define AGENT_FIGHT_RESTORES 5u
#define AGENT_FIGHT_WINDOW_MS 60000u
#define AGENT_FIGHT_PAUSE_FLOOR_MS 30000u
#define AGENT_FIGHT_PAUSE_CEILING_MS 600000u
/* A foreign change that is only reported is looked at again no sooner than that; the pause doubles
 * while it keeps changing. */
#define AGENT_DRIFT_LOOK_FLOOR_MS 10000u
#define AGENT_DRIFT_LOOK_CEILING_MS 300000u
/* One report message: fits one datagram with its headers. */
#define AGENT_REPORT_CHUNK 1000u
/* Health changes wait that long for company. */
#define AGENT_REPORT_COALESCE_MS 1000u
/* The first report of a process waits that long: by then the member was looked at, and what is in
 * the full one need not be said again with its health. */
#define AGENT_REPORT_FIRST_MS 1500u
/* The version of an object that its member keeps moving is told at once, then with gaps that
 * double: a dozen reports in the first hour, four in each that follows. A gap's time without a move
 * begins anew. */
#define AGENT_VERSION_GAP_FLOOR_MS 2000u
#define AGENT_VERSION_GAP_CEILING_MS 900000u
/* Results of applies are written together after that time; losing them costs an apply that changes
 * nothing. */
#define AGENT_PERSIST_DELAY_MS 1000u
/* A dead hub is noticed after that many unanswered heartbeats. */
#define AGENT_PINGS_LOST_MAX 3u
/* Hub addresses that are tried in turn. */
#define AGENT_HUBS_MAX 8u
/* Configuration file. */
#define AGENT_CONFIG_MAX (64u << 10)
/* Failing works that `fedlet status` lists for people. */
#define AGENT_STATUS_LIST_MAX 20u
/* Waits in its JSON; it says how many there are. */
#define AGENT_STATUS_WAITS_MAX 100u

#endif
