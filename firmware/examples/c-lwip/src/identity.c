#include "identity.h"
#include "board.h"
#include "uart.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDENTITY_BYTES = 4096 };

/* Not in .data or .bss: start-up loads the one and clears the other, and would undo what was written here. */
__attribute__((section(".noinit"), used)) char hilarm_identity[IDENTITY_BYTES];

/* In place of that: what a factory wrote into the image itself. It goes first where it is not empty. */
__attribute__((section(".built_in"), used)) static const volatile char built_in[IDENTITY_BYTES] = {0};

static char text[IDENTITY_BYTES];

identity self;

static _Noreturn void refuse(const char *name, const char *why)
{
    static char message[96];
    snprintf(message, sizeof message, "identity: `%s` %s", name, why);
    give_up(message);
}

/* The value of a line and its length; NULL when there is no such line. */
static const char *find(const char *name, size_t *length)
{
    size_t name_length = strlen(name);
    const char *line = text;
    while (*line) {
        const char *end = strchr(line, '\n');
        size_t line_length = end ? (size_t)(end - line) : strlen(line);
        if (line_length > name_length && line[name_length] == '=' && memcmp(line, name, name_length) == 0) {
            *length = line_length - name_length - 1;
            return line + name_length + 1;
        }
        line += line_length + (end != NULL);
    }
    return NULL;
}

static bool read_text(const char *name, char *to, size_t capacity)
{
    size_t length;
    const char *value = find(name, &length);
    if (!value) {
        return false;
    }
    if (length >= capacity) {
        refuse(name, "is too long");
    }
    memcpy(to, value, length);
    to[length] = 0;
    return true;
}

static uint64_t read_number(const char *name, uint64_t otherwise, uint64_t max)
{
    char digits[24], *end;
    if (!read_text(name, digits, sizeof digits)) {
        return otherwise;
    }
    uint64_t number = strtoull(digits, &end, 10);
    if (end == digits || *end != 0 || number > max) {
        refuse(name, "is no such number");
    }
    return number;
}

static size_t read_base64(const char *name, uint8_t *to, size_t capacity)
{
    size_t length, written = 0;
    const char *value = find(name, &length);
    if (value && mbedtls_base64_decode(to, capacity, &written, (const unsigned char *)value, length) != 0) {
        refuse(name, "is no base64, or too long");
    }
    return written;
}

static void read_der(const char *name, der *to) { to->length = read_base64(name, to->bytes, sizeof to->bytes); }

static void need(bool given, const char *name)
{
    if (!given) {
        refuse(name, "is missing");
    }
}

void identity_read(void)
{
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = built_in[0] ? built_in[i] : hilarm_identity[i];
    }
    if (memchr(text, 0, sizeof text) == NULL) {
        give_up("identity: nobody wrote one");
    }
    need(read_text("device_id", self.device_id, sizeof self.device_id), "device_id");
    need(read_text("hub_host", self.hub_host, sizeof self.hub_host), "hub_host");
    self.hub_port = (uint16_t)read_number("hub_port", 8883, UINT16_MAX);
    self.keep_alive_s = (uint16_t)read_number("keep_alive_s", 240, UINT16_MAX);
    self.token_ttl_s = (uint32_t)read_number("token_ttl_s", 3600, UINT32_MAX);
    self.seed = read_number("seed", 1, UINT64_MAX);
    self.key_length = read_base64("key", self.key, sizeof self.key);
    read_der("ca_certificate", &self.ca_certificate);
    read_der("certificate", &self.certificate);
    read_der("private_key", &self.private_key);
    need(self.ca_certificate.length > 0, "ca_certificate");
    need(self.key_length > 0 || (self.certificate.length > 0 && self.private_key.length > 0), "key");
    read_text("address", self.address, sizeof self.address);
    read_text("netmask", self.netmask, sizeof self.netmask);
    read_text("gateway", self.gateway, sizeof self.gateway);
    read_text("dns", self.dns, sizeof self.dns);
}
