/* wait.h - what a running agent waits for: each wait has a reason, a beginning, a next try and a
 * limit, so that nobody has to restart anything, and everybody can see that.
 *
 * hub, coap (while HTTPS is in use), bundle (one that was refused), api-server (or its kubeconfig),
 * disk (the state file), kind (a list or watch that is refused) and work. What waits at the hub
 * (quiet hours, budgets) is the hub's to show. */
#ifndef FEDLET_AGENT_WAIT_H
#define FEDLET_AGENT_WAIT_H

#include "agent/daemon.h"
#include "agent/table.h"

/* No wait that we choose ourselves is longer: the ceilings of dial, apply and observe; but for a
 * hub that has been away for an hour (AGENT_DIAL_AWAY_S), and for what the member refused thrice
 * and only another content helps (AGENT_TROUBLE_RARE_S). The other side may ask for up to an hour.
 */
#define AGENT_WAIT_MAX_S 300u

struct agent_wait {
    const char *what;   /* a word of the list above */
    const char *object; /* whose: "Deployment web/api", a kind; "" for none */
    const char *reason; /* a machine's word, "" for none */
    const char *message;
    int64_t since_unix_s;    /* 0: not known */
    int64_t next_try_unix_s; /* 0: an event ends it, not a time */
    uint32_t limit_s;        /* between two tries, at most; 0: as next_try */
};
typedef void agent_wait_each(void *ctx, const struct agent_wait *wait);

/* All of them, works last. Texts live for the call. */
void agent_daemon_waits(struct agent_daemon *daemon, agent_wait_each *each, void *ctx);
/* Whether it goes on: NULL, or a sentence when something that has a time limit is far beyond it, as
 * no fault of others can make it. */
const char *agent_daemon_stuck(struct agent_daemon *daemon);
/* Notes since when an entry is not as it is to be. */
void agent_wait_note(const struct agent_ports *ports, struct agent_entry *entry);

#endif
