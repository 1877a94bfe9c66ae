/* Softmax attention of every pixel to every pixel: the scores are worked out twice, once for their maximum
 * and once for the weights, so that the matrix of all of them never exists. */
#include "kernels/reference/reference.h"

#include <math.h>

static double dot(const double *a, const double *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* out[d] of one query; key and value: of token 0, the next token is `step` further */
static void attend(double *out, const double *query, const double *key, const double *value, size_t step,
                   size_t tokens, int d)
{
    const double scale = 1 / sqrt((double)d);
    double most = -INFINITY, sum = 0;
    for (size_t t = 0; t < tokens; t++)
        most = fmax(most, scale * dot(query, key + t * step, d));
    for (int i = 0; i < d; i++)
        out[i] = 0;
    for (size_t t = 0; t < tokens; t++) {
        const double weight = exp(scale * dot(query, key + t * step, d) - most);
        sum += weight;
        for (int i = 0; i < d; i++)
            out[i] += weight * value[t * step + (size_t)i];
    }
    for (int i = 0; i < d; i++)
        out[i] /= sum;
}

void reference_attention(double *dst, const double *src, struct ref_shape s, int heads)
{
    const int c = s.c / 3, d = c / heads;
    const size_t tokens = (size_t)s.h * (size_t)s.w, step = (size_t)s.c;
#pragma omp parallel for collapse(3)
    for (int n = 0; n < s.n; n++)
        for (int h = 0; h < heads; h++)
            for (size_t t = 0; t < tokens; t++) {
                const double *image = src + (size_t)n * tokens * step + (size_t)(h * d);
                attend(dst + ((size_t)n * tokens + t) * (size_t)c + (size_t)(h * d), image + t * step,
                       image + c, image + 2 * c, step, tokens, d);
            }
}
