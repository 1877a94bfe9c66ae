#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/npy.h"

struct place {
    char folder[64], path[96];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/bench-npy-XXXXXX");
    if (!mkdtemp(p->folder))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/x.npy", p->folder);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;
    unlink(p->path);
    int left = rmdir(p->folder); /* fails if anything but the file was left */
    free(p);
    return left;
}

/* What numpy 2 writes for numpy.save(path, numpy.array([[1.5], [-2.0]], '<f4')): 128 bytes of header. */
static size_t numpy_file(unsigned char *bytes)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(bytes + 10, ' ', 118);
    memcpy(bytes + 10, header, strlen(header));
    bytes[127] = '\n';
    memcpy(bytes + 128, "\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8);
    return 136;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void reads_what_numpy_writes(void **state)
{
    struct place *p = *state;
    unsigned char bytes[256];
    size_t size = numpy_file(bytes);
    put_file(p->path, bytes, size);
    struct npy n;
    assert_int_equal(npy_read(&n, p->path, NULL), ST_OK);
    assert_int_equal(n.rank, 2);
    assert_int_equal(n.dims[0], 2);
    assert_int_equal(n.dims[1], 1);
    assert_int_equal(n.count, 2);
    assert_true(n.data[0] == 1.5f && n.data[1] == -2.0f);
    npy_free(&n);
    assert_null(n.data);
}

static void writes_what_it_reads(void **state)
{
    struct place *p = *state;
    static const int dims[] = { 2, 3, 1, 2 };
    float data[12];
    for (int i = 0; i < 12; i++)
        data[i] = (float)i / 7.0f;
    for (int rank = 1; rank <= 4; rank++) {
        assert_int_equal(npy_write(p->path, dims, rank, data, NULL), ST_OK);
        FILE *file = fopen(p->path, "rb");
        unsigned char head[10];
        assert_int_equal(fread(head, 1, 10, file), 10);
        fclose(file);
        assert_int_equal((10 + head[8] + 256 * head[9]) % 64, 0); /* data are aligned, as the format asks */
        struct npy n;
        assert_int_equal(npy_read(&n, p->path, NULL), ST_OK);
        assert_int_equal(n.rank, rank);
        assert_memory_equal(n.dims, dims, (size_t)rank * sizeof *dims);
        assert_memory_equal(n.data, data, n.count * sizeof *data);
        npy_free(&n);
    }
    assert_int_equal(npy_write(p->path, dims, 5, data, NULL), ST_INVALID);
}

static void refuses_broken_files(void **state)
{
    struct place *p = *state;
    static const struct {
        size_t at;
        const char *put;
    } damage[] = {
        { 1, "M" },                  /* magic */
        { 6, "\x02" },               /* version */
        { 21, "f8" },                /* "<f4" */
        { 20, ">" },
        { 42, "True " },             /* fortran_order */
        { 60, "0" },                 /* a size of zero */
        { 60, "-" },
        { 60, "3" },                 /* another size than the data have */
        { 60, "2, 1, 1, 1, 1)" },    /* five dimensions */
        { 60, "99999999999999999," },
    };
    struct npy n;
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        unsigned char bytes[256];
        size_t size = numpy_file(bytes);
        memcpy(bytes + damage[i].at, damage[i].put, strlen(damage[i].put));
        put_file(p->path, bytes, size);
        struct err err;
        assert_int_equal(npy_read(&n, p->path, &err), ST_INVALID);
        assert_null(n.data);
        assert_non_null(strstr(err.text, p->path));
    }
    unsigned char bytes[256];
    size_t size = numpy_file(bytes);
    for (size_t cut = 0; cut < size; cut += 3) {
        put_file(p->path, bytes, cut);
        assert_int_equal(npy_read(&n, p->path, NULL), ST_INVALID);
    }
    assert_int_equal(npy_read(&n, p->folder, NULL), ST_INVALID);
    assert_int_equal(npy_read(&n, "/nowhere/x.npy", NULL), ST_IO);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    struct place *p = *state;
    static const int dims[] = { 1 };
    const float one = 1;
    struct err err;
    assert_int_equal(npy_write("/nowhere/x.npy", dims, 1, &one, &err), ST_IO);
    assert_non_null(strstr(err.text, "/nowhere/x.npy"));
    assert_int_equal(npy_write(p->folder, dims, 1, &one, NULL), ST_IO); /* a folder cannot be replaced by a file */
    assert_int_equal(access(p->folder, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_numpy_writes, make_place, drop_place),
        cmocka_unit_test_setup_teardown(writes_what_it_reads, make_place, drop_place),
        cmocka_unit_test_setup_teardown(refuses_broken_files, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
