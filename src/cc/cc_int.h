/* Private to the room cc. */
#pragma once

#include "cc/cc.h"

extern const struct cc_ops cc_newreno, cc_cubic;

uint32_t cc_half_flight(const struct cc_info *i);
void cc_restart(struct cc *c, const struct cc_info *i, uint32_t initial_window);
