/* cmocka.h - as much of cmocka as the tests of the kernels use, for a machine that has a GPU and no cmocka:
 * the same names, a check that fails ends its test (C++). Prints one line for each test; kernel_tests.cpp
 * counts. */
#ifndef TESTS_GPU_DEVICE_CMOCKA_H
#define TESTS_GPU_DEVICE_CMOCKA_H

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>

struct check_failed { char text[512]; };

[[noreturn]] inline void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
[[noreturn]] inline void fail_at(const char *file, int line, const char *format, ...)
{
    check_failed failed = {};
    int used = std::snprintf(failed.text, sizeof failed.text, "%s:%d: ", file, line);
    va_list list;
    va_start(list, format);
    std::vsnprintf(failed.text + used, sizeof failed.text - static_cast<size_t>(used), format, list);
    va_end(list);
    throw failed;
}

#define fail_msg(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define assert_true(what) ((what) ? (void)0 : fail_at(__FILE__, __LINE__, "%s is false", #what))
#define assert_int_equal(a, b) check_int((long long)(a), (long long)(b), true, #a, #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                                                           \
    check_int((long long)(a), (long long)(b), false, #a, #b, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size) \
    (std::memcmp(a, b, size) ? fail_at(__FILE__, __LINE__, "%s and %s differ", #a, #b) : (void)0)

inline void check_int(long long a, long long b, bool equal, const char *left, const char *right,
                      const char *file, int line)
{
    if ((a == b) != equal)
        fail_at(file, line, "%s is %lld, %s is %lld", left, a, right, b);
}

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};
#define cmocka_unit_test(function) { #function, function }
#define cmocka_run_group_tests(tests, setup, teardown)                                                       \
    run_tests(tests, (int)(sizeof(tests) / sizeof *(tests)))

/* How many failed. */
inline int run_tests(const CMUnitTest *tests, int count)
{
    int failed = 0;
    for (int i = 0; i < count; i++) {
        const char *why = nullptr;
        char text[512] = "";
        try {
            tests[i].run(nullptr);
        } catch (const check_failed &f) {
            std::memcpy(text, f.text, sizeof text);
            why = text;
        } catch (const std::exception &e) {
            std::snprintf(text, sizeof text, "%s", e.what());
            why = text;
        }
        failed += why != nullptr;
        std::printf("%s - %s%s%s\n", why ? "not ok" : "ok", tests[i].name, why ? ": " : "", why ? why : "");
        std::fflush(stdout);
    }
    return failed;
}

#endif
