/* session.h - the session with the hub across a restart of the agent.
 *
 * At an orderly stop the agent says that it goes away (FED_LINK_PATH_AWAY) and keeps the link's
 * session, keys included, in STATE_DIR/session (0600). The next start reads the file and removes
 * it, durably, before a byte is sent with it: two processes that go on with one session would
 * encrypt different things in the same way. For the same reason a file is of no use anywhere but
 * where it was written: not in a copy of the directory, and not after a restart of the machine,
 * which a copy of its disk cannot be told from (the name of the private key's file, ports/fs.h).
 * And none is used twice, as one from a backup that is put back would be: the private key's file
 * gets another name before the session is gone on with. Nor when certificate, CA or the hub's
 * addresses changed, nor after the time for which a hub keeps a session that is silent.
 *
 * The file: u8 format 1; strings name of the anchor and address of the hub; 32 bytes each: SHA-256
 * of certificate and CA; varints time in Unix seconds and for how long it is good; string session
 * (ports/link.h); 32 bytes: SHA-256 of all before. */
#ifndef FEDLET_AGENT_SESSION_H
#define FEDLET_AGENT_SESSION_H

#include "agent/ports.h"
#include "agent/state.h"

#define AGENT_SESSION_MAX 8192u
#define AGENT_SESSION_LINK_MAX 4096u
#define AGENT_SESSION_BEATS 5u        /* a hub keeps a silent session that long, */
#define AGENT_SESSION_LIFE_MAX_S 600u /* and none longer than the shortest idle time of a hub */
/* Then the hub does not know the session any more, and a new one is made: two sends of the first
 * request on most links. */
#define AGENT_SESSION_PROOF_MS 4000u

/* Where it is kept; borrowed. */
struct agent_session_place {
    struct fed_fs *fs;
    const char *path;
    const char *anchor; /* a file that lives as long as the identity */
};

/* What has to be the same again; borrowed. */
struct agent_session_of {
    const struct agent_identity *identity;
    const char (*hubs)[281];
    size_t n_hubs;
};

struct agent_session {
    struct fed_span anchor;
    struct fed_span hub;
    struct fed_digest certificate;
    struct fed_digest ca;
    uint64_t unix_s;
    uint64_t life_s;
    struct fed_span link;
};
/* Errors stick in out. */
void agent_session_put(struct fed_buf *out, const struct agent_session *session);
/* The spans point into bytes. FED_ERR_UNSUPPORTED for another format, FED_ERR_DIGEST,
 * FED_ERR_LIMIT, FED_ERR_TRUNCATED, FED_ERR_INVALID. */
FED_MUST_USE enum fed_err agent_session_take(struct fed_span bytes, struct agent_session *out);

/* Ends the link's session, which is with hubs[hub], and keeps it when that can be done. */
void agent_session_keep(const struct agent_ports *ports, const struct agent_session_place *place,
    const struct agent_session_of *of, size_t hub, uint32_t heartbeat_ms);
/* Goes on with what was kept: the link's up or down follows. Whatever is returned, nothing is kept
 * any more. FED_ERR_NOT_FOUND when there is nothing, or nothing that is good. */
FED_MUST_USE enum fed_err agent_session_resume(const struct agent_ports *ports,
    const struct agent_session_place *place, const struct agent_session_of *of, size_t *hub);

#endif
