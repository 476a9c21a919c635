/* memory.h - struct fed_alloc for libraries that free without telling the size. */
#ifndef FEDLET_PORTS_HTTP_MEMORY_H
#define FEDLET_PORTS_HTTP_MEMORY_H

#include "proto/base/alloc.h"

/* malloc, calloc, realloc and free on mem (a struct fed_alloc *). The size stands before each
 * block. */
void *fed_http_memory_get(size_t size, void *mem);
void *fed_http_memory_zero(size_t n, size_t size, void *mem);
void *fed_http_memory_resize(void *at, size_t size, void *mem);
void fed_http_memory_free(void *at, void *mem);

#endif
