/* lwIP without an operating system: one loop calls it. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include <stdint.h>

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_RAW 0
#define LWIP_IPV6 0
#define LWIP_IGMP 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_STATS 0
#define LWIP_NETIF_LINK_CALLBACK 0

#define LWIP_DHCP USE_DHCP
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_DHCP_GET_NTP_SRV USE_DHCP
#define LWIP_DHCP_MAX_NTP_SERVERS 1
#define LWIP_DNS 1

#define MEM_ALIGNMENT 4
#define MEM_SIZE (128 * 1024)
#define PBUF_POOL_SIZE 64
#define MEMP_NUM_TCP_SEG 64
#define MEMP_NUM_TCP_PCB 16
#define TCP_MSS 1460
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)

uint32_t draw_random(void);
#define LWIP_RAND() draw_random()

#endif
