/* CSRs: who may read and write which, WARL fields, side-effect rules, identity. */
#include "htif.h"

#define STR(x) #x
#define R(n)   TRY("csrr a5, " #n)
#define W(n)   TRY("csrw " #n ", zero")

static long s_access(u64 a) {
  /* What S may read. */
  if (R(sstatus) != NONE || R(sie) != NONE || R(stvec) != NONE || R(scounteren) != NONE ||
      R(sscratch) != NONE || R(sepc) != NONE || R(scause) != NONE || R(stval) != NONE || R(sip) != NONE ||
      R(satp) != NONE)
    return 1;
  /* What it may not. */
  if (R(mstatus) != ILLEGAL || R(misa) != ILLEGAL || R(mie) != ILLEGAL || R(mtvec) != ILLEGAL ||
      R(mscratch) != ILLEGAL || R(mepc) != ILLEGAL || R(mhartid) != ILLEGAL || R(pmpcfg0) != ILLEGAL ||
      R(pmpaddr0) != ILLEGAL || R(mcycle) != ILLEGAL || R(medeleg) != ILLEGAL || R(0x30a) != ILLEGAL)
    return 2;
  if (W(mstatus) != ILLEGAL || W(mscratch) != ILLEGAL || W(mcounteren) != ILLEGAL) return 3;
  return (long)a;
}

static long u_access(u64 a) {
  if (R(sstatus) != ILLEGAL || R(sie) != ILLEGAL || R(stvec) != ILLEGAL || R(scounteren) != ILLEGAL ||
      R(sscratch) != ILLEGAL || R(sepc) != ILLEGAL || R(scause) != ILLEGAL || R(stval) != ILLEGAL ||
      R(sip) != ILLEGAL || R(satp) != ILLEGAL || R(mstatus) != ILLEGAL)
    return 1;
  if (W(sscratch) != ILLEGAL || W(satp) != ILLEGAL) return 2;
  return (long)a;
}

void test_main(void) {
  u64 v;
  EQ(run_in(S, s_access, 77), 77);
  EQ(run_in(U, u_access, 78), 78);

  /* CSRs that do not exist. */
  EQ(TRY("csrr a5, 0x7ff"), ILLEGAL);
  EQ(TRY("csrr a5, 0x8ff"), ILLEGAL);
  EQ(TRY("csrr a5, 0x3f0"), ILLEGAL);
  EQ(TRY("csrr a5, 0x100 + 0xf"), ILLEGAL);
  EQ(TRY("csrr a5, 0xfff"), ILLEGAL);

  /* Read-only ones: a write is illegal, and csrrs/csrrc with x0 or 0 is no write. */
  EQ(TRY("csrw mhartid, zero"), ILLEGAL);
  EQ(TRY("csrrw a5, mvendorid, zero"), ILLEGAL);
  EQ(TRY("csrrs a5, mhartid, zero"), NONE);
  EQ(TRY("csrrc a5, mhartid, zero"), NONE);
  EQ(TRY("csrrsi a5, mhartid, 0"), NONE);
  EQ(TRY("csrrci a5, mhartid, 0"), NONE);
  EQ(TRY("csrrci a5, mhartid, 1"), ILLEGAL);
  EQ(TRY("csrrwi a5, mhartid, 0"), ILLEGAL);
  EQ(TRY("csrrw zero, cycle, zero"), ILLEGAL);
  EQ(TRY("csrw 0xc02, zero"), ILLEGAL);

  /* The six forms on an ordinary register. */
  csr_write(mscratch, csr_read(mscratch));
  u64 save = csr_read(sscratch), old;
  csr_write(sscratch, 0xff00ff00ff00ff00);
  __asm__ volatile("csrrs %0, sscratch, %1" : "=r"(old) : "r"(0xffull));
  CHECK(old == 0xff00ff00ff00ff00 && csr_read(sscratch) == 0xff00ff00ff00ffff);
  __asm__ volatile("csrrc %0, sscratch, %1" : "=r"(old) : "r"(0xff00ull));
  CHECK(old == 0xff00ff00ff00ffff && csr_read(sscratch) == 0xff00ff00ff0000ff);
  __asm__ volatile("csrrwi %0, sscratch, 21" : "=r"(old));
  CHECK(old == 0xff00ff00ff0000ff && csr_read(sscratch) == 21);
  __asm__ volatile("csrrsi %0, sscratch, 10" : "=r"(old));
  CHECK(old == 21 && csr_read(sscratch) == 31);
  __asm__ volatile("csrrci %0, sscratch, 3" : "=r"(old));
  CHECK(old == 31 && csr_read(sscratch) == 28);
  old = 0x123;
  __asm__ volatile("csrrw %0, sscratch, %0" : "+r"(old)); /* source and destination one */
  CHECK(old == 28 && csr_read(sscratch) == 0x123);
  csr_write(sscratch, save);

  /* Identity. */
  EQ(csr_read(mhartid), 0);
  EQ(TRY("csrr a5, mvendorid"), NONE);
  EQ(TRY("csrr a5, marchid"), NONE);
  EQ(TRY("csrr a5, mimpid"), NONE);
  EQ(TRY("csrr a5, 0xf15"), NONE); /* mconfigptr */
  v = csr_read(misa);
  EQ(v >> 62, 2);
#define HAS(c) (1ull << ((c) - 'A'))
  EQ(v & (HAS('A') | HAS('C') | HAS('D') | HAS('F') | HAS('I') | HAS('M') | HAS('S') | HAS('U')),
     HAS('A') | HAS('C') | HAS('D') | HAS('F') | HAS('I') | HAS('M') | HAS('S') | HAS('U'));
  csr_write(misa, 0); /* WARL; at least it must not break anything */
  csr_write(misa, v);
  EQ(csr_read(misa), v);

  /* Trap registers hold any value a trap could write. */
  EQ(csr_warl(mcause, 0x800000000000000bull), 0x800000000000000bull);
  EQ(csr_warl(scause, 0x8000000000000009ull), 0x8000000000000009ull);
  EQ(csr_warl(mcause, 15), 15);
  EQ(csr_warl(mtval, 0xffffffff80001237), 0xffffffff80001237);
  EQ(csr_warl(stval, 0x123456789abcdef1), 0x123456789abcdef1);
  EQ(csr_warl(mepc, 0x80000002), 0x80000002);

  /* satp: a write with a reserved mode changes nothing; modes 0, 8 and 9 exist. */
  csr_write(satp, 0);
  csr_write(satp, 15ull << 60 | 0x12345);
  EQ(csr_read(satp), 0);
  csr_write(satp, 8ull << 60 | 0x80100);
  EQ(csr_read(satp), 8ull << 60 | 0x80100);
  csr_write(satp, 7ull << 60 | 1);
  EQ(csr_read(satp), 8ull << 60 | 0x80100);
  csr_write(satp, 9ull << 60 | 0x80200);
  EQ(csr_read(satp), 9ull << 60 | 0x80200);
  csr_write(satp, 0);
  EQ(csr_read(satp), 0);

  /* mie: the six standard interrupts; mip: S's bits are writable, M's are not. */
  u64 std = 1 << SSI | 1 << MSI | 1 << STI | 1 << MTI | 1 << SEI | 1 << MEI;
  EQ(csr_warl(mie, -1ull) & std, std);
  csr_write(mie, 0);
  EQ(csr_read(mie), 0);
  *CLINT_MTIMECMP = -1ull;
  csr_write(mip, -1ull);
  EQ(csr_read(mip) & std, 1 << SSI | 1 << STI | 1 << SEI);
  csr_write(mip, 0);
  EQ(csr_read(mip) & (std & ~(1 << MTI)), 0);
  csr_write(mideleg, 1 << SSI | 1 << STI | 1 << SEI);
  csr_write(sip, -1ull); /* through sip only SSIP */
  EQ(csr_read(mip) & std, 1 << SSI);
  csr_write(sip, 0);
  EQ(csr_read(mip) & std, 0);
  csr_write(sie, -1ull);
  EQ(csr_read(mie) & std, 1 << SSI | 1 << STI | 1 << SEI);
  csr_write(sie, 0);
  EQ(csr_read(mie), 0);

  /* menvcfg and senvcfg exist (1.12), the counter enables too. */
  EQ(R(0x30a), NONE);
  EQ(R(0x10a), NONE);
  EQ(csr_warl(mcounteren, -1ull) & 7, 7);
  EQ(csr_warl(scounteren, -1ull) & 7, 7);
  csr_write(mcounteren, 0);
  EQ(csr_read(mcounteren), 0);
}
