/* The rigs by name. */
#pragma once

#include "contract.h"

extern const struct rig_kind rig_memory, rig_shm0, rig_shm1, rig_tap;
