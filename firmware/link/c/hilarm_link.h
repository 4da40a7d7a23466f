/* The device's end of hilarm's link, for firmware in C99: frames and messages between a device and the harness.
 *
 * One byte stream each way, whatever carries it (a UART, a serial port, RTT). A frame is channel, sequence
 * number, body and CRC-16, COBS-encoded and ended by a zero byte; a body is postcard. Time and frames may go by
 * Ethernet frames of their own instead, where a board has an interface.
 *
 * Needs nothing but C99's <stdbool.h>, <stddef.h>, <stdint.h> and <string.h>. It allocates nothing, keeps no
 * global state, never calls back, and reads no further than the bytes it is given. The Rust crate beside it is
 * the definition: its tests hold this code against it, both ways and with damaged input.
 *
 * How a device lives on granted time: it has no clock of its own. Its time source returns what the last grant
 * said, and its idle hook calls hilarm_idle_hook(), which tells the harness once that nothing is left to do.
 */
#ifndef HILARM_LINK_H
#define HILARM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest frame, encoded, that the harness sends or takes. A device may do with a smaller buffer: longer
 * frames are then HILARM_TOO_LONG. */
#define HILARM_MAX_FRAME_BYTES 16384u
/* Room for an encoded frame around a body of that many bytes. */
#define HILARM_FRAME_BYTES(body) ((body) + 4u + ((body) + 4u) / 254u + 2u)
/* Room for any message here but logs, events with text and network frames. */
#define HILARM_SMALL_FRAME_BYTES 64u

typedef enum {
    HILARM_OK = 0,
    HILARM_COBS,     /* damaged framing */
    HILARM_SHORT,    /* too short for channel, sequence number and checksum */
    HILARM_CRC,      /* damaged on the way */
    HILARM_TOO_LONG, /* longer than the buffer given */
    HILARM_CHANNEL,  /* unknown channel: another version of the link? */
    HILARM_BODY,     /* does not decode as its channel's message: another version of the link? */
    HILARM_GAP       /* frames were lost before this one, which is lost too */
} hilarm_error;

/* Bytes that somebody else holds; text is UTF-8 and not zero-terminated. */
typedef struct {
    const uint8_t *at;
    size_t length;
} hilarm_bytes;

/* An option: `value` counts where `given`. */
typedef struct {
    bool given;
    uint64_t value;
} hilarm_option;

/* ---- To the device ---------------------------------------------------------------------------------- */

/* The device may live until mono_us. */
typedef struct {
    uint32_t seq;     /* the next idle repeats it */
    uint64_t mono_us; /* microseconds since the world began */
    int64_t unix_us;  /* calendar time since the Unix epoch */
} hilarm_grant;

typedef enum {
    HILARM_CONNECT = 0,
    HILARM_DISCONNECT,
    HILARM_SEND_TELEMETRY,
    HILARM_REPORT_PROPERTIES,
    HILARM_READ_TWIN,
    HILARM_RUN_BEHAVIOUR,
    HILARM_STOP_BEHAVIOUR,
    HILARM_SEND_TELEMETRY_HTTPS,
    HILARM_RECEIVE_HTTPS,
    HILARM_UPLOAD_FILE
} hilarm_command_kind;

typedef enum { HILARM_COMPLETE = 0, HILARM_REJECT, HILARM_ABANDON } hilarm_disposition;

typedef struct {
    uint32_t id; /* comes back in the response */
    hilarm_command_kind kind;
    hilarm_option attempts;         /* connect: bound on the tries, none = until it succeeds */
    hilarm_option gap_ms;           /* connect: fixed pause between tries */
    uint32_t count;                 /* telemetry, receive over HTTPS */
    uint32_t interval_ms;           /* telemetry: pause between two */
    uint16_t payload_bytes;         /* telemetry: length of each payload */
    hilarm_disposition disposition; /* receive over HTTPS */
    uint32_t size_bytes;            /* upload */
    hilarm_bytes text;              /* behaviour or file: its name; report properties: a JSON object */
    hilarm_bytes arguments;         /* behaviour: hand to hilarm_next_argument() */
    uint32_t argument_count;
} hilarm_command;

typedef enum { HILARM_INT = 0, HILARM_TEXT, HILARM_CERTIFICATE } hilarm_value_kind;

/* An argument of a behaviour. */
typedef struct {
    hilarm_bytes name;
    hilarm_value_kind kind;
    int64_t number;
    hilarm_bytes text;
    hilarm_bytes certificate; /* leaf, DER */
    hilarm_bytes key;         /* SEC1, DER */
    int64_t not_after_s;
} hilarm_argument;

typedef enum { HILARM_TO_TIME = 0, HILARM_TO_COMMAND, HILARM_TO_NETWORK } hilarm_to_device_kind;

/* A message to the device. What it points to lives in the decoder's buffer until the next byte is pushed. */
typedef struct {
    hilarm_to_device_kind kind;
    hilarm_grant grant;
    hilarm_command command;
    hilarm_bytes frame; /* an Ethernet frame, for boards without an interface */
} hilarm_to_device;

/* ---- From the device -------------------------------------------------------------------------------- */

/* Nothing to do before the deadline; the counters show that nothing is under way. */
typedef struct {
    uint32_t seq;             /* the last grant seen, 0 before the first */
    hilarm_option deadline_us; /* none = only on input */
    uint32_t frames_rx;       /* Ethernet frames taken from the interface, those of the harness's own apart */
    uint32_t frames_tx;       /* Ethernet frames given to the interface, those of one's own idle apart */
    uint32_t frames_dropped;  /* frames the interface lost */
    uint32_t link_rx;         /* messages received over the byte stream, damaged ones included */
    uint32_t link_tx;         /* messages sent over the byte stream, idles apart */
} hilarm_idle;

typedef enum { HILARM_ERROR = 0, HILARM_WARN, HILARM_INFO, HILARM_DEBUG } hilarm_level;

typedef enum {
    HILARM_BOOTED = 0,
    HILARM_CONNECTED,
    HILARM_CONNECT_FAILED,
    HILARM_GAVE_UP,
    HILARM_DISCONNECTED,
    HILARM_METHOD_CALLED,
    HILARM_CLOUD_TO_DEVICE_RECEIVED,
    HILARM_DESIRED_PROPERTIES,
    HILARM_BEHAVIOUR_FINISHED,
    HILARM_TELEMETRY_SETTLED
} hilarm_event_kind;

/* What the device noticed. The first message of every boot is HILARM_BOOTED. */
typedef struct {
    hilarm_event_kind kind;
    const char *text;     /* booted: the target; connect failed, disconnected: why; method, behaviour: name */
    const char *version;  /* booted */
    uint64_t number;      /* booted: nonce, new for every boot; payload bytes; version; messages acknowledged */
    uint32_t dropped;     /* telemetry settled */
    bool session_present; /* connected */
} hilarm_event;

typedef enum {
    HILARM_TAKEN = 0,          /* done, or under way */
    HILARM_UNKNOWN_BEHAVIOUR,  /* the firmware holds no such behaviour */
    HILARM_ARGUMENT,           /* a parameter is missing, unknown or of the wrong kind */
    HILARM_NOT_NOW             /* the device cannot do it */
} hilarm_answer;

/* Where an encoder is. */
typedef struct {
    uint8_t sequence;
} hilarm_encoder;

/* Each encodes one message for the wire into `out`, delimiter included, and answers with its length; 0 when
 * `capacity` is too small or a text is no UTF-8: nothing is sent and no sequence number used then. */
size_t hilarm_encode_idle(hilarm_encoder *encoder, const hilarm_idle *idle, uint8_t *out, size_t capacity);
size_t hilarm_encode_event(hilarm_encoder *encoder, const hilarm_event *event, uint8_t *out, size_t capacity);
size_t hilarm_encode_log(hilarm_encoder *encoder, hilarm_level level, const char *text, uint8_t *out,
                         size_t capacity);
size_t hilarm_encode_network(hilarm_encoder *encoder, const uint8_t *frame, size_t length, uint8_t *out,
                             size_t capacity);
/* `name` counts with HILARM_ARGUMENT; `why` with it (what was expected) and with HILARM_NOT_NOW. */
size_t hilarm_encode_response(hilarm_encoder *encoder, uint32_t id, hilarm_answer answer, const char *name,
                              const char *why, uint8_t *out, size_t capacity);

/* Splits a byte stream into messages. After any damage it finds its feet at the next delimiter. */
typedef struct {
    uint8_t *buffer;
    size_t capacity;
    size_t length;
    bool overlong;
    bool numbered;
    uint8_t next_sequence;
} hilarm_decoder;

void hilarm_decoder_begin(hilarm_decoder *decoder, uint8_t *buffer, size_t capacity);
/* Takes one byte. True when it completes a message, or reveals damage: `*error` says which. */
bool hilarm_decoder_push(hilarm_decoder *decoder, uint8_t byte, hilarm_to_device *message, hilarm_error *error);

/* Takes the next argument off `arguments`; false when there is none. */
bool hilarm_next_argument(hilarm_bytes *arguments, hilarm_argument *argument);

/* ---- In Ethernet frames of their own ---------------------------------------------------------------- */

/* An idle as a frame; answers with its length, 0 when `capacity` is below 96. */
size_t hilarm_idle_to_ethernet(const hilarm_idle *idle, const uint8_t mac[6], uint8_t *out, size_t capacity);
/* Whether the frame is one of the harness's own and no traffic. If so, `*error` says whether it is sound. */
bool hilarm_from_ethernet(const uint8_t *frame, size_t length, hilarm_to_device *message, hilarm_error *error);

/* ---- Granted time ----------------------------------------------------------------------------------- */

/* The device's clocks, and its books of what crossed. Zeroed, it is as before the first grant. */
typedef struct {
    uint64_t mono_us;
    int64_t unix_us;
    bool calendar_known;
    hilarm_idle counters; /* the deadline apart, to be counted up by whoever receives and sends */
    hilarm_idle told;
    bool any_told;
} hilarm_time;

/* Moves time. A grant that would move monotonic time backwards moves the calendar only. */
void hilarm_time_grant(hilarm_time *time, const hilarm_grant *grant);
/* For an RTOS's idle hook, with interrupts off: when nothing is ready to run, and `deadline_us` is the next
 * timer. True when the harness does not know yet: `*idle` must be sent then. Sleep until an interrupt after
 * it. */
bool hilarm_idle_hook(hilarm_time *time, hilarm_option deadline_us, hilarm_idle *idle);

#ifdef __cplusplus
}
#endif

#endif
