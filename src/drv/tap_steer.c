/* drv/tap: the program by which the kernel chooses a queue for each frame, as nic/rss.h does. */
#define _GNU_SOURCE
#include "drv/tap_int.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "os/os.h"

/* ---- writing a program ------------------------------------------------------------------ */

#define INSNS_MAX 1024u
/* Addresses and ports are 96 bits, five instructions each; the rest is less than 100. */
_Static_assert(96 * 5 + 100 <= INSNS_MAX, "the program fits");

struct program {
    struct bpf_insn insn[INSNS_MAX];
    unsigned n;
};

/* What lives where.  A helper call destroys registers 1 to 5. */
enum { R_TMP = 2, R_WORD = 3, R_CTX = 6, R_HASH = 7, R_AT = 8 };
/* On the stack. */
enum { AT_ETH = -24, AT_IP = -48, AT_PORTS = -56, AT_KEY = -64 };
_Static_assert(AT_ETH + 18 <= 0 && AT_IP + 20 <= AT_ETH, "they do not overlap");

static void emit(struct program *p, unsigned code, unsigned dst, unsigned src, int off, int imm)
{
    MR_ASSERT(p->n < INSNS_MAX);
    p->insn[p->n++] = (struct bpf_insn){.code = (uint8_t)code,
                                        .dst_reg = (uint8_t)(dst & 15),
                                        .src_reg = (uint8_t)(src & 15),
                                        .off = (int16_t)off,
                                        .imm = imm};
}

static void mov(struct program *p, unsigned dst, int imm)
{
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void mov_reg(struct program *p, unsigned dst, unsigned src)
{
    emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void alu(struct program *p, unsigned op, unsigned dst, int imm)
{
    emit(p, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

static void alu32(struct program *p, unsigned op, unsigned dst, int imm)
{
    emit(p, BPF_ALU | op | BPF_K, dst, 0, 0, imm);
}

/* A number in network order from the stack. */
static void load(struct program *p, unsigned dst, int at, unsigned bits)
{
    unsigned size = bits == 8 ? BPF_B : bits == 16 ? BPF_H : BPF_W;

    emit(p, BPF_LDX | BPF_MEM | size, dst, BPF_REG_10, at, 0);
    if (bits > 8)
        emit(p, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, (int)bits);
}

/* A jump whose end is given later, by lands. */
static unsigned jump_if(struct program *p, unsigned op, unsigned dst, int imm)
{
    emit(p, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
    return p->n - 1;
}

static void lands(struct program *p, unsigned jump)
{
    p->insn[jump].off = (int16_t)(p->n - jump - 1);
}

/* Copy n bytes of the frame at R_AT to the stack; register 0 is not 0 if they are not there. */
static void load_bytes(struct program *p, int to, int n)
{
    mov_reg(p, BPF_REG_1, R_CTX);
    mov_reg(p, BPF_REG_2, R_AT);
    mov_reg(p, BPF_REG_3, BPF_REG_10);
    alu(p, BPF_ADD, BPF_REG_3, to);
    mov(p, BPF_REG_4, n);
    emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
}

/* The 32 bits of the key from bit i on: what bit i of the input contributes. */
static uint32_t window(const struct rss *r, unsigned i)
{
    return r->part[i / 8][0x80 >> i % 8];
}

/* R_HASH ^= what 32 bits on the stack contribute, which are the input from bit `bit` on.  A bit is
 * multiplied with its window: the verifier would follow both sides of a branch, and Linux
 * 6.18 does the same for a mask made of a sign bit, until it has enough of it (E2BIG). */
static void hash_word(struct program *p, const struct rss *r, int at, unsigned bit)
{
    load(p, R_WORD, at, 32);
    for (unsigned i = 0; i < 32; i++) {
        emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TMP, R_WORD, 0, 0);
        if (i < 31)
            alu32(p, BPF_RSH, R_TMP, (int)(31 - i));
        alu32(p, BPF_AND, R_TMP, 1);
        alu32(p, BPF_MUL, R_TMP, (int)window(r, bit + i));
        emit(p, BPF_ALU | BPF_XOR | BPF_X, R_HASH, R_TMP, 0, 0);
    }
}

static void load_map(struct program *p, unsigned dst, int map)
{
    emit(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map);
    emit(p, 0, 0, 0, 0, 0);
}

/* The table's entry for R_HASH; it is the program's result. */
static void queue_of_hash(struct program *p, const struct rss *r, int map)
{
    alu32(p, BPF_AND, R_HASH, (int)r->mask);
    emit(p, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, R_HASH, AT_KEY, 0);
    load_map(p, BPF_REG_1, map);
    mov_reg(p, BPF_REG_2, BPF_REG_10);
    alu(p, BPF_ADD, BPF_REG_2, AT_KEY);
    emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
    unsigned none = jump_if(p, BPF_JEQ, BPF_REG_0, 0);
    emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_0, 0, 0);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    lands(p, none);
}

/* Line by line what rss_frame_hash does.  The frame begins with its Ethernet header; a VLAN tag
 * that the kernel keeps beside the frame is not in it. */
static void write_program(struct program *p, const struct rss *r, int map)
{
    unsigned none[3], pair[3];

    mov_reg(p, R_CTX, BPF_REG_1);
    mov(p, R_AT, 0);
    load_bytes(p, AT_ETH, 18);
    none[0] = jump_if(p, BPF_JNE, BPF_REG_0, 0);
    mov(p, R_AT, 14);
    load(p, R_WORD, AT_ETH + 12, 16);
    unsigned untagged = jump_if(p, BPF_JNE, R_WORD, ETHTYPE_VLAN);
    mov(p, R_AT, 18);
    load(p, R_WORD, AT_ETH + 16, 16);
    lands(p, untagged);
    none[1] = jump_if(p, BPF_JNE, R_WORD, ETHTYPE_IPV4);
    load_bytes(p, AT_IP, IPV4_HLEN);
    none[2] = jump_if(p, BPF_JNE, BPF_REG_0, 0);
    mov(p, R_HASH, 0);
    hash_word(p, r, AT_IP + 12, 0);
    hash_word(p, r, AT_IP + 16, 32);

    load(p, R_WORD, AT_IP + 6, 16); /* more fragments, or an offset */
    pair[0] = jump_if(p, BPF_JSET, R_WORD, 0x3fff);
    load(p, R_WORD, AT_IP + 9, 8);
    unsigned tcp = jump_if(p, BPF_JEQ, R_WORD, IPPROTO_TCP_);
    pair[1] = jump_if(p, BPF_JNE, R_WORD, IPPROTO_UDP_);
    lands(p, tcp);
    load(p, R_WORD, AT_IP, 8);
    alu(p, BPF_AND, R_WORD, 15);
    alu(p, BPF_LSH, R_WORD, 2);
    emit(p, BPF_ALU64 | BPF_ADD | BPF_X, R_AT, R_WORD, 0, 0);
    load_bytes(p, AT_PORTS, 4);
    pair[2] = jump_if(p, BPF_JNE, BPF_REG_0, 0);
    hash_word(p, r, AT_PORTS, 64);
    for (unsigned i = 0; i < 3; i++)
        lands(p, pair[i]);
    queue_of_hash(p, r, map);

    for (unsigned i = 0; i < 3; i++)
        lands(p, none[i]);
    mov(p, BPF_REG_0, 0);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* ---- the device --------------------------------------------------------------------------- */

static int set_table(int map, const struct rss *r)
{
    int rc = 0;

    for (uint32_t i = 0; i <= r->mask && rc == 0; i++)
        rc = os_bpf_array_set(map, i, r->table[i]);
    return rc;
}

/* fd: of any queue.  The device keeps the program after we have closed ours. */
static int set_program(int fd, int map, const struct rss *r)
{
    struct program p;

    p.n = 0;
    write_program(&p, r, map);
    int prog = os_bpf_load_filter(p.insn, p.n);
    if (prog < 0)
        return prog;
    int rc = ioctl(fd, TUNSETSTEERINGEBPF, &prog) < 0 ? -errno : 0;
    os_close(prog);
    return rc;
}

int tap_steer_start(int fd, const struct rss *r, int *map)
{
    int rc;

    *map = os_bpf_array(r->mask + 1);
    if (*map < 0)
        return *map;
    rc = set_table(*map, r);
    if (rc == 0)
        rc = set_program(fd, *map, r);
    if (rc < 0) {
        os_close(*map);
        *map = -1;
    }
    return rc;
}

int tap_steer_change(int fd, int map, const struct rss *was, const struct rss *r)
{
    int rc = 0;

    if (was->mask != r->mask)
        return -EINVAL;
    if (memcmp(was->key, r->key, sizeof(r->key)) != 0)
        rc = set_program(fd, map, r);
    return rc < 0 ? rc : set_table(map, r);
}

void tap_steer_clear(int fd)
{
    int none = -1;

    ioctl(fd, TUNSETSTEERINGEBPF, &none);
}
