/* What lwIP wants to know of the compiler. */
#ifndef CC_H
#define CC_H

_Noreturn void give_up(const char *why);

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) give_up(x)
#define LWIP_NO_UNISTD_H 1

#endif
