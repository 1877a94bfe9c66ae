#include "kernels/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"

#define WORD_MAX 64

struct unit {
    const char *name;
    double factor;
};

static const struct unit time_units[] = {
    { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};
static const struct unit byte_units[] = {
    { "", 1 }, { "B", 1 }, { "KiB", 0x1p10 }, { "MiB", 0x1p20 }, { "GiB", 0x1p30 }, { "TiB", 0x1p40 },
};
static const struct unit fraction_units[] = { { "", 1 }, { "%", 0.01 } };

int text_int(int64_t *out, const char *text)
{
    char *end;
    if (!strchr("+-0123456789", *text) || !*text)
        return -1; /* strtoll would skip spaces */
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end == text)
        return -1;
    *out = value;
    return 0;
}

/* Reads a finite decimal number; *end is what follows it. */
static int read_real(double *out, const char *text, char **end)
{
    if (!*text || !strchr("+-.0123456789", *text) || strpbrk(text, "xX"))
        return -1;
    *out = strtod(text, end);
    return *end != text && isfinite(*out) ? 0 : -1;
}

int text_real(double *out, const char *text)
{
    char *end;
    double value;
    if (read_real(&value, text, &end) || *end)
        return -1;
    *out = value;
    return 0;
}

static int read_with_unit(double *out, const char *text, const struct unit *units, size_t count)
{
    char *end;
    double value;
    if (read_real(&value, text, &end))
        return -1;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < count; i++)
        if (strcmp(end, units[i].name) == 0) {
            *out = value * units[i].factor;
            return 0;
        }
    return -1;
}

static int whole_number(uint64_t *out, double value)
{
    if (value < 0 || value >= 0x1p63)
        return -1;
    *out = (uint64_t)llround(value);
    return 0;
}

int text_duration_ns(uint64_t *out, const char *text)
{
    double value;
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return 0;
    }
    return read_with_unit(&value, text, time_units, LEN(time_units)) ? -1 : whole_number(out, value);
}

int text_bytes(uint64_t *out, const char *text)
{
    double value;
    return read_with_unit(&value, text, byte_units, LEN(byte_units)) ? -1 : whole_number(out, value);
}

int text_fraction(double *out, const char *text)
{
    return read_with_unit(out, text, fraction_units, LEN(fraction_units));
}

/* Levenshtein distance with adjacent swaps, of words cut at WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1], n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i - 1) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_before[j - 2] + 1 < best)
                best = two_before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *text_nearest(const char *word, const char *const *names, size_t count)
{
    size_t length = strlen(word), limit = length / 3 > 2 ? length / 3 : 2, best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, names[i]);
        if (distance < best && distance < strlen(names[i])) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

void text_of_bytes(char *out, size_t size, uint64_t bytes)
{
    size_t i = LEN(byte_units) - 1;
    while (i > 1 && (double)bytes < byte_units[i].factor)
        i--;
    double value = (double)bytes / byte_units[i].factor;
    snprintf(out, size, i == 1 ? "%.0f %s" : value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value,
             byte_units[i].name);
}

void text_of_duration(char *out, size_t size, uint64_t ns)
{
    double s = (double)ns / 1e9;
    if (s >= 3600)
        snprintf(out, size, "%d h %02d m", (int)(s / 3600), (int)(s / 60) % 60);
    else if (s >= 60)
        snprintf(out, size, "%d m %02d s", (int)(s / 60), (int)s % 60);
    else if (s >= 1)
        snprintf(out, size, "%.1f s", s);
    else if (s >= 1e-3)
        snprintf(out, size, "%.3g ms", s * 1e3);
    else
        snprintf(out, size, "%.3g us", s * 1e6);
}

bool text_ends_in(const char *text, const char *ending)
{
    const size_t size = strlen(text), end = strlen(ending);
    return size > end && strcmp(text + size - end, ending) == 0;
}

size_t text_utf8_size(const char *text)
{
    static const struct {
        unsigned char first, last, second_from, second_to;
        size_t size;
    } rows[] = {
        { 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    const unsigned char *u = (const unsigned char *)text;
    size_t i = 0;
    while (i < LEN(rows) && (u[0] < rows[i].first || u[0] > rows[i].last))
        i++;
    if (i == LEN(rows) || (rows[i].size > 1 && (u[1] < rows[i].second_from || u[1] > rows[i].second_to)))
        return 0;
    for (size_t k = 2; k < rows[i].size; k++) /* a zero byte ends it: nothing behind the text is read */
        if ((u[k] & 0xc0) != 0x80)
            return 0;
    return rows[i].size;
}
