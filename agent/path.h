/* path.h - paths of the member's API (Kubernetes API concepts, "Resource URIs"), percent-encoded
 * (RFC 3986 section 2). */
#ifndef FEDLET_AGENT_PATH_H
#define FEDLET_AGENT_PATH_H

#include "proto/bundle/work.h"

/* "/api/v1" or "/apis/GROUP/VERSION". Errors stick in out. */
void agent_path_put_group(struct fed_buf *out, struct fed_span api_version);
/* All objects of a kind in all namespaces: "/apis/apps/v1/deployments". */
void agent_path_put_kind(struct fed_buf *out, struct fed_span api_version, struct fed_span plural);
/* The object of a work: "/apis/apps/v1/namespaces/web/deployments/api". */
void agent_path_put_object(struct fed_buf *out, const struct fed_work *work);
/* Percent-encodes everything but unreserved characters. */
void agent_path_put_escaped(struct fed_buf *out, struct fed_span text);

#endif
