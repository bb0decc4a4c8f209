/* mstatus' switches without paging: TW, TVM, TSR, MPRV over PMP, WARL bits and
 * the sstatus view. SUM and MXR are in the paging programs, FS in fs.c. */
#include "htif.h"

static long try_satp_read(u64 a) {
  (void)a;
  return TRY("csrr a5, satp");
}
static long try_satp_write(u64 a) { return TRY("csrw satp, %0", "r"(a)); }
static long try_sfence(u64 a) {
  (void)a;
  return TRY("sfence.vma");
}
static long try_wfi(u64 a) {
  (void)a;
  return TRY("wfi");
}
static long sstatus_write(u64 v) {
  csr_write(sstatus, v);
  return (long)csr_read(sstatus);
}
static long try_sret(u64 a) {
  (void)a;
  return TRY("sret");
}

static u64 cell = 0x1122334455667788;

/* A load in M with MPRV and the given MPP. */
static long mprv_load(int mpp) {
  long c;
  set_mpp(mpp);
  trap.cause = NONE;
  __asm__ volatile(
      "lla t5, 1f\n\tli t6, 0x7e57\n\tcsrs mstatus, %1\n\tlwu %0, (%2)\n1:\n\tcsrc mstatus, %1\n\tli t6, 0"
      : "=&r"(c)
      : "r"(MSTATUS_MPRV), "r"(&cell)
      : "t5", "t6", "memory");
  return trap.cause;
}

void test_main(void) {
  /* TVM: satp and sfence.vma in S. */
  EQ(run_in(S, try_satp_read, 0), NONE);
  EQ(run_in(S, try_satp_write, 0), NONE);
  EQ(run_in(S, try_sfence, 0), NONE);
  csr_set(mstatus, MSTATUS_TVM);
  EQ(run_in(S, try_satp_read, 0), ILLEGAL);
  EQ(run_in(S, try_satp_write, 0), ILLEGAL);
  EQ(run_in(S, try_sfence, 0), ILLEGAL);
  EQ(try_satp_read(0), NONE); /* M is not bound by it */
  EQ(try_sfence(0), NONE);
  csr_clear(mstatus, MSTATUS_TVM);
  EQ(run_in(U, try_satp_read, 0), ILLEGAL);
  EQ(run_in(U, try_sfence, 0), ILLEGAL);

  /* TW: wfi in S. An interrupt is pending and masked, so wfi itself ends. */
  csr_write(mie, 1 << SSI);
  csr_write(mip, 1 << SSI);
  csr_write(mideleg, 1 << SSI);
  EQ(run_in(S, try_wfi, 0), NONE);
  EQ(try_wfi(0), NONE);
  csr_set(mstatus, MSTATUS_TW);
  EQ(run_in(S, try_wfi, 0), ILLEGAL);
  EQ(try_wfi(0), NONE);
  csr_clear(mstatus, MSTATUS_TW);
  csr_write(mie, 0);
  csr_write(mip, 0);
  csr_write(mideleg, 0);

  /* TSR. */
  csr_set(mstatus, MSTATUS_TSR);
  EQ(run_in(S, try_sret, 0), ILLEGAL);
  csr_clear(mstatus, MSTATUS_TSR);

  /* MPRV: PMP refuses S and U what M may do. Entry 0 covers the cell, entry 1 the rest. */
  csr_write(pmpaddr1, -1ull);
  csr_write(pmpaddr0, (u64)&cell >> 2);
  csr_write(pmpcfg0, 0x1f << 8 | 0x10); /* NA4, nothing allowed */
  EQ(mprv_load(M), NONE);
  EQ(mprv_load(S), LOAD_ACCESS);
  EQ(trap.tval, &cell);
  EQ(mprv_load(U), LOAD_ACCESS);
  EQ(mprv_load(M), NONE);
  csr_write(pmpcfg0, 0x1f << 8);
  EQ(mprv_load(S), NONE);
  EQ(mprv_load(U), NONE);
  csr_write(pmpaddr0, -1ull);
  csr_write(pmpcfg0, 0x1f);

  /* The switches are plain bits. */
  u64 bits = MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;
  set_mpp(M);
  csr_set(mstatus, bits);
  EQ(csr_read(mstatus) & bits, bits);
  csr_clear(mstatus, bits);
  EQ(csr_read(mstatus) & bits, 0);

  /* UXL and SXL say 64; XS and the unused bits are zero. */
  EQ(csr_read(mstatus) >> 32 & 15, 10);
  csr_clear(mstatus, 15ull << 32);
  CHECK((csr_read(mstatus) >> 34 & 3) == 2);
  EQ(csr_read(mstatus) >> 15 & 3, 0);

  /* sstatus shows and writes only S's part. */
  csr_clear(mstatus, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS);
  u64 before = csr_read(mstatus);
  u64 v = (u64)run_in(S, sstatus_write, -1ull & ~MSTATUS_SIE);
  EQ(v & (MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPIE | MSTATUS_SPP),
     MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPIE | MSTATUS_SPP);
  EQ(v & (MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR |
          3ull << 34),
     0);
  u64 mine = MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;
  EQ(csr_read(mstatus) & mine, before & mine);
  v = (u64)run_in(S, sstatus_write, 0);
  EQ(v & (MSTATUS_SUM | MSTATUS_MXR | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS), 0);
}
