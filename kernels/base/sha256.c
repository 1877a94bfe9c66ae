#include "kernels/base/sha256.h"

/* The plain functions of libcrypto, not its newer EVP: linked from an archive those take 40 kB, EVP brings 4 MB of
 * other algorithms into every program. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>

struct sha256 {
    SHA256_CTX context;
};

struct sha256 *sha256_open(void)
{
    struct sha256 *s = calloc(1, sizeof *s);
    if (!s || SHA256_Init(&s->context))
        return s;
    free(s);
    return NULL;
}

void sha256_add(struct sha256 *s, const void *bytes, size_t size)
{
    SHA256_Update(&s->context, bytes, size);
}

void sha256_close(struct sha256 *s, char hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_Final(digest, &s->context);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
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
