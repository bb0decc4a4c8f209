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

ISOMER = ROOT / "out" / "isomer"
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
    if got[0] == -4 and isa != "riscv64":
        pytest.skip(f"{isa} has no instruction " + re.sub(r".*: (.*): killed.*", r"\1", got[2].strip()))
    expected = run([str(native), *ARGS])
    assert expected[0] == 17
    assert got == expected


def test_input_from_a_pipe(native: Path, tmp_path: Path) -> None:
    guest = build(programs.TARGETS["riscv64"].gcc, tmp_path / "static")
    got, expected = (run([*c, "x"], text="a line\nand another\n") for c in ([str(ISOMER), "user", str(guest)], [str(native)]))
    assert "read a line" in got[1] and got == expected


def test_own_descriptors_are_out_of_reach(tmp_path: Path) -> None:
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
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O2", "-static", str(source), "-o", str(guest)], check=True)
    assert run([str(ISOMER), "user", str(guest)])[0] == 42
