/* A build that knows nothing of the harness: as soon as it has an address it connects, and then sends telemetry. */
#include "client.h"
#include "clock.h"
#include "interface.h"
#include "link_agent.h"
#include "uart.h"

enum { TELEMETRY_BYTES = 64, TELEMETRY_INTERVAL_MS = 2000 };

static bool started;

void link_agent_start(void)
{
    console_log("booted, waiting for an address");
    client_keep_token(NEVER_RENEW);
}

bool link_agent_poll(void)
{
    if (started || !interface_is_up()) {
        return false;
    }
    started = true;
    client_connect(0, 0);
    return true;
}

void client_told(client_news news, const char *text, uint32_t number)
{
    switch (news) {
    case CLIENT_CONNECTED:
        console_log("connected");
        client_send_telemetry(UINT32_MAX, TELEMETRY_INTERVAL_MS, TELEMETRY_BYTES);
        break;
    case CLIENT_CONNECT_FAILED:
        console_log("not let in: %s", text);
        break;
    case CLIENT_DISCONNECTED:
        console_log("disconnected: %s", text);
        break;
    case CLIENT_METHOD_CALLED:
        console_log("method %s", text);
        break;
    case CLIENT_RECEIVED:
        console_log("message of %u bytes", (unsigned)number);
        break;
    case CLIENT_GAVE_UP:
    case CLIENT_SETTLED:
        break;
    }
}

bool link_takes_frame(const uint8_t *frame, size_t length)
{
    (void)frame, (void)length;
    return false;
}

void link_counts(bool received) { (void)received; }
