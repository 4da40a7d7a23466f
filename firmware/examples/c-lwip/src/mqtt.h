/* As much of MQTT 3.1.1 as a device needs: builds packets, and cuts a stream into packets. */
#ifndef MQTT_H
#define MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MQTT_PACKET_MAX = 8192 };
enum { CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBACK = 9, PINGRESP = 13 };

/* Each writes one packet to `out`, which holds MQTT_PACKET_MAX bytes, and answers with its length; 0 when it does not
 * fit. No password is sent where it is NULL. */
size_t mqtt_connect(uint8_t *out, const char *client, const char *user, const char *password, uint16_t keep_alive_s);
size_t mqtt_subscribe(uint8_t *out, uint16_t id, const char *filter, uint8_t qos);
/* At least once where `id` is not 0, at most once otherwise. */
size_t mqtt_publish(uint8_t *out, uint16_t id, const char *topic, const void *payload, size_t length);
size_t mqtt_puback(uint8_t *out, uint16_t id);
size_t mqtt_ping(uint8_t *out);
size_t mqtt_disconnect(uint8_t *out);

/* A packet from the hub; topic and payload point into the buffer it was read from. */
typedef struct {
    uint8_t type;
    uint8_t code; /* CONNACK */
    bool session_present;
    uint16_t id; /* 0 for a publication that wants no answer */
    const char *topic;
    size_t topic_length;
    const uint8_t *payload;
    size_t payload_length;
} mqtt_packet;

/* Reads the first packet of `bytes`: how many bytes it takes, 0 when it is not all there yet, or -1 when it is none. */
long mqtt_read(const uint8_t *bytes, size_t length, mqtt_packet *packet);

#endif
