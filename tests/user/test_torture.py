"""GCC's self-checking programs (gcc.c-torture/execute of Debian's gcc-12-source), static, at -O0 and -O2.

What builds and passes natively must pass as a guest. A sample by default, all of them in the full tier. Binaries are
kept in the cache by compiler, flags and source, so that only the first run compiles.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import random
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import programs, userland  # noqa: E402

SAMPLE = 100  # programs of each level by default, not the same ones
FLAGS = ("-w", "-static")


@dataclasses.dataclass(frozen=True)
class Compiler:
    command: str
    identity: str  # what its output depends on
    store: Path


def compiler(command: str, archive: Path) -> Compiler:
    version = subprocess.run([command, "-v"], capture_output=True, text=True, check=True).stderr
    text = f"{version} {FLAGS} {hashlib.sha256(archive.read_bytes()).hexdigest()}"
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Compiler(command, key, userland.CACHE / "torture" / f"{command}-{key}")


def sources(archive: Path, into: Path) -> list[str]:
    """Unpacks; the names of the programs (builtins/ needs a library of its own and is not among them)."""
    with tarfile.open(archive) as tar:
        names = sorted(n for n in tar.getnames() if re.fullmatch(r"(ieee/)?[^/]+\.c", n))
        tar.extractall(into)
    return names


def options(source: Path) -> list[str]:
    """The flags that a program asks for, when it asks for all targets."""
    text = source.read_text(errors="replace")
    found = re.findall(r'\{\s*dg-(?:additional-)?options\s+"([^"]*)"\s*\}', text)
    return [flag for flags in found for flag in shlex.split(flags)]


def build(c: Compiler, tree: Path, name: str, level: str) -> Path | None:
    """The program, or None when the compiler refuses it."""
    out = c.store / level / name.removesuffix(".c")
    refused = out.with_name(out.name + ".refused")
    if refused.exists():
        return None
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        tmp = out.with_name(f"{out.name}.{os.getpid()}.tmp")
        command = [c.command, level, *FLAGS, *options(tree / name), str(tree / name), "-o", str(tmp), "-lm"]
        if subprocess.run(command, capture_output=True).returncode:
            refused.touch()
            return None
        tmp.rename(out)
    return out


def passes(command: list[str], work: Path) -> str:
    """Empty, or how it failed."""
    try:
        r = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=userland.HANGS)
    except subprocess.TimeoutExpired:
        return "does not end"
    return f"status {r.returncode} {r.stderr.decode(errors='replace').strip()[-300:]}" if r.returncode else ""


def chosen(names: list[str], level: str) -> list[str]:
    if userland.FULL:
        return names
    shuffled = random.Random(11).sample(names, len(names))
    return shuffled[:SAMPLE] if level == "-O0" else shuffled[SAMPLE : 2 * SAMPLE]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_torture(level: str, tmp_path: Path) -> None:
    if why := programs.missing(userland.ISA):
        pytest.skip(why)
    archive = userland.product("torture")[0]
    names = chosen(sources(archive, tmp_path), level)
    cross, host = (compiler(gcc, archive) for gcc in (programs.TARGETS[userland.ISA].gcc, "gcc"))

    def one(name: str) -> tuple[str, str]:
        """("", "ran") or why it did not pass; the host is asked only about those that fail."""
        program = build(cross, tmp_path, name, level)
        if not program:
            return "", "not for this ISA"
        if not (why := passes(userland.static_command(program), tmp_path)):
            return "", "ran"
        oracle = build(host, tmp_path, name, level)
        if not oracle or passes([str(oracle)], tmp_path):
            return "", "not natively either"
        return f"{name}: {why}", ""

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, names))
    wrong = [why for why, _ in results if why]
    assert not wrong, f"{len(wrong)} of {len(names)}:\n" + "\n".join(wrong)
    assert sum(how == "ran" for _, how in results) > len(names) * 0.98
