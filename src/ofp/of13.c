/* OpenFlow 1.3: its codec. */
#include "ofp/ofp_int.h"

const struct ofp_codec ofp13_codec = {
    .layouts = {ofp13_rows, OFP13_TYPES, OFP_VERSION_13},
};
