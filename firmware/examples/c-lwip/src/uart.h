/* CMSDK UARTs: UART0 is a console for people, UART1 carries hilarm's link where it is built in. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void console_put(char c);
void console_write(const char *text);
void console_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

void link_uart_open(void);
void link_uart_send(const uint8_t *bytes, size_t length);
/* The next byte received; false when there is none. */
bool link_uart_receive(uint8_t *byte);
/* Whether bytes wait. */
bool link_uart_is_waiting(void);

#endif
