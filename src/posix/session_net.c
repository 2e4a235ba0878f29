/* Which destinations are ours. */
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "posix/session_int.h"

static uint32_t host_order(const struct mr_addr *a)
{
    return load_be32(a->ip + 12);
}

static uint32_t mask_of(unsigned prefix_len)
{
    return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0;
}

static bool add(struct px_net *net, uint32_t a, unsigned prefix_len, bool ours)
{
    if (net->routes == PX_NETS)
        return false;
    net->route[net->routes++] =
        (struct px_route){a & mask_of(prefix_len), mask_of(prefix_len), ours};
    return true;
}

/* "10.1.0.0/16", or an address alone. */
static bool read_network(const char *text, uint32_t *a, unsigned *prefix_len)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    struct mr_addr addr;
    char host[32];

    *prefix_len = 32;
    if (n >= sizeof(host) || (slash && !dev_number(slash + 1, 0, 32, prefix_len)))
        return false;
    memcpy(host, text, n);
    host[n] = '\0';
    if (!strchr(host, '.') || strchr(host, ':') || !mr_addr_parse(&addr, host))
        return false;
    *a = host_order(&addr);
    return true;
}

static bool add_list(struct px_net *net, const char *const list[PX_NETS], bool ours, char *why,
                     size_t n)
{
    for (unsigned i = 0; i < PX_NETS && list[i]; i++) {
        unsigned prefix_len;
        uint32_t a;
        if (!read_network(list[i], &a, &prefix_len)) {
            snprintf(why, n, "'%.40s' is no network like 10.1.0.0/16", list[i]);
            return false;
        }
        if (!add(net, a, prefix_len, ours)) {
            snprintf(why, n, "at most %u networks can be named", PX_NETS);
            return false;
        }
    }
    return true;
}

bool session_net_init(struct px_net *net, const struct px_session_config *c, char *why, size_t n)
{
    const struct mr_config *m = &c->net;

    *net = (struct px_net){.addr = m->addr, .prefix_len = m->prefix_len, .gateway = m->gateway};
    if (host_order(&net->addr) == 0) {
        snprintf(why, n, "--dev %s needs --addr A.B.C.D/LEN", m->dev);
        return false;
    }
    if (!add_list(net, c->kernel, false, why, n) || !add_list(net, c->only, true, why, n))
        return false;
    bool fits = c->only[0] || add(net, host_order(&net->addr), net->prefix_len, true);
    if (fits && !c->only[0] && host_order(&net->gateway))
        fits = add(net, 0, 0, true);
    if (!fits)
        snprintf(why, n, "at most %u networks can be named", PX_NETS);
    return fits;
}

/* RFC 1122 3.2.1.3: the network's own two addresses; RFC 3021: a network of two has neither. */
static bool is_broadcast(const struct px_net *net, uint32_t a)
{
    uint32_t rest = ~mask_of(net->prefix_len);

    return net->prefix_len < 31 && (a & ~rest) == (host_order(&net->addr) & ~rest) &&
           ((a & rest) == rest || (a & rest) == 0);
}

enum px_why session_net_route(const struct px_net *net, uint32_t a)
{
    if (a == host_order(&net->addr))
        return PX_WHY_OURS;
    if (a >> 24 == 127)
        return PX_WHY_LOOPBACK;
    if (a >> 24 == 0 || a >> 28 >= 14 || is_broadcast(net, a))
        return PX_WHY_ROUTE;
    for (unsigned i = 0; i < net->routes; i++)
        if ((a & net->route[i].mask) == net->route[i].net)
            return net->route[i].ours ? PX_WHY_OURS : PX_WHY_ROUTE;
    return PX_WHY_ROUTE;
}

enum px_why session_route(uint32_t a)
{
    return session_net_route(&px_session->net, a);
}
