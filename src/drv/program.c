#include "drv/program.h"

void prog_emit(struct program *p, unsigned code, unsigned dst, unsigned src, int off, int imm)
{
    MR_ASSERT(p->n < PROG_INSNS_MAX);
    p->insn[p->n++] = (struct bpf_insn){.code = (uint8_t)code,
                                        .dst_reg = (uint8_t)(dst & 15),
                                        .src_reg = (uint8_t)(src & 15),
                                        .off = (int16_t)off,
                                        .imm = imm};
}

void prog_mov(struct program *p, unsigned dst, int imm)
{
    prog_emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

void prog_mov_reg(struct program *p, unsigned dst, unsigned src)
{
    prog_emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void prog_begin(struct program *p)
{
    p->n = 0;
    prog_mov_reg(p, PROG_CTX, BPF_REG_1);
    prog_mov(p, PROG_AT, 0);
}

void prog_alu(struct program *p, unsigned op, unsigned dst, int imm)
{
    prog_emit(p, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void prog_alu32(struct program *p, unsigned op, unsigned dst, int imm)
{
    prog_emit(p, BPF_ALU | op | BPF_K, dst, 0, 0, imm);
}

void prog_load_ctx(struct program *p, unsigned dst, size_t field)
{
    prog_emit(p, BPF_LDX | BPF_MEM | BPF_W, dst, PROG_CTX, (int)field, 0);
}

void prog_load(struct program *p, unsigned dst, int at, unsigned bits)
{
    unsigned size = bits == 8 ? BPF_B : bits == 16 ? BPF_H : BPF_W;

    prog_emit(p, BPF_LDX | BPF_MEM | size, dst, BPF_REG_10, at, 0);
    if (bits > 8)
        prog_emit(p, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, (int)bits);
}

void prog_load_bytes(struct program *p, int to, int n)
{
    prog_mov_reg(p, BPF_REG_1, PROG_CTX);
    prog_mov_reg(p, BPF_REG_2, PROG_AT);
    prog_mov_reg(p, BPF_REG_3, BPF_REG_10);
    prog_alu(p, BPF_ADD, BPF_REG_3, to);
    prog_mov(p, BPF_REG_4, n);
    prog_emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
}

unsigned prog_jump_if(struct program *p, unsigned op, unsigned dst, int imm)
{
    prog_emit(p, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
    return p->n - 1;
}

unsigned prog_jump_if32(struct program *p, unsigned op, unsigned dst, uint32_t imm)
{
    prog_emit(p, BPF_JMP32 | op | BPF_K, dst, 0, 0, (int)imm);
    return p->n - 1;
}

unsigned prog_jump_if_reg(struct program *p, unsigned op, unsigned dst, unsigned src)
{
    prog_emit(p, BPF_JMP32 | op | BPF_X, dst, src, 0, 0);
    return p->n - 1;
}

void prog_lands(struct program *p, unsigned jump)
{
    p->insn[jump].off = (int16_t)(p->n - jump - 1);
}

void prog_return(struct program *p, int value)
{
    prog_mov(p, BPF_REG_0, value);
    prog_emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}
