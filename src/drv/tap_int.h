/* drv/tap, private: talking to the kernel about the device. */
#pragma once

#include "drv/tap.h"

#define TAP_VNET_BYTES 12

bool tap_name_is_good(const char *name, char *why, size_t n);

/* A non-blocking descriptor on a queue of the device, offloads set.  Negative, and why. */
int tap_attach(const struct tap_config *c, char *why, size_t n);

/* The MTU of the kernel's end. */
bool tap_mtu(const char *name, uint32_t *out, char *why, size_t n);
