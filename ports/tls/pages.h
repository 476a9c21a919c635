/* pages.h - room for buffers of 16 KiB of which mostly little is used: the records of TLS, the
 * frames of HTTP/2. A process with thousands of connections has several for each, and the C library
 * would hand out memory that was written to from end to end.
 *
 * A slot is some pages of its own, which take memory when something is written to them and give it
 * back when they are freed. There are none until fed_tls_pages_open (ports/crypto.h): then nothing
 * here applies, and everything is the C library's. */
#ifndef FEDLET_PORTS_TLS_PAGES_H
#define FEDLET_PORTS_TLS_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define FED_PAGES_FROM 16384u /* smaller blocks are better off elsewhere */
#define FED_PAGES_SLOT 20480u

/* Zeroed; NULL when size does not fit or there is no slot. */
void *fed_pages_get(size_t size);
bool fed_pages_own(const void *at);
void fed_pages_free(void *at); /* one that it owns */

#endif
