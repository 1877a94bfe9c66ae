/* fused_avx512bf16.c - the fused kernels for AVX-512 with bf16. */
#include "kernels/cpu/fused_sets.h"

#if defined(__x86_64__)
#define VEC_ISA VEC_AVX512_BF16
#define FUSED_ISA CPU_AVX512_BF16
#define FUSED_TABLE fused_avx512_bf16
#include "kernels/cpu/fused_table.h"
#endif
