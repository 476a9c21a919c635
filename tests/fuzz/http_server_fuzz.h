/* http_server_fuzz.h - one server session fed with the fuzzer's bytes, without TLS. */
#ifndef FEDLET_TESTS_HTTP_SERVER_FUZZ_H
#define FEDLET_TESTS_HTTP_SERVER_FUZZ_H

#include "ports/http/session.h"

/* prefix goes in first (the preface of HTTP/2), then the bytes in pieces whose lengths the first
 * bytes decide. The handler answers, streams, forgets or ends late, as the path says; time passes
 * between the pieces. */
void fuzz_http_server(const uint8_t *bytes, size_t len, bool http2, struct fed_span prefix);

#endif
