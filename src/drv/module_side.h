/* drv, a module's side: a module's source ends with DEV_MODULE(kind). */
#pragma once

#include "drv/dev.h"

void module_bind(void (*panic)(const char *file, int line, const char *what));

#define DEV_MODULE(its_kind)                                                                       \
    __attribute__((visibility("default"))) extern const struct dev_module mr_dev_module;           \
    const struct dev_module mr_dev_module = {DEV_ABI, &(its_kind), module_bind}
