/* plan-manifest - which plans cuDNN has for every convolution, attention and small norm of our networks, asked
 * without a GPU.
 *
 * usage: plan-manifest DEVICE quick|all N[,N...]
 * DEVICE is a card of device_json.h. One line per signature, pattern, arithmetic and batch size:
 *   SIGNATURE,PATTERN,MATH,N,RESULT
 * RESULT of a pattern that exists: ENGINE:PLANS:KIB, that is cuDNN's index of the first engine ("r" behind
 * it: compiled at run time), how many plans were built of those asked for (8 of a plain convolution, else 1),
 * and the workspace of the first; "xL" behind it: L launches for one call. Else
 * none:LISTED:ARITHMETIC:WORKSPACE:FAILED, configurations listed, and of these refused for their arithmetic,
 * for their workspace, and failed. Patterns with a prologue or sums run image by image, so that N = 1 stands
 * for all. quick: those only in f16, whose kernels mostly come compiled, and transposed convolutions too. A norm is
 * asked where its tensor is small enough for level F3; quick: in f16. The first line is `cudnn VERSION`. Exit
 * status 77 with the reason on stderr: not possible here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/len.h"
#include "kernels/cuda/library/conv_plan.h"
#include "kernels/cuda/library/device_json.h"
#include "kernels/cuda/library/norm_plan.h"
#include "kernels/cuda/library/sdpa_plan.h"
#include "kernels/cuda/tune/tune.h"
#include "kernels/graph/rewrite.h"
#include "kernels/lower/lower.h"
#include "kernels/models/models.h"

#define SIDE 1024               /* the size at which the service runs its networks */
#define SKIPPED 77
#define ENTRIES_MAX 2048
#define BATCHES_MAX 8
#define PLAIN_MOST 8
#define WORKSPACE_CAP ((size_t)256 << 20)
#define LINE_MAX_BYTES 256

static const char *const models[] = { "hrnet", "resunet_small", "resunet_advanced", "resunet_advanced_20" };

/* One question; n and math are filled in when it is asked. */
struct entry {
    bool attention;
    size_t norm_bytes;          /* > 0: a norm; of one image in f32 */
    struct conv_want conv;
    struct sdpa_want sdpa;
    struct norm_want norm;
};

struct manifest {
    struct gpu_libraries *libraries;
    struct entry entries[ENTRIES_MAX];
    int count;
    int batches[BATCHES_MAX], batch_count;
    bool quick;
};

/* --- collecting --------------------------------------------------------------------------------------- */
static enum status keep_nothing(int *index, void *context, const struct conv_shape *shape, const float *plain,
                                struct err *err)
{
    (void)context, (void)shape, (void)plain, (void)err;
    *index = 0;
    return ST_OK;
}

static void signature(char *text, size_t size, const struct entry *e)
{
    const struct conv_shape *s = &e->conv.shape;
    const struct norm_want *n = &e->norm;
    if (e->norm_bytes)
        snprintf(text, size, "norm c%d h%d w%d ld%d/%d", n->c, n->h, n->w,
                 n->residual && n->residual_stride ? n->residual_stride : n->c, n->dst_stride ? n->dst_stride : n->c);
    else if (e->attention)
        snprintf(text, size, "attention heads%d depth%d tokens%d", e->sdpa.heads, e->sdpa.depth,
                 e->sdpa.tokens);
    else
        snprintf(text, size, "%sconv%dx%ds%dp%d g%d c%d k%d h%d w%d ld%d/%d%s", e->conv.transposed ? "t" : "", s->kernel_h,
                 s->kernel_w, s->stride, s->pad_h, s->groups, s->c, s->k, s->h, s->w,
                 e->conv.src_stride ? e->conv.src_stride : s->c,
                 e->conv.dst_stride ? e->conv.dst_stride : s->k, s->bias ? " bias" : "");
}

static const char *pattern(const struct entry *e)
{
    if (e->attention)
        return "attention";
    if (e->norm_bytes)
        return e->norm.residual ? e->norm.relu ? "norm+res+relu" : "norm+res" : e->norm.relu ? "norm+relu" : "norm";
    if (e->conv.transposed)
        return "transposed";
    if (e->conv.prologue)
        return e->conv.stats ? "prologue+sums" : "prologue";
    return e->conv.stats ? "sums" : "plain";
}

static void add(struct manifest *m, const struct entry *e)
{
    char text[LINE_MAX_BYTES], other[LINE_MAX_BYTES];
    signature(text, sizeof text, e);
    for (int i = 0; i < m->count; i++) {
        signature(other, sizeof other, &m->entries[i]);
        if (strcmp(text, other) == 0 && strcmp(pattern(e), pattern(&m->entries[i])) == 0)
            return;
    }
    if (m->count == ENTRIES_MAX) {
        fprintf(stderr, "plan-manifest: more than %d questions\n", ENTRIES_MAX);
        exit(1);
    }
    m->entries[m->count++] = *e;
}

/* Every level that a part of a segment has, and what the levels below it do, in every form. */
static void add_part(struct manifest *m, const struct plan *p, const struct segment *s, int slot)
{
    for (int level = TUNE_F0; level <= TUNE_F2; level++) {
        const struct conv_want want = segment_want(p, s, slot, level, 1, GPU_F32);
        for (int form = CONV_PLAIN; form < CONV_FORMS; form++)
            if (conv_has_form(&want, (enum conv_form)form))
                add(m, &(struct entry){ .conv = conv_want_in_form(&want, (enum conv_form)form) });
    }
    struct entry e = { .norm_bytes = s->part[slot].norm_bytes };
    if (e.norm_bytes) {
        e.norm = segment_norm(p, s, slot, 1, GPU_F32);
        add(m, &e);
    }
}

static enum status add_plan(struct manifest *m, const struct plan *p, struct err *err)
{
    struct segment *segments = NULL;
    int count = 0;
    enum status st = segments_of_plan(&segments, &count, p, GPU_F32, err);
    for (int i = 0; st == ST_OK && i < count; i++)
        for (int slot = 0; slot < segments[i].parts; slot++)
            add_part(m, p, &segments[i], slot);
    free(segments);
    for (int i = 0; i < p->step_count; i++)
        if (p->steps[i].kind == STEP_ATTENTION) {
            const struct attention_step *a = &p->steps[i].u.attention;
            add(m, &(struct entry){ .attention = true, .sdpa = { .heads = a->heads, .depth = a->depth,
                                                                 .tokens = a->tokens } });
        }
    return st;
}

static enum status add_model(struct manifest *m, const char *name, struct err *err)
{
    struct graph *built = NULL, *g = NULL;
    struct weights plain = { 0 }, w = { 0 };
    struct plan *p = NULL;
    const struct lower_target target = { .type = FUSED_F32, .channel_block = 8, .ordered = true,
                                         .wide_images = true, .keep_weights = keep_nothing };
    enum status st = model_build_named(&built, name, (int[]){ 3, SIDE, SIDE }, "", err);
    if (st == ST_OK)
        st = weights_load(&plain, built, "seeded", err);
    if (st == ST_OK)
        st = rewrite_all(&g, &w, built, &plain, err);
    if (st == ST_OK)
        st = lower_graph(&p, g, &w, &target, err);
    if (st == ST_OK)
        st = add_plan(m, p, err);
    plan_free(p);
    if (g)
        weights_free(&w);
    graph_free(g);
    weights_free(&plain);
    graph_free(built);
    return st;
}

/* --- asking ------------------------------------------------------------------------------------------- */
struct answer {
    bool found, runtime;
    int64_t engine;
    size_t plans, workspace;
    int launches;
    struct graph_seen seen;
};

static enum status ask_convolution(struct answer *a, const struct manifest *m, const struct conv_want *want,
                                   struct err *err)
{
    struct conv_plan **plans = NULL;
    size_t most = want->prologue || want->stats || want->transposed ? 1 : PLAIN_MOST;
    enum status st = conv_plan_list(&plans, &a->plans, m->libraries, want, most, WORKSPACE_CAP, &a->seen,
                                    err);
    if (st == ST_OK) {
        const struct graph_plan *first = conv_plan_graph(plans[0]);
        a->engine = first->engine;
        a->runtime = graph_plan_runtime(first);
        a->workspace = conv_plan_workspace(plans[0]);
        a->launches = conv_plan_launches(plans[0]);
    }
    for (size_t i = 0; i < a->plans; i++)
        conv_plan_free(plans[i]);
    free(plans);
    return st;
}

static enum status ask_attention(struct answer *a, const struct manifest *m, const struct sdpa_want *want,
                                 struct err *err)
{
    struct sdpa_plan **plans = NULL;
    enum status st = sdpa_plan_list(&plans, &a->plans, m->libraries, want, 1, WORKSPACE_CAP, &a->seen, err);
    if (st == ST_OK) {
        a->engine = sdpa_plan_graph(plans[0])->engine;
        a->runtime = graph_plan_runtime(sdpa_plan_graph(plans[0]));
        a->workspace = sdpa_plan_workspace(plans[0]);
        a->launches = 1;
    }
    for (size_t i = 0; i < a->plans; i++)
        sdpa_plan_free(plans[i]);
    free(plans);
    return st;
}

static enum status ask_norm(struct answer *a, const struct manifest *m, const struct norm_want *want, struct err *err)
{
    struct graph_plan **plans = NULL;
    enum status st = norm_plan_list(&plans, &a->plans, m->libraries, want, 1, WORKSPACE_CAP, &a->seen, err);
    if (st == ST_OK) {
        a->engine = plans[0]->engine;
        a->runtime = graph_plan_runtime(plans[0]);
        a->workspace = plans[0]->workspace;
        a->launches = 1;
    }
    for (size_t i = 0; i < a->plans; i++)
        graph_plan_free(plans[i]);
    free(plans);
    return st;
}

static void print_answer(const struct entry *e, enum gpu_math math, int n, const struct answer *a)
{
    char text[LINE_MAX_BYTES];
    signature(text, sizeof text, e);
    printf("%s,%s,%s,%d,", text, pattern(e), gpu_math_name(math), n);
    if (!a->found)
        printf("none:%d:%d:%d:%d\n", a->seen.listed, a->seen.refused_by_notes, a->seen.refused_by_workspace,
               a->seen.failed);
    else {
        printf("%lld%s:%zu:%zu", (long long)a->engine, a->runtime ? "r" : "", a->plans,
               (a->workspace + 1023) / 1024);
        printf(a->launches > 1 ? "x%d\n" : "\n", a->launches);
    }
    fflush(stdout);
}

/* ST_UNSUPPORTED is an answer; anything else ends the program. */
static enum status ask(const struct manifest *m, const struct entry *e, enum gpu_math math, int n,
                       struct err *err)
{
    struct answer a = { 0 };
    enum status st;
    if (e->attention) {
        struct sdpa_want want = e->sdpa;
        want.n = n;
        want.math = math;
        st = ask_attention(&a, m, &want, err);
    } else if (e->norm_bytes) {
        struct norm_want want = e->norm;
        want.n = n;
        want.math = math;
        st = ask_norm(&a, m, &want, err);
    } else {
        struct conv_want want = e->conv;
        want.shape.n = n;
        want.math = math;
        st = ask_convolution(&a, m, &want, err);
    }
    a.found = st == ST_OK;
    if (st != ST_OK && st != ST_UNSUPPORTED)
        return st;
    print_answer(e, math, n, &a);
    return ST_OK;
}

/* Norms where F3 exists. */
static bool norm_wanted(const struct manifest *m, const struct entry *e, enum gpu_math math, int n)
{
    bool half = math == GPU_F16 || math == GPU_BF16;
    const struct segment_part part = { .norm_bytes = half ? e->norm_bytes / 2 : e->norm_bytes };
    return segment_part_has(&part, TUNE_F3, n) && (!m->quick || math == GPU_F16);
}

static bool wanted(const struct manifest *m, const struct entry *e, enum gpu_math math, int n)
{
    if (e->norm_bytes)
        return norm_wanted(m, e, math, n);
    bool by_image = !e->attention && (e->conv.prologue || e->conv.stats);
    if (by_image && n != 1)
        return false;
    if (m->quick)
        return e->attention ? math == GPU_F16 && n == 1
                            : !(by_image || e->conv.transposed) || math == GPU_F16;
    return !e->attention || math == GPU_F16 || math == GPU_BF16;
}

static enum status ask_all(const struct manifest *m, struct err *err)
{
    enum status st = ST_OK;
    for (int i = 0; st == ST_OK && i < m->count; i++)
        for (int math = GPU_F32; math <= GPU_BF16; math++)
            for (int b = 0; st == ST_OK && b < m->batch_count; b++)
                if (wanted(m, &m->entries[i], (enum gpu_math)math, m->batches[b]))
                    st = ask(m, &m->entries[i], (enum gpu_math)math, m->batches[b], err);
    return st;
}

/* --- the program -------------------------------------------------------------------------------------- */
static const struct device_card *card_of(const char *key)
{
    for (size_t i = 0; i < device_cards_count; i++)
        if (strcmp(device_cards[i].key, key) == 0)
            return &device_cards[i];
    return NULL;
}

static bool read_batches(struct manifest *m, const char *text)
{
    for (m->batch_count = 0; *text && m->batch_count < BATCHES_MAX; text += *text == ',') {
        char *end;
        long n = strtol(text, &end, 10);
        if (end == text || n < 1 || n > 4096 || (*end && *end != ','))
            return false;
        m->batches[m->batch_count++] = (int)n;
        text = end;
    }
    return *text == 0 && m->batch_count > 0;
}

static enum status open_libraries(struct manifest *m, const struct device_card *card, struct err *err)
{
    const struct library_search search = library_search_usual();
    char json[DEVICE_JSON_MAX];
    device_json_write(json, card);
    enum status st = gpu_libraries_open(&m->libraries, &search, err);
    if (st == ST_OK)
        st = gpu_libraries_use_json(m->libraries, json, err);
    if (st == ST_OK && !conv_plan_runtime_works(m->libraries, err))
        st = ST_UNSUPPORTED;
    return st;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    const struct device_card *card = argc == 4 ? card_of(argv[1]) : NULL;
    struct manifest *m = calloc(1, sizeof *m);
    if (!m || !card || !read_batches(m, argv[3]) || (strcmp(argv[2], "quick") && strcmp(argv[2], "all"))) {
        fprintf(stderr, "usage: plan-manifest h100|a100|a5000 quick|all N[,N...]\n");
        free(m);
        return 2;
    }
    m->quick = strcmp(argv[2], "quick") == 0;
    enum status st = open_libraries(m, card, &err);
    bool opened = st == ST_OK;
    if (opened)
        printf("cudnn %zu\n", m->libraries->cudnn_version);
    for (size_t i = 0; st == ST_OK && i < LEN(models); i++)
        st = add_model(m, models[i], &err);
    if (st == ST_OK)
        st = ask_all(m, &err);
    if (st != ST_OK)
        fprintf(stderr, "plan-manifest: %s\n", err.text);
    gpu_libraries_close(m->libraries);
    free(m);
    return st == ST_OK ? 0 : opened ? 1 : SKIPPED;
}
