/* See hilarm_link.h. */
#include "hilarm_link.h"

#include <string.h>

enum { TIME = 0, COMMAND = 1, LOG = 2, EVENT = 3, NETWORK = 4 };
enum { HEADER_BYTES = 2, CRC_BYTES = 2, COBS_RUN_MAX = 0xFF };

/* ---- CRC-16/XMODEM and COBS, written as the bytes come ---------------------------------------------- */

static uint16_t crc16(uint16_t crc, uint8_t byte)
{
    uint32_t shifted = crc ^ (uint32_t)byte << 8;
    for (int bit = 0; bit < 8; bit++) {
        shifted = (shifted & 0x8000u) ? (shifted << 1) ^ 0x1021u : shifted << 1;
    }
    return (uint16_t)shifted;
}

/* Bytes under construction; `bad` once something did not fit or was no text. */
typedef struct {
    uint8_t *out;
    size_t capacity;
    size_t length;
    size_t code_at;
    uint8_t code;
    uint16_t crc;
    bool framed;
    bool bad;
} writer;

static void put_plain(writer *w, uint8_t byte)
{
    if (w->length < w->capacity) {
        w->out[w->length] = byte;
    } else {
        w->bad = true;
    }
    w->length++;
}

static void open_run(writer *w)
{
    w->code_at = w->length;
    w->code = 1;
    put_plain(w, 0);
}

static void close_run(writer *w)
{
    if (w->code_at < w->capacity) {
        w->out[w->code_at] = w->code;
    }
}

static void put_cobs(writer *w, uint8_t byte)
{
    if (byte != 0) {
        put_plain(w, byte);
        w->code++;
    }
    if (byte == 0 || w->code == COBS_RUN_MAX) {
        close_run(w);
        open_run(w);
    }
}

static void put(writer *w, uint8_t byte)
{
    if (!w->framed) {
        put_plain(w, byte);
        return;
    }
    w->crc = crc16(w->crc, byte);
    put_cobs(w, byte);
}

static writer begin_frame(const hilarm_encoder *encoder, uint8_t channel, uint8_t *out, size_t capacity)
{
    writer w = {.out = out, .capacity = capacity, .framed = true};
    open_run(&w);
    put(&w, channel);
    put(&w, encoder->sequence);
    return w;
}

static size_t end_frame(hilarm_encoder *encoder, writer *w)
{
    uint16_t crc = w->crc;
    put(w, (uint8_t)(crc & 0xFF));
    put(w, (uint8_t)(crc >> 8));
    close_run(w);
    put_plain(w, 0);
    if (w->bad || w->length > HILARM_MAX_FRAME_BYTES) {
        return 0;
    }
    encoder->sequence++;
    return w->length;
}

/* Decodes in place: what is written never outruns what is still to be read. */
static hilarm_error cobs_decode(uint8_t *bytes, size_t *length)
{
    size_t from = 0, to = 0;
    while (from < *length) {
        uint8_t code = bytes[from++];
        size_t run = (size_t)code - 1;
        if (code == 0 || run > *length - from) {
            return HILARM_COBS;
        }
        memmove(bytes + to, bytes + from, run);
        from += run;
        to += run;
        if (code != COBS_RUN_MAX && from < *length) {
            bytes[to++] = 0;
        }
    }
    *length = to;
    return HILARM_OK;
}

/* ---- Postcard ---------------------------------------------------------------------------------------- */

static void put_varint(writer *w, uint64_t value)
{
    while (value > 0x7F) {
        put(w, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    put(w, (uint8_t)value);
}

static void put_option(writer *w, hilarm_option option)
{
    put(w, option.given ? 1 : 0);
    if (option.given) {
        put_varint(w, option.value);
    }
}

/* Where a body is read; `bad` once it did not hold what was asked for. */
typedef struct {
    const uint8_t *at;
    size_t left;
    bool bad;
} reader;

static uint8_t take(reader *r)
{
    if (r->left == 0) {
        r->bad = true;
        return 0;
    }
    r->left--;
    return *r->at++;
}

/* A number of at most `bits` bits; overlong forms of small numbers are fine, as they are to postcard. */
static uint64_t take_varint(reader *r, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        uint8_t byte = take(r);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (bits - shift < 7 && byte >> (bits - shift) != 0) {
                r->bad = true;
            }
            return value;
        }
    }
    r->bad = true;
    return 0;
}

static int64_t take_signed(reader *r)
{
    uint64_t zigzag = take_varint(r, 64);
    uint64_t value = (zigzag >> 1) ^ (0 - (zigzag & 1));
    int64_t result;
    memcpy(&result, &value, sizeof result);
    return result;
}

static uint32_t take_variant(reader *r, uint32_t count)
{
    uint64_t variant = take_varint(r, 32);
    if (variant >= count) {
        r->bad = true;
        return 0;
    }
    return (uint32_t)variant;
}

static hilarm_option take_option(reader *r, unsigned bits)
{
    hilarm_option option = {false, 0};
    uint8_t given = take(r);
    if (given > 1) {
        r->bad = true;
    } else if (given == 1) {
        option.given = true;
        option.value = take_varint(r, bits);
    }
    return option;
}

/* Lengths are as wide as the peer's, which is a machine of 64 bits. */
static hilarm_bytes take_bytes(reader *r)
{
    uint64_t length = take_varint(r, 64);
    hilarm_bytes bytes = {r->at, 0};
    if (r->bad || length > r->left) {
        r->bad = true;
        return bytes;
    }
    bytes.length = (size_t)length;
    r->at += bytes.length;
    r->left -= bytes.length;
    return bytes;
}

/* RFC 3629, 4: how many bytes the character at `at` has; 0 for none. */
static size_t utf8_character(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > left) {
        return 0;
    }
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool is_utf8(const uint8_t *at, size_t length)
{
    while (length > 0) {
        size_t character = utf8_character(at, length);
        if (character == 0) {
            return false;
        }
        at += character;
        length -= character;
    }
    return true;
}

static hilarm_bytes take_text(reader *r)
{
    hilarm_bytes text = take_bytes(r);
    if (!is_utf8(text.at, text.length)) {
        r->bad = true;
    }
    return text;
}

static void put_text(writer *w, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (!is_utf8((const uint8_t *)text, length)) {
        w->bad = true;
    }
    put_varint(w, length);
    for (size_t i = 0; i < length; i++) {
        put(w, (uint8_t)text[i]);
    }
}

/* ---- Messages from the device ------------------------------------------------------------------------ */

static void put_idle(writer *w, const hilarm_idle *idle)
{
    put_varint(w, idle->seq);
    put_option(w, idle->deadline_us);
    put_varint(w, idle->frames_rx);
    put_varint(w, idle->frames_tx);
    put_varint(w, idle->frames_dropped);
    put_varint(w, idle->link_rx);
    put_varint(w, idle->link_tx);
}

size_t hilarm_encode_idle(hilarm_encoder *encoder, const hilarm_idle *idle, uint8_t *out, size_t capacity)
{
    writer w = begin_frame(encoder, TIME, out, capacity);
    put_idle(&w, idle);
    return end_frame(encoder, &w);
}

size_t hilarm_encode_event(hilarm_encoder *encoder, const hilarm_event *event, uint8_t *out, size_t capacity)
{
    writer w = begin_frame(encoder, EVENT, out, capacity);
    put_varint(&w, (uint64_t)event->kind);
    switch (event->kind) {
    case HILARM_BOOTED:
        put_text(&w, event->text);
        put_text(&w, event->version);
        put_varint(&w, event->number);
        break;
    case HILARM_CONNECTED:
        put(&w, event->session_present ? 1 : 0);
        break;
    case HILARM_CONNECT_FAILED:
    case HILARM_DISCONNECTED:
    case HILARM_METHOD_CALLED:
    case HILARM_BEHAVIOUR_FINISHED:
        put_text(&w, event->text);
        break;
    case HILARM_CLOUD_TO_DEVICE_RECEIVED:
        put_varint(&w, (uint32_t)event->number);
        break;
    case HILARM_DESIRED_PROPERTIES:
        put_varint(&w, event->number);
        break;
    case HILARM_TELEMETRY_SETTLED:
        put_varint(&w, (uint32_t)event->number);
        put_varint(&w, event->dropped);
        break;
    case HILARM_GAVE_UP:
        break;
    default:
        w.bad = true;
    }
    return end_frame(encoder, &w);
}

size_t hilarm_encode_log(hilarm_encoder *encoder, hilarm_level level, const char *text, uint8_t *out,
                         size_t capacity)
{
    writer w = begin_frame(encoder, LOG, out, capacity);
    put_varint(&w, (uint64_t)level);
    put_text(&w, text);
    return end_frame(encoder, &w);
}

size_t hilarm_encode_network(hilarm_encoder *encoder, const uint8_t *frame, size_t length, uint8_t *out,
                             size_t capacity)
{
    writer w = begin_frame(encoder, NETWORK, out, capacity);
    for (size_t i = 0; i < length; i++) {
        put(&w, frame[i]);
    }
    return end_frame(encoder, &w);
}

size_t hilarm_encode_response(hilarm_encoder *encoder, uint32_t id, hilarm_answer answer, const char *name,
                              const char *why, uint8_t *out, size_t capacity)
{
    writer w = begin_frame(encoder, COMMAND, out, capacity);
    put_varint(&w, id);
    put_varint(&w, answer == HILARM_TAKEN ? 0 : 1);
    if (answer != HILARM_TAKEN) {
        put_varint(&w, (uint64_t)answer - HILARM_UNKNOWN_BEHAVIOUR);
    }
    if (answer == HILARM_ARGUMENT) {
        put_text(&w, name);
    }
    if (answer == HILARM_ARGUMENT || answer == HILARM_NOT_NOW) {
        put_text(&w, why);
    }
    return end_frame(encoder, &w);
}

/* ---- Messages to the device -------------------------------------------------------------------------- */

static void take_argument(reader *r, hilarm_argument *argument)
{
    memset(argument, 0, sizeof *argument);
    argument->name = take_text(r);
    argument->kind = (hilarm_value_kind)take_variant(r, 3);
    switch (argument->kind) {
    case HILARM_INT:
        argument->number = take_signed(r);
        break;
    case HILARM_TEXT:
        argument->text = take_text(r);
        break;
    case HILARM_CERTIFICATE:
        argument->certificate = take_bytes(r);
        argument->key = take_bytes(r);
        argument->not_after_s = take_signed(r);
        break;
    }
}

bool hilarm_next_argument(hilarm_bytes *arguments, hilarm_argument *argument)
{
    reader r = {arguments->at, arguments->length, false};
    if (r.left == 0) {
        return false;
    }
    take_argument(&r, argument);
    arguments->at = r.at;
    arguments->length = r.bad ? 0 : r.left;
    return !r.bad;
}

/* Takes all arguments once, so that whoever asks for them later finds them sound. */
static void take_arguments(reader *r, hilarm_command *command)
{
    uint64_t count = take_varint(r, 64);
    command->arguments.at = r->at;
    size_t before = r->left;
    for (uint64_t i = 0; i < count && !r->bad; i++) {
        hilarm_argument ignored;
        take_argument(r, &ignored);
    }
    command->arguments.length = before - r->left;
    command->argument_count = (uint32_t)count;
}

static void take_telemetry(reader *r, hilarm_command *command)
{
    command->count = (uint32_t)take_varint(r, 32);
    command->interval_ms = (uint32_t)take_varint(r, 32);
    command->payload_bytes = (uint16_t)take_varint(r, 16);
}

static void take_command(reader *r, hilarm_command *command)
{
    command->id = (uint32_t)take_varint(r, 32);
    command->kind = (hilarm_command_kind)take_variant(r, HILARM_UPLOAD_FILE + 1);
    switch (command->kind) {
    case HILARM_CONNECT:
        command->attempts = take_option(r, 16);
        command->gap_ms = take_option(r, 32);
        break;
    case HILARM_SEND_TELEMETRY:
    case HILARM_SEND_TELEMETRY_HTTPS:
        take_telemetry(r, command);
        break;
    case HILARM_RUN_BEHAVIOUR:
        command->text = take_text(r);
        take_arguments(r, command);
        break;
    case HILARM_REPORT_PROPERTIES:
    case HILARM_STOP_BEHAVIOUR:
        command->text = take_text(r);
        break;
    case HILARM_RECEIVE_HTTPS:
        command->disposition = (hilarm_disposition)take_variant(r, 3);
        command->count = (uint32_t)take_varint(r, 32);
        break;
    case HILARM_UPLOAD_FILE:
        command->text = take_text(r);
        command->size_bytes = (uint32_t)take_varint(r, 32);
        break;
    case HILARM_DISCONNECT:
    case HILARM_READ_TWIN:
        break;
    }
}

static hilarm_error take_message(uint8_t channel, const uint8_t *body, size_t length, hilarm_to_device *message)
{
    reader r = {body, length, false};
    memset(message, 0, sizeof *message);
    switch (channel) {
    case TIME:
        message->kind = HILARM_TO_TIME;
        message->grant.seq = (uint32_t)take_varint(&r, 32);
        message->grant.mono_us = take_varint(&r, 64);
        message->grant.unix_us = take_signed(&r);
        break;
    case COMMAND:
        message->kind = HILARM_TO_COMMAND;
        take_command(&r, &message->command);
        break;
    case NETWORK:
        message->kind = HILARM_TO_NETWORK;
        message->frame.at = body;
        message->frame.length = length;
        return HILARM_OK;
    default:
        return HILARM_CHANNEL;
    }
    return r.bad || r.left != 0 ? HILARM_BODY : HILARM_OK;
}

void hilarm_decoder_begin(hilarm_decoder *decoder, uint8_t *buffer, size_t capacity)
{
    memset(decoder, 0, sizeof *decoder);
    decoder->buffer = buffer;
    decoder->capacity = capacity < HILARM_MAX_FRAME_BYTES ? capacity : HILARM_MAX_FRAME_BYTES;
}

static bool checksum_matches(const uint8_t *raw, size_t length)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < length - CRC_BYTES; i++) {
        crc = crc16(crc, raw[i]);
    }
    return raw[length - 2] == (crc & 0xFF) && raw[length - 1] == crc >> 8;
}

static hilarm_error take_frame(hilarm_decoder *decoder, size_t length, hilarm_to_device *message)
{
    uint8_t *raw = decoder->buffer;
    hilarm_error error = cobs_decode(raw, &length);
    if (error != HILARM_OK) {
        return error;
    }
    if (length < HEADER_BYTES + CRC_BYTES) {
        return HILARM_SHORT;
    }
    if (!checksum_matches(raw, length)) {
        return HILARM_CRC;
    }
    bool gap = decoder->numbered && decoder->next_sequence != raw[1];
    decoder->numbered = true;
    decoder->next_sequence = (uint8_t)(raw[1] + 1);
    error = take_message(raw[0], raw + HEADER_BYTES, length - HEADER_BYTES - CRC_BYTES, message);
    return gap ? HILARM_GAP : error;
}

bool hilarm_decoder_push(hilarm_decoder *decoder, uint8_t byte, hilarm_to_device *message, hilarm_error *error)
{
    if (byte != 0) {
        if (decoder->length >= decoder->capacity) {
            decoder->overlong = true;
        } else {
            decoder->buffer[decoder->length++] = byte;
        }
        return false;
    }
    size_t length = decoder->length;
    bool overlong = decoder->overlong;
    decoder->length = 0;
    decoder->overlong = false;
    if (length == 0) {
        return false;
    }
    *error = overlong ? HILARM_TOO_LONG : take_frame(decoder, length, message);
    return true;
}

/* ---- In Ethernet frames of their own ----------------------------------------------------------------- */

enum { ETHERTYPE_AT = 12, ETHERNET_HEADER = 14, OWN_HEADER = 17, FRAME_MIN = 60, IDLE_FRAME_MAX = 96 };
static const uint8_t ETHERTYPE[2] = {0x88, 0xB5};

size_t hilarm_idle_to_ethernet(const hilarm_idle *idle, const uint8_t mac[6], uint8_t *out, size_t capacity)
{
    if (capacity < IDLE_FRAME_MAX) {
        return 0;
    }
    memset(out, 0, FRAME_MIN);
    memset(out, 0xFF, 6);
    memcpy(out + 6, mac, 6);
    memcpy(out + ETHERTYPE_AT, ETHERTYPE, 2);
    writer w = {.out = out + OWN_HEADER, .capacity = capacity - OWN_HEADER};
    put_idle(&w, idle);
    out[ETHERNET_HEADER] = TIME;
    out[ETHERNET_HEADER + 1] = (uint8_t)w.length;
    size_t length = OWN_HEADER + w.length;
    return length < FRAME_MIN ? FRAME_MIN : length;
}

bool hilarm_from_ethernet(const uint8_t *frame, size_t length, hilarm_to_device *message, hilarm_error *error)
{
    if (length < ETHERNET_HEADER || memcmp(frame + ETHERTYPE_AT, ETHERTYPE, 2) != 0) {
        return false;
    }
    *error = HILARM_SHORT;
    if (length >= OWN_HEADER) {
        size_t body = frame[15] | (size_t)frame[16] << 8;
        if (body <= length - OWN_HEADER) {
            *error = take_message(frame[ETHERNET_HEADER], frame + OWN_HEADER, body, message);
        }
    }
    return true;
}

/* ---- Granted time ------------------------------------------------------------------------------------ */

void hilarm_time_grant(hilarm_time *time, const hilarm_grant *grant)
{
    if (grant->mono_us > time->mono_us) {
        time->mono_us = grant->mono_us;
    }
    time->unix_us = grant->unix_us;
    time->calendar_known = true;
    time->counters.seq = grant->seq;
}

static bool same_idle(const hilarm_idle *a, const hilarm_idle *b)
{
    return a->seq == b->seq && a->deadline_us.given == b->deadline_us.given
        && (!a->deadline_us.given || a->deadline_us.value == b->deadline_us.value)
        && a->frames_rx == b->frames_rx && a->frames_tx == b->frames_tx
        && a->frames_dropped == b->frames_dropped && a->link_rx == b->link_rx && a->link_tx == b->link_tx;
}

bool hilarm_idle_hook(hilarm_time *time, hilarm_option deadline_us, hilarm_idle *idle)
{
    hilarm_idle now = time->counters;
    now.deadline_us = deadline_us;
    if (time->any_told && same_idle(&now, &time->told)) {
        return false;
    }
    time->told = now;
    time->any_told = true;
    *idle = now;
    return true;
}
