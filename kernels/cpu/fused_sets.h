/* fused_sets.h - the tables of the fused kernels, one per instruction set; fused_kernels() chooses. */
#ifndef CPU_FUSED_SETS_H
#define CPU_FUSED_SETS_H

#include "kernels/cpu/fused.h"

extern const struct fused_kernels fused_plain;
#if defined(__x86_64__)
extern const struct fused_kernels fused_avx2;
extern const struct fused_kernels fused_avx512;
extern const struct fused_kernels fused_avx512_bf16;
#endif

#endif
