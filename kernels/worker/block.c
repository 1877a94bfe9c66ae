#include "kernels/worker/block.h"

enum status block_iterate(struct iteration *out, int batch, const struct engine *eng, struct model *m,
                          struct err *err)
{
    *out = (struct iteration){ 0 };
    enum status st = eng->run(m, batch, out, err);
    if (st != ST_OK)
        return st; /* err already names the call and the reason */
    if (out->batch != batch)
        return err_set(err, ST_WRONG_OUTPUT, "%s: asked for batch %d, executed %d", eng->name, batch,
                       out->batch);
    if (out->images != batch)
        return err_set(err, ST_WRONG_OUTPUT, "%s: asked for %d images, got %d", eng->name, batch,
                       out->images);
    return ST_OK;
}

enum status block_run(struct block *b, const struct block_ask *ask, const struct engine *eng, struct model *m,
                      const struct clock *clk, struct err *err)
{
    struct iteration it;
    b->count = 0;
    b->images = 0;
    b->batch = 0;
    b->has_stages = b->has_launch = true;
    b->start_ns = b->end_ns = 0;
    for (size_t i = 0; i < ask->unmeasured; i++) {
        enum status st = block_iterate(&it, ask->batch, eng, m, err);
        if (st != ST_OK)
            return st;
    }
    b->start_ns = b->end_ns = clock_now_ns(clk);
    while (b->count < b->room && (b->count < ask->min_iterations || b->end_ns - b->start_ns < ask->min_ns)) {
        enum status st = block_iterate(&it, ask->batch, eng, m, err);
        if (st != ST_OK)
            return st;
        uint64_t now_ns = clock_now_ns(clk); /* one reading per iteration: no gap goes untimed */
        b->h2d_ns[b->count] = it.h2d_ns;
        b->compute_ns[b->count] = it.compute_ns;
        b->d2h_ns[b->count] = it.d2h_ns;
        b->launch_ns[b->count] = it.launch_ns;
        b->has_stages = b->has_stages && it.has_stages;
        b->has_launch = b->has_launch && it.has_launch;
        b->images += (uint64_t)it.images;
        b->batch = it.batch;
        b->iteration_ns[b->count++] = now_ns - b->end_ns;
        b->end_ns = now_ns;
    }
    return ST_OK;
}
