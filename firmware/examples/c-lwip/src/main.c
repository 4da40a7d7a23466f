/* A device that was not written for hilarm: lwIP, Mbed TLS, a client, and one loop around them. */
#include "board.h"
#include "calendar.h"
#include "client.h"
#include "clock.h"
#include "identity.h"
#include "interface.h"
#include "link_agent.h"
#include "tls.h"

#include <lwip/sys.h>
#include <lwip/timeouts.h>

/* lwIP's clock, in milliseconds. */
u32_t sys_now(void) { return (u32_t)(clock_mono_us() / 1000); }

static uint64_t random_state;

/* lwIP's random numbers: ports and sequence numbers. Of the seed, as in tls.c. */
uint32_t draw_random(void)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 32);
}

static uint64_t next_deadline_us(void)
{
    uint32_t timer_ms = sys_timeouts_sleeptime();
    uint64_t client = client_deadline_us();
    if (timer_ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE) {
        return client;
    }
    /* lwIP counts whole milliseconds: at this one it is due. */
    uint64_t timer = (clock_mono_us() / 1000 + timer_ms) * 1000;
    return timer < client ? timer : client;
}

int main(void)
{
    identity_read();
    random_state = self.seed;
    clock_start();
    tls_start();
    interface_start();
    calendar_start();
    client_start();
    link_agent_start();
    for (;;) {
        bool busy = interface_poll();
        busy |= link_agent_poll();
        sys_check_timeouts();
        busy |= client_run();
        if (!busy) {
            clock_idle(next_deadline_us());
        }
    }
}
