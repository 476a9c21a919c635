/* no_proxy.h - which hosts are reached without the proxy, as the variable NO_PROXY says in most
 * programs. Pure. */
#ifndef FEDLET_PORTS_HTTPS_NO_PROXY_H
#define FEDLET_PORTS_HTTPS_NO_PROXY_H

#include <stdbool.h>

#define FED_HTTPS_NO_PROXY_MAX 1024u

/* list: separated by commas, each with white space around it or not:
 *   *                          every host
 *   example.com, .example.com  that name and all below it, whatever the case
 *   192.0.2.1, ::1             that address
 *   10.0.0.0/8, fd00::/8       the addresses of that network
 * What is none of these matches nothing. host: a name or an address, not bracketed. */
bool fed_https_no_proxy(const char *list, const char *host);

#endif
