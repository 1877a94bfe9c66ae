/* small_networks.h - relatives of the three networks: the same structure with fewer channels, so that seconds become
 * milliseconds. Nothing to free. */
#ifndef TESTS_SMALL_NETWORKS_H
#define TESTS_SMALL_NETWORKS_H

#include "kernels/base/model_config.h"

static const struct model_config small_hrnet = {
    .name = "hrnet", .architecture = "hrnet",
    .features = { 10, 20, 40, 80 }, .feature_count = 4, .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1,
};
static const struct model_config small_resunet = {
    .name = "resunet_small", .architecture = "resunet_small",
    .features = { 24, 40, 56 }, .feature_count = 3, .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1,
};
static const struct model_config small_advanced = {
    .name = "resunet_advanced", .architecture = "resunet_advanced",
    .features = { 16, 24, 48, 64 }, .feature_count = 4, .input = { 3, 64, 64 }, .multiple = 1, .min_side = 1,
};

#endif
