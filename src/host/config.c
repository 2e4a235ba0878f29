/* The network options every program has. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drv/dev.h"
#include "os/os.h"

#include <millrace/millrace.h>

#define MTU_MIN 576u
#define MTU_MAX 65535u
#define VLAN_MAX 4094u
#define CONNS_MAX 16000000u
#define SPIN_US_MAX 1000000u
#define SPIN_US_DEFAULT 20u

void mr_config_init(struct mr_config *c)
{
    *c = (struct mr_config){
        .dev = "kernel",
        .prefix_len = 24,
        .spin_us = SPIN_US_DEFAULT,
        .congestion = MR_CC_CUBIC,
        .cores = 1,
    };
}

const char *mr_config_help(void)
{
    return "Network:\n"
           "  --dev kernel           the kernel's sockets (default)\n"
           "  --dev tap:IFNAME       our own stack on a TAP device\n"
           "  --dev xdp:IFNAME       ... on an interface that the kernel keeps (AF_XDP)\n"
           "  --dev packet:IFNAME    ... on one that takes no XDP program (AF_PACKET)\n"
           "  --dev dpdk:DEVICE      ... on a PCI device or a virtual device of DPDK\n"
           "  --dev shm:PATH:0|1     ... on one end of a wire in shared memory\n"
           "                         (options of devices: man 7 millrace-dev;\n"
           "                         --net is the same option by its older name)\n"
           "  --eal ARGS             further arguments of DPDK's environment\n"
           "  --exception IFNAME     a TAP device for what is not ours\n"
           "  --addr A.B.C.D/LEN     own address and network (own stack only)\n"
           "  --gateway A.B.C.D      default route (own stack only)\n"
           "  --mtu N                576..65535; default: the interface's\n"
           "  --vlan N               1..4094: send and expect this 802.1Q tag\n"
           "  --mac XX:XX:XX:XX:XX:XX  own hardware address; default: the device's\n"
           "  --pcap FILE            write every packet to FILE (pcapng)\n"
           "  --control PATH|none    where millrace-stat finds us (default\n"
           "                         $XDG_RUNTIME_DIR or /tmp /millrace-PROGRAM-PID.sock)\n"
           "  --max-conns N          most sockets at once\n"
           "  --spin-us N            look for packets this long before sleeping (default 20)\n"
           "  --busy                 never sleep\n"
           "  --cc cubic|newreno     congestion control (default cubic)\n"
           "  --cores N              1..64 stacks, each with a thread and a queue (default 1)\n"
           "  --cpus LIST            processors to pin them to, in order: 2 or 0-3,8\n"
           "  --rss-symmetric        spread frames by a hash that both directions of a flow share\n"
           "  --rss-off              for tests: ask the port for no hash\n";
}

static bool take_dev(struct mr_config *c, const char *value)
{
    c->dev = value;
    return strcmp(value, "kernel") == 0 || dev_spec_is_good(value);
}

static bool take_eal(struct mr_config *c, const char *value)
{
    c->eal = value;
    return true;
}

static bool take_exception(struct mr_config *c, const char *value)
{
    c->exception = value;
    return value[0] != '\0' && strlen(value) < IF_NAMESIZE && strchr(value, '/') == NULL;
}

static bool is_any(const struct mr_addr *a)
{
    return a->ip[12] == 0 && a->ip[13] == 0 && a->ip[14] == 0 && a->ip[15] == 0;
}

/* A host address without a port. */
static bool host_address(const char *text, struct mr_addr *out)
{
    return strchr(text, ':') == NULL && strchr(text, '.') != NULL && mr_addr_parse(out, text) &&
           !is_any(out) && out->ip[12] < 224 && out->ip[12] != 127;
}

static bool take_addr(struct mr_config *c, const char *value)
{
    char host[32];
    const char *slash = strchr(value, '/');
    size_t n = slash != NULL ? (size_t)(slash - value) : strlen(value);

    if (n >= sizeof(host) || (slash != NULL && !dev_number(slash + 1, 1, 32, &c->prefix_len)))
        return false;
    memcpy(host, value, n);
    host[n] = '\0';
    return host_address(host, &c->addr);
}

/* Six pairs of hexadecimal digits; not a group address, not all zero. */
static bool take_mac(struct mr_config *c, const char *value)
{
    unsigned b[6], sum = 0;
    int n = 0;

    if (strlen(value) != 17 || strspn(value, "0123456789abcdefABCDEF:") != 17)
        return false;
    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) !=
            6 ||
        n != 17)
        return false;
    for (int i = 0; i < 6; i++)
        sum |= b[i];
    c->mac = value;
    return sum != 0 && (b[0] & 1) == 0;
}

static bool take_cc(struct mr_config *c, const char *value)
{
    if (strcmp(value, "cubic") == 0)
        c->congestion = MR_CC_CUBIC;
    else if (strcmp(value, "newreno") == 0)
        c->congestion = MR_CC_NEWRENO;
    else
        return false;
    return true;
}

static bool take_gateway(struct mr_config *c, const char *value)
{
    return host_address(value, &c->gateway);
}

static bool take_mtu(struct mr_config *c, const char *value)
{
    return dev_number(value, MTU_MIN, MTU_MAX, &c->mtu);
}

static bool take_vlan(struct mr_config *c, const char *value)
{
    return dev_number(value, 1, VLAN_MAX, &c->vlan);
}

static bool take_pcap(struct mr_config *c, const char *value)
{
    c->pcap = value;
    return value[0] != '\0';
}

static bool take_control(struct mr_config *c, const char *value)
{
    c->control = value;
    return value[0] != '\0' && strlen(value) < 100;
}

static bool take_max_conns(struct mr_config *c, const char *value)
{
    unsigned v = 0;
    bool good = dev_number(value, 1, CONNS_MAX, &v);

    c->max_conns = v;
    return good;
}

static bool take_spin(struct mr_config *c, const char *value)
{
    return dev_number(value, 0, SPIN_US_MAX, &c->spin_us);
}

static bool take_busy(struct mr_config *c, const char *value)
{
    (void)value;
    c->spin_us = MR_SPIN_ALWAYS;
    return true;
}

static bool take_cores(struct mr_config *c, const char *value)
{
    return dev_number(value, 1, MR_CORES_MAX, &c->cores);
}

static bool take_cpus(struct mr_config *c, const char *value)
{
    uint16_t cpus[OS_CPUS_MAX];

    c->cpus = value;
    return os_cpus_parse(value, cpus, OS_CPUS_MAX) > 0;
}

static bool take_rss_symmetric(struct mr_config *c, const char *value)
{
    (void)value;
    c->rss_symmetric = true;
    return true;
}

static bool take_rss_off(struct mr_config *c, const char *value)
{
    (void)value;
    c->rss_off = true;
    return true;
}

#define DEVICES "kernel, tap:NAME, xdp:NAME, packet:NAME, dpdk:DEVICE or shm:PATH:0|1"

static const struct option {
    const char *name;
    bool (*take)(struct mr_config *c, const char *value);
    const char *wants; /* NULL: it has no value */
} options[] = {
    {"--dev", take_dev, DEVICES},
    {"--net", take_dev, DEVICES}, /* its older name */
    {"--eal", take_eal, "arguments like '-n 4'"},
    {"--exception", take_exception, "the name of a network device"},
    {"--addr", take_addr, "an address like 10.0.0.2/24"},
    {"--gateway", take_gateway, "an address like 10.0.0.1"},
    {"--mtu", take_mtu, "a number from 576 to 65535"},
    {"--vlan", take_vlan, "a number from 1 to 4094"},
    {"--mac", take_mac, "a station address like 02:00:00:00:00:01"},
    {"--pcap", take_pcap, "a file name"},
    {"--control", take_control, "a path shorter than 100 bytes"},
    {"--max-conns", take_max_conns, "a number from 1 to 16000000"},
    {"--spin-us", take_spin, "a number from 0 to 1000000"},
    {"--cc", take_cc, "cubic or newreno"},
    {"--busy", take_busy, NULL},
    {"--cores", take_cores, "a number from 1 to 64"},
    {"--cpus", take_cpus, "processors like 2 or 0-3,8"},
    {"--rss-symmetric", take_rss_symmetric, NULL},
    {"--rss-off", take_rss_off, NULL},
};

int mr_config_option(struct mr_config *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i];

    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        const struct option *o = &options[k];
        size_t n = strlen(o->name);
        const char *value;
        if (strncmp(word, o->name, n) != 0 ||
            (word[n] != '\0' && (word[n] != '=' || o->wants == NULL)))
            continue;
        if (o->wants == NULL)
            return o->take(c, NULL);
        value = word[n] == '=' ? word + n + 1 : *i + 1 < argc ? argv[*i + 1] : NULL;
        if (value == NULL || !o->take(c, value)) {
            fprintf(stderr, "%s: %s wants %s%s%s%s\n", argv[0], o->name, o->wants,
                    value != NULL ? ", not '" : "", value != NULL ? value : "",
                    value != NULL ? "'" : "");
            return -1;
        }
        *i += word[n] == '\0';
        return 1;
    }
    return 0;
}
