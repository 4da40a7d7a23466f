/* SNTP (RFC 4330), one question before each connection: tokens are signed by the answer. Only in builds without the
 * link. */
#include "board.h"
#include "calendar.h"
#include "clock.h"

#include <lwip/dhcp.h>
#include <lwip/udp.h>
#include <string.h>

enum { PACKET_BYTES = 48, TRANSMITTED_AT = 40, SNTP_PORT = 123, VERSION_4_CLIENT = 0x23, MODE_SERVER = 4 };
/* Seconds from 1900 to 1970. */
#define NTP_EPOCH_S 2208988800u

static struct udp_pcb *socket;
static ip_addr_t server;
static bool server_known, answered;

/* lwIP calls this with option 42 of a lease. */
void dhcp_set_ntp_servers(u8_t count, const ip4_addr_t *servers)
{
    if (count > 0) {
        ip_addr_copy_from_ip4(server, servers[0]);
        server_known = true;
    }
}

static void on_answer(void *ignored, struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *from, u16_t port)
{
    (void)ignored, (void)pcb, (void)port;
    uint8_t bytes[PACKET_BYTES];
    if (ip_addr_cmp(from, &server) && pbuf_copy_partial(packet, bytes, sizeof bytes, 0) == sizeof bytes
        && (bytes[0] & 7) == MODE_SERVER) {
        const uint8_t *at = bytes + TRANSMITTED_AT;
        uint32_t ntp = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        clock_set_unix_s((int64_t)(uint32_t)(ntp - NTP_EPOCH_S));
        answered = true;
    }
    pbuf_free(packet);
}

void calendar_start(void)
{
    socket = udp_new();
    if (!socket || udp_bind(socket, IP_ANY_TYPE, 0) != ERR_OK) {
        give_up("no socket for the time server");
    }
    udp_recv(socket, on_answer, NULL);
}

void calendar_ask(void)
{
    struct pbuf *packet = server_known ? pbuf_alloc(PBUF_TRANSPORT, PACKET_BYTES, PBUF_RAM) : NULL;
    answered = false;
    if (packet) {
        memset(packet->payload, 0, PACKET_BYTES);
        *(uint8_t *)packet->payload = VERSION_4_CLIENT;
        udp_sendto(socket, packet, &server, SNTP_PORT);
        pbuf_free(packet);
    }
}

bool calendar_is_known(void) { return answered; }
