/* Names that a configuration uses: is there such a thing? */
#include "bench/config/row.h"

#include "kernels/base/home.h"
#include "kernels/base/model_config.h"

enum status config_look_up_model(const char *name, struct err *err)
{
    char folder[HOME_PATH_MAX];
    struct model_config model;
    enum status st = home_path(folder, "configs/models", err);
    return st == ST_OK ? model_config_read(&model, folder, name, err) : st;
}

enum status config_look_up_engine(const char *name, struct err *err)
{
    struct engine_config engine;
    enum status st = engine_config_read(&engine, name, err);
    if (st == ST_OK)
        engine_config_free(&engine);
    return st;
}
