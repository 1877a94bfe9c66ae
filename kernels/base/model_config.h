/* model_config.h - configs/models/NAME.yaml: what both `bench` and the workers know of a
 * network before it is built. */
#ifndef BASE_MODEL_CONFIG_H
#define BASE_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/err.h"

#define MODEL_FEATURES_MAX 8
#define MODEL_SIDE_MAX 16384
#define MODEL_EXPECTED_IMAGES 3
#define MODEL_EXPECTED_VALUES 48

/* One YAML file:
 *   name: resunet_small          what --model takes
 *   architecture: resunet_small  hrnet | resunet_small | resunet_advanced | smoke
 *   features: [48, 96, ...]      channels per level (hrnet: of each branch)
 *   input: [3, 1024, 1024]       default C,H,W
 *   multiple: 16                 both sides must be multiples of it (preset 1)
 *   min_side: 64                 smallest side that works (preset 1)
 *   served: true                 part of --all-models
 *   mask: true                   output is a mask at logit 0 (gate: mask disagreement)
 *   description: text for `bench list`
 *   expected: [[..], ..]         of the outputs for the generated images of seeds 1, 2 and 3 with seeded weights: 48
 *                                values each, number k at (2k + 1) / 96 of the output. All 0 where it is not given */
struct model_config {
    char name[32], architecture[32], description[160];
    int  features[MODEL_FEATURES_MAX], feature_count;
    int  input[3];
    int  multiple, min_side;
    bool served, mask;
    bool has_expected;
    float expected[MODEL_EXPECTED_IMAGES][MODEL_EXPECTED_VALUES];
};
/* Where number k of `expected` stands in an output of `count` values. */
static inline size_t model_expected_at(size_t k, size_t count)
{
    return (2 * k + 1) * count / (2 * MODEL_EXPECTED_VALUES);
}

/* Reads FOLDER/NAME.yaml, or `model` itself if it ends in .yaml. ST_CONFIG: unknown keys, values out of
 * range, with file:line:column; ST_USAGE: no such model, with the nearest known name and the list. */
enum status model_config_read(struct model_config *out, const char *folder, const char *model,
                              struct err *err);
/* All *.yaml of a folder, sorted by name. *out is malloc'ed, the caller frees. */
enum status model_config_list(struct model_config **out, size_t *count, const char *folder, struct err *err);
/* ST_OK, or ST_USAGE with one sentence: the size, the rule (which multiple it needs) and the nearest size
 * that works. Each side 1..MODEL_SIDE_MAX. shape is C,H,W; C must be the config's. */
enum status model_config_check_size(const struct model_config *config, const int shape[3], struct err *err);

#endif
