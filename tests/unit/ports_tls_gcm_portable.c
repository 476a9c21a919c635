/* ports_tls_gcm_portable.c - linked into a program, the hub's AES-GCM finds no processor that
 * helps: BearSSL is asked for these by toolchains/mbedtls_gcm/gcm_alt.c, and NULL says so. */
#include <stddef.h>

const void *br_aes_x86ni_ctr_get_vtable(void);
const void *br_ghash_pclmul_get(void);

const void *br_aes_x86ni_ctr_get_vtable(void)
{
    return NULL;
}

const void *br_ghash_pclmul_get(void)
{
    return NULL;
}
