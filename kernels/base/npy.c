#include "kernels/base/npy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file: magic, version 1.0, 16-bit header length, header (a Python dict, padded with spaces to a multiple
 * of 64 and ended by a newline), then the data.
 * numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#define MAGIC "\x93NUMPY\x01\x00"
#define MAGIC_SIZE 8
#define PREFIX_SIZE 10
#define HEADER_MAX 4096
#define RANK_MAX 4
#define COUNT_MAX ((size_t)1 << 32)

/* The value that follows 'key': in a header, or NULL. */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    return at + strspn(at, " ");
}

/* "(3, 64, 64)" into dims. 0, or -1 if it is no tuple of 1..4 positive numbers. */
static int read_shape(struct npy *n, const char *text)
{
    if (!text || *text++ != '(')
        return -1;
    n->rank = 0;
    n->count = 1;
    for (;;) {
        text += strspn(text, " ");
        if (*text == ')')
            return n->rank ? 0 : -1;
        char *end;
        errno = 0;
        long value = strtol(text, &end, 10);
        if (end == text || errno || value < 1 || value > INT_MAX || n->rank == RANK_MAX ||
            n->count > COUNT_MAX / (size_t)value)
            return -1;
        n->dims[n->rank++] = (int)value;
        n->count *= (size_t)value;
        text = end + strspn(end, " ");
        if (*text == ',')
            text++;
        else if (*text != ')')
            return -1;
    }
}

static enum status read_header(struct npy *n, FILE *file, const char *path, struct err *err)
{
    unsigned char prefix[PREFIX_SIZE];
    char header[HEADER_MAX + 1];
    if (fread(prefix, 1, PREFIX_SIZE, file) != PREFIX_SIZE || memcmp(prefix, MAGIC, MAGIC_SIZE) != 0)
        return err_set(err, ST_INVALID, "%s: is no .npy file of version 1.0", path);
    size_t size = (size_t)prefix[8] | (size_t)prefix[9] << 8;
    if (size > HEADER_MAX || fread(header, 1, size, file) != size)
        return err_set(err, ST_INVALID, "%s: its header is cut off or longer than %d bytes", path,
                       HEADER_MAX);
    header[size] = '\0';
    const char *type = value_of(header, "descr"), *order = value_of(header, "fortran_order");
    if (!type || strncmp(type, "'<f4'", 5) != 0)
        return err_set(err, ST_INVALID, "%s: holds %.12s, must be '<f4' (little-endian float32)", path,
                       type ? type : "no type");
    if (!order || strncmp(order, "False", 5) != 0)
        return err_set(err, ST_INVALID, "%s: must be in C order (fortran_order False)", path);
    if (read_shape(n, value_of(header, "shape")) != 0)
        return err_set(err, ST_INVALID, "%s: its shape must be 1 to %d positive sizes", path, RANK_MAX);
    return ST_OK;
}

/* Compared before anything is allocated: a lying header must not take memory. */
static enum status check_size(const struct npy *n, FILE *file, const char *path, struct err *err)
{
    struct stat info;
    long data_at = ftell(file);
    if (fstat(fileno(file), &info) != 0 || data_at < 0)
        return err_set(err, ST_IO, "%s: cannot be read: %s", path, strerror(errno));
    unsigned long long have = (unsigned long long)info.st_size - (unsigned long long)data_at;
    unsigned long long want = (unsigned long long)n->count * sizeof(float);
    if (!S_ISREG(info.st_mode) || have != want)
        return err_set(err, ST_INVALID, "%s: its shape needs %llu bytes of data, it has %llu", path, want,
                       have);
    return ST_OK;
}

static enum status read_data(struct npy *n, FILE *file, const char *path, struct err *err)
{
    n->data = malloc(n->count * sizeof *n->data);
    if (!n->data)
        return err_set(err, ST_OUT_OF_MEMORY, "%s: no memory for %zu values", path, n->count);
    if (fread(n->data, sizeof *n->data, n->count, file) != n->count)
        return err_set(err, ST_IO, "%s: cannot be read: %s", path, strerror(errno));
    return ST_OK;
}

enum status npy_read(struct npy *out, const char *path, struct err *err)
{
    *out = (struct npy){ 0 };
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_set(err, ST_IO, "%s: cannot be opened: %s", path, strerror(errno));
    enum status st = read_header(out, file, path, err);
    if (st == ST_OK)
        st = check_size(out, file, path, err);
    if (st == ST_OK)
        st = read_data(out, file, path, err);
    fclose(file);
    if (st != ST_OK)
        npy_free(out);
    return st;
}

/* Writes magic and header into text and returns their size, a multiple of 64. */
static size_t format_header(char *text, size_t room, const int *dims, int rank)
{
    char shape[64] = "";
    for (int i = 0, at = 0; i < rank; i++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, i ? " %d," : "%d,", dims[i]);
    if (rank > 1)
        shape[strlen(shape) - 1] = '\0'; /* only a tuple of one keeps its comma */
    memcpy(text, MAGIC, MAGIC_SIZE);
    size_t used = PREFIX_SIZE + (size_t)snprintf(text + PREFIX_SIZE, room - PREFIX_SIZE,
                                                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }",
                                                 shape);
    while ((used + 1) % 64)
        text[used++] = ' ';
    text[used++] = '\n';
    text[8] = (char)((used - PREFIX_SIZE) & 0xff);
    text[9] = (char)((used - PREFIX_SIZE) >> 8);
    return used;
}

static int write_all(const char *path, const int *dims, int rank, const float *data)
{
    char header[256];
    size_t count = 1, size = format_header(header, sizeof header, dims, rank);
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    FILE *file = fopen(path, "wbe");
    if (!file)
        return -1;
    int failed = fwrite(header, 1, size, file) != size || fwrite(data, sizeof *data, count, file) != count ||
                 fflush(file) != 0;
    int why = errno;
    if (fclose(file) != 0 && !failed) {
        failed = 1;
        why = errno;
    }
    errno = why;
    return failed ? -1 : 0;
}

enum status npy_write(const char *path, const int *dims, int rank, const float *data, struct err *err)
{
    if (rank < 1 || rank > RANK_MAX)
        return err_set(err, ST_INVALID, "%s: %d dimensions cannot be written, allowed are 1 to %d", path,
                       rank, RANK_MAX);
    char beside[PATH_MAX];
    int length = snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof beside)
        return err_set(err, ST_IO, "%s: the path is too long", path);
    if (write_all(beside, dims, rank, data) != 0 || rename(beside, path) != 0) {
        int why = errno;
        unlink(beside);
        return err_set(err, ST_IO, "%s: cannot be written: %s", path, strerror(why));
    }
    return ST_OK;
}

void npy_free(struct npy *n)
{
    free(n->data);
    *n = (struct npy){ 0 };
}
