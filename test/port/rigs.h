/* The rigs by name. */
#pragma once

#include "contract.h"

extern const struct rig_kind rig_memory, rig_shm0, rig_shm1, rig_tap, rig_xdp, rig_packet,
    rig_dpdk_packet, rig_vhost, rig_virtio, rig_memif_server, rig_memif_client;
