/* POF: its codecs. */
#include "ofp/ofp_int.h"

const struct ofp_codec pof_huawei_codec = {.layouts = {.version = OFP_VERSION_13}};
const struct ofp_codec pof_ustc_codec = {.layouts = {.version = OFP_VERSION_13}};
