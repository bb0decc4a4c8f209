/* What the manual fixes and QEMU 7.2 does otherwise, so that only Isomer runs it. */
#include "htif.h"

static u64 cell[4] = {1, 2, 3, 4};

static long ecall_s(u64 arg) {
  (void)arg;
  return 7;
}

/* Goes on in S; run_in's stub then returns from there. */
static long sret_from_m(u64 a) {
  (void)a;
  __asm__ volatile("lla t0, 1f\n\tcsrw sepc, t0\n\tsret\n\tebreak\n1:" ::: "t0", "memory");
  return 7;
}

void test_main(void) {
  /* An AMO that faults or is misaligned reports a store (QEMU: a load). */
  u64 odd = (u64)cell + 4;
  EQ(TRY("amoadd.d a5, zero, (%0)", "r"(odd)), STORE_MISALIGNED);
  CHECK(EPC_IS(4) && trap.tval == odd);
  EQ(TRY("amoswap.w a5, zero, (%0)", "r"(odd + 2)), STORE_MISALIGNED);
  EQ(trap.tval, odd + 2);
  EQ(TRY("amoadd.w a5, zero, (%0)", "r"(HOLE)), STORE_ACCESS);
  EQ(trap.tval, HOLE);

  /* A misaligned SC traps whether or not there is a reservation (QEMU: fails). */
  EQ(TRY("lr.d a5, (%0)\n\tsc.d a5, zero, (%1)", "r"(cell), "r"(odd)), STORE_MISALIGNED);
  CHECK(EPC_IS(4) && trap.tval == odd);
  EQ(TRY("sc.w a5, zero, (%0)", "r"(odd + 1)), STORE_MISALIGNED);
  CHECK(cell[0] == 1 && cell[1] == 2 && cell[2] == 3);

  /* With no PMP entry on, S and U may do nothing (QEMU: mret itself is illegal). */
  csr_write(pmpcfg0, 0);
  run_in(S, ecall_s, 0);
  CHECK(trap.aborted && trap.cause == FETCH_ACCESS && trap.epc == (u64)ecall_s && trap.tval == (u64)ecall_s);
  csr_write(pmpcfg0, 0x1f);
  EQ(run_in(S, ecall_s, 0), 7);

  /* An ecall from M cannot be delegated: medeleg[11] is zero (QEMU: writable). */
  EQ(csr_warl(medeleg, -1ull) & (1 << 10 | 1 << ECALL_M | 1 << 14), 0);
  csr_write(medeleg, 0);

  /* A return to less than M clears MPRV (QEMU: since 8.0). */
  csr_set(mstatus, MSTATUS_MPRV | MSTATUS_MPP);
  EQ(run_in(S, ecall_s, 0), 7);
  EQ(csr_read(mstatus) & MSTATUS_MPRV, 0);
  set_mpp(M);
  csr_set(mstatus, MSTATUS_MPRV);
  EQ(run_in(U, ecall_s, 0), 7);
  EQ(csr_read(mstatus) & MSTATUS_MPRV, 0);
  set_mpp(M);
  csr_set(mstatus, MSTATUS_MPRV | MSTATUS_SPP);
  EQ(run_in(M, sret_from_m, 0), 7);
  EQ(csr_read(mstatus) & MSTATUS_MPRV, 0);

  /* mcountinhibit has no bit for time (QEMU: it does). */
  EQ(csr_warl(mcountinhibit, 7) & 7, 5);
  csr_write(mcountinhibit, 0);

  /* A zero in a register is still a write to a read-only CSR (QEMU: it is not). */
  EQ(TRY("li t4, 0\n\tcsrrs a5, mhartid, t4"), ILLEGAL);
  EQ(TRY("li t4, 0\n\tcsrrc a5, mhartid, t4"), ILLEGAL);

  /* mepc and sepc: bit 0 is always zero, the rest is kept (QEMU: keeps it). */
  EQ(csr_warl(mepc, 0x80001235), 0x80001234);
  EQ(csr_warl(mepc, 0x80001236), 0x80001236);
  EQ(csr_warl(sepc, 0x80001235), 0x80001234);
  EQ(csr_warl(sepc, 0x80001236), 0x80001236);

  /* The counter enables have 32 bits (QEMU: 64). */
  EQ(csr_warl(mcounteren, -1ull) >> 32, 0);
  EQ(csr_warl(scounteren, -1ull) >> 32, 0);

  /* pmpaddr has 54 bits (QEMU: 64). */
  EQ(csr_warl(pmpaddr3, -1ull), (1ull << 54) - 1);
  csr_write(pmpaddr3, 0);

  /* menvcfg.CBIE never holds 2 (QEMU 10: it does; 7.2 has no such field). */
  csr_write(0x30a, 2 << 4);
  CHECK((csr_read(0x30a) & 3 << 4) != 2 << 4);
  csr_write(0x30a, 0);

  /* ctzw looks at the low word only (QEMU: finds bit 63). */
  u64 n;
  __asm__ volatile("ctzw %0, %1" : "=r"(n) : "r"(1ull << 63));
  EQ(n, 32);
  __asm__ volatile("ctzw %0, %1" : "=r"(n) : "r"(1ull << 40));
  EQ(n, 32);

  /* All 29 event counters exist (QEMU: 16). */
  EQ(TRY("csrr a5, mhpmcounter31"), NONE);
  EQ(TRY("csrr a5, mhpmevent31"), NONE);

  /* MPP never holds 2 (QEMU: it does). */
  set_mpp(U);
  csr_set(mstatus, 2 << 11);
  CHECK((csr_read(mstatus) & MSTATUS_MPP) != 2 << 11);
  set_mpp(U);

  /* Flags raised without an FP register being written dirty FS (QEMU: no). */
  csr_set(mstatus, MSTATUS_FS);
  __asm__ volatile("fmv.d.x fa0, %0\n\tfmv.d.x fa1, zero" ::"r"(0x7ff0000000000001));
  csr_write(fflags, 0);
  csr_clear(mstatus, 1 << 13); /* clean */
  EQ(TRY("feq.d a5, fa0, fa1"), NONE);
  EQ(csr_read(mstatus) >> 13 & 3, 3);
  EQ(csr_read(fflags), 16);
}
