/* Receiving runs by interrupt into a ring, sending by polling. */
#include "uart.h"
#include "board.h"

#include <stdarg.h>
#include <stdio.h>

#define UART0 0x40004000u
#define UART1 0x40005000u

enum { DATA = 0x00, STATE = 0x04, CTRL = 0x08, INT_CLEAR = 0x0C, BAUD_DIV = 0x10 };
enum { TX_FULL = 1, RX_READY = 2 };
enum { CTRL_TX = 1, CTRL_RX = 2, CTRL_RX_INTERRUPT = 8, INT_RX = 2 };
/* The smallest divider that the hardware accepts; QEMU does not pace bytes by it. */
enum { FASTEST = 16 };
/* Holds the longest frame of the link and the beginning of the next. */
enum { RING_BYTES = 32768 };

static uint8_t ring[RING_BYTES];
static volatile size_t ring_head, ring_tail;

static void send_byte(uintptr_t uart, uint8_t byte)
{
    while (REG(uart + STATE) & TX_FULL) {
    }
    REG(uart + DATA) = byte;
}

void console_put(char c)
{
    /* Setting it up again is harmless, so a panic does not depend on the boot. */
    REG(UART0 + BAUD_DIV) = FASTEST;
    REG(UART0 + CTRL) = CTRL_TX;
    send_byte(UART0, (uint8_t)c);
}

void console_write(const char *text)
{
    while (*text) {
        console_put(*text++);
    }
}

void console_log(const char *format, ...)
{
    char line[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    console_write(line);
    console_put('\n');
}

void link_uart_open(void)
{
    REG(UART1 + BAUD_DIV) = FASTEST;
    REG(UART1 + CTRL) = CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT;
    /* QEMU asks its character device for bytes only after DATA was read once. */
    (void)REG(UART1 + DATA);
    enable_interrupt(IRQ_LINK_RECEIVE);
}

void link_uart_send(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        send_byte(UART1, bytes[i]);
    }
}

void link_receive_interrupt(void)
{
    REG(UART1 + INT_CLEAR) = INT_RX;
    while (REG(UART1 + STATE) & RX_READY) {
        size_t next = (ring_head + 1) % RING_BYTES;
        if (next == ring_tail) {
            give_up("bytes of the link were lost: the receive ring was full");
        }
        ring[ring_head] = (uint8_t)REG(UART1 + DATA);
        ring_head = next;
    }
}

bool link_uart_receive(uint8_t *byte)
{
    if (ring_tail == ring_head) {
        return false;
    }
    *byte = ring[ring_tail];
    ring_tail = (ring_tail + 1) % RING_BYTES;
    return true;
}

bool link_uart_is_waiting(void) { return ring_tail != ring_head; }
