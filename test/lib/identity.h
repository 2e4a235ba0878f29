/* Keys and certificates, made for a test: in files in a directory of its own. */
#pragma once

#include "lib/cmocka_first.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[80], key_file[80];
};

static inline void identity_save(struct identity *id, const char *dir, const char *name)
{
    FILE *f;

    snprintf(id->cert_file, sizeof(id->cert_file), "%s/%s.pem", dir, name);
    snprintf(id->key_file, sizeof(id->key_file), "%s/%s.key", dir, name);
    assert_non_null(f = fopen(id->cert_file, "w"));
    PEM_write_X509(f, id->cert);
    fclose(f);
    assert_non_null(f = fopen(id->key_file, "w"));
    PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

/* By NULL: it signs itself. */
static inline void identity_make(struct identity *id, const char *dir, const char *name,
                                 const struct identity *by, long serial)
{
    X509_NAME *subject;

    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    assert_true(id->key && id->cert);
    X509_set_version(id->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), 3600);
    X509_set_pubkey(id->cert, id->key);
    subject = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id->cert, by ? X509_get_subject_name(by->cert) : subject);
    if (!by) {
        X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
        X509_add_ext(id->cert, ca, -1);
        X509_EXTENSION_free(ca);
    }
    assert_true(X509_sign(id->cert, by ? by->key : id->key, EVP_sha256()) > 0);
    identity_save(id, dir, name);
}

static inline void identity_forget(struct identity *id)
{
    unlink(id->cert_file);
    unlink(id->key_file);
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}
