#include "sas.h"
#include "board.h"
#include "identity.h"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>

/* RFC 3986, 2.1, as far as base64 needs it. */
static void percent_encode(const unsigned char *text, char *out)
{
    for (; *text; text++) {
        if (*text == '+' || *text == '/' || *text == '=') {
            out += sprintf(out, "%%%02X", *text);
        } else {
            *out++ = (char)*text;
        }
    }
    *out = 0;
}

void sas_sign(int64_t expiry_s, char token[TOKEN_MAX])
{
    char resource[HOST_MAX + DEVICE_ID_MAX + 16], text[sizeof resource + 24], encoded[3 * 48];
    unsigned char mac[32], base64[48];
    size_t length;
    snprintf(resource, sizeof resource, "%s%%2Fdevices%%2F%s", self.hub_host, self.device_id);
    int signed_length = snprintf(text, sizeof text, "%s\n%lld", resource, (long long)expiry_s);
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (mbedtls_md_hmac(sha256, self.key, self.key_length, (const unsigned char *)text, (size_t)signed_length, mac)
        || mbedtls_base64_encode(base64, sizeof base64, &length, mac, sizeof mac)) {
        give_up("a token could not be signed");
    }
    percent_encode(base64, encoded);
    int written = snprintf(token, TOKEN_MAX, "SharedAccessSignature sr=%s&sig=%s&se=%lld", resource, encoded,
                           (long long)expiry_s);
    if (written < 0 || written >= TOKEN_MAX) {
        give_up("a token is longer than its buffer");
    }
}
