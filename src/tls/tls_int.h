/* tls, private. */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls.h"

struct tls_context {
    SSL_CTX *ctx; /* owned */
    bool client;
};

/* OpenSSL's oldest error in words, and forgets all. */
void tls_error_take(char *text, size_t n);
