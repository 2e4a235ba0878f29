/* What every cmocka test includes first: cmocka.h and what it needs before it,
 * and string.h, which must come before base/types.h makes memcpy a macro. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
