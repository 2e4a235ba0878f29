/* knobs: the settings in a script's backticks, and its --options.
 *
 *     `timestamps=0
 *      cc=newreno
 *      limits.syns=1`
 *
 * A knob is a member of struct tcp_config by its name, a limit as limits.NAME, one of Linux's names
 * ("sysctl -q net.ipv4.tcp_sack=0"), or profile=linux|freebsd. */
#pragma once

#include "script.h"

#include "stack/stack.h"

struct run_options {
    uint32_t local_ip, remote_ip, gateway_ip; /* host order */
    unsigned prefix_len;
    uint32_t mtu;
    int64_t tolerance_us;
    uint32_t remote_isn; /* on the wire, for 0 in the script */
};

void run_options_default(struct run_options *o);
/* False and why[] for what is unknown or out of range. */
bool knobs_apply(const struct script *s, struct run_options *o, struct stack_config *c, char *why,
                 size_t whylen);
