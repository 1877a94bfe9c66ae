#include "kernels/cpu/isa.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static const char *const names[CPU_ISA_COUNT] = { "plain", "avx2", "avx512", "avx512_bf16" };

const char *cpu_isa_name(enum cpu_isa isa)
{
    return (unsigned)isa < CPU_ISA_COUNT ? names[isa] : "unknown";
}

#if defined(__x86_64__)
/* __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
static bool has_avx512_bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

static void flush_subnormals_here(bool on)
{
    const unsigned flush = 0x8000, read_as_zero = 0x0040; /* FTZ and DAZ of MXCSR */
    unsigned rest = _mm_getcsr() & ~(flush | read_as_zero);
    _mm_setcsr(on ? rest | flush | read_as_zero : rest);
}
#else
static void flush_subnormals_here(bool on) { (void)on; }
static bool has_avx2(void) { return false; }
static bool has_avx512(void) { return false; }
static bool has_avx512_bf16(void) { return false; }
#endif

enum cpu_isa cpu_isa_best(void)
{
    if (!has_avx2())
        return CPU_PLAIN;
    if (!has_avx512())
        return CPU_AVX2;
    return has_avx512_bf16() ? CPU_AVX512_BF16 : CPU_AVX512;
}

enum status cpu_isa_choose(enum cpu_isa *out, const char *wanted, struct err *err)
{
    enum cpu_isa best = cpu_isa_best();
    const char *name = wanted && *wanted ? wanted : getenv("BENCH_CPU_ISA");
    if (!name || !*name) {
        *out = best;
        return ST_OK;
    }
    for (int i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (i > (int)best)
            return err_set(err, ST_UNSUPPORTED, "instruction set %s: this processor has at most %s", name,
                           names[best]);
        *out = (enum cpu_isa)i;
        return ST_OK;
    }
    return err_set(err, ST_USAGE, "instruction set \"%s\": allowed are plain, avx2, avx512, avx512_bf16",
                   name);
}

void cpu_flush_subnormals(bool on)
{
    flush_subnormals_here(on); /* libomp gives every region the mode that its caller has outside */
#pragma omp parallel
    flush_subnormals_here(on);
}
