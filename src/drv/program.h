/* drv/program, private: writing small programs for the kernel's virtual machine (BPF).
 *
 * PROG_CTX holds the context from prog_begin on; PROG_AT is where prog_load_bytes
 * reads.  A call destroys registers 0 to 5. */
#pragma once

#include <linux/bpf.h>

#include "base/types.h"

#define PROG_INSNS_MAX 1024u

struct program {
    struct bpf_insn insn[PROG_INSNS_MAX];
    unsigned n;
};

enum { PROG_TMP = 2, PROG_WORD = 3, PROG_CTX = 6, PROG_SUM = 7, PROG_AT = 8 };

void prog_begin(struct program *p);
void prog_emit(struct program *p, unsigned code, unsigned dst, unsigned src, int off, int imm);
void prog_mov(struct program *p, unsigned dst, int imm);
void prog_mov_reg(struct program *p, unsigned dst, unsigned src);
void prog_alu(struct program *p, unsigned op, unsigned dst, int imm);
void prog_alu32(struct program *p, unsigned op, unsigned dst, int imm);
/* A field of struct __sk_buff. */
void prog_load_ctx(struct program *p, unsigned dst, size_t field);
/* A number in network order from the stack. */
void prog_load(struct program *p, unsigned dst, int at, unsigned bits);
/* Copy n bytes of the frame, from PROG_AT on, to the stack; register 0 is not 0 if they are not
 * there. */
void prog_load_bytes(struct program *p, int to, int n);
/* A jump whose end is given later, by prog_lands. */
unsigned prog_jump_if(struct program *p, unsigned op, unsigned dst, int imm);
/* Compared are 32 bits. */
unsigned prog_jump_if32(struct program *p, unsigned op, unsigned dst, uint32_t imm);
unsigned prog_jump_if_reg(struct program *p, unsigned op, unsigned dst, unsigned src);
void prog_lands(struct program *p, unsigned jump);
void prog_return(struct program *p, int value);
