/* What all connections share: certificates, keys, and what is demanded of a peer. */
#include <openssl/err.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/tls_int.h"

void tls_error_take(char *text, size_t n)
{
    unsigned long e = ERR_get_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;

    snprintf(text, n, "%s", reason ? reason : "unknown error");
    ERR_clear_error();
}

/* OpenSSL's words for a file that is not there are about its libraries. */
static bool fail(const char *what, const char *file, char *why, size_t n)
{
    char text[160];

    tls_error_take(text, sizeof(text));
    if (access(file, R_OK) != 0)
        snprintf(why, n, "%s %s: cannot be read", what, file);
    else
        snprintf(why, n, "%s %s: %s", what, file, text);
    return false;
}

static bool load_own(SSL_CTX *ctx, const struct tls_config *c, char *why, size_t n)
{
    const char *key = c->key ? c->key : c->cert;

    if (!c->cert)
        return true;
    if (SSL_CTX_use_certificate_chain_file(ctx, c->cert) != 1)
        return fail("certificate", c->cert, why, n);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1)
        return true;
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason != X509_R_KEY_VALUES_MISMATCH && reason != X509_R_KEY_TYPE_MISMATCH)
        return fail("key", key, why, n);
    ERR_clear_error();
    snprintf(why, n, "key %s: does not belong to certificate %s", key, c->cert);
    return false;
}

static bool load_ca(SSL_CTX *ctx, const struct tls_config *c, char *why, size_t n)
{
    STACK_OF(X509_NAME) * names;

    if (!c->ca)
        return true;
    if (SSL_CTX_load_verify_locations(ctx, c->ca, NULL) != 1)
        return fail("authority", c->ca, why, n);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (c->client)
        return true;
    names = SSL_load_client_CA_file(c->ca);
    if (!names)
        return fail("authority", c->ca, why, n);
    SSL_CTX_set_client_CA_list(ctx, names);
    return true;
}

static void set_manners(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    /* Sessions are long; a switch that comes again makes a whole handshake. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"millrace", 8);
}

struct tls_context *tls_context_open(const struct tls_config *c, char *why, size_t n)
{
    struct tls_context *x = calloc(1, sizeof(*x));

    if (!x) {
        snprintf(why, n, "no memory for TLS");
        return NULL;
    }
    x->client = c->client;
    x->ctx = SSL_CTX_new(c->client ? TLS_client_method() : TLS_server_method());
    if (!x->ctx) {
        snprintf(why, n, "no memory for TLS");
        free(x);
        return NULL;
    }
    set_manners(x->ctx);
    if (!load_own(x->ctx, c, why, n) || !load_ca(x->ctx, c, why, n)) {
        tls_context_close(x);
        return NULL;
    }
    return x;
}

void tls_context_close(struct tls_context *x)
{
    if (!x)
        return;
    SSL_CTX_free(x->ctx);
    free(x);
}
