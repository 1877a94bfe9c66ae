/* engine.h - the engine "onednn": oneDNN's convolutions, our own kernels for everything between them. */
#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H

#include "kernels/worker/engine.h"

/* f32 always; bf16 where the processor multiplies it in hardware. Options of `load`: none of its own. */
const struct engine *onednn_engine(void);

#endif
