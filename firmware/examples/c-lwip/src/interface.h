/* The Ethernet controller as lwIP's one interface. */
#ifndef INTERFACE_H
#define INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts controller and stack; with addresses of the identity, or by DHCP. */
void interface_start(void);
/* Takes all frames that wait; true when there was one. */
bool interface_poll(void);
bool interface_is_up(void);
const uint8_t *interface_mac(void);

/* Whether a frame is the harness's own and no traffic; only builds with the link know such frames. */
bool link_takes_frame(const uint8_t *frame, size_t length);
/* What crossed, for whoever keeps books. */
void link_counts(bool received);

#endif
