/* fused_plain.c - the fused kernels in portable C. */
#define VEC_ISA VEC_PLAIN
#define FUSED_ISA CPU_PLAIN
#define FUSED_TABLE fused_plain
#include "kernels/cpu/fused_table.h"
