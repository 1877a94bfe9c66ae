#include "kernels/cuda/tuning.h"

enum status tuning_choose(struct prepared *p, struct ready *r, struct err *err)
{
    return exec_choose(p->exec, r->options->level == OPTIONS_LEVEL_TUNED ? TUNE_F0 : r->options->level, err);
}
