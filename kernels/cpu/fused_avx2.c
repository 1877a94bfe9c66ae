/* fused_avx2.c - the fused kernels for AVX2. */
#include "kernels/cpu/fused_sets.h"

#if defined(__x86_64__)
#define VEC_ISA VEC_AVX2
#define FUSED_ISA CPU_AVX2
#define FUSED_TABLE fused_avx2
#include "kernels/cpu/fused_table.h"
#endif
