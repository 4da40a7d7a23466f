#include "tls.h"
#include "board.h"
#include "clock.h"
#include "identity.h"

#include <lwip/tcp.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/error.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

static mbedtls_ctr_drbg_context generator;
static mbedtls_ssl_config config;
static mbedtls_ssl_context session;
static mbedtls_x509_crt authority, own_certificate;
static mbedtls_pk_context own_key;

static struct tcp_pcb *connection;
static struct pbuf *received;
static size_t received_at;
static bool connected, ended;
static tls_state state;
static char reason[80];

/* A device in a simulation draws from its seed, so that runs repeat. A product asks its hardware here. */
static int draw_entropy(void *ignored, unsigned char *out, size_t length)
{
    (void)ignored;
    uint64_t x = self.seed;
    for (size_t i = 0; i < length; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        out[i] = (unsigned char)(x >> 56);
    }
    return 0;
}

static mbedtls_time_t calendar(mbedtls_time_t *to)
{
    int64_t seconds;
    /* Without a date no certificate is valid: 1970 is before all of them. */
    mbedtls_time_t now = clock_unix_s(&seconds) ? (mbedtls_time_t)seconds : 0;
    if (to) {
        *to = now;
    }
    return now;
}

static void must(int error, const char *what)
{
    if (error != 0) {
        give_up(what);
    }
}

static void present_certificate(void)
{
    must(mbedtls_x509_crt_parse_der(&own_certificate, self.certificate.bytes, self.certificate.length),
         "the device's certificate does not parse");
    must(mbedtls_pk_parse_key(&own_key, self.private_key.bytes, self.private_key.length, NULL, 0),
         "the device's private key does not parse");
    must(mbedtls_ssl_conf_own_cert(&config, &own_certificate, &own_key), "the device's certificate is not taken");
}

void tls_start(void)
{
    mbedtls_platform_set_time(calendar);
    mbedtls_ctr_drbg_init(&generator);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&authority);
    mbedtls_x509_crt_init(&own_certificate);
    mbedtls_pk_init(&own_key);
    must(mbedtls_ctr_drbg_seed(&generator, draw_entropy, NULL, NULL, 0), "no random numbers");
    must(mbedtls_x509_crt_parse_der(&authority, self.ca_certificate.bytes, self.ca_certificate.length),
         "the authority's certificate does not parse");
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT),
         "no configuration of TLS");
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &authority, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &generator);
    if (self.certificate.length > 0) {
        present_certificate();
    }
}

static int bio_send(void *ignored, const unsigned char *bytes, size_t length)
{
    (void)ignored;
    if (!connection) {
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    size_t room = tcp_sndbuf(connection);
    length = length < room ? length : room;
    if (length == 0 || tcp_write(connection, bytes, (u16_t)length, TCP_WRITE_FLAG_COPY) != ERR_OK) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    tcp_output(connection);
    return (int)length;
}

static int bio_receive(void *ignored, unsigned char *bytes, size_t capacity)
{
    (void)ignored;
    if (!received) {
        return ended ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ;
    }
    u16_t wanted = (u16_t)(capacity < UINT16_MAX ? capacity : UINT16_MAX);
    u16_t taken = pbuf_copy_partial(received, bytes, wanted, (u16_t)received_at);
    received_at += taken;
    if (connection) {
        tcp_recved(connection, taken);
    }
    if (received_at == received->tot_len) {
        pbuf_free(received);
        received = NULL;
        received_at = 0;
    }
    return taken;
}

static err_t on_received(void *ignored, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    (void)ignored, (void)pcb, (void)error;
    if (!data) {
        ended = true;
    } else if (received) {
        pbuf_cat(received, data);
    } else {
        received = data;
    }
    return ERR_OK;
}

static err_t on_connected(void *ignored, struct tcp_pcb *pcb, err_t error)
{
    (void)ignored, (void)pcb, (void)error;
    connected = true;
    return ERR_OK;
}

/* lwIP has freed the connection before it says so. */
static void on_error(void *ignored, err_t error)
{
    (void)ignored;
    connection = NULL;
    ended = true;
    snprintf(reason, sizeof reason, "%s", error == ERR_RST ? (connected ? "reset" : "refused") : "timed out");
}

void tls_open(const ip_addr_t *address, uint16_t port)
{
    tls_close();
    reason[0] = 0;
    mbedtls_ssl_init(&session);
    must(mbedtls_ssl_setup(&session, &config), "no memory for a session of TLS");
    must(mbedtls_ssl_set_hostname(&session, self.hub_host), "the hub's name is not taken");
    mbedtls_ssl_set_bio(&session, NULL, bio_send, bio_receive, NULL);
    connection = tcp_new();
    if (!connection) {
        give_up("no memory for a connection");
    }
    tcp_nagle_disable(connection);
    tcp_recv(connection, on_received);
    tcp_err(connection, on_error);
    state = TLS_OPENING;
    if (tcp_connect(connection, address, port, on_connected) != ERR_OK) {
        tls_close();
        snprintf(reason, sizeof reason, "no route");
    }
}

static void fail(int error)
{
    char text[64] = "closed by the other end";
    uint32_t flaws = mbedtls_ssl_get_verify_result(&session);
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        mbedtls_x509_crt_verify_info(text, sizeof text, "", flaws);
        text[strcspn(text, "\n")] = 0;
    } else if (error != MBEDTLS_ERR_SSL_CONN_EOF && error != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        snprintf(text, sizeof text, "error -0x%04x", (unsigned)-error);
    }
    if (reason[0] == 0) {
        snprintf(reason, sizeof reason, "%s%s", state == TLS_OPENING ? "tls: " : "", text);
    }
    tls_close();
}

static bool waits(int error) { return error == MBEDTLS_ERR_SSL_WANT_READ || error == MBEDTLS_ERR_SSL_WANT_WRITE; }

tls_state tls_run(void)
{
    if (state == TLS_OPENING && (connected || ended)) {
        int error = ended && !received ? MBEDTLS_ERR_SSL_CONN_EOF : mbedtls_ssl_handshake(&session);
        if (error == 0) {
            state = TLS_OPEN;
        } else if (!waits(error)) {
            fail(error);
        }
    }
    if (state == TLS_OPEN && ended && !received && mbedtls_ssl_get_bytes_avail(&session) == 0) {
        fail(MBEDTLS_ERR_SSL_CONN_EOF);
    }
    return state;
}

const char *tls_reason(void) { return reason; }

void tls_send(const uint8_t *bytes, size_t length)
{
    while (state == TLS_OPEN && length > 0) {
        int sent = mbedtls_ssl_write(&session, bytes, length);
        if (sent < 0) {
            /* Room comes back with acknowledgements only, and this device has nothing worth waiting for them. */
            fail(sent);
            return;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
}

size_t tls_receive(uint8_t *bytes, size_t capacity)
{
    if (state != TLS_OPEN) {
        return 0;
    }
    int taken = mbedtls_ssl_read(&session, bytes, capacity);
    if (taken > 0) {
        return (size_t)taken;
    }
    if (!waits(taken)) {
        fail(taken == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : taken);
    }
    return 0;
}

void tls_close(void)
{
    if (state != TLS_CLOSED) {
        if (state == TLS_OPEN) {
            mbedtls_ssl_close_notify(&session);
        }
        mbedtls_ssl_free(&session);
    }
    if (connection) {
        tcp_recv(connection, NULL);
        tcp_err(connection, NULL);
        if (tcp_close(connection) != ERR_OK) {
            tcp_abort(connection);
        }
    }
    if (received) {
        pbuf_free(received);
    }
    connection = NULL;
    received = NULL;
    received_at = 0;
    connected = ended = false;
    state = TLS_CLOSED;
}
