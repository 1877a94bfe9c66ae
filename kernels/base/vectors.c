#include "kernels/base/vectors.h"

#include <math.h>
#include <string.h>

static const struct vector_limit limits[] = {
    { "hrnet", 1e-3, 1e-4 },
    { "resunet_small", 1e-3, 1e-4 },
    { "resunet_advanced", 5e-3, 1e-3 },
};

const struct vector vectors[] = {
    { .model = "hrnet", .set = "conformance", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = 0.603458101, .rms = 0.84745369, .min = -0.949281096, .max = 2.7344456, .point_count = 5,
      .points = { { 0, 0, 1.42692053 }, { 0, 127, 1.1417431 }, { 64, 64, 0.426527697 },
                  { 42, 25, -0.50397422 }, { 127, 127, 1.91877168 } } },
    { .model = "hrnet", .set = "conformance", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = 0.613697813, .rms = 0.865711927, .min = -1.12507925, .max = 2.22939866, .point_count = 5,
      .points = { { 0, 0, 1.42491787 }, { 0, 159, 0.275836501 }, { 48, 80, 1.70211288 },
                  { 32, 32, 0.934092321 }, { 95, 159, 1.29891154 } } },
    { .model = "hrnet", .set = "seeded", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = 0.613280751, .rms = 0.772350521, .min = -0.725201738, .max = 2.57753394, .point_count = 5,
      .points = { { 0, 0, -0.291104937 }, { 0, 127, 1.55269078 }, { 64, 64, -0.0208289641 },
                  { 42, 25, 0.178026814 }, { 127, 127, -0.0852227556 } } },
    { .model = "hrnet", .set = "seeded", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = 0.619117478, .rms = 0.753258208, .min = -0.859131133, .max = 2.35144681, .point_count = 5,
      .points = { { 0, 0, 0.0253250658 }, { 0, 159, 0.770407518 }, { 48, 80, 0.245817289 },
                  { 32, 32, 0.82215752 }, { 95, 159, 0.805072681 } } },
    { .model = "hrnet", .set = "conformance", .until = "layer1", .h = 128, .w = 128, .out = { 256, 32, 32 },
      .mean = 1.22214567, .rms = 1.78471158, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage2.0:0", .h = 128, .w = 128, .out = { 48, 32, 32 },
      .mean = 1.36803498, .rms = 1.94489854, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage2.0:1", .h = 128, .w = 128, .out = { 96, 16, 16 },
      .mean = 1.45290288, .rms = 2.07507121, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 2.60507646 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage3.0:0", .h = 128, .w = 128, .out = { 48, 32, 32 },
      .mean = 2.0541463, .rms = 2.82575362, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 2.49801138 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage3.0:1", .h = 128, .w = 128, .out = { 96, 16, 16 },
      .mean = 2.15757753, .rms = 2.98966249, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 6.51190057 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage3.0:2", .h = 128, .w = 128, .out = { 192, 8, 8 },
      .mean = 1.53483324, .rms = 2.21982206, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.40298385 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage4.2:0", .h = 128, .w = 128, .out = { 48, 32, 32 },
      .mean = 4.56647745, .rms = 6.03281705, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.0448207347 } } },
    { .model = "hrnet", .set = "conformance", .until = "stage4.2:3", .h = 128, .w = 128, .out = { 384, 4, 4 },
      .mean = 3.0773407, .rms = 4.1901419, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 4.88344431 } } },
    { .model = "hrnet", .set = "conformance", .until = "last_layer", .h = 128, .w = 128, .out = { 1, 32, 32 },
      .mean = 0.613823564, .rms = 0.88291974, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.42692053 } } },
    { .model = "resunet_small", .set = "conformance", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = -0.256755997, .rms = 0.700404737, .min = -3.83752638, .max = 2.74344198, .point_count = 5,
      .points = { { 0, 0, -0.337451012 }, { 0, 127, -0.25976766 }, { 64, 64, -1.15305774 },
                  { 42, 25, 0.0550990301 }, { 127, 127, -0.046675531 } } },
    { .model = "resunet_small", .set = "conformance", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = -0.254912552, .rms = 0.698947237, .min = -4.20278548, .max = 2.42751422, .point_count = 5,
      .points = { { 0, 0, -0.340070347 }, { 0, 159, -0.281226173 }, { 48, 80, -0.40473116 },
                  { 32, 32, -0.579151289 }, { 95, 159, -0.0346429436 } } },
    { .model = "resunet_small", .set = "seeded", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = -0.258423498, .rms = 0.708058655, .min = -4.89017286, .max = 2.37949994, .point_count = 5,
      .points = { { 0, 0, -0.23310829 }, { 0, 127, -1.0230698 }, { 64, 64, -0.586145367 },
                  { 42, 25, -0.311109966 }, { 127, 127, 0.289139712 } } },
    { .model = "resunet_small", .set = "seeded", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = -0.258118838, .rms = 0.702626296, .min = -3.91855091, .max = 1.99831992, .point_count = 5,
      .points = { { 0, 0, -0.22269895 }, { 0, 159, -2.13701237 }, { 48, 80, -0.867401658 },
                  { 32, 32, -1.3826018 }, { 95, 159, 1.08880466 } } },
    { .model = "resunet_small", .set = "conformance", .until = "init_conv", .h = 128, .w = 128, .out = { 48, 128, 128 },
      .mean = 0.392135707, .rms = 0.699868301, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "resunet_small", .set = "conformance", .until = "downs.0", .h = 128, .w = 128, .out = { 48, 128, 128 },
      .mean = 0.114260525, .rms = 0.185693276, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "resunet_small", .set = "conformance", .until = "downs.4", .h = 128, .w = 128, .out = { 512, 8, 8 },
      .mean = 0.116214657, .rms = 0.217668189, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.190295318 } } },
    { .model = "resunet_small", .set = "conformance", .until = "bottleneck", .h = 128, .w = 128, .out = { 1024, 4, 4 },
      .mean = 0.0662001245, .rms = 0.117648455, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.0920611105 } } },
    { .model = "resunet_small", .set = "conformance", .until = "ups.0", .h = 128, .w = 128, .out = { 512, 8, 8 },
      .mean = 0.0048898892, .rms = 0.131102764, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.235258043 } } },
    { .model = "resunet_small", .set = "conformance", .until = "attentions.0", .h = 128, .w = 128, .out = { 512, 8, 8 },
      .mean = 0.0290750325, .rms = 0.0598634794, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.0565309871 } } },
    { .model = "resunet_small", .set = "conformance", .until = "ups.1", .h = 128, .w = 128, .out = { 512, 8, 8 },
      .mean = 0.108778984, .rms = 0.201083787, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "resunet_small", .set = "conformance", .until = "attentions.4", .h = 128, .w = 128, .out = { 48, 128, 128 },
      .mean = 0.0283508653, .rms = 0.0507648958, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "resunet_small", .set = "conformance", .until = "ups.9", .h = 128, .w = 128, .out = { 48, 128, 128 },
      .mean = 0.132375359, .rms = 0.242385297, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = -0.0858189412, .rms = 0.626139263, .min = -3.77417963, .max = 2.56592067, .point_count = 5,
      .points = { { 0, 0, 1.16104529 }, { 0, 127, -0.226517656 }, { 64, 64, -1.13344974 },
                  { 42, 25, 0.941242732 }, { 127, 127, 0.130423331 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = -0.0832887787, .rms = 0.629690909, .min = -3.05947347, .max = 2.42071058, .point_count = 5,
      .points = { { 0, 0, 1.10732697 }, { 0, 159, -0.286727784 }, { 48, 80, -0.144436005 },
                  { 32, 32, -0.115041835 }, { 95, 159, 0.0885518679 } } },
    { .model = "resunet_advanced", .set = "seeded", .until = "", .h = 128, .w = 128, .out = { 1, 128, 128 },
      .mean = -0.0868915614, .rms = 0.599938018, .min = -2.77884249, .max = 2.35163234, .point_count = 5,
      .points = { { 0, 0, 0.72083536 }, { 0, 127, -1.25880073 }, { 64, 64, -0.611788991 },
                  { 42, 25, -0.190222094 }, { 127, 127, 0.803721823 } } },
    { .model = "resunet_advanced", .set = "seeded", .until = "", .h = 96, .w = 160, .out = { 1, 96, 160 },
      .mean = -0.0839997637, .rms = 0.606909276, .min = -2.53515459, .max = 2.32046608, .point_count = 5,
      .points = { { 0, 0, 0.635153049 }, { 0, 159, -0.843398925 }, { 48, 80, -0.08959169 },
                  { 32, 32, -0.112370167 }, { 95, 159, 0.595919225 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "init_conv", .h = 128, .w = 128, .out = { 64, 128, 128 },
      .mean = 0.395194911, .rms = 0.70461212, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.230379204 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "encoder1.0", .h = 128, .w = 128, .out = { 64, 128, 128 },
      .mean = 0.98593447, .rms = 1.43733732, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 2.87031726 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "encoder1.1", .h = 128, .w = 128, .out = { 64, 128, 128 },
      .mean = 1.51268166, .rms = 2.04207928, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 4.48401044 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "encoder4.2", .h = 128, .w = 128, .out = { 512, 16, 16 },
      .mean = 1.88118944, .rms = 2.49387781, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.48208981 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "bottleneck.0", .h = 128, .w = 128, .out = { 1024, 8, 8 },
      .mean = 0.829228767, .rms = 1.33287231, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.26936544 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "bottleneck.1", .h = 128, .w = 128, .out = { 1024, 8, 8 },
      .mean = -0.0294585905, .rms = 0.741932855, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.868580562 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "bottleneck.2", .h = 128, .w = 128, .out = { 1024, 8, 8 },
      .mean = 0.747915196, .rms = 1.2059868, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.83778621 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "upconv4", .h = 128, .w = 128, .out = { 512, 16, 16 },
      .mean = 0.0314384181, .rms = 1.19641588, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 1.10753752 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "att4", .h = 128, .w = 128, .out = { 512, 16, 16 },
      .mean = 0.166039035, .rms = 0.328443156, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.00437094012 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "decoder4.1", .h = 128, .w = 128, .out = { 512, 16, 16 },
      .mean = 1.38569326, .rms = 1.94594248, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.542909729 } } },
    { .model = "resunet_advanced", .set = "conformance", .until = "decoder1.1", .h = 128, .w = 128, .out = { 64, 128, 128 },
      .mean = 1.35438381, .rms = 1.91001487, .min = NAN, .max = NAN, .point_count = 1, .points = { { 0, 0, 0.189314496 } } },
};

const size_t vector_count = sizeof vectors / sizeof *vectors;

const struct vector_limit *vector_limit_of(const char *model)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (strcmp(limits[i].model, model) == 0)
            return &limits[i];
    return NULL;
}

/* The values are f32 or f64, whichever is not NULL. */
struct values {
    const float *f32;
    const double *f64;
};

static double value_at(struct values v, size_t i) { return v.f32 ? (double)v.f32[i] : v.f64[i]; }

struct summary {
    double mean, rms, min, max;
};

/* Of count > 0 values. min and max are not a number if any value is. */
static struct summary summarise(struct values v, size_t count)
{
    struct summary s = { 0, 0, INFINITY, -INFINITY };
    bool broken = false;
    for (size_t i = 0; i < count; i++) {
        const double x = value_at(v, i);
        s.mean += x;
        s.rms += x * x;
        s.min = x < s.min ? x : s.min;
        s.max = x > s.max ? x : s.max;
        broken = broken || isnan(x);
    }
    s.mean /= (double)count;
    s.rms = sqrt(s.rms / (double)count);
    if (broken)
        s.min = s.max = NAN;
    return s;
}

/* The larger one, or infinity if the second is none. */
static double worse(double so_far, double next)
{
    return isnan(next) ? INFINITY : fmax(so_far, next);
}

static double deviation(const struct vector *v, struct values values)
{
    const size_t count = (size_t)v->out[0] * (size_t)v->out[1] * (size_t)v->out[2];
    const struct summary s = summarise(values, count);
    double most = worse(worse(0, fabs(s.mean - v->mean)), fabs(s.rms - v->rms));
    if (!isnan(v->min))
        most = worse(worse(most, fabs(s.min - v->min)), fabs(s.max - v->max));
    for (size_t i = 0; i < v->point_count; i++) {
        const size_t at = (size_t)v->points[i].row * (size_t)v->out[2] + (size_t)v->points[i].column;
        most = worse(most, fabs(value_at(values, at) - v->points[i].value));
    }
    return *v->until ? most / fmax(1, v->rms) : most;
}

double vector_deviation(const struct vector *v, const float *values)
{
    return deviation(v, (struct values){ .f32 = values });
}

double vector_deviation_double(const struct vector *v, const double *values)
{
    return deviation(v, (struct values){ .f64 = values });
}
