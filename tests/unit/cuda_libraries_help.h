/* cuda_libraries_help.h - both libraries on the fakes, opened in a process of their own, and what tests ask of their ways. */
#ifndef TESTS_CUDA_LIBRARIES_HELP_H
#define TESTS_CUDA_LIBRARIES_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cuda_runtime_api.h>
#include <string.h>

#include "kernels/cuda/library/conv.h"
#include "kernels/cuda/library/libraries.h"
#include "tests/gpu/fake/cudart.h"
#include "tests/gpu/fake/folder.h"

#define CAP ((size_t)64 << 20)
#define OK(call) assert_int_equal(call, cudaSuccess)
#define GOOD(call) \
    do { \
        struct err err = { 0 }; \
        enum status good_ = (call); \
        if (good_ != ST_OK) \
            fail_msg("%s", err.text); \
    } while (0)

static inline struct gpu_libraries *open_libraries(void)
{
    char folder[LIBRARY_PATH_MAX];
    struct library_search search = fake_search(fake_folder(folder, sizeof folder));
    struct gpu_libraries *l = NULL;
    fake_cudart_restart("memory=1GiB");
    OK(cudaSetDevice(0));
    GOOD(gpu_libraries_open(&l, &search, &err));
    assert_true(l->has_cublaslt);
    GOOD(gpu_libraries_use_device(l, 0, &err));
    return l;
}

static inline void close_libraries(struct gpu_libraries *l)
{
    gpu_libraries_close(l);
    assert_int_equal(fake_cudart_leaks(1), 0);
}

static inline bool is_product(const struct conv_way *way)
{
    char name[96];
    conv_name(way, name, sizeof name);
    return strncmp(name, "cublaslt:", 9) == 0;
}

/* Time for `left` more plans of cuDNN. */
static inline bool one_more(void *left)
{
    return (*(int *)left)-- > 0;
}

#endif
