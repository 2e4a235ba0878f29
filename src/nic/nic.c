#include "nic/nic.h"

STAT_GROUP(nic_stat_group, "nic", NIC_STATS);
