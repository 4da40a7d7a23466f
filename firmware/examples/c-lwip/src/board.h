/* What of the MPS2 AN385 this firmware uses ("Arm MPS2 FPGA prototyping board technical reference manual"). */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYSTEM_CLOCK_HZ 25000000u
#define NVIC_ENABLE 0xE000E100u

enum { IRQ_LINK_RECEIVE = 2, IRQ_TIMER0 = 8, IRQ_ETHERNET = 13 };

static inline void enable_interrupt(unsigned number) { REG(NVIC_ENABLE) = 1u << number; }
static inline void mask_interrupts(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void unmask_interrupts(void) { __asm volatile("cpsie i" ::: "memory"); }
/* Sleeps until an interrupt is pending, which a mask does not hide: so no wake-up is lost. */
static inline void wait_for_interrupt(void) { __asm volatile("wfi" ::: "memory"); }

/* Says why on the console and stops for good. */
_Noreturn void give_up(const char *why);

#endif
