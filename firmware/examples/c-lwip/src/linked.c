/* A build that lives on time granted by the harness and does what it is commanded: clocks, calendar and driver of the
 * client at once, because each grant moves the first two and each command the third. */
#include "board.h"
#include "calendar.h"
#include "client.h"
#include "clock.h"
#include "hilarm_link.h"
#include "identity.h"
#include "interface.h"
#include "lan9118.h"
#include "link_agent.h"
#include "uart.h"

#include <string.h>

enum { OUT_BYTES = 512 };

static hilarm_time granted;
static hilarm_encoder encoder;
static hilarm_decoder decoder;
static uint8_t receive_buffer[HILARM_MAX_FRAME_BYTES];
static uint8_t out[OUT_BYTES];

/* ---- Time -------------------------------------------------------------------------------------------- */

void clock_start(void) {}

uint64_t clock_mono_us(void) { return granted.mono_us; }

bool clock_unix_s(int64_t *seconds)
{
    *seconds = granted.unix_us / 1000000;
    return granted.calendar_known;
}

/* No time server is asked: the harness tells the date. */
void clock_set_unix_s(int64_t seconds) { (void)seconds; }
void calendar_start(void) {}
void calendar_ask(void) {}
bool calendar_is_known(void) { return granted.calendar_known; }

/* The idle hook. An RTOS would call it from its idle task, with the deadline of its next timer. */
void clock_idle(uint64_t deadline_us)
{
    static uint8_t frame[96];
    hilarm_option deadline = {deadline_us != NEVER, deadline_us};
    hilarm_idle idle;
    if (deadline.given && deadline_us <= granted.mono_us) {
        return;
    }
    mask_interrupts();
    if (lan9118_arm() && !link_uart_is_waiting()) {
        granted.counters.frames_dropped += lan9118_dropped();
        if (hilarm_idle_hook(&granted, deadline, &idle)) {
            lan9118_send(frame, hilarm_idle_to_ethernet(&idle, interface_mac(), frame, sizeof frame));
        }
        wait_for_interrupt();
    }
    unmask_interrupts();
}

void timer0_interrupt(void) {}

/* ---- What goes out ----------------------------------------------------------------------------------- */

static void send(size_t length)
{
    if (length == 0) {
        give_up("a message of the link did not fit");
    }
    link_uart_send(out, length);
    granted.counters.link_tx++;
}

static void send_event(const hilarm_event *event) { send(hilarm_encode_event(&encoder, event, out, sizeof out)); }

void client_told(client_news news, const char *text, uint32_t number)
{
    static const hilarm_event_kind kinds[] = {
        [CLIENT_CONNECTED] = HILARM_CONNECTED,
        [CLIENT_CONNECT_FAILED] = HILARM_CONNECT_FAILED,
        [CLIENT_GAVE_UP] = HILARM_GAVE_UP,
        [CLIENT_DISCONNECTED] = HILARM_DISCONNECTED,
        [CLIENT_METHOD_CALLED] = HILARM_METHOD_CALLED,
        [CLIENT_RECEIVED] = HILARM_CLOUD_TO_DEVICE_RECEIVED,
        [CLIENT_SETTLED] = HILARM_TELEMETRY_SETTLED,
    };
    hilarm_event event = {
        .kind = kinds[news], .text = text, .number = number, .session_present = number != 0};
    send_event(&event);
}

/* ---- What comes in ----------------------------------------------------------------------------------- */

static bool is_named(hilarm_bytes text, const char *name)
{
    return text.length == strlen(name) && memcmp(text.at, name, text.length) == 0;
}

static void respond(const hilarm_command *command, hilarm_answer answer, const char *why)
{
    send(hilarm_encode_response(&encoder, command->id, answer, NULL, why, out, sizeof out));
}

static void change_behaviour(const hilarm_command *command, bool start)
{
    if (!is_named(command->text, "never-renew-token")) {
        respond(command, HILARM_UNKNOWN_BEHAVIOUR, NULL);
        return;
    }
    client_keep_token(start);
    respond(command, HILARM_TAKEN, NULL);
}

static void respond_online(const hilarm_command *command, bool done)
{
    respond(command, done ? HILARM_TAKEN : HILARM_NOT_NOW, "the device is not connected");
}

static void take_command(const hilarm_command *command)
{
    switch (command->kind) {
    case HILARM_CONNECT:
        client_connect(command->attempts.given ? (uint32_t)command->attempts.value : 0,
                       command->gap_ms.given ? (uint32_t)command->gap_ms.value : 0);
        respond(command, HILARM_TAKEN, NULL);
        break;
    case HILARM_DISCONNECT:
        client_disconnect();
        respond(command, HILARM_TAKEN, NULL);
        break;
    case HILARM_SEND_TELEMETRY:
        respond_online(command,
                       client_send_telemetry(command->count, command->interval_ms, command->payload_bytes));
        break;
    case HILARM_READ_TWIN:
        respond_online(command, client_read_twin());
        break;
    case HILARM_REPORT_PROPERTIES:
        respond_online(command, client_report(command->text.at, command->text.length));
        break;
    case HILARM_RUN_BEHAVIOUR:
    case HILARM_STOP_BEHAVIOUR:
        change_behaviour(command, command->kind == HILARM_RUN_BEHAVIOUR);
        break;
    default:
        respond(command, HILARM_NOT_NOW, "this firmware speaks MQTT only");
    }
}

static void take(const hilarm_to_device *message, hilarm_error error)
{
    if (error != HILARM_OK) {
        send(hilarm_encode_log(&encoder, HILARM_ERROR, "link: a damaged frame", out, sizeof out));
    } else if (message->kind == HILARM_TO_TIME) {
        hilarm_time_grant(&granted, &message->grant);
    } else if (message->kind == HILARM_TO_COMMAND) {
        take_command(&message->command);
    }
}

bool link_agent_poll(void)
{
    hilarm_to_device message;
    hilarm_error error;
    uint8_t byte;
    bool any = false;
    while (link_uart_receive(&byte)) {
        any = true;
        if (hilarm_decoder_push(&decoder, byte, &message, &error)) {
            granted.counters.link_rx++;
            take(&message, error);
        }
    }
    return any;
}

bool link_takes_frame(const uint8_t *frame, size_t length)
{
    hilarm_to_device message;
    hilarm_error error;
    if (!hilarm_from_ethernet(frame, length, &message, &error)) {
        return false;
    }
    take(&message, error);
    return true;
}

void link_counts(bool received)
{
    if (received) {
        granted.counters.frames_rx++;
    } else {
        granted.counters.frames_tx++;
    }
}

void link_agent_start(void)
{
    link_uart_open();
    hilarm_decoder_begin(&decoder, receive_buffer, sizeof receive_buffer);
    hilarm_event booted = {.kind = HILARM_BOOTED, .text = "c-lwip", .version = "1.0", .number = self.seed};
    send_event(&booted);
}
