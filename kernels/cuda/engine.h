/* engine.h - the engine "cuda": convolutions and attention by cuDNN and cuBLASLt, everything else by kernels of our own,
 * the forward pass of each batch size as one CUDA graph. */
#ifndef CUDA_ENGINE_H
#define CUDA_ENGINE_H

#include "kernels/worker/engine.h"

/* f32 (strict), f16; tf32 and bf16 from compute capability 8.0 on. Options of `load`: options.h. Members of its own in
 * answers: `context_bytes`, `nvrtc` (load), `tune` and more of `planned` (prepare), `allocated`, `source`, `foreign`
 * (memory). */
const struct engine *cuda_engine(void);

#endif
