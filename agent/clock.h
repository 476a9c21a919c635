/* clock.h - what time it is on a board whose own clock may say anything.
 *
 * Three sources, the first that there is: this machine's clock while the kernel says that something
 * keeps it right; the hub's, as its hello told it in a session whose certificate was good at that
 * time, and the monotonic clock since; else an assumption: this machine's clock, but never earlier
 * than the floor, which is the hub's time as it was stored last or the beginning of our
 * certificate.
 *
 * Certificates of servers are judged by it (fed_tls_judge_by). A hub whose certificate fails by an
 * assumption alone is asked for the time first: one handshake in which times are not judged, its
 * hello, then another handshake judged by what it said. It is not believed when it is more than
 * AGENT_CLOCK_SLACK_S before the floor. So what an old key of a hub, whose certificate ended after
 * the floor, can pretend is that it still counts, to a machine whose clock nobody keeps; with a
 * clock that is kept, or after any session in this process, nothing (docs/identity.md).
 *
 * A hub whose clock is wrong is not to make ours wrong, for years: once the time is known, a hello
 * that is more than AGENT_CLOCK_SLACK_S ahead of it does not count, unless this machine's clock
 * says the same: the monotonic one does not go on while a machine sleeps. When no hub fits what is
 * known for AGENT_CLOCK_AGAIN_MS, it is doubted after all, and the hub is asked once more; it is
 * still not believed a time before the one that was known.
 *
 * This machine's clock is never set. */
#ifndef FEDLET_AGENT_CLOCK_H
#define FEDLET_AGENT_CLOCK_H

#include "ports/crypto.h"
#include "ports/loop.h"

#define AGENT_CLOCK_SLACK_S 86400
#define AGENT_CLOCK_AGAIN_MS 21600000u

enum agent_clock_state {
    AGENT_CLOCK_ASSUMED,
    AGENT_CLOCK_ASKING, /* the hub is asked, whatever its certificate's times */
    AGENT_CLOCK_TOLD,   /* as the hub said; its certificate is to be judged by that */
    AGENT_CLOCK_KNOWN
};

struct agent_clock {
    struct fed_loop *loop;
    enum agent_clock_state state;
    bool doubted; /* a hub's certificate failed by an assumption, or by what was told long ago */
    int64_t floor_unix_s;
    int64_t told_unix_s; /* TOLD, KNOWN: the hub's, at this time of ours */
    uint64_t told_ms;
};

void agent_clock_init(struct agent_clock *clock, struct fed_loop *loop, int64_t floor_unix_s);
int64_t agent_clock_unix_s(const struct agent_clock *clock);
/* It is more than an assumption. */
bool agent_clock_is_known(const struct agent_clock *clock);
/* By which certificates are judged from now on; clock outlives all connections. */
struct fed_tls_times agent_clock_times(struct agent_clock *clock);

/* A try to reach the hub failed. true: because of an assumption about time, and the next one asks
 * for it. */
bool agent_clock_ask(struct agent_clock *clock);
/* The hub's hello. FED_OK: it is the time, or what is known stays; FED_ERR_CONFLICT: a new
 * handshake is to be judged by it; FED_ERR_INVALID: not believed. */
FED_MUST_USE enum fed_err agent_clock_told(struct agent_clock *clock, int64_t unix_s);

#endif
