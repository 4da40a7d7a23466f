#include "interface.h"
#include "board.h"
#include "identity.h"
#include "lan9118.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <string.h>

static struct netif interface;
static uint8_t frame[ETHERNET_FRAME_MAX + 2];

static err_t transmit(struct netif *netif, struct pbuf *packet)
{
    static uint8_t outgoing[ETHERNET_FRAME_MAX];
    (void)netif;
    u16_t length = pbuf_copy_partial(packet, outgoing, sizeof outgoing, 0);
    lan9118_send(outgoing, length);
    link_counts(false);
    return ERR_OK;
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = 6;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = transmit;
    lan9118_start(netif->hwaddr);
    return ERR_OK;
}

#if USE_DHCP

static void get_addresses(void) { dhcp_start(&interface); }

#else

static ip4_addr_t address(const char *text)
{
    ip4_addr_t address;
    if (!ip4addr_aton(text, &address)) {
        give_up("identity: an address is malformed");
    }
    return address;
}

static void get_addresses(void)
{
    ip4_addr_t own = address(self.address), mask = address(self.netmask), gateway = address(self.gateway);
    ip_addr_t resolver;
    netif_set_addr(&interface, &own, &mask, &gateway);
    ip_addr_copy_from_ip4(resolver, address(self.dns));
    dns_setserver(0, &resolver);
}

#endif

void interface_start(void)
{
    lwip_init();
    netif_add_noaddr(&interface, NULL, set_up, netif_input);
    netif_set_default(&interface);
    netif_set_up(&interface);
    get_addresses();
}

bool interface_is_up(void) { return !ip4_addr_isany_val(*netif_ip4_addr(&interface)); }

const uint8_t *interface_mac(void) { return interface.hwaddr; }

bool interface_poll(void)
{
    size_t length = lan9118_receive(frame);
    if (length == 0) {
        return false;
    }
    if (link_takes_frame(frame, length)) {
        return true;
    }
    link_counts(true);
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);
    /* What finds no room is lost as on any network, and comes again. */
    if (packet && (pbuf_take(packet, frame, (u16_t)length) != ERR_OK || interface.input(packet, &interface) != ERR_OK)) {
        pbuf_free(packet);
    }
    return true;
}
