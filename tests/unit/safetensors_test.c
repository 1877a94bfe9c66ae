/* A checkpoint is taken whole or not at all: what is saved loads again, and every other file gets one sentence. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/graph/safetensors.h"
#include "kernels/graph/weights.h"

#define LEN(a) (sizeof(a) / sizeof *(a))

/* c.weight [2,1,1,1] and c.bias [2]: 8 + 8 bytes of data */
static struct graph *tiny(void)
{
    struct graph *g = graph_new("tiny");
    const int x = graph_input(g, 1, 2, 2);
    const int y = graph_conv(g, "c", x, (struct conv_spec){ 2, 1, 1, 0, 1, true });
    assert_int_equal(graph_finish(g, y, NULL), ST_OK);
    return g;
}

#define W "\"c.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1],\"data_offsets\":[0,8]}"
#define B "\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}"

/* A file in memory with this header and so many zero bytes after it; gives its size. */
static size_t file_of(unsigned char *out, const char *header, size_t data_bytes)
{
    const size_t size = strlen(header);
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(size >> (8 * i));
    memcpy(out + 8, header, size);
    memset(out + 8 + size, 0, data_bytes);
    return 8 + size + data_bytes;
}

static void each_wrong_file_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *says; /* "": it is right */
    } rows[] = {
        { "{" W "," B "}", 16, "" },
        { "{\"__metadata__\":{\"format\":\"pt\"}," B "," W "}   ", 16, "" },
        { "{" W "}", 8, "c.bias is missing" },
        { "{}", 0, "c.weight is missing" },
        { "{" W "," B ",\"d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[16,16]}}", 16, "tensor d is surplus" },
        { "{" W "," B "}", 15, "ends at byte 16 of the data, there are 15" },
        { "{" W "," B "}", 17, "1 bytes of data after the last tensor" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 16, "inside of another" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9,17]}}", 17, "belong to none" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,8]}}", 16, "0 <= begin <= end" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 16, "0 <= begin <= end" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8]}}", 16, "0 <= begin <= end" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2]}}", 16, "0 <= begin <= end" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,12]}}", 16, "its shape needs 8" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}}", 16,
          "truncated" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e300]}}", 16, "0 <= begin <= end" },
        { "{" W ",\"c.bias\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[8,16]}}", 16, "BF16, it must be F32" },
        { "{" W ",\"c.bias\":{\"shape\":[2],\"data_offsets\":[8,16]}}", 16, "it must be F32" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,16]}}", 16,
          "shape [3], the network needs [2]" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}}", 16, "needs [2]" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[8,16]}}", 16, "needs [2]" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[1e999],\"data_offsets\":[8,16]}}", 16, "header:1:" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[8,16]}}", 16, "header:1:" },
        { "{" W ",\"c.bias\":{\"dtype\":\"F32\",\"data_offsets\":[8,16]}}", 16, "shape nothing" },
        { "{" W ",\"c.bias\":7}", 16, "it must be F32" },
        { "{" W "," W "," B "}", 16, "duplicate" },
        { "[1]", 16, "no JSON object" },
        { "", 16, "header:1:" },
        { "{" W "," B "} x", 16, "header:1:" },
    };
    struct graph *g = tiny();
    unsigned char bytes[1024];
    for (size_t i = 0; i < LEN(rows); i++) {
        struct err err = { .status = ST_OK };
        size_t at[2];
        const size_t size = file_of(bytes, rows[i].header, rows[i].data_bytes);
        const enum status st = safetensors_locate(at, g, "f", bytes, size, &err);
        if (st != (*rows[i].says ? ST_MODEL : ST_OK) || (*rows[i].says && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %s: %s", i, status_kind(st), err.text);
        if (st == ST_OK)
            assert_true(at[0] == size - 16 && at[1] == size - 8);
    }
    graph_free(g);
}

static void header_sizes_that_lie(void **state)
{
    (void)state;
    struct graph *g = tiny();
    unsigned char bytes[1024];
    const size_t size = file_of(bytes, "{" W "," B "}", 16);
    size_t at[2];
    struct err err = { .status = ST_OK };
    for (size_t cut = 0; cut < size; cut++) /* truncated anywhere */
        assert_int_equal(safetensors_locate(at, g, "f", bytes, cut, &err), ST_MODEL);
    bytes[7] = 0x10; /* 2^60 and a bit */
    assert_int_equal(safetensors_locate(at, g, "f", bytes, size, &err), ST_MODEL);
    assert_non_null(strstr(err.text, "at most 100000000"));
    memset(bytes, 0xff, 8);
    assert_int_equal(safetensors_locate(at, g, "f", bytes, size, &err), ST_MODEL);
    memset(bytes, 0, 8);
    bytes[2] = 1; /* 65536 > file */
    assert_int_equal(safetensors_locate(at, g, "f", bytes, size, &err), ST_MODEL);
    assert_non_null(strstr(err.text, "truncated"));
    graph_free(g);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void saved_weights_come_back(void **state)
{
    (void)state;
    char folder[] = "/tmp/safetensors_test.XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    struct graph *g = tiny();
    struct weights a, b;
    struct err err = { .status = ST_OK };
    assert_int_equal(weights_load(&a, g, "seeded", NULL), ST_OK);
    assert_int_equal(weights_save(&a, g, path, &err), ST_OK);
    assert_int_equal(weights_load(&b, g, path, &err), ST_OK);
    assert_true(b.mapped);
    for (int i = 0; i < g->param_count; i++)
        assert_memory_equal(a.data[i], b.data[i], g->params[i].count * sizeof(float));
    b.data[0][0] = 7; /* the mapping is private: the file keeps its value */
    weights_free(&b);
    assert_int_equal(weights_load(&b, g, path, &err), ST_OK);
    assert_memory_equal(a.data[0], b.data[0], 8);
    weights_free(&b);
    assert_int_equal(weights_save(&a, g, "/nonexistent-folder/w", &err), ST_IO);
    assert_int_equal(weights_load(&b, g, "/nonexistent-folder/w", &err), ST_MODEL);
    assert_int_equal(weights_load(&b, g, folder, &err), ST_MODEL);
    weights_free(&a);
    weights_free(&a); /* a second time is harmless */
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing is left beside the file */
    graph_free(g);
}

/* A header of 121 bytes puts the floats at odd addresses: they are copied out, not read in place. */
static void unaligned_data_is_copied(void **state)
{
    (void)state;
    char path[] = "/tmp/safetensors_test.XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unsigned char bytes[1024];
    char header[512] = "{" W "," B "}";
    while ((8 + strlen(header)) % 4 != 1)
        strcat(header, " ");
    const size_t size = file_of(bytes, header, 16);
    const float values[4] = { 1.5f, -2, 3, 4 };
    memcpy(bytes + size - 16, values, 16);
    write_file(path, bytes, size);
    struct graph *g = tiny();
    struct weights w;
    assert_int_equal(weights_load(&w, g, path, NULL), ST_OK);
    assert_false(w.mapped);
    assert_memory_equal(w.data[0], values, 8);
    assert_memory_equal(w.data[1], values + 2, 8);
    weights_free(&w);
    write_file(path, "", 0);
    struct err err = { .status = ST_OK };
    assert_int_equal(weights_load(&w, g, path, &err), ST_MODEL);
    assert_non_null(strstr(err.text, "empty"));
    unlink(path);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_file_is_named), cmocka_unit_test(header_sizes_that_lie),
        cmocka_unit_test(saved_weights_come_back),  cmocka_unit_test(unaligned_data_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
