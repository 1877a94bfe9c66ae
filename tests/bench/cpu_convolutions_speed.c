/* How much of what its convolutions reach alone a network keeps: each convolution step where it stands, and once more
 * right after itself, in the same iterations; and the share of everything else.
 * usage: cpu_convolutions_speed [HEIGHT [iterations [part of a model's name]]]    square inputs, batch 1 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/home.h"
#include "kernels/base/image.h"
#include "kernels/cpu/exec.h"
#include "kernels/cpu/isa.h"
#include "kernels/lower/lower.h"
#include "kernels/graph/rewrite.h"
#include "kernels/models/models.h"

struct sums { double conv_ns, alone_ns, rest_ns, flops; };

/* One row: the network at side x side in one precision. */
static enum status measure(struct sums *out, const struct model_config *config, int side, enum fused_type type,
                           int iterations, struct err *err)
{
    struct graph *g = NULL, *rewritten = NULL;
    struct weights w = { 0 }, rewritten_w = { 0 };
    struct compat *compat = NULL;
    struct plan *plan = NULL;
    struct packing *packing = NULL;
    struct exec *exec = NULL;
    uint64_t *step_ns = NULL, *alone_ns = NULL;
    float *image = malloc(3 * (size_t)side * (size_t)side * sizeof *image);
    const struct clock clk = clock_system();
    enum status st = model_build(&g, config, (int[]){ 3, side, side }, err);
    if (st == ST_OK)
        st = weights_load(&w, g, "seeded", err);
    if (st == ST_OK)
        st = rewrite_all(&rewritten, &rewritten_w, g, &w, err);
    if (st == ST_OK)
        st = compat_open(&compat, err);
    if (st == ST_OK)
        packing = packing_new(compat);
    const struct lower_target target = packing_target(packing, type);
    if (st == ST_OK)
        st = lower_graph(&plan, rewritten, &rewritten_w, &target, err);
    if (st == ST_OK)
        st = exec_new(&exec, plan, packing, 1, fused_kernels(cpu_isa_best()), err);
    if (st == ST_OK) {
        image_make(image, 1, 3, side, side);
        step_ns = calloc((size_t)plan->step_count, sizeof *step_ns);
        alone_ns = calloc((size_t)plan->step_count, sizeof *alone_ns);
        st = exec_run(exec, (const float *const *)&image, err);
    }
    for (int i = 0; i < iterations && st == ST_OK; i++)
        st = exec_run_timed(exec, (const float *const *)&image, &clk, step_ns, alone_ns, err);
    *out = (struct sums){ 0 };
    for (int i = 0; st == ST_OK && i < plan->step_count; i++) {
        bool conv = plan->steps[i].kind == STEP_CONV;
        *(conv ? &out->conv_ns : &out->rest_ns) += (double)step_ns[i] / iterations;
        out->alone_ns += (double)alone_ns[i] / iterations;
        out->flops += conv ? (double)plan->steps[i].flops : 0;
    }
    free(step_ns);
    free(alone_ns);
    free(image);
    exec_free(exec);
    plan_free(plan);
    packing_free(packing);
    compat_close(compat);
    weights_free(&rewritten_w);
    graph_free(rewritten);
    weights_free(&w);
    graph_free(g);
    return st;
}

int main(int argc, char **argv)
{
    int side = argc > 1 ? atoi(argv[1]) : 512, iterations = argc > 2 ? atoi(argv[2]) : 5;
    struct model_config *configs = NULL;
    size_t count = 0;
    char folder[HOME_PATH_MAX];
    struct err err = { .status = ST_OK };
    enum status st = home_path(folder, "configs/models", &err);
    if (st == ST_OK)
        st = model_config_list(&configs, &count, folder, &err);
    printf("%-18s %5s %9s %9s %8s %9s %9s %8s\n%-18s %5s %9s %9s %8s %9s %9s %8s\n", "model", "type", "conv", "alone",
           "kept", "conv", "rest", "rest", "", "", "GFLOP/s", "GFLOP/s", "%", "ms", "ms", "%");
    for (size_t i = 0; i < count && st == ST_OK; i++)
        for (int t = 0; t <= (compat_has_bf16() ? 1 : 0) && st == ST_OK; t++) {
            struct sums s;
            if (!configs[i].served || (argc > 3 && !strstr(configs[i].name, argv[3])))
                continue;
            st = measure(&s, &configs[i], side, t ? FUSED_BF16 : FUSED_F32, iterations, &err);
            if (st == ST_OK)
                printf("%-18s %5s %9.1f %9.1f %8.1f %9.1f %9.1f %8.1f\n", configs[i].name, t ? "bf16" : "f32",
                       s.flops / s.conv_ns, s.flops / s.alone_ns, 100 * s.alone_ns / s.conv_ns, s.conv_ns / 1e6,
                       s.rest_ns / 1e6, 100 * s.rest_ns / (s.conv_ns + s.rest_ns));
        }
    free(configs);
    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.text);
    return status_exit(st);
}
