/* What the manual fixes and QEMU 7.2 does otherwise, so that only Isomer runs it. */
#include "htif.h"

static u64 cell[4] = {1, 2, 3, 4};

static long ecall_s(u64 arg)
{
  (void)arg;
  return 7;
}

void test_main(void)
{
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
}
