/* endpoint.h - addresses of API servers and proxies, as KubeFed accepts them.
 *
 * Source: client-go rest.DefaultServerURL (https is meant where no scheme is given, a path needs
 * one) and Go net/url, whose sentences are kept for what people mistype: ports, paths, brackets,
 * spaces. */
#ifndef FEDLET_HUB_KUBEFED_ENDPOINT_H
#define FEDLET_HUB_KUBEFED_ENDPOINT_H

#include "hub/kubefed/errors.h"

#define HUB_ENDPOINT_MAX 2048u

/* spec.apiEndpoint: host, host:port, IP, IP:port, or an http or https URL. */
void hub_kubefed_check_endpoint(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value);
/* spec.proxyURL: http, https or socks5. */
void hub_kubefed_check_proxy(
    struct hub_kubefed_errors *errors, const char *path, struct fed_span value);

#endif
