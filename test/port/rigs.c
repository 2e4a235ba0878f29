/* Every port there is. */
#include "rigs.h"

const struct rig_kind *const rigs[] = {&rig_memory, &rig_shm0, &rig_shm1, &rig_tap, NULL};
