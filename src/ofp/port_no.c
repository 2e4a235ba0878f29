/* Numbers of ports, as people write them. */
#include "ofp/ofp_int.h"

void ofp_print_port_no(struct fmt *f, uint32_t no)
{
    static const char *const names[] = {
        "IN_PORT", "TABLE", "NORMAL", "FLOOD", "ALL", "CONTROLLER", "LOCAL", "ANY",
    };

    if (no >= OFPP_IN_PORT)
        fmt_add(f, "%s", names[no - OFPP_IN_PORT]);
    else
        fmt_u64(f, no);
}
