/* What every test/fuzz/fuzz_<name>.c defines: one input, any bytes, any length.
 * It returns 0, keeps nothing between calls, and crashes when a law is broken. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
