"""Signals and interrupts reach translated code wherever it is: a loop of one instruction, two blocks that lead to each other (in one
page and across pages), a loop whose counters stay in host registers, one that calls. The handler changes what the loop depends on,
the place or a register, so a loop that is not interrupted exactly never ends."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import bare, htif, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
FULL = os.environ.get("ISOMER_FULL") == "1"
ENGINES = {"interp": ["--accel", "interp"], "jit": ["--accel", "jit"], "at once": ["--accel", "jit", "--jit", "threshold=1"],
           "single": ["--accel", "jit", "--jit", "threshold=1", "--jit", "insns=1"],
           "no room": ["--accel", "jit", "--jit", "threshold=1", "--jit", "memory=65536"],
           "check": ["--accel", "jit", "--jit", "threshold=1", "--check"]}

# A loop goes on while the stop register is 1; `count` counts. Each: the loops' code, the registers in a signal's frame.
SIGNALS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
enum { ROUNDS = 6 };
#if defined(__riscv)
#define STOP_REG(u) ((u)->uc_mcontext.__gregs[11]) /* a1 */
#define COUNT_REG(u) ((u)->uc_mcontext.__gregs[10])
#define PC_REG(u) ((u)->uc_mcontext.__gregs[REG_PC])
#define IN "a1"
#define OUT "a0"
#define ONE "1: j 1b\n"
#define TWO "1: nop\n j 2f\n .balign 64\n2: nop\n bnez a1, 1b\n"
#define FAR "1: nop\n j 2f\n .balign 4096\n2: nop\n j 1b\n"
#define HELD "1: addi a0, a0, 1\n bnez a1, 1b\n"
#define CALLS "1: addi a0, a0, 1\n call callee\n bnez a1, 1b\n"
#define LOST "ra"
#elif defined(__aarch64__)
#define STOP_REG(u) ((u)->uc_mcontext.regs[1])
#define COUNT_REG(u) ((u)->uc_mcontext.regs[0])
#define PC_REG(u) ((u)->uc_mcontext.pc)
#define IN "x1"
#define OUT "x0"
#define ONE "1: b 1b\n"
#define TWO "1: nop\n b 2f\n .balign 64\n2: nop\n cbnz x1, 1b\n"
#define FAR "1: nop\n b 2f\n .balign 4096\n2: nop\n b 1b\n"
#define HELD "1: add x0, x0, #1\n cbnz x1, 1b\n"
#define CALLS "1: add x0, x0, #1\n bl callee\n cbnz x1, 1b\n"
#define LOST "x30"
#else
#define STOP_REG(u) ((u)->uc_mcontext.gregs[REG_RDX])
#define COUNT_REG(u) ((u)->uc_mcontext.gregs[REG_RAX])
#define PC_REG(u) ((u)->uc_mcontext.gregs[REG_RIP])
#define IN "rdx"
#define OUT "rax"
#define ONE "1: jmp 1b\n"
#define TWO "1: nop\n jmp 2f\n .balign 64\n2: test %%rdx, %%rdx\n jnz 1b\n"
#define FAR "1: nop\n jmp 2f\n .balign 4096\n2: nop\n jmp 1b\n"
#define HELD "1: inc %%rax\n test %%rdx, %%rdx\n jnz 1b\n"
#define CALLS "1: inc %%rax\n sub $128, %%rsp\n call callee\n add $128, %%rsp\n test %%rdx, %%rdx\n jnz 1b\n"
#define LOST "cc"
#endif
__asm__(".globl callee\ncallee: ret\n");
#define EACH(X) X(one, ONE) X(two, TWO) X(far, FAR) X(held, HELD) X(calls, CALLS)
#define LABELS(name, code) extern const char from_##name[], end_##name[];
EACH(LABELS)
extern const char callee[];
static volatile int caught;
static volatile long last;
/* Signals come again and again: one outside of a loop does nothing. */
static void handler(int s, siginfo_t *i, void *p) {
  ucontext_t *u = p;
  const char *pc = (const char *)(uintptr_t)PC_REG(u);
  (void)s, (void)i;
  if (pc >= from_one && pc < end_one) PC_REG(u) = (uintptr_t)end_one;
  else if (pc >= from_far && pc < end_far) PC_REG(u) = (uintptr_t)end_far;
  else if (!(pc >= from_two && pc < end_two) && !(pc >= from_held && pc < end_held) &&
           !(pc >= from_calls && pc < end_calls) && pc != callee)
    return;
  caught++;
  last = (long)COUNT_REG(u);
  STOP_REG(u) = 0;
}
#define LOOP(name, code)                                                                   \
  __attribute__((noinline)) static long name(void) {                                       \
    register long count __asm__(OUT) = 0, stop __asm__(IN) = 1;                            \
    __asm__ volatile(".globl from_" #name ", end_" #name "\nfrom_" #name ":" code "end_" #name ": nop\n" \
                     : "+r"(count), "+r"(stop) : : "memory", "cc", LOST);                  \
    return count;                                                                          \
  }
EACH(LOOP)
static long (*const loop[])(void) = {one, two, far, held, calls};
static volatile int go;
static pid_t target;
static void *killer(void *unused) {
  while (go >= 0) {
    usleep(1500);
    if (go > 0) syscall(SYS_tgkill, getpid(), target, SIGUSR1);
  }
  return unused;
}
static int looped(unsigned k, const char *who) {
  const int before = caught;
  const long count = loop[k]();
  if (caught == before) return printf("loop %u ended without %s\n", k, who);
  if (loop[k] == held && count != last && count != last + 1) return printf("held: %ld after %ld\n", count, last);
  return 0;
}
int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  sigaction(SIGUSR1, &a, NULL);
  pthread_t t;
  target = (pid_t)syscall(SYS_gettid);
  for (unsigned k = 0; k < sizeof loop / sizeof *loop; k++) {
    for (int n = 0; n < ROUNDS; n++) { /* timers */
      struct itimerval i = {{0, 3000}, {0, 1000 + 700 * n}}, off = {{0, 0}, {0, 0}};
      setitimer(ITIMER_REAL, &i, NULL);
      if (looped(k, "a timer")) return 1;
      setitimer(ITIMER_REAL, &off, NULL);
    }
    go = 1;
    pthread_create(&t, NULL, killer, NULL);
    for (int n = 0; n < ROUNDS; n++) /* another thread */
      if (looped(k, "a signal of a thread")) return 1;
    go = -1;
    pthread_join(t, NULL);
    for (int n = 0; n < 2; n++) { /* another process */
      pid_t child = fork();
      if (!child)
        for (;;) {
          usleep(3000);
          syscall(SYS_tgkill, getppid(), target, SIGUSR1);
        }
      if (looped(k, "a signal of a process")) return 1;
      kill(child, SIGKILL);
      while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    }
  }
  return printf("fine\n") != 5;
}
"""


@pytest.fixture(scope="module")
def elves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("interrupts")


def run(*args: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")


def built(isa: str, elves: Path) -> Path:
    if why := programs.missing(isa):
        pytest.skip(why)
    elf = elves / f"signals.{isa}"
    if not elf.exists():
        (elves / "signals.c").write_text(SIGNALS)
        subprocess.run([programs.TARGETS[isa].gcc, "-O1", "-static", "-pthread", str(elves / "signals.c"), "-o", str(elf)], check=True)
    return elf


def test_the_program_is_right(elves: Path) -> None:
    """Natively."""
    r = run(built("x86_64", elves))
    assert (r.returncode, r.stdout) == (0, "fine\n")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("isa", programs.TARGETS if FULL else ["riscv64", "arm64"])
def test_signals_in_tight_loops(isa: str, engine: str, elves: Path) -> None:
    r = run(ISOMER, "user", *ENGINES[engine], built(isa, elves))
    assert (r.returncode, r.stdout, r.stderr) == (0, "fine\n", "")


# The timer's handler raises the software interrupt (what an IPI is) and goes back into the loop, where that one is taken.
RISCV64 = r"""
#include "htif.h"
__asm__(
    ".balign 4\n"
    "tight:\n"
    " csrr t5, mcause\n"
    " andi t5, t5, 15\n"
    " addi t5, t5, -7\n"
    " beqz t5, 1f\n"
    " li t5, 0x2000000\n" /* msip */
    " sw zero, 0(t5)\n"
    " addi s10, s10, 1\n"
    " li a1, 0\n"
    " beqz s11, 2f\n"
    " csrw mepc, s11\n"
    "2: mret\n"
    "1: li t5, 0x2004000\n" /* mtimecmp */
    " li t6, -1\n"
    " sd t6, 0(t5)\n"
    " li t5, 0x2000000\n"
    " li t6, 1\n"
    " sw t6, 0(t5)\n"
    " addi s9, s9, 1\n"
    " mret\n");
extern char tight[];
#define LOOP(name, code, end)                                                                        \
  static void name(u64 ticks) {                                                                      \
    u64 timers, ipis, count;                                                                         \
    *CLINT_MTIMECMP = *CLINT_MTIME + ticks;                                                          \
    __asm__ volatile(                                                                                \
        "li s9, 0\n li s10, 0\n li a0, 0\n li a1, 1\n" end "\n csrsi mstatus, 8\n" code              \
        "9: csrci mstatus, 8\n mv %0, s9\n mv %1, s10\n mv %2, a0\n"                                 \
        : "=r"(timers), "=r"(ipis), "=r"(count) : : "s9", "s10", "s11", "a0", "a1", "t0", "t5", "t6", "ra", "memory"); \
    CHECK(timers == 1 && ipis == 1);                                                                 \
  }
LOOP(one, "1: j 1b\n", "la s11, 9f")
LOOP(two, "1: nop\n j 2f\n .balign 64\n2: nop\n bnez a1, 1b\n", "li s11, 0")
LOOP(far, "1: nop\n j 2f\n .balign 4096\n2: nop\n j 1b\n", "la s11, 9f")
LOOP(held, "1: addi a0, a0, 1\n bnez a1, 1b\n", "li s11, 0")
LOOP(memory, "1: addi a0, a0, 1\n ld t0, 0(sp)\n bnez a1, 1b\n", "li s11, 0")
void test_main(void) {
  csr_write(mtvec, (u64)tight);
  csr_write(mie, 1 << MSI | 1 << MTI);
  for (u64 n = 0; n < 8; n++) {
    one(2000 + 3001 * n);
    two(2000 + 3001 * n);
    far(2000 + 3001 * n);
    held(2000 + 3001 * n);
    memory(2000 + 3001 * n);
  }
}
"""

ARM64 = r"""
#include <stdint.h>
typedef uint64_t u64;
#define GICD ((volatile uint32_t *)0x8000000)
#define GICR ((volatile uint32_t *)0x80a0000)
#define SYS_SET(reg, x) __asm__ volatile("msr " reg ", %0\n isb" ::"r"((u64)(x)) : "memory")
__asm__(
    ".section .text.start, \"ax\"\n"
    ".globl _start\n"
    "_start: ldr x0, =stack_top\n mov sp, x0\n ldr x0, =vectors\n msr vbar_el1, x0\n isb\n bl main\n"
    ".balign 2048\n"
    "vectors: .skip 0x280\n"
    " mrs x16, S3_0_C12_C12_0\n" /* ICC_IAR1_EL1 */
    " cmp x16, #27\n"
    " b.eq 1f\n"
    " msr S3_0_C12_C12_1, x16\n" /* ICC_EOIR1_EL1 */
    " add x28, x28, #1\n"
    " mov x1, #0\n"
    " cbz x27, 2f\n"
    " msr elr_el1, x27\n"
    "2: eret\n"
    "1: mov x17, #2\n"
    " msr cntv_ctl_el0, x17\n isb\n"
    " msr S3_0_C12_C12_1, x16\n"
    " mov x17, #1\n"
    " msr S3_0_C12_C11_5, x17\n isb\n" /* ICC_SGI1R_EL1: number 0 to CPU 0 */
    " add x26, x26, #1\n"
    " eret\n"
    ".text\n");
volatile u64 tohost;
u64 stack[512] __attribute__((aligned(16)));
__asm__(".globl stack_top\n.set stack_top, stack + 4096");
static void off(u64 code) {
  tohost = code << 1 | 1;
  for (;;) {}
}
#define CHECK(x) ((x) ? (void)0 : off(__LINE__ % 100 + 1))
#define LOOP(name, code, end)                                                                        \
  static void name(u64 ticks) {                                                                      \
    u64 timers, ipis;                                                                                \
    SYS_SET("cntv_tval_el0", ticks);                                                                 \
    SYS_SET("cntv_ctl_el0", 1);                                                                      \
    __asm__ volatile(                                                                                \
        "mov x26, #0\n mov x28, #0\n mov x0, #0\n mov x1, #1\n" end "\n msr daifclr, #2\n" code      \
        "9: msr daifset, #2\n mov %0, x26\n mov %1, x28\n"                                           \
        : "=r"(timers), "=r"(ipis) : : "x0", "x1", "x2", "x16", "x17", "x26", "x27", "x28", "x30", "cc", "memory"); \
    CHECK(timers == 1 && ipis == 1);                                                                 \
  }
LOOP(one, "1: b 1b\n", "adr x27, 9f")
LOOP(two, "1: nop\n b 2f\n .balign 64\n2: nop\n cbnz x1, 1b\n", "mov x27, #0")
LOOP(far, "1: nop\n b 2f\n .balign 4096\n2: nop\n b 1b\n", "ldr x27, =9f")
LOOP(held, "1: add x0, x0, #1\n cbnz x1, 1b\n", "mov x27, #0")
LOOP(memory, "1: add x0, x0, #1\n ldr x2, [sp]\n cbnz x1, 1b\n", "mov x27, #0")
LOOP(calls, "1: add x0, x0, #1\n bl 3f\n cbnz x1, 1b\n b 9f\n3: ret\n", "mov x27, #0")
void main(void) {
  GICD[0] = 0x12; /* affinity routing, group 1 */
  GICR[0x14 / 4] &= ~2u;
  while (GICR[0x14 / 4] & 4) {}
  GICR[0x10080 / 4] = ~0u;
  GICR[0x10100 / 4] = 1u << 27 | 1;
  SYS_SET("S3_0_C12_C12_5", 7);
  SYS_SET("S3_0_C4_C6_0", 0xff);
  SYS_SET("S3_0_C12_C12_7", 1);
  for (u64 n = 0; n < 8; n++) {
    one(4000 + 9001 * n);
    two(4000 + 9001 * n);
    far(4000 + 9001 * n);
    held(4000 + 9001 * n);
    memory(4000 + 9001 * n);
    calls(4000 + 9001 * n);
  }
  off(0);
}
"""


def machine(isa: str, elves: Path) -> Path:
    if why := htif.missing() if isa == "riscv64" else bare.missing():
        pytest.skip(why)
    elf, source = elves / f"tight_{isa}.elf", elves / f"tight_{isa}.c"
    if not elf.exists():
        source.write_text(RISCV64 if isa == "riscv64" else ARM64)
        if isa == "riscv64":
            htif.build(elf.stem, elves, source)
        else:
            bare.build(elf, source)
    return elf


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("isa", ["riscv64", "arm64"])
def test_interrupts_in_tight_loops_of_a_machine(isa: str, engine: str, elves: Path) -> None:
    elf = machine(isa, elves)
    for clock in [[], ["--deterministic"]]:
        r = run(ISOMER, "run", *ENGINES[engine], *clock, elf, timeout=60)
        assert r.returncode == 0, r.stderr
