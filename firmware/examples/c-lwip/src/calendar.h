/* The date. Builds with the link are told by every grant of time; the others ask the SNTP server that DHCP named. */
#ifndef CALENDAR_H
#define CALENDAR_H

#include <stdbool.h>

void calendar_start(void);
/* Asks, where there is somebody to ask. */
void calendar_ask(void);
/* Whether the date is known as of the last question. */
bool calendar_is_known(void);

#endif
