/* Both clocks of the device. With the link, the harness grants them and they stand still in between; without it,
 * monotonic time is the board's microsecond counter, and the calendar is whatever a time server last said. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* No deadline. */
#define NEVER UINT64_MAX

void clock_start(void);
uint64_t clock_mono_us(void);
/* False before anyone told the date. */
bool clock_unix_s(int64_t *seconds);
/* The calendar as of now, as a time server told it. */
void clock_set_unix_s(int64_t seconds);
/* Nothing is left to do before the deadline: sleeps until then or until an interrupt. */
void clock_idle(uint64_t deadline_us);

#endif
