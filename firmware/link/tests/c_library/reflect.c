/* Tells by the library's own messages what the library understood: reads a byte stream to a device from standard
 * input, and for each answer of the decoder writes messages from a device to standard output. The test beside it
 * derives the same from the Rust crate. */
#include "hilarm_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hilarm_encoder encoder;
static uint8_t out[HILARM_MAX_FRAME_BYTES];
static char text[6 * HILARM_MAX_FRAME_BYTES];
static size_t used;

static void emit(size_t length)
{
    if (length == 0) {
        fputs("a message did not fit\n", stderr);
        exit(2);
    }
    fwrite(out, 1, length, stdout);
}

static void say_number(int64_t number) { used += (size_t)sprintf(text + used, " %lld", (long long)number); }

static void say_bytes(hilarm_bytes bytes)
{
    text[used++] = ' ';
    for (size_t i = 0; i < bytes.length; i++) {
        used += (size_t)sprintf(text + used, "%02x", (unsigned)bytes.at[i]);
    }
    text[used++] = '.';
    text[used] = 0;
}

static void say_option(hilarm_option option) { say_number(option.given ? (int64_t)option.value : -1); }

static void say_arguments(hilarm_bytes arguments)
{
    hilarm_argument argument;
    while (hilarm_next_argument(&arguments, &argument)) {
        say_bytes(argument.name);
        say_number(argument.kind);
        say_number(argument.number);
        say_bytes(argument.text);
        say_bytes(argument.certificate);
        say_bytes(argument.key);
        say_number(argument.not_after_s);
    }
}

static void reflect_command(const hilarm_command *command)
{
    used = 0;
    say_number(command->kind);
    say_option(command->attempts);
    say_option(command->gap_ms);
    say_number(command->count);
    say_number(command->interval_ms);
    say_number(command->payload_bytes);
    say_number(command->disposition);
    say_number(command->size_bytes);
    say_bytes(command->text);
    say_number(command->argument_count);
    say_arguments(command->arguments);
    text[3000] = 0; /* as long as the test makes it */
    emit(hilarm_encode_log(&encoder, HILARM_DEBUG, text, out, sizeof out));
    hilarm_answer answer = (hilarm_answer)(command->id % 4);
    emit(hilarm_encode_response(&encoder, command->id, answer, "n\xC3\xA4me", "why", out, sizeof out));
    hilarm_event event = {.kind = (hilarm_event_kind)(command->id % 10),
                          .text = "text",
                          .version = "1.0",
                          .number = (uint64_t)command->id << 8,
                          .dropped = command->count,
                          .session_present = command->attempts.given};
    emit(hilarm_encode_event(&encoder, &event, out, sizeof out));
}

static void reflect(const hilarm_to_device *message)
{
    uint64_t unix_us = (uint64_t)message->grant.unix_us;
    hilarm_idle idle = {.seq = message->grant.seq,
                        .deadline_us = {message->grant.mono_us != 0, message->grant.mono_us},
                        .frames_rx = (uint32_t)unix_us,
                        .frames_tx = (uint32_t)(unix_us >> 32),
                        .frames_dropped = 3,
                        .link_rx = 4,
                        .link_tx = 5};
    switch (message->kind) {
    case HILARM_TO_TIME:
        emit(hilarm_encode_idle(&encoder, &idle, out, sizeof out));
        break;
    case HILARM_TO_COMMAND:
        reflect_command(&message->command);
        break;
    case HILARM_TO_NETWORK:
        emit(hilarm_encode_network(&encoder, message->frame.at, message->frame.length, out, sizeof out));
        break;
    }
}

static void tell(const hilarm_to_device *message, hilarm_error error)
{
    static const char *const names[] = {"ok",       "cobs",    "short", "crc",
                                        "too long", "channel", "body",  "gap"};
    if (error == HILARM_OK) {
        reflect(message);
    } else {
        emit(hilarm_encode_log(&encoder, HILARM_ERROR, names[error], out, sizeof out));
    }
}

/* Standard input as one Ethernet frame; answers by an idle in a frame where it was a grant. */
static int reflect_ethernet(void)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
    uint8_t frame[2048];
    hilarm_to_device message;
    hilarm_error error;
    size_t length = fread(frame, 1, sizeof frame, stdin);
    uint8_t *exact = malloc(length ? length : 1); /* so that a read past the end is seen */
    memcpy(exact, frame, length);
    if (!hilarm_from_ethernet(exact, length, &message, &error)) {
        puts("traffic");
    } else if (error != HILARM_OK) {
        puts("damaged");
    } else if (message.kind == HILARM_TO_TIME) {
        hilarm_time time = {0};
        hilarm_idle idle;
        hilarm_time_grant(&time, &message.grant);
        hilarm_idle_hook(&time, (hilarm_option){true, time.mono_us + 1}, &idle);
        fwrite(out, 1, hilarm_idle_to_ethernet(&idle, mac, out, sizeof out), stdout);
    } else {
        puts("other");
    }
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t buffer[HILARM_MAX_FRAME_BYTES];
    hilarm_decoder decoder;
    hilarm_to_device message;
    hilarm_error error;
    int byte;
    if (argc > 1 && strcmp(argv[1], "ethernet") == 0) {
        return reflect_ethernet();
    }
    hilarm_decoder_begin(&decoder, buffer, sizeof buffer);
    while ((byte = getchar()) != EOF) {
        if (hilarm_decoder_push(&decoder, (uint8_t)byte, &message, &error)) {
            tell(&message, error);
        }
    }
    return 0;
}
