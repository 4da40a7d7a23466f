/* Who this device is: lines `name=value`, ended by a zero byte, which whoever starts the board writes to the symbol
 * `hilarm_identity` before the first instruction, or which a factory put into the section `.built_in` of the image. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEVICE_ID_MAX = 128, HOST_MAX = 128, KEY_BYTES_MAX = 64, CERTIFICATE_BYTES_MAX = 1024 };

typedef struct {
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    size_t length;
} der;

typedef struct {
    char device_id[DEVICE_ID_MAX + 1];
    char hub_host[HOST_MAX + 1];
    uint16_t hub_port;
    uint16_t keep_alive_s;
    uint32_t token_ttl_s;
    uint64_t seed;
    uint8_t key[KEY_BYTES_MAX]; /* symmetric; its length is 0 for a device with a certificate */
    size_t key_length;
    der ca_certificate;
    der certificate;
    der private_key;
    /* Static addresses as text; empty for DHCP. */
    char address[16], netmask[16], gateway[16], dns[16];
} identity;

extern identity self;

/* Reads it into `self`; on anything missing or malformed the board says so and stops. */
void identity_read(void);

#endif
