/* pages.c - see pages.h. One piece of address space, cut into slots. Not for several threads, as
 * everything that uses it. */
#include "ports/tls/pages.h"

#include "ports/crypto.h"

#include <mbedtls/platform.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pages {
    uint8_t *at;
    size_t slots;
    size_t used;      /* slots from the first on that were handed out at least once */
    uint32_t *unused; /* stack of those that came back */
    size_t n_unused;
};
static struct pages pages;

void *fed_pages_get(size_t size)
{
    if (size < FED_PAGES_FROM || size > FED_PAGES_SLOT)
        return NULL;
    if (pages.n_unused > 0)
        return pages.at + (size_t)pages.unused[--pages.n_unused] * FED_PAGES_SLOT;
    if (pages.used == pages.slots)
        return NULL;
    return pages.at + pages.used++ * FED_PAGES_SLOT;
}

bool fed_pages_own(const void *at)
{
    uintptr_t first = (uintptr_t)pages.at;

    return pages.slots > 0 && (uintptr_t)at >= first &&
           (uintptr_t)at - first < pages.slots * FED_PAGES_SLOT;
}

void fed_pages_free(void *at)
{
    size_t slot = (size_t)((uint8_t *)at - pages.at) / FED_PAGES_SLOT;

    /* The next owner finds zeros again, and until then it takes no memory. Where pages are so large
     * that a slot is none of its own, the kernel would round up to its neighbour's bytes. */
    if (FED_PAGES_SLOT % (size_t)sysconf(_SC_PAGESIZE) != 0 ||
        madvise(at, FED_PAGES_SLOT, MADV_DONTNEED) != 0)
        memset(at, 0, FED_PAGES_SLOT);
    pages.unused[pages.n_unused++] = (uint32_t)slot;
}

/* ---- what the TLS library allocates with ---- */

static void *library_calloc(size_t n, size_t size)
{
    void *at;

    if (size && n > SIZE_MAX / size)
        return NULL;
    at = fed_pages_get(n * size);
    return at ? at : calloc(n, size);
}

static void library_free(void *at)
{
    if (fed_pages_own(at))
        fed_pages_free(at);
    else
        free(at);
}

static void *reserve(size_t bytes)
{
    void *at = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

enum fed_err fed_tls_pages_open(size_t slots, struct fed_diag *diag)
{
    struct pages fresh = {.slots = slots};

    if (pages.slots > 0 || slots == 0)
        return FED_OK;
    if (slots > UINT32_MAX / FED_PAGES_SLOT)
        return fed_diag_set(diag, FED_ERR_LIMIT, "%zu buffers of TLS are too many", slots);
    fresh.at = reserve(slots * FED_PAGES_SLOT);
    fresh.unused = reserve(slots * sizeof *fresh.unused);
    if (!fresh.at || !fresh.unused)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no address space for %zu buffers of TLS", slots);
    /* Whole huge pages would be taken for the first byte of each. */
    (void)madvise(fresh.at, slots * FED_PAGES_SLOT, MADV_NOHUGEPAGE);
    pages = fresh;
    if (mbedtls_platform_set_calloc_free(library_calloc, library_free) != 0)
        return fed_diag_set(diag, FED_ERR_INTERNAL, "the TLS library keeps its own memory");
    return FED_OK;
}
