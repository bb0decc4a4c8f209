"""Static programs of the C library under `isomer user`: what they print is what they print without Isomer.

The oracle is the same source built for the host. ISAs whose slices lack an instruction are skipped with its name.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine, programs  # noqa: E402

ISOMER = ROOT / os.environ.get("ISOMER_OUT", "out") / "isomer"
SOURCE = ROOT / "tests" / "programs" / "static.c"
ENV = {"PATH": os.environ["PATH"], "TEST_VALUE": "a b=c"}
ARGS = ["one", "two words", ""]


def run(command: list[str], stdin: int | None = subprocess.DEVNULL, text: str | None = None) -> tuple[int, str, str]:
    r = subprocess.run(command, stdin=None if text is not None else stdin, input=text, capture_output=True, text=True, env=ENV, timeout=120)
    return r.returncode, r.stdout, r.stderr


def build(gcc: str, out: Path) -> Path:
    subprocess.run([gcc, "-O2", "-static", "-Wall", "-Wextra", "-Werror", str(SOURCE), "-o", str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("gcc", tmp_path_factory.mktemp("native") / "static")


@pytest.mark.parametrize("isa", ["riscv64", "arm64", "x86_64"])
def test_same_as_native(isa: str, native: Path, tmp_path: Path) -> None:
    if why := programs.missing(isa):
        pytest.skip(why)
    guest = build(programs.TARGETS[isa].gcc, tmp_path / "static")
    got = run([str(ISOMER), "user", *engine.options(), str(guest), *ARGS])
    if got[0] == -4 and isa == "x86_64":
        pytest.skip(f"{isa} has no instruction " + re.sub(r".*: (.*): killed.*", r"\1", got[2].strip()))
    expected = run([str(native), *ARGS])
    assert expected[0] == 17
    assert got == expected


@pytest.mark.parametrize("isa", programs.WHOLE)
def test_input_from_a_pipe(isa: str, native: Path, tmp_path: Path) -> None:
    guest = build(programs.TARGETS[isa].gcc, tmp_path / "static")
    got, expected = (run([*c, "x"], text="a line\nand another\n") for c in ([str(ISOMER), "user", str(guest)], [str(native)]))
    assert "read a line" in got[1] and got == expected


NUMBERS = """\
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  double x = strtod(argv[1], NULL), s = 0;
  float f = (float)x;
  for (int i = 1; i < 100 * argc; i++) s += sqrt(i * x) / (f + i);
  printf("%.17g %a %.9g %d %g\\n", s, s * 1e-310, f * f, (int)(s * 1000), 1 / (x - x));
  return 0;
}
"""


@pytest.mark.parametrize("isa", ["riscv64", "arm64", "x86_64"])
def test_numbers_are_those_of_native(isa: str, tmp_path: Path) -> None:
    """Floating point of the compiler and of the C library's conversions, to the last bit."""
    if why := programs.missing(isa):
        pytest.skip(why)
    source = tmp_path / "numbers.c"
    source.write_text(NUMBERS)
    for gcc, name in ((programs.TARGETS[isa].gcc, "guest"), ("gcc", "native")):
        subprocess.run([gcc, "-O2", "-static", "-ffp-contract=off", str(source), "-o", str(tmp_path / name), "-lm"], check=True)
    got = run([str(ISOMER), "user", str(tmp_path / "guest"), "2.7182818"])
    assert got == run([str(tmp_path / "native"), "2.7182818"])


# Rounding mode and flags before, in and after a handler, and the feature bits that CPUID reports.
MXCSR = """\
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <xmmintrin.h>
static volatile unsigned inside, saved;
static volatile double zero, one = 1;
static void handler(int s, siginfo_t *info, void *context) {
  (void)s, (void)info;
  inside = _mm_getcsr();
  saved = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  zero = one / 3;
}
int main(int argc, char **argv) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  unsigned eax, ebx, ecx, edx;
  (void)argv;
  if (argc > 1) return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && !(ecx >> 28 & 1) && edx >> 26 & 1 ? 7 : 1;
  sigaction(SIGUSR1, &a, NULL);
  _mm_setcsr(0xdfc0);
  zero = one / zero;
  unsigned before = _mm_getcsr();
  raise(SIGUSR1);
  printf("%x %x %x %x\\n", before, inside, saved, _mm_getcsr());
  return 0;
}
"""


def test_mxcsr_around_a_handler(tmp_path: Path) -> None:
    if why := programs.missing("x86_64"):
        pytest.skip(why)
    source, program = tmp_path / "p.c", tmp_path / "p"
    source.write_text("#define _GNU_SOURCE\n#include <ucontext.h>\n" + MXCSR)
    subprocess.run([programs.TARGETS["x86_64"].gcc, "-O1", "-static", str(source), "-o", str(program)], check=True)
    got = run([str(ISOMER), "user", str(program)])
    assert got == (0, "dfc4 1f80 dfc4 dfc4\n", "")      # Linux: handle_signal gives handlers the initial state
    assert run([str(ISOMER), "user", str(program), "features"])[0] == 7
    if os.uname().machine == "x86_64":
        assert got == run([str(program)])


@pytest.mark.parametrize("isa", programs.WHOLE)
def test_own_descriptors_are_out_of_reach(isa: str, tmp_path: Path) -> None:
    """Only the standard descriptors and its own are the program's; a closed one is gone."""
    source = tmp_path / "p.c"
    source.write_text(
        "#include <errno.h>\n#include <unistd.h>\n"
        "int main(void) {\n"
        "  for (int fd = 3; fd < 100; fd++)\n"
        "    if (write(fd, \"x\", 1) != -1 || errno != EBADF || close(fd) != -1 || errno != EBADF) return fd;\n"
        "  return close(0) || read(0, &errno, 1) != -1 || errno != EBADF ? 1 : 42;\n"
        "}\n")
    guest = tmp_path / "p"
    subprocess.run([programs.TARGETS[isa].gcc, "-O2", "-static", str(source), "-o", str(guest)], check=True)
    assert run([str(ISOMER), "user", str(guest)])[0] == 42
