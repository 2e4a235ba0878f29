#include "drv/steer.h"

#include "drv/program.h"
#include "os/os.h"

/* Addresses and ports are 96 bits, five instructions each; the rest is less than 100. */
_Static_assert(96 * 5 + 100 <= PROG_INSNS_MAX, "the program fits");

/* On the stack. */
enum { AT_ETH = -24, AT_IP = -48, AT_PORTS = -56, AT_KEY = -64 };
_Static_assert(AT_ETH + 18 <= 0 && AT_IP + 20 <= AT_ETH, "they do not overlap");

/* The 32 bits of the key from bit i on: what bit i of the input contributes. */
static uint32_t window(const struct rss *r, unsigned i)
{
    return r->part[i / 8][0x80 >> i % 8];
}

/* PROG_SUM ^= what 32 bits on the stack contribute, which are the input from bit `bit` on.  A bit
 * is multiplied with its window: the verifier would follow both sides of a branch, and Linux
 * 6.18 does the same for a mask made of a sign bit, until it has enough of it (E2BIG). */
static void hash_word(struct program *p, const struct rss *r, int at, unsigned bit)
{
    prog_load(p, PROG_WORD, at, 32);
    for (unsigned i = 0; i < 32; i++) {
        prog_emit(p, BPF_ALU | BPF_MOV | BPF_X, PROG_TMP, PROG_WORD, 0, 0);
        if (i < 31)
            prog_alu32(p, BPF_RSH, PROG_TMP, (int)(31 - i));
        prog_alu32(p, BPF_AND, PROG_TMP, 1);
        prog_alu32(p, BPF_MUL, PROG_TMP, (int)window(r, bit + i));
        prog_emit(p, BPF_ALU | BPF_XOR | BPF_X, PROG_SUM, PROG_TMP, 0, 0);
    }
}

static void load_map(struct program *p, unsigned dst, int map)
{
    prog_emit(p, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, map);
    prog_emit(p, 0, 0, 0, 0, 0);
}

/* The table's entry for PROG_SUM; it is the program's result. */
static void queue_of_hash(struct program *p, const struct rss *r, int map)
{
    prog_alu32(p, BPF_AND, PROG_SUM, (int)r->mask);
    prog_emit(p, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, PROG_SUM, AT_KEY, 0);
    load_map(p, BPF_REG_1, map);
    prog_mov_reg(p, BPF_REG_2, BPF_REG_10);
    prog_alu(p, BPF_ADD, BPF_REG_2, AT_KEY);
    prog_emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
    unsigned none = prog_jump_if(p, BPF_JEQ, BPF_REG_0, 0);
    prog_emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_0, 0, 0);
    prog_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    prog_lands(p, none);
}

/* The Ethernet header and one VLAN tag are in front, but for a tag that the kernel keeps beside the
 * frame.  To jump where there is no hash: two. */
static void skip_ethernet(struct program *p, unsigned none[2])
{
    prog_load_bytes(p, AT_ETH, 18);
    none[0] = prog_jump_if(p, BPF_JNE, BPF_REG_0, 0);
    prog_mov(p, PROG_AT, 14);
    prog_load(p, PROG_WORD, AT_ETH + 12, 16);
    unsigned untagged = prog_jump_if(p, BPF_JNE, PROG_WORD, ETHTYPE_VLAN);
    prog_mov(p, PROG_AT, 18);
    prog_load(p, PROG_WORD, AT_ETH + 16, 16);
    prog_lands(p, untagged);
    none[1] = prog_jump_if(p, BPF_JNE, PROG_WORD, ETHTYPE_IPV4);
}

/* The kernel has taken the Ethernet header off and keeps one VLAN tag beside the frame. */
static void ask_protocol(struct program *p, unsigned none[2])
{
    prog_load_ctx(p, PROG_WORD, offsetof(struct __sk_buff, protocol));
    for (unsigned i = 0; i < 2; i++)
        none[i] = prog_jump_if(p, BPF_JNE, PROG_WORD, be16_of(ETHTYPE_IPV4).raw);
}

/* Line by line what rss_frame_hash does. */
static void write_program(struct program *p, const struct rss *r, int map, enum steer_start start)
{
    unsigned none[3], pair[3];

    prog_begin(p);
    if (start == STEER_AT_ETHERNET)
        skip_ethernet(p, none);
    else
        ask_protocol(p, none);
    prog_load_bytes(p, AT_IP, IPV4_HLEN);
    none[2] = prog_jump_if(p, BPF_JNE, BPF_REG_0, 0);
    prog_mov(p, PROG_SUM, 0);
    hash_word(p, r, AT_IP + 12, 0);
    hash_word(p, r, AT_IP + 16, 32);

    prog_load(p, PROG_WORD, AT_IP + 6, 16); /* more fragments, or an offset */
    pair[0] = prog_jump_if(p, BPF_JSET, PROG_WORD, 0x3fff);
    prog_load(p, PROG_WORD, AT_IP + 9, 8);
    unsigned tcp = prog_jump_if(p, BPF_JEQ, PROG_WORD, IPPROTO_TCP_);
    pair[1] = prog_jump_if(p, BPF_JNE, PROG_WORD, IPPROTO_UDP_);
    prog_lands(p, tcp);
    prog_load(p, PROG_WORD, AT_IP, 8);
    prog_alu(p, BPF_AND, PROG_WORD, 15);
    prog_alu(p, BPF_LSH, PROG_WORD, 2);
    prog_emit(p, BPF_ALU64 | BPF_ADD | BPF_X, PROG_AT, PROG_WORD, 0, 0);
    prog_load_bytes(p, AT_PORTS, 4);
    pair[2] = prog_jump_if(p, BPF_JNE, BPF_REG_0, 0);
    hash_word(p, r, AT_PORTS, 64);
    for (unsigned i = 0; i < 3; i++)
        prog_lands(p, pair[i]);
    queue_of_hash(p, r, map);

    for (unsigned i = 0; i < 3; i++)
        prog_lands(p, none[i]);
    prog_return(p, 0);
}

int steer_set_table(int map, const struct rss *r)
{
    int rc = 0;

    for (uint32_t i = 0; i <= r->mask && rc == 0; i++)
        rc = os_bpf_array_set(map, i, r->table[i]);
    return rc;
}

int steer_table(const struct rss *r)
{
    int map = os_bpf_array(r->mask + 1);
    int rc = map < 0 ? map : steer_set_table(map, r);

    if (rc < 0) {
        os_close(map);
        return rc;
    }
    return map;
}

int steer_program(const struct rss *r, int map, enum steer_start start)
{
    struct program p;

    write_program(&p, r, map, start);
    return os_bpf_load_filter(p.insn, p.n);
}
