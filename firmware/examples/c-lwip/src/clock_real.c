/* The board's own time: FPGAIO counts microseconds, TIMER0 wakes the core. Only in builds without the link. */
#include "board.h"
#include "clock.h"
#include "lan9118.h"

#define FPGAIO 0x40028000u
#define TIMER0 0x40000000u

enum { COUNTER = 0x18, PRESCALE = 0x1C };
enum { TIMER_CTRL = 0x00, TIMER_VALUE = 0x04, TIMER_RELOAD = 0x08, TIMER_INT_CLEAR = 0x0C };
enum { ENABLE = 1, INTERRUPT = 8 };
/* The timer counts 32 bits of the system clock; nobody minds waking up once a minute. */
#define SLEEP_US_MAX 60000000u

static uint32_t last;
static uint64_t high;
static int64_t unix_minus_mono_s;
static bool calendar_known;

void clock_start(void)
{
    REG(FPGAIO + PRESCALE) = SYSTEM_CLOCK_HZ / 1000000u - 1;
    last = REG(FPGAIO + COUNTER);
    enable_interrupt(IRQ_TIMER0);
}

/* The counter has 32 bits; the device looks at it at least once a minute. */
uint64_t clock_mono_us(void)
{
    uint32_t now = REG(FPGAIO + COUNTER);
    if (now < last) {
        high += 1ull << 32;
    }
    last = now;
    return high | now;
}

bool clock_unix_s(int64_t *seconds)
{
    *seconds = unix_minus_mono_s + (int64_t)(clock_mono_us() / 1000000u);
    return calendar_known;
}

void clock_set_unix_s(int64_t seconds)
{
    unix_minus_mono_s = seconds - (int64_t)(clock_mono_us() / 1000000u);
    calendar_known = true;
}

void timer0_interrupt(void)
{
    REG(TIMER0 + TIMER_CTRL) = 0;
    REG(TIMER0 + TIMER_INT_CLEAR) = 1;
}

void clock_idle(uint64_t deadline_us)
{
    uint64_t now = clock_mono_us();
    if (deadline_us <= now) {
        return;
    }
    uint64_t sleep_us = deadline_us - now < SLEEP_US_MAX ? deadline_us - now : SLEEP_US_MAX;
    mask_interrupts();
    REG(TIMER0 + TIMER_CTRL) = 0;
    REG(TIMER0 + TIMER_INT_CLEAR) = 1;
    REG(TIMER0 + TIMER_RELOAD) = 0;
    REG(TIMER0 + TIMER_VALUE) = (uint32_t)(sleep_us * (SYSTEM_CLOCK_HZ / 1000000u));
    REG(TIMER0 + TIMER_CTRL) = ENABLE | INTERRUPT;
    if (lan9118_arm()) {
        wait_for_interrupt();
    }
    unmask_interrupts();
}
