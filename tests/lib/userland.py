"""Runs Debian programs natively and as a guest of user mode, in the same directory and environment.

Native is the same release for the host's own ISA, in a root of its own (chroot in a mount namespace); the guest is
`isomer user -L SYSROOT`. Both are packages unpacked by scripts/guest. ISOMER_TEST_RUNNER=qemu puts qemu-user in
Isomer's place, which tells whether a failure is the test's own; it cannot run programs that start others.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from scripts.lib import guest as products  # noqa: E402
from scripts.lib.debian import FetchError  # noqa: E402
from scripts.lib.sysroot import Sysroot  # noqa: E402
from . import engine, programs  # noqa: E402

ISOMER = ROOT / os.environ.get("ISOMER_OUT", "out") / "isomer"
CACHE = Path(os.environ.get("ISOMER_CACHE") or ROOT / "out" / "cache").absolute()
FULL = os.environ.get("ISOMER_FULL") == "1"
RUNNER = os.environ.get("ISOMER_TEST_RUNNER", "isomer")
ISAS = programs.WHOLE
GNU = {"arm64": "aarch64"}  # names that differ there
ISA = ISAS[0]  # of the guest; every test runs with each of ISAS (tests/user/conftest.py)
HANGS = 7200.0 if FULL or "check" in engine.ACCEL else 600.0  # seconds after which a program is taken to hang; never a measure of speed

ENV = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC0", "TERM": "dumb", "USER": "tester", "SHELL": "/bin/bash",
    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example", "GIT_AUTHOR_DATE": "2001-02-03T04:05:06Z",
    "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example", "GIT_COMMITTER_DATE": "2001-02-03T04:05:06Z",
    "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip

# Proc and devices are the machine's, /tmp is shared, so that paths mean the same on both sides.
ENTER = (
    'mount --rbind /proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" && mount --bind /tmp "$0/tmp" &&'
    ' exec chroot "$0" /usr/bin/env -C "$1" -i "${@:2}"'
)


@dataclasses.dataclass(frozen=True)
class Result:
    status: int
    out: bytes
    err: bytes

    def text(self) -> str:
        return f"status {self.status}\n{self.out.decode(errors='replace')[-4000:]}\n{self.err.decode(errors='replace')[-4000:]}"


@functools.cache
def sysroot(arch: str) -> Path:
    try:
        return Sysroot(arch).obtain(CACHE)[0]
    except (FetchError, OSError) as e:
        pytest.skip(f"no sysroot of {arch}: {str(e).splitlines()[0]}")


@functools.cache
def product(name: str, arch: str = "") -> tuple[Path, ...]:
    try:
        return tuple(products.products()[name, arch].obtain(CACHE))
    except (FetchError, OSError) as e:
        pytest.skip(f"no {name}: {str(e).splitlines()[0]}")


@functools.cache
def entering() -> tuple[str, ...]:
    """The command that makes a root of one's own, checked."""
    command = ("unshare", "--mount", *(() if os.getuid() == 0 else ("--map-root-user",)), "--")
    root = sysroot(products.host_arch())
    r = subprocess.run([*command, "bash", "-c", ENTER, str(root), "/tmp", "true"], capture_output=True, text=True)
    if r.returncode:
        pytest.skip(f"no root directory for native programs: {' '.join(r.stderr.split())}")
    return (*command, "bash", "-c", ENTER, str(root))


def emulator() -> str:
    """The qemu-user that can take Isomer's place."""
    return next(str(p) for p in product("qemu-user") if p.name == f"qemu-{GNU.get(ISA, ISA)}")


def run(command: Sequence[str], work: Path, stdin: bytes, env: dict[str, str] | None = None) -> Result:
    r = subprocess.run(command, input=stdin, capture_output=True, cwd=work, env=env, timeout=HANGS)
    return Result(r.returncode, r.stdout, r.stderr)


def native(argv: Sequence[str], work: Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
    variables = [f"{k}={v}" for k, v in {**ENV, "HOME": str(work), **(env or {})}.items()]
    return run([*entering(), str(work), *variables, *argv], work, stdin)


def guest_command(argv: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    root = sysroot(ISA)
    if RUNNER == "qemu":
        program = argv[0] if "/" in argv[0] else f"{root}/usr/bin/{argv[0]}"
        return [emulator(), "-L", str(root), "-0", argv[0], program, *argv[1:]]
    return [str(ISOMER), "user", *engine.options(), "-L", str(root), *options, *argv]


def guest(argv: Sequence[str], work: Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
    return run(guest_command(argv), work, stdin, {**ENV, "HOME": str(work), **(env or {})})


def static_command(program: Path, *args: str) -> list[str]:
    """A static program of the guest's ISA; it needs no sysroot."""
    return [emulator() if RUNNER == "qemu" else str(ISOMER), *([] if RUNNER == "qemu" else ["user", *engine.options()]), str(program), *args]


def needs_exec() -> None:
    if RUNNER == "qemu":
        pytest.skip("qemu-user runs no children of another ISA without binfmt_misc")


class Place:
    """A directory that is made anew, with the same path and files, for each of the two runs."""

    def __init__(self, inputs: dict[str, bytes]) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="isomer-", dir="/tmp"))
        self.work = self.top / "w"
        self.inputs = inputs

    def fresh(self) -> Path:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        for name, data in self.inputs.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for path in [self.work, *self.work.rglob("*")]:
            os.utime(path, (1_000_000_000, 1_000_000_000))
        return self.work

    def left(self, patterns: Iterable[str]) -> dict[str, str]:
        """What runs left behind: mode and digest of each file the patterns name."""
        found = {}
        for path in sorted({p for pattern in patterns for p in self.work.glob(pattern)}):
            mode = oct(path.lstat().st_mode)
            if path.is_symlink():
                found[str(path.relative_to(self.work))] = f"{mode} -> {os.readlink(path)}"
            elif path.is_file():
                found[str(path.relative_to(self.work))] = f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            else:
                found[str(path.relative_to(self.work))] = mode
        return found


def same(argv: Sequence[str], stdin: bytes = b"", inputs: dict[str, bytes] | None = None, left: Iterable[str] = ("**/*",)) -> Result:
    """Runs a program on both sides; output, status and files left must be equal. The native result."""
    place = Place(inputs or {})
    try:
        expected = native(argv, place.fresh(), stdin)
        expected_left = place.left(left)
        assert expected.status < 125, f"natively: {expected.text()}"  # not even started
        got = guest(argv, place.fresh(), stdin)
        got_left = place.left(left)
    finally:
        shutil.rmtree(place.top, ignore_errors=True)
    assert (got.status, got.out.decode(errors="replace"), got.err.decode(errors="replace")) == (
        expected.status, expected.out.decode(errors="replace"), expected.err.decode(errors="replace"))
    assert got_left == expected_left
    return expected
