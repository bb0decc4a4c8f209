"""The engine that tests of whole programs and machines use: ISOMER_ACCEL, which `scripts/test --accel` sets. Its words are
engines, `check`, and settings of --jit: `jit,check` or `jit,threshold=1,insns=1`."""
from __future__ import annotations

import os

ACCEL = os.environ.get("ISOMER_ACCEL", "")


def options(accel: str = ACCEL) -> list[str]:
    """For `isomer run` and `isomer user`."""
    words = [w for w in accel.split(",") if w]
    engines = [w for w in words if w != "check" and "=" not in w]
    out = ["--accel", ",".join(engines)] if engines else []
    out += ["--check"] if "check" in words else []
    for w in words:
        out += ["--jit", w] if "=" in w else []
    return out
