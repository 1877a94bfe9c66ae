/* isa.h - which instruction set our own kernels use, decided at run time.
 * Nothing is owned or allocated. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include <stdbool.h>

#include "kernels/base/err.h"

/* In rising order: each includes those before it. PLAIN is portable C. */
enum cpu_isa { CPU_PLAIN, CPU_AVX2, CPU_AVX512, CPU_AVX512_BF16, CPU_ISA_COUNT };

const char *cpu_isa_name(enum cpu_isa isa);    /* "plain", "avx2", "avx512", "avx512_bf16" */
/* The best set that both this processor and the operating system support. */
enum cpu_isa cpu_isa_best(void);
/* What to use: `wanted` is a name, or NULL or "" for the environment variable BENCH_CPU_ISA (a name; unset or
 * empty: the best). ST_USAGE for an unknown name, ST_UNSUPPORTED if this processor lacks the set. */
enum status cpu_isa_choose(enum cpu_isa *out, const char *wanted, struct err *err);
/* Subnormal numbers (below 1.2e-38) become zero, or not, in all OpenMP threads and those that they start. They
 * are worth nothing in a network, and products with them take an assist of the processor: attention whose scores
 * lie far apart took 1.5 times as long. Does nothing where the processor is no x86. */
void cpu_flush_subnormals(bool on);

#endif
