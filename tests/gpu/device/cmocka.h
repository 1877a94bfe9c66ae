/* cmocka.h - as much of cmocka as the tests use that also run on a GPU, where there may be no cmocka: the
 * same names, a check that fails ends its test. Prints one line for each test. For C and C++. */
#ifndef TESTS_GPU_DEVICE_CMOCKA_H
#define TESTS_GPU_DEVICE_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#ifdef __cplusplus
#include <exception>
#endif

struct check_failed {
    char text[512];
};

/* The check that failed, on its way out of the test: thrown in C++, so that memory is freed; a jump in C. */
struct check_state {
    struct check_failed failed;
    jmp_buf back;
};
static inline struct check_state *check_state(void)
{
    static struct check_state state;
    return &state;
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4), noreturn))
#endif
static inline void fail_at(const char *file, int line, const char *format, ...)
{
    struct check_state *state = check_state();
    int used = snprintf(state->failed.text, sizeof state->failed.text, "%s:%d: ", file, line);
    va_list list;
    va_start(list, format);
    vsnprintf(state->failed.text + used, sizeof state->failed.text - (size_t)used, format, list);
    va_end(list);
#ifdef __cplusplus
    throw state->failed;
#else
    longjmp(state->back, 1);
#endif
}

static inline void check_true(bool good, const char *what, const char *file, int line)
{
    if (!good)
        fail_at(file, line, "%s", what);
}

static inline void check_int(long long a, long long b, bool equal, const char *left, const char *right,
                             const char *file, int line)
{
    if ((a == b) != equal)
        fail_at(file, line, "%s is %lld, %s is %lld", left, a, right, b);
}

#define CHECK_HERE __FILE__, __LINE__
#define fail_msg(...) fail_at(CHECK_HERE, __VA_ARGS__)
#define assert_true(what) check_true(what, #what " is false", CHECK_HERE)
#define assert_non_null(what) check_true((what) != NULL, #what " is NULL", CHECK_HERE)
#define assert_int_equal(a, b) check_int((long long)(a), (long long)(b), true, #a, #b, CHECK_HERE)
#define assert_int_not_equal(a, b) check_int((long long)(a), (long long)(b), false, #a, #b, CHECK_HERE)
#define assert_memory_equal(a, b, size) check_true(!memcmp(a, b, size), #a " and " #b " differ", CHECK_HERE)

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};
#define cmocka_unit_test(function) { #function, function }
#define cmocka_run_group_tests(tests, setup, teardown)                                                       \
    run_tests(tests, (int)(sizeof(tests) / sizeof *(tests)))

/* NULL, or what failed. */
static inline const char *run_test(const struct CMUnitTest *test)
{
    struct check_state *state = check_state();
    void *unused = NULL;
#ifdef __cplusplus
    try {
        test->run(&unused);
    } catch (const check_failed &) {
        return state->failed.text;
    } catch (const std::exception &e) {
        snprintf(state->failed.text, sizeof state->failed.text, "%s", e.what());
        return state->failed.text;
    }
#else
    if (setjmp(state->back))
        return state->failed.text;
    test->run(&unused);
#endif
    return NULL;
}

/* How many failed. */
static inline int run_tests(const struct CMUnitTest *tests, int count)
{
    int failed = 0;
    for (int i = 0; i < count; i++) {
        const char *why = run_test(&tests[i]);
        failed += why != NULL;
        printf("%s - %s%s%s\n", why ? "not ok" : "ok", tests[i].name, why ? ": " : "", why ? why : "");
        fflush(stdout);
    }
    return failed;
}

#endif
