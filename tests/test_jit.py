"""The engine that translates: what programs print and machines do is what it is on the interpreter, under settings that
stress it, and every block compared with the interpreter (--check)."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import htif, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
FULL = os.environ.get("ISOMER_FULL") == "1"
STATIC = ROOT / "tests/programs/static.c"
# One entry and a block is translated; blocks of one instruction; memory for hardly any code; all of it with comparison.
STRESS = {"plain": [], "at once": ["--jit", "threshold=1"], "single": ["--jit", "threshold=1", "--jit", "insns=1"],
          "no room": ["--jit", "threshold=1", "--jit", "memory=65536"],
          "one TLB entry": ["--jit", "threshold=1", "--jit", "tlb=1"], "check": ["--jit", "threshold=1", "--check"]}
SAMPLE = ["smc", "tlb", "irq", "amo", "rvc", "instret", "pmp", "fp", "paging39"]


@pytest.fixture(scope="session")
def elves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jit")


def run(*args: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ISOMER), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, errors="replace")


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("name", htif.NAMES if FULL else SAMPLE)
def test_machine(name: str, stress: str, elves: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    elf = elves / f"{name}.elf"
    if not elf.exists():
        htif.build(name, elves)
    r = run("run", "--accel", "jit", *STRESS[stress], str(elf))
    assert r.returncode == 0, htif.explain(name, elf, r.returncode) + "\n" + r.stderr


@pytest.mark.parametrize("name", htif.NAMES if FULL else ["tlb", "paging39", "pmp"])
def test_interpreter_with_one_tlb_entry(name: str, elves: Path) -> None:
    """The same stress is for every engine."""
    if why := htif.missing():
        pytest.skip(why)
    elf = elves / f"{name}.elf"
    if not elf.exists():
        htif.build(name, elves)
    r = run("run", "--accel", "interp", "--jit", "tlb=1", "--deterministic", "--stats", "--json", str(elf))
    assert r.returncode == 0, htif.explain(name, elf, r.returncode) + "\n" + r.stderr
    plain = run("run", "--accel", "interp", "--deterministic", "--stats", "--json", str(elf))
    assert misses(r) > misses(plain)


def misses(r: subprocess.CompletedProcess[str]) -> int:
    return sum(n for key, n in counters(r).items() if "tlb" in key)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "static"
    subprocess.run(["gcc", "-O2", "-static", str(STATIC), "-o", str(out)], check=True)
    return out


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("isa", programs.WHOLE)
def test_program_is_as_native(isa: str, stress: str, native: Path, elves: Path) -> None:
    if why := programs.missing(isa):
        pytest.skip(why)
    guest = elves / isa / "static"                     # it prints its name
    if not guest.exists():
        guest.parent.mkdir(exist_ok=True)
        subprocess.run([programs.TARGETS[isa].gcc, "-O2", "-static", str(STATIC), "-o", str(guest)], check=True)
    env = {"PATH": os.environ["PATH"], "TEST_VALUE": "a b=c"}
    got, want = (subprocess.run([*c, "one", "two words", ""], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=300)
                 for c in ([str(ISOMER), "user", "--accel", "jit", *STRESS[stress], str(guest)], [str(native)]))
    assert (got.returncode, got.stdout, got.stderr) == (want.returncode, want.stdout, want.stderr)


def counters(r: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {m[1]: int(m[2]) for m in re.finditer(r'"(\w+)":(\d+)', r.stderr)}


def test_deterministic_counts_are_the_interpreters(elves: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    elf = elves / "irq.elf"
    if not elf.exists():
        htif.build("irq", elves)
    a, b = (counters(run("run", "--accel", engine, *(["--jit", "threshold=4"] if engine == "jit" else []), "--deterministic", "--stats", "--json", str(elf))) for engine in ("interp", "jit"))
    assert b["blocks"] > 10
    assert a["instructions"] == b["instructions"]


CODE_CHANGES = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static int (*volatile code)(void);
static volatile int done, seen;
#ifdef __riscv
static void set(void *at, int n) { /* li a0, n; ret */
  uint32_t two[2] = {0x513 | (uint32_t)n << 20, 0x8067};
  if (memcmp(at, two, 2)) memcpy(at, two, 2); /* what lies in the first page stays as it is */
  memcpy((char *)at + 2, (char *)two + 2, sizeof two - 2);
  __builtin___clear_cache(at, (char *)at + 8);
}
#else
static void set(void *at, int n) { /* nop; mov w0, #n; ret */
  volatile uint32_t *p = at;
  if (p[0] != 0xd503201f) p[0] = 0xd503201f; /* what lies in the first page stays as it is */
  p[2] = 0xd65f03c0;
  p[1] = 0x52800000 | (uint32_t)n << 5;
  __builtin___clear_cache(at, (char *)at + 12);
}
#endif
static void *caller(void *unused) { /* what it sees never goes back */
  int last = 0;
  while (!done) {
    int n = code();
    if (n < last) return (void *)1;
    seen = last = n;
  }
  return (void *)(long)(code() != 1000);
}
enum { SIZE = AT ? 8192 : 4096 };
static void *map(void *at, int prot) { return mmap(at, SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0); }
int main(void) {
  pthread_t t[2];
  void *p = map(NULL, PROT_READ | PROT_WRITE | PROT_EXEC), *result;
  code = (int (*)(void))((char *)p + AT);
  set((char *)p + AT, 1);
  for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, caller, NULL);
  for (int n = 2; n <= 1000; n++) {
    set((char *)p + AT, n);
    for (long k = 0; n % 50 == 0 && seen != n && k < 100000000; k++) usleep(1); /* the other threads see it in time */
  }
  done = 1;
  for (int i = 0; i < 2; i++)
    if (pthread_join(t[i], &result) || result) return printf("a thread saw old code\n");
  for (int n = 0; n < 300; n++) { /* the page becomes another */
    map(p, PROT_READ | PROT_WRITE);
    set((char *)p + AT, n);
    mprotect(p, SIZE, PROT_READ | PROT_EXEC);
    for (int k = 0; k < 20; k++)
      if (code() != n) return printf("remapped: %d\n", n);
  }
  int pages[2][2];
  for (int k = 0; k < 2; k++) { /* two pages change places */
    void *q = map(NULL, PROT_READ | PROT_WRITE | PROT_EXEC);
    set((char *)q + AT, 500 + k);
    for (int i = 0; i < 20; i++) pages[k][0] = ((int (*)(void))((char *)q + AT))();
    mremap(q, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
    for (int i = 0; i < 20; i++) pages[k][1] = code();
    if (pages[k][0] != 500 + k || pages[k][1] != 500 + k) return printf("moved: %d\n", k);
  }
  mprotect(p, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
  for (int n = 0; n < 20; n++) { /* a child changes its own copy */
    set((char *)p + AT, 7);
    code();
    pid_t child = fork();
    if (!child) {
      set((char *)p + AT, n);
      for (int k = 0; k < 20; k++)
        if (code() != n) _exit(1);
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (status || code() != 7) return printf("forked: %d\n", n);
  }
  return printf("fine\n") != 5;
}
"""


@pytest.mark.parametrize("isa, at", [("riscv64", 0), ("riscv64", 4094), ("arm64", 0), ("arm64", 4092)])  # 4094: an instruction in two pages
@pytest.mark.parametrize("stress", STRESS)
def test_code_that_changes(stress: str, isa: str, at: int, elves: Path) -> None:
    """Written while other threads run it, mapped anew, moved, changed by a child: what is called is what is there."""
    if why := programs.missing(isa):
        pytest.skip(why)
    source, elf = elves / "changes.c", elves / f"changes{at}.{isa}"
    if not elf.exists():
        source.write_text(CODE_CHANGES)
        subprocess.run([programs.TARGETS[isa].gcc, "-D_GNU_SOURCE", f"-DAT={at}", "-O1", "-static", "-pthread", str(source), "-o", str(elf)], check=True)
    r = run("user", "--accel", "jit", *STRESS[stress], str(elf), timeout=120)
    assert (r.returncode, r.stdout, r.stderr) == (0, "fine\n", "")


FORKS = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#define F(n) __attribute__((noinline)) static uint64_t f##n(uint64_t x) { for (int i = 0; i < 60; i++) x = (x ^ (x >> (n + 3))) * (2 * n + 3) + n; return x; }
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
static uint64_t (*const f[])(uint64_t) = {f0, f1, f2, f3, f4, f5, f6, f7};
static uint64_t right[8];
static volatile int done;
static void *busy(void *p) { /* translates, links and makes room all the time */
  uint64_t wrong = 0;
  for (unsigned n = (unsigned)(long)p; !done; n++) {
    char *m = malloc(64 + n % 512);
    wrong += f[n & 7](n & 7) != right[n & 7];
    free(m);
  }
  return (void *)(long)wrong;
}
int main(void) {
  pthread_t t[3];
  void *wrong;
  for (unsigned k = 0; k < 8; k++) right[k] = f[k](k);
  for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, busy, (void *)i);
  for (unsigned n = 0; n < 36; n++) {
    pid_t child = fork();
    if (!child) {
      if (n % 6 == 0) { /* a child's child, and a thread of it */
        pid_t again = fork();
        if (!again) _exit(f[n & 7](n & 7) != right[n & 7]);
        int status = -1;
        if (waitpid(again, &status, 0) != again || status) _exit(2);
      }
      for (unsigned k = 0; k < 8; k++)
        if (f[(n + k) & 7]((n + k) & 7) != right[(n + k) & 7]) _exit(1);
      _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status) return printf("child %u: %d\n", n, status);
  }
  done = 1;
  for (int i = 0; i < 3; i++)
    if (pthread_join(t[i], &wrong) || wrong) return printf("a thread computed something else\n");
  return printf("fine\n") != 5;
}
"""


@pytest.mark.parametrize("stress", [s for s in STRESS if s != "one TLB entry"])     # programs have none
@pytest.mark.parametrize("isa", programs.TARGETS if FULL else ["riscv64", "arm64"])
def test_forks_while_threads_translate(isa: str, stress: str, elves: Path) -> None:
    if why := programs.missing(isa):
        pytest.skip(why)
    source, elf = elves / "forks.c", elves / f"forks.{isa}"
    if not elf.exists():
        source.write_text(FORKS)
        subprocess.run([programs.TARGETS[isa].gcc, "-O1", "-static", "-pthread", str(source), "-o", str(elf)], check=True)
    r = run("user", "--accel", "jit", *STRESS[stress], str(elf), timeout=240)
    assert (r.returncode, r.stdout, r.stderr) == (0, "fine\n", "")


STOPS = """
local p = isomer.params
local m = isomer.machine { isa = p.isa, kernel = p.kernel, initrd = p.initrd, ram = "128M", append = "console=" .. p.console .. " isomer.script=check" }
for i = 1, tonumber(p.stops) do
  m:run(isomer.rand(1, 8000000))
  print(i, m:hash(), m.cpu[1].pc)
end
isomer.fail("all stops are printed")
"""


@pytest.mark.parametrize("isa, console", [("riscv64", "ttyS0"), ("arm64", "ttyAMA0")])
def test_states_at_random_stops_of_a_boot_are_the_interpreters(isa: str, console: str, elves: Path) -> None:
    """A Debian kernel boots; at 50 random counts all of the machine's state is the same on both engines."""
    if "--accel" not in run("test", "--help").stdout:
        pytest.skip("`isomer test` of this build has no --accel")
    files = {}
    for product in ("kernel", "initrd"):
        r = subprocess.run([ROOT / "scripts/guest", product, isa], capture_output=True, text=True, timeout=600)
        if r.returncode:
            pytest.skip(f"no {product}: {r.stderr.strip()}")
        files[product] = r.stdout.split()[0]
    script = elves / "stops.lua"
    script.write_text(STOPS)
    sets = [x for k, v in {**files, "isa": isa, "console": console, "stops": 50}.items() for x in ("--set", f"{k}={v}")]
    a, b = (run("test", "--accel", engine, str(script), *sets, timeout=600) for engine in ("interp", "jit"))
    assert a.returncode == b.returncode == 1, a.stdout + a.stderr
    lines, others = (re.findall(r"\d+\t-?\d+\t-?\d+$", r.stdout, re.M) for r in (a, b))
    assert len(set(lines)) == 50, a.stdout
    assert others == lines


def test_most_instructions_are_translated(elves: Path) -> None:
    """The engine does what it is for: of a loop, nearly everything runs as code and stays in it."""
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    out = elves / "fib"
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O2", "-static", str(ROOT / "bench/programs/fib.c"), "-o", str(out)], check=True)
    n = counters(run("user", "--accel", "jit", "--stats", "--json", str(out)))
    assert n["interpreted"] * 100 < n["instructions"]
    assert n["entries"] * 1000 < n["instructions"]


CROSSING = r"""
#include <stdio.h>
long cross(long n, long sum);
asm(".text\n.option push\n.option rvc\n.balign 4096\n.skip 4092\ncross: c.nop\n.option norvc\naddi a1, a1, 3\n.option rvc\n"
    "addi a0, a0, -1\nbnez a0, cross\nmv a0, a1\nret\n.option pop");
int main(void) { return printf("%ld\n", cross(100000, 0)) < 0; }
"""


def test_an_instruction_in_two_pages_is_translated(elves: Path) -> None:
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    (elves / "cross.c").write_text(CROSSING)
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O1", "-static", str(elves / "cross.c"), "-o", str(elves / "cross")], check=True)
    r = run("user", "--accel", "jit", "--stats", "--json", str(elves / "cross"))
    assert r.stdout == "300000\n"
    n = counters(r)
    assert n["entries"] * 50 < n["instructions"] and n["interpreted"] < 50000


SYSTEM_LOOP = r"""
#include "vm.h"
static volatile char block[64] __attribute__((aligned(64)));
void test_main(void) {
  for (int i = 0; i < 20000; i++) {
    block[5] = 1;
    asm volatile("csrrci zero, mstatus, 8\n csrsi mstatus, 8\n csrrw t0, mscratch, t0\n sfence.vma zero, zero\n fence.i\n"
                 ".insn i 0x0f, 2, x0, %0, 4" ::"r"(block) : "t0", "memory");
    CHECK(!block[5]);
  }
}
"""


def test_system_instructions_stay_in_translated_code(elves: Path) -> None:
    """Interrupt masks, flushes of translations and of fetched code, cache blocks: where nothing comes of them the code goes on."""
    if why := htif.missing():
        pytest.skip(why)
    (elves / "system.c").write_text(SYSTEM_LOOP)
    n = counters(run("run", "--accel", "jit", "--stats", "--json", str(htif.build("system", elves, elves / "system.c"))))
    assert n["instructions"] > 20000 * 8
    assert n["entries"] * 10 < 20000


def test_dump_shows_both_sides(elves: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    elf = elves / "rvc.elf"
    if not elf.exists():
        htif.build("rvc", elves)
    text = run("run", "--accel", "jit", "--dump", "ir,asm", str(elf)).stderr
    assert re.search(r"^block 0x\w+ \(\d+ instructions\)$", text, re.M)
    assert re.search(r"^  +\w+  c\.addi ", text, re.M)
    assert re.search(r"^  0x\w+ \w+ +sub r15, ", text, re.M)


@pytest.mark.parametrize("args, message", [
    (["--jit", "speed=9"], "--jit takes threshold=N"), (["--dump", "all"], "--dump takes ir, asm"), (["--jit", "memory=100"], "65536 at least")])
def test_refused(args: list[str], message: str, elves: Path) -> None:
    if why := htif.missing():
        pytest.skip(why)
    r = run("run", "--accel", "jit", *args, str(htif.build("rvc", elves) or elves / "rvc.elf"))
    assert r.returncode == 120 and message in r.stderr
