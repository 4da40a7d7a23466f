/* SMSC LAN9118 Ethernet controller (datasheet DS00002266), as QEMU emulates it. */
#ifndef LAN9118_H
#define LAN9118_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ETHERNET_FRAME_MAX = 1514 };

/* Resets and starts the controller; `mac` receives its hardware address. */
void lan9118_start(uint8_t mac[6]);
void lan9118_send(const uint8_t *frame, size_t length);
/* Takes the next frame into `frame` and answers with its length; 0 when there is none. */
size_t lan9118_receive(uint8_t frame[ETHERNET_FRAME_MAX]);
/* Asks for an interrupt at the next frame; false when one waits already. */
bool lan9118_arm(void);
/* Frames that the controller lost since the last call. */
uint32_t lan9118_dropped(void);

#endif
