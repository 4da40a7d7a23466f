/* What drives the client. With the link, commands of the harness do; without it, the device follows its own program. */
#ifndef LINK_AGENT_H
#define LINK_AGENT_H

#include <stdbool.h>

void link_agent_start(void);
bool link_agent_poll(void);

#endif
