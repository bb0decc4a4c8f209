"""Random C programs (csmith, fixed seeds) end with the checksum of the same program built for the host.

Programs that do not end natively within a second of CPU time are left out, as csmith's authors do. Sources, binaries and
native checksums are kept in the cache by generator and compilers.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import programs, userland  # noqa: E402

FIRST = 1000
COUNT = 300 if userland.FULL else 30
CPU_SECONDS = 1
LEVELS = ("-O0", "-O1", "-O2", "-O3")  # by seed
FLAGS = ("-w", "-static")


def store(command: str) -> Path:
    version = subprocess.run([command, "-v"], capture_output=True, text=True, check=True).stderr
    generator = (userland.sysroot(userland.products.host_arch()) / "usr/bin/csmith").read_bytes()
    key = hashlib.sha256(f"{version} {FLAGS} {LEVELS} {hashlib.sha256(generator).hexdigest()}".encode()).hexdigest()[:16]
    path = userland.CACHE / "csmith" / f"{command}-{key}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def whole(path: Path, make: list[str], output: bool = False) -> Path:
    """Runs a command that writes the file at the end of its arguments, or prints it; half a file does not count."""
    if not path.exists():
        tmp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        command = [*make] if output else [*make, "-o", str(tmp)]
        r = subprocess.run(command, capture_output=True)
        assert r.returncode == 0, f"{' '.join(command)}: {r.stderr.decode(errors='replace')[-2000:]}"
        if output:
            tmp.write_bytes(r.stdout)
        tmp.rename(path)
    return path


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def checksum(seed: int) -> str:
    """Empty when guest and host agree or the program does not end; otherwise what differs."""
    here, there = store("gcc"), store(programs.TARGETS[userland.ISA].gcc)
    generate = [*userland.entering(), "/tmp", "csmith", "--seed", str(seed)]
    source = whole(here / f"{seed}.c", generate, output=True)
    include = ["-isystem", str(userland.sysroot(userland.ISA) / "usr/include/csmith"), LEVELS[seed % len(LEVELS)], *FLAGS, str(source)]
    host = whole(here / f"{seed}", ["gcc", *include])
    known = here / f"{seed}.sum"
    if not known.exists():
        r = subprocess.run([host], capture_output=True, preexec_fn=limit)
        known.write_bytes(r.stdout if r.returncode == 0 else b"")
    expected = known.read_bytes()
    if not expected:
        return ""
    assert expected.startswith(b"checksum = ")
    program = whole(there / f"{seed}", [programs.TARGETS[userland.ISA].gcc, *include])
    r = subprocess.run(userland.static_command(program), capture_output=True, timeout=userland.HANGS)
    if (r.returncode, r.stdout, r.stderr) == (0, expected, b""):
        return "same"
    return f"seed {seed}: status {r.returncode}, {r.stdout!r} {r.stderr[-500:]!r}, natively {expected!r}"


def test_checksums() -> None:
    if why := programs.missing(userland.ISA):
        pytest.skip(why)
    userland.entering()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(checksum, range(FIRST, FIRST + COUNT)))
    wrong = [r for r in results if r not in ("", "same")]
    assert not wrong, "\n".join(wrong)
    assert results.count("same") > COUNT / 2


def test_generator_in_the_guest() -> None:
    """csmith itself writes the same programs in the guest."""
    userland.same(["csmith", "--seed", "5"])
