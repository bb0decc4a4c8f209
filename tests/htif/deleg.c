/* medeleg and mideleg: which traps go to S, what S sees, and that traps from M
 * never go down. */
#include "htif.h"

static long do_ebreak(u64 arg) {
  (void)arg;
  return TRY("ebreak");
}
static long do_illegal(u64 arg) {
  (void)arg;
  return TRY(".4byte 0xffffffff");
}
static long do_load(u64 arg) { return TRY("ld a5, (%0)", "r"(arg)); }
static long do_store(u64 arg) { return TRY("sd zero, (%0)", "r"(arg)); }
static long do_fetch(u64 arg) { return TRY("jr %0", "r"(arg)); }
static long do_ecall(u64 arg) {
  register u64 a7 __asm__("a7") = arg;
  return TRY("ecall", "r"(a7));
}
static long do_lr(u64 arg) { return TRY("lr.w a5, (%0)", "r"(arg)); }

static const struct {
  long (*fn)(u64);
  u64 arg;
  int cause_u, cause_s;
  int has_tval;
} cases[] = {
    {do_ebreak, 0, BREAKPOINT, BREAKPOINT, 0},
    {do_illegal, 0, ILLEGAL, ILLEGAL, 0},
    {do_load, HOLE, LOAD_ACCESS, LOAD_ACCESS, 1},
    {do_store, HOLE, STORE_ACCESS, STORE_ACCESS, 1},
    {do_fetch, HOLE, FETCH_ACCESS, FETCH_ACCESS, 1},
    {do_ecall, 0, ECALL_U, ECALL_S, 0},
    {do_lr, 0x80000001, LOAD_MISALIGNED, LOAD_MISALIGNED, 1},
};

static long ssip(u64 arg) {
  for (u64 i = 0; i < arg && !irq.count; i++) __asm__ volatile("nop");
  return irq.count;
}

static void clear_irq(void) { irq.count = 0; }

void test_main(void) {
  /* What can be delegated: at least what S mode needs; never an ecall from M. */
  u64 all = csr_warl(medeleg, -1ull);
  u64 want = 1 << BREAKPOINT | 1 << ILLEGAL | 1 << LOAD_ACCESS | 1 << STORE_ACCESS | 1 << FETCH_ACCESS |
             1 << ECALL_U | 1 << ECALL_S | 1 << LOAD_MISALIGNED | 1 << STORE_MISALIGNED | 1 << FETCH_PAGE |
             1 << LOAD_PAGE | 1 << STORE_PAGE;
  EQ(all & want, want);
  csr_write(medeleg, 0);
  EQ(csr_read(medeleg), 0);
  u64 ints = csr_warl(mideleg, -1ull);
  EQ(ints & (1 << SSI | 1 << STI | 1 << SEI), 1 << SSI | 1 << STI | 1 << SEI);
  EQ(ints & (1 << MSI | 1 << MTI | 1 << MEI), 0);
  csr_write(mideleg, 0);

  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (int priv = U; priv <= S; priv++) {
      int cause = priv == U ? cases[i].cause_u : cases[i].cause_s;
      u64 mpp = (u64)priv << 11, spp = priv == S ? MSTATUS_SPP : 0;
      /* Not delegated. */
      csr_write(medeleg, want & ~(1ull << cause | 1 << BREAKPOINT));
      EQ(run_in(priv, cases[i].fn, cases[i].arg), cause);
      CHECK(trap.level == M && trap.cause == cause && !trap.aborted);
      EQ(trap.status & MSTATUS_MPP, mpp);
      CHECK(!cases[i].has_tval || trap.tval == cases[i].arg);
      /* Delegated: the S handler records it, M registers are not touched. */
      csr_write(medeleg, 1ull << cause);
      csr_write(mtval, 0x1234);
      EQ(run_in(priv, cases[i].fn, cases[i].arg), cause);
      CHECK(trap.level == S && trap.cause == cause && !trap.aborted);
      EQ(trap.status & MSTATUS_SPP, spp);
      CHECK(!cases[i].has_tval || trap.tval == cases[i].arg);
      CHECK(cases[i].fn == do_fetch ? trap.epc == HOLE : EPC_IS(4));
    }

  /* The same traps in M stay in M whatever medeleg says. */
  csr_write(medeleg, want);
  for (unsigned i = 0; i < 5; i++) {
    EQ(cases[i].fn(cases[i].arg), cases[i].cause_u);
    EQ(trap.level, M);
  }
  csr_write(medeleg, 1 << BREAKPOINT);
  /* SIE and SPIE around a delegated trap. */
  csr_set(sstatus, MSTATUS_SIE);
  EQ(run_in(S, do_ebreak, 0), BREAKPOINT);
  EQ(trap.status & (MSTATUS_SIE | MSTATUS_SPIE), MSTATUS_SPIE);
  CHECK(csr_read(sstatus) & MSTATUS_SIE);
  csr_clear(sstatus, MSTATUS_SIE);
  EQ(run_in(S, do_ebreak, 0), BREAKPOINT);
  EQ(trap.status & (MSTATUS_SIE | MSTATUS_SPIE), 0);
  csr_write(medeleg, 0);

  /* An undelegated S interrupt goes to M, from S even with SIE clear. */
  csr_write(mie, 1 << SSI);
  csr_write(mip, 1 << SSI);
  clear_irq();
  EQ(run_in(S, ssip, 100000), 1);
  CHECK(irq.level[0] == M && irq.log[0] == SSI);
  /* Undelegated it is invisible in sip and sie. */
  csr_write(mie, 1 << SSI);
  EQ(csr_read(sie) & 1 << SSI, 0);
  EQ(csr_read(sip) & 1 << SSI, 0);
  csr_write(sie, -1ull);
  EQ(csr_read(sie) & (1 << SSI | 1 << STI | 1 << SEI), 0);
  /* Delegated: visible, taken in S only with SIE, in U always, never in M. */
  csr_write(mideleg, 1 << SSI);
  EQ(csr_read(sie) & 1 << SSI, 1 << SSI);
  EQ(csr_read(sip) & 1 << SSI, 1 << SSI);
  clear_irq();
  csr_clear(sstatus, MSTATUS_SIE);
  EQ(run_in(S, ssip, 2000), 0);
  csr_set(sstatus, MSTATUS_SIE);
  csr_set(mstatus, MSTATUS_MIE);
  EQ(ssip(2000), 0);
  csr_clear(mstatus, MSTATUS_MIE);
  EQ(run_in(S, ssip, 100000), 1);
  CHECK(irq.level[0] == S && irq.log[0] == SSI);
  csr_clear(sstatus, MSTATUS_SIE);
  csr_write(mie, 1 << SSI);
  clear_irq();
  EQ(run_in(U, ssip, 100000), 1);
  CHECK(irq.level[0] == S && irq.log[0] == SSI && !(irq.status & MSTATUS_SPP));
  csr_write(mip, 0);
}
