#include "mqtt.h"

#include <string.h>

enum { FIXED_HEADER_MAX = 5 };
enum { USER_AND_PASSWORD = 0xC0, USER_ALONE = 0x80 };

/* A packet under construction; the body begins behind the longest possible header and is moved up at the end. */
typedef struct {
    uint8_t *out;
    size_t length;
    bool bad;
} builder;

static builder begin(uint8_t *out) { return (builder){.out = out, .length = FIXED_HEADER_MAX}; }

static void put(builder *b, const void *bytes, size_t length)
{
    if (length > MQTT_PACKET_MAX - b->length) {
        b->bad = true;
        return;
    }
    memcpy(b->out + b->length, bytes, length);
    b->length += length;
}

static void put_u8(builder *b, uint8_t value) { put(b, &value, 1); }

static void put_u16(builder *b, size_t value)
{
    put_u8(b, (uint8_t)(value >> 8));
    put_u8(b, (uint8_t)value);
}

static void put_text(builder *b, const char *text)
{
    put_u16(b, strlen(text));
    put(b, text, strlen(text));
}

static size_t end(builder *b, uint8_t first)
{
    size_t body = b->length - FIXED_HEADER_MAX, left = body, header = 0;
    uint8_t *out = b->out;
    if (b->bad) {
        return 0;
    }
    uint8_t fixed[FIXED_HEADER_MAX] = {first};
    do {
        header++;
        fixed[header] = (uint8_t)(left & 0x7F);
        left >>= 7;
        if (left) {
            fixed[header] |= 0x80;
        }
    } while (left);
    header++;
    memmove(out + header, out + FIXED_HEADER_MAX, body);
    memcpy(out, fixed, header);
    return header + body;
}

size_t mqtt_connect(uint8_t *out, const char *client, const char *user, const char *password, uint16_t keep_alive_s)
{
    builder b = begin(out);
    put_text(&b, "MQTT");
    put_u8(&b, 4);
    put_u8(&b, password ? USER_AND_PASSWORD : USER_ALONE);
    put_u16(&b, keep_alive_s);
    put_text(&b, client);
    put_text(&b, user);
    if (password) {
        put_text(&b, password);
    }
    return end(&b, 1 << 4);
}

size_t mqtt_subscribe(uint8_t *out, uint16_t id, const char *filter, uint8_t qos)
{
    builder b = begin(out);
    put_u16(&b, id);
    put_text(&b, filter);
    put_u8(&b, qos);
    return end(&b, 8 << 4 | 2);
}

size_t mqtt_publish(uint8_t *out, uint16_t id, const char *topic, const void *payload, size_t length)
{
    builder b = begin(out);
    put_text(&b, topic);
    if (id) {
        put_u16(&b, id);
    }
    put(&b, payload, length);
    return end(&b, (uint8_t)(PUBLISH << 4 | (id ? 2 : 0)));
}

static size_t bare(uint8_t *out, uint8_t type)
{
    builder b = begin(out);
    return end(&b, (uint8_t)(type << 4));
}

size_t mqtt_puback(uint8_t *out, uint16_t id)
{
    builder b = begin(out);
    put_u16(&b, id);
    return end(&b, PUBACK << 4);
}

size_t mqtt_ping(uint8_t *out) { return bare(out, 12); }
size_t mqtt_disconnect(uint8_t *out) { return bare(out, 14); }

static uint16_t u16_at(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static bool read_publication(uint8_t flags, const uint8_t *body, size_t length, mqtt_packet *packet)
{
    bool numbered = (flags & 6) != 0;
    size_t topic = length >= 2 ? u16_at(body) : 0, head = 2 + topic + (numbered ? 2 : 0);
    if (length < head) {
        return false;
    }
    packet->topic = (const char *)body + 2;
    packet->topic_length = topic;
    packet->id = numbered ? u16_at(body + 2 + topic) : 0;
    packet->payload = body + head;
    packet->payload_length = length - head;
    return true;
}

long mqtt_read(const uint8_t *bytes, size_t length, mqtt_packet *packet)
{
    size_t at = 1, body = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (shift > 21) {
            return -1;
        }
        if (at >= length) {
            return 0;
        }
        body |= (size_t)(bytes[at] & 0x7F) << shift;
        if (bytes[at++] < 0x80) {
            break;
        }
    }
    if (body > MQTT_PACKET_MAX - FIXED_HEADER_MAX) {
        return -1;
    }
    if (length - at < body) {
        return 0;
    }
    memset(packet, 0, sizeof *packet);
    packet->type = bytes[0] >> 4;
    if (packet->type == PUBLISH) {
        return read_publication(bytes[0] & 15, bytes + at, body, packet) ? (long)(at + body) : -1;
    }
    if (packet->type == CONNACK && body == 2) {
        packet->session_present = bytes[at] & 1;
        packet->code = bytes[at + 1];
    } else if ((packet->type == PUBACK || packet->type == SUBACK) && body >= 2) {
        packet->id = u16_at(bytes + at);
    } else if (packet->type != PINGRESP) {
        return -1;
    }
    return (long)(at + body);
}
