/* The networks are what they are said to be: parameters, tensors, multiply-adds, layers, sizes.
 * The numbers were counted on the original networks by hooking every layer; see models.h for the builders. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kernels/models/models.h"

#define FOLDER "configs/models"
#define LEN(a) (sizeof(a) / sizeof *(a))

static struct graph *built(const char *model, int h, int w)
{
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *g = NULL;
    if (model_config_read(&config, FOLDER, model, &err) != ST_OK ||
        model_build(&g, &config, (int[]){ 3, h, w }, &err) != ST_OK)
        fail_msg("%s", err.text);
    return g;
}

static void totals(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint64_t parameters, macs_256, macs_512, macs_1024;
        int tensors;
    } rows[] = {
        { "hrnet", 65846401, 23306698752, 93226795008, 372907180032, 921 },
        { "resunet_small", 58060957, 34861192448, 139443634688, 557773403648, 186 },
        { "resunet_advanced", 78210661, 115827034240, 464918608128, 1885443953152, 337 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        const int sides[3] = { 256, 512, 1024 };
        const uint64_t macs[3] = { rows[i].macs_256, rows[i].macs_512, rows[i].macs_1024 };
        for (int k = 0; k < 3; k++) {
            struct graph *g = built(rows[i].model, sides[k], sides[k]);
            assert_int_equal(graph_parameters(g), rows[i].parameters);
            assert_int_equal(g->param_count, rows[i].tensors);
            assert_int_equal(graph_macs(g), macs[k]);
            const struct node *out = &g->nodes[g->output];
            assert_true(out->c == 1 && out->h == sides[k] && out->w == sides[k]);
            graph_free(g);
        }
    }
    struct graph *g = built("resunet_advanced_20", 64, 64);
    assert_int_equal(graph_parameters(g), 7656529);
    assert_string_equal(g->model, "resunet_advanced_20");
    graph_free(g);
}

/* All parameters whose name begins with prefix followed by a dot. */
static uint64_t parameters_of(const struct graph *g, const char *prefix)
{
    const size_t size = strlen(prefix);
    uint64_t sum = 0;
    for (int i = 0; i < g->param_count; i++)
        if (strncmp(g->params[i].name, prefix, size) == 0 && g->params[i].name[size] == '.')
            sum += g->params[i].count;
    return sum;
}

static uint64_t macs_of(const struct graph *g, const char *prefix)
{
    const size_t size = strlen(prefix);
    uint64_t sum = 0;
    for (int i = 0; i < g->node_count; i++)
        if (strncmp(g->nodes[i].name, prefix, size) == 0 && (!g->nodes[i].name[size] || g->nodes[i].name[size] == '.'))
            sum += graph_node_macs(g, i);
    return sum;
}

static void every_row(void **state)
{
    (void)state;
    static const struct {
        const char *model, *prefix;
        uint64_t parameters, macs; /* at 1024 x 1024 */
    } rows[] = {
        { "hrnet", "conv1", 1728, 452984832 },
        { "hrnet", "bn1", 128, 0 },
        { "hrnet", "conv2", 36864, 2415919104 },
        { "hrnet", "layer1.0", 75008, 4831838208 },
        { "hrnet", "layer1.1", 70400, 4563402752 },
        { "hrnet", "layer1.3", 70400, 4563402752 },
        { "hrnet", "transition1.0", 110688, 7247757312 },
        { "hrnet", "transition1.1", 221376, 3623878656 },
        { "hrnet", "stage2.0", 878112, 22498246656 },
        { "hrnet", "transition2", 166272, 679477248 },
        { "hrnet", "stage3.0", 3833760, 34842083328 },
        { "hrnet", "stage3.3", 3833760, 34842083328 },
        { "hrnet", "transition3", 664320, 679477248 },
        { "hrnet", "stage4.0", 15874752, 47799336960 },
        { "hrnet", "stage4.2", 15874752, 47799336960 },
        { "hrnet", "last_layer.0", 519120, 33973862400 },
        { "hrnet", "last_layer.1", 1440, 0 },
        { "hrnet", "last_layer.3", 721, 47185920 },
        { "hrnet", "stage4.1.branches.0", 166656, 10871635968 },
        { "hrnet", "stage4.1.branches.1", 665088, 10871635968 },
        { "hrnet", "stage4.1.branches.2", 2657280, 10871635968 },
        { "hrnet", "stage4.1.branches.3", 10622976, 10871635968 },
        { "hrnet", "stage2.0.fuse_layers.0", 4704, 75497472 },
        { "hrnet", "stage2.0.fuse_layers.1", 41664, 679477248 },
        { "hrnet", "stage3.2.fuse_layers.0", 14016, 113246208 },
        { "hrnet", "stage3.2.fuse_layers.1", 60288, 754974720 },
        { "hrnet", "stage3.2.fuse_layers.2", 270432, 1358954496 },
        { "hrnet", "stage4.0.fuse_layers.0", 32544, 132120576 },
        { "hrnet", "stage4.0.fuse_layers.1", 97344, 792723456 },
        { "hrnet", "stage4.0.fuse_layers.2", 344544, 1434451968 },
        { "hrnet", "stage4.0.fuse_layers.3", 1288320, 1953497088 },
        { "resunet_small", "init_conv.0", 7056, 7398752256 },
        { "resunet_small", "downs.0", 42530, 43589305088 },
        { "resunet_small", "downs.1", 131042, 33848559104 },
        { "resunet_small", "downs.2", 521570, 33829294592 },
        { "resunet_small", "downs.3", 2084450, 33824491520 },
        { "resunet_small", "downs.4", 4360290, 17717174272 },
        { "resunet_small", "bottleneck.0", 14815330, 15032616960 },
        { "resunet_small", "bottleneck.1", 19009634, 19327584256 },
        { "resunet_small", "ups.0", 2097664, 2147483648 },
        { "resunet_small", "attentions.0", 263524, 1075191808 },
        { "resunet_small", "ups.1", 7637090, 31138947072 },
        { "resunet_small", "ups.2", 786816, 3221225472 },
        { "resunet_small", "attentions.1", 148516, 2420670464 },
        { "resunet_small", "ups.3", 4296290, 70063278080 },
        { "resunet_small", "ups.4", 295104, 4831838208 },
        { "resunet_small", "attentions.2", 37444, 2428633088 },
        { "resunet_small", "ups.5", 1074530, 70068081152 },
        { "resunet_small", "ups.6", 73824, 4831838208 },
        { "resunet_small", "attentions.3", 9556, 2454192128 },
        { "resunet_small", "ups.7", 269282, 70087345664 },
        { "resunet_small", "ups.8", 18480, 4831838208 },
        { "resunet_small", "attentions.4", 2524, 2543845376 },
        { "resunet_small", "ups.9", 67874, 70164415232 },
        { "resunet_small", "final_conv.0", 10368, 10871635968 },
        { "resunet_small", "final_conv.1", 48, 0 },
        { "resunet_small", "final_conv.4", 25, 25165824 },
        { "resunet_advanced", "init_conv.0", 9408, 9865003008 },
        { "resunet_advanced", "encoder1.0", 78334, 81707167744 },
        { "resunet_advanced", "encoder1.1", 78334, 81707167744 },
        { "resunet_advanced", "encoder2.0", 246910, 64450213888 },
        { "resunet_advanced", "encoder2.1", 312190, 81630083072 },
        { "resunet_advanced", "encoder3.0", 985214, 64430939136 },
        { "resunet_advanced", "encoder3.2", 1246846, 81610808320 },
        { "resunet_advanced", "encoder4.0", 3936382, 64426118656 },
        { "resunet_advanced", "encoder4.2", 4983934, 81605987840 },
        { "resunet_advanced", "bottleneck.0", 15736958, 64424912640 },
        { "resunet_advanced", "bottleneck.1", 4205896, 51577356288 },
        { "resunet_advanced", "bottleneck.2", 19929214, 81604781824 },
        { "resunet_advanced", "upconv4", 2097664, 8589934592 },
        { "resunet_advanced", "att4", 263553, 4300770816 },
        { "resunet_advanced", "decoder4.0", 7868542, 128850628096 },
        { "resunet_advanced", "decoder4.1", 4983934, 81605987840 },
        { "resunet_advanced", "upconv3", 524544, 8589934592 },
        { "resunet_advanced", "att3", 66305, 4309785600 },
        { "resunet_advanced", "decoder3.0", 1968254, 128855448576 },
        { "resunet_advanced", "upconv2", 131200, 8589934592 },
        { "resunet_advanced", "att2", 16833, 4337448960 },
        { "resunet_advanced", "decoder2.0", 492670, 128874723328 },
        { "resunet_advanced", "decoder2.1", 312190, 81630083072 },
        { "resunet_advanced", "upconv1", 32832, 8589934592 },
        { "resunet_advanced", "att1", 4385, 4431310848 },
        { "resunet_advanced", "decoder1.0", 123518, 128951808000 },
        { "resunet_advanced", "decoder1.1", 78334, 81707167744 },
        { "resunet_advanced", "final_conv.0", 18432, 19327352832 },
        { "resunet_advanced", "final_conv.3", 33, 33554432 },
    };
    struct graph *g = NULL;
    for (size_t i = 0; i < LEN(rows); i++) {
        if (!g || strcmp(g->model, rows[i].model) != 0) {
            graph_free(g);
            g = built(rows[i].model, 1024, 1024);
        }
        if (parameters_of(g, rows[i].prefix) != rows[i].parameters || macs_of(g, rows[i].prefix) != rows[i].macs)
            fail_msg("%s %s: %llu parameters, %llu MACs; expected %llu, %llu", rows[i].model, rows[i].prefix,
                     (unsigned long long)parameters_of(g, rows[i].prefix),
                     (unsigned long long)macs_of(g, rows[i].prefix), (unsigned long long)rows[i].parameters,
                     (unsigned long long)rows[i].macs);
    }
    graph_free(g);
}

static int count_op(const struct graph *g, enum graph_op op)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++)
        n += g->nodes[i].op == op;
    return n;
}

/* Convolutions as a person counts layers: those inside the gates are layers too. */
static int convolutions(const struct graph *g)
{
    return count_op(g, GRAPH_CONV) + count_op(g, GRAPH_SPATIAL_GATE) + 3 * count_op(g, GRAPH_TRIPLET);
}

static int damped_norms(const struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->param_count; i++)
        n += g->params[i].damped;
    return n;
}

static void census(void **state)
{
    (void)state;
    struct graph *a = built("hrnet", 256, 256), *b = built("resunet_small", 256, 256);
    struct graph *c = built("resunet_advanced", 256, 256);
    assert_int_equal(convolutions(a), 307);
    assert_int_equal(count_op(a, GRAPH_NORM), 306);
    assert_int_equal(convolutions(b), 69);
    assert_int_equal(count_op(b, GRAPH_TCONV), 5);
    assert_int_equal(2 * count_op(b, GRAPH_SE), 24);
    assert_int_equal(count_op(b, GRAPH_NORM), 41);
    assert_int_equal(count_op(b, GRAPH_SPATIAL_GATE), 17);
    assert_int_equal(convolutions(c), 158);
    assert_int_equal(count_op(c, GRAPH_TCONV), 4);
    assert_int_equal(count_op(c, GRAPH_NORM), 82);
    assert_int_equal(count_op(c, GRAPH_SIMAM), 20);
    assert_int_equal(count_op(c, GRAPH_TRIPLET), 24);
    assert_int_equal(count_op(c, GRAPH_ATTENTION), 1);
    assert_int_equal(damped_norms(a), 186);
    assert_int_equal(damped_norms(b), 12);
    assert_int_equal(damped_norms(c), 40);
    graph_free(a);
    graph_free(b);
    graph_free(c);
}

static double gmacs_of_kind(const struct graph *g, int kernel, int stride, bool depthwise)
{
    uint64_t sum = 0;
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        if (n->op == GRAPH_CONV && n->kernel_h == kernel && n->stride == stride && (n->groups > 1) == depthwise)
            sum += graph_node_macs(g, i);
    }
    return (double)sum / 1e9;
}

/* Sums by kind, given with three digits after the point. */
static void macs_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int kernel, stride;
        bool depthwise;
        double gmacs;
    } rows[] = {
        { "hrnet", 3, 1, false, 299.574 },           { "hrnet", 1, 1, false, 44.672 },
        { "hrnet", 3, 2, false, 28.661 },            { "resunet_small", 3, 1, false, 492.847 },
        { "resunet_small", 1, 1, false, 37.252 },    { "resunet_advanced", 3, 1, false, 1642.825 },
        { "resunet_advanced", 1, 1, false, 163.305 },{ "resunet_advanced", 3, 1, true, 0.038 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct graph *g = built(rows[i].model, 1024, 1024);
        const double got = gmacs_of_kind(g, rows[i].kernel, rows[i].stride, rows[i].depthwise);
        assert_true(got > rows[i].gmacs - 0.0005001 && got < rows[i].gmacs + 0.0005001);
        graph_free(g);
    }
}

/* Odd sizes go through half-pixel repairs in resunet_small; the other two refuse what they cannot take. */
static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int h, w;
        enum status want;
        const char *says;
    } rows[] = {
        { "hrnet", 36, 36, ST_OK, "" },
        { "hrnet", 32, 64, ST_USAGE, "36..16384" },
        { "hrnet", 1001, 1000, ST_USAGE, "multiples of 4, 36..16384; the nearest that works is 1000x1000" },
        { "resunet_small", 65, 127, ST_OK, "" },
        { "resunet_small", 7, 7, ST_USAGE, "64x64" },
        { "resunet_small", 63, 64, ST_USAGE, "64x64" },
        { "resunet_advanced", 1000, 1000, ST_USAGE, "multiples of 16" },
        { "resunet_advanced", 32, 48, ST_OK, "" },
        { "resunet_advanced", 16, 16, ST_USAGE, "32x32" },
        { "hrnet", 0, 0, ST_USAGE, "0x0" },
        { "hrnet", 100000, 100000, ST_USAGE, "16384x16384" },
        { "hrnet", -4, 64, ST_USAGE, "36x64" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct err err = { .status = ST_OK };
        struct model_config config;
        struct graph *g = NULL;
        assert_int_equal(model_config_read(&config, FOLDER, rows[i].model, &err), ST_OK);
        const enum status st = model_build(&g, &config, (int[]){ 3, rows[i].h, rows[i].w }, &err);
        if (st != rows[i].want)
            fail_msg("%s %dx%d: %s", rows[i].model, rows[i].h, rows[i].w, err.text);
        if (st == ST_OK)
            assert_true(g->nodes[g->output].h == rows[i].h && g->nodes[g->output].w == rows[i].w);
        else
            assert_non_null(strstr(err.text, rows[i].says));
        graph_free(g);
    }
}

static void repairs_appear_only_where_needed(void **state)
{
    (void)state;
    struct graph *even = built("resunet_small", 128, 128), *odd = built("resunet_small", 65, 127);
    assert_int_equal(count_op(even, GRAPH_RESIZE), 0);
    /* 65 halves to 32, 16, 8, 4, 2 and 127 to 63, 31, 15, 7, 3: each of the five levels differs in one side */
    assert_int_equal(count_op(odd, GRAPH_RESIZE), 5);
    for (int i = 0; i < odd->node_count; i++)
        assert_false(odd->nodes[i].align_corners);
    graph_free(even);
    graph_free(odd);
}

static void wrong_channels_are_refused(void **state)
{
    (void)state;
    struct err err = { .status = ST_OK };
    struct model_config config;
    struct graph *g = NULL;
    assert_int_equal(model_config_read(&config, FOLDER, "hrnet", &err), ST_OK);
    assert_int_equal(model_build(&g, &config, (int[]){ 1, 64, 64 }, &err), ST_USAGE);
    assert_non_null(strstr(err.text, "3 channels, got 1"));
    config.feature_count = 3;
    assert_int_equal(model_build(&g, &config, (int[]){ 3, 64, 64 }, &err), ST_MODEL);
    assert_non_null(strstr(err.text, "4 features, got 3"));
    strcpy(config.architecture, "alexnet");
    assert_int_equal(model_build(&g, &config, (int[]){ 3, 64, 64 }, &err), ST_MODEL);
    assert_null(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals),       cmocka_unit_test(every_row), cmocka_unit_test(census),
        cmocka_unit_test(macs_by_kind), cmocka_unit_test(sizes),     cmocka_unit_test(repairs_appear_only_where_needed),
        cmocka_unit_test(wrong_channels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
