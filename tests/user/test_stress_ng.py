"""stress-ng checks its own results: stressors of processor, vectors, memory, atomics, signals and system calls in the guest.

A fixed number of operations by default, six seconds of each in the full tier.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402

# Operations by default, chosen for about a second of an interpreter.
STRESSORS = {
    "cpu": 12, "vecmath": 5, "matrix": 2, "atomic": 3, "memcpy": 3, "vm": 1, "sigq": 200, "futex": 200, "pipe": 200, "syscall": 1,
    "veccmp": 20, "vecfp": 40, "vecshuf": 20, "vecwide": 20, "vnni": 20, "fma": 200, "fp-error": 20000,
}  # fmt: skip
# One of the system calls tried waits for a client that may have come too early: it ends with the time.
WITHIN = {"syscall": "5s"}
MORE = {"vm": ["--vm-bytes", "1M"], "matrix": ["--matrix-size", "32"]}


@pytest.mark.parametrize("name", STRESSORS)
def test_verifies(name: str) -> None:
    place = userland.Place({})
    amount = ["--timeout", "6s"] if userland.FULL else [f"--{name}-ops", str(STRESSORS[name]), "--timeout", WITHIN.get(name, "120s")]
    try:
        r = userland.guest(["stress-ng", "--verify", f"--{name}", "1", *amount, *MORE.get(name, []), "--metrics",
                            "--seed", "7", "--temp-path", "."], place.fresh())  # fmt: skip
    finally:
        shutil.rmtree(place.top, ignore_errors=True)
    text = (r.out + r.err).decode(errors="replace")
    assert r.status == 0 and re.search(rf"passed: 1: {name} \(1\)", text) and "failed: 0" in text, r.text()
    assert int(re.search(rf"metrc: \[\d+\] {name} +(\d+)", text)[1]) > 0
