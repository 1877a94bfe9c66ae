/* fused_avx512.c - the fused kernels for AVX-512. */
#include "kernels/cpu/fused_sets.h"

#if defined(__x86_64__)
#define VEC_ISA VEC_AVX512
#define FUSED_ISA CPU_AVX512
#define FUSED_TABLE fused_avx512
#include "kernels/cpu/fused_table.h"
#endif
