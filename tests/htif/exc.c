/* Synchronous exceptions: cause, mepc and mtval of each, from M, S and U, and
 * that nothing but the trap happens. Page faults are in the paging programs. */
#include "htif.h"

/* mtval of an illegal instruction is the instruction or zero (3.1.16). */
static int illegal_tval(u32 insn) { return trap.tval == 0 || trap.tval == insn; }

static long ecall_here(u64 arg) {
  (void)arg;
  return TRY("li a7, 0\n\tecall", "i"(0)) != NONE ? (long)trap.next : 0;
}

static long bad_here(u64 arg) {
  (void)arg;
  return TRY(".4byte 0xffffffff");
}

static long csr_m_here(u64 arg) {
  (void)arg;
  return TRY("csrr a5, mscratch");
}

static u64 cell[4] = {1, 2, 3, 4};

void test_main(void) {
  /* Illegal instructions. */
  EQ(TRY(".4byte 0xffffffff"), ILLEGAL);
  CHECK(EPC_IS(4) && illegal_tval(0xffffffff) && trap.level == M);
  EQ(TRY(".2byte 0"), ILLEGAL);
  CHECK(EPC_IS(2) && illegal_tval(0));
  EQ(TRY(".4byte 0x0000707f"), ILLEGAL); /* an unused opcode */
  CHECK(EPC_IS(4) && illegal_tval(0x707f));
  EQ(TRY(".4byte 0x00007003"), ILLEGAL); /* load, funct3 7 */
  EQ(TRY(".4byte 0x00004023"), ILLEGAL); /* store, funct3 4 */
  EQ(TRY(".4byte 0x00002063"), ILLEGAL); /* branch, funct3 2 */
  EQ(TRY(".4byte 0x00001067"), ILLEGAL); /* jalr, funct3 1 */
  EQ(TRY(".4byte 0x04000033"), ILLEGAL); /* op, funct7 2 */
  EQ(TRY(".4byte 0x0200101b"), ILLEGAL); /* slliw by 32 */
  EQ(TRY(".4byte 0x00004073"), ILLEGAL); /* system, funct3 4 */
  EQ(TRY(".4byte 0x30200173"), ILLEGAL); /* mret with rd */
  EQ(TRY("csrr a5, 0xfff"), ILLEGAL);
  CHECK(EPC_IS(4) && illegal_tval(0xfff027f3));
  /* An illegal CSR access leaves the destination alone. */
  u64 keep = 77;
  EQ(TRY_OUT("csrr %0, 0xfff", "+r"(keep)), ILLEGAL);
  EQ(keep, 77);

  /* Breakpoints: mtval is the instruction's address or zero. */
  EQ(TRY("ebreak"), BREAKPOINT);
  CHECK(EPC_IS(4) && (trap.tval == 0 || trap.tval == trap.epc));
  EQ(TRY(".2byte 0x9002"), BREAKPOINT);
  CHECK(EPC_IS(2) && (trap.tval == 0 || trap.tval == trap.epc));

  /* Environment calls. */
  register u64 a7 __asm__("a7") = 0;
  EQ(TRY("ecall", "r"(a7)), ECALL_M);
  CHECK(EPC_IS(4) && trap.tval == 0);
  CHECK((trap.status & MSTATUS_MPP) == MSTATUS_MPP);
  CHECK(run_in(S, ecall_here, 0) != 0);
  CHECK(trap.cause == ECALL_S && EPC_IS(4) && trap.tval == 0 && !trap.aborted);
  EQ(trap.status & MSTATUS_MPP, 1 << 11);
  CHECK(run_in(U, ecall_here, 0) != 0);
  CHECK(trap.cause == ECALL_U && EPC_IS(4) && trap.tval == 0 && !trap.aborted);
  EQ(trap.status & MSTATUS_MPP, 0);
  EQ(run_in(S, bad_here, 0), ILLEGAL);
  EQ(trap.status & MSTATUS_MPP, 1 << 11);
  EQ(run_in(U, bad_here, 0), ILLEGAL);
  EQ(trap.status & MSTATUS_MPP, 0);
  EQ(run_in(S, csr_m_here, 0), ILLEGAL);
  EQ(run_in(U, csr_m_here, 0), ILLEGAL);

  /* Access faults: nothing answers at HOLE. */
  u64 t = 99;
  EQ(TRY_OUT("ld %0, 8(%1)", "+r"(t), "r"(HOLE)), LOAD_ACCESS);
  CHECK(EPC_IS(4) && trap.tval == HOLE + 8);
  EQ(t, 99);
  EQ(TRY("lb a5, 3(%0)", "r"(HOLE)), LOAD_ACCESS);
  EQ(trap.tval, HOLE + 3);
  EQ(TRY("sd zero, 16(%0)", "r"(HOLE)), STORE_ACCESS);
  CHECK(EPC_IS(4) && trap.tval == HOLE + 16);
  EQ(TRY("lr.w a5, (%0)", "r"(HOLE)), LOAD_ACCESS);
  EQ(TRY("jalr a5, %0", "r"(HOLE)), FETCH_ACCESS);
  CHECK(trap.epc == HOLE && trap.tval == HOLE);
  run_pc(U, HOLE + 4, 0);
  CHECK(trap.aborted && trap.cause == FETCH_ACCESS && trap.epc == HOLE + 4 && trap.tval == HOLE + 4);

  /* Misaligned atomics (the cause of an AMO is in strict.c). Misaligned loads
   * and stores are done (misaligned.c). */
  u64 odd = (u64)cell + 4;
  CHECK(TRY("amoadd.d a5, zero, (%0)", "r"(odd)) != NONE);
  CHECK(EPC_IS(4) && trap.tval == odd);
  CHECK(TRY("amoswap.w a5, zero, (%0)", "r"(odd + 2)) != NONE);
  EQ(trap.tval, odd + 2);
  EQ(TRY("lr.d a5, (%0)", "r"(odd)), LOAD_MISALIGNED);
  EQ(trap.tval, odd);
  EQ(TRY("lr.w a5, (%0)", "r"(odd + 1)), LOAD_MISALIGNED);
  CHECK(cell[0] == 1 && cell[1] == 2);

  /* With C a jump target is never misaligned: jalr clears bit 0. */
  EQ(TRY("lla t4, 1f + 1\n\tjalr zero, t4\n\tebreak\n1:"), NONE);

  /* A trap clears MIE into MPIE. */
  csr_set(mstatus, MSTATUS_MIE);
  EQ(TRY("ebreak"), BREAKPOINT);
  CHECK((trap.status & (MSTATUS_MIE | MSTATUS_MPIE)) == MSTATUS_MPIE);
  CHECK(csr_read(mstatus) & MSTATUS_MIE);
  csr_clear(mstatus, MSTATUS_MIE);
  EQ(TRY("ebreak"), BREAKPOINT);
  EQ(trap.status & (MSTATUS_MIE | MSTATUS_MPIE), 0);
}
