/* mstatus.FS: off makes every FP instruction and CSR illegal, a write makes it
 * dirty, SD follows; and the aliasing of fcsr, frm and fflags. */
#include "htif.h"

static u64 fs(void) { return csr_read(mstatus) >> 13 & 3; }
static void set_fs(u64 v) {
  csr_clear(mstatus, MSTATUS_FS);
  csr_set(mstatus, v << 13);
}
static u64 cell[2] __attribute__((aligned(16)));

static long fadd_here(u64 a) {
  (void)a;
  return TRY("fadd.d fa0, fa1, fa2");
}

/* One instruction of each FP group, given FS = off. */
#define ILL(text) EQ(TRY(text, "r"(cell)), ILLEGAL)

void test_main(void) {
  set_fs(0);
  EQ(fs(), 0);
  EQ(csr_read(mstatus) & MSTATUS_SD, 0);
  ILL("flw fa0, 0(%0)");
  ILL("fld fa0, 0(%0)");
  ILL("fsw fa0, 0(%0)");
  ILL("fsd fa0, 0(%0)");
  ILL("fadd.s fa0, fa0, fa0");
  ILL("fmul.d fa0, fa0, fa0");
  ILL("fdiv.s fa0, fa0, fa0");
  ILL("fsqrt.d fa0, fa0");
  ILL("fmadd.s fa0, fa0, fa0, fa0");
  ILL("fsgnj.d fa0, fa0, fa0");
  ILL("fmin.s fa0, fa0, fa0");
  ILL("feq.d a5, fa0, fa0");
  ILL("fclass.s a5, fa0");
  ILL("fcvt.w.d a5, fa0");
  ILL("fcvt.s.l fa0, a5");
  ILL("fcvt.d.s fa0, fa0");
  ILL("fmv.x.w a5, fa0");
  ILL("fmv.d.x fa0, a5");
  ILL("mv a5, %0\n\t.2byte 0x2388"); /* c.fld fa0, 0(a5) */
  ILL("mv a5, %0\n\t.2byte 0xa388"); /* c.fsd fa0, 0(a5) */
  ILL(".2byte 0x2502");              /* c.fldsp fa0, 0(sp) */
  ILL(".2byte 0xa02a");              /* c.fsdsp fa0, 0(sp) */
  ILL("csrr a5, fcsr");
  ILL("csrr a5, frm");
  ILL("csrr a5, fflags");
  ILL("csrw fcsr, zero");
  ILL("csrwi frm, 0");
  ILL("csrsi fflags, 1");
  EQ(run_in(S, fadd_here, 0), ILLEGAL);
  EQ(run_in(U, fadd_here, 0), ILLEGAL);
  EQ(fs(), 0);

  /* Initial: allowed; reading and storing need not dirty, a register write does. */
  set_fs(1);
  EQ(fs(), 1);
  EQ(csr_read(mstatus) & MSTATUS_SD, 0);
  EQ(TRY("csrr a5, fcsr"), NONE);
  EQ(TRY("flw fa0, 0(%0)", "r"(cell)), NONE);
  EQ(fs(), 3);
  CHECK(csr_read(mstatus) & MSTATUS_SD);
  CHECK(csr_read(sstatus) & MSTATUS_SD);
  set_fs(2);
  EQ(fs(), 2);
  EQ(csr_read(mstatus) & MSTATUS_SD, 0);
  EQ(TRY("fmv.d.x fa0, zero"), NONE);
  EQ(fs(), 3);
  set_fs(2);
  EQ(TRY("fadd.s fa0, fa1, fa2"), NONE);
  EQ(fs(), 3);
  set_fs(2);
  EQ(TRY(".2byte 0x2502"), NONE);
  EQ(fs(), 3);
  set_fs(2);
  csr_write(fflags, 0);
  EQ(fs(), 3);
  set_fs(2);
  csr_write(frm, 0);
  EQ(fs(), 3);
  set_fs(2);
  csr_write(fcsr, 0);
  EQ(fs(), 3);
  set_fs(1);
  EQ(run_in(U, fadd_here, 0), NONE);
  EQ(fs(), 3);

  /* A faulting load leaves register and FS as they are. */
  set_fs(2);
  EQ(TRY("fld fa0, 0(%0)", "r"(HOLE)), LOAD_ACCESS);
  EQ(fs(), 2);

  /* fcsr is frm and fflags in one; the rest of it is zero. */
  set_fs(1);
  csr_write(fcsr, -1ull);
  EQ(csr_read(fcsr), 0xff);
  EQ(csr_read(frm), 7);
  EQ(csr_read(fflags), 31);
  csr_write(frm, 2);
  EQ(csr_read(fcsr), 0x5f);
  csr_write(fflags, 9);
  EQ(csr_read(fcsr), 0x49);
  csr_write(fcsr, 0x24);
  EQ(csr_read(frm), 1);
  EQ(csr_read(fflags), 4);
  EQ(csr_swap(fflags, 0x1f), 4);
  csr_write(frm, 0xfff8 | 3);
  EQ(csr_read(frm), 3);
  csr_clear(fflags, 1);
  EQ(csr_read(fcsr), 0x7e);

  /* A reserved rounding mode, static or dynamic. */
  csr_write(fcsr, 0);
  EQ(TRY(".insn r 0x53, 5, 0, f10, f11, f12"), ILLEGAL); /* fadd.s, rm = 5 */
  EQ(TRY(".insn r 0x53, 6, 1, f10, f11, f12"), ILLEGAL);
  csr_write(frm, 5);
  EQ(TRY("fadd.s fa0, fa1, fa2"), ILLEGAL);
  csr_write(frm, 7);
  EQ(TRY("fadd.d fa0, fa1, fa2"), ILLEGAL);
  EQ(TRY("fadd.d fa0, fa1, fa2, rne"), NONE);
  EQ(TRY("fsgnj.d fa0, fa1, fa2"), NONE); /* does not round */
  csr_write(frm, 0);
}
