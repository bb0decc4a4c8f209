/* Floating point on all lanes of a vector where the host's units do not do it as the guest wants: software, out of line. */
#include "hostcg/cg_int.h"

void write_packed(struct cg *g, uint32_t op, unsigned nargs, const uint8_t reg[3], unsigned dest) {
  g->p = cg_store_k64(g->p, CG_STACK, CG_FRAME_SOFT, op);
  for (unsigned n = 0; n < nargs; n++) store_reg(g, reg[n], CG_STACK, CG_FRAME_PACKED + 16 * (int32_t)n, 16);
  g->p = call_to(g->p, g->c.common->packed);
  load_reg(g, dest, CG_STACK, CG_FRAME_PACKED, 16);
}
