/* drv, private: the kinds of devices that are in every program. */
#pragma once

#include "drv/dev.h"

extern const struct dev_kind dev_kind_tap;
extern const struct dev_kind dev_kind_packet;
extern const struct dev_kind dev_kind_shm;
