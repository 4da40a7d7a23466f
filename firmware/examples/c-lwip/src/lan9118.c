/* It never filters: on granted time, a frame that the controller sorted out would be missing from the count. */
#include "lan9118.h"
#include "board.h"

#define BASE 0x40200000u

enum {
    RX_DATA_FIFO = 0x00, TX_DATA_FIFO = 0x20, RX_STATUS_FIFO = 0x40, TX_STATUS_FIFO = 0x48, ID_REV = 0x50,
    IRQ_CFG = 0x54, INT_STS = 0x58, INT_EN = 0x5C, BYTE_TEST = 0x64, FIFO_INT = 0x68, RX_CFG = 0x6C, TX_CFG = 0x70,
    HW_CFG = 0x74, RX_FIFO_INF = 0x7C, TX_FIFO_INF = 0x80, PMT_CTRL = 0x84, RX_DROP = 0xA0, MAC_CSR_CMD = 0xA4,
    MAC_CSR_DATA = 0xA8, AFC_CFG = 0xAC
};
/* Registers of the MAC, reached through MAC_CSR_CMD, and of the PHY, reached through the MAC. */
enum { MAC_CR = 1, MAC_ADDRESS_HIGH = 2, MAC_ADDRESS_LOW = 3, MAC_MII_ACC = 6, MAC_MII_DATA = 7 };
enum { PHY_CONTROL = 0, PHY_ADVERTISE = 4 };

#define CSR_BUSY (1u << 31)
#define CSR_READ (1u << 30)
#define HW_CFG_TX_FIFO_5K (1u << 20 | 5u << 16)
#define IRQ_ENABLED_ACTIVE_HIGH_PUSH_PULL (1u << 8 | 1u << 4 | 1u)
#define INT_RX_STATUS_LEVEL (1u << 3)
#define MAC_CR_RUN (1u << 20 | 1u << 18 | 8u | 4u)
#define RX_STATUS_ERROR (1u << 15)
#define TX_FIRST_AND_LAST (1u << 13 | 1u << 12)
/* Room in the transmit FIFO for one frame with its two command words. */
#define TX_ROOM 1600u
#define FCS_BYTES 4u
/* A bit that never comes is a defect of the board; a hang would hide it. */
#define POLLS_MAX 1000000u

static uint32_t read(uint32_t at) { return REG(BASE + at); }
static void write(uint32_t at, uint32_t value) { REG(BASE + at) = value; }

static void wait_until(uint32_t at, uint32_t mask, uint32_t value, const char *otherwise)
{
    for (uint32_t polls = 0; (read(at) & mask) != value; polls++) {
        if (polls == POLLS_MAX) {
            give_up(otherwise);
        }
    }
}

static void write_mac(uint32_t at, uint32_t value)
{
    write(MAC_CSR_DATA, value);
    write(MAC_CSR_CMD, CSR_BUSY | at);
    wait_until(MAC_CSR_CMD, CSR_BUSY, 0, "lan9118: the mac does not answer");
}

static uint32_t read_mac(uint32_t at)
{
    write(MAC_CSR_CMD, CSR_BUSY | CSR_READ | at);
    wait_until(MAC_CSR_CMD, CSR_BUSY, 0, "lan9118: the mac does not answer");
    return read(MAC_CSR_DATA);
}

static void write_phy(uint32_t at, uint32_t value)
{
    write_mac(MAC_MII_DATA, value);
    write_mac(MAC_MII_ACC, 1u << 11 | at << 6 | 1u << 1 | 1u);
    for (uint32_t polls = 0; read_mac(MAC_MII_ACC) & 1u; polls++) {
        if (polls == POLLS_MAX) {
            give_up("lan9118: the phy does not answer");
        }
    }
}

static void reset(void)
{
    wait_until(PMT_CTRL, 1, 1, "lan9118: no power");
    if (read(BYTE_TEST) != 0x87654321u || (read(ID_REV) >> 16 & 0x0FFF) != 0x0118) {
        give_up("no lan9118 here");
    }
    write(HW_CFG, 1);
    wait_until(HW_CFG, 1, 0, "lan9118: the reset does not end");
    write(HW_CFG, HW_CFG_TX_FIFO_5K);
    write(AFC_CFG, 0x006E3740);
    write(INT_EN, 0);
    write(INT_STS, UINT32_MAX);
    write(IRQ_CFG, IRQ_ENABLED_ACTIVE_HIGH_PUSH_PULL);
}

void lan9118_start(uint8_t mac[6])
{
    reset();
    write_phy(PHY_CONTROL, 0x8000);
    write_phy(PHY_ADVERTISE, 0x01E1);
    write_phy(PHY_CONTROL, 0x1200);
    uint32_t low = read_mac(MAC_ADDRESS_LOW), high = read_mac(MAC_ADDRESS_HIGH);
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    }
    write(FIFO_INT, 0);
    write(RX_CFG, 0);
    write(TX_CFG, 2);
    write_mac(MAC_CR, MAC_CR_RUN);
    enable_interrupt(IRQ_ETHERNET);
}

void lan9118_send(const uint8_t *frame, size_t length)
{
    uint32_t polls = 0;
    do {
        while (read(TX_FIFO_INF) >> 16 & 0xFF) {
            (void)read(TX_STATUS_FIFO);
        }
        if (polls++ == POLLS_MAX) {
            give_up("lan9118: no room to send");
        }
    } while ((read(TX_FIFO_INF) & 0xFFFF) < TX_ROOM);
    write(TX_DATA_FIFO, TX_FIRST_AND_LAST | length);
    write(TX_DATA_FIFO, length << 16 | length);
    for (size_t at = 0; at < length; at += 4) {
        uint32_t word = 0;
        for (size_t i = 0; i < 4 && at + i < length; i++) {
            word |= (uint32_t)frame[at + i] << 8 * i;
        }
        write(TX_DATA_FIFO, word);
    }
}

static bool frame_waits(void) { return (read(RX_FIFO_INF) >> 16 & 0xFF) != 0; }

size_t lan9118_receive(uint8_t frame[ETHERNET_FRAME_MAX])
{
    while (frame_waits()) {
        uint32_t status = read(RX_STATUS_FIFO);
        size_t with_fcs = status >> 16 & 0x3FFF;
        for (size_t at = 0; at < with_fcs; at += 4) {
            uint32_t word = read(RX_DATA_FIFO);
            for (size_t i = 0; i < 4 && at + i < ETHERNET_FRAME_MAX; i++) {
                frame[at + i] = (uint8_t)(word >> 8 * i);
            }
        }
        if (!(status & RX_STATUS_ERROR) && with_fcs > FCS_BYTES && with_fcs <= ETHERNET_FRAME_MAX + FCS_BYTES) {
            return with_fcs - FCS_BYTES;
        }
    }
    return 0;
}

uint32_t lan9118_dropped(void) { return read(RX_DROP); }

bool lan9118_arm(void)
{
    write(INT_STS, INT_RX_STATUS_LEVEL);
    write(INT_EN, INT_RX_STATUS_LEVEL);
    return !frame_waits();
}

void ethernet_interrupt(void)
{
    write(INT_EN, 0);
    write(INT_STS, UINT32_MAX);
}
