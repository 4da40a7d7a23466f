#include "client.h"
#include "calendar.h"
#include "clock.h"
#include "identity.h"
#include "mqtt.h"
#include "sas.h"
#include "tls.h"

#include <lwip/dns.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US 1000000ull
#define TRY_LIMIT_US (20 * SECOND_US)
#define FIRST_PAUSE_MS 2000u
#define LONGEST_PAUSE_MS 60000u
#define USER_SUFFIX "/?api-version=2021-04-12&DeviceClientType=c-lwip"

typedef enum { OFF, PAUSING, DATING, RESOLVING, OPENING, GREETING, ONLINE } phase;

static phase now_in;
static uint64_t phase_limit_us; /* when a pause is over, or a try has failed */
static uint32_t attempts_left;  /* 0: no bound */
static uint32_t gap_ms, pause_ms;
static ip_addr_t hub_address;
static enum { LOOKING, FOUND, NOT_FOUND } lookup;

static char token[TOKEN_MAX];
static int64_t token_expiry_s;
static bool keep_token;

static uint8_t out[MQTT_PACKET_MAX], in[MQTT_PACKET_MAX];
static size_t in_length;
static uint16_t next_id;
static uint32_t next_request;
static uint64_t last_sent_us, last_heard_us;

static struct {
    uint32_t left, acknowledged, total, interval_ms, sequence;
    uint16_t payload_bytes;
    uint64_t next_us;
} telemetry;

static void send(size_t length)
{
    tls_send(out, length);
    last_sent_us = clock_mono_us();
}

static uint16_t new_id(void)
{
    next_id++;
    return next_id ? next_id : ++next_id;
}

static void enter(phase next, uint64_t limit_us)
{
    now_in = next;
    phase_limit_us = limit_us;
}

/* ---- Connecting ------------------------------------------------------------------------------------- */

static void pause(uint32_t ms) { enter(PAUSING, clock_mono_us() + ms * 1000ull); }

static void try_failed(const char *why)
{
    tls_close();
    client_told(CLIENT_CONNECT_FAILED, why, 0);
    if (attempts_left == 1) {
        enter(OFF, NEVER);
        client_told(CLIENT_GAVE_UP, "", 0);
        return;
    }
    attempts_left -= attempts_left > 0;
    pause(gap_ms ? gap_ms : pause_ms);
    pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
}

static void connection_lost(const char *why)
{
    tls_close();
    client_told(CLIENT_DISCONNECTED, why, 0);
    attempts_left = 0;
    gap_ms = 0;
    pause_ms = FIRST_PAUSE_MS;
    pause(pause_ms);
}

static void on_resolved(const char *name, const ip_addr_t *address, void *ignored)
{
    (void)name, (void)ignored;
    lookup = address ? FOUND : NOT_FOUND;
    if (address) {
        hub_address = *address;
    }
}

static void begin_lookup(void)
{
    lookup = LOOKING;
    now_in = RESOLVING;
    err_t error = dns_gethostbyname(self.hub_host, &hub_address, on_resolved, NULL);
    if (error != ERR_INPROGRESS) {
        lookup = error == ERR_OK ? FOUND : NOT_FOUND;
    }
}

static void renew_token(void)
{
    int64_t unix_s;
    if (self.key_length == 0 || (keep_token && token[0]) || !clock_unix_s(&unix_s)) {
        return;
    }
    token_expiry_s = unix_s + self.token_ttl_s;
    sas_sign(token_expiry_s, token);
}

static void greet(void)
{
    char user[HOST_MAX + DEVICE_ID_MAX + sizeof USER_SUFFIX + 2];
    snprintf(user, sizeof user, "%s/%s" USER_SUFFIX, self.hub_host, self.device_id);
    renew_token();
    in_length = 0;
    send(mqtt_connect(out, self.device_id, user, self.key_length ? token : NULL, self.keep_alive_s));
    now_in = GREETING;
}

static void go_online(bool session_present)
{
    char filter[DEVICE_ID_MAX + 40];
    enter(ONLINE, NEVER);
    pause_ms = FIRST_PAUSE_MS;
    last_heard_us = clock_mono_us();
    snprintf(filter, sizeof filter, "devices/%s/messages/devicebound/#", self.device_id);
    send(mqtt_subscribe(out, new_id(), filter, 1));
    send(mqtt_subscribe(out, new_id(), "$iothub/methods/POST/#", 0));
    send(mqtt_subscribe(out, new_id(), "$iothub/twin/res/#", 0));
    client_told(CLIENT_CONNECTED, "", session_present);
}

/* ---- Packets from the hub ---------------------------------------------------------------------------- */

static bool begins_with(const mqtt_packet *packet, const char *prefix)
{
    size_t length = strlen(prefix);
    return packet->topic_length >= length && memcmp(packet->topic, prefix, length) == 0;
}

/* $iothub/methods/POST/{name}/?$rid={rid} */
static void answer_method(const mqtt_packet *packet)
{
    static const char prefix[] = "$iothub/methods/POST/", mark[] = "/?$rid=";
    char topic[256], answer[sizeof topic + 40];
    snprintf(topic, sizeof topic, "%.*s", (int)packet->topic_length, packet->topic);
    char *request = strstr(topic, mark);
    if (!request) {
        return;
    }
    *request = 0;
    snprintf(answer, sizeof answer, "$iothub/methods/res/200/?$rid=%s", request + sizeof mark - 1);
    send(mqtt_publish(out, 0, answer, "{}", 2));
    client_told(CLIENT_METHOD_CALLED, topic + sizeof prefix - 1, 0);
}

static void take_publication(const mqtt_packet *packet)
{
    if (begins_with(packet, "$iothub/methods/POST/")) {
        answer_method(packet);
    } else if (begins_with(packet, "devices/")) {
        client_told(CLIENT_RECEIVED, "", (uint32_t)packet->payload_length);
    }
    if (packet->id) {
        send(mqtt_puback(out, packet->id));
    }
}

static void take_acknowledgement(void)
{
    if (telemetry.acknowledged < telemetry.total && ++telemetry.acknowledged == telemetry.total) {
        client_told(CLIENT_SETTLED, "", telemetry.total);
    }
}

static void take_packet(const mqtt_packet *packet)
{
    char why[24];
    if (now_in == GREETING) {
        if (packet->type == CONNACK && packet->code == 0) {
            go_online(packet->session_present);
        } else {
            snprintf(why, sizeof why, packet->type == CONNACK ? "connack %u" : "not a connack", packet->code);
            try_failed(why);
        }
    } else if (packet->type == PUBLISH) {
        take_publication(packet);
    } else if (packet->type == PUBACK) {
        take_acknowledgement();
    }
}

static bool receive(void)
{
    size_t taken = tls_receive(in + in_length, sizeof in - in_length);
    if (taken == 0) {
        return false;
    }
    in_length += taken;
    last_heard_us = clock_mono_us();
    mqtt_packet packet;
    long length;
    while (now_in >= GREETING && (length = mqtt_read(in, in_length, &packet)) != 0) {
        if (length < 0) {
            connection_lost("the hub sent what is no packet");
            return true;
        }
        take_packet(&packet);
        in_length -= (size_t)length;
        memmove(in, in + length, in_length);
    }
    return true;
}

/* ---- Online ------------------------------------------------------------------------------------------ */

static uint64_t keep_alive_us(void) { return self.keep_alive_s * SECOND_US; }

/* When the token is to be renewed: a tenth of its life before its end. */
static uint64_t renewal_us(void)
{
    int64_t unix_s;
    if (self.key_length == 0 || keep_token || !clock_unix_s(&unix_s)) {
        return NEVER;
    }
    int64_t left_s = token_expiry_s - (int64_t)(self.token_ttl_s / 10) - unix_s;
    return left_s <= 0 ? 0 : clock_mono_us() + (uint64_t)left_s * SECOND_US;
}

static bool send_next_telemetry(void)
{
    static char payload[UINT16_MAX];
    char topic[DEVICE_ID_MAX + 32];
    if (telemetry.left == 0 || clock_mono_us() < telemetry.next_us) {
        return false;
    }
    telemetry.left--;
    telemetry.sequence++;
    telemetry.next_us += telemetry.interval_ms * 1000ull;
    memset(payload, ' ', telemetry.payload_bytes);
    char text[64];
    int length = snprintf(text, sizeof text, "{\"seq\":%u,\"temperature\":%u.%u}", (unsigned)telemetry.sequence,
                          20 + (unsigned)(telemetry.sequence % 5), (unsigned)(telemetry.sequence % 10));
    memcpy(payload, text, length < telemetry.payload_bytes ? (size_t)length : telemetry.payload_bytes);
    snprintf(topic, sizeof topic, "devices/%s/messages/events/", self.device_id);
    send(mqtt_publish(out, new_id(), topic, payload, telemetry.payload_bytes));
    return true;
}

static bool keep_alive(void)
{
    uint64_t now = clock_mono_us();
    if (self.keep_alive_s == 0) {
        return false;
    }
    if (now - last_heard_us > keep_alive_us() + keep_alive_us() / 2) {
        connection_lost("no answer to pings");
        return true;
    }
    if (now - last_sent_us >= keep_alive_us() / 2) {
        send(mqtt_ping(out));
        return true;
    }
    return false;
}

static bool stay_online(void)
{
    if (tls_run() == TLS_CLOSED) {
        connection_lost(tls_reason());
        return true;
    }
    if (receive()) {
        return true;
    }
    if (renewal_us() <= clock_mono_us()) {
        send(mqtt_disconnect(out));
        tls_close();
        client_told(CLIENT_DISCONNECTED, "the token is renewed", 0);
        pause(0);
        return true;
    }
    return send_next_telemetry() || keep_alive();
}

/* ---- The outside ------------------------------------------------------------------------------------- */

static bool is_over(void) { return clock_mono_us() >= phase_limit_us; }

static bool try_on(void)
{
    phase before = now_in;
    if (now_in == DATING && calendar_is_known()) {
        begin_lookup();
    } else if (now_in == RESOLVING && lookup == FOUND) {
        now_in = OPENING;
        tls_open(&hub_address, self.hub_port);
    } else if (now_in == RESOLVING && lookup == NOT_FOUND) {
        try_failed("name not found");
    } else if (now_in >= OPENING && tls_run() == TLS_CLOSED) {
        try_failed(tls_reason());
    } else if (now_in == OPENING && tls_run() == TLS_OPEN) {
        greet();
    } else if (now_in == GREETING && receive()) {
        return true;
    } else if (is_over()) {
        try_failed("timed out");
    }
    return now_in != before;
}

bool client_run(void)
{
    switch (now_in) {
    case OFF:
        return false;
    case PAUSING:
        if (!is_over()) {
            return false;
        }
        enter(DATING, clock_mono_us() + TRY_LIMIT_US);
        calendar_ask();
        return true;
    case ONLINE:
        return stay_online();
    default:
        return try_on();
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t client_deadline_us(void)
{
    if (now_in != ONLINE) {
        return now_in == OFF ? NEVER : phase_limit_us;
    }
    uint64_t due = renewal_us();
    if (self.keep_alive_s != 0) {
        due = earlier(due, last_sent_us + keep_alive_us() / 2);
    }
    return telemetry.left ? earlier(due, telemetry.next_us) : due;
}

void client_start(void) { enter(OFF, NEVER); }

void client_connect(uint32_t attempts, uint32_t gap)
{
    if (now_in == ONLINE) {
        return;
    }
    attempts_left = attempts;
    gap_ms = gap;
    pause_ms = FIRST_PAUSE_MS;
    tls_close();
    pause(0);
}

void client_disconnect(void)
{
    if (now_in == ONLINE) {
        send(mqtt_disconnect(out));
    }
    tls_close();
    telemetry.left = telemetry.total = telemetry.acknowledged = 0;
    enter(OFF, NEVER);
}

void client_keep_token(bool keep) { keep_token = keep; }

bool client_send_telemetry(uint32_t count, uint32_t interval_ms, uint16_t payload_bytes)
{
    if (now_in != ONLINE) {
        return false;
    }
    telemetry.left = telemetry.total = count;
    telemetry.acknowledged = 0;
    telemetry.interval_ms = interval_ms;
    telemetry.payload_bytes = payload_bytes < MQTT_PACKET_MAX / 2 ? payload_bytes : MQTT_PACKET_MAX / 2;
    telemetry.next_us = clock_mono_us();
    return true;
}

bool client_read_twin(void)
{
    char topic[48];
    snprintf(topic, sizeof topic, "$iothub/twin/GET/?$rid=%u", (unsigned)++next_request);
    if (now_in != ONLINE) {
        return false;
    }
    send(mqtt_publish(out, 0, topic, " ", 1));
    return true;
}

bool client_report(const uint8_t *json, size_t length)
{
    char topic[64];
    snprintf(topic, sizeof topic, "$iothub/twin/PATCH/properties/reported/?$rid=%u", (unsigned)++next_request);
    size_t packet = now_in == ONLINE ? mqtt_publish(out, 0, topic, json, length) : 0;
    if (packet == 0) {
        return false;
    }
    send(packet);
    return true;
}
