"""CPython's own test suite on Debian's python3: what passes natively passes in the guest.

python_skips.yaml names the exceptions, with reasons. Modules that wait a lot are left to --full.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402

HERE = Path(__file__).resolve().parent
RUNNER = HERE / "scripts" / "run_tests.py"
SKIPS = {row["test"]: row for row in yaml.safe_load((HERE / "python_skips.yaml").read_text()) or []}

SHORT = ["test_int", "test_float", "test_struct", "test_json"]
LONG = ["test_threading", "test_subprocess", "test_socket", "test_signal"]


def outcomes(run: Callable[..., userland.Result], place: userland.Place, module: str) -> dict[str, str]:
    work = place.fresh()
    left_out = json.dumps([name for name, row in SKIPS.items() if row.get("runs") is False])
    r = run(["python3", "run_tests.py", "report", left_out, module], work)
    assert r.status == 0 and (work / "report").exists(), r.text()
    (work.parent / f"{run.__name__}.err").write_bytes(r.err)
    return json.loads((work / "report").read_text())


@pytest.mark.parametrize("module", SHORT + LONG if userland.FULL else SHORT)
def test_module(module: str) -> None:
    place = userland.Place({RUNNER.name: RUNNER.read_bytes()})
    try:
        expected = outcomes(userland.native, place, module)
        passed = {name for name, outcome in expected.items() if outcome == "passed"}
        assert len(passed) > 30
        got = outcomes(userland.guest, place, module)
        wrong = {name: got.get(name, "not run") for name in sorted(passed - SKIPS.keys()) if got.get(name) != "passed"}
        assert not wrong, (place.top / "guest.err").read_text()[-20000:]
    finally:
        shutil.rmtree(place.top, ignore_errors=True)


def test_exceptions_have_reasons() -> None:
    assert all(len(row["why"]) > 20 for row in SKIPS.values())
