/* uuid.h - random identifiers (RFC 9562 section 5.4). */
#ifndef FEDLET_HUB_ACCESS_UUID_H
#define FEDLET_HUB_ACCESS_UUID_H

#include "ports/crypto.h"

#define HUB_UUID_SIZE 40u

/* The text form of 16 bytes, with version and variant set. */
void hub_uuid_format(const uint8_t bytes[16], char out[HUB_UUID_SIZE]);
FED_MUST_USE enum fed_err hub_uuid_new(struct fed_crypto *crypto, char out[HUB_UUID_SIZE]);

#endif
