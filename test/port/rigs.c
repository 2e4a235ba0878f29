/* Every port there is. */
#include "rigs.h"

const struct rig_kind *const rigs[] = {
    &rig_memory, &rig_shm0,   &rig_shm1,         &rig_tap,          &rig_xdp,         &rig_packet,
    &rig_vhost,  &rig_virtio, &rig_memif_server, &rig_memif_client, &rig_dpdk_packet, NULL};
