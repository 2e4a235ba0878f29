#include "drv/ours.h"

#include <linux/if_packet.h>

#include "drv/program.h"
#include "os/os.h"

#define VID_MASK 0x0fffu
#define ARP_BYTES 28u
#define OP_AT 6
#define SPA_AT 14
#define TPA_AT 24
#define OP_REPLY 2
#define IPV4_DST_AT 16

/* ---- for our own eyes -------------------------------------------------------------------- */

static enum whose judge_arp(const struct ours *o, const uint8_t *arp)
{
    be32 spa = {.raw = 0}, tpa = {.raw = 0};

    memcpy(&spa, arp + SPA_AT, 4);
    memcpy(&tpa, arp + TPA_AT, 4);
    if (load_be16(arp + OP_AT) == OP_REPLY || spa.raw == tpa.raw || spa.raw == o->addr.raw)
        return WHOSE_BOTH;
    return tpa.raw == o->addr.raw ? WHOSE_OURS : WHOSE_KERNELS;
}

enum whose ours_judge(const struct ours *o, const uint8_t *frame, uint32_t len)
{
    uint32_t at = ETH_HLEN;
    unsigned vid = 0;

    if (o->everything)
        return WHOSE_OURS;
    if (len < ETH_HLEN || (!(frame[0] & 1) && memcmp(frame, o->mac.b, 6) != 0))
        return WHOSE_KERNELS;
    uint16_t type = load_be16(frame + 12);
    if (type == ETHTYPE_VLAN && len >= ETH_HLEN + 4) {
        vid = load_be16(frame + 14) & VID_MASK;
        type = load_be16(frame + 16);
        at += 4;
    }
    if (vid != o->vlan)
        return WHOSE_KERNELS;
    if (type == ETHTYPE_IPV4 && len >= at + IPV4_HLEN)
        return memcmp(frame + at + IPV4_DST_AT, &o->addr, 4) == 0 ? WHOSE_OURS : WHOSE_KERNELS;
    if (type == ETHTYPE_ARP && len >= at + ARP_BYTES)
        return judge_arp(o, frame + at);
    return WHOSE_KERNELS;
}

/* ---- for the kernel's ---------------------------------------------------------------------- */

/* On the stack. */
enum { AT_ETH = -16, AT_BODY = -48 };
#define JUMPS_MAX 16u

/* Jumps to one end. */
struct way {
    unsigned n, jump[JUMPS_MAX];
};

static void goes(struct way *w, unsigned jump)
{
    MR_ASSERT(w->n < JUMPS_MAX);
    w->jump[w->n++] = jump;
}

static void way_ends(struct program *p, const struct way *w, int value)
{
    for (unsigned i = 0; i < w->n; i++)
        prog_lands(p, w->jump[i]);
    prog_return(p, value);
}

/* The kernel keeps the tag of a received frame beside it. */
static void ask_vlan(struct program *p, const struct ours *o, struct way *kernels)
{
    prog_mov(p, PROG_WORD, 0);
    prog_load_ctx(p, PROG_TMP, offsetof(struct __sk_buff, vlan_present));
    unsigned untagged = prog_jump_if(p, BPF_JEQ, PROG_TMP, 0);
    prog_load_ctx(p, PROG_WORD, offsetof(struct __sk_buff, vlan_tci));
    prog_alu(p, BPF_AND, PROG_WORD, VID_MASK);
    prog_lands(p, untagged);
    goes(kernels, prog_jump_if(p, BPF_JNE, PROG_WORD, o->vlan));
}

static void ask_station(struct program *p, const struct ours *o, struct way *kernels)
{
    prog_load(p, PROG_WORD, AT_ETH, 8);
    unsigned group = prog_jump_if(p, BPF_JSET, PROG_WORD, 1);
    prog_load(p, PROG_WORD, AT_ETH, 32);
    goes(kernels, prog_jump_if32(p, BPF_JNE, PROG_WORD, load_be32(o->mac.b)));
    prog_load(p, PROG_WORD, AT_ETH + 4, 16);
    goes(kernels, prog_jump_if(p, BPF_JNE, PROG_WORD, load_be16(o->mac.b + 4)));
    prog_lands(p, group);
}

static void ask_arp(struct program *p, const struct ours *o, struct way *kernels, struct way *both)
{
    const uint32_t addr = be32_get(o->addr);

    prog_load_bytes(p, AT_BODY, (int)ARP_BYTES);
    goes(kernels, prog_jump_if(p, BPF_JNE, BPF_REG_0, 0));
    prog_load(p, PROG_WORD, AT_BODY + OP_AT, 16);
    goes(both, prog_jump_if(p, BPF_JEQ, PROG_WORD, OP_REPLY));
    /* In words that are not aligned no register may be loaded at once. */
    prog_load(p, PROG_WORD, AT_BODY + SPA_AT, 16);
    prog_alu(p, BPF_LSH, PROG_WORD, 16);
    prog_load(p, PROG_SUM, AT_BODY + SPA_AT + 2, 16);
    prog_emit(p, BPF_ALU64 | BPF_OR | BPF_X, PROG_WORD, PROG_SUM, 0, 0);
    prog_load(p, PROG_TMP, AT_BODY + TPA_AT, 32);
    goes(both, prog_jump_if_reg(p, BPF_JEQ, PROG_WORD, PROG_TMP));
    goes(both, prog_jump_if32(p, BPF_JEQ, PROG_WORD, addr));
    goes(kernels, prog_jump_if32(p, BPF_JNE, PROG_TMP, addr));
}

static void write_everything(struct program *p, const int verdict[3])
{
    unsigned outgoing = prog_jump_if(p, BPF_JEQ, PROG_WORD, PACKET_OUTGOING);

    prog_return(p, verdict[WHOSE_OURS]);
    prog_lands(p, outgoing);
    prog_return(p, verdict[WHOSE_KERNELS]);
}

/* ours_judge, line by line. */
static void write_program(struct program *p, const struct ours *o, const int verdict[3])
{
    struct way kernels = {0}, both = {0}, mine = {0};

    prog_begin(p);
    prog_load_ctx(p, PROG_WORD, offsetof(struct __sk_buff, pkt_type));
    if (o->everything) {
        write_everything(p, verdict);
        return;
    }
    goes(&kernels, prog_jump_if(p, BPF_JEQ, PROG_WORD, PACKET_OUTGOING));
    ask_vlan(p, o, &kernels);
    prog_load_bytes(p, AT_ETH, ETH_HLEN);
    goes(&kernels, prog_jump_if(p, BPF_JNE, BPF_REG_0, 0));
    ask_station(p, o, &kernels);
    prog_mov(p, PROG_AT, ETH_HLEN);
    prog_load(p, PROG_SUM, AT_ETH + 12, 16);
    unsigned other = prog_jump_if(p, BPF_JNE, PROG_SUM, ETHTYPE_IPV4);
    prog_load_bytes(p, AT_BODY, IPV4_HLEN);
    goes(&kernels, prog_jump_if(p, BPF_JNE, BPF_REG_0, 0));
    prog_load(p, PROG_WORD, AT_BODY + IPV4_DST_AT, 32);
    goes(&mine, prog_jump_if32(p, BPF_JEQ, PROG_WORD, be32_get(o->addr)));
    prog_return(p, verdict[WHOSE_KERNELS]);
    prog_lands(p, other);
    goes(&kernels, prog_jump_if(p, BPF_JNE, PROG_SUM, ETHTYPE_ARP));
    ask_arp(p, o, &kernels, &both);
    way_ends(p, &mine, verdict[WHOSE_OURS]);
    way_ends(p, &both, verdict[WHOSE_BOTH]);
    way_ends(p, &kernels, verdict[WHOSE_KERNELS]);
}

int ours_filter(const struct ours *o)
{
    /* Bytes of the frame that the socket gets. */
    static const int verdict[] = {
        [WHOSE_KERNELS] = 0, [WHOSE_BOTH] = 0x7fffffff, [WHOSE_OURS] = 0x7fffffff};
    struct program p;

    write_program(&p, o, verdict);
    return os_bpf_load_filter(p.insn, p.n);
}

/* What a program at the ingress may answer, of Linux 6.6. */
#define TCX_GO_ON (-1)
#define TCX_DROPS 2

int ours_ingress(const struct ours *o, int ifindex)
{
    static const int verdict[] = {
        [WHOSE_KERNELS] = TCX_GO_ON, [WHOSE_BOTH] = TCX_GO_ON, [WHOSE_OURS] = TCX_DROPS};
    struct program p;

    write_program(&p, o, verdict);
    return os_bpf_ingress(ifindex, p.insn, p.n);
}
