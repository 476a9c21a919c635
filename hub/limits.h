/* limits.h - every maximum of the hub, and why it is what it is. */
#ifndef FEDLET_HUB_LIMITS_H
#define FEDLET_HUB_LIMITS_H

#define HUB_LIMIT_BODY_BYTES (3u << 20)    /* kube-apiserver's own limit for a request body */
#define HUB_LIMIT_HEADER_BYTES (64u << 10) /* certificates never travel in headers here */
#define HUB_LIMIT_REQUEST_MEMORY                                                                   \
    (192u << 20) /* trees of one request: 3 MiB of text, live, next and merged */
#define HUB_LIMIT_ANSWER_BYTES (256u << 20) /* a list without limit= of the largest fleet */
#define HUB_LIMIT_OPENAPI_ROOT (4u << 20)   /* 250 bytes for each version of each group */
#define HUB_LIMIT_STREAM_QUEUE (64u << 20)  /* what a watch may be behind: its first list fits */
#define HUB_LIMIT_CONNECTIONS 4096u         /* some 50 KiB of TLS each, less when silent */
#define HUB_LIMIT_CLIENT_CONNECTIONS                                                               \
    1024u /* of one certificate, or of one address without: four that want all share them */
#define HUB_LIMIT_AGENTS 20000u /* by HTTPS: sessions, of 28 KiB when silent */
#define HUB_LIMIT_AGENT_HANDSHAKES                                                                 \
    1000u /* half of them of one address; as many of its connections that show no certificate */
#define HUB_LIMIT_STREAMS 250u /* requests at once on a connection, as upstream */
#define HUB_LIMIT_CLIENT_REQUEST_BYTES                                                             \
    (64u << 20)                              /* headers and bodies of one client: 20 full ones */
#define HUB_LIMIT_REQUEST_BYTES (256u << 20) /* of all clients */
#define HUB_LIMIT_CLIENT_ANSWER_BYTES                                                              \
    (128u << 20) /* answers that one client has not read; half is for connections that read */
#define HUB_LIMIT_ANSWERS_BYTES (512u << 20) /* of all clients */
#define HUB_LIMIT_HANDSHAKE_MS 10000u        /* TLS, and each header block: a second on bad links */
#define HUB_LIMIT_IDLE_MS 120000u            /* a connection without a request */
#define HUB_LIMIT_WATCHES 10000u
#define HUB_LIMIT_USER_WATCHES 5000u /* half of them stay for others */
#define HUB_LIMIT_WARNINGS 16u       /* Warning headers of one answer */
#define HUB_LIMIT_EVENTS 10000u      /* Event objects that the hub itself keeps */
#define HUB_LIMIT_EVENT_AGE_S 3600   /* as kube-apiserver's default event TTL */

/* What watches hold: their selectors, 12 KiB for a short one. */
#define HUB_LIMIT_WATCH_BYTES (192u << 20)
#define HUB_LIMIT_USER_WATCH_BYTES (96u << 20) /* half of it stays for others */

#endif
