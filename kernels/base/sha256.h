/* sha256.h - SHA-256 through libcrypto (it uses the CPU's SHA instructions: weights have hundreds of MB). */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65

struct sha256;
/* NULL if memory is out. What _open gives, _close takes back. */
struct sha256 *sha256_open(void);
void sha256_add(struct sha256 *s, const void *bytes, size_t size);
/* Writes 64 lower-case hex digits and a zero, and frees s. */
void sha256_close(struct sha256 *s, char hex[SHA256_HEX_SIZE]);
/* All at once. Writes an empty string if memory is out. */
void sha256_of(char hex[SHA256_HEX_SIZE], const void *bytes, size_t size);

#endif
