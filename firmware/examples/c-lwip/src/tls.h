/* One TLS 1.2 connection by Mbed TLS over lwIP's raw TCP. The server must show a certificate of the one authority the
 * device was given, for the name it asked for: without it not a byte of ours goes out. */
#ifndef TLS_H
#define TLS_H

#include <lwip/ip_addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { TLS_CLOSED = 0, TLS_OPENING, TLS_OPEN } tls_state;

/* Sets up what all connections share. */
void tls_start(void);
/* Begins a connection; one at a time. */
void tls_open(const ip_addr_t *address, uint16_t port);
/* Goes on as far as it can. */
tls_state tls_run(void);
/* Why the last connection closed, for people. */
const char *tls_reason(void);
/* Sends all of it, or closes. */
void tls_send(const uint8_t *bytes, size_t length);
/* Takes what has come; 0 when nothing has. */
size_t tls_receive(uint8_t *bytes, size_t capacity);
void tls_close(void);

#endif
