/* text.h - numbers and names as people write them: units, ranges, nearest known name. No allocation. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns 0 and writes *out, or -1 if the whole text is no such number (also on overflow). */
int text_int(int64_t *out, const char *text);
int text_real(double *out, const char *text);          /* finite only */
int text_duration_ns(uint64_t *out, const char *text); /* "100ms" "2s" "40m" "1h" "400d" "3us" "50ns"; "0" is 0 */
int text_bytes(uint64_t *out, const char *text);       /* "6GiB" "500MiB" "64KiB" "12B"; bare numbers are bytes */
int text_fraction(double *out, const char *text);      /* "5%" or "0.05" -> 0.05 */
/* Is text more than `ending`, and ends in it? */
bool text_ends_in(const char *text, const char *ending);
/* Bytes of the UTF-8 character at text (RFC 3629: shortest form, no surrogates, up to U+10FFFF), 1 for a zero
 * byte; 0: there is none. */
size_t text_utf8_size(const char *text);
/* The name nearest to `word` by edit distance, or NULL if none is near (distance <= max(2, length/3)). */
const char *text_nearest(const char *word, const char *const *names, size_t count);
/* "1.25 GiB" / "930 MiB" / "12 B"; "2 m 05 s" / "4.1 s" / "230 ms". */
void text_of_bytes(char *out, size_t size, uint64_t bytes);
void text_of_duration(char *out, size_t size, uint64_t ns);

#endif
