/* SAS tokens: an HMAC over host, device and expiry. */
#ifndef SAS_H
#define SAS_H

#include <stdint.h>

enum { TOKEN_MAX = 512 };

/* Signs a token that expires at that second of the calendar. */
void sas_sign(int64_t expiry_s, char token[TOKEN_MAX]);

#endif
