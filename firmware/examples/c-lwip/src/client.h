/* What this device does towards the hub: connects by TLS and MQTT, keeps the connection, sends telemetry, answers
 * direct methods and takes cloud-to-device messages. It runs when called and never waits. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the client tells whoever built it in. */
typedef enum {
    CLIENT_CONNECTED,     /* number: whether the hub resumed a session */
    CLIENT_CONNECT_FAILED, /* text: why */
    CLIENT_GAVE_UP,
    CLIENT_DISCONNECTED, /* text: why */
    CLIENT_METHOD_CALLED, /* text: its name */
    CLIENT_RECEIVED,      /* number: bytes of a cloud-to-device message */
    CLIENT_SETTLED        /* number: telemetry messages acknowledged */
} client_news;
void client_told(client_news news, const char *text, uint32_t number);

void client_start(void);
/* Connects; `attempts` bounds the tries, 0 = until it succeeds. `gap_ms` 0 leaves the pauses to the client. */
void client_connect(uint32_t attempts, uint32_t gap_ms);
/* Disconnects in order and stays away. */
void client_disconnect(void);
/* Whether the token signed first is presented for ever. */
void client_keep_token(bool keep);
/* These answer false while there is no connection. */
bool client_send_telemetry(uint32_t count, uint32_t interval_ms, uint16_t payload_bytes);
bool client_read_twin(void);
bool client_report(const uint8_t *json, size_t length);

/* Does what is due; true when it did anything. */
bool client_run(void);
/* When it next wants to run by itself. */
uint64_t client_deadline_us(void);

#endif
