#include "posix/session.h"

const char *const px_why_text[PX_WHY_KINDS] = {
    [PX_WHY_NOTHING] = "nothing is decided yet",
    [PX_WHY_OURS] = "accelerated",
    [PX_WHY_BOTH] = "bound to any address: accelerated, and the kernel's beside it",
    [PX_WHY_FAMILY] = "the kernel's: neither IPv4 nor IPv6 that carries IPv4",
    [PX_WHY_TYPE] = "the kernel's: neither TCP nor UDP",
    [PX_WHY_LOOPBACK] = "the kernel's: loopback",
    [PX_WHY_ROUTE] = "the kernel's: no route of ours leads to the peer, or it was excluded",
    [PX_WHY_LOCAL] = "the kernel's: bound to an address that is not ours",
    [PX_WHY_FULL] = "the kernel's: the session has no room left for it",
    [PX_WHY_OPTION] = "the kernel's: needs an option that only the kernel has",
};
