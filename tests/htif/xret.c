/* mret and sret: the privilege stack, what each needs, and every transition
 * between the three privileges. */
#include "htif.h"

enum { BITS_M = MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP, BITS_S = MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP };

/* Sets mstatus bits, executes mret to the next line, returns mstatus after it. */
static u64 mret_with(u64 bits) {
  csr_clear(mstatus, BITS_M);
  csr_set(mstatus, bits);
  __asm__ volatile("lla t0, 1f\n\tcsrw mepc, t0\n\tmret\n\tebreak\n1:" ::: "t0", "memory");
  return csr_read(mstatus);
}

static long sret_with(u64 bits) {
  csr_clear(sstatus, BITS_S);
  csr_set(sstatus, bits);
  __asm__ volatile("lla t0, 1f\n\tcsrw sepc, t0\n\tsret\n\tebreak\n1:" ::: "t0", "memory");
  return (long)csr_read(sstatus);
}

/* In S: goes on in U, which ends with an ecall that M records. */
static long sret_to_u(u64 bits) {
  csr_clear(sstatus, BITS_S);
  csr_set(sstatus, bits);
  __asm__ volatile("lla t0, 1f\n\tcsrw sepc, t0\n\tsret\n\tebreak\n1:" ::: "t0", "memory");
  return TRY("csrr a5, sscratch");
}

static long try_mret(u64 arg) {
  (void)arg;
  return TRY("mret");
}
static long try_sret(u64 arg) {
  (void)arg;
  return TRY("sret");
}

/* Which privilege is this? By what is allowed. */
static long where(u64 arg) {
  (void)arg;
  if (TRY("csrr a5, mscratch") == NONE) return M;
  return TRY("csrr a5, sscratch") == NONE ? S : U;
}

/* In M: sret to where(), which returns to run_in's stub in its own privilege. */
static long sret_from_m(u64 spp) {
  csr_clear(mstatus, MSTATUS_SPP);
  csr_set(mstatus, spp);
  __asm__ volatile("lla t0, 1f\n\tcsrw sepc, t0\n\tsret\n\tebreak\n1:" ::: "t0", "memory");
  return where(0);
}

static long ecall_level(u64 arg) {
  register u64 a7 __asm__("a7") = arg;
  return TRY("ecall", "r"(a7));
}

void test_main(void) {
  u64 s;
  /* mret to M: MIE = MPIE, MPIE = 1, MPP = U. */
  s = mret_with(MSTATUS_MPP | MSTATUS_MPIE);
  EQ(s & BITS_M, MSTATUS_MIE | MSTATUS_MPIE);
  s = mret_with(MSTATUS_MPP | MSTATUS_MIE);
  EQ(s & BITS_M, MSTATUS_MPIE);
  csr_clear(mstatus, BITS_M);

  /* MPP holds 0, 1 and 3; 2 is not a privilege. */
  set_mpp(S);
  EQ(csr_read(mstatus) & MSTATUS_MPP, 1 << 11);
  set_mpp(M);
  EQ(csr_read(mstatus) & MSTATUS_MPP, 3 << 11);
  set_mpp(U);
  EQ(csr_read(mstatus) & MSTATUS_MPP, 0);

  /* Transitions down and back by ecall. */
  EQ(run_in(M, where, 0), M);
  EQ(run_in(S, where, 0), S);
  EQ(run_in(U, where, 0), U);
  EQ(run_in(M, ecall_level, 0), ECALL_M);
  EQ(run_in(S, ecall_level, 0), ECALL_S);
  EQ(run_in(U, ecall_level, 0), ECALL_U);
  csr_write(medeleg, 1 << ECALL_U | 1 << ECALL_S | 1 << ILLEGAL);
  EQ(run_in(U, ecall_level, 0), ECALL_U); /* U -> S -> U */
  EQ(trap.level, S);
  EQ(run_in(S, ecall_level, 0), ECALL_S); /* S -> S */
  EQ(trap.level, S);
  EQ(run_in(U, where, 0), U);
  EQ(run_in(S, where, 0), S);
  csr_write(medeleg, 0);

  /* sret in S: SIE = SPIE, SPIE = 1, SPP = U. */
  EQ((u64)run_in(S, sret_with, MSTATUS_SPP | MSTATUS_SPIE) & BITS_S, MSTATUS_SIE | MSTATUS_SPIE);
  EQ((u64)run_in(S, sret_with, MSTATUS_SPP | MSTATUS_SIE) & BITS_S, MSTATUS_SPIE);
  EQ(run_in(S, sret_to_u, MSTATUS_SPIE), ILLEGAL);
  EQ(trap.status & MSTATUS_MPP, 0);
  EQ(csr_read(mstatus) & BITS_S, MSTATUS_SIE | MSTATUS_SPIE);
  csr_clear(mstatus, BITS_S);

  /* sret in M goes where SPP says. */
  EQ(run_in(M, sret_from_m, MSTATUS_SPP), S);
  EQ(csr_read(mstatus) & (MSTATUS_SPP), 0);
  EQ(run_in(M, sret_from_m, 0), U);
  EQ(csr_read(mstatus) & (MSTATUS_SPP), 0);

  /* Return instructions above one's privilege. */
  EQ(run_in(S, try_mret, 0), ILLEGAL);
  EQ(run_in(U, try_mret, 0), ILLEGAL);
  EQ(run_in(U, try_sret, 0), ILLEGAL);
  csr_set(mstatus, MSTATUS_TSR);
  EQ(run_in(S, try_sret, 0), ILLEGAL);
  EQ(EPC_IS(4), 1);
  EQ(run_in(M, sret_from_m, MSTATUS_SPP), S); /* TSR does not bind M */
  csr_clear(mstatus, MSTATUS_TSR);
}
