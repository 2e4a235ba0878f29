#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
    long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

    return rc < 0 ? -errno : (int)rc;
}

int os_bpf_array(uint32_t entries)
{
    union bpf_attr a;

    memset(&a, 0, sizeof(a));
    a.map_type = BPF_MAP_TYPE_ARRAY;
    a.key_size = a.value_size = sizeof(uint32_t);
    a.max_entries = entries;
    return bpf(BPF_MAP_CREATE, &a);
}

int os_bpf_array_set(int map, uint32_t index, uint32_t value)
{
    union bpf_attr a;

    memset(&a, 0, sizeof(a));
    a.map_fd = (uint32_t)map;
    a.key = (uintptr_t)&index;
    a.value = (uintptr_t)&value;
    a.flags = BPF_ANY;
    return bpf(BPF_MAP_UPDATE_ELEM, &a);
}

/* Of Linux 6.6, younger than the headers of some machines that this is built on. */
#define TCX_INGRESS 46u

static int load(uint32_t type, const struct bpf_insn *insns, unsigned n)
{
    union bpf_attr a;

    memset(&a, 0, sizeof(a));
    a.prog_type = type;
    a.insns = (uintptr_t)insns;
    a.insn_cnt = n;
    a.license = (uintptr_t) "BSD";
    return bpf(BPF_PROG_LOAD, &a);
}

int os_bpf_load_filter(const struct bpf_insn *insns, unsigned n)
{
    return load(BPF_PROG_TYPE_SOCKET_FILTER, insns, n);
}

int os_bpf_ingress(int ifindex, const struct bpf_insn *insns, unsigned n)
{
    union bpf_attr a;
    int prog = load(BPF_PROG_TYPE_SCHED_CLS, insns, n);

    if (prog < 0)
        return prog;
    memset(&a, 0, sizeof(a));
    a.link_create.prog_fd = (uint32_t)prog;
    a.link_create.target_ifindex = (uint32_t)ifindex;
    a.link_create.attach_type = TCX_INGRESS;
    int link = bpf(BPF_LINK_CREATE, &a);
    os_close(prog);
    return link;
}
