/* models.h - the networks we build ourselves; one builder file per architecture. */
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include "kernels/base/model_config.h"
#include "kernels/graph/graph.h"

/* Builds the graph for an input of shape (C,H,W); all zero: the config's own. ST_USAGE if the network cannot
 * take the size (model_config_check_size). The caller frees with graph_free. */
enum status model_build(struct graph **out, const struct model_config *config, const int shape[3],
                        struct err *err);
/* The same for a model by its name in configs/models or the path of a .yaml file, ended after the
 * module `until` ("": whole). Statuses of home_path, model_config_read and graph_cut too. On failure
 * there is nothing to free. */
enum status model_build_named(struct graph **out, const char *model, const int shape[3], const char *until,
                              struct err *err);

#endif
