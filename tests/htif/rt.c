/* What the trap entries do: record, return where a TRY said, end a run_in, or
 * end the program. Also the memory functions gcc may call. */
#include "htif.h"

#define EXIT      0x7e57dead
#define RETURN    0x7e57c0de
#define CAUGHT    0x7e57
#define BY_EBREAK 1 /* added to a request that comes by ebreak */

enum { RA = 1, SP, A0 = 10, A7 = 17, T5 = 30, T6 };

volatile struct trap trap = {.cause = NONE};
volatile struct irq irq;
u64 user_alias;
extern u64 run_sp;

_Noreturn void rt_exit(long code);
_Noreturn void rt_unwind(long value);
_Noreturn void rt_forward(u64 a0, long cause, u64, u64, u64, u64, u64, u64 a7);

_Noreturn void rt_fail(int check) {
  register u64 a0 __asm__("a0") = (u64)check;
  register u64 a7 __asm__("a7") = EXIT;
  for (;;) __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
}

static int record(struct frame *f, long cause, u64 epc, u64 tval, u64 status, int level) {
  if (cause < 0) {
    int n = irq.count < 16 ? irq.count : 15;
    irq.log[n] = (int)(cause & 0xff);
    irq.level[n] = level;
    irq.vector[n] = (int)f->x[0];
    irq.epc = epc;
    irq.tval = tval;
    irq.status = status;
    irq.count++;
    return 1;
  }
  trap.cause = cause;
  trap.epc = epc;
  trap.tval = tval;
  trap.status = status;
  trap.level = level;
  trap.vector = (int)f->x[0];
  trap.next = f->x[T5];
  trap.count++;
  return 0;
}

/* What the code that trapped asks for: EXIT, RETURN or 0, nothing. */
static u64 request(struct frame *f, long cause) {
  u64 a7 = f->x[A7];
  if (cause == BREAKPOINT) a7 -= BY_EBREAK;
  else if (cause != ECALL_U && cause != ECALL_S && cause != ECALL_M) return 0;
  return a7 == EXIT || a7 == RETURN ? a7 : 0;
}

void rt_trap_m(struct frame *f) {
  static volatile int inside;
  long cause = (long)csr_read(mcause);
  u64 rq = request(f, cause);
  if (inside) rt_exit(rq == EXIT ? (long)f->x[A0] : 119);
  if (rq == EXIT) rt_exit((long)f->x[A0]);
  if (rq == RETURN && run_sp) rt_unwind((long)f->x[A0]);
  inside = 1;
  if (record(f, cause, csr_read(mepc), csr_read(mtval), csr_read(mstatus), M)) {
    csr_clear(mie, 1ull << (cause & 63));
    if (irq.count > 15) rt_exit(118);
  } else if (f->x[T6] == CAUGHT) {
    f->x[T6] = 0;
    csr_write(mepc, f->x[T5]);
  } else if (run_sp) {
    trap.aborted = 1;
    inside = 0;
    rt_unwind(-1);
  } else {
    rt_exit(90 + (cause & 15));
  }
  inside = 0;
}

void rt_trap_s(struct frame *f) {
  long cause = (long)csr_read(scause);
  u64 rq = request(f, cause);
  if (rq) rt_forward(f->x[A0], cause, 0, 0, 0, 0, 0, rq);
  if (record(f, cause, csr_read(sepc), csr_read(stval), csr_read(sstatus), S)) {
    csr_clear(sie, 1ull << (cause & 63));
    if (irq.count > 15) rt_forward(118, cause, 0, 0, 0, 0, 0, EXIT);
  } else if (f->x[T6] == CAUGHT) {
    f->x[T6] = 0;
    csr_write(sepc, f->x[T5]);
  } else {
    trap.aborted = 1;
    rt_forward((u64)-1, cause, 0, 0, 0, 0, 0, RETURN);
  }
}

void *memcpy(void *restrict d, const void *restrict s, size_t n) {
  for (size_t i = 0; i < n; i++) ((u8 *)d)[i] = ((const u8 *)s)[i];
  return d;
}

void *memset(void *d, int c, size_t n) {
  for (size_t i = 0; i < n; i++) ((u8 *)d)[i] = (u8)c;
  return d;
}
