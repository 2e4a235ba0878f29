/* Between the files of a simulated network. */
#pragma once

#include "sdn/world.h"

/* The first failure counts. */
void world_fail(struct world *w, const char *how, ...) __attribute__((format(printf, 2, 3)));
/* A host sends a numbered frame; its number. */
uint32_t world_ping(struct world *w, unsigned from, unsigned to);
uint32_t world_broadcast(struct world *w, unsigned from);
void world_run_until(struct world *w, uint64_t until);
/* draw.c */
void world_draw(struct world *w);
/* judge.c */
void world_judge(struct world *w);
