/* OpenFlow 1.0: its codec. */
#include "ofp/ofp_int.h"

const struct ofp_codec ofp10_codec = {
    .layouts = {ofp10_rows, OFP10_TYPES, OFP_VERSION_10},
};
