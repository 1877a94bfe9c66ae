#include "kernels/base/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *context;
};

struct sha256 *sha256_open(void)
{
    struct sha256 *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->context = EVP_MD_CTX_new();
    if (!s->context || !EVP_DigestInit_ex(s->context, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(s->context);
        free(s);
        return NULL;
    }
    return s;
}

void sha256_add(struct sha256 *s, const void *bytes, size_t size)
{
    EVP_DigestUpdate(s->context, bytes, size);
}

void sha256_close(struct sha256 *s, char hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(s->context, digest, &size);
    for (unsigned int i = 0; i < size && i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
    EVP_MD_CTX_free(s->context);
    free(s);
}

void sha256_of(char hex[SHA256_HEX_SIZE], const void *bytes, size_t size)
{
    struct sha256 *s = sha256_open();
    hex[0] = 0;
    if (!s)
        return;
    sha256_add(s, bytes, size);
    sha256_close(s, hex);
}
